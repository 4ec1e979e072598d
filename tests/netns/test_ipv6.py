#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6, outside and inside the tunnel."""
from kvnet import POOL, TUN_CLIENT, TUN_SERVER, main, test, transfer, wait_until


@test("the tunnel runs over IPv6 between literal addresses", limit=40)
def outer(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, ip="fd77::1")
    world.client(ip="fd77::1")
    world.c.can_ping(TUN_SERVER)
    transfer(world, world.c, world.s, TUN_SERVER, 1000000)
    transfer(world, world.s, world.c, TUN_CLIENT, 1000000)


@test("a server on :: takes clients over IPv6 and over IPv4")
def both_families(world):
    other = world.namespace("c2")
    world.veth()
    world.veth(world.s, other, 2)
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, ip="::")
    world.client(ip="fd77::1", name="client6")
    world.client(ip="10.77.2.1", namespace=other, name="client4")
    world.c.can_ping(TUN_SERVER)
    other.can_ping(TUN_SERVER)


@test("brackets round an IPv6 address are understood")
def brackets(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, ip="[::]")
    world.client(ip="[fd77::1]")
    world.c.can_ping(TUN_SERVER)


def link_local(namespace, name):
    return next((a["local"] for a in namespace.link(name)["addr_info"]
                 if a["family"] == "inet6" and a["scope"] == "link"), None)


@test("IPv6 inside a tun tunnel: addresses set by hand, both ways, and TCP")
def inner_tun(world):
    world.veth()
    world.tunnel()
    world.s.ip("addr", "add", "fd88::1/64", "dev", "kvs0", "nodad")
    world.c.ip("addr", "add", "fd88::2/64", "dev", "kvc0", "nodad")
    world.c.can_ping("fd88::1")
    world.s.can_ping("fd88::2")
    transfer(world, world.c, world.s, "fd88::1", 500000)


@test("IPv6 inside a tap tunnel: link-local addresses both ways, by neighbour discovery")
def inner_tap(world):
    world.veth()
    world.server(mode="tap")
    world.client("--no-ip-configuration")
    wait_until(lambda: link_local(world.s, "kvs0") and link_local(world.c, "kvc0"), 5,
               "both ends have a link-local address")
    world.c.can_ping(link_local(world.s, "kvs0") + "%kvc0")
    world.s.can_ping(link_local(world.c, "kvc0") + "%kvs0")


if __name__ == "__main__":
    main()
