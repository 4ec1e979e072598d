/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-handshake-pair.h"
#include "native/kv-item.h"
#include "native/kv-lanes.h"
#include "native/kv-native.h"

#include <string.h>
#include <time.h>

/* Somebody who keeps all that was ever sent, and sends it again and again, in any order. The
 * sender's counters stand still when the test wants them to, so that what overtakes by far is seen,
 * too. */

#define MS         KV_TIME_MS
#define S          KV_TIME_S
#define START      (1000 * S)
#define POOL       4096
#define SENT_MAX   60000
#define INNER      40
#define ROOM       128 /* for a datagram */
#define ROUND      1000
#define FAR        (UINT64_C(3) << 21) /* counters, beyond the next key */
#define N_ATTACKS  5
#define SHORT_RUN  UINT64_C(1000000)
#define LONG_RUN   UINT64_C(100000000)
#define OVERLAPPED (16 * S) /* after it the keys before are gone */

typedef struct {
    uint8_t data[ROOM];
    size_t len;
    gboolean taken; /* it was opened */
} Sent;

typedef struct {
    KvHandshakePair pair;
    KvPacketPool *pool;
    KvNative *native; /* the receiver */
    KvLiveSession *sender;
    Sent *sent;
    guint n_sent;
    uint8_t *came; /* how often each inner packet was handed up */
    KvTime now;
    uint64_t replays;
    uint64_t opened_again;
} World;

/* A new session, by keys of its own. */
static void
take_session(World *world, gboolean is_first)
{
    KvNativeParams params = {
        .role = KV_ROLE_SERVER, .snd_wnd = 1024, .rcv_wnd = 1024, .datagram_max = 1400};
    g_auto(KvNativeKeys) ours = {0};
    g_auto(KvNativeKeys) theirs = {0};
    uint8_t proof[KV_PACKET_CAPACITY];
    KvTransportInput first = {.data = proof, .from = world->pair.from};

    kv_handshake_pair_finish(&world->pair, world->now, &theirs, &ours);
    first.len = kv_handshake_pair_prove(&theirs, proof);
    params.private_key = world->pair.private_keys[1];
    if (is_first)
        world->native = kv_native_new_server(&params, &ours, world->pool, &world->pair.random,
                                             &first, world->now);
    else
        kv_native_add_keys(world->native, &ours, &first, world->now);
    kv_live_session_free(world->sender);
    world->sender = kv_live_session_new(&theirs, world->now);
    world->sender->next_counter = 1;
}

/* What the receiver hands up, and what it would send; @time later. */
static void
pass(World *world, KvTime time)
{
    uint8_t inner[KV_LANES_PACKET_MAX];
    uint8_t buf[KV_PACKET_CAPACITY];
    uint16_t ethertype;
    KvEndpoint to;
    KvEvent event;
    size_t len;

    world->now += time;
    kv_native_advance(world->native, world->now);
    while ((len = kv_native_recv(world->native, inner, sizeof inner, &ethertype, world->now)) > 0) {
        uint32_t number;

        g_assert_cmpuint(len, ==, INNER);
        memcpy(&number, inner + INNER - sizeof number, sizeof number);
        g_assert_cmpuint(number, <, world->n_sent);
        g_assert_cmpuint(++world->came[number], ==, 1);
    }
    while (kv_native_output(world->native, buf, sizeof buf, &to, world->now) > 0)
        continue;
    while (kv_native_next_event(world->native, &event)) {
        g_assert_cmpint(event.type, !=, KV_EVENT_CLOSED);
        if (event.type == KV_EVENT_READY)
            kv_native_open_vni(world->native, world->now);
    }
}

static void
world_init(World *world)
{
    *world = (World){.now = START, .pool = kv_packet_pool_new(POOL)};
    world->sent = g_new0(Sent, SENT_MAX);
    world->came = g_new0(uint8_t, SENT_MAX);
    kv_handshake_pair_init(&world->pair, KV_NOISE_IKPSK2, FALSE, kv_test_get_seed());
    take_session(world, TRUE);
    pass(world, 0);
}

static void
world_clear(World *world)
{
    kv_native_free(world->native);
    kv_live_session_free(world->sender);
    kv_packet_pool_free(world->pool);
    kv_handshake_pair_clear(&world->pair);
    g_free(world->sent);
    g_free(world->came);
}

/* Seals one numbered packet, which goes nowhere yet. Returns: its number. */
static guint
seal(World *world)
{
    guint number = world->n_sent++;
    Sent *sent = &world->sent[number];
    uint8_t packet[INNER] = {0x45}, content[ROOM];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvFrame part = {.type = KV_FRAME_DGRAM,
                    .part = {.lane_sequence = number, .len = INNER, .data = packet}};
    KvItem item = {.kind = KV_ITEM_BARE};
    size_t at;

    g_assert_cmpuint(number, <, SENT_MAX);
    memcpy(packet + INNER - sizeof number, &number, sizeof number);
    g_assert_true(kv_frame_put(&frames, &part));
    item.len = frames.len;
    at = kv_item_put_head(sent->data + KV_SEAL_HEAD_BYTES, &item) - frames.len;
    g_assert_cmpuint(at + frames.len + KV_SEAL_OVERHEAD, <=, ROOM);
    memcpy(sent->data + KV_SEAL_HEAD_BYTES + at, content, frames.len);
    sent->len = kv_live_session_seal(world->sender, sent->data, at + frames.len);
    return number;
}

static KvDrop
deliver(World *world, guint number)
{
    Sent *sent = &world->sent[number];
    KvDrop drop =
        kv_native_input(world->native, sent->data, sent->len, &world->pair.from, FALSE, world->now);

    if (drop != KV_DROP_NONE)
        return drop;
    world->opened_again += sent->taken;
    sent->taken = TRUE;
    return drop;
}

/* Datagrams that come as they were sent. */
static void
send_true(World *world, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_assert_cmpint(deliver(world, seal(world)), ==, KV_DROP_NONE);
        if (i % 16 == 15)
            pass(world, MS);
    }
    pass(world, 30 * MS);
}

/* @n times one of those numbered @from to @to - 1, each of which may have come or not. */
static void
replay(World *world, const char *what, guint from, guint to, uint64_t n)
{
    clock_t start = clock();
    uint64_t dropped = 0;

    for (uint64_t i = 0; i < n; i++) {
        guint number = from + kv_test_random_below(&world->pair.state, to - from);

        dropped += deliver(world, number) != KV_DROP_NONE;
        if (i % ROUND == ROUND - 1)
            pass(world, 1);
    }
    pass(world, 30 * MS);
    world->replays += n;
    g_assert_cmpuint(world->opened_again, ==, 0);
    g_test_message("T06: %s: %" G_GUINT64_FORMAT " replays, %" G_GUINT64_FORMAT
                   " dropped, %.0f ns each",
                   what, (guint64) n, (guint64) dropped,
                   (double) (clock() - start) / CLOCKS_PER_SEC * 1e9 / (double) n);
}

/* How many of the inner packets from @from to @to - 1 were handed up. */
static guint
count(const World *world, guint from, guint to)
{
    guint n = 0;

    for (guint i = from; i < to; i++)
        n += world->came[i];
    return n;
}

static uint64_t
get_run(void)
{
    return g_strcmp0(g_getenv("KV_TEST_LONG"), "1") == 0 ? LONG_RUN : SHORT_RUN;
}

/* Proves: of what was captured and comes again, in the window, too old for it, after datagrams that
 * overtook it by far, and after new keys, no datagram is opened twice and no inner packet handed up
 * twice; and what comes for the first time still arrives. */
static void
test_t06(void)
{
    uint64_t each = get_run() / N_ATTACKS;
    guint old, held, after;
    World world;

    world_init(&world);
    send_true(&world, 4000);
    replay(&world, "in the window", 0, world.n_sent, each);
    send_true(&world, 12000);
    old = world.n_sent - KV_REPLAY_BITS;
    replay(&world, "too old", 0, old, each);
    g_assert_cmpuint(count(&world, 0, world.n_sent), ==, world.n_sent);

    /* A thousand are held back, and one of the next key's counters comes first. */
    held = world.n_sent;
    for (guint i = 0; i < 1000; i++)
        seal(&world);
    world.sender->next_counter += FAR;
    after = world.n_sent;
    send_true(&world, 500);
    replay(&world, "after what overtook them by far", held - 500, world.n_sent, each);
    g_assert_cmpuint(count(&world, held, after), ==, 0);
    g_assert_cmpuint(count(&world, after, world.n_sent), ==, 500);

    take_session(&world, FALSE);
    after = world.n_sent;
    send_true(&world, 500);
    replay(&world, "of the keys before, while they are taken", 0, world.n_sent, each);
    pass(&world, OVERLAPPED);
    send_true(&world, 500);
    replay(&world, "of the keys before, which are gone", 0, world.n_sent, each);
    g_assert_cmpuint(count(&world, after, world.n_sent), ==, 1000);
    g_test_message("T06: %" G_GUINT64_FORMAT " replays of %u datagrams, none opened twice",
                   (guint64) world.replays, world.n_sent);
    world_clear(&world);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sim/native-replay/t06", test_t06);
    return kv_test_main(&argc, &argv);
}
