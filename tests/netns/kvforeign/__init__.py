# SPDX-License-Identifier: GPL-2.0-or-later
"""A native client written from docs/protocol.md alone, in Python: of all that is known of that page elsewhere here it uses
the primitives of libsodium (kvsodium). Slow, and complete but for tap and what client.py names: what it does is what
somebody else's client has to do.

From below: noise, keys (2), handshake (4, 6), records (5), transport (7), frames (9), groups (10), arq (11), lanes (9),
control (9), association (8), client (8). The numbers are the sections of that page.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../vectors/native"))
