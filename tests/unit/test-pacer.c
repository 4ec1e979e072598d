/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-pacer.h"
#include "kv-test.h"

#define SEGMENT 1350
#define RTT     (40 * KV_TIME_MS)
#define ROUNDS  100

/* Rounds of so many segments, of which a sample tells at the end of each; @rtt after the first
 * round, which shows the path's own. Returns: in how many of them the rate was still looked for. */
static guint
run_rounds(KvPacer *pacer, guint segments, gboolean app_limited, KvTime rtt)
{
    KvTime now = KV_TIME_S;
    uint64_t delivered = 0;
    guint n_startup = 0;

    kv_pacer_init(pacer, SEGMENT, now);
    for (guint i = 0; i < ROUNDS; i++) {
        uint64_t bytes = (uint64_t) segments * SEGMENT;
        KvPacerSample sample = {
            .delivered = delivered + bytes,
            .prior_delivered = delivered,
            .interval = i == 0 ? RTT : rtt,
            .rtt = i == 0 ? RTT : rtt,
            .acked = bytes,
            .acked_alone = bytes,
            .in_flight = bytes,
            .app_limited = app_limited,
        };

        delivered += bytes;
        now += sample.rtt;
        kv_pacer_on_ack(pacer, &sample, now);
        n_startup += pacer->mode == KV_PACER_STARTUP;
    }
    return n_startup;
}

/* Proves: a few small packets, such as the acknowledgements of a transfer the other way whose queue
 * makes every RTT long, do not pass for the rate of the path: it is still looked for when more
 * comes.
 */
static void
test_thin_traffic(void)
{
    KvPacer pacer;

    g_assert_cmpuint(run_rounds(&pacer, 4, TRUE, 3 * RTT), ==, ROUNDS);
    g_assert_false(pacer.is_restarted);
    g_assert_cmpuint(kv_pacer_get_known_rate(&pacer), ==, 0);
}

/* Proves: whoever fills a queue has found the rate, even if the sender says that it ran dry. */
static void
test_filled(void)
{
    KvPacer pacer;

    g_assert_cmpuint(run_rounds(&pacer, 64, TRUE, 3 * RTT), <, ROUNDS);
}

/* Proves: a short queue that overflows ends the search, though RTTs show none and the rate still
 * grows; what the path loses by itself from the beginning does not. */
static void
test_overloaded(void)
{
    static const struct {
        guint lost_first; /* per cent */
        guint lost_then;
        gboolean ends;
    } rows[] = {{0, 20, FALSE}, {0, 40, TRUE}, {30, 30, FALSE}, {30, 45, FALSE}, {30, 60, TRUE}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        KvPacer pacer;
        KvTime now = KV_TIME_S;
        uint64_t delivered = 0, bytes = 128 * SEGMENT;

        kv_pacer_init(&pacer, SEGMENT, now);
        for (guint round = 0; round < 6; round++, bytes += bytes / 2) {
            guint lost = round < 3 ? rows[i].lost_first : rows[i].lost_then;
            KvPacerSample sample = {
                .delivered = delivered + bytes,
                .prior_delivered = delivered,
                .interval = RTT,
                .rtt = RTT,
                .acked = bytes,
                .overtaken = bytes * lost / (100 - lost),
                .in_flight = 2 * bytes,
            };

            now += RTT;
            delivered += bytes;
            kv_pacer_on_ack(&pacer, &sample, now);
        }
        g_assert_cmpint(pacer.mode != KV_PACER_STARTUP, ==, rows[i].ends);
    }
}

/* Proves: while the rate is looked for what is sent again is spread, and what is new is not held
 * up. */
static void
test_repeats(void)
{
    KvPacer pacer;
    KvTime now = KV_TIME_S + 200 * RTT;

    run_rounds(&pacer, 4, TRUE, RTT);
    g_assert_cmpint(pacer.mode, ==, KV_PACER_STARTUP);
    for (guint i = 0; i < 64; i++)
        kv_pacer_on_sent(&pacer, SEGMENT, FALSE, now);
    g_assert_true(kv_pacer_may_send(&pacer, TRUE, now));
    for (guint i = 0; i < 64; i++)
        kv_pacer_on_sent(&pacer, SEGMENT, TRUE, now);
    g_assert_false(kv_pacer_may_send(&pacer, TRUE, now));
    g_assert_false(kv_pacer_may_send(&pacer, TRUE, now + RTT / 2));
    g_assert_true(kv_pacer_may_send(&pacer, TRUE, now + RTT));
    g_assert_true(kv_pacer_may_send(&pacer, FALSE, now));
}

/* Proves: a queue shows long before it is as long as the path; jitter is none. */
static void
test_delayed(void)
{
    static const struct {
        KvTime more;
        gboolean is_delayed;
    } rows[] = {{0, FALSE}, {RTT / 32, FALSE}, {RTT / 8, TRUE}, {RTT / 2, TRUE}};
    KvPacer pacer;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        run_rounds(&pacer, 4, TRUE, RTT + rows[i].more);
        g_assert_cmpint(kv_pacer_is_delayed(&pacer), ==, rows[i].is_delayed);
    }
}

/* Proves: who looks for the rate of a path that has become longer still knows the rate from before,
 * and by that whether the path is in use: no queue has to stand first.
 */
static void
test_restarted(void)
{
    static const guint most = 8; /* what is left under way so that the path's length shows */
    const guint segments = 64;
    uint64_t delivered = (uint64_t) ROUNDS * segments * SEGMENT;
    KvTime now = KV_TIME_S + ROUNDS * RTT;
    KvPacer pacer;

    run_rounds(&pacer, segments, FALSE, RTT);
    g_assert_cmpint(pacer.mode, !=, KV_PACER_STARTUP);
    for (guint i = 0; i < ROUNDS && !pacer.is_restarted; i++) {
        KvPacerSample sample = {
            .delivered = delivered + most * SEGMENT,
            .prior_delivered = delivered,
            .interval = 2 * RTT,
            .rtt = 2 * RTT,
            .acked = most * SEGMENT,
            .acked_alone = most * SEGMENT,
            .in_flight = most * SEGMENT,
        };

        delivered += most * SEGMENT;
        now += sample.rtt;
        kv_pacer_on_ack(&pacer, &sample, now);
    }
    g_assert_true(pacer.is_restarted);
    g_assert_cmpint(pacer.mode, ==, KV_PACER_STARTUP);
    g_assert_cmpuint(kv_pacer_get_known_rate(&pacer), >, 0);
    g_assert_true(kv_pacer_is_busy(&pacer, kv_pacer_get_bdp(&pacer)));
    g_assert_false(kv_pacer_is_busy(&pacer, kv_pacer_get_bdp(&pacer) / 4));
}

/* One more round after run_rounds(), in four batches; @marked: all of them tell of marks. */
static void
run_round(KvPacer *pacer, guint round, guint segments, gboolean marked)
{
    uint64_t bytes = (uint64_t) segments * SEGMENT;
    uint64_t begin = (ROUNDS + round) * bytes;

    for (guint i = 1; i <= 4; i++) {
        KvPacerSample sample = {
            .delivered = begin + bytes * i / 4,
            .prior_delivered = begin,
            .interval = RTT,
            .rtt = RTT,
            .acked = bytes / 4,
            .acked_alone = bytes / 4,
            .in_flight = bytes,
            .marked = marked,
        };

        kv_pacer_on_ack(pacer, &sample, KV_TIME_S + (ROUNDS + round) * RTT + i * RTT / 4);
    }
}

/* Proves: marks lower the rate once a round trip by 15 per cent, to a half at the least, and in
 * round trips without any it comes back; where hardly anything is under way they are not for us. */
static void
test_marked(void)
{
    static const struct {
        guint segments, n_marked, percent;
    } rows[] = {{64, 1, 85}, {64, 2, 72}, {64, 20, 50}, {8, 20, 100}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint round = 0;
        KvPacer pacer;

        run_rounds(&pacer, rows[i].segments, FALSE, RTT);
        g_assert_cmpint(pacer.mode, ==, KV_PACER_CRUISE);
        g_assert_false(kv_pacer_is_marked(&pacer));
        while (round < rows[i].n_marked)
            run_round(&pacer, round++, rows[i].segments, TRUE);
        g_assert_cmpuint(pacer.share * 100 / 1024, <=, rows[i].percent);
        g_assert_cmpuint(pacer.share * 100 / 1024, >=, rows[i].percent - 1);
        g_assert_cmpint(kv_pacer_is_marked(&pacer), ==, rows[i].percent < 100);
        while (round < rows[i].n_marked + 20)
            run_round(&pacer, round++, rows[i].segments, FALSE);
        g_assert_cmpuint(pacer.share, ==, 1024);
        g_assert_false(kv_pacer_is_marked(&pacer));
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/pacer/thin-traffic", test_thin_traffic);
    g_test_add_func("/pacer/filled", test_filled);
    g_test_add_func("/pacer/overloaded", test_overloaded);
    g_test_add_func("/pacer/repeats", test_repeats);
    g_test_add_func("/pacer/delayed", test_delayed);
    g_test_add_func("/pacer/restarted", test_restarted);
    g_test_add_func("/pacer/marked", test_marked);
    return kv_test_main(&argc, &argv);
}
