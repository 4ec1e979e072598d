#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a path does to a native tunnel, and the tunnel to inner packets: congestion marks, sizes."""
import contextlib
import re
import signal
import socket
import time

from kvnet import PATIENT, TUN_CLIENT, TUN_SERVER, POOL, check, equal, main, test, wait_until

CRYPT = "chacha20-poly1305"
IP_RECVTOS = 13
ETH_P_ALL = 3
PACKET_OUTGOING = 4
DSCP = 46
UDP_PORT, TCP_PORT = 4001, 4002
BYTES = 600

# RFC 6040, figure 4: by the ECN of the datagram, then of the packet inside; None: dropped.
HANDED_UP = ((0, 1, 2, 3), (0, 1, 1, 3), (0, 1, 2, 3), (None, 3, 3, 3))


def tunnel(world, server=(), client=()):
    """A native tunnel over the emulated link, up in both directions."""
    s = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, *server, crypt=CRYPT)
    c = world.client(*client, crypt=CRYPT)
    world.c.can_ping(TUN_SERVER)
    return s, c


def receiver(world, namespace, address):
    sock = world.keep(namespace.socket(kind=socket.SOCK_DGRAM))
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
    sock.bind((address, UDP_PORT))
    return sock


def send(namespace, address, tos, size=1):
    with contextlib.closing(namespace.socket(kind=socket.SOCK_DGRAM)) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        sock.sendto(b"x" * size, (address, UDP_PORT))


def received_tos(sock, seconds):
    """The class of the next datagram; None: none comes."""
    sock.settimeout(seconds)
    try:
        return sock.recvmsg(2048, 64)[1][0][2][0]
    except TimeoutError:
        return None


def drops(process, reason):
    """How many packets the program says that it has dropped for that reason."""
    before = process.count("statistics")
    process.send(signal.SIGUSR1)
    process.wait_event("statistics", nth=before + 1)
    time.sleep(0.1)
    found = re.findall(rf" {reason} (\d+)", process.text())
    return int(found[-1]) if found else 0


@test("what the path says of ECN reaches the packets inside as RFC 6040 has it, all 16 pairs; their class stays")
def marks(world):
    link = world.linkem()
    s, _ = tunnel(world)  # which pings, and pings know no ECN
    to_s, to_c = receiver(world, world.s, TUN_SERVER), receiver(world, world.c, TUN_CLIENT)
    for outer, handed_up in enumerate(HANDED_UP):
        link.set(f"b2a ecn={outer}")
        for inner, want in enumerate(handed_up):
            send(world.c, TUN_SERVER, DSCP << 2 | inner)
            if want is None:
                equal(received_tos(to_s, 0.5), None, f"what came of {inner} in {outer}")
                continue
            equal(received_tos(to_s, 5), DSCP << 2 | want, f"the class of {inner} in {outer}")
            send(world.s, TUN_CLIENT, DSCP << 2 | inner)
            equal(received_tos(to_c, 5), DSCP << 2 | inner, f"the class of {inner} on the way back")
    before = drops(s, "congestion")
    for _ in range(5):
        send(world.c, TUN_SERVER, DSCP << 2)
    equal(received_tos(to_s, 1), None, "what came of packets whose sender takes no marks")
    equal(drops(s, "congestion") - before, 5, "packets dropped for congestion")
    send(world.s, TUN_CLIENT, DSCP << 2)
    equal(received_tos(to_c, 5), DSCP << 2, "the class on the way without marks")


class Wire:
    """Sees the datagrams that leave the client."""

    def __init__(self, world):
        self._socket = world.keep(world.c.socket(socket.AF_PACKET, socket.SOCK_DGRAM))
        self._socket.bind(("eth0", ETH_P_ALL))

    def classes(self, seconds):
        """Of the datagrams that left until nothing more does for so long: of those with BYTES inside, and of others."""
        around, others = [], []
        self._socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            while True:
                packet, address = self._socket.recvfrom(65535)
                if address[2] == PACKET_OUTGOING and packet[0] == 0x45:
                    (around if BYTES < len(packet) < 2 * BYTES else others).append(packet[1])
        return around, others


@test("datagrams have the DSCP that --dscp says and the ECN of what is inside, once that is known to pass")
def outer(world):
    world.linkem()
    tunnel(world, client=("--dscp", "10"))
    wire, to_s = Wire(world), receiver(world, world.s, TUN_SERVER)
    for inner, want in enumerate((0, 1, 2, 2)):
        tos, allowed = DSCP << 2 | inner, {10 << 2, 10 << 2 | want}
        send(world.c, TUN_SERVER, tos, BYTES)  # asks whether that passes
        equal(received_tos(to_s, 5), tos, "the inner packet's class")
        around, others = wire.classes(0.3)
        check(set(around + others) <= allowed, f"classes of datagrams: {around} {others}")
        send(world.c, TUN_SERVER, tos, BYTES)
        equal(received_tos(to_s, 5), tos, "the inner packet's class")
        around, others = wire.classes(0.3)
        equal(around[:1], [10 << 2 | want], f"the class around {inner}")
        check(set(around + others) <= allowed, f"classes of repeats and others: {around} {others}")


@test("on a path that swallows what has an ECN field packets that know ECN arrive as if they did not")
def no_ect(world):
    world.linkem("both noect=1 delay=5ms")
    tunnel(world)
    wire, to_s, to_c = Wire(world), receiver(world, world.s, TUN_SERVER), receiver(world, world.c, TUN_CLIENT)
    for inner in (1, 2, 3) * 4:
        for source, sink, address in ((world.c, to_s, TUN_SERVER), (world.s, to_c, TUN_CLIENT)):
            before = time.monotonic()
            send(source, address, DSCP << 2 | inner, BYTES)
            equal(received_tos(sink, 5), DSCP << 2 | inner, "the inner packet's class")
            check(time.monotonic() - before < 0.1, "it came by a repeat")
    equal(set(wire.classes(0.1)[0]), {0}, "the classes of datagrams")


@test("TCP through a path of 1300 bytes sends segments that fit one datagram, whoever connects")
def mss(world):
    world.linkem("both maxlen=1300")
    tunnel(world)
    time.sleep(1)  # the search for the path's size
    for client, server, address in ((world.c, world.s, TUN_SERVER), (world.s, world.c, TUN_CLIENT)):
        listener = world.keep(server.socket())
        listener.bind((address, TCP_PORT))
        listener.listen()
        with contextlib.closing(client.socket()) as a:
            a.connect((address, TCP_PORT))
            b, _ = listener.accept()
            with contextlib.closing(b):
                for end, sock in (("who connects", a), ("who accepts", b)):
                    size = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
                    check(1100 <= size <= 1300 - 28 - 32 - 40, f"{end} from {client.name}: MSS {size}")


@test("who sends more than the other end's interface takes is told how much that is")
def too_big(world):
    world.linkem()
    tunnel(world, client=("--vni-mtu", "1300"))
    equal(world.c.link("kvc0")["mtu"], 1300, "the client's MTU")
    check(world.s.link("kvs0")["mtu"] > 1300, "the server's MTU is as small")
    out = world.s.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", "-M", "do", "-s", "1350",
                      TUN_CLIENT, check_status=False)
    check(re.search(r"mtu ?= ?1300", out), f"ping was not told of 1300:\n{out}")
    wait_until(lambda: "mtu 1300" in world.s.ip("route", "get", TUN_CLIENT), 5,
               "the kernel knows how much passes")
    lost, _ = world.s.ping(TUN_CLIENT, 3, size=1272, more=(*PATIENT, "-M", "do"))
    equal(lost, 0, "the share lost of packets of 1300 bytes")
    lost, _ = world.s.ping(TUN_CLIENT, 3, size=3000, more=PATIENT)
    equal(lost, 0, "the share lost of packets that may be fragmented")


if __name__ == "__main__":
    main()
