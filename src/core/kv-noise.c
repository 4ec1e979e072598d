/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-noise.h"

#include "kv-bytes.h"

#include <sodium.h>
#include <string.h>

#define HASH_BYTES  64
#define BLOCK_BYTES 128 /* of BLAKE2b, for HMAC */
#define N_MESSAGES  2

G_STATIC_ASSERT(KV_NOISE_KEY_BYTES == crypto_scalarmult_BYTES);
G_STATIC_ASSERT(KV_NOISE_TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES);

typedef enum {
    TOKEN_END,
    TOKEN_E,
    TOKEN_S,
    TOKEN_PSK,
    TOKEN_EE,
    TOKEN_ES,
    TOKEN_SE,
    TOKEN_SS
} Token;

typedef struct {
    const char *name;
    gboolean remote_known; /* the initiator knows the responder's static key */
    Token messages[N_MESSAGES][5];
} Pattern;

static const Pattern patterns[] = {
    [KV_NOISE_IKPSK2] = {"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b",
                         TRUE,
                         {{TOKEN_E, TOKEN_ES, TOKEN_S, TOKEN_SS, TOKEN_END},
                          {TOKEN_E, TOKEN_EE, TOKEN_SE, TOKEN_PSK, TOKEN_END}}},
    [KV_NOISE_NNPSK0] = {"Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b",
                         FALSE,
                         {{TOKEN_PSK, TOKEN_E, TOKEN_END}, {TOKEN_E, TOKEN_EE, TOKEN_END}}},
};

struct _KvNoise {
    const Pattern *pattern;
    gboolean initiator;
    guint turn; /* messages done */
    uint8_t h[HASH_BYTES];
    uint8_t chain[HASH_BYTES];
    uint8_t key[KV_NOISE_KEY_BYTES];
    gboolean has_key;
    uint64_t n; /* of @key */
    uint8_t psk[KV_NOISE_KEY_BYTES];
    uint8_t e[KV_NOISE_KEY_BYTES];
    uint8_t s[KV_NOISE_KEY_BYTES];
    uint8_t re[KV_NOISE_KEY_BYTES];
    uint8_t rs[KV_NOISE_KEY_BYTES];
};

/* --- symmetric state: Noise, section 5.2 ------------------------------------------------------ */

static void
hmac(const uint8_t key[HASH_BYTES], const KvSlice *slices, guint n, uint8_t out[HASH_BYTES])
{
    crypto_generichash_state state;
    uint8_t pad[BLOCK_BYTES];

    memset(pad, 0x36, sizeof pad);
    for (guint i = 0; i < HASH_BYTES; i++)
        pad[i] ^= key[i];
    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    crypto_generichash_update(&state, pad, sizeof pad);
    for (guint i = 0; i < n; i++)
        crypto_generichash_update(&state, slices[i].data, slices[i].len);
    crypto_generichash_final(&state, out, HASH_BYTES);

    for (guint i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    crypto_generichash_update(&state, pad, sizeof pad);
    crypto_generichash_update(&state, out, HASH_BYTES);
    crypto_generichash_final(&state, out, HASH_BYTES);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(pad, sizeof pad);
}

/* @n keys of HASH_BYTES, one behind the other; 2 or 3. */
static void
hkdf(const uint8_t chain[HASH_BYTES], const uint8_t *data, size_t len, uint8_t *out, guint n)
{
    uint8_t secret[HASH_BYTES];
    KvSlice input = {data, len};

    hmac(chain, &input, 1, secret);
    for (guint i = 0; i < n; i++) {
        uint8_t number = (uint8_t) (i + 1);
        KvSlice slices[] = {{i == 0 ? out : out + (i - 1) * HASH_BYTES, i == 0 ? 0 : HASH_BYTES},
                            {&number, 1}};

        hmac(secret, slices, G_N_ELEMENTS(slices), out + i * HASH_BYTES);
    }
    sodium_memzero(secret, sizeof secret);
}

static void
mix_hash(KvNoise *noise, const void *data, size_t len)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    crypto_generichash_update(&state, noise->h, HASH_BYTES);
    crypto_generichash_update(&state, data, len);
    crypto_generichash_final(&state, noise->h, HASH_BYTES);
}

static void
set_key(KvNoise *noise, const uint8_t *key)
{
    memcpy(noise->key, key, sizeof noise->key);
    noise->has_key = TRUE;
    noise->n = 0;
}

static void
mix_key(KvNoise *noise, const uint8_t data[KV_NOISE_KEY_BYTES])
{
    uint8_t keys[2 * HASH_BYTES];

    hkdf(noise->chain, data, KV_NOISE_KEY_BYTES, keys, 2);
    memcpy(noise->chain, keys, HASH_BYTES);
    set_key(noise, keys + HASH_BYTES);
    sodium_memzero(keys, sizeof keys);
}

static void
mix_psk(KvNoise *noise)
{
    uint8_t keys[3 * HASH_BYTES];

    hkdf(noise->chain, noise->psk, sizeof noise->psk, keys, 3);
    memcpy(noise->chain, keys, HASH_BYTES);
    mix_hash(noise, keys + HASH_BYTES, HASH_BYTES);
    set_key(noise, keys + 2 * HASH_BYTES);
    sodium_memzero(keys, sizeof keys);
}

/* The nonce of ChaChaPoly: 32 bits of zeros, then the counter. */
static void
next_nonce(KvNoise *noise, uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(nonce, 0, 4);
    kv_put_le64(nonce + 4, noise->n++);
}

static size_t
encrypt(KvNoise *noise, const uint8_t *text, size_t len, uint8_t *out)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    size_t sealed = len + KV_NOISE_TAG_BYTES;

    next_nonce(noise, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, text, len, noise->h, HASH_BYTES, NULL,
                                              nonce, noise->key);
    mix_hash(noise, out, sealed);
    return sealed;
}

static gboolean
decrypt(KvNoise *noise, const uint8_t *sealed, size_t len, uint8_t *out)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

    next_nonce(noise, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len, noise->h,
                                                  HASH_BYTES, nonce, noise->key) != 0)
        return FALSE;
    mix_hash(noise, sealed, len);
    return TRUE;
}

/* --- handshake state: Noise, section 5.3 ------------------------------------------------------ */

static const Token *
get_message(const KvNoise *noise)
{
    g_assert(noise->turn < N_MESSAGES);
    return noise->pattern->messages[noise->turn];
}

/* The first letter of a token is the initiator's key. FALSE: a public key of small order. */
static gboolean
mix_dh(KvNoise *noise, Token token)
{
    gboolean initiator_e = token == TOKEN_EE || token == TOKEN_ES;
    gboolean responder_e = token == TOKEN_EE || token == TOKEN_SE;
    gboolean local_e = noise->initiator ? initiator_e : responder_e;
    gboolean remote_e = noise->initiator ? responder_e : initiator_e;
    uint8_t shared[KV_NOISE_KEY_BYTES];

    if (crypto_scalarmult(shared, local_e ? noise->e : noise->s,
                          remote_e ? noise->re : noise->rs) != 0)
        return FALSE;
    mix_key(noise, shared);
    sodium_memzero(shared, sizeof shared);
    return TRUE;
}

/* In patterns with a preshared key an ephemeral key is mixed in twice: section 9.2. */
static void
mix_ephemeral(KvNoise *noise, const uint8_t *public)
{
    mix_hash(noise, public, KV_NOISE_KEY_BYTES);
    mix_key(noise, public);
}

KvNoise *
kv_noise_new(KvNoisePattern pattern, gboolean initiator, const void *prologue, size_t prologue_len,
             const KvNoiseKeys *keys)
{
    const Pattern *p = &patterns[pattern];
    KvNoise *noise = g_new0(KvNoise, 1);

    G_STATIC_ASSERT(sizeof "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b" <= HASH_BYTES);
    noise->pattern = p;
    noise->initiator = initiator;
    memcpy(noise->h, p->name, strlen(p->name));
    memcpy(noise->chain, noise->h, HASH_BYTES);
    memcpy(noise->e, keys->ephemeral, sizeof noise->e);
    if (keys->psk != NULL)
        memcpy(noise->psk, keys->psk, sizeof noise->psk);
    if (keys->local != NULL)
        memcpy(noise->s, keys->local, sizeof noise->s);
    if (keys->remote_public != NULL)
        memcpy(noise->rs, keys->remote_public, sizeof noise->rs);

    mix_hash(noise, prologue, prologue_len);
    if (p->remote_known) {
        uint8_t public[KV_NOISE_KEY_BYTES];

        if (initiator)
            memcpy(public, noise->rs, sizeof public);
        else
            crypto_scalarmult_base(public, noise->s);
        mix_hash(noise, public, sizeof public);
    }
    return noise;
}

void
kv_noise_free(KvNoise *noise)
{
    if (noise == NULL)
        return;
    sodium_memzero(noise, sizeof *noise);
    g_free(noise);
}

void
kv_noise_set_psk(KvNoise *noise, const uint8_t psk[KV_NOISE_KEY_BYTES])
{
    memcpy(noise->psk, psk, sizeof noise->psk);
}

size_t
kv_noise_get_overhead(const KvNoise *noise)
{
    size_t overhead = KV_NOISE_TAG_BYTES;

    for (const Token *token = get_message(noise); *token != TOKEN_END; token++) {
        if (*token == TOKEN_E)
            overhead += KV_NOISE_KEY_BYTES;
        else if (*token == TOKEN_S)
            overhead += KV_NOISE_KEY_BYTES + KV_NOISE_TAG_BYTES;
    }
    return overhead;
}

size_t
kv_noise_write(KvNoise *noise, const uint8_t *payload, size_t len, uint8_t *out)
{
    uint8_t public[KV_NOISE_KEY_BYTES];
    uint8_t *end = out;

    g_assert(noise->turn == (noise->initiator ? 0 : 1));
    if (len > KV_NOISE_MESSAGE_MAX - kv_noise_get_overhead(noise))
        return 0;
    for (const Token *token = get_message(noise); *token != TOKEN_END; token++) {
        switch (*token) {
        case TOKEN_E:
            crypto_scalarmult_base(end, noise->e);
            mix_ephemeral(noise, end);
            end += KV_NOISE_KEY_BYTES;
            break;
        case TOKEN_S:
            crypto_scalarmult_base(public, noise->s);
            end += encrypt(noise, public, sizeof public, end);
            break;
        case TOKEN_PSK:
            mix_psk(noise);
            break;
        default:
            if (!mix_dh(noise, *token))
                return 0;
        }
    }
    end += encrypt(noise, payload, len, end);
    noise->turn++;
    return (size_t) (end - out);
}

static gboolean
read_message(KvNoise *noise, KvReader *reader, uint8_t *payload, size_t *payload_len)
{
    const uint8_t *bytes;
    size_t len;

    for (const Token *token = get_message(noise); *token != TOKEN_END; token++) {
        switch (*token) {
        case TOKEN_E:
            bytes = kv_reader_bytes(reader, KV_NOISE_KEY_BYTES);
            if (bytes == NULL)
                return FALSE;
            memcpy(noise->re, bytes, sizeof noise->re);
            mix_ephemeral(noise, noise->re);
            break;
        case TOKEN_S:
            bytes = kv_reader_bytes(reader, KV_NOISE_KEY_BYTES + KV_NOISE_TAG_BYTES);
            if (bytes == NULL ||
                !decrypt(noise, bytes, KV_NOISE_KEY_BYTES + KV_NOISE_TAG_BYTES, noise->rs))
                return FALSE;
            break;
        case TOKEN_PSK:
            mix_psk(noise);
            break;
        default:
            if (!mix_dh(noise, *token))
                return FALSE;
        }
    }
    len = kv_reader_left(reader);
    bytes = kv_reader_bytes(reader, len);
    if (bytes == NULL || len < KV_NOISE_TAG_BYTES || !decrypt(noise, bytes, len, payload))
        return FALSE;
    *payload_len = len - KV_NOISE_TAG_BYTES;
    return TRUE;
}

gboolean
kv_noise_read(KvNoise *noise, const uint8_t *message, size_t len, uint8_t *payload,
              size_t *payload_len)
{
    KvNoise trial = *noise;
    KvReader reader;
    gboolean ok;

    g_assert(noise->turn == (noise->initiator ? 1 : 0));
    kv_reader_init(&reader, message, len);
    ok = len <= KV_NOISE_MESSAGE_MAX && read_message(&trial, &reader, payload, payload_len);
    if (ok) {
        trial.turn++;
        *noise = trial;
    }
    sodium_memzero(&trial, sizeof trial);
    return ok;
}

const uint8_t *
kv_noise_get_remote_public(const KvNoise *noise)
{
    return noise->rs;
}

void
kv_noise_split(const KvNoise *noise, uint8_t there[KV_NOISE_KEY_BYTES],
               uint8_t back[KV_NOISE_KEY_BYTES])
{
    uint8_t keys[2 * HASH_BYTES];

    g_assert(noise->turn == N_MESSAGES);
    hkdf(noise->chain, NULL, 0, keys, 2);
    memcpy(there, keys, KV_NOISE_KEY_BYTES);
    memcpy(back, keys + HASH_BYTES, KV_NOISE_KEY_BYTES);
    sodium_memzero(keys, sizeof keys);
}
