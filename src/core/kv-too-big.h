/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-token-bucket.h"
#include "kv-types.h"

#include <stddef.h>

/* The longest answer: IPv6's least MTU, behind an Ethernet header with two VLAN tags. */
#define KV_TOO_BIG_ANSWER_MAX (1280 + 14 + 8)

/**
 * kv_too_big_applies:
 * @packet: (array length=len): an inner packet, hostile, or a super-packet
 * @longest: length of the packet, or of the longest that the super-packet is cut into
 * @mtu: bytes of the IP packet; IPv6 always has 1280
 *
 * Returns: whether it is an IP packet longer than @mtu that nobody may fragment. Any thread.
 */
gboolean kv_too_big_applies(KvVniMode mode, const uint8_t *packet, size_t len, size_t longest,
                            guint mtu);

/**
 * kv_too_big_answer:
 * @packet: (array length=len): as above
 * @bucket: how often such answers may be made
 * @answer: (out caller-allocates) (array fixed-size=1302)
 *
 * Builds what a router says of a packet with no room: "fragmentation needed" (RFC 1191, RFC 1812)
 * or "packet too big" (RFC 4443, RFC 8201), with complete checksums. It comes in the name of where
 * the packet was to go: that address is one that lies behind this interface, which filters of
 * forged sources look at. Any thread.
 *
 * Returns: its length; 0: none may be made: of an error message, a later fragment, something
 *   that is or was for many, or too often.
 */
size_t kv_too_big_answer(KvVniMode mode, const uint8_t *packet, size_t len, guint mtu,
                         KvTokenBucket *bucket, KvTime now, uint8_t *answer);
