#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of kcpvpn against the real service: what they do to tunnels, who may, and how they end."""
import json
import os
import re
import subprocess

from kvbus import DAEMON_GID, ERROR, NOBODY, SERVER, TUNNEL, check, equal, main
from kvnet import PORT, PROGRAM, SECRET, Failed, test, wait_until

SERVER_FLAGS = ["--ip", "0.0.0.0", "--port", str(PORT), "--vni-mode", "tun", "--local-ip", "192.168.88.1",
                "--assignable-ips", "192.168.88.2-192.168.88.254"]


# What a program needs to run under a sanitizer, in place of the rest of the environment.
SANITIZER_VARIABLES = {key: os.environ[key] for key in ("ASAN_OPTIONS", "G_SLICE", "TSAN_OPTIONS") if key in os.environ}


def run(world, *words, status=0, uid=0, env=None, stdin=None):
    """Runs kcpvpn as that user; fails if it ends otherwise. Returns what it wrote, both ways together."""
    done = subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL if stdin is None else None, input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
                          user=uid, group=uid, extra_groups=[] if uid else None,
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **SANITIZER_VARIABLES,
                               "DBUS_SYSTEM_BUS_ADDRESS": world.address, **(env or {})})
    if done.returncode != status:
        raise Failed(f"{words}: status {done.returncode}, wanted {status}\n{done.stdout}")
    return done.stdout


def add_server(world, name="srv", **kw):
    return run(world, "add", name, "--role", "server", *SERVER_FLAGS, env={"KCPVPN_KEY": SECRET}, **kw)


def has(text, *parts):
    for part in parts:
        check(part in text, f"no {part!r} in {text!r}")


@test("a server's whole life: made, started, seen, asked for its clients, told to send one away, stopped, deleted",
      limit=90)
def life(world):
    world.start_all()
    world.veth()
    equal(add_server(world), "srv: added\n", "add")
    has(run(world, "status", "srv", status=9), "stopped")
    has(run(world, "up", "srv"), f"srv: listening on 0.0.0.0:{PORT}")
    has(run(world, "status", "srv"), "connected")
    monitor = world.start(["env", f"DBUS_SYSTEM_BUS_ADDRESS={world.address}", PROGRAM, "monitor", "--json"], "monitor")
    watch = world.start(["env", f"DBUS_SYSTEM_BUS_ADDRESS={world.address}", PROGRAM, "show", "srv", "--watch", "--json",
                         "--interval", "100"], "watch")
    watch.wait_text("Statistics")
    client = world.client("--client-id", "phone")
    wait_until(lambda: "phone" in run(world, "clients", "--ids"), 5, "the client is listed")
    world.c.can_ping("192.168.88.1")
    has(run(world, "clients", "srv"), "phone", "192.168.88.2", "kvs0", "10.77.0.2:")
    found = json.loads(run(world, "clients", "--json"))[0]
    equal((found["Id"], found["Protocol"]), ("phone", "native"), "the client")
    check(found["Cipher"] in ("aes-256-gcm", "chacha20-poly1305"), f"the cipher: {found['Cipher']}")
    check(re.search(r"^protocol +native\ncipher +auto, what suits the processors of both ends$", run(world, "status", "srv"),
                    re.M), "the status lacks the protocol, the cipher, or why")
    check(found["Statistics"]["rx-packets"] > 0, "it has sent nothing")
    wait_until(lambda: any(json.loads(line)["Statistics"].get("rx-bytes", 0) > 0 for line in watch.text().splitlines()
                           if line.startswith("{") and line.endswith("}")), 5, "the view has traffic")
    has(run(world, "show", "srv"), "clients", "UDP received")
    equal(run(world, "kick", "srv", "phone"), "phone: disconnected\n", "kick")
    client.wait_exit()
    equal(run(world, "kick", "srv", "phone", status=8)[:7], "kcpvpn:", "the second kick")
    equal(run(world, "down", "srv"), "srv: stopped\n", "down")
    equal(run(world, "delete", "srv"), "srv: deleted\n", "delete")
    has(run(world, "list"), "There are no tunnels")
    monitor.wait_text("removed")
    events = [json.loads(line)["Event"] for line in monitor.text().splitlines()]
    equal([e for e in events if e != "state"], ["client-connected", "client-left", "removed"], "the events")


@test("settings are added, changed, unset, exported and imported; secrets are told only when asked for")
def settings(world):
    root = world.start_all()
    add_server(world)
    path = json.loads(run(world, "show", "srv", "--json"))["Path"]
    run(world, "edit", "srv", "--keepalive", "20", "--users", "ann,bob", "--autostart")
    given = root.get(path, TUNNEL, "Settings")
    equal((given["keepalive"], given["users"], given["autostart"]), (20, ["ann", "bob"], True), "what was given")
    run(world, "edit", "srv", "--unset", "keepalive,users")
    check("keepalive" not in root.get(path, TUNNEL, "Settings"), "keepalive was not unset")
    editor = os.path.join(world.dir, "editor")
    with open(editor, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nsed -i -e s/port=.*/port=7/ -e /autostart/d \"$1\"\n")
    os.chmod(editor, 0o755)
    equal(run(world, "edit", "srv", env={"EDITOR": editor}), "srv: changed\n", "the editor")
    given = root.get(path, TUNNEL, "Settings")
    equal((given["port"], "autostart" in given), (7, False), "what was edited")
    equal(root.get(path, TUNNEL, "SavedSecrets"), ["secret"], "the secret that was not in the text")
    text = run(world, "export", "srv")
    check(SECRET not in text, "the secret was told")
    has(run(world, "import", "-", "--name", "two", stdin=text), "two: imported")
    equal(run(world, "list", "--names"), "srv\ntwo\n", "the names")
    has(run(world, "import", "-", stdin=text, status=1), "srv")
    has(run(world, "edit", "srv", "--port", "0", status=2), '"0"')
    has(run(world, "add", "x", "--role", "server", "--ip", "0.0.0.0", status=2), "port")
    file = os.path.join(world.dir, "out.kcpvpn")
    run(world, "export", "srv", file, "--with-secrets")
    with open(file, encoding="utf-8") as f:
        has(f.read(), f"secret={SECRET}")
    has(run(world, "reload"), "read again")
    bad = os.path.join(world.config, "bad.kcpvpn")
    with open(bad, "w", encoding="ascii") as f:
        f.write("[tunnel]\nrole=server\nport=x\n")
    os.chown(bad, 0, DAEMON_GID)
    os.chmod(bad, 0o640)
    has(run(world, "reload", status=1), "bad.kcpvpn:3", "port")
    has(run(world, "status"), "bad.kcpvpn:3")


@test("a client says how its start ended by its exit status, and goes on or not as it was told", limit=90)
def ups(world):
    root = world.start_all()
    world.veth()
    run(world, "add", "home", "--role", "client", "--ip", "10.77.0.2", "--port", str(PORT))
    has(run(world, "up", "home", "--no-ask", status=2), "secret")
    key = {"KCPVPN_KEY": SECRET}
    has(run(world, "up", "home", env=key, status=5), "kcpvpn: home: ")
    run(world, "edit", "home", "--auto-reconnect")
    has(run(world, "up", "home", "--wait", "2", env=key, status=5), "kcpvpn down home")
    has(run(world, "down", "home"), "home: stopped")
    server = world.server("--local-ip", "192.168.88.1", "--assignable-ips", "192.168.88.2-192.168.88.9",
                          namespace=world.c)
    has(run(world, "up", "home", env=key), "home: connected to 10.77.0.2:1235, interface kvc0, address 192.168.88.2/")
    has(run(world, "up", "home"), "connected to")
    found = json.loads(run(world, "status", "home", "--json"))
    equal((found["State"], found["Interface"]), ("connected", "kvc0"), "the state")
    check(re.search(r"^protocol +native\ncipher +(aes-256-gcm|chacha20-poly1305), (which the processors of both ends have|as "
                    r"this processor has no) instructions for", run(world, "status", "home"), re.M),
          "the status lacks the protocol, the cipher, or why")
    server.stop()
    path = found["Path"]
    root.wait_state(path, "waiting")
    text = run(world, "status", "home", status=9)
    check("waiting" in text or "connecting" in text, text)
    run(world, "delete", "home")
    run(world, "add", "one", "--role", "server", *SERVER_FLAGS, env=key)
    run(world, "add", "two", "--role", "server", *SERVER_FLAGS, env=key)
    run(world, "up", "one")
    has(run(world, "up", "two", status=1), str(PORT))


DEEDS = [(["add", "new", "--role", "server", *SERVER_FLAGS, "--secret", "x"], "tunnel.create"),
         (["edit", "srv", "--keepalive", "9"], "tunnel.modify"), (["up", "srv"], "tunnel.control"),
         (["down", "srv"], "tunnel.control"), (["export", "srv", "--with-secrets"], "tunnel.secrets"),
         (["reload"], "tunnel.modify"), (["delete", "srv"], "tunnel.delete")]


@test("a user who may not is told so by each command, and one who may is let; everybody may look", limit=60)
def rights(world):
    root = world.start_all()
    path = root.create(SERVER)
    for words, action in DEEDS:
        for answer, said in (("no", "polkit rule"), ("challenge", "--ask")):
            if words[0] == "down":
                root.tunnel(path, "Start")
            world.answer(answer)
            world.asked()
            has(run(world, *words, uid=NOBODY, status=4), said)
            equal(world.asked()[-1]["action"], "org.kcpvpn." + action, f"what {words[0]} asked for")
            root.tunnel(path, "Stop")
    for words in (["list"], ["show", "srv"], ["clients"], ["export", "srv"], ["status"]):
        run(world, *words, uid=NOBODY)
    world.answer("yes")
    for words, _ in DEEDS:
        if words[0] != "export":
            run(world, *words, uid=NOBODY)
    equal(run(world, "list", "--names"), "new\n", "what is left")


@test("nobody sends a client away without the right to; with it, it goes", limit=30)
def kick_denied(world):
    root = world.start_all()
    world.veth()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    client = world.client("--client-id", "phone")
    wait_until(lambda: "phone" in run(world, "clients", "--ids"), 5, "the client is listed")
    for answer, said in (("no", "polkit rule"), ("challenge", "--ask")):
        world.answer(answer)
        has(run(world, "kick", "srv", "phone", uid=NOBODY, status=4), said)
        asked = world.asked()[-1]
        equal((asked["action"], asked["details"]["tunnel"], asked["details"]["client"]),
              ("org.kcpvpn.client.disconnect", "srv", "phone"), "what was asked for")
    world.c.can_ping("192.168.88.1")
    check(client.alive() and "phone" in run(world, "clients", "--ids"), "the client is gone")
    world.answer("yes")
    equal(run(world, "kick", "srv", "phone", uid=NOBODY), "phone: disconnected\n", "kick")
    client.wait_exit()


@test("polkit may ask a person unless --no-ask says otherwise", limit=30)
def asking(world):
    root = world.start_all()
    root.create(SERVER)
    world.answer("dismissed")
    has(run(world, "delete", "srv", uid=NOBODY, status=4), "kcpvpn: srv: ")
    interactive = world.asked()[-1]
    run(world, "delete", "srv", "--no-ask", uid=NOBODY, status=4)
    check(interactive["interactive"] and not world.asked()[-1]["interactive"], "what polkit was told")


@test("a daemon that goes in the middle is named, and the commands end", limit=30)
def gone(world):
    root = world.start_all()
    root.create({**SERVER, "name": "home", "role": "server"})
    watch = world.start(["env", f"DBUS_SYSTEM_BUS_ADDRESS={world.address}", PROGRAM, "show", "home", "--watch"], "watch")
    wait_until(lambda: world.daemon_process.alive(), 5, "the daemon runs")
    run(world, "up", "home")
    watch.wait_text("connected")
    world.kill(world.daemon_process)
    equal(watch.wait_exit(10), 7, "the live view's exit status")
    has(run(world, "list", status=7), "daemon is not running")
    check(ERROR not in run(world, "list", status=7), "an error's name was shown")


if __name__ == "__main__":
    main()
