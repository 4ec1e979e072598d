/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-native.h"

#include "kv-kcp-private.h"

#define WINDOW_LEAST                                                                               \
    1 /* segments: with less nobody would learn that the window has opened again                   \
       */
#define TS_LIFE (60 * KV_TIME_S) /* a time stamp that is older is none */

/* --- sending -------------------------------------------------------------------------------- */

static uint32_t
get_forward(const KvKcp *kcp)
{
    return kcp->unacked_head != NULL ? kcp->unacked_head->sn : kcp->snd_nxt;
}

/* A head leaves, or una has moved. */
static void
arm_forward(KvKcp *kcp, KvTime now)
{
    if (kcp->native.forward_at == KV_TIME_NEVER)
        return;
    kcp->native.forward_at =
        kv_kcp_diff(kcp->native.forward_to, kcp->snd_una) > 0 ? now + kcp->rack.rto : KV_TIME_NEVER;
}

/* Takes what does not fit any more out of the queue. */
static void
drop_queued(KvKcp *kcp)
{
    KvSegment **link = &kcp->queue_head;

    kcp->queue_tail = NULL;
    while (*link != NULL) {
        KvSegment *segment = *link;

        if (segment->packet->len > kcp->mss) {
            *link = segment->next;
            kcp->n_queue--;
            kv_kcp_segment_recycle(kcp, segment);
        } else {
            kcp->queue_tail = segment;
            link = &segment->next;
        }
    }
}

/* What is below @end is given up, and maybe what comes after it was before. */
static void
note_given_up(KvKcp *kcp, uint32_t end, KvTime now)
{
    KvKcpNative *native = &kcp->native;

    if (native->forward_at == KV_TIME_NEVER || kv_kcp_diff(end, native->forward_to) > 0)
        native->forward_to = end;
    native->forward_at = now;
}

void
kv_kcp_set_mtu(KvKcp *kcp, uint32_t mtu, KvTime now)
{
    uint32_t overhead = kcp->config.mtu - kcp->mss;
    KvSegment *next;

    g_return_if_fail(mtu > overhead && mtu <= KV_PACKET_CAPACITY);
    kcp->config.mtu = mtu;
    kcp->mss = mtu - overhead;
    kcp->pacer.segment = kcp->mss + KV_KCP_HEADER_BYTES;
    drop_queued(kcp);
    for (KvSegment *s = kcp->unacked_head; s != NULL; s = next) {
        next = s->next;
        if (s->packet->len <= kcp->mss)
            continue;
        note_given_up(kcp, s->sn + 1, now);
        kv_kcp_rack_abandon(kcp, s);
    }
    /* After a timeout only credits let something leave, and those may just have been given up. */
    if (kcp->rack.in_flight == 0)
        kcp->rack.credits = MAX(kcp->rack.credits, 1);
}

uint32_t
kv_kcp_get_part_max(const KvKcp *kcp)
{
    return kcp->mss;
}

gboolean
kv_kcp_begin_datagram(KvKcp *kcp, KvFrameHead *head, KvTime now)
{
    gboolean is_owed = now >= kcp->native.forward_at;

    kv_kcp_copy_plan(kcp);
    kcp->native.leaving = 0;
    *head = (KvFrameHead){
        .una = kcp->rcv_nxt,
        .fwd = get_forward(kcp),
        .wnd = kv_kcp_native_get_wnd(kcp),
        .ts = (uint32_t) now,
    };
    if (is_owed)
        arm_forward(kcp, now);
    return is_owed;
}

gboolean
kv_kcp_next_segment(KvKcp *kcp, size_t room, KvFramePart *part, KvTime now)
{
    KvSegment *segment = kv_kcp_next_to_send(kcp, now);

    if (segment == NULL || segment->packet->len + KV_FRAME_SEG_BYTES > room)
        return FALSE;
    kv_kcp_note_sent(kcp, segment, now);
    kcp->native.leaving =
        kv_ecn_add(kcp->native.leaving, segment->xmit == 1 ? segment->packet->ecn : KV_ECN_NOT_ECT);
    arm_forward(kcp, now);
    *part = (KvFramePart){
        .sn = segment->sn,
        .lane = segment->lane,
        .lane_sequence = segment->lane_sequence,
        .len = (uint16_t) segment->packet->len,
        .data = segment->packet->data,
    };
    return TRUE;
}

KvEcn
kv_kcp_get_ecn(const KvKcp *kcp)
{
    return kv_ecn_choose(kcp->native.leaving);
}

gboolean
kv_kcp_watch(KvKcp *kcp, uint32_t sn)
{
    const KvSegment *segment = kcp->ring[sn & (kcp->ring_size - 1)];

    if (kcp->native.is_watching || segment == NULL || segment->xmit != 1)
        return FALSE;
    kcp->native.is_watching = TRUE;
    kcp->native.watched = sn;
    return TRUE;
}

gboolean
kv_kcp_take_arrived(KvKcp *kcp)
{
    gboolean arrived = kcp->native.watched_arrived;

    kcp->native.watched_arrived = FALSE;
    return arrived;
}

void
kv_kcp_native_settle(KvKcp *kcp, const KvSegment *segment, gboolean arrived)
{
    KvKcpNative *native = &kcp->native;

    if (!native->is_watching || segment->sn != native->watched)
        return;
    native->is_watching = FALSE;
    native->watched_arrived = arrived && segment->xmit == 1;
}

/* --- what the peer says --------------------------------------------------------------------- */

static void
take_window(KvKcp *kcp, uint16_t wnd)
{
    kcp->rmt_wnd = MAX(WINDOW_LEAST, (uint32_t) wnd * KV_FRAME_WND_UNIT);
}

/* Whether @una is neither behind the last one nor beyond what was sent. */
static gboolean
is_current(const KvKcp *kcp, uint32_t una)
{
    return una - kcp->snd_una <= kv_kcp_in_flight_span(kcp);
}

static gboolean
was_sent(const KvKcp *kcp, uint32_t una)
{
    return kv_kcp_diff(una, kcp->snd_nxt) <= 0;
}

static void
note_head(KvKcp *kcp, uint32_t ts, KvTime now)
{
    KvKcpNative *native = &kcp->native;

    if (native->has_head && kv_time_elapsed(now, native->head_at) < TS_LIFE &&
        kv_kcp_diff(ts, native->head_ts) <= 0)
        return;
    native->has_head = TRUE;
    native->head_ts = ts;
    native->head_at = now;
}

gboolean
kv_kcp_input_head(KvKcp *kcp, const KvFrameHead *head, KvKcpOrigin origin, KvTime now)
{
    if (kv_kcp_diff(head->fwd, kcp->rcv_nxt) > 0)
        kv_kcp_native_skip(kcp, head->fwd, now);
    else if (kcp->native.has_skipped && head->fwd == kcp->native.skipped_to)
        kcp->native.report_at = now; /* the report that it is known may be lost */
    if (origin == KV_KCP_RECEIVED)
        note_head(kcp, head->ts, now);
    if (!is_current(kcp, head->una))
        return was_sent(kcp, head->una);
    if (origin == KV_KCP_RECEIVED)
        take_window(kcp, head->wnd);
    kv_kcp_rack_take_una(kcp, head->una, now);
    kv_kcp_rack_hear(kcp, now);
    arm_forward(kcp, now);
    return TRUE;
}

/* When the newest datagram left of which the peer knew; the RTT becomes a sample. */
static KvTime
take_ts(KvKcp *kcp, const KvFrameReport *report, KvTime now)
{
    KvTime age = (uint32_t) now - report->ts;
    KvTime delay = (KvTime) report->delay * KV_FRAME_DELAY_UNIT;

    if (age > MIN(now, TS_LIFE))
        return now;
    if (report->delay < KV_KCP_DELAY_UNKNOWN && age > delay)
        kcp->rack.sample_rtt = age - delay;
    return now - age;
}

void
kv_kcp_note_marks(KvKcp *kcp)
{
    kcp->rack.sample.marked = TRUE;
}

gboolean
kv_kcp_input_report(KvKcp *kcp, const KvFrameReport *report, KvTime now)
{
    KvSegment *cursor = kcp->unacked_head;
    uint32_t sn = report->una;
    gboolean ok = TRUE;
    KvTime newest;

    if (!is_current(kcp, report->una))
        return was_sent(kcp, report->una);
    take_window(kcp, report->wnd);
    newest = take_ts(kcp, report, now);
    kv_kcp_rack_take_range(kcp, &cursor, kcp->snd_una, report->una, newest, now);
    kcp->snd_una = report->una;
    for (guint i = 0; i < report->n_ranges; i++) {
        const KvFrameRange *range = &report->ranges[i];

        sn += range->start;
        ok = sn + range->len - kcp->snd_una <= kv_kcp_in_flight_span(kcp);
        if (!ok)
            break;
        kv_kcp_rack_take_range(kcp, &cursor, sn, sn + range->len, newest, now);
        sn += range->len;
    }
    kv_kcp_rack_hear(kcp, now);
    arm_forward(kcp, now);
    return ok;
}

KvTime
kv_kcp_native_deadline(const KvKcp *kcp)
{
    return MIN(kv_kcp_rack_deadline(kcp), MIN(kcp->native.report_at, kcp->native.forward_at));
}
