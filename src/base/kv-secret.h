/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>
#include <stdint.h>

/**
 * KvSecret:
 *
 * Bytes nobody else may see, in memory that is locked against swapping, left out of core dumps
 * and wiped when freed (libsodium's guarded allocations). Immutable once made, so any thread
 * may read it.
 */
typedef struct _KvSecret KvSecret;

/**
 * kv_secret_new:
 * @data: (array length=len): the bytes, copied
 * @len: 0 to 4096
 *
 * Returns: (transfer full): the secret; free with kv_secret_free(). Aborts when no guarded
 * memory is to be had, as g_malloc() does.
 */
KvSecret *kv_secret_new(const void *data, size_t len) KV_MUST_USE;
KvSecret *kv_secret_copy(const KvSecret *secret) KV_MUST_USE;

/* Wipes and frees @secret; NULL is fine. */
void kv_secret_free(KvSecret *secret);

/* (transfer none): the bytes, valid as long as @secret. */
const uint8_t *kv_secret_get_data(const KvSecret *secret);
size_t kv_secret_get_length(const KvSecret *secret);

/* Whether both hold the same bytes, in constant time for equal lengths. */
gboolean kv_secret_equal(const KvSecret *a, const KvSecret *b);

/* Overwrites a string in place, in a way no compiler removes; NULL is fine. */
void kv_secret_wipe_string(char *string);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSecret, kv_secret_free)
