#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The man page of kcpvpn has every flag, and no page a mistake.

Usage: check-man.py SOURCE-ROOT KCPVPN-PAGE [PAGE...]
"""

import re
import shutil
import subprocess
import sys

import kv_lint

KEY = re.compile(r'\.(key|alias) = "([^"]+)"')
# Rows of the tables of commands and of their options.
ROW = re.compile(r'\.id = KV_(VERB|OPTION)_\w+,\s*\.name = "([^"]+)"')


def check_flags(root, page):
    text = page.replace("\\-", "-")
    rows = KEY.findall(kv_lint.read(root, "src/settings/kv-setting-table.c"))
    if not rows:
        yield "no keys found in the table of settings"
    for _, key in rows:
        if not re.search(rf"\\fB(--)?{key}\\fR", text):
            yield f"{key} is not in the man page"
    rows = ROW.findall(kv_lint.read(root, "src/cli/kv-verb.c"))
    if not {"VERB", "OPTION"} <= {kind for kind, _ in rows}:
        yield "no rows found in the table of commands"
    for kind, name in rows:
        word = name if kind == "VERB" else f"--{name}"
        if f"\\fB{word}\\fR" not in text:
            yield f"{word} is not in the man page"


def check_syntax(man_page):
    programs = {"mandoc": ["mandoc", "-Tlint", "-Wwarning", man_page],
                "groff": ["groff", "-man", "-Tutf8", "-ww", "-z", man_page]}
    present = [name for name in programs if shutil.which(name)]
    if not present:
        kv_lint.skip("neither mandoc nor groff is installed")
    for name in present:
        done = subprocess.run(programs[name], capture_output=True, text=True, check=False)
        for line in (done.stdout + done.stderr).splitlines():
            yield f"{name}: {line}"


def main(root, man_page, *others):
    with open(man_page, encoding="utf-8") as file:
        page = file.read()
    findings = [*check_flags(root, page), *check_syntax(man_page)]
    for other in others:
        findings += check_syntax(other)
    kv_lint.report(findings)


main(*sys.argv[1:])
