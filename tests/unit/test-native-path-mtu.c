/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-path-mtu.h"

#include "kv-test.h"

#define RTT     (50 * KV_TIME_MS)
#define STEP    (10 * KV_TIME_MS)
#define LONGEST 1472

/* A path that swallows datagrams longer than @limit; a sender that sends @len bytes each step. */
typedef struct {
    KvTestRandom state;
    KvRandom random;
    KvPathMtu mtu;
    guint limit;
    guint loss;        /* per cent, of all else */
    guint small;       /* bytes of what is sent beside long ones, 0: nothing */
    gboolean bulk;     /* datagrams as long as may be, too */
    gboolean feedback; /* the owner is told what arrived */
    gboolean dead;     /* nothing comes back at all */
    guint pings;
    guint long_pings; /* above the base */
    KvTime pong_at;
    uint8_t pong[KV_PING_BYTES];
    KvTime now;
} World;

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static void
world_init(World *world, guint limit)
{
    *world = (World){.limit = limit, .pong_at = KV_TIME_NEVER, .small = 100};
    kv_test_random_init(&world->state, kv_test_get_seed());
    world->random = (KvRandom){fill, &world->state};
    kv_path_mtu_init(&world->mtu, LONGEST, 0);
}

static gboolean
passes(World *world, guint len)
{
    return !world->dead && len <= world->limit &&
           kv_test_random_below(&world->state, 100) >= world->loss;
}

static void
send_one(World *world, guint len)
{
    gboolean passed = passes(world, len);

    kv_path_mtu_sent(&world->mtu, len, world->now);
    if (passed && passes(world, 40))
        kv_path_mtu_heard(&world->mtu);
    if (passed && world->feedback)
        kv_path_mtu_arrived(&world->mtu, len);
}

static void
step(World *world)
{
    uint8_t ping[KV_PING_BYTES];
    guint size;

    if (world->now >= world->pong_at) {
        world->pong_at = KV_TIME_NEVER;
        kv_path_mtu_heard(&world->mtu);
        kv_path_mtu_pong(&world->mtu, world->pong, world->now);
    }
    if (world->now >= kv_path_mtu_deadline(&world->mtu))
        kv_path_mtu_advance(&world->mtu, world->now);
    while (kv_path_mtu_next_ping(&world->mtu, RTT, &world->random, world->now, ping, &size)) {
        world->pings++;
        world->long_pings += size > KV_PATH_MTU_BASE ? 1 : 0;
        g_assert_cmpuint(size, <=, LONGEST);
        size = MAX(size, 40);
        if (passes(world, size) && passes(world, 40)) {
            world->pong_at = world->now + RTT;
            memcpy(world->pong, ping, sizeof ping);
        }
    }
    if (world->small > 0)
        send_one(world, world->small);
    if (world->bulk)
        send_one(world, world->mtu.size);
    world->now += STEP;
}

static void
run(World *world, KvTime time)
{
    for (KvTime end = world->now + time; world->now < end;)
        step(world);
}

/* Proves: whatever the path takes is found in a few seconds, to 16 bytes, never too much. */
static void
test_search(void)
{
    static const guint limits[] = {1200, 1232, 1240, 1280, 1352, 1400, 1452, 1471, 1472, 9000};

    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        guint best = CLAMP(limits[i], KV_PATH_MTU_BASE, LONGEST);
        World world;

        world_init(&world, limits[i]);
        run(&world, 10 * KV_TIME_S);
        g_assert_cmpuint(world.mtu.size, <=, best);
        g_assert_cmpuint(world.mtu.size + 16, >=, best);
        g_assert_cmpuint(world.pings, <=, 15);
        g_assert_false(world.mtu.searching);
    }
}

/* Proves: a peer that takes less than the base is never sent more. */
static void
test_small_max(void)
{
    World world;

    world_init(&world, 9000);
    kv_path_mtu_init(&world.mtu, 1000, 0);
    run(&world, KV_TIME_S);
    g_assert_cmpuint(world.mtu.size, ==, 1000);
    g_assert_cmpuint(world.pings, ==, 0);
}

/* Proves: a path that begins to swallow long datagrams costs 3 s at most, with what the owner
 * knows or without; then the new size is found, and after ten minutes the old one again. */
static void
test_black_hole(void)
{
    for (guint feedback = 0; feedback < 2; feedback++) {
        World world;
        KvTime stall;

        world_init(&world, 1472);
        world.bulk = TRUE;
        world.feedback = feedback == 1;
        run(&world, 30 * KV_TIME_S);
        g_assert_cmpuint(world.mtu.size, ==, 1472);
        world.limit = 1380;
        for (stall = world.now; world.mtu.size > world.limit;)
            step(&world);
        stall = world.now - stall;
        g_test_message("%s: stalled for %u ms", feedback ? "feedback" : "pings alone",
                       (guint) (stall / KV_TIME_MS));
        g_assert_cmpuint(stall, <=, 3 * KV_TIME_S);
        run(&world, 10 * KV_TIME_S);
        g_assert_cmpuint(world.mtu.size, <=, 1380);
        g_assert_cmpuint(world.mtu.size, >=, 1380 - 16);
        world.limit = 1472;
        run(&world, 600 * KV_TIME_S);
        g_assert_cmpuint(world.mtu.size, ==, 1472);
    }
}

/* Proves: the same where nothing but long datagrams is sent, so that nothing at all comes back any
 * more; also when the path was dead for a while before. */
static void
test_black_hole_all_long(void)
{
    for (guint dead = 0; dead < 2; dead++) {
        KvTime most = (dead ? 18 : 3) * KV_TIME_S, stall;
        World world;

        world_init(&world, 1472);
        world.bulk = world.feedback = TRUE;
        run(&world, 30 * KV_TIME_S);
        g_assert_cmpuint(world.mtu.size, ==, 1472);
        world.small = 0;
        world.limit = 1380;
        world.dead = dead;
        run(&world, dead * 100 * KV_TIME_S);
        world.dead = FALSE;
        for (stall = world.now; world.mtu.size > world.limit && world.now < stall + most;)
            step(&world);
        g_assert_cmpuint(world.mtu.size, <=, world.limit);
    }
}

/* Proves: with the owner's word no ping is spent on a path that is well, and random loss of 30 %
 * each way is no black hole. */
static void
test_loss(void)
{
    World world;

    world_init(&world, 1472);
    world.bulk = world.feedback = TRUE;
    run(&world, 10 * KV_TIME_S);
    g_assert_cmpuint(world.mtu.size, ==, 1472);
    world.pings = 0;
    world.loss = 30;
    for (guint i = 0; i < 6000; i++) {
        step(&world);
        g_assert_cmpuint(world.mtu.size, ==, 1472);
    }
    g_assert_cmpuint(world.pings, ==, 0);
}

/* Proves: a path that is dead both ways costs few pings after the first, none of them long, and
 * keeps its size. */
static void
test_dead(void)
{
    World world;

    world_init(&world, 1472);
    world.bulk = TRUE;
    run(&world, 10 * KV_TIME_S);
    world.dead = TRUE;
    world.pings = world.long_pings = 0;
    run(&world, 200 * KV_TIME_S);
    g_assert_cmpuint(world.mtu.size, ==, 1472);
    g_assert_cmpuint(world.long_pings, <=, 5);
    g_assert_cmpuint(world.pings, <=, 10 + 200 / 15);
    world.dead = FALSE;
    world.limit = 1300;
    run(&world, 4 * KV_TIME_S);
    g_assert_cmpuint(world.mtu.size, <=, 1300);
}

/* Proves: a path that goes while it is asked, or comes back meanwhile, says nothing of sizes,
 * though something else was answered before or after. */
static void
test_comes_and_goes(void)
{
    for (guint i = 0; i < 50; i++) {
        World world;
        guint asked;

        world_init(&world, 1472);
        world.bulk = TRUE;
        run(&world, 10 * KV_TIME_S);
        for (asked = world.long_pings; world.long_pings == asked;)
            step(&world);
        world.dead = TRUE;
        world.pong_at = KV_TIME_NEVER;
        run(&world, i * 100 * KV_TIME_MS);
        world.dead = FALSE;
        run(&world, 5 * KV_TIME_S);
        g_assert_cmpuint(world.mtu.size, ==, 1472);
    }
}

/* Proves: who is silent stays so: nothing is searched or asked without anything to send. */
static void
test_idle(void)
{
    World world;

    world_init(&world, 1400);
    world.small = 0;
    run(&world, 10 * KV_TIME_S);
    world.pings = 0;
    run(&world, 2000 * KV_TIME_S);
    g_assert_cmpuint(world.pings, ==, 0);
    world.small = 100;
    run(&world, 10 * KV_TIME_S);
    g_assert_cmpuint(world.mtu.size, >=, 1384);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-path-mtu/search", test_search);
    g_test_add_func("/native-path-mtu/small-max", test_small_max);
    g_test_add_func("/native-path-mtu/black-hole", test_black_hole);
    g_test_add_func("/native-path-mtu/black-hole-all-long", test_black_hole_all_long);
    g_test_add_func("/native-path-mtu/loss", test_loss);
    g_test_add_func("/native-path-mtu/dead", test_dead);
    g_test_add_func("/native-path-mtu/comes-and-goes", test_comes_and_goes);
    g_test_add_func("/native-path-mtu/idle", test_idle);
    return kv_test_main(&argc, &argv);
}
