#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bus goes and comes back: what goes on meanwhile, what is there again, and what is forgotten."""
import os
import re
import signal
import sys
import time

from kvbus import (CLIENT_SETTINGS, MANAGER, NOBODY, ROOT, SERVER, TUNNEL, GLib, check, equal, iterate, main, refused,
                   variants, wait_for)
from kvnet import TIME_FACTOR, TUN_SERVER, test, wait_until

EMPTY = GLib.Variant("(a{sv})", ({},))
TRANSIENT = {"transient": True}
BACK_SECONDS = 2

# A program that makes a transient tunnel and stays.
OWNER = """
import sys, time
sys.path[0:0] = sys.argv[1:3]
import kvbus
owner = kvbus.Caller(sys.argv[3])
print("made", owner.create({**kvbus.CLIENT_SETTINGS, "name": sys.argv[4]}, {"transient": True}), flush=True)
time.sleep(1000)
"""


def start_owner(world, name):
    here = os.path.dirname(os.path.abspath(__file__))
    process = world.start([sys.executable, "-c", OWNER, here, os.path.join(os.path.dirname(here), "netns"),
                           world.address, name], name)
    process.wait_text("^made ")
    return process


def tunnels(caller):
    return {caller.get(path, TUNNEL, "Name"): path for path in caller.get(ROOT, MANAGER, "Tunnels")}


def count_names(world):
    return world.daemon_process.text().count("is on the bus")


def end_bus(world, number=signal.SIGKILL):
    for process in (world.polkit_process, world.bus_process):
        if process.alive():
            process.send(number)
            process.wait_exit()
    wait_until(lambda: "the bus is gone" in world.daemon_process.text(), 5, "the daemon notices")


def bring_back(world):
    """Returns a new caller that is root."""
    before = count_names(world)
    world.start_bus()
    started = time.monotonic()
    wait_until(lambda: count_names(world) > before or not world.daemon_process.alive(), 10, "the name is back")
    check(world.daemon_process.alive(), f"the daemon ended:\n{world.daemon_process.tail()}")
    check(time.monotonic() - started < BACK_SECONDS * TIME_FACTOR, "it took too long to come back")
    return world.connect()


@test("the bus dies and comes back: no packet is lost, all is where it was, and the name is back in time", limit=120)
def traffic_goes_on(world):
    root = world.start_all()
    world.veth()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    world.client("--client-id", "c")
    wait_until(lambda: root.get(path, TUNNEL, "Clients"), 5, "the client is known")
    before = root.objects()
    ping = world.start(["ping", "-i", "0.02", "-W", "2", TUN_SERVER], "ping", world.c)
    for number in (signal.SIGKILL, signal.SIGTERM):
        end_bus(world, number)
        time.sleep(1)
        root = bring_back(world)
        equal(root.objects().keys(), before.keys(), "the objects")
        equal(root.state(path), "connected", "the state")
        equal(root.get(path, TUNNEL, "ConnectedSince"), before[path][TUNNEL]["ConnectedSince"], "since when")
    ping.stop(signal.SIGINT)
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", ping.text()).groups())
    check(sent > 50, f"only {sent} packets were sent")
    equal(received, sent, "packets that came back")
    root.tunnel(path, "Stop")
    equal(root.state(path), "stopped", "the state at last")


@test("what happens while the bus is away is there when it is back", limit=60)
def changes_meanwhile(world):
    root = world.start_all()
    world.veth()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    client = world.client("--client-id", "first")
    wait_until(lambda: root.get(path, TUNNEL, "Clients"), 5, "the client is known")
    end_bus(world)
    client.stop()
    world.client("--client-id", "second", name="second")
    root = bring_back(world)
    clients = root.get(path, TUNNEL, "Clients")
    equal(len(clients), 1, "clients")
    equal(root.get(clients[0], "org.kcpvpn.Client1", "Id"), "second", "who it is")
    equal(set(root.objects()), {path, clients[0]}, "the objects")


@test("polkit is asked again on the new bus; while it is away only root may", limit=60)
def polkit_again(world):
    root, user = world.start_all(), world.connect(NOBODY)
    path = root.create(CLIENT_SETTINGS)
    world.answer("yes")
    user.tunnel(path, "Update", {"port": 1})
    for port in (2, 3):
        end_bus(world)
        root = bring_back(world)
        user = world.connect(NOBODY)
        refused(lambda: user.tunnel(path, "Update", {"port": 9}), "NotAuthorized", "polkit could not be asked")
        root.tunnel(path, "Update", {"port": 4})
        world.callers[0] = root
        world.start_polkit()
        refused(lambda: user.tunnel(path, "Update", {"port": 9}), "NotAuthorized")
        world.answer("yes")
        user.tunnel(path, "Update", {"port": port})
        equal(root.get(path, TUNNEL, "Settings")["port"], port, "the port")


@test("a name that root or an owner had on the old bus gives its new holder no right of theirs, and no news", limit=60)
def names_are_forgotten(world):
    root = world.start_all()
    path = root.create(CLIENT_SETTINGS)
    own = root.create({**SERVER, "name": "own"}, TRANSIENT)
    root.tunnel(own, "Start")
    root.tunnel(own, "Watch", 100)
    end_bus(world)
    new_root = bring_back(world)
    heir = world.connect(NOBODY)
    while heir.name != root.name:
        check(int(heir.name.split(".")[1]) < 50, f"no caller is called {root.name} again")
        heir = world.connect(NOBODY)
    heir.listen()
    for tunnel in (path, own):
        for method, arguments in (("Delete", []), ("Stop", []), ("Update", [{"port": 9}]), ("GetSecrets", [])):
            refused(lambda: heir.tunnel(tunnel, method, *arguments), "NotAuthorized")
    iterate(0.5)
    equal([s for s in heir.signals if s[2] == "PropertiesChanged"], [], "what it hears")
    equal(set(tunnels(new_root)), {"cli", "own"}, "the tunnels")
    new_root.tunnel(own, "Delete")


@test("transient tunnels outlive the bus as long as the program that made them lives, and no longer", limit=60)
def owners(world):
    root = world.start_all()
    ends_before, ends_meanwhile, ends_later = (start_owner(world, name) for name in ("before", "meanwhile", "later"))
    left = world.connect()
    left.create({**CLIENT_SETTINGS, "name": "left"}, TRANSIENT)
    root.create({**CLIENT_SETTINGS, "name": "ours"}, TRANSIENT)
    ends_before.kill()
    left.close()
    wait_until(lambda: set(tunnels(root)) == {"meanwhile", "later", "ours"}, 5, "what nobody owns is gone")
    fds = world.fds()
    end_bus(world)
    ends_meanwhile.kill()
    root = bring_back(world)
    wait_until(lambda: set(tunnels(root)) == {"later", "ours"}, 5, "what nobody owns is gone")
    ends_later.kill()
    wait_until(lambda: set(tunnels(root)) == {"ours"}, 5, "what nobody owns is gone")
    root.tunnel(tunnels(root)["ours"], "Delete")
    check(world.fds() < fds, f"{fds} file descriptors before, {world.fds()} now")


@test("a call that waits for a person when the bus goes has failed, whatever is answered later", limit=60)
def calls_under_way(world):
    root, user = world.start_all(), world.connect(NOBODY)
    path = root.create(CLIENT_SETTINGS)
    world.answer("hang")
    calls = [user.start_call(path, TUNNEL, "Delete", EMPTY, interactive=True),
             user.start_call(ROOT, MANAGER, "CreateTunnel",
                             GLib.Variant("(a{sv}a{sv})", (variants({**SERVER, "name": "x"}), variants(TRANSIENT))),
                             interactive=True)]
    wait_for(lambda: len(world.asked()) == 2, 5, "polkit is asked")
    world.kill(world.bus_process)
    root = bring_back(world)
    world.kill(world.polkit_process)
    wait_for(lambda: all(call.done for call in calls), 5, "the calls have ended")
    equal(tunnels(root), {"cli": path}, "the tunnels")
    equal(root.state(path), "stopped", "the state")


@test("a bus that goes again and again leaves nothing behind", limit=120)
def again_and_again(world):
    root = world.start_all()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    fds = []
    for _ in range(8):
        root.wait_state(path, "connected")
        root.tunnel(path, "Watch", 100)
        fds.append(world.fds())
        end_bus(world)
        root = bring_back(world)
    check(fds[-1] <= fds[1], f"file descriptors grow: {fds}")


@test("without a bus SIGTERM ends it in good order, and SIGHUP still reads what is saved", limit=60)
def signals_without_bus(world):
    root = world.start_all()
    path = root.create({**SERVER, "autostart": True})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    file = root.get(path, TUNNEL, "File")
    end_bus(world)
    os.unlink(file)
    world.daemon_process.send(signal.SIGHUP)
    wait_until(lambda: "1235" not in world.s.run("ss", "-lun"), 5, "the tunnel whose file is gone is stopped")
    world.daemon_process.send(signal.SIGTERM)
    world.daemon_process.expect_exit(0)


@test("a daemon whose name another one took on the new bus ends with status 1 and says why", limit=60)
def name_taken(world):
    world.start_all()
    first = world.daemon_process
    world.kill(world.polkit_process)
    first.send(signal.SIGSTOP)
    world.kill(world.bus_process)
    world.start_bus()
    world.start_daemon()
    first.send(signal.SIGCONT)
    first.expect_exit(1)
    check("another daemon has it" in first.text(), "it does not say why")


main()
