/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-seal.h"

#include "kv-bytes.h"

#include <sodium.h>
#include <string.h>

#define NONCE_BYTES 12
#define N_KEYS      3 /* of the epochs before, at and after the newest counter */

G_STATIC_ASSERT(KV_SEAL_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES);
G_STATIC_ASSERT(KV_SEAL_TAG_BYTES == crypto_aead_aes256gcm_ABYTES);
G_STATIC_ASSERT(KV_SEAL_HEAD_BYTES == crypto_shorthash_siphashx24_BYTES);

/* The key of one epoch, as its cipher wants it. */
typedef union {
    crypto_aead_aes256gcm_state aes; /* first: it wants 16-byte alignment */
    uint8_t chacha[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
} EpochKey;

typedef struct {
    EpochKey keys[N_KEYS]; /* of epoch e at e % N_KEYS */
    uint8_t chain[KV_SEAL_TRAFFIC_BYTES];
} Secrets;

struct _KvSeal {
    KvAead aead;
    uint64_t epoch; /* of the newest counter */
    uint64_t known; /* keys of epochs below are made; the chain stands here */
    Secrets *secrets;
};

gboolean
kv_aead_is_available(KvAead aead)
{
    return aead == KV_AEAD_CHACHA20_POLY1305 || crypto_aead_aes256gcm_is_available();
}

/* --- the head ------------------------------------------------------------------------------- */

/* The tag is as good as random, and different for each datagram. */
static void
mask_head(const KvOuterKeys *keys, const uint8_t *tag, uint8_t head[KV_SEAL_HEAD_BYTES])
{
    uint8_t mask[KV_SEAL_HEAD_BYTES];

    crypto_shorthash_siphashx24(mask, tag, KV_SEAL_TAG_BYTES, keys->head);
    for (guint i = 0; i < sizeof mask; i++)
        head[i] ^= mask[i];
}

static void
make_check(const uint8_t *token, uint64_t counter, const uint8_t *tag, uint8_t check[4])
{
    uint8_t text[8 + KV_SEAL_TAG_BYTES];
    uint8_t hash[crypto_shorthash_siphash24_BYTES];

    kv_put_le64(text, counter);
    memcpy(text + 8, tag, KV_SEAL_TAG_BYTES);
    crypto_shorthash_siphash24(hash, text, sizeof text, token);
    memcpy(check, hash, 4);
}

gboolean
kv_seal_read_head(const KvOuterKeys *keys, const uint8_t *datagram, size_t len, KvSealHead *head)
{
    uint8_t bytes[KV_SEAL_HEAD_BYTES];

    if (len < KV_SEAL_OVERHEAD)
        return FALSE;
    memcpy(bytes, datagram, sizeof bytes);
    mask_head(keys, datagram + len - KV_SEAL_TAG_BYTES, bytes);
    head->index = kv_get_le32(bytes);
    head->counter = kv_get_le64(bytes + 4);
    memcpy(head->check, bytes + 12, sizeof head->check);
    return TRUE;
}

gboolean
kv_seal_check(const KvSealHead *head, const uint8_t token[KV_SEAL_TOKEN_BYTES],
              const uint8_t *datagram, size_t len)
{
    uint8_t check[sizeof head->check];

    make_check(token, head->counter, datagram + len - KV_SEAL_TAG_BYTES, check);
    return sodium_memcmp(check, head->check, sizeof check) == 0;
}

/* --- keys ----------------------------------------------------------------------------------- */

static void
derive(const uint8_t chain[KV_SEAL_TRAFFIC_BYTES], const char *label,
       uint8_t out[KV_SEAL_TRAFFIC_BYTES])
{
    crypto_generichash(out, KV_SEAL_TRAFFIC_BYTES, (const uint8_t *) label, strlen(label), chain,
                       KV_SEAL_TRAFFIC_BYTES);
}

/* Makes the key of the next epoch, over that of three epochs before. */
static void
make_next_key(KvSeal *seal)
{
    EpochKey *key = &seal->secrets->keys[seal->known % N_KEYS];
    uint8_t bytes[KV_SEAL_TRAFFIC_BYTES];
    uint8_t chain[KV_SEAL_TRAFFIC_BYTES];

    derive(seal->secrets->chain, "kcpvpn1 key", bytes);
    if (seal->aead == KV_AEAD_AES_256_GCM)
        crypto_aead_aes256gcm_beforenm(&key->aes, bytes);
    else
        memcpy(key->chacha, bytes, sizeof key->chacha);
    derive(seal->secrets->chain, "kcpvpn1 next", chain);
    memcpy(seal->secrets->chain, chain, sizeof chain);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(chain, sizeof chain);
    seal->known++;
}

/* A true counter of @epoch was there: keys up to the next epoch, and none before the last. */
static void
move_to(KvSeal *seal, uint64_t epoch)
{
    if (epoch <= seal->epoch)
        return;
    seal->epoch = epoch;
    while (seal->known <= epoch + 1)
        make_next_key(seal);
}

/* (nullable): the key for @counter, if it is one of the three. */
static const EpochKey *
find_key(const KvSeal *seal, uint64_t counter)
{
    uint64_t epoch = counter >> KV_SEAL_EPOCH_BITS;

    if (epoch >= seal->known || epoch + 1 < seal->epoch || counter >= KV_SEAL_COUNTER_MAX)
        return NULL;
    return &seal->secrets->keys[epoch % N_KEYS];
}

KvSeal *
kv_seal_new(KvAead aead, const uint8_t traffic[KV_SEAL_TRAFFIC_BYTES])
{
    KvSeal *seal = g_new0(KvSeal, 1);

    g_assert(kv_aead_is_available(aead));
    seal->aead = aead;
    seal->secrets = g_aligned_alloc0(1, sizeof *seal->secrets, 16);
    derive(traffic, "kcpvpn1 chain", seal->secrets->chain);
    make_next_key(seal);
    make_next_key(seal);
    return seal;
}

void
kv_seal_free(KvSeal *seal)
{
    if (seal == NULL)
        return;
    sodium_memzero(seal->secrets, sizeof *seal->secrets);
    g_aligned_free(seal->secrets);
    g_free(seal);
}

/* --- datagrams ------------------------------------------------------------------------------ */

static void
make_nonce(uint64_t counter, uint8_t nonce[NONCE_BYTES])
{
    memset(nonce, 0, 4);
    kv_put_le64(nonce + 4, counter);
}

size_t
kv_seal_write(KvSeal *seal, const KvOuterKeys *keys, const KvSealHead *head,
              const uint8_t token[KV_SEAL_TOKEN_BYTES], uint8_t *datagram, size_t len)
{
    uint8_t *text = datagram + KV_SEAL_HEAD_BYTES;
    uint8_t *tag = text + len;
    uint8_t nonce[NONCE_BYTES];
    const EpochKey *key;

    move_to(seal, head->counter >> KV_SEAL_EPOCH_BITS);
    key = find_key(seal, head->counter);
    g_assert(key != NULL);
    make_nonce(head->counter, nonce);
    if (seal->aead == KV_AEAD_AES_256_GCM)
        crypto_aead_aes256gcm_encrypt_afternm(text, NULL, text, len, NULL, 0, NULL, nonce,
                                              &key->aes);
    else
        crypto_aead_chacha20poly1305_ietf_encrypt(text, NULL, text, len, NULL, 0, NULL, nonce,
                                                  key->chacha);
    kv_put_le32(datagram, head->index);
    kv_put_le64(datagram + 4, head->counter);
    make_check(token, head->counter, tag, datagram + 12);
    mask_head(keys, tag, datagram);
    return len + KV_SEAL_OVERHEAD;
}

gboolean
kv_seal_read(KvSeal *seal, uint64_t counter, const uint8_t *datagram, size_t len, uint8_t *plain)
{
    const EpochKey *key = find_key(seal, counter);
    const uint8_t *sealed = datagram + KV_SEAL_HEAD_BYTES;
    uint8_t nonce[NONCE_BYTES];
    int result;

    if (key == NULL || len < KV_SEAL_OVERHEAD)
        return FALSE;
    len -= KV_SEAL_HEAD_BYTES;
    make_nonce(counter, nonce);
    if (seal->aead == KV_AEAD_AES_256_GCM)
        result = crypto_aead_aes256gcm_decrypt_afternm(plain, NULL, NULL, sealed, len, NULL, 0,
                                                       nonce, &key->aes);
    else
        result = crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, len, NULL, 0,
                                                           nonce, key->chacha);
    if (result != 0)
        return FALSE;
    move_to(seal, counter >> KV_SEAL_EPOCH_BITS);
    return TRUE;
}
