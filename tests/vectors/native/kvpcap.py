# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads UDP datagrams out of a file of libpcap."""
import struct
from collections import namedtuple

Datagram = namedtuple("Datagram", "time source target data")  # addresses are (16 bytes, port)

MAPPED = bytes(10) + b"\xff\xff"
LINK_HEADS = {1: 14, 101: 0, 113: 16, 276: 20}  # Ethernet, raw IP, and the two of Linux for "any"


def _udp(packet):
    """(source, target, payload), or None"""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20 and packet[9] == 17 and not struct.unpack_from(">H", packet, 6)[0] & 0x3fff:
        start, addresses = 4 * (packet[0] & 15), [MAPPED + packet[12:16], MAPPED + packet[16:20]]
    elif version == 6 and len(packet) >= 40 and packet[6] == 17:
        start, addresses = 40, [packet[8:24], packet[24:40]]
    else:
        return None
    source, target, size = struct.unpack_from(">HHH", packet, start)
    return (addresses[0], source), (addresses[1], target), packet[start + 8:start + size]


def read(path):
    """All datagrams of the file, in its order; what is cut short or no UDP is passed over."""
    with open(path, "rb") as file:
        data = file.read()
    magic, = struct.unpack_from("<I", data)
    order, unit = {0xa1b2c3d4: ("<", 1e6), 0xa1b23c4d: ("<", 1e9), 0xd4c3b2a1: (">", 1e6), 0x4d3cb2a1: (">", 1e9)}[magic]
    head = LINK_HEADS[struct.unpack_from(order + "I", data, 20)[0]]
    out, at = [], 24
    while at + 16 <= len(data):
        seconds, fraction, kept, size = struct.unpack_from(order + "IIII", data, at)
        found = _udp(data[at + 16 + head:at + 16 + kept]) if kept == size else None
        if found:
            out.append(Datagram(seconds + fraction / unit, *found))
        at += 16 + kept
    return out
