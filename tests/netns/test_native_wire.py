#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody on the path sees of the native protocol: noise."""
import os
import sys

from kvnet import POOL, PORT, TOP, TUN_SERVER, Capture, main, test, transfer

sys.path.insert(0, os.path.join(TOP, "tests/vectors/native"))
import kvbytes  # noqa: E402  the same measure as of sessions in virtual time

PINGS = 1500


@test("no byte of a datagram is constant, nor any value more frequent at its place than chance, with either cipher", limit=120)
def noise(world):
    world.veth()
    for crypt in ("chacha20-poly1305", "aes-256-gcm"):
        capture = Capture(world, world.s, "eth0")
        server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, crypt=crypt)
        client = world.client(crypt=crypt)
        world.c.run("ping", "-q", "-c", str(PINGS), "-i", "0.004", TUN_SERVER, timeout=60)
        transfer(world, world.c, world.s, TUN_SERVER, 500000)
        client.stop()
        server.stop()
        capture.stop()
        datagrams = [payload for port in ({"dst_port": PORT}, {"src_port": PORT}) for _, payload in capture.udp(**port)]
        figure = kvbytes.check(datagrams)
        print(f"        {crypt}: {len(datagrams)} datagrams, worst chi-square {figure:.0f} of {kvbytes.CHI_SQUARE_MAX:.0f}", flush=True)


if __name__ == "__main__":
    main()
