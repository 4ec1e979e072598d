/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-frame.h"

static const struct {
    const char *what;
    const char *hex;
    guint n_frames;
    gboolean failed;
} rows[] = {
    {"nothing", "", 0, FALSE},
    {"no type is 0", "00", 0, TRUE},
    {"an unknown type", "0a00", 0, TRUE},
    {"the last type", "ff", 0, TRUE},
    {"a frame before an unknown one",
     "0902"
     "0a",
     1, TRUE},
    {"two frames",
     "0902"
     "060400",
     2, FALSE},
    {"a seg, no packet",
     "02"
     "09000000"
     "ff03"
     "ffffffff"
     "0000",
     1, FALSE},
    {"a seg, all parts' bits",
     "02"
     "09000000"
     "ffc3"
     "ffffffff"
     "0100aa",
     1, FALSE},
    {"a seg, a packet too short",
     "02"
     "09000000"
     "ff03"
     "ffffffff"
     "0200aa",
     0, TRUE},
    {"a seg, bit 10",
     "02"
     "09000000"
     "0004"
     "ffffffff"
     "0100aa",
     0, TRUE},
    {"a seg, bit 13",
     "02"
     "09000000"
     "0020"
     "ffffffff"
     "0100aa",
     0, TRUE},
    {"a dgram, bit 11",
     "03"
     "0008"
     "ffffffff"
     "0100aa",
     0, TRUE},
    {"a dgram, bit 12",
     "03"
     "0010"
     "ffffffff"
     "0100aa",
     0, TRUE},
    {"a dgram",
     "03"
     "0040"
     "ffffffff"
     "0100aa",
     1, FALSE},
    {"control, empty",
     "05"
     "0300"
     "0000",
     1, FALSE},
    {"control, too short",
     "05"
     "0300"
     "0200aa",
     0, TRUE},
    {"close, no reason", "09", 0, TRUE},
    {"close, a reason nobody knows", "09ff", 1, FALSE},
    {"ping, a byte short", "0701020304050607", 0, TRUE},
};

/* Proves: a frame is given out if it can be, its neighbours that cannot end the reading. */
static void
test_rows(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GBytes) bytes = kv_test_unhex(rows[i].hex);
        KvReader reader;
        KvFrame frame;
        guint n = 0;

        kv_reader_init(&reader, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        while (kv_frame_next(&reader, &frame))
            n++;
        if (n != rows[i].n_frames || reader.failed != rows[i].failed)
            g_error("%s: %u frames, failed %d", rows[i].what, n, reader.failed);
        g_assert_false(kv_frame_next(&reader, &frame));
    }
}

/* Proves: a report has at most 32 ranges, and none of them is empty. */
static void
test_ranges(void)
{
    KvFrame report = {.type = KV_FRAME_REPORT};
    uint8_t buf[KV_FRAME_REPORT_BYTES + 33 * KV_FRAME_RANGE_BYTES];
    KvFrameWriter writer = {buf, sizeof buf, 0};
    KvReader reader;
    KvFrame frame;

    memset(buf, 1, sizeof buf);
    report.report.n_ranges = KV_FRAME_RANGES_MAX;
    for (guint i = 0; i < KV_FRAME_RANGES_MAX; i++)
        report.report.ranges[i] = (KvFrameRange){(uint16_t) i, (uint16_t) (i + 1)};
    g_assert_true(kv_frame_put(&writer, &report));
    kv_reader_init(&reader, buf, writer.len);
    g_assert_true(kv_frame_next(&reader, &frame));
    for (guint i = 0; i < KV_FRAME_RANGES_MAX; i++) {
        g_assert_cmpuint(frame.report.ranges[i].start, ==, i);
        g_assert_cmpuint(frame.report.ranges[i].len, ==, i + 1);
    }

    buf[KV_FRAME_REPORT_BYTES - 1]++;
    kv_reader_init(&reader, buf, sizeof buf);
    g_assert_false(kv_frame_next(&reader, &frame));

    buf[KV_FRAME_REPORT_BYTES - 1]--;
    kv_put_le16(buf + KV_FRAME_REPORT_BYTES + 5 * KV_FRAME_RANGE_BYTES + 2, 0);
    kv_reader_init(&reader, buf, writer.len);
    g_assert_false(kv_frame_next(&reader, &frame));
}

/* Proves: a control frame has at most 1024 bytes. */
static void
test_control_length(void)
{
    uint8_t buf[KV_FRAME_CONTROL_BYTES + KV_FRAME_CONTROL_MAX + 1] = {KV_FRAME_CONTROL};

    for (guint more = 0; more <= 1; more++) {
        KvReader reader;
        KvFrame frame;

        kv_put_le16(buf + 3, (uint16_t) (KV_FRAME_CONTROL_MAX + more));
        kv_reader_init(&reader, buf, sizeof buf - 1 + more);
        g_assert_cmpint(kv_frame_next(&reader, &frame), ==, more == 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-frame/rows", test_rows);
    g_test_add_func("/native-frame/ranges", test_ranges);
    g_test_add_func("/native-frame/control-length", test_control_length);
    return kv_test_main(&argc, &argv);
}
