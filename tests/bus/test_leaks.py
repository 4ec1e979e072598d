#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Much of everything leaves nothing behind: calls, tunnels, clients, callers that wait."""
import resource
import time

from kvbus import (CLIENT, CLIENT_SETTINGS, ERROR, LONG, MANAGER, NAME, NOBODY, ROOT, SERVER, TUNNEL, Gio, GLib, check,
                   equal, iterate, main, refused, wait_for)
from kvnet import PORT, PROGRAM, SANITIZED, SECRET, test, wait_until

EMPTY = GLib.Variant("(a{sv})", ({},))
SPARE_FDS = 4
MANY_CLIENTS = (100 if LONG else 40) if SANITIZED else 500 if LONG else 200
# What an allocator may keep; a leak of a hundred bytes in each of ten thousand calls would be twice that.
SPARE_KIB = 500000 if SANITIZED else 500  # a sanitizer keeps what was freed


def settle(world):
    """Memory and file descriptors once all that was begun is over."""
    iterate(0.3)
    return world.rss_kib(), world.fds()


def every_call(root, path):
    """One call of each kind, some of them wrong."""
    root.get_all(path, TUNNEL)
    root.get(path, TUNNEL, "Statistics")
    root.get_all(ROOT, MANAGER)
    root.call(ROOT, MANAGER, "FindTunnel", "('srv', @a{sv} {})")
    root.tunnel(path, "Export", True)
    root.tunnel(path, "GetSecrets")
    root.tunnel(path, "Watch", 1000)
    root.tunnel(path, "Watch", 0)
    refused(lambda: root.tunnel(path, "Start", {"bogus": 1}), "InvalidArgument")
    refused(lambda: root.tunnel(path, "Update", {"port": "x"}), "InvalidSetting")
    return 10


@test("ten thousand calls leave memory and file descriptors as they were", limit=240)
def many_calls(world):
    root = world.start_all()
    path = root.create(SERVER)
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    for _ in range(100):
        every_call(root, path)
    before, calls, start = settle(world), 0, time.monotonic()
    while calls < (2000 if SANITIZED else 10000):
        calls += every_call(root, path)
    after = settle(world)
    print(f"        {calls} calls, {calls / (time.monotonic() - start):.0f}/s, memory {before[0]} -> {after[0]} KiB",
          flush=True)
    check(after[0] <= before[0] + SPARE_KIB, f"memory grew from {before[0]} to {after[0]} KiB")
    equal(after[1], before[1], "file descriptors")


@test("tunnels that are started and stopped again and again leave nothing behind", limit=240)
def many_starts(world):
    root = world.start_all()
    # As kcpvpn genpsk writes it, which nothing is to be stretched for.
    path = root.create({**SERVER, "secret": "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="})

    def cycle():
        root.tunnel(path, "Start")
        root.tunnel(path, "Watch", 100)
        root.tunnel(path, "Stop")
    for _ in range(20):
        cycle()
    before = settle(world)
    for _ in range(50 if SANITIZED else 200):
        cycle()
    after = settle(world)
    check(after[0] <= before[0] + SPARE_KIB, f"memory grew from {before[0]} to {after[0]} KiB")
    equal(after[1], before[1], "file descriptors")


@test("a thousand tunnels are made, found, read again after a crash, and deleted", limit=300)
def many_tunnels(world):
    count = 200 if SANITIZED else 1000
    root = world.start_all()
    start = time.monotonic()
    paths = [root.create({**CLIENT_SETTINGS, "name": f"t{i}"}) for i in range(count)]
    print(f"        {count} tunnels made in {time.monotonic() - start:.1f} s, {world.rss_kib()} KiB", flush=True)
    equal(root.get(ROOT, MANAGER, "Tunnels"), paths, "the tunnels")
    equal(len(root.objects()), count, "the objects")
    for i in (0, count // 2, count - 1):
        equal(root.call(ROOT, MANAGER, "FindTunnel", f"('t{i}', @a{{sv}} {{}})"), paths[i], "the path")
    world.daemon_process.kill()
    start = time.monotonic()
    world.start_daemon()
    print(f"        read again in {time.monotonic() - start:.1f} s", flush=True)
    again = root.get(ROOT, MANAGER, "Tunnels")
    equal(len(again), count, "the tunnels after a crash")
    for path in again:
        root.tunnel(path, "Delete")
    equal((root.get(ROOT, MANAGER, "Tunnels"), len(root.objects())), ([], 0), "what is left")


@test("tunnels that come and go, saved or not, leave nothing behind", limit=120)
def tunnels_come_and_go(world):
    root = world.start_all()

    def cycle(options):
        paths = [root.create({**CLIENT_SETTINGS, "name": f"t{i}"}, options) for i in range(200)]
        for path in paths:
            root.tunnel(path, "Delete")
    for options in ({}, {"transient": True}):
        for _ in range(3):
            cycle(options)
        before = settle(world)
        for _ in range(3):
            cycle(options)
        after = settle(world)
        check(after[0] <= before[0] + (SPARE_KIB if SANITIZED else 300), f"memory grew from {before[0]} to {after[0]} KiB")
        equal(after[1], before[1], "file descriptors")


@test("hundreds of clients are seen as objects, and each is gone once it was disconnected", limit=600)
def many_clients(world):
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    root = world.start_all()
    world.veth()
    for namespace in (world.s, world.c):
        namespace.sysctl("net.ipv6.conf.default.disable_ipv6=1")
    path = root.create({**SERVER, "crypt": "aes", "local-ip": "10.88.0.1", "assignable-ips": "10.88.0.2-10.88.7.254"})
    root.tunnel(path, "Start")
    root.wait_state(path, "connected")
    root.listen()
    start = time.monotonic()
    for i in range(MANY_CLIENTS):
        world.start([PROGRAM, "client", "--log-json", "--ip", "10.77.0.1", "--port", str(PORT), "--crypt", "aes",
                     "--vni-name", f"kvc{i}", "--client-id", f"client{i}"], f"client{i}", world.c,
                    {"KCPVPN_KEY": SECRET})
    wait_for(lambda: len(root.get(path, TUNNEL, "Clients")) == MANY_CLIENTS, 200, "all clients have objects")
    print(f"        {MANY_CLIENTS} clients in {time.monotonic() - start:.1f} s", flush=True)
    objects = {p: i[CLIENT] for p, i in root.objects().items() if CLIENT in i}
    equal(set(objects), set(root.get(path, TUNNEL, "Clients")), "objects and property")
    equal({v["Id"] for v in objects.values()}, {f"client{i}" for i in range(MANY_CLIENTS)}, "the ids")
    equal(len({v["Addresses"][0]["address"] for v in objects.values()}), MANY_CLIENTS, "the addresses")
    equal(root.get(path, TUNNEL, "Statistics")["clients"], MANY_CLIENTS, "the number")
    start = time.monotonic()
    paths = list(objects)
    while paths:  # no caller may have more than some calls under way
        for call in [root.start_call(p, CLIENT, "Disconnect", EMPTY) for p in paths[:10]]:
            call.wait(60)
        del paths[:10]
    print(f"        all disconnected in {time.monotonic() - start:.1f} s", flush=True)
    wait_until(lambda: root.get(path, TUNNEL, "Clients") == [], 5, "Clients is empty")
    equal([p for p in root.objects() if "/client/" in p], [], "the objects")
    iterate(0.5)
    words = [s[2] for s in root.signals]
    equal((words.count("InterfacesAdded"), words.count("InterfacesRemoved")), (MANY_CLIENTS, MANY_CLIENTS),
          "the signals")
    equal([x for x in world.s.links() if x.startswith("kvs")], [], "the interfaces")


class StartWithFiles:
    """A call of Start that waits for a person, with files that nobody asked for."""

    def __init__(self, caller, path, n_files):
        self.done, self.error = False, None
        files = Gio.UnixFDList.new()
        for _ in range(n_files):
            files.append(0)
        message = Gio.DBusMessage.new_method_call(NAME, path, TUNNEL, "Start")
        message.set_body(EMPTY)
        message.set_unix_fd_list(files)
        message.set_flags(Gio.DBusMessageFlags.ALLOW_INTERACTIVE_AUTHORIZATION)
        caller.bus.send_message_with_reply(message, Gio.DBusSendMessageFlags.NONE, 60000, None, self._answered)
        caller.bus.flush_sync()

    def _answered(self, bus, result):
        reply = bus.send_message_with_reply_finish(result)
        self.done, self.error = True, reply.get_error_name()


@test("calls that wait for a person's password hold little, however many connections a user has", limit=60)
def waiting_calls(world):
    root = world.start_all()
    path = root.create(CLIENT_SETTINGS)
    world.answer("hang")
    before = world.fds()
    users = [world.connect(NOBODY) for _ in range(20)]
    calls = []
    for i in range(80):
        calls.append(StartWithFiles(users[i % 20], path, 16))
        time.sleep(0.11)
    wait_for(lambda: sum(c.error is not None for c in calls) >= 80 - 64, 10, "what is too much is refused")
    iterate(0.5)
    equal([c.error for c in calls], [None] * 64 + [ERROR + "Exhausted"] * 16, "the answers")
    check(world.fds() <= before + 64 * 16 + SPARE_FDS, f"{world.fds() - before} file descriptors are held")
    refused(lambda: users[0].tunnel(path, "Start"), "Exhausted", "calls that wait for authorization; allowed: 64")
    world.release()
    wait_for(lambda: all(c.done for c in calls), 10, "all calls are answered")
    root.tunnel(path, "Stop")
    check(world.fds() <= before + SPARE_FDS, f"{world.fds() - before} file descriptors are left")


@test("oversized and odd messages do no harm", limit=60)
def odd_messages(world):
    root = world.start_all()
    deep = GLib.Variant("i", 1)
    for _ in range(30):
        deep = GLib.Variant("v", deep)
    huge = GLib.Variant("s", "y" * 1000000)
    for value in (deep, huge, GLib.Variant("as", ["z" * 10] * 20000)):
        for key in ("port", "name", "users", "nothing"):
            refused(lambda: root.create({**CLIENT_SETTINGS, key: value}), "InvalidSetting")
        refused(lambda: root.create(CLIENT_SETTINGS, {"transient": value}), "InvalidArgument")
    refused(lambda: root.create({**CLIENT_SETTINGS, "k" * 100000: 1}), "InvalidSetting", "is not a known setting")
    before = world.rss_kib()
    for _ in range(50):
        refused(lambda: root.create({**CLIENT_SETTINGS, "name": huge}), "InvalidSetting")
    check(world.rss_kib() <= before + 10 * SPARE_KIB, "memory grew")


main()
