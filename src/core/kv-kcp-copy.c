/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-private.h"

/* A copy follows soon enough to spare an inner TCP the hint of a growing queue (two of them come
 * within an eighth of the RTT), and late enough to miss the burst that took the original. */
#define COPY_DELAY_MIN (2 * KV_TIME_MS)
#define COPY_DELAY_MAX (8 * KV_TIME_MS)
#define COPY_DELAY_RTT 24 /* so many parts of the RTT */

/* What copies may cost. They are paid, byte by byte, out of an allowance.
 *
 * It is earned in two ways: with each byte that is sent, see get_share(), and with time, so that
 * sparse packets can have copies, too: INCOME_PER_S, but not more than a sixteenth of a slow path.
 *
 * What is not spent is saved up to a limit, and at the start the limit is there at once. Copies of
 * the first rounds of a transfer, until the path is half full, add up to one filling of the path,
 * or to two where each datagram gets two copies. So that much may be saved, SAVED_LEAST on any
 * path; and RESERVE on top, which is touched only where much is lost: there a copy is worth its
 * price, and the reserve gets an inner TCP through its slow start.
 *
 * On a slow path these are many seconds of all that it can carry, and a transfer that is going on
 * would have to wait for copies that were saved up before it. So once the rate of the path is known
 * the whole is held to SAVED_TIME of it; the reserve is what gives way first, the two fillings
 * never do. And while the path is in full use no more is spent than is earned meanwhile, so that
 * savings are there for the next transfer that begins. */
#define SHARE_LEAST  (HOLE_ONE / 16)
#define SHARE_HEAVY  5     /* times the holes */
#define INCOME_PER_S 16384 /* bytes */
#define INCOME_PART  16    /* of the rate, if that is less */
#define SAVED_BDPS   2
#define SAVED_LEAST  1048576 /* bytes */
#define RESERVE      (3 * SAVED_LEAST)
#define SAVED_TIME   (KV_TIME_S / 2)
#define SPARSE_BYTES 16384 /* under way: with so few, FEC groups do not fill soon */

/* The share of segments that others overtook, in 1/2^20, or that were given up, averaged over about
 * 512, less at the start. A hole that FEC closed shows only in this way. Copies of sparse segments
 * hide holes, so the share sinks more slowly then. */
#define HOLE_ONE        (1 << 20)
#define HOLE_WEIGHT_MIN 6 /* bits */
#define HOLE_WEIGHT     9
#define HOLE_HIDDEN     2
#define HOLE_AT_START   (HOLE_ONE * 15 / 10000) /* the first hole counts */
#define HOLE_THRESHOLD  (HOLE_ONE * 3 / 1000)
#define HOLE_RESERVE    (HOLE_ONE * 4 / 100) /* the reserve may be used */
#define HOLE_HEAVY      (HOLE_ONE * 8 / 100)

void
kv_kcp_copy_init(KvKcp *kcp, KvTime now)
{
    kcp->copy = (KvKcpCopy){
        .allowance = SAVED_LEAST + RESERVE,
        .reserve = RESERVE,
        .earned_at = now,
        .holes = HOLE_AT_START,
    };
}

static gboolean
is_heavy(const KvKcp *kcp)
{
    return kcp->copy.holes >= HOLE_HEAVY;
}

/* So little is under way that FEC groups do not fill soon. */
static gboolean
is_sparse(const KvKcp *kcp)
{
    return kcp->rack.in_flight < SPARSE_BYTES;
}

void
kv_kcp_copy_learn(KvKcp *kcp, gboolean was_hole, guint copies)
{
    guint weight;

    /* A queue may have overflowed: that is no property of the path. */
    if (kv_pacer_has_queue(&kcp->pacer, kcp->rack.in_flight))
        return;
    weight = CLAMP(g_bit_storage(++kcp->copy.n_learned), HOLE_WEIGHT_MIN, HOLE_WEIGHT);
    if (!was_hole && is_sparse(kcp) && (copies > 0 || is_heavy(kcp)))
        weight += HOLE_HIDDEN;
    kcp->copy.holes += ((was_hole ? HOLE_ONE : 0) - kcp->copy.holes) >> weight;
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
    uint32_t holes = (uint32_t) kcp->copy.holes;

    if (is_busy(kcp))
        return SHARE_LEAST;
    if (is_heavy(kcp))
        return MIN(holes * SHARE_HEAVY, HOLE_ONE);
    return MAX(holes, SHARE_LEAST);
}

/* What is saved up beyond the limit is lost. */
static void
hold_to_limit(KvKcp *kcp)
{
    KvKcpCopy *copy = &kcp->copy;
    uint64_t rate = kv_pacer_get_known_rate(&kcp->pacer);
    uint64_t fillings = MIN(SAVED_BDPS * kv_pacer_get_bdp(&kcp->pacer), G_MAXUINT32 / 2);
    uint64_t usual = MAX(fillings, SAVED_LEAST);
    uint64_t limit = usual + RESERVE;

    if (rate > 0) {
        limit = MIN(limit, MAX(fillings, rate * SAVED_TIME / KV_TIME_S));
        usual = MIN(usual, limit);
    }
    copy->reserve = (uint32_t) (limit - usual);
    copy->allowance = (uint32_t) MIN(copy->allowance, limit);
}

static uint32_t
get_income(const KvKcp *kcp, KvTime spent)
{
    uint64_t rate = kv_pacer_get_known_rate(&kcp->pacer);
    uint64_t per_s = rate > 0 ? MIN(INCOME_PER_S, rate / INCOME_PART) : INCOME_PER_S;

    return (uint32_t) (per_s * MIN(spent, 10 * KV_TIME_S) / KV_TIME_S);
}

static void
earn(KvKcp *kcp, size_t len, KvTime now)
{
    KvKcpCopy *copy = &kcp->copy;
    KvTime spent = kv_time_elapsed(now, copy->earned_at);

    copy->allowance += (uint32_t) ((uint64_t) len * get_share(kcp) / HOLE_ONE);
    if (spent >= KV_TIME_MS) {
        copy->allowance += get_income(kcp, spent);
        copy->earned_at = now;
    }
    hold_to_limit(kcp);
}

void
kv_kcp_copy_on_sent(KvKcp *kcp, KvSegment *segment)
{
    KvKcpCopy *copy = &kcp->copy;

    if (segment->xmit > 1)
        copy->has_repair = TRUE;
    segment->copies = MAX(copy->planned, copy->has_repair ? copy->affordable : 0);
    segment->copied |= segment->copies > 0;
}

/* On a path that is in full use FEC does better with the room than copies, and on one that loses
 * nothing they would be waste. */
static guint
get_wanted(const KvKcp *kcp)
{
    if (kcp->copy.holes < HOLE_THRESHOLD || kcp->rack.srtt == 0 || is_busy(kcp))
        return 0;
    return is_heavy(kcp) && is_sparse(kcp) ? 2 : 1;
}

/* What of the allowance is not for this datagram. */
static uint32_t
get_kept(const KvKcp *kcp)
{
    const KvKcpCopy *copy = &kcp->copy;
    uint32_t reserve = copy->holes >= HOLE_RESERVE ? 0 : MIN(copy->reserve, copy->allowance);

    return is_busy(kcp) ? MAX(reserve, copy->saved) : reserve;
}

void
kv_kcp_copy_plan(KvKcp *kcp)
{
    KvKcpCopy *copy = &kcp->copy;
    guint most;

    copy->saved = is_busy(kcp) ? MIN(copy->saved, copy->allowance) : copy->allowance;
    most = kcp->config.tuning.early_copy ? (copy->allowance - get_kept(kcp)) / kcp->config.mtu : 0;
    copy->has_repair = FALSE;
    /* Where congestion is marked losses may be its, too. */
    if (kv_kcp_rack_is_silent(kcp) || kv_pacer_is_marked(&kcp->pacer))
        most = 0;
    copy->affordable = MIN(most, 1);
    copy->planned = MIN(most, get_wanted(kcp));
}

guint
kv_kcp_take_copies(KvKcp *kcp, size_t len, KvTime now)
{
    KvKcpCopy *copy = &kcp->copy;
    guint n = MAX(copy->planned, copy->has_repair ? copy->affordable : 0);
    uint32_t bytes = n * (uint32_t) len;

    earn(kcp, len, now);
    if (n == 0)
        return 0;
    copy->allowance -= MIN(bytes, copy->allowance);
    kcp->early_copies += n;
    /* Copies come on top: taken off the schedule they would lower the rate that is delivered, and
     * so the schedule itself, again and again. But they are not to keep up a queue of ours. */
    if (kcp->config.tuning.pacing && is_busy(kcp) && kv_pacer_is_delayed(&kcp->pacer))
        kv_pacer_on_sent(&kcp->pacer, bytes, FALSE, now);
    kv_kcp_copy_plan(kcp);
    return n;
}

KvTime
kv_kcp_get_copy_delay(const KvKcp *kcp)
{
    return CLAMP(kcp->rack.srtt / COPY_DELAY_RTT, COPY_DELAY_MIN, COPY_DELAY_MAX);
}
