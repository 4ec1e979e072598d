# SPDX-License-Identifier: GPL-2.0-or-later
"""From the records of a benchmark to a table, to bars that are met or not, and to plots."""
import os
import statistics

import svg

OURS, THEIRS = "kcpvpn", "kcptun"
COLUMNS = (OURS, "native", THEIRS, "bare")
NOISE = 1.03  # what two medians of the same thing may differ by

# Of a full datagram on the emulated wire: the bytes of one inner TCP segment.
WIRE_BYTES = 1350 + 28 + 14 + 24        # UDP payload, IP and UDP, Ethernet, preamble and gap
STREAM_BYTES = 1350 - 24 - 28           # of it: KCP payload
INNER_SHARE = 1448 / (1500 + 4 + 8)     # of that: TCP payload in packet, packet information, smux
PAYLOAD_SHARE = STREAM_BYTES / WIRE_BYTES * INNER_SHARE

# name, path into a record, unit, digits, whether more is better
CLEAN = (("TCP up", ("tcp_up", "mbps"), "Mbit/s", 0, True), ("TCP down", ("tcp_down", "mbps"), "Mbit/s", 0, True),
         ("CPU, up", ("tcp_up", "cpu_s_per_gb"), "s/GB", 2, False), ("CPU, down", ("tcp_down", "cpu_s_per_gb"), "s/GB", 2, False),
         ("UDP 64 B received", ("udp64", "kpps"), "kpps", 0, True), ("64 B record, p50", ("idle", "p50"), "ms", 2, False),
         ("64 B record, p99", ("idle", "p99"), "ms", 2, False), ("memory of a client", ("rss_mb",), "MB", 1, False))
LOSSY = (("goodput", ("goodput", "mbps"), "Mbit/s", 1, True), ("CPU", ("goodput", "cpu_s_per_gb"), "s/GB", 2, False),
         ("record p50", ("idle", "p50"), "ms", 1, False), ("record p99", ("idle", "p99"), "ms", 1, False),
         ("record p50, loaded", ("loaded", "p50"), "ms", 1, False), ("record p99, loaded", ("loaded", "p99"), "ms", 1, False))


class Results:
    def __init__(self, records):
        self.records = [r for r in records if "error" not in r]
        self.errors = [r for r in records if "error" in r]
        self.losses = sorted({r["loss"] for r in self.records if r["suite"] == "lossy"})

    def median(self, peer, path, loss=None):
        values = []
        for r in self.records:
            if r["peer"] != peer or (r["suite"] == "lossy") != (loss is not None) or r.get("loss") != loss:
                continue
            for key in path:
                r = r.get(key) if isinstance(r, dict) else None
            if r is not None:
                values.append(r)
        return statistics.median(values) if values else None

    def passes(self):
        return max((r["pass"] + 1 for r in self.records), default=0)


def cell(value, digits):
    return "n/a" if value is None else f"{value:.{digits}f}"


def row(name, values, unit, digits):
    """values: of each of COLUMNS"""
    ours, theirs = (values[COLUMNS.index(p)] for p in (OURS, THEIRS))
    ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else "-"
    return f"| {name} ({unit}) | {' | '.join(cell(v, digits) for v in values)} | {ratio} |"


def table(results):
    out = [f"Medians of {results.passes()} interleaved passes; ratio is {OURS} to {THEIRS}.", ""]
    head = [f"| | {' | '.join(COLUMNS)} | ratio |", "|---|" + "--:|" * (len(COLUMNS) + 1)]
    if any(r["suite"] == "clean" for r in results.records):
        out += ["Clean link (veth):", "", *head]
        out += [row(name, [results.median(p, path) for p in COLUMNS], unit, digits) for name, path, unit, digits, _ in CLEAN] + [""]
    for loss in results.losses:
        out += [f"200 Mbit/s, 50 ms RTT, 100 ms queue, {loss:g} % loss each way:", "", *head]
        out += [row(name, [results.median(p, path, loss) for p in COLUMNS], unit, digits) for name, path, unit, digits, _ in LOSSY] + [""]
    out += [f"failed: {r['suite']} {r['peer']} pass {r['pass']}: {r['error']}" for r in results.errors]
    return "\n".join(out)


def bar(out, met, text):
    out.append((met, text))


def clean_bars(results, out):
    for name in ("tcp_up", "tcp_down"):
        ours, theirs = (results.median(p, (name, "mbps")) for p in (OURS, THEIRS))
        if ours and theirs:
            bar(out, ours >= 3 * theirs, f"{name}: {ours:.0f} Mbit/s is at least 3 x {theirs:.0f} ({ours / theirs:.1f} x)")
        ours, theirs = (results.median(p, (name, "cpu_s_per_gb")) for p in (OURS, THEIRS))
        if ours and theirs:
            bar(out, ours <= theirs / 4, f"{name}: {ours:.2f} CPU s/GB is at most a quarter of {theirs:.2f} "
                                         f"({ours / theirs:.2f} x)")
    rss = results.median(OURS, ("rss_mb",))
    if rss:
        bar(out, rss < 16, f"memory of a client: {rss:.1f} MB is below 16 MB")


def lossy_bars(results, out, rate_mbps, shards):
    for loss in results.losses:
        for name, path, unit, digits, more in LOSSY:
            ours, theirs = (results.median(p, path, loss) for p in (OURS, THEIRS))
            if ours is None or theirs is None:
                continue
            met = ours * NOISE >= theirs if more else ours <= theirs * NOISE
            bar(out, met, f"{loss:g} % loss, {name}: {ours:.{digits}f} {unit} is no worse than {theirs:.{digits}f}")
        for name in ("idle", "loaded"):
            ours, theirs = (results.median(p, (name, "p99"), loss) for p in (OURS, THEIRS))
            if loss in (5, 10) and ours and theirs:
                bar(out, ours <= 0.8 * theirs, f"{loss:g} % loss, {name} record p99: {ours:.1f} ms is 20 % below {theirs:.1f}")
        goodput = results.median(OURS, ("goodput", "mbps"), loss)
        if goodput is not None and loss <= 10:
            best = rate_mbps * (1 - loss / 100) * shards[0] / sum(shards) * PAYLOAD_SHARE
            bar(out, goodput >= 0.85 * best, f"{loss:g} % loss, goodput: {goodput:.1f} Mbit/s is at least 85 % of the "
                                             f"{best:.1f} that fit ({goodput / best:.0%})")


def bars(results, rate_mbps, shards):
    out = []
    clean_bars(results, out)
    lossy_bars(results, out, rate_mbps, shards)
    return out


def plots(results, folder, rate_mbps, shards):
    """goodput.svg, latency.svg"""
    if len(results.losses) < 2:
        return
    top = max(results.losses)

    def points(peer, path):
        pairs = ((loss, results.median(peer, path, loss)) for loss in results.losses)
        return [(x, y) for x, y in pairs if y is not None]

    def highest(path):
        return max((y for p in (OURS, THEIRS) for _, y in points(p, path)), default=1)

    goodput = svg.Plot("TCP goodput, 200 Mbit/s, 50 ms RTT", "loss each way, %", "Mbit/s", top, rate_mbps * 0.8,
                       x_ticks=results.losses)
    for peer in (OURS, THEIRS, "bare"):
        goodput.line(peer, points(peer, ("goodput", "mbps")))
    goodput.line("limit", [(x, rate_mbps * (1 - x / 100) * shards[0] / sum(shards) * PAYLOAD_SHARE) for x in results.losses], True)
    svg.save(os.path.join(folder, "goodput.svg"), [goodput])
    latency = []
    for name, text in (("idle", "nothing else on the link"), ("loaded", "beside 10 Mbit/s")):
        plot = svg.Plot(f"64-byte TCP records, {text}", "loss each way, %", "ms", top, highest((name, "p99")) * 1.1,
                        x_ticks=results.losses)
        for peer in (OURS, THEIRS):
            plot.line(f"{peer} p99", points(peer, (name, "p99")))
            plot.line(f"{peer} p50", points(peer, (name, "p50")), True)
        latency.append(plot)
    svg.save(os.path.join(folder, "latency.svg"), latency)
