#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The system service under systemd: its sandbox in force, hooks, secrets, drop-ins, units of single key files, and
what kills or restarts it or its bus. One box has the servers, the other the clients.

In most of it a system call that the unit does not allow ends the daemon instead of failing: what is done here,
needs no more than is allowed. GLib asks the kernel once whether a thread may pass on its scheduling, and takes no for
an answer.
"""
import re
import time

import kvbox
from kvbox import SERVER_IP, check, contains, equal, wait_until

SECRET = "a secret of the boxes"
STRICT = "[Service]\nSystemCallErrorNumber=\nSystemCallFilter=sched_setattr\n"
DROPINS = "/etc/systemd/system/kcpvpnd.service.d"
CIPHERS = ("aes", "aes-128", "aes-192", "none", "salsa20", "blowfish", "twofish", "cast5", "3des", "tea", "xtea", "sm4",
           "xor")
EXPOSURE_MAX = 1.7
MANY = 200
HOOK = """#!/bin/sh
echo "ran ${0##*/} $* event=$KV_EVENT tunnel=$KV_TUNNEL client=$KV_CLIENT_ID if=$KV_VNI_INTERFACE_NAME as $(id -un)"
"""


def setup(server, client):
    kvbox.join(server, client)
    client.run(f"echo {SERVER_IP} vpn.example.org >>/etc/hosts")
    for box in (server, client):
        box.run("useradd bob")


def add(box, name, *settings):
    box.run(f"KCPVPN_KEY={SECRET!r} kcpvpn add {name} " + " ".join(settings))


def add_server(box, name, port, net, *settings, mode="tun", crypt="aes", ip="0.0.0.0"):
    add(box, name, f"--role server --ip {ip} --port {port} --vni-mode {mode} --crypt {crypt} --local-ip 10.{net}.0.1",
        f"--assignable-ips 10.{net}.0.2-10.{net}.3.254", *settings)
    box.run(f"kcpvpn up {name}")


def add_client(box, name, port, *settings, crypt="aes", up=True):
    add(box, name, f"--role client --ip vpn.example.org --port {port} --crypt {crypt} --client-id {name}"
        f" --vni-name {name}", *settings)
    if up:
        box.run(f"kcpvpn up {name}")


def pings(box, address):
    return box.attempt(f"ping -n -c 2 -i 0.2 -W 2 {address}")[0] == 0


def hooks_say(box):
    return box.messages("kcpvpn-hooks")


def sandbox_in_force(server, _):
    """the process has one user, one capability, no new privileges, and the filter of system calls"""
    status = server.read(f"/proc/{server.pid('kcpvpnd')}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    uid = server.run("id -u kcpvpn").strip()
    equal(fields["Uid"].split("\t"), [uid] * 4, "the user")
    for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        equal(int(fields[name], 16), 1 << 12, name)
    equal((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"), "NoNewPrivs and Seccomp")
    own = int(server.run("grep Seccomp_filters /proc/self/status").split()[1])
    check(int(fields["Seccomp_filters"]) > own, "the box has a filter, the daemon has none")


def exposure(server, _):
    """systemd's own judgement of the running unit is as good as promised"""
    out = server.run("systemd-analyze security --no-pager kcpvpnd.service")
    level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", out).group(1))
    check(level <= EXPOSURE_MAX, f"exposure {level}: " + "\n".join(re.findall("^✗.*$", out, re.M)))


def folders(server, _):
    """folders and socket belong to whom they should, and nobody else may look into what is secret"""
    out = server.run("stat -c '%n %U:%G %a' /etc/kcpvpn /etc/kcpvpn/hooks.d /var/lib/kcpvpn /run/kcpvpn /run/kcpvpn/hooks")
    equal(out.split("\n")[:-1], ["/etc/kcpvpn root:kcpvpn 751", "/etc/kcpvpn/hooks.d root:root 755",
                                 "/var/lib/kcpvpn kcpvpn:kcpvpn 700", "/run/kcpvpn root:root 755",
                                 "/run/kcpvpn/hooks root:kcpvpn 660"], "owners and modes")
    pid = server.pid("kcpvpnd")
    for command in ("ls /var/lib/kcpvpn", f"cat /proc/{pid}/environ", "kcpvpn add x --role client --ip 192.0.2.1 --port 1 --no-ask"):
        check(server.attempt(command, user="bob")[0] != 0, f"bob may: {command}")


def devices(server, _):
    """the daemon has /dev/net/tun and no other device of the machine"""
    words = "--quiet --wait --pipe --collect -p DevicePolicy=closed"
    check(server.attempt(f"systemd-run {words} sh -c 'exec 3<>/dev/net/tun'")[0] != 0, "boxes do not keep devices back")
    equal(server.show("kcpvpnd", "DevicePolicy"), "closed", "DevicePolicy")
    contains(server.show("kcpvpnd", "DeviceAllow"), "/dev/net/tun rw", "DeviceAllow")


def readiness(server, _):
    """the unit is ready once the name is on the bus, and its status line counts tunnels"""
    equal(server.show("kcpvpnd", "Type"), "notify", "Type")
    contains(server.show("kcpvpnd", "StatusText"), "tunnel", "StatusText")
    server.run("systemctl stop kcpvpnd && systemctl start kcpvpnd && busctl status org.kcpvpn >/dev/null")


def strict(server, client):
    """from here on a system call that is not allowed ends the daemon"""
    for box in (server, client):
        box.write(f"{DROPINS}/strict.conf", STRICT)
        box.run("systemctl daemon-reload && systemctl restart kcpvpnd")


def activation(server, _):
    """the bus starts the stopped service, by its unit, for whoever asks"""
    server.run("systemctl stop kcpvpnd")
    server.run("kcpvpn list", user="bob")
    equal(server.show("kcpvpnd", "ActiveState"), "active", "kcpvpnd")
    check(server.pid("kcpvpnd") > 1, "it is no process of the unit")


def ciphers(server, client):
    """a tunnel with each cipher, to a name, over IPv4 and a socket of both families"""
    for i, crypt in enumerate(CIPHERS):
        add_server(server, f"s-{crypt}", 3000 + i, 100 + i, crypt=crypt, ip="::" if i % 2 else "0.0.0.0")
        add_client(client, f"c-{crypt}", 3000 + i, crypt=crypt)
        check(pings(client, f"10.{100 + i}.0.1"), f"{crypt}: no ping")
    server.run("kcpvpn delete $(kcpvpn list --names | grep ^s-)")
    client.run("kcpvpn delete $(kcpvpn list --names | grep ^c-)")


def bridge_and_hooks(server, client):
    """tap, a bridge, and all kinds of hooks, which run as nobody by the other service"""
    server.run("ip link add br0 type bridge && ip link set br0 up && ip address add 10.90.0.1/16 dev br0")
    for name in ("on_connected", "on_disconnected", "up", "down"):
        server.write(f"/etc/kcpvpn/hooks.d/{name}", HOOK, 0o755)
    for name in ("mine", "up"):
        client.write(f"/etc/kcpvpn/hooks.d/{name}", HOOK, 0o755)
    folder = "/etc/kcpvpn/hooks.d"
    add_server(server, "taps", 1300, 90, "--bridge br0 --netmask 255.255.0.0", f"--hook-dir {folder}",
               f"--up '{folder}/up %i' --down '{folder}/down %i'", mode="tap", crypt="salsa20")
    add_client(client, "tapc", 1300, f"--on-connected-hook {folder}/mine --up '{folder}/up one %i'", crypt="salsa20")
    check(pings(client, "10.90.0.1"), "no ping through the bridge")
    client.run("kcpvpn down tapc")
    wait_until(lambda: "on_disconnected" in hooks_say(server), 10, "the server's hooks run")
    server.run("kcpvpn down taps")
    for words in ("ran up br0 event=up tunnel=taps", "ran on_connected  event= tunnel= client=tapc if=kvs",
                  "ran on_disconnected  event= tunnel= client=tapc", "ran down br0 event=down tunnel=taps"):
        wait_until(lambda words=words: words in hooks_say(server), 10, f"the server's hooks say {words!r}")
    for words in ("ran up one tapc event=up tunnel=tapc", "ran mine  event= tunnel= client=tapc if=tapc"):
        contains(hooks_say(client), words, "the client's hooks")
    check(re.search(r"ran .* as (?!nobody)", hooks_say(server)) is None, hooks_say(server))
    entries = server.journal("-u", "kcpvpn-hooks", "KV_TUNNEL=taps", "KV_EVENT=hook-output")
    check(len(entries) >= 4, f"only {len(entries)} lines of hooks have the tunnel's name")


def many_clients(server, client):
    """two hundred clients come at once, are counted and listed, and go"""
    add_server(server, "many", 1400, 80, "--crypt aes")
    client.run(
        f"systemd-run --quiet --unit=many --setenv=KCPVPN_KEY={SECRET!r} bash -c 'for i in $(seq {MANY}); do kcpvpn client"
        f" --ip {SERVER_IP} --port 1400 --crypt aes --vni-name m$i --client-id m$i & done; wait'")
    wait_until(lambda: int(server.run("kcpvpn clients many --ids | wc -l")) == MANY, 90, f"{MANY} clients are there", 1)
    contains(server.run("kcpvpn show many"), f"clients        {MANY}", "kcpvpn show")
    server.run("timeout -s INT 2 kcpvpn show many --watch --interval 100 >/dev/null || test $? = 124")
    server.run("kcpvpn clients many --json >/dev/null")
    client.run("systemctl stop many")
    wait_until(lambda: server.run("kcpvpn clients many --ids | wc -l").strip() == "0", 60, "all have gone", 1)
    server.run("kcpvpn delete many")


def signals(server, _):
    """SIGUSR1, which is for the foreground, does no harm; SIGHUP and \"reload\" read the key files again"""
    pid = server.pid("kcpvpnd")
    server.write("/etc/kcpvpn/byhand.kcpvpn", f"[tunnel]\nrole=server\nip=0.0.0.0\nport=1500\nvni-mode=tun\nsecret={SECRET}\n"
                 "local-ip=10.50.0.1\nassignable-ips=10.50.0.2-10.50.0.9\ncrypt=aes\n", 0o640)
    server.run("chown root:kcpvpn /etc/kcpvpn/byhand.kcpvpn; systemctl kill -s USR1 kcpvpnd; systemctl reload kcpvpnd")
    wait_until(lambda: "byhand" in server.run("kcpvpn list --names"), 5, "the new key file is a tunnel")
    server.run("kcpvpn up byhand")
    server.write("/etc/kcpvpn/bad.kcpvpn", "[tunnel]\nrole=server\nport=many\n", 0o640)
    server.run("chown root:kcpvpn /etc/kcpvpn/bad.kcpvpn; systemctl kill -s HUP kcpvpnd")
    wait_until(lambda: "bad.kcpvpn" in server.run("kcpvpn status"), 5, "the broken file is told of")
    contains(server.run("kcpvpn status byhand"), "connected", "the tunnel that runs")
    equal(server.pid("kcpvpnd"), pid, "the process")
    server.run("rm /etc/kcpvpn/bad.kcpvpn /etc/kcpvpn/byhand.kcpvpn; systemctl reload kcpvpnd")
    wait_until(lambda: server.run("kcpvpn list --names").strip() == "taps", 5, "the tunnel ends with its file")


def credentials(server, client):
    """the secret of an administrator's tunnel may come from a credential of systemd"""
    server.write("/root/vault", SECRET + "\n", 0o600)
    server.write(f"{DROPINS}/vault.conf", "[Service]\nLoadCredential=vaulted.secret:/root/vault\n")
    server.write("/etc/kcpvpn/vaulted.kcpvpn", "[tunnel]\nrole=server\nip=0.0.0.0\nport=1600\nvni-mode=tun\ncrypt=aes\n"
                 "local-ip=10.60.0.1\nassignable-ips=10.60.0.2-10.60.0.9\nautostart=true\n", 0o640)
    server.run("chown root:kcpvpn /etc/kcpvpn/vaulted.kcpvpn; systemctl daemon-reload && systemctl restart kcpvpnd")
    contains(server.run("kcpvpn status vaulted"), "connected", "the server")
    add_client(client, "vaultc", 1600, "--auto-reconnect")
    check(pings(client, "10.60.0.1"), "no ping")


def low_ports(server, client):
    """a port below 1024 takes the drop-in, and the error says what is missing"""
    status, out = server.attempt(f"KCPVPN_KEY={SECRET!r} kcpvpn add low --role server --ip 0.0.0.0 --port 443 --vni-mode tun"
                                 " --crypt aes --local-ip 10.70.0.1 --assignable-ips 10.70.0.2-10.70.0.9"
                                 " && kcpvpn up low")
    equal(status, 4, "the exit status of kcpvpn up")
    contains(out, "CAP_NET_BIND_SERVICE", "the error")
    server.run(f"cp /usr/share/doc/kcpvpn/examples/kcpvpnd-low-ports.conf {DROPINS}/"
               " && systemctl daemon-reload && systemctl restart kcpvpnd && kcpvpn up low")
    add_client(client, "lowc", 443, "--auto-reconnect")
    check(pings(client, "10.70.0.1"), "no ping")


def bus_restarts(server, client):
    """a restart of the bus leaves tunnels as they are, and the service is back on it"""
    pid = server.pid("kcpvpnd")
    server.run("systemctl restart dbus")
    wait_until(lambda: server.attempt("busctl status org.kcpvpn")[0] == 0, 10, "the name is back")
    equal((server.pid("kcpvpnd"), server.show("kcpvpnd", "NRestarts")), (pid, "0"), "the process and its restarts")
    check(pings(client, "10.70.0.1"), "no ping")
    contains(server.run("kcpvpn clients low"), "lowc", "the clients")
    server.run("kcpvpn down low && kcpvpn up low")
    wait_until(lambda: pings(client, "10.70.0.1"), 20, "the client is back")


def killed(server, client):
    """what is killed is started again, and autostarted tunnels with it; their clients come back"""
    server.run("kcpvpn edit low --autostart")
    pid = server.pid("kcpvpnd")
    server.run("systemctl kill -s KILL kcpvpnd")
    wait_until(lambda: server.pid("kcpvpnd") not in (0, pid) and server.show("kcpvpnd", "ActiveState") == "active", 10,
               "kcpvpnd is back")
    wait_until(lambda: pings(client, "10.70.0.1"), 60, "the client is back")
    left = [word for word in server.run("ip -br link show").split() if word.startswith("kvs")]
    equal(len(left), 2, f"the interfaces {left}, one for each client")


def watchdog(server, _):
    """a daemon that does not move any more is ended by the watchdog and started again"""
    server.write(f"{DROPINS}/watchdog.conf", "[Service]\nWatchdogSec=2s\n")
    server.run("systemctl daemon-reload && systemctl restart kcpvpnd")
    pid = server.pid("kcpvpnd")
    time.sleep(5)
    equal(server.pid("kcpvpnd"), pid, "the process, five seconds later")
    server.run("systemctl kill -s STOP kcpvpnd")
    wait_until(lambda: server.pid("kcpvpnd") not in (0, pid) and server.show("kcpvpnd", "ActiveState") == "active", 30,
               "kcpvpnd is back")
    contains(server.messages("kcpvpnd"), "Watchdog timeout", "the log")


def key_file_units(server, client):
    """units run single key files, also on a low port and with hooks, and end in good order"""
    server.run("systemctl stop kcpvpnd")
    server.write("/etc/kcpvpn/unit.kcpvpn", "[tunnel]\nrole=server\nip=0.0.0.0\nport=400\nvni-mode=tun\ncrypt=aes\n"
                 f"local-ip=10.40.0.1\nassignable-ips=10.40.0.2-10.40.0.9\nsecret={SECRET}\nvni-name-prefix=kvu\n"
                 "up=/etc/kcpvpn/hooks.d/up %i\n", 0o640)
    client.write("/etc/kcpvpn/unit.kcpvpn", f"[tunnel]\nrole=client\nip=vpn.example.org\nport=400\ncrypt=aes\nsecret={SECRET}\n"
                 "vni-name=kvu0\nauto-reconnect=true\n", 0o640)
    for box, role in ((server, "server"), (client, "client")):
        box.run(f"chown root:kcpvpn /etc/kcpvpn/unit.kcpvpn; systemctl enable --now kcpvpn-{role}@unit")
    wait_until(lambda: pings(client, "10.40.0.1"), 20, "the client is there")
    contains(server.messages("kcpvpn-server@unit"), "as kcpvpn", "the hook's word")
    server.run("systemctl kill -s USR1 kcpvpn-server@unit")
    wait_until(lambda: "statistics: in" in server.messages("kcpvpn-server@unit"), 5, "statistics")
    for box, role in ((client, "client"), (server, "server")):
        box.run(f"systemctl stop kcpvpn-{role}@unit")
        equal(box.show(f"kcpvpn-{role}@unit", "Result"), "success", f"the {role}'s end")
        check("kvu" not in box.run("ip -br link show"), f"the {role}'s interface is left")
    server.write("/etc/kcpvpn/unit.kcpvpn", "[tunnel]\nrole=server\nport=many\n", 0o640)
    server.attempt("chown root:kcpvpn /etc/kcpvpn/unit.kcpvpn; systemctl start kcpvpn-server@unit")
    wait_until(lambda: server.show("kcpvpn-server@unit", "ActiveState") == "failed", 10, "the unit has failed")
    equal(server.show("kcpvpn-server@unit", "NRestarts"), "0", "tries with a wrong setting")
    server.run("systemctl reset-failed; rm /etc/kcpvpn/unit.kcpvpn; systemctl disable kcpvpn-server@unit")


def nothing_forbidden(server, client):
    """in all of this no system call was refused and nothing ended but what was made to"""
    for box in (server, client):
        check("status=31/SYS" not in box.messages("kcpvpnd"), f"box {box.name}: {box.messages('kcpvpnd')}")
        lines = [entry["MESSAGE"] for entry in box.journal("-u", "kcpvpnd", "-p", "warning", "_COMM=kcpvpnd")]
        known = ("bad.kcpvpn", "cannot bind UDP address 0.0.0.0:443", "the bus", "lost", "no answer")
        odd = [line for line in lines if not any(word in line for word in known)]
        equal(odd, [], f"warnings of box {box.name}")


CHECKS = (sandbox_in_force, exposure, folders, devices, readiness, strict, activation, ciphers, bridge_and_hooks, many_clients,
          signals, credentials, low_ports, bus_restarts, killed, watchdog, key_file_units, nothing_forbidden)

if __name__ == "__main__":
    kvbox.main(CHECKS, ("server", "client"), setup)
