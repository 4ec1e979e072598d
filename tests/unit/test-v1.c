/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-end.h"

#define START (1000 * KV_TIME_S)

typedef struct {
    KvSim *sim;
    KvEnd *client;
    KvEnd *server;
} Pair;

/* Two ends over a path of 10 ms each way, client at end 0. */
static void
pair_init(Pair *pair, const KvV1Config *client, const KvV1Config *server)
{
    KvSimLink link = {.delay = 10 * KV_TIME_MS};

    pair->sim = kv_sim_new(1, START);
    pair->client = kv_end_new(client, KV_CIPHER_NONE, 1, START);
    pair->server = kv_end_new(server, KV_CIPHER_NONE, 2, START);
    kv_sim_attach(pair->sim, 0, &kv_end_machine, pair->client);
    kv_sim_attach(pair->sim, 1, &kv_end_machine, pair->server);
    kv_sim_set_link(pair->sim, 0, &link);
    kv_sim_set_link(pair->sim, 1, &link);
}

static void
pair_init_default(Pair *pair)
{
    KvV1Config client = kv_end_default_config(KV_ROLE_CLIENT);
    KvV1Config server = kv_end_default_config(KV_ROLE_SERVER);

    pair_init(pair, &client, &server);
}

static void
pair_clear(Pair *pair)
{
    kv_sim_free(pair->sim);
    kv_end_free(pair->client);
    kv_end_free(pair->server);
}

static void
run_for(Pair *pair, KvTime how_long)
{
    kv_sim_poke(pair->sim, 0);
    kv_sim_poke(pair->sim, 1);
    kv_sim_run(pair->sim, kv_sim_get_now(pair->sim) + how_long, NULL, NULL);
}

static void
assert_closed(const KvEnd *end, KvReason reason)
{
    g_assert_cmpuint(end->n_events[KV_EVENT_CLOSED], ==, 1);
    g_assert_cmpstr(kv_reason_to_string(end->last_event[KV_EVENT_CLOSED].reason), ==,
                    kv_reason_to_string(reason));
    g_assert_true(kv_session_deadline(end->session) == KV_TIME_NEVER);
}

/* Proves: in each address mode both ends come up with the same configuration, the lesser MTU and
 * the right address, and inner packets of all sizes go both ways. */
static void
test_address_modes(void)
{
    static const struct {
        KvAddressMode mode;
        KvIp4 wished;
        KvIp4 ip;
        uint16_t client_mtu, mtu;
    } cases[] = {
        {KV_ADDRESS_MODE_ASSIGNED, 0, 0x0a000002, 1500, 1400},
        {KV_ADDRESS_MODE_ASSIGNED, 0x01020304, 0x0a000002, 0, 1400},
        {KV_ADDRESS_MODE_CLIENT_SET, 0x0a000063, 0x0a000063, 1300, 1300},
        {KV_ADDRESS_MODE_OTHER, 0, 0, 1400, 1400},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvV1Config client = kv_end_default_config(KV_ROLE_CLIENT);
        KvV1Config server = kv_end_default_config(KV_ROLE_SERVER);
        const KvEvent *event;
        KvStats stats;
        Pair pair;

        client.client.address_mode = cases[i].mode;
        client.client.ip = cases[i].wished;
        client.client.mtu = cases[i].client_mtu;
        pair_init(&pair, &client, &server);
        pair.client->to_send = pair.server->to_send = 100;
        run_for(&pair, 5 * KV_TIME_S);

        event = &pair.server->last_event[KV_EVENT_CLIENT_INFO];
        g_assert_cmpuint(pair.server->n_events[KV_EVENT_CLIENT_INFO], ==, 1);
        g_assert_cmpstr(event->client.id, ==, "client1");
        g_assert_cmpuint(event->client.mtu, ==, cases[i].client_mtu);
        g_assert_cmpint(event->client.address_mode, ==, cases[i].mode);
        g_assert_cmpuint(event->client.ip, ==,
                         cases[i].mode == KV_ADDRESS_MODE_CLIENT_SET ? cases[i].wished : 0);

        g_assert_cmpuint(pair.client->n_events[KV_EVENT_CONFIGURED], ==, 1);
        for (guint j = 0; j < 2; j++) {
            const KvEnd *end = j == 0 ? pair.client : pair.server;

            event = &end->last_event[KV_EVENT_READY];
            g_assert_cmpuint(end->n_events[KV_EVENT_READY], ==, 1);
            g_assert_cmpuint(event->ip, ==, cases[i].ip);
            g_assert_cmpuint(event->config.mtu, ==, cases[i].mtu);
            g_assert_cmpuint(event->config.full_frame_mtu, ==, 1422);
            g_assert_cmpuint(event->config.server_ip, ==, 0x0a000001);
            g_assert_cmpuint(event->config.netmask, ==, 0xffffff00);
            g_assert_cmpuint(end->received, ==, 100);
            g_assert_cmpuint(end->n_events[KV_EVENT_CLOSED], ==, 0);
            kv_session_get_stats(end->session, &stats);
            g_assert_cmpuint(stats.inner_rx_packets, ==, 100);
            g_assert_cmpuint(stats.inner_tx_packets, ==, 100);
            g_assert_cmpuint(stats.wire_rx_datagrams, >, 0);
            g_assert_cmpuint(stats.rtt_us, >=, 20000);
        }
        pair_clear(&pair);
    }
}

/* Proves: a refusal of either kind reaches the client with its reason, and both sessions end soon
 * and by themselves. */
static void
test_refused(void)
{
    static const struct {
        KvAnswerType answer;
        KvReason reason;
    } cases[] = {
        {KV_ANSWER_REJECT, KV_REASON_ADDRESS_REJECTED},
        {KV_ANSWER_EXHAUSTED, KV_REASON_EXHAUSTED},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Pair pair;

        pair_init_default(&pair);
        pair.server->answer.type = cases[i].answer;
        run_for(&pair, 500 * KV_TIME_MS);
        g_assert_cmpuint(pair.client->n_events[KV_EVENT_REFUSED], ==, 1);
        g_assert_cmpint(pair.client->last_event[KV_EVENT_REFUSED].reason, ==, cases[i].reason);
        g_assert_cmpuint(pair.client->n_events[KV_EVENT_READY], ==, 0);
        assert_closed(pair.client, cases[i].reason);
        assert_closed(pair.server, cases[i].reason);
        pair_clear(&pair);
    }
}

/* Proves: a refused client that has gone does not hold the server for more than three seconds. */
static void
test_refused_and_gone(void)
{
    KvSimLink down = {.down = TRUE};
    Pair pair;

    pair_init_default(&pair);
    pair.server->answer.type = KV_ANSWER_REJECT;
    kv_sim_set_link(pair.sim, 1, &down);
    run_for(&pair, 4 * KV_TIME_S);
    assert_closed(pair.server, KV_REASON_ADDRESS_REJECTED);
    g_assert_cmpuint(pair.server->closed_at, >=, START + 3 * KV_TIME_S);
    pair_clear(&pair);
}

/* Proves: an answer may come late, and one that comes too late is ignored. */
static void
test_late_answer(void)
{
    Pair pair;

    pair_init_default(&pair);
    pair.server->answers = FALSE;
    run_for(&pair, 5 * KV_TIME_S);
    g_assert_cmpuint(pair.client->n_events[KV_EVENT_CONFIGURED], ==, 0);
    kv_session_answer(pair.server->session, &pair.server->answer, kv_sim_get_now(pair.sim));
    run_for(&pair, 1 * KV_TIME_S);
    g_assert_cmpuint(pair.client->n_events[KV_EVENT_READY], ==, 1);
    pair_clear(&pair);

    pair_init_default(&pair);
    pair.server->answers = FALSE;
    run_for(&pair, 11 * KV_TIME_S);
    assert_closed(pair.server, KV_REASON_HANDSHAKE_TIMEOUT);
    assert_closed(pair.client, KV_REASON_HANDSHAKE_TIMEOUT);
    kv_session_answer(pair.server->session, &pair.server->answer, kv_sim_get_now(pair.sim));
    run_for(&pair, 1 * KV_TIME_S);
    g_assert_cmpuint(pair.server->n_events[KV_EVENT_CLOSED], ==, 1);
    pair_clear(&pair);
}

/* Proves: either end closes in good order: the other hears of it within a round trip and a bit,
 * and the one that closed knows that it was heard. */
static void
test_close(void)
{
    for (guint closer = 0; closer < 2; closer++) {
        KvEnd *ends[2];
        KvTime closed;
        Pair pair;

        pair_init_default(&pair);
        ends[0] = pair.client;
        ends[1] = pair.server;
        run_for(&pair, 1 * KV_TIME_S);
        g_assert_true(kv_session_can_send(ends[0]->session));
        g_assert_true(kv_session_can_send(ends[1]->session));
        closed = kv_sim_get_now(pair.sim);
        kv_session_close(ends[closer]->session, closed);
        g_assert_false(kv_session_can_send(ends[closer]->session));
        run_for(&pair, 2 * KV_TIME_S);
        assert_closed(ends[closer], KV_REASON_LOCAL);
        assert_closed(ends[!closer], KV_REASON_PEER_CLOSED);
        g_assert_cmpuint(ends[!closer]->closed_at, <=, closed + 15 * KV_TIME_MS);
        g_assert_cmpuint(ends[closer]->closed_at, <=, closed + 60 * KV_TIME_MS);
        pair_clear(&pair);
    }
}

/* Proves: closing waits no longer than a second for a peer that has gone, a second close does not
 * wait at all, and closing before anything was opened ends at once. */
static void
test_close_alone(void)
{
    KvV1Config config = kv_end_default_config(KV_ROLE_SERVER);
    KvSimLink down = {.down = TRUE};
    KvTime closed;
    Pair pair;

    pair_init_default(&pair);
    run_for(&pair, 1 * KV_TIME_S);
    kv_sim_set_link(pair.sim, 0, &down);
    closed = kv_sim_get_now(pair.sim);
    kv_session_close(pair.client->session, closed);
    run_for(&pair, 990 * KV_TIME_MS);
    g_assert_cmpuint(pair.client->n_events[KV_EVENT_CLOSED], ==, 0);
    run_for(&pair, 20 * KV_TIME_MS);
    assert_closed(pair.client, KV_REASON_LOCAL);
    pair_clear(&pair);

    pair_init_default(&pair);
    kv_session_close(pair.client->session, START);
    kv_session_close(pair.client->session, START);
    kv_end_work(pair.client, START);
    assert_closed(pair.client, KV_REASON_LOCAL);
    pair_clear(&pair);

    pair_init(&pair, &config, &config);
    kv_session_close(pair.server->session, START);
    kv_end_work(pair.server, START);
    assert_closed(pair.server, KV_REASON_LOCAL);
    pair_clear(&pair);
}

/* Proves: a dead peer is noticed after the peer timeout and not before, whether nothing comes from
 * it or it does not hear us. */
static void
test_peer_timeout(void)
{
    KvSimLink down = {.down = TRUE};

    for (guint from = 0; from < 2; from++) {
        KvTime dead;
        Pair pair;

        pair_init_default(&pair);
        run_for(&pair, 63 * KV_TIME_S);
        dead = kv_sim_get_now(pair.sim);
        kv_sim_set_link(pair.sim, from, &down);
        run_for(&pair, 80 * KV_TIME_S);
        assert_closed(pair.server, KV_REASON_TIMEOUT);
        assert_closed(pair.client, KV_REASON_TIMEOUT);
        for (guint i = 0; i < 2; i++) {
            const KvEnd *end = i == 0 ? pair.client : pair.server;

            g_assert_cmpuint(end->closed_at, >=, dead + 20 * KV_TIME_S);
            g_assert_cmpuint(end->closed_at, <=, dead + 61 * KV_TIME_S);
        }
        g_assert_cmpuint((from == 0 ? pair.server : pair.client)->closed_at, <=,
                         dead + 31 * KV_TIME_S);
        pair_clear(&pair);
    }
}

/* Proves: an idle connection lasts, costs a handful of datagrams a minute, and hardly wakes. */
static void
test_idle(void)
{
    KvStats before, after;
    guint wakes = 0;
    Pair pair;

    pair_init_default(&pair);
    run_for(&pair, 5 * KV_TIME_S);
    kv_session_get_stats(pair.client->session, &before);
    for (KvTime end = kv_sim_get_now(pair.sim) + 600 * KV_TIME_S; kv_sim_get_now(pair.sim) < end;) {
        KvTime at = kv_session_deadline(pair.client->session);

        g_assert_cmpuint(at, >, kv_sim_get_now(pair.sim));
        kv_sim_run(pair.sim, MIN(at, end) + 1, NULL, NULL);
        wakes++;
    }
    kv_session_get_stats(pair.client->session, &after);
    g_assert_cmpuint(pair.client->n_events[KV_EVENT_CLOSED], ==, 0);
    g_assert_cmpuint(pair.server->n_events[KV_EVENT_CLOSED], ==, 0);
    g_test_message("%u wake-ups, %u datagrams", wakes,
                   (guint) (after.wire_tx_datagrams - before.wire_tx_datagrams));
    g_assert_cmpuint(after.wire_tx_datagrams - before.wire_tx_datagrams, <=, 130);
    g_assert_cmpuint(wakes, <=, 400);
    pair_clear(&pair);
}

/* Proves: a heartbeat goes out every keepalive, as a Go peer needs it. */
static void
test_heartbeats(void)
{
    KvV1Config client = kv_end_default_config(KV_ROLE_CLIENT);
    KvV1Config server = kv_end_default_config(KV_ROLE_SERVER);
    KvStats stats;
    Pair pair;

    client.keepalive = 2 * KV_TIME_S;
    server.keepalive = 30 * KV_TIME_S;
    server.peer_timeout = 90 * KV_TIME_S;
    pair_init(&pair, &client, &server);
    run_for(&pair, 1 * KV_TIME_S);
    kv_session_get_stats(pair.client->session, &stats);
    run_for(&pair, 20 * KV_TIME_S);
    {
        uint64_t before = stats.kcp_segments_sent;

        kv_session_get_stats(pair.client->session, &stats);
        g_assert_cmpuint(stats.kcp_segments_sent - before, ==, 10);
    }
    pair_clear(&pair);
}

/* Proves: an inner packet above what one frame holds is cut as the Go program cuts it, and one that
 * no write holds, or that is larger than the reader's buffer, does no harm. */
static void
test_large_packets(void)
{
    static uint8_t data[100000];
    uint8_t small[1000];
    uint16_t ethertype = 0;
    KvStats stats;
    Pair pair;

    pair_init_default(&pair);
    pair.server->answer.config.full_frame_mtu = 65535;
    kv_end_keep_inner(pair.server);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t) (i * 7 + (i >> 8));
    run_for(&pair, 1 * KV_TIME_S);
    g_assert_true(kv_end_send(pair.client, data, 32764, 0x0800, kv_sim_get_now(pair.sim)));
    g_assert_true(kv_end_send(pair.client, data, 40000, 0x0800, kv_sim_get_now(pair.sim)));
    g_assert_true(kv_end_send(pair.client, data, 65532, 0x0800, kv_sim_get_now(pair.sim)));
    kv_session_get_stats(pair.client->session, &stats);
    g_assert_cmpuint(stats.drops[KV_DROP_MALFORMED], ==, 1);
    run_for(&pair, 3 * KV_TIME_S);
    g_assert_cmpuint(pair.server->inner->len, ==, 3);
    {
        static const size_t lens[] = {32764, 32764, 40000 - 32764 - 4};

        for (guint i = 0; i < 3; i++)
            g_assert_cmpuint(g_bytes_get_size(pair.server->inner->pdata[i]), ==, lens[i] + 2);
        kv_test_assert_bytes(
            (const uint8_t *) g_bytes_get_data(pair.server->inner->pdata[1], NULL) + 2, 32764, data,
            32764, "first part");
    }

    g_assert_true(kv_end_send(pair.server, data, 1001, 0x0800, kv_sim_get_now(pair.sim)));
    g_assert_true(kv_end_send(pair.server, data, 1000, 0x86dd, kv_sim_get_now(pair.sim)));
    {
        uint8_t buf[KV_V1_DATAGRAM_MAX];
        size_t len;

        while ((len = kv_session_output(pair.server->session, buf, sizeof buf, NULL,
                                        kv_sim_get_now(pair.sim))) > 0)
            kv_session_input(pair.client->session, buf, len, NULL, KV_ECN_NOT_ECT,
                             kv_sim_get_now(pair.sim));
    }
    g_assert_cmpuint(kv_session_recv(pair.client->session, small, sizeof small, &ethertype,
                                     kv_sim_get_now(pair.sim)),
                     ==, 1000);
    g_assert_cmpuint(ethertype, ==, 0x86dd);
    kv_session_get_stats(pair.client->session, &stats);
    g_assert_cmpuint(stats.drops[KV_DROP_MALFORMED], ==, 2);
    pair_clear(&pair);
}

/* Proves: the server's full frame MTU bounds packets on both ends, four bytes of it being the
 * packet information. */
static void
test_frame_size(void)
{
    static const guint frame_mtus[] = {1522, 2000};

    for (guint i = 0; i < G_N_ELEMENTS(frame_mtus); i++) {
        guint max = frame_mtus[i] - 4;
        uint8_t data[2000] = {0};
        Pair pair;

        pair_init_default(&pair);
        pair.server->answer.config.full_frame_mtu = (uint16_t) frame_mtus[i];
        kv_end_keep_inner(pair.client);
        kv_end_keep_inner(pair.server);
        run_for(&pair, 1 * KV_TIME_S);
        for (guint size = max - 1; size <= max + 1; size++) {
            g_assert_true(kv_end_send(pair.client, data, size, 0x0800, kv_sim_get_now(pair.sim)));
            g_assert_true(kv_end_send(pair.server, data, size, 0x0800, kv_sim_get_now(pair.sim)));
        }
        run_for(&pair, 1 * KV_TIME_S);
        g_assert_cmpuint(pair.client->inner->len, ==, 2);
        g_assert_cmpuint(pair.server->inner->len, ==, 2);
        pair_clear(&pair);
    }
}

/* Proves: a reader that stops makes the writer stop, with no more kept than the window, and
 * everything arrives when it goes on. */
static void
test_back_pressure(void)
{
    KvV1Config client = kv_end_default_config(KV_ROLE_CLIENT);
    KvV1Config server = kv_end_default_config(KV_ROLE_SERVER);
    Pair pair;

    server.kcp.rcv_wnd = 32;
    pair_init(&pair, &client, &server);
    pair.server->opens = FALSE;
    pair.client->to_send = 1000;
    pair.client->size_min = pair.client->size_max = 1000;
    pair.server->size_min = pair.server->size_max = 1000;
    run_for(&pair, 5 * KV_TIME_S);
    g_assert_cmpuint(pair.client->sent, <, 150);
    g_assert_cmpuint(kv_packet_pool_get_used(pair.server->pool), <=, 40);
    g_assert_cmpuint(pair.server->received, ==, 0);
    kv_session_open_vni(pair.server->session, kv_sim_get_now(pair.sim));
    kv_end_work(pair.server, kv_sim_get_now(pair.sim));
    run_for(&pair, 20 * KV_TIME_S);
    g_assert_cmpuint(pair.server->received, ==, 1000);
    pair_clear(&pair);
}

/* Proves: with rapid FEC a lone packet gets its padding and parity one interval later, once, and
 * then replaces a lost datagram without any retransmission; without rapid FEC none is sent. */
static void
test_rapid_fec(void)
{
    for (guint rapid = 0; rapid < 2; rapid++) {
        KvV1Config client = kv_end_default_config(KV_ROLE_CLIENT);
        KvV1Config server = kv_end_default_config(KV_ROLE_SERVER);
        KvSimLink down = {.down = TRUE}, up = {.delay = 10 * KV_TIME_MS};
        KvStats before, after;
        Pair pair;

        client.data_shards = server.data_shards = 10;
        client.parity_shards = server.parity_shards = 3;
        client.rapid_fec = rapid;
        client.kcp.tuning.tail_probe = FALSE;
        pair_init(&pair, &client, &server);
        pair.client->size_min = pair.client->size_max = 100;
        pair.server->size_min = pair.server->size_max = 100;
        run_for(&pair, 2 * KV_TIME_S);
        kv_session_get_stats(pair.client->session, &before);
        g_assert_cmpint(before.fec_padding_sent > 0, ==, rapid);

        pair.client->to_send = 1;
        kv_sim_set_link(pair.sim, 0, &down);
        kv_end_work(pair.client, kv_sim_get_now(pair.sim));
        kv_sim_poke(pair.sim, 0);
        kv_sim_set_link(pair.sim, 0, &up);
        run_for(&pair, 70 * KV_TIME_MS);
        kv_session_get_stats(pair.client->session, &after);
        g_assert_cmpuint(after.fec_padding_sent - before.fec_padding_sent, ==, rapid ? 9 : 0);
        g_assert_cmpuint(after.fec_parity_sent - before.fec_parity_sent, ==, rapid ? 3 : 0);
        g_assert_cmpuint(pair.server->received, ==, rapid);
        run_for(&pair, 2 * KV_TIME_S);
        g_assert_cmpuint(pair.server->received, ==, 1);
        kv_session_get_stats(pair.server->session, &after);
        g_assert_cmpuint(after.fec_recovered, ==, rapid);
        pair_clear(&pair);
    }
}

/* Proves: with a FEC layer the receiver tells the loss of the path before any repair, reordering
 * counts as none and copies never as more than what was sent, and without the layer nothing is
 * claimed. */
static void
test_measured_loss(void)
{
    static const struct {
        double loss, reorder;
        guint parity;
        gboolean copies;
        double least; /* of the loss */
    } cases[] = {{0, 0, 1, FALSE, 0},        {0.1, 0, 1, FALSE, 0.08}, {0, 0.2, 1, FALSE, 0},
                 {0.1, 0.2, 1, FALSE, 0.08}, {0.1, 0, 1, TRUE, 0.005}, {0.1, 0, 0, TRUE, 0}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvV1Config client = kv_end_default_config(KV_ROLE_CLIENT);
        KvV1Config server = kv_end_default_config(KV_ROLE_SERVER);
        KvSimLink up = {.delay = 10 * KV_TIME_MS,
                        .loss = cases[i].loss,
                        .reorder = cases[i].reorder,
                        .reorder_delay = 3 * KV_TIME_MS};
        KvStats stats;
        Pair pair;

        client.kcp.tuning.early_copy = server.kcp.tuning.early_copy = cases[i].copies;
        client.data_shards = server.data_shards = cases[i].parity * 10;
        client.parity_shards = server.parity_shards = cases[i].parity;
        pair_init(&pair, &client, &server);
        run_for(&pair, 1 * KV_TIME_S);
        kv_sim_set_link(pair.sim, 0, &up);
        pair.client->to_send = 4000;
        run_for(&pair, 30 * KV_TIME_S);
        kv_session_get_stats(pair.server->session, &stats);
        if (cases[i].parity == 0) {
            g_assert_cmpfloat(kv_stats_get_rx_loss(&stats), <, 0);
        } else {
            g_assert_cmpuint(stats.path_rx_expected, >, 2000);
            g_assert_cmpfloat(kv_stats_get_rx_loss(&stats), >=, cases[i].least);
            g_assert_cmpfloat(kv_stats_get_rx_loss(&stats), <=, cases[i].loss * 1.2);
        }
        kv_session_get_stats(pair.client->session, &stats);
        /* KCP takes some of what is overtaken for lost, and copies leave little to repeat. */
        if (cases[i].reorder == 0 && !cases[i].copies)
            g_assert_cmpint(kv_stats_get_tx_loss(&stats) > 0.03, ==, cases[i].loss > 0);
        pair_clear(&pair);
    }
}

/* Proves: a UDP payload size out of range becomes 1400 and harms nothing. */
static void
test_mtu_range(void)
{
    static const struct {
        uint32_t mtu;
        size_t longest;
    } cases[] = {{0, 1400},  {49, 1400},   {52, 1400},  {60, 60},
                 {200, 200}, {1500, 1500}, {1501, 1400}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvV1Config config = kv_end_default_config(KV_ROLE_CLIENT);
        uint8_t buf[KV_V1_DATAGRAM_MAX];
        size_t longest = 0;
        size_t len;
        Pair pair;
        KvV1Config server = kv_end_default_config(KV_ROLE_SERVER);

        config.udp_mtu = cases[i].mtu;
        config.data_shards = server.data_shards = 10;
        config.parity_shards = server.parity_shards = 3;
        config.kcp.snd_wnd = 100;
        server.kcp.rcv_wnd = config.kcp.rcv_wnd = 65535;
        pair_init(&pair, &config, &server);
        pair.server->answer.config.full_frame_mtu = 65535;
        run_for(&pair, 2 * KV_TIME_S);
        g_assert_cmpuint(pair.client->n_events[KV_EVENT_READY], ==, 1);
        memset(buf, 0, sizeof buf);
        g_assert_true(kv_end_send(pair.client, buf, sizeof buf, 0x0800, kv_sim_get_now(pair.sim)));
        while ((len = kv_session_output(pair.client->session, buf, sizeof buf, NULL,
                                        kv_sim_get_now(pair.sim))) > 0)
            longest = MAX(longest, len);
        g_assert_cmpuint(longest, ==, cases[i].longest);
        pair_clear(&pair);
    }
}

/* Proves: without packet memory nothing is queued by halves and the session ends, no crash. */
static void
test_no_memory(void)
{
    Pair pair;
    GPtrArray *hoard = g_ptr_array_new_with_free_func((GDestroyNotify) kv_packet_unref);
    uint8_t data[1400] = {0};
    KvPacket *packet;

    pair_init_default(&pair);
    run_for(&pair, 1 * KV_TIME_S);
    while ((packet = kv_packet_new(pair.client->pool)) != NULL)
        g_ptr_array_add(hoard, packet);
    g_assert_false(kv_end_send(pair.client, data, sizeof data, 0x0800, START + KV_TIME_S));
    g_assert_cmpint(
        kv_session_input(pair.client->session, data, 100, NULL, KV_ECN_NOT_ECT, START + KV_TIME_S),
        ==, KV_DROP_NO_MEMORY);
    kv_session_close(pair.client->session, START + KV_TIME_S);
    kv_end_work(pair.client, START + KV_TIME_S);
    assert_closed(pair.client, KV_REASON_NO_MEMORY);
    g_ptr_array_unref(hoard);
    pair_clear(&pair);
}

/* Takes packets until @left are. (transfer full) */
static GPtrArray *
hoard_all_but(KvPacketPool *pool, guint left)
{
    GPtrArray *hoard = g_ptr_array_new_with_free_func((GDestroyNotify) kv_packet_unref);
    KvPacket *packet;

    while ((packet = kv_packet_new(pool)) != NULL)
        g_ptr_array_add(hoard, packet);
    g_assert_cmpuint(hoard->len, >, left);
    g_ptr_array_set_size(hoard, (int) (hoard->len - left));
    return hoard;
}

/* Proves: a heartbeat that finds no memory ends nothing, and the connection goes on afterwards. */
static void
test_no_memory_heartbeat(void)
{
    g_autoptr(GPtrArray) hoard = NULL;
    Pair pair;

    pair_init_default(&pair);
    run_for(&pair, 1 * KV_TIME_S);
    hoard = hoard_all_but(pair.client->pool, 0);
    kv_session_poke(pair.client->session, START + KV_TIME_S);
    run_for(&pair, 2 * KV_TIME_S);
    g_ptr_array_set_size(hoard, 0);
    run_for(&pair, 60 * KV_TIME_S);
    g_assert_cmpuint(pair.client->n_events[KV_EVENT_CLOSED], ==, 0);
    g_assert_cmpuint(pair.server->n_events[KV_EVENT_CLOSED], ==, 0);
    pair_clear(&pair);
}

/* Proves: when the sessions of a worker have used up most of its packets, one that sends keeps to
 * a share, so that acknowledgements always find a packet and everything gets through. */
static void
test_scarce_memory_sender(void)
{
    const guint n_left = 300;
    g_autoptr(GPtrArray) hoard = NULL;
    Pair pair;

    pair_init_default(&pair);
    run_for(&pair, 1 * KV_TIME_S);
    hoard = hoard_all_but(pair.client->pool, n_left);
    pair.client->to_send = 5000;
    run_for(&pair, 60 * KV_TIME_S);
    g_assert_cmpuint(pair.server->received, ==, 5000);
    g_assert_cmpuint(pair.client->drops[KV_DROP_NO_MEMORY], ==, 0);
    g_ptr_array_set_size(hoard, 0);
    pair_clear(&pair);
}

/* Proves: when packets are scarce, what lies far behind a gap is declined, and what fills the gap
 * is not. */
static void
test_scarce_memory_receiver(void)
{
    g_autoptr(GPtrArray) hoard = NULL;
    g_autoptr(GPtrArray) sent = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
    uint8_t datagram[KV_V1_DATAGRAM_MAX];
    uint8_t data[1200] = {0};
    guint n_declined = 0;
    size_t len;
    Pair pair;

    pair_init_default(&pair);
    run_for(&pair, 1 * KV_TIME_S);
    for (guint i = 0; i < 100; i++)
        g_assert_true(kv_end_send(pair.client, data, sizeof data, 0x0800, START + KV_TIME_S));
    while ((len = kv_session_output(pair.client->session, datagram, sizeof datagram, NULL,
                                    START + KV_TIME_S)) > 0)
        g_ptr_array_add(sent, g_bytes_new(datagram, len));
    hoard = hoard_all_but(pair.server->pool, 300);
    for (guint i = sent->len; i-- > 0;) {
        gconstpointer bytes = g_bytes_get_data(sent->pdata[i], &len);

        if (kv_session_input(pair.server->session, bytes, len, NULL, KV_ECN_NOT_ECT,
                             START + KV_TIME_S) != KV_DROP_NONE)
            n_declined++;
    }
    g_assert_cmpuint(sent->len, >, 60);
    g_assert_cmpuint(n_declined, ==, sent->len - 32);
    g_ptr_array_set_size(hoard, 0);
    pair_clear(&pair);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/v1/address-modes", test_address_modes);
    g_test_add_func("/v1/refused", test_refused);
    g_test_add_func("/v1/refused-and-gone", test_refused_and_gone);
    g_test_add_func("/v1/late-answer", test_late_answer);
    g_test_add_func("/v1/close", test_close);
    g_test_add_func("/v1/close-alone", test_close_alone);
    g_test_add_func("/v1/peer-timeout", test_peer_timeout);
    g_test_add_func("/v1/idle", test_idle);
    g_test_add_func("/v1/heartbeats", test_heartbeats);
    g_test_add_func("/v1/large-packets", test_large_packets);
    g_test_add_func("/v1/frame-size", test_frame_size);
    g_test_add_func("/v1/back-pressure", test_back_pressure);
    g_test_add_func("/v1/rapid-fec", test_rapid_fec);
    g_test_add_func("/v1/measured-loss", test_measured_loss);
    g_test_add_func("/v1/mtu-range", test_mtu_range);
    g_test_add_func("/v1/no-memory", test_no_memory);
    g_test_add_func("/v1/no-memory-heartbeat", test_no_memory_heartbeat);
    g_test_add_func("/v1/scarce-memory-sender", test_scarce_memory_sender);
    g_test_add_func("/v1/scarce-memory-receiver", test_scarce_memory_receiver);
    return kv_test_main(&argc, &argv);
}
