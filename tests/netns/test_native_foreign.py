#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A client that was written from docs/protocol.md alone (kvforeign) speaks to a real server."""
import base64
import ipaddress
import os
import random
import re
import signal
import socket
import struct
import time

from kvnet import POOL, PORT, SECRET, TIME_FACTOR, TUN_SERVER, check, equal, main, test, wait_until
from kvforeign import groups, handshake, records, transport
from kvforeign.client import Client
from kvforeign.keys import KeyIdentity, OuterKeys, SecretIdentity
from kvforeign.records import Type
import kvsodium as sodium  # beside the test vectors; kvforeign finds it

SERVER = ("10.77.0.1", PORT)
SERVE = ("--local-ip", TUN_SERVER, "--assignable-ips", POOL)
PATIENCE = 5
NATIVE = {"crypt": "auto"}
ECT0, CE = 2, 3


class Sieve:
    """A socket that keeps what went through it, and is a bad path if told so, by functions of a datagram: whether it is
    lost, or held back until the next was sent; `double`: what goes goes twice."""

    def __init__(self, sock):
        self._socket = sock
        self.lose_out = self.lose_in = self.hold_out = lambda datagram: False
        self.double, self._held = False, []
        self.sent, self.came = [], []

    def fileno(self):
        return self._socket.fileno()

    def port(self):
        return self._socket.getsockname()[1]

    def sendto(self, datagram, address):
        self.sent.append(datagram)
        if self.lose_out(datagram):
            return
        held, self._held = self._held, []
        if not held and self.hold_out(datagram):
            self._held = [datagram]
            return
        for each in (datagram, *held):
            for _ in range(2 if self.double else 1):
                self._socket.sendto(each, address)

    def recvfrom(self, size):
        """What is lost is an empty datagram, which says nothing to anybody."""
        datagram, address = self._socket.recvfrom(size)
        self.came.append(datagram)
        return b"" if self.lose_in(datagram) else datagram, address

    def mark(self, ecn):
        """What goes from now on knows of congestion, or tells of it."""
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ecn)

    def close(self):
        self._socket.close()


class Pings:
    """ICMP echoes of a client to its server's inner address"""

    def __init__(self, client):
        self.client, self.next, self.read = client, 0, len(client.handed_up)
        terms = client.association.terms
        self.source, self.target = terms[Type.ADDRESS4][0].ip, terms[Type.GATEWAY4]

    def send(self, size=56, ecn=0, **kw):
        icmp = struct.pack("!BBHHH", 8, 0, 0, 77, self.next) + bytes(size)
        icmp = with_sum(icmp, 2)
        head = struct.pack("!BBHHHBBH4s4s", 0x45, ecn, 20 + len(icmp), 0, 0, 64, socket.IPPROTO_ICMP, 0,
                           self.source.packed, self.target.packed)
        self.client.send(with_sum(head, 10) + icmp, **kw)
        self.next += 1

    def answers(self):
        """Numbers of the echo replies that came since, in the order in which they were handed up"""
        packets = self.client.handed_up[self.read:]
        self.read += len(packets)
        for packet in packets:
            equal((packet[9], packet[12:16], packet[16:20], packet[20]),
                  (socket.IPPROTO_ICMP, self.target.packed, self.source.packed, 0), "what an answer is")
        return [int.from_bytes(packet[26:28], "big") for packet in packets]

    def cross(self, n=1, **kw):
        """n of them, one by one in time, and all answers"""
        first = self.next
        for _ in range(n):
            self.send(**kw)
        want = list(range(first, self.next))
        self.client.run(lambda: len(self.client.handed_up) - self.read >= n, PATIENCE * TIME_FACTOR)
        equal(self.answers(), want, "the echoes that were answered")


def with_sum(header, at):
    """A header with its Internet checksum"""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return header[:at] + struct.pack("!H", total) + header[at + 2:]


def make_client(world, identity, **kw):
    def open_socket():
        sock = world.keep(world.c.socket(kind=socket.SOCK_DGRAM))
        sock.bind(("10.77.0.2", 0))
        return Sieve(sock)
    return Client(identity, SERVER, open_socket, **kw)


def connect(client, seconds=PATIENCE):
    """Pings of a client that is connected from now on"""
    client.begin()
    run(client, client.connected, "an answer under the session's keys", seconds)
    return Pings(client)


def run(client, until, what, seconds=PATIENCE):
    check(client.run(until, seconds * TIME_FACTOR), f"{what} within {seconds} s")


def with_secret(world, secret=None):
    """A server, and a client that is not connected yet; the usual secret is one that costs nothing."""
    world.veth()
    secret = secret or text(os.urandom(32))
    return world.server(*SERVE, secret=secret, **NATIVE), make_client(world, SecretIdentity(secret.encode()))


class KeyServer:
    """A server with keys, one client's among them"""

    def __init__(self, world, lines=""):
        world.veth()
        self._world, self._psk = world, os.urandom(32)
        self._private, self._client_private = os.urandom(32), os.urandom(32)
        self.public = sodium.public_key(self._private)
        self._path = os.path.join(world.dir, "server.kcpvpn")
        with open(self._path, "w", encoding="ascii", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            f.write(f"[tunnel]\nrole=server\nprivate-key={text(self._private)}\nlocal-ip={TUN_SERVER}\n"
                    f"assignable-ips={POOL}\n{lines}\n[peer foreign]\n"
                    f"public-key={text(sodium.public_key(self._client_private))}\npreshared-key={text(self._psk)}\n")
        self.process = self.start()

    def start(self, name="server"):
        self.process = self._world.server("--config", self._path, secret=None, name=name, **NATIVE)
        return self.process

    def client(self, **kw):
        return make_client(self._world, KeyIdentity(self._client_private, self.public, self._psk), **kw)


def text(key):
    return base64.b64encode(key).decode()


@test("with keys and either cipher: a handshake, the terms it brings, echoes in lanes, sent once and in parts")
def key_mode(world):
    server = KeyServer(world)
    for cipher in transport.CIPHERS:
        client = server.client(ciphers=(cipher,), wishes=[records.number(Type.MTU, 1400)])
        pings = connect(client)
        terms = client.association.terms
        equal(terms[Type.CIPHERS], cipher, "the cipher")
        equal(terms[Type.MTU], 1400, "the MTU")
        equal(terms[Type.ADDRESS4], [ipaddress.ip_interface("192.168.88.2/32")], "the address")
        equal(terms[Type.GATEWAY4], ipaddress.ip_address(TUN_SERVER), "the server inside")
        pings.cross(3)
        pings.cross(2, lane=1023)
        pings.cross(2, once=True)
        pings.cross(2, size=1372)
        client.close()


@test("with a secret: a handshake that says no more than it has to; what is sent has the lengths of the page")
def secret_mode(world):
    _, client = with_secret(world, SECRET)
    client.socket.lose_out = lambda datagram: len(client.socket.sent) <= 2
    connect(client).cross(5)
    equal(client.initiations, 3, "how many initiations it took, of which two were lost")
    sizes = [len(datagram) for datagram in client.socket.sent[:3]]
    check(all(600 <= size <= 1200 for size in sizes) and len(set(sizes)) > 1, f"the lengths {sizes}")
    check(len(client.socket.came[0]) <= sizes[2], "the response is no longer than its initiation")
    run(client, lambda: client.association.sender.idle(), "an acknowledgement of all")


@test("either end's close ends the association, also if it arrives only once of three times")
def close(world):
    server, client = with_secret(world)
    connect(client)
    client.socket.sent.clear()
    client.socket.lose_out = lambda datagram: len(client.socket.sent) <= 2
    client.close()
    server.wait_event("client-disconnected", 1)
    check("the peer ended the connection" in server.text(), server.tail())
    client.socket.lose_out = lambda datagram: False
    connect(client)
    client.run(lambda: False, 0.1)
    client.socket.came.clear()
    client.socket.lose_in = lambda datagram: len(client.socket.came) <= 2
    server.send(signal.SIGTERM)
    run(client, lambda: client.closed is not None, "the server's close")
    equal(client.closed, 1, "the reason: going down")
    check(not client.connected(), "the client is not connected any more")


@test("a number that is not greater is refused with the last one, the next is answered, and ends the key's former session")
def stale_number(world):
    server = KeyServer(world)
    first = server.client()
    connect(first)
    second = server.client(microseconds=lambda: 1000)
    connect(second).cross()
    equal(second.refusals[0][0], 1, "the reason")
    equal(second.initiations, 2, "the initiations")
    run(first, lambda: first.closed is not None, "a close")
    equal(first.closed, 3, "the reason: replaced by a newer session")


@test("under load a cookie has to be brought, and then an initiation is answered")
def cookies(world):
    server = KeyServer(world)
    client = server.client()
    for _ in range(60):
        body = bytes([handshake.INITIATION]) + os.urandom(599)
        client.socket.sendto(handshake.wrap(OuterKeys(server.public), body), SERVER)
    connect(client).cross()
    equal((client.cookies, client.initiations), (1, 2), "cookies and initiations")


@test("what was lost on the way here comes back by the server's parity, and there by the client's, before any repeat")
def parity(world):
    server, client = with_secret(world)
    pings = connect(client)
    association = client.association
    client.socket.lose_in = lambda datagram: len(client.socket.came) % 6 == 0
    end = time.monotonic() + PATIENCE * TIME_FACTOR
    while not association.recovered and time.monotonic() < end:
        pings.send()
        client.run(lambda: False, 0.004)
    check(association.recovered, f"nothing of {pings.next} came back by parity; {association.sums()}")
    client.socket.lose_in = lambda datagram: False
    run(client, lambda: len(client.handed_up) == pings.next, "the rest")
    equal(sorted(pings.answers()), list(range(pings.next)), "the answers")
    association.encoder = groups.Encoder(3, 1)
    before = association.sender.repeats
    client.socket.sent.clear()
    client.socket.lose_out = lambda datagram: len(client.socket.sent) == 2
    pings.cross(3)
    equal(association.sender.repeats, before, "what was repeated")
    server.send(signal.SIGUSR1)
    wait_until(lambda: re.search(r"recovered 1\b", server.text()), 2, "the server says that it recovered one shard")


def runs(flags):
    return sum(flag and not before for before, flag in zip([False, *flags], flags))


@test("over a path that loses, doubles and reorders, each echo of a lane comes once and in order, and reports count exactly")
def lossy(world):
    server, client = with_secret(world)
    pings = connect(client)
    chance = random.Random(5)
    lost = [False] * client.session.sent        # by counter
    client.socket.sent.clear()
    client.socket.lose_in = lambda datagram: chance.random() < 0.2
    client.socket.lose_out = lambda datagram: lost.append(chance.random() < 0.2) or lost[-1]
    client.socket.hold_out = lambda datagram: chance.random() < 0.1
    client.socket.double = True
    for _ in range(150):
        pings.send()
        client.run(lambda: False, 0.002)
    run(client, lambda: len(client.handed_up) == pings.next, "all answers")
    equal(pings.answers(), list(range(pings.next)), "the answers")
    client.socket.lose_in = lambda datagram: False
    client.socket.lose_out = lambda datagram: lost.append(False)
    pings.cross()
    run(client, lambda: client.association.peer_report.una == pings.next, "a report of all")
    report = client.association.peer_report
    judged = lost[:report.seen + report.missing]
    check(len(judged) >= 50, f"{len(judged)} counters are judged")
    equal((report.missing, report.bursts), (sum(judged), runs(judged)), "what the server has missed, of what was lost")


@test("pings of a size are answered, so the server's datagrams become longer than 1232 bytes")
def longer(world):
    _, client = with_secret(world)
    pings = connect(client)
    run(client, lambda: any(len(datagram) > 1400 for datagram in client.socket.came), "a longer ping")
    client.run(lambda: False, 0.1)
    client.socket.came.clear()
    pings.cross(size=1372)
    check(any(len(datagram) > 1400 for datagram in client.socket.came), "the answer is in one datagram")


@test("congestion marks of datagrams are reported, and cost those inner packets that know nothing of them")
def marks(world):
    _, client = with_secret(world)
    pings = connect(client)
    client.socket.mark(CE)
    pings.send()
    pings.send(ecn=ECT0)
    run(client, lambda: (report := client.association.peer_report) and report.ce >= 2, "a report of both marks")
    run(client, lambda: len(client.handed_up) == 1, "the answer to one")
    equal(pings.answers(), [1], "the echoes that were answered")


@test("from another port it goes on, once the server has asked there")
def roaming(world):
    server, client = with_secret(world)
    pings = connect(client)
    pings.cross(2)
    port, asked = client.socket.port(), client.pongs
    client.move()
    check(client.socket.port() != port, "another port")
    pings.cross(3)
    check(client.pongs > asked, "the server has asked there")
    equal(server.count("client-connected"), 1, "how often it connected")


@test("a rekey that the client begins names the association, and nothing is lost before, after or meanwhile", limit=40)
def rekey(world):
    _, client = with_secret(world)
    pings = connect(client)
    pings.cross(3)
    association, session = client.association, client.session
    client.run(lambda: False, 5.2)
    pings.send()
    client.begin()
    pings.send()
    run(client, lambda: client.session is not session and client.connected(), "a new session")
    pings.send()
    run(client, lambda: len(client.handed_up) == 6, "all answers")
    equal(pings.answers(), [3, 4, 5], "the answers around the rekey")
    check(client.association is association, "the association is the same")
    pings.cross(3)
    run(client, lambda: association.peer_report.una == pings.next, "a report of all")
    report = association.peer_report
    equal((report.seen, report.missing), (session.sent, 0), "the sums, which have all of the former session")


@test("what a handshake has no room for comes in control frames")
def control(world):
    routes = [f"10.{i}.{j}.0/24" for i in range(100, 104) for j in range(100)]
    server = KeyServer(world, "routes=" + ";".join(routes))
    client = server.client()
    connect(client).cross()
    check(client.association.terms.get(Type.MORE), "the response says that there is more")
    run(client, lambda: client.association.batches, "a batch")
    equal(sorted(map(str, client.association.terms[Type.ROUTE4])), sorted(routes), "the routes")


@test("a server that was restarted resets what it does not know, and the client begins anew")
def restarted(world):
    server = KeyServer(world)
    client = server.client()
    connect(client).cross()
    name = client.association.name
    server.process.kill()
    server.start("server2")
    client.ping()
    run(client, lambda: client.resets, "a reset")
    run(client, lambda: client.connected() and client.association.name != name, "a new association")
    Pings(client).cross(2)


if __name__ == "__main__":
    main()
