#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documentation tells people to type works: the README's server for many clients, from its
first line to its last, and every line of org.kcpvpn(5)."""
import os
import re
import shutil
import signal
import subprocess
import time

from kvbus import DAEMON, TUNNEL, BusWorld, check, equal, main
from kvnet import PROGRAM, SANITIZED, TIME_FACTOR, TOP, Failed, Skipped, shell, test, wait_until

CLIENTS = 20 if SANITIZED else 100
README = {"README.md": "A server for many clients", "README.zh_CN.md": "服务众多客户端"}
FIRST = "/org/kcpvpn/tunnel/1"
PAGE = os.path.join(TOP, "data", "dbus", "org.kcpvpn.5")
BUILD = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(DAEMON))))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def blocks(text):
    """The indented blocks of a Markdown text, as lists of commands of one or more lines."""
    found, block = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("    "):
            block.append(line[4:])
        elif block:
            found.append(commands(block))
            block = []
    return found


def commands(lines):
    """Lines joined where the shell wants more: behind a backslash, and inside of a loop."""
    found, open_line = [], ""
    for line in lines:
        open_line += line
        if open_line.endswith("\\") or (open_line.startswith("for ") and line != "done"):
            open_line += "\n"
            continue
        found.append(open_line)
        open_line = ""
    check(not open_line, f"a command does not end: {open_line!r}")
    return found


def section(name):
    text = read(os.path.join(TOP, name))
    return text.split(f"\n## {README[name]}\n")[1].split("\n## ")[0]


class Shell:
    """A shell that stays, as a person's: variables and folders last from command to command."""

    def __init__(self, world, folder, namespace=None):
        bin_folder = os.path.join(world.dir, "bin")
        if not os.path.isdir(bin_folder):
            os.mkdir(bin_folder)
            os.symlink(PROGRAM, os.path.join(bin_folder, "kcpvpn"))
        env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": world.address, "LC_ALL": "C.UTF-8",
               "PATH": f"{bin_folder}:{os.environ['PATH']}"}
        words = ["sh"]
        if namespace:
            words = namespace.command(*words)
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env=env, cwd=folder)

    def run(self, command):
        """Runs it, fails if it does, and returns what it printed."""
        self.process.stdin.write(command + "\necho \"status:$?\"\n")
        self.process.stdin.flush()
        out = ""
        for line in self.process.stdout:
            if match := re.fullmatch(r"(.*)status:(\d+)\n", line):
                out += match[1]
                if match[2] != "0":
                    raise Failed(f"{command}: status {match[2]}\n{out}")
                return out
            out += line
        raise Failed(f"{command}: the shell ended\n{out}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def until_interrupted(world, command, folder):
    """Runs for a second, or until it says something, what runs until Ctrl-C."""
    words = command.split("#")[0].split()
    process = world.start(["env", f"DBUS_SYSTEM_BUS_ADDRESS={world.address}", PROGRAM, *words[1:]],
                          words[1])
    time.sleep(1.5)
    end = time.monotonic() + 5 * TIME_FACTOR
    while process.alive() and not process.text() and time.monotonic() < end:
        time.sleep(0.1)
    check(process.alive(), f"{command} has ended:\n{process.tail()}")
    process.send(signal.SIGINT)
    process.wait_exit(5)
    return process.text()


# --- the README ----------------------------------------------------------------------------------

def install(world, line, stage):
    """The first block, which changes the machine: into a folder of ours, and checked there."""
    if line.startswith("./run "):
        shell(os.path.join(TOP, "run"), "help")
        check(line.split()[1] in shell(os.path.join(TOP, "run"), "help"), f"{line}: no such verb")
    elif line.startswith("meson configure"):
        option = re.fullmatch(r"meson configure build -D(\w+)=/usr", line)[1]
        check(f"  {option} " in shell("meson", "configure", BUILD), f"{line}: no such option")
    elif line == "meson install -C build":
        shell("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", stage, timeout=120)
    elif line == "systemd-sysusers && systemd-tmpfiles --create":
        os.makedirs(os.path.join(stage, "etc"), exist_ok=True)
        shell("systemd-sysusers", f"--root={stage}")
        check("kcpvpn:" in read(os.path.join(stage, "etc/passwd")), "the user kcpvpn was not made")
        shell("systemd-tmpfiles", f"--root={stage}", "--create")
        check(os.path.isdir(os.path.join(stage, "var/lib/kcpvpn")), "the folders were not made")
    elif match := re.fullmatch(r"systemctl enable --now (\S+)", line):
        found = [os.path.join(at, f"{match[1]}.service") for at, _, names in os.walk(stage)
                 if f"{match[1]}.service" in names]
        check(found and "WantedBy=" in read(found[0]), f"no unit {match[1]} that can be enabled")
        start = re.search(r"^ExecStart=(\S+)", read(found[0]), re.M)[1]
        check(os.access(stage + start, os.X_OK), f"the unit's program {start} is not installed")
        world.start_all()
    else:
        equal(line, "systemctl daemon-reload && systemctl reload dbus", "a command that this test does not know")


def connect_others(world, folder):
    """All clients but the first, as they come in the foreground."""
    clients = [world.start([PROGRAM, "client", "--log-json", "--vni-name", f"kvc{n}", "--config",
                            os.path.join(folder, "clients", f"client{n}.kcpvpn")], f"client{n}",
                           world.c) for n in range(2, CLIENTS + 1)]
    for one in clients:
        one.wait_event("connected", 90)
    wait_until(lambda: len(world.callers[0].get(FIRST, TUNNEL, "Clients")) == CLIENTS, 30,
               "all are objects")


def be_client(world, far, lines, folder):
    """The block for a client, in a machine of its own: another bus, another daemon."""
    far.start_bus()
    far.start_polkit()
    far.start_daemon(namespace=world.c)
    far.connect()
    home = os.path.join(far.dir, "home")
    os.mkdir(home)
    shutil.copy(os.path.join(folder, "clients", "client1.kcpvpn"), home)
    person = Shell(far, home, world.c)
    for line in lines:
        person.run(line)
    person.close()


def follow(world, far, name):
    folder, stage = os.path.join(world.dir, "folder"), os.path.join(world.dir, "stage")
    os.mkdir(folder)
    os.mkdir(stage)
    parts = blocks(section(name).replace("vpn.example.org", "10.77.0.1")
                   .replace("$(seq 100)", f"$(seq {CLIENTS})"))
    for line in parts[0]:
        install(world, line, stage)
    person = Shell(world, folder)
    said = {}
    for part in parts[1:]:
        if part[0].startswith("kcpvpn import"):
            be_client(world, far, part, folder)
            connect_others(world, folder)
            continue
        for line in part:
            said[line] = (until_interrupted(world, line, folder) if "Ctrl-C" in line
                          else person.run(line))
    person.close()
    return said


@test("the README's server for many clients, each command as it stands there", limit=400)
def readme(world):
    for program in ("meson", "systemd-sysusers", "systemd-tmpfiles"):
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed")
    world.veth()
    for namespace in (world.s, world.c):
        namespace.sysctl("net.ipv6.conf.default.disable_ipv6=1")
    far = BusWorld()
    try:
        said = follow(world, far, "README.md")
    finally:
        far.close()
    equal(said["kcpvpn clients office --ids | wc -l"].strip(), str(CLIENTS), "the clients")
    check("client7" in said["kcpvpn clients office"], "client7 is not in the table")
    equal(said["kcpvpn kick office client7"], "client7: disconnected\n", "the kick")
    watch = next(text for line, text in said.items() if "--watch" in line)
    check("office connected: in " in watch, f"the live view has nothing: {watch!r}")
    equal(said["kcpvpn delete office"], "office: deleted\n", "the end")


@test("both READMEs tell the same commands")
def languages(world):
    def plain(name):
        return [[re.sub(r" +#.*", "", line) for line in part] for part in blocks(section(name))]
    equal(plain("README.zh_CN.md"), plain("README.md"), "the commands")
    check(len(plain("README.md")) > 4, "no commands were found")


# --- org.kcpvpn(5) -------------------------------------------------------------------------------

def page_commands():
    text = read(PAGE)
    found = []
    for part in re.findall(r"^\.nf\n(.*?)^\.fi$", text, re.S | re.M):
        for escape, char in (("\\(aq", "'"), ("\\(dq", '"'), ("\\-", "-"), ("\\e", "\\")):
            part = part.replace(escape, char)
        found += commands(part.splitlines())
    return found


@test("each line of org.kcpvpn(5), from the first to the last", limit=120)
def page(world):
    for program in ("busctl", "gdbus"):
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed")
    world.veth()
    root = world.start_all()
    person = Shell(world, world.dir)
    lines = page_commands()
    check(len(lines) > 20, "no lines were found")
    said = {}
    for line in lines:
        if "gdbus monitor" in line:
            process = world.start(["env", f"DBUS_SYSTEM_BUS_ADDRESS={world.address}", *line.split()],
                                  "monitor")
            process.wait_text("owned by")
            continue
        if "/client/1" in line and "client" not in said:
            client = world.kcpvpn("client", "--ip", "10.77.0.1", "--port", "1235", "--client-id", "phone",
                                  namespace=world.c, name="client", secret="a long shared secret")
            client.wait_event("connected", 15)
            wait_until(lambda: root.get(FIRST, TUNNEL, "Clients"), 5, "the client is an object")
            said["client"] = True
        said[line] = person.run(line)
    person.close()
    text = "\n".join(text for text in said.values() if text is not True)
    for part in ('"/org/kcpvpn/tunnel/1"', '"connected"', '"phone"', "keepalive=20",
                 "a long shared secret", "/org/kcpvpn/tunnel/2", "wire-rx-bytes"):
        check(part in text, f"no line has printed {part}:\n{text[:3000]}")


if __name__ == "__main__":
    main()
