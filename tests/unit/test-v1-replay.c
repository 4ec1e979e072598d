/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-test.h"
#include "v1/kv-v1-replay.h"

/* Proves: a hundred thousand random nonces all pass, and none of the last five hundred twice. */
static void
test_random(void)
{
    static uint8_t nonces[100000][16];
    g_autofree KvV1Replay *replay = g_new0(KvV1Replay, 1);
    KvTestRandom random;
    guint old = 0;

    kv_test_random_init(&random, kv_test_get_seed());
    kv_test_random_bytes(&random, nonces, sizeof nonces);
    for (guint i = 0; i < G_N_ELEMENTS(nonces); i++) {
        g_assert_true(kv_v1_replay_accept(replay, nonces[i]));
        g_assert_false(kv_v1_replay_accept(replay, nonces[i]));
        if (i >= 500 && i % 97 == 0)
            old += kv_v1_replay_accept(replay, nonces[i - 500]);
    }
    g_assert_cmpuint(old, <=, 60);
}

/* Proves: nonces that differ in one bit anywhere, or are zero, are told apart. */
static void
test_bits(void)
{
    g_autofree KvV1Replay *replay = g_new0(KvV1Replay, 1);
    uint8_t nonce[16] = {0};

    g_assert_true(kv_v1_replay_accept(replay, nonce));
    g_assert_false(kv_v1_replay_accept(replay, nonce));
    for (guint bit = 1; bit < 64; bit++) {
        memset(nonce, 0, sizeof nonce);
        nonce[bit / 8] = (uint8_t) (1 << bit % 8);
        g_assert_true(kv_v1_replay_accept(replay, nonce));
        g_assert_false(kv_v1_replay_accept(replay, nonce));
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/v1-replay/random", test_random);
    g_test_add_func("/v1-replay/bits", test_bits);
    return kv_test_main(&argc, &argv);
}
