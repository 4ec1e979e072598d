#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Not root: file capabilities, and units that run the program as nobody."""
import os
import shutil

from kvnet import (POOL, PORT, PROGRAM, SECRET, TOP, TUN_SERVER, Skipped, check, equal, main, shell, test,
                   wait_until)

RIGHTS_MISSING = 4

# A mount namespace of its own with a /dev/net/tun that everybody may open, as udev makes it.
OPEN_TUN = ("unshare", "--mount", "--propagation", "private", "--", "sh", "-c",
            "mount -t tmpfs -o mode=755 tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"", "sh")
NOBODY = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--")


def capable_copy(world, capabilities="cap_net_admin,cap_net_bind_service,cap_net_raw+ep"):
    path = os.path.join(world.dir, "kcpvpn")
    shutil.copy(PROGRAM, path)
    os.chmod(path, 0o755)
    shell("setcap", capabilities, path)
    if "cap_net_admin" not in shell("getcap", path):
        raise Skipped("file capabilities do not work on this file system")
    return path


@test("with file capabilities an ordinary user runs both sides, on a port below 1024", limit=40)
def file_capabilities(world):
    world.veth()
    program = capable_copy(world)
    prefix = (*OPEN_TUN, *NOBODY)
    server = world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL, port=235, prefix=prefix, program=program)
    client = world.client(port=235, prefix=prefix, program=program)
    with open(f"/proc/{server.pid}/status", encoding="ascii") as f:
        uids = next(line for line in f if line.startswith("Uid:")).split()[1:]
    check("0" not in uids, f"the server's user ids: {uids}")
    world.c.can_ping(TUN_SERVER)
    equal((client.stop(), server.stop()), (0, 0), "the exit statuses")
    equal(sorted(world.s.links()), ["eth0", "lo"], "the interfaces left")


@test("without any right the message says what is missing, with status 4", limit=40)
def no_rights(world):
    world.veth()
    program = os.path.join(world.dir, "kcpvpn")
    shutil.copy(PROGRAM, program)
    os.chmod(program, 0o755)
    world.server("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    client = world.client(prefix=(*OPEN_TUN, *NOBODY), program=program, wait=False)
    client.expect_exit(RIGHTS_MISSING, 20)
    check("CAP_NET_ADMIN" in client.text().upper(), "the message names the capability")
    equal(client.count("connecting"), 0, "how often it bothers the server with what cannot be")
    second = world.server(prefix=(*OPEN_TUN, *NOBODY), program=program, port=PORT + 1, name="server2", wait=False)
    second.expect_exit(RIGHTS_MISSING, 20)
    check("CAP_NET_ADMIN" in second.text(), "the server's message names the capability")


def unit_setting(name):
    """What the units of single key files say."""
    with open(os.path.join(TOP, "data/systemd/kcpvpn-role@.service.in"), encoding="utf-8") as f:
        return next(line.split("=", 1)[1] for line in f if line.startswith(name + "=")).split()


@test("the units of single key files do not try again what cannot mend itself, and else they do", limit=60)
def wrong_files(world):
    final = {int(word) for word in unit_setting("RestartPreventExitStatus")}
    equal(unit_setting("Restart"), ["on-failure"], "Restart")
    program = os.path.join(world.dir, "kcpvpn")
    shutil.copy(PROGRAM, program)
    os.chmod(program, 0o755)

    def put(name, text, mode=0o644):
        path = os.path.join(world.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    good = f"[tunnel]\nrole=client\nip=127.0.0.1\nport={PORT}\ncrypt=aes\n"
    put("locked", SECRET, 0o600)
    os.mkdir(os.path.join(world.dir, "closed"), 0o700)
    wrong = {
        "unreadable": (put("unreadable.kcpvpn", good, 0o600), "Permission denied"),
        "below a closed folder": (os.path.join(world.dir, "closed/x.kcpvpn"), "Permission denied"),
        "missing": (os.path.join(world.dir, "missing.kcpvpn"), "No such file"),
        "a folder": (world.dir, "not a regular file"),
        "everybody's": (put("public.kcpvpn", good + f"secret={SECRET}\n"), "chmod o-rwx"),
        "broken": (put("broken.kcpvpn", "[tunnel]\nport=many\n"), "port"),
        "the other side's": (put("other.kcpvpn", good.replace("client", "server")), "role"),
        "with an unreadable secret": (put("secret1.kcpvpn", good + f"secret-file={world.dir}/locked\n"), "Permission denied"),
        "with a missing secret": (put("secret2.kcpvpn", good + f"secret-file={world.dir}/none\n"), "No such file"),
    }
    for what, (path, text) in wrong.items():
        process = world.start([*NOBODY, program, "client", "--config", path], what.replace(" ", "-"), world.s)
        status = process.wait_exit(20)
        check(status in final, f"{what}: status {status} is tried again: {process.text()}")
        check(text in process.text(), f"{what}: {process.text()!r} without {text!r}")
    pool = ("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
    world.server(*pool)
    second = world.server(*pool, name="second", wait=False)
    check(second.wait_exit() not in (0, *final), "a port that is taken for now is not tried again")


@test("the unit example of the older program (Type=simple, User=nobody) works with its rights",
      limit=40)
def unit_example(world):
    """ExecStart= of the example as it stands, run the way the service manager would."""
    world.veth()
    line = (f"{PROGRAM} server --ip 0.0.0.0 --port {PORT} --udp-mtu 1480 --kcp-mode fast3 --crypt xor --vni-mode tun "
            "--vni-mtu 1400 --local-ip 192.168.88.0 --assignable-ips 192.168.88.0/24 --log-json")
    ambient = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps=+net_admin",
               "--ambient-caps=+net_admin", "--bounding-set=-all,+net_admin", "--no-new-privs", "--")
    copy = os.path.join(world.dir, "kcpvpn")
    shutil.copy(PROGRAM, copy)
    os.chmod(copy, 0o755)
    server = world.start([*OPEN_TUN, *ambient, copy, *line.split()[1:]], "server", world.s, {"KCPVPN_KEY": SECRET})
    server.wait_event("listening")
    world.client("--udp-mtu", "1480", "--kcp-mode", "fast3", crypt="xor")
    wait_until(lambda: world.c.link("kvc0")["mtu"] == 1400, 5, "the server's MTU counts")
    world.c.can_ping("192.168.88.0")
    check(server.alive(), "Type=simple: it stays in the foreground")


if __name__ == "__main__":
    main()
