/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-pair.h"

#define CLIENT 0
#define SERVER 1

#define RTT (40 * KV_TIME_MS)

static const KvEndpoint elsewhere = {.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, .port = 4711};

/* Runs with traffic both ways. Returns: the longest time without data at the client. */
static KvTime
run_and_watch(KvPair *pair, KvTime time)
{
    KvTime longest = 0;

    for (KvTime end = pair->now + time; pair->now < end;) {
        kv_pair_run(pair, KV_TIME_MS);
        longest = MAX(longest, pair->now - pair->ends[CLIENT].last_came);
    }
    return longest;
}

static void
begin(KvPair *pair)
{
    kv_pair_init(pair);
    kv_pair_handshake(pair, CLIENT);
    kv_pair_run(pair, KV_TIME_S);
    pair->ends[CLIENT].interval = pair->ends[SERVER].interval = 10 * KV_TIME_MS;
    kv_pair_run(pair, KV_TIME_S);
}

/* Proves: a client that sends is followed from one family to the other within a round trip and
 * 50 ms, and nothing of what it sends is lost. */
static void
test_move(void)
{
    KvTime gap;
    KvPair pair;

    begin(&pair);
    pair.ends[CLIENT].address = elsewhere;
    gap = run_and_watch(&pair, 5 * KV_TIME_S);
    g_test_message("without data for %u ms", (guint) (gap / KV_TIME_MS));
    g_assert_cmpuint(gap, <=, 2 * RTT + 50 * KV_TIME_MS);
    g_assert_cmpuint(pair.ends[SERVER].moves, ==, 1);
    g_assert_true(
        kv_endpoint_equal(kv_transport_get_remote(pair.ends[SERVER].transport), &elsewhere));
    pair.ends[CLIENT].interval = 0;
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, pair.ends[CLIENT].numbers);
    kv_pair_clear(&pair);
}

/* Proves: an idle client that was told of a new address is followed before it sends anything. */
static void
test_move_idle(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, 30 * KV_TIME_S);
    pair.ends[CLIENT].address = elsewhere;
    kv_transport_poke(pair.ends[CLIENT].transport, pair.now);
    kv_pair_run(&pair, 2 * RTT);
    kv_pair_send(&pair, SERVER);
    kv_pair_run(&pair, RTT);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), ==, 1);
    kv_pair_clear(&pair);
}

/* Proves: a NAT that gives another port each second costs a round trip each second. */
static void
test_rebinding(void)
{
    KvPair pair;

    begin(&pair);
    for (guint i = 0; i < 60; i++) {
        pair.ends[CLIENT].address.port++;
        g_assert_cmpuint(run_and_watch(&pair, KV_TIME_S), <=, 2 * RTT + 50 * KV_TIME_MS);
    }
    g_assert_cmpuint(pair.ends[SERVER].moves, ==, 60);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 0);
    kv_pair_clear(&pair);
}

/* Proves: the same with 30 % loss each way loses the peer for no longer than a check takes, or two
 * of them at most and very seldom. */
static void
test_move_with_loss(void)
{
    guint n_second = 0;
    KvPair pair;

    begin(&pair);
    pair.ends[CLIENT].loss = pair.ends[SERVER].loss = 30;
    for (guint i = 0; i < 50; i++) {
        KvTime gap;

        pair.ends[CLIENT].address.port++;
        gap = run_and_watch(&pair, 20 * KV_TIME_S);
        g_assert_cmpuint(gap, <=, 10 * KV_TIME_S);
        n_second += gap > 3 * KV_TIME_S + 2 * RTT;
    }
    g_test_message("%u moves took a second check", n_second);
    g_assert_cmpuint(n_second, <=, 3);
    kv_pair_clear(&pair);
}

/* Whatever the client sends comes from elsewhere too, and sooner. */
static void
copy(KvPair *pair, KvPairEnd *sender, const KvPairFlight *flight)
{
    KvPairFlight other = *flight;

    if (sender != &pair->ends[CLIENT])
        return;
    other.from = elsewhere;
    other.at -= KV_TIME_MS;
    kv_pair_fly(pair, &other);
}

/* Proves: who copies datagrams from an address of his own, and is always the first, gets eight
 * pings, and the client loses nothing. */
static void
test_copier(void)
{
    KvPair pair;

    begin(&pair);
    pair.tap = copy;
    g_assert_cmpuint(run_and_watch(&pair, 2900 * KV_TIME_MS), <=, RTT);
    g_assert_cmpuint(pair.astray, >=, 1);
    g_assert_cmpuint(pair.astray, <=, 8);
    g_assert_cmpuint(run_and_watch(&pair, 60 * KV_TIME_S), <=, RTT);
    g_assert_cmpuint(pair.astray, <=, 48);
    g_assert_cmpuint(pair.ends[SERVER].moves, ==, 0);
    pair.tap = NULL;
    pair.ends[SERVER].interval = 0;
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), ==, pair.ends[SERVER].numbers);
    kv_pair_clear(&pair);
}

static void
record(KvPair *pair, KvPairEnd *sender, const KvPairFlight *flight)
{
    g_array_append_vals(pair->tap_data, flight, 1);
}

/* Proves: whatever was once sent, under old keys or new, from where it came or elsewhere, comes to
 * nothing the second time. */
static void
test_replay(void)
{
    g_autoptr(GArray) flights = g_array_new(FALSE, FALSE, sizeof(KvPairFlight));
    guint opened;
    guint moves;
    KvPair pair;

    kv_pair_init(&pair);
    pair.tap = record;
    pair.tap_data = flights;
    kv_pair_handshake(&pair, CLIENT);
    pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 100 * KV_TIME_MS;
    kv_pair_run(&pair, 300 * KV_TIME_S);
    pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 0;
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(pair.ends[CLIENT].begins, ==, 2);
    pair.tap = NULL;
    opened = pair.ends[CLIENT].drops[KV_DROP_NONE] + pair.ends[SERVER].drops[KV_DROP_NONE];
    moves = pair.ends[SERVER].moves;
    for (guint i = 0; i < flights->len; i++) {
        KvPairFlight flight = g_array_index(flights, KvPairFlight, i);

        kv_pair_arrive(&pair, &flight);
        flight.from = elsewhere;
        kv_pair_arrive(&pair, &flight);
    }
    g_assert_cmpuint(opened, ==,
                     pair.ends[CLIENT].drops[KV_DROP_NONE] + pair.ends[SERVER].drops[KV_DROP_NONE]);
    g_assert_cmpuint(pair.ends[SERVER].moves, ==, moves);
    g_assert_cmpuint(pair.ends[SERVER].resets_sent, <=, KV_RESETS_RATE);
    kv_pair_clear(&pair);
}

/* What leaves arrives damaged, from elsewhere, before the true one does. */
static void
damage(KvPair *pair, KvPairEnd *sender, const KvPairFlight *flight)
{
    KvPairFlight other = *flight;
    uint32_t place = kv_test_random_below(&pair->state, (uint32_t) flight->len);

    if (place >= 12 && place < KV_SEAL_HEAD_BYTES)
        place -= 4; /* the check is for who does not know the session; else it is a plain copy */
    other.data[place] ^= (uint8_t) (1 << kv_test_random_below(&pair->state, 8));
    if (kv_test_random_below(&pair->state, 3) == 0)
        other.len = place;
    other.from = elsewhere;
    other.at -= KV_TIME_MS;
    kv_pair_fly(pair, &other);
}

/* Proves: damaged datagrams change nothing: no address, no counter, no answer to a stranger. */
static void
test_damage(void)
{
    KvPair pair;

    begin(&pair);
    pair.tap = damage;
    kv_pair_run(&pair, 60 * KV_TIME_S);
    pair.tap = NULL;
    pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 0;
    kv_pair_run(&pair, KV_TIME_S);
    g_assert_cmpuint(pair.ends[SERVER].drops[KV_DROP_CHECKSUM], >, 1000);
    g_assert_cmpuint(pair.astray, ==, 0);
    g_assert_cmpuint(pair.ends[SERVER].moves + pair.ends[CLIENT].moves, ==, 0);
    g_assert_cmpuint(kv_pair_count(&pair, SERVER), ==, pair.ends[CLIENT].numbers);
    g_assert_cmpuint(kv_pair_count(&pair, CLIENT), ==, pair.ends[SERVER].numbers);
    kv_pair_clear(&pair);
}

/* Proves: both ends find how long datagrams may be; one that moves to a narrower path, or whose
 * path becomes so, goes on within 3 s. */
static void
test_size(void)
{
    KvPair pair;

    kv_pair_init(&pair);
    for (guint i = 0; i < 2; i++) {
        pair.ends[i].config.datagram_max = 1472;
        kv_pair_restart(&pair, i);
        pair.ends[i].data_len = 1472;
        pair.ends[i].limit = 1452;
    }
    kv_pair_handshake(&pair, CLIENT);
    kv_pair_run(&pair, KV_TIME_S);
    pair.ends[CLIENT].interval = pair.ends[SERVER].interval = 20 * KV_TIME_MS;
    kv_pair_run(&pair, 10 * KV_TIME_S);
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(kv_transport_get_size(pair.ends[i].transport), <=, 1452);
        g_assert_cmpuint(kv_transport_get_size(pair.ends[i].transport), >=, 1452 - 16);
    }
    pair.ends[SERVER].limit = 1300;
    /* The client's pongs and what it sends are short enough of the server's way. */
    g_assert_cmpuint(run_and_watch(&pair, 20 * KV_TIME_S), <=, 3100 * KV_TIME_MS);
    g_assert_cmpuint(kv_transport_get_size(pair.ends[SERVER].transport), <=, 1300);
    g_assert_cmpuint(kv_transport_get_size(pair.ends[CLIENT].transport), >=, 1452 - 16);
    pair.ends[CLIENT].address = elsewhere;
    g_assert_cmpuint(run_and_watch(&pair, KV_TIME_S), <=, 2 * RTT + 50 * KV_TIME_MS);
    kv_pair_clear(&pair);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-roaming/move", test_move);
    g_test_add_func("/native-roaming/move-idle", test_move_idle);
    g_test_add_func("/native-roaming/rebinding", test_rebinding);
    g_test_add_func("/native-roaming/move-with-loss", test_move_with_loss);
    g_test_add_func("/native-roaming/copier", test_copier);
    g_test_add_func("/native-roaming/replay", test_replay);
    g_test_add_func("/native-roaming/damage", test_damage);
    g_test_add_func("/native-roaming/size", test_size);
    return kv_test_main(&argc, &argv);
}
