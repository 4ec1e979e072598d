/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-vector.h"
#include "native/kv-frame.h"
#include "native/kv-item.h"

#include <string.h>

static const char *const names[] = {
    [KV_FRAME_HEAD] = "head",       [KV_FRAME_SEG] = "seg",
    [KV_FRAME_DGRAM] = "dgram",     [KV_FRAME_REPORT] = "report",
    [KV_FRAME_CONTROL] = "control", [KV_FRAME_CONTROL_ACK] = "control-ack",
    [KV_FRAME_PING] = "ping",       [KV_FRAME_PONG] = "pong",
    [KV_FRAME_CLOSE] = "close",
};

static void
check_int(JsonObject *fields, const char *name, gint64 got)
{
    if (kv_vector_get_int(fields, name) != got)
        g_error("%s: %" G_GINT64_FORMAT, name, got);
}

static void
check_hex(JsonObject *fields, const char *name, const uint8_t *got, size_t len)
{
    g_autoptr(GBytes) want = kv_vector_get_hex(fields, name);

    kv_vector_assert_bytes(got, len, want, name);
}

static void
check_head(JsonObject *fields, const KvFrameHead *head)
{
    check_int(fields, "una", head->una);
    check_int(fields, "fwd", head->fwd);
    check_int(fields, "wnd", head->wnd);
    check_int(fields, "ts", head->ts);
}

static void
check_part(JsonObject *fields, KvFrameType type, const KvFramePart *part)
{
    if (type == KV_FRAME_SEG)
        check_int(fields, "sn", part->sn);
    check_int(fields, "lane", part->lane);
    check_int(fields, "lane_sequence", part->lane_sequence);
    check_int(fields, "length", part->len);
    check_hex(fields, "packet", part->data, part->len);
}

static void
check_report(JsonObject *fields, const KvFrameReport *report)
{
    JsonArray *ranges = kv_vector_get_array(fields, "ranges");

    check_int(fields, "una", report->una);
    check_int(fields, "ts", report->ts);
    check_int(fields, "delay", report->delay);
    check_int(fields, "wnd", report->wnd);
    check_int(fields, "seen", report->seen);
    check_int(fields, "missing", report->missing);
    check_int(fields, "bursts", report->bursts);
    check_int(fields, "ce", report->ce);
    check_int(fields, "n", report->n_ranges);
    for (guint i = 0; i < report->n_ranges; i++) {
        JsonArray *range = json_array_get_array_element(ranges, i);

        g_assert_cmpint(json_array_get_int_element(range, 0), ==, report->ranges[i].start);
        g_assert_cmpint(json_array_get_int_element(range, 1), ==, report->ranges[i].len);
    }
}

static void
check_fields(JsonObject *fields, const KvFrame *frame)
{
    switch (frame->type) {
    case KV_FRAME_HEAD:
        check_head(fields, &frame->head);
        break;
    case KV_FRAME_SEG:
    case KV_FRAME_DGRAM:
        check_part(fields, frame->type, &frame->part);
        break;
    case KV_FRAME_REPORT:
        check_report(fields, &frame->report);
        break;
    case KV_FRAME_CONTROL:
        check_int(fields, "sequence", frame->control.sequence);
        check_hex(fields, "packet", frame->control.data, frame->control.len);
        break;
    case KV_FRAME_CONTROL_ACK:
        check_int(fields, "next", frame->next);
        break;
    case KV_FRAME_PING:
    case KV_FRAME_PONG:
        check_hex(fields, "token", frame->token, sizeof frame->token);
        break;
    case KV_FRAME_CLOSE:
    default:
        check_int(fields, "reason", frame->reason);
        break;
    }
}

/* Reads the frame of @one, whole and cut anywhere, and writes it again. */
static void
check_frame(JsonObject *one)
{
    g_autoptr(GBytes) data = kv_vector_get_hex(one, "data");
    size_t len = g_bytes_get_size(data);
    uint8_t buf[256] = {0};
    KvReader reader;
    KvFrame frame;

    for (size_t cut = 1; cut < len; cut++) {
        kv_reader_init(&reader, g_bytes_get_data(data, NULL), cut);
        g_assert_false(kv_frame_next(&reader, &frame));
        g_assert_true(reader.failed);
    }
    kv_reader_init(&reader, g_bytes_get_data(data, NULL), len);
    g_assert_true(kv_frame_next(&reader, &frame));
    g_assert_cmpstr(names[frame.type], ==, kv_vector_get_string(one, "frame"));
    check_fields(json_object_get_object_member(one, "fields"), &frame);
    g_assert_cmpuint(kv_frame_get_size(&frame), ==, len);

    g_assert_false(kv_frame_put(&(KvFrameWriter){buf, len - 1, 0}, &frame));
    g_assert_true(kv_frame_put(&(KvFrameWriter){buf, len, 0}, &frame));
    kv_vector_assert_bytes(buf, len, data, names[frame.type]);
    g_assert_false(kv_frame_next(&reader, &frame));
    g_assert_false(reader.failed);
}

/* Proves: each frame is read and written as the document says, and none that is cut short. */
static void
test_frames(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("native/frames.json", "native-frames");
    JsonArray *frames = kv_vector_get_array(kv_vector_get_root(parser), "frames");

    for (guint i = 0; i < json_array_get_length(frames); i++)
        check_frame(json_array_get_object_element(frames, i));
}

/* The body of an item, as it stands behind its first two bytes. */
static void
check_item(JsonObject *one, const KvItem *item)
{
    g_autoptr(GBytes) body = kv_vector_get_hex(one, "body");
    uint8_t buf[1024] = {0};
    size_t head = item->kind == KV_ITEM_BARE   ? KV_ITEM_BARE_BYTES
                  : item->kind == KV_ITEM_DATA ? KV_ITEM_DATA_BYTES
                                               : KV_ITEM_PARITY_BYTES;
    size_t len;

    check_int(one, "kind", item->kind);
    memcpy(buf + head, item->content, item->len);
    len = kv_item_put_head(buf, item);
    kv_vector_assert_bytes(buf + 2, len - 2, body, "body of an item");
}

/* Proves: the items of a datagram are read and written as the document says. */
static void
test_items(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("native/frames.json", "native-frames");
    JsonObject *datagram = json_object_get_object_member(kv_vector_get_root(parser), "datagram");
    JsonArray *items = kv_vector_get_array(datagram, "items");
    g_autoptr(GBytes) plain = kv_vector_get_hex(datagram, "plain");
    KvReader reader;
    KvItem item;

    kv_reader_init(&reader, g_bytes_get_data(plain, NULL), g_bytes_get_size(plain));
    for (guint i = 0; i < json_array_get_length(items); i++) {
        g_assert_true(kv_item_next(&reader, &item));
        check_item(json_array_get_object_element(items, i), &item);
    }
    g_assert_cmpuint(item.group, ==, 0xffffff);
    g_assert_cmpuint(item.index, ==, 1);
    g_assert_cmpuint(item.data, ==, 10);
    g_assert_cmpuint(item.parity, ==, 3);
    g_assert_false(kv_item_next(&reader, &item));
    g_assert_false(reader.failed);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/native/frames", test_frames);
    g_test_add_func("/vectors/native/items", test_items);
    return kv_test_main(&argc, &argv);
}
