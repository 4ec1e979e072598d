# SPDX-License-Identifier: GPL-2.0-or-later
"""Boxes: small Debian machines with a systemd of their own, in systemd-nspawn.

    FOLDER/bare        what debootstrap makes: Debian with systemd, a bus, sudo and git; kept
    FOLDER/installed   what the first run adds to that: packages, the tree, what it installs; anew each time
    FOLDER/box-NAME    what a box adds to both while it runs

A booted box has no way out: its network namespace holds a loopback and one end of a veth pair, the other end of
which is in the next box. Only what installs packages runs in the host's network, in a box that is not booted.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback

SKIPPED = 77
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.environ.get("KCPVPN_BOXES", os.path.join(TOP, "build", "boxes"))
RELEASE = "bookworm"
BARE_PACKAGES = "systemd-sysv,dbus,git,sudo"
PROGRAMS = ("systemd-nspawn", "debootstrap", "nsenter", "unshare", "ip", "apt-get")
TREE = "/root/kcpvpn"
SERVER_IP, CLIENT_IP = "10.77.0.1", "10.77.0.2"


class Failed(Exception):
    """What a check found wrong."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {got!r}, wanted {want!r}")


def contains(text, part, what):
    if part not in text:
        raise Failed(f"{what}: {part!r} is not in:\n{text}")


def wait_until(condition, seconds, what, step=0.1):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(step)


def say(text):
    print(text, flush=True)


def skip(why):
    say(f"SKIPPED: {why}")
    sys.exit(SKIPPED)


def host(*words, timeout=60):
    """Runs a program of this machine and returns what it printed."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: status {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


# --- what boxes are made of -----------------------------------------------------------------------

def find_mirror():
    """Where this machine has Debian's packages from."""
    rows = host("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(COMPONENT)", "Identifier: Packages")
    for row in rows.splitlines():
        origin, uri, component = row.split(" ")
        if origin == "Debian" and component == "main" and "security" not in uri:
            return uri
    return skip("apt knows no mirror of Debian's packages: run \"apt-get update\"")


def write_apt_settings(root, mirror):
    """Packages come the way they come to this machine."""
    with open(os.path.join(root, "etc/apt/sources.list"), "w", encoding="utf-8") as file:
        file.write(f"deb {mirror} {RELEASE} main\n")
    settings = host("apt-config", "dump", "--format", '%f "%v";%n')
    with open(os.path.join(root, "etc/apt/apt.conf.d/90host"), "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in settings.splitlines()
                        if re.match(r"Acquire::(http|https|ftp|Retries|ForceIPv4)\b", line))


def make_bare():
    """The machine with nothing but git; made once."""
    bare = os.path.join(FOLDER, "bare")
    if os.path.isdir(bare):
        return bare
    os.makedirs(FOLDER, exist_ok=True)
    work, mirror = bare + ".new", find_mirror()
    shutil.rmtree(work, ignore_errors=True)
    say(f"  making a Debian {RELEASE} with {BARE_PACKAGES.replace(',', ', ')} …")
    done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={BARE_PACKAGES}", RELEASE, work, mirror],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1200, check=False)
    if done.returncode != 0:
        skip(f"debootstrap failed: {done.stdout[-1500:]}{done.stderr[-500:]}")
    write_apt_settings(work, mirror)
    # A systemd that finds this empty asks for a password, a time zone and the like.
    with open(os.path.join(work, "etc/machine-id"), "w", encoding="ascii"):
        pass
    os.rename(work, bare)
    return bare


def copy_tree(target):
    """The tree as it is here, with what is not committed, as if it had been cloned."""
    os.makedirs(target)
    files = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           capture_output=True, check=False)
    if files.returncode != 0:
        skip(f"{TOP} is not a git checkout: {files.stderr.decode()}")
    names = [name for name in files.stdout.split(b"\0") if os.path.lexists(os.path.join(TOP.encode(), name))]
    pack = subprocess.Popen(["tar", "-C", TOP, "--null", "-T", "-", "-c"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    unpack = subprocess.Popen(["tar", "-C", target, "--no-same-owner", "-x"], stdin=pack.stdout)
    pack.stdout.close()
    pack.stdin.write(b"\0".join(name for name in names if name))
    pack.stdin.close()
    check(pack.wait() == 0 and unpack.wait() == 0, "the tree cannot be copied")


def require():
    """Ends the program, loudly, where boxes cannot be."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0:
        skip("boxes take root")
    if missing:
        skip(f"boxes take {', '.join(PROGRAMS)}; missing: {', '.join(missing)}")
    if not os.path.exists("/dev/net/tun"):
        skip("there is no /dev/net/tun")


# --- a box ----------------------------------------------------------------------------------------

# Run in a mount namespace of its own, so that the mounts end with it: lays the layers over each other, gives the
# box a cgroup of its own (boxes in one would see each other's processes) and becomes systemd-nspawn.
ENTER = r"""
set -e
lower=$1 folder=$2 cgroup=$3
shift 3
mkdir -p "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
mkdir -p "$cgroup"
echo $$ > "$cgroup/cgroup.procs"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_NSPAWN_LOCK=0
exec systemd-nspawn --quiet --directory="$folder/root" --register=no --keep-unit --console=pipe \
    --capability=CAP_NET_ADMIN --bind=/dev/net/tun --system-call-filter=bpf "$@"
"""


def cgroup2():
    """Where the host has its cgroup2 tree."""
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            _, path, kind, *_ = line.split(" ")
            if kind == "cgroup2":
                return path
    return skip("there is no cgroup2 tree")


class Box:
    """A machine. What it is given and does stays in its folder until it is made again."""

    def __init__(self, name, layers):
        self.name, self.layers = name, layers
        self.folder = os.path.join(FOLDER, "box-" + name)
        self.netns = f"kvbox-{os.getpid()}-{name}"
        self.cgroup = os.path.join(cgroup2(), self.netns)
        self.nspawn = self.leader = None
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def _start(self, *words, **more):
        command = ["unshare", "--mount", "--propagation", "private", "--", "bash", "-c", ENTER, "enter",
                   ":".join(self.layers), self.folder, self.cgroup, f"--machine={self.netns}", *words]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, **more)

    def install(self, command, timeout):
        """Runs a shell command in the box, which is not booted, in the network of this machine."""
        process = self._start("--resolv-conf=copy-host", "--chdir=/root", "--setenv=LANG=C.UTF-8", "bash", "-c", command,
                              stdout=subprocess.PIPE, text=True)
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            raise Failed(f"{command}: not within {timeout} s") from None
        # systemd-nspawn's own complaint, as this machine may have no systemd that made the folder.
        return process.returncode, re.sub(r"^Attempted to remove disk file system .*\n", "", out, flags=re.M)

    # --- booted

    def boot(self):
        if not os.path.exists(f"/run/netns/{self.netns}"):
            host("ip", "netns", "add", self.netns)
            host("ip", "-n", self.netns, "link", "set", "lo", "up")
        self.log = open(os.path.join(self.folder, "console"), "ab")
        self.nspawn = self._start(f"--network-namespace-path=/run/netns/{self.netns}", "--boot", stdout=self.log)
        self._wait_booted()

    def _find_leader(self):
        check(self.nspawn.poll() is None, f"box {self.name} ended: see {self.folder}/console")
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children", encoding="ascii") as file:
                for pid in file.read().split():
                    with open(f"/proc/{pid}/status", encoding="ascii") as status:
                        if re.search(r"^NSpid:\s+\d+\s+1$", status.read(), re.M):
                            return int(pid)
        return None

    def _wait_booted(self):
        self.leader = wait_until(self._find_leader, 30, f"box {self.name} starts")
        state = wait_until(self._get_final_state, 60, f"box {self.name} is up")
        if state != "running":
            raise Failed(f"box {self.name} is {state}: " + self._enter("systemctl", "--failed", "--no-legend").stdout)

    def _get_final_state(self):
        state = self._enter("systemctl", "is-system-running", "--wait").stdout.strip()
        return state if state in ("running", "degraded", "maintenance") else None

    def _enter(self, *words, timeout=60, **more):
        return subprocess.run(["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid",
                               "--cgroup", "--wd=/root", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8",
                               "HOME=/root", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
                              **more)

    def attempt(self, command, timeout=60, user=None):
        """Runs a shell command as a service of the box: (status, what it printed)."""
        whose = [f"--uid={user}"] if user else ["--working-directory=/root", "--setenv=HOME=/root"]
        done = self._enter("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--setenv=LANG=C.UTF-8", *whose, "--", "bash", "-c",
                           f"exec 2>&1\n{command}", timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def run(self, command, timeout=60, user=None):
        """The same, and it must succeed; returns what it printed."""
        status, out = self.attempt(command, timeout, user)
        check(status == 0, f"box {self.name}: {command.strip()}\nstatus {status}:\n{out}")
        return out

    def write(self, path, text, mode=0o644):
        """Makes a file in the booted box."""
        done = subprocess.run(["nsenter", "--target", str(self.leader), "--mount", "--pid", "--", "install", "-D",
                               f"--mode={mode:o}", "/dev/stdin", path], input=text, text=True, capture_output=True,
                              check=False)
        check(done.returncode == 0, f"{path}: {done.stderr}")

    def read(self, path):
        return self.run(f"cat {path}")

    def journal(self, *matches):
        """Entries of the journal, oldest first."""
        out = self.run(f"journalctl --no-pager -o json {' '.join(matches)}")
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def messages(self, unit, *matches):
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.journal("-u", unit, *matches))

    def show(self, unit, name):
        """A property of a unit."""
        return self.run(f"systemctl show --value -p {name} {unit}").strip()

    def pid(self, unit):
        return int(self.show(unit, "MainPID"))

    def shutdown(self):
        """As "poweroff" does it."""
        if self.nspawn is None or self.nspawn.poll() is not None:
            return
        os.kill(self.leader, signal.SIGRTMIN + 4)
        try:
            self.nspawn.wait(90)
        except subprocess.TimeoutExpired:
            raise Failed(f"box {self.name} does not shut down") from None
        self.log.close()

    def reboot(self):
        self.shutdown()
        self.boot()

    def close(self):
        """Ends it, however it is, with all that was made for it."""
        if self.nspawn is not None and self.nspawn.poll() is None:
            if self.leader is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.leader, signal.SIGKILL)
            try:
                self.nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        if os.path.exists(f"/run/netns/{self.netns}"):
            subprocess.run(["ip", "netns", "del", self.netns], check=False)
        for path, _, _ in os.walk(self.cgroup, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)


def join(a, b):
    """A link between two boxes that are booted."""
    host("ip", "-n", a.netns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b.netns)
    for box, address in ((a, SERVER_IP), (b, CLIENT_IP)):
        host("ip", "-n", box.netns, "address", "add", address + "/24", "dev", "eth0")
        host("ip", "-n", box.netns, "link", "set", "eth0", "up")


# --- the README -----------------------------------------------------------------------------------

def readme_blocks(heading):
    """The indented lines of a section of the README, block by block."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## )", file.read(), re.M | re.S)
    check(section is not None, f"the README has no section {heading!r}")
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section.group(1), re.M)
    return ["\n".join(line[4:] for line in block.strip("\n").split("\n")) for block in blocks if block.strip()]


# --- the runner -----------------------------------------------------------------------------------

def run_checks(checks, *arguments):
    """Runs functions in order, each with its arguments, prints what each proves; returns how many failed."""
    bad = 0
    for function in checks:
        start = time.monotonic()
        try:
            function(*arguments)
            result, text = "ok", ""
        except Failed as e:
            frames = [f for f in traceback.extract_tb(e.__traceback__) if f.name == function.__name__]
            result, text = "not ok", f"{e}\nat {frames[-1].name}:{frames[-1].lineno}: {frames[-1].line}"
        except Exception:  # a check's own mistake must not end the others
            result, text = "not ok", traceback.format_exc()
        bad += result == "not ok"
        say(f"{result:6} {function.__doc__.strip().splitlines()[0]} ({time.monotonic() - start:.1f} s)")
        for line in text.splitlines():
            say("       | " + line)
    say(f"{len(checks) - bad} passed, {bad} failed, 0 skipped")
    return bad


def main(checks, names, setup):
    """Boots a box for each name, on the installed layer, and runs the checks with them."""
    require()
    installed, bare = os.path.join(FOLDER, "installed"), os.path.join(FOLDER, "bare")
    if not os.path.isdir(installed):
        skip("there is no box with the service installed: tests/systemd/test_first_run.py makes it")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    boxes = [Box(name, (installed, bare)) for name in names]
    chosen = [c for c in checks if not sys.argv[1:] or c.__name__ in sys.argv[1:]]
    try:
        for box in boxes:
            box.boot()
        setup(*boxes)
        bad = run_checks(chosen, *boxes)
        if bad:
            for box in boxes:
                say(f"--- the last of what box {box.name} logged:")
                say(box.attempt("journalctl --no-pager -n 60 -u 'kcpvpn*' -u dbus")[1])
    finally:
        for box in boxes:
            box.close()
    sys.exit(1 if bad else 0)
