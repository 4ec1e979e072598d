#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels of the native protocol on the bus."""
import os
import re
import signal
import subprocess
import time

from kvbus import CLIENT, DAEMON_GID, MANAGER, ROOT, TUNNEL, GLib, check, equal, main, wait_for
from kvnet import PROGRAM, shell, test, wait_until

NETWORK = {"local-ip": "10.9.0.1", "netmask": "255.255.255.0", "assignable-ips": "10.9.0.0/24",
           "local-ip6": "fd09::1/64", "assignable-ips6": "fd09::/64"}
SECRET = "x" * 20


def key_pair():
    private = shell(PROGRAM, "genkey")
    public = subprocess.run([PROGRAM, "pubkey"], input=private, capture_output=True, text=True, check=True).stdout
    return private.strip(), public.strip()


def peers(**groups):
    """The value of "peers"."""
    return GLib.Variant("a{sa{sv}}", {name: {key: GLib.Variant("s", value) for key, value in group.items()}
                                      for name, group in groups.items()})


@test("a client tells what it was granted: addresses of both families, routes, name servers, domains", limit=60)
def granted(world):
    root = world.start_all()
    world.veth()
    flags = [word for key, value in NETWORK.items() for word in (f"--{key}", value)]
    world.server(*flags, "--routes", "192.168.50.0/24,2001:db8::/32", "--dns", "10.9.0.1,fd09::1",
                 "--dns-search", "example.org,~example.net", namespace=world.c, crypt="chacha20-poly1305",
                 secret=SECRET)
    path = root.create({"name": "home", "role": "client", "ip": "10.77.0.2", "port": 1235, "secret": SECRET,
                        "crypt": "auto"})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    equal(root.get(path, TUNNEL, "Addresses"),
          [{"address": "10.9.0.2", "prefix": 24, "peer": "10.9.0.1"},
           {"address": "fd09::2", "prefix": 64, "peer": "fd09::1"}], "the addresses")
    equal(root.get(path, TUNNEL, "Routes"),
          [{"destination": "192.168.50.0", "prefix": 24}, {"destination": "2001:db8::", "prefix": 32}], "the routes")
    equal(root.get(path, TUNNEL, "Dns"),
          {"servers": ["10.9.0.1", "fd09::1"], "search": ["example.org", "~example.net"]}, "the name service")
    equal(root.get(path, TUNNEL, "Details"),
          {"protocol": "native", "cipher": "chacha20-poly1305", "cipher-reason": "the one that the server wants too",
           "link-type": "tun"}, "the details")
    root.tunnel(path, "Stop")
    for name in ("Addresses", "Routes"):
        equal(root.get(path, TUNNEL, name), [], f"{name} of a stopped tunnel")
    equal(root.get(path, TUNNEL, "Dns"), {}, "Dns of a stopped tunnel")


@test("a server's clients with keys have their names; they come and go with its peers while it runs", limit=90)
def live_peers(world):
    root = world.start_all()
    world.veth()
    (server_private, server_public), (private, public) = key_pair(), key_pair()
    path = root.create({"name": "office", "role": "server", "vni-mode": "tun", "ip": "0.0.0.0", "port": 1235,
                        "crypt": "auto", "private-key": server_private, **NETWORK,
                        "peers": peers(alice={"public-key": public})})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    equal(root.get(path, TUNNEL, "Addresses"),
          [{"address": "10.9.0.1", "prefix": 24}, {"address": "fd09::1", "prefix": 64}], "its own addresses")
    world.client("--private-key", private, "--public-key", server_public, "--auto-reconnect", crypt="auto",
                 secret=None)
    wait_for(lambda: root.get(path, TUNNEL, "Clients"), 5, "the client is there")
    values = root.get_all(root.get(path, TUNNEL, "Clients")[0], CLIENT)
    equal((values["Id"], values["Protocol"], values["Interface"]), ("alice", "native", "kvs0"), "the client")
    equal(values["Addresses"], [{"address": "10.9.0.2", "prefix": 32}, {"address": "fd09::2", "prefix": 128}],
          "its addresses")
    statistics = root.get(path, TUNNEL, "Statistics")
    equal((statistics["handshakes-opened"], statistics["cookie-replies"]), (1, 0), "what handshakes cost")
    root.tunnel(path, "Update", {"peers": peers()})
    wait_for(lambda: not root.get(path, TUNNEL, "Clients"), 5, "the client is gone")
    equal(root.state(path), "connected", "the server's state")
    root.tunnel(path, "Update", {"peers": peers(bob={"public-key": public, "local-ip": "10.9.0.77"})})
    wait_until(lambda: root.get(path, TUNNEL, "Clients"), 30, "the client is back")
    client = root.get(path, TUNNEL, "Clients")[0]
    values = root.get_all(client, CLIENT)
    equal((values["Id"], values["Addresses"][0]["address"]), ("bob", "10.9.0.77"), "the client by its other name")
    world.c.can_ping("10.9.0.1")
    root.listen(client)
    root.tunnel(path, "Update", {"peers": peers(carol={"public-key": public, "local-ip": "10.9.0.78"})})
    wait_until(lambda: [a[0] for a in world.c.ipv4("kvc0")] == ["10.9.0.78"], 5, "the client has its other address")
    equal(root.get(path, TUNNEL, "Clients"), [client], "it is the same connection")
    equal((root.get(client, CLIENT, "Id"), root.get(client, CLIENT, "Addresses")[0]["address"]), ("carol", "10.9.0.78"),
          "its name and address on the bus")
    changed = {}
    wait_for(lambda: "Id" in changed or [changed.update(s[3][1]) for s in root.signals if s[2] == "PropertiesChanged"], 5,
             "the signal of it")
    equal((changed["Id"], changed["Addresses"][0]["address"]), ("carol", "10.9.0.78"), "what the signal says")
    world.c.can_ping("10.9.0.1")
    world.s.can_ping("10.9.0.78")


@test("what is of no use is told when peers of a running tunnel change, as at its start", limit=60)
def live_warnings(world):
    root = world.start_all()
    (server_private, _), (_, public) = key_pair(), key_pair()
    path = root.create({"name": "office", "role": "server", "vni-mode": "tap", "ip": "0.0.0.0", "port": 1235,
                        "crypt": "auto", "private-key": server_private, **NETWORK,
                        "peers": peers(alice={"public-key": public})})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    said = "peer alice: routes: of no use with vni-mode tap, only with tun"
    check(said not in world.daemon_process.text(), "there was nothing to warn of")
    for routes in ("192.168.60.0/24", "192.168.61.0/24"):
        root.tunnel(path, "Update", {"peers": peers(alice={"public-key": public, "routes": routes})})
    world.daemon_process.wait_text(said)
    equal(world.daemon_process.text().count(said), 1, "how often it is said")


class Pinger:
    """Pings 20 times a second until it is asked how many were lost."""

    def __init__(self, world, namespace, host):
        self.process = world.start(["ping", "-n", "-i", "0.05", host], f"ping {host}", namespace)
        self.process.wait_text("bytes from")

    def lost(self):
        time.sleep(0.2)
        self.process.stop(signal.SIGINT)
        sent, got = re.search(r"(\d+) packets transmitted, (\d+) received", self.process.text()).groups()
        # The last one may be under way.
        return max(0, int(sent) - int(got) - 1)


@test("what was one peer's may be another's at once, who need not be there yet, and the log says so", limit=60)
def peer_replaced(world):
    root = world.start_all()
    world.veth()
    (own, own_public), (private, public), (_, later) = key_pair(), key_pair(), key_pair()
    path = root.create({"name": "site", "role": "peer", "port": 5555, "private-key": own, "local-ip": "10.9.0.1",
                        "peers": peers(old={"public-key": public, "allowed-ips": "10.9.0.2/32"})})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    file = os.path.join(world.dir, "far.kcpvpn")
    with open(file, "w", encoding="ascii") as out:
        out.write(f"[tunnel]\nrole=peer\nlocal-ip=10.9.0.2\nprivate-key={private}\n[peer site]\nkeepalive=1\n"
                  f"public-key={own_public}\nallowed-ips=10.9.0.1/32\nendpoint=10.77.0.1:5555\n")
    os.chmod(file, 0o600)
    world.start([PROGRAM, "peer", "--config", file], "far", world.c)
    wait_for(lambda: root.get(path, TUNNEL, "Clients"), 5, "the old peer is there")
    root.tunnel(path, "Update", {"peers": peers(new={"public-key": later, "allowed-ips": "10.9.0.2/32"})})
    world.daemon_process.wait_text(r"10\.9\.0\.2 goes to a peer that is not there yet from now on, and not to 10\.77\.0\.2:")
    wait_for(lambda: not root.get(path, TUNNEL, "Clients"), 5, "the old peer is gone")


@test("a key file that names what cannot be changes nothing of a server that runs, nor of its clients", limit=60)
def mistaken_file(world):
    root = world.start_all()
    world.veth()
    (server_private, server_public), (private, public) = key_pair(), key_pair()
    text = "".join(f"{key}={value}\n" for key, value in
                   {"role": "server", "vni-mode": "tun", "ip": "0.0.0.0", "port": 1235, "private-key": server_private,
                    **NETWORK}.items()) + f"[peer alice]\npublic-key={public}\n"
    file = os.path.join(world.config, "filed.kcpvpn")

    def write(more):
        with open(file, "w", encoding="ascii") as out:
            out.write(f"[tunnel]\n{text}{more}")
        os.chown(file, 0, DAEMON_GID)
        os.chmod(file, 0o640)
        root.call(ROOT, MANAGER, "Reload", "(@a{sv} {},)")
        return [tuple(problem) for problem in root.get(ROOT, MANAGER, "Problems")]

    equal(write(""), [], "the problems at first")
    path = root.call(ROOT, MANAGER, "FindTunnel", "('filed', @a{sv} {})")
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    client = world.client("--private-key", private, "--public-key", server_public, crypt="auto", secret=None)
    equal(write("local-ip=10.9.0.1\n"), [(file, 0, "peer alice: local-ip: 10.9.0.1 is the server's own address")],
          "the problems")
    equal(root.get(path, TUNNEL, "Settings")["peers"]["alice"], {"public-key": public}, "the client's settings")
    world.c.can_ping("10.9.0.1")
    equal(write("local-ip=10.9.0.77\n"), [], "the problems at last")
    wait_until(lambda: world.c.ipv4("kvc0")[0][0] == "10.9.0.77", 5, "the client has its other address")
    check(client.alive(), "the client has ended")



def static_routes(namespace, device):
    return sorted(route["dst"] for family in ("-4", "-6")
                  for route in namespace.ip_json(family, "route", "show", "dev", device, "proto", "static"))


@test("what a server tells its clients changes while they are connected, by Update and by Reload, and no packet is lost",
      limit=90)
def live_terms(world):
    root = world.start_all()
    world.veth()
    text = "".join(f"{key}={value}\n" for key, value in
                   {"role": "server", "vni-mode": "tun", "ip": "0.0.0.0", "port": 1235, "crypt": "auto",
                    "secret": SECRET, **NETWORK}.items())
    file = os.path.join(world.config, "filed.kcpvpn")

    def write(more):
        with open(file, "w", encoding="ascii") as out:
            out.write(f"[tunnel]\n{text}{more}")
        os.chown(file, 0, DAEMON_GID)
        os.chmod(file, 0o640)
        root.call(ROOT, MANAGER, "Reload", "(@a{sv} {},)")

    def by_update(changes, unset=()):
        root.tunnel(server, "Update", changes, {"unset": list(unset)})

    def by_reload(changes, unset=()):
        write("".join(f"{key}={value}\n" for key, value in changes.items()))

    for change in (by_update, by_reload):
        if change == by_update:
            server = root.create({"name": "office", "role": "server", "vni-mode": "tun", "ip": "0.0.0.0", "port": 1235,
                                  "crypt": "auto", "secret": SECRET, **NETWORK})
        else:
            write("")
            server = root.call(ROOT, MANAGER, "FindTunnel", "('filed', @a{sv} {})")
        root.tunnel(server, "Start")
        root.wait_state(server, "connected")
        # One client on the bus tells what it knows, one far away what reaches it.
        here = root.create({"name": "here", "role": "client", "ip": "10.77.0.1", "port": 1235, "secret": SECRET,
                            "crypt": "auto", "client-id": "here"}, {"transient": True})
        root.tunnel(here, "Start", {"configure": False})
        root.wait_state(here, "connected")
        far = world.client("--client-id", "far", crypt="auto", secret=SECRET)
        wait_until(lambda: world.c.has_link("kvc0"), 5, "the interface is there")
        world.c.can_ping("10.9.0.1")
        clients = root.get(server, TUNNEL, "Clients")
        ping, ping6 = Pinger(world, world.c, "10.9.0.1"), Pinger(world, world.c, "fd09::1")
        change({"routes": "192.168.50.0/24,2001:db8::/32", "dns": "10.9.0.1", "dns-search": "example.org"})
        wait_until(lambda: static_routes(world.c, "kvc0") == ["192.168.50.0/24", "2001:db8::/32"], 5,
                   "the far client has the routes")
        wait_until(lambda: root.get(here, TUNNEL, "Dns") == {"servers": ["10.9.0.1"], "search": ["example.org"]}, 5,
                   "the near client's Dns")
        equal([r["destination"] for r in root.get(here, TUNNEL, "Routes")], ["192.168.50.0", "2001:db8::"],
              "the near client's Routes")
        change({"routes": "192.168.51.0/24,2001:db8::/32", "keepalive": 27}, ["dns", "dns-search"])
        wait_until(lambda: static_routes(world.c, "kvc0") == ["192.168.51.0/24", "2001:db8::/32"], 5,
                   "the far client has the other routes")
        wait_until(lambda: root.get(here, TUNNEL, "Dns") == {}, 5, "the near client's Dns is empty again")
        equal((ping.lost(), ping6.lost()), (0, 0), "the pings that were lost")
        equal(root.get(server, TUNNEL, "Clients"), clients, "the clients, none of which had to come anew")
        name = root.get(server, TUNNEL, "Name")
        world.daemon_process.wait_text(f"{name}.*from its next start on: keepalive")
        check("next start on: routes" not in world.daemon_process.text(), "routes are said to wait")
        far.stop()
        root.tunnel(here, "Stop")
        root.tunnel(here, "Delete")
        root.tunnel(server, "Stop")


@test("clients reach one another, or not, as a running server is told", limit=60)
def live_client_to_client(world):
    root = world.start_all()
    world.veth()
    other = world.namespace("d")
    world.veth(world.s, other, 1)
    path = root.create({"name": "office", "role": "server", "vni-mode": "tun", "ip": "0.0.0.0", "port": 1235,
                        "crypt": "auto", "secret": SECRET, **NETWORK})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    world.client("--client-id", "c", crypt="auto", secret=SECRET)
    world.client("--client-id", "d", ip="10.77.1.1", namespace=other, crypt="auto", secret=SECRET, name="other")
    world.c.can_ping("10.9.0.1")
    other.can_ping("10.9.0.1")
    world.c.cannot_ping("10.9.0.3")
    root.tunnel(path, "Update", {"client-to-client": True})
    world.c.can_ping("10.9.0.3")
    other.can_ping("fd09::2")
    root.tunnel(path, "Update", {}, {"unset": ["client-to-client"]})
    wait_until(lambda: world.c.ping("10.9.0.3", 1, seconds=1)[0] == 1, 5, "they do not any more")
    equal(len(root.get(path, TUNNEL, "Clients")), 2, "clients that are there")


if __name__ == "__main__":
    main()
