#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Our sessions against Debian's kcptun, on loopback: every cipher, with and without FEC, with and
without loss, as the one who calls and as the one who is called; and with and without copies of whole
datagrams over a path that takes its time. Bytes are compared at both ends.

    as client: kv-kcptun-peer --UDP--> kcptun-server --TCP--> here
    as server: here --TCP--> kcptun-client --UDP--> kv-kcptun-peer

kcptun makes a TCP connection of each of our two streams. What the other end of a session says in
them is said here: the handshake in the first, packets in the second.
"""
import argparse
import concurrent.futures
import contextlib
import itertools
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

CIPHERS = ("aes", "aes-128", "aes-192", "salsa20", "blowfish", "twofish", "cast5", "3des", "tea", "xtea",
           "xor", "sm4", "none")
SECRET = "a secret for two"
UP, UP_LONG, DOWN = 1500000, 4000000, 1200000  # bytes sent by our peer, for copies to tell, and to it
DELAY = 10  # ms each way, for copies
SECONDS = 40
PORT = 23571  # of kcptun; below those that the kernel gives out
SKIPPED = 77

# What our peer puts of the file into an inner packet, and in front of it: no flags, IPv4.
PACKET, PACKET_INFO = 1396, b"\0\0\x08\0"

# The handshake. The client's: no id, MTU 1500, an address wanted. The server's: 10.0.0.2 of 10.0.0.1/24,
# MTU 1400 and frames as large as kcptun's.
CLIENT_INFORMATION = b"\xd5" + struct.pack("<BBHBI", 0, 0, 1500, 0, 0).ljust(32, b"\0") + b"\xd5"
ASSIGNED = b"\xd5\x03" + struct.pack("<IBHHII", 0x0a000002, 0, 1400, 8192, 0x0a000001, 0xffffff00) + b"\xd5"
CLIENT_READY, SERVER_READY = b"\xd5\x06\xd5", b"\xd5\x07\xd5"

# With copies a transfer takes half the time where much is lost; a busy machine may spoil that.
SLOWER_MAX = 1.5

# Counters of kcptun that say that something made no sense to it.
ERRORS = ("InErrs", "InCsumErrors", "KCPInErrors", "FECErrs")


class Failure(Exception):
    """A case that failed, and why"""


def receive(conn, n):
    got = bytearray()
    while len(got) < n:
        chunk = conn.recv(min(n - len(got), 1 << 16))
        if not chunk:
            raise Failure(f"kcptun ended the connection after {len(got)} of {n} bytes")
        got += chunk
    return bytes(got)


def expect(conn, want):
    got = receive(conn, len(want))
    if got != want:
        raise Failure(f"{got.hex()} came instead of {want.hex()}")


def framed(data):
    """A file as our peer sends it: the stream of its inner packets"""
    return b"".join(PACKET_INFO + data[at:at + PACKET] for at in range(0, len(data), PACKET))


def exchange(conn, to_send, to_expect):
    """Sends one block of bytes over TCP while it takes the other."""
    conn.settimeout(SECONDS)
    sender = threading.Thread(target=lambda: conn.sendall(to_send), daemon=True)
    sender.start()
    got = receive(conn, len(to_expect))
    if got != to_expect:
        raise Failure("what came out of TCP is not what was sent")
    sender.join(SECONDS)


class Case:
    """One pair of programs"""

    def __init__(self, number, cipher, role, fec, loss, delay=0, copies=True):
        self.role, self.cipher, self.fec, self.loss = role, cipher, fec, loss
        self.delay, self.copies = delay, copies
        # kcptun cannot be told to take any port that is free: an address of each case's own has them all.
        run = os.getpid() % (1 << 14)
        self.address = f"127.{64 + (run >> 8)}.{run & 255}.{number + 1}"
        self.started = []
        self.peer = self.kcptun = None
        self.sent_ms = 0

    def __str__(self):
        return (f"{self.role:6} {self.cipher:8} {'FEC 10+3' if self.fec else 'no FEC  '} {self.loss:4.0%} loss"
                f" {self.delay:2} ms" + ("" if self.copies else ", no copies"))

    def start_kcptun(self, name, *where):
        shards = (10, 3) if self.fec else (0, 0)
        self.kcptun = subprocess.Popen(
            [name, *where, "--key", SECRET, "--crypt", self.cipher, "--nocomp", "--mode", "fast3", "--smuxver", "1",
             "--mtu", "1350", "--sndwnd", "1024", "--rcvwnd", "1024", "--ds", str(shards[0]), "--ps", str(shards[1]),
             "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.started.append(self.kcptun)

    def start_peer(self, program, folder, *where):
        shards = (10, 3) if self.fec else (0, 0)
        seed = sum(map(ord, str(self)))
        self.peer = subprocess.Popen(
            [program, "--role", self.role, "--cipher", self.cipher, "--secret", SECRET, "--ds", str(shards[0]), "--ps",
             str(shards[1]), "--loss", str(self.loss), "--delay", str(self.delay), "--seed", str(seed), "--seconds",
             str(SECONDS), "--send", f"{folder}/{'up-long' if self.delay else 'up'}", "--expect", f"{folder}/down", *where,
             *([] if self.copies else ["--no-copies"])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.started.append(self.peer)

    def as_client(self, program, folder, up, down):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(2)
            listener.settimeout(SECONDS)
            self.start_kcptun("kcptun-server", "-l", f"{self.address}:{PORT}", "-t",
                              f"127.0.0.1:{listener.getsockname()[1]}")
            self.start_peer(program, folder, "--address", self.address, "--port", str(PORT))
            with listener.accept()[0] as control:
                control.settimeout(SECONDS)
                if receive(control, len(CLIENT_INFORMATION))[:2] != CLIENT_INFORMATION[:2]:
                    raise Failure("this is no client's information")
                control.sendall(ASSIGNED)
                expect(control, CLIENT_READY)
                control.sendall(SERVER_READY)
                with listener.accept()[0] as packets:
                    exchange(packets, down, framed(up))
                    return self.peer.communicate(timeout=SECONDS)[0]

    def connect(self):
        """A TCP connection to a program that may just be starting"""
        end = time.monotonic() + 10
        while True:
            try:
                conn = socket.create_connection((self.address, PORT), 5)
                conn.settimeout(SECONDS)
                return conn
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def as_server(self, program, folder, up, down):
        self.start_peer(program, folder)
        udp = self.peer.stdout.readline().split()[1]
        self.start_kcptun("kcptun-client", "-l", f"{self.address}:{PORT}", "-r", f"127.0.0.1:{udp}")
        with self.connect() as control:
            control.sendall(CLIENT_INFORMATION)
            expect(control, ASSIGNED)
            control.sendall(CLIENT_READY)
            expect(control, SERVER_READY)
            with self.connect() as packets:
                exchange(packets, down, framed(up))
                return self.peer.communicate(timeout=SECONDS)[0]

    def count(self):
        """kcptun's counters"""
        self.kcptun.send_signal(signal.SIGUSR1)
        for line in self.kcptun.stderr:
            if "SNMP" in line:
                return {name: int(value) for name, value in re.findall(r"(\w+):(\d+)", line.split("SNMP")[1])}
        raise Failure("kcptun did not tell its counters")

    def check(self, text):
        """What our peer and kcptun counted; returns what is worth telling."""
        if self.peer.returncode != 0:
            raise Failure("our peer failed")
        self.sent_ms = int(re.search(r"bytes in (\d+) ms", text).group(1))
        copied = int(re.search(r"(\d+) copied", text).group(1))
        counters = self.count()
        # kcptun's sm4 spoils a datagram now and then, the oftener the more threads it runs on; no other does.
        wrong = {name: counters[name] for name in ERRORS
                 if counters[name] > 0 and (self.cipher, name) != ("sm4", "InCsumErrors")}
        if wrong:
            raise Failure(f"kcptun counts {wrong}")
        if self.fec and self.loss > 0 and counters["FECRecovered"] == 0:
            raise Failure("kcptun rebuilt nothing")
        if self.copies and self.loss >= 0.2 and (copied == 0 or counters["RepeatSegs"] == 0):
            raise Failure("there were no copies")
        if not self.copies and self.fec and copied > 0:
            raise Failure("there were copies")
        return f"; kcptun: {counters['RepeatSegs']} segments twice, {counters['FECRecovered']} shards rebuilt"

    def run(self, program, folder, up, down):
        """(passed, seconds, text)"""
        start, text, why = time.monotonic(), "", []
        try:
            text = (self.as_client if self.role == "client" else self.as_server)(program, folder, up, down)
            text = text.strip() + self.check(text)
        except (OSError, subprocess.TimeoutExpired, IndexError, Failure) as e:
            why = [str(e) if isinstance(e, Failure) else repr(e)]
            # Our peer, if it was started, has more to say when its own limit comes.
            if self.peer and not text:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    text = self.peer.communicate(timeout=SECONDS)[0]
        finally:
            for process in self.started:
                if process.poll() is None:
                    process.kill()
                process.wait()
        return not why, time.monotonic() - start, text.strip().splitlines() + why


def make_cases():
    roles, fec = ("client", "server"), (True, False)
    plain = itertools.product(CIPHERS, roles, fec, (0.0, 0.1))
    copies = itertools.product(("aes",), roles, fec, (0.0, 0.1, 0.2), (DELAY,), (True, False))
    return (Case(number, *what) for number, what in enumerate(itertools.chain(plain, copies)))


def compare(cases, loss):
    """Whether our peer was not slower with copies than without"""
    took = {copies: [case.sent_ms for case in cases if case.delay and case.loss == loss and case.copies == copies]
            for copies in (True, False)}
    if len(took[True]) != len(took[False]) or not took[True] or 0 in took[True] + took[False]:
        return True  # a choice of cases, or one that failed
    ok = sum(took[True]) <= SLOWER_MAX * sum(took[False])
    print(f"{'ok' if ok else 'not ok':6} {loss:.0%} loss: {sum(took[True])} ms with copies, {sum(took[False])} without")
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="kv-kcptun-peer")
    parser.add_argument("--only", help="run cases whose line has this text")
    args = parser.parse_args()
    if not (shutil.which("kcptun-server") and shutil.which("kcptun-client")):
        print("SKIPPED: kcptun is not installed")
        return SKIPPED
    cases = list(make_cases())
    if args.only:
        cases = [case for case in cases if args.only in str(case)]
    up_long, down, bad = os.urandom(UP_LONG), os.urandom(DOWN), 0
    up = up_long[:UP]
    with tempfile.TemporaryDirectory(prefix="kv-kcptun-") as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, data in (("up", up), ("up-long", up_long), ("down", down)):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        for case, (ok, seconds, text) in zip(cases, pool.map(
                lambda case: case.run(args.program, folder, up_long if case.delay else up, down), cases)):
            print(f"{'ok' if ok else 'not ok':6} {case} {seconds:5.1f} s  {text[-1] if text else ''}", flush=True)
            if not ok:
                bad += 1
                print("\n".join("        " + line for line in text[-10:]), flush=True)
    for loss in (0.1, 0.2):
        bad += not compare(cases, loss)
    print(f"{len(cases)} cases, {bad} failed", flush=True)
    return 1 if bad or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
