# SPDX-License-Identifier: GPL-2.0-or-later
"""Just enough of the v1 protocol to misbehave in it: cipher "none", no FEC, one segment a datagram."""
import os
import struct
import time
import zlib

PUSH, ACK = 81, 82
SYN, FIN, PSH, NOP = 0, 1, 2, 3


def datagram(payload):
    return os.urandom(16) + struct.pack("<I", zlib.crc32(payload)) + payload


def segment(conv, cmd, sn, data=b"", una=0, ts=0, wnd=128):
    return struct.pack("<IBBHIIII", conv, cmd, 0, wnd, ts, sn, una, len(data)) + data


def frame(cmd, stream, data=b""):
    return struct.pack("<BBHI", 1, cmd, len(data), stream) + data


def client_information(ident=b"", mtu=1500, mode=0, ip=0):
    body = struct.pack("BB", 0, len(ident)) + ident + struct.pack("<HBI", mtu, mode, ip)
    return b"\xd5" + body.ljust(32, b"\0") + b"\xd5"


class Client:
    """A client that sends what it is told to, in one KCP conversation, and acknowledges."""

    def __init__(self, sock, server, conv):
        self.sock, self.server, self.conv = sock, server, conv
        self.sn, self.una = 0, 0
        self.received = b""

    def push(self, *frames):
        data = b"".join(frames)
        self.sock.sendto(datagram(segment(self.conv, PUSH, self.sn, data, self.una)), self.server)
        self.sn += 1

    def poll(self, seconds):
        """Reads one datagram, acknowledges what is in order; whether there was one."""
        self.sock.settimeout(seconds)
        try:
            raw = self.sock.recv(2048)
        except OSError:
            return False
        at = 20
        while at + 24 <= len(raw):
            _, cmd, _, _, ts, sn, _, n = struct.unpack_from("<IBBHIIII", raw, at)
            if cmd == PUSH:
                if sn == self.una:
                    self.received += raw[at + 24:at + 24 + n]
                    self.una += 1
                self.sock.sendto(datagram(segment(self.conv, ACK, sn, b"", self.una, ts)), self.server)
            at += 24 + n
        return True

    def hello(self, **information):
        """Opens the control stream and tells who it is."""
        self.push(frame(SYN, 2))
        self.push(frame(PSH, 2, client_information(**information)))

    def connect(self, seconds=5):
        """The whole handshake, up to the stream for inner packets; whether it succeeded."""
        self.hello()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.poll(0.05)
            if self.sn == 2 and b"\xd5\x03" in self.received:
                self.push(frame(PSH, 2, b"\xd5\x06\xd5"))
            if b"\xd5\x07\xd5" in self.received:
                self.push(frame(SYN, 4))
                return True
        return False

    def hoard(self, n):
        """Sends n segments behind one that is never sent, for the peer to keep."""
        for sn in range(self.sn + 1, self.sn + 1 + n):
            self.sock.sendto(datagram(segment(self.conv, PUSH, sn, b"x" * 8, self.una)), self.server)
            if sn % 64 == 0:
                time.sleep(0.002)  # not more than a socket's buffer at once


class Server:
    """A server for one client: it says the same to everybody, in one KCP conversation."""

    def __init__(self, sock, mode=0, mtu=1400, frame=0, ip=0, netmask=0, address=0):
        self.sock = sock
        self.sn, self.una = 0, 0
        config = struct.pack("<BHHII", mode, mtu, frame, ip, netmask)
        self.answer = b"\xd5\x03" + struct.pack("<I", address) + config + b"\xd5"
        self.received = b""

    def push(self, conv, to, data):
        self.sock.sendto(datagram(segment(conv, PUSH, self.sn, frame(PSH, 2, data), self.una)), to)
        self.sn += 1

    def poll(self, seconds):
        """Reads and acknowledges one datagram, and answers what a client says; whether there was one."""
        self.sock.settimeout(seconds)
        try:
            raw, sender = self.sock.recvfrom(2048)
        except OSError:
            return False
        at = 20
        while at + 24 <= len(raw):
            conv, cmd, _, _, ts, sn, _, n = struct.unpack_from("<IBBHIIII", raw, at)
            if cmd == PUSH:
                if sn == self.una:
                    self.received += raw[at + 24:at + 24 + n]
                    self.una += 1
                self.sock.sendto(datagram(segment(conv, ACK, sn, b"", self.una, ts)), sender)
            at += 24 + n
        self._say(conv, sender)
        return True

    def _say(self, conv, to):
        if self.sn == 0 and b"\xd5\0" in self.received:
            self.push(conv, to, self.answer)
        if self.sn == 1 and b"\xd5\x06" in self.received:
            self.push(conv, to, b"\xd5\x07\xd5")
