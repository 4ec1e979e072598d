/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <stdint.h>

/**
 * KvV1Replay:
 *
 * Remembers the nonces of about the last two thousand datagrams of a session, so that copies made
 * by the network or by somebody who listens are dropped before they touch any state. v1 has no
 * counter: a copy that comes later than that is left to KCP's sequence numbers. Under a higher
 * rate its memory spans a shorter time; what it drops it has seen (but for one chance in 2^50).
 *
 * 17 KiB, embedded by its owner and zero at first; one thread at a time.
 */
#define KV_V1_REPLAY_BUCKETS 256
#define KV_V1_REPLAY_WAYS    8

typedef struct {
    uint64_t seen[KV_V1_REPLAY_BUCKETS][KV_V1_REPLAY_WAYS];
    uint8_t next[KV_V1_REPLAY_BUCKETS];
} KvV1Replay;

/* Whether @nonce (16 bytes) is new; it no longer is after the call. */
gboolean kv_v1_replay_accept(KvV1Replay *replay, const uint8_t *nonce) KV_MUST_USE;
