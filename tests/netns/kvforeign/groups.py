# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 10: forward error correction."""
import struct

KEPT, KEPT_SHARDS, KEPT_SECONDS = 8, 640, 3
NUMBERS = 1 << 24
SHARDS_MAX, PARITY_MAX = 192, 64


def _make_tables():
    exp, log, x = [0] * 510, [0] * 256, 1
    for i in range(255):
        exp[i] = exp[i + 255] = x
        log[x] = i
        x = x << 1 ^ (0x11d if x & 0x80 else 0)
    return exp, log


_exp, _log = _make_tables()


def _mul(a, b):
    return _exp[_log[a] + _log[b]] if a and b else 0


def _inverse(a):
    return _exp[255 - _log[a]]


_rows = [bytes(_mul(a, b) for b in range(256)) for a in range(256)]     # for bytes.translate


def _add_scaled(total, symbol, factor):
    """total + symbol x factor, as integers of so many bytes"""
    return total ^ int.from_bytes(symbol.translate(_rows[factor]), "little")


def coefficient(p, d):
    return _inverse((255 - p) ^ d)


def parity(p, symbols):
    """Parity shard p of {data index: symbol}, symbols of any lengths"""
    size = max(map(len, symbols.values()))
    total = 0
    for d, symbol in symbols.items():
        total = _add_scaled(total, symbol, coefficient(p, d))
    return total.to_bytes(size, "little")


def symbol_of(frames):
    return struct.pack("<H", len(frames)) + frames


def recover(k, symbols, parities):
    """{data index: symbol} of what is missing, by as many parity shards"""
    missing = [d for d in range(k) if d not in symbols]
    size = len(next(iter(parities.values())))
    rows = []
    for p in sorted(parities)[:len(missing)]:
        right = int.from_bytes(parities[p], "little")
        for d, symbol in symbols.items():
            right = _add_scaled(right, symbol, coefficient(p, d))
        rows.append(([coefficient(p, d) for d in missing], right.to_bytes(size, "little")))
    for i in range(len(missing)):
        _eliminate(rows, i)
    return {d: right for d, (_, right) in zip(missing, rows)}


def _eliminate(rows, i):
    """Makes column i that of the identity; no pivot of a Cauchy matrix is 0."""
    left, right = rows[i]
    scale = _rows[_inverse(left[i])]
    left, right = [scale[x] for x in left], right.translate(scale)
    rows[i] = left, right
    for j, (other, value) in enumerate(rows):
        factor = other[i]
        if j != i and factor:
            total = _add_scaled(int.from_bytes(value, "little"), right, factor)
            rows[j] = [x ^ _mul(y, factor) for x, y in zip(other, left)], total.to_bytes(len(value), "little")


class Encoder:
    """Makes groups of k data and m parity shards of what is sent"""

    def __init__(self, k, m):
        self._k, self._m, self._group, self._symbols = k, m, 0, {}

    def shards(self, frames):
        """Items to send, each in a datagram of its own: (kind, body)"""
        index = len(self._symbols)
        self._symbols[index] = symbol_of(frames)
        yield 2, self._group.to_bytes(3, "little") + bytes([index]) + frames
        if len(self._symbols) == self._k:
            for p in range(self._m):
                yield 3, (self._group.to_bytes(3, "little") + bytes([p, self._k, self._m]) + parity(p, self._symbols))
            self._group, self._symbols = (self._group + 1) % NUMBERS, {}


def _is_symbol(symbol):
    """Whether its length fits, and the rest is zeros"""
    n = int.from_bytes(symbol[:2], "little")
    return n <= len(symbol) - 2 and not any(symbol[2 + n:])


class _Group:
    def __init__(self, now):
        self.born, self.symbols, self.parities, self.shape, self.broken = now, {}, {}, None, False

    def try_recover(self):
        """Frames of the data shards that were missing; empty if nothing can be said yet"""
        if self.shape is None or self.broken:
            return []
        k, _, size = self.shape
        self.broken = any(d >= k or len(s) > size for d, s in self.symbols.items())
        if self.broken or len(self.symbols) == k or len(self.symbols) + len(self.parities) < k:
            return []
        found = recover(k, self.symbols, self.parities)
        self.symbols.update(found)
        self.broken = not all(map(_is_symbol, found.values()))
        return [] if self.broken else [s[2:2 + int.from_bytes(s[:2], "little")] for s in found.values()]


class Decoder:
    """Groups that come in"""

    def __init__(self):
        self._groups, self._newest, self.recovered = {}, None, 0

    def data(self, number, index, frames, now):
        """Frames that this shard brings back, besides its own"""
        group = self._group(number, now)
        if not group:
            return []
        group.symbols.setdefault(index, symbol_of(frames))
        return self._recover(group)

    def parity(self, number, index, k, m, data, now):
        group = self._group(number, now)
        if not group:
            return []
        shape = k, m, len(data)
        if (group.shape or shape) != shape:
            return []
        group.shape = shape
        group.parities.setdefault(index, data)
        return self._recover(group)

    def _recover(self, group):
        while sum(len(g.symbols) + len(g.parities) for g in self._groups.values()) > KEPT_SHARDS:
            del self._groups[max(self._groups, key=self._age)]
        found = group.try_recover()
        self.recovered += len(found)
        return found

    def _age(self, number):
        """How many groups ago, negative if it is newer than the newest"""
        return (self._newest - number + NUMBERS // 2) % NUMBERS - NUMBERS // 2

    def _group(self, number, now):
        if self._newest is None or self._age(number) < 0:
            self._newest = number
        self._groups = {n: g for n, g in self._groups.items()
                        if self._age(n) < KEPT and now - g.born <= KEPT_SECONDS}
        if self._age(number) >= KEPT:
            return None
        return self._groups.setdefault(number, _Group(now))
