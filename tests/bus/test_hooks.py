#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hooks of the daemon's tunnels: run by the real kcpvpn-hooks, by who may, or not at all.

    kcpvpnd, with a /run of its own ── /run/kcpvpn/hooks ── kcpvpn-hooks ── hooks, as nobody
"""
import os
import pwd
import signal
import sys
import time

import kvbus
from kvbus import SERVER, check, equal, main, refused
from kvnet import test, wait_until

HELPER = os.environ.get("KCPVPN_HOOKS", os.path.join(kvbus.kvnet.TOP, "build/src/hooks/kcpvpn-hooks"))

# What systemd does with kcpvpn-hooks.socket.
ACTIVATE = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
os.chown(sys.argv[1], 0, int(sys.argv[3]))
os.chmod(sys.argv[1], 0o660)
listener.listen(128)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:3])
"""

# Lets a program find the folder $1 at /run/kcpvpn.
OWN_RUN = 'mount -t tmpfs none /run && mkdir /run/kcpvpn && mount --bind "$1" /run/kcpvpn && shift && exec "$@"'


class Hooks:
    """Hook folder, log file and socket folder of a world, and the helper."""

    def __init__(self, world):
        self.world = world
        self.config = os.path.join(world.dir, "hooks-etc")
        self.dir = os.path.join(self.config, "hooks.d")
        self.run = os.path.join(world.dir, "run")
        self.log = os.path.join(world.dir, "hooks.log")
        for folder in (self.config, self.dir, self.run):
            os.mkdir(folder, 0o755)
        os.chmod(world.dir, 0o755)
        with open(self.log, "w", encoding="ascii"):
            os.chmod(self.log, 0o666)

    def add(self, name):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\necho {name} "$@" as $(id -un) $KV_EVENT $KV_TUNNEL >>{self.log}\n')
        os.chmod(path, 0o755)
        return path

    def lines(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read().splitlines()

    def start_helper(self):
        socket = os.path.join(self.run, "hooks")
        group = pwd.getpwnam("daemon").pw_gid  # the one of kcpvpn in there
        process = self.world.start(["sh", "-c", kvbus.SURROUNDINGS, "sh", self.world.dir, sys.executable, "-c",
                                    ACTIVATE, socket, HELPER, group], "hooks", self.world.s,
                                   {"CONFIGURATION_DIRECTORY": self.config})
        wait_until(lambda: os.path.exists(socket) and os.stat(socket).st_mode & 0o777 == 0o660, 5,
                   "the socket is there")
        return process

    def start_all(self):
        """The world's daemon, which finds the socket, or none, where it looks for it."""
        daemon = kvbus.DAEMON
        self.world.start_bus()
        self.world.start_polkit()
        kvbus.DAEMON = "sh"
        try:
            self.world.start_daemon("-c", OWN_RUN, "sh", self.run, daemon)
        finally:
            kvbus.DAEMON = daemon
        return self.world.connect()


@test("up and down of a daemon's tunnel run through kcpvpn-hooks, as nobody", limit=40)
def up_down(world):
    hooks = Hooks(world)
    hooks.add("note")
    hooks.start_helper()
    root = hooks.start_all()
    path = root.create({**SERVER, "up": "note 'a b' %i", "down": os.path.join(hooks.dir, "note") + " gone"})
    root.tunnel(path, "Start")
    wait_until(lambda: hooks.lines() == ["note a b kvs0 as nobody up srv"], 10, "up ran")
    root.tunnel(path, "Stop")
    equal(hooks.lines()[1:], ["note gone as nobody down srv"], "what ran before Stop was answered")


@test("a program outside of the hook folders is not run; the tunnel is up, and the log says why", limit=40)
def outside(world):
    hooks = Hooks(world)
    hooks.start_helper()
    root = hooks.start_all()
    mark = os.path.join(world.dir, "mark")
    path = root.create({**SERVER, "up": f"/usr/bin/touch {mark}"})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    world.daemon_process.wait_text("/usr/bin/touch was not run: /usr/bin/touch is in no hook folder")
    check(not os.path.exists(mark), "it did not run")


@test("without the helper nothing is run, the tunnel works, and the log names the socket", limit=40)
def no_helper(world):
    hooks = Hooks(world)
    hooks.add("note")
    root = hooks.start_all()
    path = root.create({**SERVER, "up": "note up", "down": "note down"})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    world.daemon_process.wait_text("is kcpvpn-hooks.socket started")
    root.tunnel(path, "Stop")
    equal(hooks.lines(), [], "what ran")


@test("a helper that is stuck holds up the end for thirty seconds and no more, and the end is a good one", limit=90)
def stuck_helper(world):
    hooks = Hooks(world)
    hooks.add("note")
    helper = hooks.start_helper()
    root = hooks.start_all()
    path = root.create({**SERVER, "up": "note up", "down": "note down"})
    other = root.create({**SERVER, "name": "other", "port": 1236, "vni-name-prefix": "oth", "down": "note down"})
    root.tunnel(other, "Start")
    root.wait_state(other, "connected")
    helper.send(signal.SIGSTOP)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    start = time.monotonic()
    world.daemon_process.send(signal.SIGTERM)
    equal(world.daemon_process.wait_exit(60), 0, "the status")
    took = time.monotonic() - start
    check(took < 33, f"it took {took:.1f} s to end")
    check("note is called off" in world.daemon_process.text(), "the log does not tell")
    check("1235" not in world.s.run("ss", "-lun"), "the port is still taken")


@test("a tunnel whose file is back before it is down is back, too, as the file says then", limit=60)
def back_while_it_ends(world):
    hooks = Hooks(world)
    with open(os.path.join(hooks.dir, "slow"), "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\nsleep 1\necho slow >>{hooks.log}\n")
    os.chmod(os.path.join(hooks.dir, "slow"), 0o755)
    hooks.start_helper()
    path = os.path.join(world.config, "a.kcpvpn")

    def write(port, role="server"):
        side = "vni-mode=tun\n" if role == "server" else ""
        with open(path, "w", encoding="ascii") as f:
            f.write(f"[tunnel]\nrole={role}\nip=0.0.0.0\nport={port}\n{side}secret=hush\ndown=slow\n")
        os.chown(path, 0, kvbus.DAEMON_GID)
        os.chmod(path, 0o640)
    write(1235)
    root = hooks.start_all()

    def reload():
        root.call(kvbus.ROOT, kvbus.MANAGER, "Reload", "(@a{sv} {},)")

    def tunnels():
        return root.get(kvbus.ROOT, kvbus.MANAGER, "Tunnels")
    for port, role in ((1236, "server"), (1237, "client"), (1238, "server")):
        old = tunnels()[0]
        if root.get(old, kvbus.TUNNEL, "Role") == "server":
            root.tunnel(old, "Start")
            root.wait_state(old, "connected")
        os.unlink(path)
        reload()
        reload()
        write(port, role)
        reload()
        reload()
        wait_until(lambda old=old: tunnels() and tunnels() != [old], 10, "there is a new tunnel")
        settings = root.get(tunnels()[0], kvbus.TUNNEL, "Settings")
        equal((settings["port"], settings["role"]), (port, role), "the new tunnel")
        root.tunnel(tunnels()[0], "Stop")
    equal(hooks.lines(), ["slow", "slow"], "the hooks that ran")
    os.unlink(path)
    reload()
    wait_until(lambda: tunnels() == [], 10, "the tunnel is gone")


@test("who may create and modify tunnels but not have programs run gets none into a tunnel", limit=40)
def rights(world):
    root = world.start_all()
    caller = world.connect(kvbus.NOBODY)
    world.answer("yes")
    world.answer("no", "tunnel.hooks")
    for key in ("up", "down", "hook-dir"):
        refused(lambda key=key: caller.create({**SERVER, key: "/x"}), "NotAuthorized")
    path = caller.create(SERVER)
    for key in ("up", "down", "hook-dir"):
        refused(lambda key=key: caller.tunnel(path, "Update", {key: "/x"}), "NotAuthorized")
    world.answer("yes", "tunnel.hooks")
    caller.tunnel(path, "Update", {"up": "x %i"})
    refused(lambda: caller.tunnel(path, "Update", {"up": "x 'open"}), "InvalidSetting", "up")
    check(root.get(path, kvbus.TUNNEL, "Settings")["up"] == "x %i", "the setting is there")


if __name__ == "__main__":
    main()
