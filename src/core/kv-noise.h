/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes: keys of every kind, a tag, and the most one message may have. */
#define KV_NOISE_KEY_BYTES    32
#define KV_NOISE_TAG_BYTES    16
#define KV_NOISE_MESSAGE_MAX  2048
#define KV_NOISE_OVERHEAD_MAX (2 * KV_NOISE_KEY_BYTES + 2 * KV_NOISE_TAG_BYTES)

/* Noise_…_25519_ChaChaPoly_BLAKE2b; docs/protocol.md, section 4. */
typedef enum {
    KV_NOISE_IKPSK2, /* static keys of both ends, and a preshared key, which may be zeros */
    KV_NOISE_NNPSK0, /* nothing but the preshared key */
} KvNoisePattern;

typedef struct {
    const uint8_t *ephemeral;     /* private, of this handshake alone */
    const uint8_t *psk;           /* (nullable): a responder may bring it later */
    const uint8_t *local;         /* (nullable): private static key; IKpsk2 */
    const uint8_t *remote_public; /* (nullable): the responder's; IKpsk2, initiator */
} KvNoiseKeys;

/**
 * KvNoise:
 *
 * One end of one handshake of two messages (Noise, revision 34). It holds private keys, wiped
 * when it is freed. A message that does not open leaves it as it was, so a forged one does no
 * harm. One thread at a time.
 */
typedef struct _KvNoise KvNoise;

/**
 * kv_noise_new:
 * @prologue: what both ends know and want bound in, as it is in @keys: bytes that are copied
 *
 * Returns: (transfer full): the handshake, before its first message.
 */
KvNoise *kv_noise_new(KvNoisePattern pattern, gboolean initiator, const void *prologue,
                      size_t prologue_len, const KvNoiseKeys *keys) KV_MUST_USE;
void kv_noise_free(KvNoise *noise);

/* The preshared key for the peer that message 1 named; before message 2 is written. */
void kv_noise_set_psk(KvNoise *noise, const uint8_t psk[KV_NOISE_KEY_BYTES]);

/* Bytes that the next message has beyond its payload. */
size_t kv_noise_get_overhead(const KvNoise *noise);

/**
 * kv_noise_write:
 * @out: (out caller-allocates): @len bytes and kv_noise_get_overhead()
 *
 * Writes this end's message, whose turn it must be. Returns: its length; 0 if the peer's public
 * key is of small order, or @len too long: then the handshake is of no use any more.
 */
size_t kv_noise_write(KvNoise *noise, const uint8_t *payload, size_t len, uint8_t *out) KV_MUST_USE;

/**
 * kv_noise_read:
 * @payload: (out caller-allocates): @len bytes; not @message
 * @payload_len: (out): how many of them it has
 *
 * Reads the peer's message, whose turn it must be. Returns: whether it is true; if not, nothing
 * has changed.
 */
gboolean kv_noise_read(KvNoise *noise, const uint8_t *message, size_t len, uint8_t *payload,
                       size_t *payload_len) KV_MUST_USE;

/* (transfer none): the peer's static public key, once it is known; IKpsk2. */
const uint8_t *kv_noise_get_remote_public(const KvNoise *noise);

/* After both messages: the keys from initiator to responder, and back. */
void kv_noise_split(const KvNoise *noise, uint8_t there[KV_NOISE_KEY_BYTES],
                    uint8_t back[KV_NOISE_KEY_BYTES]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNoise, kv_noise_free)
