#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who gets which address: assigned, chosen by the client, or neither; and refusals."""
import socket

import kvwire
from kvnet import POOL, PORT, TUN_CLIENT, TUN_SERVER, check, equal, main, test, wait_until

REFUSED = 3


def two_clients(world):
    c1, c2 = world.namespace("c1"), world.namespace("c2")
    world.veth(world.s, c1, 1)
    world.veth(world.s, c2, 2)
    return c1, c2


@test("clients get the lowest free address, and one that leaves frees its own")
def assigned(world):
    c1, c2 = two_clients(world)
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", "192.168.88.0/29")
    first = world.client(ip="10.77.1.1", namespace=c1, name="client1")
    equal(c1.ipv4("kvc0")[0][0], "192.168.88.0", "the first address of the pool, as in the older program")
    second = world.client(ip="10.77.2.1", namespace=c2, name="client2")
    equal(c2.ipv4("kvc0")[0][0], "192.168.88.2", "the next one: .1 is the server's own")
    equal(first.stop(), 0, "the exit status")
    wait_until(lambda: not world.s.has_link("kvs0"), 5, "the server noticed")
    world.client(ip="10.77.1.1", namespace=c1, name="client3")
    equal(c1.ipv4("kvc0")[0][0], "192.168.88.0", "the freed address")
    second.stop()


@test("an address the client sets is accepted inside the pool and then taken")
def client_set(world):
    c1, c2 = two_clients(world)
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    world.client("--local-ip", "192.168.88.200", ip="10.77.1.1", namespace=c1, name="client1")
    equal(c1.ipv4("kvc0"), [("192.168.88.200", TUN_SERVER, 32)], "the client's address and peer")
    c1.can_ping(TUN_SERVER)
    other = world.client("--local-ip", "192.168.88.200", ip="10.77.2.1", namespace=c2, name="client2", wait=False)
    other.expect_exit(REFUSED, 30)
    check(other.count("refused") == 1, "the second client is told that it was refused")
    check(not c2.has_link("kvc0"), "and makes no interface")
    c1.can_ping(TUN_SERVER)


@test("an address outside the pool is refused, with exit status 3")
def outside(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client("--local-ip", "10.9.9.9", wait=False)
    client.expect_exit(REFUSED)
    check(client.count("refused") == 1, "the client says that it was refused")


@test("a server whose pool is empty refuses, with exit status 3, and takes the next when one leaves")
def exhausted(world):
    c1, c2 = two_clients(world)
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", f"{TUN_CLIENT}-{TUN_CLIENT}")
    first = world.client(ip="10.77.1.1", namespace=c1, name="client1")
    second = world.client(ip="10.77.2.1", namespace=c2, name="client2", wait=False)
    second.expect_exit(REFUSED)
    first.stop()
    wait_until(lambda: not world.s.has_link("kvs0"), 5, "the server noticed")
    world.client(ip="10.77.2.1", namespace=c2, name="client3")
    c2.can_ping(TUN_SERVER)


@test("without a pool a client may set any address")
def no_pool(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER)
    world.client("--local-ip", "10.55.66.77")
    equal(world.c.ipv4("kvc0"), [("10.55.66.77", TUN_SERVER, 32)], "the client's address and peer")
    equal(world.s.ipv4("kvs0"), [(TUN_SERVER, "10.55.66.77", 32)], "the server's address and peer")
    world.c.can_ping(TUN_SERVER)


@test("without a pool a client that asks for nothing gets no address, and stays connected")
def no_pool_no_address(world):
    world.veth()
    server = world.server("--local-ip", TUN_SERVER)
    client = world.client()
    equal(world.c.ipv4("kvc0"), [], "the client's addresses")
    check(client.alive(), "the client stays")
    for process, name in ((client, "kvc0"), (server, "kvs0")):
        wait_until(lambda p=process, n=name: f"interface {n}, no address" in p.text(), 5, f"the log says so of {name}")


@test("--no-ip-configuration leaves the client's device alone, even with --local-ip")
def no_configuration(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    world.client("--no-ip-configuration", "--local-ip", "192.168.88.9")
    equal(world.c.ipv4("kvc0"), [], "the client's addresses")
    check("UP" in world.c.link("kvc0")["flags"], "the device is up")
    world.c.ip("addr", "add", "192.168.88.9", "peer", TUN_SERVER, "dev", "kvc0")
    world.s.ip("route", "add", "192.168.88.9", "dev", "kvs0")
    world.c.can_ping(TUN_SERVER)


PLAIN = ("--ds", "0", "--ps", "0")
ADDRESS = 0xC0A85802  # 192.168.88.2


def serve(world, client, **config):
    """A server with such a configuration, until the client has ended."""
    sock = world.s.socket(kind=socket.SOCK_DGRAM)
    with sock:
        sock.bind(("10.77.0.1", PORT))
        server = kvwire.Server(sock, address=ADDRESS, **config)
        while client.alive():
            server.poll(0.05)


@test("a server that announces what no interface can have is named as the cause: status 3")
def bad_announcement(world):
    world.veth()
    cases = (({"mode": 0, "mtu": 20}, "MTU 20"), ({"mode": 1, "netmask": 0xFF00FF00}, "netmask 255.0.255.0"))
    for i, (config, word) in enumerate(cases):
        client = world.client(*PLAIN, crypt="none", name=f"client{i}", wait=False)
        serve(world, client, **config)
        client.expect_exit(REFUSED)
        check(f"10.77.0.1:{PORT} announced {word}" in client.text(), f"the client says who and what:\n{client.tail()}")
        equal(client.count("lost"), 1, "the connections it lost")
        check(not world.c.has_link("kvc0"), "no interface is left")


@test("with --auto-reconnect a client tries again until the server announces something better")
def better_announcement(world):
    world.veth()
    client = world.client(*PLAIN, "--auto-reconnect", crypt="none", wait=False)
    with world.s.socket(kind=socket.SOCK_DGRAM) as sock:
        sock.bind(("10.77.0.1", PORT))
        server = kvwire.Server(sock, address=ADDRESS, mtu=20)
        while client.count("retrying") == 0:
            server.poll(0.05)
    check("announced MTU 20" in client.text(), "the reason is told")
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, *PLAIN, crypt="none")
    client.wait_event("connected", 15)


if __name__ == "__main__":
    main()
