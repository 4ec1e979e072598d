#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kcpvpn, with protocol v1 and with the native one, beside Debian's kcptun, in one run, passes
interleaved, with the same FEC and windows, v1 with the same cipher and mode, too: a clean veth pair,
then an emulated link of 200 Mbit/s, 50 ms RTT and some loss. Prints a markdown table of medians and
which bars are met; leaves records, table and plots in a folder.

A quick look:  bench --passes 1 --secs 3 --records 150 --loss 0,10 --no-rapid
"""
import argparse
import json
import os
import re
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "netns"))
import kvnet  # noqa: E402
import rapid  # noqa: E402
import report  # noqa: E402
from kvnet import TUN_CLIENT, TUN_SERVER, Failed, World  # noqa: E402

LOAD = os.path.join(HERE, "load.py")
IPERF, SINK, ECHO = 5201, 5301, 5302
RATE_MBPS, RTT_MS, QUEUE_MS = 200, 50, 100
SHARDS = (10, 3)
WINDOWS = ("--sndwnd", "2048", "--rcvwnd", "2048", "--sockbuf", "16777216", "--smuxbuf", "16777216", "--ds", "10", "--ps", "3")
CLOCK = os.sysconf("SC_CLK_TCK")


class Bare:
    """The link itself, for comparison"""
    name, target, udp = "bare", "10.77.0.1", True

    def __init__(self, world):
        self.world, self.processes, self.clients = world, [], []

    def start(self):
        pass


class Kcpvpn(Bare):
    """Protocol v1, which both ends of kcptun are nearest to"""
    name, target, crypt = "kcpvpn", TUN_SERVER, "aes"
    flags = ("--kcp-mode", "fast3", "--udp-mtu", "1350", *WINDOWS, "--log-level", "warning")

    def start(self):
        common = ["--port", "1235", "--crypt", self.crypt, *self.flags]
        secret = {"KCPVPN_KEY": "k"}
        server = self.world.start([kvnet.PROGRAM, "server", "--ip", "0.0.0.0", "--vni-mode", "tun", "--local-ip", TUN_SERVER,
                                   "--assignable-ips", f"{TUN_CLIENT}-{TUN_CLIENT}", *common], "server", self.world.s, secret)
        time.sleep(0.5)
        client = self.world.start([kvnet.PROGRAM, "client", "--ip", "10.77.0.1", *common], "client", self.world.c, secret)
        self.processes, self.clients = [server, client], [client]
        self.world.c.can_ping(TUN_SERVER, seconds=15)


class Native(Kcpvpn):
    """The same with the native protocol, which knows no modes and finds the size of datagrams itself"""
    name, crypt = "native", "auto"
    flags = ("--sndwnd", "2048", "--rcvwnd", "2048", "--sockbuf", "16777216", "--ds", "10", "--ps", "3", "--log-level", "warning")


class Kcptun(Bare):
    """A tunnel for each port: it carries TCP connections, not packets"""
    name, target, udp = "kcptun", "127.0.0.1", False
    flags = ("--key", "k", "--crypt", "aes", "--nocomp", "--mode", "fast3", "--smuxver", "1", "--mtu", "1350", "--quiet", *WINDOWS)

    def start(self):
        for i, port in enumerate((IPERF, SINK, ECHO)):
            outer = 29900 + i
            server = self.world.start(["kcptun-server", "-l", f":{outer}", "-t", f"127.0.0.1:{port}", *self.flags],
                                      f"kcptun-server{i}", self.world.s)
            client = self.world.start(["kcptun-client", "-l", f"127.0.0.1:{port}", "-r", f"10.77.0.1:{outer}", *self.flags],
                                      f"kcptun-client{i}", self.world.c)
            self.processes += [server, client]
            self.clients.append(client)
        time.sleep(1.5)


PEERS = {peer.name: peer for peer in (Bare, Kcpvpn, Native, Kcptun)}


def cpu_seconds(processes):
    total = 0
    for process in processes:
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / CLOCK


def rss_mb(processes):
    """The largest of them"""
    sizes = [0.0]
    for process in processes:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
            sizes.append(int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024)
    return round(max(sizes), 1)


def percentile(values, share):
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))], 3) if values else None


def with_cpu(peer, measure):
    """measure() gives bytes delivered and a record; CPU seconds of both ends for a gigabyte join it"""
    before = cpu_seconds(peer.processes)
    n_bytes, record = measure()
    used = cpu_seconds(peer.processes) - before
    record["cpu_s"] = round(used, 2)
    if n_bytes and peer.processes:
        record["cpu_s_per_gb"] = round(used / (n_bytes / 1e9), 3)
    return record


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.records = args, folder, []
        self.log = open(os.path.join(folder, "records.jsonl"), "w", encoding="ascii")

    def emit(self, record):
        self.records.append(record)
        self.log.write(json.dumps(record) + "\n")
        self.log.flush()

    # --- measurements

    def load(self, world, namespace, *args):
        return world.start([sys.executable, LOAD, *args], "load-" + args[0], namespace)

    def iperf(self, peer, *args):
        def measure():
            out = peer.world.c.run("iperf3", "-c", peer.target, "-t", str(self.args.secs), "-J", *args, check_status=False,
                                   timeout=self.args.secs + 20)
            try:
                return json.loads(out)["end"]
            except (ValueError, KeyError):
                raise Failed(f"iperf3: {out[-200:]}") from None
        return measure

    def tcp(self, peer, *args):
        measure = self.iperf(peer, "-C", "cubic", *args)

        def run():
            received = measure()["sum_received"]
            return received["bytes"], {"mbps": round(received["bits_per_second"] / 1e6, 1)}
        return with_cpu(peer, run)

    def udp64(self, peer):
        if not peer.udp:
            return None
        measure = self.iperf(peer, "-u", "-b", "0", "-l", "64")

        def run():
            total = measure()["sum"]
            got = total["packets"] - total["lost_packets"]
            return got * 64, {"kpps": round(got / total["seconds"] / 1e3, 1)}
        return with_cpu(peer, run)

    def latency(self, peer, interval):
        process = self.load(peer.world, peer.world.c, "records", peer.target, str(ECHO), str(self.args.records), str(interval))
        process.wait_exit(self.args.records * interval + 40)
        try:
            result = json.loads(process.text())
        except ValueError:
            raise Failed("records: " + process.tail()) from None
        ms = result["ms"]
        # what never came back counts as the worst there is
        ms += [max(ms, default=0.0)] * (result["sent"] - len(ms))
        return {"p50": percentile(ms, 0.5), "p99": percentile(ms, 0.99), "max": percentile(ms, 1), "n": len(ms)}

    def goodput(self, peer):
        sink = self.load(peer.world, peer.world.s, "sink", str(SINK))
        sink.wait_text("ready")

        def run():
            start, secs = time.time(), self.args.secs
            push = self.load(peer.world, peer.world.c, "push", peer.target, str(SINK), str(secs))
            push.wait_exit(secs + 15)
            time.sleep(0.3)
            rows = [json.loads(line) for line in sink.text().splitlines() if line.startswith("[")]
            got = max((n for t, n in rows if t <= start + secs), default=0)
            return got, {"mbps": round(got * 8 / secs / 1e6, 2)}
        try:
            return with_cpu(peer, run)
        finally:
            sink.kill()

    def loaded(self, peer):
        """Latency while another connection sends 10 Mbit/s the same way"""
        sink = self.load(peer.world, peer.world.s, "sink", str(SINK))
        sink.wait_text("ready")
        push = self.load(peer.world, peer.world.c, "push", peer.target, str(SINK), str(self.args.records * 0.02 + 8), "10e6")
        time.sleep(1)
        try:
            return self.latency(peer, 0.02)
        finally:
            push.kill()
            sink.kill()

    # --- suites

    def services(self, world):
        world.start(["iperf3", "-s", "--forceflush"], "iperf3", world.s).wait_text("Server listening")
        self.load(world, world.s, "echo", str(ECHO)).wait_text("ready")

    def clean(self, kind, number):
        world, record = World(), {"suite": "clean", "peer": kind.name, "pass": number}
        try:
            world.veth()
            peer = kind(world)
            self.services(world)
            peer.start()
            record["idle"] = self.latency(peer, 0.005)
            record["tcp_up"] = self.tcp(peer)
            record["tcp_down"] = self.tcp(peer, "-R")
            record["udp64"] = self.udp64(peer)
            record["rss_mb"] = rss_mb(peer.clients) or None
        except (Failed, OSError) as e:
            record["error"] = str(e)[:300]
        finally:
            world.close()
        self.emit(record)

    def lossy(self, kind, number):
        world = World()
        base = f"delay={RTT_MS / 2}ms rate={RATE_MBPS}mbit qms={QUEUE_MS} overhead=24"
        try:
            link = world.linkem("both " + base, seed=self.args.seed + number)
            peer = kind(world)
            self.services(world)
            peer.start()
            for loss in self.args.loss:
                link.set(f"both rewind clear {base} loss={loss:g}")
                self.emit(self.lossy_cell(peer, loss, number))
        except (Failed, OSError) as e:
            self.emit({"suite": "lossy", "peer": kind.name, "pass": number, "loss": -1, "error": str(e)[:300]})
        finally:
            world.close()

    def lossy_cell(self, peer, loss, number):
        record = {"suite": "lossy", "peer": peer.name, "pass": number, "loss": loss}
        try:
            record["idle"] = self.latency(peer, 0.02)
            record["goodput"] = self.goodput(peer)
            time.sleep(1.5)
            record["loaded"] = self.loaded(peer)
            time.sleep(0.5)
        except (Failed, OSError) as e:
            record["error"] = str(e)[:300]
        say(f"    {loss:g} % loss: {json.dumps({k: record.get(k) for k in ('goodput', 'idle', 'loaded')})}")
        return record

    def run(self):
        start = time.monotonic()
        suites = [s for s in ("clean", "lossy") if self.args.only in (None, s)]
        kinds = [PEERS[name] for name in self.args.peers]
        for number in range(self.args.passes):
            for kind in kinds:  # interleaved: what the machine does meanwhile meets all of them
                for suite in suites:
                    say(f"[{time.monotonic() - start:5.0f} s] pass {number + 1}/{self.args.passes}: {suite}, {kind.name}")
                    getattr(self, suite)(kind, number)
        self.log.close()


def say(text):
    print(text, flush=True)


def numbers(text):
    return [float(x) for x in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--secs", type=int, default=8, help="of each throughput measurement")
    parser.add_argument("--records", type=int, default=400, help="64-byte records of each latency measurement")
    parser.add_argument("--loss", type=numbers, default=[0, 1, 5, 10, 20], help="per cent each way, comma separated")
    parser.add_argument("--only", choices=("clean", "lossy", "rapid"))
    parser.add_argument("--peers", type=lambda s: s.split(","), default=["kcpvpn", "native", "kcptun", "bare"])
    parser.add_argument("--no-rapid", action="store_true", help="leave out the picture of rapid FEC")
    parser.add_argument("--seed", type=int, default=1, help="of the losses")
    parser.add_argument("--out", default=os.path.join(kvnet.TOP, "out", "bench"), help="folder of the results")
    args = parser.parse_args()
    unknown = [name for name in args.peers if name not in PEERS]
    if unknown:
        parser.error(f"no such peer: {unknown[0]}; there are {', '.join(PEERS)}")
    return args


def finish(bench, folder):
    results = report.Results(bench.records)
    text = report.table(results)
    bars = report.bars(results, RATE_MBPS, SHARDS)
    lines = [text, "", *(f"{'met    ' if met else 'NOT MET'} {what}" for met, what in bars)]
    if bars:
        lines += ["", f"{sum(met for met, _ in bars)} bars met, {sum(not met for met, _ in bars)} not met"]
    say("\n".join(["", *lines]))
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines).replace("\nmet ", "\n- met ").replace("\nNOT MET", "\n- **not met**") + "\n")
    report.plots(results, folder, RATE_MBPS, SHARDS)
    return not results.errors


def main():
    args = parse()
    kvnet.require_root()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    for program in ("iperf3", *(("kcptun-server", "kcptun-client") if "kcptun" in args.peers else ())):
        if not shutil.which(program):
            say(f"{program} is not installed: \"run deps\" does it")
            return 1
    kvnet.sweep()
    os.makedirs(args.out, exist_ok=True)
    ok = True
    if args.only != "rapid":
        bench = Bench(args, args.out)
        bench.run()
        ok = finish(bench, args.out)
    if args.only in (None, "rapid") and not args.no_rapid:
        rapid.picture(os.path.join(args.out, "rapid-fec.svg"))
    say(f"records, table and plots: {args.out}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
