/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-index-table.h"

#include <string.h>

/* A source of few numbers: 0 to 3, then 0 to 7, each four times over. */
typedef struct {
    uint32_t drawn;
} Few;

static void
fill_few(void *ctx, void *buf, size_t len)
{
    Few *few = ctx;
    uint32_t value = few->drawn < 16 ? few->drawn / 4 : (few->drawn - 16) / 4;

    g_assert_cmpuint(len, ==, sizeof value);
    memcpy(buf, &value, sizeof value);
    few->drawn++;
}

/* Proves: an index is not 0 and nobody else's, whatever the random source says, until it is given
 * back. */
static void
test_draw(void)
{
    Few few = {0};
    KvRandom random = {fill_few, &few};
    g_autoptr(KvIndexTable) table = kv_index_table_new(&random);

    for (uint32_t i = 1; i < 8; i++) {
        g_assert_cmpuint(kv_index_table_draw(table), ==, i);
        g_assert_cmpuint(kv_index_table_get_length(table), ==, i);
    }
    kv_index_table_give_back(table, 5);
    g_assert_cmpuint(kv_index_table_get_length(table), ==, 6);
    few.drawn = 16;
    g_assert_cmpuint(kv_index_table_draw(table), ==, 5);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/index-table/draw", test_draw);
    return kv_test_main(&argc, &argv);
}
