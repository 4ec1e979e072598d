# SPDX-License-Identifier: GPL-2.0-or-later
"""The real kcpvpnd on a bus of its own, with a polkit authority that does as a test tells it.

    test ── Caller (any user) ──┐
                                ├── dbus-daemon, as the system bus ── kcpvpnd in namespace s
    fake_polkit.py ─────────────┘

Built upon tests/netns/kvnet.py: @test functions get a BusWorld. KCPVPND_PROGRAM names the daemon.
"""
import contextlib
import ctypes
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import sys
import time
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))

try:
    from gi.repository import Gio, GLib  # noqa: E402
except ImportError:
    print("SKIPPED: these tests need the Python module gi", flush=True)
    sys.exit(77)

import kvnet  # noqa: E402
from kvnet import Failed, check, equal, wait_until  # noqa: E402,F401

HERE = os.path.dirname(os.path.abspath(__file__))
DAEMON = os.environ.get("KCPVPND_PROGRAM", os.path.join(kvnet.TOP, "build/src/daemon/kcpvpnd"))
LONG = os.environ.get("KV_TEST_LONG") == "1"
NOBODY = 65534

NAME, ROOT = "org.kcpvpn", "/org/kcpvpn"
MANAGER, TUNNEL, CLIENT = (f"org.kcpvpn.{word}1" for word in ("Manager", "Tunnel", "Client"))
PROPERTIES = "org.freedesktop.DBus.Properties"
ERROR = "org.kcpvpn.Error."

# What surrounds the daemon: a user of its own, and a device that the user can open. "ip netns exec" has made
# a mount namespace, so nobody else sees any of it. The user's number is that of one who is known outside, too,
# since a bus turns away whom it does not know.
SURROUNDINGS = 'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/tun" /dev/net/tun && shift && exec "$@"'

DAEMON_UID, DAEMON_GID = pwd.getpwnam("daemon")[2:4]

# The limits are those of a stock system bus, which "type" system brings along.
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
"""


class Error(Exception):
    """What a call was answered with, if that was an error."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message

    @staticmethod
    def of(error):
        name = Gio.DBusError.get_remote_error(error)
        if name is None:
            return Error(f"local.{error.domain}.{error.code}", error.message)
        return Error(name, error.message.removeprefix(f"GDBus.Error:{name}: "))


def iterate(seconds=0.0):
    """Handles what has come in, and waits for it that long."""
    context = GLib.MainContext.default()
    end = time.monotonic() + seconds
    while context.iteration(False) or time.monotonic() < end:
        if not context.pending():
            time.sleep(0.002)


def wait_for(condition, seconds, what):
    def look():
        iterate()
        return condition()
    return wait_until(look, seconds, what)


class Caller:
    """A connection to the bus; `uid` is who the bus believes it to be."""

    def __init__(self, address, uid=0):
        os.seteuid(uid)
        try:
            self.bus = Gio.DBusConnection.new_for_address_sync(
                address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        finally:
            os.seteuid(0)
        self.bus.set_exit_on_close(False)
        self.name = self.bus.get_unique_name()
        self.signals = []

    def close(self):
        with contextlib.suppress(GLib.Error):
            self.bus.close_sync()

    # --- calls

    def call(self, path, interface, method, arguments=None, name=NAME, seconds=20, interactive=False):
        """`arguments`: a GLib.Variant, or its text. Returns what came back, unpacked."""
        if isinstance(arguments, str):
            arguments = GLib.Variant.parse(None, arguments, None, None)
        flags = (Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION if interactive
                 else Gio.DBusCallFlags.NONE)
        try:
            reply = self.bus.call_sync(name, path, interface, method, arguments, None, flags,
                                       int(seconds * kvnet.TIME_FACTOR * 1000))
        except GLib.Error as e:
            raise Error.of(e) from None
        values = reply.unpack()
        return values[0] if len(values) == 1 else values

    def start_call(self, path, interface, method, arguments=None, name=NAME, interactive=False):
        """Does not wait: a Pending, whose .result is an Error or what came back."""
        return Pending(self.bus, path, interface, method, arguments, name, interactive)

    def get(self, path, interface, prop):
        return self.call(path, PROPERTIES, "Get", GLib.Variant("(ss)", (interface, prop)))

    def get_all(self, path, interface):
        return self.call(path, PROPERTIES, "GetAll", GLib.Variant("(s)", (interface,)))

    def objects(self):
        return self.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")

    # --- the service

    def create(self, settings, options=None):
        return self.call(ROOT, MANAGER, "CreateTunnel",
                         GLib.Variant("(a{sv}a{sv})", (variants(settings), variants(options or {}))))

    def tunnel(self, path, method, *arguments, **kw):
        """A method of Tunnel1 with the leading arguments, and empty options unless last is a dict."""
        return self.call(path, TUNNEL, method, tunnel_arguments(method, arguments), **kw)

    def state(self, path):
        return self.get(path, TUNNEL, "State")

    def wait_state(self, path, state, seconds=10):
        wait_until(lambda: self.state(path) == state, seconds, f"{path} is {state}")

    # --- signals

    def listen(self, path=None):
        """Collects every signal of the daemon as (path, interface, member, arguments)."""
        def on_signal(_bus, _sender, at, interface, member, arguments):
            self.signals.append((at, interface, member, arguments.unpack()))
        self.bus.signal_subscribe(NAME, None, None, path, None, Gio.DBusSignalFlags.NONE, on_signal)
        self.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", None,
                  name="org.freedesktop.DBus")

    def states(self, path):
        """The signals StateChanged of a tunnel so far, as (new, old)."""
        iterate()
        return [s[3][:2] for s in self.signals if s[0] == path and s[2] == "StateChanged"]


class Pending:
    def __init__(self, bus, path, interface, method, arguments, name, interactive):
        self.done, self.result = False, None
        if isinstance(arguments, str):
            arguments = GLib.Variant.parse(None, arguments, None, None)
        flags = (Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION if interactive
                 else Gio.DBusCallFlags.NONE)
        bus.call(name, path, interface, method, arguments, None, flags, 60000, None, self._finish)

    def _finish(self, bus, result):
        try:
            self.result = bus.call_finish(result).unpack()
        except GLib.Error as e:
            self.result = Error.of(e)
        self.done = True

    def wait(self, seconds=10):
        wait_for(lambda: self.done, seconds, "a call is answered")
        if isinstance(self.result, Error):
            raise self.result
        return self.result


def interfaces():
    """The elements of data/dbus that describe interfaces."""
    folder = os.path.join(kvnet.TOP, "data/dbus")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".xml"):
            yield from ElementTree.parse(os.path.join(folder, name)).iter("interface")


def variant(value):
    """A Python value as most people would send it."""
    if isinstance(value, GLib.Variant):
        return value
    if isinstance(value, bool):
        return GLib.Variant("b", value)
    if isinstance(value, int):
        return GLib.Variant("x" if abs(value) > 0x7fffffff else "i", value)
    if isinstance(value, list):
        return GLib.Variant("as", value)
    if isinstance(value, dict):
        return GLib.Variant("a{sv}", variants(value))
    return GLib.Variant("s", value)


def variants(values):
    return {key: variant(value) for key, value in values.items()}


SIGNATURES = {"Start": "", "Stop": "", "Delete": "", "GetSecrets": "", "Update": "a{sv}",
              "Export": "b", "Watch": "u"}


def tunnel_arguments(method, arguments):
    signature = SIGNATURES[method]
    n = 1 if signature else 0
    options = variants(arguments[n]) if len(arguments) > n else {}
    first = tuple(variants(a) if isinstance(a, dict) else a for a in arguments[:n])
    return GLib.Variant(f"({signature}a{{sv}})", (*first, options))


def refused(call, error, text=""):
    """Fails unless call() ends in that error, org.kcpvpn.Error.* in short, with text in its message."""
    want = error if "." in error else ERROR + error
    try:
        got = call()
    except Error as e:
        equal(e.name, want, f"the error ({e.message})")
        check(text in e.message, f"the message lacks {text!r}: {e.message!r}")
        return e
    raise Failed(f"allowed, and answered {got!r}; wanted {want}")


# A server and a client that need nothing of each other.
SERVER = {"name": "srv", "role": "server", "ip": "0.0.0.0", "port": kvnet.PORT, "vni-mode": "tun",
          "local-ip": kvnet.TUN_SERVER, "assignable-ips": "192.168.88.0/24",
          "secret": kvnet.SECRET}
CLIENT_SETTINGS = {"name": "cli", "role": "client", "ip": "127.0.0.1", "port": kvnet.PORT,
                   "secret": kvnet.SECRET}


class BusWorld(kvnet.World):
    """A bus, a polkit authority and a daemon, beside all that a World has."""
    usual_crypt = None

    def __init__(self):
        super().__init__()
        self.address = None
        self.callers = []
        self.config, self.state = os.path.join(self.dir, "etc"), os.path.join(self.dir, "lib")
        os.mkdir(self.state, 0o700)
        os.mkdir(self.config)
        os.chown(self.config, 0, DAEMON_GID)
        os.chmod(self.config, 0o750)
        shutil.copyfile("/etc/passwd", os.path.join(self.dir, "passwd"))
        with open(os.path.join(self.dir, "passwd"), "a", encoding="utf-8") as f:
            f.write(f"kcpvpn:x:{DAEMON_UID}:{DAEMON_GID}::/nonexistent:/usr/sbin/nologin\n")
        tun = os.path.join(self.dir, "tun")
        os.mknod(tun, 0o666 | stat.S_IFCHR, os.makedev(10, 200))
        os.chmod(tun, 0o666)
        self.bus_process = self.polkit_process = self.daemon_process = None
        self.n_daemons = 0

    def close(self):
        for caller in self.callers:
            caller.close()
        if kvnet.SANITIZED and self.daemon_process and self.daemon_process.alive():
            with contextlib.suppress(Failed):
                self.daemon_process.stop()  # so that leaks are found
        super().close()

    # --- the parts

    def start_bus(self):
        path = os.path.join(self.dir, "bus")
        config = os.path.join(self.dir, "bus.conf")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(config, "w", encoding="ascii") as f:
            f.write(BUS_CONFIG % path)
        self.address = f"unix:path={path}"
        self.bus_process = self.start(["dbus-daemon", "--nofork", "--nopidfile", "--config-file", config],
                                      "bus")
        wait_until(lambda: os.path.exists(path), 5, "the bus listens")
        os.chmod(path, 0o777)

    def start_polkit(self):
        self.polkit_process = self.start(["/usr/bin/python3", os.path.join(HERE, "fake_polkit.py")],
                                         "polkit", None, {"DBUS_SYSTEM_BUS_ADDRESS": self.address})
        self.polkit_process.wait_text("^ready")

    def start_daemon(self, *args, wait=True, env=None, namespace=None):
        self.n_daemons += 1
        process = self.start(["sh", "-c", SURROUNDINGS, "sh", self.dir, DAEMON, *args], f"kcpvpnd{self.n_daemons}", namespace or self.s,
                             {"DBUS_SYSTEM_BUS_ADDRESS": self.address,
                              "CONFIGURATION_DIRECTORY": self.config, "STATE_DIRECTORY": self.state,
                              **(env or {})})
        self.daemon_process = process
        if wait:
            wait_until(lambda: "is on the bus" in process.text() or not process.alive(), 10,
                       "the daemon has its name")
            check(process.alive(), f"the daemon ended:\n{process.tail()}")
        return process

    def start_all(self):
        self.start_bus()
        self.start_polkit()
        self.start_daemon()
        return self.connect()

    def connect(self, uid=0):
        caller = Caller(self.address, uid)
        self.callers.append(caller)
        return caller

    def kill(self, process):
        process.send(signal.SIGKILL)
        process.wait_exit()

    # --- polkit

    def _polkit(self, method, arguments=None):
        return self.callers[0].call("/org/freedesktop/PolicyKit1/Authority", "org.kcpvpn.Test", method,
                                    arguments, name="org.freedesktop.PolicyKit1")

    def answer(self, answer, action=""):
        """What polkit says from now on: yes, no, challenge, dismissed, error or hang."""
        self._polkit("SetAnswer", GLib.Variant("(ss)", (action and "org.kcpvpn." + action, answer)))

    def release(self):
        self._polkit("Release")

    def asked(self):
        """What polkit was asked so far: a list of dictionaries."""
        return json.loads(self._polkit("GetCalls"))

    # --- what the daemon uses

    def daemon_pid(self):
        return self.daemon_process.pid

    def fds(self):
        return len(os.listdir(f"/proc/{self.daemon_pid()}/fd"))

    def rss_kib(self):
        with open(f"/proc/{self.daemon_pid()}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS:")).split()[1])


class ServiceManager:
    """What a daemon tells the service manager, in the order in which it came."""

    def __init__(self, world):
        self.path = os.path.join(world.dir, "notify")
        self.sock = world.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.sock.bind(self.path)
        os.chmod(self.path, 0o777)
        self.sock.setblocking(False)
        self.heard = []

    def listen(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self.sock.recv(4096).decode())
        return self.heard

    def hears(self, text):
        """Waits for it, and forgets all up to it."""
        wait_until(lambda: text in self.listen(), 5, f"the service manager hears {text}", 0.001)
        del self.heard[:self.heard.index(text) + 1]


# --- threads that stand still

_libc = ctypes.CDLL(None, use_errno=True)
_PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 17, 0x4206, 0x4207
_WALL = 0x40000000


def _ptrace(request, thread):
    if _libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}) of thread {thread}")


def threads(pid, pattern):
    """The threads of a process with such a name."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as f:
            if re.fullmatch(pattern, f.read().strip()):
                found.append(int(thread))
    return found


@contextlib.contextmanager
def held(pid, pattern):
    """Stops some threads of a process and no other, as a slow disk or processor would."""
    found = threads(pid, pattern)
    check(found, f"process {pid} has no thread {pattern}")
    for thread in found:
        _ptrace(_PTRACE_SEIZE, thread)
        _ptrace(_PTRACE_INTERRUPT, thread)
        os.waitpid(thread, _WALL)
    try:
        yield
    finally:
        for thread in found:
            _ptrace(_PTRACE_DETACH, thread)


def main():
    """Runs the tests of the calling file, each in a BusWorld."""
    kvnet.World = BusWorld
    kvnet.main()
