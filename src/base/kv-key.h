/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-secret.h"

#define KV_KEY_BYTES      32
#define KV_KEY_TEXT_BYTES 45 /* base64 with padding, as WireGuard writes keys, and its NUL */

/* Keys of 32 bytes: private and public ones of X25519, and preshared ones. Any thread. */

/* Reads the text form, strictly: 44 characters that stand for 32 bytes in one way only. In time
 * that does not tell what the key is. */
gboolean kv_key_parse(uint8_t key[KV_KEY_BYTES], const char *text) KV_MUST_USE;

/* Writes the text form; the caller wipes @text if it is a secret. Returns @text. */
const char *kv_key_to_string(const uint8_t key[KV_KEY_BYTES], char text[KV_KEY_TEXT_BYTES]);

/* New keys, of the operating system's random source. */
void kv_key_generate_private(uint8_t key[KV_KEY_BYTES]);
void kv_key_generate_preshared(uint8_t key[KV_KEY_BYTES]);

/**
 * kv_key_stretch:
 * @key: (out caller-allocates): 32 bytes that stand for @secret
 *
 * The text form of a key gives that key; any other secret goes through Argon2id, which takes 64 MiB
 * and a tenth of a second, so that guessing it costs as much. Errors: there is no memory.
 */
gboolean kv_key_stretch(uint8_t key[KV_KEY_BYTES], const KvSecret *secret,
                        GError **error) KV_MUST_USE;

/* The public key of a private one. */
void kv_key_get_public(const uint8_t private_key[KV_KEY_BYTES], uint8_t public_key[KV_KEY_BYTES]);

/* Whether @key can be somebody's public key: with a point of small order, whatever the other's
 * private key, the shared one would be known to everybody. */
gboolean kv_key_is_public(const uint8_t key[KV_KEY_BYTES]);

/* For hash tables by public keys. The hash is the first bytes: of a point of a curve, as of
 * anything random, they are as good as any; so it serves for random ids, too. */
guint kv_key_hash(gconstpointer key);
gboolean kv_key_equal(gconstpointer a, gconstpointer b);
