# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture of rapid FEC: ping over time on a link that loses 10 per cent, bare, through the tunnel
without it, and with it; all three at once, so that they meet the same minutes."""
import re
import threading

import svg
from kvnet import World

PER_SECOND, SECONDS, LOSS, RTT_MS = 5, 30, 10, 50
COLOURS = {"bare link": svg.COLOURS["bare"], "tunnel": svg.COLOURS["kcptun"], "tunnel, --rapid-fec": svg.COLOURS["kcpvpn"]}


def ping(namespace, host):
    """{second: ms}, [seconds without an answer]"""
    count = PER_SECOND * SECONDS
    out = namespace.run("ping", "-n", "-i", str(1 / PER_SECOND), "-c", str(count), "-W", "3", host, check_status=False,
                        timeout=SECONDS + 20)
    got = {int(n) / PER_SECOND: float(ms) for n, ms in re.findall(r"icmp_seq=(\d+) .*time=([\d.]+)", out)}
    return got, [n / PER_SECOND for n in range(1, count + 1) if n / PER_SECOND not in got]


def start(world):
    world.linkem(f"both delay={RTT_MS / 2}ms loss={LOSS}", seed=11)
    for i, more in enumerate(((), ("--rapid-fec",))):
        port = 1235 + i
        world.server("--local-ip", f"192.168.{88 + i}.1", "--assignable-ips", f"192.168.{88 + i}.2-192.168.{88 + i}.9",
                     "--kcp-mode", "fast3", "--vni-name-prefix", f"kv{i}s", *more, port=port, name=f"server{i}")
        world.client("--vni-name", f"kvc{i}", "--kcp-mode", "fast3", *more, port=port, name=f"client{i}")
    world.c.can_ping("192.168.88.1", count=1)
    world.c.can_ping("192.168.89.1", count=1)


def measure():
    world, results = World(), {}
    hosts = {"bare link": "10.77.0.1", "tunnel": "192.168.88.1", "tunnel, --rapid-fec": "192.168.89.1"}
    try:
        start(world)
        threads = [threading.Thread(target=lambda n=name, h=host: results.update({n: ping(world.c, h)}))
                   for name, host in hosts.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        world.close()
    return {name: results[name] for name in hosts}


def picture(path):
    print(f"rapid FEC: {PER_SECOND} pings a second for {SECONDS} s, {LOSS} % loss each way, three ways at once", flush=True)
    results = measure()
    top = max((max(got.values(), default=0) for got, _ in results.values()), default=100)
    plots = []
    for name, (got, lost) in results.items():
        late = sorted(got.values())
        text = (f"{name}: {len(lost) / (len(got) + len(lost)):.0%} lost, median {late[len(late) // 2]:.0f} ms, "
                f"99 % within {late[min(len(late) - 1, int(len(late) * 0.99))]:.0f} ms") if late else f"{name}: all lost"
        print("    " + text, flush=True)
        plot = svg.Plot(text, "seconds", "ms", SECONDS, top * 1.05, height=220)
        plot.dots(sorted(got.items()), COLOURS[name])
        plot.marks(lost, "#c01c28")
        plots.append(plot)
    svg.save(path, plots)
