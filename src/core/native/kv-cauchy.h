/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "native/kv-item.h"

/**
 * The code of the native protocol's groups (docs/protocol.md, section 10): parity p is the sum over
 * data d of symbol_d / ((255 - p) + d) in GF(2^8), polynomial 0x11d. Nothing here depends on how
 * many data or parity shards there are, so both may change with each group. ISA-L does the
 * arithmetic. Symbols may have different lengths: shorter ones count as extended by zeros.
 */

/**
 * kv_cauchy_encode:
 * @data: place of the symbol among the data shards, below %KV_GROUP_SHARDS_MAX
 * @sums: (array length=n): parities 0 to @n - 1, at least @len bytes each; at most
 *   %KV_GROUP_PARITY_MAX
 *
 * Adds one symbol to the parities.
 */
void kv_cauchy_encode(guint data, const uint8_t *symbol, size_t len, uint8_t *const *sums, guint n);

/* Which data shards are missing, and which parity shards make up for them: as many. */
typedef struct {
    guint n;
    uint8_t lost[KV_GROUP_PARITY_MAX];   /* places among the data shards */
    uint8_t parity[KV_GROUP_PARITY_MAX]; /* places among the parity shards */
    uint8_t scale[KV_GROUP_PARITY_MAX];  /* of the lost ones, by kv_cauchy_solve() */
} KvCauchy;

/* Prepares @cauchy, of which all but @scale is filled in. Costs O(n^2). */
void kv_cauchy_solve(KvCauchy *cauchy);

/**
 * kv_cauchy_add_data:
 * @out: (array): for each lost shard a buffer, at first zero, as long as the longest symbol
 *
 * Adds a data shard that came; kv_cauchy_add_parity() adds the one at @cauchy's parity[i]. Once all
 * data that came and all these parities were added, in any order, @out has the lost symbols.
 */
void kv_cauchy_add_data(const KvCauchy *cauchy, guint data, const uint8_t *symbol, size_t len,
                        uint8_t *const *out);
void kv_cauchy_add_parity(const KvCauchy *cauchy, guint i, const uint8_t *symbol, size_t len,
                          uint8_t *const *out);
