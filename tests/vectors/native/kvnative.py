# SPDX-License-Identifier: GPL-2.0-or-later
"""The native protocol after docs/protocol.md alone: what makes the vectors and reads captures.

Sections in brackets are those of the document.
"""
import base64
import struct

import kvsodium as na
from kvnoise import Noise

PROLOGUE = b"kcpvpn native 1"
INITIATION, RESPONSE = 1, 2
HANDSHAKE_HEAD, TRANSPORT_HEAD = 56, 16
CHACHA, AES = 1, 2
EPOCH_BITS = 22


# --- keys [2] -------------------------------------------------------------------------------

def psk_of_secret(secret):
    """The text of a secret, as bytes"""
    try:
        key = base64.b64decode(secret, validate=True)
        if len(key) == 32 and base64.b64encode(key) == secret:
            return key
    except ValueError:
        pass
    return na.argon2id(secret, na.blake2b(16, b"", b"kcpvpn1 secret"))


class OuterKeys:
    """What hides and filters datagrams for the receiver with the outer key given"""

    def __init__(self, outer):
        self.mac1 = na.blake2b(32, outer, b"kcpvpn1 mac1")
        self.mask = na.blake2b(32, outer, b"kcpvpn1 mask")
        self.cookie = na.blake2b(32, outer, b"kcpvpn1 cookie")
        self.head = na.blake2b(16, outer, b"kcpvpn1 head")


def reset_token(private_or_psk, index):
    return na.blake2b(16, na.blake2b(32, private_or_psk, b"kcpvpn1 reset"), struct.pack("<I", index))


# --- handshake datagrams [4], cookies [6] ---------------------------------------------------

def frame_handshake(keys, nonce, body, cookie=None, mac2=bytes(16)):
    masked = na.xchacha20_xor(keys.mask, nonce, body)
    mac1 = na.blake2b(16, keys.mac1, nonce + masked)
    if cookie is not None:
        mac2 = na.blake2b(16, cookie, nonce + mac1 + masked)
    return nonce + mac1 + mac2 + masked


def unframe_handshake(keys, datagram):
    """The body"""
    nonce, mac1, masked = datagram[:24], datagram[24:40], datagram[HANDSHAKE_HEAD:]
    if len(datagram) <= HANDSHAKE_HEAD or na.blake2b(16, keys.mac1, nonce + masked) != mac1:
        raise na.Forged("mac1")
    return na.xchacha20_xor(keys.mask, nonce, masked)


def initiation_body(noise, index, number, records):
    return struct.pack("<B3x", INITIATION) + noise.write(struct.pack("<IQ", index, number) + records)


def response_body(noise, index, peer_index, records):
    return struct.pack("<B3xI", RESPONSE, peer_index) + noise.write(struct.pack("<I", index) + records)


def read_initiation(noise, body):
    """(index, number, records)"""
    if body[0] != INITIATION:
        raise ValueError("not an initiation")
    payload = noise.read(body[4:])
    return (*struct.unpack_from("<IQ", payload), payload[12:])


def read_response(noise, body):
    """(index, peer's index, records)"""
    if body[0] != RESPONSE:
        raise ValueError("not a response")
    payload = noise.read(body[8:])
    return struct.unpack_from("<I", payload)[0], struct.unpack_from("<I", body, 4)[0], payload[4:]


def cookie_of(secret, address, port):
    """address: 16 bytes"""
    return na.blake2b(16, secret, address + struct.pack(">H", port))


def cookie_reply(keys, nonce, mac1, cookie, padding=0):
    return nonce + na.xchacha_seal(keys.cookie, nonce, cookie + bytes(padding), mac1)


# --- records [5] ----------------------------------------------------------------------------

def records(*pairs):
    return b"".join(struct.pack("<BH", kind, len(value)) + value for kind, value in pairs)


def read_records(data):
    out = []
    while data:
        kind, size = struct.unpack_from("<BH", data)
        if len(data) < 3 + size:
            raise ValueError("a record runs past the end")
        out.append((kind, data[3:3 + size]))
        data = data[3 + size:]
    return out


# --- transport [7] --------------------------------------------------------------------------

class Direction:
    """The keys of one direction of a session, by counter"""

    def __init__(self, traffic, cipher=CHACHA):
        self.chains = [na.blake2b(32, traffic, b"kcpvpn1 chain")]
        self.seal_with, self.open_with = (na.chacha_seal, na.chacha_open) if cipher == CHACHA else (na.aes_seal, na.aes_open)

    def key(self, counter):
        n = counter >> EPOCH_BITS
        while len(self.chains) <= n:
            self.chains.append(na.blake2b(32, self.chains[-1], b"kcpvpn1 next"))
        return na.blake2b(32, self.chains[n], b"kcpvpn1 key")

    def seal(self, keys, token, index, counter, text):
        sealed = self.seal_with(self.key(counter), bytes(4) + struct.pack("<Q", counter), text)
        check = na.siphash(8, token, struct.pack("<Q", counter) + sealed[-16:])[:4]
        head = struct.pack("<IQ", index, counter) + check
        mask = na.siphash(16, keys.head, sealed[-16:])
        return bytes(a ^ b for a, b in zip(head, mask)) + sealed

    def open(self, counter, sealed):
        return self.open_with(self.key(counter), bytes(4) + struct.pack("<Q", counter), sealed)


def read_head(keys, datagram):
    """(index, counter, check)"""
    mask = na.siphash(16, keys.head, datagram[-16:])
    head = bytes(a ^ b for a, b in zip(datagram, mask))
    return (*struct.unpack_from("<IQ", head), head[12:])


# --- items and frames [9] -------------------------------------------------------------------

PADDING, BARE, DATA, PARITY = 0, 1, 2, 3
FIRST_PART, MORE_PARTS = 0, 1 << 15
NOT_FIRST = 1 << 14


def item(kind, body):
    return struct.pack("<H", kind << 13 | len(body)) + body


def read_items(text):
    out = []
    while len(text) >= 2:
        word, = struct.unpack_from("<H", text)
        kind, size = word >> 13, word & 0x1fff
        if kind == PADDING:
            break
        if kind > PARITY or len(text) < 2 + size:
            raise ValueError("an item that cannot be")
        out.append((kind, text[2:2 + size]))
        text = text[2 + size:]
    return out


def u24(n):
    return struct.pack("<I", n)[:3]


def data_shard(group, index, frames):
    return item(DATA, u24(group) + bytes([index]) + frames)


def parity_shard(group, index, k, m, parity):
    return item(PARITY, u24(group) + bytes([index, k, m]) + parity)


FRAMES = {  # type: name, fields, and what follows: nothing, bytes counted by the last field, or ranges
    1: ("head", "<IIHI", ("una", "fwd", "wnd", "ts"), ""),
    2: ("seg", "<IHIH", ("sn", "lane", "lane_sequence", "length"), "packet"),
    3: ("dgram", "<HIH", ("lane", "lane_sequence", "length"), "packet"),
    4: ("report", "<IIHHIIIIB", ("una", "ts", "delay", "wnd", "seen", "missing", "bursts", "ce", "n"), "ranges"),
    5: ("control", "<HH", ("sequence", "length"), "packet"),
    6: ("control-ack", "<H", ("next",), ""),
    7: ("ping", "<8s", ("token",), ""),
    8: ("pong", "<8s", ("token",), ""),
    9: ("close", "<B", ("reason",), ""),
}
TYPES = {name: kind for kind, (name, *_) in FRAMES.items()}


def frame(name, *values, packet=b"", ranges=()):
    kind = TYPES[name]
    _, layout, fields, tail = FRAMES[kind]
    if tail == "packet":
        values += (len(packet),)
    elif tail == "ranges":
        values += (len(ranges),)
    assert len(values) == len(fields), name
    return bytes([kind]) + struct.pack(layout, *values) + packet + b"".join(struct.pack("<HH", *r) for r in ranges)


def read_frames(data):
    out = []
    while data:
        if data[0] not in FRAMES:
            raise ValueError(f"frame of type {data[0]}")
        name, layout, fields, tail = FRAMES[data[0]]
        values = dict(zip(fields, struct.unpack_from(layout, data, 1)))
        data = data[1 + struct.calcsize(layout):]
        size = values["length"] if tail == "packet" else 4 * values["n"] if tail == "ranges" else 0
        if len(data) < size:
            raise ValueError(f"{name} runs past the end")
        if tail == "packet":
            values["packet"] = data[:size]
        elif tail == "ranges":
            values["ranges"] = [struct.unpack_from("<HH", data, 4 * i) for i in range(values["n"])]
        out.append((name, values))
        data = data[size:]
    return out


# --- forward error correction [10] ----------------------------------------------------------

def _tables():
    exp, log, x = [0] * 512, [0] * 256, 1
    for i in range(255):
        exp[i] = exp[i + 255] = x
        log[x] = i
        x = x << 1 ^ (0x11d if x & 0x80 else 0)
    return exp, log


EXP, LOG = _tables()


def gf_mul(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def gf_inv(a):
    return EXP[255 - LOG[a]]


def coefficient(parity, data):
    return gf_inv((255 - parity) ^ data)


def symbol(frames, size=0):
    out = struct.pack("<H", len(frames)) + frames
    return out + bytes(max(size - len(out), 0))


def parity_of(shards, m):
    """shards: the frames of each data shard; the m parities"""
    size = max(len(s) for s in shards) + 2
    symbols = [symbol(s, size) for s in shards]
    return [bytes(_sum(gf_mul(coefficient(p, d), s[i]) for d, s in enumerate(symbols)) for i in range(size))
            for p in range(m)]


def _sum(values):
    out = 0
    for v in values:
        out ^= v
    return out


def recover(k, have, parities):
    """have: {index: frames}; parities: {index: bytes}; the frames of the data shards that are missing"""
    lost = [d for d in range(k) if d not in have]
    rows = sorted(parities)[:len(lost)]
    if not lost or len(rows) < len(lost):
        return {}
    size = len(parities[rows[0]])
    symbols = {d: symbol(f, size) for d, f in have.items()}
    # What the missing ones alone add up to, then Gauss and Jordan
    right = [[parities[p][i] ^ _sum(gf_mul(coefficient(p, d), s[i]) for d, s in symbols.items()) for i in range(size)]
             for p in rows]
    left = [[coefficient(p, d) for d in lost] for p in rows]
    for c in range(len(lost)):
        pivot = next(r for r in range(c, len(lost)) if left[r][c])
        left[c], left[pivot], right[c], right[pivot] = left[pivot], left[c], right[pivot], right[c]
        scale = gf_inv(left[c][c])
        left[c], right[c] = [gf_mul(scale, v) for v in left[c]], [gf_mul(scale, v) for v in right[c]]
        for r in range(len(lost)):
            if r != c and left[r][c]:
                f = left[r][c]
                left[r] = [a ^ gf_mul(f, b) for a, b in zip(left[r], left[c])]
                right[r] = [a ^ gf_mul(f, b) for a, b in zip(right[r], right[c])]
    out = {}
    for d, row in zip(lost, right):
        length, = struct.unpack_from("<H", bytes(row))
        out[d] = bytes(row)[2:2 + length]
    return out
