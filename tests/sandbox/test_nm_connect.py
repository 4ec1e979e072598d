#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""NetworkManager's plugin with a real NetworkManager and our server: what a connection gives and takes away.

Usage: FILE [BUILD [TEST...]]
"""
import json
import os
import re
import stat
import time

import kvbox
from kvbox import POOL, SECRET, check, equal, main, shell, test, wait_until
from kvnet import TUN_CLIENT, TUN_SERVER, transfer

TAP_NET = ("--local-ip", TUN_SERVER, "--assignable-ips", "192.168.88.2-192.168.88.254", "--netmask", "255.255.255.0")


def routes(box, *words):
    return box.here.ip_json("route", "show", *words)


@test("a tunnel comes up with address, MTU, the profile's own routes and DNS, carries traffic, and leaves nothing")
def tunnel(box):
    box.start_server(*POOL, "--vni-mtu", "1400")
    before = box.network()
    box.profile("office", "ipv4.routes", "198.51.100.0/24", "ipv4.dns", "198.51.100.53",
                "ipv4.dns-search", "corp.example")
    box.up("office")
    equal(box.state("office"), "activated", "the state")
    link = box.here.link("kvc0")
    equal(link["mtu"], 1400, "the MTU")
    [(local, peer, prefix)] = box.here.ipv4("kvc0")
    equal((local, peer, prefix), (TUN_CLIENT, TUN_SERVER, 32), "the addresses")
    [route] = routes(box, "198.51.100.0/24")
    equal(route["dev"], "kvc0", "where the profile's own route goes")
    equal(box.value("IP4.DNS", "office"), "198.51.100.53", "the DNS server")
    check("198.51.100.53" in "".join(box.network()["dns"]), "resolv.conf lacks the server")
    check("corp.example" in "".join(box.network()["dns"]), "resolv.conf lacks the domain")
    [default] = routes(box, "default")
    equal(default["dev"], "wan0", "where the default route goes, with never-default")
    [outer] = routes(box, box.address4)
    equal((outer["dev"], outer["gateway"]), ("wan0", os.environ["NMSB_FAR4"]), "the way to the server itself")
    box.here.can_ping(TUN_SERVER)
    transfer(box, box.here, box.far, TUN_SERVER, 2_000_000)
    transfer(box, box.far, box.here, TUN_CLIENT, 2_000_000)
    box.down("office")
    box.wait_network(before)


@test("the default route goes through the tunnel unless the profile says otherwise, and the server stays in reach")
def default_route(box):
    box.start_server()
    box.profile("all", "ipv4.never-default", "no")
    box.up("all")
    equal(box.here.ip_json("route", "get", "9.9.9.9")[0]["dev"], "kvc0", "the way to the world")
    equal(box.here.ip_json("route", "get", box.address4)[0]["dev"], "wan0", "the way to the server")
    box.here.can_ping(TUN_SERVER)


@test("a tap tunnel to a bridge: an Ethernet device with an address of the network there, traffic, nothing left")
def tap(box):
    box.far.ip("link", "add", "br0", "type", "bridge")
    box.far.ip("link", "set", "br0", "up")
    box.far.ip("addr", "add", TUN_SERVER + "/24", "dev", "br0")
    box.start_server(*TAP_NET, "--bridge", "br0", mode="tap")
    before = box.network()
    box.profile("lan")
    box.up("lan")
    equal(box.here.link("kvc0")["link_type"], "ether", "the kind of interface")
    [(local, _, prefix)] = box.here.ipv4("kvc0")
    equal((local, prefix), (TUN_CLIENT, 24), "the address")
    box.here.can_ping(TUN_SERVER)
    transfer(box, box.here, box.far, TUN_SERVER, 1_000_000)
    box.down("lan")
    box.wait_network(before)


@test("a server with an IPv6 address, and one with a name")
def ipv6(box):
    box.start_server(ip="::")
    before = box.network()
    with open("/etc/hosts", "a", encoding="ascii") as file:
        file.write(f"{box.address6} vpn.example.org\n")
    for name, address in (("six", box.address6), ("named", "vpn.example.org")):
        box.profile(name, ip=address)
        box.up(name)
        box.here.can_ping(TUN_SERVER)
        [outer] = box.here.ip_json("-6", "route", "show", box.address6)
        equal(outer["dev"], "wan0", f"{name}: the way to the server itself")
        equal(box.here.ip_json("-6", "route", "get", box.address6)[0]["dev"], "wan0", "the server's address")
        box.down(name)
        box.wait_network(before)


@test("two connections at once, each with an interface of its own; one goes, the other stays")
def two(box):
    box.start_server()
    box.start_server("--local-ip", "192.168.99.1", "--assignable-ips", "192.168.99.0/24", "--port", "1300",
                     "--vni-name-prefix", "kvt", name="other")
    before = box.network()
    box.profile("one")
    box.profile("two", port=1300)
    box.up("one")
    box.up("two")
    equal(sorted(name for name in box.here.links() if name.startswith("kvc")), ["kvc0", "kvc1"], "interfaces")
    box.here.can_ping(TUN_SERVER)
    box.here.can_ping("192.168.99.1")
    equal(len(box.tunnels()), 2, "tunnels")
    box.down("one")
    equal(box.state("two"), "activated", "the other's state")
    box.here.can_ping("192.168.99.1")
    box.up("one")
    box.here.can_ping(TUN_SERVER)
    box.down("two")
    box.down("one")
    box.wait_network(before)


RULES = ("--user", "alice", "--user", "bob",
         "--polkit-rule", os.path.join(kvbox.HERE, "nm-alice.rules"))


@test("who may use NetworkManager may use it, who may not is refused; and nobody but root speaks to its parts",
      30, RULES)
def rights(box):
    alice, bob = ("as-user", "alice"), ("as-user", "bob")
    box.start_server()
    box.profile("hers", who=alice)
    status, text = box.nmcli_fails("connection", "up", "hers", who=bob)
    check("not authorized" in text.lower() or "insufficient" in text.lower(), f"{status}: {text}")
    equal(box.tunnels(), [], "tunnels after a refusal")
    box.up("hers", who=alice)
    box.here.can_ping(TUN_SERVER)
    check("ot authorized" in box.nmcli("connection", "down", "hers", who=bob), "bob may take it down")
    for who in (alice, bob):
        for name in bus_names(box, kvbox.SERVICE):
            done = kvbox.subprocess.run([*who, "gdbus", "call", "--system", "--dest", name, "--object-path",
                                         "/org/freedesktop/NetworkManager/VPN/Plugin", "--method",
                                         "org.freedesktop.NetworkManager.VPN.Plugin.Disconnect"],
                                        capture_output=True, text=True, check=False)
            check("AccessDenied" in done.stderr, f"{who} may speak to {name}: {done.stdout} {done.stderr}")
        [path] = box.tunnels()
        done = kvbox.subprocess.run([*who, "gdbus", "call", "--system", "--dest", "org.kcpvpn", "--object-path", path,
                                     "--method", kvbox.TUNNEL + ".Stop", "{}"],
                                    capture_output=True, text=True, check=False)
        check(done.returncode != 0, f"{who} may stop the tunnel")
    box.here.can_ping(TUN_SERVER)
    box.down("hers", who=alice)


def bus_names(box, prefix):
    out = shell("busctl", "--system", "list", "--acquired", "--no-legend", check_status=False) or shell(
        "gdbus", "call", "--system", "--dest", "org.freedesktop.DBus", "--object-path", "/", "--method",
        "org.freedesktop.DBus.ListNames")
    names = sorted(set(re.findall(rf"{re.escape(prefix)}[\w.]*", out)))
    check(names, f"nobody owns {prefix}: {out}")
    return names


@test("keys that a desktop may not name, unknown ones, wrong values and control bytes are refused with a reason")
def refused(box):
    before = box.network()
    for key, value, reason in (("up", "/bin/sh", "up"), ("hook-dir", "/tmp", "hook-dir"), ("bridge", "br0", "bridge"),
                               ("secret-file", "/etc/shadow", "secret-file"), ("nonsense", "1", "nonsense"),
                               ("port", "99999", "port"), ("client-id", "a\x1bb", "client-id")):
        box.profile("bad")
        box.nmcli("connection", "modify", "bad", "+vpn.data", f"{key}={value}")
        box.nmcli_fails("--wait", "10", "connection", "up", "bad")
        said = [line for line in box.plugin_log() if "refused" in line]
        check(said and reason in said[-1], f"{key}: the log does not say why: {said[-1:]}")
        box.nmcli("connection", "delete", "bad")
    box.wait_network(before)


# --- secrets --------------------------------------------------------------------------------------

@test("a secret in a file, one that is not given, and one that nmcli asks for", 60)
def secrets(box):
    box.start_server()
    box.profile("asks", secret=None, secret_flags=2)
    status, text = box.nmcli_fails("--wait", "20", "connection", "up", "asks")
    check("secret" in text.lower(), f"{status}: {text}")
    path = os.path.join(box.dir, "passwords")
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(f"vpn.secrets.secret:{SECRET}\n")
    box.up("asks", "passwd-file", path)
    box.here.can_ping(TUN_SERVER)
    box.down("asks")
    terminal = kvbox.Person("nmcli", "--ask", "connection", "up", "asks")
    terminal.expect("needs the secret that its server has")
    terminal.expect("Secret")
    terminal.type(SECRET + "\n")
    equal(terminal.wait(), 0, f"nmcli's status, which said {terminal.text}")
    check(SECRET not in terminal.text, f"the secret is shown: {terminal.text}")
    box.here.can_ping(TUN_SERVER)
    box.down("asks")
    stored = shell("cat", "/etc/NetworkManager/system-connections/asks.nmconnection")
    check(SECRET not in stored + "".join(box.said) + box.log("nm") + box.log("dbus"), "the secret was saved or logged")


@test("a wrong secret is silence: after it, nmcli is asked for another one, and told why", 90)
def wrong_secret(box):
    box.start_server()
    before = box.network()
    box.profile("asks", secret=None, secret_flags=2)
    terminal = kvbox.Person("nmcli", "--ask", "--wait", "80", "connection", "up", "asks")
    terminal.expect("Secret")
    terminal.type("not the secret\n")
    terminal.expect("does not answer", 40)
    terminal.expect("Secret")
    terminal.type(SECRET + "\n")
    equal(terminal.wait(), 0, f"nmcli's status, which said {terminal.text}")
    box.here.can_ping(TUN_SERVER)
    box.down("asks")
    box.wait_network(before)


@test("a wrong secret in the profile ends the attempt, with a reason in words", 60)
def wrong_saved_secret(box):
    box.start_server()
    before = box.network()
    box.profile("office", secret="not the secret")
    _, text = box.nmcli_fails("--wait", "50", "connection", "up", "office", seconds=50)
    check(text, "nmcli says nothing")
    check(any("no answer" in line for line in box.plugin_log()), f"the log does not say why: {box.plugin_log()}")
    box.wait_network(before)


@test("a server that refuses an address ends the attempt at once; nmcli does not blame the secret, the log has the reason")
def refused_address(box):
    box.start_server()
    box.start_server(*POOL, "--port", "1300", "--vni-name-prefix", "kvt", crypt="aes", name="v1")
    before = box.network()
    box.profile("office", local_ip=TUN_SERVER)
    box.profile("v1", local_ip=TUN_SERVER, port=1300, crypt="aes")
    for name, reason in (("office", f"address {TUN_SERVER} is taken or not assignable"),
                         ("v1", "the server does not grant the address")):
        start = time.monotonic()
        _, text = box.nmcli_fails("--wait", "20", "connection", "up", name)
        check(time.monotonic() - start < 10, "it took long")
        check("invalid configuration" in text, text)
        check(any(f"refused: {reason}" in line for line in box.plugin_log()), f"the log does not say why: {box.plugin_log()}")
        box.wait_network(before)


# --- import and export ----------------------------------------------------------------------------

def import_file(box, path):
    out = box.nmcli("connection", "import", "type", "kcpvpn", "file", path)
    return re.search(r"\(([0-9a-f-]{36})\)", out).group(1)


def read_profile(box, uuid):
    """All of a profile but its number, when it was used, and the secrets, which nmcli does not export: whose flags
    say what a file had, or what its copy asks for."""
    text = box.nmcli("-f", "connection.id,connection.type,vpn,ipv4,ipv6", "connection", "show", uuid)
    return dict(re.findall(r"^([\w.-]+): *(.*)$", re.sub(r"(?:, )?[\w-]+-flags = [01]\b", "", text), re.M))


@test("import, export and import again through nmcli is the identity over the samples", 60)
def identity(box):
    folder = os.path.join(kvbox.kvnet.TOP, "tests/nm-editor/samples")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".kcpvpn"))
    check(len(names) >= 5, f"only {names}")
    for name in names:
        path = os.path.join(box.dir, name)
        kvbox.shutil.copy(os.path.join(folder, name), path)
        os.chmod(path, 0o600)
        first = import_file(box, path)
        exported = os.path.join(box.dir, "exported", name)
        os.makedirs(os.path.dirname(exported), exist_ok=True)
        box.nmcli("connection", "export", first, exported)
        equal(stat.S_IMODE(os.stat(exported).st_mode) & 0o077, 0, f"{name}: rights of others to what was exported")
        second = import_file(box, exported)
        before, after = read_profile(box, first), read_profile(box, second)
        check(after == before, f"{name}: { {key: (before[key], after.get(key)) for key in before if after.get(key) != before[key]} }")
        flags = re.findall(r"[\w-]+-flags = \d", box.value("vpn.data", second))
        check(all(flag.endswith(" = 1") for flag in flags), f"{name}: the copy is to ask for secrets, but has {flags}")
        again = os.path.join(box.dir, "exported", "again-" + name)
        box.nmcli("connection", "export", second, again)
        with open(exported, encoding="utf-8") as one, open(again, encoding="utf-8") as other:
            equal(other.read(), one.read(), f"{name}: exported again")
        for uuid in (first, second):
            box.nmcli("connection", "delete", uuid)


@test("a server's file and one with a setting that desktops may not have are refused, and it is said why")
def bad_imports(box):
    for text, reason in (("role=server\nip=0.0.0.0\nport=1\nvni-mode=tun\nsecret=s\n", "server"),
                         ("role=client\nip=a\nport=1\nsecret=s\nup=/bin/true\n", "up")):
        path = os.path.join(box.dir, "bad.kcpvpn")
        with open(path, "w", encoding="ascii") as file:
            file.write("[tunnel]\n" + text)
        os.chmod(path, 0o600)
        _, said = box.nmcli_fails("connection", "import", "type", "kcpvpn", "file", path)
        check(reason in said, f"no {reason!r} in {said!r}")


@test("what was imported comes up as it is")
def imported(box):
    box.start_server()
    path = os.path.join(box.dir, "office.kcpvpn")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"[tunnel]\nrole=client\nip={box.address4}\nport={kvbox.kvnet.PORT}\nsecret={SECRET}\nclient-id=laptop\n")
    os.chmod(path, 0o600)
    import_file(box, path)
    box.up("office")
    box.here.can_ping(TUN_SERVER)
    event = box.processes[0].wait_event("client-connected")
    check("laptop" in json.dumps(event), f"the server saw {event}")


main()
