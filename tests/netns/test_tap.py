#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TAP mode: frames, netmasks, bridges.

    c1 --- eth1 ---+
                   s    (a namespace with br0 over kvs0 and kvs1)
    c2 --- eth2 ---+
"""
import json

from kvnet import check, equal, main, test, transfer, wait_until

NETMASK = ("--netmask", "255.255.255.0")
TAP_POOL = ("--assignable-ips", "192.168.88.2-192.168.88.254", *NETMASK)


@test("a client's device has its address with the server's netmask, the server's has none")
def devices(world):
    world.veth()
    world.server("--local-ip", "192.168.88.1", *TAP_POOL, mode="tap")
    world.client()
    wait_until(lambda: world.c.ipv4("kvc0") == [("192.168.88.2", None, 24)], 5, "kvc0 has 192.168.88.2/24")
    equal(world.s.ipv4("kvs0"), [], "the addresses of kvs0")
    equal(world.s.link("kvs0")["mtu"], 1500, "the MTU of kvs0")
    check("UP" in world.s.link("kvs0")["flags"], "kvs0 is up")
    check("POINTOPOINT" not in world.s.link("kvs0")["flags"], "kvs0 is an Ethernet device")


@test("ARP resolves through the tunnel and packets of all sizes follow")
def arp(world):
    world.veth()
    world.server(*TAP_POOL, mode="tap")
    world.client()
    wait_until(lambda: world.s.has_link("kvs0"), 5, "kvs0 exists")
    world.s.ip("addr", "add", "192.168.88.1/24", "dev", "kvs0")
    world.c.can_ping("192.168.88.1")
    world.s.can_ping("192.168.88.2")
    world.c.can_ping("192.168.88.1", size=1472, more=("-M", "do"))
    mac = world.s.link("kvs0")["address"]
    neighbours = {n["dst"]: n.get("lladdr") for n in world.c.ip_json("neigh", "show", "dev", "kvc0")}
    equal(neighbours.get("192.168.88.1"), mac, "the MAC address the client learnt")


@test("multicast works between the ends, as mDNS and IPv6 neighbour discovery need it")
def multicast(world):
    world.veth()
    world.server(*TAP_POOL, mode="tap")
    world.client()
    wait_until(lambda: world.s.has_link("kvs0"), 5, "kvs0 exists")
    for namespace, device in ((world.s, "kvs0"), (world.c, "kvc0")):
        check("MULTICAST" in namespace.link(device)["flags"], f"{device} has the flag")
    world.s.ip("addr", "add", "fd88::1/64", "dev", "kvs0", "nodad")
    world.c.ip("addr", "add", "fd88::2/64", "dev", "kvc0", "nodad")
    world.c.can_ping("fd88::1")
    world.c.can_ping("ff02::1%kvc0", more=("-L",))


@test("a fixed address in tap mode is taken over with the netmask")
def fixed_address(world):
    world.veth()
    world.server(*TAP_POOL, mode="tap")
    world.client("--local-ip", "192.168.88.77")
    wait_until(lambda: world.c.ipv4("kvc0") == [("192.168.88.77", None, 24)], 5, "kvc0 has 192.168.88.77/24")


def bridged(world):
    """A server with a bridge and two clients on links of their own."""
    c1, c2 = world.namespace("c1"), world.namespace("c2")
    world.veth(world.s, c1, 1)
    world.veth(world.s, c2, 2)
    world.s.ip("link", "add", "br0", "type", "bridge")
    world.s.ip("link", "set", "br0", "up")
    world.s.ip("addr", "add", "192.168.88.1/24", "dev", "br0")
    server = world.server("--local-ip", "192.168.88.1", *TAP_POOL, "--bridge", "br0", mode="tap")
    first = world.client(ip="10.77.1.1", namespace=c1, name="client1")
    second = world.client(ip="10.77.2.1", namespace=c2, name="client2")
    return server, c1, c2, first, second


def ports(world):
    return {link["ifname"] for link in world.s.ip_json("link", "show", "master", "br0")}


@test("two clients talk to each other through the server's bridge, with bytes unchanged")
def bridge(world):
    _, c1, c2, _, _ = bridged(world)
    wait_until(lambda: ports(world) == {"kvs0", "kvs1"}, 5, "kvs0 and kvs1 are ports of br0")
    c1.can_ping("192.168.88.3")
    c2.can_ping("192.168.88.2")
    c1.can_ping("192.168.88.1")
    transfer(world, c1, c2, "192.168.88.3", 1000000)


@test("a client that leaves, and a server that ends, take their bridge ports with them")
def bridge_cleanup(world):
    server, _, _, first, _ = bridged(world)
    wait_until(lambda: ports(world) == {"kvs0", "kvs1"}, 5, "both are ports of br0")
    equal(first.stop(), 0, "the exit status of the first client")
    wait_until(lambda: ports(world) == {"kvs1"}, 5, "only kvs1 is a port")
    equal(server.stop(), 0, "the server's exit status")
    equal(ports(world), set(), "the ports left")
    equal([x for x in world.s.links() if x.startswith("kvs")], [], "the interfaces left")
    check(world.s.has_link("br0"), "the administrator's bridge stays")


@test("a client may put its own device into a bridge, then without an address")
def client_bridge(world):
    world.veth()
    world.c.ip("link", "add", "br9", "type", "bridge")
    world.c.ip("link", "set", "br9", "up")
    world.server(*TAP_POOL, mode="tap")
    world.client("--bridge", "br9", "--no-ip-configuration")
    wait_until(lambda: world.c.link("kvc0").get("master") == "br9", 5, "kvc0 is a port of br9")
    equal(world.c.ipv4("kvc0"), [], "the addresses of kvc0")
    world.c.ip("addr", "add", "192.168.88.9/24", "dev", "br9")
    world.s.ip("addr", "add", "192.168.88.1/24", "dev", "kvs0")
    world.c.can_ping("192.168.88.1")


def in_bridge(world):
    return world.c.has_link("kvc0") and world.c.link("kvc0").get("master") == "br9"


def bridge_client(world, crypt, *more):
    if not world.c.has_link("br9"):
        world.c.ip("link", "add", "br9", "type", "bridge")
        world.c.ip("link", "set", "br9", "up")
    client = world.client("--bridge", "br9", "--no-ip-configuration", *more, crypt=crypt)
    wait_until(lambda: in_bridge(world), 5, "kvc0 is a port of br9")
    world.c.ip("link", "add", "other", "type", "bridge")
    world.c.ip("link", "del", "other")
    return client


@test("when another program removes a client's bridge, or takes the interface out of it, the client says so, and ends", limit=60)
def client_bridge_lost(world):
    world.veth()
    for crypt in ("aes", "auto"):
        server = world.server(*TAP_POOL, crypt=crypt, mode="tap")
        for change, said in ((("link", "del", "br9"), "another program removed the bridge br9"),
                             (("link", "set", "kvc0", "nomaster"), "took the interface kvc0 out of the bridge br9")):
            client = bridge_client(world, crypt)
            check(client.alive(), "what is not its own does not end it")
            world.c.ip(*change)
            client.wait_text(said)
            check(client.wait_exit(10) != 0, "it ends with an error")
        server.kill()


@test("a client that is to connect again does so when its bridge is back, and is in it", limit=90)
def client_bridge_back(world):
    world.veth()
    for crypt in ("aes", "auto"):
        server = world.server(*TAP_POOL, crypt=crypt, mode="tap")
        client = bridge_client(world, crypt, "--auto-reconnect")
        world.c.ip("link", "set", "kvc0", "nomaster")
        client.wait_text("took the interface kvc0 out of the bridge br9")
        client.wait_event("connected", 10, nth=2)
        check(in_bridge(world), "kvc0 is a port of br9 again")
        world.c.ip("link", "del", "br9")
        client.wait_text("another program removed the bridge br9")
        client.wait_event("retrying", 10, nth=3)
        equal(client.count("connected"), 2, "connections without the bridge")
        world.c.ip("link", "add", "br9", "type", "bridge")
        client.wait_event("connected", 20, nth=3)
        check(in_bridge(world), "kvc0 is a port of the new br9")
        equal(client.stop(), 0, "the exit status")
        server.kill()


@test("a client in tun mode says that it has no use for a bridge and a netmask")
def tap_only(world):
    world.veth()
    world.c.ip("link", "add", "br9", "type", "bridge")
    world.server("--local-ip", "192.168.88.1", "--assignable-ips", "192.168.88.2-192.168.88.9")
    client = world.client("--bridge", "br9", *NETMASK)
    equal([e["message"].split(":")[0] for e in map(json.loads, client.lines) if e["level"] == "warning"],
          ["bridge", "netmask"], "the warnings")


@test("a server in tun mode says so, too, and serves")
def tap_only_server(world):
    world.veth()
    server = world.server("--local-ip", "192.168.88.1", "--assignable-ips", "192.168.88.2-192.168.88.9", *NETMASK,
                          "--bridge", "nosuch0")
    world.client()
    world.c.can_ping("192.168.88.1")
    equal([e["message"].split(":")[0] for e in map(json.loads, server.lines) if e["level"] == "warning"],
          ["netmask", "bridge"], "the warnings")


@test("a bridge that does not exist is an error before anything is made")
def missing_bridge(world):
    world.veth()
    server = world.server(*TAP_POOL, "--bridge", "nosuch0", mode="tap", wait=False)
    check(server.wait_exit(10) in (1, 2), "the server refuses to start")
    check("nosuch0" in server.text(), "and names the bridge")
    equal(sorted(world.s.links()), ["eth0", "lo"], "the interfaces left")


@test("a tap server that assigns addresses says that it needs a netmask")
def needs_netmask(world):
    world.veth()
    server = world.server("--assignable-ips", "192.168.88.2-192.168.88.9", mode="tap", wait=False)
    server.expect_exit(2)
    check("netmask" in server.text(), "the message names netmask")


if __name__ == "__main__":
    main()
