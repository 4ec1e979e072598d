#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every control of the form has a name for people who do not see it, and can be used by it.

Usage: test_names.py HARNESS PLUGIN.so
"""

import os
import shutil
import subprocess
import sys

import kvscreen

SKIPPED = 77
SERVICE = "org.freedesktop.NetworkManager.kcpvpn"
ENTRY = "text|password text|entry"
ON_PAGE = ((ENTRY, "Gateway"), (ENTRY, "Port"), ("combo box", "Cipher"), (ENTRY, "Identity"),
           (ENTRY, "Secret"), ("check box", "Show secret"), ("push button", "Advanced…"))
WITH_KEYS = (("combo box", "Type"), (ENTRY, "Private key"), ("push button", "Generate"), (ENTRY, "Public key"),
             ("push button", "Copy"), (ENTRY, "Server's public key"), (ENTRY, "Preshared key"),
             ("check box", "Show keys"))
IN_DIALOG = ((ENTRY, "Max. UDP payload"), (ENTRY, "Heartbeat"), ("check box", "Reconnect automatically"),
             (ENTRY, "Data packets in a group"), ("combo box", "KCP mode"), ("push button", "OK"))


def ask(harness, line):
    harness.stdin.write(line + "\n")
    harness.stdin.flush()
    return list(iter(harness.stdout.readline, "done\n"))


def check(harness, eyes):
    for role, name in ON_PAGE:
        eyes.find(role, name)
    eyes.type(ENTRY, "Gateway", "a b")
    fault = ('ip: "a b" is not allowed; allowed: an IPv4 address, an IPv6 address with or without '
             'brackets, or a host name')
    eyes.find("label", fault)
    assert eyes.find(ENTRY, "Gateway").get_description() == fault
    eyes.type(ENTRY, "Gateway", "vpn.example.org")
    eyes.type(ENTRY, "Port", "1235")
    assert eyes.look("label", fault) is None
    ask(harness, "set\tauthentication-type\tkeys")
    for role, name in WITH_KEYS:
        eyes.find(role, name)
        assert eyes.is_showing(role, name), name
    assert not eyes.is_showing(ENTRY, "Secret")
    ask(harness, "set\tauthentication-type\tsecret")
    # By the harness: GTK 4 offers no action of a button to programs like this.
    ask(harness, "press\tadvanced")
    for role, name in IN_DIALOG:
        eyes.find(role, name)
    eyes.type(ENTRY, "Heartbeat", "15")
    assert eyes.find(ENTRY, "Heartbeat").get_description() == "Seconds between two heartbeats"
    ask(harness, "answer\tok")
    saved = ask(harness, "dump")
    assert {"data ip=vpn.example.org\n", "data port=1235\n", "data keepalive=15\n"} <= set(saved), saved


def run(env, program, plugin):
    harness = subprocess.Popen([program, os.path.abspath(plugin), SERVICE], env=env, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert harness.stdout.readline() == "done\n"
        check(harness, kvscreen.Eyes(env))
    finally:
        harness.kill()
        harness.wait()


def main(program, plugin):
    if shutil.which("Xvfb") is None or shutil.which("dbus-daemon") is None:
        print("SKIPPED: needs Xvfb and dbus-daemon", flush=True)
        return SKIPPED
    try:
        import gi
        gi.require_version("Atspi", "2.0")
    except (ImportError, ValueError) as error:
        print(f"SKIPPED: {error}", flush=True)
        return SKIPPED
    with kvscreen.screen() as env, kvscreen.session(env) as env:
        run(env, program, plugin)
    return 0


sys.exit(main(*sys.argv[1:]))
