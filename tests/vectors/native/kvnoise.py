# SPDX-License-Identifier: GPL-2.0-or-later
"""The two Noise patterns of the native protocol, after revision 34 of the Noise specification."""
import hashlib
import hmac
import struct

import kvsodium as na

PATTERNS = {  # pre-message of the responder, then the messages
    "IKpsk2": (True, (("e", "es", "s", "ss"), ("e", "ee", "se", "psk"))),
    "NNpsk0": (False, (("psk", "e"), ("e", "ee"))),
}


def blake(text):
    return hashlib.blake2b(text).digest()


def hkdf(chain, text, n):
    """n keys of 64 bytes"""
    secret, last, out = hmac.new(chain, text, hashlib.blake2b).digest(), b"", []
    for i in range(1, n + 1):
        last = hmac.new(secret, last + bytes([i]), hashlib.blake2b).digest()
        out.append(last)
    return out


class Noise:
    """One end of one handshake. e and s are private keys; rs is the peer's static public key."""

    def __init__(self, pattern, initiator, prologue, e, psk, s=None, rs=None):
        known, self.messages = PATTERNS[pattern]
        name = f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2b".encode()
        self.h = name.ljust(64, b"\0") if len(name) <= 64 else blake(name)
        self.chain, self.key, self.n = self.h, None, 0
        self.initiator, self.e, self.s, self.rs, self.psk, self.re = initiator, e, s, rs, psk, None
        self.turn = 0
        self.mix_hash(prologue)
        if known:
            self.mix_hash(rs if initiator else na.public_key(s))

    def mix_hash(self, data):
        self.h = blake(self.h + data)

    def mix_key(self, data):
        self.chain, key = hkdf(self.chain, data, 2)
        self.key, self.n = key[:32], 0

    def mix_psk(self):
        self.chain, text, key = hkdf(self.chain, self.psk, 3)
        self.mix_hash(text)
        self.key, self.n = key[:32], 0

    def mix_ephemeral(self, public):
        self.mix_hash(public)
        self.mix_key(public)  # all our patterns have a psk

    def nonce(self):
        self.n += 1
        return bytes(4) + struct.pack("<Q", self.n - 1)

    def encrypt(self, text):
        sealed = na.chacha_seal(self.key, self.nonce(), text, self.h) if self.key else text
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed):
        text = na.chacha_open(self.key, self.nonce(), sealed, self.h) if self.key else sealed
        self.mix_hash(sealed)
        return text

    def mix_dh(self, token):
        mine, theirs = token if self.initiator else token[::-1]
        self.mix_key(na.dh(self.e if mine == "e" else self.s, self.re if theirs == "e" else self.rs))

    def write(self, payload):
        out = b""
        for token in self.messages[self.turn]:
            if token == "e":
                out += na.public_key(self.e)
                self.mix_ephemeral(out[-32:])
            elif token == "s":
                out += self.encrypt(na.public_key(self.s))
            elif token == "psk":
                self.mix_psk()
            else:
                self.mix_dh(token)
        self.turn += 1
        return out + self.encrypt(payload)

    def read(self, message):
        for token in self.messages[self.turn]:
            if token == "e":
                self.re, message = message[:32], message[32:]
                self.mix_ephemeral(self.re)
            elif token == "s":
                size = 48 if self.key else 32
                self.rs, message = self.decrypt(message[:size]), message[size:]
            elif token == "psk":
                self.mix_psk()
            else:
                self.mix_dh(token)
        self.turn += 1
        return self.decrypt(message)

    def split(self):
        """(initiator to responder, responder to initiator)"""
        first, second = hkdf(self.chain, b"", 2)
        return first[:32], second[:32]
