/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sim-native.h"

#define PATIENCE (25 * KV_TIME_MS)

void
kv_sim_native_init(KvSimNative *native, KvKcp *kcp, const KvKcpConfig *config,
                   uint32_t first_sequence)
{
    KvLanesConfig lanes = {.kept_max = config->rcv_wnd,
                           .patience = PATIENCE,
                           .first_sn = config->first_sn,
                           .first_sequence = first_sequence};

    native->kcp = kcp;
    native->lanes = kv_lanes_new(&lanes);
    native->buf = g_malloc(KV_LANES_PACKET_MAX);
    for (guint i = 0; i < KV_FRAME_LANES; i++)
        native->sender.next[i] = first_sequence;
}

void
kv_sim_native_clear(KvSimNative *native)
{
    kv_lanes_free(native->lanes);
    g_free(native->buf);
}

static void
input_segment(KvSimNative *native, const KvFramePart *part, KvPacket *packet, KvTime now)
{
    if (!kv_kcp_input_segment(native->kcp, part->sn, now))
        return;
    kv_lanes_input(native->lanes, KV_FRAME_SEG, part, packet, now);
}

void
kv_sim_native_input(KvSimNative *native, KvPacket *packet, KvTime now)
{
    KvReader reader;
    KvFrame frame;

    kv_reader_init(&reader, packet->data, packet->len);
    while (kv_frame_next(&reader, &frame)) {
        if (frame.type == KV_FRAME_HEAD)
            kv_kcp_input_head(native->kcp, &frame.head, KV_KCP_RECEIVED, now);
        else if (frame.type == KV_FRAME_SEG)
            input_segment(native, &frame.part, packet, now);
        else if (frame.type == KV_FRAME_REPORT)
            kv_kcp_input_report(native->kcp, &frame.report, now);
    }
    kv_lanes_settle(native->lanes, kv_kcp_get_una(native->kcp));
}

static void
put(KvFrameWriter *writer, KvFrame *frame, KvFrameType type)
{
    frame->type = type;
    if (!kv_frame_put(writer, frame))
        g_error("no room for frame %d", type);
}

size_t
kv_sim_native_output(KvSimNative *native, uint8_t *buf, size_t cap, KvTime now)
{
    KvFrameWriter writer = {buf, cap, 0};
    KvFrame head = {0}, frame = {0};
    gboolean has_head;

    if (kv_kcp_owes_report(native->kcp, now)) {
        kv_kcp_fill_report(native->kcp, &frame.report, now);
        put(&writer, &frame, KV_FRAME_REPORT);
    }
    has_head = kv_kcp_begin_datagram(native->kcp, &head.head, now);
    if (has_head)
        put(&writer, &head, KV_FRAME_HEAD);
    for (;;) {
        size_t kept = writer.len + (has_head ? 0 : KV_FRAME_HEAD_BYTES);

        if (kept > cap || !kv_kcp_next_segment(native->kcp, cap - kept, &frame.part, now))
            break;
        if (!has_head)
            put(&writer, &head, KV_FRAME_HEAD);
        has_head = TRUE;
        put(&writer, &frame, KV_FRAME_SEG);
    }
    return writer.len;
}

size_t
kv_sim_native_recv(KvSimNative *native)
{
    KvEcn ecn;

    return kv_lanes_recv(native->lanes, native->buf, KV_LANES_PACKET_MAX, &ecn);
}
