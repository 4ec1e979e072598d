#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A tunnel over a bad link, for people: what the link does to a ping and to a download, and what
is left of that inside the tunnel. Takes less than a minute and leaves nothing behind."""
import os
import re
import signal
import sys

import kvnet
from kvnet import POOL, TUN_SERVER, Failed, World, iperf

DELAY_MS, LOSS = 20, 5
PINGS, SECONDS = 100, 5


def say(text):
    print(text, flush=True)


def measure(world, host):
    """Ping and TCP to a host: the cells of one row"""
    lost, times = world.c.ping(host, PINGS, 0.05, seconds=3)
    times = sorted(times) or [0.0]
    up = iperf(world, world.c, world.s, host, SECONDS)
    down = iperf(world, world.c, world.s, host, SECONDS, "-R")
    return (f"{lost:.0%}", f"{times[len(times) // 2]:.0f} ms", f"{times[-1]:.0f} ms", f"{up / 1e6:.1f} Mbit/s",
            f"{down / 1e6:.1f} Mbit/s")


def table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in (head, tuple("-" * w for w in widths), *rows):
        say("  " + "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                             for i, (cell, w) in enumerate(zip(row, widths))))


def loss_based_tcp():
    """cubic, as most hosts have it, where namespaces may choose it; else its elder kin"""
    with open("/proc/sys/net/ipv4/tcp_allowed_congestion_control", encoding="ascii") as f:
        return "cubic" if "cubic" in f.read().split() else "reno"


def demo(world):
    say(f"1. two namespaces, and between them a link with {DELAY_MS} ms delay and {LOSS} % loss each way")
    for namespace in (world.s, world.c):
        namespace.sysctl("net.ipv4.tcp_congestion_control=" + loss_based_tcp())
    world.linkem(f"both delay={DELAY_MS}ms loss={LOSS} rate=200mbit qms=100")
    say("2. kcpvpn server and kcpvpn client, one in each")
    say("     kcpvpn server --ip 0.0.0.0 --port 1235 --vni-mode tun --local-ip 192.168.88.1 \\")
    say("         --netmask 255.255.255.0 --assignable-ips 192.168.88.2-192.168.88.254")
    say("     kcpvpn client --ip 10.77.0.1 --port 1235")
    world.server("--local-ip", TUN_SERVER, "--netmask", "255.255.255.0", "--assignable-ips",
                 POOL, crypt=None)
    client = world.client(crypt=None)
    client.wait_text("instructions for")
    say("     " + re.search(r"protocol native with cipher [^\"]*", client.text())[0])
    world.c.can_ping(TUN_SERVER)
    say(f"3. {PINGS} pings and {SECONDS} s of TCP each way, beside the tunnel and through it")
    bare = measure(world, "10.77.0.1")
    say("     (halfway)")
    inside = measure(world, TUN_SERVER)
    say("")
    table(("", "ping lost", "typical", "worst", "TCP up", "TCP down"),
          [("bare link", *bare), ("through the tunnel", *inside)])
    say("")


def main():
    kvnet.require_root()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    if not os.access(kvnet.PROGRAM, os.X_OK):
        say(f"there is no program at {kvnet.PROGRAM}: run \"run build\" first")
        return 1
    kvnet.sweep()
    world = World()
    try:
        demo(world)
    except Failed as e:
        say(f"the demo failed: {e}")
        return 1
    finally:
        world.close()
    say("everything the demo made is removed again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
