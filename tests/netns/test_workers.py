#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server of several workers, and programs that run out of file descriptors."""
import concurrent.futures
import contextlib
import ctypes
import os
import re
import socket
import time

from kvnet import (POOL, PORT, PROGRAM, SANITIZED, SECRET, TUN_SERVER, check, equal, main, test, transfer,
                   wait_until)

CLIENTS = 20 if SANITIZED else 50
WORKERS = 2
PIDFD_GETFD = 438


def wake_ups(process):
    """How often each worker thread went to sleep so far, by its id."""
    counts = {}
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/status", encoding="ascii") as f:
            status = f.read()
        if re.search(r"^Name:\s*kcpvpn-w", status, re.M):
            counts[task] = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1])
    return counts


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_clients(world, n):
    return [world.start([PROGRAM, "client", "--log-json", "--ip", "10.77.0.1", "--port", str(PORT), "--crypt", "aes",
                         "--vni-name", f"kvc{i}", "--auto-reconnect"], f"client{i}", world.c, {"KCPVPN_KEY": SECRET})
            for i in range(n)]


def reaches(world, i):
    return world.c.ping(TUN_SERVER, 3, 0.2, seconds=5, more=("-I", f"kvc{i}"))[0] < 1


@test("every worker of a server carries clients, each client stays with its own, and a server that "
      "is started again gets them all back", limit=150)
def shared(world):
    world.veth()
    for namespace in (world.c, world.s):
        namespace.sysctl("net.ipv6.conf.default.disable_ipv6=1")
    options = ("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--workers", str(WORKERS))
    server = world.server(*options)
    clients = start_clients(world, CLIENTS)
    for client in clients:
        client.wait_event("connected", 60)
    before = wake_ups(server)
    equal(len(before), WORKERS, "the server's worker threads")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        equal(list(pool.map(lambda i: reaches(world, i), range(CLIENTS))), [True] * CLIENTS, "who gets an answer")
    after = wake_ups(server)
    print(f"        wake-ups by worker: {[after[t] - before[t] for t in before]}", flush=True)
    # three pings and their acks wake a worker twice or more
    check(all(after[t] - before[t] >= 20 for t in before), "each worker has work")
    equal(server.count("client-connected"), CLIENTS, "how many clients ever connected")
    equal(server.stop(), 0, "the server's exit status")
    equal([x for x in world.s.links() if x.startswith("kvs")], [], "the interfaces left")
    again = world.server(*options, name="server2")
    wait_until(lambda: again.count("client-connected") == CLIENTS, 60, "all clients are back")
    wait_until(lambda: reaches(world, CLIENTS - 1), 20, "the last client gets an answer")
    equal(again.stop(), 0, "the second server's exit status")


@test("a bulk transfer on a link slower than the machine is taken and acknowledged several datagrams at a time", limit=60)
def batches(world):
    link = world.linkem("both delay=10ms", "b2a rate=100mbit")
    world.tunnel()
    link.set("both zero")
    transfer(world, world.c, world.s, TUN_SERVER, 20000000)
    frames = {name: link.stats()[name]["in"] for name in ("a2b", "b2a")}
    print(f"        datagrams to the server: {frames['b2a']}, from it: {frames['a2b']}", flush=True)
    check(frames["a2b"] < frames["b2a"] / 2, "acknowledgements are as many as datagrams")


def shut_socket_down(process, port=None):
    """Breaks a UDP socket of a program, as another process with the rights may."""
    pidfd = os.pidfd_open(process.pid)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        for name in sorted(map(int, os.listdir(f"/proc/{process.pid}/fd"))):
            if not os.readlink(f"/proc/{process.pid}/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=libc.syscall(PIDFD_GETFD, pidfd, name, 0)) as sock:
                if (sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_DGRAM and
                        port in (None, sock.getsockname()[1])):
                    with contextlib.suppress(OSError):  # ENOTCONN, and yet it is done
                        sock.shutdown(socket.SHUT_RDWR)
                    return
    finally:
        os.close(pidfd)
    raise AssertionError(f"{process.name} has no such socket")


@test("a server one of whose sockets fails ends with an error that says so")
def dead_socket(world):
    world.veth()
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--workers", str(WORKERS))
    client = world.client()
    shut_socket_down(server, PORT)
    server.expect_exit(1)
    check("the UDP socket was shut down" in server.text(), "the reason is told")
    equal(world.s.links(), ["lo", "eth0"], "the interfaces left")
    client.kill()


@test("a client whose socket fails opens another")
def dead_client_socket(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client("--auto-reconnect")
    shut_socket_down(client)
    check("the UDP socket was shut down" in client.wait_event("lost")["message"], "the reason is told")
    client.wait_event("connected", nth=2)
    world.c.can_ping(TUN_SERVER)


@test("a server out of file descriptors refuses the clients that are too many, goes on serving the "
      "others, does not spin, and has room again when some leave", limit=120)
def server_limit(world):
    world.veth()
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--workers", str(WORKERS),
                          prefix=("prlimit", "--nofile=24:24"))
    clients = start_clients(world, 20)
    wait_until(lambda: server.count("client-failed") > 0, 30, "the server says that it lacks descriptors")
    wait_until(lambda: server.count("client-connected") > 0, 5, "some clients are connected")
    check("Too many open files" in server.text(), "the message names the reason")
    time.sleep(2)
    used, lines = cpu_seconds(server), len(server.lines)
    time.sleep(3)
    used = cpu_seconds(server) - used
    check(used < 1, f"the server idles: {used:.2f} s of CPU in 3 s")
    check(len(server.lines) - lines < 200, f"the log stays readable: {len(server.lines) - lines} lines in 3 s")
    connected = [i for i, c in enumerate(clients) if c.count("connected") > c.count("lost")]
    check(connected, "some clients are connected")
    wait_until(lambda: any(reaches(world, i) for i in connected), 10, "one of them gets an answer")
    for client in clients[:-1]:
        equal(client.stop(), 0, f"the exit status of {client.name}")
    wait_until(lambda: clients[-1].count("connected") > clients[-1].count("lost"), 50, "the last one gets in")
    wait_until(lambda: reaches(world, 19), 10, "and gets an answer")
    equal(server.stop(), 0, "the server's exit status")
    equal([x for x in world.s.links() if x.startswith("kvs")], [], "the interfaces left")


@test("with any number of file descriptors a program works or ends with a message, and leaves "
      "nothing", limit=120)
def start_limit(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    for n in range(6, 22):
        limit = ("prlimit", f"--nofile={n}:{n}")
        server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, name=f"server{n}",
                              port=PORT + 1, wait=False, prefix=limit)
        client = world.client(name=f"client{n}", wait=False, prefix=limit)
        for process, event in ((server, "listening"), (client, "connected")):
            wait_until(lambda: process.count(event) or not process.alive(), 25, f"{process.name} made up its mind")
            status = 0 if process.alive() else process.wait_exit()
            # GLib's own loop and libgcrypt take SIGABRT for an answer, with a message
            gave_up = status == -6 and re.search("Creating pipes for GWakeup|FATAL: .*libgcrypt", process.text())
            check(process.count(event) or status == 1 or gave_up,
                  f"{process.name}: status {status}:\n{process.tail()}")
            check(status == 0 or "oo many open files" in process.text(), f"{process.name} tells why:\n{process.tail()}")
            equal(process.stop(), status, f"the exit status of {process.name}")
    equal(sorted(world.c.links()), ["eth0", "lo"], "the interfaces left")


if __name__ == "__main__":
    main()
