/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-replay.h"
#include "kv-test.h"

#include <string.h>

#define SPAN (4 * KV_REPLAY_BITS)

static gboolean
pass(KvReplay *replay, uint64_t counter)
{
    if (!kv_replay_may_pass(replay, counter))
        return FALSE;
    kv_replay_note(replay, counter);
    return TRUE;
}

/* Proves: each counter passes once, the first one too, and what is older than the window never. */
static void
test_edges(void)
{
    KvReplay replay = {0};

    g_assert_true(pass(&replay, 0));
    g_assert_false(pass(&replay, 0));
    g_assert_true(pass(&replay, KV_REPLAY_WINDOW));
    g_assert_false(pass(&replay, 0));
    g_assert_true(pass(&replay, 1));
    g_assert_false(pass(&replay, 1));
    g_assert_true(pass(&replay, KV_REPLAY_WINDOW + 1));
    g_assert_false(pass(&replay, 1));
    g_assert_true(pass(&replay, 2));

    g_assert_true(pass(&replay, UINT64_C(1) << 60));
    g_assert_false(pass(&replay, KV_REPLAY_WINDOW + 2));
    g_assert_true(pass(&replay, (UINT64_C(1) << 60) - KV_REPLAY_WINDOW + 1));
    g_assert_false(pass(&replay, (UINT64_C(1) << 60) - KV_REPLAY_WINDOW));
    g_assert_true(pass(&replay, G_MAXUINT64 - 2));
    g_assert_false(pass(&replay, G_MAXUINT64 - 1));
    g_assert_false(pass(&replay, G_MAXUINT64));
    g_assert_false(pass(&replay, G_MAXUINT64 - 2));
}

/* Proves: whatever order counters come in, the window answers as a plain list of all seen would. */
static void
test_model(void)
{
    g_autofree uint8_t *seen = g_malloc0(SPAN);
    KvTestRandom random;
    KvReplay replay = {0};
    uint64_t greatest = 0;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < 200000; i++) {
        uint32_t reach = kv_test_random_below(&random, 100) == 0 ? KV_REPLAY_BITS / 2 : 40;
        uint64_t ahead = greatest + kv_test_random_below(&random, reach);
        uint64_t back =
            kv_test_random_below(&random, 2) * kv_test_random_below(&random, 20 * reach);
        uint64_t counter = MIN(ahead > back ? ahead - back : 0, SPAN - 1);
        gboolean may =
            seen[counter] == 0 && (counter > greatest || greatest - counter < KV_REPLAY_WINDOW);

        g_assert_cmpint(pass(&replay, counter), ==, may);
        seen[counter] = 1;
        greatest = MAX(greatest, counter);
        if (greatest == SPAN - 1) {
            memset(seen, 0, SPAN);
            replay = (KvReplay){0};
            greatest = 0;
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/replay/edges", test_edges);
    g_test_add_func("/replay/model", test_model);
    return kv_test_main(&argc, &argv);
}
