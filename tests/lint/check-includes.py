#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may include whom, and in which order. Usage: check-includes.py SOURCE-ROOT"""

import os
import re
import sys

import kv_lint

# Folder: what it may include beside itself. A folder's subfolders count as the folder.
ALLOWED = {
    "src/base": set(),
    "src/settings": {"src/base"},
    "src/core": {"src/base"},
    "src/engine": {"src/base", "src/core", "src/settings"},
    "src/hooks": {"src/base", "src/engine"},
    "src/dbus": {"src/base"},
    "src/daemon": {"src/base", "src/settings", "src/engine", "src/dbus"},
    "src/cli": {"src/base", "src/settings", "src/dbus"},
    "nm-plugin": {"src/base", "src/settings", "src/dbus"},
}
# The one file of the command line that runs the engine in the foreground.
EXTRA = {"src/cli/kv-cmd-run.c": {"src/engine"}}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def area(path):
    for folder in ALLOWED:
        if path.startswith(folder + "/"):
            return folder
    return "tests" if path.startswith("tests/") else None


def check_layers(path, includes, home):
    own = area(path)
    if own is None or own == "tests":
        return
    allowed = ALLOWED[own] | EXTRA.get(path, set()) | {own}
    for _, name in includes:
        target = home.get(os.path.basename(name))
        if target is not None and target not in allowed:
            yield f"{path}: includes {name} of {target}, which {own} may not see"


def check_order(path, includes, siblings):
    names = [name for _, name in includes]
    kinds = [quote for quote, _ in includes]
    if path.endswith(".h"):
        if "config.h" in names:
            yield f"{path}: config.h belongs into .c files"
    else:
        if names[:1] != ["config.h"]:
            yield f"{path}: config.h must be the first include"
        own = os.path.basename(path)[:-2] + ".h"
        if own in siblings and os.path.basename("".join(names[1:2])) != own:
            yield f"{path}: {own} must be the second include"
    if kinds != sorted(kinds):  # '"' sorts before '<'
        yield f"{path}: project headers must stand before system headers"


def main(root):
    sources = kv_lint.files(root, ".c", ".h")
    home = {os.path.basename(p): area(p) for p in sources if p.endswith(".h")}
    findings = []
    for path in sources:
        includes = INCLUDE.findall(kv_lint.read(root, path))
        folder = os.path.dirname(path)
        siblings = {os.path.basename(p) for p in sources if os.path.dirname(p) == folder}
        findings += check_layers(path, includes, home)
        findings += check_order(path, includes, siblings)
    kv_lint.report(findings)


main(sys.argv[1])
