# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 2: what each end knows before the first datagram."""
import base64
import binascii

import kvsodium as sodium
from kvsodium import blake2b

from . import noise

PROLOGUE = b"kcpvpn native 1"


class OuterKeys:
    """What hides and filters, but proves nothing: of a receiver's outer key"""

    def __init__(self, outer):
        self.mac1 = blake2b(32, outer, b"kcpvpn1 mac1")
        self.mask = blake2b(32, outer, b"kcpvpn1 mask")
        self.cookie = blake2b(32, outer, b"kcpvpn1 cookie")
        self.head = blake2b(16, outer, b"kcpvpn1 head")


class Identity:
    """An initiator's knowledge: `mine` filters what comes, `theirs` goes with what is sent."""

    def __init__(self, mine, theirs, reset_secret):
        self.mine, self.theirs = OuterKeys(mine), OuterKeys(theirs)
        self._reset_key = blake2b(32, reset_secret, b"kcpvpn1 reset")

    def reset_token(self, index):
        return blake2b(16, self._reset_key, index.to_bytes(4, "little"))

    def begin_noise(self):
        raise NotImplementedError


class KeyIdentity(Identity):
    """Key mode: keys of 32 bytes"""

    def __init__(self, private, server_public, psk=bytes(32)):
        super().__init__(sodium.public_key(private), server_public, private)
        self._private, self._server, self._psk = private, server_public, psk

    def begin_noise(self):
        return noise.Initiator(PROLOGUE, self._psk, self._private, self._server)


class SecretIdentity(Identity):
    """Secret mode: the secret is bytes."""

    def __init__(self, secret):
        self._psk = psk_of_secret(secret)
        super().__init__(self._psk, self._psk, self._psk)

    def begin_noise(self):
        return noise.Initiator(PROLOGUE, self._psk)


def psk_of_secret(secret):
    if len(secret) == 44:
        try:
            key = base64.b64decode(secret, validate=True)
        except binascii.Error:
            key = b""
        if len(key) == 32 and base64.b64encode(key) == secret:
            return key
    return sodium.argon2id(secret, blake2b(16, b"", b"kcpvpn1 secret"))


class KeyChain:
    """The AEAD keys of one direction (section 7): one for each 2^22 counters"""

    SHIFT = 22

    def __init__(self, traffic):
        self._chain, self._next = blake2b(32, traffic, b"kcpvpn1 chain"), 0
        self._keys, self._newest = {}, 0

    def key(self, counter):
        """None if its key is none of those that are held"""
        n = counter >> self.SHIFT
        while self._next <= min(n, self._newest + 1):
            self._keys[self._next] = blake2b(32, self._chain, b"kcpvpn1 key")
            self._chain = blake2b(32, self._chain, b"kcpvpn1 next")
            self._next += 1
        return self._keys.get(n)

    def accept(self, counter):
        """A datagram with this counter was good, or was sent."""
        self._newest = max(self._newest, counter >> self.SHIFT)
        for old in [n for n in self._keys if n < self._newest - 1]:
            del self._keys[old]
