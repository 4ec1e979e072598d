/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-private.h"

#define REORDER_MIN       KV_TIME_MS
#define REORDER_MAX       (10 * KV_TIME_MS)
#define REORDER_SCALE_MAX 8
#define CLEAN_LOSSES      16 /* batches of losses after which the window narrows again */
#define MIN_RTT_LIFE      (10 * KV_TIME_S)
#define BACKOFF_MAX       12
#define BACKOFF_LIMIT     (3 * KV_TIME_S)
#define TIMEOUT_CREDITS   2
#define SILENT_BACKOFF    3
#define SILENT_INTERVAL   (150 * KV_TIME_MS)
#define SILENT_GAP        (2 * SILENT_INTERVAL) /* longer than a peer pauses that knocks, too */

void
kv_kcp_rack_init(KvKcp *kcp, KvTime now)
{
    kcp->rack = (KvKcpRack){
        .rto = kcp->rto * KV_TIME_MS,
        .reorder_at = KV_TIME_NEVER,
        .reorder_scale = 1,
        .min_rtt_at = now,
        .heard_at = now,
        .came_at = now,
        .moved_at = now,
    };
    kv_kcp_copy_init(kcp, now);
    kv_pacer_init(&kcp->pacer, kcp->mss + KV_KCP_HEADER_BYTES, now);
}

/* The pacer finds out when the path has become longer; without it that takes MIN_RTT_LIFE, in which
 * segments are given up too soon and acks taken for those of repairs that just left. */
static KvTime
get_min_rtt(const KvKcp *kcp)
{
    return MAX(kcp->rack.min_rtt, kcp->pacer.min_rtt);
}

gboolean
kv_kcp_rack_is_silent(const KvKcp *kcp)
{
    return kcp->config.native && kcp->rack.backoff >= SILENT_BACKOFF;
}

static uint32_t
wire_bytes(const KvSegment *segment)
{
    return segment->packet->len + KV_KCP_HEADER_BYTES;
}

static void
leave_flight(KvKcp *kcp, KvSegment *segment)
{
    KvKcpRack *rack = &kcp->rack;

    if (!segment->in_flight)
        return;
    segment->in_flight = FALSE;
    rack->in_flight -= wire_bytes(segment);
    if (segment->older != NULL)
        segment->older->newer = segment->newer;
    else
        rack->oldest = segment->newer;
    if (segment->newer != NULL)
        segment->newer->older = segment->older;
    else
        rack->newest = segment->older;
}

static void
join_flight(KvKcpRack *rack, KvSegment *segment, gboolean as_oldest)
{
    KvSegment *older = as_oldest ? NULL : rack->newest;
    KvSegment *newer = as_oldest ? rack->oldest : NULL;

    segment->in_flight = TRUE;
    rack->in_flight += wire_bytes(segment);
    segment->older = older;
    segment->newer = newer;
    if (older != NULL)
        older->newer = segment;
    else
        rack->oldest = segment;
    if (newer != NULL)
        newer->older = segment;
    else
        rack->newest = segment;
}

/* RFC 6298 in us. */
static void
take_rtt(KvKcp *kcp, KvTime rtt, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;
    KvTime least = kcp->rto_min * KV_TIME_MS;

    rtt = MAX(rtt, 1);
    if (rack->min_rtt == 0 || rtt <= rack->min_rtt ||
        kv_time_elapsed(now, rack->min_rtt_at) > MIN_RTT_LIFE) {
        rack->min_rtt = rtt;
        rack->min_rtt_at = now;
    }
    if (rack->srtt == 0) {
        rack->srtt = rtt;
        rack->rttvar = rtt / 2;
    } else {
        KvTime off = rtt > rack->srtt ? rtt - rack->srtt : rack->srtt - rtt;

        rack->rttvar = (3 * rack->rttvar + off) / 4;
        rack->srtt = (7 * rack->srtt + rtt) / 8;
    }
    rack->rto = rack->srtt + MAX(4 * rack->rttvar, kcp->config.interval * KV_TIME_MS);
    rack->rto += kcp->config.native ? kv_kcp_get_report_delay(kcp) : 0;
    rack->rto = CLAMP(rack->rto, least, KV_KCP_RTO_MAX_MS * KV_TIME_MS);
    kcp->srtt = (int32_t) (rack->srtt / KV_TIME_MS);
    kcp->rttvar = (int32_t) (rack->rttvar / KV_TIME_MS);
    kcp->rto = (uint32_t) (rack->rto / KV_TIME_MS);
}

/* The newest segment of a batch tells the rate (draft-cheng-iccrg-delivery-rate-estimation). */
static void
sample_rate(KvKcpRack *rack, const KvSegment *segment)
{
    if (rack->has_sample && segment->order < rack->sample_order)
        return;
    rack->has_sample = TRUE;
    rack->sample_order = segment->order;
    rack->sample_interval_sent = kv_time_elapsed(segment->sent_at, segment->first_sent_at);
    rack->sample_prior_at = segment->delivered_at;
    rack->sample.prior_delivered = segment->delivered;
    rack->sample.app_limited = segment->app_limited;
    rack->first_sent_at = segment->sent_at;
}

/* What ends a silence acknowledges at once what came to the peer before it, too: a rate that
 * nothing has. So all that left before does not count. */
static gboolean
is_stale(KvKcp *kcp, const KvSegment *segment)
{
    if (kv_kcp_rack_is_silent(kcp))
        kcp->rack.stale_order = kcp->rack.order;
    return segment->order <= kcp->rack.stale_order;
}

static void
count_delivered(KvKcp *kcp, const KvSegment *segment, gboolean which, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;

    rack->delivered += wire_bytes(segment);
    rack->delivered_at = now;
    rack->sample.acked += wire_bytes(segment);
    if (segment->copies == 0)
        rack->sample.acked_alone += wire_bytes(segment);
    /* What an earlier transmission brought says nothing about the rate since the last one. */
    if (segment->xmit > 0 && (which || kv_time_elapsed(now, segment->sent_at) >= get_min_rtt(kcp)))
        sample_rate(rack, segment);
}

/* @which: the transmission that arrived is known to be the last one */
static void
deliver(KvKcp *kcp, KvSegment *segment, gboolean which, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;

    if (!is_stale(kcp, segment))
        count_delivered(kcp, segment, which, now);
    rack->has_news = TRUE;
    rack->has_classic |= segment->packet->ecn >= KV_ECN_ECT0;
    rack->heard_at = rack->moved_at = now;
    rack->backoff = 0;
    rack->probed = FALSE;
    rack->frozen = FALSE;
    if (which && segment->order > rack->seen_order)
        rack->seen_order = segment->order;
    kv_kcp_copy_learn(kcp, segment->order < rack->settled_order, segment->copies);
    leave_flight(kcp, segment);
    kv_kcp_native_settle(kcp, segment, TRUE);
    kv_kcp_segment_acked(kcp, segment);
}

/* The timeout was too early (Eifel, RFC 3522): what it gave up is on its way after all. */
static void
undo_timeout(KvKcp *kcp)
{
    for (KvSegment *s = kcp->unacked_tail; s != NULL; s = s->prev) {
        if (s->in_flight || s->xmit == 0)
            continue;
        kv_kcp_clear_ready(kcp, s);
        join_flight(&kcp->rack, s, TRUE);
    }
}

/* Whether @age, in ms, of an earlier transmission may speak for the RTT. Mostly it arrived late for
 * being rebuilt by FEC, or its ack was held up; only when timeouts come too early nothing else
 * tells that the path has become longer. */
static gboolean
is_believable(const KvKcpRack *rack, int32_t age)
{
    return age >= 0 && (rack->frozen || (KvTime) age * KV_TIME_MS <= rack->rto);
}

/* An earlier transmission arrived than the last one: that one was needless. */
static void
note_needless_repeat(KvKcp *kcp, uint32_t ts)
{
    KvKcpRack *rack = &kcp->rack;

    rack->clean_losses = 0;
    rack->reorder_scale = MIN(rack->reorder_scale + 1, REORDER_SCALE_MAX);
    if (rack->frozen && kv_kcp_diff(ts, rack->timeout_ts) < 0)
        undo_timeout(kcp);
}

void
kv_kcp_rack_take_ack(KvKcp *kcp, const KvKcpAck *ack, KvKcpOrigin origin, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;
    KvSegment *segment;
    gboolean is_last;
    int32_t age;

    if (ack->sn - kcp->snd_una >= kv_kcp_in_flight_span(kcp))
        return;
    segment = kcp->ring[ack->sn & (kcp->ring_size - 1)];
    if (segment == NULL || segment->xmit == 0)
        return;
    is_last = ack->ts == segment->ts;
    age = kv_kcp_diff((uint32_t) (now / KV_TIME_MS), ack->ts);
    if (is_last && segment->order >= rack->seen_order) {
        rack->rtt = kv_time_elapsed(now, segment->sent_at);
        if (origin == KV_KCP_RECEIVED)
            rack->sample_rtt = rack->rtt;
    } else if (!is_last && kv_kcp_diff(ack->ts, segment->first_ts) >= 0 && age >= 0) {
        if (origin == KV_KCP_RECEIVED && rack->sample_rtt == 0 && is_believable(rack, age))
            rack->sample_rtt = (KvTime) age * KV_TIME_MS;
        if (!segment->copied)
            note_needless_repeat(kcp, ack->ts);
    }
    deliver(kcp, segment, is_last, now);
}

void
kv_kcp_rack_take_una(KvKcp *kcp, uint32_t una, KvTime now)
{
    if (una - kcp->snd_una > kv_kcp_in_flight_span(kcp))
        return;
    while (kcp->unacked_head != NULL && kv_kcp_diff(una, kcp->unacked_head->sn) > 0) {
        KvSegment *s = kcp->unacked_head;
        gboolean which = s->xmit == 1 || kv_time_elapsed(now, s->sent_at) >= get_min_rtt(kcp);

        deliver(kcp, s, which, now);
    }
    kcp->snd_una = una;
}

static void
take_told(KvKcp *kcp, KvSegment *segment, KvTime newest, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;
    gboolean which =
        segment->xmit == 1 ||
        (segment->sent_at <= newest && kv_time_elapsed(now, segment->sent_at) >= get_min_rtt(kcp));

    if (which && segment->order >= rack->seen_order)
        rack->rtt =
            rack->sample_rtt > 0 ? rack->sample_rtt : kv_time_elapsed(now, segment->sent_at);
    if (segment->xmit > 1 && segment->sent_at > newest && !segment->copied)
        note_needless_repeat(kcp, (uint32_t) (newest / KV_TIME_MS));
    deliver(kcp, segment, which, now);
}

void
kv_kcp_rack_take_range(KvKcp *kcp, KvSegment **cursor, uint32_t from, uint32_t to, KvTime newest,
                       KvTime now)
{
    KvSegment *segment = *cursor;

    while (segment != NULL && kv_kcp_diff(segment->sn, from) < 0)
        segment = segment->next;
    while (segment != NULL && kv_kcp_diff(segment->sn, to) < 0) {
        KvSegment *next = segment->next;

        take_told(kcp, segment, newest, now);
        segment = next;
    }
    *cursor = segment;
}

void
kv_kcp_rack_abandon(KvKcp *kcp, KvSegment *segment)
{
    leave_flight(kcp, segment);
    kv_kcp_native_settle(kcp, segment, FALSE);
    kv_kcp_segment_acked(kcp, segment);
}

void
kv_kcp_rack_on_sent(KvKcp *kcp, KvSegment *segment, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;

    if (rack->in_flight == 0)
        rack->first_sent_at = rack->delivered_at = now;
    segment->sent_at = now;
    segment->order = ++rack->order;
    segment->delivered = rack->delivered;
    segment->delivered_at = rack->delivered_at;
    segment->first_sent_at = rack->first_sent_at;
    segment->app_limited = rack->app_limited_until > 0;
    if (segment->xmit == 1) {
        segment->first_ts = segment->ts;
        rack->moved_at = now;
    }
    leave_flight(kcp, segment);
    join_flight(rack, segment, FALSE);
    kv_kcp_copy_on_sent(kcp, segment);
    if (rack->credits > 0)
        rack->credits--;
    if (kcp->config.tuning.pacing)
        kv_pacer_on_sent(&kcp->pacer, wire_bytes(segment), segment->xmit > 1, now);
}

void
kv_kcp_rack_on_idle(KvKcp *kcp)
{
    KvKcpRack *rack = &kcp->rack;

    /* What is under way fills the path: the queue here ran dry because it is kept short. */
    if (kcp->config.tuning.pacing && kv_pacer_is_filled(&kcp->pacer, rack->in_flight))
        return;
    rack->app_limited_until = MAX(1, rack->delivered + rack->in_flight);
}

static gboolean
window_is_open(const KvKcp *kcp)
{
    const KvKcpRack *rack = &kcp->rack;

    return !rack->frozen && (!kcp->config.tuning.pacing || rack->in_flight < kcp->pacer.cwnd);
}

gboolean
kv_kcp_rack_may_send(const KvKcp *kcp, const KvSegment *segment, KvTime now)
{
    if (kcp->rack.credits > 0)
        return TRUE;
    return window_is_open(kcp) &&
           (!kcp->config.tuning.pacing || kv_pacer_may_send(&kcp->pacer, segment->xmit > 0, now));
}

/* Where nothing arrives for a while, that says nothing of the share that gets lost else; and before
 * the first RTT the path may just be long. */
static void
learn_loss(KvKcp *kcp, const KvSegment *segment)
{
    if (kv_kcp_rack_is_silent(kcp) || kcp->rack.srtt == 0)
        return;
    kv_kcp_copy_learn(kcp, TRUE, 0);
    kcp->rack.lost_alone += segment->copies == 0 ? wire_bytes(segment) : 0;
}

static void
give_up(KvKcp *kcp, KvSegment *segment)
{
    learn_loss(kcp, segment);
    leave_flight(kcp, segment);
    kv_kcp_mark_ready(kcp, segment);
}

static KvTime
reorder_window(const KvKcp *kcp)
{
    const KvKcpRack *rack = &kcp->rack;
    KvTime usual = CLAMP(get_min_rtt(kcp) / 8, REORDER_MIN, REORDER_MAX);

    return MIN(usual * rack->reorder_scale, MAX(rack->srtt, usual));
}

/* Lost is what was sent before something that arrived, and has had its time. */
static void
detect_losses(KvKcp *kcp, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;
    KvTime patience = rack->rtt + reorder_window(kcp);
    uint64_t before = kcp->retransmits_fast;

    rack->reorder_at = KV_TIME_NEVER;
    while (rack->oldest != NULL && rack->oldest->order < rack->seen_order) {
        KvTime lost_at = rack->oldest->sent_at + patience;

        if (now < lost_at) {
            rack->reorder_at = lost_at;
            break;
        }
        rack->overtaken += wire_bytes(rack->oldest);
        give_up(kcp, rack->oldest);
        kcp->retransmits_fast++;
    }
    if (kcp->retransmits_fast > before && ++rack->clean_losses > CLEAN_LOSSES)
        rack->reorder_scale = 1;
}

static KvTime
get_silent_interval(const KvKcp *kcp)
{
    return MAX(SILENT_INTERVAL, kcp->rack.srtt);
}

static KvTime
timeout_at(const KvKcp *kcp)
{
    const KvKcpRack *rack = &kcp->rack;
    KvTime rto = rack->rto, limit = MAX(BACKOFF_LIMIT, 2 * rack->rto);

    if (rack->oldest == NULL)
        return KV_TIME_NEVER;
    if (kv_kcp_rack_is_silent(kcp))
        limit = get_silent_interval(kcp);
    for (guint i = 0; i < rack->backoff && rto < limit; i++)
        rto += rto / 2;
    return MAX(rack->oldest->sent_at, rack->heard_at) + MIN(rto, limit);
}

static KvTime
probe_at(const KvKcp *kcp)
{
    const KvKcpRack *rack = &kcp->rack;

    if (!kcp->config.tuning.tail_probe || rack->probed || rack->srtt == 0 || rack->backoff > 0 ||
        rack->oldest == NULL || kcp->n_ready > 0)
        return KV_TIME_NEVER;
    /* RTTs of the native packing are free of what the peer waits before it reports. */
    if (kcp->config.native)
        return rack->moved_at + rack->srtt + rack->srtt / 2 + 2 * rack->rttvar +
               kv_kcp_get_report_delay(kcp);
    return rack->moved_at + 2 * rack->srtt + 2 * rack->rttvar;
}

static void
time_out(KvKcp *kcp, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;
    KvTime patience = kv_kcp_rack_is_silent(kcp) ? 0 : rack->srtt + reorder_window(kcp);

    do {
        give_up(kcp, rack->oldest);
        kcp->retransmits_timeout++;
    } while (rack->oldest != NULL && rack->oldest->sent_at + patience <= now);
    rack->backoff = MIN(rack->backoff + 1, BACKOFF_MAX);
    rack->credits = kv_kcp_rack_is_silent(kcp) ? 1 : TIMEOUT_CREDITS;
    rack->frozen = TRUE;
    rack->timeout_ts = (uint32_t) (now / KV_TIME_MS);
}

void
kv_kcp_rack_hear(KvKcp *kcp, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;
    gboolean is_back = kv_time_elapsed(now, rack->came_at) >= SILENT_GAP;

    rack->came_at = now;
    if (is_back && kv_kcp_rack_is_silent(kcp) && rack->oldest != NULL)
        time_out(kcp, now);
}

void
kv_kcp_rack_hurry(KvKcp *kcp)
{
    kcp->rack.backoff = 0;
    kcp->rack.probed = FALSE;
    kcp->rack.credits = MAX(kcp->rack.credits, TIMEOUT_CREDITS);
}

static void
probe_tail(KvKcp *kcp)
{
    KvKcpRack *rack = &kcp->rack;

    rack->probed = TRUE;
    if (!kcp->unacked_tail->in_flight)
        return;
    kv_kcp_copy_learn(kcp, TRUE, 0);
    leave_flight(kcp, kcp->unacked_tail);
    kv_kcp_mark_ready(kcp, kcp->unacked_tail);
    kcp->retransmits_probe++;
    rack->credits = MAX(rack->credits, 1);
}

static void
close_sample(KvKcp *kcp, KvTime now)
{
    KvKcpRack *rack = &kcp->rack;

    if (rack->sample_rtt > 0)
        take_rtt(kcp, rack->sample_rtt, now);
    if (rack->delivered > rack->app_limited_until)
        rack->app_limited_until = 0;
    if (kcp->config.tuning.pacing && rack->has_sample) {
        rack->sample.delivered = rack->delivered;
        rack->sample.interval =
            MAX(rack->sample_interval_sent, kv_time_elapsed(now, rack->sample_prior_at));
        rack->sample.rtt = rack->sample_rtt;
        rack->sample.lost_alone = rack->lost_alone;
        rack->sample.overtaken = rack->overtaken;
        rack->sample.in_flight = rack->in_flight;
        rack->sample.marked &= rack->has_classic;
        kv_pacer_on_ack(&kcp->pacer, &rack->sample, now);
        rack->lost_alone = rack->overtaken = 0;
    }
    rack->settled_order = rack->seen_order;
    rack->has_news = rack->has_sample = rack->has_classic = FALSE;
    rack->sample_rtt = 0;
    rack->sample = (KvPacerSample){0};
}

void
kv_kcp_rack_flush(KvKcp *kcp, KvTime now)
{
    if (kcp->rack.has_news) {
        detect_losses(kcp, now);
        close_sample(kcp, now);
    } else if (now >= kcp->rack.reorder_at) {
        detect_losses(kcp, now);
    }
    if (now >= timeout_at(kcp))
        time_out(kcp, now);
    else if (now >= probe_at(kcp))
        probe_tail(kcp);
}

static gboolean
has_something_to_send(const KvKcp *kcp)
{
    return kcp->n_ready > 0 ||
           (kcp->queue_head != NULL && kv_kcp_in_flight_span(kcp) < kv_kcp_get_window(kcp));
}

KvTime
kv_kcp_rack_deadline(const KvKcp *kcp)
{
    KvTime at = MIN(kcp->rack.reorder_at, MIN(timeout_at(kcp), probe_at(kcp)));

    if (kcp->config.tuning.pacing && window_is_open(kcp) && has_something_to_send(kcp))
        at = MIN(at, kv_pacer_get_next(&kcp->pacer));
    return at;
}
