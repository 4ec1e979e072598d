/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-v1-replay.h"

#include "kv-bytes.h"

gboolean
kv_v1_replay_accept(KvV1Replay *replay, const uint8_t *nonce)
{
    uint64_t high = kv_get_le64(nonce + 8);
    uint64_t key = kv_get_le64(nonce) ^ (high << 32 | high >> 32);
    guint index = (guint) (key * UINT64_C(0x9e3779b97f4a7c15) >> 56);
    uint64_t *bucket = replay->seen[index];

    if (key == 0)
        key = 1; /* 0 marks an empty place */
    for (guint i = 0; i < KV_V1_REPLAY_WAYS; i++) {
        if (bucket[i] == key)
            return FALSE;
    }
    bucket[replay->next[index]++ % KV_V1_REPLAY_WAYS] = key;
    return TRUE;
}
