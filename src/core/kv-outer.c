/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-outer.h"

#include <sodium.h>
#include <string.h>

#define MAC1 KV_OUTER_NONCE_BYTES
#define MAC2 (MAC1 + KV_OUTER_MAC_BYTES)
#define BODY KV_OUTER_HEAD_BYTES

G_STATIC_ASSERT(KV_OUTER_NONCE_BYTES == crypto_stream_xchacha20_NONCEBYTES);
G_STATIC_ASSERT(KV_OUTER_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
G_STATIC_ASSERT(KV_OUTER_MAC_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES);

static void
derive(uint8_t *key, size_t len, const uint8_t *outer, const char *label)
{
    crypto_generichash(key, len, (const uint8_t *) label, strlen(label), outer, KV_OUTER_KEY_BYTES);
}

void
kv_outer_keys_derive(KvOuterKeys *keys, const uint8_t outer[KV_OUTER_KEY_BYTES])
{
    derive(keys->mac1, sizeof keys->mac1, outer, "kcpvpn1 mac1");
    derive(keys->mask, sizeof keys->mask, outer, "kcpvpn1 mask");
    derive(keys->cookie, sizeof keys->cookie, outer, "kcpvpn1 cookie");
    derive(keys->head, sizeof keys->head, outer, "kcpvpn1 head");
}

/* Over the nonce, the first @head bytes behind it, and the masked body. */
static void
authenticate(const uint8_t *key, size_t key_len, const uint8_t *datagram, size_t len, size_t head,
             uint8_t mac[KV_OUTER_MAC_BYTES])
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, key, key_len, KV_OUTER_MAC_BYTES);
    crypto_generichash_update(&state, datagram, KV_OUTER_NONCE_BYTES + head);
    crypto_generichash_update(&state, datagram + BODY, len - BODY);
    crypto_generichash_final(&state, mac, KV_OUTER_MAC_BYTES);
}

static void
make_mac1(const KvOuterKeys *keys, const uint8_t *datagram, size_t len,
          uint8_t mac[KV_OUTER_MAC_BYTES])
{
    authenticate(keys->mac1, sizeof keys->mac1, datagram, len, 0, mac);
}

static void
make_mac2(const uint8_t *cookie, const uint8_t *datagram, size_t len,
          uint8_t mac[KV_OUTER_MAC_BYTES])
{
    authenticate(cookie, KV_OUTER_COOKIE_BYTES, datagram, len, KV_OUTER_MAC_BYTES, mac);
}

void
kv_outer_seal(const KvOuterKeys *keys, uint8_t *datagram, size_t len, const uint8_t *cookie,
              const KvRandom *random)
{
    g_assert(len > BODY);
    kv_random_fill(random, datagram, KV_OUTER_NONCE_BYTES);
    crypto_stream_xchacha20_xor(datagram + BODY, datagram + BODY, len - BODY, datagram, keys->mask);
    make_mac1(keys, datagram, len, datagram + MAC1);
    if (cookie != NULL)
        make_mac2(cookie, datagram, len, datagram + MAC2);
    else
        kv_random_fill(random, datagram + MAC2, KV_OUTER_MAC_BYTES);
}

gboolean
kv_outer_check(const KvOuterKeys *keys, const uint8_t *datagram, size_t len)
{
    uint8_t mac[KV_OUTER_MAC_BYTES];

    if (len <= BODY)
        return FALSE;
    make_mac1(keys, datagram, len, mac);
    return sodium_memcmp(mac, datagram + MAC1, sizeof mac) == 0;
}

gboolean
kv_outer_check_cookie(const uint8_t *datagram, size_t len,
                      const uint8_t cookie[KV_OUTER_COOKIE_BYTES])
{
    uint8_t mac[KV_OUTER_MAC_BYTES];

    make_mac2(cookie, datagram, len, mac);
    return sodium_memcmp(mac, datagram + MAC2, sizeof mac) == 0;
}

void
kv_outer_unmask(const KvOuterKeys *keys, const uint8_t *datagram, size_t len, uint8_t *body)
{
    crypto_stream_xchacha20_xor(body, datagram + BODY, len - BODY, datagram, keys->mask);
}

const uint8_t *
kv_outer_get_mac1(const uint8_t *datagram)
{
    return datagram + MAC1;
}

size_t
kv_outer_write_reply(const KvOuterKeys *keys, const uint8_t *initiation,
                     const uint8_t cookie[KV_OUTER_COOKIE_BYTES], guint padding, uint8_t *reply,
                     const KvRandom *random)
{
    uint8_t text[KV_OUTER_REPLY_MAX - KV_OUTER_REPLY_MIN + KV_OUTER_COOKIE_BYTES] = {0};

    g_assert(padding <= KV_OUTER_REPLY_MAX - KV_OUTER_REPLY_MIN);
    memcpy(text, cookie, KV_OUTER_COOKIE_BYTES);
    kv_random_fill(random, reply, KV_OUTER_NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        reply + KV_OUTER_NONCE_BYTES, NULL, text, KV_OUTER_COOKIE_BYTES + padding,
        kv_outer_get_mac1(initiation), KV_OUTER_MAC_BYTES, NULL, reply, keys->cookie);
    return KV_OUTER_REPLY_MIN + padding;
}

gboolean
kv_outer_read_reply(const KvOuterKeys *keys, const uint8_t *mac1, const uint8_t *datagram,
                    size_t len, uint8_t cookie[KV_OUTER_COOKIE_BYTES])
{
    uint8_t text[KV_OUTER_REPLY_MAX];

    if (len < KV_OUTER_REPLY_MIN || len > KV_OUTER_REPLY_MAX)
        return FALSE;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            text, NULL, NULL, datagram + KV_OUTER_NONCE_BYTES, len - KV_OUTER_NONCE_BYTES, mac1,
            KV_OUTER_MAC_BYTES, datagram, keys->cookie) != 0)
        return FALSE;
    memcpy(cookie, text, KV_OUTER_COOKIE_BYTES);
    return TRUE;
}
