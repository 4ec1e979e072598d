/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-private.h"

#define SSTHRESH_MIN 2

void
kv_kcp_take_una(KvKcp *kcp, uint32_t una)
{
    /* Beyond what was ever sent it is a lie: believing it would drop data. */
    if (una - kcp->snd_una > kv_kcp_in_flight_span(kcp))
        return;
    while (kcp->unacked_head != NULL && kv_kcp_diff(una, kcp->unacked_head->sn) > 0)
        kv_kcp_segment_acked(kcp, kcp->unacked_head);
    kcp->snd_una = una;
}

void
kv_kcp_take_ack(KvKcp *kcp, uint32_t sn, uint32_t ts)
{
    KvSegment *acked;

    if (sn - kcp->snd_una >= kv_kcp_in_flight_span(kcp))
        return;
    acked = kcp->ring[sn & (kcp->ring_size - 1)];
    if (acked != NULL)
        kv_kcp_segment_acked(kcp, acked);
    for (KvSegment *s = kcp->unacked_head; s != NULL && kv_kcp_diff(s->sn, sn) < 0; s = s->next) {
        if (kv_kcp_diff(s->ts, ts) > 0)
            continue;
        s->fastack++;
        kv_kcp_mark_suspect(kcp, s);
    }
}

/* Integer arithmetic and shifts as published: they decide when a segment is sent again. */
void
kv_kcp_take_rtt(KvKcp *kcp, int32_t rtt_ms)
{
    uint32_t rto;

    if (rtt_ms < 0 || rtt_ms > KV_KCP_RTO_MAX_MS)
        return;
    if (kcp->srtt == 0) {
        kcp->srtt = rtt_ms;
        kcp->rttvar = rtt_ms >> 1;
    } else {
        int32_t delta = rtt_ms - kcp->srtt;

        kcp->srtt += delta >> 3;
        delta = ABS(delta);
        kcp->rttvar += (delta - kcp->rttvar) >> (rtt_ms < kcp->srtt - kcp->rttvar ? 5 : 2);
    }
    rto = (uint32_t) kcp->srtt + MAX(kcp->config.interval, (uint32_t) kcp->rttvar << 2);
    kcp->rto = CLAMP(rto, kcp->rto_min, KV_KCP_RTO_MAX_MS);
}

void
kv_kcp_grow_cwnd(KvKcp *kcp)
{
    uint32_t mss = kcp->mss;

    if (kcp->cwnd >= kcp->rmt_wnd)
        return;
    if (kcp->cwnd < kcp->ssthresh) {
        kcp->cwnd++;
        kcp->incr += mss;
    } else {
        kcp->incr = MAX(kcp->incr, mss);
        kcp->incr += mss * mss / kcp->incr + mss / 16;
        if ((kcp->cwnd + 1) * mss <= kcp->incr)
            kcp->cwnd++;
    }
    if (kcp->cwnd > kcp->rmt_wnd) {
        kcp->cwnd = kcp->rmt_wnd;
        kcp->incr = kcp->rmt_wnd * mss;
    }
}

uint32_t
kv_kcp_get_window(const KvKcp *kcp)
{
    uint32_t window = MIN(kcp->config.snd_wnd, kcp->rmt_wnd);

    return kcp->config.nc || kcp->config.tuning.rack ? window : MIN(window, kcp->cwnd);
}

static uint32_t
number_what_fits(KvKcp *kcp, uint32_t window)
{
    uint32_t n = 0;

    for (; kcp->queue_head != NULL && kv_kcp_in_flight_span(kcp) < window; n++) {
        KvSegment *segment = kv_kcp_number_next(kcp);

        segment->rto = kcp->rto;
        kv_kcp_mark_ready(kcp, segment);
    }
    return n;
}

static void
suspect_overdue(KvKcp *kcp)
{
    KvHeapNode *node;

    while ((node = kv_heap_peek(&kcp->timers)) != NULL && node->when <= kcp->now_ms) {
        KvSegment *segment = (KvSegment *) ((char *) node - G_STRUCT_OFFSET(KvSegment, timer));

        kv_heap_remove(&kcp->timers, node);
        kv_kcp_mark_suspect(kcp, segment);
    }
}

typedef struct {
    uint32_t fast;
    uint32_t timeout;
} Repeats;

/* Whether @segment is to be sent again now. */
static gboolean
judge(KvKcp *kcp, KvSegment *segment, gboolean nothing_new, Repeats *repeats)
{
    uint32_t resend = kcp->config.resend > 0 ? kcp->config.resend : UINT32_MAX;

    if (segment->fastack >= resend || (segment->fastack > 0 && nothing_new)) {
        segment->rto = kcp->rto;
        repeats->fast++;
    } else if (!kv_heap_node_is_queued(&segment->timer)) {
        segment->rto += kcp->config.nodelay ? kcp->rto / 2 : kcp->rto;
        repeats->timeout++;
    } else {
        return FALSE;
    }
    segment->fastack = 0;
    return TRUE;
}

static void
shrink_cwnd(KvKcp *kcp, uint32_t window, const Repeats *repeats)
{
    if (repeats->fast > 0) {
        kcp->ssthresh = MAX(kv_kcp_in_flight_span(kcp) / 2, SSTHRESH_MIN);
        /* resend 0 counts as "never", 2^32 - 1, here too: the sum wraps, as published */
        kcp->cwnd = kcp->ssthresh + (kcp->config.resend > 0 ? kcp->config.resend : UINT32_MAX);
        kcp->incr = kcp->cwnd * kcp->mss;
    }
    if (repeats->timeout > 0) {
        kcp->ssthresh = MAX(window / 2, SSTHRESH_MIN);
        kcp->cwnd = 1;
        kcp->incr = kcp->mss;
    }
    if (kcp->cwnd < 1) {
        kcp->cwnd = 1;
        kcp->incr = kcp->mss;
    }
}

void
kv_kcp_flush_segments(KvKcp *kcp)
{
    uint32_t window = kv_kcp_get_window(kcp);
    uint32_t end = kcp->snd_nxt;
    gboolean nothing_new = number_what_fits(kcp, window) == 0;
    Repeats repeats = {0};

    suspect_overdue(kcp);
    for (uint32_t sn = kcp->snd_una;
         (sn = kv_kcp_next_bit(kcp->suspect, kcp->ring_size, sn, end)) != end; sn++) {
        KvSegment *segment = kcp->ring[sn & (kcp->ring_size - 1)];

        /* one that is still to be given out needs no second verdict */
        if (kv_kcp_get_bit(kcp->ready, kcp->ring_size, sn) ||
            !judge(kcp, segment, nothing_new, &repeats))
            continue;
        kv_kcp_clear_bit(kcp->suspect, kcp->ring_size, sn);
        kv_heap_remove(&kcp->timers, &segment->timer);
        kv_kcp_mark_ready(kcp, segment);
    }
    kcp->retransmits_fast += repeats.fast;
    kcp->retransmits_timeout += repeats.timeout;
    if (!kcp->config.nc)
        shrink_cwnd(kcp, window, &repeats);
}
