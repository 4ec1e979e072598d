/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-cookie.h"
#include "kv-test.h"

#include <string.h>

#define LEN (KV_OUTER_HEAD_BYTES + 20)

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

typedef struct {
    KvTestRandom state;
    KvRandom random;
    KvCookieJar jar;
    KvEndpoint address;
    KvOuterKeys keys;
    uint8_t datagram[LEN];
} World;

static void
world_init(World *world)
{
    memset(world, 0, sizeof *world);
    kv_test_random_init(&world->state, kv_test_get_seed());
    world->random = (KvRandom){fill, &world->state};
    world->address.port = 1235;
    kv_outer_keys_derive(&world->keys, (const uint8_t *) "a key of thirty-two bytes or more");
}

/* A datagram that shows a cookie baked at @now. */
static void
show(World *world, KvTime now)
{
    uint8_t cookie[KV_OUTER_COOKIE_BYTES];

    kv_cookie_jar_bake(&world->jar, &world->address, now, &world->random, cookie);
    kv_outer_seal(&world->keys, world->datagram, LEN, cookie, &world->random);
}

static gboolean
is_honoured(const World *world, KvTime now)
{
    return kv_cookie_jar_check(&world->jar, &world->address, now, world->datagram, LEN);
}

/* Proves: a cookie is good for a minute at least and for two at most, whenever it was baked. */
static void
test_age(void)
{
    static const KvTime baked[] = {0, 1, 30 * KV_TIME_S, 60 * KV_TIME_S - 1};
    uint8_t other[KV_OUTER_COOKIE_BYTES];
    World world;

    for (guint i = 0; i < G_N_ELEMENTS(baked); i++) {
        world_init(&world);
        kv_cookie_jar_bake(&world.jar, &world.address, 0, &world.random, other);
        show(&world, baked[i]);
        g_assert_true(is_honoured(&world, baked[i]));
        /* Somebody else asks, and makes the secret change. */
        kv_cookie_jar_bake(&world.jar, &world.address, 60 * KV_TIME_S, &world.random, other);
        g_assert_true(is_honoured(&world, baked[i] + 60 * KV_TIME_S));
        g_assert_true(is_honoured(&world, 120 * KV_TIME_S - 1));
        g_assert_false(is_honoured(&world, 120 * KV_TIME_S));
        kv_cookie_jar_bake(&world.jar, &world.address, 120 * KV_TIME_S, &world.random, other);
        g_assert_false(is_honoured(&world, 120 * KV_TIME_S));
    }
}

/* Proves: another's cookie is of no use: other address, other port, other jar, no cookie. */
static void
test_theft(void)
{
    World world;
    KvCookieJar empty = {0};

    world_init(&world);
    g_assert_false(is_honoured(&world, 0));
    show(&world, 0);
    world.address.ip[15] ^= 1;
    g_assert_false(is_honoured(&world, 1));
    world.address.ip[15] ^= 1;
    world.address.port++;
    g_assert_false(is_honoured(&world, 1));
    world.address.port--;
    g_assert_true(is_honoured(&world, 1));
    g_assert_false(kv_cookie_jar_check(&empty, &world.address, 1, world.datagram, LEN));
    kv_outer_seal(&world.keys, world.datagram, LEN, NULL, &world.random);
    g_assert_false(is_honoured(&world, 1));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/cookie/age", test_age);
    g_test_add_func("/cookie/theft", test_theft);
    return kv_test_main(&argc, &argv);
}
