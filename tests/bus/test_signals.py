#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is told, to whom, and in which order."""
import os
import re
import socket
import time

from kvbus import GLib

from kvbus import (CLIENT, CLIENT_SETTINGS, DAEMON, DAEMON_GID, MANAGER, NOBODY, ROOT, SERVER, TUNNEL, check, equal,
                   held, iterate, main, refused, tunnel_arguments, variants, wait_for)
from kvnet import PORT, TOP, TUN_SERVER, shell, test, wait_until

EMPTY = GLib.Variant("(a{sv})", ({},))


def note_answer(caller, word, path, interface, method, arguments):
    """Calls, and puts the answer among the signals, in the order in which the bus brought them."""
    def finish(bus, result):
        bus.call_finish(result)
        caller.signals.append((path, "", word, ()))
    caller.bus.call("org.kcpvpn", path, interface, method, arguments, None, 0, 20000, None, finish)
    wait_for(lambda: any(s[2] == word for s in caller.signals), 20, f"{method} is answered")


def changes(caller, path, prop):
    """The values of a property that were announced, in order."""
    return [s[3][1][prop] for s in caller.signals
            if s[0] == path and s[2] == "PropertiesChanged" and prop in s[3][1]]


@test("a tunnel is announced with all its properties, then in Tunnels, then to who made it", limit=30)
def created(world):
    root = world.start_all()
    root.listen()
    note_answer(root, "answer", ROOT, MANAGER, "CreateTunnel",
                GLib.Variant("(a{sv}a{sv})", (variants(SERVER), {})))
    equal([s[2] for s in root.signals], ["InterfacesAdded", "PropertiesChanged", "answer"], "the order")
    path, interfaces = root.signals[0][3]
    equal(interfaces[TUNNEL], root.get_all(path, TUNNEL), "what was announced, and what is")
    equal(root.signals[1][3][1], {"Tunnels": [path]}, "the property")
    root.signals.clear()
    note_answer(root, "answer", path, TUNNEL, "Delete", EMPTY)
    equal([s[2] for s in root.signals], ["InterfacesRemoved", "PropertiesChanged", "answer"], "the order")


@test("each state comes as a property first, then as a signal, none is left out, and answers come last",
      limit=30)
def states(world):
    root = world.start_all()
    path = root.create(SERVER)
    root.listen(path)
    note_answer(root, "started", path, TUNNEL, "Start", EMPTY)
    wait_for(lambda: len(root.states(path)) >= 2, 10, "two states")
    note_answer(root, "stopped", path, TUNNEL, "Stop", EMPTY)
    told = [s[3][1]["State"] if s[2] == "PropertiesChanged" and "State" in s[3][1] else
            s[3][:2] if s[2] == "StateChanged" else s[2] for s in root.signals
            if s[2] != "PropertiesChanged" or "State" in s[3][1]]
    told.remove("started")
    equal(told, ["connecting", ("connecting", "stopped"), "connected", ("connected", "connecting"),
                 "stopping", ("stopping", "connected"), "stopped", ("stopped", "stopping"), "stopped"],
          "the order")
    words = [s[2] for s in root.signals]
    check(words.index("StateChanged") < words.index("started"), "Start was answered before its signal")
    check(changes(root, path, "ConnectedSince")[0] > 0, "ConnectedSince was not announced")
    equal(changes(root, path, "ConnectedSince")[-1], 0, "ConnectedSince at last")


@test("a start that fails tells why, as a sentence and as a name, and can be tried again", limit=30)
def failed(world):
    root = world.start_all()
    first = root.create(SERVER)
    second = root.create({**SERVER, "name": "second"})
    root.listen(second)
    root.tunnel(first, "Start")
    root.wait_state(first, "connected")
    try:
        root.tunnel(second, "Start")
        root.wait_state(second, "failed")
    except Exception as e:
        check("1235" in str(e), f"the answer does not say what is taken: {e}")
    iterate(0.2)
    equal(root.state(second), "failed", "the state")
    reason = root.get(second, TUNNEL, "Reason")
    check("1235" in reason, f"the reason does not name the port: {reason}")
    equal(root.get(second, TUNNEL, "ReasonError"), "org.kcpvpn.Error.Exists", "ReasonError")
    last = [s for s in root.signals if s[2] == "StateChanged"][-1]
    equal(last[3], ("failed", "connecting", reason), "the last signal")
    root.tunnel(first, "Stop")
    root.tunnel(second, "Start")
    root.wait_state(second, "connected")
    equal((root.get(second, TUNNEL, "Reason"), root.get(second, TUNNEL, "ReasonError")), ("", ""), "the reason")


@test("a client that waits says for what, and its details come before the state", limit=60)
def client_waits(world):
    root = world.start_all()
    world.veth()
    path = root.create({"name": "home", "role": "client", "ip": "10.77.0.2", "port": 1235, "secret": "x" * 20,
                        "auto-reconnect": True, "crypt": "aes"})
    root.listen(path)
    root.tunnel(path, "Start")
    wait_until(lambda: root.state(path) == "waiting", 40, "the client waits")
    check(root.get(path, TUNNEL, "Reason") != "", "no reason")
    equal(root.get(path, TUNNEL, "Endpoint"), "10.77.0.2:1235", "the endpoint")
    world.kcpvpn("server", "--ip", "0.0.0.0", "--port", "1235", "--vni-mode", "tun", "--crypt", "aes",
                 "--local-ip", "192.168.88.1", "--assignable-ips", "192.168.88.2-192.168.88.9",
                 namespace=world.c, name="server", secret="x" * 20).wait_event("listening")
    wait_until(lambda: root.state(path) == "connected", 40, "the client is connected")
    iterate(0.1)
    at = next(i for i, s in enumerate(root.signals) if s[2] == "StateChanged" and s[3][0] == "connected")
    before = {key: value for s in root.signals[:at] if s[2] == "PropertiesChanged" for key, value in s[3][1].items()}
    equal(before["Interface"], "kvc0", "the interface before the state")
    equal(before["Addresses"], [{"address": "192.168.88.2", "prefix": 32, "peer": "192.168.88.1"}], "the addresses")
    equal(before["Mtu"], 1500, "the MTU")
    equal(before["Details"], {"protocol": "v1", "cipher": "aes", "cipher-reason": "as crypt says", "link-type": "tun"}, "the details")
    root.tunnel(path, "Stop")
    for name, empty in (("Interface", ""), ("Endpoint", ""), ("Addresses", []), ("Mtu", 0), ("Statistics", {})):
        equal(root.get(path, TUNNEL, name), empty, f"{name} of a stopped tunnel")


@test("the second client tunnel with the default name of the interface says which setting it lacks", limit=60)
def second_client(world):
    root = world.start_all()
    world.veth()
    world.server("--local-ip", "192.168.88.1", "--assignable-ips", "192.168.88.2-192.168.88.9", namespace=world.c)
    first, second = [root.create({**CLIENT_SETTINGS, "ip": "10.77.0.2", "name": name}) for name in ("one", "two")]
    root.tunnel(first, "Start")
    root.wait_state(first, "connected")
    refused(lambda: root.tunnel(second, "Start"), "Exists", "vni-name: give this tunnel another one than kvc0: ")
    wait_until(lambda: root.state(second) == "failed", 20, "the second one fails")
    reason = root.get(second, TUNNEL, "Reason")
    check(reason.startswith("vni-name: give this tunnel another one than kvc0: "), reason)
    root.tunnel(second, "Update", {"vni-name": "kvc1"})
    root.tunnel(second, "Start")
    root.wait_state(second, "connected")
    equal(root.state(first), "connected", "the first one's state")


@test("with configure=false nobody sets the addresses that the properties tell", limit=60)
def configure(world):
    root = world.start_all()
    world.veth()
    world.server("--local-ip", "192.168.88.1", "--assignable-ips", "192.168.88.2-192.168.88.9", namespace=world.c)
    path = root.create({"name": "nm", "role": "client", "ip": "10.77.0.2", "port": 1235},
                       {"transient": True})
    root.tunnel(path, "Start", {"secrets": {"secret": SERVER["secret"]}, "configure": False})
    root.wait_state(path, "connected")
    equal(root.get(path, TUNNEL, "Addresses"), [{"address": "192.168.88.2", "prefix": 32, "peer": "192.168.88.1"}],
          "the addresses")
    equal(world.s.ipv4("kvc0"), [], "the interface's addresses")


@test("a server's clients come and go as objects; who is disconnected is gone when the answer comes", limit=60)
def clients(world):
    root = world.start_all()
    world.veth()
    # Each client of v1 has an interface of its own, which goes with it.
    path = root.create({**SERVER, "crypt": "aes"})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    root.listen()
    client = world.client("--client-id", "laptop", crypt="aes")
    wait_for(lambda: root.get(path, TUNNEL, "Clients"), 5, "the tunnel names the client")
    iterate(0.1)
    order = [s[2] for s in root.signals if s[2] == "InterfacesAdded" or "Clients" in (s[3][1:2] or [{}])[0]]
    equal(order, ["InterfacesAdded", "PropertiesChanged"], "the order")
    at, interfaces = next(s[3] for s in root.signals if s[2] == "InterfacesAdded")
    values = interfaces[CLIENT]
    equal((values["Id"], values["Tunnel"], values["Interface"], values["Protocol"], values["Cipher"]),
          ("laptop", path, "kvs0", "v1", "aes"), "the client")
    equal(values["Addresses"], [{"address": "192.168.88.0", "prefix": 32}], "its address")
    check(abs(values["ConnectedSince"] / 1e6 - time.time()) < 10, "ConnectedSince is not now")
    seen = root.get(at, CLIENT, "LastSeen")
    world.c.ping("192.168.88.1", 3)
    check(root.get(at, CLIENT, "LastSeen") > seen, "LastSeen does not move")
    check(root.get(at, CLIENT, "Statistics")["rx-packets"] >= 3, "the pings are not counted")
    check(root.get(path, TUNNEL, "Statistics")["rx-packets"] >= 3, "nor by the tunnel")
    equal(root.get(path, TUNNEL, "Statistics")["clients"], 1, "the number of clients")
    root.signals.clear()
    note_answer(root, "answer", at, CLIENT, "Disconnect", EMPTY)
    words = [s[2] for s in root.signals]
    equal([w for w in words if w in ("InterfacesRemoved", "answer")], ["InterfacesRemoved", "answer"], "the order")
    check(at not in root.objects() and not root.get(path, TUNNEL, "Clients"), "the client is still there")
    check(not world.s.has_link("kvs0"), "its interface is still there")
    client.wait_exit()
    refused(lambda: root.call(at, CLIENT, "Disconnect", EMPTY), "org.freedesktop.DBus.Error.UnknownMethod")


@test("who watches hears of clients in its turn, even if the counters came too late for it", limit=30)
def late_counters(world):
    root = world.start_all()
    world.veth()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    world.client()
    client = wait_until(lambda: root.get(path, TUNNEL, "Clients"), 5, "the tunnel names the client")[0]
    root.listen()
    with held(world.daemon_pid(), "kcpvpn-w.*"):
        root.tunnel(path, "Watch", 100)
        iterate(0.45)  # the first turn, which is one of clients, and some that are not
        equal(changes(root, path, "Statistics") + changes(root, client, "Statistics"), [], "what is told meanwhile")
    wait_for(lambda: changes(root, path, "Statistics"), 5, "the counters come")
    iterate(0.1)
    equal(len(changes(root, client, "Statistics")), 1, "how often the client's counters were told by then")


@test("however many files a Reload finds, Tunnels is announced once, with all of them", limit=30)
def announced_once(world):
    root = world.start_all()
    for i in range(20):
        path = f"{world.config}/t{i:02}.kcpvpn"
        with open(path, "w", encoding="ascii") as f:
            f.write("[tunnel]\nrole=client\nip=192.0.2.1\nport=1\n")
        os.chown(path, 0, DAEMON_GID)
        os.chmod(path, 0o640)
    root.listen()
    note_answer(root, "answer", ROOT, MANAGER, "Reload", EMPTY)
    announced = changes(root, ROOT, "Tunnels")
    equal(len(announced), 1, "the announcements")
    equal(announced[0], [s[3][0] for s in root.signals if s[2] == "InterfacesAdded"], "what was announced")
    equal(len(announced[0]), 20, "the tunnels")


@test("statistics go to who watches, at the chosen pace, until it leaves or says so, and to nobody else",
      limit=60)
def watch(world):
    root = world.start_all()
    path = root.create(SERVER)
    watcher, other = world.connect(NOBODY), world.connect()
    for caller in (watcher, other):
        caller.listen(path)
    for wrong in (1, 99, 3600001, 0xffffffff):
        refused(lambda: watcher.tunnel(path, "Watch", wrong), "InvalidArgument", f"milliseconds: {wrong}")
    watcher.tunnel(path, "Watch", 100)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    iterate(2)
    n = len(changes(watcher, path, "Statistics"))
    check(12 <= n <= 21, f"{n} times in two seconds, at 100 ms")
    check("rx-bytes" in changes(watcher, path, "Statistics")[-1], "no counters")
    equal(changes(other, path, "Statistics"), [], "what somebody else was told")
    watcher.tunnel(path, "Watch", 1000)
    watcher.signals.clear()
    iterate(2.3)
    check(1 <= len(changes(watcher, path, "Statistics")) <= 3, "the new interval is not kept")
    watcher.tunnel(path, "Watch", 0)
    watcher.signals.clear()
    iterate(1.2)
    equal(changes(watcher, path, "Statistics"), [], "what is told after Watch(0)")
    watcher.tunnel(path, "Watch", 100)
    watcher.close()
    iterate(0.3)
    root.tunnel(path, "Stop")
    root.tunnel(path, "Delete")


@test("every counter that the interface names is there, of its type, counts, and no other", limit=60)
def counters(world):
    with open(os.path.join(TOP, "data/dbus/org.kcpvpn.Tunnel1.xml"), encoding="utf-8") as file:
        told = re.search(r"^ +Statistics: (.*?)-->", file.read(), re.M | re.S)[1]
    named = set(re.findall(r'"([a-z-]+)"', told))
    world.linkem("both loss=10 delay=10ms")
    root = world.start_all()
    path = root.create(SERVER)
    equal(root.get(path, TUNNEL, "Statistics"), {}, "the counters of a tunnel that is stopped")
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    world.client()
    with world.c.socket(kind=socket.SOCK_DGRAM) as stranger:
        for _ in range(3):
            stranger.sendto(bytes(100), ("10.77.0.1", PORT))
    wait_until(lambda: world.s.has_link("kvs0") and world.c.has_link("kvc0"), 5, "the interfaces")

    def busy():
        world.c.ping(TUN_SERVER, 50, 0.02)
        values = root.get(path, TUNNEL, "Statistics")
        return values if all(values.get(key) for key in ("fec-recovered", "loss-rx", "loss-tx", "drops", "rtt-us")) else None
    values = wait_until(busy, 30, "losses are seen and repaired")
    equal(set(values), named, "the keys")
    for key in ("rx-packets", "tx-packets", "wire-rx-datagrams", "wire-tx-datagrams", "segments-sent", "fec-parity-sent"):
        check(values[key] >= 10, f"{key}: {values[key]}")
    check(values["rx-bytes"] >= 84 * values["rx-packets"] * 0.5, f"rx-bytes: {values['rx-bytes']}")
    check(10000 <= values["rtt-us"] <= 2000000, f"rtt-us: {values['rtt-us']}")
    check(0 < values["loss-rx"] < 0.5 and 0 < values["loss-tx"] < 0.5, f"losses: {values['loss-rx']}, {values['loss-tx']}")
    equal((values["clients"], values["retransmits"]), (1, sum(values["retransmits-" + why] for why in ("timeout", "fast", "probe"))),
          "clients and retransmits")
    client = root.get(path, TUNNEL, "Clients")[0]
    equal(set(root.get(client, CLIENT, "Statistics")), named - {"clients", "handshakes-opened", "cookie-replies"},
          "the keys of a client")


@test("the manager tells its version, what it can, and the settings that count without a word", limit=30)
def manager(world):
    root = world.start_all()
    equal("kcpvpnd " + root.get(ROOT, MANAGER, "Version"), shell(DAEMON, "--version").strip(), "Version")
    equal(root.get(ROOT, MANAGER, "Capabilities"), ["protocol:v1"], "Capabilities")
    defaults = root.get(ROOT, MANAGER, "DefaultSettings")
    equal(set(defaults), {"client", "peer", "server"}, "the roles")
    for role, values in defaults.items():
        equal((values["datashard"], values["parityshard"]), (10, 3), f"defaults of a {role}")
        equal(values.get("kcp-mode"), None if role == "peer" else "fast", f"a {role}'s mode, which v1 alone has")
        equal((values["crypt"], values["udp-mtu"]), ("auto", 1472), f"defaults of a {role}, which speaks native")
        check("secret" not in values and "port" not in values and "keepalive" not in values, f"defaults of a {role}: {values}")


main()
