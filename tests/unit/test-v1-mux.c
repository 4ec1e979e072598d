/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "v1/kv-v1-mux.h"

/* Feeds all of @data in pieces of @step bytes; returns the results as a string of letters. */
static char *
parse_all(KvV1Mux *mux, const uint8_t *data, size_t len, size_t step)
{
    GString *seen = g_string_new(NULL);
    size_t pos = 0;
    size_t end = 0;

    while (pos < len || end < len) {
        end = MIN(len, end + step);
        for (;;) {
            size_t used;
            uint32_t id;
            KvV1MuxItem item = kv_v1_mux_parse(mux, data + pos, end - pos, &used, &id);

            pos += used;
            if (item == KV_V1_MUX_MORE)
                break;
            if (item == KV_V1_MUX_BROKEN) {
                g_string_append_c(seen, '!');
                return g_string_free(seen, FALSE);
            }
            if (item == KV_V1_MUX_DATA) {
                uint32_t n = (uint32_t) MIN(end - pos, kv_v1_mux_get_left(mux));

                if (n == 0)
                    break;
                if (kv_v1_mux_get_left(mux) == kv_v1_mux_get_frame_bytes(mux))
                    g_string_append_printf(seen, "d%u:%u ", id, kv_v1_mux_get_frame_bytes(mux));
                kv_v1_mux_take(mux, n);
                pos += n;
                continue;
            }
            g_string_append_printf(seen, "%c%u ", item == KV_V1_MUX_OPENED ? 'o' : 'c', id);
        }
    }
    return g_string_free(seen, FALSE);
}

/* Proves: what the parser tells does not depend on where the bytes are cut, and every rule of
 * the format has its result. */
static void
test_parse(void)
{
    static const struct {
        const char *what;
        const char *hex;
        const char *seen;
    } cases[] = {
        {"nothing", "", ""},
        {"open", "0100000002000000", "o2 "},
        {"odd id", "01000000 05000000", "o5 "},
        {"open twice", "0100000002000000 0100000002000000", "o2 "},
        {"heartbeat", "0103000000000000 0103000009000000", ""},
        {"data", "0100000002000000 0102030002000000616263 0103000000000000", "o2 d2:3 "},
        {"two frames stay two", "0100000002000000 010201000200000061 010202000200000062 63",
         "o2 d2:1 d2:2 "},
        {"empty data", "0100000002000000 0102000002000000 010201000200000061", "o2 d2:1 "},
        {"data for nobody", "0102020007000000ffff 0100000002000000", "o2 "},
        {"end", "0100000002000000 0101000002000000 010201000200000061 0101000002000000", "o2 c2 "},
        {"end of nobody", "0101000002000000", ""},
        {"four streams",
         "0100000002000000 0100000004000000 0100000006000000 0100000008000000 0101000004000000"
         "010000000a000000",
         "o2 o4 o6 o8 c4 o10 "},
        {"five streams",
         "0100000002000000 0100000004000000 0100000006000000 0100000008000000 010000000a000000",
         "o2 o4 o6 o8 !"},
        {"version 2", "0200000002000000", "!"},
        {"version 0", "0000000002000000", "!"},
        {"window update", "0104080002000000 0000000000000000", "!"},
        {"open with length", "0100010002000000 00", "!"},
        {"end with length", "0101010002000000 00", "!"},
        {"heartbeat with length", "0103010000000000 00", "!"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(cases[i].hex, " ", -1);
        g_autofree char *hex = g_strjoinv("", parts);
        g_autoptr(GBytes) bytes = kv_test_unhex(hex);
        size_t len;
        const uint8_t *data = g_bytes_get_data(bytes, &len);

        for (size_t step = 1; step <= len + 1; step++) {
            g_autofree char *seen = NULL;
            KvV1Mux mux;

            kv_v1_mux_init(&mux);
            seen = parse_all(&mux, data, len, step);
            g_test_message("%s, step %zu", cases[i].what, step);
            g_assert_cmpstr(seen, ==, cases[i].seen);
        }
    }
}

/* Proves: this end numbers its streams 2, 4, 6, 8 and then has no more, and knows them. */
static void
test_open(void)
{
    static const uint8_t data[] = {1, 2, 1, 0, 4, 0, 0, 0, 'x', 1, 1, 0, 0, 6, 0, 0, 0};
    g_autofree char *seen = NULL;
    KvV1Mux mux;

    kv_v1_mux_init(&mux);
    for (uint32_t id = 2; id <= 8; id += 2)
        g_assert_cmpuint(kv_v1_mux_open(&mux), ==, id);
    g_assert_cmpuint(kv_v1_mux_open(&mux), ==, 0);
    seen = parse_all(&mux, data, sizeof data, sizeof data);
    g_assert_cmpstr(seen, ==, "d4:1 c6 ");
    g_assert_cmpuint(kv_v1_mux_open(&mux), ==, 10);
}

/* Proves: an id the peer has taken is not opened a second time. */
static void
test_open_taken(void)
{
    static const uint8_t syn[] = {1, 0, 0, 0, 2, 0, 0, 0};
    g_autofree char *seen = NULL;
    KvV1Mux mux;

    kv_v1_mux_init(&mux);
    seen = parse_all(&mux, syn, sizeof syn, sizeof syn);
    g_assert_cmpstr(seen, ==, "o2 ");
    g_assert_cmpuint(kv_v1_mux_open(&mux), ==, 0);
}

/* Proves: a gathered write comes back byte for byte, in frames of at most 32768 bytes, however it
 * is cut into slices; and writes beyond the bounds are refused. */
static void
test_frame(void)
{
    static const struct {
        size_t lens[KV_V1_MUX_WRITE_SLICES];
        guint n;
        const char *seen;
    } cases[] = {
        {{1}, 1, "d2:1 "},
        {{4, 1500}, 2, "d2:1504 "},
        {{0, 3, 0, 5, 0}, 5, "d2:8 "},
        {{32768}, 1, "d2:32768 "},
        {{32768, 1}, 2, "d2:32768 d2:1 "},
        {{4, 32764, 1}, 3, "d2:32768 d2:1 "},
        {{4, 65535}, 2, "d2:32768 d2:32768 d2:3 "},
        {{1, 2, 3, 4, 5, 6, 98283}, 7, "d2:32768 d2:32768 d2:32768 "},
        {{98305}, 1, NULL},
        {{0, 0}, 2, NULL},
        {{0}, 0, NULL},
    };
    g_autofree uint8_t *payload = g_malloc(100000);
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    kv_test_random_bytes(&random, payload, 100000);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) wire = g_byte_array_new();
        g_autofree char *seen = NULL;
        KvSlice slices[KV_V1_MUX_WRITE_SLICES];
        KvV1MuxWrite write;
        size_t total = 0;
        size_t taken = 0;
        KvV1Mux mux;

        for (guint j = 0; j < cases[i].n; j++) {
            slices[j] = (KvSlice){payload + total, cases[i].lens[j]};
            total += cases[i].lens[j];
        }
        kv_v1_mux_init(&mux);
        g_assert_cmpuint(kv_v1_mux_open(&mux), ==, 2);
        if (cases[i].seen == NULL) {
            g_assert_false(kv_v1_mux_frame(&write, 2, slices, cases[i].n));
            continue;
        }
        g_assert_true(kv_v1_mux_frame(&write, 2, slices, cases[i].n));
        for (guint j = 0; j < write.n_slices; j++) {
            g_byte_array_append(wire, write.slices[j].data, (guint) write.slices[j].len);
            if (write.slices[j].len == KV_V1_MUX_HEADER_BYTES &&
                (const uint8_t *) write.slices[j].data >= (const uint8_t *) &write &&
                (const uint8_t *) write.slices[j].data < (const uint8_t *) (&write + 1))
                continue;
            g_assert_true(memcmp(write.slices[j].data, payload + taken, write.slices[j].len) == 0);
            taken += write.slices[j].len;
        }
        g_assert_cmpuint(taken, ==, total);
        seen = parse_all(&mux, wire->data, wire->len, 1000);
        g_assert_cmpstr(seen, ==, cases[i].seen);
    }
}

/* Proves: a write in more pieces than there is room for is refused. */
static void
test_frame_slices(void)
{
    KvSlice slices[KV_V1_MUX_WRITE_SLICES + 1];
    KvV1MuxWrite write;

    for (guint i = 0; i < G_N_ELEMENTS(slices); i++)
        slices[i] = (KvSlice){"x", 1};
    g_assert_true(kv_v1_mux_frame(&write, 2, slices, KV_V1_MUX_WRITE_SLICES));
    g_assert_false(kv_v1_mux_frame(&write, 2, slices, KV_V1_MUX_WRITE_SLICES + 1));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/v1-mux/parse", test_parse);
    g_test_add_func("/v1-mux/open", test_open);
    g_test_add_func("/v1-mux/open-taken", test_open_taken);
    g_test_add_func("/v1-mux/frame", test_frame);
    g_test_add_func("/v1-mux/frame-slices", test_frame_slices);
    return kv_test_main(&argc, &argv);
}
