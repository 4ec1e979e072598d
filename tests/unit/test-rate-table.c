/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-rate-table.h"

#include <string.h>

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static gboolean
take(KvRateTable *table, guint who, KvTime now)
{
    uint8_t key[KV_RATE_KEY_BYTES] = {0};

    gboolean may;

    memcpy(key, &who, sizeof who);
    may = kv_rate_table_may(table, key, now);
    g_assert_cmpint(kv_rate_table_take(table, key, now), ==, may);
    return may;
}

static KvRateTable *
make(guint max, guint per_second, guint burst)
{
    KvTestRandom state;
    KvRandom random = {fill, &state};

    kv_test_random_init(&state, kv_test_get_seed());
    return kv_rate_table_new(max, KV_TIME_S / per_second, burst, &random);
}

/* Proves: a key has its burst and then its rate, whatever others do and whenever it begins. */
static void
test_rate(void)
{
    static const KvTime starts[] = {0, 1, 100 * KV_TIME_S};

    for (guint i = 0; i < G_N_ELEMENTS(starts); i++) {
        g_autoptr(KvRateTable) table = make(100, 20, 5);
        guint taken = 0;

        for (KvTime t = 0; t < 10 * KV_TIME_S; t += KV_TIME_MS) {
            gboolean may = take(table, 1, starts[i] + t);

            taken += may ? 1 : 0;
            if (t < 20 * KV_TIME_MS)
                g_assert_cmpint(may, ==, t < 5 * KV_TIME_MS);
            g_assert_cmpint(take(table, 2, starts[i] + t), ==, may);
        }
        g_assert_cmpuint(taken, >=, 204);
        g_assert_cmpuint(taken, <=, 205);
    }
}

/* Proves: no more keys are kept than was said, the one that asked last longest, and none that has
 * nothing to remember. */
static void
test_bounds(void)
{
    g_autoptr(KvRateTable) table = make(10, 1, 1);

    for (guint who = 0; who < 10; who++)
        g_assert_true(take(table, who, who));
    g_assert_cmpuint(kv_rate_table_get_length(table), ==, 10);
    g_assert_false(take(table, 0, 10));
    g_assert_true(take(table, 10, 11));
    g_assert_cmpuint(kv_rate_table_get_length(table), ==, 10);
    g_assert_false(take(table, 0, 12));
    g_assert_true(take(table, 1, 13));
    g_assert_true(take(table, 77, 3 * KV_TIME_S));
    g_assert_cmpuint(kv_rate_table_get_length(table), ==, 1);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/rate-table/rate", test_rate);
    g_test_add_func("/rate-table/bounds", test_bounds);
    return kv_test_main(&argc, &argv);
}
