# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checks share: the source tree's files, C text without comments, and the report."""

import os
import re
import sys

SKIPPED = 77
FOLDERS = ("src", "tests", "nm-plugin", "data", "po")


def files(root, *suffixes, folders=FOLDERS):
    """Paths below the project's folders, relative to root, sorted."""
    found = []
    for folder in folders:
        for at, dirs, names in os.walk(os.path.join(root, folder)):
            dirs[:] = sorted(d for d in dirs if not d.startswith((".", "build", "__")))
            found += [os.path.relpath(os.path.join(at, n), root)
                      for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def bare(text):
    """C text with comments, strings and characters blanked, line by line the same length."""
    def blank(match):
        token = match.group()
        quote = token[0] if token[0] in "\"'" else " "
        return quote + re.sub(r"[^\n]", " ", token[1:-1]) + quote
    return _TOKEN.sub(blank, text)


def report(findings):
    """Ends the check: prints each finding, fails if there is one."""
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    sys.exit(1 if findings else 0)


def skip(why):
    print(f"SKIPPED: {why}", file=sys.stderr)
    sys.exit(SKIPPED)
