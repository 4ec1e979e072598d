#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""From "nmcli connection up" to the first answer through the tunnel, over a path of 20 ms, and the same for the
client in the foreground. Usage: FILE [BUILD [TEST...]]

    client ── wan0 ── far, which forwards ── linkem, 10 ms each way ── deep, with the server
"""
import os
import socket
import statistics
import struct
import threading
import time

import kvbox
from kvbox import POOL, check, main, shell, test, wait_until
from kvnet import PORT, TUN_SERVER, Namespace

ROUNDS = 5
MORE_SECONDS = 0.3
SERVER, FORWARDER = "10.77.0.1", "10.77.0.2"


class Pings:
    """An echo request every few milliseconds, from a socket of its own, as routes and addresses come and go."""

    def __init__(self, host):
        self.host, self.first, self.stop = host, None, False
        self.ear = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.ear.settimeout(0.05)
        for work in (self.send, self.hear):
            threading.Thread(target=work, daemon=True).start()

    def send(self):
        # Type 8, code 0, checksum, identifier, sequence number; the checksum of what else is 0.
        request = struct.pack("!BBHHH", 8, 0, 0xffff - 0x0800 - 0x4b56, 0x4b56, 0)
        while not self.stop:
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as mouth:
                try:
                    mouth.sendto(request, (self.host, 0))
                except OSError:
                    pass  # there is no way yet
            time.sleep(0.005)

    def hear(self):
        while not self.stop:
            try:
                packet, (sender, _) = self.ear.recvfrom(2048)
            except TimeoutError:
                continue
            if sender == self.host and packet[20:21] == b"\0" and self.first is None:
                self.first = time.monotonic()

    def close(self):
        self.stop = True
        time.sleep(0.1)
        self.ear.close()


def measure(start):
    """Seconds from the beginning of start() to the first answer."""
    pings = Pings(TUN_SERVER)
    time.sleep(0.05)
    begin = time.monotonic()
    try:
        start()
        wait_until(lambda: pings.first, 20, "an answer comes")
    finally:
        pings.close()
    check(pings.first > begin, "an answer came before the start")
    return pings.first - begin


def make_path(box):
    deep = Namespace("deep", "deep")
    link = box.start([kvbox.kvnet.LINKEM, "-a", f"deep:eth0:{SERVER}/24", "-b", f"far:eth0:{FORWARDER}/24", "-s", "1",
                      "-c", "both delay=10ms"], "linkem")
    link.wait_text("linkem: ready")
    box.far.sysctl("net.ipv4.ip_forward=1")
    deep.ip("route", "add", "default", "via", FORWARDER)
    box.here.can_ping(SERVER)
    return deep


@test("a connection of NetworkManager is at most 0.3 s slower than the client in the foreground", 60)
def first_ping(box):
    deep = make_path(box)
    box.server(*POOL, namespace=deep)
    box.profile("office", ip=SERVER)
    by_manager, by_hand = [], []
    for number in range(ROUNDS):
        by_manager.append(measure(lambda: box.up("office")))
        box.down("office")
        wait_until(lambda: not box.here.has_link("kvc0"), 5, "the connection's interface goes")
        clients = []
        by_hand.append(measure(lambda: clients.append(
            box.client(ip=SERVER, namespace=box.here, name=f"client{number}", wait=False))))
        clients[0].stop()
        wait_until(lambda: not box.here.has_link("kvc0"), 5, "the client's interface goes")
    manager, hand = statistics.median(by_manager), statistics.median(by_hand)
    print(f"        from start to the first answer over 20 ms: NetworkManager {manager:.3f} s "
          f"({', '.join(f'{t:.3f}' for t in by_manager)}), foreground {hand:.3f} s "
          f"({', '.join(f'{t:.3f}' for t in by_hand)})", flush=True)
    check(manager <= hand + MORE_SECONDS, f"{manager:.3f} s, more than {MORE_SECONDS} s above {hand:.3f} s")


main()
