/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-private.h"

#define REPEATS_MAX 24 /* acks, about half a datagram */

/* A datagram under construction. */
typedef struct {
    uint8_t *buf;
    size_t room;
    size_t len;
    uint32_t una;
    uint16_t wnd;
} Writer;

typedef struct {
    uint8_t cmd;
    uint8_t frg;
    uint32_t ts;
    uint32_t sn;
    uint32_t len;
} Header;

static gboolean
has_room(const Writer *writer, size_t n)
{
    return writer->room - writer->len >= n;
}

static void
put_header(const KvKcp *kcp, Writer *writer, const Header *header)
{
    uint8_t *p = writer->buf + writer->len;

    kv_put_le32(p, kcp->config.conv);
    p[4] = header->cmd;
    p[5] = header->frg;
    kv_put_le16(p + 6, writer->wnd);
    kv_put_le32(p + 8, header->ts);
    kv_put_le32(p + 12, header->sn);
    kv_put_le32(p + 16, writer->una);
    kv_put_le32(p + 20, header->len);
    writer->len += KV_KCP_HEADER_BYTES;
}

/* What left and is not covered by una yet goes out once more, in front of the next fresh ack: the
 * peer takes its RTT from the last ack of a datagram, so a repeat must never be that. */
static void
retire_acks(KvKcp *kcp)
{
    uint32_t kept = 0;
    uint32_t from = MAX(kcp->n_repeats, kcp->acks_due - MIN(kcp->acks_due, REPEATS_MAX));

    if (kcp->acks_due == 0)
        return;
    for (uint32_t i = from; kcp->config.tuning.ack_repeat && i < kcp->acks_due; i++) {
        if (kv_kcp_diff(kcp->acks[i].sn, kcp->rcv_nxt) >= 0)
            kcp->acks[kept++] = kcp->acks[i];
    }
    kcp->n_acks -= kcp->acks_due;
    memmove(kcp->acks + kept, kcp->acks + kcp->acks_due, kcp->n_acks * sizeof(KvKcpAck));
    kcp->n_acks += kept;
    kcp->n_repeats = kept;
    kcp->acks_due = kcp->acks_out = 0;
}

/* What una covers needs no ack of its own, but the newest always gets one: it brings the RTT. */
static gboolean
put_acks(KvKcp *kcp, Writer *writer)
{
    for (; kcp->acks_out < kcp->acks_due; kcp->acks_out++) {
        const KvKcpAck *ack = &kcp->acks[kcp->acks_out];
        Header header = {.cmd = KV_KCP_ACK, .ts = ack->ts, .sn = ack->sn};

        if (kv_kcp_diff(ack->sn, kcp->rcv_nxt) < 0 && kcp->acks_out + 1 < kcp->acks_due)
            continue;
        if (!has_room(writer, KV_KCP_HEADER_BYTES))
            return FALSE;
        put_header(kcp, writer, &header);
        kcp->last_ack = *ack;
    }
    retire_acks(kcp);
    return TRUE;
}

static gboolean
put_probes(KvKcp *kcp, Writer *writer)
{
    static const struct {
        uint32_t bit;
        uint8_t cmd;
    } probes[] = {{KV_KCP_ASK_SEND, KV_KCP_ASK}, {KV_KCP_ASK_TELL, KV_KCP_TELL}};

    for (guint i = 0; i < G_N_ELEMENTS(probes); i++) {
        Header header = {.cmd = probes[i].cmd, .ts = kcp->last_ack.ts, .sn = kcp->last_ack.sn};

        if ((kcp->probe_due & probes[i].bit) == 0)
            continue;
        if (!has_room(writer, KV_KCP_HEADER_BYTES))
            return FALSE;
        put_header(kcp, writer, &header);
        kcp->probe_due &= ~probes[i].bit;
    }
    return TRUE;
}

static void
put_segment(KvKcp *kcp, Writer *writer, KvSegment *segment)
{
    Header header = {.cmd = KV_KCP_PUSH,
                     .frg = segment->frg,
                     .ts = segment->ts,
                     .sn = segment->sn,
                     .len = segment->packet->len};

    put_header(kcp, writer, &header);
    memcpy(writer->buf + writer->len, segment->packet->data, header.len);
    writer->len += header.len;
}

static KvSegment *
first_ready(KvKcp *kcp)
{
    uint32_t sn = kcp->ready_from;

    if (kcp->n_ready == 0)
        return NULL;
    if (kv_kcp_diff(sn, kcp->snd_una) < 0)
        sn = kcp->snd_una;
    sn = kv_kcp_next_bit(kcp->ready, kcp->ring_size, sn, kcp->snd_nxt);
    kcp->ready_from = sn;
    return kcp->ring[sn & (kcp->ring_size - 1)];
}

KvSegment *
kv_kcp_next_to_send(KvKcp *kcp, KvTime now)
{
    KvSegment *segment = first_ready(kcp);

    if (!kcp->config.tuning.rack)
        return segment;
    if (segment != NULL && kv_kcp_rack_may_send(kcp, segment, now))
        return segment;
    if (kcp->queue_head != NULL && kv_kcp_in_flight_span(kcp) < kv_kcp_get_window(kcp))
        return kv_kcp_rack_may_send(kcp, kcp->queue_head, now) ? kcp->queue_head : NULL;
    if (segment == NULL && kv_kcp_get_waiting(kcp) < kv_kcp_get_window(kcp))
        kv_kcp_rack_on_idle(kcp);
    return NULL;
}

void
kv_kcp_note_sent(KvKcp *kcp, KvSegment *segment, KvTime now)
{
    KvTime now_ms = now / KV_TIME_MS;

    if (segment == kcp->queue_head)
        kv_kcp_number_next(kcp);
    else
        kv_kcp_clear_ready(kcp, segment);
    segment->ts = (uint32_t) now_ms;
    segment->xmit++;
    kcp->segments_sent++;
    if (kcp->config.tuning.rack)
        kv_kcp_rack_on_sent(kcp, segment, now);
    else
        kv_heap_set(&kcp->timers, &segment->timer, now_ms + segment->rto);
}

static void
put_segments(KvKcp *kcp, Writer *writer, KvTime now)
{
    KvSegment *segment;

    while ((segment = kv_kcp_next_to_send(kcp, now)) != NULL) {
        if (!has_room(writer, KV_KCP_HEADER_BYTES + segment->packet->len))
            return;
        kv_kcp_note_sent(kcp, segment, now);
        put_segment(kcp, writer, segment);
    }
}

size_t
kv_kcp_output(KvKcp *kcp, uint8_t *buf, size_t cap, KvTime now)
{
    Writer writer = {.buf = buf,
                     .room = MIN(cap, kcp->config.mtu - kcp->config.reserved),
                     .una = kcp->rcv_nxt,
                     .wnd = (uint16_t) kv_kcp_get_free_window(kcp)};

    kv_kcp_copy_plan(kcp);
    if (put_acks(kcp, &writer) && put_probes(kcp, &writer))
        put_segments(kcp, &writer, now);
    if (writer.len > 0)
        kcp->tick_owed = TRUE;
    return writer.len;
}
