#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients that are let in, and break the rules, do to a native server and to one another.

The numbers are those of docs/hostile.md.
"""
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from kvnet import PORT, PROGRAM, SECRET, TOP, Capture, check, equal, main, shell, test, wait_until

sys.path.insert(0, os.path.join(TOP, "tests/vectors/native"))
import kvnative as kv  # noqa: E402  the protocol, written after its document alone
import kvsodium as na  # noqa: E402
from kvnoise import Noise  # noqa: E402

POOLS = ("--local-ip", "10.9.0.1", "--netmask", "255.255.255.0", "--assignable-ips", "10.9.0.0/24",
         "--local-ip6", "fd09::1/64", "--assignable-ips6", "fd09::/64")
CLIENT_ID, WANT4, WANT6, REFUSED = 1, 10, 11, 23
BAD_RECORD, ADDRESS_TAKEN = 2, 4
BAD_IDS = (b"../../etc/passwd", b"a/b", b"/", b".", b"..", b"a.b", b"a\nb", b"\n", b"a\0b", b"\0", b"\xff", b"a\xffb",
           b"a b", b"a\x1b[31mb", b"%n%s", b"$(id)", b"a" * 65, b"a" * 600, b"")


class Guest:
    """Somebody in the client's namespace who has the secret and says what he likes."""

    def __init__(self, world):
        self.sock = world.keep(world.c.socket(kind=socket.SOCK_DGRAM))
        self.sock.connect(("10.77.0.1", PORT))
        self.sock.settimeout(5)
        self.psk = kv.psk_of_secret(SECRET.encode())
        self.keys = kv.OuterKeys(self.psk)

    def ask(self, *records):
        """The records of the answer, or None: there was none."""
        noise = Noise("NNpsk0", True, kv.PROLOGUE, os.urandom(32), self.psk)
        body = kv.initiation_body(noise, struct.unpack("<I", os.urandom(4))[0], 0,
                                  kv.records((4, b"\1"), *records, (0, bytes(600 - sum(len(r[1]) for r in records) % 600))))
        self.sock.send(kv.frame_handshake(self.keys, os.urandom(24), body, None, os.urandom(16)))
        while True:
            try:
                answer = self.sock.recv(2048)
                return dict(kv.read_records(kv.read_response(noise, kv.unframe_handshake(self.keys, answer))[2]))
            except TimeoutError:
                return None
            except na.Forged:
                continue


def trace_files(world, process, path):
    """strace(1) at a running program: what it does with files, and programs."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=%file,%process", "-s", "300", "-o", path, "-p",
                               str(process.pid)], stderr=subprocess.DEVNULL)
    wait_until(lambda: f"TracerPid:\t{tracer.pid}" in open(f"/proc/{process.pid}/status", encoding="ascii").read(), 5,
               "the server is traced")
    return tracer


def traced(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line for line in file.read().splitlines() if re.search(r" (open|stat|exec|access|read|new|fork|clone|vfork)\w*\(", line)]


@test("T18: client ids that are paths, have control bytes or are too long are refused, and nothing is looked for by them")
def client_ids(world):
    world.veth()
    folder = os.path.join(world.dir, "hooks")
    os.mkdir(folder, 0o755)
    with open(os.open(os.path.join(folder, "on_laptop_connected"), os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n")
    server = world.server(*POOLS, "--hook-dir", folder, crypt="auto")
    guest = Guest(world)
    trace = os.path.join(world.dir, "trace")
    tracer = trace_files(world, server, trace)
    answers = [guest.ask((CLIENT_ID, bad)) for bad in BAD_IDS]
    touched = traced(trace)
    world.client("--client-id", "laptop", crypt="auto")
    wait_until(lambda: any("exec" in line and "on_laptop_connected" in line for line in traced(trace)), 5, "a true id's hook runs")
    tracer.send_signal(signal.SIGINT)
    tracer.wait(5)
    for bad, answer in zip(BAD_IDS, answers):
        check(answer is not None and answer.get(REFUSED, b"\0")[0] == BAD_RECORD, f"{bad[:40]!r} is answered with {answer}")
    equal(touched, [], "what was done with files meanwhile")
    check(all(line.isprintable() for line in server.lines), "the log is printable")
    check(not any("passwd" in line or "$(id)" in line for line in server.lines), "no such id is in the log")
    print(f"# T18: {len(BAD_IDS)} of {len(BAD_IDS)} ids refused, {len(touched)} files touched")


# --- address theft -----------------------------------------------------------------------------

def two_clients(world, *server, mode="tun"):
    """A server, the victim in c and the thief in d, who reach each other; (server, thief's namespace)"""
    d = world.namespace("d")
    world.veth()
    world.veth(world.s, d, n=1)
    process = world.server(*POOLS, "--client-to-client", *server, mode=mode, crypt="auto")
    for n, (client, name) in enumerate(((world.c, "victim"), (d, "thief"))):
        world.client("--client-id", name, ip=f"10.77.{n}.1", crypt="auto", namespace=client, name=name)
        client.can_ping("10.9.0.1")
        client.can_ping("fd09::1")
    d.can_ping("10.9.0.2")
    return process, d


def dropped(process, reason):
    """How many packets the process has dropped for that reason, by its statistics."""
    before = process.count("statistics")
    process.send(signal.SIGUSR1)
    wait_until(lambda: process.count("statistics") > before, 5, "statistics are printed")
    return sum(int(n) for n in re.findall(rf"dropped:.* {reason} (\d+)", process.text())[-2:])


def sends_as(namespace, address, targets, count=100):
    """UDP from an address that the namespace does not have."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    namespace.ip("addr", "add", address + ("/128" if ":" in address else "/32"), "dev", "kvc0",
                 *(("nodad",) if ":" in address else ()))
    sock = namespace.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    for _ in range(count):
        for target in targets:
            sock.sendto(b"theft" * 8, (target, 7))
        time.sleep(0.001)
    sock.close()
    namespace.ip("addr", "del", address + ("/128" if ":" in address else "/32"), "dev", "kvc0")


def stolen(capture):
    return sum(b"theft" in frame for _, frame in capture.frames)


@test("T19: packets with another client's address, of either family, reach nobody, and what is for that one goes to it", limit=60)
def addresses(world):
    server, d = two_clients(world)
    captures = [Capture(world, world.s, "kvs0"), Capture(world, world.c, "kvc0")]
    at_thief = Capture(world, d, "kvc0")
    before = dropped(server, "source")
    sends_as(d, "10.9.0.2", ("10.9.0.1", "10.9.0.77"))
    sends_as(d, "fd09::2", ("fd09::1", "fd09::77"))
    for target in ("10.9.0.2", "fd09::2"):
        world.s.can_ping(target, 10)
    wait_until(lambda: dropped(server, "source") - before >= 400, 5, "the packets are counted")
    crossed = sum(stolen(c) for c in captures)
    seen = sum(not out for out, _ in at_thief.stop())
    equal(crossed, 0, "packets with a stolen address that reached somebody")
    equal(seen, 0, "packets for another client at the thief")
    print(f"# T19: {crossed} of 400 packets crossed; {seen} of the victim's 20 at the thief")


@test("T19: another client's address, given or fixed, is not granted to who asks for it", limit=60)
def wishes(world):
    _, d = two_clients(world)
    guest = Guest(world)
    for kind, address in ((WANT4, socket.inet_aton("10.9.0.2")), (WANT6, socket.inet_pton(socket.AF_INET6, "fd09::2")),
                          (WANT4, socket.inet_aton("10.9.0.1"))):
        answer = guest.ask((kind, address))
        check(answer is not None and answer.get(REFUSED, b"\0")[0] == ADDRESS_TAKEN, f"it is answered with {answer}")
    # Nor does the id of a living client bring its addresses.
    answer = guest.ask((CLIENT_ID, b"victim"))
    check(answer is not None and REFUSED not in answer, f"it is answered with {answer}")
    check(answer[12][:4] != socket.inet_aton("10.9.0.2"), "the victim's address is given away")
    world.s.can_ping("10.9.0.2")
    d.can_ping("10.9.0.2")
    print("# T19: 3 of 3 wishes refused")


@test("T19: a fixed address stays its owner's while that one is away: it is neither granted to another key nor believed of it", limit=60)
def fixed(world):
    world.veth()
    private = [shell(PROGRAM, "genkey").strip() for _ in range(3)]
    public = [subprocess.run([PROGRAM, "pubkey"], input=key, capture_output=True, text=True, check=True).stdout.strip()
              for key in private]
    config = os.path.join(world.dir, "server.kcpvpn")
    with open(os.open(config, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(f"""[tunnel]
role=server
crypt=auto
private-key={private[0]}
local-ip=10.9.0.1
netmask=255.255.255.0
assignable-ips=10.9.0.0/24
local-ip6=fd09::1/64
client-to-client=true

[peer victim]
public-key={public[1]}
local-ip=10.9.0.99
local-ip6=fd09::99

[peer thief]
public-key={public[2]}
""")
    server = world.server("--config", config, crypt="auto", secret=None)
    keys = ("--private-key", private[2], "--public-key", public[0])
    refused = world.client(*keys, "--local-ip", "10.9.0.99", crypt="auto", secret=None, name="wishing", wait=False)
    server.wait_event("client-refused")
    refused.stop()
    equal(server.count("client-connected"), 0, "clients let in")
    world.client(*keys, crypt="auto", secret=None, name="thief")
    world.c.can_ping("10.9.0.1")
    capture = Capture(world, world.s, "kvs0")
    before = dropped(server, "source")
    sends_as(world.c, "10.9.0.99", ("10.9.0.1",))
    wait_until(lambda: dropped(server, "source") - before >= 100, 5, "the packets are counted")
    crossed = stolen(capture)
    equal(crossed, 0, "packets with a fixed address that reached the server")
    print(f"# T19: a fixed address: 1 of 1 wishes refused, {crossed} of 100 packets crossed")


@test("T19: in tap mode, a client with another's Ethernet address gets nothing that is for that one", limit=60)
def ethernet(world):
    server, d = two_clients(world, mode="tap")
    mac = world.c.ip_json("link", "show", "dev", "kvc0")[0]["address"]
    own = d.ip_json("link", "show", "dev", "kvc0")[0]["address"]
    gateway = world.s.ip_json("link", "show", "dev", "kvs0")[0]["address"]
    at_thief = Capture(world, d, "kvc0")
    before = dropped(server, "source")
    for address in (mac, gateway):
        d.ip("link", "set", "dev", "kvc0", "address", address)
        for _ in range(20):
            d.ping("10.9.0.1", 1, seconds=0.05)
        world.s.can_ping("10.9.0.2", 10)
    d.ip("link", "set", "dev", "kvc0", "address", own)
    world.c.can_ping("10.9.0.1")
    check(dropped(server, "source") > before, "the frames are counted")
    victims = bytes.fromhex(mac.replace(":", ""))
    seen = sum(not out and frame[:6] == victims for out, frame in at_thief.stop())
    equal(seen, 0, "frames for another client at the thief")
    wait_until(lambda: d.ping("10.9.0.1", 1, seconds=1)[0] == 0, 10, "with its own address the thief is a client again")
    print(f"# T19: {seen} frames for the victim at the thief")


if __name__ == "__main__":
    main()
