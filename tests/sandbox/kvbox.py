# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed tree in a box of its own (nm-sandbox): one box a test, gone whatever happens.

    client, NetworkManager, kcpvpnd                 far, with a server that a test starts
      wan0 192.0.2.2/24 ───────── veth ──────────── 192.0.2.1/24, and one hop further
           2001:db8:0:1::2/64                       203.0.113.1 and 2001:db8:0:2::1

A topic is a file of functions marked @test; main() installs the build into a staged tree, and runs the file again
inside a box for each of them. Those get a Box. Built upon tests/netns/kvnet.py.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback

for folder in ("netns", "cli"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), folder))

import kvnet  # noqa: E402
from kvnet import Failed, Skipped, check, equal, shell, wait_until  # noqa: E402,F401
from kvpty import Terminal  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = ("NetworkManager", "nmcli", "dbus-daemon", "gdbus", "unshare", "setpriv", "ip", "useradd", "ping")
SERVICE = "org.freedesktop.NetworkManager.kcpvpn"
MANAGER, TUNNEL = "org.kcpvpn.Manager1", "org.kcpvpn.Tunnel1"
SECRET = kvnet.SECRET
POOL = ("--local-ip", kvnet.TUN_SERVER, "--assignable-ips", kvnet.POOL)

# What of an installed tree others look for in one place only, whatever the prefix.
FIXED = ("share/dbus-1", "share/polkit-1", "share/icons", "lib/NetworkManager/VPN")


# --- outside ------------------------------------------------------------------------------------

def install(build, stage):
    """Installs the build below a staging folder, and copies what must lie in /usr there."""
    shell("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", stage, timeout=60)
    for prefix in glob.glob(os.path.join(stage, "usr", "local")):
        for folder in FIXED:
            if os.path.isdir(os.path.join(prefix, folder)):
                shutil.copytree(os.path.join(prefix, folder), os.path.join(stage, "usr", folder),
                                dirs_exist_ok=True)


def run_box(build, stage, name, options):
    words = [os.path.join(HERE, "nm-sandbox"), "--destdir", stage, "--tmpfs", "/var/lib/kcpvpn", "--user", "kcpvpn",
             *options, "--", sys.executable, sys.argv[0], "--in-box", build, name]
    return subprocess.run(words, check=False, stdin=subprocess.DEVNULL).returncode


def sweep_outside():
    """Namespaces, processes and interfaces go with a box; what is left of one would be a leak."""
    return sorted(glob.glob("/sys/class/net/kv*"))


_tests = []


def test(proves, limit=30, options=()):
    """Marks a function of one Box as a test; limit in seconds; options are nm-sandbox's."""
    def mark(function):
        _tests.append((function, proves, limit, options))
        return function
    return mark


def skip_reason():
    missing = [word for word in NEEDED if shutil.which(word) is None]
    if os.geteuid() != 0:
        return "these tests make network namespaces and need root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return f"needs {' '.join(missing)}" if missing else None


def main_outside(build, chosen):
    reason = skip_reason()
    if reason:
        print(f"SKIPPED: {reason}", flush=True)
        return kvnet.SKIPPED
    results = []
    with tempfile.TemporaryDirectory() as stage:
        os.chmod(stage, 0o755)
        install(build, stage)
        for function, *_, options in _tests:
            if chosen and function.__name__ not in chosen:
                continue
            before = sweep_outside()
            results.append(run_box(build, stage, function.__name__, options))
            if sweep_outside() != before:
                print(f"        left outside of the box: {sweep_outside()}", flush=True)
                results[-1] = 1
    passed, skipped = results.count(0), results.count(kvnet.SKIPPED)
    print(f"{passed} passed, {len(results) - passed - skipped} failed, {skipped} skipped", flush=True)
    if passed + skipped != len(results) or not results:
        return 1
    return kvnet.SKIPPED if not passed else 0


# --- in the box ---------------------------------------------------------------------------------

class Here(kvnet.Namespace):
    """The box's own network namespace, the client's."""

    def __init__(self):
        self.name, self.id = "client", None  # nothing is made: it is there

    def ip(self, *args, **kw):
        return shell("ip", *args, **kw)

    def ip_json(self, *args):
        return json.loads(shell("ip", "-j", "-d", *args) or "[]")

    def command(self, *args):
        return list(args)

    @contextlib.contextmanager
    def inside(self):
        yield


class Far(kvnet.Namespace):
    def __init__(self, ident):
        self.name, self.id = "far", ident  # nm-sandbox has made it


class Person(Terminal):
    """At a terminal; what is waited for comes after what was waited for before."""

    def __init__(self, *words):
        super().__init__(list(words), dict(os.environ))
        self.seen = 0

    def expect(self, part, seconds=20):
        end = time.monotonic() + seconds * kvnet.TIME_FACTOR
        while part not in self.text[self.seen:]:
            left = end - time.monotonic()
            if left <= 0 or (not self.read(left) and part not in self.text[self.seen:]):
                raise Failed(f"no {part!r} on the terminal: {self.text!r}")
        self.seen = self.text.index(part, self.seen) + len(part)
        return self.text


class Box(kvnet.World):
    """What one test has: the client's side here, the server's in far."""
    usual_crypt = None

    def __init__(self, build):
        super().__init__()
        kvnet.PROGRAM = os.path.join(build, "src/cli/kcpvpn")
        kvnet.LINKEM = os.path.join(build, "tests/lib/linkem/linkem")
        self.here, self.far = Here(), None
        if os.path.exists("/run/netns/" + os.environ["NMSB_FAR"]):
            self.far = Far(os.environ["NMSB_FAR"])
        self.address4, self.address6 = os.environ["NMSB_SRV4"], os.environ["NMSB_SRV6"]
        self.logs = os.environ["NMSB_LOGS"]
        self.said = []
        ear = make_devices("/run/nm-sandbox/dev")
        threading.Thread(target=self._hear, args=(ear,), daemon=True).start()
        if self.far:
            # The far side would answer for its end of a tunnel on the bare link, too.
            for network in ("192.168.88.0/24", "192.168.99.0/24"):
                self.here.ip("route", "add", "unreachable", network, "metric", "4000000000")

    def _hear(self, ear):
        while True:
            self.said.append(re.sub(r"^<\d+>", "", ear.recv(65536).decode("utf-8", "replace")).strip())

    def plugin_log(self):
        """What the plugin's processes said, line by line."""
        return [line for line in list(self.said) if "nm-kcpvpn" in line]

    # --- the far side

    def start_server(self, *args, ip="0.0.0.0", name="server", **kw):
        return self.server(*(args or POOL), ip=ip, namespace=self.far, name=name, **kw)

    # --- nmcli

    def nmcli(self, *args, who=(), seconds=30, check_status=True, **kw):
        return shell(*who, "nmcli", *args, timeout=seconds + 5, check_status=check_status, **kw)

    def nmcli_fails(self, *args, who=(), seconds=30):
        """Fails unless nmcli does; returns (status, what it said)."""
        done = subprocess.run([*who, "nmcli", *args], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=(seconds + 5) * kvnet.TIME_FACTOR)

        check(done.returncode != 0, f"nmcli {' '.join(args)} did not fail: {done.stdout}")
        return done.returncode, (done.stderr + done.stdout).strip()

    def profile(self, name, *more, secret=SECRET, who=(), **data):
        """Adds a profile; its data by keys with "_" for "-". Only the tunnel's network goes through it."""
        items = {"ip": self.address4, "port": kvnet.PORT,
                 **{key.replace("_", "-"): value for key, value in data.items()}}
        text = ", ".join(f"{key} = {value}" for key, value in items.items())
        secrets = ("vpn.secrets", f"secret={secret}") if secret is not None else ()
        self.nmcli("connection", "add", "type", "vpn", "vpn-type", "kcpvpn", "con-name", name, "vpn.data", text,
                   *secrets, "ipv4.never-default", "yes", "ipv6.never-default", "yes", *more, who=who)

    def up(self, name, *more, seconds=30, **kw):
        return self.nmcli("--wait", str(seconds), "connection", "up", name, *more, seconds=seconds, **kw)

    def down(self, name, **kw):
        return self.nmcli("--wait", "15", "connection", "down", name, **kw)

    def value(self, field, name):
        """Of a profile that may be active: what nmcli has for one field."""
        return self.nmcli("-g", field, "connection", "show", name).strip().replace("\\:", ":")

    def state(self, name):
        """activated, activating, deactivating, or empty."""
        return self.value("GENERAL.STATE", name)

    def device(self, name):
        return self.nmcli("-t", "-f", "NAME,DEVICE", "connection", "show", "--active")

    # --- the service

    def tunnels(self):
        """Object paths of the daemon's tunnels; none if it does not run."""
        if not find_processes("kcpvpnd"):
            return []
        out = shell("gdbus", "call", "--system", "--dest", "org.kcpvpn", "--object-path", "/org/kcpvpn",
                    "--method", "org.freedesktop.DBus.Properties.Get", MANAGER, "Tunnels")
        return re.findall(r"'(/org/kcpvpn/tunnel/\d+)'", out)

    def property(self, path, name):
        return shell("gdbus", "call", "--system", "--dest", "org.kcpvpn", "--object-path", path,
                     "--method", "org.freedesktop.DBus.Properties.Get", TUNNEL, name)

    # --- what is there

    def network(self):
        """All that a connection might leave behind."""
        links = {link["ifname"]: link["mtu"] for link in self.here.ip_json("link", "show")}
        addresses = sorted((link["ifname"], a["local"]) for link in self.here.ip_json("addr", "show")
                           for a in link["addr_info"])
        routes = sorted(shell("ip", *family, "route", "show", "table", "all")
                        for family in (("-4",), ("-6",)))
        routes = [re.sub(r" expires \d+sec", "", text) for text in routes]
        dns = []
        with contextlib.suppress(FileNotFoundError), \
                open("/run/NetworkManager/resolv.conf", encoding="utf-8") as file:
            dns = [line for line in file.read().splitlines() if not line.startswith("#")]
        profiles = self.nmcli("-t", "-f", "NAME,TYPE", "connection", "show", "--active")
        return {"links": links, "addresses": addresses, "routes": routes, "rules": shell("ip", "rule"),
                "dns": dns, "active": sorted(profiles.split()), "tunnels": self.tunnels(),
                "services": find_processes("nm-kcpvpn-service")}

    def wait_network(self, before, seconds=5):
        """Waits until all is as it was."""
        def look():
            now = self.network()
            return {key: now[key] for key in before if now[key] != before[key]}
        try:
            wait_until(lambda: not look(), seconds, "nothing is left")
        except Failed as error:
            raise Failed(f"{error}: {look()}, before: { {key: before[key] for key in look()} }") from None

    def log(self, name):
        """What dbus (and what it started), nm (and its plugins) or polkit said so far."""
        with contextlib.suppress(FileNotFoundError), \
                open(os.path.join(self.logs, name + ".log"), encoding="utf-8", errors="replace") as file:
            return file.read()
        return ""


def find_processes(program):
    """Process ids, by the program's file; a program that was replaced or removed counts."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.path.basename(os.readlink(f"/proc/{entry}/exe")) == program:
                found.append(int(entry))
    return found


def kill_one(program, number=signal.SIGKILL):
    [process] = find_processes(program)
    os.kill(process, number)
    wait_until(lambda: process not in find_processes(program), 10, f"{program} ends")


def make_devices(folder):
    """A /dev of the box's own: the tun device is open for everybody, as it is on most systems, and what is said to
    syslog is heard here and nowhere else. Returns the socket."""
    os.makedirs(os.path.join(folder, "net"))
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9),
                               ("tty", 5, 0), ("ptmx", 5, 2), ("net/tun", 10, 200)):
        os.mknod(os.path.join(folder, name), stat.S_IFCHR | 0o666, os.makedev(major, minor))
        os.chmod(os.path.join(folder, name), 0o666)
    for name in ("pts", "shm"):
        os.mkdir(os.path.join(folder, name))
        shell("mount", "--bind", "/dev/" + name, os.path.join(folder, name))
    os.symlink("/proc/self/fd", os.path.join(folder, "fd"))
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(os.path.join(folder, "log"))
    os.chmod(os.path.join(folder, "log"), 0o666)
    shell("mount", "--rbind", folder, "/dev")
    return ear


def _print_logs(box):
    for process in box.processes:
        print(f"        {process.name}:\n{process.tail()}", flush=True)
    print("        plugin:\n" + "\n".join("    | " + line[:300] for line in box.plugin_log()[-40:]), flush=True)
    for name in ("dbus", "nm"):
        lines = [line for line in box.log(name).splitlines() if name != "nm" or "vpn" in line or "kcpvpn" in line]
        print(f"        {name}.log:\n" + "\n".join("    | " + line[:300] for line in lines[-40:]), flush=True)


def main_in_box(build, name):
    [(function, proves, limit, _)] = [t for t in _tests if t[0].__name__ == name]
    start = time.monotonic()
    box = Box(build)
    signal.signal(signal.SIGALRM, kvnet._on_alarm)
    signal.alarm(int(limit * kvnet.TIME_FACTOR))
    result, text = "ok", ""
    try:
        function(box)
    except Skipped as error:
        result, text = "skipped", str(error)
    except Failed as error:
        result, text = "not ok", f"{error}\n{kvnet._lines_of(error, function)}"
    except kvnet.TimeLimit as error:
        result, text = "not ok", f"not done after {int(limit * kvnet.TIME_FACTOR)} s\n{kvnet._lines_of(error, function)}"
    except Exception:  # a test's own mistake: told as any other failure
        result, text = "not ok", traceback.format_exc()
    signal.alarm(0)
    print(f"{result:7} {name} ({time.monotonic() - start:.1f} s): {proves}", flush=True)
    if text:
        print("\n".join("        " + line for line in text.splitlines()), flush=True)
    if result == "not ok":
        _print_logs(box)
    for process in box.processes:
        process.close()
    return {"ok": 0, "skipped": kvnet.SKIPPED}.get(result, 1)


def main():
    """Runs the tests of the calling file: FILE [BUILD [TEST...]]"""
    if sys.argv[1:2] == ["--in-box"]:
        sys.exit(main_in_box(sys.argv[2], sys.argv[3]))
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(kvnet.TOP, "build"))
    sys.exit(main_outside(build, sys.argv[2:]))
