/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-loss-count.h"

#include "kv-test.h"

#define SPAN 20000

/* What the sums must be, from a plain list of all that came. */
static void
count_plainly(const uint8_t *came, uint64_t end, KvLossCount *want)
{
    gboolean gap = FALSE;

    for (uint64_t i = 0; i < end; i++) {
        want->seen += came[i];
        want->missing += came[i] == 0;
        want->bursts += came[i] == 0 && !gap;
        gap = came[i] == 0;
    }
}

static void
assert_sums(const KvLossCount *count, uint32_t seen, uint32_t missing, uint32_t bursts)
{
    g_assert_cmpuint(count->seen, ==, seen);
    g_assert_cmpuint(count->missing, ==, missing);
    g_assert_cmpuint(count->bursts, ==, bursts);
}

/* Proves: the sums are those of a plain list below the greatest less 64, whatever is lost, late or
 * jumped over. */
static void
test_model(void)
{
    g_autofree uint8_t *came = g_malloc0(SPAN);
    KvTestRandom random;
    KvLossCount count = {0};
    uint64_t greatest = 0;

    kv_test_random_init(&random, kv_test_get_seed());
    for (uint64_t base = 0; base < SPAN - 400; base++) {
        KvLossCount want = {0};
        uint64_t counter = base + kv_test_random_below(&random, 30);

        if (kv_test_random_below(&random, 400) == 0)
            base += kv_test_random_below(&random, 300);
        if (came[counter] || (count.any && counter + KV_LOSS_COUNT_LATE < greatest))
            continue;
        came[counter] = 1;
        kv_loss_count_note(&count, counter);
        greatest = MAX(greatest, counter);
        if (base % 16 != 0)
            continue;
        if (greatest >= KV_LOSS_COUNT_LATE)
            count_plainly(came, greatest - KV_LOSS_COUNT_LATE, &want);
        assert_sums(&count, want.seen, want.missing, want.bursts);
    }
    g_assert_cmpuint(count.missing, >, 100);
}

/* Proves: a new session settles the old one up to its greatest, and goes on with the sums. */
static void
test_sessions(void)
{
    KvLossCount count = {0};

    kv_loss_count_begin_session(&count);
    assert_sums(&count, 0, 0, 0);
    kv_loss_count_note(&count, 0);
    kv_loss_count_note(&count, 3);
    kv_loss_count_begin_session(&count);
    assert_sums(&count, 2, 2, 1);
    kv_loss_count_note(&count, 1);
    kv_loss_count_begin_session(&count);
    assert_sums(&count, 3, 3, 2);
}

/* Proves: counters at both ends of their range cost nothing and wrap the sums only. */
static void
test_edges(void)
{
    KvLossCount count = {0};

    kv_loss_count_note(&count, (UINT64_C(1) << 60) - 1);
    assert_sums(&count, 0, (uint32_t) ((UINT64_C(1) << 60) - 1 - KV_LOSS_COUNT_LATE), 1);
    kv_loss_count_note(&count, 5); /* far too late */
    kv_loss_count_note(&count, (UINT64_C(1) << 60) - 1);
    kv_loss_count_begin_session(&count);
    assert_sums(&count, 1, (uint32_t) ((UINT64_C(1) << 60) - 1), 1);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-loss-count/model", test_model);
    g_test_add_func("/native-loss-count/sessions", test_sessions);
    g_test_add_func("/native-loss-count/edges", test_edges);
    return kv_test_main(&argc, &argv);
}
