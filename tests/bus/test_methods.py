#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every method and property: allowed, denied, and called wrongly."""
import base64
import os
import time
import xml.etree.ElementTree as ElementTree

from kvbus import GLib

from kvbus import (CLIENT, CLIENT_SETTINGS, ERROR, MANAGER, NOBODY, PROPERTIES, ROOT, SERVER, TUNNEL,
                   Error, check, equal, interfaces, iterate, main, refused, tunnel_arguments, variants, wait_for)
from kvnet import test, wait_until

NO_OPTIONS = "@a{sv} {}"
HOOKS = {"on-connected-hook": "/bin/true"}
KEY_FILE = "[tunnel]\nname=imported\nrole=client\nip=192.0.2.1\nport=1\n"


def settings(*name, **more):
    return {**CLIENT_SETTINGS, **dict(zip(["name"], name)), **more}


def create_arguments(name, **more):
    return GLib.Variant("(a{sv}a{sv})", (variants(settings(name, **more)), {}))


class Fixture:
    """A tunnel of each kind, and a client on the bus, made by root."""

    def __init__(self, world):
        self.world = world
        self.root = world.start_all()
        self.user = world.connect(NOBODY)
        self.number = 0

    def new_name(self):
        self.number += 1
        return f"t{self.number}"

    def new_tunnel(self, **more):
        return self.root.create(settings(self.new_name(), **more))

    def new_client(self):
        """The path of a connected client's object."""
        if "c" not in self.world.namespaces:
            self.world.veth()
            path = self.root.create(SERVER)
            self.root.tunnel(path, "Start")
            self.root.wait_state(path, "connected")
        else:
            path = self.root.call(ROOT, MANAGER, "FindTunnel", f"('srv', {NO_OPTIONS})")
        self.number += 1
        self.world.client("--client-id", f"c{self.number}", "--vni-name", f"kvc{self.number}",
                          name=f"client{self.number}")

        def find():
            return [p for p, i in self.root.objects().items() if i.get(CLIENT, {}).get("Id") == f"c{self.number}"]
        client = wait_until(find, 5, "the client has an object")[0]
        wait_until(lambda: client in self.root.get(path, TUNNEL, "Clients"), 5, "the tunnel names the client")
        return client


# For each method: how to make what it is called on, its arguments, and the actions it asks for.
# A list of triples where the arguments make a difference.
def cases(f):
    at_root = lambda: ROOT  # noqa: E731
    plain = f"({NO_OPTIONS},)"
    return [
        (MANAGER, "CreateTunnel", at_root, lambda: create_arguments(f.new_name()), ["tunnel.create"]),
        (MANAGER, "CreateTunnel", at_root, lambda: create_arguments(f.new_name(), **HOOKS),
         ["tunnel.create", "tunnel.hooks"]),
        (MANAGER, "ImportTunnel", at_root,
         lambda: GLib.Variant("(sa{sv})", (KEY_FILE, variants({"name": f.new_name()}))), ["tunnel.create"]),
        (MANAGER, "ImportTunnel", at_root,
         lambda: GLib.Variant("(sa{sv})", (KEY_FILE + "on-connected-hook=/bin/true\n",
                                           variants({"name": f.new_name()}))),
         ["tunnel.create", "tunnel.hooks"]),
        (MANAGER, "FindTunnel", at_root, lambda: f"('{f.root.get(f.new_tunnel(), TUNNEL, 'Name')}', {NO_OPTIONS})",
         []),
        (MANAGER, "Reload", at_root, lambda: plain, ["tunnel.modify"]),
        (TUNNEL, "Start", f.new_tunnel, lambda: plain, ["tunnel.control"]),
        (TUNNEL, "Start", lambda: f.new_tunnel(users=["root", "nobody"]), lambda: plain,
         ["tunnel.control-listed"]),
        (TUNNEL, "Stop", f.new_tunnel, lambda: plain, ["tunnel.control"]),
        (TUNNEL, "Stop", lambda: f.new_tunnel(users="nobody"), lambda: plain, ["tunnel.control-listed"]),
        (TUNNEL, "Update", f.new_tunnel, lambda: tunnel_arguments("Update", [{"port": 9}]), ["tunnel.modify"]),
        (TUNNEL, "Update", f.new_tunnel, lambda: tunnel_arguments("Update", [HOOKS]),
         ["tunnel.modify", "tunnel.hooks"]),
        (TUNNEL, "Delete", f.new_tunnel, lambda: plain, ["tunnel.delete"]),
        (TUNNEL, "Export", f.new_tunnel, lambda: f"(false, {NO_OPTIONS})", []),
        (TUNNEL, "Export", f.new_tunnel, lambda: f"(true, {NO_OPTIONS})", ["tunnel.secrets"]),
        (TUNNEL, "GetSecrets", f.new_tunnel, lambda: plain, ["tunnel.secrets"]),
        (TUNNEL, "Watch", f.new_tunnel, lambda: f"(uint32 1000, {NO_OPTIONS})", []),
        (CLIENT, "Disconnect", f.new_client, lambda: plain, ["client.disconnect"]),
    ]


def patiently(caller, *call):
    """A call by somebody who may not call as often as this test does."""
    while True:
        try:
            return caller.call(*call)
        except Error as e:
            if e.name != ERROR + "Exhausted" or "too many calls" not in e.message:
                raise
            time.sleep(0.1)


@test("every method of the interfaces is tried here, and the bus shows just those", limit=60)
def complete(world):
    f = Fixture(world)
    tried = {(interface, method) for interface, method, *_ in cases(f)}
    wanted = {(i.get("name"), m.get("name")) for i in interfaces() for m in i.iter("method")}
    equal(tried, wanted, "the methods")
    paths = {MANAGER: ROOT, TUNNEL: f.new_tunnel(), CLIENT: f.new_client()}
    for interface in interfaces():
        xml = f.root.call(paths[interface.get("name")], "org.freedesktop.DBus.Introspectable", "Introspect")
        shown = next(i for i in ElementTree.fromstring(xml).iter("interface")
                     if i.get("name") == interface.get("name"))
        for kind in ("method", "signal", "property"):
            equal({x.get("name") for x in shown.iter(kind)}, {x.get("name") for x in interface.iter(kind)},
                  f"each {kind} of {interface.get('name')}")


@test("polkit is asked for just the right actions, with the tunnel's name, and its yes is enough", limit=120)
def allowed(world):
    f = Fixture(world)
    world.answer("yes")
    for interface, method, make, arguments, actions in cases(f):
        path, sent, before = make(), arguments(), len(world.asked())
        patiently(f.user, path, interface, method, sent)
        asked = world.asked()[before:]
        equal([a["action"] for a in asked], ["org.kcpvpn." + a for a in actions], method)
        for question in asked:
            equal((question["subject"], question["name"]), ("system-bus-name", f.user.name), "the subject")
            check(not question["interactive"], "a person may be asked, though the caller did not say so")
            if method != "Reload":
                check(question["details"].get("tunnel"), f"{method}: no tunnel in {question['details']}")
        if interface == CLIENT:
            equal((asked[0]["details"]["tunnel"], asked[0]["details"]["client"]),
                  ("srv", f"c{f.number}"), "the details")


@test("each action that is missing denies, however polkit says no, and nothing has happened", limit=240)
def denied(world):
    f = Fixture(world)
    errors = {"no": "NotAuthorized", "challenge": "AuthenticationRequired",
              "dismissed": "AuthenticationDismissed", "error": "NotAuthorized"}
    for interface, method, make, arguments, actions in cases(f):
        for action in actions:
            for answer, error in errors.items():
                world.answer("yes")
                path, sent = make(), arguments()
                before = f.root.objects()
                world.answer(answer, action)
                refused(lambda: patiently(f.user, path, interface, method, sent), error)
                after = f.root.objects()
                check(unchanging(before) == unchanging(after), f"{method} did something without {action}")
                world.answer("yes", action)


def unchanging(objects):
    return {path: {i: {p: v for p, v in values.items() if p not in ("Statistics", "LastSeen")}
                   for i, values in interfaces.items()} for path, interfaces in objects.items()}


@test("root needs no polkit, and without polkit nobody else gets anything", limit=120)
def without_polkit(world):
    f = Fixture(world)
    world.kill(world.polkit_process)
    for interface, method, make, arguments, actions in cases(f):
        path, sent = make(), arguments()
        if actions:
            refused(lambda: patiently(f.user, path, interface, method, sent), "NotAuthorized")
        f.root.call(path, interface, method, sent)
    world.start_polkit()
    world.answer("yes")
    f.user.tunnel(f.new_tunnel(), "Stop")


@test("polkit may talk to a person only if the caller says so", limit=30)
def interactive(world):
    f = Fixture(world)
    world.answer("challenge")
    path = f.new_tunnel()
    refused(lambda: f.user.tunnel(path, "Stop", interactive=True), "AuthenticationRequired")
    check(world.asked()[-1]["interactive"], "polkit was not told that a person may be asked")


@test("everybody reads every property, nobody writes one, and none holds a secret", limit=60)
def properties(world):
    f = Fixture(world)
    paths = {MANAGER: ROOT, TUNNEL: f.new_tunnel(), CLIENT: f.new_client()}
    for interface in interfaces():
        name = interface.get("name")
        values = f.user.get_all(paths[name], name)
        equal(set(values), {p.get("name") for p in interface.iter("property")}, f"GetAll of {name}")
        for prop in interface.iter("property"):
            value = f.user.get(paths[name], name, prop.get("name"))
            check("pre-shared" not in repr(value), f"{prop.get('name')} tells the secret")
            for caller in (f.user, f.root):
                refused(lambda: caller.call(paths[name], PROPERTIES, "Set", GLib.Variant(
                    "(ssv)", (name, prop.get("name"), GLib.Variant("s", "x")))),
                    "org.freedesktop.DBus.Error.InvalidArgs")
    refused(lambda: f.user.get(ROOT, MANAGER, "Nothing"), "org.freedesktop.DBus.Error.InvalidArgs")
    check("pre-shared" not in repr(f.user.objects()), "GetManagedObjects tells the secret")
    equal(f.user.get(paths[TUNNEL], TUNNEL, "SavedSecrets"), ["secret"], "SavedSecrets")


ODD = ["(1,)", "('',)", "(true,)", "(1.5,)", "(@as [],)", "(@a{sv} {}, 1)", "(<1>,)", "()",
       "('x', @a{sv} {}, @a{sv} {})", "(@a{ss} {},)", "(@ay [],)", "(objectpath '/',)", "(@(s) ('',),)"]


@test("arguments of other types are refused, whatever they are", limit=60)
def wrong_types(world):
    f = Fixture(world)
    signatures = {(i.get("name"), m.get("name")): "".join(a.get("type") for a in m.iter("arg")
                                                         if a.get("direction") == "in")
                  for i in interfaces() for m in i.iter("method")}
    paths = {MANAGER: ROOT, TUNNEL: f.new_tunnel(), CLIENT: f.new_client()}
    for (interface, method), signature in signatures.items():
        for text in ODD:
            value = GLib.Variant.parse(None, text, None, None)
            if value.get_type_string() == f"({signature})":
                continue
            refused(lambda: f.root.call(paths[interface], interface, method, value),
                    "org.freedesktop.DBus.Error.InvalidArgs")
    refused(lambda: f.root.call(ROOT, MANAGER, "Nothing", "()"), "org.freedesktop.DBus.Error.UnknownMethod")
    refused(lambda: f.root.call("/org/kcpvpn/tunnel/99", TUNNEL, "Stop", f"({NO_OPTIONS},)"),
            "org.freedesktop.DBus.Error.UnknownMethod")


OPTIONS = {
    "CreateTunnel": {"transient": "b"}, "ImportTunnel": {"transient": "b", "name": "s"},
    "Start": {"secrets": "a{sv}", "configure": "b"}, "Update": {"unset": "as"},
}


@test("an option that a method does not know, or of another type, is named and refused", limit=60)
def options(world):
    f = Fixture(world)
    for interface, method, make, arguments, _ in cases(f):
        path, sent = make(), arguments()
        if isinstance(sent, str):
            sent = GLib.Variant.parse(None, sent, None, None)
        known = OPTIONS.get(method, {})

        def with_options(more):
            values = [sent.get_child_value(i) for i in range(sent.n_children() - 1)]
            return GLib.Variant.new_tuple(*values, GLib.Variant("a{sv}", more))
        refused(lambda: f.root.call(path, interface, method, with_options({"bogus": GLib.Variant("b", True)})),
                "InvalidArgument", "\"bogus\" is not an option of this method")
        for name, kind in known.items():
            refused(lambda: f.root.call(path, interface, method, with_options({name: GLib.Variant("t", 1)})),
                    "InvalidArgument", f"option {name}: a value of type \"t\" is not allowed; allowed: type \"{kind}\"")


@test("a wrong setting is named with what is allowed, and a wrong name makes no file", limit=30)
def bad_settings(world):
    f = Fixture(world)
    cases = [
        ({"port": 0}, "port: \"0\" is not allowed; allowed: a whole number from 1 to 65535"),
        ({"port": GLib.Variant("d", 1.5)}, "port: a value of type \"d\" is not allowed"),
        ({"prot": 1}, "\"prot\" is not a known setting"),
        ({"hook-dir": "/x"}, "hook-dir: only a server has this setting"),
        ({"role": "both"}, "role: \"both\" is not allowed; allowed: one of client, server, peer"),
        ({"secret": "hush-hush\n"}, "secret: this value is not allowed"),
        ({"vni-name": "a/b"}, "vni-name: \"a/b\" is not allowed"),
        ({"datashard": 200, "parityshard": 60}, "datashard and parityshard: 200 and 60 make 260; allowed: at most 192"),
        ({"crypt": "aes", "datashard": 200, "parityshard": 200}, "datashard and parityshard: 200 and 200 make 400"),
    ]
    for name in ("", ".", "..", ".hidden", "a/b", "../x", "a\nb", "a\x7fb", "x" * 65):
        cases.append(({"name": name}, "name: "))
    for more, text in cases:
        error = refused(lambda: f.root.create(settings(**{"name": "bad", **more})), "InvalidSetting", text)
        check("hush" not in error.message, "the message tells the secret")
    for missing in ("name", "role", "ip", "port"):
        given = settings("bad")
        del given[missing]
        refused(lambda: f.root.create(given), "InvalidSetting", f"{missing}: required, but not given")
    equal(os.listdir(world.state), [], "the files")
    equal(f.root.get(ROOT, MANAGER, "Tunnels"), [], "the tunnels")
    for name in ("a b", "-x", "%s", "ü", "a$(id)", "'\"", "x" * 64, "café;rm"):
        path = f.root.create(settings(name))
        equal(f.root.get(path, TUNNEL, "Name"), name, "the name")
        equal(f.root.call(ROOT, MANAGER, "FindTunnel", GLib.Variant("(sa{sv})", (name, {}))), path, "the path")
        refused(lambda: f.root.create(settings(name)), "Exists", name)
        f.root.tunnel(path, "Delete")
    equal(os.listdir(world.state), [], "the files afterwards")


@test("Update replaces the named keys, unsets others, keeps the rest, and saves; all or nothing", limit=30)
def update(world):
    f = Fixture(world)
    path = f.new_tunnel(dscp=46)
    f.root.listen(path)
    f.root.tunnel(path, "Update", {"port": "77", "users": "a,b"}, {"unset": ["dscp"]})
    iterate()
    values = f.root.get(path, TUNNEL, "Settings")
    equal((values["port"], values["users"], "dscp" in values), (77, ["a", "b"], False), "the settings")
    check(("PropertiesChanged", values) in [(s[2], s[3][1].get("Settings")) for s in f.root.signals],
          "the change was not announced")
    for bad, options, text in [({"port": 1, "dscp": 64}, {}, "dscp: \"64\""), ({"name": "other"}, {}, "name: "),
                               ({"role": "server"}, {}, "role: "), ({}, {"unset": ["ip"]}, "ip: required"), ({}, {"unset": ["role"]}, "a tunnel keeps its role"),
                               ({}, {"unset": ["nothing"]}, "\"nothing\" is not a known setting")]:
        refused(lambda: f.root.tunnel(path, "Update", bad, options), "InvalidSetting", text)
    equal(f.root.get(path, TUNNEL, "Settings"), values, "the settings after refusals")
    f.root.tunnel(path, "Update", {"secret": "another"})
    equal(f.root.tunnel(path, "GetSecrets"), {"secret": "another"}, "the secrets")
    with open(f.root.get(path, TUNNEL, "File"), encoding="utf-8") as file:
        text = file.read()
    equal(f.root.tunnel(path, "Export", True), text, "the exported text and the file")
    check("another" not in f.root.tunnel(path, "Export", False), "the export without secrets has one")


KEYS = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="]


def peers(**of):
    return GLib.Variant("a{sa{sv}}", {name: variants(values) for name, values in of.items()})


@test("peers are replaced as a whole and saved; secrets of theirs are told only where secrets are", limit=30)
def update_peers(world):
    f = Fixture(world)
    path = f.root.create({**SERVER, "private-key": KEYS[0], "peers": peers(
        ann={"public-key": KEYS[0], "preshared-key": KEYS[1], "local-ip": "10.0.0.7"}, bob={"public-key": KEYS[1]})})
    given = f.root.get(path, TUNNEL, "Settings")["peers"]
    equal(given, {"ann": {"public-key": KEYS[0], "local-ip": "10.0.0.7"}, "bob": {"public-key": KEYS[1]}}, "the peers")
    equal(sorted(f.root.get(path, TUNNEL, "SavedSecrets")), ["peers", "private-key", "secret"], "the saved secrets")
    equal(f.root.tunnel(path, "GetSecrets")["peers"], {"ann": {"preshared-key": KEYS[1]}}, "the secrets")
    check(KEYS[1] not in f.root.tunnel(path, "Export", False).partition("[peer bob]")[0], "the export has a secret")
    f.root.tunnel(path, "Update", {"peers": peers(renamed={"public-key": KEYS[0]})})
    equal(f.root.get(path, TUNNEL, "Settings")["peers"], {"renamed": {"public-key": KEYS[0]}}, "the peers left")
    equal(f.root.tunnel(path, "GetSecrets")["peers"], {"renamed": {"preshared-key": KEYS[1]}}, "the secret kept")
    for bad, text in [({"peers": "x"}, "peers: a value of type \"s\""),
                      ({"peers": peers(ann={})}, "peer ann: public-key: required"),
                      ({"peers": peers(ann={"public-key": KEYS[0], "endpoint": "a:1"})}, "peer ann: endpoint: "),
                      ({"peers": peers(a={"public-key": KEYS[0]}, b={"public-key": KEYS[0]})}, "that of peer a"),
                      ({"peers": peers(**{f"p{i}": {"public-key": base64.b64encode(
                          bytes([9, i & 255, i >> 8] + 29 * [0])).decode()} for i in range(4097)})},
                       "there are more peers than 4096")]:
        refused(lambda: f.root.tunnel(path, "Update", bad), "InvalidSetting", text)
    refused(lambda: f.root.tunnel(path, "Start", {"secrets": {"peers": peers(
        nobody={"preshared-key": KEYS[1]})}}), "InvalidSetting", "peer nobody: the tunnel has no such peer")
    with open(f.root.get(path, TUNNEL, "File"), encoding="utf-8") as file:
        check(f"[peer renamed]\npublic-key={KEYS[0]}\npreshared-key={KEYS[1]}\n" in file.read(), "the file")
    f.root.tunnel(path, "Update", {"peers": peers()})
    equal(f.root.tunnel(path, "Export", True).count("peer"), 0, "the export without peers")
    refused(lambda: f.root.tunnel(path, "Update", {"private-key-file": "/etc/shadow"}), "InvalidSetting", "private-key-file: ")


@test("what is exported can be imported under another name and is the same", limit=30)
def transfer(world):
    f = Fixture(world)
    path = f.root.create(SERVER)
    text = f.root.tunnel(path, "Export", True)
    copy = f.root.call(ROOT, MANAGER, "ImportTunnel", GLib.Variant("(sa{sv})", (text, variants({"name": "copy"}))))
    mine, other = f.root.get(path, TUNNEL, "Settings"), f.root.get(copy, TUNNEL, "Settings")
    equal({**other, "name": "srv"}, mine, "the settings")
    equal(f.root.tunnel(copy, "GetSecrets"), {"secret": SERVER["secret"]}, "the secrets")
    for wrong, message in [("", "text: role: required"), ("[tunnel]\nrole=client\nport=x\n", "text:3: port: "),
                           ("junk", "text:1: "), ("[tunnel]\nrole=client\nip=::1\nport=1\n", "name: required")]:
        refused(lambda: f.root.call(ROOT, MANAGER, "ImportTunnel", GLib.Variant("(sa{sv})", (wrong, {}))),
                "InvalidSetting", message)


@test("secrets come with the start and stay out of what is kept", limit=30)
def start_secrets(world):
    f = Fixture(world)
    given = dict(SERVER)
    del given["secret"]
    path = f.root.create(given)
    refused(lambda: f.root.tunnel(path, "Start"), "InvalidSetting", "secret: required")
    equal(f.root.state(path), "stopped", "the state")
    refused(lambda: f.root.tunnel(path, "Start", {"secrets": {"port": 1}}), "InvalidSetting",
            "port: only secrets are allowed here")
    f.root.tunnel(path, "Start", {"secrets": {"secret": "of this start"}})
    f.root.wait_state(path, "connected")
    equal(f.root.tunnel(path, "GetSecrets"), {}, "the saved secrets")
    equal(f.root.get(path, TUNNEL, "SavedSecrets"), [], "SavedSecrets")
    refused(lambda: f.root.tunnel(path, "Start"), "WrongState")
    f.root.tunnel(path, "Stop")
    f.root.tunnel(path, "Stop")
    equal(f.root.state(path), "stopped", "the state after two stops")


@test("two callers at once: one start wins, stops all succeed, and a deleted tunnel is gone for both", limit=30)
def races(world):
    f = Fixture(world)
    path = f.root.create(SERVER)
    empty = GLib.Variant("(a{sv})", ({},))

    def both(*methods):
        calls = [f.root.start_call(path, TUNNEL, method, empty) for method in methods]
        for call in calls:
            wait_for(lambda: call.done, 10, "an answer")
        return [c.result.name if isinstance(c.result, Error) else "ok" for c in calls]
    equal(sorted(both("Start", "Start")), ["ok", ERROR + "WrongState"], "two starts")
    equal(both("Stop", "Stop", "Stop"), ["ok"] * 3, "three stops")
    started = both("Start", "Stop")
    check(started in (["ok", "ok"], [ERROR + "Cancelled", "ok"]), f"start and stop: {started}")
    equal(f.root.state(path), "stopped", "the state")
    deleted = both("Delete", "Delete", "Start")
    equal(deleted.count("ok"), 1, f"two deletions and a start: {deleted}")
    equal(f.root.get(ROOT, MANAGER, "Tunnels"), [], "the tunnels")


main()
