# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a captured session of the native protocol, from keys and docs/protocol.md alone.

What came to either end goes in, datagram by datagram; inner packets come out. Each datagram must be something: what the page
does not explain is an error. Sections in brackets are those of the document.
"""
import struct

import kvnative as kv
import kvsodium as na
from kvnoise import Noise

TAG, HEAD = 16, kv.TRANSPORT_HEAD
MORE, RESET, ASSOCIATION, CIPHERS, REFUSED = 22, 9, 8, 4, 23
GROUPS_KEPT = 8


class Unexplained(ValueError):
    """A datagram, or something in it, that the document does not know"""


def need(condition, what):
    if not condition:
        raise Unexplained(what)


class End:
    """One end's keys [2], and the ephemeral ones that a test has written down"""

    def __init__(self, keys):
        self.place = bytes.fromhex(keys["address"]), keys["port"]
        self.private, self.psk = (bytes.fromhex(keys[n]) if keys[n] else None for n in ("private", "psk"))
        self.public = na.public_key(self.private) if self.private else None
        self.outer = kv.OuterKeys(self.public or self.psk)
        self.ephemerals = {}
        for value in map(bytes.fromhex, keys["drawn"]):
            self.ephemerals[na.public_key(value)] = value
        self.cookie = None  # the last that it was given [6]


class Carried:
    """What lives above the keys of one association, on its way to one end [9, 10, 11]"""

    def __init__(self):
        self.sns, self.una, self.fwd = set(), 0, 0
        self.parts = {}  # (lane, lane sequence): (not the first, more follow, bytes)
        self.groups = {}
        self.newest = None
        self.control = {}
        self.pings, self.reports, self.recovered, self.rebuilt = set(), 0, 0, set()

    def take(self, text):
        """One plaintext"""
        for kind, body in kv.read_items(text):
            if kind == kv.BARE:
                self.take_frames(body)
            elif kind == kv.DATA:
                group, index = int.from_bytes(body[:3], "little"), body[3]
                if (group, index) not in self.rebuilt:
                    self.take_frames(body[4:])
                self.add_shard(group, "data", index, body[4:], None)
            else:
                group, index, k, m = int.from_bytes(body[:3], "little"), *body[3:6]
                need(1 <= k and index < m <= 64 and k + m <= 192, "shape of a group")
                self.add_shard(group, "parity", index, body[6:], k)

    def add_shard(self, number, kind, index, body, k):
        if self.newest is None or 0 < (number - self.newest) % (1 << 24) < 1 << 23:
            self.newest = number
        if (self.newest - number) % (1 << 24) >= GROUPS_KEPT:
            return
        group = self.groups.setdefault(number, {"data": {}, "parity": {}, "k": None})
        group[kind][index] = body
        group["k"] = k or group["k"]
        for old in [n for n in self.groups if (self.newest - n) % (1 << 24) >= GROUPS_KEPT]:
            del self.groups[old]
        if group["k"]:
            for lost, frames in kv.recover(group["k"], group["data"], group["parity"]).items():
                group["data"][lost] = frames
                self.rebuilt.add((number, lost))
                self.recovered += 1
                self.take_frames(frames)

    def take_frames(self, frames):
        has_head = False
        for name, values in kv.read_frames(frames):
            if name == "head":
                has_head = True
                self.fwd = max(self.fwd, values["fwd"])
            elif name == "seg":
                need(has_head, "a segment without a head")
                if values["sn"] not in self.sns:
                    self.sns.add(values["sn"])
                    self.add_part(values)
            elif name == "report":
                self.reports += 1
                need(values["n"] <= 32 and all(size > 0 for _, size in values["ranges"]), "ranges of a report")
            elif name == "control":
                need(values["length"] <= 1024, "a long control part")
                self.control.setdefault(values["sequence"], values["packet"])
            elif name == "ping":
                self.pings.add(values["token"])

    def add_part(self, values):
        lane, place = values["lane"] & 0x3ff, values["lane_sequence"]
        need(not values["lane"] & 0x3c00, "bits of a lane that are zero")
        need((lane, place) not in self.parts, "a lane sequence with two segments")
        self.parts[lane, place] = bool(values["lane"] & kv.NOT_FIRST), bool(values["lane"] & kv.MORE_PARTS), values["packet"]

    def batches(self):
        """The records of each batch [9]"""
        out, batch = [], b""
        for sequence in sorted(self.control):
            part = self.control[sequence]
            batch += part
            if not part and batch:
                out.append(kv.read_records(batch))
                batch = b""
        return out

    def packets(self):
        """{lane: whole inner packets, in their order}"""
        out = {}
        for (lane, place), (not_first, _, _) in sorted(self.parts.items()):
            if not_first:
                continue
            packet = b""
            while (lane, place) in self.parts:
                _, more, part = self.parts[lane, place]
                packet, place = packet + part, place + 1
                if not more:
                    out.setdefault(lane, []).append(packet)
                    break
        return out


class Session:
    """The keys of one handshake [4, 7]"""

    def __init__(self, traffic, cipher, indexes, tokens, association):
        # by the end that receives: 0 initiator, 1 responder
        self.open_with = [kv.Direction(traffic[1], cipher), kv.Direction(traffic[0], cipher)]
        self.indexes, self.tokens, self.association = indexes, tokens, association
        self.counters = [set(), set()]


class Decoder:
    def __init__(self, ends):
        self.ends = [End(e) for e in ends]
        self.attempts = {}  # (initiator's place, its index): (noise, end, records)
        self.sessions = {}  # (end, index)
        self.by_association = {}
        self.counts = dict.fromkeys(("initiations", "responses", "cookies", "with cookie", "transport", "copies", "resets"), 0)
        self.said = []

    def take(self, datagram):
        to = next((i for i, e in enumerate(self.ends) if e.place == datagram.target), None)
        need(to is not None, "a datagram for nobody")
        if not (self.take_transport(to, datagram.data) or self.take_cookie(to, datagram.data)
                or self.take_handshake(to, datagram.data) or self.take_reset(to, datagram.data)):
            raise Unexplained(f"a datagram of {len(datagram.data)} bytes")

    # --- [7] ---

    def take_transport(self, to, data):
        if len(data) < HEAD + TAG:
            return False
        index, counter, check = kv.read_head(self.ends[to].outer, data)
        found = self.sessions.get((to, index))
        if found is None:
            return False
        session, role = found
        text = session.open_with[role].open(counter, data[HEAD:])
        need(check == na.siphash(8, session.tokens[role], struct.pack("<Q", counter) + data[-TAG:])[:4], "check")
        self.counts["transport"] += 1
        if counter in session.counters[role]:
            self.counts["copies"] += 1
            return True
        session.counters[role].add(counter)
        pair = self.by_association.setdefault(session.association, [Carried(), Carried()])
        pair[to].take(text)
        return True

    # --- [6] ---

    def take_cookie(self, to, data):
        other = self.ends[1 - to]
        if not 24 + 16 + TAG <= len(data) <= 24 + 16 + TAG + 63:
            return False
        for mac1 in [a["mac1"] for (end, _), a in self.attempts.items() if end == to]:
            try:
                text = na.xchacha_open(other.outer.cookie, data[:24], data[24:], mac1)
            except na.Forged:
                continue
            self.ends[to].cookie = text[:16]
            self.counts["cookies"] += 1
            return True
        return False

    # --- [4] ---

    def take_handshake(self, to, data):
        try:
            body = kv.unframe_handshake(self.ends[to].outer, data)
        except na.Forged:
            return False
        need(len(data) <= 1200, "a long handshake")
        if body[0] == kv.INITIATION:
            need(len(data) >= 600, "a short initiation")
            self.take_initiation(to, data, body)
        else:
            need(body[0] == kv.RESPONSE, "type of a handshake")
            self.take_response(to, data, body)
        return True

    def noise(self, end, initiator, ephemeral):
        mine, other = self.ends[end], self.ends[1 - end]
        if mine.private:
            return Noise("IKpsk2", initiator, kv.PROLOGUE, ephemeral, bytes(32), mine.private, other.public)
        return Noise("NNpsk0", initiator, kv.PROLOGUE, ephemeral, mine.psk)

    def take_initiation(self, to, data, body):
        sender = 1 - to
        cookie = self.ends[sender].cookie
        if cookie and data[40:56] == na.blake2b(16, cookie, data[:40] + data[56:]):
            self.counts["with cookie"] += 1
        index, number, records = kv.read_initiation(self.noise(to, False, bytes(32)), body)
        need(index != 0, "index 0")
        # The same message again, from the initiator's keys: every byte of it is known.
        noise = self.noise(sender, True, self.ends[sender].ephemerals[body[4:36]])
        need(kv.initiation_body(noise, index, number, records)[4:] == body[4:], "an initiation that cannot be written again")
        self.attempts[sender, index] = {"noise": noise, "records": records, "mac1": data[24:40], "size": len(data)}
        self.counts["initiations"] += 1

    def take_response(self, to, data, body):
        self.counts["responses"] += 1
        attempt = self.attempts[to, struct.unpack_from("<I", body, 4)[0]]
        need(len(data) <= attempt["size"], "an answer longer than its question")
        if "answer" in attempt:
            need(attempt["answer"] == data, "two answers to one initiation")
            return
        attempt["answer"] = data
        noise = attempt["noise"]
        index, own, records = kv.read_response(noise, body)
        said, granted = (dict(kv.read_records(r)) for r in (attempt["records"], records))
        self.said.append((said, granted))
        if REFUSED in granted:
            need(index == 0, "a refusal with an index")
            return
        need(granted[CIPHERS][0] in said[CIPHERS] and len(granted[CIPHERS]) == 1, "a cipher that was not offered")
        tokens = [kv.reset_token(self.ends[e].private or self.ends[e].psk, i) for e, i in ((to, own), (1 - to, index))]
        need([said[RESET], granted[RESET]] == tokens, "reset tokens")
        session = Session(noise.split(), granted[CIPHERS][0], (own, index), tokens, granted[ASSOCIATION])
        need((to, own) not in self.sessions and (1 - to, index) not in self.sessions, "an index twice")
        self.sessions[to, own], self.sessions[1 - to, index] = (session, 0), (session, 1)

    # --- [8] ---

    def take_reset(self, to, data):
        tokens = {s.tokens[1 - role] for (end, _), (s, role) in self.sessions.items() if end == to}
        if len(data) < 40 or data[-16:] not in tokens:
            return False
        self.counts["resets"] += 1
        return True
