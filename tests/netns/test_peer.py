#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Equals that know each other's public keys.

    a --- eth1 --- m --- eth2 --- b
                   |
                   +---- eth3 --- c

m only forwards. Inside, a is 10.9.0.1 and fd09::1, b 10.9.0.2 and fd09::2, c ends with 3.
"""
import os
import re
import signal
import subprocess

from kvnet import PROGRAM, check, equal, main, shell, test, wait_until

PORT = 5555
PLACES = {"a": 1, "b": 2, "c": 3}


def key_pair():
    private = shell(PROGRAM, "genkey")
    public = subprocess.run([PROGRAM, "pubkey"], input=private, capture_output=True, text=True, check=True).stdout
    return private.strip(), public.strip()


class Net:
    """Namespaces with keys, each linked to the one in the middle."""

    def __init__(self, world, names="ab"):
        self.world, self.names = world, names
        self.keys = {name: key_pair() for name in names}
        self.middle = world.namespace("m")
        self.middle.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for name in names:
            n = PLACES[name]
            self.space(name).sysctl("net.ipv6.conf.all.accept_dad=0")
            world.veth(self.middle, self.space(name), n)
            self.space(name).ip("route", "add", "default", "via", f"10.77.{n}.1")
            self.space(name).ip("-6", "route", "add", "default", "via", f"fd77:0:0:{n}::1")

    def space(self, name):
        return self.world.namespace(name)

    @staticmethod
    def outside(name, ip6=False):
        n = PLACES[name]
        return f"[fd77:0:0:{n}::2]:{PORT}" if ip6 else f"10.77.{n}.2:{PORT}"

    def group(self, name, endpoint=None, allowed=None, more=""):
        n = PLACES[name]
        text = f"[peer {name}]\npublic-key={self.keys[name][1]}\n"
        text += f"allowed-ips={allowed or f'10.9.0.{n}/32;fd09::{n}/128'}\n"
        return text + (f"endpoint={endpoint}\n" if endpoint else "") + more

    def start(self, name, *groups, more=""):
        n = PLACES[name]
        path = os.path.join(self.world.dir, f"{name}.kcpvpn")
        text = (f"[tunnel]\nrole=peer\ncrypt=auto\nport={PORT}\nvni-name=kvp0\nprivate-key={self.keys[name][0]}\n"
                f"local-ip=10.9.0.{n}\nnetmask=255.255.255.0\nlocal-ip6=fd09::{n}/64\n{more}\n" + "\n".join(groups))
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        process = self.world.kcpvpn("peer", "--config", path, namespace=self.space(name), name=f"peer {name}",
                                    secret=None)
        process.wait_event("listening")
        return process


def reaches(space, n, seconds=5):
    space.can_ping(f"10.9.0.{n}", seconds=seconds)
    space.can_ping(f"fd09::{n}", seconds=seconds)


def dropped(process, reason):
    before = process.count("statistics")
    process.send(signal.SIGUSR1)
    wait_until(lambda: process.count("statistics") > before, 5, "statistics are printed")
    found = re.findall(rf"dropped:.* {reason} (\d+)", process.text())
    return int(found[-1]) if found else 0


@test("an endpoint on one side is enough: whoever has it begins, and then both may", limit=60)
def one_endpoint(world):
    for ip6 in (False, True):
        net = Net(world) if not ip6 else net
        a = net.start("a", net.group("b"))
        b = net.start("b", net.group("a", net.outside("a", ip6)))
        net.space("a").cannot_ping("10.9.0.2")
        equal(a.count("client-connected"), 0, "who is there before anything was sent")
        reaches(net.space("b"), 1)
        a.wait_event("client-connected")
        b.wait_event("client-connected")
        reaches(net.space("a"), 2)
        for process in (a, b):
            process.stop()


@test("with an endpoint on both sides either begins, also both at once", limit=60)
def either_begins(world):
    net = Net(world)
    for first in ("a", "b", "both"):
        processes = [net.start("a", net.group("b", net.outside("b"))), net.start("b", net.group("a", net.outside("a")))]
        if first in ("a", "both"):
            net.space("a").ping("10.9.0.2", count=1)
        if first in ("b", "both"):
            net.space("b").ping("10.9.0.1", count=1)
        reaches(net.space("a"), 2)
        reaches(net.space("b"), 1)
        for process in processes:
            process.stop()


@test("a keepalive begins by itself, and reaches who does not know where it is")
def keepalive(world):
    net = Net(world)
    a = net.start("a", net.group("b"))
    net.start("b", net.group("a", net.outside("a"), more="keepalive=5\n"))
    a.wait_event("client-connected")
    reaches(net.space("a"), 2)


@test("three on one interface: allowed-ips decide where a packet goes, and which sources are believed", limit=60)
def three(world):
    net = Net(world, "abc")
    a = net.start("a", net.group("b", net.outside("b"), "10.9.0.2/32;fd09::2/128;192.168.60.0/24"),
                  net.group("c", net.outside("c")))
    net.start("b", net.group("a"))
    net.start("c", net.group("a"))
    net.space("b").ip("addr", "add", "192.168.60.1/32", "dev", "lo")
    reaches(net.space("a"), 2)
    reaches(net.space("a"), 3)
    net.space("a").can_ping("192.168.60.1")
    before = dropped(a, "source")
    # c is not who these addresses were given to.
    net.space("c").ip("addr", "add", "10.9.0.2/32", "dev", "kvp0")
    equal(net.space("c").ping("10.9.0.1", more=("-I", "10.9.0.2"))[0], 1, "the share of pings that is lost")
    wait_until(lambda: dropped(a, "source") >= before + 3, 5, "they are counted")
    reaches(net.space("a"), 2)
    net.space("c").ip("addr", "del", "10.9.0.2/32", "dev", "kvp0")
    reaches(net.space("a"), 3)


@test("one that is started again, in good order or not, is there again at once", limit=60)
def restart(world):
    net = Net(world)
    a = net.start("a", net.group("b", net.outside("b")))
    for end in (lambda p: p.stop(), lambda p: p.kill()):
        b = net.start("b", net.group("a", net.outside("a")))
        reaches(net.space("a"), 2, 10)
        end(b)
        b = net.start("b", net.group("a", net.outside("a")))
        reaches(net.space("b"), 1, 10)
        reaches(net.space("a"), 2, 10)
        b.stop()
    a.wait_event("client-disconnected")
    check(a.alive(), "the one that stayed lives")


@test("one that gets another address is followed, and then the other one", limit=60)
def roaming(world):
    net = Net(world)
    processes = {"a": net.start("a", net.group("b", net.outside("b"))),
                 "b": net.start("b", net.group("a", net.outside("a")))}
    reaches(net.space("a"), 2)
    for mover, other in (("a", "b"), ("b", "a")):
        n = PLACES[mover]
        net.space(mover).ip("addr", "del", f"10.77.{n}.2/24", "dev", f"eth{n}")
        net.space(mover).ip("addr", "add", f"10.77.{n}.99/24", "dev", f"eth{n}")
        net.space(mover).ip("route", "replace", "default", "via", f"10.77.{n}.1")
        reaches(net.space(mover), PLACES[other], 10)
        processes[other].wait_event("client-moved")
        reaches(net.space(other), n, 10)


@test("one with several addresses answers from the one that it is called at")
def several_addresses(world):
    net = Net(world)
    a, b = net.space("a"), net.space("b")
    a.ip("addr", "add", "10.77.1.9/24", "dev", "eth1")
    # As a NAT does: only who was called may answer.
    net.middle.ip("rule", "add", "from", "10.77.1.2", "blackhole")
    net.start("a", net.group("b"))
    net.start("b", net.group("a", f"10.77.1.9:{PORT}"))
    reaches(b, 1)
    reaches(a, 2)


@test("what is not allowed is told: another key, another mode; a stranger gets no answer", limit=60)
def refused(world):
    net = Net(world)
    a = net.start("a", net.group("b", net.outside("b")))
    b = net.start("b", net.group("a"), more="vni-mode=tap")
    net.space("a").cannot_ping("10.9.0.2")
    a.wait_event("refused")
    b.stop()
    net.keys["b"] = key_pair()
    b = net.start("b", net.group("a", net.outside("a")))
    net.space("b").cannot_ping("10.9.0.1")
    equal(b.count("client-connected") + a.count("client-connected"), 0, "who is there")


@test("the interface's routes are the allowed-ips and the routes, and go with it, also if it stays")
def routes(world):
    net = Net(world)
    a = net.start("a", net.group("b", None, "10.9.0.2/32;192.168.60.0/24;2001:db8:60::/48",
                               more="routes=192.168.70.0/24\n"), more="persistent-vni=true")
    space = net.space("a")

    def found():
        return sorted(r["dst"] for family in ("-4", "-6")
                      for r in space.ip_json(family, "route", "show", "dev", "kvp0", "proto", "static"))

    equal(found(), ["10.9.0.2", "192.168.60.0/24", "192.168.70.0/24", "2001:db8:60::/48"], "the routes")
    a.stop()
    check(space.has_link("kvp0"), "the interface stays")
    equal(found(), [], "the routes afterwards")


@test("datagrams are made as long as the path takes them, and none is cut", limit=60)
def path_mtu(world):
    net = Net(world)
    a, b = net.space("a"), net.space("b")
    net.middle.ip("link", "set", "eth2", "mtu", "1400")
    net.start("a", net.group("b"))
    net.start("b", net.group("a", net.outside("a")))
    reaches(b, 1)
    for _ in range(2):
        a.ping("10.9.0.2", 10, size=1400, interval=0.2)
        b.ping("10.9.0.1", 10, size=1400, interval=0.2)
    for space in (a, b, net.middle):
        names, values = (line.split() for line in space.run("grep", "^Ip:", "/proc/net/snmp").splitlines())
        equal(values[names.index("FragCreates")], "0", f"the fragments that {space.name} made")


@test("a default route, also in halves, leads into the tunnel, and the tunnel's own datagrams past it")
def default_route(world):
    net = Net(world)
    net.start("a", net.group("b"))
    net.space("a").ip("addr", "add", "192.0.2.1/32", "dev", "lo")
    for everywhere in ("0.0.0.0/0", "0.0.0.0/1;128.0.0.0/1"):
        b = net.start("b", net.group("a", net.outside("a"), f"{everywhere};fd09::1/128"))
        reaches(net.space("b"), 1)
        net.space("b").can_ping("192.0.2.1")
        b.stop()


@test("an interface that somebody sets down and up again gets back what went with it")
def down_and_up(world):
    net = Net(world)
    a = net.space("a")
    process = net.start("a", net.group("b"))
    net.start("b", net.group("a", net.outside("a")))
    reaches(net.space("b"), 1)
    before = a.ip("route", "show", "dev", "kvp0"), a.ip("-6", "route", "show", "dev", "kvp0", "proto", "static")
    a.ip("link", "set", "kvp0", "down")
    a.ip("link", "set", "kvp0", "up")
    process.wait_text("interface kvp0 was set down and is up again")
    wait_until(lambda: (a.ip("route", "show", "dev", "kvp0"),
                        a.ip("-6", "route", "show", "dev", "kvp0", "proto", "static")) == before, 5,
               "the routes are there again")
    a.can_ping("10.9.0.2")
    a.can_ping("fd09::2")


@test("an endpoint inside the peer's own allowed-ips, by address or by name, is reached past the tunnel", limit=60)
def endpoint_inside(world):
    net = Net(world)
    b = net.space("b")
    net.start("a", net.group("b"))
    net.space("a").ip("addr", "add", "10.77.1.77/32", "dev", "lo")
    world.write_hosts(b, "10.77.1.2 there.example")
    for endpoint in (net.outside("a"), f"there.example:{PORT}"):
        process = net.start("b", net.group("a", endpoint, "10.9.0.1/32;fd09::1/128;10.77.1.0/24"))
        reaches(b, 1)
        b.can_ping("10.77.1.77")
        equal(b.ip_json("route", "get", "10.77.1.77")[0]["dev"], "kvp0", "the way to what is behind a")
        equal(b.ip_json("route", "get", "10.77.1.2")[0]["dev"], "eth2", "the way to a itself")
        process.stop()
        check(not b.ip_json("route", "show", "proto", "static"), "routes that are left behind")


@test("what one peer sends to another comes out of the interface of the one between, whose kernel forwards it or not",
      limit=60)
def hub_and_spoke(world):
    net = Net(world, "abc")
    hub = net.space("a")
    hub.sysctl("net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
    net.start("a", net.group("b"), net.group("c"))
    for name in "bc":
        net.start(name, net.group("a", net.outside("a"), "10.9.0.0/24;fd09::/64"))
    for name in "bc":
        reaches(net.space(name), 1)
    net.space("b").cannot_ping("10.9.0.3")
    hub.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    reaches(net.space("b"), 3)
    reaches(net.space("c"), 2)
    out = net.space("b").run("ping", "-n", "-c", "1", "10.9.0.3")
    check("ttl=63" in out, f"the time to live is counted: {out}")


@test("when another program removes the bridge of a tap peer, it says so, and ends")
def bridge_lost(world):
    net = Net(world)
    net.space("a").ip("link", "add", "br0", "type", "bridge")
    a = net.start("a", net.group("b"), more="vni-mode=tap\nbridge=br0")
    equal(net.space("a").link("kvp0").get("master"), "br0", "the bridge that it is in")
    net.space("a").ip("link", "del", "br0")
    a.wait_text("another program removed the bridge br0")
    check(a.wait_exit(5) != 0, "it ends with an error")


if __name__ == "__main__":
    main()
