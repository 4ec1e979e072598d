/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-backoff.h"

void
kv_backoff_reset(KvBackoff *backoff)
{
    backoff->tries = 0;
}

guint
kv_backoff_next(KvBackoff *backoff, guint32 random)
{
    guint pause = KV_BACKOFF_FIRST_MS << backoff->tries;

    if (pause < KV_BACKOFF_MAX_MS)
        backoff->tries++;
    else
        pause = KV_BACKOFF_MAX_MS;
    return pause - pause / 4 + random % (pause / 2 + 1);
}
