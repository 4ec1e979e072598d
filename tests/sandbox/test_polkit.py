#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The real kcpvpnd, started by a real system bus, with a real polkitd: who may do what.

    nm-sandbox ── dbus-daemon ── polkitd, with the shipped actions and example rules
                      └── kcpvpnd, as the bus activates it: root that becomes the user kcpvpn

Outside it lays the programs and data files where they would be installed, and runs itself in the box, once with
polkit and once without; the same again with a pretended session at the machine if the argument "seat" is
given, which not every container allows. The users: alice has a rule for the tunnel "home", carol is in the group of the other
rule, dave sits at the machine and is named by the tunnel "seat", bob has nothing.
"""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))

from kvpty import Terminal  # noqa: E402

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
NEEDED = ("dbus-daemon", "gdbus", "pkttyagent", "chpasswd", "unshare", "setpriv", "ip", "useradd")
MANAGER, TUNNEL, CLIENT = (f"org.kcpvpn.{word}1" for word in ("Manager", "Tunnel", "Client"))
DENIED = ("org.kcpvpn.Error.NotAuthorized", "org.kcpvpn.Error.AuthenticationRequired")
POLKITDS = ("/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd", "/usr/libexec/polkit-1/polkitd")

ROOT = ()
ALICE, BOB, CAROL, DAVE = (("as-user", name) for name in ("alice", "bob", "carol", "dave"))
DAVE_AT_SEAT = ("as-session", "dave")
ROOT_PASSWORD = "for the box only"


# --- outside ------------------------------------------------------------------------------------

def install(build, stage):
    def put(source, *target):
        path = os.path.join(stage, "usr", *target)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(source, path)
        return path

    put(os.path.join(build, "src/daemon/kcpvpnd"), "sbin", "kcpvpnd")
    put(os.path.join(build, "src/cli/kcpvpn"), "bin", "kcpvpn")
    put(os.path.join(build, "data/polkit/org.kcpvpn.policy"), "share/polkit-1/actions/org.kcpvpn.policy")
    put(os.path.join(TOP, "data/dbus/org.kcpvpn.conf"), "share/dbus-1/system.d/org.kcpvpn.conf")
    service = put(os.path.join(build, "data/dbus/org.kcpvpn.service"),
                  "share/dbus-1/system-services/org.kcpvpn.service")
    with open(service, encoding="utf-8") as file:
        text = file.read()
    with open(service, "w", encoding="utf-8") as file:
        file.write(re.sub(r"^Exec=.*$", "Exec=/usr/sbin/kcpvpnd", text, flags=re.M))


def run_box(build, stage, topic, *options):
    examples = os.path.join(TOP, "docs/examples")
    words = [os.path.join(HERE, "nm-sandbox"), "--no-nm", "--no-wan", "--destdir", stage,
             "--tmpfs", "/var/lib/kcpvpn", "--user", "kcpvpn", "--user", "alice", "--user", "bob",
             "--user", "carol:vpnadmin", "--user", "dave",
             "--polkit-rule", os.path.join(examples, "49-kcpvpn-group.rules"),
             "--polkit-rule", os.path.join(examples, "50-kcpvpn-user.rules"), *options,
             "--", sys.executable, os.path.abspath(__file__), "--in-box", topic]
    return subprocess.run(words, check=False).returncode


def main_outside(build, boxes):
    missing = [word for word in NEEDED if shutil.which(word) is None]
    if os.geteuid() != 0 or missing or not any(map(os.path.exists, POLKITDS)):
        print(f"SKIPPED: needs root, polkitd and {' '.join(NEEDED)}; missing: {' '.join(missing)}",
              flush=True)
        return SKIPPED
    with tempfile.TemporaryDirectory() as stage:
        os.chmod(stage, 0o755)
        install(build, stage)
        for topic, *options in boxes:
            status = run_box(build, stage, topic, *options)
            if status == SKIPPED:
                return SKIPPED
            if status != 0:
                print(f"{topic}: exit status {status}", flush=True)
                return 1
    return 0


# --- in the box ---------------------------------------------------------------------------------

def gdbus(who, path, interface, method, *arguments):
    """Returns what the call printed, or the error's name and message."""
    done = subprocess.run([*who, "gdbus", "call", "--system", "--timeout", "20", "--dest", "org.kcpvpn",
                           "--object-path", path, "--method", f"{interface}.{method}", *arguments],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip()
    match = re.search(r"GDBus\.Error:([\w.]+):", done.stderr)
    return f"{match.group(1)} {done.stderr.strip()}" if match else done.stderr.strip()


def expect(what, found, good):
    if not good:
        raise SystemExit(f"FAILED: {what}: {found}")
    print(f"  {what}", flush=True)


def allowed(what, *call):
    found = gdbus(*call)
    expect(what, found, found.startswith("("))
    return found


def denied(what, *call):
    found = gdbus(*call)
    expect(what, found, found.split(" ")[0] in DENIED)


def settings(name, **more):
    values = {"name": name, "role": "server", "ip": "127.0.0.1", "vni-mode": "tun", "secret": "s", **more}
    pairs = [f"'{key.replace('_', '-')}': <'{value}'>" for key, value in values.items()]
    return "{" + ", ".join(pairs) + "}"


def create(name, **more):
    found = allowed(f"root makes the tunnel {name}", ROOT, "/org/kcpvpn", MANAGER, "CreateTunnel",
                    settings(name, **more), "{}")
    return re.search(r"'(/[^']+)'", found).group(1)


def find_daemon():
    """Process ids of kcpvpnd."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and os.path.basename(read_exe(entry)) == "kcpvpnd":
            found.append(int(entry))
    return found


def read_exe(process):
    try:
        return os.readlink(f"/proc/{process}/exe")
    except OSError:
        return ""


def find_process(program):
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and os.path.basename(read_exe(p)) == program]


def wait_until(what, condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise SystemExit(f"FAILED: {what}")


def check_process():
    [daemon] = find_daemon()
    with open(f"/proc/{daemon}/status", encoding="utf-8") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    uid = os.stat("/run/nm-sandbox/home-kcpvpn").st_uid
    expect("the daemon is the user kcpvpn", status["Uid"], status["Uid"].split() == [str(uid)] * 4)
    expect("with CAP_NET_ADMIN alone", status["CapPrm"], int(status["CapPrm"], 16) == 1 << 12)
    expect("and no way to more", status["NoNewPrivs"], status["NoNewPrivs"] == "1")
    state = os.stat("/var/lib/kcpvpn")
    expect("its folder is its own", state, (state.st_uid, state.st_mode & 0o7777) == (uid, 0o700))


def check_everything_denied(who, name, path):
    denied(f"{name} may not create", who, "/org/kcpvpn", MANAGER, "CreateTunnel", settings("x", port="9"), "{}")
    denied(f"{name} may not import", who, "/org/kcpvpn", MANAGER, "ImportTunnel",
           "[tunnel]\nname=x\nrole=client\nip=a\nport=9\nsecret=s\n", "{}")
    denied(f"{name} may not reload", who, "/org/kcpvpn", MANAGER, "Reload", "{}")
    for method in ("Start", "Stop", "Delete", "GetSecrets"):
        denied(f"{name} may not {method.lower()}", who, path, TUNNEL, method, "{}")
    denied(f"{name} may not update", who, path, TUNNEL, "Update", "{'port': <9>}", "{}")
    denied(f"{name} may not export secrets", who, path, TUNNEL, "Export", "true", "{}")
    allowed(f"{name} may find", who, "/org/kcpvpn", MANAGER, "FindTunnel", "home", "{}")
    allowed(f"{name} may export what is no secret", who, path, TUNNEL, "Export", "false", "{}")


def check_alice(home, other):
    allowed("alice starts home by her rule", ALICE, home, TUNNEL, "Start", "{}")
    allowed("alice stops home", ALICE, home, TUNNEL, "Stop", "{}")
    denied("alice may not start another", ALICE, other, TUNNEL, "Start", "{}")
    denied("alice may not change home", ALICE, home, TUNNEL, "Update", "{'port': <9>}", "{}")


def check_carol(home):
    allowed("carol creates by her group's rule", CAROL, "/org/kcpvpn", MANAGER, "CreateTunnel",
            settings("hers", port="7103"), "{}")
    allowed("carol starts home", CAROL, home, TUNNEL, "Start", "{}")
    allowed("carol stops home", CAROL, home, TUNNEL, "Stop", "{}")
    denied("carol may not read secrets", CAROL, home, TUNNEL, "GetSecrets", "{}")
    denied("carol may not have programs run", CAROL, "/org/kcpvpn", MANAGER, "CreateTunnel",
           settings("runs", port="7104", hook_dir="/etc/kcpvpn/hooks.d"), "{}")
    allowed("carol reloads", CAROL, "/org/kcpvpn", MANAGER, "Reload", "{}")


def check_dave(home, seat):
    allowed("dave at the machine starts the tunnel that names him", DAVE_AT_SEAT, seat, TUNNEL, "Start", "{}")
    denied("dave from elsewhere may not stop it", DAVE, seat, TUNNEL, "Stop", "{}")
    allowed("dave at the machine stops it", DAVE_AT_SEAT, seat, TUNNEL, "Stop", "{}")
    denied("dave may not start one that does not name him", DAVE_AT_SEAT, home, TUNNEL, "Start", "{}")


def check_not_at_seat(seat):
    denied("dave from elsewhere may not start one that names him", DAVE, seat, TUNNEL, "Start", "{}")
    denied("bob may not start one that names dave", BOB, seat, TUNNEL, "Start", "{}")


def check_agent(who, name, tunnel):
    """kcpvpn at a terminal, with polkit's own agent for terminals."""
    found = subprocess.run(["kcpvpn", "list", "--json"], capture_output=True, text=True, check=True)
    word = next(one["Name"] for one in json.loads(found.stdout) if one["Path"] == tunnel)
    subprocess.run(["chpasswd"], input=f"root:{ROOT_PASSWORD}\n", text=True, check=True)
    terminal = Terminal([*who, "kcpvpn", "up", word], dict(os.environ))
    terminal.expect(f"Authentication is required to start or stop the VPN tunnel {word}")
    terminal.expect("Password: ")
    terminal.wait_hidden()  # the agent asks first
    terminal.type(ROOT_PASSWORD + "\n")
    status = terminal.wait()
    expect(f"{name} starts a tunnel with root's password", terminal.text,
           status == 0 and f"{word}: listening on" in terminal.text and ROOT_PASSWORD not in terminal.text)
    done = subprocess.run([*who, "kcpvpn", "down", word, "--no-ask"], capture_output=True, text=True,
                          check=False)
    expect(f"{name} is not asked with --no-ask", done.stderr, done.returncode == 4)
    allowed("root stops it", ROOT, tunnel, TUNNEL, "Stop", "{}")


def check_polkitd_trouble(home):
    [polkitd] = find_process("polkitd")
    os.kill(polkitd, signal.SIGSTOP)
    started = time.monotonic()
    denied("a polkitd that hangs denies", ALICE, home, TUNNEL, "Start", "{}")
    expect("within seconds", time.monotonic() - started, time.monotonic() - started < 15)
    allowed("root does not wait for it", ROOT, home, TUNNEL, "Start", "{}")
    allowed("nor to stop", ROOT, home, TUNNEL, "Stop", "{}")
    os.kill(polkitd, signal.SIGCONT)
    allowed("alice is heard once it goes on", ALICE, home, TUNNEL, "Start", "{}")
    os.kill(polkitd, signal.SIGKILL)
    wait_until("polkitd is gone", lambda: polkitd not in find_process("polkitd"))
    # A question that reaches the dying one is denied; the bus starts another for the next.
    wait_until("alice is heard by another polkitd",
               lambda: gdbus(ALICE, home, TUNNEL, "Stop", "{}").startswith("("))
    print("  alice is heard by the polkitd after one that was killed", flush=True)
    denied("and bob is not", BOB, home, TUNNEL, "Start", "{}")


def check_killed_daemon():
    [daemon] = find_daemon()
    os.kill(daemon, signal.SIGKILL)
    wait_until("the daemon is gone", lambda: not find_daemon())
    allowed("the bus starts the daemon again, with what was saved", BOB, "/org/kcpvpn", MANAGER,
            "FindTunnel", "home", "{}")
    found = allowed("it has the same settings", ROOT, "/org/kcpvpn", MANAGER, "FindTunnel", "seat", "{}")
    return re.search(r"'(/[^']+)'", found).group(1)


def owns_name():
    """Whether org.kcpvpn is on the bus, without a call that would start it."""
    done = subprocess.run(["gdbus", "call", "--system", "--dest", "org.freedesktop.DBus", "--object-path",
                           "/org/freedesktop/DBus", "--method", "org.freedesktop.DBus.NameHasOwner", "org.kcpvpn"],
                          capture_output=True, text=True, check=False)
    return "true" in done.stdout


def check_killed_bus():
    [bus] = find_process("dbus-daemon")
    before = find_daemon()
    os.kill(bus, signal.SIGKILL)
    with subprocess.Popen(["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"],
                          stderr=subprocess.DEVNULL) as again:
        wait_until("the daemon is on the new bus", owns_name)
        expect("it is the one that was there", (before, find_daemon()), find_daemon() == before)
        allowed("and has the same tunnels", BOB, "/org/kcpvpn", MANAGER, "FindTunnel", "home", "{}")
        check_process()
        denied("bob may not on the new bus either", BOB, "/org/kcpvpn", MANAGER, "Reload", "{}")
        allowed("carol may", CAROL, "/org/kcpvpn", MANAGER, "Reload", "{}")
        again.terminate()


def open_tun_device():
    """As it is on most systems; nobody outside the box sees it."""
    if not os.path.exists("/dev/net/tun"):
        return
    os.mknod("/run/nm-sandbox/tun", stat.S_IFCHR | 0o666, os.makedev(10, 200))
    os.chmod("/run/nm-sandbox/tun", 0o666)
    subprocess.run(["mount", "--bind", "/run/nm-sandbox/tun", "/dev/net/tun"], check=True)


def with_polkit():
    home = create("home", port="7101")
    check_process()
    other = create("other", port="7102")
    seat = create("seat", port="7105", users="dave")
    check_everything_denied(BOB, "bob", home)
    check_alice(home, other)
    check_carol(home)
    check_not_at_seat(seat)
    check_agent(BOB, "bob", other)
    allowed("root reads secrets", ROOT, home, TUNNEL, "GetSecrets", "{}")
    check_polkitd_trouble(home)
    check_killed_daemon()
    check_killed_bus()


def without_polkit():
    home = create("home", port="7101")
    seat = create("seat", port="7105", users="dave")
    check_everything_denied(BOB, "bob", home)
    denied("alice may not without polkit, rule or not", ALICE, home, TUNNEL, "Start", "{}")
    denied("nor dave", DAVE, seat, TUNNEL, "Start", "{}")
    allowed("root may", ROOT, home, TUNNEL, "Start", "{}")
    allowed("and may stop", ROOT, home, TUNNEL, "Stop", "{}")


def seat_with_polkit():
    home = create("home", port="7101")
    seat = create("seat", port="7105", users="dave")
    check_dave(home, seat)
    check_not_at_seat(seat)
    check_agent(DAVE_AT_SEAT, "dave", home)
    seat = check_killed_daemon()
    allowed("and the same users", DAVE_AT_SEAT, seat, TUNNEL, "Start", "{}")


def seat_without_polkit():
    seat = create("seat", port="7105", users="dave")
    denied("dave may not without polkit, at the machine or not", DAVE_AT_SEAT, seat, TUNNEL, "Start", "{}")


# Topics by the argument that asks for them, and the box's options. Each is a function of that name.
BOXES = {
    "anywhere": [("with_polkit",), ("without_polkit", "--no-polkit")],
    "seat": [("seat_with_polkit", "--session", "dave"), ("seat_without_polkit", "--session", "dave", "--no-polkit")],
}


def main():
    if sys.argv[1:2] == ["--in-box"]:
        print(sys.argv[2], flush=True)
        open_tun_device()
        globals()[sys.argv[2]]()
        return 0
    return main_outside(sys.argv[1] if len(sys.argv) > 1 else os.path.join(TOP, "build"),
                        BOXES[sys.argv[2] if len(sys.argv) > 2 else "anywhere"])


sys.exit(main())
