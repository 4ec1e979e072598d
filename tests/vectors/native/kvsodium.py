# SPDX-License-Identifier: GPL-2.0-or-later
"""What the native protocol takes from libsodium, by ctypes; nothing of kcpvpn's own code is used."""
import ctypes
import hashlib

_SODIUM = ctypes.CDLL("libsodium.so.23")
if _SODIUM.sodium_init() < 0:
    raise OSError("libsodium does not start")
ARGON2ID13 = 2
TAG = 16


class Forged(ValueError):
    """A tag that does not fit"""


def blake2b(size, key, text):
    return hashlib.blake2b(text, digest_size=size, key=key).digest()


def public_key(private):
    out = ctypes.create_string_buffer(32)
    _SODIUM.crypto_scalarmult_base(out, private)
    return out.raw


def dh(private, public):
    out = ctypes.create_string_buffer(32)
    if _SODIUM.crypto_scalarmult(out, private, public) != 0:
        raise ValueError("a weak public key")
    return out.raw


def argon2id(secret, salt):
    out = ctypes.create_string_buffer(32)
    if _SODIUM.crypto_pwhash(out, ctypes.c_ulonglong(32), secret, ctypes.c_ulonglong(len(secret)), salt,
                             ctypes.c_ulonglong(2), ctypes.c_size_t(64 << 20), ARGON2ID13) != 0:
        raise MemoryError("Argon2id wants 64 MiB")
    return out.raw


def _seal(function, key, nonce, text, aad):
    out = ctypes.create_string_buffer(len(text) + TAG)
    if getattr(_SODIUM, function)(out, None, text, ctypes.c_ulonglong(len(text)), aad, ctypes.c_ulonglong(len(aad)),
                                  None, nonce, key) != 0:
        raise ValueError(function)
    return out.raw


def _open(function, key, nonce, sealed, aad):
    out = ctypes.create_string_buffer(max(len(sealed) - TAG, 1))
    if len(sealed) < TAG or getattr(_SODIUM, function)(out, None, None, sealed, ctypes.c_ulonglong(len(sealed)), aad,
                                                       ctypes.c_ulonglong(len(aad)), nonce, key) != 0:
        raise Forged(function)
    return out.raw[:len(sealed) - TAG]


def _pair(name):
    def seal(key, nonce, text, aad=b""):
        return _seal(f"crypto_aead_{name}_encrypt", key, nonce, text, aad)

    def unseal(key, nonce, sealed, aad=b""):
        return _open(f"crypto_aead_{name}_decrypt", key, nonce, sealed, aad)
    return seal, unseal


chacha_seal, chacha_open = _pair("chacha20poly1305_ietf")
xchacha_seal, xchacha_open = _pair("xchacha20poly1305_ietf")
aes_seal, aes_open = _pair("aes256gcm")


def has_aes():
    return _SODIUM.crypto_aead_aes256gcm_is_available() == 1


def xchacha20_xor(key, nonce, text):
    out = ctypes.create_string_buffer(max(len(text), 1))
    _SODIUM.crypto_stream_xchacha20_xor(out, text, ctypes.c_ulonglong(len(text)), nonce, key)
    return out.raw[:len(text)]


def siphash(size, key, text):
    out = ctypes.create_string_buffer(size)
    function = {8: _SODIUM.crypto_shorthash_siphash24, 16: _SODIUM.crypto_shorthash_siphashx24}[size]
    function(out, text, ctypes.c_ulonglong(len(text)), key)
    return out.raw
