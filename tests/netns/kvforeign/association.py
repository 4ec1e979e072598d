# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 8: what lives above the keys of a session."""
from collections import Counter

from . import arq, control, frames, groups, lanes, records
from .records import Type

MAX_PLAIN = 1232 - 32
SHARD_ROOM = 2 + 6 + 2          # heads of an item and of a parity shard, and the length in a symbol
PART_MAX = MAX_PLAIN - SHARD_ROOM - 15 - 13     # `head`, and the head of a `seg`


class Association:
    def __init__(self, name, rows):
        self.name, self.terms = name, dict(rows)
        self.keys_since = 0
        self.sender = arq.Sender(rows.get(Type.WINDOW, arq.USUAL_WINDOW))
        self.receiver = arq.Receiver()
        self.encoder = None             # a groups.Encoder protects what is sent
        self.batches = 0
        self.peer_report = None         # the newest
        self._acks = []                 # `control-ack` that are to be sent
        self._control, self._decoder, self._lanes = control.Reader(), groups.Decoder(), lanes.Lanes()
        self._lane_sequences = Counter()
        self._counters = []             # of each session
        self._up = []

    @property
    def recovered(self):
        """Data shards that parity brought back"""
        return self._decoder.recovered

    def add_session(self, counters, now):
        self._counters.append(counters)
        self.keys_since = now

    def end_former_counts(self):
        """Another session follows those before it."""
        for counters in self._counters[:-1]:
            counters.judge(counters.greatest + 1)

    def sums(self):
        """seen, missing, bursts, and congestion marks"""
        return *(sum(getattr(c, name) for c in self._counters) for name in ("seen", "missing", "bursts")), 0

    def take_up(self):
        """Inner packets that are handed up"""
        up, self._up = self._up, []
        return up

    # --- what goes

    def send(self, packet, lane, once):
        """Rows of frames that are to be sent now"""
        rows = []
        for first, last, part in lanes.split(packet, PART_MAX):
            bits = (0 if first else frames.NOT_FIRST) | (0 if last else frames.NOT_LAST)
            sequence = self._lane_sequences[lane]
            self._lane_sequences[lane] = (sequence + 1) % lanes.NUMBERS
            if once:
                rows.append(frames.dgram(lane | bits, sequence, part))
            else:
                self.sender.add(lane | bits, sequence, part)
        return rows

    def outgoing(self, now):
        """Rows of frames with the segments that are due, each for one datagram"""
        row = b""
        for seg in self.sender.due(now):
            if len(row) + len(seg) > MAX_PLAIN - SHARD_ROOM:
                yield row
                row = b""
            row = row or frames.head(self.receiver.una, self.sender.fwd(), self.receiver.room(), arq.micros(now))
            row += seg
        if row:
            yield row

    def answers(self, now):
        """Frames with what is owed for what came"""
        out = b"".join(map(frames.control_ack, self._acks))
        self._acks = []
        due = self.receiver.deadline()
        if due is not None and due <= now:
            out += frames.report(self.receiver.report(self.sums(), now))
        return out

    # --- what comes

    def data_shard(self, shard, now):
        """Frames that it brings back, besides its own"""
        return self._decoder.data(*shard, now)

    def parity_shard(self, shard, now):
        return self._decoder.parity(*shard, now)

    def input(self, frame, came_itself, now):
        """False: it is a `seg` that was taken before. control.Broken ends all."""
        if isinstance(frame, frames.Head):
            self.sender.head(frame, came_itself)
            self.receiver.head(frame, came_itself, now)
        elif isinstance(frame, frames.Seg):
            was_taken = self.receiver.has(frame.sn)
            if self.receiver.seg(frame.sn, self.sender.trip, now):
                self._up += self._lanes.input(frame, now)
            return not was_taken
        elif isinstance(frame, frames.Dgram):
            self._up += self._lanes.input(frame, now)
        elif isinstance(frame, frames.Report):
            self.peer_report = frame
            self.sender.report(frame, now)
        elif isinstance(frame, frames.Control):
            self._take_control(frame)
        return True             # no `control-ack` says anything to an end that sends no `control`

    def _take_control(self, frame):
        for batch in self._control.input(frame):
            self.batches += 1
            try:
                self.terms.update(records.parse(batch))
            except records.NotAllowed as e:
                raise control.Broken(str(e)) from None
        self._acks = [self._control.expected]

    def advance(self, now):
        self._up += self._lanes.advance(self.receiver.una, now)

    def deadlines(self):
        """When something is to be done or sent; None: nothing of that kind"""
        return [self.sender.deadline(), self.receiver.deadline(), self._lanes.deadline()]
