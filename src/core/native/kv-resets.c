/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-resets.h"

#include "kv-bytes.h"

#include <sodium.h>
#include <string.h>

static gboolean
may_answer(KvResets *resets, KvTime now)
{
    if (now >= resets->second + KV_TIME_S) {
        resets->second = now;
        resets->sent = 0;
    }
    return resets->sent < KV_RESETS_RATE;
}

/* A length from KV_RESET_MIN to @len - 1: always less than came, so two ends cannot go on. */
static size_t
draw_length(size_t len, const KvRandom *random)
{
    uint8_t bytes[4];

    kv_random_fill(random, bytes, sizeof bytes);
    return KV_RESET_MIN + kv_get_le32(bytes) % (len - KV_RESET_MIN);
}

size_t
kv_resets_answer(KvResets *resets, const uint8_t key[KV_RESET_KEY_BYTES], const KvSealHead *head,
                 const uint8_t *datagram, size_t len, const KvRandom *random, KvTime now,
                 uint8_t *answer)
{
    uint8_t token[KV_RESET_TOKEN_BYTES];
    size_t answer_len;

    if (len <= KV_RESET_MIN || !may_answer(resets, now))
        return 0;
    kv_reset_token_derive(key, head->index, token);
    if (!kv_seal_check(head, token, datagram, len))
        return 0;
    resets->sent++;
    answer_len = draw_length(len, random);
    kv_random_fill(random, answer, answer_len - sizeof token);
    memcpy(answer + answer_len - sizeof token, token, sizeof token);
    return answer_len;
}

gboolean
kv_reset_matches(const uint8_t token[KV_RESET_TOKEN_BYTES], const uint8_t *datagram, size_t len)
{
    return len >= KV_RESET_MIN &&
           sodium_memcmp(datagram + len - KV_RESET_TOKEN_BYTES, token, KV_RESET_TOKEN_BYTES) == 0;
}
