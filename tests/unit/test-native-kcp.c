/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-native.h"
#include "kv-kcp-private.h"
#include "kv-test.h"

#define MTU    1232
#define WINDOW 256
#define ROOM   1200
#define START  (10 * KV_TIME_S)

typedef struct {
    KvPacketPool *pool;
    KvKcp *sender;
    KvKcp *receiver;
    KvTime now;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    KvKcpConfig config = {.mtu = MTU,
                          .snd_wnd = WINDOW,
                          .rcv_wnd = WINDOW,
                          .interval = 10,
                          .nc = TRUE,
                          .native = TRUE,
                          .peer_wnd = WINDOW,
                          .tuning = KV_KCP_TUNING_PRODUCT};

    f->pool = kv_packet_pool_new(4096);
    f->now = START;
    f->sender = kv_kcp_new(&config, f->pool, f->now);
    f->receiver = kv_kcp_new(&config, f->pool, f->now);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    kv_kcp_free(f->sender);
    kv_kcp_free(f->receiver);
    kv_packet_pool_free(f->pool);
}

static void
send_ecn(Fixture *f, size_t len, KvEcn ecn)
{
    static const uint8_t bytes[2 * MTU];
    KvSlice slice = {bytes, len};

    g_assert_cmpuint(kv_kcp_send_parts(f->sender, 1, 0, ecn, &slice, 1), ==, 1 + len / MTU);
}

static void
send(Fixture *f, size_t len)
{
    send_ecn(f, len, KV_ECN_NOT_ECT);
}

/* What is due leaves, one segment in a datagram. Returns: how many; @head: of the last. */
static guint
output(Fixture *f, KvFrameHead *head)
{
    KvFramePart part;
    guint n = 0;

    do
        kv_kcp_begin_datagram(f->sender, head, f->now);
    while (kv_kcp_next_segment(f->sender, ROOM, &part, f->now) && ++n > 0);
    return n;
}

static void
input_head(Fixture *f, const KvFrameHead *head)
{
    kv_kcp_input_head(f->receiver, head, KV_KCP_RECEIVED, f->now);
}

static KvFrameReport
take_report(Fixture *f)
{
    KvFrameReport report = {0};

    g_assert_true(kv_kcp_owes_report(f->receiver, f->now));
    kv_kcp_fill_report(f->receiver, &report, f->now);
    return report;
}

/* Makes one datagram. Returns: how many segments are in it. */
static guint
fill_datagram(Fixture *f)
{
    KvFrameHead head;
    KvFramePart part;
    size_t room = MTU;
    guint n = 0;

    kv_kcp_begin_datagram(f->sender, &head, f->now);
    for (; kv_kcp_next_segment(f->sender, room, &part, f->now); n++)
        room -= part.len + KV_FRAME_SEG_BYTES;
    return n;
}

/* Proves: a datagram's ECN field is that of the packets in it, of all parts of a packet its own;
 * one with something that was sent before has none. */
static void
test_ecn(Fixture *f, gconstpointer data)
{
    send_ecn(f, 100, KV_ECN_ECT1);
    send_ecn(f, 100, KV_ECN_CE);
    g_assert_cmpuint(fill_datagram(f), ==, 2);
    g_assert_cmpint(kv_kcp_get_ecn(f->sender), ==, KV_ECN_ECT1);
    g_assert_cmpuint(fill_datagram(f), ==, 0);
    g_assert_cmpint(kv_kcp_get_ecn(f->sender), ==, KV_ECN_NOT_ECT);

    send_ecn(f, 1500, KV_ECN_ECT0);
    send_ecn(f, 100, KV_ECN_NOT_ECT);
    g_assert_cmpuint(fill_datagram(f), ==, 1);
    g_assert_cmpint(kv_kcp_get_ecn(f->sender), ==, KV_ECN_ECT0);
    g_assert_cmpuint(fill_datagram(f), ==, 2);
    g_assert_cmpint(kv_kcp_get_ecn(f->sender), ==, KV_ECN_NOT_ECT);

    f->now = kv_kcp_deadline(f->sender);
    kv_kcp_advance(f->sender, f->now);
    send_ecn(f, 1000, KV_ECN_ECT0);
    g_assert_cmpuint(fill_datagram(f), >, 0);
    g_assert_cmpint(kv_kcp_get_ecn(f->sender), ==, KV_ECN_NOT_ECT);
}

/* Proves: what does not fit the path any more is given up, the peer is told so again until it
 * knows, and then nothing is owed. */
static void
test_give_up(Fixture *f, gconstpointer data)
{
    KvFrameHead head;
    KvFrameReport report;

    for (guint i = 0; i < 3; i++)
        send(f, 1000);
    send(f, 100);
    g_assert_cmpuint(output(f, &head), ==, 4);
    send(f, 1000); /* still queued */
    g_assert_true(kv_kcp_input_segment(f->receiver, 3, f->now));
    kv_kcp_set_mtu(f->sender, 600, f->now);
    g_assert_cmpuint(kv_kcp_get_waiting(f->sender), ==, 4);
    g_assert_true(kv_kcp_begin_datagram(f->sender, &head, f->now));
    g_assert_cmpuint(head.fwd, ==, 3);
    g_assert_false(kv_kcp_begin_datagram(f->sender, &head, f->now));

    /* that one is lost, the next is not */
    f->now = kv_kcp_deadline(f->sender);
    g_assert_cmpuint(f->now, <=, START + KV_TIME_S);
    kv_kcp_advance(f->sender, f->now);
    g_assert_true(kv_kcp_begin_datagram(f->sender, &head, f->now));
    input_head(f, &head);
    g_assert_cmpuint(kv_kcp_get_una(f->receiver), ==, 4);
    take_report(f); /* this one is lost, too */
    g_assert_false(kv_kcp_owes_report(f->receiver, f->now));
    input_head(f, &head);
    report = take_report(f);
    g_assert_cmpuint(report.una, ==, 4);
    kv_kcp_input_report(f->sender, &report, f->now);
    kv_kcp_input_end(f->sender, f->now);
    g_assert_cmpuint(kv_kcp_get_waiting(f->sender), ==, 0);
    g_assert_cmpuint(kv_kcp_deadline(f->sender), ==, KV_TIME_NEVER);
    g_assert_cmpuint(kv_kcp_deadline(f->receiver), ==, KV_TIME_NEVER);
}

/* Proves: when the path takes less and then still less, the peer is told of all that was given up,
 * though the first of it had arrived. */
static void
test_give_up_twice(Fixture *f, gconstpointer data)
{
    KvFrameHead head;
    KvFrameReport report;

    send(f, 600);
    send(f, 1000);
    g_assert_cmpuint(output(f, &head), ==, 2);
    g_assert_true(kv_kcp_input_segment(f->receiver, 0, f->now));
    kv_kcp_set_mtu(f->sender, 900, f->now);
    kv_kcp_set_mtu(f->sender, 500, f->now);
    g_assert_true(kv_kcp_begin_datagram(f->sender, &head, f->now)); /* this one is lost */

    f->now += 100 * KV_TIME_MS;
    report = take_report(f);
    kv_kcp_input_report(f->sender, &report, f->now);
    kv_kcp_input_end(f->sender, f->now);
    g_assert_cmpuint(kv_kcp_get_waiting(f->sender), ==, 1);
    f->now = kv_kcp_deadline(f->sender);
    g_assert_cmpuint(f->now, <=, START + KV_TIME_S);
    g_assert_true(kv_kcp_begin_datagram(f->sender, &head, f->now));
    g_assert_cmpuint(head.fwd, ==, 2);
}

/* Proves: each segment above una is told of twice, however many ranges there are, and all of them
 * by turns afterwards. */
static void
test_ranges(Fixture *f, gconstpointer data)
{
    guint told[WINDOW] = {0};

    for (uint32_t sn = 1; sn < 200; sn += 2)
        g_assert_true(kv_kcp_input_segment(f->receiver, sn, f->now));
    for (guint i = 0; i < 12; i++) {
        KvFrameReport report = {0};
        uint32_t sn;

        kv_kcp_fill_report(f->receiver, &report, f->now);
        g_assert_cmpuint(report.n_ranges, <=, KV_FRAME_RANGES_MAX);
        sn = report.una;
        for (guint j = 0; j < report.n_ranges; j++) {
            sn += report.ranges[j].start;
            for (guint k = 0; k < report.ranges[j].len; k++)
                told[sn++]++;
        }
        g_assert_cmpint(kv_kcp_owes_report(f->receiver, f->now), ==, i < 6);
    }
    for (uint32_t sn = 0; sn < WINDOW; sn++) {
        if (sn % 2 == 0 || sn >= 200)
            g_assert_cmpuint(told[sn], ==, 0);
        else
            g_assert_cmpuint(told[sn], >=, 3);
    }
}

/* Proves: the round trip is measured without the time that the peer waited before it reported; a
 * time stamp counts after any pause; and none that was recovered. */
static void
test_round_trip(Fixture *f, gconstpointer data)
{
    static const KvTime pauses[] = {0, 3 * KV_TIME_S, 40 * 60 * KV_TIME_S, 100 * 60 * KV_TIME_S};
    KvKcpState state;

    for (uint32_t i = 0; i < G_N_ELEMENTS(pauses); i++) {
        KvFrameHead head, old = {0};
        KvFrameReport report;

        f->now += pauses[i];
        send(f, 100);
        g_assert_cmpuint(output(f, &head), ==, 1);
        f->now += 30 * KV_TIME_MS;
        input_head(f, &head);
        old.ts = head.ts + 5;
        kv_kcp_input_head(f->receiver, &old, KV_KCP_RECOVERED, f->now);
        g_assert_true(kv_kcp_input_segment(f->receiver, i, f->now));
        g_assert_false(kv_kcp_owes_report(f->receiver, f->now));
        g_assert_cmpuint(kv_kcp_deadline(f->receiver), ==, f->now + 10 * KV_TIME_MS);
        f->now += 10 * KV_TIME_MS;
        report = take_report(f);
        g_assert_cmpuint(report.ts, ==, head.ts);
        g_assert_cmpuint(report.delay, ==, 10 * KV_TIME_MS / KV_FRAME_DELAY_UNIT);
        f->now += 30 * KV_TIME_MS;
        kv_kcp_input_report(f->sender, &report, f->now);
        kv_kcp_input_end(f->sender, f->now);
        kv_kcp_get_state(f->sender, &state);
        g_assert_cmpuint(state.srtt, ==, 60);
        g_assert_cmpuint(kv_kcp_get_waiting(f->sender), ==, 0);
    }
}

/* Proves: no segment is taken twice or beyond the window, the peer is told so at once, and the one
 * is told from the other. */
static void
test_refused(Fixture *f, gconstpointer data)
{
    g_assert_false(kv_kcp_has_segment(f->receiver, 0));
    g_assert_true(kv_kcp_input_segment(f->receiver, 0, f->now));
    g_assert_true(kv_kcp_has_segment(f->receiver, 0));
    g_assert_false(kv_kcp_owes_report(f->receiver, f->now));
    g_assert_false(kv_kcp_input_segment(f->receiver, 0, f->now));
    g_assert_cmpuint(take_report(f).una, ==, 1);
    g_assert_false(kv_kcp_input_segment(f->receiver, 1 + WINDOW, f->now));
    g_assert_false(kv_kcp_has_segment(f->receiver, 1 + WINDOW));
    g_assert_cmpuint(take_report(f).wnd, ==, WINDOW / KV_FRAME_WND_UNIT);
    g_assert_true(kv_kcp_input_segment(f->receiver, WINDOW, f->now));
    g_assert_true(kv_kcp_has_segment(f->receiver, WINDOW));
    g_assert_false(kv_kcp_has_segment(f->receiver, 2 * WINDOW));
    g_assert_cmpuint(take_report(f).ranges[0].start, ==, WINDOW - 1);
    g_assert_false(kv_kcp_input_segment(f->receiver, WINDOW, f->now));
    g_assert_true(kv_kcp_input_segment(f->receiver, 1, f->now));
    g_assert_cmpuint(take_report(f).una, ==, 2);
}

/* Proves: into a closed window one segment goes, to hear when it opens. */
static void
test_closed_window(Fixture *f, gconstpointer data)
{
    KvFrameReport report = {0};
    KvFrameHead head;

    kv_kcp_input_report(f->sender, &report, f->now);
    send(f, 100);
    send(f, 100);
    g_assert_cmpuint(output(f, &head), ==, 1);
    report.wnd = 1;
    kv_kcp_input_report(f->sender, &report, f->now);
    g_assert_cmpuint(output(f, &head), ==, 1);
}

/* Proves: reports that lie or come late change nothing. */
static void
test_false_reports(Fixture *f, gconstpointer data)
{
    KvFrameReport report = {.una = 3, .wnd = 1};
    KvFrameHead head;

    send(f, 100);
    send(f, 100);
    g_assert_cmpuint(output(f, &head), ==, 2);
    kv_kcp_input_report(f->sender, &report, f->now); /* beyond what was sent */
    report.una = (uint32_t) -1;                      /* behind what is known */
    kv_kcp_input_report(f->sender, &report, f->now);
    report = (KvFrameReport){.wnd = 16, .n_ranges = 1, .ranges = {{1, 500}}};
    kv_kcp_input_report(f->sender, &report, f->now); /* a range that ends beyond */
    g_assert_cmpuint(kv_kcp_get_waiting(f->sender), ==, 2);
    report.una = 2;
    report.n_ranges = 0;
    kv_kcp_input_report(f->sender, &report, f->now);
    g_assert_cmpuint(kv_kcp_get_waiting(f->sender), ==, 0);
}

/* Lets time pass. Returns: how many segments leave. */
static guint
pass(Fixture *f, KvTime time)
{
    KvTime end = f->now + time;
    KvFrameHead head;
    guint n = 0;

    for (; f->now < end; f->now += KV_TIME_MS) {
        kv_kcp_advance(f->sender, f->now);
        n += output(f, &head);
    }
    return n;
}

/* Proves: into a path that is gone one segment leaves each 150 ms, for as long as it takes, and
 * none of them twice; the first word of the peer's makes the next leave at once, and the first
 * acknowledgement all others. */
static void
test_gone(Fixture *f, gconstpointer data)
{
    KvFrameHead head, heard = {.wnd = 16};
    KvFrameReport report = {.una = 1, .wnd = 16, .delay = KV_KCP_DELAY_UNKNOWN};
    KvKcpState state;

    for (guint i = 0; i < 20; i++)
        send(f, 1000);
    g_assert_cmpuint(output(f, &head), ==, 20);
    pass(f, 2 * KV_TIME_S);
    kv_kcp_get_state(f->sender, &state);
    g_assert_cmpuint(pass(f, 15 * KV_TIME_S), ==, 100);
    g_assert_cmpuint(pass(f, 150 * KV_TIME_S), ==, 1000);
    g_assert_cmpuint(kv_kcp_take_copies(f->sender, 1000, f->now), ==, 0);

    pass(f, 150 * KV_TIME_MS);
    for (guint i = 0; i < 2; i++) {
        kv_kcp_input_head(f->sender, &heard, KV_KCP_RECEIVED, f->now);
        kv_kcp_input_end(f->sender, f->now);
        g_assert_cmpuint(output(f, &head), ==, i == 0);
        f->now += 10 * KV_TIME_MS;
    }
    kv_kcp_input_report(f->sender, &report, f->now);
    kv_kcp_input_end(f->sender, f->now);
    g_assert_cmpuint(pass(f, 20 * KV_TIME_MS), ==, 19);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *f, gconstpointer data);
    } tests[] = {
        {"/native-kcp/ecn", test_ecn},
        {"/native-kcp/give-up", test_give_up},
        {"/native-kcp/give-up-twice", test_give_up_twice},
        {"/native-kcp/ranges", test_ranges},
        {"/native-kcp/round-trip", test_round_trip},
        {"/native-kcp/refused", test_refused},
        {"/native-kcp/closed-window", test_closed_window},
        {"/native-kcp/false-reports", test_false_reports},
        {"/native-kcp/gone", test_gone},
    };

    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
    return kv_test_main(&argc, &argv);
}
