#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What no library would send, and what nobody would mean: neither harms the service, and each call is answered."""
import contextlib
import os
import random
import re
import time

import kvdbus as wire
from kvbus import (CLIENT, CLIENT_SETTINGS, ERROR, LONG, MANAGER, NAME, NOBODY, PROPERTIES, ROOT, SERVER, TUNNEL, Error,
                   Failed, Gio, GLib, ServiceManager, check, equal, held, interfaces, iterate, main, variants)
from kvnet import SANITIZED, SECRET, TIME_FACTOR, test, wait_until
from kvdbus import DESTINATION, INTERFACE, MEMBER, PATH, REPLY_SERIAL, SIGNATURE, UNIX_FDS, Wire, Writer, body, message

GIVEN_SEED = os.environ.get("KV_TEST_SEED", "random")
SEED = random.SystemRandom().randrange(1 << 32) if GIVEN_SEED == "random" else int(GIVEN_SEED)
SWEEP_CALLS = (16000 if LONG else 3000) // (5 if SANITIZED else 1)
AT_A_TIME = 32
VICTIM_PORT = 7000
OWN_KEYS = ("name", "role", "secret", "transient", "secrets", "configure", "unset", "users", "ip", "port", "autostart")
SPARE_KIB = 500000 if SANITIZED else 2000  # what an allocator may keep after calls of all sizes
# What the log may say meanwhile; a tunnel that any call may change may also fail to start.
USUAL = re.compile(r"[-0-9]+ [:0-9]+ (info|\w+: victim\d+): ")
BUS_ERROR = "org.freedesktop.DBus.Error."
STANDARD = {PROPERTIES: ("Get", "Set", "GetAll"), "org.freedesktop.DBus.Peer": ("Ping", "GetMachineId"),
            "org.freedesktop.DBus.Introspectable": ("Introspect",),
            "org.freedesktop.DBus.ObjectManager": ("GetManagedObjects",)}


def methods():
    """(interface, method): the signature of its arguments"""
    return {(i.get("name"), m.get("name")): "".join(a.get("type") for a in m.iter("arg") if a.get("direction") == "in")
            for i in interfaces() for m in i.iter("method")}


def fields(path=ROOT, interface=MANAGER, member="FindTunnel", signature="sa{sv}", **more):
    found = {PATH: path, DESTINATION: NAME, MEMBER: member}
    if interface:
        found[INTERFACE] = interface
    if signature:
        found[SIGNATURE] = signature
    return {**found, **more.get("more", {})}


def boxed(depth, inner=("s", "x")):
    """A variant in a variant in a variant."""
    for _ in range(depth):
        inner = ("v", inner)
    return inner


class Service:
    """The service with a server and a client in it, and what of it must stay as it is."""

    def __init__(self, world, env=None):
        world.start_bus()
        world.start_polkit()
        world.start_daemon(env=env)
        self.world, self.root = world, world.connect()
        self.server = self.root.create(SERVER)
        self.root.tunnel(self.server, "Start")
        self.root.wait_state(self.server, "connected")
        world.veth()
        world.client("--client-id", "guest")
        self.client = wait_until(lambda: self.root.get(self.server, TUNNEL, "Clients"), 5, "the client has an object")[0]
        self.bus = os.path.join(world.dir, "bus")
        self.before = self.look()

    def paths(self):
        return {MANAGER: ROOT, TUNNEL: self.server, CLIENT: self.client}

    def look(self):
        """Taken when all that was begun is over."""
        self.root.get_all(self.server, TUNNEL)
        iterate(0.1)
        complaints = [line for line in self.world.daemon_process.text().splitlines() if not USUAL.match(line)]
        return {"tunnels": self.root.get(ROOT, MANAGER, "Tunnels"), "objects": sorted(self.root.objects()),
                "state": self.root.state(self.server), "settings": self.root.get(self.server, TUNNEL, "Settings"),
                "files": sorted(os.listdir(self.world.state)), "complaints": complaints}

    def unharmed(self, what):
        check(self.world.daemon_process.alive(), f"{what}: the daemon ended:\n{self.world.daemon_process.tail()}")
        equal(self.look(), self.before, f"after {what}")

    def wire(self, uid=0):
        return Wire(self.bus, uid)


def overlong(text_length, there):
    """A string that says another length than it has."""
    writer = Writer()
    writer.number("I", text_length)
    writer.data += there
    return bytes(writer.data)


def broken_values():
    """name: (signature, payload) of calls whose body is no body of that signature"""
    good = body("sa{sv}", "srv", {})
    yield "UTF-8 that is none", "s", overlong(2, b"\xff\xfe\0")
    yield "UTF-8 of a surrogate", "s", overlong(3, b"\xed\xa0\x80\0")
    yield "UTF-8 longer than it need be", "s", overlong(2, b"\xc0\xaf\0")
    yield "UTF-8 beyond Unicode", "s", overlong(4, b"\xf7\xbf\xbf\xbf\0")
    yield "a NUL inside a string", "s", overlong(3, b"a\0b\0")
    yield "a string without its NUL", "s", overlong(3, b"srv!")
    yield "a string longer than the message", "s", overlong(4000, b"srv\0")
    yield "a string of 4 GiB", "s", overlong(0xffffffff, b"srv\0")
    yield "a body that is too short", "sa{sv}", good[:-4]
    yield "a body that is too long", "sa{sv}", good + b"\0\0\0\0"
    yield "no body", "sa{sv}", b""
    yield "a body without a signature", "", good
    yield "a truth that is neither", "b", b"\2\0\0\0"
    yield "padding that is not zero", "yu", b"\1\xff\xff\xff\1\0\0\0"
    yield "an array of half an element", "au", b"\6\0\0\0\1\0\0\0\1\0"
    yield "an array of more than 64 MiB", "ay", b"\1\0\0\4" + b"x"
    yield "an array longer than the message", "ay", b"\xff\0\0\0" + b"x"
    yield "an array whose elements end beyond it", "as", b"\5\0\0\0\4\0\0\0srv\0\0"
    yield "an object path that is none", "o", body("s", "no/path")
    yield "a signature that is none", "g", body("g", "a{vs}")
    yield "a variant without a type", "v", b"\0\0"
    yield "a variant of two types", "v", b"\2ii\0" + bytes(8)
    yield "a variant of an unknown type", "v", b"\1z\0\0"
    yield "a variant of half a type", "v", b"\1a\0\0"
    yield "variants nested deeper than 64", "v", body("v", boxed(70))
    yield "an unknown type", "z", b"\0\0\0\0"
    yield "a struct without members", "()", b""
    yield "a dictionary of one", "a{s}", body("as", [])
    yield "a dictionary whose key is a variant", "a{vs}", body("as", [])
    yield "an entry outside of an array", "{sv}", body("s", "x")
    yield "33 arrays in each other", "a" * 33 + "y", bytes(4)
    yield "33 structs in each other", "(" * 33 + "y" + ")" * 33, bytes(1)


def broken_headers():
    """name, the whole message"""
    good = body("sa{sv}", "srv", {})

    def made(what, override=None, **kw):
        return what, message(override or fields(), good, **kw)
    yield made("a byte order that is none", letter="x")
    yield made("the other byte order than it says", letter="B")
    yield made("little endian, says big", order=">", letter="l")
    yield made("version 0", version=0)
    yield made("version 2", version=2)
    yield made("type 0", kind=0)
    yield made("serial 0", serial=0)
    yield made("a body of 2 GiB", length=0x7fffffff)
    yield made("a body of 4 GiB", length=0xffffffff)
    whole = message(fields(), good)
    yield "fields of 4 GiB", whole[:12] + b"\xff\xff\xff\xff" + whole[16:]
    for what, number, value in (("no path", PATH, None), ("no member", MEMBER, None),
                                ("a path that does not begin with /", PATH, "org"), ("a path with //", PATH, "/a//b"),
                                ("a path that ends in /", PATH, "/org/kcpvpn/"), ("a path with -", PATH, "/a-b"),
                                ("an interface of one part", INTERFACE, "Manager1"),
                                ("an interface with ..", INTERFACE, "org..kcpvpn"),
                                ("an interface of 300 letters", INTERFACE, "a." + "b" * 298),
                                ("a member with a dot", MEMBER, "Find.Tunnel"), ("a member 1a", MEMBER, "1a"),
                                ("an empty member", MEMBER, ""), ("a destination that is none", DESTINATION, "org"),
                                ("its interface is that of local errors", INTERFACE, "org.freedesktop.DBus.Local"),
                                ("its path is that of local errors", PATH, "/org/freedesktop/DBus/Local")):
        changed = {**fields(), number: value}
        if value is None:
            del changed[number]
        yield made(what, changed)
    pairs = [(n, (wire.FIELD_TYPES[n], v)) for n, v in fields().items()]
    yield made("a path of type s", [(n, ("s", v[1])) if n == PATH else (n, v) for n, v in pairs])
    yield made("a field 0", [*pairs, (0, ("s", "x"))])
    yield made("a path twice", [*pairs, (PATH, ("o", "/other"))])
    yield made("three descriptors that are not there", fields(more={UNIX_FDS: 3}))


@test("what is no message of D-Bus is the end of its connection, and the service hears nothing of it", limit=120)
def invalid(world):
    service = Service(world)
    cases = [(what, message(fields(signature=signature), payload)) for what, signature, payload in broken_values()]
    cases += broken_headers()
    for what, data in cases:
        for uid in (0, NOBODY):
            with service.wire(uid) as w:
                w.send(data)
                try:
                    equal([a.error or a.text for a in w.answers()], [], f"{what}: answers")
                except TimeoutError:
                    raise Failed(f"{what}: the bus does not hang up") from None
    print(f"        {len(cases)} messages that are none", flush=True)
    service.unharmed("messages that are none")
    truncated = message(fields(), body("sa{sv}", "srv", {}))
    for n in range(1, len(truncated)):
        with service.wire() as w:
            w.send(truncated[:n])
            equal([a.error or a.text for a in w.end()], [], f"the first {n} bytes of a message")
    service.unharmed("messages that end too soon")


@test("bytes of good messages that change by chance do no harm, whatever the bus makes of them", limit=120)
def flipped(world):
    service = Service(world)
    print(f"        KV_TEST_SEED={SEED}", flush=True)
    chance = random.Random(SEED)
    settings = {"port": ("u", 7), "users": ("as", ["a", "b"]), "name": ("s", "x")}
    options = {"unset": ("as", ["dscp"])}
    good = [message(fields(), body("sa{sv}", "srv", {"x": ("i", 1)})),
            message(fields(service.server, TUNNEL, "Update", "a{sv}a{sv}"), body("a{sv}a{sv}", settings, options)),
            message(fields(member="ImportTunnel"), body("sa{sv}", "[tunnel]\nrole=client\n", {"transient": ("b", 1)})),
            message(fields(service.server, TUNNEL, "Watch", "ua{sv}"), body("ua{sv}", 1000, {"x": ("v", ("s", "y"))}))]
    end, n, heard = time.monotonic() + 5 * TIME_FACTOR, 0, 0
    while time.monotonic() < end:
        data = bytearray(chance.choice(good))
        for _ in range(chance.choice((1, 1, 2, 5))):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
        with service.wire() as w, contextlib.suppress(TimeoutError):
            w.sock.settimeout(0.05)
            w.send(bytes(data))
            heard += w.call(fields(), body("sa{sv}", "none", {})) is not None
        n += 1
    print(f"        {n} messages, {heard} of them no reason to hang up", flush=True)
    check(n >= 50 and 0 < heard < n, "hardly any message came as far as the bus")
    service.unharmed("changed bytes")


def refusals(service):
    """what, where it goes, its signature and payload, and the error that answers it: all of them are good messages"""
    many = {f"key-{i}": ("s", "x") for i in range(50000)}
    settings = {"name": ("s", "odd"), "role": ("s", "client"), "ip": ("s", "192.0.2.1"), "port": ("u", 1)}
    long = "a/" + "x" * (1 << 20)
    update = (service.server, TUNNEL, "Update", "a{sv}a{sv}")

    def create(**more):
        return body("a{sv}a{sv}", {**settings, **{k.replace("_", "-"): v for k, v in more.items()}}, {})
    made = (ROOT, MANAGER, "CreateTunnel", "a{sv}a{sv}")
    twice = Writer()
    twice.value("a{sv}", [("name", ("s", "odd")), ("role", ("s", "client")), ("name", ("s", "other"))])
    twice.value("a{sv}", {})
    yield "a key twice", made, bytes(twice.data), "InvalidSetting"
    options = Writer()
    options.value("a{sv}", settings)
    options.value("a{sv}", [("transient", ("b", 1)), ("transient", ("b", 0))])
    yield "an option twice", made, bytes(options.data), "InvalidArgument"
    yield "50,000 settings", made, body("a{sv}a{sv}", {**settings, **many}, {}), "InvalidSetting"
    yield "50,000 options", update, body("a{sv}a{sv}", {}, many), "InvalidArgument"
    yield "a value in 40 boxes", made, create(port=boxed(40, ("u", 7))), "InvalidSetting"
    yield "a name of a mebibyte", made, create(name=("s", long)), "InvalidSetting"
    yield "a key of a mebibyte", made, body("a{sv}a{sv}", {long: ("s", "")}, {}), "InvalidSetting"
    yield "an empty key", made, create(**{"": ("s", "")}), "InvalidSetting"
    yield "a list of 100,000 users", made, create(users=("as", ["u"] * 100000)), "InvalidSetting"
    yield "a list with a comma in it", made, create(users=("as", ["a,b"])), "InvalidSetting"
    yield "a handle as a setting", made, create(secret=("h", 0)), "InvalidSetting"
    yield "a handle as an option", update, body("a{sv}a{sv}", {}, {"unset": ("h", 7)}), "InvalidArgument"
    yield "100,000 settings to unset", update, body("a{sv}a{sv}", {}, {"unset": ("as", ["role"] * 100000)}), "InvalidSetting"
    yield "a text of two mebibytes", (ROOT, MANAGER, "ImportTunnel", "sa{sv}"), body("sa{sv}", "#" * (2 << 20), {}), "InvalidSetting"
    yield "a text of many lines", (ROOT, MANAGER, "ImportTunnel", "sa{sv}"), body("sa{sv}", "\n" * 1000000, {}), "InvalidSetting"
    for (interface, method), signature in methods().items():
        for odd, value in (("", ()), ("s", ("x",)), ("a{sv}" * 9, ({},) * 9), ("h", (0,)), ("v", (boxed(60),)),
                           ("a(ya{sv})", ([],)), ("t" * 255, (1,) * 255)):
            if odd != signature:
                yield (f"{method}({odd[:9]})", (service.paths()[interface], interface, method, odd), body(odd, *value),
                       BUS_ERROR + "InvalidArgs")


@test("good messages with arguments that make no sense are answered with an error and a sentence, also with handles", limit=120)
def odd_calls(world):
    service = Service(world)
    before = world.fds()
    handle = os.open("/dev/null", os.O_RDONLY)
    with service.wire() as w:
        for what, to, payload, error in refusals(service):
            for fds in ((), (handle,) * 16):
                more = {UNIX_FDS: len(fds)} if fds else {}
                answer = w.call(fields(*to, more=more), payload, fds)
                check(answer is not None, f"{what}: the bus hung up")
                want = error if "." in error else ERROR + error
                equal(answer.error, want, f"{what} with {len(fds)} handles: the error ({answer.text[:200]})")
                check(len(answer.text) < 2000 and answer.text.strip(), f"{what}: a message of {len(answer.text)} letters")
        find = fields(more={UNIX_FDS: 16})
        for _ in range(20):
            answer = w.call(find, body("sa{sv}", "srv", {}), (handle,) * 16)
            equal((answer.error, answer.text), (None, ""), "a good call with handles that nobody wants")
    os.close(handle)
    service.unharmed("odd calls")
    wait_until(lambda: world.fds() == before, 5, f"the daemon has its {before} file descriptors again, not {world.fds()}")


@test("either byte order, no interface, no answer wanted: all that a good message may be", limit=60)
def unusual(world):
    service = Service(world)
    with service.wire() as w:
        for order in "<>":
            answer = w.call(fields(), body("sa{sv}", "srv", {}, order=order), order=order)
            equal((answer.kind, answer.fields[SIGNATURE]), (wire.RETURN, "o"), f"byte order {order}")
        answer = w.call(fields(interface=None), body("sa{sv}", "srv", {}))
        check(answer.kind == wire.RETURN or answer.error.startswith(BUS_ERROR), f"without an interface: {answer.error}")
        for kind in (5, 77, 255):
            w.send(message(fields(), body("sa{sv}", "srv", {}), kind=kind, serial=1000 + kind))
        for _ in range(100):
            w.send(message(fields(), body("sa{sv}", "none", {}), serial=2000, flags=wire.NO_REPLY))
        answer = w.call(fields(), body("sa{sv}", "none", {}))
        equal(answer.error, ERROR + "NotFound", "the answer behind those that were not wanted")
        answer = w.call([*[(n, (wire.FIELD_TYPES[n], v)) for n, v in fields().items()], (99, ("a{sv}", {"x": ("i", 1)}))],
                        body("sa{sv}", "srv", {}))
        equal(answer.kind, wire.RETURN, "a header field that is not known yet")
    service.unharmed("unusual messages")


@test("each method and property at each path there is and is not: answered there, an error elsewhere", limit=120)
def every_path(world):
    service = Service(world)
    calls = {**methods(), **{(i, m): "" for i, names in STANDARD.items() for m in names}}
    here = {ROOT, service.server, service.client}
    parts = service.client.split("/")
    paths = ["/", "/no", ROOT + "/tunnel/99", service.server + "/client/99", service.client + "/x", ROOT + "/Tunnel/1",
             ROOT + "_", "/org/freedesktop/DBus", "/" + "x" * 20000, "/x" * 10000]
    paths += ["/".join(parts[:n]) for n in range(2, len(parts) + 1)]
    with service.wire() as w:
        for path in paths:
            for (interface, method), signature in calls.items():
                answer = w.call(fields(path, interface, method, "x"), body("x", 1))
                equal(answer.kind, wire.ERROR, f"{path} {interface}.{method} with a number")
                check(answer.error in (BUS_ERROR + "InvalidArgs", BUS_ERROR + "UnknownMethod", BUS_ERROR + "UnknownObject",
                                       BUS_ERROR + "UnknownInterface"), f"{path} {interface}.{method}: {answer.error}")
                if path not in here and interface in (MANAGER, TUNNEL, CLIENT):
                    equal(answer.error, BUS_ERROR + "UnknownMethod", f"{path} {interface}.{method}")
            for interface in (MANAGER, TUNNEL, CLIENT, "no.such", ""):
                for method, payload, signature in (("Get", body("ss", interface, "Name"), "ss"),
                                                   ("Get", body("ss", interface, ""), "ss"),
                                                   ("GetAll", body("s", interface), "s"),
                                                   ("Set", body("ssv", interface, "Name", ("s", "x")), "ssv")):
                    answer = w.call(fields(path, PROPERTIES, method, signature), payload)
                    check(answer.kind == wire.RETURN or answer.text, f"{path} {method} {interface}: {answer.error}")
                    check(answer.kind == wire.ERROR or path in here and method != "Set", f"{path} {method} {interface}")
    service.unharmed("calls to every path")


@test("nobody but the bus can say that a caller left, and nobody but polkit that he may", limit=60)
def forged(world):
    service = Service(world)
    owner, user = world.connect(), world.connect(NOBODY)
    mine = owner.create({**CLIENT_SETTINGS, "name": "mine"}, {"transient": True})
    world.answer("hang")
    waiting = user.start_call(service.server, TUNNEL, "Stop", GLib.Variant("(a{sv})", ({},)))
    wait_until(lambda: world.asked(), 5, "polkit is asked")
    yes = body("(bba{ss})", (1, 0, {}))
    with service.wire(NOBODY) as w:
        for serial in range(1, 500):
            w.send(message({DESTINATION: NAME, REPLY_SERIAL: serial, SIGNATURE: "(bba{ss})"}, yes, kind=wire.RETURN,
                           serial=serial))
        for name in (owner.name, user.name):
            for path in ("/org/freedesktop/DBus", ROOT):
                for destination in ({DESTINATION: NAME}, {}):
                    w.send(message({PATH: path, INTERFACE: "org.freedesktop.DBus", MEMBER: "NameOwnerChanged",
                                    SIGNATURE: "sss", **destination}, body("sss", name, name, ""), kind=wire.SIGNAL,
                                   serial=1))
                    w.send(message({PATH: path, INTERFACE: "org.freedesktop.DBus", MEMBER: "NameOwnerChanged",
                                    SIGNATURE: "u", **destination}, body("u", 1), kind=wire.SIGNAL, serial=1))
        w.call(fields(), body("sa{sv}", "srv", {}))
    iterate(0.2)
    check(not waiting.done, f"somebody else could answer for polkit: {waiting.result}")
    equal(service.root.state(mine), "stopped", "a tunnel whose maker is said to have left")
    equal(service.root.state(service.server), "connected", "the tunnel that a user would stop")
    world.answer("no")
    owner.tunnel(mine, "Delete")
    user.close()
    wait_until(lambda: {"cancelled": True} in world.asked(), 5, "the question is taken back")
    service.unharmed("forged messages")


@test("a message that GLib cannot read costs the service its connection at most, and it is back with all tunnels", limit=120)
def unreadable(world):
    """
    GLib 2.74 misreads signatures in arrays, and arrays whose last structure is no longer than the padding before
    their first one; the bus knows both to be right. GLib gives up the connection then.
    """
    service = Service(world)
    daemon, root = world.daemon_process, service.root
    mine = root.create({**CLIENT_SETTINGS, "name": "mine"}, {"transient": True})
    structures = ([([1],), ([],)], ("n", 1))
    check(not is_readable(GLib.Variant("(a(ai)v)", (structures[0], GLib.Variant("n", 1)))), "GLib reads it")
    calls = [("sa{sv}", ("srv", {"x": ("a{gn}", {"(ii)": -64, "": -1235})}), (ERROR + "InvalidArgument", BUS_ERROR + "NoReply")),
             ("a(ai)v", structures, (BUS_ERROR + "NoReply",))]
    for signature, values, answers in calls * 3:
        with service.wire(NOBODY) as w:
            answer = w.call(fields(signature=signature), body(signature, *values))
            check(answer is not None and answer.error in answers, f"the answer: {answer and answer.error}")

        def back():
            check(daemon.alive(), f"the daemon ended:\n{daemon.tail()}")
            try:
                return root.get(ROOT, MANAGER, "Tunnels")
            except Error as e:
                check(e.name in (BUS_ERROR + "ServiceUnknown", BUS_ERROR + "NoReply"), f"{e}")
                return None
        equal(wait_until(back, 10, "the service is back"), [service.server, mine], "the tunnels")
    equal(root.state(service.server), "connected", "the state")
    equal(root.get(service.server, TUNNEL, "Clients"), [service.client], "the clients")


@test("what a user sends too much of is turned away unread, so that no length of it holds up others", limit=60)
def unread(world):
    service = Service(world)
    long = {"CreateTunnel": (ROOT, MANAGER, "a{sv}a{sv}", ({"name": ("s", "x" * 70000)}, {})),
            "ImportTunnel": (ROOT, MANAGER, "sa{sv}", ("\n" * 70000, {})),
            "Update": (service.server, TUNNEL, "a{sv}a{sv}", ({}, {"unset": ("as", ["dscp"] * 10000)}))}
    with service.wire(NOBODY) as w:
        for method, (path, interface, signature, values) in long.items():
            answer = w.call(fields(path, interface, method, signature), body(signature, *values))
            equal(answer.error, ERROR + "Exhausted", f"{method} with long arguments")
            check("bytes" in answer.text, answer.text)
        errors = (w.call(fields(member="ImportTunnel"), body("sa{sv}", "x", {})).error for _ in range(2000))
        check(ERROR + "Exhausted" in errors, "wrong calls do not count")
    service.unharmed("long arguments")


@test("lists of all objects wait for their answer in small numbers only, and every call for one is answered", limit=60)
def listings(world):
    service = Service(world)
    for i in range(100):
        service.root.create({**CLIENT_SETTINGS, "name": f"t{i}"}, {"transient": True})
    where = {"interface": "org.freedesktop.DBus.ObjectManager", "member": "GetManagedObjects", "signature": ""}
    calls = [message(fields(**where), serial=n + 1) for n in range(0, 98, 2)]
    calls += [message(fields(**{**where, "interface": None}), serial=n + 1) for n in range(1, 98, 2)]
    wires = [service.wire(NOBODY) for _ in range(20)]
    with held(world.daemon_pid(), "kcpvpnd"):  # so that it finds all of them at once
        for w in wires:
            for call in calls:
                w.send(call)
            w.send(message(fields(**where), serial=99, flags=wire.NO_REPLY))
    errors = []
    for w in wires:
        answers = (answer for answer in iter(w.read, None) if answer.kind != wire.SIGNAL)
        errors += [next(answers).error for _ in calls]
    refused = errors.count(BUS_ERROR + "LimitsExceeded")
    print(f"        {len(errors)} calls: {refused} refused", flush=True)
    # The library knows no such method of no interface.
    answered = errors.count(None) + errors.count(BUS_ERROR + "UnknownMethod")
    equal(answered + refused, len(errors), f"answers: {set(errors)}")
    check(answered >= 16, "too few were answered")
    check(refused > len(errors) // 2, "hardly any was refused")
    with service.wire(NOBODY) as w:
        for _ in range(100):
            equal(w.call(fields(**where)).error, None, "one after the other")
    for w in wires:
        w.sock.close()


@test("as many lists of all objects as may wait do not make the service manager think that the service hangs", limit=120)
def flooded(world):
    manager = ServiceManager(world)
    service = Service(world, {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "500000"})
    for i in range(300 if SANITIZED else 1000):
        service.root.create({**CLIENT_SETTINGS, "name": f"t{i}"}, {"transient": True})
    manager.hears("WATCHDOG=1")
    call = message(fields(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", ""), b"")
    wires = [service.wire(NOBODY) for _ in range(8)]
    with held(world.daemon_pid(), "kcpvpnd"):  # so that the main loop finds all of them at once
        for w in wires:
            for _ in range(2):
                w.send(call)
        behind = service.root.start_call(ROOT, MANAGER, "FindTunnel", GLib.Variant("(sa{sv})", ("srv", {})))
        iterate(1)
        manager.listen().clear()
    heard, longest, start = 0, 0.0, time.monotonic()
    since = start
    while not behind.done:
        iterate(0.005)
        before, heard = heard, manager.listen().count("WATCHDOG=1")
        if heard > before:
            longest, since = max(longest, time.monotonic() - since), time.monotonic()
    longest = max(longest, time.monotonic() - since)
    took = time.monotonic() - start
    print(f"        busy for {took:.1f} s, {heard} notices, {longest:.2f} s between two at most", flush=True)
    behind.wait()
    check(longest < 0.5 * TIME_FACTOR or longest < took / 2, f"{longest:.2f} of {took:.2f} s without a notice")
    for w in wires:
        w.sock.close()


# --- a sweep over all arguments ---------------------------------------------------------------

TEXTS = ["", "x", "srv", "swept", "0", "-1", "1.5", "true", "client", "server", "../../etc/passwd", "%s%n", "\n", "a\x7f\x1b[2J",
         "\u202e\U0001f600", "x" * 5000, "a,b,,c", "/bin/true", "$(id)", "[tunnel]\nrole=client\n", "[tunnel]\nport=x\n",
         "192.0.2.1", "::1", "255.255.255.255/33", "1-0"]
NUMBERS = [0, 1, 2, 7, 63, 64, 255, 1235, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1]
RANGES = {"y": (0, 255), "n": (-1 << 15, (1 << 15) - 1), "q": (0, (1 << 16) - 1), "i": (-1 << 31, (1 << 31) - 1),
          "u": (0, (1 << 32) - 1), "x": (-1 << 63, (1 << 63) - 1), "t": (0, (1 << 64) - 1)}


def is_readable(value):
    """Whether GLib 2.74 reads again what it wrote itself, see unreadable()."""
    call = Gio.DBusMessage.new_method_call(NAME, ROOT, MANAGER, "FindTunnel")
    call.set_serial(1)
    call.set_body(value)
    blob = call.to_blob(Gio.DBusCapabilityFlags.NONE)
    try:
        return Gio.DBusMessage.new_from_blob(blob, Gio.DBusCapabilityFlags.NONE) is not None
    except GLib.Error:
        return False


class Chance:
    """Values of every type, by chance; but what unreadable() is about: "g" and what GLib misreads otherwise."""

    def __init__(self, seed, keys):
        self.random, self.keys = random.Random(seed), keys

    def kind(self, depth=3):
        letter = self.random.choice("ybnqiuxtdsov" + ("aaa(({" if depth else ""))
        if letter == "a":
            return "a" + self.kind(depth - 1)
        if letter == "(":
            return "(" + "".join(self.kind(depth - 1) for _ in range(self.random.randint(1, 3))) + ")"
        if letter == "{":
            return "a{" + self.random.choice("ybnqiuxtdso") + self.kind(depth - 1) + "}"
        return letter

    def text(self):
        return self.random.choice(TEXTS + self.keys[:3])

    def number(self, kind):
        low, high = RANGES[kind]
        value = self.random.choice(NUMBERS) * self.random.choice((1, 1, -1))
        return min(max(value, low), high)

    def native(self, kind, depth=3):
        """What GLib.Variant() makes a value of that type from."""
        if kind == "a{sv}":
            return self.settings(depth)
        if kind == "v":
            inner = self.kind(1) if depth else "s"
            return GLib.Variant(inner, self.native(inner, depth - 1))
        if kind[0] == "a" and kind[1] == "{":
            return {self.native(kind[2], 0): self.native(kind[3:-1], depth - 1) for _ in range(self.random.randint(0, 3))}
        if kind[0] == "a":
            return [self.native(kind[1:], depth - 1) for _ in range(self.random.randint(0, 4))]
        if kind[0] == "(":
            values, rest = [], kind[1:-1]
            while rest:
                first = wire.first_type(rest)
                values.append(self.native(first, depth - 1))
                rest = rest[len(first):]
            return tuple(values)
        return {"b": lambda: self.random.random() < .5, "d": lambda: self.random.choice((0.0, -1.5, 1e300, float("nan"))),
                "s": self.text, "o": lambda: self.random.choice(("/", ROOT, "/a/b"))}.get(kind, lambda: self.number(kind))()

    def settings(self, depth=3):
        """A dictionary of what some method knows and of what none does, each as any type."""
        found = {}
        for _ in range(self.random.choice((0, 1, 1, 2, 4))):
            key = self.random.choice(self.keys) if self.random.random() < .9 else self.text()
            kind = self.random.choice(("s", "s", "u", "i", "b", "as", "a{sv}")) if self.random.random() < .6 else self.kind(2)
            found[key] = GLib.Variant(kind, self.native(kind, depth - 1))
        return found

    def arguments(self, signature):
        """For a method with that signature, as a rule: often with options that are none, so that the rest counts."""
        if self.random.random() < .1:
            signature = "".join(self.kind() for _ in range(self.random.randint(0, 3)))
        value = self.native(f"({signature})")
        if signature.endswith("a{sv}") and self.random.random() < .6:
            value = (*value[:-1], {})
        made = GLib.Variant(f"({signature})", value)
        return made if is_readable(made) else self.arguments(signature)


class Sweep:
    """Calls by chance of all methods, some at a time, each answer looked at."""

    def __init__(self, service, seed):
        self.service, self.root = service, service.root
        self.callers = [service.root] * 4 + [service.world.connect(NOBODY)]
        defaults = self.root.get(ROOT, MANAGER, "DefaultSettings")
        self.chance = Chance(seed, sorted({*OWN_KEYS}.union(*defaults.values())))
        self.methods = list(methods().items())
        self.called, self.answers, self.waiting = set(), {}, []
        self.victim, self.calls = None, 0

    def path(self, interface):
        """Of a tunnel that any call may change or end. The client shall stay."""
        if interface == MANAGER:
            return ROOT
        if interface == CLIENT:
            return self.service.client
        if self.victim is None:
            self.calls += 1
            self.victim = self.root.create({**SERVER, "name": f"victim{self.calls}", "port": VICTIM_PORT})
        return self.victim

    def start(self):
        (interface, method), signature = self.chance.random.choice(self.methods)
        arguments = self.chance.arguments(signature)
        plain = arguments.print_(False) == "({},)"
        if method == "Disconnect" and plain:
            return
        path = self.path(interface)
        if method == "Delete" and plain:
            self.victim = None
        self.called.add(method)
        self.calls += 1
        caller = self.chance.random.choice(self.callers)
        what = f"{path} {method}{arguments.print_(True)[:1000]}"
        self.waiting.append((what, caller.start_call(path, interface, method, arguments)))

    def look(self, what, result):
        name = result.name if isinstance(result, Error) else "ok"
        self.answers[name] = self.answers.get(name, 0) + 1
        if name == "ok":
            return
        told = f"{what}: {name}: {result.message}"
        check(name.startswith((ERROR, BUS_ERROR)), told)
        check(name.rsplit(".", 1)[1] not in ("NoReply", "Failed", "Timeout", "Disconnected", "ServiceUnknown"), told)
        check(len(result.message) > 10 and " " in result.message, f"no sentence: {told}")
        check(len(result.message) < 3000, f"a message of {len(result.message)} letters: {told[:3000]}")
        check(SECRET not in result.message, f"the secret is told: {told}")

    def take(self):
        iterate()
        for what, call in self.waiting:
            if call.done:
                self.look(what, call.result)
        self.waiting = [(what, call) for what, call in self.waiting if not call.done]

    def run(self, calls):
        end = self.calls + calls
        while self.calls < end:
            while len(self.waiting) < AT_A_TIME:
                self.start()
            self.take()

    def clean(self):
        """Ends what was made on the way, once every call has its answer; the file descriptors and the memory then."""
        def over():
            self.take()
            return not self.waiting
        wait_until(over, 30, "every call is answered")
        for path in self.root.get(ROOT, MANAGER, "Tunnels"):
            if path != self.service.server:
                self.root.tunnel(path, "Delete")
        self.victim = None
        iterate(0.3)
        return self.service.world.fds(), self.service.world.rss_kib()


@test("thousands of calls with arguments of every type are answered, each with a sentence, and change nothing",
      limit=300 if LONG else 120)
def sweep(world):
    service = Service(world)
    world.answer("yes")
    print(f"        KV_TEST_SEED={SEED}", flush=True)
    swept = Sweep(service, SEED)
    swept.run(SWEEP_CALLS / 2)
    before = swept.clean()
    swept.run(SWEEP_CALLS / 2)
    after = swept.clean()
    print(f"        {swept.calls} calls, memory {before[1]} -> {after[1]} KiB; answers: "
          + ", ".join(f"{name.rsplit('.', 1)[-1]} {n}" for name, n in sorted(swept.answers.items())), flush=True)
    equal(swept.called, {method for _, method in methods()}, "the methods that were called")
    check(swept.answers.get("ok", 0) > 50, "hardly any call was good")
    equal(after[0], before[0], "file descriptors")
    check(after[1] <= before[1] + SPARE_KIB, f"memory grew from {before[1]} to {after[1]} KiB")
    service.unharmed("the sweep")


main()
