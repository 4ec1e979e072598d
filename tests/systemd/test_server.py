#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The README's server and a client of it, each a machine with a systemd of its own."""
import re

import kvbox
from kvbox import CLIENT_IP, SERVER_IP, check, contains, equal, readme_blocks, wait_until

SECTION = "A server for many clients"
UNTIL_CTRL_C = re.compile(r"^(.*?)\s+#.*until Ctrl-C$", re.M)


def setup(server, client):
    kvbox.join(server, client)
    client.run(f"echo {SERVER_IP} vpn.example.org >>/etc/hosts")
    server.run("useradd ann")


def block(number):
    """Lines of the README; those that go on until Ctrl-C are interrupted."""
    text = readme_blocks(SECTION)[number]
    return f"cd {kvbox.TREE}\nset -ex\n" + UNTIL_CTRL_C.sub(r"timeout -s INT 2 \1 || test $? = 124", text)


def pings(box, address="192.168.88.1"):
    return box.attempt(f"ping -n -c 2 -i 0.2 -W 2 {address}")[0] == 0


def make_server(server, client):
    """a server is made and started, with key files for a hundred clients"""
    out = server.run(block(1) + "\n" + block(2))
    contains(out, "office: listening on 0.0.0.0:1235", "kcpvpn up")
    equal(server.run(f"ls -l {kvbox.TREE}/clients | grep -c '^-rw-------'").strip(), "100", "the key files")


def make_client(server, client):
    """a client imports its key file, connects by the server's name, and reaches it"""
    for number in (1, 7):
        client.write(f"{kvbox.TREE}/client{number}.kcpvpn", server.read(f"{kvbox.TREE}/clients/client{number}.kcpvpn"),
                     0o600)
    out = client.run(block(3))
    contains(out, f"office: connected to {SERVER_IP}:1235, interface kvc0", "kcpvpn up")
    contains(out, " 0% packet loss", "ping")


def make_foreground_client(server, client):
    """the command in the foreground does the same with such a file"""
    client.run(f"systemd-run --quiet --unit=foreground kcpvpn client --config {kvbox.TREE}/client7.kcpvpn"
               " --vni-name kvc7")
    wait_until(lambda: "client7" in server.run("kcpvpn clients office --ids"), 20, "client7 is there")


def look(server, client):
    """the lines that look at clients, and send one away, work"""
    out = server.run(block(4))
    for words in ("client1 ", CLIENT_IP, "client7: disconnected", "state          connected"):
        contains(out, words, "what the lines print")
    client.run("systemctl stop foreground")


def restarted_client(server, client):
    """after a reboot the client's tunnel is back without a word from anybody"""
    client.reboot()
    wait_until(lambda: pings(client), 30, "the client reaches the server")
    equal(client.show("kcpvpnd", "NRestarts"), "0", "restarts of kcpvpnd")


def restarted_server(server, client):
    """after a reboot the server's tunnel is back, and so is its client"""
    server.reboot()
    wait_until(lambda: pings(client), 60, "the client reaches the server")


def good_order(server, client):
    """at shutdown the daemon ends in good order, before its bus, and tells the other end"""
    for box in (server, client):
        text = box.messages("kcpvpnd", "-b", "-1")
        contains(text, "kcpvpnd.service: Deactivated successfully.", f"the last words of box {box.name}")
        check("the bus is gone" not in text, f"the bus went first: {text}")
    contains(server.messages("kcpvpnd", "-b", "-1"), "the peer ended the connection", "the server's log")
    contains(client.messages("kcpvpnd"), "office: connection to", "the client's log")


def fields(server, client):
    """the journal has the tunnel, the event and the client as fields"""
    entries = server.journal("KV_TUNNEL=office", "KV_EVENT=client-connected")
    check(entries, "no entry")
    equal({entry["KV_PEER"] for entry in entries}, {"client1", "client7"}, "the clients of all boots")
    for entry in entries:
        check(entry["MESSAGE"].startswith(f"office: client {entry['KV_PEER']} at "), entry["MESSAGE"])
        equal((entry["_SYSTEMD_UNIT"], entry["PRIORITY"]), ("kcpvpnd.service", "6"), "unit and priority")
    listening = server.journal("KV_TUNNEL=office", "KV_EVENT=listening")
    equal(len({entry["MESSAGE_ID"] for entry in listening}), 1, "one MESSAGE_ID for an event")


def change(server, client):
    """the lines that change, keep a copy, let a user in, and delete, work"""
    out = server.run(block(5))
    contains(out, "office: deleted", "what the lines print")
    server.run(f"grep -q '^secret=' {kvbox.TREE}/backup.kcpvpn")
    equal(server.run("ls /var/lib/kcpvpn").strip(), "", "saved tunnels")
    left = server.run("ip -br link show").split()
    check(not any(word.startswith("kvs") for word in left), f"interfaces left: {left}")


if __name__ == "__main__":
    kvbox.main((make_server, make_client, make_foreground_client, look, restarted_client, restarted_server, good_order,
                fields, change), ("server", "client"), setup)
