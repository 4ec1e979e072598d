# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs in network namespaces, for tests: one World a test, gone whatever happens.

A topic is a file of functions marked @test; kvnet.main() runs them, each in a fresh World, with a
time limit, and prints what each proves. Exit status: 0 passed, 1 failed, 77 skipped (no root).

    c namespace                       s namespace
      eth0 10.77.0.2/24  --- link ---  eth0 10.77.0.1/24         a veth pair, or linkem
           fd77::2/64                       fd77::1/64

The environment names the programs: KCPVPN_PROGRAM, KCPVPN_LINKEM. KCPVPN_TIME_FACTOR stretches
every time limit, for sanitizers and slow machines. KCPVPN_SANITIZED=1 says that the program is
built with one: its reports fail a test, and it ends by request so that leaks are found.
"""
import contextlib
import ctypes
import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

SKIPPED = 77
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("KCPVPN_PROGRAM", os.path.join(TOP, "build/src/cli/kcpvpn"))
LINKEM = os.environ.get("KCPVPN_LINKEM", os.path.join(TOP, "build/tests/lib/linkem/linkem"))
TIME_FACTOR = float(os.environ.get("KCPVPN_TIME_FACTOR", "1"))
SANITIZED = os.environ.get("KCPVPN_SANITIZED") == "1"
SECRET = "pre-shared-key-of-the-tests"
FOLDER = "kvnet-world-"
PORT = 1235

# For pings of which all are to be answered: by itself ping waits no longer for the last answer than an interval or
# two round trips, which a busy machine may need for other things. Until then it sends more, which do not count.
PATIENT = ("-w", "10")

# Tunnel addresses that most tests use.
TUN_SERVER, TUN_CLIENT = "192.168.88.1", "192.168.88.2"
POOL = "192.168.88.2-192.168.88.254"

USUAL = object()    # in place of a cipher: that of the World

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


class Failed(Exception):
    """What a test found wrong."""


class Skipped(Exception):
    """Why a test cannot run here."""


class TimeLimit(BaseException):
    """A test ran longer than its limit; no except clause of a test shall catch it."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {got!r}, wanted {want!r}")


def wait_until(condition, seconds, what, step=0.02):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds * TIME_FACTOR
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Failed(f"{what}: not within {seconds * TIME_FACTOR:g} s")
        time.sleep(step)


def shell(*args, check_status=True, timeout=30, **kw):
    """Runs one program and returns what it printed."""
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       stdin=subprocess.DEVNULL, timeout=timeout * TIME_FACTOR, **kw)
    if check_status and r.returncode != 0:
        raise Failed(f"{' '.join(args)}: status {r.returncode}: {r.stderr.strip() or r.stdout.strip()}")
    return r.stdout


class Process:
    """A program that was started here and is ended here."""

    def __init__(self, args, name, env=None, log_dir=None):
        self.name, self.args = name, args
        self.lines, self.events = [], []
        self._changed = threading.Condition()
        self.log = open(os.path.join(log_dir, name + ".log"), "ab") if log_dir else None
        environ = dict(os.environ)
        environ.update(env or {})
        self.popen = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, env=environ)
        self.pid = self.popen.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for raw in self.popen.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if self.log:
                self.log.write(raw)
                self.log.flush()
            event = None
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
            with self._changed:
                self.lines.append(line)
                if isinstance(event, dict) and event.get("event"):
                    event["time"] = time.monotonic()
                    self.events.append(event)
                self._changed.notify_all()

    def alive(self):
        return self.popen.poll() is None

    def text(self):
        with self._changed:
            return "\n".join(self.lines)

    def count(self, name):
        with self._changed:
            return sum(e["event"] == name for e in self.events)

    def wait_event(self, name, seconds=10, nth=1):
        """The nth event of that name, waited for; an early end of the program is a failure."""
        end = time.monotonic() + seconds * TIME_FACTOR
        with self._changed:
            while True:
                found = [e for e in self.events if e["event"] == name]
                if len(found) >= nth:
                    return found[nth - 1]
                left = end - time.monotonic()
                if left <= 0 or (self.popen.poll() is not None and not self._reader.is_alive()):
                    break
                self._changed.wait(min(left, 0.2))
        why = "within the time" if self.alive() else f"before it ended with {self.popen.returncode}"
        raise Failed(f"{self.name}: no event \"{name}\" {why}; it said:\n{self.tail()}")

    def wait_text(self, pattern, seconds=10):
        return wait_until(lambda: re.search(pattern, self.text()), seconds,
                          f"{self.name} says /{pattern}/")

    def tail(self, n=25):
        with self._changed:
            return "\n".join("    | " + line[:300] for line in self.lines[-n:])

    def send(self, number):
        self.popen.send_signal(number)

    def wait_exit(self, seconds=10):
        """The exit status; negative: ended by that signal."""
        try:
            status = self.popen.wait(seconds * TIME_FACTOR)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {seconds * TIME_FACTOR:g} s; it said:\n"
                         + self.tail()) from None
        self._reader.join(2)
        return status

    def expect_exit(self, status, seconds=10):
        got = self.wait_exit(seconds)
        if got != status:
            raise Failed(f"{self.name}: exit status {got}, not {status}; it said:\n{self.tail()}")

    def stop(self, number=signal.SIGTERM, seconds=10):
        if self.alive():
            self.send(number)
        return self.wait_exit(seconds)

    def kill(self):
        if self.alive():
            self.popen.kill()
        self.popen.wait()
        self._reader.join(2)

    def close(self):
        self.kill()
        self.popen.stdout.close()
        if self.log:
            self.log.close()


def wait_held(process, number):
    """Waits until a starting program has taken hold of a signal; whether it was seen to hold it
    back, and not only to have a handler for it later. (A thread that is being made holds back all.)"""
    bit = 1 << (number - 1)
    held = caught = 0
    while not held and not caught:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            fields = dict(line.split(":", 1) for line in f)
        blocked, caught = int(fields["SigBlk"], 16), int(fields["SigCgt"], 16) & bit
        held = blocked & bit and not blocked & 1 << (signal.SIGCHLD - 1)
    return bool(held)


class Namespace:
    """A network namespace; `name` is what a test calls it, `id` what the kernel does."""

    def __init__(self, name, ident):
        self.name, self.id = name, ident
        shell("ip", "netns", "add", ident)
        try:
            self.sysctl("net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                        "net.ipv4.tcp_no_metrics_save=1")
            self.ip("link", "set", "lo", "up")
        except Failed:
            shell("ip", "netns", "del", ident)
            raise

    def ip(self, *args, **kw):
        return shell("ip", "-n", self.id, *args, **kw)

    def ip_json(self, *args):
        return json.loads(shell("ip", "-n", self.id, "-j", "-d", *args) or "[]")

    def command(self, *args):
        return ["ip", "netns", "exec", self.id, *args]

    def run(self, *args, **kw):
        return shell(*self.command(*args), **kw)

    def sysctl(self, *settings):
        self.run("sysctl", "-qw", *settings)

    @contextlib.contextmanager
    def inside(self):
        """This thread inside the namespace: what it opens there stays there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.id}", os.O_RDONLY)
        try:
            if _libc.setns(there, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            _libc.setns(home, _CLONE_NEWNET)
            os.close(there)
            os.close(home)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0):
        with self.inside():
            return socket.socket(family, kind, proto)

    # --- what the kernel says of interfaces

    def links(self):
        return [link["ifname"] for link in self.ip_json("link", "show")]

    def has_link(self, name):
        return name in self.links()

    def link(self, name):
        for link in self.ip_json("addr", "show"):
            if link["ifname"] == name:
                return link
        raise Failed(f"namespace {self.name} has no interface {name}, only {self.links()}")

    def ipv4(self, name):
        """(local, peer or None, prefix length) of each IPv4 address of an interface"""
        return [(a.get("local"), a.get("address"), a.get("prefixlen"))
                for a in self.link(name)["addr_info"] if a["family"] == "inet"]

    def ping(self, host, count=3, interval=0.1, size=56, seconds=2, more=()):
        """(share lost 0 to 1, round trips in ms)"""
        out = self.run("ping", "-n", "-c", str(count), "-i", str(interval), "-s", str(size), "-W",
                       str(seconds), *more, host, check_status=False,
                       timeout=count * interval + seconds + 10)
        times = [float(t) for t in re.findall(r"time=([\d.]+)", out)]
        self.pinged = out
        answered = {n for n in map(int, re.findall(r"bytes from .*icmp_seq=(\d+)", out)) if n <= count}
        return 1 - len(answered) / count, times

    def can_ping(self, host, count=3, seconds=5, more=(), **kw):
        """Fails the test unless a ping is answered within some seconds, and then each."""
        wait_until(lambda: self.ping(host, 1, seconds=1, more=more, **kw)[0] == 0, seconds,
                   f"{self.name} can ping {host}")
        lost, _ = self.ping(host, count, more=(*PATIENT, *more), **kw)
        check(lost == 0, f"{self.name} pings {host}: {lost:.0%} lost\n{self.pinged}")

    def cannot_ping(self, host):
        lost, _ = self.ping(host, 2, seconds=1)
        check(lost == 1, f"{self.name} can ping {host}, and should not")


class Linkem:
    """The emulated link between two namespaces: set("both loss=10")."""

    def __init__(self, world, a, b, addresses, settings, seed):
        check(os.access(LINKEM, os.X_OK), f"no link emulator at {LINKEM}")
        self.fifo = os.path.join(world.dir, "linkem.ctl")
        self.counters = os.path.join(world.dir, "linkem.json")
        args = [LINKEM, "-a", f"{a.id}:eth0:{addresses[0]}/24", "-b", f"{b.id}:eth0:{addresses[1]}/24",
                "-s", str(seed), "-f", self.fifo, "-o", self.counters]
        for setting in settings:
            args += ["-c", setting]
        self.process = world.start(args, "linkem")
        self.process.wait_text("linkem: ready")

    def set(self, command):
        with open(self.fifo, "w", encoding="ascii") as f:
            f.write(command + "\n")
        time.sleep(0.05)

    def stats(self):
        """The counters of both directions, by name: a2b, b2a."""
        path = self.counters + ".now"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.set(f"stats {path}")
        wait_until(lambda: os.path.exists(path), 2, "linkem writes its counters")
        with open(path, encoding="ascii") as f:
            rows = [json.loads(line) for line in f]
        return {row["linkem"]: row for row in rows}


# What a sanitizer says of a program that it watches; each begins a report.
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread|Undefined\w*)Sanitizer|: runtime error: ")


class World:
    """Everything one test makes. close() removes all of it."""
    usual_crypt = "aes"     # v1, which each of them can be told otherwise

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix=FOLDER)
        self.lock = os.open(self.dir, os.O_RDONLY)  # for sweep()
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        os.chmod(self.dir, 0o755)
        self.processes, self.namespaces, self.sockets, self.undos = [], {}, [], []
        self.number = 0

    def namespace(self, name):
        if name not in self.namespaces:
            self.namespaces[name] = Namespace(name, f"kvt-{os.getpid()}-{name}")
        return self.namespaces[name]

    @property
    def s(self):
        return self.namespace("s")

    @property
    def c(self):
        return self.namespace("c")

    # --- links

    def veth(self, a=None, b=None, n=0, mtu=1500):
        """Link number n: a is 10.77.n.1 and fd77:0:0:n::1, b is .2 and ::2; devices ethn."""
        a, b = a or self.s, b or self.c
        a.ip("link", "add", f"eth{n}", "mtu", str(mtu), "type", "veth", "peer", "name", f"eth{n}",
             "mtu", str(mtu), "netns", b.id)
        for end, last in ((a, 1), (b, 2)):
            end.ip("addr", "add", f"10.77.{n}.{last}/24", "dev", f"eth{n}")
            end.ip("addr", "add", f"fd77:0:0:{n}::{last}/64", "dev", f"eth{n}", "nodad")
            end.ip("link", "set", f"eth{n}", "up")

    def linkem(self, *settings, seed=1):
        return Linkem(self, self.s, self.c, ("10.77.0.1", "10.77.0.2"), settings, seed)

    # --- programs

    def start(self, args, name, namespace=None, env=None):
        if namespace:
            args = namespace.command(*args)
        process = Process([str(a) for a in args], name, env, self.dir)
        self.processes.append(process)
        return process

    def kcpvpn(self, role, *args, namespace, name, secret=SECRET, prefix=(), program=None):
        env = {"KCPVPN_KEY": secret} if secret is not None else {}
        return self.start([*prefix, program or PROGRAM, role, "--log-json", "--log-level", "debug",
                           *args], name, namespace, env)

    def name_cipher(self, crypt):
        """The flag for a cipher, None for the default one, which is native, or this world's."""
        crypt = self.usual_crypt if crypt is USUAL else crypt
        return ("--crypt", crypt) if crypt is not None else ()

    def server(self, *args, mode="tun", ip="0.0.0.0", port=PORT, crypt=USUAL, namespace=None,
               name="server", wait=True, **kw):
        """A server with these flags besides the usual ones; waits until it listens."""
        process = self.kcpvpn("server", "--ip", ip, "--port", str(port), "--vni-mode", mode,
                              *self.name_cipher(crypt), *args, namespace=namespace or self.s, name=name, **kw)
        if wait:
            process.wait_event("listening")
        return process

    def client(self, *args, ip="10.77.0.1", port=PORT, crypt=USUAL, namespace=None, name="client",
               wait=True, **kw):
        """A client with these flags besides the usual ones; waits until it is connected."""
        process = self.kcpvpn("client", "--ip", ip, "--port", str(port), *self.name_cipher(crypt), *args,
                              namespace=namespace or self.c, name=name, **kw)
        if wait:
            process.wait_event("connected", 15)
        return process

    def tunnel(self, *both, server=(), client=()):
        """The plain tunnel: a server with a pool, a client with the first address of it."""
        s = self.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, *both, *server)
        c = self.client(*both, *client)
        wait_until(lambda: self.s.has_link("kvs0") and self.c.has_link("kvc0"), 5,
                   "both interfaces exist")
        return s, c

    def _end_by_request(self):
        running = [p for p in self.processes if p.alive() and PROGRAM in p.args]
        for process in running:
            process.send(signal.SIGTERM)
        for process in running:
            with contextlib.suppress(Failed):
                process.wait_exit(5)

    def on_close(self, undo):
        """Has a function called in the end, whatever happens."""
        self.undos.append(undo)

    def write_hosts(self, namespace, *lines):
        """Gives a namespace a hosts file of its own, for programs that are started there, or other lines in it."""
        folder = f"/etc/netns/{namespace.id}"
        if not os.path.isdir(folder):
            os.makedirs(folder)
            self.on_close(lambda: shutil.rmtree(folder))
        with open(os.path.join(folder, "hosts"), "w", encoding="ascii") as f:
            f.write("\n".join(["127.0.0.1 localhost", *lines, ""]))

    def keep(self, sock):
        self.sockets.append(sock)
        return sock

    def close(self):
        if SANITIZED:
            self._end_by_request()
        for process in reversed(self.processes):
            process.close()
        for sock in self.sockets:
            sock.close()
        for namespace in self.namespaces.values():
            shell("ip", "netns", "del", namespace.id, check_status=False)
        for undo in reversed(self.undos):
            undo()
        shutil.rmtree(self.dir, ignore_errors=True)
        os.close(self.lock)


# --- traffic -----------------------------------------------------------------------------------

def iperf(world, client, server, host, seconds=2, *args):
    """bit/s that one TCP stream delivers from client to server; -R in args turns it round"""
    listen(server, host).close()
    listener = world.start(["iperf3", "-s", "-1", "--forceflush", "-B", host], "iperf3", server)
    listener.wait_text("Server listening")
    out = client.run("iperf3", "-c", host, "-t", str(seconds), "-J", *args, check_status=False,
                     timeout=seconds + 15)
    listener.kill()
    try:
        return json.loads(out)["end"]["sum_received"]["bits_per_second"]
    except (ValueError, KeyError):
        raise Failed(f"iperf3 to {host} failed: {out[-300:]}") from None


def pattern(seed, n):
    """n bytes that depend on a number"""
    out = bytearray()
    block = hashlib.sha256(str(seed).encode()).digest()
    while len(out) < n:
        block = hashlib.sha256(block).digest()
        out += block * 32
    return bytes(out[:n])


def listen(namespace, host, port=0):
    """A TCP listener; a client may know that it is connected before the server's interface stands."""
    def bind():
        try:
            sock.bind((host, port))
        except OSError as e:
            if e.errno != errno.EADDRNOTAVAIL:
                raise
            return False
        return True

    sock = namespace.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    wait_until(bind, 5, f"{namespace.name} has the address {host}")
    sock.listen(4)
    return sock


def transfer(world, sender, receiver, host, n_bytes, seconds=30):
    """Sends n bytes over TCP and compares what arrives by its hash."""
    data = pattern(n_bytes, n_bytes)
    want = hashlib.sha256(data).hexdigest()
    listener = world.keep(listen(receiver, host))
    listener.settimeout(seconds * TIME_FACTOR)
    out = world.keep(sender.socket(listener.family))
    out.settimeout(seconds * TIME_FACTOR)
    got = hashlib.sha256()
    problem = []

    def receive():
        try:
            conn, _ = listener.accept()
            conn.settimeout(seconds * TIME_FACTOR)
            with conn:
                while chunk := conn.recv(1 << 16):
                    got.update(chunk)
        except OSError as e:
            problem.append(e)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    try:
        out.connect(listener.getsockname()[:2])
        out.sendall(data)
        out.shutdown(socket.SHUT_WR)
    except OSError as e:
        raise Failed(f"sending {n_bytes} bytes to {host}: {e}") from None
    thread.join(seconds * TIME_FACTOR)
    check(not problem and not thread.is_alive(), f"receiving {n_bytes} bytes at {host}: {problem or 'too slow'}")
    equal(got.hexdigest(), want, f"the hash of {n_bytes} bytes at {host}")


class Chatter:
    """One TCP connection through the tunnel that a numbered line crosses again and again."""

    def __init__(self, world, server, client, host):
        self.listener = world.keep(listen(server, host))
        self.out = world.keep(client.socket())
        self.out.settimeout(5 * TIME_FACTOR)
        self.out.connect(self.listener.getsockname())
        self.conn, _ = self.listener.accept()
        world.keep(self.conn)
        threading.Thread(target=self._echo, daemon=True).start()
        self.n = 0

    def _echo(self):
        try:
            while data := self.conn.recv(4096):
                self.conn.sendall(data)
        except OSError:
            pass

    def say(self, seconds=20):
        """One line there and back, within some seconds"""
        self.n += 1
        line = f"line {self.n}\n".encode()
        self.out.settimeout(seconds * TIME_FACTOR)
        self.out.sendall(line)
        got = b""
        while len(got) < len(line):
            got += self.out.recv(len(line) - len(got))
        equal(got, line, "the line that came back")


class Capture:
    """Packets seen on an interface: (outgoing?, whole frame)"""

    def __init__(self, world, namespace, device):
        with namespace.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.bind((device, 0))
        self.sock.settimeout(0.1)
        world.keep(self.sock)
        self.frames, self._stop = [], False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop:
            try:
                frame, address = self.sock.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            self.frames.append((address[2] == socket.PACKET_OUTGOING, frame))

    def stop(self):
        self._stop = True
        self._thread.join(2)
        return self.frames

    def udp(self, dst_port=None, src_port=None):
        """(IPv4 type of service, UDP payload) of what was captured so far"""
        for _, frame in list(self.frames):
            if frame[12:14] != b"\x08\x00" or frame[23] != 17:
                continue
            udp = 14 + (frame[14] & 15) * 4
            src, dst = (int.from_bytes(frame[udp + i:udp + i + 2], "big") for i in (0, 2))
            if dst_port in (None, dst) and src_port in (None, src):
                length = int.from_bytes(frame[udp + 4:udp + 6], "big")
                yield frame[15], frame[udp + 8:udp + length]


# --- the runner --------------------------------------------------------------------------------

_tests = []


def test(proves, limit=30):
    """Marks a function of one World as a test; limit in seconds."""
    def mark(function):
        _tests.append((function, proves, limit))
        return function
    return mark


def sweep():
    """Removes the namespaces and folders of runs that were killed before they could."""
    for path in glob.glob("/run/netns/kvt-*"):
        pid = os.path.basename(path).split("-")[1]
        if not os.path.exists(f"/proc/{pid}"):
            shell("ip", "netns", "del", os.path.basename(path), check_status=False)
    for path in glob.glob(os.path.join(tempfile.gettempdir(), FOLDER + "*")):
        with contextlib.suppress(OSError):
            sweep_folder(path)


def sweep_folder(path):
    """By its lock, which goes with who made it: in a box of its own that has a process number which is none here."""
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.time() - os.fstat(lock).st_mtime > 60:  # else it may be about to be locked
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def _on_alarm(*_):
    raise TimeLimit()


def _on_signal(number, _):
    sys.exit(128 + number)


def _lines_of(error, function):
    """Where in the test's own file it went wrong."""
    frames = traceback.extract_tb(error.__traceback__)
    own = function.__code__.co_filename
    return "\n".join(f"  at {f.name}:{f.lineno}: {f.line}" for f in frames if f.filename == own)


def _sanitizer_reports(world):
    """What sanitizers said of any program, from the first report on."""
    for process in world.processes:
        for i, line in enumerate(process.lines):
            if SANITIZER_REPORT.search(line):
                yield f"{process.name}:\n" + "\n".join(process.lines[i:i + 60])
                break


def _outcome(function, world, limit):
    """(result, text)"""
    signal.alarm(int(limit * TIME_FACTOR))
    try:
        function(world)
        return "ok", ""
    except Skipped as e:
        return "skipped", str(e)
    except Failed as e:
        return "not ok", f"{e}\n{_lines_of(e, function)}"
    except TimeLimit:
        return "not ok", f"not done after {int(limit * TIME_FACTOR)} s"
    except Exception:  # a test's own mistake must not end the others
        return "not ok", traceback.format_exc()
    finally:
        signal.alarm(0)
        world.close()


def _run_one(function, limit):
    """(result, text)"""
    world = World()
    result, text = _outcome(function, world, limit)
    reports = list(_sanitizer_reports(world))
    if reports:
        result, text = "not ok", "\n".join([text, *reports])
    if result == "not ok":
        text += "\n" + "\n".join(f"  {p.name}:\n{p.tail()}" for p in world.processes if p.lines)
    return result, text


def require_root():
    if os.geteuid() != 0:
        print("SKIPPED: these tests make network namespaces and need root", flush=True)
        sys.exit(SKIPPED)
    if not os.path.exists("/dev/net/tun"):
        print("SKIPPED: there is no /dev/net/tun", flush=True)
        sys.exit(SKIPPED)


def main():
    """Runs the tests of the calling file; arguments choose some of them by name."""
    require_root()
    if not os.access(PROGRAM, os.X_OK) and os.path.basename(sys.argv[0]) != "test_linkem.py":
        print(f"there is no program at {PROGRAM}", flush=True)
        sys.exit(1)
    signal.signal(signal.SIGALRM, _on_alarm)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _on_signal)
    sweep()
    chosen = [t for t in _tests if not sys.argv[1:] or t[0].__name__ in sys.argv[1:]]
    results = []
    for function, proves, limit in chosen:
        start = time.monotonic()
        result, text = _run_one(function, limit)
        results.append(result)
        print(f"{result:7} {function.__name__} ({time.monotonic() - start:.1f} s): {proves}", flush=True)
        if text:
            print("\n".join("        " + line for line in text.splitlines()), flush=True)
    bad = results.count("not ok")
    print(f"{results.count('ok')} passed, {bad} failed, {results.count('skipped')} skipped", flush=True)
    if bad or not results:
        sys.exit(1)
    sys.exit(SKIPPED if "skipped" in results and "ok" not in results else 0)
