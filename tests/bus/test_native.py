#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels of the native protocol on the bus."""
import subprocess

from kvbus import CLIENT, TUNNEL, GLib, equal, main, wait_for
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
          {"protocol": "native", "cipher": "chacha20-poly1305", "link-type": "tun"}, "the details")
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
    root.tunnel(path, "Update", {"peers": peers()})
    wait_for(lambda: not root.get(path, TUNNEL, "Clients"), 5, "the client is gone")
    equal(root.state(path), "connected", "the server's state")
    root.tunnel(path, "Update", {"peers": peers(bob={"public-key": public, "local-ip": "10.9.0.77"})})
    wait_until(lambda: root.get(path, TUNNEL, "Clients"), 30, "the client is back")
    values = root.get_all(root.get(path, TUNNEL, "Clients")[0], CLIENT)
    equal((values["Id"], values["Addresses"][0]["address"]), ("bob", "10.9.0.77"), "the client by its other name")


if __name__ == "__main__":
    main()
