/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-item.h"

static const struct {
    const char *what;
    const char *hex;
    guint n_items;
    gboolean failed;
} rows[] = {
    {"nothing", "", 0, FALSE},
    {"one byte", "ff", 0, FALSE},
    {"padding", "0000", 0, FALSE},
    {"padding, whatever its length", "ff1f00", 0, FALSE},
    {"nothing behind padding counts",
     "0000"
     "0120aa",
     0, FALSE},
    {"an empty item", "0020", 1, FALSE},
    {"frames", "0220aabb", 1, FALSE},
    {"frames, and a byte",
     "0120aa"
     "07",
     1, FALSE},
    {"frames, and padding",
     "0120aa"
     "000000",
     1, FALSE},
    {"frames, too long", "0320aabb", 0, TRUE},
    {"frames, and one too long",
     "0120aa"
     "0220aa",
     1, TRUE},
    {"data", "054001000000aa", 1, FALSE},
    {"data, empty", "0440010000bf", 1, FALSE},
    {"data, no index", "0340010000", 0, TRUE},
    {"data, last place", "0440010000bf", 1, FALSE},
    {"data, beyond", "0440010000c0", 0, TRUE},
    {"parity", "0760010000000a03aa", 1, FALSE},
    {"parity, empty", "0660010000000a03", 1, FALSE},
    {"parity, no m", "0560010000000a", 0, TRUE},
    {"parity, of nothing", "0660010000000003", 0, TRUE},
    {"parity, none of it", "0660010000000a00", 0, TRUE},
    {"parity, last place", "0660010000020a03", 1, FALSE},
    {"parity, beyond", "0660010000030a03", 0, TRUE},
    {"parity, the most", "06600100003f8040", 1, FALSE},
    {"parity, one more", "06600100003f8140", 0, TRUE},
    {"parity, more than data allow", "06600100003fbf02", 0, TRUE},
    {"parity, 65 of it", "0660010000000141", 0, TRUE},
    {"an unknown kind", "0080", 0, TRUE},
    {"the last kind", "00e0", 0, TRUE},
};

/* Proves: an item is given out if it can be, its neighbours that cannot end the reading. */
static void
test_rows(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GBytes) bytes = kv_test_unhex(rows[i].hex);
        KvReader reader;
        KvItem item;
        guint n = 0;

        kv_reader_init(&reader, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        while (kv_item_next(&reader, &item))
            n++;
        if (n != rows[i].n_items || reader.failed != rows[i].failed)
            g_error("%s: %u items, failed %d", rows[i].what, n, reader.failed);
        g_assert_false(kv_item_next(&reader, &item));
    }
}

/* Proves: the numbers of shards come back at their limits. */
static void
test_limits(void)
{
    static const KvItem items[] = {
        {.kind = KV_ITEM_BARE, .len = KV_ITEM_BODY_MAX},
        {.kind = KV_ITEM_DATA, .group = KV_GROUP_MASK, .index = 191, .len = KV_ITEM_BODY_MAX - 4},
        {.kind = KV_ITEM_PARITY,
         .group = 0x123456,
         .index = 63,
         .data = 128,
         .parity = 64,
         .len = KV_ITEM_BODY_MAX - 6},
    };

    for (guint i = 0; i < G_N_ELEMENTS(items); i++) {
        uint8_t buf[KV_ITEM_BODY_MAX + 2] = {0};
        KvReader reader;
        KvItem item;

        g_assert_cmpuint(kv_item_put_head(buf, &items[i]), ==, sizeof buf);
        kv_reader_init(&reader, buf, sizeof buf);
        g_assert_true(kv_item_next(&reader, &item));
        g_assert_cmpint(item.kind, ==, items[i].kind);
        g_assert_cmpuint(item.group, ==, items[i].group);
        g_assert_cmpuint(item.index, ==, items[i].index);
        g_assert_cmpuint(item.data, ==, items[i].data);
        g_assert_cmpuint(item.parity, ==, items[i].parity);
        g_assert_cmpuint(item.len, ==, items[i].len);
        g_assert_true(item.content + item.len == buf + sizeof buf);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-item/rows", test_rows);
    g_test_add_func("/native-item/limits", test_limits);
    return kv_test_main(&argc, &argv);
}
