/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <stdint.h>

/**
 * KvRs:
 *
 * Systematic Reed-Solomon code over GF(2^8), polynomial 0x11d, with the matrix of
 * klauspost/reedsolomon: E = V * (top of V)^-1, V[r][c] = r^c. ISA-L does the arithmetic.
 * Immutable but for its cache of decoding matrices: one thread at a time.
 */
typedef struct _KvRs KvRs;

#define KV_RS_SHARDS_MAX 256 /* data and parity together */

/* (nullable): NULL unless both counts are positive and their sum is within the bound. */
KvRs *kv_rs_new(guint data_shards, guint parity_shards) KV_MUST_USE;
void kv_rs_free(KvRs *rs);

guint kv_rs_get_data_shards(const KvRs *rs);
guint kv_rs_get_parity_shards(const KvRs *rs);

/* (transfer none): the data_shards coefficients of parity row @row. */
const uint8_t *kv_rs_get_parity_row(const KvRs *rs, guint row);

/**
 * kv_rs_encode_update:
 * @index: place of the data shard, 0 to data_shards - 1
 * @shard: (array length=len): its bytes; shorter shards count as extended by zeros
 * @parity: (array): parity_shards buffers of at least @len bytes, zero before the first shard
 *
 * Adds one data shard to the parity shards, so that nobody has to keep it. Allocates its tables
 * on the first call only.
 */
void kv_rs_encode_update(KvRs *rs, guint index, const uint8_t *shard, size_t len,
                         uint8_t *const *parity);

/**
 * kv_rs_decode:
 * @shards: (array length=data_shards): the survivors with the lowest places, in ascending order
 * @places: (array length=data_shards): their places, 0 to data_shards + parity_shards - 1
 * @len: bytes of every survivor, already extended by zeros
 * @lost: (array length=n_lost): all data places that are not among @places, in ascending order
 * @out: (array length=n_lost): buffers of @len bytes for them
 *
 * A pattern of losses met for the first time costs O(n_lost^2 * data_shards), one met again
 * mostly nothing: a few are remembered, in memory that is bounded.
 *
 * Returns: %FALSE if places and losses do not fit each other (a bug in the caller).
 */
gboolean kv_rs_decode(KvRs *rs, const uint8_t *const *shards, const uint8_t *places, size_t len,
                      const uint8_t *lost, guint n_lost, uint8_t *const *out) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvRs, kv_rs_free)
