#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Units, bus policy and polkit actions are sound and agree with the code.

Usage: check-packaging.py SOURCE-ROOT BUILD-ROOT POLICY UNIT...
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import kv_lint

# What systemd-analyze gives the daemon's unit at most, and with each drop-in: 10 is the worst.
EXPOSURE_MAX = 1.7
EXPOSURE_DROPIN_MAX = 2.0
DROPINS = ("kcpvpnd-low-ports.conf", "kcpvpnd-fake-tcp.conf")
PROGRAMS = {"kcpvpnd": "src/daemon/kcpvpnd", "kcpvpn": "src/cli/kcpvpn",
            "kcpvpn-hooks": "src/hooks/kcpvpn-hooks"}
# The one action that somebody gets without a password: an administrator named them before.
FREE = {("org.kcpvpn.tunnel.control-listed", "allow_active")}
STANDARD_INTERFACES = {"org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties",
                       "org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer"}


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})


def check_actions(root, policy):
    names = kv_lint.read(root, "src/dbus/kv-dbus-names.h")
    wanted = set(re.findall(r'#define KV_DBUS_ACTION_\w+\s+"([^"]+)"', names))
    actions = ElementTree.parse(policy).getroot().findall("action")
    found = [action.get("id") for action in actions]
    if sorted(found) != sorted(wanted):
        yield f"{policy}: has {sorted(found)}, the code asks for {sorted(wanted)}"
    for action in actions:
        where = f"{policy}: {action.get('id')}"
        owner = [a.text for a in action.findall("annotate")
                 if a.get("key") == "org.freedesktop.policykit.owner"]
        if owner != ["unix-user:kcpvpn"]:
            yield f"{where}: its owner must be the daemon's user"
        if not action.findtext("message") or not action.findtext("description"):
            yield f"{where}: no message or no description"
        for column in ("allow_any", "allow_inactive", "allow_active"):
            answer = action.findtext(f"defaults/{column}")
            free = (action.get("id"), column) in FREE
            if (answer == "yes") != free or answer not in ("yes", "auth_admin", "auth_admin_keep"):
                yield f"{where}: {column} is {answer}"


def check_bus_policy(root):
    path = "data/dbus/org.kcpvpn.conf"
    wanted = set(STANDARD_INTERFACES)
    for xml in kv_lint.files(root, ".xml", folders=("data/dbus",)):
        node = ElementTree.parse(os.path.join(root, xml)).getroot()
        wanted |= {interface.get("name") for interface in node.findall("interface")}
    config = ElementTree.parse(os.path.join(root, path)).getroot()
    rules = config.findall("policy/allow") + config.findall("policy/deny")
    found = {rule.get("send_interface") for rule in rules} - {None}
    if found != wanted:
        yield f"{path}: allows {sorted(found)}, the daemon has {sorted(wanted)}"
    for rule in rules:
        if rule.get("own") is None and rule.get("send_destination") != "org.kcpvpn":
            yield f"{path}: a rule that is not about this service alone: {rule.attrib}"


def copy_units(build, units, folder):
    """The units with the programs where they were built, so that they can be found."""
    for unit in units:
        with open(unit, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"^ExecStart=\S*/(\S+)",
                      lambda match: f"ExecStart={os.path.join(build, PROGRAMS[match.group(1)])}",
                      text, flags=re.M)
        with open(os.path.join(folder, os.path.basename(unit)), "w", encoding="utf-8") as file:
            file.write(text)


def measure(unit):
    listing = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", listing.stdout)
    return float(match.group(1)) if match else None, listing.stdout + listing.stderr


def check_exposure(root, folder):
    unit = os.path.join(folder, "kcpvpnd.service")
    level, said = measure(unit)
    print(f"kcpvpnd.service: exposure {level}")
    if level is None or level > EXPOSURE_MAX:
        yield f"kcpvpnd.service: exposure {level}, allowed {EXPOSURE_MAX}\n{said}"
    for name in DROPINS:
        dropins = unit + ".d"
        os.makedirs(dropins, exist_ok=True)
        target = shutil.copy(os.path.join(root, "data/systemd", name), dropins)
        # A folder of drop-ins is looked for only below a root; the files joined say the same.
        joined = os.path.join(folder, "joined.service")
        with open(joined, "w", encoding="utf-8") as file:
            for part in (unit, target):
                with open(part, encoding="utf-8") as source:
                    file.write(source.read())
        level, said = measure(joined)
        print(f"with {name}: exposure {level}")
        if level is None or level > EXPOSURE_DROPIN_MAX:
            yield f"{name}: exposure {level}, allowed {EXPOSURE_DROPIN_MAX}\n{said}"


def check_units(root, build, units):
    with tempfile.TemporaryDirectory() as folder:
        copy_units(build, units, folder)
        paths = [os.path.join(folder, os.path.basename(unit)) for unit in units]
        done = run("systemd-analyze", "verify", "--man=no", *paths)
        complaints = [line for line in done.stderr.splitlines() if folder in line or "kcpvpn" in line]
        if done.returncode != 0 or complaints:
            yield "systemd-analyze verify: " + "\n".join(complaints or [done.stderr])
        yield from check_exposure(root, folder)


def check_users(root):
    """The user and the folders come into being on an empty machine."""
    with tempfile.TemporaryDirectory() as machine:
        os.mkdir(os.path.join(machine, "etc"))
        sysusers = os.path.join(root, "data/systemd/kcpvpn.sysusers.conf")
        done = run("systemd-sysusers", "--root=" + machine, sysusers)
        users = os.path.join(machine, "etc/passwd")
        if done.returncode != 0 or not os.path.exists(users):
            yield f"systemd-sysusers: {done.stderr}"
            return
        with open(users, encoding="utf-8") as file:
            if not re.search(r"^kcpvpn:", file.read(), re.M):
                yield "systemd-sysusers made no user kcpvpn"
        tmpfiles = os.path.join(root, "data/systemd/kcpvpn.tmpfiles.conf")
        done = run("systemd-tmpfiles", "--create", "--root=" + machine, tmpfiles)
        if done.returncode != 0:
            yield f"systemd-tmpfiles: {done.stderr}"
        for path, mode in (("etc/kcpvpn", 0o751), ("var/lib/kcpvpn", 0o700)):
            found = os.stat(os.path.join(machine, path))
            if found.st_mode & 0o7777 != mode:
                yield f"systemd-tmpfiles: {path} has mode {found.st_mode & 0o7777:o}"


def main(root, build, policy, *units):
    findings = [*check_actions(root, policy), *check_bus_policy(root)]
    missing = [tool for tool in ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles")
               if shutil.which(tool) is None]
    if findings or not missing:
        if not missing:
            findings += check_units(root, build, units)
            findings += check_users(root) if os.geteuid() == 0 else []
        kv_lint.report(findings)
    kv_lint.skip(f"{missing[0]} is not installed")


main(*sys.argv[1:])
