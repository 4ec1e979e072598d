/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"

#include <glib.h>

/**
 * KvTokenBucket:
 *
 * How often something may happen: @burst times at once, and once each @interval in the long run.
 * Embedded; full at first. One thread at a time.
 */
typedef struct {
    KvTime interval;   /* of one token */
    guint burst;       /* tokens of a full one, at least 1 */
    KvTime settled_at; /* when it will be full again */
} KvTokenBucket;

/**
 * kv_token_bucket_take:
 * @n: tokens
 *
 * Returns: whether there is one left. If so @n are taken, and if there were fewer the debt is paid
 * before the next: what costs more than a burst is rare, but not impossible.
 */
static inline gboolean
kv_token_bucket_take(KvTokenBucket *bucket, guint n, KvTime now)
{
    KvTime from = MAX(bucket->settled_at, now);

    if (from > kv_time_add(now, (bucket->burst - 1) * bucket->interval))
        return FALSE;
    bucket->settled_at = kv_time_add(from, n * bucket->interval);
    return TRUE;
}
