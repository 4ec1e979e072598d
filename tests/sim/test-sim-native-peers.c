/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"

#include <string.h>

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START (1000 * S)

#define AT_ONCE_RUNS 1000

typedef struct {
    KvNativeEnd ends[2];
    KvSim *sim;
} Run;

static KvSimLink clean = {.delay = 15 * MS};
static KvSimLink down = {.down = TRUE};

static void
run_init(Run *run, const KvSimLink *link, uint64_t seed)
{
    kv_native_peers_init(&run->ends[0], &run->ends[1], seed + 1);
    run->sim = kv_sim_new(seed, START);
    for (guint i = 0; i < 2; i++) {
        kv_sim_attach(run->sim, i, &kv_native_end_machine, &run->ends[i]);
        kv_sim_set_link(run->sim, i, link);
        run->ends[i].may_skip = TRUE;
        run->ends[i].interval = 10 * MS;
    }
}

static void
run_start(Run *run)
{
    for (guint i = 0; i < 2; i++)
        kv_native_end_start(&run->ends[i], kv_sim_get_now(run->sim));
}

static void
run_clear(Run *run)
{
    kv_sim_free(run->sim);
    kv_native_end_clear(&run->ends[0]);
    kv_native_end_clear(&run->ends[1]);
}

static void
run_for(Run *run, KvTime time)
{
    kv_sim_poke(run->sim, 0);
    kv_sim_poke(run->sim, 1);
    kv_sim_run(run->sim, kv_sim_get_now(run->sim) + time, NULL, NULL);
}

static void
set_links(Run *run, const KvSimLink *link)
{
    kv_sim_set_link(run->sim, 0, link);
    kv_sim_set_link(run->sim, 1, link);
}

/* Has @end send @n packets more, and all of them arrive in @time. */
static void
assert_sends(Run *run, guint end, guint n, KvTime time)
{
    KvNativeEnd *to = &run->ends[1 - end];
    guint received = to->received;

    run->ends[end].to_send = run->ends[end].sent + n;
    run->ends[end].next_send = kv_sim_get_now(run->sim);
    run_for(run, time);
    g_assert_cmpuint(to->received - received, ==, n);
}

static void
assert_agree(Run *run)
{
    kv_test_assert_bytes(kv_native_get_association(run->ends[0].native), KV_NATIVE_ID_BYTES,
                         kv_native_get_association(run->ends[1].native), KV_NATIVE_ID_BYTES,
                         "association");
}

/* Proves: two that begin within a tenth of a second of each other have the same association in less
 * than a second, whoever has the greater key, and lose nothing, nor bring it twice. */
static void
test_at_once(void)
{
    uint64_t seed = kv_test_get_seed();
    guint both = 0;

    for (guint i = 0; i < AT_ONCE_RUNS; i++) {
        Run run;

        run_init(&run, &clean, seed + i * 2);
        kv_native_end_start(&run.ends[0], START);
        run.ends[0].to_send = run.ends[1].to_send = 16;
        run_for(&run, (i % 100) * MS / 2);
        kv_native_end_start(&run.ends[1], kv_sim_get_now(run.sim));
        run_for(&run, S);
        assert_agree(&run);
        g_assert_cmpuint(run.ends[0].received, ==, 16);
        g_assert_cmpuint(run.ends[1].received, ==, 16);
        both += run.ends[0].n_events[KV_EVENT_RECONFIGURED] > 0 ||
                run.ends[1].n_events[KV_EVENT_RECONFIGURED] > 0;
        assert_sends(&run, 0, 8, S);
        assert_sends(&run, 1, 8, S);
        g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_LOST], ==, 0);
        g_assert_cmpuint(run.ends[1].n_events[KV_EVENT_LOST], ==, 0);
        run_clear(&run);
    }
    g_test_message("%u of %u began over", both, AT_ONCE_RUNS);
    g_assert_cmpuint(both, >, 0);
}

/* Proves: the same over a path that loses a fifth: within 25 s both agree, and all has arrived. */
static void
test_at_once_lossy(void)
{
    KvSimLink lossy = {.delay = 15 * MS, .loss = 0.2};
    uint64_t seed = kv_test_get_seed();
    guint lost = 0;

    for (guint i = 0; i < AT_ONCE_RUNS / 10; i++) {
        Run run;

        run_init(&run, &lossy, seed + i * 2);
        run_start(&run);
        run.ends[0].to_send = run.ends[1].to_send = 500;
        run_for(&run, 25 * S);
        lost += 1000 - run.ends[0].received - run.ends[1].received;
        set_links(&run, &clean);
        run_for(&run, S);
        assert_agree(&run);
        assert_sends(&run, 0, 8, S);
        assert_sends(&run, 1, 8, S);
        run_clear(&run);
    }
    g_assert_cmpuint(lost, ==, 0);
}

/* Proves: nothing leaves one that does not know where the other is, until that one came; then both
 * send. */
static void
test_one_endpoint(void)
{
    Run run;

    run_init(&run, &clean, kv_test_get_seed());
    run.ends[0].params.remote.port = 0;
    run_start(&run);
    run.ends[0].to_send = 1;
    run_for(&run, 60 * S);
    g_assert_cmpuint(run.ends[0].wrote, ==, 0);
    g_assert_cmpuint(run.ends[0].sent, ==, 0);
    run.ends[0].to_send = 0;
    assert_sends(&run, 1, 8, S);
    assert_sends(&run, 0, 8, S);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_CONFIGURED], ==, 1);
    run_clear(&run);
}

/* Proves: one behind a NAT that forgets in 30 s is reached at any time, if it has a keepalive, and
 * begins by itself; without one it is not. */
static void
test_nat(void)
{
    for (guint with = 0; with < 2; with++) {
        Run run;

        run_init(&run, &clean, kv_test_get_seed());
        run.ends[0].nat_time = 30 * S;
        run.ends[0].params.keepalive = with ? 25 * S : 0;
        run.ends[1].params.remote.port = 0;
        run_start(&run);
        run.ends[0].to_send = 1;
        run_for(&run, with ? 1200 * S : 100 * S);
        g_assert_cmpuint(run.ends[1].received, ==, 1);
        if (with) {
            assert_sends(&run, 1, 8, S);
        } else {
            run.ends[1].to_send = 8;
            run_for(&run, 20 * S);
            g_assert_cmpuint(run.ends[0].received, ==, 0);
        }
        run_clear(&run);
    }
}

/* Proves: with a keepalive an end begins without a packet. */
static void
test_keepalive(void)
{
    Run run;

    run_init(&run, &clean, kv_test_get_seed());
    run.ends[1].params.keepalive = 25 * S;
    run_start(&run);
    run_for(&run, S);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_CONFIGURED], ==, 1);
    run_clear(&run);
}

/* Proves: whichever end is started again, whoever has something to send, packets flow again soon:
 * one that was not forgotten is told so, one that has forgotten begins anew. */
static void
test_restart(void)
{
    for (guint who = 0; who < 2; who++) {
        for (guint sender = 0; sender < 2; sender++) {
            Run run;

            run_init(&run, &clean, kv_test_get_seed() + who * 2 + sender);
            run_start(&run);
            assert_sends(&run, 0, 8, S);
            run_for(&run, 20 * S);
            kv_native_end_restart(&run.ends[who], kv_sim_get_now(run.sim));
            run.ends[sender].to_send = run.ends[sender].sent + 1;
            run_for(&run, 200 * MS);
            assert_sends(&run, sender, 8, S);
            assert_sends(&run, 1 - sender, 8, S);
            assert_agree(&run);
            run_clear(&run);
        }
    }
}

/* Proves: one that is started again at once, before the other takes what it did first for old, is
 * lost for six seconds at most. */
static void
test_restart_at_once(void)
{
    for (guint who = 0; who < 2; who++) {
        Run run;

        run_init(&run, &clean, kv_test_get_seed() + who);
        run_start(&run);
        assert_sends(&run, who, 8, S);
        kv_native_end_restart(&run.ends[who], kv_sim_get_now(run.sim));
        run.ends[who].to_send = run.ends[who].sent + 1;
        run_for(&run, 6 * S);
        assert_sends(&run, 0, 8, S);
        assert_sends(&run, 1, 8, S);
        assert_agree(&run);
        run_clear(&run);
    }
}

/* Proves: both may move, one after the other, and packets flow on both ways. */
static void
test_roaming(void)
{
    Run run;

    run_init(&run, &clean, kv_test_get_seed());
    run_start(&run);
    run.ends[0].strays = run.ends[1].strays = TRUE;
    assert_sends(&run, 0, 8, S);
    for (guint i = 0; i < 6; i++) {
        KvNativeEnd *mover = &run.ends[i % 2];
        KvNativeEnd *other = &run.ends[1 - i % 2];

        other->peer_address.port = mover->address.port = (uint16_t) (2000 + i);
        assert_sends(&run, i % 2, 8, S);
        assert_sends(&run, 1 - i % 2, 8, S);
        g_assert_cmpuint(other->n_events[KV_EVENT_MOVED], ==, 1 + i / 2);
    }
    run_clear(&run);
}

/* Proves: nobody is asked for ever: after a minute and a half without an answer there is silence,
 * what waited is gone, and the next packet finds the other end again. */
static void
test_nobody(void)
{
    Run run;
    guint wrote;

    run_init(&run, &down, kv_test_get_seed());
    run_start(&run);
    run.ends[0].to_send = 3;
    run_for(&run, 100 * S);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_UNANSWERED], >=, 3);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_LOST], ==, 1);
    g_assert_cmpint(run.ends[0].last_event.reason, ==, KV_REASON_HANDSHAKE_TIMEOUT);
    wrote = run.ends[0].wrote;
    set_links(&run, &clean);
    run_for(&run, 600 * S);
    g_assert_cmpuint(run.ends[0].wrote, ==, wrote);
    assert_sends(&run, 0, 8, S);
    run_clear(&run);
}

/* Proves: where the other end is called can be told while it does not answer. */
static void
test_call(void)
{
    static const KvEndpoint elsewhere = {.ip = {0xfd, 9}, .port = 9};
    KvEndpoint home;
    Run run;

    run_init(&run, &clean, kv_test_get_seed());
    home = run.ends[0].peer_address;
    run.ends[0].params.remote = elsewhere;
    run.ends[0].strays = TRUE;
    run_start(&run);
    run.ends[0].to_send = 8;
    run_for(&run, 10 * S);
    g_assert_cmpuint(run.ends[1].received, ==, 0);
    kv_native_call(run.ends[0].native, &home, kv_sim_get_now(run.sim));
    run_for(&run, 6 * S);
    g_assert_cmpuint(run.ends[1].received, ==, 8);
    run_clear(&run);
}

/* Proves: one that ends in good order is known to have gone, and is found again when it is back. */
static void
test_close(void)
{
    Run run;

    run_init(&run, &clean, kv_test_get_seed());
    run_start(&run);
    assert_sends(&run, 0, 8, S);
    kv_native_close(run.ends[1].native, KV_CLOSE_GOING_DOWN, kv_sim_get_now(run.sim));
    run_for(&run, S);
    g_assert_cmpuint(run.ends[1].n_events[KV_EVENT_CLOSED], ==, 1);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_CLOSED], ==, 0);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_LOST], ==, 1);
    g_assert_cmpint(run.ends[0].last_event.reason, ==, KV_REASON_PEER_CLOSED);
    kv_native_end_restart(&run.ends[1], kv_sim_get_now(run.sim));
    assert_sends(&run, 0, 8, S);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_CONFIGURED], ==, 2);
    run_clear(&run);
}

/* Proves: peers whose interfaces are of different modes are told so, and ask no more than each five
 * seconds. */
static void
test_modes_differ(void)
{
    Run run;

    run_init(&run, &clean, kv_test_get_seed());
    run.ends[1].params.mode = KV_VNI_MODE_TAP;
    run_start(&run);
    run.ends[0].to_send = 6000;
    run_for(&run, 60 * S);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_LOST], >=, 10);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_LOST], <=, 13);
    g_assert_cmpint(run.ends[0].last_event.reason, ==, KV_REASON_REFUSED);
    g_assert_cmpuint(kv_native_get_remote_config(run.ends[0].native)->refusal, ==, KV_REFUSED_MODE);
    run_clear(&run);
}

/* Proves: keys change under load both ways, and nothing is lost for it; then an hour of silence, in
 * which not a datagram leaves, and packets again. */
static void
test_rekey_and_silence(void)
{
    Run run;
    guint wrote;

    run_init(&run, &clean, kv_test_get_seed());
    run_start(&run);
    assert_sends(&run, 1, 1, S);
    run.ends[0].may_skip = run.ends[1].may_skip = FALSE;
    run.ends[0].interval = run.ends[1].interval = 20 * MS;
    run.ends[1].to_send = 20001;
    assert_sends(&run, 0, 20000, 401 * S);
    g_assert_cmpuint(run.ends[0].received, ==, 20001);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_SESSIONS], >=, 6);
    g_assert_cmpuint(run.ends[0].n_events[KV_EVENT_RECONFIGURED], ==, 0);
    run_for(&run, 60 * S);
    wrote = run.ends[0].wrote + run.ends[1].wrote;
    run_for(&run, 3600 * S);
    g_assert_cmpuint(run.ends[0].wrote + run.ends[1].wrote, ==, wrote);
    assert_sends(&run, 0, 8, S);
    assert_sends(&run, 1, 8, S);
    run_clear(&run);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sim/native-peers/at-once", test_at_once);
    g_test_add_func("/sim/native-peers/at-once-lossy", test_at_once_lossy);
    g_test_add_func("/sim/native-peers/one-endpoint", test_one_endpoint);
    g_test_add_func("/sim/native-peers/nat", test_nat);
    g_test_add_func("/sim/native-peers/keepalive", test_keepalive);
    g_test_add_func("/sim/native-peers/restart", test_restart);
    g_test_add_func("/sim/native-peers/restart-at-once", test_restart_at_once);
    g_test_add_func("/sim/native-peers/roaming", test_roaming);
    g_test_add_func("/sim/native-peers/nobody", test_nobody);
    g_test_add_func("/sim/native-peers/call", test_call);
    g_test_add_func("/sim/native-peers/close", test_close);
    g_test_add_func("/sim/native-peers/modes-differ", test_modes_differ);
    g_test_add_func("/sim/native-peers/rekey-and-silence", test_rekey_and_silence);
    return kv_test_main(&argc, &argv);
}
