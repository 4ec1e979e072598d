#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
""""./run deps" on a machine that runs: it installs what builds and tests take, and changes nothing of what the machine
does. The packages come to the box before it boots, as one that runs has no way out."""
import os
import re
import signal
import sys

import kvbox
from kvbox import Box, check, contains, equal

DEPS = f"cd {kvbox.TREE} && ./run deps"
SECONDS = 1800


def fetch(box):
    """to somebody who is not root, the command is named that installs what is missing"""
    status, out = box.install(f"setpriv --reuid=65534 --clear-groups bash -c '{DEPS}'", 60)
    check(status != 0, f"it succeeded: {out}")
    [command] = re.findall(r"as root: (apt-get install .*)", out)
    contains(command, "network-manager", "the command")
    status, out = box.install(f"apt-get -q update && {command.replace('install', '-q -y --download-only install', 1)}",
                              SECONDS)
    check(status == 0, out[-4000:])


def boot(box):
    """the machine boots, without NetworkManager"""
    box.boot()
    status, _ = box.attempt("systemctl cat NetworkManager")
    check(status != 0, "there is a NetworkManager")


def services(box):
    """Those that run, but for what watches over them: the box starts its own by and by."""
    out = box.run("systemctl list-units --type=service --state=running --no-legend --plain")
    return {line.split()[0] for line in out.splitlines() if not line.startswith(("run-", "user@"))}


def install(box):
    """root gets the packages, NetworkManager is masked, which is said, and nothing of theirs is started"""
    before = services(box)
    out = box.run(DEPS, SECONDS)
    contains(out, "systemctl unmask NetworkManager lets it run", "what it says")
    box.run("test -x /usr/sbin/NetworkManager -a -x /usr/bin/clang")
    equal(box.attempt("systemctl is-enabled NetworkManager")[1].strip(), "masked", "NetworkManager.service")
    equal(sorted(services(box) - before), [], "services that were started")
    equal(box.attempt("test -e /usr/sbin/policy-rc.d")[0], 1, "whether the ban on starting services is left")


def again(box):
    """once all is there it does nothing"""
    contains(box.run(DEPS), "all packages are there", "what it says")


def stays_off(box):
    """NetworkManager is off after the next boot, too"""
    box.reboot()
    equal(box.show("NetworkManager", "ActiveState"), "inactive", "NetworkManager")
    check("NetworkManager" not in "".join(services(box)), "NetworkManager runs")


def unmask(box):
    """the line that is named lets it run, and \"deps\" leaves it alone from then on"""
    box.run("systemctl unmask NetworkManager && systemctl start NetworkManager")
    equal(box.show("NetworkManager", "ActiveState"), "active", "NetworkManager")
    box.run(DEPS)
    equal(box.show("NetworkManager", "ActiveState"), "active", "NetworkManager after \"deps\"")
    box.run("apt-get -q -y remove --purge fish && " + DEPS, 300)
    equal(box.show("NetworkManager", "ActiveState"), "active", "NetworkManager after another package was missing")
    check(box.attempt("systemctl is-enabled NetworkManager")[1].strip() != "masked", "it is masked again")


CHECKS = (fetch, boot, install, again, stays_off, unmask)


def main():
    kvbox.require()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    box = Box("deps", [kvbox.make_bare()])
    kvbox.copy_tree(os.path.join(box.folder, "upper" + kvbox.TREE))
    os.chmod(os.path.join(box.folder, "upper/root"), 0o755)  # for who is not root there
    try:
        bad = kvbox.run_checks(CHECKS, box)
    finally:
        box.close()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
