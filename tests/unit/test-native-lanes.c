/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-lane-sender.h"
#include "native/kv-lanes.h"

#define POOL     4096
#define KEPT     64
#define PATIENCE (25 * KV_TIME_MS)
#define FIRST    ((uint32_t) -3) /* every test crosses the wraps */

typedef struct {
    KvPacketPool *pool;
    KvLanes *lanes;
    uint8_t buf[KV_LANES_PACKET_MAX];
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    KvLanesConfig config = {
        .kept_max = KEPT, .patience = PATIENCE, .first_sn = FIRST, .first_sequence = FIRST};

    f->pool = kv_packet_pool_new(POOL);
    f->lanes = kv_lanes_new(&config);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    kv_lanes_free(f->lanes);
    kv_packet_pool_free(f->pool); /* asserts that all packets came back */
}

/* A part with one byte, which names it; @lane has the bits, @at counts from the first sequence. */
static KvDrop
input(Fixture *f, KvFrameType type, uint16_t lane, uint32_t at, uint32_t sn, char name, KvTime now)
{
    g_autoptr(KvPacket) packet = kv_packet_new(f->pool);
    KvFramePart part = {.sn = FIRST + sn,
                        .lane = lane,
                        .lane_sequence = FIRST + at,
                        .len = 1,
                        .data = packet->data};

    packet->data[0] = (uint8_t) name;
    packet->len = 1;
    return kv_lanes_input(f->lanes, type, &part, packet, now);
}

static KvDrop
seg(Fixture *f, uint16_t lane, uint32_t at, uint32_t sn, char name)
{
    return input(f, KV_FRAME_SEG, lane, at, sn, name, 0);
}

static KvDrop
dgram(Fixture *f, uint16_t lane, uint32_t at, char name, KvTime now)
{
    return input(f, KV_FRAME_DGRAM, lane, at, 0, name, now);
}

/* The next packet, which must be unmarked. */
static size_t
recv_unmarked(Fixture *f)
{
    KvEcn ecn;
    size_t len = kv_lanes_recv(f->lanes, f->buf, sizeof f->buf, &ecn);

    g_assert_cmpint(ecn, ==, KV_ECN_NOT_ECT);
    return len;
}

/* What is handed up, packets apart by spaces. */
static void
expect(Fixture *f, const char *want)
{
    g_autoptr(GString) got = g_string_new(NULL);
    size_t n;

    while ((n = recv_unmarked(f)) > 0) {
        if (got->len > 0)
            g_string_append_c(got, ' ');
        g_string_append_len(got, (char *) f->buf, (gssize) n);
    }
    g_assert_cmpstr(got->str, ==, want);
}

/* Proves: a lane keeps its order, whatever order its segments come in, and no other lane waits. */
static void
test_order(Fixture *f, gconstpointer data)
{
    seg(f, 1, 0, 0, 'a');
    seg(f, 1, 2, 3, 'c');
    seg(f, 2, 0, 1, 'x');
    expect(f, "a x");
    seg(f, 1, 4, 5, 'e');
    seg(f, 1, 3, 4, 'd');
    expect(f, "");
    g_assert_cmpuint(kv_lanes_get_kept(f->lanes), ==, 3);
    seg(f, 1, 1, 2, 'b');
    expect(f, "b c d e");
    g_assert_cmpuint(kv_lanes_get_kept(f->lanes), ==, 0);
}

/* Proves: a segment waits until una is past it, and no longer; what comes afterwards is handed up
 * late, once. */
static void
test_given_up(Fixture *f, gconstpointer data)
{
    seg(f, 7, 1, 1, 'b');
    seg(f, 7, 3, 3, 'd');
    kv_lanes_settle(f->lanes, FIRST + 1);
    expect(f, "");
    kv_lanes_settle(f->lanes, FIRST + 2);
    expect(f, "b");
    kv_lanes_settle(f->lanes, FIRST + 4);
    expect(f, "d");
    g_assert_cmpint(seg(f, 7, 0, 0, 'a'), ==, KV_DROP_NONE);
    g_assert_cmpint(seg(f, 7, 0, 0, 'a'), ==, KV_DROP_REPLAY);
    g_assert_cmpint(seg(f, 7, 3, 3, 'd'), ==, KV_DROP_REPLAY);
    expect(f, "a");
    /* nothing before it can come any more: it need not wait */
    seg(f, 7, 9, 3, 'j');
    expect(f, "j");
}

/* Proves: a datagram waits for a short time only, and where packets are in demand not at all. */
static void
test_patience(Fixture *f, gconstpointer data)
{
    KvPacket *others[POOL / 2];

    dgram(f, 5, 1, 'b', 1000);
    g_assert_cmpuint(kv_lanes_deadline(f->lanes), ==, 1000 + PATIENCE);
    dgram(f, 5, 0, 'a', 2000);
    expect(f, "a b");
    g_assert_cmpuint(kv_lanes_deadline(f->lanes), ==, KV_TIME_NEVER);
    dgram(f, 5, 4, 'e', 3000);
    dgram(f, 5, 4, 'e', 3000);
    kv_lanes_advance(f->lanes, 3000 + PATIENCE - 1);
    expect(f, "");
    kv_lanes_advance(f->lanes, 3000 + PATIENCE);
    expect(f, "e");
    g_assert_cmpuint(kv_lanes_get_kept(f->lanes), ==, 0);
    g_assert_cmpint(dgram(f, 5, 3, 'd', 4000), ==, KV_DROP_NONE);
    g_assert_cmpint(dgram(f, 5, 4, 'e', 4000), ==, KV_DROP_REPLAY);
    expect(f, "d");
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        others[i] = kv_packet_new(f->pool);
    dgram(f, 5, 9, 'j', 5000);
    expect(f, "j");
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        kv_packet_unref(others[i]);
}

/* Proves: parts are joined, and a packet of which one is missing is dropped without harm to the
 * next. */
static void
test_parts(Fixture *f, gconstpointer data)
{
    const uint16_t first = 9 | KV_FRAME_MORE, last = 9 | KV_FRAME_NOT_FIRST;
    const uint16_t middle = last | KV_FRAME_MORE;

    seg(f, middle, 1, 1, 'b');
    seg(f, last, 2, 2, 'c');
    seg(f, 9, 3, 3, 'd');
    expect(f, "");
    seg(f, first, 0, 0, 'a');
    expect(f, "abc d");

    /* the first part is missing; the middle; the last; a beginning where none may be */
    seg(f, last, 5, 5, 'f');
    seg(f, first, 6, 6, 'g');
    seg(f, last, 8, 8, 'i');
    seg(f, first, 9, 9, 'j');
    seg(f, 9, 11, 11, 'l');
    seg(f, first, 12, 12, 'm');
    seg(f, first, 13, 13, 'n');
    seg(f, last, 14, 14, 'o');
    kv_lanes_settle(f->lanes, FIRST + 15);
    expect(f, "l no");
    g_assert_cmpuint(kv_lanes_get_kept(f->lanes), ==, 0);
    /* a late part has nothing to be joined with */
    g_assert_cmpint(seg(f, last, 10, 10, 'k'), ==, KV_DROP_MALFORMED);
    expect(f, "");
}

/* Proves: of what was passed over the last 8192 packets may still come, one lane's or many lanes'.
 */
static void
test_window(Fixture *f, gconstpointer data)
{
    const uint32_t far = 3 * KV_LANES_WINDOW;

    kv_lanes_settle(f->lanes, FIRST + 1);
    seg(f, 3, far, 0, 'z');
    expect(f, "z");
    g_assert_cmpint(seg(f, 3, far - KV_LANES_WINDOW - 64, 0, 'a'), ==, KV_DROP_REPLAY);
    for (uint32_t at = far - KV_LANES_WINDOW + 64; at < far; at++) {
        g_assert_cmpint(seg(f, 3, at, 0, 'y'), ==, KV_DROP_NONE);
        g_assert_cmpint(seg(f, 3, at, 0, 'y'), ==, KV_DROP_REPLAY);
        expect(f, "y");
    }
}

/* Proves: whatever a peer leaves open, no more is kept than the limits, and what is in order gets
 * through all the same. */
static void
test_limit(Fixture *f, gconstpointer data)
{
    for (uint32_t i = 1; i < 10 * KEPT; i++) {
        seg(f, (uint16_t) (i % KV_FRAME_LANES), 1 + i, i, 'a');
        dgram(f, (uint16_t) (i % 3), 2 * i, 'b', 0);
        seg(f, (uint16_t) (i % 5) | KV_FRAME_MORE, i / 5, i, 'c');
        while (recv_unmarked(f) > 0)
            continue;
        g_assert_cmpuint(kv_lanes_get_kept(f->lanes), <=, KEPT + KV_LANES_KEPT_MORE);
    }
    seg(f, 1000, 0, 10 * KEPT, 'x');
    expect(f, "x");
}

/* Proves: a peer that keeps to its window has as much wait as ever it can, a packet that una is in
 * the middle of and a window full of another, and nothing is given up. */
static void
test_honest(Fixture *f, gconstpointer data)
{
    const uint16_t more = KV_FRAME_MORE, rest = more | KV_FRAME_NOT_FIRST;
    const uint32_t missing = KV_LANES_KEPT_MORE - 1, end = missing + KEPT;

    for (uint32_t sn = 0; sn < missing; sn++)
        g_assert_cmpint(seg(f, sn == 0 ? more : rest, sn, sn, 'a'), ==, KV_DROP_NONE);
    kv_lanes_settle(f->lanes, FIRST + missing);
    for (uint32_t sn = missing + 1; sn < end; sn++) {
        uint32_t at = sn - missing - 1;

        g_assert_cmpint(seg(f, 1 | (at == 0 ? more : rest), at, sn, 'b'), ==, KV_DROP_NONE);
    }
    seg(f, KV_FRAME_NOT_FIRST, missing, missing, 'a');
    g_assert_cmpuint(recv_unmarked(f), ==, missing + 1);
    seg(f, 1 | KV_FRAME_NOT_FIRST, KEPT - 1, end, 'b');
    g_assert_cmpuint(recv_unmarked(f), ==, KEPT);
    g_assert_cmpuint(kv_lanes_get_kept(f->lanes), ==, 0);
}

/* Proves: where more waits than may, datagrams are given up before segments, and of either what was
 * begun first. */
static void
test_oldest(Fixture *f, gconstpointer data)
{
    const uint32_t all = KEPT + KV_LANES_KEPT_MORE;
    const uint16_t more = KV_FRAME_MORE, last = KV_FRAME_NOT_FIRST;

    for (uint32_t i = 0; i < all - 2; i++)
        g_assert_cmpint(seg(f, (uint16_t) i | more, 0, i, 's'), ==, KV_DROP_NONE);
    g_assert_cmpint(dgram(f, 1000 | more, 0, 'd', 0), ==, KV_DROP_NONE);
    g_assert_cmpint(dgram(f, 1001 | more, 0, 'e', 0), ==, KV_DROP_NONE);

    g_assert_cmpint(seg(f, 900 | more, 0, 900, 't'), ==, KV_DROP_NO_MEMORY);
    g_assert_cmpint(dgram(f, 1000 | last, 1, 'd', 0), ==, KV_DROP_MALFORMED);
    dgram(f, 1001 | last, 1, 'e', 0);
    expect(f, "ee");

    g_assert_cmpint(dgram(f, 1002, 1, 'f', 0), ==, KV_DROP_NONE);
    g_assert_cmpint(seg(f, 901 | more, 0, 901, 'u'), ==, KV_DROP_NO_MEMORY);
    expect(f, "f");

    g_assert_cmpint(seg(f, 902 | more, 0, 902, 'v'), ==, KV_DROP_NO_MEMORY);
    g_assert_cmpint(seg(f, 0 | last, 1, 903, 's'), ==, KV_DROP_MALFORMED);
    seg(f, 1 | last, 1, 904, 's');
    seg(f, 902 | last, 1, 905, 'v');
    expect(f, "ss vv");
}

/* Proves: a packet that grows beyond 64 KiB and one without bytes are dropped. */
static void
test_sizes(Fixture *f, gconstpointer data)
{
    KvLanesConfig config = {.kept_max = 100};
    g_autoptr(KvLanes) lanes = kv_lanes_new(&config);
    g_autoptr(KvPacket) packet = kv_packet_new(f->pool);
    KvFramePart part = {.lane = KV_FRAME_MORE, .data = packet->data};
    KvDrop drop = KV_DROP_NONE;
    KvEcn ecn;
    guint n = 0;

    g_assert_cmpint(kv_lanes_input(lanes, KV_FRAME_SEG, &part, packet, 0), ==, KV_DROP_MALFORMED);
    for (part.len = 1400; drop == KV_DROP_NONE; n++) {
        drop = kv_lanes_input(lanes, KV_FRAME_SEG, &part, packet, 0);
        part.lane = KV_FRAME_MORE | KV_FRAME_NOT_FIRST;
        part.lane_sequence++;
    }
    g_assert_cmpint(drop, ==, KV_DROP_MALFORMED);
    g_assert_cmpuint(n, ==, KV_LANES_PACKET_MAX / 1400 + 1);
    g_assert_cmpuint(kv_lanes_get_kept(lanes), ==, 0);
    g_assert_cmpuint(kv_lanes_recv(lanes, f->buf, sizeof f->buf, &ecn), ==, 0);
}

/* Proves: the sender cuts a packet into parts of one lane, which the receiver joins, and numbers
 * each lane alone. */
static void
test_sender(Fixture *f, gconstpointer data)
{
    static const guint n_parts[] = {3, 1, 2};
    KvKcpConfig config = {.mtu = 1232,
                          .reserved = 50,
                          .snd_wnd = 64,
                          .rcv_wnd = 64,
                          .interval = 10,
                          .nc = TRUE,
                          .native = TRUE,
                          .peer_wnd = 64,
                          .first_sn = FIRST,
                          .tuning = KV_KCP_TUNING_PRODUCT};
    const size_t part_max = 1232 - 50 - KV_FRAME_HEAD_BYTES - KV_FRAME_SEG_BYTES;
    g_autoptr(KvKcp) kcp = kv_kcp_new(&config, f->pool, 0);
    g_autofree KvLaneSender *sender = g_new0(KvLaneSender, 1);
    g_autofree uint8_t *bytes = g_malloc(3 * part_max);
    KvFrameHead head;
    KvFramePart part;

    for (size_t i = 0; i < 3 * part_max; i++)
        bytes[i] = (uint8_t) (i * 7 + i / 256);
    sender->next[5] = sender->next[6] = FIRST;
    for (guint i = 0; i < G_N_ELEMENTS(n_parts); i++) {
        size_t len = n_parts[i] * part_max - (i == 2);
        KvSlice slices[] = {{bytes, 10}, {bytes + 10, len - 10}};

        g_assert_true(
            kv_lane_sender_send(sender, kcp, (i == 1 ? 6 : 5) + 4096, KV_ECN_NOT_ECT, slices, 2));
    }
    g_assert_cmpuint(sender->next[5], ==, FIRST + 5);
    g_assert_cmpuint(sender->next[6], ==, FIRST + 1);
    kv_kcp_begin_datagram(kcp, &head, 0);
    while (kv_kcp_next_segment(kcp, 1200, &part, 0)) {
        g_autoptr(KvPacket) packet = kv_packet_new(f->pool);

        g_assert_cmpuint(part.len, <=, part_max);
        memcpy(packet->data, part.data, part.len);
        part.data = packet->data;
        g_assert_cmpint(kv_lanes_input(f->lanes, KV_FRAME_SEG, &part, packet, 0), ==, KV_DROP_NONE);
    }
    for (guint i = 0; i < G_N_ELEMENTS(n_parts); i++) {
        size_t n = recv_unmarked(f);

        kv_test_assert_bytes(f->buf, n, bytes, n_parts[i] * part_max - (i == 2), "packet");
    }
    expect(f, "");
}

/* A part of which the datagram was marked, or not. */
static void
input_marked(Fixture *f, uint16_t lane, uint32_t at, KvEcn ecn)
{
    g_autoptr(KvPacket) packet = kv_packet_new(f->pool);
    KvFramePart part = {.sn = FIRST + at,
                        .lane = lane,
                        .lane_sequence = FIRST + at,
                        .len = 1,
                        .data = packet->data};

    packet->ecn = ecn;
    g_assert_cmpint(kv_lanes_input(f->lanes, KV_FRAME_SEG, &part, packet, 0), ==, KV_DROP_NONE);
}

/* Proves: a packet is marked if a datagram with any part of it was, whatever order they came in,
 * congestion before ECT(1), and a packet of the pool forgets its mark. */
static void
test_marked(Fixture *f, gconstpointer data)
{
    const uint16_t more = KV_FRAME_MORE, last = KV_FRAME_NOT_FIRST;
    const KvEcn want[] = {KV_ECN_CE, KV_ECN_NOT_ECT, KV_ECN_CE, KV_ECN_CE, KV_ECN_ECT1};
    KvEcn ecn;

    input_marked(f, 0, 0, KV_ECN_CE);
    input_marked(f, 0, 1, KV_ECN_NOT_ECT);
    input_marked(f, last, 3, KV_ECN_CE);
    input_marked(f, more, 2, KV_ECN_ECT1);
    input_marked(f, more, 4, KV_ECN_CE);
    input_marked(f, last, 5, KV_ECN_NOT_ECT);
    input_marked(f, more, 6, KV_ECN_ECT0);
    input_marked(f, last, 7, KV_ECN_ECT1);
    for (guint i = 0; i < G_N_ELEMENTS(want); i++) {
        g_assert_cmpuint(kv_lanes_recv(f->lanes, f->buf, sizeof f->buf, &ecn), ==, i < 2 ? 1 : 2);
        g_assert_cmpint(ecn, ==, want[i]);
    }
    for (uint32_t i = 8; i < 14; i++)
        seg(f, 0, i, i, 'a');
    expect(f, "a a a a a a");
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *f, gconstpointer data);
    } tests[] = {
        {"/native-lanes/order", test_order},       {"/native-lanes/given-up", test_given_up},
        {"/native-lanes/patience", test_patience}, {"/native-lanes/parts", test_parts},
        {"/native-lanes/window", test_window},     {"/native-lanes/limit", test_limit},
        {"/native-lanes/honest", test_honest},     {"/native-lanes/oldest", test_oldest},
        {"/native-lanes/sizes", test_sizes},       {"/native-lanes/sender", test_sender},
        {"/native-lanes/marked", test_marked},
    };

    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
    return kv_test_main(&argc, &argv);
}
