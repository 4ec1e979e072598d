/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/**
 * KvV1Tea:
 *
 * TEA and XTEA, which no library at hand has, in full-block CFB. Both read and write big-endian
 * words. Immutable once prepared, so any thread may use it.
 */
#define KV_V1_TEA_KEY_BYTES   16
#define KV_V1_TEA_BLOCK_BYTES 8

typedef struct {
    uint32_t key[4];
    gboolean extended; /* XTEA, 32 cycles; else TEA with the 8 cycles that v1 uses */
} KvV1Tea;

void kv_v1_tea_init(KvV1Tea *tea, gboolean extended, const uint8_t key[KV_V1_TEA_KEY_BYTES]);

/* @out may be @in itself; a last short block uses the leading bytes of its key stream. */
void kv_v1_tea_encrypt(const KvV1Tea *tea, const uint8_t iv[KV_V1_TEA_BLOCK_BYTES],
                       const uint8_t *in, uint8_t *out, size_t len);
void kv_v1_tea_decrypt(const KvV1Tea *tea, const uint8_t iv[KV_V1_TEA_BLOCK_BYTES],
                       const uint8_t *in, uint8_t *out, size_t len);
