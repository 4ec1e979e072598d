#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody meets who has a Debian with nothing but git, and this tree: the demo, then the system service as
the README installs it. Leaves behind what the other topics start from."""
import os
import shutil
import signal
import sys

import kvbox
from kvbox import Box, check, contains, equal, readme_blocks, say

IN_TREE = f"cd {kvbox.TREE} && "


def show_steps(out):
    for line in out.splitlines():
        if "done in" in line or line.startswith("- "):
            say("         " + line[:110])


def build_without_packages(box):
    """without the packages, a build names the command that installs them"""
    status, out = box.install(IN_TREE + "./run build", 60)
    check(status != 0, f"it succeeded: {out}")
    contains(out, "deps", "what it says")


def demo(box):
    """\"./run demo\" installs what it needs and no more, builds, shows the tunnel, and leaves nothing behind"""
    status, out = box.install(IN_TREE + "./run demo; status=$?; ip netns; exit $status", 1500)
    show_steps(out)
    check(status == 0, out[-4000:])
    contains(out, "through the tunnel", "what it says")
    check(out.rstrip().endswith("everything the demo made is removed again"), f"left behind: {out[-300:]}")
    for package in ("clang", "xvfb", "libgtk"):
        check(package not in out, f"the demo installs {package}")


def boot(box):
    """the machine boots, with no unit failed"""
    box.boot()


def install_service(box):
    """the README's lines install the system service and start it"""
    out = box.run(IN_TREE + "set -e\n" + readme_blocks("A server for many clients")[0], 900)
    show_steps(out)
    equal(box.show("kcpvpnd", "ActiveState"), "active", "kcpvpnd.service")
    equal(box.run("systemctl is-enabled kcpvpnd").strip(), "enabled", "kcpvpnd.service")
    contains(box.run("kcpvpn status"), "version", "kcpvpn status")


def installed_files(box):
    """what is installed lies where it is looked for"""
    box.run("test -x /usr/bin/kcpvpn -a -x /usr/sbin/kcpvpnd -a -x /usr/libexec/kcpvpn-hooks")
    for page in ("man1/kcpvpn.1", "man5/org.kcpvpn.5", "man8/kcpvpnd.8", "man8/kcpvpn-hooks.8"):
        box.run(f"test -s /usr/share/man/{page}")
    box.run("test -s /usr/share/doc/kcpvpn/examples/kcpvpnd-low-ports.conf")
    contains(box.run("systemd-analyze verify --man=no kcpvpnd.service kcpvpn-hooks.socket kcpvpn-server@x.service && echo good"),
             "good", "systemd-analyze verify")


CHECKS = (build_without_packages, demo, boot, install_service, installed_files)


def main():
    kvbox.require()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    installed = os.path.join(kvbox.FOLDER, "installed")
    shutil.rmtree(installed, ignore_errors=True)
    bare = kvbox.make_bare()
    box = Box("first-run", [bare])
    kvbox.copy_tree(os.path.join(box.folder, "upper" + kvbox.TREE))
    os.chmod(os.path.join(box.folder, "upper/root"), 0o700)
    try:
        bad = kvbox.run_checks(CHECKS, box)
        if not bad:
            box.shutdown()
            os.rename(os.path.join(box.folder, "upper"), installed)
    finally:
        box.close()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
