#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the vectors of docs/protocol.md, section 14, or with --check compares them with the files.

Everything is drawn from one fixed seed, so that a run gives the same bytes for ever.
"""
import hashlib
import json
import os
import struct
import sys

import kvnative as kv
import kvsodium as na
from kvnoise import Noise

FOLDER = os.path.dirname(os.path.abspath(__file__))


def draw(name, size):
    """Bytes that look random and depend on their name alone"""
    return hashlib.shake_256(b"kcpvpn native vectors/" + name.encode()).digest(size)


def text(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {k: text(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [text(v) for v in value]
    return value


def outer(key):
    keys = kv.OuterKeys(key)
    return {"outer": key, "mac1": keys.mac1, "mask": keys.mask, "cookie": keys.cookie, "head": keys.head}


def make_keys():
    key = b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    secrets = [b"password", "\u5bc6\u7801".encode(), key, key[:-1]]
    private = draw("private", 32)
    traffic = draw("traffic", 32)
    direction = kv.Direction(traffic)
    return {"secrets": [{"secret": s, "psk": kv.psk_of_secret(s)} for s in secrets],
            "pairs": [{"private": private, "public": na.public_key(private)}],
            "outer": [outer(na.public_key(private)), outer(kv.psk_of_secret(b"password"))],
            "reset": [{"from": private, "index": i, "token": kv.reset_token(private, i)} for i in (1, 0x89abcdef)],
            "ratchet": {"traffic": traffic, "keys": [{"counter": c, "key": direction.key(c)}
                                                     for c in (0, (1 << 22) - 1, 1 << 22, 5 << 22)]}}


FULL_I = kv.records((1, b"laptop"), (2, b"\0"), (3, struct.pack("<H", 1420)), (4, bytes([2, 1])), (5, struct.pack("<I", 2048)),
                    (6, struct.pack("<H", 1452)), (7, struct.pack("<H", 25)), (8, draw("association", 16)),
                    (9, draw("token i", 16)), (10, bytes([10, 9, 0, 7])), (200, b"of the future"), (25, struct.pack("<I", 3)), (0, bytes(300)))
FULL_R = kv.records((2, b"\0"), (3, struct.pack("<H", 1400)), (4, b"\1"), (8, draw("association", 16)), (9, draw("token r", 16)),
                    (12, bytes([10, 9, 0, 7, 24])), (14, bytes([10, 9, 0, 1])), (13, bytes.fromhex("fd00" + "00" * 13 + "0740")),
                    (16, bytes([192, 168, 0, 0, 16])), (18, bytes([10, 9, 0, 53])), (20, b"\0corp.example"), (20, b"\1lab.example"),
                    (21, "Guten Tag".encode()), (0, b""))


def handshake(name, pattern, psk, records_i, records_r, cookie=None, index_r=0xa1b2c3d4):
    key_mode = pattern == "IKpsk2"
    e_i, e_r = draw(name + " e i", 32), draw(name + " e r", 32)
    s_i, s_r = (draw(name + " s i", 32), draw(name + " s r", 32)) if key_mode else (None, None)
    i = Noise(pattern, True, kv.PROLOGUE, e_i, psk, s_i, na.public_key(s_r) if key_mode else None)
    r = Noise(pattern, False, kv.PROLOGUE, e_r, psk, s_r)
    keys_r = kv.OuterKeys(na.public_key(s_r) if key_mode else psk)
    keys_i = kv.OuterKeys(na.public_key(s_i) if key_mode else psk)
    index_i, number = 0x01020304, 1780000000123456
    first = kv.frame_handshake(keys_r, draw(name + " n i", 24), kv.initiation_body(i, index_i, number, records_i), cookie,
                               draw(name + " mac2 i", 16))
    assert kv.read_initiation(r, kv.unframe_handshake(keys_r, first)) == (index_i, number, records_i)
    second = kv.frame_handshake(keys_i, draw(name + " n r", 24), kv.response_body(r, index_r, index_i, records_r), None,
                                draw(name + " mac2 r", 16))
    assert kv.read_response(i, kv.unframe_handshake(keys_i, second)) == (index_r, index_i, records_r)
    assert i.split() == r.split()
    out = {"name": name, "pattern": pattern, "psk": psk, "initiator_ephemeral": e_i, "responder_ephemeral": e_r,
           "initiator_index": index_i, "responder_index": index_r, "number": number, "initiator_records": records_i,
           "responder_records": records_r, "initiator_nonce": first[:24], "responder_nonce": second[:24],
           "initiator_mac2": first[40:56], "responder_mac2": second[40:56],
           "initiation": first, "response": second, "t1": i.split()[0], "t2": i.split()[1]}
    if cookie is not None:
        out["cookie"] = cookie
    if key_mode:
        out |= {"initiator_static": s_i, "responder_static": s_r}
    return out


def make_handshakes():
    psk = kv.psk_of_secret(b"password")
    return {"cases": [handshake("keys", "IKpsk2", bytes(32), FULL_I, FULL_R),
                      handshake("keys and psk", "IKpsk2", draw("psk", 32), FULL_I, FULL_R),
                      handshake("keys under load", "IKpsk2", bytes(32), FULL_I, FULL_R, draw("cookie", 16)),
                      handshake("secret", "NNpsk0", psk, FULL_I, FULL_R),
                      handshake("refused", "IKpsk2", bytes(32), kv.records((0, bytes(600))),
                                kv.records((23, b"\1the number is not greater"), (24, struct.pack("<Q", 1780000000999999))), index_r=0),
                      handshake("nothing said", "NNpsk0", psk, b"", b"")]}


def make_cookies():
    keys, secret, out = kv.OuterKeys(draw("cookie outer", 32)), draw("cookie secret", 32), []
    for name, address, port, padding in (("IPv4", bytes(10) + b"\xff\xff\xc0\0\2\7", 1235, 0),
                                         ("IPv6", bytes.fromhex("20010db8" + "00" * 11 + "09"), 65535, 63)):
        cookie, nonce, mac1 = kv.cookie_of(secret, address, port), draw("cookie nonce " + name, 24), draw("mac1 " + name, 16)
        out.append({"name": name, "outer": draw("cookie outer", 32), "secret": secret, "address": address, "port": port,
                    "cookie": cookie, "nonce": nonce, "mac1": mac1, "padding": padding,
                    "reply": kv.cookie_reply(keys, nonce, mac1, cookie, padding)})
    return {"cases": out}


def make_transport():
    keys, token, traffic, out = kv.OuterKeys(draw("transport outer", 32)), draw("transport token", 16), draw("transport", 32), []
    for cipher in (kv.CHACHA, kv.AES):
        direction = kv.Direction(traffic, cipher)
        for counter, size in ((0, 0), (1, 1), (2, 1200), ((1 << 22) - 1, 33), (1 << 22, 33), ((3 << 22) + 7, 64)):
            plain = draw(f"plain {counter}", size)
            datagram = direction.seal(keys, token, 0x89abcdef, counter, plain)
            index, found, check = kv.read_head(keys, datagram)
            assert (index, found) == (0x89abcdef, counter) and direction.open(counter, datagram[16:]) == plain
            out.append({"cipher": cipher, "index": index, "counter": counter, "check": check, "plain": plain, "datagram": datagram})
    return {"outer": draw("transport outer", 32), "token": token, "traffic": traffic, "cases": out}


def make_frames():
    rows = [("head", (7, 5, 128, 0xfffffff0), {}), ("seg", (9, 1023, 0xffffffff), {"packet": draw("packet", 60)}),
            ("seg", (10, kv.MORE_PARTS | 3, 4), {"packet": draw("part 1", 20)}),
            ("seg", (11, kv.NOT_FIRST | 3, 5), {"packet": draw("part 2", 9)}),
            ("dgram", (0, 1), {"packet": draw("datagram", 28)}), ("dgram", (1, 0), {}),
            ("report", (100, 77, 5, 64, 1000, 12, 4, 0), {"ranges": ((1, 3), (2, 1), (65535, 65535))}),
            ("report", (0, 0, 0, 0, 0, 0, 0, 0), {}), ("control", (3,), {"packet": kv.records((22, b""))}),
            ("control-ack", (4,), {}), ("ping", (draw("ping", 8),), {}), ("pong", (draw("ping", 8),), {}), ("close", (2,), {})]
    out, whole = [], b""
    for name, values, more in rows:
        data = kv.frame(name, *values, **more)
        assert len(kv.read_frames(data)) == 1
        out.append({"frame": name, "fields": kv.read_frames(data)[0][1], "data": data})
        whole += data
    plain = (kv.item(kv.BARE, whole) + kv.data_shard(0xfffffe, 2, out[1]["data"]) +
             kv.parity_shard(0xffffff, 1, 10, 3, draw("parity", 40)) + bytes(5))
    return {"frames": out, "datagram": {"plain": plain, "items": [{"kind": k, "body": b} for k, b in kv.read_items(plain)]}}


def make_fec():
    out = []
    for k, m, lose in ((1, 1, (0,)), (1, 2, (0,)), (10, 3, (0, 4, 9)), (10, 3, (2,)), (20, 4, ()), (3, 3, (0, 1, 2)), (128, 64, tuple(range(0, 128, 2)))):
        shards = [draw(f"shard {k} {d}", 1 + draw(f"size {k} {d}", 1)[0] % 48) for d in range(k)]
        parities = kv.parity_of(shards, m)
        have = {d: s for d, s in enumerate(shards) if d not in lose}
        # The last parities, so that more than the first rows of the matrix are tried
        used = {p: parities[p] for p in range(m - len(lose), m)}
        assert kv.recover(k, have, used) == {d: shards[d] for d in lose}
        out.append({"k": k, "m": m, "shards": shards, "parities": parities, "lost": lose, "used": sorted(used)})
    return {"cases": out}


FILES = {"keys": make_keys, "handshakes": make_handshakes, "cookies": make_cookies, "transport": make_transport,
         "frames": make_frames, "fec": make_fec}


def main():
    check, wrong = sys.argv[1:] == ["--check"], []
    if not na.has_aes():
        print("this processor has no instructions for AES-GCM", file=sys.stderr)
        return 77
    for name, make in FILES.items():
        path = os.path.join(FOLDER, name + ".json")
        data = json.dumps({"format": f"native-{name}", **text(make())}, indent=1) + "\n"
        if not check:
            with open(path, "w", encoding="ascii") as f:
                f.write(data)
        elif not os.path.exists(path) or open(path, encoding="ascii").read() != data:
            wrong.append(path)
    for path in wrong:
        print(f"{path} is not what the document says", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
