/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-heap.h"
#include "kv-kcp.h"
#include "kv-pacer.h"

/* What the files of the KCP machine share. Nobody else includes this. */

enum {
    KV_KCP_PUSH = 81,
    KV_KCP_ACK = 82,
    KV_KCP_ASK = 83,
    KV_KCP_TELL = 84,
};

/* Bits of probe and probe_due. */
#define KV_KCP_ASK_SEND 1u
#define KV_KCP_ASK_TELL 2u

#define KV_KCP_RTO_MAX_MS 60000

/*
 * Timers of the machine (as published):
 *   interval    the regular flush, 10 ms to 5 s
 *   rto         each segment's own; from 30 ms (nodelay) or 100 ms up to 60 s
 *   probe       7 s, growing by half up to 120 s, while the peer's window is closed
 */
#define KV_KCP_PROBE_INIT_MS  7000
#define KV_KCP_PROBE_TUNED_MS 200 /* with rack: one lost window message must not cost 7 s */
#define KV_KCP_PROBE_MAX_MS   120000

typedef struct _KvSegment KvSegment;

/* One segment to send, from kv_kcp_send() until the peer has it. */
struct _KvSegment {
    KvHeapNode timer; /* as published: when, in ms of the wide clock, it times out */
    KvSegment *prev;  /* unacknowledged ones by sn */
    KvSegment *next;  /* the same; or the queue; or the free list */
    KvPacket *packet; /* its bytes, from offset 0 */
    uint32_t sn;
    uint32_t ts;      /* ms on the wire of the last transmission */
    uint32_t rto;     /* ms */
    uint32_t fastack; /* acks that passed it since the last transmission */
    uint32_t xmit;    /* transmissions */
    uint8_t frg;

    /* With rack: of the last transmission. */
    gboolean in_flight; /* neither acknowledged nor given up as lost */
    KvSegment *older;   /* those in flight by time of transmission */
    KvSegment *newer;
    uint64_t order;
    KvTime sent_at;
    KvTime first_sent_at; /* the rate sample that this transmission began with */
    KvTime delivered_at;
    uint64_t delivered;
    gboolean app_limited;
    uint32_t first_ts;      /* of the first transmission */
    uint32_t lane_sequence; /* native */
    uint16_t lane;
    gboolean copied; /* sent early a second time: acks of two transmissions are no mistake */
    guint copies;    /* of the last transmission */
};

/*
 * Loss detection and rate samples of the tuned sender. Its timers, all from the RTT in us:
 *   reorder  an eighth of the lowest RTT, 1 to 10 ms, up to eight times that after needless repeats
 *   probe    2 RTT + 2 RTTVAR after the last ack or new segment
 *   rto      RTT + max(4 RTTVAR, interval), at least the published minimum, half as much longer
 *            each time up to 3 s or 2 RTT
 *   silence  native: after three of these in a row one segment each 150 ms, or RTT if that is more,
 *            for as long as there is one: so the first that may arrive again does
 */
typedef struct {
    KvSegment *oldest; /* in flight, by time of transmission */
    KvSegment *newest;
    uint64_t in_flight;     /* bytes */
    uint64_t order;         /* transmissions so far */
    uint64_t seen_order;    /* the newest transmission that is known to have arrived */
    uint64_t settled_order; /* the same at the end of the last batch of acks */
    KvTime rtt;             /* of that one */
    KvTime srtt;            /* us; 0: no sample yet */
    KvTime rttvar;
    KvTime min_rtt;
    KvTime min_rtt_at;
    KvTime rto; /* without back-off */
    KvTime reorder_at;
    KvTime heard_at; /* the last ack */
    KvTime came_at;  /* native: the last head or report */
    KvTime moved_at; /* the last ack or new segment */
    guint reorder_scale;
    guint clean_losses; /* batches of losses since a repeat was needless */
    guint backoff;
    guint credits;       /* segments that may leave whatever window and pace say */
    gboolean probed;     /* and no ack since */
    gboolean frozen;     /* timed out and no ack since: only credits */
    uint32_t timeout_ts; /* when it froze */

    uint64_t delivered; /* bytes */
    KvTime delivered_at;
    KvTime first_sent_at;
    uint64_t app_limited_until; /* delivered bytes; 0: not */
    uint64_t lost_alone;        /* without copies, since the last sample */
    uint64_t overtaken;         /* of all that were lost since then, but for timeouts */
    gboolean has_news;          /* something was acknowledged since the last flush */
    uint64_t stale_order;       /* the last transmission before the last silence ended */
    gboolean has_sample;
    uint64_t sample_order;
    KvTime sample_interval_sent;
    KvTime sample_prior_at;
    KvTime sample_rtt;
    gboolean has_classic; /* of the batch, some would take a mark for a loss (RFC 3168) */
    KvPacerSample sample;
} KvKcpRack;

/* Early copies, see kv-kcp-copy.c. */
typedef struct {
    uint32_t allowance; /* bytes */
    uint32_t reserve;   /* so many of them are only for paths that lose much */
    uint32_t saved;     /* that was there when the path was last not in full use */
    int32_t holes;      /* share of segments that came late */
    uint32_t n_learned;
    KvTime earned_at;
    guint planned;    /* copies of the datagram that is being made */
    guint affordable; /* and if there is a repair in it */
    gboolean has_repair;
} KvKcpCopy;

/* One place of the receive ring: received and not yet consumed, in or out of order. */
typedef struct {
    KvPacket *packet; /* a reference; NULL: empty */
    uint16_t offset;
    uint16_t len;
    uint8_t frg;
} KvKcpSlot;

typedef struct {
    uint32_t sn;
    uint32_t ts;
} KvKcpAck;

/* How far a sequence number came in the last second, by which packets are rationed. */
typedef struct {
    KvTime since_ms;
    uint32_t base; /* the number at that time */
    uint32_t last; /* segments in the second before */
} KvKcpProgress;

#define KV_KCP_DELAY_UNKNOWN 65535 /* in a report: so long or longer, no measure of time */

/* What the native packing needs besides, see kv-kcp-native.h. */
typedef struct {
    /* Receiving: a bit by sn for what came above rcv_nxt. */
    uint64_t *got;
    uint64_t *untold; /* of it, what no report has told of */
    uint64_t *once;   /* and what but one has */
    uint32_t size;    /* bits of each */
    uint32_t end;     /* the highest sn that came, and one; rcv_nxt if none is above */
    KvTime report_at;
    gboolean has_skipped; /* the peer gave up what was below @skipped_to */
    uint32_t skipped_to;
    uint32_t retell_from; /* whose turn it is of ranges that were told twice */
    gboolean has_head;    /* the newest one that was not recovered */
    uint32_t head_ts;
    KvTime head_at;

    /* Sending: all that was given up is below @forward_to, and the peer is to be told at
     * @forward_at (again). */
    uint32_t forward_to;
    KvTime forward_at;
    KvEcnSet leaving; /* in the datagram that is being made */
    gboolean is_watching;
    uint32_t watched;
    gboolean watched_arrived;
} KvKcpNative;

struct _KvKcp {
    KvKcpConfig config;
    KvPacketPool *pool;
    uint32_t mss;
    KvTime now_ms;   /* the wide ms clock at the last flush */
    KvTime timer_at; /* the next regular flush */
    gboolean tick_owed;

    /* Sending: the ring by sn holds [snd_una, snd_nxt); NULL there: acknowledged. */
    uint32_t snd_una;
    uint32_t snd_nxt;
    KvSegment **ring;
    uint64_t *suspect; /* bit by sn: to be looked at by the next flush */
    uint64_t *ready;   /* bit by sn: to be given out by kv_kcp_output() */
    uint32_t ring_size;
    uint32_t ready_from; /* no sn before this one is ready */
    uint32_t n_ready;
    KvSegment *unacked_head;
    KvSegment *unacked_tail;
    KvSegment *queue_head; /* written and not yet numbered */
    KvSegment *queue_tail;
    uint32_t n_queue;
    KvSegment *spare;
    GPtrArray *slabs;
    KvHeap timers;
    KvKcpProgress acked; /* of snd_una */

    /* Receiving: the ring holds [rcv_head, rcv_nxt) in order and what came early behind it. */
    uint32_t rcv_head;
    uint32_t rcv_nxt;
    KvKcpSlot *slots;
    uint32_t slots_size;
    uint32_t n_early;
    uint32_t read_offset;    /* bytes consumed of the segment at rcv_head */
    KvKcpProgress delivered; /* of rcv_nxt */
    KvKcpAck *acks;
    uint32_t acks_size;
    uint32_t n_acks;
    uint32_t n_repeats; /* the first so many of them have left once */
    uint32_t acks_due;  /* the first so many of them may leave */
    uint32_t acks_out;  /* and so many have left */
    KvKcpAck last_ack;  /* of this flush: what window messages carry in sn and ts */

    uint32_t rmt_wnd;
    uint32_t probe;
    uint32_t probe_due;
    uint32_t probe_wait;
    KvTime probe_at; /* wide ms */

    int32_t srtt; /* ms */
    int32_t rttvar;
    uint32_t rto;
    uint32_t rto_min;
    uint32_t cwnd;
    uint32_t incr;
    uint32_t ssthresh;

    KvKcpRack rack;
    KvKcpCopy copy;
    KvPacer pacer;
    KvKcpNative native;

    uint64_t segments_sent;
    uint64_t retransmits_timeout;
    uint64_t retransmits_fast;
    uint64_t retransmits_probe;
    uint64_t early_copies;
    uint64_t duplicates;
    uint64_t echoes;
};

/* How many packets this machine may have in one direction, whose progress is @progress and has come
 * to @now_at. While packets are in demand that is twice what it got through in a second, so that
 * nobody keeps them to no end, and who makes use of them soon has his share. */
uint32_t kv_kcp_get_share(const KvKcp *kcp, const KvKcpProgress *progress, uint32_t now_at);

/* Signed distance on the circle of sequence numbers and of times. */
static inline int32_t
kv_kcp_diff(uint32_t later, uint32_t earlier)
{
    return (int32_t) (later - earlier);
}

static inline uint32_t
kv_kcp_in_flight_span(const KvKcp *kcp)
{
    return kcp->snd_nxt - kcp->snd_una;
}

/* kv-kcp-send.c: the send queue and ring */

void kv_kcp_sending_init(KvKcp *kcp);
void kv_kcp_sending_clear(KvKcp *kcp);

/* Gives the first queued segment the next number and a place in the ring. */
KvSegment *kv_kcp_number_next(KvKcp *kcp);

void kv_kcp_set_bit(uint64_t *bits, uint32_t ring_size, uint32_t sn);
void kv_kcp_clear_bit(uint64_t *bits, uint32_t ring_size, uint32_t sn);

gboolean kv_kcp_get_bit(const uint64_t *bits, uint32_t ring_size, uint32_t sn);

/* The first sn in [@from, @end) whose bit is set, else @end. */
uint32_t kv_kcp_next_bit(const uint64_t *bits, uint32_t ring_size, uint32_t from, uint32_t end);

void kv_kcp_mark_ready(KvKcp *kcp, KvSegment *segment);
void kv_kcp_clear_ready(KvKcp *kcp, KvSegment *segment);
void kv_kcp_mark_suspect(KvKcp *kcp, KvSegment *segment);

/* Takes back a segment that is in no list any more. */
void kv_kcp_segment_recycle(KvKcp *kcp, KvSegment *segment);

/* The peer has it: frees its bytes; its number waits for una. */
void kv_kcp_segment_acked(KvKcp *kcp, KvSegment *segment);

/* kv-kcp-ack.c: what acknowledgements and time say about sent segments, as published */

void kv_kcp_take_una(KvKcp *kcp, uint32_t una);
void kv_kcp_take_ack(KvKcp *kcp, uint32_t sn, uint32_t ts);
void kv_kcp_take_rtt(KvKcp *kcp, int32_t rtt_ms);
void kv_kcp_grow_cwnd(KvKcp *kcp);
uint32_t kv_kcp_get_window(const KvKcp *kcp);
void kv_kcp_flush_segments(KvKcp *kcp);

/* kv-kcp-rack.c: the same for the tuned sender, and whether it may send */

void kv_kcp_rack_init(KvKcp *kcp, KvTime now);

/* An ack names @sn, and by @ts which of its transmissions arrived. Before the una beside it. */
void kv_kcp_rack_take_ack(KvKcp *kcp, const KvKcpAck *ack, KvKcpOrigin origin, KvTime now);
void kv_kcp_rack_take_una(KvKcp *kcp, uint32_t una, KvTime now);
void kv_kcp_rack_on_sent(KvKcp *kcp, KvSegment *segment, KvTime now);

/* Nothing was left to send: rates measured now say little. */
void kv_kcp_rack_on_idle(KvKcp *kcp);
gboolean kv_kcp_rack_may_send(const KvKcp *kcp, const KvSegment *segment, KvTime now);
void kv_kcp_rack_flush(KvKcp *kcp, KvTime now);

/* Native: whether the path seems to be gone. That it is back only a segment tells that arrives. */
gboolean kv_kcp_rack_is_silent(const KvKcp *kcp);

/* Native: a head or a report came and was used. After a silence the next segment need not wait. */
void kv_kcp_rack_hear(KvKcp *kcp, KvTime now);

/* What waits, or its first two segments while the peer is silent, may leave now; the time until it
 * is sent again no longer counts how often that was in vain. */
void kv_kcp_rack_hurry(KvKcp *kcp);
KvTime kv_kcp_rack_deadline(const KvKcp *kcp);

/* Of the native packing: segments from @from up to @to came to the peer, and the newest datagram
 * that it had then left at @newest. @cursor: where the search begins, the first unacknowledged one
 * at first; moves on. */
void kv_kcp_rack_take_range(KvKcp *kcp, KvSegment **cursor, uint32_t from, uint32_t to,
                            KvTime newest, KvTime now);

/* Forgets a segment that will never be sent again. */
void kv_kcp_rack_abandon(KvKcp *kcp, KvSegment *segment);

/* kv-kcp-copy.c: early copies, on top of rack */

void kv_kcp_copy_init(KvKcp *kcp, KvTime now);
void kv_kcp_copy_on_sent(KvKcp *kcp, KvSegment *segment);

/* One segment's fate. @was_hole: given up, or segments sent later arrived in an earlier batch;
 * @copies: what it had. */
void kv_kcp_copy_learn(KvKcp *kcp, gboolean was_hole, guint copies);

/* Before a datagram is made. */
void kv_kcp_copy_plan(KvKcp *kcp);

/* kv-kcp-output.c: datagrams as published, and whose turn it is */

/* The next segment that may leave now. Tuned, new ones get their number only when they leave. */
KvSegment *kv_kcp_next_to_send(KvKcp *kcp, KvTime now);

/* @segment, of kv_kcp_next_to_send(), leaves. */
void kv_kcp_note_sent(KvKcp *kcp, KvSegment *segment, KvTime now);

/* kv-kcp-native.c, kv-kcp-report.c: the native packing */

void kv_kcp_native_init(KvKcp *kcp);
void kv_kcp_native_clear(KvKcp *kcp);
KvTime kv_kcp_native_deadline(const KvKcp *kcp);

/* How long a peer that has the same RTT may wait before it reports. */
KvTime kv_kcp_get_report_delay(const KvKcp *kcp);

/* Gives up what is below @fwd and not there. */
void kv_kcp_native_skip(KvKcp *kcp, uint32_t fwd, KvTime now);

/* The peer has @segment, or never will. */
void kv_kcp_native_settle(KvKcp *kcp, const KvSegment *segment, gboolean arrived);
uint16_t kv_kcp_native_get_wnd(const KvKcp *kcp);

/* kv-kcp-recv.c: the receive ring and the list of acks */

void kv_kcp_receiving_init(KvKcp *kcp);
void kv_kcp_receiving_clear(KvKcp *kcp);
uint32_t kv_kcp_get_free_window(const KvKcp *kcp);
void kv_kcp_take_push(KvKcp *kcp, const KvKcpAck *ack, KvPacket *packet, const KvKcpSlot *slot);
