#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Proves: kvnoise.py, which makes our vectors, speaks Noise: it gives the bytes that others published."""
import json
import os

import kvsodium as na
from kvnoise import Noise

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "noise-published.json")


def check(case):
    def value(name):
        return bytes.fromhex(case[name]) if name in case else None

    pattern, prologue = case["handshake"].split("_")[1], value("prologue") or b""
    known = na.public_key(value("resp_static")) if "resp_static" in case else None
    first = Noise(pattern, True, prologue, value("gen_init_ephemeral"), value("preshared_key"), value("init_static"), known)
    second = Noise(pattern, False, prologue, value("gen_resp_ephemeral"), value("preshared_key"), value("resp_static"))
    for number, (writer, reader) in enumerate(((first, second), (second, first))):
        message = writer.write(value(f"msg_{number}_payload"))
        assert message == value(f"msg_{number}_ciphertext"), f"message {number}"
        assert reader.read(message) == value(f"msg_{number}_payload")
    assert first.split() == second.split()
    for number, key in enumerate(first.split(), 2):
        assert na.chacha_seal(key, bytes(12), value(f"msg_{number}_payload")) == value(f"msg_{number}_ciphertext")
    return pattern


patterns = [check(case) for case in json.load(open(FILE, encoding="ascii"))["cases"]]
assert set(patterns) == {"IKpsk2", "NNpsk0"}, patterns
print(f"{len(patterns)} published handshakes")
