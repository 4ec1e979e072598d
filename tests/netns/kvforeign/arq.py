# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 11: repeating what was lost. Times are seconds of one clock that never goes back."""
from . import frames
from .control import Broken

NUMBERS = 1 << 32
WINDOW = 1024               # of this end
USUAL_WINDOW = 128
RTO_LEAST, RTO_MOST = 0.1, 3
OVERTAKEN_LEAST = 0.005
WINDOW_UNIT = 16
DELAY_UNIT = 16             # microseconds
DELAY_MAX = 65535
FALSE_ACKS_MAX = 16
REPORT_LEAST, REPORT_MOST = 0.010, 0.050


def micros(now):
    return int(now * 1e6) % NUMBERS


def ahead(a, b):
    """a - b of two numbers that wrap, negative if a is older"""
    return (a - b + NUMBERS // 2) % NUMBERS - NUMBERS // 2


class Trip:
    """What is known of the round trip"""

    def __init__(self):
        self.smooth = None

    def add(self, seconds):
        self.smooth = seconds if self.smooth is None else self.smooth * 0.875 + seconds * 0.125

    def timeout(self):
        return min(max(2 * (self.smooth or 0) + REPORT_MOST, RTO_LEAST), RTO_MOST)


class _Segment:
    def __init__(self, body):
        self.body, self.due, self.timeout, self.sent = body, 0, None, None


class Sender:
    """Segments until the peer has them. It never gives one up, so `fwd` is its oldest."""

    def __init__(self, peer_window):
        self.trip = Trip()
        self._next, self._una, self._segments = 0, 0, {}
        self._window, self._false_acks = peer_window, 0
        self._latest = 0            # when the newest left of what arrived
        self.repeats = 0

    def add(self, lane, sequence, packet):
        sn = self._next
        self._next = (sn + 1) % NUMBERS
        self._segments[sn] = _Segment(frames.seg(sn, lane, sequence, packet))

    def idle(self):
        return not self._segments

    def fwd(self):
        return self._una

    def due(self, now):
        """Frames of the segments that are to be sent now"""
        for sn, segment in self._segments.items():
            if ahead(sn, self._una) >= max(self._window, 1):
                return
            if segment.due <= now:
                segment.timeout = min((segment.timeout or self.trip.timeout() / 2) * 2, RTO_MOST)
                segment.due = now + segment.timeout
                self.repeats += segment.sent is not None
                segment.sent = now
                yield segment.body

    def deadline(self):
        return min((s.due for sn, s in self._segments.items() if ahead(sn, self._una) < max(self._window, 1)),
                   default=None)

    def _note_false(self):
        self._false_acks += 1
        if self._false_acks == FALSE_ACKS_MAX:
            raise Broken("it acknowledges what was never sent")

    def _acknowledge(self, una):
        if ahead(una, self._next) > 0:
            self._note_false()
            return False
        while ahead(una, self._una) > 0:
            self._arrived(self._una)
            self._una = (self._una + 1) % NUMBERS
        return True

    def _arrived(self, sn):
        segment = self._segments.pop(sn, None)
        if segment and segment.sent is not None:
            self._latest = max(self._latest, segment.sent)

    def _repeat_overtaken(self, now):
        """What was sent a while before something that arrived is lost."""
        patience = max((self.trip.smooth or 0) / 4, OVERTAKEN_LEAST)
        for segment in self._segments.values():
            if segment.sent is not None and segment.sent + patience <= self._latest:
                segment.due = now

    def head(self, frame, came_itself):
        is_new = ahead(frame.una, self._una) >= 0
        if self._acknowledge(frame.una) and is_new and came_itself:
            self._window = frame.wnd * WINDOW_UNIT

    def report(self, frame, now):
        if frame.delay < DELAY_MAX:
            trip = (micros(now) - frame.ts - frame.delay * DELAY_UNIT) % NUMBERS / 1e6
            if trip < 60:
                self.trip.add(trip)
        is_new = ahead(frame.una, self._una) >= 0
        if not self._acknowledge(frame.una) or not is_new:
            return
        self._window = frame.wnd * WINDOW_UNIT
        sn = frame.una
        for start, length in frame.ranges:
            first = sn + start
            sn = first + length
            if ahead(sn % NUMBERS, self._next) > 0:
                self._note_false()
                return
            for n in range(first, sn):
                self._arrived(n % NUMBERS)
        self._repeat_overtaken(now)


class Receiver:
    """Which segments came, and when to tell of them"""

    def __init__(self):
        self.una, self._early = 0, set()
        self._due, self._head = None, None

    @staticmethod
    def room():
        """What `wnd` says: it counts from una on, whatever of it is here already; all is handed up at once."""
        return WINDOW // WINDOW_UNIT

    def head(self, frame, came_itself, now):
        """What the sender has given up is not waited for."""
        if ahead(frame.fwd, self.una) > 0:
            self.una = frame.fwd
            self._early = {sn for sn in self._early if ahead(sn, self.una) >= 0}
            self._slide()
        if came_itself and (self._head is None or ahead(frame.ts, self._head[0]) >= 0):
            self._head = frame.ts, now

    def _slide(self):
        while self.una in self._early:
            self._early.remove(self.una)
            self.una = (self.una + 1) % NUMBERS

    def has(self, sn):
        return ahead(sn, self.una) < 0 or sn in self._early

    def seg(self, sn, trip, now):
        """Whether it is new, and has room"""
        if self.has(sn) or ahead(sn, self.una) >= WINDOW:
            self._due = now
            return False
        gap = bool(self._early)
        self._early.add(sn)
        self._slide()
        wait = min(max(REPORT_LEAST, (trip.smooth or 0) / 4), REPORT_MOST)
        self._due = now if gap or self._early else min(self._due or now + wait, now + wait)
        return True

    def deadline(self):
        return self._due

    def report(self, sums, now):
        """The Report; sums are those of the counters: seen, missing, bursts, ce."""
        self._due = None
        ts, delay = 0, DELAY_MAX
        if self._head:
            ts, delay = self._head[0], min(int((now - self._head[1]) * 1e6) // DELAY_UNIT, DELAY_MAX)
        return frames.Report(self.una, ts, delay, self.room(), *(s % NUMBERS for s in sums), self._ranges())

    def _ranges(self):
        """Of more than there is room for the lowest, by which una rises; the page asks for turns."""
        ranges, end = [], self.una
        for sn in sorted(self._early, key=lambda n: ahead(n, self.una)):
            if ranges and sn == end:
                ranges[-1][1] += 1
            elif len(ranges) < frames.RANGES_MAX:
                ranges.append([ahead(sn, end), 1])
            else:
                break
            end = (sn + 1) % NUMBERS
        return ranges
