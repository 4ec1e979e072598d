/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-random.h"
#include "kv-time.h"

#define KV_RATE_KEY_BYTES 32

/**
 * KvRateTable:
 *
 * How often each of many may: a rate and a burst for each key, the same for all. Keys are
 * forgotten once they have their whole burst again; where there are too many, the one that asked
 * longest ago is. One thread at a time.
 */
typedef struct _KvRateTable KvRateTable;

/* @max: of keys; @interval: between two of a key in the long run; @burst: at least 1. */
KvRateTable *kv_rate_table_new(guint max, KvTime interval, guint burst,
                               const KvRandom *random) KV_MUST_USE;
void kv_rate_table_free(KvRateTable *table);

/* Whether @key may once more; then that is counted. */
gboolean kv_rate_table_take(KvRateTable *table, const uint8_t key[KV_RATE_KEY_BYTES],
                            KvTime now) KV_MUST_USE;

/* Whether @key might once more, if it was asked for now. */
gboolean kv_rate_table_may(const KvRateTable *table, const uint8_t key[KV_RATE_KEY_BYTES],
                           KvTime now);

/* Of keys that are not forgotten. */
guint kv_rate_table_get_length(const KvRateTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvRateTable, kv_rate_table_free)
