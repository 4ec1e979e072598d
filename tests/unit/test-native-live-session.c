/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-live-session.h"

#include "kv-test.h"

#include <string.h>

#define LEN 50

typedef struct {
    KvLiveSession *there; /* seals */
    KvLiveSession *here;  /* opens */
    KvOuterKeys outer;
    uint8_t datagram[LEN + KV_SEAL_OVERHEAD];
    KvSealHead head;
} World;

static void
world_init(World *world, KvTime now)
{
    KvNativeKeys keys = {.aead = KV_AEAD_CHACHA20_POLY1305, .local_index = 7, .remote_index = 9};

    memset(world, 0, sizeof *world);
    kv_outer_keys_derive(&world->outer, (const uint8_t *) "a key of thirty-two bytes or more");
    memset(keys.send, 1, sizeof keys.send);
    memset(keys.receive, 2, sizeof keys.receive);
    keys.remote_outer = world->outer;
    world->there = kv_live_session_new(&keys, now);
    memset(keys.send, 2, sizeof keys.send);
    memset(keys.receive, 1, sizeof keys.receive);
    keys.local_index = 9;
    keys.remote_index = 7;
    world->here = kv_live_session_new(&keys, now);
}

static void
world_clear(World *world)
{
    kv_live_session_free(world->there);
    kv_live_session_free(world->here);
}

static void
seal(World *world)
{
    size_t len;

    memset(world->datagram + KV_SEAL_HEAD_BYTES, 'x', LEN);
    len = kv_live_session_seal(world->there, world->datagram, LEN);
    g_assert_cmpuint(len, ==, sizeof world->datagram);
    g_assert_true(kv_seal_read_head(&world->outer, world->datagram, len, &world->head));
}

static KvDrop
open_it(World *world, gboolean *newest, KvTime now)
{
    uint8_t plain[LEN];
    KvDrop drop = kv_live_session_open(world->here, &world->head, world->datagram,
                                       sizeof world->datagram, plain, newest, now);

    if (drop == KV_DROP_NONE)
        g_assert_cmpuint(plain[LEN - 1], ==, 'x');
    return drop;
}

/* Proves: a datagram opens once; which is the newest is told; a changed or foreign one does not. */
static void
test_once(void)
{
    gboolean newest;
    World late;
    World world;

    world_init(&world, 0);
    seal(&world);
    late = world;
    seal(&world);
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_NONE);
    g_assert_true(newest);
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_REPLAY);
    g_assert_cmpint(open_it(&late, &newest, 0), ==, KV_DROP_NONE);
    g_assert_false(newest);
    g_assert_cmpint(open_it(&late, &newest, 0), ==, KV_DROP_REPLAY);
    seal(&world);
    world.datagram[20] ^= 1;
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_CHECKSUM);
    g_assert_cmpuint(world.here->forged, ==, 1);
    world.datagram[20] ^= 1;
    world.head.index++;
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_CONV);
    world.head.index--;
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_NONE);
    world_clear(&world);
}

/* Proves: at 180 s a session is over, for what comes as for what goes. */
static void
test_age(void)
{
    gboolean newest;
    World world;

    world_init(&world, KV_TIME_S);
    seal(&world);
    g_assert_true(kv_live_session_is_usable(world.here, 181 * KV_TIME_S - 1));
    g_assert_false(kv_live_session_is_usable(world.here, 181 * KV_TIME_S));
    g_assert_cmpint(open_it(&world, &newest, 181 * KV_TIME_S), ==, KV_DROP_CONV);
    g_assert_cmpint(open_it(&world, &newest, 181 * KV_TIME_S - 1), ==, KV_DROP_NONE);
    world_clear(&world);
}

/* Proves: at 2^60, sent or received, a session is over. */
static void
test_counters(void)
{
    gboolean newest;
    World world;

    world_init(&world, 0);
    seal(&world);
    world.there->next_counter = KV_SEAL_COUNTER_MAX - 1;
    g_assert_true(kv_live_session_is_usable(world.there, 0));
    world.there->next_counter = KV_SEAL_COUNTER_MAX;
    g_assert_false(kv_live_session_is_usable(world.there, 0));
    world.here->replay.next = KV_SEAL_COUNTER_MAX - 1;
    g_assert_true(kv_live_session_is_usable(world.here, 0));
    world.here->replay.next = KV_SEAL_COUNTER_MAX;
    g_assert_false(kv_live_session_is_usable(world.here, 0));
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_CONV);
    world_clear(&world);
}

/* Proves: after 2^36 forged datagrams the keys are not used any more. */
static void
test_forged(void)
{
    gboolean newest;
    World world;

    world_init(&world, 0);
    world.here->forged = KV_LIVE_SESSION_FORGED - 1;
    seal(&world);
    world.datagram[30] ^= 1;
    g_assert_true(kv_live_session_is_usable(world.here, 0));
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_CHECKSUM);
    g_assert_false(kv_live_session_is_usable(world.here, 0));
    world.datagram[30] ^= 1;
    g_assert_cmpint(open_it(&world, &newest, 0), ==, KV_DROP_CONV);
    world_clear(&world);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-live-session/once", test_once);
    g_test_add_func("/native-live-session/age", test_age);
    g_test_add_func("/native-live-session/counters", test_counters);
    g_test_add_func("/native-live-session/forged", test_forged);
    return kv_test_main(&argc, &argv);
}
