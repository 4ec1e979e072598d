#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Callers, daemon, bus and polkit that go at the worst moment; saved tunnels, and files edited by hand."""
import contextlib
import os
import pwd
import random
import resource
import signal
import subprocess
import time

import kvbus
from kvbus import (CLIENT, CLIENT_SETTINGS, DAEMON, DAEMON_GID, DAEMON_UID, LONG, MANAGER, NOBODY, ROOT, SERVER, TUNNEL, Error, GLib,
                   ServiceManager, check, equal, held, iterate, main, refused, tunnel_arguments, variants, wait_for)
from kvnet import PROGRAM, SANITIZED, shell, test, wait_held, wait_until

EMPTY = GLib.Variant("(a{sv})", ({},))
TRANSIENT = {"transient": True}


def create_arguments(settings, **options):
    return GLib.Variant("(a{sv}a{sv})", (variants(settings), variants(options)))


def tunnels(caller):
    return caller.get(ROOT, MANAGER, "Tunnels")


def write(folder, name, text, mode=0o640):
    """A file as an administrator makes it: root's, and the daemon's group may read it."""
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chown(path, 0, DAEMON_GID)
    os.chmod(path, mode)
    return path


def key_file(port=1235, **more):
    lines = [f"{key}={value}" for key, value in more.items()]
    return "\n".join(["[tunnel]", "role=client", "ip=192.0.2.1", f"port={port}", "secret=hush", *lines, ""])


def server_file():
    """SERVER without a secret."""
    return "[tunnel]\n" + "".join(f"{key}={SERVER[key]}\n" for key in SERVER if key not in ("secret", "name"))


@test("a transient tunnel is not saved, and goes with who made it: stopped, running, or about to start", limit=60)
def transient(world):
    root = world.start_all()
    for start, wait in ((False, False), (True, True), (True, False)):
        owner = world.connect()
        path = owner.create(SERVER, TRANSIENT)
        check(root.get(path, TUNNEL, "Transient") and root.get(path, TUNNEL, "File") == "", "it is saved")
        root.tunnel(path, "Watch", 100)
        if start:
            owner.start_call(path, TUNNEL, "Start", EMPTY)
            iterate(0.01)
        if wait:
            owner.wait_state(path, "connected")
        owner.bus.flush_sync()
        owner.close()
        wait_until(lambda: not tunnels(root), 10, "the tunnel is gone")
        equal(os.listdir(world.state), [], "the files")
    check("1235" not in world.s.run("ss", "-lun"), "the port is still taken")


@test("who made a transient tunnel may do all with it but look at rights that cost more; others must be allowed",
      limit=30)
def owner_rights(world):
    root = world.start_all()
    owner, other = world.connect(NOBODY), world.connect(NOBODY)
    world.answer("yes", "tunnel.create")
    path = owner.create(SERVER, TRANSIENT)
    for method in ("Start", "Stop", "Delete"):
        refused(lambda: other.tunnel(path, method), "NotAuthorized")
    owner.tunnel(path, "Start")
    owner.tunnel(path, "Stop")
    owner.tunnel(path, "Update", {"port": 1236})
    refused(lambda: owner.tunnel(path, "Update", {"hook-dir": "/etc"}), "NotAuthorized")
    refused(lambda: owner.tunnel(path, "GetSecrets"), "NotAuthorized")
    equal(root.get(path, TUNNEL, "Settings")["port"], 1236, "the port")
    owner.tunnel(path, "Delete")


@test("a caller that leaves while polkit thinks gets nothing done, at whatever moment it leaves, and leaves nothing",
      limit=1500 if LONG else 120)
def caller_leaves(world):
    root = world.start_all()
    path = root.create(SERVER)
    settings = root.get(path, TUNNEL, "Settings")
    # Each user may call some times a second only.
    users = [user.pw_uid for user in pwd.getpwall() if user.pw_uid not in (0, DAEMON_UID)]
    calls = [(path, TUNNEL, "Update", tunnel_arguments("Update", [{"port": 7}])),
             (path, TUNNEL, "Start", EMPTY), (path, TUNNEL, "Delete", EMPTY),
             (ROOT, MANAGER, "CreateTunnel", create_arguments({**SERVER, "name": "x"}))]
    world.answer("hang")

    def leave(i):
        caller = kvbus.Caller(world.address, users[i % len(users)])
        caller.start_call(*calls[i % len(calls)])
        caller.bus.flush_sync()
        time.sleep(random.Random(i).uniform(0, 0.05))
        caller.close()
        time.sleep(random.Random(-i).uniform(0, 0.01))
        world.release()
    for i in range(100):
        leave(i)
    iterate(0.3)
    before = world.rss_kib(), world.fds()
    for i in range(100, 10100 if LONG else 160):
        leave(i)
    iterate(0.3)
    after = world.rss_kib(), world.fds()
    equal(tunnels(root), [path], "the tunnels")
    equal((root.state(path), root.get(path, TUNNEL, "Settings")), ("stopped", settings), "the tunnel")
    equal(after[1], before[1], "file descriptors")
    check(SANITIZED or after[0] <= before[0] + 500, f"memory grew from {before[0]} to {after[0]} KiB")


@test("a tunnel that is deleted while polkit thinks about another call is not touched by that call", limit=30)
def deleted_during_check(world):
    root = world.start_all()
    user = world.connect(NOBODY)
    path = root.create(SERVER)
    world.answer("hang")
    call = user.start_call(path, TUNNEL, "Start", EMPTY)
    wait_for(lambda: world.asked(), 5, "polkit is asked")
    root.tunnel(path, "Delete")
    again = root.create(SERVER)
    world.release()
    refused(call.wait, "NotFound", "srv")
    equal((tunnels(root), root.state(again)), ([again], "stopped"), "the new tunnel")


@test("polkit that dies while it thinks has said no", limit=30)
def polkit_dies(world):
    root = world.start_all()
    user = world.connect(NOBODY)
    path = root.create(SERVER)
    world.answer("hang")
    call = user.start_call(path, TUNNEL, "Delete", EMPTY)
    wait_for(lambda: world.asked(), 5, "polkit is asked")
    world.kill(world.polkit_process)
    refused(lambda: call.wait(15), "NotAuthorized")
    equal(tunnels(root), [path], "the tunnels")


@test("after kill -9 everything saved is back, what starts by itself runs, and nothing else", limit=60)
def daemon_killed(world):
    root = world.start_all()
    root.create({**SERVER, "autostart": True})
    root.create(CLIENT_SETTINGS)
    root.create({**CLIENT_SETTINGS, "name": "gone"}, TRANSIENT)
    path = root.call(ROOT, MANAGER, "FindTunnel", "('srv', @a{sv} {})")
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    settings = {root.get(p, TUNNEL, "Name"): root.get(p, TUNNEL, "Settings") for p in tunnels(root)}
    del settings["gone"]
    world.kill(world.daemon_process)
    started = time.monotonic()
    world.start_daemon()
    check(time.monotonic() - started < 5, "it took too long to come back")
    equal({root.get(p, TUNNEL, "Name"): root.get(p, TUNNEL, "Settings") for p in tunnels(root)}, settings,
          "the tunnels")
    states = {root.get(p, TUNNEL, "Name"): p for p in tunnels(root)}
    root.wait_state(states["srv"], "connected")
    equal(root.state(states["cli"]), "stopped", "the tunnel that does not start by itself")


@test("SIGTERM stops tunnels in good order, answers who waits, and ends with status 0", limit=60)
def terminated(world):
    root = world.start_all()
    world.veth()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    client = world.client("--client-id", "c")
    wait_until(lambda: root.get(path, TUNNEL, "Clients"), 5, "the client is known")
    root.listen()
    world.daemon_process.send(signal.SIGTERM)
    world.daemon_process.expect_exit(0)
    client.wait_exit()
    check("ended by the server" in client.text() or client.count("refused") + client.count("lost") > 0,
          "the client was not told")
    equal([s[0] for s in root.states(path)], ["stopping", "stopped"], "the states")
    check(not [link for link in world.s.links() if link.startswith("kvs")], "an interface is left")
    for number in (signal.SIGTERM, signal.SIGINT):
        world.start_daemon()
        world.daemon_process.send(number)
        world.daemon_process.send(number)
        world.daemon_process.expect_exit(0)


@test("tunnels that are started while SIGTERM comes are refused or stopped, and the status is 0", limit=120)
def starts_at_sigterm(world):
    root = world.start_all()
    for i in range(10):
        if i > 0:
            world.start_daemon()
            root = world.connect()
        paths = [root.create({**CLIENT_SETTINGS, "name": f"t{j}"}, TRANSIENT) for j in range(64)]
        for j, path in enumerate(paths):
            if j == 8 + 4 * i:
                root.bus.flush_sync()
                world.daemon_process.send(signal.SIGTERM)
            root.start_call(path, TUNNEL, "Start", EMPTY)
        equal(world.daemon_process.wait_exit(20), 0, f"the status in round {i}")


@test("SIGTERM and SIGINT end it with status 0 from the first moment of main on", limit=90)
def early_signals(world):
    world.start_bus()
    n_held = 0
    for i in range(42):
        number = (signal.SIGTERM, signal.SIGINT)[i % 2]
        process = world.start_daemon(wait=False)
        wait_until(lambda: os.readlink(f"/proc/{process.pid}/exe") == DAEMON, 5, "it is the daemon", 0.0005)
        n_held += wait_held(process, number)
        time.sleep(i // 2 / 1000)
        process.send(number)
        process.expect_exit(0)
    check(n_held > 0, "a starting program holds signals back")


@test("a second daemon, and one without a bus, end with status 1 and say why", limit=60)
def no_bus(world):
    root = world.start_all()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    second = world.start_daemon(wait=False)
    second.expect_exit(1)
    check("another daemon has it" in second.text(), "it does not say why")
    equal(root.state(path), "connected", "the tunnel of the first")
    world.kill(world.bus_process)
    third = world.start_daemon(wait=False)
    third.expect_exit(1)
    check("no system bus" in third.text(), "it does not say why")


@test("the service manager hears that it is ready, how it is, that it lives, that it reloads, and that it ends",
      limit=30)
def service_manager(world):
    manager = ServiceManager(world)
    world.start_bus()
    world.start_polkit()
    early = world.connect()
    daemon = world.start_daemon(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"}, wait=False)
    manager.hears("STATUS=0 tunnels")
    manager.hears("READY=1")
    equal(early.get(ROOT, MANAGER, "Tunnels"), [], "what it answers once it is ready")
    root = world.connect()
    root.create(SERVER)
    manager.hears("STATUS=1 tunnel")
    manager.hears("WATCHDOG=1")
    daemon.send(signal.SIGHUP)
    manager.hears("RELOADING=1")
    manager.hears("READY=1")
    daemon.send(signal.SIGTERM)
    manager.hears("STOPPING=1")
    daemon.expect_exit(0)


@test("it is not ready without its name, and never once it stops, whatever ends meanwhile", limit=60)
def not_ready(world):
    manager = ServiceManager(world)
    env = {"NOTIFY_SOCKET": manager.path}
    world.start_all()
    first = world.daemon_process
    second = world.start_daemon(env=env, wait=False)
    second.expect_exit(1)
    check("READY=1" not in manager.listen(), "it was ready without the name")
    world.kill(first)
    daemon = world.start_daemon(env=env)
    manager.hears("READY=1")
    root = world.connect()
    path = root.create(SERVER, TRANSIENT)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    big = write(world.config, "0.kcpvpn", "# nothing\n" * 100000)
    for i in range(1, 100):
        os.link(big, os.path.join(world.config, f"{i}.kcpvpn"))
    with held(daemon.pid, "kcpvpn-w[0-9]+"):  # so that the tunnel is not down before all is read
        daemon.send(signal.SIGHUP)
        manager.hears("RELOADING=1")
        daemon.send(signal.SIGTERM)
        manager.hears("STOPPING=1")
        check("0.kcpvpn" not in daemon.text(), "all was read before it stopped: more files are needed")
        daemon.wait_text("/99.kcpvpn: ")
    daemon.expect_exit(0)
    check("READY=1" not in manager.listen(), "it was ready after it stopped")


@test("options of the program: unknown and wrong ones are refused with status 2", limit=30)
def program_options(world):
    for args, text in ((["--bogus"], "--bogus"), (["word"], "\"word\" is not allowed"),
                       (["--log-level", "loud"], "none of error, warning, info, debug")):
        process = world.start([DAEMON, *args], "options")
        process.expect_exit(2)
        check(text in process.text(), f"{args}: {process.text()!r}")
    check(shell(DAEMON, "--version").startswith("kcpvpnd "), "--version")


@test("the administrator's files are read, shown as such, and only read", limit=30)
def admin_files(world):
    write(world.config, "office.kcpvpn", key_file(name="office"))
    write(world.config, "plain.kcpvpn", key_file(port=7))
    root = world.start_all()
    names = {root.get(p, TUNNEL, "Name"): p for p in tunnels(root)}
    equal(set(names), {"office", "plain"}, "the tunnels")
    path = names["office"]
    equal((root.get(path, TUNNEL, "ReadOnly"), root.get(path, TUNNEL, "File")),
          (True, os.path.join(world.config, "office.kcpvpn")), "the file")
    for call in (lambda: root.tunnel(path, "Update", {"port": 1}), lambda: root.tunnel(path, "Delete")):
        refused(call, "ReadOnly", "office.kcpvpn is the administrator's")
    refused(lambda: root.create({**SERVER, "name": "office"}), "Exists")
    equal(root.tunnel(path, "GetSecrets"), {"secret": "hush"}, "the secrets")


@test("Reload and SIGHUP take in what was edited: new, changed, gone and broken files", limit=60)
def reload(world):
    write(world.config, "stays.kcpvpn", key_file(port=1))
    write(world.config, "goes.kcpvpn", key_file(port=2))
    write(world.config, "changes.kcpvpn", key_file(port=3))
    broken = write(world.config, "broken.kcpvpn", "[tunnel]\nrole=client\nip=::1\nport=many\n")
    root = world.start_all()
    reload_it = lambda: root.call(ROOT, MANAGER, "Reload", EMPTY)  # noqa: E731

    def by_name():
        return {root.get(p, TUNNEL, "Name"): p for p in tunnels(root)}
    before = by_name()
    equal(set(before), {"stays", "goes", "changes"}, "the tunnels")
    problems = root.get(ROOT, MANAGER, "Problems")
    equal([(p[0], p[1]) for p in problems], [(broken, 4)], "the problems")
    check("port: \"many\" is not allowed" in problems[0][2], f"the problem's message: {problems[0][2]}")
    check(f"{broken}:4:" in world.daemon_process.text(), "the log does not name file and line")
    root.listen()
    os.unlink(os.path.join(world.config, "goes.kcpvpn"))
    write(world.config, "changes.kcpvpn", key_file(port=33))
    write(world.config, "stays.kcpvpn", "[tunnel]\nrubbish\n")
    write(world.config, "broken.kcpvpn", key_file(port=4))
    reload_it()
    after = by_name()
    equal(set(after), {"stays", "changes", "broken"}, "the tunnels after Reload")
    equal((after["stays"], after["changes"]), (before["stays"], before["changes"]), "the paths")
    equal([root.get(after[n], TUNNEL, "Settings")["port"] for n in ("stays", "changes", "broken")], [1, 33, 4],
          "the ports")
    equal([(os.path.basename(p[0]), p[1]) for p in root.get(ROOT, MANAGER, "Problems")], [("stays.kcpvpn", 2)],
          "the problems after Reload")
    write(world.config, "stays.kcpvpn", key_file(port=11))
    world.daemon_process.send(signal.SIGHUP)
    wait_until(lambda: root.get(after["stays"], TUNNEL, "Settings")["port"] == 11, 5, "SIGHUP is obeyed")
    equal(root.get(ROOT, MANAGER, "Problems"), [], "the problems at last")


@test("a tunnel whose file goes while it runs is stopped; one that changed sides is made anew", limit=60)
def reload_running(world):
    text = ("[tunnel]\nrole=server\nip=0.0.0.0\nport=1235\nvni-mode=tun\nsecret=hush\nautostart=true\n")
    write(world.config, "a.kcpvpn", text)
    root = world.start_all()
    path = tunnels(root)[0]
    root.wait_state(path, "connected")
    write(world.config, "a.kcpvpn", text.replace("1235", "1236"))
    root.call(ROOT, MANAGER, "Reload", EMPTY)
    equal((root.state(path), root.get(path, TUNNEL, "Endpoint")), ("connected", "0.0.0.0:1235"), "what runs")
    root.tunnel(path, "Stop")
    root.tunnel(path, "Start")
    wait_until(lambda: root.get(path, TUNNEL, "Endpoint") == "0.0.0.0:1236", 5, "the new port is used")
    write(world.config, "a.kcpvpn", key_file(name="a"))
    root.call(ROOT, MANAGER, "Reload", EMPTY)
    wait_until(lambda: [root.get(p, TUNNEL, "Role") for p in tunnels(root)] == ["client"], 10,
               "the tunnel is a client")
    os.unlink(os.path.join(world.config, "a.kcpvpn"))
    root.call(ROOT, MANAGER, "Reload", EMPTY)
    wait_until(lambda: not tunnels(root), 5, "the tunnel is gone")


@test("a tunnel that ends because its file is gone is not saved any more, and leaves no file behind", limit=60)
def changes_while_it_ends(world):
    root = world.start_all()
    for i in range(20):
        path = root.create({**SERVER, "name": f"t{i}"})
        root.tunnel(path, "Start")
        root.wait_state(path, "connected")
        os.unlink(root.get(path, TUNNEL, "File"))
        calls = [root.start_call(ROOT, MANAGER, "Reload", EMPTY)]
        calls += [root.start_call(path, TUNNEL, "Update", tunnel_arguments("Update", [{"port": 1235}]))
                  for _ in range(20)]
        wait_for(lambda: all(c.done for c in calls), 10, "all calls are answered")
        iterate(0.1)
        names = [root.get(p, TUNNEL, "Name") + ".kcpvpn" for p in tunnels(root)]
        equal(sorted(os.listdir(world.state)), sorted(names), "the files, against the tunnels")
        if names:
            root.tunnel(path, "Delete")


@test("a disk that is full or read only loses no tunnel and no setting, and says so", limit=60)
def disk_full(world):
    shell("mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "kvt", world.state)
    try:
        root = world.start_all()
        path = root.create(CLIENT_SETTINGS)
        values = root.get(path, TUNNEL, "Settings")
        shell("dd", "if=/dev/zero", f"of={world.state}/filler", "bs=4096", check_status=False)
        refused(lambda: root.create({**SERVER, "name": "b"}), "Exhausted")
        refused(lambda: root.tunnel(path, "Update", {"port": 9}), "Exhausted")
        equal((tunnels(root), root.get(path, TUNNEL, "Settings")), ([path], values), "what is there")
        os.unlink(os.path.join(world.state, "filler"))
        shell("mount", "-o", "remount,ro", world.state)
        for call in (lambda: root.create({**SERVER, "name": "b"}), lambda: root.tunnel(path, "Update", {"port": 9}),
                     lambda: root.tunnel(path, "Delete")):
            try:
                call()
                check(False, "a write to a read-only disk succeeded")
            except Error as e:
                check(e.name.startswith("org.kcpvpn.Error."), f"{e}")
        equal((tunnels(root), root.get(path, TUNNEL, "Settings")), ([path], values), "what is there")
        shell("mount", "-o", "remount,rw", world.state)
        root.tunnel(path, "Update", {"port": 9})
        root.tunnel(path, "Delete")
        equal(os.listdir(world.state), [], "the files")
        world.daemon_process.stop()
    finally:
        shell("umount", "-l", world.state, check_status=False)


def limit_threads(world, n):
    """Lets the daemon's user have n threads from now on; None: as many as it likes."""
    n = resource.getrlimit(resource.RLIMIT_NPROC)[1] if n is None else n
    # As that user, who needs no right for it, unlike root in a container.
    shell("setpriv", f"--reuid={DAEMON_UID}", f"--regid={DAEMON_GID}", "--clear-groups", "prlimit",
          f"--pid={world.daemon_pid()}", f"--nproc={'unlimited' if n < 0 else n}:")


def count_threads():
    """The threads of the daemon's user, those of other programs too: the limit is for all of them."""
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        except OSError:
            continue
        if status["Uid"].split()[0] == str(DAEMON_UID):
            found += int(status["Threads"])
    return found


@test("with no thread to be had what needs one is refused and says so; all else goes on, and all again later",
      limit=30)
def no_threads(world):
    root, user = world.start_all(), world.connect(NOBODY)
    path = root.create({**SERVER, "users": ["nobody"]})
    world.answer("yes")
    limit_threads(world, 0)
    for call in (lambda: root.create({**SERVER, "name": "b"}), lambda: root.tunnel(path, "Update", {"port": 9}),
                 lambda: root.tunnel(path, "Start"), lambda: root.call(ROOT, MANAGER, "Reload", EMPTY),
                 lambda: root.tunnel(path, "Delete")):
        refused(call, "Exhausted", "cannot start a thread: ")
    refused(lambda: user.tunnel(path, "Start"), "NotAuthorized", "cannot start a thread: ")
    equal((root.state(path), root.get(path, TUNNEL, "Settings")["port"]), ("stopped", 1235), "the tunnel")
    root.tunnel(root.create({**SERVER, "name": "c"}, TRANSIENT), "Delete")
    limit_threads(world, None)
    root.tunnel(path, "Update", {"port": 1236})
    user.tunnel(path, "Start")
    root.wait_state(path, "connected")
    root.tunnel(path, "Delete")


@test("a tunnel that gets some of its threads, and not all, fails and says so, and starts once it gets them", limit=60)
def few_threads(world):
    root = world.start_all()
    failed = 0
    for more in range(6):
        if more > 0:
            world.start_daemon()
            root = world.connect()
        path = root.create({**SERVER, "crypt": "aes", "workers": 4}, TRANSIENT)
        limit_threads(world, count_threads() + more)
        try:
            root.tunnel(path, "Start")
            wait_until(lambda: root.state(path) in ("connected", "failed"), 5, "it runs, or not")
        except Error as e:
            check(e.name.endswith("Exhausted") and "cannot start a" in e.message, f"{more} more: {e}")
        if root.state(path) == "failed":
            failed += 1
            check("cannot start a worker thread" in root.get(path, TUNNEL, "Reason"), root.get(path, TUNNEL, "Reason"))
            equal(root.get(path, TUNNEL, "ReasonError"), "org.kcpvpn.Error.Exhausted", "ReasonError")
        if root.state(path) != "connected":
            limit_threads(world, None)
            root.tunnel(path, "Start")
            root.wait_state(path, "connected")
        world.daemon_process.stop()
    check(2 <= failed <= 5, f"{failed} of 6 starts got some of their threads")


@test("a daemon that systemd starts as its user keeps its memory from others of that user", limit=30)
def closed_memory(world):
    os.chown(world.state, DAEMON_UID, DAEMON_GID)
    world.start_bus()
    world.start_polkit()
    program, kvbus.DAEMON = kvbus.DAEMON, "setpriv"
    try:
        world.start_daemon(f"--reuid={DAEMON_UID}", f"--regid={DAEMON_GID}", "--clear-groups", "--inh-caps=+net_admin",
                           "--ambient-caps=+net_admin", "--bounding-set=-all,+net_admin", program)
    finally:
        kvbus.DAEMON = program
    root = world.connect()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    equal(os.stat(f"/proc/{world.daemon_pid()}/mem").st_uid, 0, "who may look into it")


@test("a secret of the administrator's tunnel comes from a systemd credential when nothing else has one", limit=30)
def credential(world):
    folder = os.path.join(world.dir, "credentials")
    os.mkdir(folder, 0o755)
    for name in ("srv", "made"):
        write(folder, f"{name}.secret", SERVER["secret"] + "\n", 0o644)
    for name in ("srv", "other"):
        write(world.config, f"{name}.kcpvpn", server_file())
    world.start_bus()
    world.start_polkit()
    world.start_daemon(env={"CREDENTIALS_DIRECTORY": folder})
    root = world.connect()
    names = {root.get(p, TUNNEL, "Name"): p for p in tunnels(root)}
    root.tunnel(names["srv"], "Start")
    root.wait_state(names["srv"], "connected")
    world.veth()
    world.client()
    equal(root.tunnel(names["srv"], "GetSecrets"), {}, "the saved secrets")
    refused(lambda: root.tunnel(names["other"], "Start"), "InvalidSetting", "secret: required")
    os.mkdir(os.path.join(folder, "other.secret"))
    refused(lambda: root.tunnel(names["other"], "Start"), "Io", "credential: ")
    # Who may make tunnels may not take a name to have its secret used.
    for options in ({}, TRANSIENT):
        made = root.create({**{k: v for k, v in SERVER.items() if k != "secret"}, "name": "made"}, options)
        refused(lambda: root.tunnel(made, "Start"), "InvalidSetting", "secret: required")
        root.tunnel(made, "Delete")


def key_pair():
    private = shell(PROGRAM, "genkey").strip()
    public = subprocess.run([PROGRAM, "pubkey"], input=private, capture_output=True, text=True, check=True).stdout
    return private, public.strip()


@test("a peer that is taken away is turned out of the running server at once, the others stay; one that is added "
      "is let in", limit=90)
def revoked(world):
    world.veth()
    elsewhere = world.namespace("c2")
    world.veth(world.s, elsewhere, 1)
    root = world.start_all()
    (private, public), (ann, ann_public), (bob, bob_public) = key_pair(), key_pair(), key_pair()
    peers = {"ann": variants({"public-key": ann_public, "local-ip": "192.168.88.7"}),
             "bob": variants({"public-key": bob_public})}
    path = root.create({key: value for key, value in SERVER.items() if key != "secret"} |
                       {"private-key": private, "peers": GLib.Variant("a{sa{sv}}", peers)})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")

    def client(key, name, **more):
        return world.client("--private-key", key, "--public-key", public, "--vni-name", name,
                            secret=None, name=name, **more)

    def addresses():
        # In one call: between two a client may go.
        return [values[CLIENT]["Addresses"][0]["address"] for values in root.objects().values() if CLIENT in values]

    gone, stays = client(ann, "kvca"), client(bob, "kvcb", ip="10.77.1.1", namespace=elsewhere)
    wait_until(lambda: len(addresses()) == 2, 10, "both clients are there")
    check("192.168.88.7" in addresses(), "the fixed address was not given")
    del peers["ann"]
    root.tunnel(path, "Update", {"peers": GLib.Variant("a{sa{sv}}", peers)})
    wait_until(lambda: "192.168.88.7" not in addresses(), 5, "the revoked client is gone")
    equal(len(addresses()), 1, "the clients left")
    gone.wait_exit(30)
    client(ann, "kvca", wait=False).expect_exit(5, 25)
    check(stays.alive(), "the other client ended, too")
    root.tunnel(path, "Update", {"peers": GLib.Variant("a{sa{sv}}", {
        **peers, "again": variants({"public-key": ann_public})})})
    client(ann, "kvca")
    wait_until(lambda: len(addresses()) == 2, 10, "the client is back")


@test("a client whose group is taken out of an administrator's key file goes with Reload, and the others stay", limit=60)
def revoked_in_file(world):
    world.veth()
    elsewhere = world.namespace("c2")
    world.veth(world.s, elsewhere, 1)
    (private, public), (ann, ann_public), (bob, bob_public) = key_pair(), key_pair(), key_pair()
    head = f"{server_file()}name=srv\nprivate-key={private}\n"
    groups = [f"[peer {name}]\npublic-key={key}\n" for name, key in (("ann", ann_public), ("bob", bob_public))]
    write(world.config, "srv.kcpvpn", head + "".join(groups))
    root = world.start_all()
    path, = tunnels(root)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    keys = ("--public-key", public, "--private-key")
    gone = world.client(*keys, ann, secret=None, name="ann")
    stays = world.client(*keys, bob, secret=None, name="bob", ip="10.77.1.1", namespace=elsewhere)
    wait_until(lambda: len(root.get(path, TUNNEL, "Clients")) == 2, 10, "both clients are there")
    write(world.config, "srv.kcpvpn", head + groups[1])
    root.call(ROOT, MANAGER, "Reload", EMPTY)
    wait_until(lambda: len(root.get(path, TUNNEL, "Clients")) == 1, 5, "one client is gone")
    gone.wait_exit(30)
    check(stays.alive(), "the other client ended, too")


@test("a file with a secret is read for tunnels of the administrator only, whoever names it", limit=30)
def secret_file(world):
    path = write(world.dir, "secret", SERVER["secret"] + "\n", 0o600)
    os.chown(path, DAEMON_UID, DAEMON_GID)
    write(world.config, "srv.kcpvpn", f"{server_file()}secret-file={path}\n")
    relative = write(world.config, "relative.kcpvpn", f"{server_file()}secret-file=secret\n")
    planted = write(world.state, "planted.kcpvpn", f"{server_file()}secret-file={path}\n", 0o600)
    os.chown(planted, DAEMON_UID, DAEMON_GID)
    os.chown(world.state, DAEMON_UID, DAEMON_GID)
    root = world.start_all()
    names = {root.get(p, TUNNEL, "Name"): p for p in tunnels(root)}
    equal(set(names), {"srv"}, "the tunnels")
    problems = {p[0]: p[2] for p in root.get(ROOT, MANAGER, "Problems")}
    equal(set(problems), {relative, planted}, "the files with problems")
    check("allowed: an absolute path" in problems[relative], problems[relative])
    check("only in key files of the administrator" in problems[planted], problems[planted])
    root.tunnel(names["srv"], "Start")
    root.wait_state(names["srv"], "connected")
    settings = {k: v for k, v in CLIENT_SETTINGS.items() if k != "secret"}
    for named in (path, "/nowhere", "secret"):
        for options in ({}, TRANSIENT):
            refused(lambda: root.create({**settings, "secret-file": named}, options), "InvalidSetting", "secret-file")
        text = key_file(name="i").replace("secret=hush", f"secret-file={named}")
        refused(lambda: root.call(ROOT, MANAGER, "ImportTunnel", GLib.Variant("(sa{sv})", (text, {}))),
                "InvalidSetting", "secret-file")
    made = root.create(settings)
    refused(lambda: root.tunnel(made, "Update", {"secret-file": path}), "InvalidSetting", "secret-file")
    check("secret-file" not in root.get(made, TUNNEL, "Settings"), "the setting is there")


main()
