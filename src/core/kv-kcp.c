/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp.h"

#include "kv-kcp-private.h"
#include "native/kv-frame.h"

#define INTERVAL_MIN_MS 10
#define INTERVAL_MAX_MS 5000
#define RTO_START_MS    200
#define RTO_MIN_MS      100
#define RTO_MIN_NODELAY 30
#define RMT_WND_START   32
#define SSTHRESH_START  2
#define PROGRESS_MS     1000
#define UNSENT_TIME     (10 * KV_TIME_MS) /* of sending may wait in the queue */
#define UNSENT_SEGMENTS 8                 /* or so many */
#define UNSENT_START    65536             /* bytes, while the rate is not known */

/* Bytes of a datagram around one segment, without what the layers outside keep. */
static uint32_t
get_overhead(const KvKcpConfig *config)
{
    return config->native ? KV_FRAME_HEAD_BYTES + KV_FRAME_SEG_BYTES : KV_KCP_HEADER_BYTES;
}

static gboolean
native_is_valid(const KvKcpConfig *config)
{
    return config->tuning.rack && config->tuning.flush_on_input && config->peer_wnd > 0;
}

static gboolean
config_is_valid(const KvKcpConfig *config)
{
    return config->mtu >= 50 && config->mtu <= 1500 &&
           config->reserved + get_overhead(config) < config->mtu && config->snd_wnd > 0 &&
           (!config->native || native_is_valid(config)) && config->snd_wnd <= KV_KCP_WINDOW_MAX &&
           config->rcv_wnd > 0 && config->rcv_wnd <= KV_KCP_WINDOW_MAX &&
           (config->tuning.rack || !(config->tuning.tail_probe || config->tuning.pacing));
}

KvKcp *
kv_kcp_new(const KvKcpConfig *config, KvPacketPool *pool, KvTime now)
{
    KvKcp *kcp;

    g_return_val_if_fail(config_is_valid(config), NULL);
    kcp = g_new0(KvKcp, 1);
    kcp->config = *config;
    kcp->config.interval = CLAMP(config->interval, INTERVAL_MIN_MS, INTERVAL_MAX_MS);
    kcp->pool = pool;
    kcp->mss = config->mtu - config->reserved - get_overhead(config);
    kcp->now_ms = now / KV_TIME_MS;
    kcp->timer_at = now;
    kcp->rmt_wnd = config->native ? config->peer_wnd : RMT_WND_START;
    kcp->rto = RTO_START_MS;
    kcp->rto_min = config->nodelay ? RTO_MIN_NODELAY : RTO_MIN_MS;
    kcp->ssthresh = SSTHRESH_START;
    kv_kcp_sending_init(kcp);
    kv_kcp_receiving_init(kcp);
    kcp->acked = kcp->delivered =
        (KvKcpProgress){.since_ms = kcp->now_ms, .base = config->first_sn};
    kv_kcp_rack_init(kcp, now);
    if (config->native)
        kv_kcp_native_init(kcp);
    return kcp;
}

void
kv_kcp_free(KvKcp *kcp)
{
    if (kcp == NULL)
        return;
    kv_kcp_sending_clear(kcp);
    kv_kcp_receiving_clear(kcp);
    kv_kcp_native_clear(kcp);
    g_free(kcp);
}

uint32_t
kv_kcp_get_waiting(const KvKcp *kcp)
{
    return kcp->n_queue + kv_kcp_in_flight_span(kcp);
}

static void
update_progress(KvKcpProgress *progress, uint32_t now_at, KvTime now_ms)
{
    KvTime elapsed = now_ms - progress->since_ms;

    if (elapsed < PROGRESS_MS)
        return;
    *progress = (KvKcpProgress){
        .since_ms = now_ms,
        .base = now_at,
        .last = elapsed < 2 * PROGRESS_MS ? now_at - progress->base : 0,
    };
}

uint32_t
kv_kcp_get_share(const KvKcp *kcp, const KvKcpProgress *progress, uint32_t now_at)
{
    uint32_t share = kv_packet_pool_get_share(kcp->pool);
    uint32_t recent = MAX(progress->last, now_at - progress->base);

    if (!kv_packet_pool_is_in_demand(kcp->pool))
        return share;
    return MIN(share, MAX(2 * recent, KV_PACKET_SHARE_MIN));
}

static uint64_t
get_unsent_limit(const KvKcp *kcp)
{
    uint64_t soon = kcp->pacer.rate * UNSENT_TIME / KV_TIME_S;

    return kcp->pacer.rate == 0 ? UNSENT_START : MAX(soon, (uint64_t) UNSENT_SEGMENTS * kcp->mss);
}

gboolean
kv_kcp_can_send(const KvKcp *kcp)
{
    if (kcp->config.tuning.pacing && (uint64_t) kcp->n_queue * kcp->mss >= get_unsent_limit(kcp))
        return FALSE;
    return kv_kcp_get_waiting(kcp) < MIN(MIN(kcp->config.snd_wnd, kcp->rmt_wnd),
                                         kv_kcp_get_share(kcp, &kcp->acked, kcp->snd_una));
}

/* What one datagram said, besides what was done at once. */
typedef struct {
    KvPacket *packet;
    KvKcpOrigin origin;
    KvTime now;
    gboolean acked;
    uint32_t ack_ts; /* of the last ack */
} Heard;

static void
note_echo(KvKcp *kcp, const KvKcpAck *ack)
{
    const KvSegment *segment;

    if (ack->sn - kcp->snd_una >= kv_kcp_in_flight_span(kcp))
        return;
    segment = kcp->ring[ack->sn & (kcp->ring_size - 1)];
    if (segment != NULL && segment->xmit > 0 &&
        (ack->ts == segment->ts || (kcp->config.tuning.rack && ack->ts == segment->first_ts)))
        kcp->echoes++;
}

static void
take_acks(KvKcp *kcp, Heard *heard, const KvKcpAck *ack, uint32_t una)
{
    if (ack != NULL)
        note_echo(kcp, ack);
    if (kcp->config.tuning.rack) {
        /* una would remove the segment whose transmission the ack names */
        if (ack != NULL)
            kv_kcp_rack_take_ack(kcp, ack, heard->origin, heard->now);
        kv_kcp_rack_take_una(kcp, una, heard->now);
        return;
    }
    kv_kcp_take_una(kcp, una);
    if (ack == NULL)
        return;
    kv_kcp_take_ack(kcp, ack->sn, ack->ts);
    heard->acked = TRUE;
    heard->ack_ts = ack->ts;
}

/* Takes one segment off @p, which holds a header at least. Returns: its length; 0: not understood.
 */
static size_t
take_segment(KvKcp *kcp, const uint8_t *p, size_t left, Heard *heard)
{
    uint8_t cmd = p[4];
    KvKcpAck ack = {.ts = kv_get_le32(p + 8), .sn = kv_get_le32(p + 12)};
    uint32_t una = kv_get_le32(p + 16);
    uint32_t len = kv_get_le32(p + 20);

    if (kv_get_le32(p) != kcp->config.conv || cmd < KV_KCP_PUSH || cmd > KV_KCP_TELL)
        return 0;
    if (len > left - KV_KCP_HEADER_BYTES)
        return 0;

    if (heard->origin == KV_KCP_RECEIVED)
        kcp->rmt_wnd = kv_get_le16(p + 6);
    take_acks(kcp, heard, cmd == KV_KCP_ACK ? &ack : NULL, una);
    if (cmd == KV_KCP_PUSH) {
        KvKcpSlot slot = {.offset = (uint16_t) (p + KV_KCP_HEADER_BYTES - heard->packet->data),
                          .len = (uint16_t) len,
                          .frg = p[5]};

        kv_kcp_take_push(kcp, &ack, heard->packet, &slot);
    } else if (cmd == KV_KCP_ASK) {
        kcp->probe |= KV_KCP_ASK_TELL;
    }
    return KV_KCP_HEADER_BYTES + len;
}

static void
flush_acks(KvKcp *kcp)
{
    kcp->acks_due = kcp->n_acks > kcp->n_repeats ? kcp->n_acks : 0;
    kcp->last_ack = (KvKcpAck){0};
}

gboolean
kv_kcp_input(KvKcp *kcp, KvPacket *packet, size_t offset, size_t len, KvKcpOrigin origin,
             KvTime now)
{
    uint32_t una_before = kcp->snd_una;
    Heard heard = {.packet = packet, .origin = origin, .now = now};
    const uint8_t *p = packet->data + offset;

    g_return_val_if_fail(offset <= packet->len && len <= packet->len - offset, FALSE);
    if (len < KV_KCP_HEADER_BYTES)
        return FALSE;
    while (len >= KV_KCP_HEADER_BYTES) {
        size_t n = take_segment(kcp, p, len, &heard);

        if (n == 0)
            return FALSE;
        p += n;
        len -= n;
    }
    if (heard.acked && origin == KV_KCP_RECEIVED)
        kv_kcp_take_rtt(kcp, kv_kcp_diff((uint32_t) (now / KV_TIME_MS), heard.ack_ts));
    if (!kcp->config.nc && kcp->snd_una != una_before)
        kv_kcp_grow_cwnd(kcp);
    if (kcp->config.ack_nodelay)
        flush_acks(kcp);
    return TRUE;
}

/* While the peer's window is closed, asks for it now and then. */
static void
update_probe(KvKcp *kcp)
{
    uint32_t first = kcp->config.tuning.rack ? KV_KCP_PROBE_TUNED_MS : KV_KCP_PROBE_INIT_MS;

    if (kcp->rmt_wnd != 0) {
        kcp->probe_wait = 0;
        return;
    }
    if (kcp->probe_wait == 0) {
        kcp->probe_wait = first;
    } else if (kcp->now_ms >= kcp->probe_at) {
        kcp->probe_wait = MIN(kcp->probe_wait + kcp->probe_wait / 2, KV_KCP_PROBE_MAX_MS);
        kcp->probe |= KV_KCP_ASK_SEND;
    } else {
        return;
    }
    kcp->probe_at = kcp->now_ms + kcp->probe_wait;
}

void
kv_kcp_flush(KvKcp *kcp, KvTime now)
{
    kcp->now_ms = now / KV_TIME_MS;
    update_progress(&kcp->acked, kcp->snd_una, kcp->now_ms);
    update_progress(&kcp->delivered, kcp->rcv_nxt, kcp->now_ms);
    if (kcp->config.native) {
        kv_kcp_rack_flush(kcp, now);
        return;
    }
    flush_acks(kcp);
    update_probe(kcp);
    kcp->probe_due |= kcp->probe;
    kcp->probe = 0;
    if (kcp->config.tuning.rack)
        kv_kcp_rack_flush(kcp, now);
    else
        kv_kcp_flush_segments(kcp);
}

void
kv_kcp_hurry(KvKcp *kcp)
{
    if (!kcp->config.tuning.rack)
        return;
    kv_kcp_rack_hurry(kcp);
    kcp->probe_wait = 0;
    if (kcp->rmt_wnd == 0)
        kcp->probe |= KV_KCP_ASK_SEND;
}

void
kv_kcp_input_end(KvKcp *kcp, KvTime now)
{
    if (kcp->config.tuning.flush_on_input)
        kv_kcp_flush(kcp, now);
}

static gboolean
owes_something(const KvKcp *kcp)
{
    return kcp->tick_owed || kcp->n_acks > kcp->n_repeats || kcp->probe != 0 || kcp->rmt_wnd == 0 ||
           kv_kcp_get_waiting(kcp) > 0;
}

KvTime
kv_kcp_deadline(const KvKcp *kcp)
{
    KvHeapNode *due = kv_heap_peek(&kcp->timers);
    KvTime at = kcp->timer_at;

    if (kcp->config.native)
        return kv_kcp_native_deadline(kcp);
    if (kcp->config.tuning.idle_silence && !owes_something(kcp))
        return KV_TIME_NEVER;
    if (kcp->config.tuning.rack)
        at = MIN(at, kv_kcp_rack_deadline(kcp));
    return due != NULL ? MIN(at, due->when * KV_TIME_MS) : at;
}

gboolean
kv_kcp_advance(KvKcp *kcp, KvTime now)
{
    gboolean is_tick = !kcp->config.native && now >= kcp->timer_at;

    if (now < kv_kcp_deadline(kcp))
        return FALSE;
    if (is_tick) {
        kcp->tick_owed = FALSE;
        kcp->timer_at = now + kcp->config.interval * KV_TIME_MS;
    }
    kv_kcp_flush(kcp, now);
    return is_tick;
}

void
kv_kcp_get_state(const KvKcp *kcp, KvKcpState *state)
{
    *state = (KvKcpState){
        .snd_una = kcp->snd_una,
        .snd_nxt = kcp->snd_nxt,
        .rcv_nxt = kcp->rcv_nxt,
        .snd_queue = kcp->n_queue,
        .snd_buf = kv_kcp_in_flight_span(kcp),
        .rcv_queue = kcp->rcv_nxt - kcp->rcv_head,
        .rcv_buf = kcp->n_early,
        .acklist = kcp->n_acks - kcp->acks_out,
        .rmt_wnd = kcp->rmt_wnd,
        .cwnd = kcp->cwnd,
        .incr = kcp->incr,
        .ssthresh = kcp->ssthresh,
        .probe = kcp->probe,
        .probe_wait = kcp->probe_wait,
        .srtt = (uint32_t) kcp->srtt,
        .rttvar = (uint32_t) kcp->rttvar,
        .rto = kcp->rto,
        .segments_sent = kcp->segments_sent,
        .retransmits_timeout = kcp->retransmits_timeout,
        .retransmits_fast = kcp->retransmits_fast,
        .retransmits_probe = kcp->retransmits_probe,
        .early_copies = kcp->early_copies,
        .duplicates = kcp->duplicates,
        .echoes = kcp->echoes,
    };
}

uint32_t
kv_kcp_get_next_flush_ms(const KvKcp *kcp)
{
    const KvHeapNode *due = kv_heap_peek(&kcp->timers);

    if (due == NULL || due->when <= kcp->now_ms)
        return kcp->config.interval;
    return (uint32_t) MIN(kcp->config.interval, due->when - kcp->now_ms);
}
