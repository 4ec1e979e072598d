#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One interface for many native clients: who reaches whom, and in whose name.

    c  10.77.0.2 --- 10.77.0.1  s  10.77.1.1 --- 10.77.1.2  d
"""
import re
import signal
import time

from kvnet import TUN_CLIENT, TUN_SERVER, POOL, check, equal, main, test, transfer, wait_until

CRYPT = "aes-256-gcm"
TUN_OTHER = "192.168.88.3"
FOREIGN = "192.168.88.99"
NETMASK = ("--netmask", "255.255.255.0")


def start_server(world, *server, **kw):
    return world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, *server, crypt=CRYPT, **kw)


def two_clients(world, *server, mode="tun"):
    """A server and its clients in the namespaces c and d, with the first two addresses."""
    d = world.namespace("d")
    world.veth()
    world.veth(world.s, d, n=1)
    s = start_server(world, *server, mode=mode)
    world.client("--client-id", "first", crypt=CRYPT)
    world.client("--client-id", "second", ip="10.77.1.1", crypt=CRYPT, namespace=d, name="other")
    for client in (world.c, d):
        if mode == "tun":
            client.ip("route", "add", "192.168.88.0/24", "dev", "kvc0")
        client.can_ping(TUN_SERVER)
    equal([link for link in world.s.links() if link.startswith("kvs")], ["kvs0"],
          "the server's interfaces")
    return s, d


def drops(process, reason):
    """How many packets of clients the program says that it has dropped for that reason."""
    before = process.count("statistics")
    process.send(signal.SIGUSR1)
    process.wait_event("statistics", nth=before + 2)
    time.sleep(0.1)
    lines = [line for line in process.text().split("\n") if '"peer"' in line and "wire in" in line]
    return sum(int(n) for line in lines[-2:] for n in re.findall(rf" {reason} (\d+)", line))


@test("with client-to-client they reach each other, past the server's own routing")
def together(world):
    _, d = two_clients(world, "--client-to-client")
    world.s.sysctl("net.ipv4.ip_forward=0")
    world.c.can_ping(TUN_OTHER)
    d.can_ping(TUN_CLIENT)
    world.c.can_ping(TUN_OTHER, size=4000)


@test("a client sends in no other's name")
def own_name(world):
    s, _ = two_clients(world, "--client-to-client")
    before = drops(s, "source")
    for address in (FOREIGN, TUN_OTHER):
        world.c.ip("addr", "add", f"{address}/32", "dev", "kvc0")
        for target in (TUN_SERVER, TUN_OTHER if address == FOREIGN else TUN_SERVER):
            lost, _ = world.c.ping(target, 2, seconds=1, more=("-I", address))
            equal(lost, 1, f"the share lost from {address} to {target}")
        world.c.ip("addr", "del", f"{address}/32", "dev", "kvc0")
    check(drops(s, "source") - before >= 8, "the packets were not counted")
    world.c.can_ping(TUN_OTHER)


@test("both are back after a new handshake when their server was killed and started again", limit=60)
def restarted(world):
    s, d = two_clients(world, "--client-to-client")
    time.sleep(6)  # handshakes lie five seconds apart
    s.kill()
    start_server(world, "--client-to-client", name="server2")
    for client in (world.c, d):
        client.can_ping(TUN_SERVER, seconds=15)
    world.c.can_ping(TUN_OTHER)
    transfer(world, world.c, d, TUN_OTHER, 500000)


@test("in tap mode clients are kept apart, and the server reaches them")
def switch_apart(world):
    _, d = two_clients(world, *NETMASK, mode="tap")
    world.c.cannot_ping(TUN_OTHER)
    d.cannot_ping(TUN_CLIENT)
    world.s.can_ping(TUN_CLIENT)


if __name__ == "__main__":
    main()
