/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sim-hostile.h"
#include "native/kv-half-open.h"
#include "native/kv-lanes.h"

#include <malloc.h>
#include <string.h>
#include <time.h>

/* A peer that has the keys and breaks the rules: what its frames cost the other end, in virtual
 * time. The names of tests are those of docs/hostile.md. */

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START KV_SIM_HOSTILE_START

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
send_wild(KvSimHostile *world, guint i)
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
    kv_sim_hostile_send(world, &item, content,
                        KV_FRAME_HEAD_BYTES *
                            (1 + kv_test_random_below(random, LENGTH / KV_FRAME_HEAD_BYTES)));
}

/* The largest groups there are, eight at a time, each short of its last shards. */
static void
send_endless(KvSimHostile *world, guint i)
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
    kv_sim_hostile_send(world, &item, content, KV_FRAME_HEAD_BYTES * 40);
}

/* As many datagrams of a true peer, of the mean length. */
static void
send_true(KvSimHostile *world, guint i)
{
    uint8_t packet[LENGTH / 2 - 40] = {0x45}, content[LENGTH];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvFrame head = {.type = KV_FRAME_HEAD, .head = {.fwd = i, .wnd = 64, .ts = i}};
    KvFrame seg = {.type = KV_FRAME_SEG,
                   .part = {.sn = i, .lane_sequence = i, .len = sizeof packet, .data = packet}};
    KvItem item = {.kind = KV_ITEM_DATA, .group = i / 10, .index = (uint8_t) (i % 10)};

    g_assert_true(kv_frame_put(&frames, &head) && kv_frame_put(&frames, &seg));
    kv_sim_hostile_send(world, &item, content, frames.len);
}

/* CPU time of @send, SHARDS times at 2000 a second. */
static double
run_shards(void (*send)(KvSimHostile *world, guint i), guint *most_used)
{
    KvSimHostile world;
    clock_t start;
    double spent;

    kv_sim_hostile_init(&world, 1);
    start = clock();
    for (guint i = 0; i < SHARDS; i++) {
        send(&world, i);
        kv_sim_hostile_pass(&world, 500);
    }
    spent = (double) (clock() - start) / CLOCKS_PER_SEC;
    *most_used = world.most_used;
    g_assert_false(world.is_closed);
    kv_sim_hostile_clear(&world);
    return spent;
}

/* Proves: groups without end, far apart, of any shape, that never complete, hold at most a MiB, and
 * cost no more than twice what true datagrams do. */
static void
test_t14(void)
{
    static void (*const sends[])(KvSimHostile * world, guint i) = {send_true, send_wild,
                                                                   send_endless};
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

typedef enum {
    TRUE_REPORTS,
    ALL_MISSING,
    HOLES,
    LATE,
    NO_WINDOW,
    ABSURD_TIMES,
    N_LIES,
    UNSENT,
    UNSENT_RANGE,
    UNSENT_HEAD,
} Lie;

#define KNOWN         64 /* of the newest segments */
#define LATE_SEGMENTS 16 /* that are said to be missing until as many others came */

/* Every other segment is said to be missing, others each time. */
static void
fill_holes(KvSimHostile *world, KvFrameReport *report)
{
    uint32_t first = world->newest_sn - MIN(world->newest_sn, KNOWN);
    guint n = (world->newest_sn - first) / 2;

    if (n < 2)
        return;
    report->una = 0;
    for (guint i = 0; i < n - 1; i++)
        report->ranges[i] = (KvFrameRange){1, 1};
    report->ranges[0].start = (uint16_t) (first + kv_test_random_below(&world->pair.state, 2));
    report->n_ranges = (uint8_t) (n - 1);
}

static void
send_report(KvSimHostile *world, Lie lie)
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
    } else if (lie == HOLES) {
        fill_holes(world, &frame.report);
    } else if (lie == LATE && world->newest_sn > LATE_SEGMENTS) {
        frame.report.una -= LATE_SEGMENTS;
        frame.report.n_ranges = 1;
        frame.report.ranges[0] = (KvFrameRange){LATE_SEGMENTS - 1, 1};
    } else if (lie == UNSENT) {
        frame.report.una += 1000;
    } else if (lie == UNSENT_RANGE) {
        frame.report.una = 0;
        frame.report.n_ranges = 1;
        frame.report.ranges[0] = (KvFrameRange){(uint16_t) world->newest_sn, 1};
    } else if (lie == UNSENT_HEAD) {
        frame = (KvFrame){.type = KV_FRAME_HEAD, .head = {.una = world->newest_sn + 1}};
    } else if (lie == NO_WINDOW) {
        frame.report.wnd = 0;
    } else if (lie == ABSURD_TIMES) {
        frame.report.ts = (uint32_t) kv_test_random_u64(&world->pair.state);
        frame.report.delay = (uint16_t) frame.report.ts;
    }
    g_assert_true(kv_frame_put(&frames, &frame));
    kv_sim_hostile_send(world, &item, content, frames.len);
}

/* Bytes a second from the victim, which has 2 Mbit/s to say, while a report comes each ms. */
static double
run_reports(Lie lie)
{
    static const uint8_t packet[1000] = {0x45};
    KvSlice slice = {packet, sizeof packet};
    const guint seconds = 10;
    KvSimHostile world;
    double rate;

    kv_sim_hostile_init(&world, 0);
    for (guint i = 0; i < seconds * 1000; i++) {
        if (i % 4 == 0 && kv_native_can_send(world.native) &&
            !kv_native_send(world.native, 1, &slice, 1, world.now))
            g_error("a packet that may be sent is not taken");
        kv_sim_hostile_pass(&world, MS);
        send_report(&world, lie);
    }
    rate = (double) world.wire_bytes / seconds;
    g_assert_false(world.is_closed);
    kv_sim_hostile_clear(&world);
    return rate;
}

/* Proves: whatever a peer says of what it got, a thousand times a second, makes this end send no
 * more than 35 % beyond what it has to say. */
static void
test_t15(void)
{
    static const char *const names[] = {"true", "all missing", "holes",
                                        "late", "no window",   "times"};
    double real = run_reports(TRUE_REPORTS);

    for (Lie lie = ALL_MISSING; lie < N_LIES; lie++) {
        double rate = run_reports(lie);

        g_test_message("T15: %s: %.0f kbit/s, with true reports %.0f", names[lie], rate * 8e-3,
                       real * 8e-3);
        g_assert_cmpfloat(rate, <=, 1.35 * real);
    }
}

/* Proves: who acknowledges what was never sent is not believed, is counted, and is done with at the
 * sixteenth time. */
static void
test_t15_unsent(void)
{
    static const char *const names[] = {"una", "range", "head"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        static const uint8_t packet[100] = {0x45};
        KvSlice slice = {packet, sizeof packet};
        KvStats stats;
        KvSimHostile world;
        guint n;

        kv_sim_hostile_init(&world, 0);
        g_assert_true(kv_native_send(world.native, 1, &slice, 1, world.now));
        kv_sim_hostile_pass(&world, MS);
        for (n = 0; !world.is_closed && n < 100; n++) {
            kv_native_get_stats(world.native, &stats);
            g_assert_cmpuint(stats.drops[KV_DROP_KCP], ==, n);
            g_assert_cmpuint(stats.send_waiting, ==, 1);
            send_report(&world, (Lie) (UNSENT + i));
            kv_sim_hostile_pass(&world, MS);
        }
        g_test_message("T15: %s of what was never sent: closed after %u", names[i], n);
        g_assert_cmpuint(n, ==, 16);
        g_assert_cmpint(world.reason, ==, KV_REASON_PROTOCOL);
        kv_sim_hostile_clear(&world);
    }
}

static void
send_segment(KvSimHostile *world, uint32_t sn)
{
    static const uint8_t packet[100] = {0x45};
    uint8_t content[LENGTH];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvItem item = {.kind = KV_ITEM_BARE};
    KvFrame head = {.type = KV_FRAME_HEAD, .head = {.wnd = 64}};
    KvFrame seg = {.type = KV_FRAME_SEG,
                   .part = {.sn = sn, .lane_sequence = sn, .len = sizeof packet, .data = packet}};

    g_assert_true(kv_frame_put(&frames, &head) && kv_frame_put(&frames, &seg));
    kv_sim_hostile_send(world, &item, content, frames.len);
}

/* Pings in ten seconds of segments, from @sn on or that one again and again. */
static guint
count_pings(KvSimHostile *world, uint32_t sn, gboolean goes_on)
{
    guint before = world->n_pings;

    for (guint i = 0; i < 100; i++) {
        send_segment(world, goes_on ? sn + i : sn);
        kv_sim_hostile_pass(world, 100 * MS);
    }
    return world->n_pings - before;
}

/* Proves: who says again what was taken is asked by a ping whether it hears what it is answered;
 * who sends what there is no room for, be it again and again, is not. */
static void
test_t15_again(void)
{
    KvSimHostile world;

    kv_sim_hostile_init_peer(&world);
    g_assert_cmpuint(count_pings(&world, 0, TRUE), ==, 0);
    g_assert_cmpuint(count_pings(&world, 5000, TRUE), ==, 0);
    g_assert_cmpuint(count_pings(&world, 5000, FALSE), ==, 0);
    g_assert_cmpuint(count_pings(&world, 0, FALSE), ==, 1);
    g_assert_false(world.is_closed);
    kv_sim_hostile_clear(&world);
}

/* --- T16 ------------------------------------------------------------------------------------- */

#define FLOOD        20000
#define SESSION_MAX  262144 /* bytes */
#define UNKNOWN_TYPE 77

/* Each of these does nothing, and there are many of it in a datagram. */
static size_t
fill_nothing(KvSimHostile *world, guint kind, uint8_t *content)
{
    KvFrameWriter frames = {content, LENGTH, 0};
    KvFrame frame = {.type = KV_FRAME_PING};

    switch (kind) {
    case 0:
        memset(content, UNKNOWN_TYPE, LENGTH);
        return LENGTH;
    case 1:
        while (kv_frame_put(&frames, &frame))
            continue;
        return frames.len;
    case 2:
        frame.type = KV_FRAME_PONG;
        while (kv_frame_put(&frames, &frame))
            continue;
        return frames.len;
    case 3: /* parts of a row of records, all of them too late */
        frame.type = KV_FRAME_CONTROL;
        frame.control = (KvFrameControl){.sequence = UINT16_MAX};
        while (kv_frame_put(&frames, &frame))
            continue;
        return frames.len;
    case 4:
        frame.type = KV_FRAME_CONTROL_ACK;
        while (kv_frame_put(&frames, &frame))
            continue;
        return frames.len;
    default:
        kv_test_random_bytes(&world->pair.state, content, LENGTH);
        return LENGTH;
    }
}

static size_t
get_heap(void)
{
    return mallinfo2().uordblks;
}

/* Proves: a session that carries nothing but frames that mean nothing holds less than a quarter of
 * a MiB, and is answered with less than it sends. */
static void
test_t16_nothing(void)
{
    static const char *const names[] = {"unknown", "ping", "pong", "control", "ack", "random"};

    for (guint kind = 0; kind < G_N_ELEMENTS(names); kind++) {
        uint8_t content[LENGTH];
        uint64_t came = 0;
        size_t before, most = 0;
        KvSimHostile world;

        kv_sim_hostile_init(&world, 1);
        before = get_heap();
        for (guint i = 0; i < FLOOD && !world.is_closed; i++) {
            KvItem item = {.kind = KV_ITEM_BARE};
            size_t len = fill_nothing(&world, kind, content);

            kv_sim_hostile_send(&world, &item, content, len);
            came += len;
            kv_sim_hostile_pass(&world, MS / 4);
            most = MAX(most, get_heap());
        }
        most = (most > before ? most - before : 0) + world.most_used * sizeof(KvPacket);
        g_test_message("T16: %s: %zu KiB held, %.2f of its bytes come back", names[kind],
                       most / 1024, (double) world.wire_bytes / (double) came);
        g_assert_cmpuint(most, <=, SESSION_MAX);
        g_assert_cmpuint(world.wire_bytes, <, came);
        kv_sim_hostile_clear(&world);
    }
}

#define BEGUN 2000 /* segments before the one that never comes */

/* Begins of packets that never end, in every lane: first such as are in order, then such as wait
 * for others, segments and datagrams. */
static void
send_unfinished(KvSimHostile *world, guint i)
{
    gboolean is_early = i >= BEGUN;
    static const uint8_t packet[1000] = {0x45};
    uint8_t content[LENGTH];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvItem item = {.kind = KV_ITEM_BARE};
    KvFrame head = {.type = KV_FRAME_HEAD, .head = {.wnd = 64, .ts = i}};
    KvFrame part = {.type = is_early && i % 2 == 0 ? KV_FRAME_DGRAM : KV_FRAME_SEG,
                    .part = {.sn = i, .len = sizeof packet, .data = packet}};

    if (is_early)
        part.part.sn = BEGUN + 1 + (i - BEGUN) / 2 % 1023;
    part.part.lane = (uint16_t) (i % KV_FRAME_LANES | KV_FRAME_MORE);
    part.part.lane_sequence = i / KV_FRAME_LANES + (is_early ? 1 + i % 3 : 0);
    g_assert_true(kv_frame_put(&frames, &head) && kv_frame_put(&frames, &part));
    kv_sim_hostile_send(world, &item, content, frames.len);
}

/* Proves: packets that never become whole, in all lanes, hold no more than the window that was
 * granted, and what is given up for that is counted. */
static void
test_t16_unfinished(void)
{
    KvSimHostile world;
    KvStats stats;

    kv_sim_hostile_init(&world, 0);
    for (guint i = 0; i < FLOOD; i++) {
        send_unfinished(&world, i);
        kv_sim_hostile_pass(&world, MS / 40);
    }
    kv_native_get_stats(world.native, &stats);
    g_test_message("T16: unfinished: %u packets held by a window of 1024, %u times one given up",
                   world.most_used, (guint) stats.drops[KV_DROP_NO_MEMORY]);
    g_assert_false(world.is_closed);
    g_assert_cmpuint(world.most_used, <=, 1024 + KV_LANES_KEPT_MORE);
    g_assert_cmpuint(stats.drops[KV_DROP_NO_MEMORY], >, 0);
    kv_sim_hostile_clear(&world);
}

/* Proves: who begins handshakes and never proves itself has eight of them at most, for ten seconds
 * each, and what they hold is little. */
static void
test_t16_half_open(void)
{
    g_auto(KvHandshakePair) pair = {0};
    uint8_t there[KV_INITIATION_MAX], back[KV_INITIATION_MAX];
    KvTime now = START;
    size_t before;

    kv_handshake_pair_init(&pair, KV_NOISE_IKPSK2, FALSE, kv_test_get_seed());
    before = get_heap();
    for (guint i = 0; i < 100; i++, now += 50 * MS) {
        size_t len = kv_handshake_pair_begin(&pair, now, there);

        (void) kv_handshake_pair_respond(&pair, there, len, now, back);
        g_assert_cmpuint(kv_responder_get_length(pair.responder), ==,
                         MIN(i + 1, KV_HALF_OPEN_EACH));
    }
    now -= 50 * MS;
    g_test_message("T16: half open: %u, %zu KiB with both ends; gone after %.0f s",
                   kv_responder_get_length(pair.responder), (get_heap() - before) / 1024,
                   (double) KV_HALF_OPEN_TIME / S);
    g_assert_cmpuint(get_heap() - before, <=, SESSION_MAX);
    kv_responder_advance(pair.responder, now + 10 * S - 1);
    g_assert_cmpuint(kv_responder_get_length(pair.responder), ==, 1);
    kv_responder_advance(pair.responder, now + 10 * S);
    g_assert_cmpuint(kv_responder_get_length(pair.responder), ==, 0);
}

/* --- T21 ------------------------------------------------------------------------------------- */

/* Proves: a reader that never takes anything makes this end keep no more than its send window, and
 * the session live on. */
static void
test_t21_slow_reader(void)
{
    static const uint8_t packet[1000] = {0x45};
    KvSlice slice = {packet, sizeof packet};
    guint most = 0;
    KvSimHostile world;

    kv_sim_hostile_init(&world, 0);
    for (guint i = 0; i < 60000; i++) {
        KvStats stats;

        while (kv_native_can_send(world.native) &&
               kv_native_send(world.native, 1, &slice, 1, world.now))
            continue;
        kv_sim_hostile_pass(&world, MS);
        if (i % 100 == 0)
            send_report(&world, ALL_MISSING);
        kv_native_get_stats(world.native, &stats);
        most = MAX(most, stats.send_waiting);
    }
    g_test_message("T21: slow reader: %u segments wait, %u packets are used; %.0f kbit/s", most,
                   world.most_used, (double) world.wire_bytes * 8e-3 / 60);
    g_assert_false(world.is_closed);
    g_assert_cmpuint(world.most_used, <=, 2 * 1024 + 64);
    kv_sim_hostile_clear(&world);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sim/native-hostile/t14-fec", test_t14);
    g_test_add_func("/sim/native-hostile/t15-reports", test_t15);
    g_test_add_func("/sim/native-hostile/t15-unsent", test_t15_unsent);
    g_test_add_func("/sim/native-hostile/t15-again", test_t15_again);
    g_test_add_func("/sim/native-hostile/t16-nothing", test_t16_nothing);
    g_test_add_func("/sim/native-hostile/t16-unfinished", test_t16_unfinished);
    g_test_add_func("/sim/native-hostile/t16-half-open", test_t16_half_open);
    g_test_add_func("/sim/native-hostile/t21-slow-reader", test_t21_slow_reader);
    return kv_test_main(&argc, &argv);
}
