/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"

/* What a path does to an association while it carries: other addresses, smaller sizes; and keys
 * that change under load. Packets are numbered: each arrives once and in its flow's order, or the
 * test fails. */

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START (1000 * S)
#define RTT   (30 * MS)
#define YEAR  (365 * UINT64_C(86400000000)) /* us */

typedef struct {
    KvNativeEnd ends[2]; /* client and server */
    KvSim *sim;
} Run;

enum { CLIENT, SERVER };

static void
run_init(Run *run, const KvSimLink *link)
{
    uint64_t seed = kv_test_get_seed();

    kv_native_ends_init(&run->ends[CLIENT], &run->ends[SERVER], TRUE, seed + 1);
    run->sim = kv_sim_new(seed, START);
    for (guint i = 0; i < 2; i++) {
        kv_sim_attach(run->sim, i, &kv_native_end_machine, &run->ends[i]);
        kv_sim_set_link(run->sim, i, link);
        run->ends[i].strays = TRUE;
    }
}

static void
run_start(Run *run)
{
    kv_native_end_start(&run->ends[SERVER], START);
    kv_native_end_start(&run->ends[CLIENT], START);
    kv_sim_poke(run->sim, CLIENT);
}

static void
run_clear(Run *run)
{
    kv_sim_free(run->sim);
    kv_native_end_clear(&run->ends[CLIENT]);
    kv_native_end_clear(&run->ends[SERVER]);
}

static void
set_links(Run *run, const KvSimLink *link)
{
    kv_sim_set_link(run->sim, CLIENT, link);
    kv_sim_set_link(run->sim, SERVER, link);
}

static void
run_for(Run *run, KvTime time)
{
    kv_sim_poke(run->sim, CLIENT);
    kv_sim_poke(run->sim, SERVER);
    kv_sim_run(run->sim, kv_sim_get_now(run->sim) + time, NULL, NULL);
}

static gboolean
is_all_there(void *data)
{
    Run *run = data;

    return run->ends[CLIENT].received >= run->ends[SERVER].to_send &&
           run->ends[SERVER].received >= run->ends[CLIENT].to_send;
}

/* Returns: how long it took until all was there. */
static KvTime
run_to_end(Run *run, KvTime limit)
{
    KvTime start = kv_sim_get_now(run->sim);

    kv_sim_poke(run->sim, CLIENT);
    kv_sim_poke(run->sim, SERVER);
    g_assert_true(kv_sim_run(run->sim, start + limit, is_all_there, run));
    return kv_sim_get_now(run->sim) - start;
}

static void
send_both_ways(Run *run, guint packets, KvTime interval)
{
    for (guint i = 0; i < 2; i++) {
        run->ends[i].to_send += packets;
        run->ends[i].interval = interval;
    }
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Proves: keys change under load of three hundred packets a second both ways, over a path that
 * loses none or some, and not one packet is lost or doubled. */
static void
test_rekey(gconstpointer loss)
{
    KvSimLink link = {.delay = RTT / 2, .loss = GPOINTER_TO_INT(loss) / 100.0};
    const guint packets = 80000;
    Run run;

    run_init(&run, &link);
    send_both_ways(&run, packets, 10 * MS / 3);
    run_start(&run);
    run_to_end(&run, 270 * S);
    g_test_message("%u packets each way at %d %% loss, %u changes of sessions, 0 lost, 0 doubled",
                   packets, GPOINTER_TO_INT(loss), run.ends[CLIENT].n_events[KV_EVENT_SESSIONS]);
    /* Three sessions came, of which at least one went. */
    g_assert_cmpuint(run.ends[CLIENT].n_events[KV_EVENT_SESSIONS], >=, 4);
    g_assert_cmpuint(run.ends[CLIENT].n_events[KV_EVENT_RECONFIGURED], ==, 0);
    g_assert_cmpuint(run.ends[SERVER].received, ==, packets);
    g_assert_cmpuint(run.ends[CLIENT].received, ==, packets);
    run_clear(&run);
}

/* Proves: a client whose clock was set a year back, and that has forgotten its last number, is in
 * after one round trip more than others; and again when the clock is right once more. */
static void
test_clock(void)
{
    const uint64_t today = 56 * YEAR;
    const struct {
        const char *name;
        uint64_t clock;
        KvTime most;
    } cases[] = {
        {"right", today, RTT + RTT / 2},
        {"a year back", today - YEAR, 2 * RTT + RTT / 2},
        {"right again", today + 60 * S, RTT + RTT / 2},
        {"a year ahead", today + YEAR, RTT + RTT / 2},
        {"and back", today + 120 * S, 2 * RTT + RTT / 2},
    };
    KvSimLink link = {.delay = RTT / 2};
    Run run;

    run_init(&run, &link);
    for (guint i = 0; i < 2; i++)
        run.ends[i].may_skip = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvTime took;

        run.ends[CLIENT].last_number = cases[i].clock;
        if (i == 0)
            run_start(&run);
        else
            kv_native_end_restart(&run.ends[CLIENT], kv_sim_get_now(run.sim));
        run.ends[CLIENT].to_send = run.ends[CLIENT].sent + 1;
        run.ends[SERVER].received = 0;
        run.ends[SERVER].to_send = run.ends[CLIENT].received;
        took = kv_sim_get_now(run.sim);
        kv_sim_poke(run.sim, CLIENT);
        while (run.ends[SERVER].received == 0 && kv_sim_get_now(run.sim) - took < 10 * S)
            run_for(&run, MS);
        took = kv_sim_get_now(run.sim) - took;
        g_test_message("clock %s: the first packet arrives after %u ms", cases[i].name,
                       (guint) (took / MS));
        g_assert_cmpuint(took, <=, cases[i].most + 2 * MS);
        run_for(&run, 10 * S);
    }
    run_clear(&run);
}

/* --- sizes ---------------------------------------------------------------------------------- */

/* Proves: a path that begins to swallow long datagrams stops what it carries for no more than three
 * seconds; only packets that were on their way, and fit it no more, are lost. */
static void
test_size_hole(void)
{
    static const guint sizes[] = {1380, 1320, 1280, 1240};
    KvSimLink link = {.delay = RTT / 2};
    Run run;

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        KvTime longest = 0, last;
        guint received, lost;

        link.size_max = 0;
        run_init(&run, &link);
        for (guint j = 0; j < 2; j++) {
            run.ends[j].size_min = 1000;
            run.ends[j].may_skip = TRUE;
        }
        run_start(&run);
        send_both_ways(&run, 400, 50 * MS);
        run_to_end(&run, 30 * S);
        g_assert_cmpuint(kv_native_get_packet_max(run.ends[CLIENT].native), >, 1300);
        link.size_max = sizes[i];
        set_links(&run, &link);
        send_both_ways(&run, 400, 50 * MS);
        received = run.ends[SERVER].received;
        last = kv_sim_get_now(run.sim);
        while (run.ends[CLIENT].sent < 800 && kv_sim_get_now(run.sim) < START + 100 * S) {
            run_for(&run, 10 * MS);
            if (run.ends[SERVER].received > received) {
                received = run.ends[SERVER].received;
                last = kv_sim_get_now(run.sim);
            }
            longest = MAX(longest, kv_sim_get_now(run.sim) - last);
        }
        run_for(&run, S);
        lost = 800 - run.ends[SERVER].received;
        g_test_message("a path that takes %u bytes suddenly: nothing for %u ms at most, %u lost",
                       sizes[i], (guint) (longest / MS), lost);
        g_assert_cmpuint(longest, <=, 3000 * MS);
        g_assert_cmpuint(lost, <=, 3000 / 50);
        run_clear(&run);
    }
}

/* --- addresses ------------------------------------------------------------------------------- */

static void
move_client(Run *run, const KvEndpoint *to)
{
    run->ends[CLIENT].address = *to;
    run->ends[SERVER].peer_address = *to;
}

/* Proves: a client that moves between the families while both send is followed, and nothing is
 * lost. */
static void
test_roaming(void)
{
    static const KvEndpoint places[] = {
        {.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 7}, .port = 4000},
        {.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, .port = 4000},
    };
    KvSimLink link = {.delay = RTT / 2};
    Run run;

    run_init(&run, &link);
    move_client(&run, &places[0]);
    run_start(&run);
    send_both_ways(&run, 4000, 10 * MS);
    for (guint i = 1; i <= 6; i++) {
        run_for(&run, 5 * S);
        move_client(&run, &places[i % 2]);
    }
    run_to_end(&run, 30 * S);
    g_test_message("%u moves between IPv4 and IPv6, 0 of 8000 packets lost",
                   run.ends[SERVER].n_events[KV_EVENT_MOVED]);
    g_assert_cmpuint(run.ends[SERVER].n_events[KV_EVENT_MOVED], ==, 6);
    g_assert_cmpuint(run.ends[CLIENT].n_events[KV_EVENT_RECONFIGURED], ==, 0);
    run_clear(&run);
}

/* 10 MB from the server to the client at 10 Mbit/s, the client's NAT giving it another port each
 * @interval; 0: never. */
static KvTime
transfer_behind_nat(KvTime interval)
{
    KvSimLink link = {.delay = RTT / 2, .rate = 10000000, .queue_bytes = 100000};
    KvTime took = 0;
    Run run;

    run_init(&run, &link);
    run.ends[SERVER].size_min = run.ends[SERVER].size_max = 1250;
    run.ends[CLIENT].size_min = run.ends[CLIENT].size_max = 1250;
    run_start(&run);
    run.ends[CLIENT].to_send = 8;
    run_to_end(&run, 10 * S);
    run.ends[SERVER].to_send = 8000;
    while (!is_all_there(&run)) {
        KvEndpoint to = run.ends[CLIENT].address;

        to.port++;
        kv_sim_poke(run.sim, SERVER);
        took += interval;
        if (kv_sim_run(run.sim, kv_sim_get_now(run.sim) + (interval > 0 ? interval : 100 * S),
                       is_all_there, &run))
            break;
        move_client(&run, &to);
        g_assert_cmpuint(took, <, 100 * S);
    }
    took = kv_sim_get_now(run.sim) - START;
    run_clear(&run);
    return took;
}

/* Proves: a NAT that gives another port each second, or each five, costs a transfer no more than a
 * tenth of its time. */
static void
test_rebinding(void)
{
    KvTime clean = transfer_behind_nat(0);

    for (guint seconds = 1; seconds <= 5; seconds += 4) {
        KvTime took = transfer_behind_nat(seconds * S);

        g_test_message("10 MB at 10 Mbit/s: %.2f s with another port each %u s, %.2f s without",
                       (double) took / S, seconds, (double) clean / S);
        g_assert_cmpfloat((double) took, <=, 1.1 * (double) clean);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_data_func("/sim/native-path/rekey/clean", GINT_TO_POINTER(0), test_rekey);
    g_test_add_data_func("/sim/native-path/rekey/loss-3", GINT_TO_POINTER(3), test_rekey);
    g_test_add_func("/sim/native-path/clock", test_clock);
    g_test_add_func("/sim/native-path/size-hole", test_size_hole);
    g_test_add_func("/sim/native-path/roaming", test_roaming);
    g_test_add_func("/sim/native-path/rebinding", test_rebinding);
    return kv_test_main(&argc, &argv);
}
