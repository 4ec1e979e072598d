# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 9: parts of inner packets, brought back into the order of their lane."""

DGRAM_WAIT = 0.025
LATE = 8192
NUMBERS = 1 << 32


def split(packet, size):
    """(first?, last?, part) of a packet, parts no longer than so many bytes"""
    ends = range(0, len(packet), size)
    return [(at == 0, at + size >= len(packet), packet[at:at + size]) for at in ends]


class _Part:
    """What came early, with what it waits for: a sequence number, or a time"""

    def __init__(self, frame, sn, until):
        self.frame, self.sn, self.until = frame, sn, until


class _Lane:
    def __init__(self):
        self.next, self.waiting, self.passed, self.parts = 0, {}, set(), []

    def join(self, frame):
        """The inner packet that this part completes, or None"""
        in_row = frame.sequence == self.next
        self.next = frame.sequence + 1 & NUMBERS - 1
        if frame.first or not in_row:
            self.parts = []
        if not frame.first and not self.parts:
            return None         # the beginning was lost
        self.parts.append(frame.packet)
        if not frame.last:
            return None
        packet, self.parts = b"".join(self.parts), []
        return packet


class Lanes:
    def __init__(self):
        self._lanes = {}

    def input(self, frame, now):
        """Inner packets that may be handed up; a Seg waits for lower numbers, a Dgram some time."""
        lane = self._lanes.setdefault(frame.lane, _Lane())
        ahead = (frame.sequence - lane.next + NUMBERS // 2) % NUMBERS - NUMBERS // 2
        if not frame.packet or frame.sequence in lane.waiting:
            return []
        if ahead < 0:
            return self._late(lane, frame)
        sn = getattr(frame, "sn", None)
        lane.waiting[frame.sequence] = _Part(frame, sn, now + DGRAM_WAIT if sn is None else None)
        return list(self._ready(lane))

    @staticmethod
    def _late(lane, frame):
        if frame.sequence in lane.passed:
            lane.passed.remove(frame.sequence)
            return [frame.packet] if frame.first and frame.last else []
        return []

    @staticmethod
    def _ready(lane):
        while lane.next in lane.waiting:
            packet = lane.join(lane.waiting.pop(lane.next).frame)
            if packet is not None:
                yield packet

    def advance(self, una, now):
        """Inner packets that waited, in vain as it is known by now: all below una came, or never will"""
        out = []
        for lane in self._lanes.values():
            while lane.waiting:
                sequence, part = min(lane.waiting.items(), key=lambda e: (e[0] - lane.next) % NUMBERS)
                if not (part.until <= now if part.sn is None else (una - part.sn) % NUMBERS < NUMBERS // 2):
                    break
                lane.passed |= {n % NUMBERS for n in range(lane.next, lane.next + (sequence - lane.next) % NUMBERS)
                                if (sequence - n) % NUMBERS <= LATE}
                lane.parts = lane.parts if sequence == lane.next else []
                lane.next = sequence
                out += self._ready(lane)
        return out

    def deadline(self):
        return min((part.until for lane in self._lanes.values() for part in lane.waiting.values()
                    if part.until is not None), default=None)
