/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-frame.h"

#define LANE_BITS_UNUSED (UINT16_MAX & ~(KV_FRAME_LANE_MASK | KV_FRAME_NOT_FIRST | KV_FRAME_MORE))

/* --- reading -------------------------------------------------------------------------------- */

static void
read_head(KvReader *reader, KvFrameHead *head)
{
    head->una = kv_reader_le32(reader);
    head->fwd = kv_reader_le32(reader);
    head->wnd = kv_reader_le16(reader);
    head->ts = kv_reader_le32(reader);
}

static void
read_part(KvReader *reader, KvFrameType type, KvFramePart *part)
{
    part->sn = type == KV_FRAME_SEG ? kv_reader_le32(reader) : 0;
    part->lane = kv_reader_le16(reader);
    part->lane_sequence = kv_reader_le32(reader);
    part->len = kv_reader_le16(reader);
    part->data = kv_reader_bytes(reader, part->len);
    if (part->lane & LANE_BITS_UNUSED)
        reader->failed = TRUE;
}

static void
read_ranges(KvReader *reader, KvFrameReport *report)
{
    if (report->n_ranges > KV_FRAME_RANGES_MAX) {
        reader->failed = TRUE;
        return;
    }
    for (guint i = 0; i < report->n_ranges; i++) {
        report->ranges[i].start = kv_reader_le16(reader);
        report->ranges[i].len = kv_reader_le16(reader);
        if (report->ranges[i].len == 0)
            reader->failed = TRUE;
    }
}

static void
read_report(KvReader *reader, KvFrameReport *report)
{
    report->una = kv_reader_le32(reader);
    report->ts = kv_reader_le32(reader);
    report->delay = kv_reader_le16(reader);
    report->wnd = kv_reader_le16(reader);
    report->seen = kv_reader_le32(reader);
    report->missing = kv_reader_le32(reader);
    report->bursts = kv_reader_le32(reader);
    report->ce = kv_reader_le32(reader);
    report->n_ranges = kv_reader_u8(reader);
    read_ranges(reader, report);
}

static void
read_control(KvReader *reader, KvFrameControl *control)
{
    control->sequence = kv_reader_le16(reader);
    control->len = kv_reader_le16(reader);
    control->data = kv_reader_bytes(reader, control->len);
    if (control->len > KV_FRAME_CONTROL_MAX)
        reader->failed = TRUE;
}

static void
read_token(KvReader *reader, uint8_t *token)
{
    const uint8_t *bytes = kv_reader_bytes(reader, KV_FRAME_TOKEN_BYTES);

    if (bytes != NULL)
        memcpy(token, bytes, KV_FRAME_TOKEN_BYTES);
}

gboolean
kv_frame_next(KvReader *reader, KvFrame *frame)
{
    if (reader->failed || kv_reader_left(reader) == 0)
        return FALSE;
    frame->type = (KvFrameType) kv_reader_u8(reader);
    switch (frame->type) {
    case KV_FRAME_HEAD:
        read_head(reader, &frame->head);
        break;
    case KV_FRAME_SEG:
    case KV_FRAME_DGRAM:
        read_part(reader, frame->type, &frame->part);
        break;
    case KV_FRAME_REPORT:
        read_report(reader, &frame->report);
        break;
    case KV_FRAME_CONTROL:
        read_control(reader, &frame->control);
        break;
    case KV_FRAME_CONTROL_ACK:
        frame->next = kv_reader_le16(reader);
        break;
    case KV_FRAME_PING:
    case KV_FRAME_PONG:
        read_token(reader, frame->token);
        break;
    case KV_FRAME_CLOSE:
        frame->reason = kv_reader_u8(reader);
        break;
    default:
        reader->failed = TRUE;
        break;
    }
    return !reader->failed;
}

/* --- writing -------------------------------------------------------------------------------- */

static uint8_t *
put_u16(uint8_t *p, uint16_t v)
{
    kv_put_le16(p, v);
    return p + sizeof v;
}

static uint8_t *
put_u32(uint8_t *p, uint32_t v)
{
    kv_put_le32(p, v);
    return p + sizeof v;
}

static void
put_bytes(uint8_t *p, const uint8_t *data, size_t len)
{
    if (len > 0)
        memcpy(p, data, len);
}

static void
put_head(uint8_t *p, const KvFrameHead *head)
{
    p = put_u32(p, head->una);
    p = put_u32(p, head->fwd);
    p = put_u16(p, head->wnd);
    put_u32(p, head->ts);
}

static void
put_part(uint8_t *p, KvFrameType type, const KvFramePart *part)
{
    if (type == KV_FRAME_SEG)
        p = put_u32(p, part->sn);
    p = put_u16(p, part->lane);
    p = put_u32(p, part->lane_sequence);
    p = put_u16(p, part->len);
    put_bytes(p, part->data, part->len);
}

static void
put_report(uint8_t *p, const KvFrameReport *report)
{
    p = put_u32(p, report->una);
    p = put_u32(p, report->ts);
    p = put_u16(p, report->delay);
    p = put_u16(p, report->wnd);
    p = put_u32(p, report->seen);
    p = put_u32(p, report->missing);
    p = put_u32(p, report->bursts);
    p = put_u32(p, report->ce);
    *p++ = report->n_ranges;
    for (guint i = 0; i < report->n_ranges; i++) {
        p = put_u16(p, report->ranges[i].start);
        p = put_u16(p, report->ranges[i].len);
    }
}

static void
put_control(uint8_t *p, const KvFrameControl *control)
{
    p = put_u16(p, control->sequence);
    p = put_u16(p, control->len);
    put_bytes(p, control->data, control->len);
}

size_t
kv_frame_get_size(const KvFrame *frame)
{
    switch (frame->type) {
    case KV_FRAME_HEAD:
        return KV_FRAME_HEAD_BYTES;
    case KV_FRAME_SEG:
        return KV_FRAME_SEG_BYTES + (size_t) frame->part.len;
    case KV_FRAME_DGRAM:
        return KV_FRAME_DGRAM_BYTES + (size_t) frame->part.len;
    case KV_FRAME_REPORT:
        return KV_FRAME_REPORT_BYTES + (size_t) frame->report.n_ranges * KV_FRAME_RANGE_BYTES;
    case KV_FRAME_CONTROL:
        return KV_FRAME_CONTROL_BYTES + (size_t) frame->control.len;
    case KV_FRAME_CONTROL_ACK:
        return KV_FRAME_CONTROL_ACK_BYTES;
    case KV_FRAME_PING:
    case KV_FRAME_PONG:
        return KV_FRAME_PING_BYTES;
    case KV_FRAME_CLOSE:
        return KV_FRAME_CLOSE_BYTES;
    default:
        g_assert_not_reached();
    }
}

gboolean
kv_frame_put(KvFrameWriter *writer, const KvFrame *frame)
{
    size_t size = kv_frame_get_size(frame);
    uint8_t *p = writer->data + writer->len;

    if (size > writer->cap - writer->len)
        return FALSE;
    *p++ = (uint8_t) frame->type;
    switch (frame->type) {
    case KV_FRAME_HEAD:
        put_head(p, &frame->head);
        break;
    case KV_FRAME_SEG:
    case KV_FRAME_DGRAM:
        put_part(p, frame->type, &frame->part);
        break;
    case KV_FRAME_REPORT:
        put_report(p, &frame->report);
        break;
    case KV_FRAME_CONTROL:
        put_control(p, &frame->control);
        break;
    case KV_FRAME_CONTROL_ACK:
        put_u16(p, frame->next);
        break;
    case KV_FRAME_PING:
    case KV_FRAME_PONG:
        memcpy(p, frame->token, KV_FRAME_TOKEN_BYTES);
        break;
    case KV_FRAME_CLOSE:
    default:
        *p = frame->reason;
        break;
    }
    writer->len += size;
    return TRUE;
}
