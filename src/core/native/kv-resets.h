/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-seal.h"
#include "kv-time.h"
#include "native/kv-reset-token.h"

/* Resets a second, of one end in all, and the shortest one; docs/protocol.md, section 8. */
#define KV_RESETS_RATE 10
#define KV_RESET_MIN   40

/**
 * KvResets:
 *
 * How an end that does not know a session (any more) says so, to those only who have it from this
 * end itself. All zero is a new one; plain data, one thread at a time.
 */
typedef struct {
    KvTime second; /* the one that is counted */
    guint sent;    /* in it */
} KvResets;

/**
 * kv_resets_answer:
 * @key: the reset key of this end
 * @datagram: with @head, whose index names no session here
 * @answer: (out caller-allocates): @len bytes
 *
 * Returns: length of the reset to send back, less than @len; 0: none.
 */
size_t kv_resets_answer(KvResets *resets, const uint8_t key[KV_RESET_KEY_BYTES],
                        const KvSealHead *head, const uint8_t *datagram, size_t len,
                        const KvRandom *random, KvTime now, uint8_t *answer);

/* Whether @datagram may be the reset of a session with @token. */
gboolean kv_reset_matches(const uint8_t token[KV_RESET_TOKEN_BYTES], const uint8_t *datagram,
                          size_t len) KV_MUST_USE;
