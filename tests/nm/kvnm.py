# SPDX-License-Identifier: GPL-2.0-or-later
"""NetworkManager's part, played by a test: it starts the plugin's service on a bus of its own, calls it as
NetworkManager does, and collects what the service signals. kcpvpnd's part is tests/cli/kvfake.py's stand-in.

    test (NetworkManager) ──┐
                            ├── dbus-daemon ── nm-kcpvpn-service
    stand-in of kcpvpnd ────┘
"""
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

import kvfake  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402

BUS_NAME = "org.freedesktop.NetworkManager.kcpvpn.Connection_7"
PATH = "/org/freedesktop/NetworkManager/VPN/Plugin"
PLUGIN = "org.freedesktop.NetworkManager.VPN.Plugin"
INIT, STARTING, STARTED, STOPPING, STOPPED = 1, 3, 4, 5, 6
CONNECT_FAILED, BAD_IP_CONFIG = 1, 2
UUID = "5a0d1c1e-5b7a-4a64-9d6a-0c0ffee0aa07"
DATA = {"ip": "203.0.113.1", "port": "1235"}
SECRETS = {"secret": "s e c r e t"}


class Error(Exception):
    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error)
        super().__init__(error.message)


def ip4(text):
    """As NetworkManager has IPv4 addresses: a number, as it lies in memory."""
    return struct.unpack("=I", socket.inet_pton(socket.AF_INET, text))[0]


def ip6(text):
    return list(socket.inet_pton(socket.AF_INET6, text))


def connected(interface="kvc0", **more):
    """Properties of a tunnel that has just been connected; "more" replaces some."""
    return {"Interface": GLib.Variant("s", interface), "Endpoint": GLib.Variant("s", "203.0.113.1:1235"),
            "Mtu": GLib.Variant("u", 1400), "Addresses": address("10.1.0.2", 32, "10.1.0.1"),
            "Details": GLib.Variant("a{sv}", {"link-type": GLib.Variant("s", "tun")}), **more}


def address(text, prefix, peer=None):
    return GLib.Variant("aa{sv}", [one_address(text, prefix, peer)])


def one_address(text, prefix, peer=None):
    found = {"address": GLib.Variant("s", text), "prefix": GLib.Variant("u", prefix)}
    return {**found, "peer": GLib.Variant("s", peer)} if peer else found


class World:
    """A bus with both stand-ins, and one process of the service."""

    def __init__(self, program):
        self.program = program
        self.bus = kvfake.Bus()
        self.daemon = None
        self.process = None
        self.n_tunnels = 0
        self.signals = []  # (name, what it carries)
        self.nm = self.connect()
        self.start_daemon()

    def connect(self):
        connection = Gio.DBusConnection.new_for_address_sync(
            self.bus.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        connection.set_exit_on_close(False)
        connection.signal_subscribe(None, PLUGIN, None, PATH, None, 0, self._on_signal)
        return connection

    def _on_signal(self, _bus, _sender, _path, _interface, name, arguments):
        self.signals.append((name, *arguments.unpack()))

    # --- kcpvpnd

    def start_daemon(self):
        self.daemon = kvfake.Daemon(self.bus)
        self.daemon.answers["CreateTunnel"] = self._create

    def _create(self, _path, arguments):
        """In the stand-in's thread."""
        settings, _options = arguments
        self.n_tunnels += 1
        path = f"{kvfake.MANAGER}/tunnel/{self.n_tunnels}"
        self.daemon._add(path, "Tunnel1", kvfake.tunnel(
            settings["name"], Transient=GLib.Variant("b", True),
            Settings=GLib.Variant("a{sv}", {"auto-reconnect": GLib.Variant("b", settings["auto-reconnect"])})))
        return (path,)

    def path(self):
        """Of the latest tunnel."""
        return f"{kvfake.MANAGER}/tunnel/{self.n_tunnels}"

    def set_state(self, state, reason="", error="", **properties):
        self.daemon.set_state(self.path(), state, reason, error and f"org.kcpvpn.Error.{error}", **properties)

    def wait_call(self, method):
        """The arguments of the next call of that method; forgets earlier calls of others."""
        def look():
            while self.daemon.calls:
                call = self.daemon.calls.popleft()
                if call[0] == method:
                    return call
            return None
        return self.wait(look, f"call of {method}")

    def n_calls(self, method):
        return sum(call[0] == method for call in self.daemon.calls)

    # --- NetworkManager

    def start(self, *options, env=None):
        self.process = subprocess.Popen(
            [self.program, "--bus-name", BUS_NAME, *options], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=self.bus.env(**(env or {})))
        self.wait(self.has_service, "the service has its name")

    def has_service(self):
        return self.nm.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                 "NameHasOwner", GLib.Variant("(s)", (BUS_NAME,)), None, 0, -1, None).unpack()[0]

    def profile(self, data=None, secrets=None, name="office"):
        vpn = {"service-type": GLib.Variant("s", "org.freedesktop.NetworkManager.kcpvpn"),
               "data": GLib.Variant("a{ss}", DATA if data is None else data),
               "secrets": GLib.Variant("a{ss}", SECRETS if secrets is None else secrets)}
        base = {"id": GLib.Variant("s", name), "uuid": GLib.Variant("s", UUID), "type": GLib.Variant("s", "vpn")}
        return {"connection": base, "vpn": vpn}

    def call(self, method, kinds="()", *arguments):
        try:
            reply = self.nm.call_sync(BUS_NAME, PATH, PLUGIN, method, GLib.Variant(kinds, arguments),
                                      None, 0, 20000, None)
        except GLib.Error as error:
            raise Error(error) from None
        return reply.unpack()

    def up(self, interactive=True, **profile):
        if interactive:
            self.call("ConnectInteractive", "(a{sa{sv}}a{sv})", self.profile(**profile), {})
        else:
            self.call("Connect", "(a{sa{sv}})", self.profile(**profile))

    def need_secrets(self, **profile):
        return self.call("NeedSecrets", "(a{sa{sv}})", self.profile(**profile))[0]

    def new_secrets(self, **profile):
        self.call("NewSecrets", "(a{sa{sv}})", self.profile(**profile))

    def bring_up(self, *interface, **properties):
        """To the end: started, connected, and told."""
        self.up()
        self.wait_call("Start")
        self.set_state("connected", **connected(*interface, **properties))
        self.wait_signal("StateChanged", STARTED)

    # --- waiting

    def wait(self, look, what, seconds=20):
        end = time.monotonic() + seconds
        context = GLib.MainContext.default()
        while True:
            while context.iteration(False):
                pass
            found = look()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"no {what} within {seconds} s; signals: {self.signals}")
            time.sleep(0.005)

    def settle(self, seconds=0.3):
        """Lets come what may come."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, "end")

    def wait_signal(self, *wanted):
        """Waits for it and forgets all up to it; returns what was before it."""
        def look():
            return next((i + 1 for i, signal in enumerate(self.signals) if signal[:len(wanted)] == wanted), 0)
        n = self.wait(look, f"signal {wanted}")
        before = self.signals[:n]
        del self.signals[:n]
        return before

    def wait_end(self, seconds=10):
        """Waits until the service has ended by itself; returns what it wrote."""
        self.wait(lambda: self.process.poll() is not None, "end of the service", seconds)
        process, self.process = self.process, None
        with process.stdout:
            said = process.stdout.read()
        self.check_output(process, said)
        return said

    @staticmethod
    def check_output(process, said):
        if process.returncode != 0 or any(word in said for word in ("CRITICAL", "Sanitizer", "runtime error")):
            raise AssertionError(f"status {process.returncode}: {said}")

    def end_service(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.wait_end()
        except AssertionError:
            if self.process is not None:
                self.process.kill()
                self.process.wait()
            raise

    def stop(self):
        try:
            self.end_service()
        finally:
            self.daemon.stop()
            if not self.nm.is_closed():
                self.nm.close_sync(None)
            self.bus.stop()
