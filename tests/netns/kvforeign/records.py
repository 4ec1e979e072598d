# SPDX-License-Identifier: GPL-2.0-or-later
"""Section 5: what the ends of a handshake, and control batches, tell each other."""
import ipaddress
import struct
from enum import IntEnum


class Type(IntEnum):
    PADDING = 0
    CLIENT_ID = 1
    MODE = 2
    MTU = 3
    CIPHERS = 4
    WINDOW = 5
    DATAGRAM = 6
    KEEPALIVE = 7
    ASSOCIATION = 8
    RESET = 9
    WANT4 = 10
    WANT6 = 11
    ADDRESS4 = 12
    ADDRESS6 = 13
    GATEWAY4 = 14
    GATEWAY6 = 15
    ROUTE4 = 16
    ROUTE6 = 17
    DNS4 = 18
    DNS6 = 19
    DOMAIN = 20
    BANNER = 21
    MORE = 22
    REFUSED = 23
    LAST_NUMBER = 24
    CAPABILITIES = 25


LISTS = {Type.PADDING, *range(Type.WANT4, Type.ADDRESS6 + 1), *range(Type.ROUTE4, Type.DOMAIN + 1)}
LIST_MAX = 4096
NUMBERS = {Type.MODE: "<B", Type.MTU: "<H", Type.WINDOW: "<I", Type.DATAGRAM: "<H", Type.KEEPALIVE: "<H",
           Type.LAST_NUMBER: "<Q", Type.CAPABILITIES: "<I"}
LEAST = {Type.MTU: 68, Type.WINDOW: 1, Type.DATAGRAM: 1232}
TAKES_PARITY = 1


class NotAllowed(Exception):
    """A record that the table does not allow"""


def number(kind, value):
    return kind, struct.pack(NUMBERS[kind], value)


def build(rows):
    """Bytes of (type, value) pairs"""
    return b"".join(struct.pack("<BH", kind, len(value)) + value for kind, value in rows)


def padding(size):
    """Padding of that many bytes in all: one or two bytes are too few for a record, so none"""
    return build([(Type.PADDING, bytes(size - 3))]) if size >= 3 else b""


def _read_ip(size, with_prefix):
    def read(value):
        if len(value) < size + with_prefix:
            raise NotAllowed("an address too short")
        if not with_prefix:
            return ipaddress.ip_address(value[:size])
        if value[size] > size * 8:
            raise NotAllowed("a prefix too long")
        return ipaddress.ip_interface((value[:size], value[size]))
    return read


def _read_number(kind):
    def read(value):
        size = struct.calcsize(NUMBERS[kind])
        if len(value) < size:
            raise NotAllowed(f"{kind.name} is too short")
        number_ = struct.unpack(NUMBERS[kind], value[:size])[0]
        if number_ < LEAST.get(kind, 0) or (kind == Type.MODE and number_ > 1):
            raise NotAllowed(f"{kind.name} is {number_}")
        return number_
    return read


def _read_token(value):
    if len(value) < 16:
        raise NotAllowed("shorter than 16 bytes")
    return value[:16]


def _read_domain(value):
    if len(value) < 2 or value[0] > 1 or len(value) > 254:
        raise NotAllowed("no domain")
    return bool(value[0]), value[1:].decode("ascii")


def _read_refusal(value):
    if not value or not value[0] or len(value) > 513:
        raise NotAllowed("no reason")
    return value[0], value[1:].decode("utf-8")


def _read_text(value):
    if len(value) > 512:
        raise NotAllowed("a text too long")
    return value.decode("utf-8")


READERS = {
    **{kind: _read_number(kind) for kind in NUMBERS},
    Type.CIPHERS: lambda value: value[0] if value else None,
    Type.ASSOCIATION: _read_token,
    Type.RESET: _read_token,
    Type.ADDRESS4: _read_ip(4, True),
    Type.ADDRESS6: _read_ip(16, True),
    Type.GATEWAY4: _read_ip(4, False),
    Type.GATEWAY6: _read_ip(16, False),
    Type.ROUTE4: _read_ip(4, True),
    Type.ROUTE6: _read_ip(16, True),
    Type.DNS4: _read_ip(4, False),
    Type.DNS6: _read_ip(16, False),
    Type.DOMAIN: _read_domain,
    Type.BANNER: _read_text,
    Type.MORE: lambda _: True,
    Type.REFUSED: _read_refusal,
}


def parse(data):
    """{type: value, or list of values} of what a responder says"""
    out = {}
    at = 0
    while at < len(data):
        if at + 3 > len(data):
            raise NotAllowed("a record too short")
        kind, length = struct.unpack_from("<BH", data, at)
        value = data[at + 3:at + 3 + length]
        at += 3 + length
        if len(value) < length:
            raise NotAllowed("a record longer than what is there")
        if kind in READERS:
            _add(out, Type(kind), value)
    return out


def _add(out, kind, value):
    takes_back = Type.WANT4 <= kind <= Type.DOMAIN and not value
    try:
        read = None if takes_back else READERS[kind](value)
    except UnicodeDecodeError:
        raise NotAllowed(f"{kind.name} is no text") from None
    if kind in LISTS:
        rows = out.setdefault(kind, [])
        if len(rows) == LIST_MAX:
            raise NotAllowed(f"more than {LIST_MAX} of {kind.name}")
        if not takes_back:
            rows.append(read)
    elif kind in out:
        raise NotAllowed(f"a second {kind.name}")
    else:
        out[kind] = read
