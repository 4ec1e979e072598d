/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-path.h"

#include "kv-test.h"

#define RTT (40 * KV_TIME_MS)

typedef struct {
    KvTestRandom state;
    KvRandom random;
    KvPath path;
} World;

static const KvEndpoint home = {.ip = {[15] = 1}, .port = 1000};
static const KvEndpoint away = {.ip = {[15] = 2}, .port = 1000};
static const KvEndpoint third = {.ip = {[15] = 1}, .port = 1001};

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static void
world_init(World *world)
{
    kv_test_random_init(&world->state, kv_test_get_seed());
    world->random = (KvRandom){fill, &world->state};
    kv_path_init(&world->path, &home);
}

static void
hear(World *world, const KvEndpoint *from, size_t len, gboolean newest, KvTime now)
{
    kv_path_hear(&world->path, from, len, newest, &world->random, now);
}

/* Whether a ping goes to @to now; it is noted as sent. */
static gboolean
pings(World *world, const KvEndpoint *to, KvTime now, uint8_t ping[KV_PING_BYTES])
{
    KvEndpoint where;

    if (!kv_path_next_ping(&world->path, RTT, now, ping, &where))
        return FALSE;
    g_assert_true(kv_endpoint_equal(&where, to));
    kv_path_sent(&world->path, &where, 43);
    return TRUE;
}

static gboolean
is_at(const World *world, const KvEndpoint *endpoint)
{
    return kv_endpoint_equal(&world->path.remote, endpoint);
}

/* Proves: a peer that moved is there after one round trip, and not before. */
static void
test_move(void)
{
    uint8_t ping[KV_PING_BYTES];
    World world;

    world_init(&world);
    hear(&world, &home, 100, TRUE, 0);
    g_assert_cmpuint(kv_path_deadline(&world.path), ==, KV_TIME_NEVER);
    hear(&world, &away, 100, TRUE, 10);
    g_assert_true(is_at(&world, &home));
    g_assert_true(pings(&world, &away, 10, ping));
    g_assert_false(pings(&world, &away, 10, ping));
    g_assert_false(kv_path_pong(&world.path, ping, &home));
    ping[0] ^= 1;
    g_assert_false(kv_path_pong(&world.path, ping, &away));
    ping[0] ^= 1;
    g_assert_true(kv_path_pong(&world.path, ping, &away));
    g_assert_true(is_at(&world, &away));
    g_assert_false(kv_path_pong(&world.path, ping, &away));
    g_assert_cmpuint(kv_path_deadline(&world.path), ==, KV_TIME_NEVER);
}

/* Proves: an old datagram from elsewhere moves nothing, and does not get a ping. */
static void
test_late(void)
{
    uint8_t ping[KV_PING_BYTES];
    World world;

    world_init(&world);
    hear(&world, &away, 100, FALSE, 0);
    g_assert_false(pings(&world, &away, 0, ping));
    g_assert_true(kv_path_may_send(&world.path, &away, 100));
    g_assert_false(kv_path_may_send(&world.path, &away, 101));
    kv_path_sent(&world.path, &away, 60);
    g_assert_false(kv_path_may_send(&world.path, &away, 41));
    g_assert_false(kv_path_may_send(&world.path, &third, 1));
    g_assert_true(kv_path_may_send(&world.path, &home, 100000));
}

/* Proves: before its pong a new address gets no more than three times what came from there. */
static void
test_room(void)
{
    uint8_t ping[KV_PING_BYTES];
    World world;

    world_init(&world);
    hear(&world, &away, 32, TRUE, 0);
    g_assert_true(pings(&world, &away, 0, ping));
    g_assert_true(kv_path_may_send(&world.path, &away, 3 * 32 - 43));
    g_assert_false(kv_path_may_send(&world.path, &away, 3 * 32 - 43 + 1));
    /* Without room for a second ping the deadline is the check's end, not a busy loop. */
    g_assert_false(pings(&world, &away, KV_TIME_S, ping));
    g_assert_cmpuint(kv_path_deadline(&world.path), ==, 3 * KV_TIME_S);
    hear(&world, &away, 32, FALSE, KV_TIME_S);
    g_assert_cmpuint(kv_path_deadline(&world.path), <=, KV_TIME_S);
    g_assert_true(pings(&world, &away, KV_TIME_S, ping));
}

/* Proves: somebody who copies datagrams from elsewhere gets eight pings at most in the 3 s of a
 * check, the peer stays where it was, and is asked there more and more seldom. */
static void
test_copier(void)
{
    uint8_t ping[KV_PING_BYTES];
    guint sent = 0;
    guint first = 0;
    World world;

    world_init(&world);
    for (KvTime now = 0; now < 60 * KV_TIME_S; now += 10 * KV_TIME_MS) {
        kv_path_advance(&world.path, now);
        hear(&world, &away, 1200, TRUE, now);
        sent += pings(&world, &away, now, ping) ? 1 : 0;
        if (now < 3 * KV_TIME_S)
            first = sent;
    }
    g_assert_cmpuint(first, ==, 8);
    g_assert_cmpuint(sent, <=, 40);
    g_assert_true(is_at(&world, &home));

    /* Another address is asked at once, all the same. */
    hear(&world, &third, 100, TRUE, 60 * KV_TIME_S);
    g_assert_true(pings(&world, &third, 60 * KV_TIME_S, ping));
    g_assert_true(kv_path_pong(&world.path, ping, &third));
    g_assert_true(is_at(&world, &third));
}

/* Proves: a newer datagram from the old address ends a check; its late pong moves nothing. */
static void
test_return(void)
{
    uint8_t ping[KV_PING_BYTES];
    World world;

    world_init(&world);
    hear(&world, &away, 100, TRUE, 0);
    g_assert_true(pings(&world, &away, 0, ping));
    hear(&world, &home, 100, TRUE, 1);
    g_assert_false(kv_path_pong(&world.path, ping, &away));
    g_assert_true(is_at(&world, &home));
}

/* Proves: of two moves in a row the last one counts. */
static void
test_twice(void)
{
    uint8_t first[KV_PING_BYTES];
    uint8_t second[KV_PING_BYTES];
    World world;

    world_init(&world);
    hear(&world, &away, 100, TRUE, 0);
    g_assert_true(pings(&world, &away, 0, first));
    hear(&world, &third, 100, TRUE, 1);
    g_assert_true(pings(&world, &third, 1, second));
    g_assert_false(kv_path_pong(&world.path, first, &away));
    g_assert_true(kv_path_pong(&world.path, second, &third));
}

/* Proves: what a handshake proved needs no ping, and ends a check of something else. */
static void
test_prove(void)
{
    uint8_t ping[KV_PING_BYTES];
    World world;

    world_init(&world);
    g_assert_false(kv_path_prove(&world.path, &home));
    hear(&world, &away, 100, TRUE, 0);
    g_assert_true(kv_path_prove(&world.path, &third));
    g_assert_true(is_at(&world, &third));
    g_assert_false(pings(&world, &away, 0, ping));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-path/move", test_move);
    g_test_add_func("/native-path/late", test_late);
    g_test_add_func("/native-path/room", test_room);
    g_test_add_func("/native-path/copier", test_copier);
    g_test_add_func("/native-path/return", test_return);
    g_test_add_func("/native-path/twice", test_twice);
    g_test_add_func("/native-path/prove", test_prove);
    return kv_test_main(&argc, &argv);
}
