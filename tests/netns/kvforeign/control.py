# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 9: the reliable row of records beside the data. This end has nothing to say there, so it only reads."""

AHEAD = 8
BATCH_MAX = 65535
NUMBERS = 1 << 16


class Broken(Exception):
    """What ends the association"""


class Reader:
    def __init__(self):
        self.expected, self._early, self._batch = 0, {}, b""

    def input(self, frame):
        """Batches that are complete, as bytes"""
        ahead = (frame.sequence - self.expected + NUMBERS // 2) % NUMBERS - NUMBERS // 2
        if ahead >= AHEAD:
            raise Broken("a control part too far ahead")
        if ahead >= 0:
            self._early[frame.sequence] = frame.part
        batches = []
        while self.expected in self._early:
            part = self._early.pop(self.expected)
            self.expected = (self.expected + 1) % NUMBERS
            self._batch += part
            if len(self._batch) > BATCH_MAX:
                raise Broken("a control batch too long")
            if not part:
                batches.append(self._batch)
                self._batch = b""
        return batches
