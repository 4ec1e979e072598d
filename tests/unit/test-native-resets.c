/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-resets.h"

#include "kv-test.h"

#include <string.h>

typedef struct {
    KvTestRandom state;
    KvRandom random;
    KvOuterKeys outer;
    KvSeal *seal;
    KvResets resets;
    uint8_t key[KV_RESET_KEY_BYTES];
    uint8_t token[KV_RESET_TOKEN_BYTES];
    uint8_t datagram[1500];
    size_t len;
    uint8_t answer[1500];
} World;

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static void
world_init(World *world)
{
    uint8_t traffic[KV_SEAL_TRAFFIC_BYTES] = {1};

    memset(world, 0, sizeof *world);
    kv_test_random_init(&world->state, kv_test_get_seed());
    world->random = (KvRandom){fill, &world->state};
    kv_outer_keys_derive(&world->outer, (const uint8_t *) "a key of thirty-two bytes or more");
    kv_reset_key_derive(world->key, (const uint8_t *) "a key of thirty-two bytes or more");
    kv_reset_token_derive(world->key, 77, world->token);
    world->seal = kv_seal_new(KV_AEAD_CHACHA20_POLY1305, traffic);
}

/* A datagram of @len bytes for the session 77, by somebody who has @token. */
static void
seal(World *world, size_t len, const uint8_t *token)
{
    KvSealHead head = {.index = 77, .counter = 5};

    world->len = kv_seal_write(world->seal, &world->outer, &head, token, world->datagram,
                               len - KV_SEAL_OVERHEAD);
}

static size_t
answer(World *world, KvTime now)
{
    KvSealHead head;

    g_assert_true(kv_seal_read_head(&world->outer, world->datagram, world->len, &head));
    return kv_resets_answer(&world->resets, world->key, &head, world->datagram, world->len,
                            &world->random, now, world->answer);
}

/* Proves: who was given the token gets it back, in something shorter than what came. */
static void
test_answer(void)
{
    static const size_t lengths[] = {41, 42, 100, 1232, 1472};
    World world;

    world_init(&world);
    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        size_t len;

        seal(&world, lengths[i], world.token);
        len = answer(&world, 0);
        g_assert_cmpuint(len, >=, KV_RESET_MIN);
        g_assert_cmpuint(len, <, lengths[i]);
        g_assert_true(kv_reset_matches(world.token, world.answer, len));
        world.token[15] ^= 1;
        g_assert_false(kv_reset_matches(world.token, world.answer, len));
        world.token[15] ^= 1;
    }
    seal(&world, 40, world.token);
    g_assert_cmpuint(answer(&world, 0), ==, 0);
    g_assert_false(kv_reset_matches(world.token, world.answer, KV_RESET_MIN - 1));
    kv_seal_free(world.seal);
}

/* Proves: who was not given it gets nothing, and does not use up what others get. */
static void
test_stranger(void)
{
    uint8_t other[KV_RESET_TOKEN_BYTES] = {0};
    World world;

    world_init(&world);
    for (guint i = 0; i < 100; i++) {
        seal(&world, 100, other);
        g_assert_cmpuint(answer(&world, 0), ==, 0);
    }
    seal(&world, 100, world.token);
    world.datagram[50] ^= 1; /* nothing a check covers: the tag alone */
    g_assert_cmpuint(answer(&world, 0), >, 0);
    world.datagram[99] ^= 1;
    g_assert_cmpuint(answer(&world, 0), ==, 0);
    kv_seal_free(world.seal);
}

/* Proves: ten a second, whoever asks. */
static void
test_rate(void)
{
    guint sent = 0;
    World world;

    world_init(&world);
    seal(&world, 100, world.token);
    for (KvTime now = 0; now < 5 * KV_TIME_S; now += 10 * KV_TIME_MS)
        sent += answer(&world, now) > 0 ? 1 : 0;
    g_assert_cmpuint(sent, ==, 5 * KV_RESETS_RATE);
    kv_seal_free(world.seal);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-resets/answer", test_answer);
    g_test_add_func("/native-resets/stranger", test_stranger);
    g_test_add_func("/native-resets/rate", test_rate);
    return kv_test_main(&argc, &argv);
}
