/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp.h"
#include "kv-test.h"

#define CONV 0x01020304
#define MSS  100

enum { PUSH = 81, ACK, ASK, TELL };

typedef struct {
    KvPacketPool *pool;
    KvKcp *kcp;
    KvTime now;
} Fixture;

typedef struct {
    gboolean tuned;
    uint32_t first_sn;
    uint32_t window;
    uint32_t packets; /* in the pool */
} Setup;

static const Setup published = {FALSE, 0, 32, 1000};
static const Setup tuned = {TRUE, 0, 32, 1000};
static const Setup small_pool = {FALSE, 0, 32, 3};

static void
set_up_kcp(Fixture *f, gconstpointer data)
{
    const Setup *setup = data;
    KvKcpConfig config = {.conv = CONV,
                          .mtu = MSS + KV_KCP_HEADER_BYTES,
                          .snd_wnd = setup->window,
                          .rcv_wnd = setup->window,
                          .interval = 10,
                          .resend = 2,
                          .nodelay = TRUE,
                          .nc = TRUE,
                          .stream = TRUE,
                          .first_sn = setup->first_sn};

    if (setup->tuned)
        config.tuning = KV_KCP_TUNING_PRODUCT;
    f->kcp = kv_kcp_new(&config, f->pool, f->now);
}

static void
set_up(Fixture *f, gconstpointer data)
{
    const Setup *setup = data;

    f->pool = kv_packet_pool_new(setup->packets);
    f->now = KV_TIME_S;
    set_up_kcp(f, setup);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    kv_kcp_free(f->kcp);
    kv_packet_pool_free(f->pool);
}

typedef struct {
    uint8_t cmd;
    uint16_t wnd;
    uint32_t ts, sn, una, len;
    uint32_t conv; /* differs from ours by so much */
} Segment;

/* Feeds @segment with @have bytes behind its header. */
static gboolean
feed(Fixture *f, const Segment *segment, size_t have)
{
    g_autoptr(KvPacket) packet = kv_packet_new(f->pool);
    uint8_t *p = packet->data;

    memset(p, 'x', KV_KCP_HEADER_BYTES + have);
    kv_put_le32(p, CONV + segment->conv);
    p[4] = segment->cmd;
    p[5] = 0;
    kv_put_le16(p + 6, segment->wnd);
    kv_put_le32(p + 8, segment->ts);
    kv_put_le32(p + 12, segment->sn);
    kv_put_le32(p + 16, segment->una);
    kv_put_le32(p + 20, segment->len);
    packet->len = (uint32_t) (KV_KCP_HEADER_BYTES + have);
    return kv_kcp_input(f->kcp, packet, 0, packet->len, KV_KCP_RECEIVED, f->now);
}

static gboolean
send_bytes(Fixture *f, size_t n)
{
    static const uint8_t zeros[65536];
    KvSlice slice = {zeros, n};

    return kv_kcp_send(f->kcp, &slice, 1);
}

/* Flushes and drains; the commands that left, in order, are in @cmds. */
static guint
drain(Fixture *f, uint8_t *cmds, guint max)
{
    uint8_t buf[2048];
    guint n = 0;
    size_t len;

    kv_kcp_flush(f->kcp, f->now);
    while ((len = kv_kcp_output(f->kcp, buf, sizeof buf, f->now)) > 0) {
        g_assert_cmpuint(len, <=, MSS + KV_KCP_HEADER_BYTES);
        for (size_t at = 0; at < len; at += KV_KCP_HEADER_BYTES + kv_get_le32(buf + at + 20)) {
            g_assert_cmpuint(n, <, max);
            cmds[n++] = buf[at + 4];
        }
    }
    return n;
}

/* Proves: lies about what was received, sent or heard change nothing. */
static void
test_hostile_values(Fixture *f, gconstpointer data)
{
    static const Segment lies[] = {
        {.cmd = TELL, .wnd = 32, .una = 4},          {.cmd = TELL, .wnd = 32, .una = 0x80000000},
        {.cmd = TELL, .wnd = 32, .una = UINT32_MAX}, {.cmd = ACK, .wnd = 32, .sn = 3},
        {.cmd = ACK, .wnd = 32, .sn = 0x7fffffff},   {.cmd = ACK, .wnd = 32, .sn = UINT32_MAX},
        {.cmd = ACK, .wnd = 65535, .sn = 1000000},   {.cmd = PUSH, .wnd = 32, .sn = 32},
        {.cmd = PUSH, .wnd = 32, .sn = 0x7fffffff},
    };
    uint8_t cmds[64];

    g_assert_true(send_bytes(f, 3 * MSS));
    g_assert_cmpuint(drain(f, cmds, 64), ==, 3);
    for (guint i = 0; i < G_N_ELEMENTS(lies); i++) {
        const uint8_t *bytes;
        KvKcpState state;

        feed(f, &lies[i], lies[i].len);
        kv_kcp_input_end(f->kcp, f->now);
        kv_kcp_get_state(f->kcp, &state);
        g_assert_cmpuint(state.snd_una, ==, 0);
        g_assert_cmpuint(state.snd_nxt, ==, 3);
        g_assert_cmpuint(state.rcv_nxt, ==, 0);
        g_assert_cmpuint(kv_kcp_get_waiting(f->kcp), ==, 3);
        g_assert_cmpuint(kv_kcp_peek(f->kcp, &bytes), ==, 0);
    }
    /* an ack from the future is still an ack, but no RTT */
    feed(f, &(Segment){.cmd = ACK, .wnd = 32, .sn = 2, .ts = 0x7fffffff, .una = 2}, 0);
    kv_kcp_input_end(f->kcp, f->now);
    g_assert_cmpuint(kv_kcp_get_waiting(f->kcp), <=, 1);
}

/* Proves: a segment that does not fit its datagram, or is not for us, is refused. */
static void
test_bad_segments(Fixture *f, gconstpointer data)
{
    static const struct {
        Segment segment;
        size_t have;
        gboolean good;
    } rows[] = {
        {{.cmd = PUSH, .len = 10}, 10, TRUE},
        {{.cmd = PUSH, .len = 10}, 9, FALSE},
        {{.cmd = PUSH, .len = UINT32_MAX}, 10, FALSE},
        {{.cmd = ACK, .len = 1}, 0, FALSE},
        {{.cmd = 80}, 0, FALSE},
        {{.cmd = 85}, 0, FALSE},
        {{.cmd = PUSH, .conv = 1}, 0, FALSE},
        {{.cmd = ASK}, 23, TRUE}, /* less than a header at the end is ignored */
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(feed(f, &rows[i].segment, rows[i].have), ==, rows[i].good);
}

/* Proves: empty segments are passed over and bytes come out across the wrap of sn. */
static void
test_empty_segments(Fixture *f, gconstpointer data)
{
    const Setup *setup = data;
    const uint8_t *bytes;

    for (uint32_t i = 0; i < 6; i++) {
        uint32_t len = i % 2 ? 5 : 0;

        g_assert_true(feed(
            f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = setup->first_sn + i, .len = len}, len));
    }
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpuint(kv_kcp_peek(f->kcp, &bytes), ==, 5);
        g_assert_cmpint(bytes[4], ==, 'x');
        kv_kcp_consume(f->kcp, 2);
        g_assert_cmpuint(kv_kcp_peek(f->kcp, &bytes), ==, 3);
        kv_kcp_consume(f->kcp, 3);
    }
    g_assert_cmpuint(kv_kcp_peek(f->kcp, &bytes), ==, 0);
}

/* Proves: a closed window is asked after at growing intervals, and opened it lets data go. */
static void
test_window_probe(Fixture *f, gconstpointer data)
{
    const Setup *setup = data;
    KvTime first = (setup->tuned ? 200 : 7000) * KV_TIME_MS;
    uint8_t cmds[64];

    feed(f, &(Segment){.cmd = TELL, .wnd = 0, .una = setup->first_sn}, 0);
    g_assert_false(kv_kcp_can_send(f->kcp));
    g_assert_true(send_bytes(f, 10));
    g_assert_cmpuint(drain(f, cmds, 64), ==, 0);
    f->now += first - KV_TIME_MS;
    g_assert_cmpuint(drain(f, cmds, 64), ==, 0);
    f->now += KV_TIME_MS;
    g_assert_cmpuint(drain(f, cmds, 64), ==, 1);
    g_assert_cmpint(cmds[0], ==, ASK);
    f->now += first * 3 / 2 - KV_TIME_MS;
    g_assert_cmpuint(drain(f, cmds, 64), ==, 0);
    f->now += KV_TIME_MS;
    g_assert_cmpuint(drain(f, cmds, 64), ==, 1);
    g_assert_cmpuint(kv_kcp_deadline(f->kcp), !=, KV_TIME_NEVER);

    feed(f, &(Segment){.cmd = TELL, .wnd = 4, .una = setup->first_sn}, 0);
    g_assert_true(kv_kcp_can_send(f->kcp));
    g_assert_cmpuint(drain(f, cmds, 64), ==, 1);
    g_assert_cmpint(cmds[0], ==, PUSH);
}

/* Proves: last words do not wait for the next question after a window that was closed for long. */
static void
test_hurry(Fixture *f, gconstpointer data)
{
    uint8_t cmds[64];

    feed(f, &(Segment){.cmd = TELL, .wnd = 0}, 0);
    for (guint i = 0; i < 30; i++) {
        f->now += KV_TIME_S;
        drain(f, cmds, 64);
    }
    f->now += KV_TIME_MS;
    g_assert_true(send_bytes(f, 8));
    g_assert_cmpuint(drain(f, cmds, 64), ==, 0);
    kv_kcp_hurry(f->kcp);
    g_assert_cmpuint(drain(f, cmds, 64), ==, 1);
    g_assert_cmpint(cmds[0], ==, ASK);
    f->now += 200 * KV_TIME_MS;
    g_assert_cmpuint(drain(f, cmds, 64), ==, 1);
    g_assert_cmpint(cmds[0], ==, ASK);
}

/* Proves: a window question is answered, and both answers and acks are given once. */
static void
test_answers(Fixture *f, gconstpointer data)
{
    uint8_t cmds[64];

    feed(f, &(Segment){.cmd = ASK, .wnd = 32}, 0);
    feed(f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = 1, .len = 1}, 1);
    feed(f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = 2, .len = 1}, 1);
    g_assert_cmpuint(drain(f, cmds, 64), ==, 3);
    g_assert_cmpint(cmds[0], ==, ACK);
    g_assert_cmpint(cmds[1], ==, ACK);
    g_assert_cmpint(cmds[2], ==, TELL);
    g_assert_cmpuint(drain(f, cmds, 64), ==, 0);
}

/* Proves: tuned, the acks of early segments go out once more, in front of the next fresh one. */
static void
test_repeated_acks(Fixture *f, gconstpointer data)
{
    uint8_t cmds[64];

    feed(f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = 1, .len = 1}, 1);
    feed(f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = 2, .len = 1}, 1);
    g_assert_cmpuint(drain(f, cmds, 64), ==, 2);
    g_assert_cmpuint(drain(f, cmds, 64), ==, 0);
    feed(f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = 3, .len = 1}, 1);
    g_assert_cmpuint(drain(f, cmds, 64), ==, 3);
    feed(f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = 0, .len = 1}, 1);
    g_assert_cmpuint(drain(f, cmds, 64), ==, 1);
}

/* Proves: a peer that repeats itself for ever does not fill memory. */
static void
test_ack_flood(Fixture *f, gconstpointer data)
{
    KvKcpState state;

    for (guint i = 0; i < 10000; i++)
        feed(f, &(Segment){.cmd = PUSH, .wnd = 32, .sn = i % 8, .len = 1}, 1);
    kv_kcp_get_state(f->kcp, &state);
    g_assert_cmpuint(state.acklist, <, 1000);
    g_assert_cmpuint(state.duplicates, ==, 10000 - 8);
}

/* Proves: a write that the pool cannot hold takes nothing, and a later one works. */
static void
test_pool_bound(Fixture *f, gconstpointer data)
{
    g_assert_true(send_bytes(f, MSS / 2));
    g_assert_false(send_bytes(f, 3 * MSS));
    g_assert_cmpuint(kv_kcp_get_waiting(f->kcp), ==, 1);
    g_assert_cmpuint(kv_packet_pool_get_used(f->pool), ==, 1);
    g_assert_true(send_bytes(f, MSS / 2));
    g_assert_cmpuint(kv_kcp_get_waiting(f->kcp), ==, 1);
    g_assert_true(send_bytes(f, 2 * MSS));
    g_assert_cmpuint(kv_kcp_get_waiting(f->kcp), ==, 3);
}

/* The window that the machine tells its peer. */
static guint
ask_window(Fixture *f)
{
    const Segment ask = {.cmd = ASK, .wnd = 32};
    uint8_t buf[2048];

    g_assert_true(feed(f, &ask, 0));
    kv_kcp_flush(f->kcp, f->now);
    g_assert_cmpuint(kv_kcp_output(f->kcp, buf, sizeof buf, f->now), >=, KV_KCP_HEADER_BYTES);
    return kv_get_le16(buf + 6);
}

static void
feed_range(Fixture *f, uint32_t from, uint32_t to)
{
    for (uint32_t sn = from; sn < to; sn++) {
        const Segment push = {.cmd = PUSH, .wnd = 32, .sn = sn, .len = 1};
        const uint8_t *data;

        g_assert_true(feed(f, &push, 1));
        while (kv_kcp_peek(f->kcp, &data) > 0)
            kv_kcp_consume(f->kcp, 1);
    }
}

static guint
count_kept(Fixture *f)
{
    KvKcpState state;

    kv_kcp_get_state(f->kcp, &state);
    return state.rcv_buf;
}

/* Proves: peers that send only what cannot be used yet get no more than a few of them may have, and
 * then the least; one that brings things through gets room for it at once. */
static void
test_hoarders(Fixture *f, gconstpointer data)
{
    Fixture hoarders[20];

    g_assert_cmpuint(ask_window(f), ==, 1024);
    for (guint i = 0; i < G_N_ELEMENTS(hoarders); i++) {
        hoarders[i] = *f;
        set_up_kcp(&hoarders[i], data);
        feed_range(&hoarders[i], 1, 1024);
    }
    g_assert_cmpuint(count_kept(&hoarders[0]), ==, 1023);
    g_assert_cmpuint(count_kept(&hoarders[19]), <, 32);
    g_assert_false(kv_packet_pool_is_scarce(f->pool, 4));
    g_assert_cmpuint(ask_window(f), ==, 32);
    feed_range(f, 0, 200);
    g_assert_cmpuint(ask_window(f), ==, 400);
    f->now += 10 * KV_TIME_S;
    g_assert_cmpuint(ask_window(f), ==, 32);
    for (guint i = 0; i < G_N_ELEMENTS(hoarders); i++)
        kv_kcp_free(hoarders[i].kcp);
    g_assert_cmpuint(ask_window(f), ==, 1024);
}

/* Proves: what nobody acknowledges takes no more either. */
static void
test_silent_peers(Fixture *f, gconstpointer data)
{
    Fixture silent[20];

    for (guint i = 0; i < G_N_ELEMENTS(silent); i++) {
        const Segment tell = {.cmd = TELL, .wnd = 2000};

        silent[i] = *f;
        set_up_kcp(&silent[i], data);
        g_assert_true(feed(&silent[i], &tell, 0));
        while (kv_kcp_can_send(silent[i].kcp))
            g_assert_true(send_bytes(&silent[i], MSS));
    }
    g_assert_cmpuint(kv_kcp_get_waiting(silent[19].kcp), ==, 32);
    g_assert_false(kv_packet_pool_is_scarce(f->pool, 4));
    for (guint i = 0; i < G_N_ELEMENTS(silent); i++)
        kv_kcp_free(silent[i].kcp);
}

int
main(int argc, char **argv)
{
    static const Setup wrap = {FALSE, (uint32_t) -3, 32, 1000};
    static const Setup tuned_wrap = {TRUE, (uint32_t) -3, 32, 1000};
    static const Setup crowded = {FALSE, 0, 1024, 6000};
    static const struct {
        const char *path;
        const Setup *setup;
        void (*test)(Fixture *f, gconstpointer data);
    } tests[] = {
        {"/kcp/hostile-values/published", &published, test_hostile_values},
        {"/kcp/hostile-values/tuned", &tuned, test_hostile_values},
        {"/kcp/bad-segments/published", &published, test_bad_segments},
        {"/kcp/bad-segments/tuned", &tuned, test_bad_segments},
        {"/kcp/empty-segments", &published, test_empty_segments},
        {"/kcp/empty-segments/wrap", &wrap, test_empty_segments},
        {"/kcp/window-probe/published", &wrap, test_window_probe},
        {"/kcp/window-probe/tuned", &tuned_wrap, test_window_probe},
        {"/kcp/hurry", &tuned, test_hurry},
        {"/kcp/answers", &published, test_answers},
        {"/kcp/repeated-acks", &tuned, test_repeated_acks},
        {"/kcp/ack-flood", &published, test_ack_flood},
        {"/kcp/pool-bound", &small_pool, test_pool_bound},
        {"/kcp/hoarders", &crowded, test_hoarders},
        {"/kcp/silent-peers", &crowded, test_silent_peers},
    };

    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, tests[i].setup, set_up, tests[i].test, tear_down);
    return kv_test_main(&argc, &argv);
}
