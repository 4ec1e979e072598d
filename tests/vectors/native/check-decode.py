#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Proves: somebody with the keys and docs/protocol.md alone reads a session of ours to the last byte, and somebody without sees noise.

check-decode.py CAPTURE-NATIVE: the program that writes sessions down. A session over a bad path, in each mode, with cookies,
records that do not fit the handshake, new keys twice, groups with losses and packets in parts: the decoder, which shares no code
with the programs, must find the very inner packets that were sent, once each and in the order of their flow.
"""
import collections
import importlib
import json
import os
import subprocess
import sys
import tempfile

import kvbytes
import kvpcap

decode = importlib.import_module("decode-native").decode


def read_session(program, scenario, folder):
    subprocess.run([program, scenario, folder], check=True)
    capture = os.path.join(folder, "capture.pcap")
    with open(os.path.join(folder, "packets.json"), encoding="ascii") as file:
        packets = [[bytes.fromhex(p) for p in end] for end in json.load(file)]
    return decode(capture, os.path.join(folder, "keys.json")), packets, [d.data for d in kvpcap.read(capture)]


def check_order(lanes, sent):
    """Each lane has packets of its flows in the order in which they were sent"""
    place = {packet: i for i, packet in enumerate(sent)}
    for packets in lanes.values():
        last = {}
        for packet in packets:
            flow = packet[1:5]
            assert place[packet] > last.get(flow, -1), "a packet out of its flow's order"
            last[flow] = place[packet]


def check_session(program, scenario, folder):
    decoder, sent, datagrams = read_session(program, scenario, folder)
    carried, = decoder.by_association.values()
    for end in (0, 1):
        lanes = carried[end].packets()
        got = collections.Counter(p for packets in lanes.values() for p in packets)
        want = collections.Counter(sent[1 - end])
        assert len(want) == len(sent[1 - end]), "packets that cannot be told apart"
        assert got == want, f"{scenario}: to end {end} {len(got)} packets were read, {len(want)} sent"
        check_order(lanes, sent[1 - end])
        assert len(carried[end].sns) == max(carried[end].sns) + 1 >= carried[end].fwd, "numbers of segments"
        routes = [value for batch in carried[end].batches() for kind, value in batch if kind == 17]
        assert len(routes) == 100, f"{len(routes)} routes"
    counts = decoder.counts
    assert counts["cookies"] >= 1 and counts["with cookie"] >= 1, counts
    assert all(22 in dict(granted) for _, granted in decoder.said[:1]), "more"
    if scenario == "keys":
        assert counts["responses"] >= 3 and carried[0].recovered + carried[1].recovered >= 30, counts
    pings = [len(c.pings) for c in carried]
    if scenario == "bulk":  # what arrives shows that long datagrams pass, and marked ones; nobody has to ask again
        assert max(pings) <= 6, f"{pings} pings in 15 s"
    figure = kvbytes.check(datagrams)
    print(f"{scenario}: {len(datagrams)} datagrams, {counts}; {sum(map(len, sent))} packets, "
          f"{carried[0].recovered + carried[1].recovered} shards recovered; {pings} pings; worst chi-square {figure:.0f} of {kvbytes.CHI_SQUARE_MAX:.0f}")


def check_handshakes(program, scenario, folder):
    decoder, _, datagrams = read_session(program, scenario, folder)
    assert decoder.counts["responses"] >= 1500, decoder.counts
    handshakes = [d for d in datagrams if len(d) >= 600]
    figure = kvbytes.check(handshakes)
    print(f"{scenario}: {decoder.counts['initiations']} initiations, {decoder.counts['responses']} responses; "
          f"worst chi-square {figure:.0f} of {kvbytes.CHI_SQUARE_MAX:.0f}")


def main():
    program, = sys.argv[1:]
    for scenario in ("keys", "secret", "bulk", "handshakes-keys", "handshakes-secret"):
        with tempfile.TemporaryDirectory() as folder:
            (check_handshakes if scenario.startswith("handshakes") else check_session)(program, scenario, folder)


if __name__ == "__main__":
    main()
