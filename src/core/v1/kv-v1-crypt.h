/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-types.h"
#include "v1/kv-v1-wire.h"

#include <stdint.h>

/**
 * KvV1Crypt:
 *
 * The datagram layer of v1: nonce (16 bytes), CRC-32 (4 bytes), payload, all under one of 13
 * ciphers with a fixed IV. It has no authentication beyond the CRC and no replay protection;
 * nothing that comes out of it may be believed further than that.
 *
 * Holds cipher state, so one thread at a time: each worker has its own.
 */
typedef struct _KvV1Crypt KvV1Crypt;

/**
 * kv_v1_derive_key:
 * @salt: ASCII; %KV_V1_SALT, or "kcp-go" to talk to kcptun
 * @key: (out caller-allocates): %KV_V1_KEY_BYTES bytes
 *
 * PBKDF2-HMAC-SHA1, 4096 iterations. Takes milliseconds: not on a worker. Any thread. Sets
 * %KV_ERROR_NOT_SUPPORTED if the library refuses (FIPS).
 */
gboolean kv_v1_derive_key(const uint8_t *secret, size_t secret_len, const char *salt,
                          uint8_t key[KV_V1_KEY_BYTES], GError **error) KV_MUST_USE;

/**
 * kv_v1_crypt_new:
 * @key: a prefix of it serves ciphers with shorter keys; copied, and wiped with the object
 *
 * Sets %KV_ERROR_NOT_SUPPORTED if the library lacks the cipher or the system's policy (FIPS)
 * forbids it.
 */
KvV1Crypt *kv_v1_crypt_new(KvCipher cipher, const uint8_t key[KV_V1_KEY_BYTES],
                           GError **error) KV_MUST_USE;
void kv_v1_crypt_free(KvV1Crypt *crypt);

/**
 * kv_v1_crypt_seal:
 * @datagram: the nonce in bytes 0..15, the payload from byte 20 on
 * @len: whole length, 20 to %KV_V1_DATAGRAM_MAX
 *
 * Writes the CRC and encrypts, all in place.
 */
void kv_v1_crypt_seal(KvV1Crypt *crypt, uint8_t *datagram, size_t len);

/**
 * kv_v1_crypt_open:
 * @wire: what came from the network
 * @plain: (out caller-allocates): @len bytes, may be @wire itself
 *
 * Returns: whether the CRC holds and @len is a datagram's; @plain is worthless if not.
 */
gboolean kv_v1_crypt_open(KvV1Crypt *crypt, const uint8_t *wire, uint8_t *plain,
                          size_t len) KV_MUST_USE;

/* (transfer none): the name users write, such as "aes-128". */
const char *kv_cipher_to_string(KvCipher cipher);

/* Whether @cipher is one nobody should choose today: none, xor and the 64-bit blocks. */
gboolean kv_cipher_is_weak(KvCipher cipher);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvV1Crypt, kv_v1_crypt_free)
