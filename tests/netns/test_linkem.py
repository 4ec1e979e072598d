#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The test bed itself: what the emulated link promises the other tests."""
import contextlib
import socket

from kvnet import PATIENT, check, equal, main, test

IP_RECVTOS = 13


@test("a delay of 20 ms each way is a round trip of 40 ms")
def delay(world):
    world.linkem("both delay=20ms")
    lost, times = world.c.ping("10.77.0.1", 20, 0.02, more=PATIENT)
    equal(lost, 0, "the share lost")
    least = min(times)  # the others may have waited for a processor, too
    check(39.9 < least < 45, f"no less than {least} ms")


def fate(world, settings):
    out = []
    link = world.linkem(*settings, seed=7)
    for _ in range(2):
        link.set("both rewind zero")
        world.c.ping("10.77.0.1", 400, 0.002)
        stats = link.stats()
        out.append((stats["b2a"]["loss"], stats["a2b"]["loss"]))
    return out


@test("10 per cent loss loses about that, and the same seed loses the same frames")
def same_dice(world):
    world.c.sysctl("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
    world.s.sysctl("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
    first, second = fate(world, ["both loss=10"])
    equal(second, first, "the frames lost in the second run")
    check(20 <= first[0] <= 60, f"{first[0]} of 400 frames lost")


@test("a link that is down passes nothing, and passes again when it is up")
def down(world):
    link = world.linkem()
    world.c.can_ping("10.77.0.1")
    link.set("both down=1")
    world.c.cannot_ping("10.77.0.1")
    link.set("both down=0")
    world.c.can_ping("10.77.0.1")


def received_tos(world, tos, seconds=5):
    """The class of a datagram that c sends to s with another one; None: it does not come."""
    with contextlib.closing(world.s.socket(kind=socket.SOCK_DGRAM)) as to, \
            contextlib.closing(world.c.socket(kind=socket.SOCK_DGRAM)) as sender:
        to.bind(("10.77.0.1", 9))
        to.settimeout(seconds)
        to.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        sender.sendto(b"x", ("10.77.0.1", 9))
        try:
            return to.recvmsg(16, 64)[1][0][2][0]
        except TimeoutError:
            return None


@test("congestion marks are set on all packets, which arrive whole")
def marks(world):
    link = world.linkem("both ce=100")
    world.c.can_ping("10.77.0.1")
    world.c.can_ping("10.77.0.1", more=("-Q", "0xb8"))
    equal(received_tos(world, 0xb8), 0xbb, "the class on a path that marks")
    check(link.stats()["b2a"]["ce"] >= 7, "the packets were not counted")
    link.set("both ce=0")
    equal(received_tos(world, 0xb8), 0xb8, "the class on a path that does not")


@test("a path may rewrite the ECN field, and may swallow what has one")
def ecn_field(world):
    link = world.linkem()
    for field in (0, 1, 2, 3):
        link.set(f"both ecn={field}")
        for sent in (0, 1, 2, 3):
            equal(received_tos(world, 0xb8 | sent), 0xb8 | field, f"the class of {sent} on a path that says {field}")
    link.set("both ecn=off noect=1")
    equal(received_tos(world, 0xb8), 0xb8, "the class of what has no field")
    for sent in (1, 2, 3):
        equal(received_tos(world, 0xb8 | sent, 0.3), None, f"the class of what has {sent}")
    equal(link.stats()["b2a"]["ect"], 3, "packets swallowed")


if __name__ == "__main__":
    main()
