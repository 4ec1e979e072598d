/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-end.h"

#define MS KV_TIME_MS

/* Milliseconds wrap shortly after this. */
#define WRAP_START (((UINT64_C(1) << 32) - 120) * KV_TIME_MS)

typedef struct {
    const char *name;
    KvSimLink link;
    guint data_shards, parity_shards;
    gboolean rapid_fec;
    gboolean published; /* KCP without the product's tuning */
    KvCipher cipher;
    uint32_t first_sn;
    guint packets;       /* each way */
    guint limit_seconds; /* for all of them, virtual */
} Case;

typedef struct {
    KvEnd *ends[2];
    guint packets;
} Run;

static gboolean
is_done(void *data)
{
    Run *run = data;

    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(run->ends[i]->n_events[KV_EVENT_CLOSED], ==, 0);
        if (run->ends[i]->received < run->packets)
            return FALSE;
    }
    return TRUE;
}

static KvEnd *
make_end(const Case *c, KvRole role, uint64_t seed)
{
    KvV1Config config = kv_end_default_config(role);
    KvEnd *end;

    if (c->published)
        config.kcp.tuning = (KvKcpTuning){0};
    config.kcp.first_sn = c->first_sn;
    config.data_shards = c->data_shards;
    config.parity_shards = c->parity_shards;
    config.rapid_fec = c->rapid_fec;
    config.handshake_timeout = 120 * KV_TIME_S;
    config.peer_timeout = 60 * KV_TIME_S;
    end = kv_end_new(&config, c->cipher, seed, WRAP_START);
    end->to_send = c->packets;
    return end;
}

/* Proves: over the worst of paths the handshake completes, every inner packet arrives once and in
 * order on either side before the time is up, and then both ends part in good order. */
static void
test_case(gconstpointer data)
{
    const Case *c = data;
    uint64_t seed = kv_test_get_seed();
    g_autoptr(KvSim) sim = kv_sim_new(seed, WRAP_START);
    g_autoptr(KvEnd) client = make_end(c, KV_ROLE_CLIENT, seed + 1);
    g_autoptr(KvEnd) server = make_end(c, KV_ROLE_SERVER, seed + 2);
    Run run = {.ends = {client, server}, .packets = c->packets};
    KvTime limit = WRAP_START + c->limit_seconds * KV_TIME_S;
    KvStats stats;

    for (guint i = 0; i < 2; i++) {
        kv_sim_attach(sim, i, &kv_end_machine, run.ends[i]);
        kv_sim_set_link(sim, i, &c->link);
    }
    kv_sim_poke(sim, 0);
    g_assert_true(kv_sim_run(sim, limit, is_done, &run));
    kv_session_get_stats(client->session, &stats);
    g_test_message("%u packets each way in %.2f s; %u sent again, %u repaired", c->packets,
                   (double) (kv_sim_get_now(sim) - WRAP_START) / KV_TIME_S,
                   (guint) (stats.kcp_retransmits_timeout + stats.kcp_retransmits_fast +
                            stats.kcp_retransmits_probe),
                   (guint) stats.fec_recovered);
    g_assert_cmpuint(client->sent, ==, c->packets);
    g_assert_cmpuint(server->sent, ==, c->packets);

    kv_session_close(client->session, kv_sim_get_now(sim));
    kv_sim_poke(sim, 0);
    kv_sim_run(sim, kv_sim_get_now(sim) + 2 * KV_TIME_S, NULL, NULL);
    g_assert_cmpuint(client->n_events[KV_EVENT_CLOSED], ==, 1);
    g_assert_cmpuint(client->received, ==, c->packets);
    g_assert_cmpuint(server->received, ==, c->packets);
}

/* clang-format off: one row each */
static const Case cases[] = {
    {"clean-1ms", {.delay = MS}, 0, 0, 0, 0, KV_CIPHER_AES, 0, 2000, 20},
    {"clean-published", {.delay = 20 * MS}, 0, 0, 0, 1, KV_CIPHER_NONE, 0, 2000, 30},
    {"clean-fec", {.delay = 20 * MS}, 10, 3, 0, 0, KV_CIPHER_SALSA20, 0, 2000, 30},
    {"sn-wrap",
     {.delay = 20 * MS, .loss = 0.05},
     10,
     3,
     0,
     0,
     KV_CIPHER_NONE,
     0xffffff00,
     2000,
     60},
    {"sn-wrap-published",
     {.delay = 20 * MS, .loss = 0.05},
     0,
     0,
     0,
     1,
     KV_CIPHER_NONE,
     0xffffff00,
     2000,
     60},
    {"loss-1", {.delay = 15 * MS, .loss = 0.01}, 0, 0, 0, 0, KV_CIPHER_NONE, 0, 2000, 60},
    {"loss-10", {.delay = 15 * MS, .loss = 0.10}, 0, 0, 0, 0, KV_CIPHER_NONE, 0, 2000, 60},
    {"loss-10-fec", {.delay = 15 * MS, .loss = 0.10}, 10, 3, 0, 0, KV_CIPHER_AES, 0, 2000, 60},
    {"loss-10-rapid", {.delay = 15 * MS, .loss = 0.10}, 10, 3, 1, 0, KV_CIPHER_NONE, 0, 2000, 60},
    {"loss-10-fec-3-2", {.delay = 15 * MS, .loss = 0.10}, 3, 2, 1, 0, KV_CIPHER_NONE, 0, 2000, 60},
    {"loss-10-fec-1-1", {.delay = 15 * MS, .loss = 0.10}, 1, 1, 0, 0, KV_CIPHER_NONE, 0, 1000, 60},
    {"loss-20-fec-20-20",
     {.delay = 15 * MS, .loss = 0.20},
     20,
     20,
     1,
     0,
     KV_CIPHER_NONE,
     0,
     2000,
     60},
    {"loss-20", {.delay = 15 * MS, .loss = 0.20}, 0, 0, 0, 0, KV_CIPHER_NONE, 0, 2000, 60},
    {"loss-20-published",
     {.delay = 15 * MS, .loss = 0.20},
     0,
     0,
     0,
     1,
     KV_CIPHER_NONE,
     0,
     2000,
     120},
    {"loss-40", {.delay = 15 * MS, .loss = 0.40}, 0, 0, 0, 0, KV_CIPHER_NONE, 0, 1000, 300},
    {"loss-40-fec", {.delay = 15 * MS, .loss = 0.40}, 10, 3, 1, 0, KV_CIPHER_NONE, 0, 1000, 300},
    {"loss-40-published-fec",
     {.delay = 15 * MS, .loss = 0.40},
     10,
     3,
     1,
     1,
     KV_CIPHER_NONE,
     0,
     1000,
     300},
    {"long-rtt", {.delay = 1000 * MS}, 0, 0, 0, 0, KV_CIPHER_NONE, 0, 1000, 120},
    {"long-rtt-loss-10",
     {.delay = 1000 * MS, .loss = 0.10},
     10,
     3,
     1,
     0,
     KV_CIPHER_NONE,
     0,
     1000,
     300},
    {"long-rtt-loss-40",
     {.delay = 1000 * MS, .loss = 0.40},
     0,
     0,
     0,
     0,
     KV_CIPHER_NONE,
     0,
     300,
     600},
    {"bursts",
     {.delay = 30 * MS, .burst_enter = 0.02, .burst_length = 5 * MS},
     10,
     3,
     1,
     0,
     KV_CIPHER_NONE,
     0,
     2000,
     120},
    {"bursts-no-fec",
     {.delay = 30 * MS, .burst_enter = 0.02, .burst_length = 5 * MS},
     0,
     0,
     0,
     0,
     KV_CIPHER_NONE,
     0,
     2000,
     120},
    {"reorder",
     {.delay = 10 * MS, .reorder = 0.2, .reorder_delay = 50 * MS},
     0,
     0,
     0,
     0,
     KV_CIPHER_NONE,
     0,
     2000,
     60},
    {"reorder-fec",
     {.delay = 10 * MS, .reorder = 0.2, .reorder_delay = 50 * MS, .jitter = 5 * MS},
     10,
     3,
     1,
     0,
     KV_CIPHER_NONE,
     0,
     2000,
     60},
    {"duplicate", {.delay = 10 * MS, .duplicate = 0.3}, 0, 0, 0, 0, KV_CIPHER_NONE, 0, 2000, 60},
    {"corrupt", {.delay = 10 * MS, .corrupt = 0.2}, 0, 0, 0, 0, KV_CIPHER_AES, 0, 1000, 60},
    {"corrupt-none", {.delay = 10 * MS, .corrupt = 0.2}, 10, 3, 1, 0, KV_CIPHER_NONE, 0, 1000, 60},
    {"everything",
     {.delay = 40 * MS,
      .jitter = 20 * MS,
      .loss = 0.1,
      .burst_enter = 0.005,
      .burst_length = 3 * MS,
      .duplicate = 0.1,
      .reorder = 0.1,
      .reorder_delay = 30 * MS,
      .corrupt = 0.05},
     10,
     3,
     1,
     0,
     KV_CIPHER_NONE,
     0xfffffff0,
     2000,
     120},
    {"everything-published",
     {.delay = 40 * MS,
      .jitter = 20 * MS,
      .loss = 0.1,
      .burst_enter = 0.005,
      .burst_length = 3 * MS,
      .duplicate = 0.1,
      .reorder = 0.1,
      .reorder_delay = 30 * MS,
      .corrupt = 0.05},
     10,
     3,
     1,
     1,
     KV_CIPHER_NONE,
     0xfffffff0,
     2000,
     120},
    {"narrow",
     {.delay = 20 * MS, .rate = 2000000, .queue_bytes = 30000, .overhead = 42},
     10,
     3,
     1,
     0,
     KV_CIPHER_NONE,
     0,
     1000,
     60},
};
/* clang-format on */

/* The share of 10 ms steps at whose end something is missing that was sent 15 ms before it had to
 * arrive: @client sends five packets each step, for a second and a half. */
static double
get_stalled_share(KvSim *sim, KvEnd *client, KvEnd *server)
{
    guint stalled = 0, history[4] = {0};

    for (guint i = 0; i < 150; i++) {
        client->to_send += 5;
        kv_sim_poke(sim, 0);
        kv_sim_run(sim, kv_sim_get_now(sim) + 10 * MS, NULL, NULL);
        if (server->received < history[i % 4])
            stalled++;
        history[i % 4] = client->to_send;
    }
    return stalled / 150.0;
}

static double
run_copies(uint64_t seed)
{
    static const Case c = {
        "copies", {.delay = 25 * MS, .loss = 0.20}, 10, 3, 0, 0, KV_CIPHER_NONE, 0, 100, 60};
    g_autoptr(KvSim) sim = kv_sim_new(seed, WRAP_START);
    g_autoptr(KvEnd) client = make_end(&c, KV_ROLE_CLIENT, seed + 1);
    g_autoptr(KvEnd) server = make_end(&c, KV_ROLE_SERVER, seed + 2);
    Run run = {.ends = {client, server}, .packets = c.packets};

    for (guint i = 0; i < 2; i++) {
        kv_sim_attach(sim, i, &kv_end_machine, run.ends[i]);
        kv_sim_set_link(sim, i, &c.link);
    }
    kv_sim_poke(sim, 0);
    g_assert_true(kv_sim_run(sim, WRAP_START + 60 * KV_TIME_S, is_done, &run));
    return get_stalled_share(sim, client, server);
}

/* Proves: where a fifth is lost, copies and FEC together repair nearly everything before the
 * sender could: copies go to the same places of a group, so that the group too is repaired. Copies
 * in new groups leave something late in a fifth of the steps. */
static void
test_copies_help_fec(void)
{
    uint64_t seed = kv_test_get_seed();
    double sum = 0;

    for (guint i = 0; i < 8; i++)
        sum += run_copies(seed + 10 * i);
    g_test_message("%.4f of the time something is late", sum / 8);
    g_assert_cmpfloat(sum / 8, <, 0.09);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sim-v1/copies-help-fec", test_copies_help_fec);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/sim-v1/", cases[i].name, NULL);

        g_test_add_data_func(path, &cases[i], test_case);
    }
    return kv_test_main(&argc, &argv);
}
