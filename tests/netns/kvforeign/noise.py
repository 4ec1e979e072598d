# SPDX-License-Identifier: GPL-2.0-or-later
"""Noise, revision 34, as far as an initiator of IKpsk2 or NNpsk0 with 25519, ChaChaPoly and BLAKE2b needs it."""
import hashlib
import hmac
import os
import struct

import kvsodium as sodium

HASH = 64


def _hkdf(chaining_key, material, n):
    secret = hmac.digest(chaining_key, material, hashlib.blake2b)
    outputs, last = [], b""
    for i in range(1, n + 1):
        last = hmac.digest(secret, last + bytes([i]), hashlib.blake2b)
        outputs.append(last)
    return outputs


class Initiator:
    """One handshake. Without a static key it is NNpsk0, with one IKpsk2."""

    def __init__(self, prologue, psk, static=None, remote=None, ephemeral=None):
        self.static, self.remote, self.psk = static, remote, psk
        self.ephemeral = ephemeral or os.urandom(32)
        pattern = "IKpsk2" if static else "NNpsk0"
        name = f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2b".encode()
        self.h = self.ck = name.ljust(HASH, b"\0")
        self.k, self.n = None, 0
        self._mix_hash(prologue)
        if remote:
            self._mix_hash(remote)

    def _mix_hash(self, data):
        self.h = hashlib.blake2b(self.h + data).digest()

    def _mix_key(self, material):
        self.ck, key = _hkdf(self.ck, material, 2)
        self.k, self.n = key[:32], 0

    def _mix_psk(self):
        self.ck, h, key = _hkdf(self.ck, self.psk, 3)
        self._mix_hash(h)
        self.k, self.n = key[:32], 0

    def _mix_ephemeral(self, public):
        self._mix_hash(public)
        self._mix_key(public)  # as all patterns with a psk do

    def _nonce(self):
        self.n += 1
        return bytes(4) + struct.pack("<Q", self.n - 1)

    def _seal(self, plain):
        sealed = sodium.chacha_seal(self.k, self._nonce(), plain, self.h)
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed):
        plain = sodium.chacha_open(self.k, self._nonce(), sealed, self.h)
        self._mix_hash(sealed)
        return plain

    def write(self, payload):
        """Message 1"""
        public = sodium.public_key(self.ephemeral)
        if not self.static:
            self._mix_psk()
        self._mix_ephemeral(public)
        out = public
        if self.static:
            self._mix_key(sodium.dh(self.ephemeral, self.remote))
            out += self._seal(sodium.public_key(self.static))
            self._mix_key(sodium.dh(self.static, self.remote))
        return out + self._seal(payload)

    def read(self, message):
        """The payload of message 2; Forged leaves the handshake as good as new."""
        before = self.h, self.ck, self.k, self.n
        try:
            return self._read(message)
        except ValueError:          # a tag that does not fit, or a weak public key
            self.h, self.ck, self.k, self.n = before
            raise sodium.Forged("no answer to this") from None

    def _read(self, message):
        public, sealed = message[:32], message[32:]
        if len(public) < 32:
            raise sodium.Forged("shorter than a key")
        self._mix_ephemeral(public)
        self._mix_key(sodium.dh(self.ephemeral, public))
        if self.static:
            self._mix_key(sodium.dh(self.static, public))
            self._mix_psk()
        return self._open(sealed)

    def split(self):
        """The keys of both directions, the initiator's first"""
        return [key[:32] for key in _hkdf(self.ck, b"", 2)]
