#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The administrator's programs: when they run, with what, and that they hold up nobody."""
import os
import signal
import time

from kvnet import POOL, TUN_CLIENT, TUN_SERVER, check, equal, main, test, wait_until

DUMP = '#!/bin/sh\nenv > "{out}.new" && mv "{out}.new" "{out}"\n'


class HookDir:
    def __init__(self, world):
        self.path = os.path.join(world.dir, "hooks")
        self.out = world.dir
        os.mkdir(self.path, 0o755)

    def add(self, name, text=None):
        """A hook that leaves its environment in the file NAME.env."""
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text or DUMP.format(out=self.file(name)))
        os.chmod(path, 0o755)

    def file(self, name):
        return os.path.join(self.out, name + ".env")

    def environment(self, name, seconds=5):
        wait_until(lambda: os.path.exists(self.file(name)), seconds, f"the hook {name} ran")
        with open(self.file(name), encoding="utf-8") as f:
            return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)

    def ran(self, name):
        return os.path.exists(self.file(name))


def server(world, hooks):
    return world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--hook-dir", hooks.path)


@test("on_ID_connected runs once the interface stands, with the documented variables only")
def connected(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("on_client1_connected")
    hooks.add("on_connected")
    server(world, hooks)
    world.client("--client-id", "client1")
    env = hooks.environment("on_client1_connected")
    remote = env.get("KV_REMOTE_ADDR", "")
    equal(remote.rsplit(":", 1)[0], "10.77.0.2", f"the host in KV_REMOTE_ADDR {remote}")
    want = {"KV_CLIENT_ID": "client1", "KV_VNI_INTERFACE_NAME": "kvs0", "KV_CLIENT_IP": TUN_CLIENT,
            "KV_CLIENT_IP_MODE": "0"}
    equal({k: env.get(k) for k in want}, want, "the variables")
    check(not any("KCPVPN_KEY" in k for k in env), "the secret is not in a hook's environment")
    check(not hooks.ran("on_connected"), "the general hook does not run as well")


@test("on_connected runs for a client without an id, or without a hook of its own")
def general(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("on_other_connected")
    hooks.add("on_connected")
    server(world, hooks)
    world.client("--client-id", "client1")
    equal(hooks.environment("on_connected").get("KV_CLIENT_ID"), "client1", "KV_CLIENT_ID")
    check(not hooks.ran("on_other_connected"), "another client's hook does not run")


@test("on_disconnected runs when a client leaves")
def disconnected(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("on_connected")
    hooks.add("on_client1_disconnected")
    server(world, hooks)
    client = world.client("--client-id", "client1")
    hooks.environment("on_connected")
    check(not hooks.ran("on_client1_disconnected"), "not before")
    client.stop()
    env = hooks.environment("on_client1_disconnected")
    equal((env.get("KV_CLIENT_ID"), env.get("KV_CLIENT_IP")), ("client1", TUN_CLIENT), "id and address")


@test("a client's --on-connected-hook runs with its own variables")
def client_hook(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("mine")
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    world.client("--client-id", "me", "--on-connected-hook", os.path.join(hooks.path, "mine"))
    env = hooks.environment("mine")
    want = {"KV_CLIENT_ID": "me", "KV_VNI_INTERFACE_NAME": "kvc0", "KV_CLIENT_IP": TUN_CLIENT,
            "KV_CLIENT_IP_MODE": "0", "KV_REMOTE_ADDR": TUN_SERVER}
    equal({k: env.get(k) for k in want}, want, "the variables")


@test("a client that waits for its hook in the end is not harmed by being asked to stop meanwhile",
      limit=40)
def stop_while_draining(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("mine", "#!/bin/sh\nsleep 3\n")
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client("--on-connected-hook", os.path.join(hooks.path, "mine"))
    server.stop()
    client.wait_event("lost")
    time.sleep(0.5)
    client.send(signal.SIGTERM)
    client.expect_exit(6)


@test("a hook that hangs holds up neither its own client's packets nor another client, and is "
      "ended after 10 s", limit=60)
def hung(world):
    c1, c2 = world.namespace("c1"), world.namespace("c2")
    world.veth(world.s, c1, 1)
    world.veth(world.s, c2, 2)
    hooks = HookDir(world)
    pid_file = os.path.join(world.dir, "hung.pid")
    hooks.add("on_slow_connected", f"#!/bin/sh\necho $$ > {pid_file}\nsleep 300\n")
    hooks.add("on_connected")
    server(world, hooks)
    world.client("--client-id", "slow", ip="10.77.1.1", namespace=c1, name="client1")
    wait_until(lambda: os.path.exists(pid_file) and open(pid_file, encoding="ascii").read().strip(), 5,
               "the slow hook runs")
    c1.can_ping(TUN_SERVER, seconds=3)
    world.client("--client-id", "quick", ip="10.77.2.1", namespace=c2, name="client2")
    c2.can_ping(TUN_SERVER, seconds=3)
    equal(hooks.environment("on_connected", 3)["KV_CLIENT_ID"], "quick", "the other client's hook")
    with open(pid_file, encoding="ascii") as f:
        pid = int(f.read())
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 15, "the slow hook is ended")


@test("a hook that fails, or shouts a megabyte, changes nothing for its client")
def failing(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("on_connected", "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x\necho bad >&2\nexit 9\n")
    process = server(world, hooks)
    world.client()
    process.wait_text("status 9")
    world.c.can_ping(TUN_SERVER)
    check(len(process.text()) < 300000, "the log stays bounded")


@test("a hook that writes short lines without end fills no log")
def endless(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("on_connected", "#!/bin/sh\nexec yes\n")
    process = server(world, hooks)
    world.client()
    process.wait_text("what follows is dropped")
    world.c.can_ping(TUN_SERVER)
    check(len(process.lines) < 1100, f"{len(process.lines)} lines")


@test("an id that is no plain name is refused by the client's own check")
def hostile_id(world):
    world.veth()
    for name in ("../../evil", "a b", "x" * 17, "$(id)", "a;b", ""):
        client = world.client("--client-id", name, wait=False)
        if name:
            client.expect_exit(2)
        else:
            client.kill()


@test("a hook folder that others may write to is an error at start")
def writable_folder(world):
    world.veth()
    hooks = HookDir(world)
    hooks.add("on_connected")
    os.chmod(hooks.path, 0o777)
    process = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--hook-dir", hooks.path, wait=False)
    check(process.wait_exit() != 0, "the server refuses to start")
    check(hooks.path in process.text(), "and names the folder")


# Leaves what it was told, and whether its interface is there, in a line of the file LOG.
NOTE = """#!/bin/sh
ip link show "$1" >/dev/null 2>&1 && there=yes || there=no
echo "$KV_EVENT $* there=$there $KV_TUNNEL/$KV_ROLE/$KV_VNI_INTERFACE_NAME/$KV_LOCAL_IP" >>{log}
"""


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


@test("up runs once the client's interface stands and down once it is gone, with %i in arguments")
def client_up_down(world):
    world.veth()
    hooks = HookDir(world)
    log = hooks.file("log")
    hooks.add("note", NOTE.format(log=log))
    hooks.add("connected", f"#!/bin/sh\necho connected >>{log}\n")
    note = os.path.join(hooks.path, "note")
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client("--up", f"{note} %i 'a b' $HOME %%", "--down", f"{note} %i", "--auto-reconnect",
                          "--on-connected-hook", os.path.join(hooks.path, "connected"))
    told = f"/client/kvc0/{TUN_CLIENT}"
    up = f"up kvc0 a b $HOME % there=yes {told}"
    wait_until(lambda: lines(log) == [up, "connected"], 5, "up, then the hook")
    server.stop()
    client.wait_event("lost")
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, name="server2")
    client.wait_event("connected", 20, nth=2)
    wait_until(lambda: lines(log) == [up, "connected", "connected"], 5,
               "the interface was kept, so neither down nor up again")
    equal(client.stop(), 0, "the exit status")
    equal(lines(log)[3:], [f"down kvc0 there=no {told}"], "what ran in the end")


@test("an interface that another program removes goes down, and up again with the next connection")
def client_down_up(world):
    world.veth()
    hooks = HookDir(world)
    log = hooks.file("log")
    hooks.add("note", NOTE.format(log=log))
    note = os.path.join(hooks.path, "note")
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client("--up", f"{note} %i", "--down", f"{note} %i", "--auto-reconnect")
    wait_until(lambda: len(lines(log)) == 1, 5, "it is up")
    world.c.run("ip", "link", "delete", "kvc0")
    client.wait_event("connected", 20, nth=2)
    wait_until(lambda: [x.split()[0] for x in lines(log)] == ["up", "down", "up"], 5, "down and up")


@test("a server's up runs once it listens, its down last of all, both with the prefix as %i")
def server_up_down(world):
    world.veth()
    hooks = HookDir(world)
    log = hooks.file("log")
    hooks.add("note", NOTE.format(log=log))
    hooks.add("on_disconnected", f"#!/bin/sh\nsleep 1\necho disconnected >>{log}\n")
    note = os.path.join(hooks.path, "note")
    process = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, "--hook-dir", hooks.path,
                           "--up", f"{note} %i*", "--down", f"{note} %i*")
    told = f"there=no /server/kvs/{TUN_SERVER}"
    wait_until(lambda: lines(log) == [f"up kvs* {told}"], 5, "up")
    world.client()
    equal(process.stop(), 0, "the exit status")
    equal(lines(log)[1:], ["disconnected", f"down kvs* {told}"], "what ran in the end")


@test("an up that fails is logged, and the tunnel stays")
def failing_up(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client("--up", "sh -c 'exit 7'")
    client.wait_text("failed with status 7")
    world.c.can_ping(TUN_SERVER)


@test("a command that cannot be run is an error at start, and a wrong one of usage")
def wrong_commands(world):
    world.veth()
    for command, text in (("no-such-program %i", "no-such-program"), ("/etc/passwd", "not an executable")):
        client = world.client("--up", command, wait=False)
        check(client.wait_exit() not in (0, 2), f"{command}: the client refuses to start")
        check(text in client.text(), f"{command}: and says {text}")
    for command in ("x 'open", "x %d", "", " "):
        world.client("--down", command, wait=False).expect_exit(2)


if __name__ == "__main__":
    main()
