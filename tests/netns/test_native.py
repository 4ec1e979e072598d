#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The native protocol: tunnels with a secret and with keys, moving ends, restarts, silence."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

from kvnet import (POOL, PORT, PROGRAM, TIME_FACTOR, TUN_CLIENT, TUN_SERVER, Capture, Chatter, check, equal,
                   iperf, main, shell, test, transfer, wait_until)

NATIVE = {"crypt": "auto"}
SERVER = ("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
NO_ANSWER, LOST = 5, 6
RESTART_SECONDS = 3
SILENT_SECONDS = 18  # until a client looks for its server again: the silence, and the first tries of a handshake
LONG = os.environ.get("KV_TEST_LONG") == "1"


def key_pair():
    """(private, public)"""
    private = shell(PROGRAM, "genkey").strip()
    public = subprocess.run([PROGRAM, "pubkey"], input=private + "\n", stdout=subprocess.PIPE, text=True, check=True)
    return private, public.stdout.strip()


def tunnel(world, server=(), client=(), crypt="auto"):
    s = world.server(*SERVER, *server, crypt=crypt)
    c = world.client(*client, crypt=crypt)
    return s, c


@test("with a secret alone packets and bytes go both ways, and the log says protocol and cipher", limit=60)
def secret(world):
    world.veth()
    _, client = tunnel(world)
    world.c.can_ping(TUN_SERVER)
    world.s.can_ping(TUN_CLIENT)
    world.c.can_ping(TUN_SERVER, size=1372, more=("-M", "do"))
    transfer(world, world.c, world.s, TUN_SERVER, 2000000)
    transfer(world, world.s, world.c, TUN_CLIENT, 2000000)
    check(re.search(r"protocol native with cipher (aes-256-gcm|chacha20-poly1305), ", client.text()),
          f"the client says protocol, cipher and why: {client.tail()}")
    rate = iperf(world, world.c, world.s, TUN_SERVER, 2)
    print(f"        {rate / 1e6:.0f} Mbit/s up", flush=True)


@test("who names no cipher speaks native: with a secret, an address and a port both ends find each other", limit=60)
def by_default(world):
    world.veth()
    server = world.server(crypt=None)
    client = world.client("--local-ip", TUN_CLIENT, crypt=None)
    client.wait_text("protocol native with cipher ")
    world.s.ip("addr", "add", TUN_SERVER + "/24", "dev", "kvs0")
    world.c.ip("route", "add", TUN_SERVER, "dev", "kvc0")
    world.c.can_ping(TUN_SERVER)
    equal((client.stop(), server.stop()), (0, 0), "the exit statuses")


@test("a server asks for as many files as it has clients with v1, not natively")
def few_files(world):
    for crypt, warned in ((None, False), ("aes", True)):
        server = world.server(crypt=crypt, prefix=("prlimit", "--nofile=200:200"), name=f"server-{crypt}")
        equal("RLIMIT_NOFILE" in server.text(), warned, f"whether it warns with crypt {crypt}")
        server.stop()


@test("two clients of one server on one machine: each has its address and interface, and one stays when the other goes",
      limit=60)
def two_clients(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--local-ip6", "fd88::1/64", "--assignable-ips6",
                 "fd88::/64", **NATIVE)
    first = world.client("--client-id", "first", name="first", **NATIVE)
    world.client("--client-id", "second", "--vni-name", "kvc1", name="second", **NATIVE)
    routes = world.c.ip_json("route", "show", TUN_SERVER)
    equal([route["dev"] for route in routes], ["kvc0", "kvc1"], "the routes to the server")
    world.c.can_ping(TUN_SERVER)
    equal(first.stop(), 0, "the exit status")
    world.c.can_ping(TUN_SERVER)
    equal([route["dev"] for route in world.c.ip_json("route", "show", TUN_SERVER)], ["kvc1"], "the route that is left")


@test("each cipher can be chosen alone, and says that crypt chose it; with another than the server's one is told", limit=60)
def ciphers(world):
    world.veth()
    for crypt in ("chacha20-poly1305", "aes-256-gcm"):
        s, c = tunnel(world, crypt=crypt)
        transfer(world, world.c, world.s, TUN_SERVER, 300000)
        check(f"protocol native with cipher {crypt}, as crypt says" in c.text(), c.tail())
        equal((c.stop(), s.stop()), (0, 0), f"the exit statuses with {crypt}")
    world.server(*SERVER, crypt="chacha20-poly1305")
    refused = world.client(crypt="aes-256-gcm", wait=False, name="refused")
    refused.expect_exit(3)
    refused.wait_text("refused: no common cipher, and aes-256-gcm is all that this end offers")


@test("every byte arrives over a link that loses 10 per cent and one that reorders, doubles and damages",
      limit=120)
def lossy(world):
    link = world.linkem("both delay=10ms loss=10", seed=7)
    tunnel(world)
    transfer(world, world.c, world.s, TUN_SERVER, 2000000, 60)
    transfer(world, world.s, world.c, TUN_CLIENT, 2000000, 60)
    link.set("both delay=10ms jitter=4ms reorder=5 dup=5 corrupt=3 cormode=udp loss=0")
    transfer(world, world.c, world.s, TUN_SERVER, 1000000, 60)


@test("ends that make groups of other sizes repair each other's losses", limit=60)
def other_groups(world):
    world.linkem("both delay=10ms loss=10", seed=7)
    programs = tunnel(world, server=("--ds", "20", "--ps", "6"), client=("--ds", "4", "--ps", "2"))
    transfer(world, world.c, world.s, TUN_SERVER, 2000000, 60)
    transfer(world, world.s, world.c, TUN_CLIENT, 2000000, 60)
    for process in programs:
        process.send(signal.SIGUSR1)
        wait_until(lambda p=process: re.search(r"recovered [1-9]", p.text()), 5, "something was recovered")


@test("another secret gets no byte back, and a client that says what to look for", limit=60)
def wrong_secret(world):
    world.veth()
    world.server(*SERVER, **NATIVE)
    capture = Capture(world, world.s, "eth0")
    client = world.client(secret="another secret", wait=False, **NATIVE)
    client.expect_exit(NO_ANSWER, 25)
    capture.stop()
    check(len(list(capture.udp(dst_port=PORT))) >= 5, "the client tried")
    equal(list(capture.udp(src_port=PORT)), [], "what the server answered")
    for words in ("no answer from 10.77.0.1:1235", "is the secret the same", "does it take keys", "--crypt aes"):
        check(words in client.text(), f"the client says '{words}': {client.tail()}")


@test("a server without v1 does not answer a v1 client, nor one without native a native one", limit=60)
def other_protocol(world):
    world.veth()
    server = world.server(*SERVER, **NATIVE)
    v1 = world.client(wait=False, name="v1")
    world.server(*SERVER, "--vni-name-prefix", "other", name="server-v1", port=PORT + 1)
    native = world.client("--vni-name", "other", wait=False, name="native", port=PORT + 1, **NATIVE)
    server.wait_text("comes with protocol v1, which this server does not speak: --crypt aes would let it in")
    v1.expect_exit(NO_ANSWER, 25)
    native.expect_exit(NO_ANSWER, 25)
    check("--crypt aes" in native.text(), native.tail())
    check("If it speaks the native protocol, which is the default, leave out crypt aes" in v1.text(), v1.tail())


@test("a client whose outer address changes keeps its TCP connection", limit=60)
def roaming(world):
    world.veth()
    _, client = tunnel(world)
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    for last in (3, 4):
        world.c.ip("addr", "del", f"10.77.0.{last - 1}/24", "dev", "eth0")
        world.c.ip("addr", "add", f"10.77.0.{last}/24", "dev", "eth0")
        start = time.monotonic()
        talk.say(10)
        check(time.monotonic() - start < 6 * TIME_FACTOR, f"it took {time.monotonic() - start:.1f} s")
        client.wait_text("going on from the new address")
    equal(client.count("connected"), 1, "how often the client connected")
    transfer(world, world.s, world.c, TUN_CLIENT, 300000)


@test("a client that moves to another link keeps its TCP connection", limit=60)
def other_link(world):
    world.veth()
    world.veth(n=1)
    world.c.ip("route", "add", "10.99.0.1/32", "via", "10.77.0.1", "metric", "10")
    world.c.ip("route", "add", "10.99.0.1/32", "via", "10.77.1.1", "metric", "20")
    world.s.ip("addr", "add", "10.99.0.1/32", "dev", "lo")
    world.server(*SERVER, **NATIVE)
    client = world.client(ip="10.99.0.1", **NATIVE)
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    world.c.ip("link", "set", "eth0", "down")
    talk.say(10)
    talk.say()
    equal(client.count("connected"), 1, "how often the client connected")


@test("with all traffic routed into the tunnel a client moves to another link, and back, and its own routes are "
      "left as they were", limit=90)
def full_tunnel(world):
    world.veth()
    world.veth(n=1)
    world.s.ip("addr", "add", "10.99.0.1/32", "dev", "lo")
    world.c.ip("route", "add", "default", "via", "10.77.0.1", "metric", "100")
    world.c.ip("route", "add", "default", "via", "10.77.1.1", "metric", "200")
    before = world.c.ip("route")
    world.server(*SERVER, "--routes", "0.0.0.0/0", **NATIVE)
    client = world.client(ip="10.99.0.1", **NATIVE)
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    check("dev kvc0" in world.c.ip("route", "get", "1.2.3.4"), "strangers are reached through the tunnel")
    check("dev eth0" in world.c.ip("route", "get", "10.99.0.1"), "the server is not")
    world.c.ip("link", "set", "eth0", "down")
    talk.say(10)
    check("dev eth1" in world.c.ip("route", "get", "10.99.0.1"), "the server is reached by the other link")
    check("dev kvc0" in world.c.ip("route", "get", "1.2.3.4"), "strangers still through the tunnel")
    world.c.ip("link", "set", "eth1", "down")
    time.sleep(1)
    world.c.ip("link", "set", "eth1", "up")
    world.c.ip("route", "add", "default", "via", "10.77.1.1", "metric", "200")
    talk.say(20)
    # Packets of a worker may be ahead of the routes, which the main thread sets.
    wait_until(lambda: "dev kvc0" in world.c.ip("route", "get", "1.2.3.4"), 5, "strangers through the tunnel again")
    equal(client.count("connected"), 1, "how often the client connected")
    client.stop()
    left = [line for line in world.c.ip("route").splitlines() if "eth1" in line]
    equal(left, [line for line in before.splitlines() if "eth1" in line], "routes of the other link in the end")


@test("a client that is started a second time on the same machine leaves the first one alone", limit=60)
def twice(world):
    world.veth()
    world.server(*SERVER, **NATIVE)
    client = world.client("--client-id", "me", **NATIVE)
    rival = world.client("--client-id", "me", name="rival", wait=False, **NATIVE)
    rival.expect_exit(1, 20)
    check("vni-name: give this tunnel another one than kvc0: " in rival.text(), f"what to change:\n{rival.tail()}")
    transfer(world, world.s, world.c, TUN_CLIENT, 100000)
    check(client.alive(), "the first one stays")
    equal(client.count("connected"), 1, "how often the first one connected")


@test("a server that was killed and started again has its client back at its next packet", limit=60)
def restart(world):
    world.veth()
    server, client = tunnel(world)
    world.c.can_ping(TUN_SERVER)
    time.sleep(6 * TIME_FACTOR)  # handshakes lie five seconds apart
    server.send(signal.SIGKILL)
    server.wait_exit()
    world.server(*SERVER, name="server2", **NATIVE)
    start = time.monotonic()
    wait_until(lambda: world.c.ping(TUN_SERVER, 1, seconds=1)[0] == 0, 15, "pings pass again")
    took = time.monotonic() - start
    print(f"        {took:.2f} s", flush=True)
    check(took < RESTART_SECONDS * TIME_FACTOR, f"it took {took:.1f} s")
    equal(client.count("connected"), 1, "how often the client connected")
    equal([a[0] for a in world.c.ipv4("kvc0")], [TUN_CLIENT], "the client's address")


@test("a client that stops is gone at the server at once, and the other way round", limit=60)
def goodbye(world):
    world.veth()
    server, client = tunnel(world)
    world.c.can_ping(TUN_SERVER)
    equal(client.stop(), 0, "the client's exit status")
    server.wait_event("client-disconnected", 3)
    client = world.client(name="client2", **NATIVE)
    world.c.can_ping(TUN_SERVER)
    server.stop()
    client.expect_exit(LOST, 5)
    check(not world.c.has_link("kvc0"), "the interface is gone")


@test("an idle tunnel is silent, and no byte of what it says is constant", limit=90)
def silence(world):
    world.veth()
    tunnel(world)
    capture = Capture(world, world.c, "eth0")
    world.c.can_ping(TUN_SERVER, count=50)
    # Path MTU discovery, and the last answers to what was asked.
    time.sleep(12 * TIME_FACTOR)
    before = len(capture.frames)
    time.sleep(20 * TIME_FACTOR)
    quiet = [frame for frame in capture.stop()[before:] if frame[12:14] == b"\x08\x00"]
    equal(len(quiet), 0, "datagrams in twenty seconds")
    said = [payload for _, payload in capture.udp() if len(payload) >= 32]
    check(len(said) >= 100, f"{len(said)} datagrams were seen")
    for at in range(32):
        check(len({payload[at] for payload in said}) > len(said) / 8, f"byte {at} differs")


@test("with keys, too, a client that moves keeps its TCP connection, and a restarted server gets it back",
      limit=90)
def keys(world):
    world.veth()
    private, public = zip(*(key_pair() for _ in range(2)))
    path = os.path.join(world.dir, "server.kcpvpn")
    with open(path, "w", encoding="ascii", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
        f.write(f"[tunnel]\nrole=server\ncrypt=auto\nprivate-key={private[0]}\nlocal-ip={TUN_SERVER}\n"
                f"assignable-ips={POOL}\n\n[peer laptop]\npublic-key={public[1]}\n")
    server = world.server("--config", path, secret=None, **NATIVE)
    client = world.client("--private-key", private[1], "--public-key", public[0], secret=None, **NATIVE)
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    world.c.ip("addr", "del", "10.77.0.2/24", "dev", "eth0")
    world.c.ip("addr", "add", "10.77.0.3/24", "dev", "eth0")
    talk.say(10)
    server.send(signal.SIGKILL)
    server.wait_exit()
    world.server("--config", path, secret=None, name="server2", **NATIVE)
    wait_until(lambda: world.c.ping(TUN_SERVER, 1, seconds=1)[0] == 0, 15, "pings pass again")
    equal(client.count("connected"), 1, "how often the client connected")


def replay_from_nobody(world, frame, seconds, rate=2000):
    """The IPv4 packet of a frame again and again, from addresses of the link that nobody has."""
    raw = world.keep(world.c.socket(kind=socket.SOCK_RAW, proto=socket.IPPROTO_RAW))
    n, start = 0, time.monotonic()
    while (now := time.monotonic()) < start + seconds:
        while n < (now - start) * rate:
            source = bytes((10, 77, 0, 10 + n % 200))
            raw.sendto(frame[14:26] + source + frame[30:40] + bytes(2) + frame[42:], ("10.77.0.1", 0))
            n += 1
        time.sleep(0.002)


@test("handshakes replayed from addresses that nobody has do not fill the server's socket", limit=60)
def choked(world):
    world.veth()
    capture = Capture(world, world.c, "eth0")
    tunnel(world, server=("--sockbuf", "200000"))
    world.c.can_ping(TUN_SERVER)
    hello = next(f for out, f in capture.stop() if out and f[12:14] == b"\x08\x00" and f[23] == 17)
    replay = threading.Thread(target=replay_from_nobody, args=(world, hello, 6))
    replay.start()
    time.sleep(2)
    lost, _ = world.c.ping(TUN_SERVER, 20, seconds=1)
    replay.join()
    check(lost <= 0.1, f"{lost:.0%} of the pings were lost")


def move_server(world, old, new):
    world.s.ip("addr", "del", f"{old}/24", "dev", "eth0")
    world.s.ip("addr", "add", f"{new}/24", "dev", "eth0")
    world.write_hosts(world.c, f"{new} gate.test")


@test("a server that moved is found by its name, with all traffic routed into the tunnel, and a connection goes on; "
      "so is another one in its place", limit=120)
def found(world):
    world.veth()
    world.c.ip("route", "add", "default", "via", "10.77.0.1")
    world.write_hosts(world.c, "10.77.0.1 gate.test")
    server = world.server(*SERVER, "--routes", "0.0.0.0/0", **NATIVE)
    client = world.client("--auto-reconnect", ip="gate.test", **NATIVE)
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    move_server(world, "10.77.0.1", "10.77.0.9")
    start = time.monotonic()
    talk.say(SILENT_SECONDS + 15)
    print(f"        {time.monotonic() - start:.1f} s", flush=True)
    client.wait_text("no answer from 10.77.0.1:1235, looking for it again")
    client.wait_text("10.77.0.9:1235 answers again")
    check("dev eth0" in world.c.ip("route", "get", "10.77.0.9"), "the server is reached outside the tunnel")
    check("dev kvc0" in world.c.ip("route", "get", "1.2.3.4"), "strangers through the tunnel")
    server.send(signal.SIGKILL)
    server.wait_exit()
    move_server(world, "10.77.0.9", "10.77.0.5")
    world.server(*SERVER, name="server2", **NATIVE)
    wait_until(lambda: world.c.ping(TUN_SERVER, 1, seconds=1)[0] == 0, SILENT_SECONDS + 15, "pings pass again")
    client.wait_text("10.77.0.5:1235 answers again")
    equal(client.count("connected"), 1, "how often the client connected")


def stays_away(world):
    world.veth()
    server, client = tunnel(world)
    world.c.can_ping(TUN_SERVER)
    server.send(signal.SIGKILL)
    server.wait_exit()
    end = time.monotonic() + 15 + 90 + 15
    while client.alive() and time.monotonic() < end:
        world.c.ping(TUN_SERVER, 1, seconds=1)
    client.expect_exit(LOST, 1)
    check("connection to 10.77.0.1:1235 lost: " in client.text(), client.tail())
    check(not world.c.has_link("kvc0"), "the interface is gone")


# It takes two minutes.
if LONG:
    test("without auto-reconnect a client whose server stays away ends when the patience of a handshake is over",
         limit=150)(stays_away)


if __name__ == "__main__":
    main()
