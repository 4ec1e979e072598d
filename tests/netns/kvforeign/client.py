# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 8: a client. It does nothing by itself: who uses it has it run, in one thread, until something is so.

It makes no datagram longer than 1232 bytes, and looks for no more (12); it sees no congestion marks, and counts none; it
stays with the address of its server.
"""
import hmac
import os
import random
import select
import time

import kvsodium as sodium

from . import frames, handshake, records, transport
from .association import Association
from .control import Broken
from .records import Type

# Seconds, of sections 4, 6 and 8
REPEATS = 0.25, 0.6, 1.2, 2.0, 3.0      # after the first initiation
REPEAT_EACH, REPEAT_SPREAD, GIVE_UP = 5, 5 / 3, 90
RAISE_PAUSE, BEGIN_PAUSE, COOKIE_LIFE = 1, 5, 60
CONFIRM = 0.25, 0.5, 1, 2               # pings under a new session, then
CONFIRM_EACH, CONFIRM_END = 4, 15
OLD_LIFE, REKEY_AGE, SESSION_LIFE = 15, 120, 180
ANSWER, SILENCE, SILENCE_MOVED, DOUBT = 10, 15, 2, 5
CLOSES, CLOSE_GAP = 3, 0.05

ATTEMPTS_MAX, PINGS_MAX = 8, 16
NUMBER_NOT_GREATER, NOT_ALLOWED = 1, 2  # refusals
COOKIE_REPLY = range(56, 56 + 64)
RESET_LEAST = 40
ANSWERS = frames.Report, frames.ControlAck, frames.Pong


class _Handshake:
    """From the first initiation until an answer"""

    def __init__(self, begun):
        self.begun, self.next, self.tries, self.attempts, self.raise_at = begun, begun, 0, {}, 0

    def schedule(self, now):
        """The next initiation, after one"""
        while self.next <= now and self.tries < len(REPEATS):
            self.next = self.begun + REPEATS[self.tries]
            self.tries += 1
        if self.next <= now:
            self.next = now + REPEAT_EACH + random.random() * REPEAT_SPREAD


class Client:
    """`open_socket()` gives a UDP socket, `microseconds()` the time since 1970 for the numbers of initiations; `wishes`
    are records of an initiation besides those that have to be there."""

    def __init__(self, identity, server, open_socket, wishes=(), ciphers=tuple(transport.CIPHERS), keepalive=0,
                 microseconds=lambda: time.time_ns() // 1000):
        self.identity, self.server = identity, server
        self.association = None
        self.session = self.former = None       # under which is sent, and the one before
        self.handed_up = []                     # inner packets
        self.refusals, self.closed = [], None
        self.initiations = self.cookies = self.resets = self.pongs = 0
        self._open_socket, self._microseconds = open_socket, microseconds
        self._wishes, self._ciphers, self._keepalive = list(wishes), bytes(ciphers), keepalive
        self.socket = open_socket()
        self._number = 0
        self._handshake, self._may_begin, self._wants = None, 0, False
        self._cookie, self._cookie_until = None, 0
        self._pings = {}                        # token: when it was sent
        self._confirm = []                      # when to ping under a session that the server has not used
        self._confirmed = None                  # since when it has
        self._asked = self._owes = None         # since when
        self._patience, self._sent, self._doubted = SILENCE, 0, 0

    # --- what a user says

    def connected(self):
        """Whether the server has used the session"""
        return self.session is not None and self._confirmed is not None

    def begin(self):
        """Wants a handshake; it names the association if there is one."""
        self._wants = True

    def send(self, packet, lane=0, once=False):
        """An inner packet, repeated until it arrives, or sent `once`"""
        now = time.monotonic()
        for row in self.association.send(packet, lane, once):
            self._transmit(frames.item(frames.PLAIN, row), now, asks=True)
        self._flush(now)

    def ping(self):
        now = time.monotonic()
        token = os.urandom(8)
        self._pings[token] = now
        if len(self._pings) > PINGS_MAX:
            del self._pings[next(iter(self._pings))]
        self._transmit(frames.item(frames.PLAIN, frames.ping(token)), now, asks=True)

    def move(self):
        """To another port, as if by another way"""
        self.socket.close()
        self.socket = self._open_socket()
        self._patience = min(max(4 * (self.association.sender.trip.smooth or 0), SILENCE_MOVED), SILENCE)
        self._asked = None
        self.ping()

    def close(self, reason=0):
        """Nobody acknowledges it, so it leaves three times."""
        for i in range(CLOSES):
            self._transmit(frames.item(frames.PLAIN, frames.close(reason)), time.monotonic())
            time.sleep(CLOSE_GAP if i + 1 < CLOSES else 0)
        self._forget()

    # --- the loop

    def run(self, until, seconds):
        """Whether until() became true in that time"""
        end = time.monotonic() + seconds
        while not until():
            now = time.monotonic()
            if now >= end:
                return False
            self.advance(now)
            wait = min(end, self._deadline(now)) - time.monotonic()
            if select.select([self.socket], [], [], max(wait, 0))[0]:
                self.input(*self.socket.recvfrom(65536), time.monotonic())
        return True

    def _deadline(self, now):
        """When advance() is needed; what is rare is looked after each second."""
        times = [now + 1, *self._confirm[:1]]
        if self._handshake:
            times.append(self._handshake.next)
        if self.session:
            times += [t for t in self.association.deadlines() if t is not None]
        return min(times)

    def advance(self, now):
        if self.session:
            self._advance_sessions(now)
        if self.session:
            self.association.advance(now)
            self._flush(now)
            self._take_up()
        if self._handshake or self._is_due(now):
            self._advance_handshake(now)

    def _advance_sessions(self, now):
        if self._confirm and now >= self._confirm[0]:
            self._confirm = self._confirm[1:] or [now + CONFIRM_EACH]
            self.ping()
        if self._confirmed is None and now >= self.session.begun + CONFIRM_END:
            self.session, self._confirmed, self._confirm = self.former, now, []
            self.former = None
        elif self._confirmed is not None and now >= self._confirmed + OLD_LIFE:
            self.former = None
        if self.session and now >= self.session.begun + SESSION_LIFE:
            self.session = self.former = None
            return
        if self._owes is not None and now >= self._owes + ANSWER:
            self._transmit(b"", now, answers=True)
        if self._keepalive and now >= self._sent + self._keepalive:
            self.ping()

    def _is_due(self, now):
        """Whether a handshake shall begin"""
        association, session = self.association, self.session
        if association and not session and now >= association.keys_since + 3 * SESSION_LIFE:
            self._forget()
            return False
        due = self._wants
        if session:
            due |= session.late
            due |= self._asked is not None and now >= self._asked + self._patience
        elif association:
            due |= not association.sender.idle()
        return due and now >= self._may_begin

    # --- handshake

    def _advance_handshake(self, now):
        if not self._handshake:
            self._wants, self._handshake = False, _Handshake(now)
            self._may_begin = now + BEGIN_PAUSE if self.association else now
        if now >= self._handshake.begun + GIVE_UP:
            self._handshake = None
        elif now >= self._handshake.next:
            self._initiate(now)
            self._handshake.schedule(now)

    def _initiate(self, now):
        attempts = self._handshake.attempts
        self._number = max(self._number + 1, self._microseconds())
        index = handshake.new_index({*attempts, *(s.index for s in self._sessions())})
        rows = [(Type.CIPHERS, self._ciphers), (Type.RESET, self.identity.reset_token(index)),
                records.number(Type.CAPABILITIES, records.TAKES_PARITY), *self._wishes]
        if self.association:
            rows.append((Type.ASSOCIATION, self.association.name))
        cookie = self._cookie if now < self._cookie_until else None
        attempts[index] = handshake.Initiation(self.identity, index, self._number, rows, cookie)
        if len(attempts) > ATTEMPTS_MAX:
            del attempts[next(iter(attempts))]
        self.initiations += 1
        self.socket.sendto(attempts[index].datagram, self.server)

    def _response_came(self, body, now):
        attempt = self._handshake.attempts.get(int.from_bytes(body[4:8], "little")) if self._handshake else None
        if not attempt:
            return
        try:
            answer = attempt.read_response(body)
        except sodium.Forged:
            return
        except records.NotAllowed as e:
            self._refused(NOT_ALLOWED, str(e))
            return
        rows = answer.records
        if Type.REFUSED in rows:
            self._take_refusal(rows, now)
        elif not answer.index or rows.get(Type.CIPHERS) not in self._ciphers or Type.ASSOCIATION not in rows:
            self._refused(NOT_ALLOWED, "no session can do without")
        else:
            self._take_answer(attempt, answer, now)

    def _take_answer(self, attempt, answer, now):
        rows = answer.records
        session = transport.Session(self.identity, rows[Type.CIPHERS], (attempt.index, answer.index),
                                    (answer.sending, answer.receiving), rows.get(Type.RESET), now)
        if self.association and self.association.name == rows[Type.ASSOCIATION]:
            self.former = self.session
        else:
            self.association, self.former = Association(rows[Type.ASSOCIATION], rows), None
        self.association.add_session(session.counters, now)
        self.session, self._handshake, self._confirmed = session, None, None
        self._confirm = [now + seconds for seconds in CONFIRM]
        self._asked, self._patience = None, SILENCE
        self.ping()

    def _take_refusal(self, rows, now):
        reason, text = rows[Type.REFUSED]
        if reason != NUMBER_NOT_GREATER or Type.LAST_NUMBER not in rows:
            self._refused(reason, text)
            return
        self.refusals.append((reason, text))
        self._number = max(self._number, rows[Type.LAST_NUMBER])
        if now >= self._handshake.raise_at:
            self._handshake.raise_at = now + RAISE_PAUSE
            self._initiate(now)

    def _refused(self, reason, text):
        self.refusals.append((reason, text))
        self._handshake = None
        self._forget()

    def _cookie_came(self, datagram, now):
        for attempt in list(self._handshake.attempts.values()):
            try:
                cookie = attempt.read_cookie(datagram)
            except sodium.Forged:
                continue
            is_first = now >= self._cookie_until
            self._cookie, self._cookie_until = cookie, now + COOKIE_LIFE
            self.cookies += 1
            if is_first:
                self._initiate(now)
            return True
        return False

    # --- what comes

    def _sessions(self):
        return [session for session in (self.session, self.former) if session]

    def input(self, datagram, source, now):
        """In the order of section 3"""
        if len(datagram) >= transport.OVERHEAD and self._transport_came(datagram, source, now):
            return
        waits = self._handshake and source == self.server
        if waits and len(datagram) in COOKIE_REPLY and self._cookie_came(datagram, now):
            return
        if len(datagram) > handshake.FRAME:
            body = handshake.unwrap(self.identity.mine, datagram)
            if body is not None:
                self._response_came(body, now)
                return
        if source == self.server and len(datagram) >= RESET_LEAST:
            self._reset_came(datagram)

    def _reset_came(self, datagram):
        for session in self._sessions():
            if session.peer_token and hmac.compare_digest(session.peer_token, datagram[-16:]):
                self.resets += 1
                self.session = self.former if session is self.session else self.session
                self.former = None
                self._confirm = []
                self.begin()
                return

    def _transport_came(self, datagram, source, now):
        index, counter, _, sealed = transport.unmask(self.identity.mine, datagram)
        session = next((s for s in self._sessions() if s.index == index), None)
        if not session:
            return False
        try:
            plain = session.open(counter, sealed)
        except sodium.Forged:
            return False
        self._opened(session, plain, source, now)
        return True

    def _opened(self, session, plain, source, now):
        session.late |= bool(plain) and now >= session.begun + REKEY_AGE
        if session is self.session and self._confirmed is None:
            self._confirmed, self._confirm = now, []
            self.association.end_former_counts()
        if not plain:
            self._asked = None
        try:
            self._read(plain, source, now)
        except frames.Malformed:
            pass                # what stood before it counts
        except Broken:
            self._forget()
        if self.session:
            self._flush(now)
            self._take_up()

    def _read(self, plain, source, now):
        for kind, body in frames.items(plain):
            recovered = []
            if kind == frames.PARITY:
                recovered = self.association.parity_shard(body, now)
            elif kind == frames.DATA:
                self._read_frames(body.frames, source, True, now)
                recovered = self.association.data_shard(body, now) if self.association else []
            else:
                self._read_frames(body, source, True, now)
            for row in recovered:
                self._read_frames(row, source, False, now)

    def _read_frames(self, row, source, came_itself, now):
        for frame in frames.frames(row):
            if not self.association:
                return              # it was closed
            if isinstance(frame, ANSWERS):
                self._asked, self._patience = None, SILENCE
            elif not isinstance(frame, (frames.Head, frames.Close)) and self._owes is None:
                self._owes = now
            self._take(frame, source, came_itself, now)

    def _take(self, frame, source, came_itself, now):
        if isinstance(frame, frames.Ping):
            self.pongs += 1
            self._transmit(frames.item(frames.PLAIN, frames.pong(frame.token)), now, to=source, answers=True)
        elif isinstance(frame, frames.Pong):
            if frame.token in self._pings:
                self.association.sender.trip.add(now - self._pings.pop(frame.token))
        elif isinstance(frame, frames.Close):
            self.closed = frame.reason
            self._forget()
        elif not self.association.input(frame, came_itself, now) and now >= self._doubted + DOUBT:
            self._doubted = now
            self.ping()

    def _forget(self):
        self.association = self.session = self.former = None
        self._confirm = []

    def _take_up(self):
        self.handed_up += self.association.take_up()

    # --- what goes

    def _flush(self, now):
        """All that is due"""
        association = self.association
        small = association.answers(now)
        if small:
            self._transmit(frames.item(frames.PLAIN, small), now, answers=True)
        for row in association.outgoing(now):
            shards = association.encoder.shards(row) if association.encoder else [(frames.PLAIN, row)]
            for kind, body in shards:
                self._transmit(frames.item(kind, body), now, asks=kind != frames.PARITY)

    def _transmit(self, plain, now, to=None, asks=False, answers=False):
        self.session.late |= bool(plain) and now >= self.session.begun + REKEY_AGE
        if asks and self._asked is None:
            self._asked = now
        if answers:
            self._owes = None
        self._sent = now
        self.socket.sendto(self.session.seal(plain), to or self.server)
