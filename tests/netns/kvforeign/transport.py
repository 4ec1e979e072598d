# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 7: one session's datagrams."""
import os
import struct

import kvsodium as sodium

from .keys import KeyChain

HEADER = 16
OVERHEAD = HEADER + sodium.TAG
CIPHERS = {1: (sodium.chacha_seal, sodium.chacha_open)}
if sodium.has_aes():
    CIPHERS[2] = sodium.aes_seal, sodium.aes_open
LATE = 64           # counters that may still come before they count as missing
WINDOW = 8128
COUNTER_END = 1 << 60


def _xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def unmask(outer, datagram):
    """(index, counter, check, sealed) of a datagram of 32 bytes or more"""
    mask = sodium.siphash(16, outer.head, datagram[-sodium.TAG:])
    return *struct.unpack("<IQ4s", _xor(datagram[:HEADER], mask)), datagram[HEADER:]


class Counters:
    """Which counters came, and the sums that a report tells"""

    def __init__(self):
        self.greatest, self._bits = -1, 0       # bit 0 is the greatest
        self.seen = self.missing = self.bursts = 0
        self._judged, self._gap = 0, False

    def is_new(self, counter):
        behind = self.greatest - counter
        return behind < 0 or (behind < WINDOW and not self._bits >> behind & 1)

    def add(self, counter):
        ahead = counter - self.greatest
        if ahead > 0:
            self._bits = self._bits << ahead & (1 << WINDOW) - 1 if ahead < WINDOW else 0
            self.greatest = counter
        self._bits |= 1 << self.greatest - counter
        self.judge(self.greatest - LATE)

    def judge(self, end):
        """Counts what is below"""
        for counter in range(self._judged, end):
            came = not self.is_new(counter)
            self.seen += came
            self.missing += not came
            self.bursts += not came and not self._gap
            self._gap = not came
        self._judged = max(self._judged, end)


class Session:
    """Keys and counters of both directions, from one handshake"""

    def __init__(self, identity, cipher, indices, traffic, peer_token, now):
        self.index, self.peer_index = indices
        self.begun, self.sent = now, 0
        self.late = False           # it carried something when it was old enough for a rekey
        self.counters = Counters()
        self._seal, self._open = CIPHERS[cipher]
        self._outer, self.peer_token = identity.theirs, peer_token
        self._out, self._in = (KeyChain(t) for t in traffic)

    @staticmethod
    def _nonce(counter):
        return struct.pack("<4xQ", counter)

    def seal(self, plain):
        counter = self.sent
        self.sent += 1
        self._out.accept(counter)
        sealed = self._seal(self._out.key(counter), self._nonce(counter), plain)
        tag = sealed[-sodium.TAG:]
        check = (sodium.siphash(8, self.peer_token, struct.pack("<Q", counter) + tag)[:4] if self.peer_token
                 else os.urandom(4))
        header = struct.pack("<IQ", self.peer_index, counter) + check
        return _xor(header, sodium.siphash(16, self._outer.head, tag)) + sealed

    def open(self, counter, sealed):
        """The plaintext; Forged if it is none, or came before"""
        key = self._in.key(counter) if counter < COUNTER_END and self.counters.is_new(counter) else None
        if key is None:
            raise sodium.Forged("old, or far ahead")
        plain = self._open(key, self._nonce(counter), sealed)
        self._in.accept(counter)
        self.counters.add(counter)
        return plain
