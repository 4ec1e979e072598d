#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is different at a terminal: questions, colours, the live view, the agent for passwords.
Usage: test_terminal.py KCPVPN [NAME...]"""

import os
import re
import signal
import time

from kvfake import BusError, GLib, equal, main, test, want
from kvpty import Terminal

REWIND = "\x1b["
GREEN = "\x1b[32m"


def text(value):
    return GLib.Variant("s", value)


def open_terminal(world, *words, **env):
    return Terminal([world.program, *words], world.bus.env(**env))


@test("colours on a terminal, none with NO_COLOR, on a dumb terminal and in a pipe")
def colours(world):
    world.daemon.add_tunnel(1, "home", State=text("connected"))
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True),
                          ({"TERM": "dumb"}, False)):
        terminal = open_terminal(world, "list", **env)
        equal(terminal.wait(), 0)
        equal(GREEN in terminal.text, coloured)
        equal("\x1b" in terminal.text, coloured)
    assert "\x1b" not in world.run("list")[0]


@test("a secret is asked for without showing it, and goes with the start")
def secret(world):
    path = world.daemon.add_tunnel(1, "home", SavedSecrets=GLib.Variant("as", []))
    world.daemon.answers["Start"] = lambda *_: world.daemon._set_state(path, "connected", "", "", {})
    terminal = open_terminal(world, "up", "home")
    terminal.expect("Secret of home: ")
    terminal.type("hush hush\n")
    equal(terminal.wait(), 0)
    assert "hush" not in terminal.text, terminal.text
    equal(world.calls("Start"), [("Start", path, ({"secrets": {"secret": "hush hush"}},), True)])


@test("Ctrl-C and an empty line at the question start nothing, and the terminal shows again")
def secret_refused(world):
    world.daemon.add_tunnel(1, "home", SavedSecrets=GLib.Variant("as", []))
    shell = Terminal(["sh"], world.bus.env(PS1="$ "))
    shell.expect("$ ")
    shell.type(f"{world.program} up home\n")
    shell.expect("Secret of home: ")
    shell.text = ""
    shell.type("\x03")
    shell.expect("$ ")
    shell.text = ""
    shell.type("stty -a\n")
    want(shell.expect(" echo "), "stty -a")
    shell.text = ""
    shell.type(f"{world.program} up home; echo status $?\n")
    shell.expect("Secret of home: ")
    shell.type("\n")
    want(shell.expect("status 1"), "no secret was entered")
    shell.type("exit\n")
    shell.wait()
    equal(world.calls("Start"), [])


@test("where the locale has no UTF-8, what is shown on a terminal is ASCII, the live view's lines too")
def ascii_only(world):
    path = world.daemon.add_tunnel(1, "home", State=text("connected"))
    for locale in ("C", "POSIX", "C.UTF-8"):
        shown = [watch_three_looks(world, path, locale), monitor_once(world, path, locale)]
        for words in (("list",), ("show", "home")):
            terminal = open_terminal(world, *words, LC_ALL=locale)
            equal(terminal.wait(), 0)
            shown.append(terminal.text)
        for what in shown:
            assert locale == "C.UTF-8" or what.isascii(), (locale, what)


def watch_three_looks(world, path, locale):
    """The live view with three looks at it, each awaited: how high a step is depends on when they come."""
    world.daemon.change(path, Statistics=GLib.Variant("a{sv}", {}))
    terminal = open_terminal(world, "status", "home", "--watch", "--interval", "100", LC_ALL=locale)
    terminal.expect("round trip")
    for count in range(1, 4):
        world.daemon.change(path, Statistics=GLib.Variant("a{sv}", {
            "rx-bytes": GLib.Variant("t", count * count * 100000), "tx-bytes": GLib.Variant("t", count),
            "rtt-us": GLib.Variant("u", count * 1000)}))
        terminal.expect(f"{count}.0 ms")
    terminal.signal(signal.SIGINT)
    equal(terminal.wait(), -signal.SIGINT)
    steps, top = ("▁▂▃▄▅▆▇█", "█") if locale == "C.UTF-8" else ("_.:=+*#-", "#")
    lines = re.findall(rf"packets/s  ([{steps}]{{3}})\r\n", terminal.text)
    equal([top in line for line in lines], [True, True])  # in and out
    return terminal.text


def monitor_once(world, path, locale):
    world.calls()  # those so far
    terminal = open_terminal(world, "monitor", LC_ALL=locale)
    world.wait_call("GetManagedObjects")
    world.daemon.set_state(path, "waiting", "it is silent")
    terminal.expect("it is silent")
    world.daemon.set_state(path, "connected")
    terminal.expect(f"{GREEN}connected")
    terminal.signal(signal.SIGINT)
    equal(terminal.wait(), -signal.SIGINT)
    return terminal.text


@test("the live view is drawn in place, follows state and statistics, and Ctrl-C ends it")
def live(world):
    path = world.daemon.add_tunnel(1, "home", State=text("connected"))
    terminal = open_terminal(world, "status", "home", "--watch", "--interval", "100")
    terminal.expect("round trip")
    world.wait_call("Watch")
    for count in range(5):
        world.daemon.change(path, Statistics=GLib.Variant("a{sv}", {
            "rx-bytes": GLib.Variant("t", count * 100000),
            "rtt-us": GLib.Variant("u", 41500), "loss-rx": GLib.Variant("d", 0.25),
            "fec-recovered": GLib.Variant("t", count), "fec-parity-sent": GLib.Variant("t", 7)}))
        time.sleep(0.1)
    terminal.expect("41.5 ms")
    terminal.expect("in 25.0 %")
    terminal.expect("\x1b[9F\x1b[J")
    terminal.expect("█")
    terminal.expect("bit/s")
    world.daemon.set_state(path, "waiting", "it is silent")
    terminal.expect("it is silent")
    terminal.type("\x03")
    equal(terminal.wait(), -signal.SIGINT)


@test("a mistake in the editor is told and may be mended, or given up")
def edit_again(world):
    path = world.daemon.add_tunnel(1, "home")
    world.daemon.answers["Export"] = lambda *_: ("[tunnel]\nname=home\nrole=client\nport=7\n",)
    editor = world.write("editor", f"""#!/bin/sh
if [ -e {world.path("again")} ]; then sed -i s/port=x/port=8/ "$1"
else touch {world.path("again")}; sed -i s/port=7/port=x/ "$1"; fi
""", 0o700)
    terminal = open_terminal(world, "edit", "home", EDITOR=editor)
    terminal.expect("home.kcpvpn:4: port")
    terminal.expect("[y/n]")
    terminal.type("y\n")
    equal(terminal.wait(), 0)
    equal(world.calls("Update"), [("Update", path, ({"port": 8}, {}), True)])
    os.unlink(world.path("again"))
    terminal = open_terminal(world, "edit", "home", EDITOR=editor)
    terminal.expect("[y/n]")
    terminal.type("n\n")
    equal(terminal.wait(), 1)
    equal(world.calls("Update"), [])


# What stands in for polkit's agent: tells that it ran, is ready, and waits for its end.
AGENT = """#!/bin/sh
[ "$1" = --notify-fd ] && echo "$@" >> "$AGENT_LOG"
trap 'echo ended >> "$AGENT_LOG"; exit' TERM
eval "exec $2>&-"
while :; do sleep 0.1; done
"""


def agent_env(world):
    world.write("pkttyagent", AGENT, 0o755)
    os.chmod(world.folder.name, 0o755)
    log = world.write("log", "", 0o666)
    return {"PATH": f"{world.folder.name}:{os.environ['PATH']}", "AGENT_LOG": log}


def read_log(world):
    with open(world.path("log"), encoding="utf-8") as file:
        return file.read()


@test("the agent for passwords runs when it is asked for, and ends with the program")
def agent(world):
    world.daemon.add_tunnel(1, "home")
    env = agent_env(world)
    world.run("delete", "home", "--ask", env=env)
    want(read_log(world), "--notify-fd 3\n", "ended")
    world.write("log", "", 0o666)
    world.run("delete", "home", env=env)  # no terminal
    world.run("list", env=env)
    equal(read_log(world), "")
    equal([call[3] for call in world.calls("Delete")], [True, True])
    world.run("delete", "home", "--no-ask", env=env)
    equal([call[3] for call in world.calls("Delete")], [False])
    _, err = world.run("delete", "home", "--ask", status=1, env={"PATH": "/nonexistent"})
    want(err, "pkttyagent")


@test("at a terminal root needs no agent, and others get one")
def agent_by_itself(world):
    world.daemon.add_tunnel(1, "home")
    env = agent_env(world)

    def refuse(*_):
        raise BusError("AuthenticationRequired", "a password is needed")
    world.daemon.answers["Delete"] = refuse
    terminal = open_terminal(world, "delete", "home", **env)
    equal(terminal.wait(), 4)
    equal(read_log(world) != "", os.geteuid() != 0)


if __name__ == "__main__":
    main()
