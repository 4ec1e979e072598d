#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an installation of the plugin puts where: each file that another one or NetworkManager looks for is there.

Usage: test_install.py BUILD PREFIX LIBDIR TOOLKIT...
"""
import configparser
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

SERVICE = "org.freedesktop.NetworkManager.kcpvpn"
EDITORS = {"gtk3": "libnm-vpn-plugin-kcpvpn-editor.so", "gtk4": "libnm-gtk4-vpn-plugin-kcpvpn-editor.so"}


def check(condition, text):
    if not condition:
        raise SystemExit(f"FAIL {text}")


class Tree:
    """A staged installation; paths are those it will have."""

    def __init__(self, folder):
        self.folder = folder

    def at(self, path):
        return self.folder + path

    def need(self, path, program=False):
        check(os.path.isfile(self.at(path)), f"{path} is not installed")
        check(os.access(self.at(path), os.X_OK) or not program, f"{path} cannot be run")
        check(os.path.getsize(self.at(path)) > 0, f"{path} is empty")
        return self.at(path)

    def read(self, path):
        with open(self.need(path), "rb") as file:
            return file.read()


def check_name_file(tree, prefix):
    """All it names is there, and is what its readers expect."""
    path = f"{prefix}/lib/NetworkManager/VPN/nm-kcpvpn-service.name"
    text = tree.read(path).decode()
    check(not re.search(r"@\w+@", text), f"{path}: a word was not replaced: {text}")
    file = configparser.ConfigParser(interpolation=None)
    file.read_string(text)
    vpn, gnome = file["VPN Connection"], file["GNOME"]
    check((vpn["name"], vpn["service"]) == ("kcpvpn", SERVICE), f"{path}: {dict(vpn)}")
    for section, key in ((vpn, "supports-multiple-connections"), (vpn, "supports-safe-private-file-access"),
                         (gnome, "supports-external-ui-mode"), (gnome, "supports-hints")):
        check(section.get(key) == "true", f"{path}: {key}")
    tree.need(vpn["program"], program=True)
    tree.need(gnome["auth-dialog"], program=True)
    tree.need(file["libnm"]["plugin"])
    return gnome["auth-dialog"], file["libnm"]["plugin"]


def check_modules(tree, dialog, plugin, toolkits):
    """Windows and forms are where those that load them look."""
    named = re.findall(rb"/[^\0]*libnm-kcpvpn-auth-gtk\d\.so", tree.read(dialog))
    check(len(named) == len(toolkits), f"{dialog} names {named}, built for {toolkits}")
    for path in named:
        tree.need(path.decode())
    for toolkit in toolkits:
        tree.need(os.path.join(os.path.dirname(plugin), EDITORS[toolkit]))


def check_policy(tree, prefix):
    """Root may own the name and speak to it, nobody else; the bus reads the file."""
    path = f"{prefix}/share/dbus-1/system.d/nm-kcpvpn-service.conf"
    found = {}
    for policy in ElementTree.parse(tree.need(path)).getroot().findall("policy"):
        who = policy.get("user") or policy.get("context")
        for rule in policy:
            for what, name in rule.items():
                check(name == SERVICE, f"{path}: a rule of {name}")
                found[who, what] = rule.tag
    check(found == {("root", "own_prefix"): "allow", ("root", "send_destination"): "allow",
                    ("default", "own_prefix"): "deny", ("default", "send_destination"): "deny"}, f"{path}: {found}")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write('<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" '
                     '"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">'
                     f"<busconfig><listen>unix:tmpdir=/tmp</listen><include>{tree.at(path)}</include></busconfig>")
        config.flush()
        with subprocess.Popen(["dbus-daemon", "--nofork", "--print-address=1", f"--config-file={config.name}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bus:
            address = bus.stdout.readline()
            bus.terminate()
            said = bus.stderr.read()
        check(address.startswith("unix:") and SERVICE not in said, f"the bus does not take {path}: {said}")


def main(build, prefix, libdir, *toolkits):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", folder], check=True,
                       stdout=subprocess.DEVNULL)
        tree = Tree(folder)
        dialog, plugin = check_name_file(tree, prefix)
        check(os.path.dirname(plugin) == f"{prefix}/{libdir}/NetworkManager", f"{plugin} is not where libnm looks")
        check_modules(tree, dialog, plugin, toolkits)
        check_policy(tree, prefix)
        for path in ("metainfo/org.kcpvpn.networkmanager.metainfo.xml", "icons/hicolor/scalable/apps/kcpvpn.svg",
                     "man/man5/nm-settings-kcpvpn.5", "locale/zh_CN/LC_MESSAGES/kcpvpn.mo"):
            check(not re.search(rb"@[A-Z_]+@", tree.read(f"{prefix}/share/{path}")), f"{path}: a word was not replaced")
    print("ok", flush=True)


main(*sys.argv[1:])
