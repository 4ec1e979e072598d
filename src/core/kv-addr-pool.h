/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-types.h"

/**
 * KvAddrPool:
 *
 * The addresses a server may give to its clients: every address of "a.b.c.d/prefix",
 * "a.b.c.d/mask" or "from-to", both ends included, lowest free first; 0.0.0.0 alone is never
 * among them. Without a specification it lets clients choose any address that no other client
 * has. One thread at a time.
 *
 * Memory and time depend on the number of addresses in use, not on the size of the pool: every
 * call costs O(log n) of that at most, but for stepping over addresses clients chose themselves.
 */
typedef struct _KvAddrPool KvAddrPool;

/**
 * kv_addr_pool_new:
 * @spec: (nullable): NULL for "clients choose"; octets are decimal, without leading zeros
 *
 * Returns: (nullable): NULL and %KV_ERROR_INVALID_SETTING for an invalid specification.
 */
KvAddrPool *kv_addr_pool_new(const char *spec, GError **error) KV_MUST_USE;
void kv_addr_pool_free(KvAddrPool *pool);

/* Takes @ip out for good (the server's own address); fine if it is not inside. */
void kv_addr_pool_exclude(KvAddrPool *pool, KvIp4 ip);

/* Lowest free address into @ip; %FALSE: none left. Without a specification 0, always. */
gboolean kv_addr_pool_lease(KvAddrPool *pool, KvIp4 *ip);

/* Takes exactly @ip; %FALSE if it is 0, outside, excluded or taken. */
gboolean kv_addr_pool_lease_exact(KvAddrPool *pool, KvIp4 ip);

/* Gives @ip back; 0 and unknown ones are fine. */
void kv_addr_pool_release(KvAddrPool *pool, KvIp4 ip);

/* Number of addresses that can be leased in all, excluded ones not counted; 0: clients choose. */
uint64_t kv_addr_pool_get_size(const KvAddrPool *pool);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvAddrPool, kv_addr_pool_free)
