# SPDX-License-Identifier: GPL-2.0-or-later
"""D-Bus messages made by hand, right or wrong, on a connection that is authenticated as any other.

A library would not send what is wrong, so this is the wire of the D-Bus specification by itself:
`Writer` marshals, `message()` makes a message of which each part can be overridden, `Wire` is a
connection to a bus.
"""
import array
import os
import socket
import struct

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY = 1
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, UNIX_FDS = range(1, 10)
FIELD_TYPES = {PATH: "o", INTERFACE: "s", MEMBER: "s", ERROR_NAME: "s", REPLY_SERIAL: "u", DESTINATION: "s",
               SENDER: "s", SIGNATURE: "g", UNIX_FDS: "u"}
NUMBERS = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
ALIGNMENT = {**{kind: struct.calcsize(code) for kind, code in NUMBERS.items()},
             "s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8}


def first_type(signature):
    """The first complete type of a signature."""
    if signature[0] == "a":
        return "a" + first_type(signature[1:])
    if signature[0] not in "({":
        return signature[0]
    depth = 0
    for i, letter in enumerate(signature):
        depth += (letter in "({") - (letter in ")}")
        if depth == 0:
            return signature[:i + 1]
    raise ValueError(signature)


class Writer:
    """Values as bytes. A variant is a pair of its signature and its value; bytes go in as they are."""

    def __init__(self, order="<"):
        self.order, self.data = order, bytearray()

    def pad(self, n):
        self.data += bytes(-len(self.data) % n)

    def number(self, code, value):
        self.pad(struct.calcsize(code))
        self.data += struct.pack(self.order + code, value)

    def text(self, code, value):
        raw = value if isinstance(value, bytes) else value.encode()
        self.number(code, len(raw))
        self.data += raw + b"\0"

    def array(self, kind, items):
        self.number("I", 0)
        at = len(self.data)
        self.pad(ALIGNMENT[kind[0]])
        start = len(self.data)
        for item in items.items() if isinstance(items, dict) else items:
            self.value(kind, item)
        self.data[at - 4:at] = struct.pack(self.order + "I", len(self.data) - start)

    def values(self, signature, values):
        for value in values:
            kind = first_type(signature)
            signature = signature[len(kind):]
            self.value(kind, value)
        return self

    def value(self, kind, value):
        if kind in NUMBERS:
            self.number(NUMBERS[kind], value)
        elif kind in "so":
            self.text("I", value)
        elif kind == "g":
            self.text("B", value)
        elif kind == "v":
            self.text("B", value[0])
            self.value(value[0], value[1])
        elif kind[0] == "a":
            self.array(kind[1:], value)
        else:
            self.pad(8)
            self.values(kind[1:-1], value)


def body(signature, *values, order="<"):
    return bytes(Writer(order).values(signature, values).data)


def message(fields, payload=b"", kind=CALL, serial=1, flags=0, version=1, order="<", letter=None, length=None):
    """`fields`: a dictionary, or a list of (number, (signature, value)). `letter` and `length` are what the
    message says of its byte order and its body, if that is not the truth."""
    if isinstance(fields, dict):
        fields = [(number, (FIELD_TYPES[number], value)) for number, value in fields.items()]
    head = Writer(order)
    letter = letter or ("l" if order == "<" else "B")
    head.values("yyyyuu", (ord(letter), kind, flags, version, len(payload) if length is None else length, serial))
    head.value("a(yv)", fields)
    head.pad(8)
    return bytes(head.data) + payload


class Reader:
    """The little of it that answers need: numbers, texts, and header fields."""

    def __init__(self, data, order):
        self.data, self.order, self.at = data, order, 0

    def number(self, code):
        size = struct.calcsize(code)
        self.at += -self.at % size
        value, = struct.unpack_from(self.order + code, self.data, self.at)
        self.at += size
        return value

    def text(self, code):
        length = self.number(code)
        self.at += length + 1
        return self.data[self.at - length - 1:self.at - 1].decode()

    def fields(self, end):
        found = {}
        while self.at < end:
            self.at += -self.at % 8
            number, kind = self.number("B"), self.text("B")
            found[number] = (self.number(NUMBERS[kind]) if kind in NUMBERS
                             else self.text("B" if kind == "g" else "I"))
        return found


class Answer:
    def __init__(self, kind, fields, payload, order):
        self.kind, self.fields = kind, fields
        self.serial = fields.get(REPLY_SERIAL)
        self.error = fields.get(ERROR_NAME)
        begins_with_text = fields.get(SIGNATURE, "").startswith("s")
        self.text = Reader(payload, order).text("I") if begins_with_text else ""


class Wire:
    """A connection to the bus at a path, as a user, past Hello()."""

    def __init__(self, path, uid=0, seconds=10):
        self.serial = 0
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(seconds)
        os.seteuid(uid)
        try:
            self.sock.connect(path)
            self._authenticate(uid)
        finally:
            os.seteuid(0)
        hello = self.call({DESTINATION: "org.freedesktop.DBus", PATH: "/org/freedesktop/DBus",
                           INTERFACE: "org.freedesktop.DBus", MEMBER: "Hello"})
        self.name = hello.text

    def _authenticate(self, uid):
        self.sock.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        for line, answer in ((b"NEGOTIATE_UNIX_FD\r\n", b"OK"), (b"BEGIN\r\n", b"AGREE_UNIX_FD")):
            got = self._line()
            if not got.startswith(answer):
                raise OSError(f"the bus answered {got!r} instead of {answer!r}")
            self.sock.sendall(line)

    def _line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.sock.recv(1)
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data, fds=()):
        """Whether the bus took it all: it may hang up in the middle of what is wrong."""
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self.sock.sendmsg([data[:4096]], control)
            self.sock.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                return None
            data += more
        return data

    def read(self):
        """The next message; None: the bus has hung up."""
        try:
            head = self._exactly(16)
            if head is None:
                return None
            order = "<" if head[:1] == b"l" else ">"
            length, _, fields = struct.unpack_from(order + "III", head, 4)
            rest = self._exactly(fields + -fields % 8)
            payload = self._exactly(length)
        except ConnectionResetError:
            return None
        if rest is None or payload is None:
            return None
        reader = Reader(head + rest, order)
        reader.at = 16
        return Answer(head[1], reader.fields(16 + fields), payload, order)

    def call(self, fields, payload=b"", fds=(), **kw):
        """The answer to a call; None: the bus has hung up instead."""
        self.serial += 1000  # nothing else that was sent here has such a number
        self.send(message(fields, payload, serial=self.serial, **kw), fds)
        while True:
            answer = self.read()
            if answer is None or answer.serial == self.serial:
                return answer

    def answers(self):
        """All that comes, but signals, until the bus hangs up."""
        return [answer for answer in iter(self.read, None) if answer.kind != SIGNAL]

    def end(self):
        """Says no more, and takes what still comes."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return []
        return self.answers()
