#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Start and end: exit statuses, what is left behind, and what the command line promises."""
import os
import shutil
import signal
import socket
import subprocess
import time

from kvnet import (POOL, PORT, PROGRAM, SECRET, TUN_SERVER, check, equal, main, shell, test,
                   wait_held, wait_until)

OK, FAILURE, USAGE, NO_ANSWER = 0, 1, 2, 5


def nothing_left(world):
    for namespace in (world.s, world.c):
        equal(sorted(namespace.links()), ["eth0", "lo"], f"the interfaces in {namespace.name}")


@test("SIGTERM and SIGINT end both sides with status 0, tell the other side, and leave nothing",
      limit=60)
def signals(world):
    world.veth()
    for number in (signal.SIGTERM, signal.SIGINT):
        server, client = world.tunnel()
        start = time.monotonic()
        equal(client.stop(number), OK, f"the client's exit status after {number.name}")
        check(time.monotonic() - start < 3, "the client ends at once")
        server.wait_event("client-disconnected", 3)
        wait_until(lambda: not world.s.has_link("kvs0"), 3, "kvs0 is gone")
        equal(server.stop(number), OK, f"the server's exit status after {number.name}")
        nothing_left(world)


@test("SIGTERM, SIGINT and SIGHUP end both sides with status 0 from the first moment of main on", limit=120)
def early_signals(world):
    world.veth()
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    n_held = 0
    for i in range(42):
        process = (world.client(wait=False, name=f"client{i}") if i % 2 else
                   world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, wait=False, name=f"server{i}"))
        n_held += wait_held(process, numbers[i % 3])
        time.sleep(i // 2 / 1000)
        process.send(numbers[i % 3])
        process.expect_exit(OK)
    check(n_held > 0, "a starting program holds signals back")
    nothing_left(world)


@test("SIGUSR1 does no harm from the first moment of main on", limit=120)
def early_statistics(world):
    world.veth()
    n_held = i = 0
    # On a machine with much to do the moment is easily missed.
    while i < 10 or (n_held == 0 and i < 100):
        i += 1
        process = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, wait=False, name=f"server{i}")
        n_held += wait_held(process, signal.SIGUSR1)
        process.send(signal.SIGUSR1)
        process.wait_event("listening")
        equal(process.stop(), OK, "the exit status")
    check(n_held > 0, "a starting program holds SIGUSR1 back")


@test("the soft limit of open files is raised to the hard one, and one that is too low is told of")
def file_limit(world):
    world.veth()
    args = ("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    for soft, hard, warnings in ((64, 10000, 0), (64, 512, 1)):
        process = world.server(*args, prefix=("prlimit", f"--nofile={soft}:{hard}"), name=f"server{hard}")
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as f:
            line = next(line for line in f if line.startswith("Max open files"))
        equal(line.split()[3:5], [str(hard)] * 2, "the soft and the hard limit")
        equal(process.count("file-limit"), warnings, "warnings")
        process.stop()
    client = world.client(prefix=("prlimit", "--nofile=64:512"), wait=False)
    client.wait_event("connecting")
    equal(client.count("file-limit"), 0, "warnings of a client, which needs few")


@test("a server that ends by request tells its clients, who need no timeout to notice")
def farewell(world):
    world.veth()
    server, client = world.tunnel()
    equal(server.stop(), OK, "the server's exit status")
    client.expect_exit(6, 5)
    nothing_left(world)


@test("a failed start leaves nothing behind: port taken, name taken, bad hook folder", limit=60)
def failed_start(world):
    world.veth()
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    second = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, name="server2", wait=False)
    second.expect_exit(FAILURE)
    check(f"0.0.0.0:{PORT}" in second.text(), "the message names address and port")
    equal(second.count("listening"), 0, "how often the second server listens")
    world.c.ip("link", "add", "kvc0", "type", "bridge")
    client = world.client(wait=False)
    status = client.wait_exit(20)
    check(status not in (OK, None), f"a client whose interface name is taken fails: {status}")
    check("kvc0" in client.text(), "and names the interface")
    world.c.ip("link", "del", "kvc0")
    client = world.client(name="client1")
    rival = world.client(name="rival", wait=False)
    rival.expect_exit(FAILURE, 20)
    check("vni-name: give this tunnel another one than kvc0: " in rival.text(), f"and the setting:\n{rival.tail()}")
    check(client.alive(), "the first one stays")
    client.stop()
    hooks = world.server("--hook-dir", "/etc/passwd", name="server3", port=PORT + 1, wait=False)
    hooks.expect_exit(FAILURE)
    check("/etc/passwd is not a folder" in hooks.text(), "and names it")
    server.stop()
    nothing_left(world)


@test("--persistent-vni keeps the client's interface, and the next start uses it again")
def persistent(world):
    world.veth()
    _, client = world.tunnel(client=("--persistent-vni",))
    index = world.c.link("kvc0")["ifindex"]
    equal(client.stop(), OK, "the exit status")
    equal(world.c.link("kvc0")["ifindex"], index, "the interface stays")
    again = world.client("--persistent-vni", name="client2")
    equal(world.c.link("kvc0")["ifindex"], index, "the interface is used again")
    world.c.can_ping(TUN_SERVER)
    again.stop()
    world.c.ip("link", "del", "kvc0")


@test("a persistent interface has the address of the last run in place of the one before, and those that others added")
def persistent_address(world):
    world.veth()
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)

    def run(address, name):
        equal(world.client("--persistent-vni", "--local-ip", address, name=name).stop(), OK, f"{name}'s exit status")

    run("192.168.88.50", "first")
    world.c.ip("addr", "add", "10.1.1.1/24", "dev", "kvc0")
    run("192.168.88.60", "second")
    equal(sorted(world.c.ipv4("kvc0")), [("10.1.1.1", None, 24), ("192.168.88.60", TUN_SERVER, 32)], "the addresses")
    server.stop()
    world.server("--local-ip", "192.168.88.9", "--assignable-ips", POOL, name="elsewhere")
    run("192.168.88.60", "third")
    equal(sorted(world.c.ipv4("kvc0")), [("10.1.1.1", None, 24), ("192.168.88.60", "192.168.88.9", 32)],
          "the addresses, one with another peer")
    world.c.ip("route", "add", "10.5.0.0/16", "dev", "kvc0", "src", "192.168.88.60")
    run("192.168.88.60", "fourth")
    check("10.5.0.0/16" in world.c.ip("route", "show", "dev", "kvc0"), "what stays as it is keeps its routes")
    world.c.ip("link", "del", "kvc0")


@test("a wrong secret meets silence, and the client gives up with status 5", limit=60)
def wrong_secret(world):
    world.veth()
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client(secret="another secret", wait=False)
    client.expect_exit(NO_ANSWER, 40)
    equal(server.count("client-connected"), 0, "clients connected")
    nothing_left(world)
    check(server.alive(), "the server lives")


@test("no server at all: status 5 without --auto-reconnect", limit=60)
def no_server(world):
    world.veth()
    client = world.client(wait=False)
    client.expect_exit(NO_ANSWER, 40)
    equal([e["event"] for e in client.events if e["level"] in ("warning", "error")], ["lost"],
          "warnings and errors of the client")
    nothing_left(world)


@test("a wrong setting is status 2, and the message names key, value and what is allowed")
def usage(world):
    world.veth()
    cases = ((("--port", "70000"), ("port", "70000")), (("--crypt", "rot13"), ("crypt", "rot13", "aes")),
             (("--kcp-mode", "slow"), ("kcp-mode", "slow", "fast3")), (("--nosuch",), ("nosuch",)),
             (("--keepalive", "31"), ("keepalive", "31")), (("--assignable-ips", "10.0.0.9-10.0.0.1"), ("assignable-ips",)),
             (("--ds", "200", "--ps", "100"), ("datashard", "parityshard")), (("--udp-mtu", "70"), ("udp-mtu", "70")))
    for i, (args, words) in enumerate(cases):
        process = world.server(*args, name=f"server{i}", wait=False)
        process.expect_exit(USAGE)
        for word in words:
            check(word in process.text(), f"{args}: the message has {word!r}:\n{process.tail()}")
    process = world.server(secret=None, name="nosecret", wait=False)
    process.expect_exit(USAGE)
    check("secret" in process.text(), "a missing secret is named")
    nothing_left(world)


@test("--check reads everything, makes nothing, and its status tells")
def check_option(world):
    world.veth()
    world.server("--check", "--local-ip", TUN_SERVER, "--assignable-ips", POOL, wait=False).expect_exit(OK)
    world.server("--check", "--assignable-ips", "nonsense", name="bad", wait=False).expect_exit(USAGE)
    world.server("--check", "--hook-dir", "/etc/passwd", name="hooks", wait=False).expect_exit(FAILURE)
    bent = world.server("--check", "--udp-mtu", "9000", "--bridge", "br0", name="bent", wait=False)
    bent.expect_exit(OK)
    for text in ("udp-mtu: 9000 cannot be had, 1400 is used", "bridge: of no use with vni-mode tun", "udp-mtu = 1400"):
        check(text in bent.text(), f"{text}:\n{bent.tail()}")
    world.client("--check", "--on-connected-hook", "/nonexistent", name="hook", wait=False).expect_exit(FAILURE)
    world.client("--check", wait=False).expect_exit(OK)
    world.client("--check", "--tcp", name="tcp", wait=False).expect_exit(USAGE)
    nothing_left(world)


def write(world, name, text, mode=0o600):
    path = os.path.join(world.dir, name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


@test("--config reads a key file; --secret-file reads the secret; flags win over the file")
def config(world):
    world.veth()
    secret = write(world, "secret", SECRET + "\n")
    server = write(world, "server.kcpvpn",
                   f"[tunnel]\nrole=server\nip=0.0.0.0\nport={PORT}\ncrypt=aes\nsecret={SECRET}\nvni-mode=tun\n"
                   f"local-ip={TUN_SERVER}\nassignable-ips=192.168.88.2-192.168.88.9\nvni-name-prefix=cfg\n")
    s = world.start([PROGRAM, "server", "--log-json", "--config", server, "--vni-name-prefix", "flag"], "server", world.s)
    s.wait_event("listening")
    c = world.start([PROGRAM, "client", "--log-json", "--ip", "10.77.0.1", "--port", str(PORT), "--crypt", "aes",
                     "--secret-file", secret], "client", world.c)
    c.wait_event("connected")
    wait_until(lambda: world.s.has_link("flag0"), 5, "the flag wins over the file")
    world.c.can_ping(TUN_SERVER)
    broken = write(world, "broken.kcpvpn", "[tunnel]\nrole=server\nport=no\n")
    b = world.start([PROGRAM, "server", "--config", broken], "broken", world.s)
    b.expect_exit(USAGE)
    check("port" in b.text(), "the message names the key")


@test("a secret on the command line does not stay in the list of processes")
def argv(world):
    world.veth()
    secret = "very-visible-secret"
    for form in (("--secret", secret), (f"--secret={secret}",)):
        server = world.server(*form, "--local-ip", TUN_SERVER, "--assignable-ips", POOL, secret=None)
        with open(f"/proc/{server.pid}/cmdline", "rb") as f:
            line = f.read()
        check(b"--vni-mode" in line or b"kcpvpn" in line, f"it is our command line: {line!r}")
        check(secret.encode() not in line, f"{line!r}")
        check(secret not in server.text(), "nor in the log")
        equal(server.stop(), OK, "the exit status")


@test("SIGUSR1 and --stats-interval print statistics on both sides")
def statistics(world):
    world.veth()
    server, client = world.tunnel(client=("--stats-interval", "1"))
    world.c.can_ping(TUN_SERVER)
    for process in (server, client):
        before = process.count("statistics")
        process.send(signal.SIGUSR1)
        wait_until(lambda p=process, n=before: p.count("statistics") > n, 5, f"{process.name} prints statistics")
        check(process.alive(), f"{process.name} goes on")
    before = client.count("statistics")
    wait_until(lambda: client.count("statistics") >= before + 2, 6, "a line of statistics each second")
    world.c.can_ping(TUN_SERVER)


@test("--tcp says that it is not supported")
def tcp(world):
    world.veth()
    for process in (world.server("--tcp", wait=False), world.client("--tcp", wait=False)):
        check(process.wait_exit() in (FAILURE, USAGE), f"{process.name} refuses")
        check("tcp" in process.text(), f"{process.name} names tcp")


@test("help and version need no rights and have status 0")
def help_and_version(world):
    del world
    for args in (("--help",), ("server", "--help"), ("client", "--help"), ("--version",)):
        text = shell(PROGRAM, *args)
        check("kcpvpn" in text, f"{args} prints something of use")


@test("a text log has plain lines, and --log-level error keeps quiet while all is well")
def log_levels(world):
    world.veth()
    s = world.start([PROGRAM, "server", "--log-level", "error", "--ip", "0.0.0.0", "--port", str(PORT), "--crypt", "aes",
                     "--vni-mode", "tun", "--local-ip", TUN_SERVER, "--assignable-ips", POOL], "server", world.s,
                    {"KCPVPN_KEY": SECRET})
    world.client()
    world.c.can_ping(TUN_SERVER)
    equal(s.text(), "", "what the server printed")


@test("a log that nobody reads stops neither packets nor new clients nor the end by request",
      limit=60)
def deaf_log(world):
    world.veth()
    other = world.namespace("c2")
    world.veth(world.s, other, 2)
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        world.s.command(PROGRAM, "server", "--ip", "0.0.0.0", "--port", str(PORT), "--vni-mode", "tun", "--crypt",
                        "aes", "--local-ip", TUN_SERVER, "--assignable-ips", POOL),
        env={**os.environ, "KCPVPN_KEY": SECRET}, stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end)
    os.close(write_end)
    try:
        world.client("--auto-reconnect")
        for _ in range(2000):
            server.send_signal(signal.SIGUSR1)
            time.sleep(0.001)
        world.c.can_ping(TUN_SERVER)
        world.client(ip="10.77.2.1", namespace=other, name="late")
        other.can_ping(TUN_SERVER)
        server.terminate()
        equal(server.wait(5), OK, "the server's exit status")
    finally:
        server.kill()
        server.wait()
        os.close(read_end)


@test("a name service that does not answer holds up nobody who wants to end", limit=40)
def deaf_name_service(world):
    world.veth()
    world.keep(world.s.socket(kind=socket.SOCK_DGRAM)).bind(("10.77.0.1", 53))
    folder = f"/etc/netns/{world.c.id}"
    os.makedirs(folder)
    try:
        with open(os.path.join(folder, "resolv.conf"), "w", encoding="ascii") as f:
            f.write("nameserver 10.77.0.1\noptions timeout:20\n")
        client = world.client(ip="vpn.example.test", wait=False)
        server = world.server(ip="vpn.example.test", namespace=world.c, wait=False)
        time.sleep(0.5)
        equal(client.stop(seconds=3), OK, "the client's exit status")
        equal(server.stop(seconds=3), OK, "the server's exit status")
    finally:
        shutil.rmtree(folder)


@test("what was typed reaches the terminal without control sequences", limit=40)
def typed(world):
    for args in (["\x1b[31m"], ["client", "--\x1b[31m"], ["client", "--log-level", "\x9b\n"]):
        r = subprocess.run([PROGRAM, *args], stderr=subprocess.PIPE, text=True, check=False, timeout=10)
        equal((r.returncode, r.stderr.count("\n")), (USAGE, 1), f"status and lines for {args}")
        check(not any(c in r.stderr for c in "\x1b\x9b"), f"control characters: {r.stderr!r}")


if __name__ == "__main__":
    main()
