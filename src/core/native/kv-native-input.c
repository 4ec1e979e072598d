/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-private.h"

#include <string.h>

/* One datagram while it is read. */
typedef struct {
    KvNative *native;
    const KvEndpoint *from;
    KvTime now;
    KvPacket *packet;
    KvKcpOrigin origin;
    gboolean asks;    /* something in it wants an answer */
    gboolean answers; /* something in it is one */
} Reading;

/* When packets are short, what would only be kept is left to its repeat: it was not acknowledged.
 */
static gboolean
must_decline(const KvNative *native, uint32_t sn)
{
    return kv_packet_pool_is_scarce(native->pool, 1) &&
           (int32_t) (sn - kv_kcp_get_una(native->kcp)) >=
               (int32_t) kv_packet_pool_get_share(native->pool);
}

static void
take_part(Reading *reading, const KvFrame *frame)
{
    KvNative *native = reading->native;
    KvDrop drop;

    reading->asks = TRUE;
    if (frame->type == KV_FRAME_SEG && must_decline(native, frame->part.sn))
        return;
    if (frame->type == KV_FRAME_SEG && kv_kcp_has_segment(native->kcp, frame->part.sn))
        kv_transport_doubt(native->transport, reading->now);
    if (frame->type == KV_FRAME_SEG &&
        !kv_kcp_input_segment(native->kcp, frame->part.sn, reading->now))
        return;
    drop = kv_lanes_input(native->lanes, frame->type, &frame->part, reading->packet, reading->now);
    if (drop != KV_DROP_NONE)
        native->stats.drops[drop]++;
}

/* The peer takes back or adds to what it said. */
static void
take_records(KvNative *native)
{
    GBytes *batch;

    while ((batch = kv_control_stream_recv(native->control)) != NULL) {
        gsize len;
        const uint8_t *records = g_bytes_get_data(batch, &len);
        uint8_t bad;
        gboolean ok = kv_native_config_read(&native->remote, records, len, &bad);

        g_bytes_unref(batch);
        if (!ok) {
            kv_native_lose(native, KV_REASON_PROTOCOL);
            return;
        }
        kv_native_push_event(native, KV_EVENT_RECONFIGURED);
    }
}

static void
take_control(Reading *reading, const KvFrameControl *part)
{
    reading->asks = TRUE;
    if (!kv_control_stream_input(reading->native->control, part)) {
        kv_native_lose(reading->native, KV_REASON_PROTOCOL);
        return;
    }
    take_records(reading->native);
}

/* The newest pings count: an older one was asked again. */
static void
take_ping(Reading *reading, const uint8_t *body)
{
    KvNative *native = reading->native;

    reading->asks = TRUE;
    if (native->n_pongs == KV_NATIVE_PONGS_MAX) {
        memmove(native->pongs, native->pongs + 1,
                (KV_NATIVE_PONGS_MAX - 1) * sizeof native->pongs[0]);
        native->n_pongs--;
    }
    native->pongs[native->n_pongs].to = *reading->from;
    memcpy(native->pongs[native->n_pongs].body, body, KV_PING_BYTES);
    native->n_pongs++;
}

/* No true peer acknowledges what was never sent. One that does has gone wrong, or wants to find out
 * what it can do. */
static void
note_lie(KvNative *native)
{
    native->stats.drops[KV_DROP_KCP]++;
    if (++native->n_lies >= KV_NATIVE_LIES_MAX)
        kv_native_lose(native, KV_REASON_PROTOCOL);
}

static KvReason
get_close_reason(guint reason)
{
    if (reason == KV_CLOSE_REMOVED)
        return KV_REASON_REMOVED;
    return reason == KV_CLOSE_REPLACED ? KV_REASON_OUTDONE : KV_REASON_PEER_CLOSED;
}

static void
take_frame(Reading *reading, const KvFrame *frame)
{
    KvNative *native = reading->native;

    switch (frame->type) {
    case KV_FRAME_HEAD:
        if (!kv_kcp_input_head(native->kcp, &frame->head, reading->origin, reading->now))
            note_lie(native);
        break;
    case KV_FRAME_SEG:
    case KV_FRAME_DGRAM:
        take_part(reading, frame);
        break;
    case KV_FRAME_REPORT:
        reading->answers = TRUE;
        if (kv_transport_ecn_told(native->transport, &frame->report, reading->now))
            kv_kcp_note_marks(native->kcp);
        if (!kv_kcp_input_report(native->kcp, &frame->report, reading->now))
            note_lie(native);
        break;
    case KV_FRAME_CONTROL:
        take_control(reading, &frame->control);
        break;
    case KV_FRAME_CONTROL_ACK:
        reading->answers = TRUE;
        kv_control_stream_input_ack(native->control, frame->next);
        kv_native_say_rest(native);
        break;
    case KV_FRAME_PING:
        take_ping(reading, frame->token);
        break;
    case KV_FRAME_PONG:
        reading->answers = TRUE;
        kv_transport_pong(native->transport, frame->token, reading->from, reading->now);
        break;
    case KV_FRAME_CLOSE:
        kv_native_lose(native, get_close_reason(frame->reason));
        break;
    }
}

/* Whether what follows may still count. */
static gboolean
is_alive(const KvNative *native)
{
    return native->state < KV_NATIVE_CLOSING && native->lost == KV_REASON_NONE;
}

/* Returns: %FALSE when what follows cannot be understood. */
static gboolean
read_frames(Reading *reading, const uint8_t *frames, size_t len)
{
    KvReader reader;
    KvFrame frame;

    kv_reader_init(&reader, frames, len);
    while (is_alive(reading->native) && kv_frame_next(&reader, &frame))
        take_frame(reading, &frame);
    return !reader.failed;
}

static void
read_recovered(Reading *reading, guint n)
{
    KvPacket *packet = reading->packet;

    reading->origin = KV_KCP_RECOVERED;
    for (guint i = 0; i < n; i++) {
        KvShard *shard = &reading->native->recovered[i];

        reading->packet = shard->packet;
        reading->native->stats.fec_recovered++;
        if (!read_frames(reading, shard->packet->data + shard->offset, shard->len))
            reading->native->stats.drops[KV_DROP_FEC]++;
        kv_packet_unref(shard->packet);
    }
    reading->packet = packet;
    reading->origin = KV_KCP_RECEIVED;
}

static void
read_shard(Reading *reading, const KvItem *item)
{
    KvNative *native = reading->native;
    guint n = 0;

    if (kv_packet_pool_is_scarce(native->pool, 1))
        return;
    if (!kv_shard_decoder_input(native->decoder, reading->packet, item, reading->now,
                                native->recovered, &n))
        native->stats.drops[KV_DROP_FEC]++;
    read_recovered(reading, n);
}

void
kv_native_read_plaintext(KvNative *native, KvPacket *packet, const KvEndpoint *from, KvTime now)
{
    Reading reading = {
        .native = native, .from = from, .now = now, .packet = packet, .origin = KV_KCP_RECEIVED};
    KvReader reader;
    KvItem item;

    native->has_heard = TRUE;
    kv_native_heard(native);
    kv_reader_init(&reader, packet->data, packet->len);
    while (is_alive(native) && kv_item_next(&reader, &item)) {
        /* The frames first: a shard's head is no more when the decoder has it. */
        if (item.kind != KV_ITEM_PARITY && !read_frames(&reading, item.content, item.len))
            break;
        if (item.kind != KV_ITEM_BARE)
            read_shard(&reading, &item);
    }
    if (reader.failed)
        native->stats.drops[KV_DROP_MALFORMED]++;
    if (reading.asks)
        kv_transport_asked(native->transport, now);
    if (reading.answers)
        kv_transport_answered(native->transport);
    kv_lanes_settle(native->lanes, kv_kcp_get_una(native->kcp));
    native->input_due = TRUE;
}

static gboolean
is_own_index(const KvNative *native, uint32_t index)
{
    uint32_t indexes[KV_TRANSPORT_SESSIONS_MAX];
    guint n = kv_transport_get_indexes(native->transport, indexes);

    for (guint i = 0; i < n; i++) {
        if (indexes[i] == index)
            return TRUE;
    }
    return FALSE;
}

static KvDrop
input_transport(KvNative *native, const KvTransportInput *input, KvTime now)
{
    g_autoptr(KvPacket) packet = NULL;
    KvDrop drop;

    if (input->len - KV_SEAL_OVERHEAD > KV_PACKET_CAPACITY)
        return KV_DROP_MALFORMED;
    packet = kv_packet_new(native->pool);
    if (packet == NULL)
        return KV_DROP_NO_MEMORY;
    drop = kv_transport_open(native->transport, input, packet->data, now);
    if (drop != KV_DROP_NONE)
        return drop;
    packet->len = (uint32_t) (input->len - KV_SEAL_OVERHEAD);
    packet->ecn = input->ecn;
    kv_native_read_plaintext(native, packet, &input->from, now);
    return KV_DROP_NONE;
}

static KvDrop
input_datagram(KvNative *native, const KvTransportInput *datagram, KvTime now)
{
    KvTransportInput input = *datagram;

    if (native->state == KV_NATIVE_CLOSED)
        return KV_DROP_STRANGER;
    if (native->transport != NULL &&
        kv_seal_read_head(&native->local_outer, input.data, input.len, &input.head) &&
        is_own_index(native, input.head.index))
        return input_transport(native, &input, now);
    if (native->initiator != NULL &&
        kv_initiator_input(native->initiator, input.data, input.len, now)) {
        kv_native_check_initiator(native, &input.from, now);
        return KV_DROP_NONE;
    }
    if (native->transport != NULL &&
        kv_transport_input_reset(native->transport, input.data, input.len, &input.from, now))
        return KV_DROP_NONE;
    return KV_DROP_STRANGER;
}

KvDrop
kv_native_input(KvNative *native, const uint8_t *datagram, size_t len, const KvEndpoint *from,
                KvEcn ecn, KvTime now)
{
    KvTransportInput input = {.data = datagram, .len = len, .from = *from, .ecn = ecn};
    KvDrop drop = input_datagram(native, &input, now);

    if (drop == KV_DROP_NONE) {
        native->stats.wire_rx_datagrams++;
        native->stats.wire_rx_bytes += len;
    } else {
        native->stats.drops[drop]++;
    }
    kv_native_take_transport_events(native, now);
    return drop;
}
