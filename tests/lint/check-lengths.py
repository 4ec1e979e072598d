#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files, functions and nesting stay small. Usage: check-lengths.py SOURCE-ROOT"""

import re
import sys

import kv_lint

FILE_MAX = 800
FUNCTION_MAX = 79
NESTING_MAX = 4

# A block of a statement; clang-format sets no space between a type and its braced value.
BLOCK = re.compile(r"(\) |\belse |\bdo )\{$")


def check_functions(path, lines):
    start = None
    depth = []
    for number, line in enumerate(lines, 1):
        if line == "{":
            start, depth = number, []
        elif line == "}" and start is not None:
            if number - start + 1 > FUNCTION_MAX:
                yield f"{path}:{start}: function of {number - start + 1} lines"
            start = None
        elif start is not None:
            yield from check_nesting(path, number, line.rstrip(), depth)


def check_nesting(path, number, line, depth):
    for at, char in enumerate(line):
        if char == "{":
            depth.append(BLOCK.search(line[:at + 1]) is not None)
            if depth[-1] and sum(depth) == NESTING_MAX + 1:
                yield f"{path}:{number}: nested more than {NESTING_MAX} deep"
        elif char == "}" and depth:
            depth.pop()


def main(root):
    findings = []
    for path in kv_lint.files(root, ".c", ".h"):
        lines = kv_lint.bare(kv_lint.read(root, path)).split("\n")
        if len(lines) - 1 > FILE_MAX:
            findings.append(f"{path}: {len(lines) - 1} lines")
        findings += check_functions(path, lines)
    kv_lint.report(findings)


main(sys.argv[1])
