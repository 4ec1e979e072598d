#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TUN mode: what stands on the devices, and what goes through them."""
import os
import re

from kvnet import (POOL, PROGRAM, SANITIZED, TUN_CLIENT, TUN_SERVER, check, equal, iperf, main, test,
                   transfer, wait_until)


def flags(namespace, name):
    return set(namespace.link(name)["flags"]) & {"UP", "POINTOPOINT", "NOARP", "MULTICAST", "LOWER_UP"}


@test("both devices have the names, flags, MTU, address and peer of the protocol's table")
def devices(world):
    world.veth()
    world.tunnel()
    want = {"UP", "POINTOPOINT", "NOARP", "MULTICAST", "LOWER_UP"}
    wait_until(lambda: flags(world.s, "kvs0") == want, 3, f"the flags of kvs0 are {want}")
    wait_until(lambda: flags(world.c, "kvc0") == want, 3, f"the flags of kvc0 are {want}")
    equal(world.s.ipv4("kvs0"), [(TUN_SERVER, TUN_CLIENT, 32)], "address, peer and length of kvs0")
    equal(world.c.ipv4("kvc0"), [(TUN_CLIENT, TUN_SERVER, 32)], "address, peer and length of kvc0")
    equal(world.s.link("kvs0")["mtu"], 1500, "the MTU of kvs0")
    equal(world.c.link("kvc0")["mtu"], 1500, "the MTU of kvc0")


@test("packets go both ways, small ones and ones that fill the MTU")
def ping(world):
    world.veth()
    world.tunnel()
    world.c.can_ping(TUN_SERVER)
    world.s.can_ping(TUN_CLIENT)
    world.c.can_ping(TUN_SERVER, size=1472, more=("-M", "do"))
    world.s.can_ping(TUN_CLIENT, size=0)


@test("a secret may have any bytes, as the Go program takes them, by whatever door it comes")
def any_secret(world):
    world.veth()
    secret = b"k\x01\xff\xc3(\x7f"
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, secret=os.fsdecode(secret))
    path = os.path.join(world.dir, "secret")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as f:
        f.write(secret + b"\n")
    for flags_of in (("--secret-file", path), ("--secret", os.fsdecode(secret))):
        client = world.client(*flags_of, secret=None)
        world.c.can_ping(TUN_SERVER)
        client.stop()
        wait_until(lambda: not world.s.has_link("kvs0"), 5, "the server lets the client go")


@test("one TCP stream each way runs at more than 100 Mbit/s on a clean link")
def throughput(world):
    world.veth()
    world.tunnel("--sndwnd", "2048", "--rcvwnd", "2048", "--kcp-mode", "fast3")
    for way in ((), ("-R",)):
        rate = iperf(world, world.c, world.s, TUN_SERVER, 2, *way)
        print(f"        {rate / 1e6:.0f} Mbit/s {'down' if way else 'up'}", flush=True)
        # a sanitizer's pace says nothing of the program's
        check(rate > (10e6 if SANITIZED else 100e6), f"{rate / 1e6:.1f} Mbit/s {way}")


@test("the smaller MTU of both ends counts, from 576 to 9000, and packets of that size pass",
      limit=90)
def mtu(world):
    world.veth()
    for server, client in ((576, 576), (1280, 1500), (1500, 1400), (9000, 4000), (9000, 9000)):
        s, c = world.tunnel(server=("--vni-mtu", str(server)), client=("--vni-mtu", str(client)))
        want = min(server, client)
        equal(world.s.link("kvs0")["mtu"], want, f"the server's MTU of {server} and {client}")
        equal(world.c.link("kvc0")["mtu"], want, f"the client's MTU of {server} and {client}")
        world.c.can_ping(TUN_SERVER, size=want - 28, more=("-M", "do"))
        world.s.can_ping(TUN_CLIENT, size=want - 28, more=("-M", "do"))
        transfer(world, world.c, world.s, TUN_SERVER, 300000)
        equal((c.stop(), s.stop()), (0, 0), "the exit statuses")


@test("a small UDP MTU carries full inner packets", limit=40)
def udp_mtu(world):
    world.veth()
    world.tunnel("--udp-mtu", "500")
    world.c.can_ping(TUN_SERVER, size=1472, more=("-M", "do"))
    transfer(world, world.s, world.c, TUN_CLIENT, 500000)


@test("every byte arrives unchanged and once over a link that loses 10 per cent, both ways",
      limit=90)
def lossy_bytes(world):
    world.linkem("both delay=10ms loss=10", seed=3)
    world.tunnel("--kcp-mode", "fast3")
    transfer(world, world.c, world.s, TUN_SERVER, 4000000, 60)
    transfer(world, world.s, world.c, TUN_CLIENT, 4000000, 60)


@test("every byte arrives unchanged over a link that reorders, doubles and damages", limit=90)
def rough_bytes(world):
    world.linkem("both delay=10ms jitter=4ms reorder=5 dup=5 corrupt=3 cormode=udp", seed=4)
    world.tunnel("--kcp-mode", "fast3")
    transfer(world, world.c, world.s, TUN_SERVER, 2000000, 60)
    transfer(world, world.s, world.c, TUN_CLIENT, 2000000, 60)


@test("each FEC shape, and none, carries bytes over loss", limit=90)
def fec_shapes(world):
    world.linkem("both delay=5ms loss=5", seed=5)
    for flags_ in (("--ds", "0", "--ps", "0"), ("--ds", "10", "--ps", "0"), ("--ds", "1", "--ps", "1"),
                   ("--ds", "3", "--ps", "2"), ("--ds", "200", "--ps", "55"), ("--datashard", "20", "--parityshard", "10"),
                   ("--rapid-fec",)):
        s, c = world.tunnel(*flags_)
        transfer(world, world.c, world.s, TUN_SERVER, 500000)
        equal((c.stop(), s.stop()), (0, 0), f"the exit statuses with {flags_}")


@test("every cipher and every mode carries bytes", limit=120)
def ciphers_and_modes(world):
    world.veth()
    modes = ("normal", "fast", "fast2", "fast3", "manual")
    ciphers = ("aes", "aes-128", "aes-192", "salsa20", "blowfish", "twofish", "cast5", "3des", "tea",
               "xtea", "xor", "sm4", "none")
    for i, cipher in enumerate(ciphers):
        mode = ("--kcp-mode", modes[i % len(modes)])
        s = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, *mode, crypt=cipher)
        c = world.client(*mode, crypt=cipher)
        transfer(world, world.c, world.s, TUN_SERVER, 300000)
        equal((c.stop(), s.stop()), (0, 0), f"the exit statuses with {cipher} {mode}")


@test("interface names: a prefix and a counter on the server, the name asked for on the client")
def names(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--vni-name-prefix", "far")
    first = world.client("--vni-name", "kvc_c1")
    wait_until(lambda: world.s.has_link("far0") and world.c.has_link("kvc_c1"), 5, "far0 and kvc_c1 exist")
    first.stop()
    wait_until(lambda: not world.s.has_link("far0"), 5, "far0 is gone")
    world.client("--vni-name", "second", name="client2")
    wait_until(lambda: world.s.has_link("far1"), 5, "the next client gets far1: no number comes twice")


@test("the bare examples of the older program work: one dash, short names, s and c")
def old_habits(world):
    world.veth()
    s = world.start([PROGRAM, "s", "-ip", "0.0.0.0", "-port", "1235", "-kcp-mode", "normal", "-dscp", "46",
                     "-local-ip", "192.168.88.0", "-vni-mode", "tun", "-assignable-ips", "192.168.88.0/24", "-ds", "5",
                     "-ps", "2", "--crypt", "aes", "--log-json"], "server", world.s, {"KCPVPN_KEY": "k"})
    s.wait_event("listening")
    c = world.start([PROGRAM, "c", "-client-id", "client1", "-ip", "10.77.0.1", "-port", "1235", "-kcp-mode",
                     "normal", "-dscp", "46", "-ds", "5", "-ps", "2", "--crypt", "aes", "--log-json"], "client",
                    world.c, {"KCPVPN_KEY": "k"})
    c.wait_event("connected")
    world.c.can_ping("192.168.88.0")


def udp_buffers(namespace):
    """(receive, send) of each UDP socket in a namespace, as they were asked for: the kernel doubles them."""
    out = namespace.run("ss", "-Hunam")
    return [(int(r) // 2, int(s) // 2) for r, s in re.findall(r"rb(\d+),t\d+,tb(\d+)", out)]


@test("--sockbuf sets both buffers on either end; without it they have 4 MiB, with too little the least")
def sockbuf(world):
    world.veth()
    for flags, want in (((), 4194304), (("--sockbuf", "300000"), 300000), (("--sockbuf", "0"), 2048)):
        name = str(want)
        server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--workers", "1", *flags, name="s" + name)
        client = world.client(*flags, name="c" + name)
        for side in (world.s, world.c):
            buffers = udp_buffers(side)
            equal(len(buffers), 1, f"the sockets of {side.name}")
            check(all(want <= size <= want + 2304 for size in buffers[0]), f"{side.name}, {flags}: {buffers}")
        for process in (client, server):
            equal(process.stop(), 0, "the exit status")


@test("the long examples of the older program work as they stand, natively, and with its cipher in v1: a host name, a hook "
      "folder, a fixed address, a bridge", limit=90)
def examples(world):
    world.veth()
    world.write_hosts(world.c, "10.77.0.1 server1")
    os.mkdir(os.path.join(world.dir, "kcpvpn-hooks"), 0o755)
    world.s.ip("link", "add", "br0", "type", "bridge")
    world.s.ip("link", "set", "br0", "up")
    for cipher, peer in (("", None), (" --crypt aes", "192.168.88.0")):
        run_examples(world, cipher, peer)


def run_examples(world, cipher, peer):
    """peer: what the client's interface has for the other end"""
    hooks = os.path.join(world.dir, "kcpvpn-hooks")

    def run(name, namespace, line):
        process = world.start([PROGRAM, *line.split(), *cipher.split(), "--log-json"], name + cipher[-3:], namespace,
                              {"KCPVPN_KEY": "pre-shared-key"})
        process.wait_event("listening" if line.startswith("server") else "connected")
        check(("kcp-mode: of no use" in process.text()) == (cipher == ""), "whether the mode of KCP counts")
        return process

    plain = "client --client-id client1 --ip server1 --port 1235 --kcp-mode normal --dscp 46"
    server = run("tun", world.s, "server --ip 0.0.0.0 --port 1235 --kcp-mode normal --dscp 46 --local-ip 192.168.88.0 "
                 f"--vni-mode tun --assignable-ips 192.168.88.0/24 --hook-dir {hooks}")
    client = run("client1", world.c, plain)
    equal(world.c.ipv4("kvc0"), [("192.168.88.1", peer, 32)], "the first client's address")
    world.c.can_ping("192.168.88.0")
    equal(client.stop(), 0, "its exit status")
    fixed = run("client2", world.c, plain + " --vni-mtu 1200 --local-ip 192.168.88.255 --vni-name kvc_c1")
    equal(world.c.ipv4("kvc_c1"), [("192.168.88.255", peer, 32)], "the second client's address")
    equal(world.c.link("kvc_c1")["mtu"], 1200, "its MTU")
    world.c.can_ping("192.168.88.0")
    equal((fixed.stop(), server.stop()), (0, 0), "the exit statuses")
    world.s.ip("addr", "add", "192.168.88.1/24", "dev", "br0")
    server = run("tap", world.s, "server --ip 0.0.0.0 --port 1235 --kcp-mode normal --dscp 46 --local-ip 192.168.88.1 "
                 "--vni-mode tap --assignable-ips 192.168.88.2-192.168.88.254 --netmask 255.255.255.0 "
                 f"--hook-dir {hooks} --bridge br0")
    client = run("client3", world.c, plain)
    world.c.can_ping("192.168.88.1")
    equal((client.stop(), server.stop()), (0, 0), "the exit statuses")
    world.s.ip("addr", "del", "192.168.88.1/24", "dev", "br0")


@test("an MTU beyond what one frame carries is lowered, with a warning, and full packets pass", limit=60)
def huge_mtu(world):
    world.veth()
    server, client = world.tunnel("--vni-mtu", "65513")
    for process, namespace, name in ((server, world.s, "kvs0"), (client, world.c, "kvc0")):
        equal(namespace.link(name)["mtu"], 32746, f"the MTU of {name}")
        check("32746 is used" in process.text(), f"{process.name} warns")
    world.c.can_ping(TUN_SERVER, size=32746 - 28)
    transfer(world, world.c, world.s, TUN_SERVER, 3000000)
    transfer(world, world.s, world.c, TUN_CLIENT, 3000000)


if __name__ == "__main__":
    main()
