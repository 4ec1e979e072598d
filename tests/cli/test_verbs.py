#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that talk to the daemon, on a stand-in. Usage: test_verbs.py KCPVPN [NAME...]"""

import base64
import json
import os
import signal
import stat
import time

from kvfake import MANAGER, BusError, GLib, addresses, equal, main, test, tunnel, wait_for, want


def text(value):
    return GLib.Variant("s", value)


@test("tunnels in columns, by name; their names alone; all of their properties as JSON")
def lists(world):
    equal(world.run("list")[0], 'There are no tunnels; "kcpvpn add" and "kcpvpn import" make some.\n')
    path = world.daemon.add_tunnel(1, "zoo", "server", State=text("connected"),
                                   Endpoint=text("0.0.0.0:1235"))
    world.daemon.add_client(path, 1, "laptop")
    world.daemon.add_tunnel(2, "隧道", Addresses=addresses("10.0.0.2/24"), State=text("waiting"),
                            Reason=text("no answer"))
    lines = world.run("list")[0].splitlines()
    equal(lines[0].split(), ["NAME", "ROLE", "STATE", "SINCE", "ENDPOINT", "ADDRESSES", "CLIENTS",
                             "REASON"])
    equal(lines[1].split(), ["zoo", "server", "connected", "-", "0.0.0.0:1235", "-", "1"])
    equal(lines[2].split(), ["隧道", "client", "waiting", "-", "-", "10.0.0.2/24", "-", "no",
                             "answer"])
    equal(lines[1].index("server"), len("隧道".encode("gb2312")) + 2)
    equal(world.run("list", "--names")[0], "zoo\n隧道\n")
    found = world.json("list")
    equal([one["Name"] for one in found], ["zoo", "隧道"])
    equal(found[0]["Path"], path)
    equal(found[1]["Addresses"], [{"address": "10.0.0.2", "prefix": 24}])


@test("a name from outside cannot steer the terminal, in tables, errors and JSON")
def hostile(world):
    world.daemon.add_tunnel(1, "a\x1b[2J\u202eb", Reason=text("x\x9b31m\ny"))
    for words in (["list"], ["list", "--names"], ["list", "--json"],
                  ["show", "a\x1b[2J\u202eb"], ["up", "a\x1b[2J\u202eb", "--no-wait"],
                  ["down", "a\x1b[2J\u202eb"], ["delete", "a\x1b[2J\u202eb"]):
        out, err = world.run(*words)
        for bad in ("\x1b", "\x9b", "\u202e"):
            assert bad not in out + err, (words, out, err)
    _, err = world.run("show", "no\x1b[2J", status=8)
    want(err, "no\\x1b[2J")


@test("one tunnel in full, and the exit status of status")
def shows(world):
    statistics = GLib.Variant("a{sv}", {
        "rx-packets": GLib.Variant("t", 5), "rx-bytes": GLib.Variant("t", 2500),
        "rtt-us": GLib.Variant("u", 41000), "loss-rx": GLib.Variant("d", 0.015),
        "handshakes-opened": GLib.Variant("t", 7), "cookie-replies": GLib.Variant("t", 8),
        "drops": GLib.Variant("a{st}", {"checksum": 3})})
    settings = GLib.Variant("a{sv}", {"name": text("home"), "ip": text("vpn.example.org"),
                                      "port": GLib.Variant("u", 1235),
                                      "users": GLib.Variant("as", ["ann", "bob"])})
    path = world.daemon.add_tunnel(
        1, "home", State=text("connected"), Interface=text("kvc0"), Settings=settings,
        Endpoint=text("192.0.2.1:1235"), Addresses=addresses("10.0.0.2/24"),
        ConnectedSince=GLib.Variant("t", int((time.time() - 7530) * 1e6)), Statistics=statistics,
        Details=GLib.Variant("a{sv}", {"cipher": text("aes")}))
    out = " ".join(world.run("show", "home")[0].split())
    want(out, "name home", "state connected, for 2 h 5 min", "interface kvc0", "cipher aes",
         "endpoint 192.0.2.1:1235", "addresses 10.0.0.2/24", "ip vpn.example.org", "port 1235",
         "users ann,bob", "received 5 packets, 2.5 kB", "round trip 41.0 ms", "in 1.5 %",
         "handshakes 7 opened, 8 told to prove their address first", "dropped checksum 3", "saved secrets secret")
    out = world.run("status", "home")[0]
    want(out, "connected")
    assert "vpn.example.org" not in out
    found = world.json("show", "home")
    equal(found["Settings"]["users"], ["ann", "bob"])
    equal(found["Statistics"]["drops"], {"checksum": 3})
    world.daemon.set_state(path, "waiting", "it is silent", "org.kcpvpn.Error.Timeout")
    want(world.run("status", "home", status=9)[0], "waiting", "it is silent")
    want(world.run("show", "home")[0], "waiting")
    want(world.run("show", "office", status=8)[1], 'no tunnel "office"')


@test("the daemon's own state, with files it could not read")
def status(world):
    world.daemon.add_tunnel(1, "home", State=text("connected"))
    world.daemon.change(MANAGER, Problems=GLib.Variant(
        "a(sus)", [("/etc/kcpvpn/x.kcpvpn", 3, "port: \"x\" is not allowed")]))
    want(world.run("status")[0], "9.9", "1, of which 1 connected",
         "/etc/kcpvpn/x.kcpvpn:3: port: \"x\" is not allowed")
    equal(world.json("status")["Problems"], [["/etc/kcpvpn/x.kcpvpn", 3,
                                              "port: \"x\" is not allowed"]])
    want(world.run("reload", status=1)[1], "/etc/kcpvpn/x.kcpvpn:3: port")
    world.daemon.change(MANAGER, Problems=GLib.Variant("a(sus)", []))
    want(world.run("reload")[0], "read again")


def creates(world):
    def create(_path, arguments):
        settings = arguments[0]
        world.created = settings
        world.daemon._add(f"{MANAGER}/tunnel/7", "Tunnel1", tunnel(settings["name"], settings["role"]))
        return (f"{MANAGER}/tunnel/7",)
    world.daemon.answers["CreateTunnel"] = create


@test("settings of a new tunnel go out in their own types, the secret from the environment too")
def adds(world):
    creates(world)
    out, _ = world.run("add", "home", "--role", "client", "--ip", "vpn.example.org", "--port=1235",
                       "--auto-reconnect", "--users", "ann,bob", env={"KCPVPN_KEY": "hush"})
    equal(out, "home: added\n")
    equal(world.created, {"name": "home", "role": "client", "ip": "vpn.example.org", "port": 1235,
                          "auto-reconnect": True, "users": ["ann", "bob"], "secret": "hush"})
    world.daemon.remove(f"{MANAGER}/tunnel/7")
    # The daemon reads no file for it: what is in it goes along.
    world.run("add", "home", "--role", "client", "--secret-file", world.write("secret", "from a file\n"),
              env={"KCPVPN_KEY": "hush"})
    equal(world.created, {"name": "home", "role": "client", "secret": "from a file"})
    want(world.run("add", "b", "--role", "client", "--secret-file", "/no/such", status=1)[1], "/no/such")
    world.daemon.remove(f"{MANAGER}/tunnel/7")
    equal(world.json("add", "b", "--role", "server")["Role"], "server")
    want(world.run("add", "b", status=2)[1], "--role", "client, server, peer")
    want(world.run("add", "a/b", "--role", "client", status=2)[1], "name", "a/b")
    want(world.run("add", "b", "--role", "client", "--port", "0", status=2)[1], "port", '"0"',
         "1 to 65535")
    want(world.run("add", "b", "--role", "client", "--vni-mode", "tun", status=2)[1], "vni-mode",
         "server")


@test("each error of the daemon is told with what can be done, and has its exit status")
def errors(world):
    world.daemon.add_tunnel(1, "home")
    cases = [("InvalidSetting", 2, ""), ("Exists", 1, ""), ("NotFound", 8, ""),
             ("NotAuthorized", 4, "polkit rule"), ("AuthenticationRequired", 4, "--ask"),
             ("AuthenticationDismissed", 4, ""), ("ReadOnly", 4, ""), ("WrongState", 1, ""),
             ("org.freedesktop.DBus.Error.AccessDenied", 4, ""),
             ("org.freedesktop.DBus.Error.NoReply", 7, "")]
    for word, status_code, hint in cases:
        def fail(_path, _arguments, word=word):
            raise BusError(word, "because of this")
        world.daemon.answers["Delete"] = fail
        _, err = world.run("delete", "home", status=status_code)
        want(err, "kcpvpn: home: because of this", hint)
        assert "GDBus" not in err, err


@test("changes by flags: what is given and what is unset, and nothing else")
def edits(world):
    path = world.daemon.add_tunnel(1, "home")
    # KCPVPN_KEY belongs to the commands that need a secret; it must not replace one unasked.
    world.run("edit", "home", "--port", "7", "--unset", "dscp,ds", env={"KCPVPN_KEY": "hush"})
    equal(world.calls("Update"), [("Update", path, ({"port": 7}, {"unset": ["dscp", "datashard"]}),
                                   True)])
    world.run("edit", "home", "--secret", "new", "--no-ask")
    equal(world.calls("Update"), [("Update", path, ({"secret": "new"}, {}), False)])
    world.run("edit", "home", "--secret-file", world.write("secret", "from a file\n"))
    equal(world.calls("Update"), [("Update", path, ({"secret": "from a file"}, {}), True)])
    want(world.run("edit", "home", "--unset", "prot", status=2)[1], '"prot"')
    want(world.run("edit", "home", "--vni-mode", "tap", status=2)[1], "vni-mode")
    world.daemon.set_state(path, "connected")
    want(world.run("edit", "home", "--port", "8", "--users", "ann")[0], "from its next start on: port\n")
    world.daemon.change(path, ReadOnly=GLib.Variant("b", True))
    want(world.run("edit", "home", "--port", "8", status=4)[1], "kcpvpn reload",
         "/var/lib/kcpvpn/home.kcpvpn")


EXPORTED = "[tunnel]\nname=home\nrole=client\nip=a.example\nport=7\ndscp=46\n"


@test("changes in an editor: what is different, from a private file that is gone afterwards")
def edits_text(world):
    path = world.daemon.add_tunnel(1, "home")
    world.daemon.answers["Export"] = lambda *_: (EXPORTED,)
    editor = world.write("editor", f"""#!/bin/sh
stat -c '%a %n' "$1" "${{1%/*}}" > {world.path("seen")}
sed -i -e 's/port=7/port=8/' -e '$a secret=x' -e '/dscp/d' "$1"
""", 0o700)
    world.run("edit", "home", env={"EDITOR": editor})
    equal(world.calls("Export", "Update"),
          [("Export", path, (False, {}), True),
           ("Update", path, ({"port": 8, "secret": "x"}, {"unset": ["dscp"]}), True)])
    with open(world.path("seen"), encoding="utf-8") as file:
        modes = [line.split() for line in file]
    equal([mode for mode, _ in modes], ["600", "700"])
    want(modes[0][1], "home.kcpvpn")
    assert not os.path.exists(modes[1][1])


KEY, OTHER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
WITH_PEER = ("[tunnel]\nname=office\nrole=server\nip=0.0.0.0\nport=7\nvni-mode=tun\ncrypt=auto\n\n"
             f"[peer ann]\npublic-key={KEY}\nlocal-ip=10.0.0.7\n")


@test("peers are added, changed and taken away in an editor; all of them are sent, or none")
def edits_peers(world):
    path = world.daemon.add_tunnel(1, "office", "server", State=text("connected"))
    world.daemon.answers["Export"] = lambda *_: (WITH_PEER,)
    ann = {"public-key": KEY, "local-ip": "10.0.0.7"}
    for script, changes in (
            (f"printf '[peer bob]\\npublic-key={OTHER_KEY}\\nallowed-ips=10.1.0.0/16;::/0\\n' >> \"$1\"",
             {"peers": {"ann": ann, "bob": {"public-key": OTHER_KEY, "allowed-ips": ["10.1.0.0/16", "::/0"]}}}),
            ("sed -i 's/local-ip=.*/preshared-key=" + OTHER_KEY + "/' \"$1\"",
             {"peers": {"ann": {"public-key": KEY, "preshared-key": OTHER_KEY}}}),
            ("sed -i '/peer/,$d' \"$1\"", {"peers": {}})):
        editor = world.write("editor", f"#!/bin/sh\n{script}\n", 0o700)
        want(world.run("edit", "office", env={"EDITOR": editor})[0], "office: changed\n")
        equal(world.calls("Update"), [("Update", path, (changes, {}), True)])
    editor = world.write("editor", "#!/bin/sh\nsed -i 's/port=7/port=8/' \"$1\"\n", 0o700)
    want(world.run("edit", "office", env={"EDITOR": editor})[0], "from its next start on: port\n")
    equal(world.calls("Update"), [("Update", path, ({"port": 8}, {}), True)])
    want(world.run("edit", "office", "--dns", "10.0.0.1", "--client-to-client", "--unset", "routes")[0],
         "office: changed\n")
    world.calls("Update")
    wrong = world.write("wrong", f"#!/bin/sh\nprintf '[peer eve]\\npublic-key={KEY}\\n' >> \"$1\"\n", 0o700)
    want(world.run("edit", "office", env={"EDITOR": wrong}, status=2)[1], "office.kcpvpn:12: peer eve: public-key",
         "peer ann")


@test("peers are shown with their names, public keys and what else is set")
def shows_peers(world):
    peers = GLib.Variant("a{sa{sv}}", {
        "ann": {"public-key": text(KEY), "local-ip": text("10.0.0.7"), "keepalive": GLib.Variant("u", 25)},
        "bob": {"public-key": text(OTHER_KEY), "allowed-ips": GLib.Variant("as", ["10.1.0.0/16", "::/0"])}})
    world.daemon.add_tunnel(1, "office", "server", Settings=GLib.Variant("a{sv}", {"peers": peers}))
    out = " ".join(world.run("show", "office")[0].split())
    want(out, f"peers ann {KEY} local-ip=10.0.0.7 keepalive=25 bob {OTHER_KEY} allowed-ips=10.1.0.0/16,::/0")
    equal(world.json("show", "office")["Settings"]["peers"]["bob"]["allowed-ips"], ["10.1.0.0/16", "::/0"])
    assert "peers" not in world.run("status", "office", status=9)[0]


@test("an edit that changes nothing, that is wrong or that fails leaves the tunnel alone")
def edits_nothing(world):
    world.daemon.add_tunnel(1, "home")
    world.daemon.answers["Export"] = lambda *_: (EXPORTED,)
    want(world.run("edit", "home", env={"EDITOR": "true"})[0], "nothing is changed")
    want(world.run("edit", "home", env={"EDITOR": "false"}, status=1)[1], '"false" failed')
    want(world.run("edit", "home", env={"EDITOR": "/no/such"}, status=1)[1], "/no/such")
    wrong = world.write("wrong", "#!/bin/sh\necho port=x >> \"$1\"\n", 0o700)
    # setsid: without a terminal nobody is asked to go on
    want(world.run("edit", "home", env={"EDITOR": wrong}, status=2)[1], "home.kcpvpn:7: port")
    equal(world.calls("Update"), [])


@test("up waits for the end of the story and tells it by its exit status")
def ups(world):
    path = world.daemon.add_tunnel(1, "home")

    def connect(*_):
        world.daemon._set_state(path, "connecting", "", "", {})
        world.daemon._set_state(path, "waiting", "it is silent", "org.kcpvpn.Error.Timeout", {})
        world.daemon._set_state(path, "connected", "", "", {
            "Interface": text("kvc0"), "Endpoint": text("192.0.2.1:1235"),
            "Addresses": addresses("10.0.0.2/24")})
    world.daemon.answers["Start"] = connect
    out, err = world.run("up", "home")
    equal(out, "home: connected to 192.0.2.1:1235, interface kvc0, address 10.0.0.2/24\n")
    want(err, "home: it is silent; it tries again")
    equal(world.run("up", "home")[0], out)
    equal(len(world.calls("Start")), 1)
    for word, status_code in (("Refused", 3), ("PermissionDenied", 4), ("Timeout", 5),
                              ("ConnectionLost", 6), ("InvalidSetting", 2), ("Io", 1)):
        world.daemon.set_state(path, "stopped")
        world.daemon.answers["Start"] = lambda *_, word=word: world.daemon._set_state(
            path, "failed", "so it is", f"org.kcpvpn.Error.{word}", {})
        equal(world.run("up", "home", status=status_code)[1], "kcpvpn: home: so it is\n")


@test("a tunnel that is made while a command starts is told of twice, and followed all the same")
def late_news(world):
    path = world.daemon.add_tunnel(1, "home")
    world.daemon.late_news = True
    world.daemon.answers["Start"] = lambda *_: world.daemon._set_state(path, "failed", "so it is", "", {})
    want(world.run("up", "home", status=1)[1], "so it is")
    world.calls()  # those so far
    monitor = world.start("monitor")
    world.wait_call("GetManagedObjects")
    watch = world.start("status", "home", "--watch")
    world.wait_call("Watch")
    world.daemon.change(path, Statistics=GLib.Variant("a{sv}", {}))
    world.daemon.set_state(path, "stopped")
    want(watch.stdout.readline(), "home failed: in 0 bit/s")
    want(monitor.stdout.readline(), " home state stopped")
    for process in (monitor, watch):
        process.kill()
        process.communicate()


@test("up without waiting, for a limited time, and beside somebody who stops or deletes it")
def ups_otherwise(world):
    path = world.daemon.add_tunnel(1, "home")
    world.daemon.answers["Start"] = lambda *_: world.daemon._set_state(path, "connecting", "", "",
                                                                       {})
    equal(world.run("up", "home", "--no-wait")[0], "home: started\n")
    begin = time.monotonic()
    want(world.run("up", "home", "--wait", "1", status=5)[1], "kcpvpn down home")
    assert time.monotonic() - begin < 10
    equal(len(world.calls("Start")), 1)  # it was on its way already
    for deed, status_code, said in (
            (lambda: world.daemon.set_state(path, "stopped"), 1, "stopped it"),
            (lambda: world.daemon.remove(path), 8, "deleted it")):
        world.daemon.set_state(path, "stopped")
        process = world.start("up", "home")
        world.wait_call("Start")
        deed()
        out, err = process.communicate(timeout=20)
        equal((process.returncode, out), (status_code, ""))
        want(err, said)


@test("a secret that is not saved comes from a file or the environment, or is asked of the daemon")
def secrets(world):
    path = world.daemon.add_tunnel(1, "home", SavedSecrets=GLib.Variant("as", []))
    world.daemon.answers["Start"] = lambda *_: world.daemon._set_state(path, "connected", "", "", {})
    file = world.write("secret", "from a file\n")
    for words, env, options in (([], {}, {}), (["--secret-file", file], {},
                                               {"secrets": {"secret": "from a file"}}),
                                ([], {"KCPVPN_KEY": "hush"}, {"secrets": {"secret": "hush"}})):
        world.daemon.set_state(path, "stopped")
        world.run("up", "home", "--no-ask", *words, env=env)
        equal(world.calls("Start"), [("Start", path, (options,), False)])
    os.chmod(file, 0o644)
    world.daemon.set_state(path, "stopped")
    want(world.run("up", "home", "--secret-file", file, status=2)[1], "chmod 600")
    equal(world.calls("Start"), [])


@test("down and delete take several names, go on after a mistake and then fail")
def downs(world):
    one = world.daemon.add_tunnel(1, "one", State=text("connected"))
    two = world.daemon.add_tunnel(2, "two", State=text("failed"))
    out, err = world.run("down", "one", "none", "two", status=8)
    equal(out, "one: stopped\ntwo: stopped\n")
    want(err, '"none"')
    equal([call[1] for call in world.calls("Stop")], [one, two])
    lines = world.run("delete", "one", "two", "--json")[0].splitlines()
    equal([json.loads(line) for line in lines],
          [{"Name": "one", "Result": "deleted"}, {"Name": "two", "Result": "deleted"}])
    equal([call[1] for call in world.calls("Delete")], [one, two])


@test("clients in a table, by their ids and as JSON; kick by id, interface and address")
def clients(world):
    equal(world.run("clients")[0], "No client is connected.\n")
    path = world.daemon.add_tunnel(1, "office", "server", State=text("connected"))
    world.daemon.add_tunnel(2, "home")
    ids = [world.daemon.add_client(path, number, ident)
           for number, ident in ((1, "laptop"), (2, ""), (3, "phone"), (4, "tablet"))]
    lines = world.run("clients", "office")[0].splitlines()
    equal(lines[0].split()[:5], ["TUNNEL", "CLIENT", "ADDRESSES", "INTERFACE", "REMOTE"])
    equal(lines[1].split()[:5], ["office", "laptop", "192.168.88.1/24", "kvs1", "192.0.2.1:40001"])
    equal(lines[2].split()[:2], ["office", "-"])
    equal(world.run("clients", "--ids")[0], "laptop\nphone\ntablet\n")
    equal(world.json("clients", "home"), [])
    equal([one["Id"] for one in world.json("clients")], ["laptop", "", "phone", "tablet"])
    out, err = world.run("kick", "office", "phone", "nobody", "kvs2", "192.168.88.1",
                         "192.0.2.4:40004", status=8)
    want(err, '"nobody"', "kcpvpn clients office")
    equal(out.splitlines()[0], "phone: disconnected")
    equal([call[1] for call in world.calls("Disconnect")], [ids[2], ids[1], ids[0], ids[3]])


@test("key files come in with the name of the text, of the file or of the option")
def imports(world):
    seen = []

    def take(_path, arguments):
        seen.append(arguments)
        path = f"{MANAGER}/tunnel/{len(seen)}"
        world.daemon._add(path, "Tunnel1", tunnel(f"t{len(seen)}"))
        return (path,)
    world.daemon.answers["ImportTunnel"] = take
    named = "[tunnel]\nname=x\nrole=client\nip=a\nport=1\n"
    bare = "[tunnel]\nrole=server\nip=a\nport=1\nvni-mode=tun\n"
    out, _ = world.run("import", world.write("a.kcpvpn", named), world.write("b.kcpvpn", bare))
    equal(out, "t1: imported\nt2: imported\n")
    world.run("import", "-", "--name", "c", stdin=bare)
    equal(seen, [(named, {}), (bare, {"name": "b"}), (bare, {"name": "c"})])
    wrong = world.write("wrong.kcpvpn", "[tunnel]\nrole=client\nport=x\n")
    want(world.run("import", wrong, status=2)[1], f"{wrong}:3: port")
    want(world.run("import", "/no/such", status=8 - 7)[1], "/no/such")
    want(world.run("import", "-", stdin="[tunnel]\n", status=2)[1], "role")
    want(world.run("import", "-", "-", "--name", "c", status=2)[1], "one file")
    want(world.run("import", "/dev/zero", status=2)[1], "longer than")
    equal(len(seen), 3)
    secret = world.write("secret", "from a file\n")
    world.run("import", world.write("d.kcpvpn", f"{named}secret-file={secret}\n"))
    assert "secret=from a file\n" in seen[3][0] and "secret-file" not in seen[3][0], seen[3]


@test("a key file goes to stdout or into a new file of mode 0600, secrets only if asked for")
def exports(world):
    path = world.daemon.add_tunnel(1, "home")
    world.daemon.answers["Export"] = lambda *_: (EXPORTED,)
    equal(world.run("export", "home")[0], EXPORTED)
    equal(world.calls("Export"), [("Export", path, (False, {}), False)])
    file = world.path("out.kcpvpn")
    equal(world.run("export", "home", file, "--with-secrets"), ("", ""))
    equal(world.calls("Export"), [("Export", path, (True, {}), True)])
    equal(stat.S_IMODE(os.stat(file).st_mode), 0o600)
    want(world.run("export", "home", file, status=1)[1], "--force")
    os.chmod(file, 0o644)
    world.run("export", "home", file, "--force")
    equal(stat.S_IMODE(os.stat(file).st_mode), 0o600)
    equal(world.json("export", "home"), {"Name": "home", "Text": EXPORTED})


def read_events(process, count):
    return [json.loads(process.stdout.readline()) for _ in range(count)]


@test("what happens is printed as it happens, in words and as JSON, of all or of one tunnel")
def monitors(world):
    path = world.daemon.add_tunnel(1, "office", "server")
    all_json = world.start("monitor", "--json")
    one_text = world.start("monitor", "home")
    wait_for(lambda: len(world.daemon.calls) == 2, "two that read what there is")
    world.daemon.set_state(path, "connected")
    where = world.daemon.add_client(path, 3, "phone")
    world.daemon.remove(where)
    home = world.daemon.add_tunnel(2, "home")
    world.daemon.set_state(home, "failed", "it\x1b is")
    world.daemon.remove(home)
    events = read_events(all_json, 6)
    equal([event["Event"] for event in events],
          ["state", "client-connected", "client-left", "added", "state", "removed"])
    equal((events[0]["Name"], events[0]["State"], events[0]["OldState"]),
          ("office", "connected", "stopped"))
    equal((events[1]["Client"], events[1]["RemoteAddress"], events[1]["Interface"]),
          ("phone", "192.0.2.3:40003", "kvs3"))
    lines = [one_text.stdout.readline() for _ in range(3)]
    want(lines[0], " home added")
    want(lines[1], " home state failed it\\x1b is")
    want(lines[2], " home removed")
    world.daemon.stop()
    equal({event["Event"] for event in read_events(all_json, 2)}, {"daemon-stopped", "removed"})
    world.bus.stop()
    for process in (all_json, one_text):
        equal(process.wait(timeout=20), 7)
        want(process.stderr.read(), "system bus went away")
        process.stdout.close()
        process.stderr.close()


@test("the live view has a line or an object for each look, and ends when the tunnel goes")
def watches(world):
    path = world.daemon.add_tunnel(1, "home", State=text("connected"))

    def tell(count):
        world.daemon.change(path, Statistics=GLib.Variant("a{sv}", {
            "rx-bytes": GLib.Variant("t", count * 1000)}))
    for words in (["status", "home", "--watch"], ["show", "home", "-w", "--json"]):
        process = world.start(*words, "--interval", "250")
        equal(world.wait_call("Watch"), ("Watch", path, (250, {}), False))
        for count in range(3):
            tell(count)
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        process.communicate()
        if "--json" in words:
            equal(json.loads(lines[2])["Statistics"], {"rx-bytes": 2000})
        else:
            want(lines[2], "home connected: in ", "bit/s, out 0 bit/s")
    process = world.start("status", "home", "--watch")
    world.wait_call("Watch")
    world.daemon.remove(path)
    equal(process.wait(timeout=20), 8)
    want(process.communicate()[1], "was deleted")


@test("no daemon and no bus are told from each other, and named")
def absences(world):
    world.daemon.stop()
    _, err = world.run("list", status=7)
    want(err, "daemon is not running", "systemctl start kcpvpnd")
    _, err = world.run("list", "--no-start", status=7)
    want(err, "daemon is not running")
    world.bus.stop()
    _, err = world.run("list", status=7)
    want(err, "system bus cannot be reached")
    _, err = world.run("up", "x", "--ask", "--no-ask", status=2)
    want(err, "only one of them")

@test("new keys, and the public key of a private one; what is no key is refused")
def keys(world):
    private, psk = world.run("genkey")[0], world.run("genpsk")[0]
    for text in private, psk:
        equal((len(text), len(base64.b64decode(text.strip(), validate=True))), (45, 32))
    assert world.run("genkey")[0] != private
    public = world.run("pubkey", stdin=private)[0]
    equal(world.run("pubkey", stdin=private.strip())[0], public)
    assert public not in (private, psk)
    # RFC 7748, section 5.2: the base point as a private key.
    nine = base64.b64encode(bytes([9] + 31 * [0])).decode()
    equal(base64.b64decode(world.run("pubkey", stdin=nine)[0]).hex(),
          "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
    for bad in "", "\n", private[1:], private + "x", private.strip() * 2, "-" * 44:
        want(world.run("pubkey", stdin=bad, status=2)[1], "no private key; allowed: one line of 44")


if __name__ == "__main__":
    main()
