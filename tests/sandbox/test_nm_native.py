#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""NetworkManager's plugin and a server of the native protocol: keys, both families, and what the server names.

Usage: FILE [BUILD [TEST...]]
"""
import os
import subprocess

import kvbox
from kvbox import check, equal, main, shell, test, wait_until
from kvnet import transfer

POOLS = ("--local-ip", "10.9.0.1", "--netmask", "255.255.255.0", "--assignable-ips", "10.9.0.0/24",
         "--local-ip6", "fd09::1/64", "--assignable-ips6", "fd09::/64")
SERVER4, SERVER6, CLIENT4, CLIENT6 = "10.9.0.1", "fd09::1", "10.9.0.2", "fd09::2"

# Behind the server; and what is nobody's but the world's.
BEHIND = {"198.51.100.1": "198.51.100.0/24", "198.51.101.1": "198.51.101.0/24", "2001:db8:50::1": "2001:db8:50::/64"}
WORLD4, WORLD6 = "9.9.9.9", "2001:db8:99::9"
ANY = ("ipv4.never-default", "no", "ipv6.never-default", "no")


def new_pair():
    private = shell(kvbox.kvnet.PROGRAM, "genkey").strip()
    public = subprocess.run([kvbox.kvnet.PROGRAM, "pubkey"], input=private, capture_output=True, text=True, check=True)
    return private, public.stdout.strip()


def far_networks(box):
    """The far side has them all; without a tunnel nothing but the world is reached, which is one hop behind wan0."""
    for address in (*BEHIND, WORLD4, WORLD6):
        box.far.ip("addr", "add", address, "dev", "lo", *(("nodad",) if ":" in address else ()))
    for network in ("10.9.0.0/24", "fd09::/64", *BEHIND.values()):
        box.here.ip("route", "add", "unreachable", network, "metric", "4000000000")


def native_server(box, *more, **kw):
    return box.start_server(*POOLS, *more, crypt="auto", **kw)


def way(box, address):
    return box.here.ip_json("route", "get", address)[0].get("dev")


def lists(box, name, field):
    return box.value(field, name).split(" | ") if box.value(field, name) else []


def resolver(box):
    return "\n".join(box.network()["dns"])


def through(box, address):
    """Reaches it, and by the tunnel."""
    before = counter(box)
    box.here.can_ping(address)
    check(counter(box) >= before + 1, f"{address} answers, but not through the tunnel")


def counter(box):
    with open("/sys/class/net/kvc0/statistics/rx_packets", encoding="ascii") as file:
        return int(file.read())


@test("with keys: addresses of both families, traffic by both, the networks, name servers and domains that the server "
      "names, all gone with the connection", limit=60)
def keys(box):
    far_networks(box)
    (server_private, server_public), (private, public) = new_pair(), new_pair()
    psk = shell(kvbox.kvnet.PROGRAM, "genpsk").strip()
    config = os.path.join(box.dir, "server.kcpvpn")
    with open(os.open(config, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(f"[tunnel]\nrole=server\nprivate-key={server_private}\n\n[peer laptop]\npublic-key={public}\n"
                   f"preshared-key={psk}\nlocal-ip=10.9.0.77\nlocal-ip6=fd09::77\n")
    server = native_server(box, "--config", config, "--routes", "198.51.100.0/24,2001:db8:50::/64", "--dns",
                           "10.9.0.53,fd09::53", "--dns-search", "corp.example", secret=None)
    before = box.network()
    box.profile("office", "vpn.secrets", f"private-key={private}, preshared-key={psk}", *ANY, secret=None, crypt="auto",
                public_key=server_public)
    box.up("office")
    shown = box.here.ip_json("addr", "show", "dev", "kvc0")[0]["addr_info"]
    equal(sorted((a["local"], a["prefixlen"]) for a in shown if a["scope"] != "link"),
          [("10.9.0.77", 24), ("fd09::77", 64)], "the addresses")
    server.wait_text('"peer":"laptop"')
    for address in (SERVER4, SERVER6, "198.51.100.1", "2001:db8:50::1"):
        through(box, address)
    box.far.can_ping("10.9.0.77")
    box.far.can_ping("fd09::77")
    transfer(box, box.here, box.far, SERVER4, 2_000_000)
    transfer(box, box.far, box.here, "10.9.0.77", 2_000_000)
    equal((lists(box, "office", "IP4.DNS"), lists(box, "office", "IP6.DNS")), (["10.9.0.53"], ["fd09::53"]), "DNS")
    equal(lists(box, "office", "IP4.DOMAIN"), ["corp.example"], "the domains")
    for word in ("10.9.0.53", "fd09::53", "corp.example"):
        check(word in resolver(box), f"resolv.conf lacks {word}")
    equal((way(box, WORLD4), way(box, WORLD6)), ("wan0", "wan0"), "the way to the world: only the named networks")
    box.down("office")
    box.wait_network(before)


@test("a server that names the default routes gets all, but what goes to itself; the profile may forbid it", limit=60)
def full_tunnel(box):
    far_networks(box)
    native_server(box, "--routes", "0.0.0.0/0,::/0", ip="::")
    before = box.network()
    for name, address in (("four", box.address4), ("six", box.address6)):
        box.profile(name, *ANY, crypt="auto", ip=address)
        box.up(name)
        equal((way(box, WORLD4), way(box, WORLD6)), ("kvc0", "kvc0"), f"{name}: the way to the world")
        equal(way(box, address), "wan0", f"{name}: the way to the server")
        for target in (WORLD4, WORLD6, SERVER4, SERVER6):
            through(box, target)
        box.down(name)
        box.wait_network(before)
    box.profile("never", crypt="auto")
    box.up("never")
    equal((way(box, WORLD4), way(box, WORLD6)), ("wan0", "wan0"), "the way to the world that the profile wants")
    through(box, SERVER4)


@test("a server that names the default route of one family leaves the other one alone", limit=60)
def one_family(box):
    far_networks(box)
    native_server(box, "--routes", "0.0.0.0/0")
    before = box.network()
    box.profile("office", *ANY, crypt="auto")
    box.up("office")
    equal((way(box, WORLD4), way(box, WORLD6)), ("kvc0", "wan0"), "the ways to the world")
    through(box, WORLD4)
    through(box, SERVER6)
    box.down("office")
    box.wait_network(before)


@test("a server that names no routes leaves it to the profile what goes through the tunnel", limit=60)
def no_routes(box):
    far_networks(box)
    native_server(box)
    before = box.network()
    for want in ("no", "yes"):
        box.profile(want, "ipv4.never-default", want, "ipv6.never-default", want, crypt="auto")
        box.up(want)
        device = "kvc0" if want == "no" else "wan0"
        equal((way(box, WORLD4), way(box, WORLD6)), (device, device), f"the ways to the world, never-default {want}")
        through(box, SERVER6)
        box.down(want)
        box.wait_network(before)


@test("what the server names differently while the connection is active is changed, and the connection stays", limit=90)
def changed(box):
    far_networks(box)
    server = native_server(box, "--routes", "198.51.100.0/24", "--dns", "10.9.0.53", "--dns-search", "corp.example")
    before = box.network()
    box.profile("office", *ANY, crypt="auto")
    box.up("office")
    through(box, "198.51.100.1")
    active = box.nmcli("-g", "GENERAL.DBUS-PATH", "connection", "show", "office")
    server.stop()
    native_server(box, "--routes", "198.51.101.0/24,2001:db8:50::/64", "--dns", "10.9.0.54,fd09::54", "--dns-search",
                  "lab.example", name="server-2")
    wait_until(lambda: lists(box, "office", "IP4.DNS") == ["10.9.0.54"], 20, "the other name server is there")
    wait_until(lambda: (way(box, "198.51.101.1"), way(box, "2001:db8:50::1")) == ("kvc0", "kvc0"), 5, "the new routes")
    for address in ("198.51.101.1", "2001:db8:50::1", SERVER4, SERVER6):
        through(box, address)
    check(not box.here.ip_json("route", "show", "198.51.100.0/24", "dev", "kvc0"), "the old route is still there")
    equal(lists(box, "office", "IP6.DNS"), ["fd09::54"], "the name server of IPv6")
    check("lab.example" in resolver(box) and "corp.example" not in resolver(box), f"resolv.conf: {resolver(box)}")
    equal((way(box, WORLD4), way(box, WORLD6)), ("wan0", "wan0"), "the ways to the world")
    equal(box.state("office"), "activated", "the state")
    equal(box.nmcli("-g", "GENERAL.DBUS-PATH", "connection", "show", "office"), active, "the active connection")
    box.down("office")
    box.wait_network(before)


@test("other name servers that a profile does not want change nothing, and the connection stays active", limit=90)
def unwanted(box):
    far_networks(box)
    server = native_server(box, "--dns", "10.9.0.53,fd09::53", name="server-0")
    before = box.network()
    for number, more in enumerate((("ipv6.method", "disabled"), ("ipv4.ignore-auto-dns", "yes", "ipv6.ignore-auto-dns",
                                                                  "yes")), 1):
        box.profile(f"office-{number}", *more, crypt="auto")
        box.up(f"office-{number}")
        server.stop()
        server = native_server(box, "--dns", f"10.9.0.53,fd09::{number}", name=f"server-{number}")
        wait_until(lambda number=number: sum("connected, interface" in line for line in box.plugin_log()) == 2 * number,
                   20, "the plugin is told")
        wait_until(lambda number=number: box.state(f"office-{number}") == "activated", 5, "it is active again")
        through(box, SERVER4)
        check("fd09::" not in resolver(box), f"resolv.conf: {resolver(box)}")
        box.down(f"office-{number}")
        box.wait_network(before)


@test("a full tunnel may become a split one and the other way round, without a new connection", limit=90)
def narrowed(box):
    far_networks(box)
    server = native_server(box, "--routes", "0.0.0.0/0,::/0")
    before = box.network()
    box.profile("office", *ANY, crypt="auto")
    box.up("office")
    for number, (names, device) in enumerate((("198.51.100.0/24,2001:db8:50::/64", "wan0"), ("0.0.0.0/0,::/0", "kvc0"))):
        server.stop()
        server = native_server(box, "--routes", names, name=f"server-{number}")
        wait_until(lambda device=device: (way(box, WORLD4), way(box, WORLD6)) == (device, device), 20,
                   f"the world is reached by {device}")
        through(box, SERVER4)
        equal(way(box, box.address4), "wan0", "the way to the server")
    equal(box.state("office"), "activated", "the state")
    box.down("office")
    box.wait_network(before)


@test("a tap tunnel has addresses of both families and the server's networks by its gateways", limit=60)
def tap(box):
    far_networks(box)
    native_server(box, "--routes", "198.51.100.0/24,2001:db8:50::/64", mode="tap")
    before = box.network()
    box.profile("lan", *ANY, crypt="auto")
    box.up("lan")
    equal(box.here.link("kvc0")["link_type"], "ether", "the kind of interface")
    for address in (SERVER4, SERVER6, "198.51.100.1", "2001:db8:50::1"):
        through(box, address)
    box.down("lan")
    box.wait_network(before)


@test("a key that is asked for each time comes by nmcli, and one that the server does not know is no connection",
      limit=90)
def asked_for(box):
    (server_private, server_public), (private, public), (stranger, _) = new_pair(), new_pair(), new_pair()
    config = os.path.join(box.dir, "server.kcpvpn")
    with open(os.open(config, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(f"[tunnel]\nrole=server\nprivate-key={server_private}\n\n[peer laptop]\npublic-key={public}\n")
    native_server(box, "--config", config, secret=None)
    before = box.network()
    box.profile("office", secret=None, crypt="auto", public_key=server_public, private_key_flags=2)
    _, said = box.nmcli_fails("--wait", "20", "connection", "up", "office")
    check("private-key" in said, f"what is missing is not in {said!r}")
    for key, good in ((stranger, False), (private, True)):
        path = os.path.join(box.dir, "answers")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(f"vpn.secrets.private-key:{key}\n")
        if good:
            box.up("office", "passwd-file", path)
        else:
            box.nmcli_fails("--wait", "30", "connection", "up", "office", "passwd-file", path, seconds=30)
            check(any("does not answer" in line or "no answer" in line for line in box.plugin_log()),
                  f"the log does not say why: {box.plugin_log()}")
            box.wait_network(before)
    box.here.can_ping(SERVER4)
    check(not any(private in line or stranger in line for line in box.plugin_log()), "a key stands in the log")
    box.down("office")
    box.wait_network(before)


main()
