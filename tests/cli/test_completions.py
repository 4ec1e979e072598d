#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shells' completions, in the real shells. Usage: test_completions.py KCPVPN [NAME...]

KCPVPN_COMPLETIONS is the folder that holds the scripts. A shell that is not installed is left out,
and the run says so.
"""

import os
import shutil
import subprocess
import time

from kvfake import equal, main, test, want
from kvpty import Terminal

FOLDER = os.path.abspath(os.environ["KCPVPN_COMPLETIONS"])

# Completes the words of the command line given as arguments, the last of which is at the cursor.
BASH = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_kcpvpn
printf '%s\n' "${COMPREPLY[@]}"
"""


def need(shell):
    if shutil.which(shell):
        return True
    print(f"     {shell} is not installed", flush=True)
    return False


def shell_env(world):
    """The program is found as kcpvpn."""
    link = world.path("kcpvpn")
    if not os.path.exists(link):
        os.symlink(os.path.abspath(world.program), link)
    return world.bus.env(PATH=f"{world.folder.name}:{os.environ['PATH']}", HOME=world.folder.name)


def bash(world, *words):
    done = subprocess.run(["bash", "--norc", "-u", "-c", BASH, "bash", os.path.join(FOLDER, "kcpvpn"),
                           "kcpvpn", *words], capture_output=True, text=True, timeout=30,
                          env=shell_env(world), cwd=world.folder.name, check=False)
    equal(done.stderr, "")
    return [line for line in done.stdout.splitlines() if line]


def populate(world):
    path = world.daemon.add_tunnel(1, "office", "server")
    world.daemon.add_tunnel(2, "home")
    world.daemon.add_tunnel(3, "hotel room")
    world.daemon.add_client(path, 1, "laptop")
    world.daemon.add_client(path, 2, "phone")


@test("bash: commands, flags, choices, keys and files, also behind an equals sign")
def bash_tables(world):
    want(bash(world, ""), "list", "server", "help")
    equal(bash(world, "mo"), ["monitor"])
    equal(bash(world, "list", "--n"), ["--names", "--no-start"])
    equal(bash(world, "add", "x", "--role", ""), ["client", "server", "peer"])
    equal(bash(world, "add", "x", "--role", "="), ["client", "server", "peer"])
    equal(bash(world, "add", "x", "--crypt", "=", "aes-1"), ["aes-128", "aes-192"])
    equal(sorted(bash(world, "server", "--vni-m")), ["--vni-mode", "--vni-mtu"])
    equal(bash(world, "c", "--auto"), ["--auto-reconnect"])
    equal(sorted(bash(world, "edit", "x", "--unset", "port,vni-m")),
          ["port,vni-mode", "port,vni-mtu"])
    equal(bash(world, "help", "ex"), ["export"])
    world.write("a file", "")
    equal(bash(world, "import", "a"), ["a file"])
    equal(bash(world, "client", "--config", "a"), ["a file"])
    equal(bash(world, "nonsense", ""), [])


@test("bash: tunnels and clients, as they are now")
def bash_names(world):
    populate(world)
    equal(bash(world, "up", ""), ["home", r"hotel\ room", "office"])
    equal(bash(world, "up", "--wait", "9", "ho"), ["home", r"hotel\ room"])
    equal(bash(world, "kick", "office", ""), ["laptop", "phone"])
    equal(bash(world, "kick", "--json", "office", "p"), ["phone"])
    equal(bash(world, "kick", "home", ""), [])
    equal(bash(world, "down", "home", "of"), ["office"])
    equal(bash(world, "add", ""), [])


@test("bash: no daemon, no bus and a silent one give no names, no words and no long wait")
def bash_silence(world):
    world.daemon.stop()
    equal(bash(world, "up", ""), [])
    world.bus.process.send_signal(19)  # SIGSTOP: it is there and does not answer
    begin = time.monotonic()
    equal(bash(world, "up", ""), [])
    assert time.monotonic() - begin < 5
    world.bus.process.send_signal(18)
    world.bus.stop()
    equal(bash(world, "up", ""), [])


@test("bash: the Tab key")
def bash_tab(world):
    populate(world)
    terminal = Terminal(["bash", "--norc", "-i"], {**shell_env(world), "PS1": "ready> ",
                                                   "INPUTRC": "/dev/null"})
    terminal.expect("ready> ")
    terminal.type(f"source {FOLDER}/kcpvpn\n")
    terminal.type("kcpvpn sta\t off\t --js\t\n")
    terminal.expect('"Name" : "office"')
    terminal.type("exit\n")
    terminal.wait()


@test("zsh: the Tab key")
def zsh_tab(world):
    if not need("zsh"):
        return
    populate(world)
    terminal = Terminal(["zsh", "-f", "-i"], {**shell_env(world), "PS1": "ready> "})
    terminal.expect("ready> ")
    terminal.type(f"fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -D -u; echo do''ne\n")
    terminal.expect("done")
    terminal.type("kcpvpn sta\t off\t --js\t\n")
    terminal.expect('"Name" : "office"')
    terminal.text = ""
    terminal.type("kcpvpn kick office ph\t; echo st''atus $?\n")
    terminal.expect("phone: disconnected")
    terminal.text = ""
    terminal.type("kcpvpn add x --crypt=sal\t --role=ser\t")
    terminal.expect("--crypt=salsa20")
    terminal.expect("--role=server")
    terminal.kill()


def fish(world, line):
    done = subprocess.run(["fish", "--no-config", "-c",
                           f"source {FOLDER}/kcpvpn.fish; complete -C '{line}'"],
                          capture_output=True, text=True, timeout=30, env=shell_env(world),
                          cwd=world.folder.name, check=False)
    equal(done.stderr, "")
    return [entry.split("\t")[0] for entry in done.stdout.splitlines()]


@test("fish: commands, flags, choices, tunnels, clients and files")
def fish_all(world):
    if not need("fish"):
        return
    populate(world)
    equal(fish(world, "kcpvpn mo"), ["monitor"])
    equal(fish(world, "kcpvpn list --n"), ["--names", "--no-start"])
    equal(fish(world, "kcpvpn add x --role "), ["client", "peer", "server"])
    equal(fish(world, "kcpvpn add x --crypt=aes-1"), ["--crypt=aes-128", "--crypt=aes-192"])
    equal(fish(world, "kcpvpn up "), ["home", "hotel room", "office"])
    equal(fish(world, "kcpvpn up --wait 9 o"), ["office"])
    equal(fish(world, "kcpvpn kick office "), ["laptop", "phone"])
    equal(fish(world, "kcpvpn add "), [])
    world.write("afile", "")
    equal(fish(world, "kcpvpn import af"), ["afile"])
    world.daemon.stop()
    equal(fish(world, "kcpvpn up "), [])


if __name__ == "__main__":
    main()
