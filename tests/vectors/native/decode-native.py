#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a capture of the native protocol: decode-native.py CAPTURE.pcap KEYS.json

Prints what was in it and the inner packets, one a line: to which end, in which lane, the bytes. KEYS.json has the static keys of
both ends and their ephemeral ones, which only a test can know; tests/vectors/capture-native.c writes both files.
"""
import json
import sys

import kvdecode
import kvpcap


def decode(capture, keys):
    with open(keys, encoding="ascii") as file:
        decoder = kvdecode.Decoder(json.load(file)["ends"])
    for datagram in kvpcap.read(capture):
        decoder.take(datagram)
    return decoder


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    decoder = decode(*sys.argv[1:])
    print("# " + ", ".join(f"{n} {what}" for what, n in decoder.counts.items()))
    for name, ends in decoder.by_association.items():
        print(f"# association {name.hex()}")
        for end, carried in enumerate(ends):
            print(f"# to end {end}: {carried.recovered} shards recovered, {carried.reports} reports, {len(carried.batches())} batches")
            for lane, packets in carried.packets().items():
                for packet in packets:
                    print(end, lane, packet.hex())


if __name__ == "__main__":
    main()
