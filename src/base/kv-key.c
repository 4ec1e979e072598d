/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-key.h"

#include "kv-error.h"

#include <sodium.h>
#include <string.h>

/* docs/protocol.md, section 2. */
#define STRETCH_BYTES (64 * 1024 * 1024)

G_STATIC_ASSERT(KV_KEY_TEXT_BYTES ==
                sodium_base64_ENCODED_LEN(KV_KEY_BYTES, sodium_base64_VARIANT_ORIGINAL));

gboolean
kv_key_parse(uint8_t key[KV_KEY_BYTES], const char *text)
{
    char again[KV_KEY_TEXT_BYTES];
    size_t len = 0;
    gboolean same;

    if (strlen(text) != KV_KEY_TEXT_BYTES - 1 ||
        sodium_base642bin(key, KV_KEY_BYTES, text, KV_KEY_TEXT_BYTES - 1, NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != KV_KEY_BYTES)
        return FALSE;
    /* Bits of the last character that stand for nothing must be zero. */
    kv_key_to_string(key, again);
    same = sodium_memcmp(again, text, KV_KEY_TEXT_BYTES - 1) == 0;
    sodium_memzero(again, sizeof again);
    return same;
}

const char *
kv_key_to_string(const uint8_t key[KV_KEY_BYTES], char text[KV_KEY_TEXT_BYTES])
{
    return sodium_bin2base64(text, KV_KEY_TEXT_BYTES, key, KV_KEY_BYTES,
                             sodium_base64_VARIANT_ORIGINAL);
}

void
kv_key_generate_private(uint8_t key[KV_KEY_BYTES])
{
    randombytes_buf(key, KV_KEY_BYTES);
    /* RFC 7748, section 5: what every use of the key does to it. */
    key[0] &= 248;
    key[31] = (key[31] & 127) | 64;
}

void
kv_key_generate_preshared(uint8_t key[KV_KEY_BYTES])
{
    randombytes_buf(key, KV_KEY_BYTES);
}

gboolean
kv_key_stretch(uint8_t key[KV_KEY_BYTES], const KvSecret *secret, GError **error)
{
    static const char salt_text[] = "kcpvpn1 secret";
    const char *data = (const char *) kv_secret_get_data(secret);
    size_t len = kv_secret_get_length(secret);
    uint8_t salt[crypto_pwhash_SALTBYTES];
    char text[KV_KEY_TEXT_BYTES] = {0};
    gboolean is_key = FALSE;

    if (len == KV_KEY_TEXT_BYTES - 1) {
        memcpy(text, data, len);
        is_key = kv_key_parse(key, text);
        sodium_memzero(text, sizeof text);
    }
    if (is_key)
        return TRUE;
    crypto_generichash(salt, sizeof salt, (const uint8_t *) salt_text, strlen(salt_text), NULL, 0);
    if (crypto_pwhash(key, KV_KEY_BYTES, data, len, salt, 2, STRETCH_BYTES,
                      crypto_pwhash_ALG_ARGON2ID13) == 0)
        return TRUE;
    g_set_error_literal(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                        "no memory is left to make a key of the secret");
    return FALSE;
}

void
kv_key_get_public(const uint8_t private_key[KV_KEY_BYTES], uint8_t public_key[KV_KEY_BYTES])
{
    /* It cannot fail: the base point is of large order. */
    if (crypto_scalarmult_base(public_key, private_key) != 0)
        g_assert_not_reached();
}

gboolean
kv_key_is_public(const uint8_t key[KV_KEY_BYTES])
{
    static const uint8_t any_private[KV_KEY_BYTES] = {1};
    uint8_t shared[KV_KEY_BYTES];

    /* libsodium refuses what comes to zero, as points of small order do. */
    return crypto_scalarmult(shared, any_private, key) == 0;
}

guint
kv_key_hash(gconstpointer key)
{
    guint hash;

    memcpy(&hash, key, sizeof hash);
    return hash;
}

gboolean
kv_key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, KV_KEY_BYTES) == 0;
}
