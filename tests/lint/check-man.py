#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The man page of kcpvpn has every flag, others have what they are about, and no page a mistake.

Usage: check-man.py SOURCE-ROOT KCPVPN-PAGE BUS-PAGE [PAGE...]
"""

import os
import re
import shutil
import subprocess
import sys

import kv_lint

KEY = re.compile(r'\.(key|alias) = "([^"]+)"')
# Rows of the tables of commands and of their options.
ROW = re.compile(r'\.id = KV_(VERB|OPTION)_\w+,\s*\.name = "([^"]+)"')

# Rows of GOptionContext, by the pages of the programs that have one.
ENTRY = re.compile(r'\{"([a-z-]+)", [^,]+, [^,]+, G_OPTION_ARG_')
OPTION = re.compile(r"^\.B.* --([a-z-]+)", re.M)
SERVICES = {"kcpvpnd.8": "src/daemon/kcpvpnd.c", "kcpvpn-hooks.8": "src/hooks/kcpvpn-hooks.c"}

# The page of what is made only where there is NetworkManager.
NM_PAGE = "nm-settings-kcpvpn.5"

# Of the bus: methods, signals and properties; errors; polkit actions.
MEMBER = re.compile(r'<(?:method|signal|property) name="(\w+)"')
ERROR = re.compile(r'ENTRY\(\w+, "(\w+)"\)')
ACTION = re.compile(r'#define KV_DBUS_ACTION_\w+\s+"([^"]+)"')


def read_settings(root):
    """The one table of settings, whose parts stand in files of their own."""
    return "".join(kv_lint.read(root, path) for path in kv_lint.files(root, ".c", folders=("src/settings",))
                   if "/kv-setting-rows-" in path)


def check_flags(root, page):
    text = page.replace("\\-", "-")
    rows = KEY.findall(read_settings(root))
    if not rows:
        yield "no keys found in the table of settings"
    for _, key in rows:
        if not re.search(rf"\\fB(--)?{key}\\fR", text):
            yield f"{key} is not in the man page"
    rows = KEY.findall(kv_lint.read(root, "src/settings/kv-peer-settings.c"))
    if not rows:
        yield "no keys found in the table of a peer's settings"
    peers = text.partition("\n.SH KEY FILES\n")[2].partition("\n.SH ")[0]
    for _, key in rows:
        if f"\n\\fB{key}\\fR" not in peers:
            yield f"{key} of a peer is not in the man page"
    rows = ROW.findall(kv_lint.read(root, "src/cli/kv-verb.c"))
    if not {"VERB", "OPTION"} <= {kind for kind, _ in rows}:
        yield "no rows found in the table of commands"
    for kind, name in rows:
        word = name if kind == "VERB" else f"--{name}"
        if f"\\fB{word}\\fR" not in text:
            yield f"{word} is not in the man page"


def check_options(root, base, page):
    """A service has just the options that its page has under OPTIONS."""
    known = {"help", *ENTRY.findall(kv_lint.read(root, SERVICES[base]))}
    section = page.replace("\\-", "-").partition("\n.SH OPTIONS\n")[2].partition("\n.SH ")[0]
    told = set(OPTION.findall(section))
    for name in sorted(known - told):
        yield f"{base}: --{name} is not among the OPTIONS"
    for name in sorted(told - known):
        yield f"{base}: {SERVICES[base]} has no --{name}"


def check_bus(root, page):
    """Every part of the interfaces, every error and every action is in the page of the bus."""
    names = []
    for path in kv_lint.files(root, ".xml", folders=("data/dbus",)):
        names += MEMBER.findall(kv_lint.read(root, path))
    names += ERROR.findall(kv_lint.read(root, "src/dbus/kv-dbus-error.c"))
    if not names:
        yield "no interfaces found"
    for name in names:
        if f"\\fB{name}\\fR" not in page:
            yield f"{name} is not in the man page of the bus"
    for action in ACTION.findall(kv_lint.read(root, "src/dbus/kv-dbus-names.h")):
        if f".B {action}\n" not in page.replace("\\-", "-"):
            yield f"{action} is not in the man page of the bus"


def check_nm(root, page):
    """Every key that a connection of NetworkManager may have, and no other."""
    text = page.replace("\\-", "-")
    rows = re.split(r"\n    \[KV_SETTING_", read_settings(root))[1:]
    for row in rows:
        key = KEY.search(row).group(2)
        allowed = ("KV_SETTING_FLAG_DESKTOP" in row and "SIDE_SERVER" not in row and
                   "KV_SETTING_FLAG_NO_ARGV" not in row)
        if (re.search(rf"^\\fB{key}\\fR", text, re.M) is not None) != allowed:
            yield f"{NM_PAGE}: {key} is {'missing' if allowed else 'not for desktops'}"


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


def read_page(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(root, program, bus, *others):
    findings = [*check_flags(root, read_page(program)), *check_bus(root, read_page(bus))]
    for page in (program, bus, *others):
        findings += check_syntax(page)
    pages = {os.path.basename(page): page for page in others}
    if NM_PAGE in pages:
        findings += check_nm(root, read_page(pages[NM_PAGE]))
    for base in SERVICES:
        findings += (check_options(root, base, read_page(pages[base])) if base in pages
                     else [f"{base} is not checked"])
    kv_lint.report(findings)


main(*sys.argv[1:])
