/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-backoff.h"
#include "kv-test.h"

static const guint pauses[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};

/* Proves: pauses double up to half a minute and stay there, and begin anew after a reset. */
static void
test_series(void)
{
    KvBackoff backoff = {0};

    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < G_N_ELEMENTS(pauses); i++)
            g_assert_cmpuint(kv_backoff_next(&backoff, 0), ==, pauses[i] * 3 / 4);
        for (guint i = 0; i < 100; i++)
            g_assert_cmpuint(kv_backoff_next(&backoff, 0), ==, KV_BACKOFF_MAX_MS * 3 / 4);
        kv_backoff_reset(&backoff);
    }
}

/* Proves: chance moves each pause by up to a quarter either way, and spreads clients evenly. */
static void
test_jitter(void)
{
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < G_N_ELEMENTS(pauses); i++) {
        guint n_early = 0;

        for (guint n = 0; n < 1000; n++) {
            KvBackoff backoff = {.tries = MIN(i, 5)};
            guint pause = kv_backoff_next(&backoff, (guint32) kv_test_random_u64(&random));

            g_assert_cmpuint(pause, >=, pauses[i] * 3 / 4);
            g_assert_cmpuint(pause, <=, pauses[i] * 5 / 4);
            n_early += pause < pauses[i];
        }
        g_assert_cmpuint(n_early, >, 400);
        g_assert_cmpuint(n_early, <, 600);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/backoff/series", test_series);
    g_test_add_func("/backoff/jitter", test_jitter);
    return kv_test_main(&argc, &argv);
}
