#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many clients on one port."""
import concurrent.futures
import resource
import time

from kvnet import PATIENT, PORT, PROGRAM, SANITIZED, SECRET, equal, main, test, wait_until

CLIENTS = 20 if SANITIZED else 200
LEAVING = CLIENTS // 2


@test("two hundred clients are connected at once, each reaches the server, and all leave in order",
      limit=300)
def two_hundred(world):
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    world.veth()
    world.c.sysctl("net.ipv6.conf.default.disable_ipv6=1")
    world.s.sysctl("net.ipv6.conf.default.disable_ipv6=1")
    server = world.server("--local-ip", "10.88.0.1", "--assignable-ips", "10.88.0.2-10.88.3.254", "--log-level", "info")
    start = time.monotonic()
    clients = [world.start([PROGRAM, "client", "--log-json", "--ip", "10.77.0.1", "--port", str(PORT), "--crypt", "aes",
                            "--vni-name", f"kvc{i}", "--client-id", f"client{i}"], f"client{i}", world.c,
                           {"KCPVPN_KEY": SECRET}) for i in range(CLIENTS)]
    for client in clients:
        client.wait_event("connected", 90)
    print(f"        {CLIENTS} connected in {time.monotonic() - start:.1f} s", flush=True)
    wait_until(lambda: server.count("client-connected") == CLIENTS, 30, "the server knows them all")
    addresses = {link["ifname"]: a["local"] for link in world.s.ip_json("addr", "show") for a in link["addr_info"]
                 if link["ifname"].startswith("kvs")}
    equal(len(addresses), CLIENTS, "the server's interfaces")

    def reaches(i):
        return world.c.ping("10.88.0.1", 2, 0.3, seconds=5, more=("-I", f"kvc{i}"))[0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        lost = list(pool.map(reaches, range(CLIENTS)))
    equal([i for i, share in enumerate(lost) if share == 1], [], "the clients that get no answer")
    with open(f"/proc/{server.pid}/status", encoding="ascii") as f:
        rss = int(next(line for line in f if line.startswith("VmRSS:")).split()[1])
    print(f"        the server's memory: {rss / 1024:.0f} MB", flush=True)
    for client in clients[:LEAVING]:
        client.send(15)
    equal([c.wait_exit(30) for c in clients[:LEAVING]], [0] * LEAVING, "the exit statuses of half of them")
    wait_until(lambda: server.count("client-disconnected") == LEAVING, 30, "the server saw them leave")
    equal(world.c.ping("10.88.0.1", 2, 0.2, more=(*PATIENT, "-I", f"kvc{CLIENTS - 1}"))[0], 0, "the share a remaining one loses")
    equal(server.stop(seconds=30), 0, "the server's exit status")
    equal([x for x in world.s.links() if x.startswith("kvs")], [], "the interfaces left")


if __name__ == "__main__":
    main()
