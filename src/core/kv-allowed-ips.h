/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-network.h"

/**
 * KvAllowedIps:
 *
 * Which peer owns an inner address: networks of both families with their owners, the longest
 * match wins. As in WireGuard the one table says where a packet goes, by its destination, and
 * whose sources are believed. Two tries with their paths compressed: a look-up costs as many steps
 * as networks lie within one another on its way, no memory and no lock. One thread at a time.
 */
typedef struct _KvAllowedIps KvAllowedIps;

KvAllowedIps *kv_allowed_ips_new(void) KV_MUST_USE;
void kv_allowed_ips_free(KvAllowedIps *ips);

/**
 * kv_allowed_ips_add:
 * @network: no bit set below its prefix
 * @owner: (not nullable): whose it is from now on; a former owner of exactly this network loses it
 */
void kv_allowed_ips_add(KvAllowedIps *ips, const KvNetwork *network, gpointer owner);

/* Takes away all that @owner has. O(networks). */
void kv_allowed_ips_remove(KvAllowedIps *ips, gpointer owner);

/* (transfer none) (nullable): who owns exactly @network. */
gpointer kv_allowed_ips_get(const KvAllowedIps *ips, const KvNetwork *network);

/* (transfer none) (nullable): whose address it is; @ip in network order, 4 bytes or 16. */
gpointer kv_allowed_ips_find(const KvAllowedIps *ips, gboolean is_ip6, const uint8_t *ip);

/**
 * kv_allowed_ips_find_destination:
 * @packet: (array length=len): an inner packet of a tun interface, hostile
 *
 * Returns: (transfer none) (nullable): who owns where it goes; %NULL also if it is no IP packet.
 */
gpointer kv_allowed_ips_find_destination(const KvAllowedIps *ips, const uint8_t *packet,
                                         size_t len);

/* The same for where it says that it comes from. */
gpointer kv_allowed_ips_find_source(const KvAllowedIps *ips, const uint8_t *packet, size_t len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvAllowedIps, kv_allowed_ips_free)
