/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"
#include "kv-sim-hostile.h"
#include "native/kv-record.h"

#include <string.h>

/* A peer that has the keys and breaks the rules: what it says of itself, how it makes keys, and a
 * path that brings nothing. The names of tests are those of docs/hostile.md. */

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START KV_SIM_HOSTILE_START

/* --- T17 ------------------------------------------------------------------------------------- */

#define PART         1000 /* bytes of a batch in a datagram */
#define BATCHES      2000
#define BATCHES_LONG 200000

/* What is allowed of each type, if it is of one length. */
static const uint8_t lens[] = {7, 3,  1, 2,  1, 4,  2, 2,  16, 16, 4, 16, 5, 17,
                               4, 16, 5, 17, 4, 16, 2, 30, 0,  1,  8, 4,  9, 99};

/* Records that are allowed as a rule, to begin with. */
static size_t
fill_records(KvTestRandom *random, uint8_t *records)
{
    KvRecordWriter writer;

    kv_record_writer_init(&writer, records, KV_RECORDS_MAX);
    for (guint n = kv_test_random_below(random, 12); n > 0; n--) {
        uint8_t value[600];
        guint type = kv_test_random_below(random, G_N_ELEMENTS(lens));
        size_t len = lens[type];

        memset(value, 'a', sizeof value);
        if (kv_test_random_below(random, 8) == 0)
            kv_test_random_bytes(random, value, sizeof value);
        if (kv_test_random_below(random, 64) == 0)
            len = kv_test_random_below(random, sizeof value);
        if (len > 0)
            value[len - 1] = (uint8_t) kv_test_random_below(random, 33);
        if (len > 0 && (type == KV_RECORD_CLIENT_ID || type == KV_RECORD_BANNER))
            value[len - 1] = 'z';
        kv_record_put(&writer, (KvRecordType) type, value, len);
    }
    return writer.len;
}

static void
damage(KvTestRandom *random, uint8_t *records, size_t *len)
{
    for (guint n = kv_test_random_below(random, 4); n > 0 && *len > 0; n--) {
        size_t at = kv_test_random_below(random, (uint32_t) *len);

        if (kv_test_random_below(random, 4) == 0)
            *len = at;
        else
            records[at] = (uint8_t) kv_test_random_u64(random);
    }
}

static void
send_control(KvSimHostile *world, uint16_t sequence, const uint8_t *bytes, size_t len)
{
    uint8_t content[PART + KV_FRAME_CONTROL_BYTES];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvItem item = {.kind = KV_ITEM_BARE};
    KvFrame frame = {.type = KV_FRAME_CONTROL,
                     .control = {.sequence = sequence, .len = (uint16_t) len, .data = bytes}};

    g_assert_true(kv_frame_put(&frames, &frame));
    kv_sim_hostile_send(world, &item, content, frames.len);
    kv_sim_hostile_pass(world, MS);
}

/* Proves: whatever records a peer sends in its session, they are taken or end it, and nothing else
 * happens. */
static void
test_t17(void)
{
    g_autofree uint8_t *records = g_malloc(KV_RECORDS_MAX);
    guint batches = g_strcmp0(g_getenv("KV_TEST_LONG"), "1") == 0 ? BATCHES_LONG : BATCHES;
    guint ended = 0;
    uint16_t sequence = 0;
    KvTestRandom random;
    KvSimHostile world;

    kv_test_random_init(&random, kv_test_get_seed());
    kv_sim_hostile_init(&world, 0);
    for (guint i = 0; i < batches; i++) {
        size_t len = fill_records(&random, records);

        damage(&random, records, &len);
        for (size_t at = 0; at < len && !world.is_closed; at += PART)
            send_control(&world, sequence++, records + at, MIN(len - at, PART));
        if (!world.is_closed)
            send_control(&world, sequence++, NULL, 0);
        if (!world.is_closed)
            continue;
        g_assert_cmpint(world.reason, ==, KV_REASON_PROTOCOL);
        ended++;
        sequence = 0;
        kv_sim_hostile_clear(&world);
        kv_sim_hostile_init(&world, 0);
    }
    g_test_message("T17: %u batches of records, of which %u ended their session", batches, ended);
    g_assert_cmpuint(ended, >, 0);
    g_assert_cmpuint(ended, <, batches);
    kv_sim_hostile_clear(&world);
}

#define PILE 60 /* batches of one datagram */

/* Proves: a datagram with more batches than there is room for events, and the end of the session
 * after them, ends it all the same: nobody keeps a session that is over. */
static void
test_t17_pile(void)
{
    static const uint8_t padding[] = {KV_RECORD_PADDING, 0, 0};
    uint8_t content[PILE * (2 * KV_FRAME_CONTROL_BYTES + sizeof padding) + 2];
    KvFrameWriter frames = {content, sizeof content, 0};
    KvItem item = {.kind = KV_ITEM_BARE};
    KvFrame frame = {.type = KV_FRAME_CLOSE};
    KvSimHostile world;

    kv_sim_hostile_init(&world, 0);
    for (uint16_t i = 0; i < PILE; i++) {
        KvFrame part = {
            .type = KV_FRAME_CONTROL,
            .control = {.sequence = (uint16_t) (2 * i), .len = sizeof padding, .data = padding}};

        g_assert_true(kv_frame_put(&frames, &part));
        part.control.sequence++;
        part.control.len = 0;
        g_assert_true(kv_frame_put(&frames, &part));
    }
    g_assert_true(kv_frame_put(&frames, &frame));
    kv_sim_hostile_send(&world, &item, content, frames.len);
    kv_sim_hostile_pass(&world, MS);
    g_assert_true(world.is_closed);
    g_assert_cmpint(world.reason, ==, KV_REASON_PEER_CLOSED);
    kv_sim_hostile_clear(&world);
}

/* --- T20 ------------------------------------------------------------------------------------- */

#define ANSWERS 4

/* Asks to go on with @association. Returns: whether that is answered, and the keys of it. */
static gboolean
ask_to_go_on(KvHandshakePair *pair, const uint8_t *association, KvTime now, KvNativeKeys *keys)
{
    g_auto(KvNativeConfig) grant = {0};
    uint8_t there[KV_INITIATION_MAX], back[KV_INITIATION_MAX];
    KvResponderOutcome outcome;
    size_t len = kv_handshake_pair_begin(pair, now, there);

    kv_responder_input(pair->responder, there, len, &pair->from, now, &outcome);
    if (!outcome.asks)
        return FALSE;
    kv_native_config_init(&grant);
    grant.said |= KV_SAID_ASSOCIATION;
    memcpy(grant.association, association, sizeof grant.association);
    len = kv_responder_answer(pair->responder, outcome.request.id, &grant, now, back);
    g_assert_true(kv_initiator_input(pair->initiator, back, len, now));
    kv_initiator_take_keys(pair->initiator, keys);
    return TRUE;
}

/* Proves: whoever makes new keys of an association all the time has one session each five seconds,
 * however many answers it collects before it uses them. */
static void
test_t20_rate(void)
{
    static const uint8_t association[KV_NATIVE_ID_BYTES] = {5};
    const KvTime spell = 60 * S;
    g_auto(KvHandshakePair) pair = {0};
    KvTime last = 0, least = KV_TIME_NEVER;
    guint live = 0, asked = 0;

    kv_handshake_pair_init(&pair, KV_NOISE_IKPSK2, FALSE, kv_test_get_seed());
    pair.say.said |= KV_SAID_ASSOCIATION;
    memcpy(pair.say.association, association, sizeof association);
    kv_handshake_pair_restart_initiator(&pair);
    for (KvTime now = START; now < START + spell; now += 100 * MS) {
        KvNativeKeys keys[ANSWERS] = {{0}};

        for (guint i = 0; i < ANSWERS; i++, asked++)
            (void) ask_to_go_on(&pair, association, now, &keys[i]);
        for (guint i = 0; i < ANSWERS; i++) {
            g_auto(KvNativeKeys) got = {0};
            uint8_t first[KV_INITIATION_MAX];
            size_t len = keys[i].remote_index != 0 ? kv_handshake_pair_prove(&keys[i], first) : 0;

            kv_native_keys_clear(&keys[i]);
            if (len == 0 || !kv_responder_confirm(pair.responder, first, len, now, &got))
                continue;
            if (live++ > 0)
                least = MIN(least, now - last);
            last = now;
        }
    }
    g_test_message("T20: %u sessions of %u asked for in %.0f s, %.1f s apart at least", live, asked,
                   (double) spell / S, (double) least / S);
    g_assert_cmpuint(live, ==, 12);
    g_assert_cmpuint(least, >=, 5 * S);
}

/* Proves: a peer that never makes new keys is neither heard nor spoken to from 180 s on, to the
 * microsecond. */
static void
test_t20_stop(void)
{
    static const uint8_t ping[] = {9, 0, KV_FRAME_PING, 1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t buf[KV_PACKET_CAPACITY];
    KvSimHostile world;

    for (guint late = 0; late <= 1; late++) {
        KvStats stats;
        size_t len;

        kv_sim_hostile_init(&world, 0);
        world.hostile->born = START + S; /* so that it goes on itself */
        kv_sim_hostile_pass(&world, 180 * S - 1);
        world.now += late;
        memcpy(buf + KV_SEAL_HEAD_BYTES, ping, sizeof ping);
        buf[KV_SEAL_HEAD_BYTES + 1] = 1 << 5;
        len = kv_live_session_seal(world.hostile, buf, sizeof ping);
        g_assert_cmpint(kv_native_input(world.native, buf, len, &world.pair.from, KV_ECN_NOT_ECT,
                                        world.now) == KV_DROP_NONE,
                        ==, late == 0);
        kv_native_get_stats(world.native, &stats);
        world.wire_bytes = 0;
        kv_sim_hostile_pass(&world, 0);
        g_assert_cmpint(world.wire_bytes > 0, ==, late == 0);
        world.wire_bytes = 0;
        kv_sim_hostile_pass(&world, 1);
        kv_sim_hostile_pass(&world, 100 * S);
        g_assert_cmpuint(world.wire_bytes, ==, 0);
        g_assert_cmpuint(
            kv_native_get_indexes(world.native, (uint32_t[KV_TRANSPORT_SESSIONS_MAX]){0}), ==, 0);
        kv_sim_hostile_clear(&world);
    }
    g_test_message("T20: heard at 179.999999 s, not at 180.000000 s");
}

/* --- T21 ------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    guint cut; /* the end whose datagrams do not arrive any more */
    gboolean client_sends;
    gboolean server_sends;
} OneWay;

static gboolean
is_asking(void *data)
{
    const KvNativeEnd *client = data;

    return kv_native_is_asking(client->native);
}

/* Returns: how long it took the client to notice. */
static KvTime
cut_one_way(const OneWay *c)
{
    KvSimLink clean = {.delay = 15 * MS}, down = {.down = TRUE};
    KvNativeEnd client, server;
    g_autoptr(KvSim) sim = kv_sim_new(kv_test_get_seed(), START);
    KvTime cut, noticed;

    kv_native_ends_init(&client, &server, TRUE, kv_test_get_seed());
    kv_sim_attach(sim, 0, &kv_native_end_machine, &client);
    kv_sim_attach(sim, 1, &kv_native_end_machine, &server);
    kv_sim_set_link(sim, 0, &clean);
    kv_sim_set_link(sim, 1, &clean);
    kv_native_end_start(&server, START);
    kv_native_end_start(&client, START);
    client.interval = server.interval = 100 * MS;
    client.to_send = c->client_sends ? 10000 : 8;
    server.to_send = c->server_sends ? 10000 : 8;
    kv_sim_poke(sim, 0);
    kv_sim_run(sim, START + 20 * S, NULL, NULL);
    g_assert_false(is_asking(&client));
    kv_sim_set_link(sim, c->cut, &down);
    cut = kv_sim_get_now(sim);
    g_assert_true(kv_sim_run(sim, cut + 60 * S, is_asking, &client));
    noticed = kv_sim_get_now(sim) - cut;
    kv_native_end_clear(&client);
    kv_native_end_clear(&server);
    return noticed;
}

/* Proves: a path that works one way only is noticed within 15 s, whichever way it is and whoever
 * has something to say, and a new handshake begins. */
static void
test_t21(void)
{
    static const OneWay cases[] = {
        {"nothing comes back", 1, TRUE, FALSE},
        {"nothing comes back, both send", 1, TRUE, TRUE},
        {"nothing arrives", 0, TRUE, FALSE},
        {"nothing arrives, both send", 0, TRUE, TRUE},
        {"nothing arrives, the other sends", 0, FALSE, TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvTime noticed = cut_one_way(&cases[i]);

        g_test_message("T21: %s: noticed after %.2f s", cases[i].name, (double) noticed / S);
        g_assert_cmpuint(noticed, <=, 15 * S);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sim/native-hostile-session/t17-records", test_t17);
    g_test_add_func("/sim/native-hostile-session/t17-pile", test_t17_pile);
    g_test_add_func("/sim/native-hostile-session/t20-rate", test_t20_rate);
    g_test_add_func("/sim/native-hostile-session/t20-stop", test_t20_stop);
    g_test_add_func("/sim/native-hostile-session/t21-one-way", test_t21);
    return kv_test_main(&argc, &argv);
}
