# SPDX-License-Identifier: GPL-2.0-or-later
"""A private bus, a stand-in for kcpvpnd on it that does what a test tells it to, and kcpvpn runs.

The stand-in exports the interfaces of data/dbus as they are written there, so a command that calls
something else fails. What the real daemon does is for tests/bus; here are states it seldom has,
replies it never should give, and its absence.
"""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

SKIPPED = 77

try:
    from gi.repository import Gio, GLib
except ImportError:
    print("SKIPPED: these tests need the Python module gi", flush=True)
    sys.exit(SKIPPED)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NAME = "org.kcpvpn"
MANAGER = "/org/kcpvpn"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = """<node><interface name="org.freedesktop.DBus.ObjectManager">
<method name="GetManagedObjects"><arg type="a{oa{sa{sv}}}" direction="out"/></method>
<signal name="InterfacesAdded"><arg type="o"/><arg type="a{sa{sv}}"/></signal>
<signal name="InterfacesRemoved"><arg type="o"/><arg type="as"/></signal>
</interface></node>"""


class BusError(Exception):
    """What a method answers: an error of that name."""

    def __init__(self, word, message):
        super().__init__(message)
        self.name = word if "." in word else f"{NAME}.Error.{word}"


def read_interfaces():
    found = {}
    for word in ("Manager1", "Tunnel1", "Client1"):
        path = os.path.join(ROOT, "data", "dbus", f"{NAME}.{word}.xml")
        with open(path, encoding="utf-8") as file:
            found[word] = Gio.DBusNodeInfo.new_for_xml(file.read()).interfaces[0]
    return found


class Bus:
    """A message bus of its own, which is the system bus of what runs with env()."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="kcpvpn-bus-")
        self.process = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1",
             f"--address=unix:path={self.folder.name}/bus"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()

    def env(self, **more):
        env = {key: value for key, value in os.environ.items()
               if key not in ("KCPVPN_KEY", "NO_COLOR", "VISUAL", "EDITOR")}
        return {**env, "DBUS_SYSTEM_BUS_ADDRESS": self.address, "LC_ALL": "C.UTF-8",
                "G_DEBUG": "fatal-criticals", **more}

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()  # a second time does no harm
        self.folder.cleanup()


def tunnel(name, role="client", **properties):
    """The properties of a tunnel, all there as the daemon has them."""
    return {
        "Name": GLib.Variant("s", name), "Role": GLib.Variant("s", role),
        "State": GLib.Variant("s", "stopped"), "Reason": GLib.Variant("s", ""),
        "ReasonError": GLib.Variant("s", ""),
        "Settings": GLib.Variant("a{sv}", {"name": GLib.Variant("s", name),
                                           "role": GLib.Variant("s", role)}),
        "SavedSecrets": GLib.Variant("as", ["secret"]), "Interface": GLib.Variant("s", ""),
        "Endpoint": GLib.Variant("s", ""), "Addresses": GLib.Variant("aa{sv}", []),
        "Routes": GLib.Variant("aa{sv}", []), "Dns": GLib.Variant("a{sv}", {}),
        "Mtu": GLib.Variant("u", 0), "Details": GLib.Variant("a{sv}", {}),
        "Statistics": GLib.Variant("a{sv}", {}), "ConnectedSince": GLib.Variant("t", 0),
        "Clients": GLib.Variant("ao", []), "Transient": GLib.Variant("b", False),
        "File": GLib.Variant("s", f"/var/lib/kcpvpn/{name}.kcpvpn"),
        "ReadOnly": GLib.Variant("b", False), **properties}


def client(ident, number, path, **properties):
    return {
        "Id": GLib.Variant("s", ident), "Tunnel": GLib.Variant("o", path),
        "RemoteAddress": GLib.Variant("s", f"192.0.2.{number}:4000{number}"),
        "Addresses": addresses(f"192.168.88.{number}/24"),
        "Interface": GLib.Variant("s", f"kvs{number}"), "Protocol": GLib.Variant("s", "v1"),
        "Cipher": GLib.Variant("s", "aes"), "ConnectedSince": GLib.Variant("t", 1),
        "LastSeen": GLib.Variant("t", 1), "Statistics": GLib.Variant("a{sv}", {}), **properties}


def addresses(*networks):
    pairs = [network.split("/") for network in networks]
    return GLib.Variant("aa{sv}", [{"address": GLib.Variant("s", address),
                                    "prefix": GLib.Variant("u", int(prefix))}
                                   for address, prefix in pairs])


class Daemon:
    """The stand-in. Its objects are changed in its own thread, by run()."""

    def __init__(self, bus):
        self.interfaces = read_interfaces()
        self.objects = {}  # path: (word of the interface, properties)
        self.ids = {}
        self.calls = collections.deque()  # (method, path, arguments, whether polkit may ask)
        self.late_news = False  # tells of its objects when it is asked for them, just before the answer
        self.answers = {}  # method: function of (path, arguments) that returns a tuple or raises
        self.context = GLib.MainContext()
        self.loop = GLib.MainLoop(self.context)
        self.ready = threading.Event()
        self.connection = Gio.DBusConnection.new_for_address_sync(
            bus.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.thread.start()
        self.ready.wait()
        self.add(MANAGER, "Manager1", {
            "Version": GLib.Variant("s", "9.9"), "Tunnels": GLib.Variant("ao", []),
            "Capabilities": GLib.Variant("as", []),
            "DefaultSettings": GLib.Variant("a{sa{sv}}", {}),
            "Problems": GLib.Variant("a(sus)", [])})
        self.run(self._own)

    def _main(self):
        self.context.push_thread_default()
        info = Gio.DBusNodeInfo.new_for_xml(OBJECT_MANAGER).interfaces[0]
        self.connection.register_object(MANAGER, info, self._manage, None, None)
        self.ready.set()
        self.loop.run()

    def _own(self):
        self.connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                  "org.freedesktop.DBus", "RequestName",
                                  GLib.Variant("(su)", (NAME, 0)), None, 0, -1, None)

    def run(self, function, *arguments):
        """Runs function in the stand-in's thread and waits for what it returns."""
        done = threading.Event()
        result = []

        def call(*_):
            result.append(function(*arguments))
            done.set()
            return False
        source = GLib.idle_source_new()
        source.set_callback(call)
        source.attach(self.context)
        done.wait()
        return result[0]

    # --- objects

    def add(self, path, word, properties):
        self.run(self._add, path, word, properties)

    def _add(self, path, word, properties):
        self.objects[path] = (word, properties)
        self.ids[path] = self.connection.register_object(
            path, self.interfaces[word], self._called, self._get, None)
        if path == MANAGER:  # no object of its own object manager
            return
        self._emit_added(path)

    def _emit_added(self, path):
        word, properties = self.objects[path]
        self._emit(MANAGER, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
                   GLib.Variant("(oa{sa{sv}})", (path, {f"{NAME}.{word}": properties})))

    def remove(self, path):
        self.run(self._remove, path)

    def _remove(self, path):
        word, _ = self.objects.pop(path)
        self.connection.unregister_object(self.ids.pop(path))
        self._emit(MANAGER, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved",
                   GLib.Variant("(oas)", (path, [f"{NAME}.{word}"])))

    def add_tunnel(self, number, name, role="client", **properties):
        path = f"{MANAGER}/tunnel/{number}"
        self.add(path, "Tunnel1", tunnel(name, role, **properties))
        return path

    def add_client(self, path, number, ident, **properties):
        """A client of the server tunnel at path."""
        where = f"{path}/client/{number}"
        self.add(where, "Client1", client(ident, number, path, **properties))
        known = self.objects[path][1]["Clients"].unpack()
        self.change(path, Clients=GLib.Variant("ao", [*known, where]))
        return where

    def change(self, path, **properties):
        """Properties of the object at path become these, and that is told."""
        self.run(self._change, path, properties)

    def _change(self, path, properties):
        word, known = self.objects[path]
        known.update(properties)
        self._emit(path, PROPERTIES, "PropertiesChanged",
                   GLib.Variant("(sa{sv}as)", (f"{NAME}.{word}", properties, [])))

    def set_state(self, path, state, reason="", error="", **more):
        self.run(self._set_state, path, state, reason, error, more)

    def _set_state(self, path, state, reason, error, more):
        old = self.objects[path][1]["State"].unpack()
        self._change(path, {"State": GLib.Variant("s", state), "Reason": GLib.Variant("s", reason),
                            "ReasonError": GLib.Variant("s", error), **more})
        self._emit(path, f"{NAME}.Tunnel1", "StateChanged",
                   GLib.Variant("(sss)", (state, old, reason)))

    def _emit(self, path, interface, signal, arguments):
        self.connection.emit_signal(None, path, interface, signal, arguments)

    # --- calls

    def _manage(self, _connection, _sender, _path, _interface, method, _arguments, invocation):
        self.calls.append((method, MANAGER, (), False))
        everything = {path: {f"{NAME}.{word}": properties}
                      for path, (word, properties) in self.objects.items() if path != MANAGER}
        for path in everything if self.late_news else ():
            self._emit_added(path)
        invocation.return_value(GLib.Variant("(a{oa{sa{sv}}})", (everything,)))

    def _get(self, _connection, _sender, path, _interface, name):
        return self.objects[path][1][name]

    def _called(self, _connection, _sender, path, _interface, method, arguments, invocation):
        asks = bool(invocation.get_message().get_flags() &
                    Gio.DBusMessageFlags.ALLOW_INTERACTIVE_AUTHORIZATION)
        self.calls.append((method, path, arguments.unpack(), asks))
        word, _ = self.objects.get(path, ("Manager1", None))
        kinds = "".join(arg.signature for arg in
                        self.interfaces[word].lookup_method(method).out_args)
        try:
            if kinds and method not in self.answers:
                raise BusError("Failed", "the test has no answer")
            answer = self.answers[method](path, arguments.unpack()) if method in self.answers else ()
        except BusError as error:
            invocation.return_dbus_error(error.name, str(error))
            return
        invocation.return_value(GLib.Variant(f"({kinds})", answer or ()))

    def stop(self):
        if self.thread.is_alive():
            self.run(self.loop.quit)
            self.thread.join()
        if not self.connection.is_closed():
            self.connection.close_sync(None)


class World:
    """What a test has: a bus, the stand-in on it, and the program."""

    def __init__(self, program):
        self.program = program
        self.bus = Bus()
        self.daemon = Daemon(self.bus)
        self.folder = tempfile.TemporaryDirectory(prefix="kcpvpn-test-")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def run(self, *words, status=0, stdin="", env=None):
        """Runs kcpvpn; fails if it ends otherwise. Returns what it wrote to stdout and stderr."""
        done = subprocess.run([self.program, *words], input=stdin, capture_output=True, text=True,
                              timeout=60, env=self.bus.env(**(env or {})), check=False)
        if done.returncode != status:
            raise AssertionError(f"{words}: status {done.returncode}, not {status}\n"
                                 f"{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def json(self, *words, **more):
        return json.loads(self.run(*words, "--json", **more)[0])

    def start(self, *words, env=None):
        """Starts kcpvpn and leaves it running, its output in pipes."""
        return subprocess.Popen([self.program, *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                                env=self.bus.env(**(env or {})))

    def calls(self, *methods):
        """The calls of those methods so far, and forgets them."""
        found = []
        while self.daemon.calls:
            call = self.daemon.calls.popleft()
            if call[0] in methods:
                found.append(call)
        return found

    def wait_call(self, method):
        """Waits until that method is called, and returns the call."""
        return wait_for(lambda: self.calls(method), f"call of {method}")[0]

    def stop(self):
        self.daemon.stop()
        self.bus.stop()
        self.folder.cleanup()


TESTS = []


def test(proves):
    """Marks a function of one World as a test, with what it proves."""
    def mark(function):
        TESTS.append((function, proves))
        return function
    return mark


def wait_for(function, what, seconds=20):
    """Waits until function returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        found = function()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {seconds} s")
        time.sleep(0.01)


def want(text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError(f"no {part!r} in: {text!r}")


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"{got!r} is not {expected!r}")


def main():
    """Runs the tests of the calling program: PROGRAM [NAME...]"""
    program, names = sys.argv[1], sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # by way of the clean-up
    bad = 0
    for function, proves in TESTS:
        if names and function.__name__ not in names:
            continue
        world = World(program)
        try:
            function(world)
            print(f"ok   {function.__name__}: {proves}", flush=True)
        except Exception as error:  # each test is told about, whatever went wrong
            bad += 1
            print(f"FAIL {function.__name__}: {proves}\n     {type(error).__name__}: {error}",
                  flush=True)
        finally:
            world.stop()
    sys.exit(1 if bad else 0)
