/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>
#include <stdint.h>

#define KV_IP6_BYTES 16

/**
 * KvAddrPool6:
 *
 * What #KvAddrPool is, of IPv6: every address of "ADDRESS/PREFIX" or "FIRST-LAST", both ends
 * included, lowest free first; but of a network shorter than /127 not the first, which is that of
 * all its routers (RFC 4291). Without a specification it lets clients choose any address that a
 * host may have and no other client has. Addresses are in network order. One thread at a time.
 *
 * Memory and time depend on the number of addresses in use, not on the size of the pool.
 */
typedef struct _KvAddrPool6 KvAddrPool6;

/**
 * kv_addr_pool6_new:
 * @spec: (nullable): NULL for "clients choose"; multicast addresses are not allowed
 *
 * Returns: (nullable): NULL and %KV_ERROR_INVALID_SETTING for an invalid specification.
 */
KvAddrPool6 *kv_addr_pool6_new(const char *spec, GError **error) KV_MUST_USE;
void kv_addr_pool6_free(KvAddrPool6 *pool);

/* Whether there was a specification: if not, kv_addr_pool6_lease() has nothing. */
gboolean kv_addr_pool6_has_spec(const KvAddrPool6 *pool);

/* Takes @ip out for good; fine if it is not inside. */
void kv_addr_pool6_exclude(KvAddrPool6 *pool, const uint8_t ip[KV_IP6_BYTES]);

/* Lowest free address into @ip; %FALSE: none left, or clients choose. */
gboolean kv_addr_pool6_lease(KvAddrPool6 *pool, uint8_t ip[KV_IP6_BYTES]);

/* Takes exactly @ip; %FALSE if it is none of a host, outside, excluded or taken. */
gboolean kv_addr_pool6_lease_exact(KvAddrPool6 *pool, const uint8_t ip[KV_IP6_BYTES]);

/* Gives @ip back; unknown ones are fine. */
void kv_addr_pool6_release(KvAddrPool6 *pool, const uint8_t ip[KV_IP6_BYTES]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvAddrPool6, kv_addr_pool6_free)
