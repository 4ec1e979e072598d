#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""NetworkManager's plugin with a real NetworkManager: what a connection survives, and what ends it.

Usage: FILE [BUILD [TEST...]]
"""
import os
import signal
import time

import kvbox
from kvbox import check, equal, find_processes, kill_one, main, shell, test, wait_until
from kvnet import TUN_CLIENT, TUN_SERVER, Failed

KEEPALIVE = ("--keepalive", "1")
LONG = os.environ.get("KV_TEST_LONG") == "1"
# A native client notices after 15 seconds that nobody answers, whatever keepalive is.
V1 = {"crypt": "aes"}


def bring_up(box, *more, **data):
    before = box.network()
    box.profile("office", *more, keepalive=1, client_id="laptop", **data)
    box.up("office")
    box.here.can_ping(TUN_SERVER)
    return before


def stays_active(box):
    """Fails as soon as NetworkManager shows anything but an active connection; called while waiting."""
    state = box.state("office")
    check(state == "activated", f"NetworkManager shows {state!r}")


def wait_ping(box, seconds, what):
    """Until traffic passes again; the connection stays active all the while."""
    start = time.monotonic()
    end = start + seconds
    while box.here.ping(TUN_SERVER, 1, seconds=1)[0] != 0:
        stays_active(box)
        if time.monotonic() > end:
            raise Failed(f"no traffic within {seconds} s after {what}")
        time.sleep(0.1)
    print(f"        traffic again {time.monotonic() - start:.1f} s after {what}", flush=True)
    stays_active(box)
    equal([a[0] for a in box.here.ipv4("kvc0")], [TUN_CLIENT], "addresses")


def end_well(box, before):
    box.down("office")
    box.wait_network(before)


@test("a server that ends in good order and starts again", 60)
def server_restart(box):
    server = box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box, "ipv4.routes", "198.51.100.0/24")
    server.stop()
    time.sleep(1)
    stays_active(box)
    box.start_server(*kvbox.POOL, *KEEPALIVE, name="again")
    wait_ping(box, 20, "the server came back")
    equal(box.here.ip_json("route", "show", "198.51.100.0/24")[0]["dev"], "kvc0", "the profile's route")
    end_well(box, before)


@test("a server that is killed and starts again", 60)
def server_killed(box):
    server = box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box)
    server.stop(signal.SIGKILL)
    box.far.run("sh", "-c", "ip link del kvs0 || true")
    box.start_server(*kvbox.POOL, *KEEPALIVE, name="again")
    wait_ping(box, 30, "the server came back")
    end_well(box, before)


@test("another address from a server that was set up anew", 60)
def other_address(box):
    server = box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box)
    server.stop()
    box.start_server("--local-ip", TUN_SERVER, "--assignable-ips", "192.168.88.77-192.168.88.99", "--vni-mtu", "1300",
                     *KEEPALIVE, name="again")
    wait_until(lambda: [a[0] for a in box.here.ipv4("kvc0")] == ["192.168.88.77"], 20, "the new address is there")
    wait_until(lambda: box.here.link("kvc0")["mtu"] == 1300, 5, "the new MTU is set")
    stays_active(box)
    box.here.can_ping(TUN_SERVER)
    end_well(box, before)


@test("the system service is killed: the bus starts another one, and the tunnel is made anew", 60)
def daemon_killed(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box, "ipv4.routes", "198.51.100.0/24", "ipv4.dns", "198.51.100.53")
    number = box.here.link("kvc0")["ifindex"]
    kill_one("kcpvpnd")
    wait_until(lambda: box.here.has_link("kvc0") and box.here.link("kvc0")["ifindex"] != number, 20,
               "there is another interface")
    wait_ping(box, 20, "the daemon was killed")
    equal(box.here.ip_json("route", "show", "198.51.100.0/24")[0]["dev"], "kvc0", "the profile's route")
    equal(box.value("IP4.DNS", "office"), "198.51.100.53", "the DNS server")
    equal(len(box.tunnels()), 1, "tunnels")
    box.down("office")
    # NetworkManager 1.42 forgets name servers by the number of the interface, and that one is gone.
    box.wait_network({key: value for key, value in before.items() if key != "dns"})


@test("the plugin is killed: NetworkManager calls the connection down, and nothing stays behind", 60)
def plugin_killed(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box)
    kill_one("nm-kcpvpn-service")
    box.wait_network(before)
    equal(box.tunnels(), [], "tunnels")


@test("the interface is deleted by hand: the connection gets another one, or ends; it is never up without one", 60)
def device_deleted(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box)
    shell("ip", "link", "del", "kvc0")
    wait_until(lambda: box.state("office") != "activated" or
               (box.here.has_link("kvc0") and box.here.ping(TUN_SERVER, 1, seconds=1)[0] == 0), 20,
               "it works again or is down")
    print(f"        afterwards: {box.state('office') or 'down'}", flush=True)
    if box.state("office") == "activated":
        box.down("office")
    box.wait_network(before)


@test("NetworkManager ends in good order, with its connections, and comes back", 60)
def manager_restart(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box)
    [process] = find_processes("NetworkManager")
    os.kill(process, signal.SIGTERM)
    wait_until(lambda: not find_processes("NetworkManager"), 10, "NetworkManager ends")
    wait_until(lambda: not find_processes("nm-kcpvpn-service") and not box.tunnels(), 10, "the tunnel goes with it")
    check(not box.here.has_link("kvc0"), "the interface is left")
    start_manager(box)
    wait_until(lambda: "wan" in box.nmcli("-t", "-f", "NAME", "connection", "show", "--active"), 20, "wan is up")
    box.up("office")
    box.here.can_ping(TUN_SERVER)
    end_well(box, before)


@test("NetworkManager is killed: the tunnel goes, and a new NetworkManager makes it again", 60)
def manager_killed(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    bring_up(box)
    kill_one("NetworkManager")
    wait_until(lambda: not find_processes("nm-kcpvpn-service") and not box.tunnels(), 10, "the tunnel goes with it")
    check(not box.here.has_link("kvc0"), "the interface is left")
    start_manager(box)
    wait_until(lambda: "wan" in box.nmcli("-t", "-f", "NAME", "connection", "show", "--active"), 20, "wan is up")
    box.up("office")
    box.here.can_ping(TUN_SERVER)


def start_manager(box):
    box.start(["NetworkManager", "--debug"], "NetworkManager")
    shell("nm-online", "-q", "-s", "-t", "20")


@test("the cable is out for a while, with vpn.persistent: the connection stays, and works again by itself", 60)
def cable(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box, "vpn.persistent", "yes")
    box.far.ip("link", "set", "up0", "down")
    time.sleep(4)
    stays_active(box)
    box.far.ip("link", "set", "up0", "up")
    wait_ping(box, 30, "the cable was back")
    end_well(box, before)


@test("NetworkManager switches the network off and on, as around a sleep, with vpn.persistent", 60)
def networking(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box, "vpn.persistent", "yes")
    box.nmcli("networking", "off")
    time.sleep(2)
    box.nmcli("networking", "on")
    wait_until(lambda: "wan" in box.nmcli("-t", "-f", "NAME", "connection", "show", "--active").split(), 20, "wan is up")
    wait_ping(box, 30, "the network was back")
    end_well(box, before)


@test("the base connection goes down, without vpn.persistent: the VPN goes with it, and leaves nothing", 60)
def base_down(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    bring_up(box)
    box.nmcli("connection", "down", "wan")
    wait_until(lambda: not box.state("office"), 10, "the VPN is down")
    wait_until(lambda: not box.here.has_link("kvc0") and not box.tunnels(), 10, "nothing is left")
    box.nmcli("connection", "up", "wan")
    box.up("office")
    box.here.can_ping(TUN_SERVER)


@test("the base connection goes down and up, with vpn.persistent: the VPN stays and works again by itself", 60)
def persistent(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    before = bring_up(box, "vpn.persistent", "yes")
    box.nmcli("connection", "down", "wan")
    time.sleep(2)
    stays_active(box)
    box.nmcli("connection", "up", "wan")
    wait_ping(box, 30, "the base came back")
    equal(box.here.ip_json("route", "get", box.address4)[0]["dev"], "wan0", "the way to the server")
    end_well(box, before)


@test("address and gateway of the network below change: traffic goes on, the way to the server is the new one", 60)
def new_address(box):
    change_network(box, "wan0")


@test("the same for a tunnel of protocol v1 that has the default route", 60)
def new_address_all(box):
    change_network(box, "kvc0", "ipv4.never-default", "no", **V1)


def change_network(box, default, *more, **protocol):
    box.start_server(*kvbox.POOL, *KEEPALIVE, **protocol)
    bring_up(box, "vpn.persistent", "yes", *more, **protocol)
    equal(box.here.ip_json("route", "get", "9.9.9.9")[0]["dev"], default, "the way to the world")
    box.far.ip("addr", "add", "198.18.0.1/24", "dev", "up0")
    box.nmcli("connection", "modify", "wan", "ipv4.addresses", "198.18.0.2/24", "ipv4.gateway", "198.18.0.1")
    box.nmcli("device", "reapply", "wan0")
    box.far.ip("addr", "del", "192.0.2.1/24", "dev", "up0")
    wait_ping(box, 30, "the address changed")
    route = box.here.ip_json("route", "get", box.address4)[0]
    equal((route["dev"], route["gateway"], route["prefsrc"]), ("wan0", "198.18.0.1", "198.18.0.2"),
          "the way to the server")
    equal(box.here.ip_json("route", "get", "9.9.9.9")[0]["dev"], default, "the way to the world")
    # What is told twice is not to be in the way of a connection that lasts.
    time.sleep(1)
    stays_active(box)
    box.here.can_ping(TUN_SERVER)
    equal(box.here.ip_json("route", "get", box.address4)[0]["gateway"], "198.18.0.1", "the way to the server, later")
    box.down("office")


@test("only the gateway of the network below changes, and the old one is gone: the way to the server is the new one", 60)
def new_gateway(box):
    change_gateway(box, *KEEPALIVE, **V1)


if LONG:
    @test("the same for a native tunnel", 60)
    def new_gateway_native(box):
        change_gateway(box)


def change_gateway(box, *server, **protocol):
    box.start_server(*kvbox.POOL, *server, **protocol)
    before = bring_up(box, "vpn.persistent", "yes", **protocol)
    box.far.ip("addr", "add", "192.0.2.254/24", "dev", "up0")
    box.nmcli("connection", "modify", "wan", "ipv4.gateway", "192.0.2.254")
    box.nmcli("device", "reapply", "wan0")
    # A router of its own, and the old one is switched off.
    box.far.ip("addr", "del", "192.0.2.1/24", "dev", "up0")
    box.far.ip("addr", "add", "192.0.2.254/24", "dev", "up0")
    box.here.ip("neigh", "flush", "dev", "wan0")
    wait_ping(box, 40, "the gateway changed")
    equal(box.here.ip_json("route", "get", box.address4)[0]["gateway"], "192.0.2.254", "the way to the server")
    box.down("office")
    box.wait_network({key: before[key] for key in ("links", "addresses", "tunnels", "services")})


@test("the plugin is killed while it connects: the attempt ends, and leaves nothing", 60)
def plugin_killed_early(box):
    before = box.network()
    box.profile("office")
    box.nmcli("--wait", "0", "connection", "up", "office")
    wait_until(lambda: find_processes("nm-kcpvpn-service") and box.tunnels(), 10, "it connects")
    kill_one("nm-kcpvpn-service")
    wait_until(lambda: not box.state("office"), 10, "the VPN is down")
    box.wait_network(before)


@test("taken down while it connects, and while the system service hangs: it is down, and leaves nothing", 60)
def down_early(box):
    before = box.network()
    box.profile("office")
    for hang in (False, True):
        box.nmcli("--wait", "0", "connection", "up", "office")
        wait_until(lambda: find_processes("nm-kcpvpn-service") and box.tunnels(), 10, "it connects")
        [daemon] = find_processes("kcpvpnd")
        if hang:
            os.kill(daemon, signal.SIGSTOP)
        box.nmcli("--wait", "15", "connection", "down", "office")
        if hang:
            os.kill(daemon, signal.SIGCONT)
        box.wait_network(before)


@test("started with the connection below it: connection.secondaries", 60)
def secondary(box):
    box.start_server(*kvbox.POOL, *KEEPALIVE)
    box.profile("office")
    box.nmcli("connection", "modify", "wan", "connection.secondaries", "office")
    box.nmcli("connection", "down", "wan")
    box.nmcli("connection", "up", "wan")
    wait_until(lambda: box.state("office") == "activated", 20, "the VPN is up")
    box.here.can_ping(TUN_SERVER)


main()
