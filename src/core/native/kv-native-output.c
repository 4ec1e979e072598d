/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-private.h"

#include <string.h>

/* One datagram while it is written: room for the head, then the plaintext. */
typedef struct {
    KvNative *native;
    uint8_t *buf;
    size_t cap; /* of the plaintext */
    size_t len; /* of the plaintext so far */
    gboolean asks;
    gboolean has_segments;
    uint32_t last_sn; /* of these */
    KvEcn ecn;        /* with which it leaves */
    KvTime now;
} Writing;

static uint8_t *
get_plain(const Writing *writing)
{
    return writing->buf + KV_SEAL_HEAD_BYTES;
}

/* @to: (inout): where it must go, or NULL in @forced for where the peer is. */
static size_t
seal(Writing *writing, const KvEndpoint *forced, KvEndpoint *to)
{
    KvTransport *transport = writing->native->transport;

    *to = forced != NULL ? *forced : *kv_transport_get_remote(transport);
    return kv_transport_seal(transport, writing->buf, writing->len, writing->asks, forced,
                             writing->now);
}

/* A datagram of one frame that nothing protects. */
static void
write_alone(Writing *writing, const KvFrame *frame)
{
    KvFrameWriter frames = {get_plain(writing) + KV_ITEM_BARE_BYTES,
                            writing->cap - KV_ITEM_BARE_BYTES, 0};
    KvItem item = {.kind = KV_ITEM_BARE};

    if (!kv_frame_put(&frames, frame))
        return;
    item.len = frames.len;
    writing->len = kv_item_put_head(get_plain(writing), &item);
}

static void
pad(Writing *writing, size_t size)
{
    if (size <= writing->len + KV_SEAL_OVERHEAD)
        return;
    size -= KV_SEAL_OVERHEAD;
    memset(get_plain(writing) + writing->len, 0, size - writing->len);
    writing->len = size;
}

static size_t
output_initiation(Writing *writing, KvEndpoint *to)
{
    KvNative *native = writing->native;
    size_t len;

    if (native->initiator == NULL)
        return 0;
    len = kv_initiator_output(native->initiator, writing->buf, writing->now);
    *to = native->call;
    if (len > 0)
        kv_native_asked(native);
    return len;
}

static size_t
output_close(Writing *writing, KvEndpoint *to)
{
    KvNative *native = writing->native;
    KvFrame frame = {.type = KV_FRAME_CLOSE, .reason = (uint8_t) native->close_reason};

    if (native->state != KV_NATIVE_CLOSING || native->closes_left == 0 ||
        writing->now < native->next_close)
        return 0;
    native->closes_left--;
    native->next_close = kv_time_add(writing->now, KV_NATIVE_CLOSE_GAP);
    write_alone(writing, &frame);
    return seal(writing, NULL, to);
}

static size_t
output_pong(Writing *writing, KvEndpoint *to)
{
    KvNative *native = writing->native;

    while (native->n_pongs > 0) {
        KvFrame frame = {.type = KV_FRAME_PONG};
        KvEndpoint from = native->pongs[0].to;
        size_t len;

        memcpy(frame.token, native->pongs[0].body, sizeof frame.token);
        native->n_pongs--;
        kv_transport_answer(native->transport);
        memmove(native->pongs, native->pongs + 1, native->n_pongs * sizeof native->pongs[0]);
        write_alone(writing, &frame);
        len = seal(writing, &from, to);
        if (len > 0)
            return len;
    }
    return 0;
}

static size_t
output_probe(Writing *writing, KvEndpoint *to)
{
    KvProbe probe;

    while (kv_transport_next_probe(writing->native->transport, &probe, writing->now)) {
        KvFrame frame = {.type = KV_FRAME_PING};
        size_t len;

        writing->len = 0;
        writing->asks = probe.asks;
        writing->ecn = probe.ecn;
        if (probe.ping) {
            memcpy(frame.token, probe.body, sizeof frame.token);
            write_alone(writing, &frame);
        }
        pad(writing, probe.size);
        len = seal(writing, &probe.to, to);
        if (len > 0)
            return len;
    }
    writing->asks = FALSE;
    writing->ecn = KV_ECN_NOT_ECT;
    return 0;
}

/* The parity of a group leaves right after the last of its data shards. */
static size_t
output_parity(Writing *writing, KvEndpoint *to)
{
    KvNative *native = writing->native;

    writing->len = kv_shard_encoder_output(native->encoder, get_plain(writing), writing->cap);
    if (writing->len == 0)
        return 0;
    native->stats.fec_parity_sent++;
    return seal(writing, NULL, to);
}

static void
put_control(Writing *writing, KvFrameWriter *frames)
{
    size_t before = frames->len;

    kv_control_stream_output(writing->native->control, frames, kv_native_get_rtt(writing->native),
                             writing->now);
    if (frames->len > before && frames->data[before] == KV_FRAME_CONTROL_ACK)
        kv_transport_answer(writing->native->transport);
    /* The acknowledgement stands first, and alone it asks for nothing. */
    if (frames->len > before + KV_FRAME_CONTROL_ACK_BYTES ||
        (frames->len > before && frames->data[before] == KV_FRAME_CONTROL))
        writing->asks = TRUE;
}

static void
put_report(Writing *writing, KvFrameWriter *frames)
{
    KvNative *native = writing->native;
    const KvLossCount *loss = kv_transport_get_loss(native->transport);
    KvFrame frame = {.type = KV_FRAME_REPORT};

    if (!kv_kcp_owes_report(native->kcp, writing->now) ||
        frames->cap - frames->len < KV_FRAME_REPORT_BYTES)
        return;
    kv_kcp_fill_report(native->kcp, &frame.report, writing->now);
    frame.report.seen = loss->seen;
    frame.report.missing = loss->missing;
    frame.report.bursts = loss->bursts;
    frame.report.ce = loss->ce;
    kv_transport_answer(native->transport);
    /* Fewer ranges tell less, which the next report makes good. */
    while (!kv_frame_put(frames, &frame))
        frame.report.n_ranges--;
}

/* What parity does not protect: it is repeated by itself, or the next one says it again. */
static void
write_bare(Writing *writing)
{
    KvFrameWriter frames = {get_plain(writing) + KV_ITEM_BARE_BYTES,
                            writing->cap - KV_ITEM_BARE_BYTES, 0};
    KvItem item = {.kind = KV_ITEM_BARE};

    put_control(writing, &frames);
    put_report(writing, &frames);
    item.len = frames.len;
    if (frames.len > 0)
        writing->len = kv_item_put_head(get_plain(writing), &item);
}

static void
put_segments(Writing *writing, KvFrameWriter *frames)
{
    KvKcp *kcp = writing->native->kcp;
    KvFrame head = {.type = KV_FRAME_HEAD};
    KvFrame segment = {.type = KV_FRAME_SEG};
    gboolean has_head = kv_kcp_begin_datagram(kcp, &head.head, writing->now);

    has_head = has_head && kv_frame_put(frames, &head);
    for (;;) {
        size_t taken = frames->len + (has_head ? 0 : KV_FRAME_HEAD_BYTES);

        if (taken >= frames->cap ||
            !kv_kcp_next_segment(kcp, frames->cap - taken, &segment.part, writing->now))
            break;
        if ((!has_head && !kv_frame_put(frames, &head)) || !kv_frame_put(frames, &segment))
            g_assert_not_reached();
        has_head = TRUE;
        writing->asks = writing->has_segments = TRUE;
        writing->last_sn = segment.part.sn;
    }
}

static void
close_full_group(KvNative *native)
{
    if (kv_shard_encoder_get_n_data(native->encoder) >= native->params.data_shards)
        kv_shard_encoder_close_group(native->encoder, native->params.parity_shards);
}

static void
write_segments(Writing *writing)
{
    KvNative *native = writing->native;
    gboolean has_parity = kv_shard_encoder_prepare(native->encoder);
    size_t kept = has_parity ? KV_ITEM_DATA_BYTES + KV_SHARD_PARITY_EXTRA : KV_ITEM_BARE_BYTES;
    uint8_t *at = get_plain(writing) + writing->len;
    KvFrameWriter frames = {at + (has_parity ? KV_ITEM_DATA_BYTES : KV_ITEM_BARE_BYTES), 0, 0};
    KvItem item = {.kind = KV_ITEM_BARE};

    if (writing->cap < writing->len + kept)
        return;
    frames.cap = writing->cap - writing->len - kept;
    put_segments(writing, &frames);
    if (frames.len == 0)
        return;
    writing->ecn =
        kv_transport_get_ecn(native->transport, kv_kcp_get_ecn(native->kcp), writing->now);
    item.len = frames.len;
    if (has_parity) {
        writing->len += kv_shard_encoder_add(native->encoder, at, frames.len, writing->now);
        close_full_group(native);
    } else {
        writing->len += kv_item_put_head(at, &item);
    }
}

/* Keeps a datagram that is to leave again, as it is but for its counter and its ECN field. Returns:
 * whether it is. */
static gboolean
keep_copies(Writing *writing, size_t sealed)
{
    KvNative *native = writing->native;
    guint times = kv_kcp_take_copies(native->kcp, sealed, writing->now);

    if (times > 0)
        kv_copies_keep(&native->copies, writing->buf, KV_SEAL_HEAD_BYTES + writing->len, times,
                       kv_time_add(writing->now, kv_kcp_get_copy_delay(native->kcp)));
    return times > 0;
}

static size_t
output_copy(Writing *writing, KvEndpoint *to)
{
    KvNative *native = writing->native;
    KvTime again = kv_time_add(writing->now, kv_kcp_get_copy_delay(native->kcp));
    size_t len = kv_copies_take(&native->copies, writing->buf, writing->now, again);

    if (len == 0 || len - KV_SEAL_HEAD_BYTES > writing->cap)
        return 0;
    writing->len = len - KV_SEAL_HEAD_BYTES;
    writing->asks = TRUE;
    return seal(writing, NULL, to);
}

/* When the peer has the last segment of a long datagram, such ones pass; parity that might have
 * brought it in its place would be as long. */
static void
watch_length(Writing *writing, size_t sealed)
{
    KvNative *native = writing->native;

    if (kv_transport_is_unknown(native->transport, sealed) &&
        kv_kcp_watch(native->kcp, writing->last_sn))
        native->watched_len = sealed;
}

static size_t
output_frames(Writing *writing, KvEndpoint *to)
{
    gboolean leaves_again = FALSE;
    size_t bare, sealed;

    writing->len = 0;
    write_bare(writing);
    bare = writing->len;
    if (writing->native->state < KV_NATIVE_CLOSING)
        write_segments(writing);
    if (writing->len == 0)
        return 0;
    if (writing->has_segments)
        leaves_again = keep_copies(writing, writing->len + KV_SEAL_OVERHEAD);
    sealed = seal(writing, NULL, to);
    if (writing->len > bare)
        kv_transport_ecn_sent(writing->native->transport,
                              leaves_again ? KV_ECN_NOT_ECT : writing->ecn, writing->now);
    if (writing->has_segments && bare == 0)
        watch_length(writing, sealed);
    return sealed;
}

/* Something waits, and there is no session to send it under. */
static gboolean
must_wait(KvNative *native, KvTime now)
{
    native->muted = !kv_transport_can_send(native->transport, now);
    if (!native->muted)
        return FALSE;
    if (kv_kcp_get_waiting(native->kcp) > 0 || kv_control_stream_deadline(native->control) <= now)
        kv_transport_want(native->transport, now);
    return TRUE;
}

static void
settle_input(KvNative *native, KvTime now)
{
    if (native->input_due) {
        kv_kcp_input_end(native->kcp, now);
        kv_transport_set_rtt(native->transport, kv_native_get_rtt(native));
        if (kv_kcp_take_arrived(native->kcp))
            kv_transport_arrived(native->transport, native->watched_len);
    }
    if (native->flush_due)
        kv_kcp_flush(native->kcp, now);
    native->input_due = native->flush_due = FALSE;
}

static size_t
output_datagram(Writing *writing, KvEndpoint *to)
{
    static size_t (*const outputs[])(Writing * writing, KvEndpoint * to) = {
        output_close, output_pong, output_probe, output_copy, output_parity, output_frames,
    };
    KvNative *native = writing->native;
    size_t len = output_initiation(writing, to);

    if (len > 0 || native->transport == NULL)
        return len;
    settle_input(native, writing->now);
    if (must_wait(native, writing->now))
        return 0;
    writing->cap = kv_transport_get_size(native->transport) - KV_SEAL_OVERHEAD;
    for (guint i = 0; i < G_N_ELEMENTS(outputs) && len == 0; i++) {
        writing->len = 0;
        len = outputs[i](writing, to);
    }
    return len;
}

size_t
kv_native_output(KvNative *native, uint8_t *buf, size_t cap, KvEndpoint *to, KvTime now)
{
    Writing writing = {.native = native, .buf = buf, .now = now};
    size_t len;

    g_return_val_if_fail(cap >= KV_PACKET_CAPACITY, 0);
    if (native->state == KV_NATIVE_CLOSED)
        return 0;
    len = output_datagram(&writing, to);
    kv_native_take_transport_events(native, now);
    if (len == 0)
        return 0;
    native->left_with = writing.ecn;
    native->stats.wire_tx_datagrams++;
    native->stats.wire_tx_bytes += len;
    return len;
}

KvEcn
kv_native_get_ecn(const KvNative *native)
{
    return native->left_with;
}
