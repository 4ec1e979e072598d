/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-path-ecn.h"

#include "kv-test.h"

#define RTT  (50 * KV_TIME_MS)
#define STEP (10 * KV_TIME_MS)

/* A sender of whose datagrams each could leave with one of the fields in turn; others come in. */
typedef struct {
    KvTestRandom state;
    KvRandom random;
    KvPathEcn path;
    KvEcnSet swallowed;
    gboolean dead; /* nothing comes back at all */
    guint pings[4];
    guint left[4]; /* datagrams, by field */
    KvTime pong_at[4];
    uint8_t pongs[4][KV_PING_BYTES];
    KvTime now;
} World;

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static void
world_init(World *world)
{
    *world = (World){.pong_at = {KV_TIME_NEVER, KV_TIME_NEVER, KV_TIME_NEVER, KV_TIME_NEVER}};
    kv_test_random_init(&world->state, kv_test_get_seed());
    world->random = (KvRandom){fill, &world->state};
}

static gboolean
passes(const World *world, KvEcn ecn)
{
    return !world->dead && (world->swallowed & 1u << ecn) == 0;
}

static void
send_pings(World *world)
{
    uint8_t ping[KV_PING_BYTES];
    KvEcn ecn;

    while ((ecn = kv_path_ecn_next_ping(&world->path, RTT, &world->random, world->now, ping)) !=
           KV_ECN_NOT_ECT) {
        world->pings[ecn]++;
        if (!passes(world, ecn))
            continue;
        world->pong_at[ecn] = world->now + RTT;
        memcpy(world->pongs[ecn], ping, sizeof ping);
    }
}

static void
take_pongs(World *world)
{
    for (guint i = 0; i < 4; i++) {
        if (world->now < world->pong_at[i] || world->dead)
            continue;
        world->pong_at[i] = KV_TIME_NEVER;
        kv_path_ecn_pong(&world->path, world->pongs[i], world->now);
    }
}

/* Each step a datagram of each of @fields leaves. */
static void
run(World *world, KvTime time, KvEcnSet fields)
{
    for (KvTime until = world->now + time; world->now < until; world->now += STEP) {
        kv_path_ecn_advance(&world->path, world->now);
        if (!world->dead)
            kv_path_ecn_heard(&world->path);
        take_pongs(world);
        for (guint ecn = KV_ECN_ECT1; ecn <= KV_ECN_ECT0; ecn++)
            if ((fields & 1u << ecn) != 0)
                world->left[ecn] += kv_path_ecn_may_leave(&world->path, ecn, world->now);
        send_pings(world);
        g_assert_cmpuint(kv_path_ecn_deadline(&world->path), >, world->now);
    }
}

/* Counts datagrams that leave with @ecn in the next second. */
static guint
count(World *world, KvEcn ecn)
{
    guint before = world->left[ecn];

    run(world, KV_TIME_S, 1u << ecn);
    return world->left[ecn] - before;
}

#define ECT0 (1u << KV_ECN_ECT0)
#define ECT1 (1u << KV_ECN_ECT1)

/* Proves: nothing leaves with a field before a ping with the same was answered; then all does, a
 * ping each five seconds asks again while it does, and none while nothing could. */
static void
test_passes(void)
{
    World world;

    world_init(&world);
    run(&world, 5 * KV_TIME_S, 0);
    g_assert_cmpuint(world.pings[KV_ECN_ECT0] + world.pings[KV_ECN_ECT1], ==, 0);
    run(&world, RTT, ECT0);
    g_assert_cmpuint(world.left[KV_ECN_ECT0], ==, 0);
    g_assert_cmpuint(world.pings[KV_ECN_ECT0], ==, 1);
    run(&world, 60 * KV_TIME_S, ECT0);
    g_assert_cmpuint(world.left[KV_ECN_ECT0], >=, 5999);
    g_assert_cmpuint(world.pings[KV_ECN_ECT0], ==, 12);
    g_assert_cmpuint(world.pings[KV_ECN_ECT1], ==, 0);
    g_assert_cmpuint(count(&world, KV_ECN_ECT1), ==, 95);
    run(&world, 600 * KV_TIME_S, 0);
    g_assert_cmpuint(world.pings[KV_ECN_ECT0], ==, 12);
    g_assert_cmpuint(world.pings[KV_ECN_ECT1], ==, 1);
}

/* Proves: where one field is swallowed, from the start or from some time on, that one is not used
 * any longer than seven seconds, the other is, and each minute five pings ask again. */
static void
test_swallowed(void)
{
    World world;

    world_init(&world);
    world.swallowed = ECT1;
    run(&world, 30 * KV_TIME_S, ECT0 | ECT1);
    g_assert_cmpuint(world.left[KV_ECN_ECT1], ==, 0);
    g_assert_cmpuint(world.left[KV_ECN_ECT0], >=, 2990);
    g_assert_cmpuint(world.pings[KV_ECN_ECT1], ==, 5);
    world.swallowed = ECT0;
    run(&world, 7 * KV_TIME_S, ECT0 | ECT1);
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, 0);
    run(&world, 65 * KV_TIME_S, ECT0 | ECT1);
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, 0);
    g_assert_cmpuint(count(&world, KV_ECN_ECT1), ==, 100);
    world.swallowed = 0;
    run(&world, 62 * KV_TIME_S, ECT0 | ECT1);
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, 100);
}

/* Proves: where nothing is heard at all nothing is concluded: five pings and no more, and when the
 * path is there again marks are within two round trips. */
static void
test_silence(void)
{
    World world;

    world_init(&world);
    run(&world, KV_TIME_S, ECT0);
    world.dead = TRUE;
    run(&world, 100 * KV_TIME_S, ECT0);
    g_assert_cmpuint(world.pings[KV_ECN_ECT0], ==, 1 + 5);
    world.dead = FALSE;
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), >=, 90);
}

/* Proves: another path is asked before it is used. */
static void
test_moved(void)
{
    World world;

    world_init(&world);
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), >=, 90);
    kv_path_ecn_moved(&world.path);
    world.swallowed = ECT0;
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, 0);
    g_assert_cmpuint(world.pings[KV_ECN_ECT0], ==, 1 + 5);
}

/* Proves: while reports tell of datagrams with the field no ping asks. A time stamp that others
 * had, too, or one from before the path moved, proves nothing. */
static void
test_told(void)
{
    enum { TELLS, OTHER_BEFORE, OTHER_AFTER, WRONG, MOVED, N_CASES };
    World world;

    for (guint i = 0; i < N_CASES; i++) {
        world_init(&world);
        for (guint j = 0; j < 600; j++) {
            KvTime at = world.now;

            if (i == OTHER_BEFORE)
                kv_path_ecn_sent(&world.path, KV_ECN_NOT_ECT, at);
            kv_path_ecn_sent(&world.path, KV_ECN_ECT0, at);
            kv_path_ecn_sent(&world.path, KV_ECN_ECT0, at);
            if (i == OTHER_AFTER)
                kv_path_ecn_sent(&world.path, KV_ECN_ECT1, at);
            run(&world, 100 * KV_TIME_MS, ECT0);
            kv_path_ecn_told(&world.path, (uint32_t) at + (i == WRONG), 0, world.now);
        }
        if (i == MOVED) {
            KvTime at = world.now;

            run(&world, 5 * KV_TIME_S - STEP, 0);
            kv_path_ecn_sent(&world.path, KV_ECN_ECT0, at);
            kv_path_ecn_moved(&world.path);
            world.swallowed = ECT0;
            kv_path_ecn_told(&world.path, (uint32_t) at, 0, world.now);
            g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, 0);
        } else if (i == TELLS) {
            g_assert_cmpuint(world.pings[KV_ECN_ECT0], ==, 1);
        } else {
            g_assert_cmpuint(world.pings[KV_ECN_ECT0], ==, 12);
        }
    }
}

/* Proves: what left with ECT(0) and is told to be marked is congestion, once; a path that marks all
 * is not believed for longer than three seconds, and asked again a minute later; one that marks
 * half is. */
static void
test_marked(void)
{
    World world;
    uint32_t ce = 0;
    guint told = 0;

    for (guint all = 0; all < 2; all++) {
        world_init(&world);
        ce = told = 0;
        for (guint i = 0; i < 1000; i++) {
            run(&world, STEP, ECT0);
            if (world.path.tests[0].passes)
                kv_path_ecn_sent(&world.path, KV_ECN_ECT0, world.now);
            ce += all > 0 || i % 2 == 0;
            told += kv_path_ecn_told(&world.path, 0, ce, world.now);
            g_assert_false(kv_path_ecn_told(&world.path, 0, ce, world.now));
        }
        if (all == 0)
            g_assert_cmpuint(told, >, 490);
        else
            g_assert_cmpuint(told, <, 300);
        g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, all > 0 ? 0 : 100);
    }
    run(&world, 60 * KV_TIME_S, ECT0);
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, 100);
}

/* Proves: no other ping's answer is a proof. */
static void
test_other_pong(void)
{
    static const uint8_t zero[KV_PING_BYTES];
    World world;

    world_init(&world);
    world.swallowed = ECT0;
    g_assert_false(kv_path_ecn_may_leave(&world.path, KV_ECN_ECT0, 0));
    kv_path_ecn_pong(&world.path, zero, 0);
    run(&world, STEP, ECT0 | ECT1);
    kv_path_ecn_pong(&world.path, world.pongs[KV_ECN_ECT1], world.now);
    g_assert_cmpuint(count(&world, KV_ECN_ECT0), ==, 0);
}

/* Proves: the field of a datagram is what docs/protocol.md says, of all sets of fields inside. */
static void
test_choice(void)
{
    enum { N = KV_ECN_NOT_ECT, E1 = KV_ECN_ECT1, E0 = KV_ECN_ECT0 };
    /* By the bits of the set, CE the highest. */
    static const guint want[16] = {
        N, N, E1, N, E0, N, E0, N, E0, N, E1, N, E0, N, E0, N,
    };

    for (guint bits = 0; bits < 16; bits++) {
        KvEcnSet set = 0;

        for (guint ecn = 0; ecn < 4; ecn++)
            if ((bits & 1u << ecn) != 0)
                set = kv_ecn_add(kv_ecn_add(set, ecn), ecn);
        g_assert_cmpint(kv_ecn_choose(set), ==, want[bits]);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-path-ecn/choice", test_choice);
    g_test_add_func("/native-path-ecn/passes", test_passes);
    g_test_add_func("/native-path-ecn/swallowed", test_swallowed);
    g_test_add_func("/native-path-ecn/silence", test_silence);
    g_test_add_func("/native-path-ecn/moved", test_moved);
    g_test_add_func("/native-path-ecn/told", test_told);
    g_test_add_func("/native-path-ecn/marked", test_marked);
    g_test_add_func("/native-path-ecn/other-pong", test_other_pong);
    return kv_test_main(&argc, &argv);
}
