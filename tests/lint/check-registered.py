#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every test program runs, and every seed has its target. Usage: check-registered.py SOURCE-ROOT

A source that no list names is neither built nor missed, so nothing else would tell.
"""

import os
import re
import sys

import kv_lint

TEST = re.compile(r"(?:test-vectors|test-sim|test|fuzz)[-_](.+)\.(?:c|py)")


def registered(root, folder, name):
    path = os.path.join(folder, "meson.build")
    return os.path.exists(os.path.join(root, path)) and f"'{name}'" in kv_lint.read(root, path)


def main(root):
    findings = []
    for path in kv_lint.files(root, ".c", ".py", folders=("tests",)):
        folder, base = os.path.split(path)
        match = TEST.fullmatch(base)
        if match and not registered(root, folder, match.group(1)):
            findings.append(f"{path}: {match.group(1)} is not in {folder}/meson.build")
    corpus = os.path.join(root, "tests", "fuzz", "corpus")
    for name in sorted(os.listdir(corpus)):
        if not registered(root, "tests/fuzz", name):
            findings.append(f"tests/fuzz/corpus/{name}: no target of this name")
    kv_lint.report(findings)


main(sys.argv[1])
