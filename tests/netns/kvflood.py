# SPDX-License-Identifier: GPL-2.0-or-later
"""A native server under a flood: who takes part, what is sent to it, and what it counts.

    c 10.77.0.2   a client that is connected      a 10.77.1.2   sends the flood, as whoever it likes; the
    g0, g1        newcomers in turn                             way to 10.128.0.0/9 leads there, too

The environment variable KCPVPN_FLOOD names the flooder.
"""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from kvnet import POOL, PORT, PROGRAM, TIME_FACTOR, TOP, TUN_SERVER, Capture, Failed, check, shell, wait_until

sys.path.insert(0, os.path.join(TOP, "tests/vectors/native"))
import kvnative  # noqa: E402  the protocol after its document alone
import kvsodium  # noqa: E402
from kvnoise import Noise  # noqa: E402

FLOOD = os.environ.get("KCPVPN_FLOOD", os.path.join(TOP, "build/tests/lib/flood/flood"))
LONG = os.environ.get("KV_TEST_LONG") == "1"
SERVER, ATTACKER = ("10.77.1.1", PORT), ("10.77.1.2", 40000)
FORGED = "10.128.0.1"
FORGED_COUNT = 1 << 20
PEERS = "client", "guest0", "guest1"


def key_pair():
    """(private, public), as text"""
    private = shell(PROGRAM, "genkey").strip()
    return private, subprocess.run([PROGRAM, "pubkey"], input=private + "\n", stdout=subprocess.PIPE, text=True,
                                   check=True).stdout.strip()


def raw_key(text):
    return kvnative.base64.b64decode(text)


# --- what is sent ------------------------------------------------------------------------------

def strangers_body(server, size):
    """The body of an initiation by somebody who knows no more than the server's public key, of a whole datagram's size"""
    noise = Noise("IKpsk2", True, kvnative.PROLOGUE, os.urandom(32), bytes(32), os.urandom(32), server)
    records = kvnative.records((4, b"\1"), (0, bytes(max(size - 175, 0))))
    return kvnative.initiation_body(noise, struct.unpack("<I", os.urandom(4))[0] | 1, time.time_ns() // 1000, records)


def initiations(server, n, cookie=None, sizes=range(600, 1201)):
    """Good ones by strangers, with mac2 if there is a cookie"""
    keys = kvnative.OuterKeys(server)
    step = max(len(sizes) // n, 1)
    return [kvnative.frame_handshake(keys, os.urandom(24), strangers_body(server, sizes[i * step % len(sizes)]), cookie,
                                     os.urandom(16)) for i in range(n)]


def with_bad_mac1(datagrams):
    return [d[:24] + os.urandom(16) + d[40:] for d in datagrams]


class Arena:
    """The server, its client, and the attacker"""

    def __init__(self, world, *server_flags):
        self.world = world
        self.attacker, self.guests = world.namespace("a"), [world.namespace("g0"), world.namespace("g1")]
        for n, end in enumerate((world.c, self.attacker, *self.guests)):
            world.veth(world.s, end, n)
        world.s.ip("route", "add", "10.128.0.0/9", "via", ATTACKER[0])
        for name in ("all", "eth0", "eth1"):
            world.s.sysctl(f"net.ipv4.conf.{name}.rp_filter=0")
        self.mac = self._meet(world.s, self.attacker)
        self.keys = {name: key_pair() for name in ("server", *PEERS)}
        self.server_public = raw_key(self.keys["server"][1])
        self.server_flags, self.n_floods, self.n_guests, self.leaving = server_flags, 0, 0, []
        self.start_server()
        self.capture = Capture(world, world.c, "eth0")
        self.began = time.monotonic()
        self.client = self.connect("client", world.c, "10.77.0.1")
        world.c.can_ping(TUN_SERVER, count=1)
        wait_until(lambda: any(len(p) < 600 for _, p in self.capture.udp(dst_port=PORT)), 5, "the client's data is seen")
        self.capture.stop()

    @staticmethod
    def _meet(server, attacker):
        """Both know each other's hardware address; the server's"""
        macs = [end.link("eth1")["address"] for end in (server, attacker)]
        server.ip("neigh", "replace", ATTACKER[0], "lladdr", macs[1], "dev", "eth1", "nud", "permanent")
        return macs[0]

    def start_server(self, name="server"):
        path = os.path.join(self.world.dir, "server.kcpvpn")
        with open(path, "w", encoding="ascii", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            f.write(f"[tunnel]\nrole=server\ncrypt=auto\nprivate-key={self.keys['server'][0]}\nlocal-ip={TUN_SERVER}\n"
                    f"assignable-ips={POOL}\n")
            for peer in PEERS:
                f.write(f"\n[peer {peer}]\npublic-key={self.keys[peer][1]}\n")
        self.server = self.world.server("--config", path, *self.server_flags, secret=None, crypt="auto", name=name)

    def connect(self, peer, namespace, ip, *flags, name=None, **kw):
        return self.world.client("--private-key", self.keys[peer][0], "--public-key", self.keys["server"][1], *flags, ip=ip,
                                 secret=None, crypt="auto", namespace=namespace, name=name or peer, **kw)

    def newcomer(self):
        """Seconds from the start of a client's program until it is connected; it leaves at once"""
        turn = self.n_guests % 2
        self.n_guests += 1
        if len(self.leaving) == 2:
            self.leaving.pop(0).expect_exit(0)
        start = time.monotonic()
        client = self.connect(f"guest{turn}", self.guests[turn], f"10.77.{2 + turn}.1", name=f"visit{self.n_guests}", wait=False)
        took = client.wait_event("connected", 30)["time"] - start
        client.send(signal.SIGTERM)
        self.leaving.append(client)
        return took

    # --- the flood

    def corpus(self, datagrams, name="corpus"):
        path = os.path.join(self.world.dir, name)
        with open(path, "wb") as f:
            for datagram in datagrams:
                f.write(struct.pack("<H", len(datagram)) + datagram)
        return path

    def start_flood(self, rate, source=ATTACKER, **options):
        self.n_floods += 1
        words = {"device": "eth1", "mac": self.mac, "to": "%s:%d" % SERVER, "from": "%s:%d" % source, "rate": rate, **options}
        return self.world.start([FLOOD, *(f"{key}={value}" for key, value in words.items())], f"flood{self.n_floods}",
                                self.attacker)

    @staticmethod
    def end_flood(flood):
        """What it did: see tests/lib/flood"""
        if flood.alive():
            with contextlib.suppress(ProcessLookupError):
                flood.send(signal.SIGTERM)
        flood.expect_exit(0)
        return json.loads(flood.text().splitlines()[-1])

    def flood(self, rate, seconds, **options):
        flood = self.start_flood(rate, seconds=seconds, **options)
        flood.wait_exit(seconds / min(TIME_FACTOR, 1) + 20)
        return self.end_flood(flood)

    def cookie(self, source=ATTACKER):
        """What the server gives to an address while it is under load"""
        keys = kvnative.OuterKeys(self.server_public)
        sock = self.world.keep(self.attacker.socket(kind=socket.SOCK_DGRAM))
        sock.bind(source)
        sock.settimeout(0.2)
        for _ in range(20):
            asked, = initiations(self.server_public, 1)
            sock.sendto(asked, SERVER)
            with contextlib.suppress(TimeoutError, kvsodium.Forged):
                reply = sock.recv(2048)
                return kvsodium.xchacha_open(keys.cookie, reply[:24], reply[24:], asked[24:40])[:16]
        raise Failed("the server gives no cookie")

    # --- what the server says

    def counters(self):
        """(handshakes opened, cookie replies, drops outside of sessions by reason)"""
        seen = len(re.findall("handshakes: ", self.server.text()))
        self.server.send(signal.SIGUSR1)
        wait_until(lambda: len(re.findall("handshakes: ", self.server.text())) > seen, 5, "the server tells its counters",
                   step=0.005)
        text = self.server.text()
        opened, cookies = re.findall(r"handshakes: (\d+) opened, (\d+) answered", text)[-1]
        drops = re.findall(r"dropped outside of sessions:((?: [a-z-]+ \d+)+)", text)
        words = drops[-1].split() if drops else []
        return int(opened), int(cookies), {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}

    def opened_datagrams(self):
        """Datagrams of the client's that the server took for true; it is the only one"""
        self.counters()
        return int(re.findall(r"wire in (\d+) datagrams", self.server.text())[-1])

    def cpu(self):
        """Seconds of a processor that the server has had"""
        total = 0
        for task in os.listdir(f"/proc/{self.server.pid}/task"):
            with open(f"/proc/{self.server.pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def missed(self):
        """Datagrams that had no room in a socket of the server's namespace"""
        names, values = (line.split() for line in self.world.s.run("cat", "/proc/net/snmp").splitlines()
                         if line.startswith("Udp:"))
        return int(values[names.index("RcvbufErrors")])

    def rss(self):
        """KiB"""
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS:")).split()[1])

    def check_well(self, connected=1):
        """The client never lost its session, and it works"""
        self.world.c.can_ping(TUN_SERVER, count=1)
        check(self.server.alive() and self.client.alive(), "server and client live")
        check(self.client.count("connected") == connected, "the client was connected more than once")


def machine():
    """What a figure was measured on"""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "processor")
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release.split('-')[0]}"


def say(text):
    print("        " + text, flush=True)
