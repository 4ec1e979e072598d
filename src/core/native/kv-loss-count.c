/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-loss-count.h"

/* @n counters in a row are not waited for any longer: all of them came, or none. */
static void
settle(KvLossCount *count, gboolean came, uint64_t n)
{
    if (n == 0)
        return;
    if (came)
        count->seen += (uint32_t) n;
    else
        count->missing += (uint32_t) n;
    if (!came && !count->a_gap)
        count->bursts++;
    count->a_gap = !came;
}

static void
settle_held(KvLossCount *count)
{
    while (count->held > 0)
        settle(count, (count->bits >> --count->held & 1) != 0, 1);
    count->bits = 0;
}

static void
push(KvLossCount *count, gboolean came)
{
    if (count->held == KV_LOSS_COUNT_LATE)
        settle(count, count->bits >> (KV_LOSS_COUNT_LATE - 1) != 0, 1);
    else
        count->held++;
    count->bits = count->bits << 1 | (came ? 1 : 0);
}

static void
push_missing(KvLossCount *count, uint64_t n)
{
    if (n > KV_LOSS_COUNT_LATE) {
        settle_held(count);
        settle(count, FALSE, n - KV_LOSS_COUNT_LATE);
        n = KV_LOSS_COUNT_LATE;
    }
    for (; n > 0; n--)
        push(count, FALSE);
}

void
kv_loss_count_note(KvLossCount *count, uint64_t counter)
{
    uint64_t below; /* distance to the greatest, less one */

    if (!count->any) {
        count->any = TRUE;
        push_missing(count, counter);
    } else if (counter > count->greatest) {
        push(count, TRUE);
        push_missing(count, counter - count->greatest - 1);
    } else {
        below = count->greatest - counter - 1;
        if (counter < count->greatest && below < count->held)
            count->bits |= UINT64_C(1) << below;
        return;
    }
    count->greatest = counter;
}

void
kv_loss_count_begin_session(KvLossCount *count)
{
    if (count->any) {
        settle_held(count);
        settle(count, TRUE, 1);
    }
    count->any = FALSE;
}
