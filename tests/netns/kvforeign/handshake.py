# SPDX-License-Identifier: GPL-2.0-or-later
"""Sections 4 and 6: the frame of handshake messages, an initiation, its answer, and cookies."""
import hmac
import os
import random
import struct

import kvsodium as sodium
from kvsodium import blake2b

from . import records

NONCE, MAC = 24, 16
FRAME = NONCE + 2 * MAC
INITIATION, RESPONSE = 1, 2
PAD_FROM, PAD_TO = 600, 1200


def new_index(taken):
    """Random, not 0, and none that is in use"""
    while True:
        index = int.from_bytes(os.urandom(4), "little")
        if index and index not in taken:
            return index


def wrap(outer, body, cookie=None):
    """A datagram around the body of a handshake message; outer keys of its receiver"""
    nonce = os.urandom(NONCE)
    masked = sodium.xchacha20_xor(outer.mask, nonce, body)
    mac1 = blake2b(MAC, outer.mac1, nonce + masked)
    mac2 = blake2b(MAC, cookie, nonce + mac1 + masked) if cookie else os.urandom(MAC)
    return nonce + mac1 + mac2 + masked


def unwrap(outer, datagram):
    """The body, or None if it is no handshake message for the owner of these keys"""
    nonce, mac1, masked = datagram[:NONCE], datagram[NONCE:NONCE + MAC], datagram[FRAME:]
    if not masked or not hmac.compare_digest(blake2b(MAC, outer.mac1, nonce + masked), mac1):
        return None
    return sodium.xchacha20_xor(outer.mask, nonce, masked)


class Answer:
    """A valid response: the peer's index, 0 in a refusal, its records, and the keys there and back"""

    def __init__(self, index, rows, split):
        self.index, self.records, (self.sending, self.receiving) = index, rows, split


class Initiation:
    """One of them, from its making until its answer"""

    def __init__(self, identity, index, number, rows, cookie=None):
        self.index, self.number = index, number
        self._identity, self._noise = identity, identity.begin_noise()
        payload = struct.pack("<IQ", index, number) + records.build(rows)
        overhead = FRAME + 4 + 32 + 16 + (48 if self._noise.static else 0)
        payload += records.padding(random.randint(PAD_FROM, PAD_TO) - overhead - len(payload))
        body = bytes([INITIATION, 0, 0, 0]) + self._noise.write(payload)
        self.datagram = wrap(identity.theirs, body, cookie)
        self.mac1 = self.datagram[NONCE:NONCE + MAC]

    def read_response(self, body):
        """The Answer; Forged if it is none to this"""
        if len(body) < 8 or body[0] != RESPONSE or int.from_bytes(body[4:8], "little") != self.index:
            raise sodium.Forged("of another type, or to another initiation")
        payload = self._noise.read(body[8:])
        if len(payload) < 4:
            raise sodium.Forged("no index")
        return Answer(int.from_bytes(payload[:4], "little"), records.parse(payload[4:]), self._noise.split())

    def read_cookie(self, datagram):
        """The cookie of a cookie reply; Forged if it is none to this"""
        plain = sodium.xchacha_open(self._identity.theirs.cookie, datagram[:NONCE], datagram[NONCE:], self.mac1)
        if len(plain) < 16:
            raise sodium.Forged("shorter than a cookie")
        return plain[:16]
