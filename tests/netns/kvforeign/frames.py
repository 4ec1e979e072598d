# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 9: items of a plaintext, and the frames in them."""
import struct
from collections import namedtuple

from .groups import PARITY_MAX, SHARDS_MAX

PADDING, PLAIN, DATA, PARITY = range(4)
HEAD, SEG, DGRAM, REPORT, CONTROL, CONTROL_ACK, PING, PONG, CLOSE = range(1, 10)
LENGTH_BITS = 13
NOT_FIRST, NOT_LAST = 1 << 14, 1 << 15
LANES = 1024
RANGES_MAX = 32
CLOSE_REASONS = 4

Head = namedtuple("Head", "una fwd wnd ts")
Seg = namedtuple("Seg", "sn lane sequence first last packet")
Dgram = namedtuple("Dgram", "lane sequence first last packet")
Report = namedtuple("Report", "una ts delay wnd seen missing bursts ce ranges")
Control = namedtuple("Control", "sequence part")
ControlAck = namedtuple("ControlAck", "next")
Ping = namedtuple("Ping", "token")
Pong = namedtuple("Pong", "token")
Close = namedtuple("Close", "reason")
ParityShard = namedtuple("ParityShard", "group index k m data")
DataShard = namedtuple("DataShard", "group index frames")

_HEAD = struct.Struct("<IIHI")
_LANE = struct.Struct("<HIH")
_REPORT = struct.Struct("<IIHHIIIIB")
_RANGE = struct.Struct("<HH")


class Malformed(Exception):
    """What this page does not allow: the rest of the datagram is not read."""


# --- writing

def item(kind, body):
    return struct.pack("<H", kind << LENGTH_BITS | len(body)) + body


def head(una, fwd, wnd, ts):
    return bytes([HEAD]) + _HEAD.pack(una, fwd, wnd, ts)


def seg(sn, lane, sequence, packet):
    """Lane with the bits of a part"""
    return bytes([SEG]) + struct.pack("<I", sn) + _LANE.pack(lane, sequence, len(packet)) + packet


def dgram(lane, sequence, packet):
    return bytes([DGRAM]) + _LANE.pack(lane, sequence, len(packet)) + packet


def report(r):
    ranges = b"".join(_RANGE.pack(*r) for r in r.ranges)
    return bytes([REPORT]) + _REPORT.pack(*r[:8], len(r.ranges)) + ranges


def control(sequence, part):
    return bytes([CONTROL]) + struct.pack("<HH", sequence, len(part)) + part


def control_ack(expected):
    return bytes([CONTROL_ACK]) + struct.pack("<H", expected)


def ping(token):
    return bytes([PING]) + token


def pong(token):
    return bytes([PONG]) + token


def close(reason):
    return bytes([CLOSE, reason])


# --- reading

class _Reader:
    def __init__(self, data):
        self._data, self._at = data, 0

    def left(self):
        return len(self._data) - self._at

    def bytes(self, n):
        if self.left() < n:
            raise Malformed("something is cut off")
        self._at += n
        return self._data[self._at - n:self._at]

    def fields(self, fmt):
        fmt = fmt if isinstance(fmt, struct.Struct) else struct.Struct(fmt)
        return fmt.unpack(self.bytes(fmt.size))


def items(plain):
    """(kind, body) of each; kind PLAIN: frames; DATA and PARITY: shards, read. Malformed ends it."""
    reader = _Reader(plain)
    while reader.left() > 1:
        head_, = reader.fields("<H")
        kind, length = head_ >> LENGTH_BITS, head_ & (1 << LENGTH_BITS) - 1
        if kind == PADDING:
            return
        if kind > PARITY:
            raise Malformed(f"an item of kind {kind}")
        yield kind, _SHARDS[kind](_Reader(reader.bytes(length)))


def _read_plain(reader):
    return reader.bytes(reader.left())


def _read_data_shard(reader):
    group, index = int.from_bytes(reader.bytes(3), "little"), reader.bytes(1)[0]
    if index >= SHARDS_MAX:
        raise Malformed("a data shard of no group")
    return DataShard(group, index, reader.bytes(reader.left()))


def _read_parity_shard(reader):
    group = int.from_bytes(reader.bytes(3), "little")
    index, k, m = reader.bytes(3)
    data = reader.bytes(reader.left())
    if not k or k + m > SHARDS_MAX or m > PARITY_MAX or index >= m or len(data) < 2:
        raise Malformed("a parity shard of no group")
    return ParityShard(group, index, k, m, data)


_SHARDS = {PLAIN: _read_plain, DATA: _read_data_shard, PARITY: _read_parity_shard}


def frames(data):
    """Each frame of these; Malformed ends it."""
    reader = _Reader(data)
    while reader.left():
        kind = reader.bytes(1)[0]
        if kind not in _FRAMES:
            raise Malformed(f"a frame of type {kind}")
        yield _FRAMES[kind](reader)


def _read_part(reader):
    """lane, sequence, first?, last?, packet"""
    lane, sequence, length = reader.fields(_LANE)
    if lane & ~(NOT_FIRST | NOT_LAST) >= LANES:
        raise Malformed("a lane with unknown bits")
    return lane % LANES, sequence, not lane & NOT_FIRST, not lane & NOT_LAST, reader.bytes(length)


def _read_report(reader):
    *fields, n = reader.fields(_REPORT)
    if n > RANGES_MAX:
        raise Malformed("a report of too many ranges")
    ranges = [reader.fields(_RANGE) for _ in range(n)]
    if not all(length for _, length in ranges):
        raise Malformed("an empty range")
    return Report(*fields, ranges)


def _read_control(reader):
    sequence, length = reader.fields("<HH")
    if length > 1024:
        raise Malformed("a control part too long")
    return Control(sequence, reader.bytes(length))


def _read_close(reader):
    reason = reader.bytes(1)[0]
    return Close(reason if reason < CLOSE_REASONS else 0)


_FRAMES = {
    HEAD: lambda reader: Head(*reader.fields(_HEAD)),
    SEG: lambda reader: Seg(*reader.fields("<I"), *_read_part(reader)),
    DGRAM: lambda reader: Dgram(*_read_part(reader)),
    REPORT: _read_report,
    CONTROL: _read_control,
    CONTROL_ACK: lambda reader: ControlAck(*reader.fields("<H")),
    PING: lambda reader: Ping(reader.bytes(8)),
    PONG: lambda reader: Pong(reader.bytes(8)),
    CLOSE: _read_close,
}
