/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-handshake-pair.h"
#include "kv-native-end.h"
#include "native/kv-item.h"
#include "native/kv-lanes.h"

#include <string.h>
#include <time.h>

/* A peer that has the keys and breaks the rules: what it costs the other end, in virtual time. The
 * names of tests are those of the matrix of attacks. */

#define MS      KV_TIME_MS
#define S       KV_TIME_S
#define START   (1000 * S)
#define PACKETS 4096

typedef struct {
    KvHandshakePair pair;
    KvPacketPool *pool;
    KvNative *native;
    KvLiveSession *hostile;
    KvOuterKeys hostile_outer;
    KvTime now;
    guint most_used;     /* packets of the pool */
    uint64_t wire_bytes; /* from the victim */
    uint32_t newest_sn;  /* that it sent, and one */
} World;

static void
world_init(World *world, guint parity)
{
    g_auto(KvNativeKeys) ours = {0};
    g_auto(KvNativeKeys) theirs = {0};
    KvNativeParams params = {.role = KV_ROLE_SERVER,
                             .snd_wnd = 1024,
                             .rcv_wnd = 1024,
                             .data_shards = 10 * parity,
                             .parity_shards = 3 * parity,
                             .datagram_max = 1400};
    uint8_t first[KV_PACKET_CAPACITY];
    KvEvent event;
    size_t len;

    *world = (World){.now = START, .pool = kv_packet_pool_new(PACKETS)};
    kv_handshake_pair_init(&world->pair, KV_NOISE_IKPSK2, FALSE, kv_test_get_seed());
    kv_handshake_pair_finish(&world->pair, START, &theirs, &ours);
    len = kv_handshake_pair_prove(&theirs, first);
    params.private_key = world->pair.private_keys[1];
    world->native = kv_native_new_server(&params, &ours, world->pool, &world->pair.random, first,
                                         len, &world->pair.from, START);
    world->hostile = kv_live_session_new(&theirs, START);
    world->hostile->next_counter = 1;
    kv_outer_keys_derive(&world->hostile_outer, world->pair.public_keys[0]);
    while (kv_native_next_event(world->native, &event)) {
        if (event.type == KV_EVENT_READY)
            kv_native_open_vni(world->native, START);
    }
}

static void
world_clear(World *world)
{
    kv_native_free(world->native);
    kv_live_session_free(world->hostile);
    kv_packet_pool_free(world->pool);
    kv_handshake_pair_clear(&world->pair);
}

/* The hostile end reads what it gets, so that it can lie about it. */
static void
look(World *world, const uint8_t *datagram, size_t len)
{
    uint8_t plain[KV_PACKET_CAPACITY];
    KvReader items, frames;
    KvSealHead head;
    KvFrame frame;
    KvItem item;
    gboolean newest;

    if (!kv_seal_read_head(&world->hostile_outer, datagram, len, &head) ||
        kv_live_session_open(world->hostile, &head, datagram, len, plain, &newest, world->now) !=
            KV_DROP_NONE)
        return;
    kv_reader_init(&items, plain, len - KV_SEAL_OVERHEAD);
    while (kv_item_next(&items, &item)) {
        kv_reader_init(&frames, item.content, item.kind == KV_ITEM_PARITY ? 0 : item.len);
        while (kv_frame_next(&frames, &frame)) {
            if (frame.type == KV_FRAME_SEG && frame.part.sn >= world->newest_sn)
                world->newest_sn = frame.part.sn + 1;
        }
    }
}

/* Lets @time pass at the victim. */
static void
pass(World *world, KvTime time)
{
    static uint8_t inner[KV_LANES_PACKET_MAX];
    uint8_t buf[KV_PACKET_CAPACITY];
    uint16_t ethertype;
    KvEndpoint to;
    KvEvent event;
    size_t len;

    world->now += time;
    kv_native_advance(world->native, world->now);
    while (kv_native_recv(world->native, inner, sizeof inner, &ethertype, world->now) > 0)
        continue;
    while ((len = kv_native_output(world->native, buf, sizeof buf, &to, world->now)) > 0) {
        world->wire_bytes += len;
        look(world, buf, len);
    }
    while (kv_native_next_event(world->native, &event))
        g_assert_cmpint(event.type, !=, KV_EVENT_CLOSED);
    world->most_used = MAX(world->most_used, kv_packet_pool_get_used(world->pool));
}

/* Sends an item whose content stands in @content already. */
static void
send_item(World *world, KvItem *item, const uint8_t *content, size_t len)
{
    uint8_t buf[KV_PACKET_CAPACITY];
    size_t at;

    item->len = len;
    at = kv_item_put_head(buf + KV_SEAL_HEAD_BYTES, item) - len;
    memcpy(buf + KV_SEAL_HEAD_BYTES + at, content, len);
    len = kv_live_session_seal(world->hostile, buf, at + len);
    g_assert_cmpint(kv_native_input(world->native, buf, len, &world->pair.from, FALSE, world->now),
                    ==, KV_DROP_NONE);
}

/* --- T14 ------------------------------------------------------------------------------------- */

#define SHARDS   20000
#define LENGTH   1200
#define KEPT_MAX 1048576 /* bytes */

/* Frames that say nothing: heads of a sender that has sent nothing. */
static void
fill_frames(uint8_t content[LENGTH])
{
    memset(content, 0, LENGTH);
    for (guint i = 0; i < LENGTH; i += KV_FRAME_HEAD_BYTES)
        content[i] = KV_FRAME_HEAD;
}

/* Shards that contradict each other, of groups far ahead. */
static void
send_wild(World *world, guint i)
{
    KvTestRandom *random = &world->pair.state;
    uint8_t content[LENGTH];
    guint k = kv_test_random_below(random, 2) == 0 ? 1 + kv_test_random_below(random, 191) : 128;
    KvItem item = {.kind = i % 2 == 0 ? KV_ITEM_DATA : KV_ITEM_PARITY};

    item.group = (i / 300 * 70000 + kv_test_random_below(random, 9)) & KV_GROUP_MASK;
    item.data = (uint8_t) MIN(k, 191);
    item.parity = (uint8_t) (1 + kv_test_random_below(random, MIN(64, 192 - item.data)));
    item.index =
        (uint8_t) kv_test_random_below(random, item.kind == KV_ITEM_DATA ? 191 : item.parity);
    fill_frames(content);
    send_item(world, &item, content,
              KV_FRAME_HEAD_BYTES *
                  (1 + kv_test_random_below(random, LENGTH / KV_FRAME_HEAD_BYTES)));
}

/* The largest groups there are, eight at a time, each short of its last shards. */
static void
send_endless(World *world, guint i)
{
    uint8_t content[LENGTH];
    KvItem item = {.kind = i % 16 == 0 ? KV_ITEM_PARITY : KV_ITEM_DATA,
                   .data = 128,
                   .parity = 64,
                   .group = i / 800 * 8 + i % 8,
                   .index = (uint8_t) (i / 8 % 100)};

    if (item.kind == KV_ITEM_PARITY)
        item.index %= 20;
    fill_frames(content);
    send_item(world, &item, content, KV_FRAME_HEAD_BYTES * 40);
}

/* As many datagrams of a true peer, of the mean length. */
static void
send_true(World *world, guint i)
{
    uint8_t packet[LENGTH / 2 - 40] = {0x45}, content[LENGTH];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvFrame head = {.type = KV_FRAME_HEAD, .head = {.fwd = i, .wnd = 64, .ts = i}};
    KvFrame seg = {.type = KV_FRAME_SEG,
                   .part = {.sn = i, .lane_sequence = i, .len = sizeof packet, .data = packet}};
    KvItem item = {.kind = KV_ITEM_DATA, .group = i / 10, .index = (uint8_t) (i % 10)};

    g_assert_true(kv_frame_put(&frames, &head) && kv_frame_put(&frames, &seg));
    send_item(world, &item, content, frames.len);
}

/* CPU time of @send, SHARDS times at 2000 a second. */
static double
run_shards(void (*send)(World *world, guint i), guint *most_used)
{
    World world;
    clock_t start;
    double spent;

    world_init(&world, 1);
    start = clock();
    for (guint i = 0; i < SHARDS; i++) {
        send(&world, i);
        pass(&world, 500);
    }
    spent = (double) (clock() - start) / CLOCKS_PER_SEC;
    *most_used = world.most_used;
    world_clear(&world);
    return spent;
}

/* Proves: groups without end, far apart, of any shape, that never complete, hold at most a MiB, and
 * cost no more than twice what true datagrams do. */
static void
test_t14(void)
{
    static void (*const sends[])(World * world, guint i) = {send_true, send_wild, send_endless};
    double spent[] = {1e9, 1e9, 1e9};
    guint used[G_N_ELEMENTS(sends)];

    for (guint i = 0; i < 3 * G_N_ELEMENTS(sends); i++)
        spent[i / 3] = MIN(spent[i / 3], run_shards(sends[i / 3], &used[i / 3]));
    for (guint i = 0; i < G_N_ELEMENTS(sends); i++) {
        g_test_message("T14: %u packets, %u KiB at most; %.1f us a datagram", used[i],
                       (guint) (used[i] * sizeof(KvPacket) / 1024), spent[i] * 1e6 / SHARDS);
        g_assert_cmpuint(used[i] * sizeof(KvPacket), <=, KEPT_MAX);
        g_assert_cmpfloat(spent[i], <=, 2 * spent[0]);
    }
}

/* --- T15 ------------------------------------------------------------------------------------- */

typedef enum { TRUE_REPORTS, ALL_MISSING, UNSENT, NO_WINDOW, ABSURD_TIMES, N_LIES } Lie;

static void
send_report(World *world, Lie lie)
{
    uint8_t content[KV_FRAME_REPORT_BYTES + 4 * KV_FRAME_RANGES_MAX];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvFrame frame = {.type = KV_FRAME_REPORT,
                     .report = {.una = world->newest_sn, .ts = (uint32_t) world->now, .wnd = 64}};
    KvItem item = {.kind = KV_ITEM_BARE};

    if (lie == ALL_MISSING && world->newest_sn > 1) {
        frame.report.una = 0;
        frame.report.n_ranges = 1;
        frame.report.ranges[0] = (KvFrameRange){(uint16_t) (world->newest_sn - 1), 1};
    } else if (lie == UNSENT) {
        frame.report.una += 1000;
    } else if (lie == NO_WINDOW) {
        frame.report.wnd = 0;
    } else if (lie == ABSURD_TIMES) {
        frame.report.ts = (uint32_t) kv_test_random_u64(&world->pair.state);
        frame.report.delay = (uint16_t) frame.report.ts;
    }
    g_assert_true(kv_frame_put(&frames, &frame));
    send_item(world, &item, content, frames.len);
}

/* Bytes a second from the victim, which has 2 Mbit/s to say, while a report comes each ms. */
static double
run_reports(Lie lie)
{
    static const uint8_t packet[1000] = {0x45};
    KvSlice slice = {packet, sizeof packet};
    const guint seconds = 10;
    World world;
    double rate;

    world_init(&world, 0);
    for (guint i = 0; i < seconds * 1000; i++) {
        if (i % 4 == 0 && kv_native_can_send(world.native) &&
            !kv_native_send(world.native, 1, &slice, 1, world.now))
            g_error("a packet that may be sent is not taken");
        pass(&world, MS);
        send_report(&world, lie);
    }
    rate = (double) world.wire_bytes / seconds;
    world_clear(&world);
    return rate;
}

/* Proves: whatever a peer says of what it got, a thousand times a second, makes this end send no
 * more than 35 % beyond what it has to say. */
static void
test_t15(void)
{
    static const char *const names[] = {"true", "all missing", "unsent", "no window", "times"};
    double real = run_reports(TRUE_REPORTS);

    for (Lie lie = ALL_MISSING; lie < N_LIES; lie++) {
        double rate = run_reports(lie);

        g_test_message("T15: %s: %.0f kbit/s, with true reports %.0f", names[lie], rate * 8e-3,
                       real * 8e-3);
        g_assert_cmpfloat(rate, <=, 1.35 * real);
    }
}

/* --- T21 ------------------------------------------------------------------------------------- */

static gboolean
has_asked_again(void *data)
{
    const KvNativeEnd *server = data;

    return server->last_number > 1;
}

/* Proves: a path that brings nothing back any more is noticed within 15 s, and a new handshake
 * begins. */
static void
test_t21(void)
{
    KvSimLink clean = {.delay = 15 * MS}, down = {.down = TRUE};
    KvNativeEnd client, server;
    g_autoptr(KvSim) sim = kv_sim_new(kv_test_get_seed(), START);
    KvTime cut;

    kv_native_ends_init(&client, &server, TRUE, kv_test_get_seed());
    kv_sim_attach(sim, 0, &kv_native_end_machine, &client);
    kv_sim_attach(sim, 1, &kv_native_end_machine, &server);
    kv_sim_set_link(sim, 0, &clean);
    kv_sim_set_link(sim, 1, &clean);
    kv_native_end_start(&server, START);
    kv_native_end_start(&client, START);
    client.interval = 100 * MS;
    client.to_send = 10000;
    kv_sim_poke(sim, 0);
    kv_sim_run(sim, START + 5 * S, NULL, NULL);
    g_assert_cmpuint(server.last_number, ==, 1);
    kv_sim_set_link(sim, 1, &down);
    cut = kv_sim_get_now(sim);
    g_assert_true(kv_sim_run(sim, cut + 16 * S, has_asked_again, &server));
    g_test_message("T21: noticed after %.1f s", (double) (kv_sim_get_now(sim) - cut) / S);
    g_assert_cmpuint(kv_sim_get_now(sim) - cut, <=, 15 * S + 200 * MS);
    kv_native_end_clear(&client);
    kv_native_end_clear(&server);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sim/native-hostile/t14-fec", test_t14);
    g_test_add_func("/sim/native-hostile/t15-reports", test_t15);
    g_test_add_func("/sim/native-hostile/t21-one-way", test_t21);
    return kv_test_main(&argc, &argv);
}
