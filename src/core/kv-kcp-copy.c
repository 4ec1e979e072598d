/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-private.h"

/* The copy follows soon enough to spare an inner TCP the hint of a growing queue, and late enough
 * to miss the burst that took the original. */
#define COPY_DELAY_MIN (2 * KV_TIME_MS)
#define COPY_DELAY_MAX (8 * KV_TIME_MS)
#define COPY_DELAY_RTT 16 /* so many parts of the RTT */

/* What copies may cost: a sixteenth of what is sent, or the share of holes if that is more;
 * a little in any second; and saved up from that the first rounds of a transfer, until the path is
 * half full: they sum up to one filling of it, with two copies to two. */
#define ALLOWANCE_SHARE     16
#define ALLOWANCE_SHARE_MAX 4
#define ALLOWANCE_PER_S     16384   /* bytes */
#define ALLOWANCE_MAX_LEAST 1048576 /* bytes, and so much at the start */
#define ALLOWANCE_MAX_BDPS  2

/* The share of segments that others overtook, in 1/2^20, or that were given up, averaged over about
 * 512. A hole that FEC closed shows only in this way. */
#define HOLE_ONE       (1 << 20)
#define HOLE_WEIGHT    9                       /* bits */
#define HOLE_AT_START  (HOLE_ONE * 15 / 10000) /* the first hole counts */
#define HOLE_THRESHOLD (HOLE_ONE * 3 / 1000)
#define HOLE_HEAVY     (HOLE_ONE * 8 / 100) /* one copy more while there is room */

void
kv_kcp_copy_init(KvKcp *kcp, KvTime now)
{
    kcp->copy = (KvKcpCopy){
        .allowance = ALLOWANCE_MAX_LEAST,
        .earned_at = now,
        .holes = HOLE_AT_START,
    };
}

void
kv_kcp_copy_learn(KvKcp *kcp, gboolean was_hole)
{
    /* A queue may have overflowed: that is no property of the path. */
    if (kv_pacer_has_queue(&kcp->pacer, kcp->rack.in_flight))
        return;
    kcp->copy.holes += ((was_hole ? HOLE_ONE : 0) - kcp->copy.holes) >> HOLE_WEIGHT;
}

static gboolean
is_busy(const KvKcp *kcp)
{
    return kv_pacer_is_busy(&kcp->pacer, kcp->rack.in_flight);
}

/* What is earned by sending one byte, in 1/2^20. On a path in full use copies take the room of
 * other segments; else they are worth as much as is lost. */
static uint32_t
get_share(const KvKcp *kcp)
{
    uint32_t least = HOLE_ONE / ALLOWANCE_SHARE;

    if (is_busy(kcp))
        return least;
    return CLAMP((uint32_t) kcp->copy.holes, least, HOLE_ONE / ALLOWANCE_SHARE_MAX);
}

static uint32_t
get_max(const KvKcp *kcp)
{
    uint64_t wanted = ALLOWANCE_MAX_BDPS * kv_pacer_get_bdp(&kcp->pacer);

    return (uint32_t) CLAMP(wanted, ALLOWANCE_MAX_LEAST, G_MAXUINT32 / 2);
}

static void
earn(KvKcp *kcp, const KvSegment *segment, KvTime now)
{
    KvKcpCopy *copy = &kcp->copy;
    KvTime spent = kv_time_elapsed(now, copy->earned_at);

    copy->allowance += (uint32_t) ((uint64_t) segment->packet->len * get_share(kcp) / HOLE_ONE);
    if (spent >= KV_TIME_MS) {
        copy->allowance += ALLOWANCE_PER_S * MIN(spent, 10 * KV_TIME_S) / KV_TIME_S;
        copy->earned_at = now;
    }
    copy->allowance = MIN(copy->allowance, get_max(kcp));
}

static void
remember(KvKcpCopy *copy, KvSegment *segment)
{
    guint i;

    if (copy->n_repairs == G_N_ELEMENTS(copy->repairs))
        return;
    i = (copy->first_repair + copy->n_repairs++) % G_N_ELEMENTS(copy->repairs);
    copy->repairs[i] = (KvKcpRepair){.segment = segment, .order = segment->order};
}

void
kv_kcp_copy_on_sent(KvKcp *kcp, KvSegment *segment, KvTime now)
{
    KvKcpCopy *copy = &kcp->copy;

    segment->copies = 0;
    if (copy->next == NULL)
        copy->next = segment;
    if (segment->xmit > 1)
        remember(copy, segment);
    earn(kcp, segment, now);
}

void
kv_kcp_copy_on_left(KvKcp *kcp, KvSegment *segment)
{
    if (kcp->copy.next == segment)
        kcp->copy.next = segment->newer;
}

static guint
get_wanted(const KvKcp *kcp)
{
    return kcp->copy.holes >= HOLE_HEAVY && !is_busy(kcp) ? 2 : 1;
}

static KvTime
due_at(const KvKcp *kcp, const KvSegment *segment)
{
    if (segment == NULL || kcp->copy.allowance < segment->packet->len + KV_KCP_HEADER_BYTES)
        return KV_TIME_NEVER;
    return segment->sent_at + (segment->copies + 1) * CLAMP(kcp->rack.srtt / COPY_DELAY_RTT,
                                                            COPY_DELAY_MIN, COPY_DELAY_MAX);
}

/* The oldest that is remembered and still under way. Records are kept by order, as segments are
 * used again. */
static KvSegment *
first_repair(const KvKcp *kcp)
{
    const KvKcpCopy *copy = &kcp->copy;
    const KvKcpRepair *repair = &copy->repairs[copy->first_repair];

    return copy->n_repairs > 0 && repair->segment->in_flight &&
                   repair->segment->order == repair->order
               ? repair->segment
               : NULL;
}

static void
drop_repair(KvKcpCopy *copy)
{
    copy->first_repair = (copy->first_repair + 1) % G_N_ELEMENTS(copy->repairs);
    copy->n_repairs--;
}

/* What may get a copy though it is no repair. On a path that is in full use FEC does better with
 * the room, and on one that loses nothing it would be waste. */
static KvSegment *
first_sparse(const KvKcp *kcp)
{
    if (kcp->copy.holes < HOLE_THRESHOLD || kcp->rack.srtt == 0 || is_busy(kcp))
        return NULL;
    return kcp->copy.next;
}

KvSegment *
kv_kcp_copy_next(KvKcp *kcp, KvTime now)
{
    if (!kcp->config.tuning.early_copy)
        return NULL;
    while (kcp->copy.n_repairs > 0 && first_repair(kcp) == NULL)
        drop_repair(&kcp->copy);
    if (now >= due_at(kcp, first_repair(kcp)))
        return first_repair(kcp);
    return now >= due_at(kcp, first_sparse(kcp)) ? first_sparse(kcp) : NULL;
}

void
kv_kcp_copy_taken(KvKcp *kcp, KvSegment *segment, KvTime now)
{
    uint32_t bytes = segment->packet->len + KV_KCP_HEADER_BYTES;

    segment->copied = TRUE;
    segment->copies++;
    if (segment == first_repair(kcp))
        drop_repair(&kcp->copy);
    if (segment == kcp->copy.next)
        kcp->copy.next = segment->newer;
    if (segment->copies < get_wanted(kcp))
        remember(&kcp->copy, segment);
    kcp->copy.allowance -= bytes;
    kcp->early_copies++;
    /* On a path with room copies come on top: taken off the schedule they would lower the rate that
     * is delivered, and so the schedule itself, again and again. */
    if (kcp->config.tuning.pacing && is_busy(kcp))
        kv_pacer_on_sent(&kcp->pacer, bytes, now);
}

KvTime
kv_kcp_copy_deadline(const KvKcp *kcp)
{
    if (!kcp->config.tuning.early_copy)
        return KV_TIME_NEVER;
    return MIN(due_at(kcp, first_repair(kcp)), due_at(kcp, first_sparse(kcp)));
}
