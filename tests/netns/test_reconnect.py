#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Losing each other: restarts, kills, dead links, changed addresses."""
import signal
import time

from kvnet import (Chatter, POOL, TUN_CLIENT, TUN_SERVER, TIME_FACTOR, check, equal, main, test,
                   wait_until)

LOST, NO_ANSWER = 6, 5
QUICK = ("--keepalive", "1")


def ifindex(namespace, name="kvc0"):
    return namespace.link(name)["ifindex"]


def restart(world, how):
    world.veth()
    args = ("--local-ip", TUN_SERVER, "--assignable-ips", POOL, *QUICK)
    server = world.server(*args)
    client = world.client("--auto-reconnect", *QUICK)
    world.c.can_ping(TUN_SERVER)
    index = ifindex(world.c)
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    server.send(how)
    server.wait_exit()
    time.sleep(0.5)
    equal(ifindex(world.c), index, "the index of the client's interface while the server is away")
    world.server(*args, name="server2")
    client.wait_event("connected", 20, nth=2)
    equal(ifindex(world.c), index, "the index of the client's interface afterwards")
    equal(world.c.ipv4("kvc0"), [(TUN_CLIENT, TUN_SERVER, 32)], "the client's address")
    world.c.can_ping(TUN_SERVER)
    equal(client.count("connected"), 2, "how often the client connected")


@test("a restarted server gets its client back; the interface stays", limit=60)
def server_restart(world):
    restart(world, signal.SIGTERM)


@test("a killed server gets its client back, within seconds of its new start", limit=60)
def server_killed(world):
    restart(world, signal.SIGKILL)


@test("without --auto-reconnect a client whose server dies ends with status 6 within three "
      "keepalives and leaves nothing", limit=40)
def server_gone(world):
    world.veth()
    server, client = world.tunnel(*QUICK)
    world.c.can_ping(TUN_SERVER)
    server.kill()
    start = time.monotonic()
    client.expect_exit(LOST, 10)
    took = time.monotonic() - start
    check(took < 4.5 * TIME_FACTOR, f"it took {took:.1f} s to notice")
    check(not world.c.has_link("kvc0"), "the interface is gone")


@test("a killed client's interface and address are free again within three keepalives", limit=40)
def client_killed(world):
    world.veth()
    server, client = world.tunnel(*QUICK)
    client.kill()
    start = time.monotonic()
    server.wait_event("client-disconnected", 10)
    took = time.monotonic() - start
    check(took < 4.5 * TIME_FACTOR, f"it took {took:.1f} s to notice")
    wait_until(lambda: not world.s.has_link("kvs0"), 2, "kvs0 is gone")


@test("a client that died and starts again gets in at once, with its old fixed address", limit=40)
def client_reborn(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    first = world.client("--local-ip", "192.168.88.50", "--client-id", "laptop")
    world.c.can_ping(TUN_SERVER)
    first.kill()
    start = time.monotonic()
    world.client("--local-ip", "192.168.88.50", "--client-id", "laptop", "--auto-reconnect", name="client2")
    check(time.monotonic() - start < 10 * TIME_FACTOR, "within ten seconds, not a keepalive's 30")
    world.c.can_ping(TUN_SERVER)


@test("a link that is down for five seconds loses neither session, interface nor TCP connection",
      limit=60)
def link_down(world):
    link = world.linkem("both delay=5ms")
    _, client = world.tunnel(client=("--auto-reconnect",))
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    index = ifindex(world.c)
    link.set("both down=1")
    time.sleep(5)
    link.set("both down=0")
    talk.say(15)
    equal(ifindex(world.c), index, "the index of the interface")
    equal(client.count("connected"), 1, "how often the client connected")


@test("an inner TCP connection outlives a longer cut that makes the client connect anew", limit=90)
def long_cut(world):
    link = world.linkem("both delay=5ms")
    _, client = world.tunnel(*QUICK, client=("--auto-reconnect",))
    talk = Chatter(world, world.s, world.c, TUN_SERVER)
    talk.say()
    index = ifindex(world.c)
    link.set("both down=1")
    client.wait_event("lost", 10)
    time.sleep(2)
    equal(ifindex(world.c), index, "the index of the interface during the cut")
    link.set("both down=0")
    client.wait_event("connected", 20, nth=2)
    equal(world.c.ipv4("kvc0"), [(TUN_CLIENT, TUN_SERVER, 32)], "the client's address")
    talk.say(30)


@test("a client whose own address changes connects again from the new one; the interface stays",
      limit=60)
def address_change(world):
    world.veth()
    _, client = world.tunnel(*QUICK, client=("--auto-reconnect",))
    index = ifindex(world.c)
    world.c.ip("addr", "add", "10.77.0.3/24", "dev", "eth0")
    world.c.ip("addr", "del", "10.77.0.2/24", "dev", "eth0")
    # deleting the first address of a network takes the others along, unless promoted
    world.c.ip("addr", "add", "10.77.0.3/24", "dev", "eth0", check_status=False)
    client.wait_event("connected", 20, nth=2)
    equal(ifindex(world.c), index, "the index of the interface")
    world.c.can_ping(TUN_SERVER)


@test("an interface that somebody deletes while its client waits for the server is made anew",
      limit=60)
def interface_deleted_while_waiting(world):
    world.veth()
    server, client = world.tunnel(*QUICK, client=("--auto-reconnect",))
    server.stop()
    client.wait_event("retrying")
    world.c.ip("link", "del", "kvc0")
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, name="server2")
    client.wait_event("connected", 20, nth=2)
    world.c.can_ping(TUN_SERVER)


@test("an interface that is set down and up again goes on, on either side", limit=60)
def interface_down(world):
    world.veth()
    _, client = world.tunnel(*QUICK)
    for namespace, name in ((world.c, "kvc0"), (world.s, "kvs0")):
        namespace.ip("link", "set", name, "down")
        world.c.cannot_ping(TUN_SERVER)
        namespace.ip("link", "set", name, "up")
        world.c.can_ping(TUN_SERVER)
    equal(client.count("connected"), 1, "how often the client connected")


@test("a server that comes back in another mode and with another network gets its client, whose "
      "interface follows even if it is persistent", limit=90)
def mode_change(world):
    world.veth()
    options = ("--auto-reconnect", "--persistent-vni", *QUICK)
    tun = ("--local-ip", TUN_SERVER, "--assignable-ips", POOL, *QUICK)
    tap = ("--local-ip", "10.9.0.1", "--assignable-ips", "10.9.0.2-10.9.0.9", "--netmask",
           "255.255.255.0", "--vni-mtu", "1400", *QUICK)
    server = world.server(*tun)
    client = world.client(*options)
    server.stop()
    server = world.server(*tap, mode="tap", name="server2")
    client.wait_event("connected", 20, nth=2)
    equal(world.c.ipv4("kvc0"), [("10.9.0.2", None, 24)], "the client's address in the TAP")
    equal(world.c.link("kvc0")["mtu"], 1400, "its MTU")
    server.stop()
    world.server(*tun, name="server3")
    client.wait_event("connected", 20, nth=3)
    equal(world.c.ipv4("kvc0"), [(TUN_CLIENT, TUN_SERVER, 32)], "the client's address in the TUN")
    equal(client.stop(), 0, "the exit status")
    world.c.ip("link", "del", "kvc0")


@test("an end that stood still for longer than the other waits, as in suspend, is back within seconds", limit=90)
def standstill(world):
    world.veth()
    server, client = world.tunnel(*QUICK, client=("--auto-reconnect",))
    index = ifindex(world.c)
    for nth, process in ((2, client), (3, server)):
        process.send(signal.SIGSTOP)
        time.sleep(5)
        process.send(signal.SIGCONT)
        client.wait_event("connected", 10, nth=nth)
        world.c.can_ping(TUN_SERVER)
        equal(ifindex(world.c), index, "the index of the client's interface")
    equal(len([x for x in world.s.links() if x.startswith("kvs")]), 1, "the interfaces of the server")


@test("a client waits for a server that is not there yet, and ends by request while it waits",
      limit=60)
def early_client(world):
    world.veth()
    client = world.client("--auto-reconnect", wait=False)
    time.sleep(2)
    check(client.alive(), "the client waits")
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client.wait_event("connected", 20)
    equal(client.stop(), 0, "the exit status")
    world.processes[1].stop()
    waiting = world.client("--auto-reconnect", name="client2", wait=False)
    waiting.wait_event("connecting")
    equal(waiting.stop(), 0, "the exit status while it tries")


@test("a server that refuses ends the client with status 3 even with --auto-reconnect, or the "
      "client tries again; it never hangs", limit=60)
def refused_again(world):
    world.veth()
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client("--auto-reconnect", "--local-ip", "10.1.1.1", wait=False)
    client.wait_event("refused", 15)
    if client.alive():
        client.wait_event("retrying", 10)
        equal(client.stop(), 0, "the exit status by request")
    else:
        client.expect_exit(3)


@test("an interface that somebody deletes is made anew, on either side, and the message tells", limit=60)
def deleted_interface(world):
    world.veth()
    server, client = world.tunnel(client=("--auto-reconnect",))
    world.c.can_ping(TUN_SERVER)
    world.c.ip("link", "del", "kvc0")
    client.wait_event("connected", 10, nth=2)
    world.c.can_ping(TUN_SERVER)
    check("removed the interface kvc0" in client.text(), "the client tells what happened")
    world.s.ip("link", "del", next(name for name in world.s.links() if name.startswith("kvs")))
    client.wait_event("connected", 10, nth=3)
    world.c.can_ping(TUN_SERVER)
    check("removed its interface" in server.text(), "the server tells what happened")


if __name__ == "__main__":
    main()
