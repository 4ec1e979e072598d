#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is built lies at random addresses, binds at once, guards its stacks, and shows no name of ours.

Usage: check-hardening.py FILE...
"""

import os
import re
import shutil
import subprocess
import sys

import kv_lint


def readelf(path, *options):
    return subprocess.run(["readelf", "-W", *options, path], check=True, capture_output=True, text=True).stdout


def check(path):
    name, headers = os.path.basename(path), readelf(path, "-h", "-l")
    dynamic, symbols = readelf(path, "-d"), readelf(path, "--dyn-syms")
    stack = re.search(r"^\s*GNU_STACK.*$", headers, re.M)
    rules = {
        "is no position-independent program": re.search(r"Type:\s+DYN", headers),
        "has no part that is read-only once it is linked": "GNU_RELRO" in headers,
        "does not bind all names at its start": "BIND_NOW" in dynamic or re.search(r"FLAGS_1.*NOW", dynamic),
        "has a stack that can be executed": stack and "E" not in stack.group().split()[-2],
        "has no guards on its stacks": "__stack_chk_fail" in symbols,
    }
    findings = [f"{name}: {text}" for text, ok in rules.items() if not ok]
    shown = re.findall(r"(?:FUNC|OBJECT)\s+GLOBAL\s+DEFAULT\s+(?!UND)\S+\s+(kv_\S+)", symbols)
    return findings + [f"{name}: shows {symbol} to others" for symbol in shown]


def main(paths):
    if shutil.which("readelf") is None:
        kv_lint.skip("readelf is not installed")
    kv_lint.report([finding for path in paths for finding in check(path)])


main(sys.argv[1:])
