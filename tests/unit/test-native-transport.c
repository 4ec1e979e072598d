/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-pair.h"

#define CLIENT 0
#define SERVER 1

/* --- the table of section 8 ----------------------------------------------------------------- */

/* Two ends that have shaken hands, @after that. */
static void
start(KvPair *pair, KvTime after)
{
    kv_pair_init(pair);
    kv_pair_handshake(pair, CLIENT);
    kv_pair_run(pair, after);
}

/* Proves: who carries nothing says nothing: no ping, no keepalive, no handshake. */
static void
test_silence(void)
{
    KvPair pair;

    start(&pair, 5 * KV_TIME_S);
    pair.ends[CLIENT].sent = pair.ends[SERVER].sent = 0;
    kv_pair_run(&pair, 500 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].sent + pair.ends[SERVER].sent, ==, 0);
    g_assert_cmpuint(pair.ends[CLIENT].begins + pair.ends[SERVER].begins, ==, 0);
    kv_pair_clear(&pair);
}

/* Proves: the initiator alone begins a handshake when the session is 120 s old, not before, and
 * only if it carries something then; whoever sends it. */
static void
test_rekey(void)
{
    for (guint sender = 0; sender < 2; sender++) {
        KvPair pair;

        kv_pair_init(&pair);
        pair.handshakes = FALSE;
        kv_pair_handshake(&pair, CLIENT);
        pair.ends[sender].interval = 5 * KV_TIME_S;
        kv_pair_run(&pair, 119 * KV_TIME_S);
        g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
        pair.ends[sender].interval = 0;
        kv_pair_run(&pair, 30 * KV_TIME_S);
        g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
        kv_pair_send(&pair, sender);
        kv_pair_run(&pair, KV_TIME_S);
        g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
        g_assert_cmpuint(pair.ends[SERVER].begins, ==, 0);
        kv_pair_send(&pair, sender);
        kv_pair_run(&pair, KV_TIME_S);
        g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
        kv_pair_clear(&pair);
    }
}

/* Proves: at 180 s a session neither sends nor takes, its keys are gone, and three times that after
 * its begin the association is over, once. */
static void
test_end(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    pair.handshakes = FALSE;
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, 180 * KV_TIME_S - 10 * KV_TIME_MS);
    kv_pair_send(&pair, CLIENT); /* in time, but what comes is too late */
    g_assert_cmpuint(pair.ends[CLIENT].numbers, ==, 1);
    g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 1);
    kv_pair_run(&pair, 10 * KV_TIME_MS);
    g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 0);
    g_assert_cmpuint(kv_pair_sessions(&pair, SERVER), ==, 0);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, 0);
    kv_pair_send(&pair, SERVER);
    g_assert_cmpuint(pair.ends[SERVER].numbers, ==, 0);
    g_assert_cmpuint(pair.ends[SERVER].begins, ==, 0);
    kv_pair_run(&pair, 358 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].expiries + pair.ends[SERVER].expiries, ==, 0);
    kv_pair_run(&pair, 1 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].expiries, ==, 1);
    g_assert_cmpuint(pair.ends[SERVER].expiries, ==, 1);
    kv_pair_run(&pair, 1000 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].expiries, ==, 1);
    kv_pair_clear(&pair);
}

/* Proves: after the last counter a new session is needed, and comes. */
static void
test_counter_end(void)
{
    KvPair pair;

    start(&pair, KV_TIME_S);
    pair.ends[CLIENT].last->next_counter = KV_SEAL_COUNTER_MAX;
    kv_pair_send(&pair, CLIENT);
    g_assert_cmpuint(pair.ends[CLIENT].numbers, ==, 0);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, 1);
    kv_pair_clear(&pair);
}

/* Proves: data that nobody answers brings one empty datagram after 10 s, which brings nothing. */
static void
test_passive_keepalive(void)
{
    KvPair pair;

    start(&pair, 5 * KV_TIME_S);
    pair.ends[CLIENT].sent = pair.ends[SERVER].sent = 0;
    pair.ends[SERVER].empties = 0;
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 3 * KV_TIME_S);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 7 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[SERVER].empties, ==, 0);
    kv_pair_run(&pair, 50 * KV_TIME_MS);
    g_assert_cmpuint(pair.ends[SERVER].empties, ==, 1);
    kv_pair_run(&pair, 100 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[SERVER].sent, ==, 1);
    g_assert_cmpuint(pair.ends[CLIENT].sent, ==, 2);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
    kv_pair_clear(&pair);
}

/* Proves: a keepalive pings when nothing else goes out, and keeps the association for ever. */
static void
test_keepalive(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    pair.ends[CLIENT].config.keepalive = 25 * KV_TIME_S;
    kv_pair_restart(&pair, CLIENT);
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    pair.ends[CLIENT].pings = 0;
    kv_pair_run(&pair, 100 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].pings, ==, 4);
    g_assert_cmpuint(pair.ends[CLIENT].empties, ==, 0);
    pair.ends[CLIENT].interval = KV_TIME_S;
    pair.ends[CLIENT].pings = 0;
    kv_pair_run(&pair, 15 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].pings, ==, 0);
    pair.ends[CLIENT].interval = 0;
    kv_pair_run(&pair, 3600 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, >=, 3600 / 150);
    g_assert_cmpuint(pair.ends[CLIENT].begins, <=, 3600 / 120 + 1);
    g_assert_cmpuint(kv_pair_sessions(&pair, SERVER), >=, 1);
    g_assert_cmpuint(pair.ends[SERVER].expiries, ==, 0);
    kv_pair_clear(&pair);
}

/* Proves: 14 s without an answer, with something asked, begin a handshake; one that fails is
 * begun again when there is something to send, 5 s later at the earliest; a keepalive is enough. */
static void
test_dead_peer(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    pair.handshakes = FALSE;
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, 5 * KV_TIME_S);
    pair.ends[SERVER].down = TRUE;
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 10 * KV_TIME_S);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 4 * KV_TIME_S - 1);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
    kv_pair_run(&pair, 1);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 60 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    kv_transport_handshake_failed(pair.ends[CLIENT].transport, pair.now);
    kv_pair_run(&pair, 30 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 15 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 2);
    kv_transport_handshake_failed(pair.ends[CLIENT].transport, pair.now);
    kv_pair_run(&pair, 100 * KV_TIME_S); /* no session is left */
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 1);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 3);
    kv_transport_handshake_failed(pair.ends[CLIENT].transport, pair.now);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 5 * KV_TIME_S - 2);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 3);
    kv_pair_run(&pair, 2);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 4);
    kv_pair_clear(&pair);
}

/* Proves: an end whose network has changed asks at once, and has little patience for one answer; on
 * a long path more, and after an answer as much as ever. */
static void
test_poked(void)
{
    KvPair pair;
    KvTransport *client;

    kv_pair_init(&pair);
    pair.handshakes = FALSE;
    kv_pair_handshake(&pair, CLIENT);
    client = pair.ends[CLIENT].transport;
    kv_pair_run(&pair, KV_TIME_S);
    pair.ends[CLIENT].pings = 0;
    kv_transport_poke(client, pair.now);
    kv_pair_run(&pair, 10 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].pings, ==, 1);
    pair.ends[SERVER].down = TRUE;
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 10 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
    /* What was asked long ago says nothing of the new way. */
    kv_transport_set_rtt(client, KV_TIME_S);
    kv_transport_poke(client, pair.now);
    kv_pair_run(&pair, 500 * KV_TIME_MS);
    kv_transport_set_rtt(client, 50 * KV_TIME_MS);
    kv_pair_run(&pair, 3 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
    kv_transport_poke(client, pair.now);
    kv_pair_run(&pair, 2 * KV_TIME_S - 1);
    g_assert_cmpuint(pair.ends[CLIENT].pings, ==, 3);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
    kv_pair_run(&pair, 1);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    kv_pair_clear(&pair);
}

/* Proves: one that sends all the time, and answers nothing by that, answers each 10 s all the same;
 * and one that hears but is not answered begins a handshake after 14 s. */
static void
test_unanswered(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    pair.handshakes = pair.data_answers = FALSE;
    kv_pair_handshake(&pair, CLIENT);
    pair.ends[CLIENT].interval = pair.ends[SERVER].interval = KV_TIME_S;
    kv_pair_run(&pair, 100 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].empties, >=, 8);
    g_assert_cmpuint(pair.ends[SERVER].empties, >=, 8);
    g_assert_cmpuint(pair.ends[CLIENT].empties + pair.ends[SERVER].empties, <=, 20);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
    pair.ends[CLIENT].down = TRUE;
    kv_pair_run(&pair, 26 * KV_TIME_S); /* its last empty datagram may be 10 s off */
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    g_assert_cmpuint(pair.ends[SERVER].begins, ==, 0);
    kv_pair_clear(&pair);
}

/* Proves: whose answers seem to get lost asks, each 5 s at most; a server, which could do nothing
 * about it, does not. */
static void
test_doubt(void)
{
    KvPair pair;

    start(&pair, 5 * KV_TIME_S);
    pair.ends[CLIENT].pings = pair.ends[SERVER].pings = 0;
    for (guint i = 0; i < 200; i++) {
        kv_transport_doubt(pair.ends[CLIENT].transport, pair.now);
        kv_transport_doubt(pair.ends[SERVER].transport, pair.now);
        kv_pair_run(&pair, 100 * KV_TIME_MS);
    }
    g_assert_cmpuint(pair.ends[CLIENT].pings, ==, 4);
    g_assert_cmpuint(pair.ends[SERVER].pings, ==, 0);
    kv_pair_clear(&pair);
}

/* Proves: who could begin a handshake asks three times before it does, and one answer is enough; a
 * server does not ask. */
static void
test_reminder(void)
{
    KvPair pair;

    for (guint lost = 2; lost <= 3; lost++) {
        kv_pair_init(&pair);
        pair.handshakes = FALSE;
        kv_pair_handshake(&pair, CLIENT);
        kv_pair_run(&pair, 5 * KV_TIME_S);
        pair.ends[CLIENT].pings = pair.ends[SERVER].pings = 0;
        pair.ends[CLIENT].down = pair.ends[SERVER].down = TRUE;
        kv_pair_send(&pair, CLIENT);
        kv_pair_send(&pair, SERVER);
        kv_pair_run(&pair, 11 * KV_TIME_S - 1);
        g_assert_cmpuint(pair.ends[CLIENT].pings, ==, 0);
        for (guint i = 0; i < 3; i++) {
            if (i == lost)
                pair.ends[CLIENT].down = pair.ends[SERVER].down = FALSE;
            kv_pair_run(&pair, 1);
            g_assert_cmpuint(pair.ends[CLIENT].pings, ==, i + 1);
            kv_pair_run(&pair, KV_TIME_S - 1);
        }
        kv_pair_run(&pair, 30 * KV_TIME_S);
        g_assert_cmpuint(pair.ends[CLIENT].pings, ==, 3);
        g_assert_cmpuint(pair.ends[SERVER].pings, ==, 0);
        g_assert_cmpuint(pair.ends[CLIENT].begins, ==, lost == 3);
        kv_pair_clear(&pair);
    }
}

/* Proves: an answer that comes after all spares the handshake that its absence made, and not one
 * that is due all the same. */
static void
test_spared(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    pair.handshakes = FALSE;
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, 5 * KV_TIME_S);
    pair.ends[SERVER].down = TRUE;
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 20 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    g_assert_cmpuint(pair.ends[CLIENT].spared, ==, 0);
    pair.ends[SERVER].down = FALSE;
    kv_transport_poke(pair.ends[CLIENT].transport, pair.now);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].spared, ==, 1);
    /* It may begin again, now that the keys are old; those that an answer cannot make young. */
    kv_pair_run(&pair, 100 * KV_TIME_S);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 2);
    kv_transport_poke(pair.ends[CLIENT].transport, pair.now);
    kv_pair_run(&pair, 10 * KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].spared, ==, 1);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 2);
    kv_pair_clear(&pair);
}

/* --- handshakes beside traffic -------------------------------------------------------------- */

/* Proves: an hour of traffic both ways with a jump of sessions each two minutes loses nothing,
 * doubles nothing, and never has more than three sessions. */
static void
test_rekey_under_load(void)
{
    KvPair pair;
    guint most = 0;

    start(&pair, KV_TIME_S);
    pair.ends[CLIENT].interval = 37 * KV_TIME_MS;
    pair.ends[SERVER].interval = 41 * KV_TIME_MS;
    for (guint i = 0; i < 1200; i++) {
        kv_pair_run(&pair, KV_TIME_S);
        most = MAX(most, kv_pair_sessions(&pair, CLIENT));
    }
    pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 0;
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, >=, 9);
    g_assert_cmpuint(pair.ends[CLIENT].begins, <=, 10);
    g_assert_cmpuint(most, ==, 2);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, pair.ends[CLIENT].numbers);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), ==, pair.ends[SERVER].numbers);
    g_assert_cmpuint(kv_transport_get_loss(pair.ends[SERVER].transport)->missing, ==, 0);
    g_assert_cmpuint(kv_transport_get_loss(pair.ends[SERVER].transport)->seen, >, 30000);
    kv_pair_clear(&pair);
}

/* Proves: the same with 30 % loss each way: sessions go on, and losses are counted over them. */
static void
test_rekey_with_loss(void)
{
    const KvLossCount *loss;
    double share;
    KvPair pair;

    kv_pair_init(&pair);
    kv_pair_handshake(&pair, CLIENT);
    pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 50 * KV_TIME_MS;
    pair.ends[CLIENT].loss = pair.ends[SERVER].loss = 30;
    for (guint i = 0; i < 1200; i++) {
        kv_pair_run(&pair, KV_TIME_S);
        g_assert_cmpuint(pair.now - pair.ends[CLIENT].last_came, <, 2 * KV_TIME_S);
        g_assert_cmpuint(pair.now - pair.ends[SERVER].last_came, <, 2 * KV_TIME_S);
    }
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), >, pair.ends[CLIENT].numbers * 65 / 100);
    loss = kv_transport_get_loss(pair.ends[SERVER].transport);
    share = (double) loss->missing / (loss->missing + loss->seen);
    g_assert_cmpfloat(share, >, 0.28);
    g_assert_cmpfloat(share, <, 0.32);
    g_assert_cmpuint(loss->bursts, >, loss->missing / 2);
    kv_pair_clear(&pair);
}

/* Proves: a new session whose first datagrams are lost is pinged until the peer has it; meanwhile
 * what the peer sends under the old one arrives. */
static void
test_confirm(void)
{
    guint before;
    KvPair pair;

    start(&pair, KV_TIME_S);
    pair.ends[SERVER].interval = 100 * KV_TIME_MS;
    pair.ends[CLIENT].down = TRUE;
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, 3 * KV_TIME_S);
    g_assert_cmpuint(kv_pair_sessions(&pair, SERVER), ==, 1);
    before = kv_pair_count(&pair, CLIENT);
    g_assert_cmpuint(before, >=, 29);
    pair.ends[CLIENT].down = FALSE;
    kv_pair_run(&pair, 3 * KV_TIME_S);
    g_assert_cmpuint(kv_pair_sessions(&pair, SERVER), ==, 2);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), >=, before + 29);
    /* Then the old one goes, at both ends. */
    kv_pair_run(&pair, 15 * KV_TIME_S);
    g_assert_cmpuint(kv_pair_sessions(&pair, SERVER), ==, 1);
    g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 1);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), >=, before + 29 + 149);
    kv_pair_clear(&pair);
}

/* Proves: a session that the peer never uses goes after 15 s, and the old one sends again. */
static void
test_never_confirmed(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    pair.handshakes = FALSE;
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    kv_pair_handshake(&pair, CLIENT);
    for (guint i = 0; i < KV_PAIR_HALF_OPEN_MAX; i++)
        g_clear_pointer(&pair.ends[SERVER].half_open[i], kv_live_session_free);
    pair.ends[SERVER].resets.sent = KV_RESETS_RATE; /* no reset tells the client */
    pair.ends[SERVER].resets.second = pair.now + 1000 * KV_TIME_S;
    kv_pair_run(&pair, 14 * KV_TIME_S);
    g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 2);
    kv_pair_run(&pair, 2 * KV_TIME_S);
    g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 1);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, 1);
    kv_pair_clear(&pair);
}

/* Proves: two peers that begin at once both take what comes under both sessions, and both send
 * under the one that the greater key began. */
static void
test_both_at_once(void)
{
    KvPair pair;

    for (guint first = 0; first < 2; first++) {
        KvLiveSession *winner[2];

        kv_pair_init(&pair);
        pair.ends[SERVER].config.may_begin = TRUE;
        kv_pair_restart(&pair, SERVER);
        kv_pair_handshake(&pair, first);
        kv_pair_run(&pair, 10 * KV_TIME_MS);
        winner[first] = pair.ends[first].last;
        kv_pair_handshake(&pair, 1 - first);
        winner[CLIENT] = first == CLIENT ? winner[CLIENT] : pair.ends[CLIENT].last;
        kv_pair_run(&pair, KV_TIME_S);
        pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 10 * KV_TIME_MS;
        g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 2);
        kv_pair_run(&pair, KV_TIME_S);
        g_assert_true(winner[CLIENT]->initiator);
        g_assert_cmpuint(winner[CLIENT]->next_counter, >=, 100);
        kv_pair_run(&pair, 20 * KV_TIME_S);
        g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 1);
        g_assert_cmpuint(kv_pair_sessions(&pair, SERVER), ==, 1);
        pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 0;
        kv_pair_run(&pair, KV_TIME_S);
        g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, pair.ends[CLIENT].numbers);
        g_assert_cmpuint(kv_pair_count(&pair, CLIENT), ==, pair.ends[SERVER].numbers);
        kv_pair_clear(&pair);
    }
}

/* Proves: later than at once, the newer session sends, whoever began it. */
static void
test_newer_wins(void)
{
    KvPair pair;

    start(&pair, 6 * KV_TIME_S);
    kv_pair_handshake(&pair, SERVER);
    kv_pair_run(&pair, KV_TIME_S);
    pair.ends[SERVER].last->next_counter += 1000;
    kv_pair_send(&pair, SERVER);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(pair.ends[SERVER].last->next_counter, >, 1001);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), ==, 1);
    kv_pair_clear(&pair);
}

/* Proves: a peer that makes sessions without end does not fill memory. */
static void
test_session_storm(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    kv_pair_handshake(&pair, CLIENT);
    for (guint i = 0; i < 300; i++) {
        kv_pair_handshake(&pair, CLIENT);
        kv_pair_run(&pair, 30 * KV_TIME_MS);
        g_assert_cmpuint(kv_pair_sessions(&pair, SERVER), <=, KV_TRANSPORT_SESSIONS_MAX);
        g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), <=, KV_TRANSPORT_SESSIONS_MAX);
    }
    kv_pair_send(&pair, SERVER);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), ==, 1);
    kv_pair_clear(&pair);
}

/* --- resets, holes, clocks ------------------------------------------------------------------ */

/* Proves: a client notices a server that lost all in one round trip, and goes on. */
static void
test_reset(void)
{
    KvPair pair;

    start(&pair, 10 * KV_TIME_S);
    kv_pair_restart(&pair, SERVER);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, 40 * KV_TIME_MS);
    g_assert_cmpuint(pair.ends[CLIENT].resets_taken, ==, 1);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    kv_pair_run(&pair, KV_TIME_S);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, 1);
    kv_pair_clear(&pair);
}

/* Proves: what is not the token, or comes from elsewhere, resets nothing; and a peer that resets
 * for ever makes a handshake each 5 s at most. */
static void
test_reset_hostile(void)
{
    KvPairFlight flight = {.len = 100};
    KvPair pair;

    start(&pair, KV_TIME_S);
    flight.from = pair.ends[SERVER].address;
    flight.to = pair.ends[CLIENT].address;
    kv_pair_arrive(&pair, &flight);
    memcpy(flight.data + 84, pair.ends[CLIENT].last->remote_token, 16);
    flight.from.port++;
    kv_pair_arrive(&pair, &flight);
    flight.from.port--;
    flight.len = 99;
    kv_pair_arrive(&pair, &flight);
    g_assert_cmpuint(pair.ends[CLIENT].resets_taken, ==, 0);
    g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 1);

    flight.len = 100;
    for (guint i = 0; i < 300; i++) {
        /* Without a session there is no token either. */
        if (kv_pair_sessions(&pair, CLIENT) > 0) {
            memcpy(flight.data + 84, pair.ends[CLIENT].last->remote_token, 16);
            kv_pair_arrive(&pair, &flight);
        }
        kv_pair_run(&pair, 100 * KV_TIME_MS);
    }
    g_assert_cmpuint(pair.ends[CLIENT].resets_taken, >=, 5);
    g_assert_cmpuint(pair.ends[CLIENT].begins, >=, 5);
    g_assert_cmpuint(pair.ends[CLIENT].begins, <=, 7);
    kv_pair_clear(&pair);
}

/* Proves: after a hole of 2 to 170 s the same session goes on at once; after a longer one there is
 * one handshake. */
static void
test_hole(void)
{
    static const guint seconds[] = {2, 10, 60, 110, 200, 400};

    for (guint i = 0; i < G_N_ELEMENTS(seconds); i++) {
        KvTime back;
        KvPair pair;

        kv_pair_init(&pair);
        kv_pair_handshake(&pair, CLIENT);
        kv_pair_run(&pair, KV_TIME_S);
        pair.handshakes = FALSE;
        pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 100 * KV_TIME_MS;
        pair.ends[CLIENT].down = pair.ends[SERVER].down = TRUE;
        kv_pair_run(&pair, seconds[i] * KV_TIME_S);
        pair.ends[CLIENT].down = pair.ends[SERVER].down = FALSE;
        back = pair.now;
        if (seconds[i] >= 180) {
            g_assert_cmpuint(kv_pair_sessions(&pair, CLIENT), ==, 0);
            kv_pair_handshake(&pair, CLIENT); /* that which is under way since the 15th second */
        }
        kv_pair_run(&pair, 5 * KV_TIME_S);
        g_assert_cmpuint(pair.ends[SERVER].last_came, >, back + 4 * KV_TIME_S);
        g_assert_cmpuint(pair.ends[CLIENT].last_came, >, back + 4 * KV_TIME_S);
        g_assert_cmpuint(pair.ends[CLIENT].begins, ==, seconds[i] >= 15 ? 1 : 0);
        kv_pair_clear(&pair);
    }
}

/* Proves: a machine that slept for an hour begins a handshake with the first thing it has to send.
 */
static void
test_sleep(void)
{
    KvPair pair;

    start(&pair, KV_TIME_S);
    pair.now += 3600 * KV_TIME_S;
    kv_pair_send(&pair, CLIENT);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 1);
    kv_pair_run(&pair, KV_TIME_S);
    kv_pair_send(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, 1);
    kv_pair_clear(&pair);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-transport/silence", test_silence);
    g_test_add_func("/native-transport/poked", test_poked);
    g_test_add_func("/native-transport/rekey", test_rekey);
    g_test_add_func("/native-transport/end", test_end);
    g_test_add_func("/native-transport/counter-end", test_counter_end);
    g_test_add_func("/native-transport/passive-keepalive", test_passive_keepalive);
    g_test_add_func("/native-transport/keepalive", test_keepalive);
    g_test_add_func("/native-transport/dead-peer", test_dead_peer);
    g_test_add_func("/native-transport/unanswered", test_unanswered);
    g_test_add_func("/native-transport/doubt", test_doubt);
    g_test_add_func("/native-transport/reminder", test_reminder);
    g_test_add_func("/native-transport/spared", test_spared);
    g_test_add_func("/native-transport/rekey-under-load", test_rekey_under_load);
    g_test_add_func("/native-transport/rekey-with-loss", test_rekey_with_loss);
    g_test_add_func("/native-transport/confirm", test_confirm);
    g_test_add_func("/native-transport/never-confirmed", test_never_confirmed);
    g_test_add_func("/native-transport/both-at-once", test_both_at_once);
    g_test_add_func("/native-transport/newer-wins", test_newer_wins);
    g_test_add_func("/native-transport/session-storm", test_session_storm);
    g_test_add_func("/native-transport/reset", test_reset);
    g_test_add_func("/native-transport/reset-hostile", test_reset_hostile);
    g_test_add_func("/native-transport/hole", test_hole);
    g_test_add_func("/native-transport/sleep", test_sleep);
    return kv_test_main(&argc, &argv);
}
