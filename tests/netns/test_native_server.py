#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server for many native clients: one interface, addresses of both families, who reaches whom.

    c1 --- eth1 ---+
                   s
    c2 --- eth2 ---+
"""
import os
import re
import signal
import subprocess
import time

from kvnet import PROGRAM, check, equal, main, shell, test, wait_until

POOLS = ("--local-ip", "10.9.0.1", "--netmask", "255.255.255.0", "--assignable-ips", "10.9.0.0/24",
         "--local-ip6", "fd09::1/64", "--assignable-ips6", "fd09::/64")


def addresses(namespace, device):
    """Of both families but link-local ones, as ADDRESS/PREFIX."""
    if not namespace.has_link(device):
        return []
    shown = namespace.ip_json("addr", "show", "dev", device)[0]["addr_info"]
    return sorted(f"{a['local']}/{a['prefixlen']}" for a in shown if a["scope"] != "link")


def has_addresses(namespace, *expected, device="kvc0"):
    wait_until(lambda: addresses(namespace, device) == sorted(expected), 10,
               f"{device} has {' and '.join(expected)}")


def routes(namespace, device):
    """Those of both families that somebody set on the device."""
    found = []
    for family in ("-4", "-6"):
        found += [r["dst"] for r in namespace.ip_json(family, "route", "show", "dev", device, "proto", "static")]
    return sorted(found)


def keys(n):
    """n pairs of private and public key."""
    pairs = []
    for _ in range(n):
        private = shell(PROGRAM, "genkey")
        public = subprocess.run([PROGRAM, "pubkey"], input=private, capture_output=True, text=True, check=True).stdout
        pairs.append((private.strip(), public.strip()))
    return pairs


def key_file(world, name, text):
    path = os.path.join(world.dir, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def two_clients(world):
    """Namespaces of two clients, linked to the server's."""
    clients = [world.namespace("c1"), world.namespace("c2")]
    for n, client in enumerate(clients, 1):
        world.veth(world.s, client, n)
    return clients


def dropped(process, reason):
    """How many packets the process has dropped for that reason, by its statistics."""
    before = process.count("statistics")
    process.send(signal.SIGUSR1)
    wait_until(lambda: process.count("statistics") > before, 5, "statistics are printed")
    found = re.findall(rf"dropped:.* {reason} (\d+)", process.text())
    return int(found[-1]) if found else 0


@test("a client gets addresses of both families, of the server's networks, and reaches it by both")
def both_families(world):
    world.veth()
    server = world.server(*POOLS, crypt="auto")
    client = world.client(crypt="auto")
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    for process in (client, server):
        wait_until(lambda p=process: re.search(r"connected.*: interface kv[cs]0, address 10\.9\.0\.2 and fd09::2\b",
                                               p.text()), 5, "the log has both")
    equal(addresses(world.s, "kvs0"), ["10.9.0.1/24", "fd09::1/64"], "the server's own addresses")
    world.c.can_ping("10.9.0.1")
    world.c.can_ping("fd09::1")
    world.s.can_ping("10.9.0.2")
    world.s.can_ping("fd09::2")


@test("a client on a machine without IPv6 goes on with IPv4, and says so; where there is any IPv6 it does not")
def without_ip6(world):
    world.veth()
    world.server(*POOLS, "--routes", "192.168.50.0/24,2001:db8::/32", crypt="auto")
    world.c.sysctl("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
    client = world.client(crypt="auto")
    client.wait_text("interface kvc0, address 10.9.0.2, MTU")
    equal(client.text().count("IPv6 is switched off on this machine"), 1, "how often that is told")
    has_addresses(world.c, "10.9.0.2/24")
    world.c.can_ping("10.9.0.1")
    client.stop()
    world.c.sysctl("net.ipv6.conf.lo.disable_ipv6=0")
    refused = world.client(crypt="auto", wait=False, name="refused")
    refused.expect_exit(2)
    refused.wait_text("IPv6 is switched off there \\(sysctl net.ipv6.conf.kvc0.disable_ipv6\\)")


@test("routes of both families are set by the client, and gone with it")
def pushed_routes(world):
    world.veth()
    world.s.ip("link", "add", "lan", "type", "veth", "peer", "name", "lan1")
    world.s.ip("link", "set", "lan", "up")
    world.s.ip("addr", "add", "192.168.50.1/24", "dev", "lan")
    world.s.ip("addr", "add", "2001:db8:50::1/64", "dev", "lan", "nodad")
    world.server(*POOLS, "--routes", "192.168.50.0/24,2001:db8:50::/64", crypt="auto")
    client = world.client("--persistent-vni", crypt="auto")
    wait_until(lambda: routes(world.c, "kvc0") == ["192.168.50.0/24", "2001:db8:50::/64"], 5, "the routes are set")
    world.c.can_ping("192.168.50.1")
    world.c.can_ping("2001:db8:50::1")
    client.stop()
    check(world.c.has_link("kvc0"), "the interface stays")
    equal(routes(world.c, "kvc0"), [], "the routes afterwards")
    equal(addresses(world.c, "kvc0"), [], "the addresses afterwards")


def set_down_and_up(namespace, device):
    namespace.ip("link", "set", device, "down")
    namespace.ip("link", "set", device, "up")


@test("an interface that somebody sets down and up again gets back what went with it, at either end")
def down_and_up(world):
    world.veth()
    server = world.server(*POOLS, "--routes", "0.0.0.0/0,::/0", crypt="auto")
    client = world.client(crypt="auto")
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    before = routes(world.c, "kvc0")
    check(before, "the client has routes")
    for namespace, device, program in (world.c, "kvc0", client), (world.s, "kvs0", server):
        time.sleep(0.3)  # what its making changed has been told of by then
        check("was set down" not in program.text(), "an interface that is new was not set down")
        set_down_and_up(namespace, device)
        program.wait_text(f"interface {device} was set down and is up again")
        wait_until(lambda: routes(world.c, "kvc0") == before, 5, "the routes are there again")
        has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
        wait_until(lambda: "fd09::1/64" in addresses(world.s, "kvs0"), 5, "the server has its address")
        world.c.can_ping("10.9.0.1")
        world.c.can_ping("fd09::1")
    world.c.ip("link", "set", "kvc0", "down")
    wait_until(lambda: routes(world.c, "kvc0") == [], 5, "no route leads through what is down")
    world.c.ip("route", "add", "192.0.2.0/24", "via", "10.77.0.1")
    world.c.ip("link", "set", "kvc0", "up")
    wait_until(lambda: routes(world.c, "kvc0") == before, 5, "the routes are there again")
    client.stop()
    server.stop()


@test("clients reach each other only if client-to-client is set", limit=60)
def client_to_client(world):
    clients = two_clients(world)
    for allowed in (False, True):
        server = world.server(*POOLS, *(("--client-to-client",) if allowed else ()), crypt="auto")
        programs = [world.client("--client-id", f"c{n}", ip=f"10.77.{n}.1", namespace=c, crypt="auto")
                    for n, c in enumerate(clients, 1)]
        has_addresses(clients[0], "10.9.0.2/24", "fd09::2/64")
        has_addresses(clients[1], "10.9.0.3/24", "fd09::3/64")
        world.s.can_ping("10.9.0.3")
        if allowed:
            clients[0].can_ping("10.9.0.3")
            clients[1].can_ping("fd09::2")
        else:
            clients[0].cannot_ping("10.9.0.3")
            clients[1].cannot_ping("fd09::2")
        for process in (*programs, server):
            process.stop()


@test("a packet from an address that is not the client's is dropped and counted")
def spoofed_source(world):
    world.veth()
    server = world.server(*POOLS, crypt="auto")
    world.client(crypt="auto")
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    world.c.can_ping("10.9.0.1")
    # What the kernel sends from its link-local address counts, too.
    before = dropped(server, "source")
    world.c.ip("addr", "add", "10.9.0.77/24", "dev", "kvc0")
    equal(world.c.ping("10.9.0.1", more=("-I", "10.9.0.77"))[0], 1, "the share of pings that is lost")
    wait_until(lambda: dropped(server, "source") >= before + 3, 5, "they are counted")
    world.c.can_ping("10.9.0.1")


@test("a client that comes back has the address it had, whoever came in the meantime", limit=60)
def lease_kept(world):
    clients = two_clients(world)
    world.server(*POOLS, crypt="auto")
    first = world.client("--client-id", "first", ip="10.77.1.1", namespace=clients[0], crypt="auto")
    has_addresses(clients[0], "10.9.0.2/24", "fd09::2/64")
    first.stop()
    world.client("--client-id", "second", ip="10.77.2.1", namespace=clients[1], crypt="auto")
    has_addresses(clients[1], "10.9.0.3/24", "fd09::3/64")
    # Also when it could not say that it went.
    for end in (lambda p: p.kill(), lambda p: p.stop()):
        again = world.client("--client-id", "first", ip="10.77.1.1", namespace=clients[0], crypt="auto")
        has_addresses(clients[0], "10.9.0.2/24", "fd09::2/64")
        clients[0].can_ping("10.9.0.1")
        end(again)


@test("who claims the id of a living client gets other addresses, and the living one stays", limit=60)
def claimed_id(world):
    clients = two_clients(world)
    world.server(*POOLS, crypt="auto")
    world.client("--client-id", "same", ip="10.77.1.1", namespace=clients[0], crypt="auto")
    has_addresses(clients[0], "10.9.0.2/24", "fd09::2/64")
    world.client("--client-id", "same", ip="10.77.2.1", namespace=clients[1], crypt="auto")
    has_addresses(clients[1], "10.9.0.3/24", "fd09::3/64")
    clients[0].can_ping("10.9.0.1")
    clients[1].can_ping("fd09::1")


@test("a wished address is given if it is free; else the client is told why not")
def wished_address(world):
    clients = two_clients(world)
    server = world.server(*POOLS, crypt="auto")
    world.client("--local-ip", "10.9.0.50", ip="10.77.1.1", namespace=clients[0], crypt="auto")
    has_addresses(clients[0], "10.9.0.50/24", "fd09::2/64")
    refused = world.client("--local-ip", "10.9.0.50", ip="10.77.2.1", namespace=clients[1], crypt="auto", wait=False)
    refused.wait_text("10.9.0.50 is taken or not assignable")
    server.wait_event("client-refused")


@test("clients with keys: fixed addresses and names, networks behind them, and nobody else", limit=60)
def with_keys(world):
    clients = two_clients(world)
    (server_private, server_public), (a_private, a_public), (stranger, _) = keys(3)
    config = key_file(world, "server.kcpvpn", f"""[tunnel]
role=server
crypt=auto
private-key={server_private}
local-ip=10.9.0.1
netmask=255.255.255.0
assignable-ips=10.9.0.0/24
local-ip6=fd09::1/64

[peer alice]
public-key={a_public}
local-ip=10.9.0.99
local-ip6=fd09::99
routes=192.168.60.0/24
""")
    server = world.server("--config", config, crypt="auto", secret=None)
    key = ("--public-key", server_public)
    world.client("--private-key", a_private, *key, ip="10.77.1.1", namespace=clients[0], crypt="auto", secret=None)
    has_addresses(clients[0], "10.9.0.99/24", "fd09::99/64")
    server.wait_text('"peer":"alice"')
    clients[0].can_ping("10.9.0.1")
    clients[0].ip("link", "add", "lan", "type", "veth", "peer", "name", "lan1")
    clients[0].ip("link", "set", "lan", "up")
    clients[0].ip("addr", "add", "192.168.60.1/24", "dev", "lan")
    world.s.can_ping("192.168.60.1")
    unknown = world.client("--private-key", stranger, *key, ip="10.77.2.1", namespace=clients[1], crypt="auto",
                           secret=None, wait=False)
    unknown.expect_exit(5, 25)
    equal(server.count("client-connected"), 1, "clients let in")


@test("hooks are told the addresses of both families, on a server and on a client")
def hooks(world):
    world.veth()
    folder = os.path.join(world.dir, "hooks")
    log = os.path.join(world.dir, "log")
    os.mkdir(folder, 0o755)
    for name, words in (("on_connected", "client $KV_CLIENT_ID $KV_VNI_INTERFACE_NAME $KV_CLIENT_IP $KV_CLIENT_IP6"),
                        ("on_disconnected", "gone $KV_CLIENT_ID $KV_CLIENT_IP6"),
                        ("up", "up $KV_ROLE $KV_VNI_INTERFACE_NAME $KV_LOCAL_IP $KV_LOCAL_IP6")):
        path = os.path.join(folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho {words} >>{log}\n")
    up = ("--up", os.path.join(folder, "up"))
    world.server(*POOLS, "--hook-dir", folder, *up, crypt="auto")
    client = world.client("--client-id", "laptop", *up, crypt="auto")
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    expected = ["client laptop kvs0 10.9.0.2 fd09::2", "up client kvc0 10.9.0.2 fd09::2",
                "up server kvs0 10.9.0.1 fd09::1"]

    def lines():
        with open(log, encoding="ascii") as file:
            return sorted(file.read().splitlines())

    wait_until(lambda: os.path.exists(log) and len(lines()) == 3, 5, "three hooks have run")
    equal(lines(), expected, "what the hooks were told")
    client.stop()
    wait_until(lambda: "gone laptop fd09::2" in lines(), 5, "the hook of the end has run")


@test("when another program removes the shared interface the server says so, and ends")
def interface_lost(world):
    world.veth()
    server = world.server(*POOLS, crypt="auto")
    world.client(crypt="auto")
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    world.s.ip("link", "del", "kvs0")
    server.wait_text("another program removed the interface kvs0")
    check(server.wait_exit(5) != 0, "it ends with an error")


@test("when another program removes a client's interface that is told, once, and it is made anew")
def client_interface_lost(world):
    world.veth()
    world.server(*POOLS, "--routes", "192.168.50.0/24", crypt="auto")
    client = world.client("--auto-reconnect", crypt="auto")
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    world.c.ip("link", "del", "kvc0")
    client.wait_event("connected", 10, nth=2)
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    equal(re.findall(r"warning.*?message\":\"([^\"]*kvc0[^\"]*)", client.text()),
          ["another program removed the interface kvc0"], "the warnings")


@test("a client in no network that comes back while its former session stands is reached again", limit=60)
def comes_back(world):
    world.veth()
    world.server("--local-ip", "10.9.0.1", "--assignable-ips", "10.9.0.2-10.9.0.9", crypt="auto")
    for _ in range(2):
        client = world.client("--client-id", "laptop", crypt="auto")
        has_addresses(world.c, "10.9.0.2/32")
        world.s.can_ping("10.9.0.2")
        client.kill()


@test("without a pool a client has the address that it asks for; whoever is in no network has a route")
def no_pool(world):
    world.veth()
    world.server("--local-ip", "10.9.0.1", crypt="auto")
    client = world.client("--local-ip", "10.9.0.7", crypt="auto")
    has_addresses(world.c, "10.9.0.7/32")
    equal(routes(world.c, "kvc0"), ["10.9.0.1"], "the client's routes")
    equal(routes(world.s, "kvs0"), ["10.9.0.7"], "the server's routes")
    world.c.can_ping("10.9.0.1")
    client.stop()
    wait_until(lambda: routes(world.s, "kvs0") == [], 5, "the server's route is gone")


@test("a bridge has the shared interface, which has no address then")
def bridge(world):
    world.veth()
    world.s.ip("link", "add", "br0", "type", "bridge")
    world.s.ip("link", "set", "br0", "up")
    world.s.ip("addr", "add", "10.9.0.1/24", "dev", "br0")
    world.server(*POOLS, "--bridge", "br0", crypt="auto", mode="tap")
    world.client(crypt="auto")
    has_addresses(world.c, "10.9.0.2/24", "fd09::2/64")
    equal(addresses(world.s, "kvs0"), [], "the addresses of the shared interface")
    equal(world.s.link("kvs0").get("master"), "br0", "the bridge that it is in")
    world.c.can_ping("10.9.0.1")


@test("when another program removes the bridge, or takes the interface out of it, the server says so, and ends", limit=60)
def bridge_lost(world):
    world.veth()
    for crypt, change, said in (
            ("auto", ("link", "del", "br0"), "another program removed the bridge br0"),
            ("aes", ("link", "del", "br0"), "another program removed the bridge br0"),
            ("auto", ("link", "set", "kvs0", "nomaster"), "took the interface kvs0 out of the bridge br0")):
        if not world.s.has_link("br0"):
            world.s.ip("link", "add", "br0", "type", "bridge")
            world.s.ip("link", "set", "br0", "up")
        server = world.server(*POOLS[:6], "--bridge", "br0", crypt=crypt, mode="tap")
        client = world.client(crypt=crypt)
        wait_until(lambda: world.s.link("kvs0").get("master") == "br0", 5, "the interface is in the bridge")
        world.s.ip("link", "add", "other", "type", "bridge")
        world.s.ip("link", "del", "other")
        equal(world.s.ping("10.77.0.2", 5, interval=0.1)[0], 0, "the share of pings that is lost outside")
        check(server.alive(), "what is not its own does not end it")
        world.s.ip(*change)
        server.wait_text(said)
        check(server.wait_exit(5) != 0, "it ends with an error")
        client.kill()


@test("a second tunnel to the same networks is told which interface has the route already", limit=60)
def route_taken(world):
    world.veth()
    world.veth(n=1)
    for n, more in enumerate((("--local-ip6", "fd09::1"), ())):
        world.server("--local-ip", "10.9.0.1", *more, "--assignable-ips", f"10.9.{n}.2-10.9.{n}.9", "--vni-name-prefix",
                     f"kvx{n}-", "--routes", "192.168.50.0/24,2001:db8::/32", "--assignable-ips6", f"fd0{n}::2-fd0{n}::9",
                     ip=f"10.77.{n}.1", crypt="auto", name=f"server{n}")
    world.client(crypt="auto", ip="10.77.0.1", name="first")
    has_addresses(world.c, "10.9.0.2/32", "fd00::2/128")
    second = world.client("--vni-name", "kvc1", ip="10.77.1.1", crypt="auto", name="second", wait=False)
    second.wait_text("Cannot add route 192.168.50.0/24 with metric 50 through interface kvc1: "
                     "there is one through interface kvc0")
    check(second.wait_exit(5) != 0, "it ends with an error")
    world.c.ip("route", "del", "192.168.50.0/24", "dev", "kvc0")
    third = world.client("--vni-name", "kvc1", ip="10.77.1.1", crypt="auto", name="third", wait=False)
    third.wait_text("route 2001:db8::/32 with metric 50 through interface kvc1: there is one through interface kvc0")


@test("in tap mode the clients are on one switch with the server", limit=60)
def switch(world):
    clients = two_clients(world)
    world.server(*POOLS, "--client-to-client", crypt="auto", mode="tap")
    for n, client in enumerate(clients, 1):
        world.client("--client-id", f"c{n}", ip=f"10.77.{n}.1", namespace=client, crypt="auto")
        has_addresses(client, f"10.9.0.{n + 1}/24", f"fd09::{n + 1}/64")
    clients[0].can_ping("10.9.0.1")
    clients[0].can_ping("10.9.0.3")
    clients[1].can_ping("fd09::2")
    world.s.can_ping("10.9.0.2")


@test("in tap mode a client's routes are told to be of no use, and are not set")
def switch_routes(world):
    world.veth()
    (server_private, _), (_, public) = keys(2)
    config = key_file(world, "server.kcpvpn", f"""[tunnel]
role=server
crypt=auto
private-key={server_private}
local-ip=10.9.0.1
netmask=255.255.255.0

[peer alice]
public-key={public}
routes=192.168.60.0/24
""")
    server = world.server("--config", config, crypt="auto", mode="tap", secret=None)
    server.wait_text("peer alice: routes: of no use with vni-mode tap")
    equal(routes(world.s, "kvs0"), [], "the server's routes")


@test("clients of v1 and native ones live beside each other on one port, and share the pool", limit=60)
def both_protocols(world):
    clients = two_clients(world)
    (server_private, server_public), (private, public) = keys(2)
    config = key_file(world, "server.kcpvpn", f"""[tunnel]
role=server
private-key={server_private}
local-ip=10.9.0.1
assignable-ips=10.9.0.0/24

[peer alice]
public-key={public}
""")
    server = world.server("--config", config)
    world.client(ip="10.77.1.1", namespace=clients[0])
    has_addresses(clients[0], "10.9.0.0/32")
    world.client("--private-key", private, "--public-key", server_public, ip="10.77.2.1", namespace=clients[1],
                 crypt="auto", secret=None)
    has_addresses(clients[1], "10.9.0.2/32")
    wait_until(lambda: server.count("client-connected") == 2, 5, "both are let in")
    for client in clients:
        client.can_ping("10.9.0.1")
    world.s.can_ping("10.9.0.0")
    world.s.can_ping("10.9.0.2")
    # The secret is for v1 alone.
    without_key = world.client("--vni-name", "kvc1", ip="10.77.2.1", namespace=clients[1], crypt="auto", wait=False)
    without_key.expect_exit(5, 25)
    equal(server.count("client-connected"), 2, "clients let in")


if __name__ == "__main__":
    main()
