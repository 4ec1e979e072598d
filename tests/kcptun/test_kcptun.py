#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Our lower v1 layers against Debian's kcptun, on loopback: every cipher, with and without FEC, with
and without loss, as the one who calls and as the one who is called. Bytes are compared at both ends.

    as client: kv-kcptun-peer --UDP--> kcptun-server --TCP--> here
    as server: here --TCP--> kcptun-client --UDP--> kv-kcptun-peer
"""
import argparse
import concurrent.futures
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

CIPHERS = ("aes", "aes-128", "aes-192", "salsa20", "blowfish", "twofish", "cast5", "3des", "tea", "xtea",
           "xor", "sm4", "none")
SECRET = "a secret for two"
UP, DOWN = 1500000, 1200000  # bytes sent by our peer, and to it
SECONDS = 40
PORT = 23571  # of kcptun; below those that the kernel gives out
SKIPPED = 77


def exchange(conn, to_send, to_expect):
    """Sends one block of bytes over TCP while it takes the other. Whether that one was right."""
    conn.settimeout(SECONDS)
    sender = threading.Thread(target=lambda: conn.sendall(to_send), daemon=True)
    sender.start()
    got = bytearray()
    while len(got) < len(to_expect):
        chunk = conn.recv(1 << 16)
        if not chunk:
            break
        got += chunk
    sender.join(SECONDS)
    return bytes(got) == to_expect


class Case:
    def __init__(self, number, cipher, role, fec, loss):
        self.role, self.cipher, self.fec, self.loss = role, cipher, fec, loss
        # kcptun cannot be told to take any port that is free: an address of each case's own has them all.
        run = os.getpid() % (1 << 14)
        self.address = f"127.{64 + (run >> 8)}.{run & 255}.{number + 1}"

    def __str__(self):
        return f"{self.role:6} {self.cipher:8} {'FEC 10+3' if self.fec else 'no FEC  '} {self.loss:4.0%} loss"

    def kcptun_flags(self):
        shards = (10, 3) if self.fec else (0, 0)
        return ["--key", SECRET, "--crypt", self.cipher, "--nocomp", "--mode", "fast3", "--smuxver", "1", "--mtu", "1350",
                "--sndwnd", "1024", "--rcvwnd", "1024", "--ds", str(shards[0]), "--ps", str(shards[1]), "--quiet"]

    def peer(self, program, folder, *more):
        shards = (10, 3) if self.fec else (0, 0)
        seed = sum(map(ord, str(self)))
        return subprocess.Popen([program, "--role", self.role, "--cipher", self.cipher, "--secret", SECRET, "--ds",
                                 str(shards[0]), "--ps", str(shards[1]), "--loss", str(self.loss), "--seed", str(seed),
                                 "--seconds", str(SECONDS), "--send", f"{folder}/up", "--expect", f"{folder}/down",
                                 *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def as_client(case, program, folder, up, down, started):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        listener.settimeout(SECONDS)
        started.append(subprocess.Popen(["kcptun-server", "-l", f"{case.address}:{PORT}", "-t",
                                         f"127.0.0.1:{listener.getsockname()[1]}", *case.kcptun_flags()],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        peer = case.peer(program, folder, "--address", case.address, "--port", str(PORT))
        started.append(peer)
        conn, _ = listener.accept()
        with conn:
            right = exchange(conn, down, up)
            text, _ = peer.communicate(timeout=SECONDS)
    return right and peer.returncode == 0, text


def connect(address):
    """A TCP connection to a program that is just starting"""
    end = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection((address, PORT), 5)
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def as_server(case, program, folder, up, down, started):
    peer = case.peer(program, folder)
    started.append(peer)
    udp = peer.stdout.readline().split()[1]
    started.append(subprocess.Popen(["kcptun-client", "-l", f"{case.address}:{PORT}", "-r", f"127.0.0.1:{udp}",
                                     *case.kcptun_flags()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    with connect(case.address) as conn:
        right = exchange(conn, down, up)
        text, _ = peer.communicate(timeout=SECONDS)
    return right and peer.returncode == 0, text


def said_before_end(started):
    """What our peer, if it was started, says when its own limit comes"""
    for process in started:
        if process.stdout:
            try:
                return process.communicate(timeout=10)[0] + "\n"
            except subprocess.TimeoutExpired:
                return "our peer goes on beyond its limit\n"
    return ""


def run(case, program, folder, up, down):
    """(passed, seconds, text)"""
    start, started = time.monotonic(), []
    try:
        ok, text = (as_client if case.role == "client" else as_server)(case, program, folder, up, down, started)
    except (OSError, subprocess.TimeoutExpired, IndexError) as e:
        ok, text = False, said_before_end(started) + repr(e)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
    return ok, time.monotonic() - start, text.strip().splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="kv-kcptun-peer")
    parser.add_argument("--only", help="run cases whose line has this text")
    args = parser.parse_args()
    if not (shutil.which("kcptun-server") and shutil.which("kcptun-client")):
        print("SKIPPED: kcptun is not installed")
        return SKIPPED
    cases = [Case(number, *what) for number, what in
             enumerate(itertools.product(CIPHERS, ("client", "server"), (True, False), (0.0, 0.1)))]
    if args.only:
        cases = [case for case in cases if args.only in str(case)]
    up, down, bad = os.urandom(UP), os.urandom(DOWN), 0
    with tempfile.TemporaryDirectory(prefix="kv-kcptun-") as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, data in (("up", up), ("down", down)):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        for case, (ok, seconds, text) in zip(cases, pool.map(
                lambda case: run(case, args.program, folder, up, down), cases)):
            print(f"{'ok' if ok else 'not ok':6} {case} {seconds:5.1f} s  {text[-1] if text else ''}", flush=True)
            if not ok:
                bad += 1
                print("\n".join("        " + line for line in text[-10:]), flush=True)
    print(f"{len(cases) - bad} passed, {bad} failed", flush=True)
    return 1 if bad or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
