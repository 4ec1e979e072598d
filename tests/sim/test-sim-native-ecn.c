/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START (1000 * S)

#define FOREVER 1000000 /* packets */
#define PACKET  1200    /* bytes */

/* A client whose packets all know ECN sends to its server. */
typedef struct {
    KvNativeEnd client;
    KvNativeEnd server;
    KvSim *sim;
    KvSimLink link;
} Run;

static void
run_init(Run *run, const KvSimLink *link)
{
    uint64_t seed = kv_test_get_seed();

    run->link = *link;
    kv_native_ends_init(&run->client, &run->server, TRUE, seed + 1);
    run->client.knows_ecn = run->server.knows_ecn = TRUE;
    run->sim = kv_sim_new(seed, START);
    kv_sim_attach(run->sim, 0, &kv_native_end_machine, &run->client);
    kv_sim_attach(run->sim, 1, &kv_native_end_machine, &run->server);
    for (guint i = 0; i < 2; i++)
        kv_sim_set_link(run->sim, i, link);
    kv_native_end_start(&run->server, START);
    kv_native_end_start(&run->client, START);
    kv_sim_poke(run->sim, 0);
}

static void
run_clear(Run *run)
{
    kv_sim_free(run->sim);
    kv_native_end_clear(&run->client);
    kv_native_end_clear(&run->server);
}

static void
run_for(Run *run, KvTime time)
{
    kv_sim_run(run->sim, kv_sim_get_now(run->sim) + time, NULL, NULL);
}

static guint
count_ect(const Run *run)
{
    return (guint) kv_sim_get_counts(run->sim, 0)->sent_ect;
}

/* How long it takes until datagrams leave with an ECN field, or without. */
static KvTime
wait_for_ect(Run *run, gboolean wanted, KvTime limit)
{
    KvTime from = kv_sim_get_now(run->sim);
    guint before;

    do {
        before = count_ect(run);
        run_for(run, 2 * S);
        g_assert_cmpuint(kv_sim_get_now(run->sim), <, from + limit);
    } while ((count_ect(run) - before > 10) != wanted);
    return kv_sim_get_now(run->sim) - from;
}

static void
set_no_ect(Run *run, gboolean no_ect)
{
    run->link.no_ect = no_ect;
    kv_sim_set_link(run->sim, 0, &run->link);
}

/* Proves: on a path that swallows datagrams with an ECN field none but pings has one, and nothing
 * is any slower for it than on one that does not. */
static void
test_swallowed(void)
{
    KvSimLink link = {.delay = 20 * MS};
    guint received[2], repeats[2];

    for (guint i = 0; i < 2; i++) {
        KvStats stats;
        Run run;

        link.no_ect = i == 1;
        run_init(&run, &link);
        run.client.to_send = FOREVER;
        run.client.interval = 2 * MS;
        run_for(&run, 10 * S);
        kv_native_get_stats(run.client.native, &stats);
        received[i] = run.server.received;
        repeats[i] = (guint) (stats.kcp_retransmits_fast + stats.kcp_retransmits_timeout);
        if (i == 0)
            g_assert_cmpuint(count_ect(&run), >, run.client.wrote * 9 / 10);
        else
            g_assert_cmpuint(count_ect(&run), ==, 5);
        run_clear(&run);
    }
    g_test_message("packets %u and %u, repeats %u and %u", received[0], received[1], repeats[0],
                   repeats[1]);
    g_assert_cmpuint(received[1], ==, received[0]);
    g_assert_cmpuint(repeats[1], ==, 0);
}

/* Proves: a path that begins to swallow what has an ECN field is found out in 7 s, in which what
 * was lost is repeated without one; a minute after it has mended datagrams have one again. */
static void
test_swallowed_later(void)
{
    static const KvSimLink link = {.delay = 20 * MS};
    KvTime found, mended;
    guint before;
    Run run;

    run_init(&run, &link);
    run.client.to_send = FOREVER;
    run.client.interval = 2 * MS;
    run_for(&run, 10 * S);
    before = run.server.received;
    set_no_ect(&run, TRUE);
    run_for(&run, 2 * S);
    g_assert_cmpuint(run.server.received - before, >, 900);
    found = 2 * S + wait_for_ect(&run, FALSE, 7 * S);
    before = run.server.received;
    run_for(&run, 10 * S);
    g_assert_cmpuint(run.server.received - before, >, 4900);
    set_no_ect(&run, FALSE);
    mended = wait_for_ect(&run, TRUE, 62 * S);
    g_test_message("found out after %u s, mended after %u s", (guint) (found / S),
                   (guint) (mended / S));
    run_clear(&run);
}

/* What came through in some time, and how long it stood in the queue. */
typedef struct {
    double rate;  /* of inner packets, Mbit/s */
    double queue; /* mean, ms */
} Measure;

static Measure
measure(Run *run, KvTime time)
{
    const KvSimCounts *counts = kv_sim_get_counts(run->sim, 0);
    guint received = run->server.received;
    uint64_t queue = counts->queue_us_sum, sent = counts->sent;
    Measure measure;

    run_for(run, time);
    measure.rate = (double) (run->server.received - received) * PACKET * 8 / (double) time;
    measure.queue = (double) (counts->queue_us_sum - queue) / (double) (counts->sent - sent) / 1e3;
    return measure;
}

static void
run_init_bulk(Run *run)
{
    static const KvSimLink link = {
        .delay = 20 * MS, .rate = 20000000, .queue_bytes = 300000, .codel_target = 5 * MS};

    run_init(run, &link);
    run->client.to_send = FOREVER;
    run->client.size_min = run->client.size_max = PACKET;
    run->server.is_lenient = TRUE;
}

/* Proves: behind a queue that is managed by marks a transfer fills the path, and nothing is lost;
 * when the path becomes slower the queue is short again within two seconds, where it would be 40 ms
 * five seconds long if marks were told only to the senders inside. */
static void
test_marks(void)
{
    const KvSimCounts *counts;
    Measure full, slower, after;
    Run run;

    run_init_bulk(&run);
    counts = kv_sim_get_counts(run.sim, 0);
    run_for(&run, 2 * S);
    full = measure(&run, 12 * S);
    run.link.rate = 8000000;
    kv_sim_set_link(run.sim, 0, &run.link);
    slower = measure(&run, 2 * S);
    after = measure(&run, 13 * S);
    g_test_message(
        "%.1f Mbit/s and %.1f ms; when slower %.1f and %.1f, then %.1f and %.1f; %u marks",
        full.rate, full.queue, slower.rate, slower.queue, after.rate, after.queue,
        (guint) counts->marked);
    g_assert_cmpfloat(full.rate, >, 18);
    g_assert_cmpfloat(full.queue, <, 5);
    g_assert_cmpfloat(slower.rate, >, 5.5);
    g_assert_cmpfloat(after.rate, >, 7);
    g_assert_cmpfloat(after.queue, <, 5);
    g_assert_cmpuint(counts->marked, >, 0);
    g_assert_cmpuint(counts->queue_drops, ==, 0);
    run_clear(&run);
}

/* Proves: a path that marks whatever comes does not slow the tunnel down for longer than it takes
 * to find that out. */
static void
test_all_marked(void)
{
    Measure measured;
    Run run;

    run_init_bulk(&run);
    run.server.congested = TRUE;
    run_for(&run, 8 * S);
    measured = measure(&run, 10 * S);
    g_test_message("%.1f Mbit/s", measured.rate);
    g_assert_cmpfloat(measured.rate, >, 18);
    run_clear(&run);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sim/native-ecn/swallowed", test_swallowed);
    g_test_add_func("/sim/native-ecn/swallowed-later", test_swallowed_later);
    g_test_add_func("/sim/native-ecn/marks", test_marks);
    g_test_add_func("/sim/native-ecn/all-marked", test_all_marked);
    return kv_test_main(&argc, &argv);
}
