/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-types.h"

#include <glib.h>
#include <stdint.h>

#define KV_NETWORK_TEXT_BYTES 50 /* the longest IPv6 text, "/128" and its NUL */

/**
 * KvNetwork: an address of either family, and how much of it names a network.
 */
typedef struct {
    gboolean is_ip6;
    uint8_t ip[16]; /* network order, the first 4 for IPv4; the rest is 0 */
    uint8_t prefix; /* 0 to 32 or 128 */
} KvNetwork;

/* Pure functions; any thread. */

/* 32 or 128: the prefix of a whole address. */
guint kv_network_get_bits(const KvNetwork *network);

/* Reads "192.0.2.1", "2001:db8::1", or either with "/" and a prefix; without one it is the whole
 * address. No spaces, no leading zeros, no zone. */
gboolean kv_network_parse(KvNetwork *network, const char *text) KV_MUST_USE;

/* Writes what kv_network_parse() reads, a prefix only where it is not a whole address. Returns
 * @text. */
const char *kv_network_to_string(const KvNetwork *network, char text[KV_NETWORK_TEXT_BYTES]);

/* Of IPv4, with @prefix from 0 to 32. */
void kv_network_set_ip4(KvNetwork *network, KvIp4 ip, guint prefix);
KvIp4 kv_network_get_ip4(const KvNetwork *network);

/* Whether no bit below the prefix is set. */
gboolean kv_network_is_base(const KvNetwork *network);

/* Clears the bits below the prefix. */
void kv_network_make_base(KvNetwork *network);

/* Whether all of @inner lies in @outer. */
gboolean kv_network_contains(const KvNetwork *outer, const KvNetwork *inner);
gboolean kv_network_equal(const KvNetwork *a, const KvNetwork *b);

/* How many leading bits two addresses of 16 bytes have in common, no more than @max. */
guint kv_network_common_bits(const uint8_t *a, const uint8_t *b, guint max);
