#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every source file names the licence in its first lines. Usage: check-spdx.py SOURCE-ROOT"""

import os
import sys

import kv_lint

LINE = "SPDX-License-Identifier: GPL-2.0-or-later"
SUFFIXES = (".c", ".h", ".py", ".sh", ".build", ".po", ".in", ".xml", ".allow", ".ui", ".rules")
# A first line that the file's kind demands may stand above it: #!, <?xml …?>, .\" t, a po comment.
WITHIN_LINES = 3


def main(root):
    findings = []
    paths = kv_lint.files(root, *SUFFIXES) + ["meson.build", "meson_options.txt"]
    for path in paths:
        lines = kv_lint.read(root, path).splitlines()
        if path.endswith((".c", ".h")):
            good = lines[:1] == [f"/* {LINE} */"]
        else:
            good = any(LINE in line for line in lines[:WITHIN_LINES])
        if not good:
            findings.append(f"{path}: no line {LINE}")
    kv_lint.report(findings)


main(os.path.abspath(sys.argv[1]))
