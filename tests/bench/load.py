#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmark sends and receives, each a process of its own inside a namespace:
sink PORT | push HOST PORT SECONDS [BIT/S] | echo PORT | records HOST PORT N INTERVAL"""
import json
import socket
import struct
import sys
import threading
import time

RECORD = 64  # bytes


def cubic(sock):
    """The host's default may hide what loss does to TCP; both ends may lack the algorithm's name."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


def serve(port, handle):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", int(port)))
    listener.listen(16)
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=handle, args=(conn,), daemon=True).start()


def sink(port):
    """Counts what connections bring; a line [time, bytes] as it goes, since on a bad link the end
    of a connection may never arrive."""
    def count(conn):
        total, last, buf = 0, 0.0, bytearray(1 << 18)
        try:
            while (n := conn.recv_into(buf)) > 0:
                total += n
                now = time.time()
                if now - last > 0.05:
                    print(json.dumps([now, total]), flush=True)
                    last = now
        except OSError:
            pass
        print(json.dumps([time.time(), total]), flush=True)
    serve(port, count)


def push(host, port, seconds, rate=0):
    """Sends for some seconds, at a rate or as fast as it goes."""
    start, rate = time.time(), float(rate)
    end = start + float(seconds)
    sock = socket.create_connection((host, int(port)), timeout=float(seconds))
    cubic(sock)
    buf, sent = b"\xa5" * (1200 if rate else 131072), 0
    sock.settimeout(0.5)
    while time.time() < end:
        try:
            sent += sock.send(buf)
        except TimeoutError:
            continue
        if rate:
            time.sleep(max(0, start + sent * 8 / rate - time.time()))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    print(json.dumps({"start": start, "sent": sent}), flush=True)
    sock.close()


def echo(port):
    def back(conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while data := conn.recv(65536):
                conn.sendall(data)
        except OSError:
            pass
    serve(port, back)


def records(host, port, n, interval):
    """64-byte records over one TCP connection at a fixed pace; ms until each came back"""
    n, interval = int(n), float(interval)
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cubic(sock)
    times, done = [], threading.Event()

    def receive():
        pending = b""
        try:
            while len(times) < n and (data := sock.recv(65536)):
                pending += data
                while len(pending) >= RECORD:
                    times.append((time.monotonic() - struct.unpack("d", pending[:8])[0]) * 1e3)
                    pending = pending[RECORD:]
        except OSError:
            pass
        done.set()

    threading.Thread(target=receive, daemon=True).start()
    start = time.monotonic()
    for i in range(n):
        time.sleep(max(0, start + i * interval - time.monotonic()))
        sock.sendall(struct.pack("d", time.monotonic()).ljust(RECORD, b"\0"))
    done.wait(5)
    print(json.dumps({"sent": n, "ms": [round(t, 3) for t in times]}), flush=True)


if __name__ == "__main__":
    {"sink": sink, "push": push, "echo": echo, "records": records}[sys.argv[1]](*sys.argv[2:])
