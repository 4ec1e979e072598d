/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-end.h"

#define MS    KV_TIME_MS
#define START KV_TIME_S

typedef struct {
    const char *name;
    KvTime delay; /* one way */
    KvTime down;  /* for so long nothing got through either way */
    KvTime heard; /* the path is back for so long when the server ends */
    KvTime keepalive;
    guint lost;  /* inner packets that the server sends meanwhile */
    KvTime late; /* or it comes back so long after the server's end */
    gboolean published;
} Case;

typedef struct {
    KvEnd *client;
    KvEnd *server;
} Run;

static gboolean
is_open(void *data)
{
    Run *run = data;

    return run->client->received >= 10 && run->server->received >= 10;
}

static gboolean
has_client_closed(void *data)
{
    return ((Run *) data)->client->n_events[KV_EVENT_CLOSED] > 0;
}

static void
set_path(KvSim *sim, const Case *c, gboolean down)
{
    KvSimLink link = {.delay = c->delay, .down = down};

    for (guint i = 0; i < 2; i++)
        kv_sim_set_link(sim, i, &link);
}

static KvEnd *
make_end(const Case *c, KvRole role, uint64_t seed)
{
    KvV1Config config = kv_end_default_config(role);
    KvEnd *end;

    if (c->published)
        config.kcp.tuning = (KvKcpTuning){0};
    config.keepalive = c->keepalive;
    end = kv_end_new(&config, KV_CIPHER_NONE, seed, START);
    end->to_send = 10;
    return end;
}

/* Proves: a client learns within the second for which a server lingers that the server has ended,
 * however long the path was down or the client silent before, as soon as the path is there. */
static void
test_farewell(gconstpointer data)
{
    const Case *c = data;
    uint64_t seed = kv_test_get_seed();
    g_autoptr(KvSim) sim = kv_sim_new(seed, START);
    g_autoptr(KvEnd) client = make_end(c, KV_ROLE_CLIENT, seed + 1);
    g_autoptr(KvEnd) server = make_end(c, KV_ROLE_SERVER, seed + 2);
    Run run = {client, server};
    KvTime closed_at;

    kv_sim_attach(sim, 0, &kv_end_machine, client);
    kv_sim_attach(sim, 1, &kv_end_machine, server);
    set_path(sim, c, FALSE);
    kv_sim_poke(sim, 0);
    g_assert_true(kv_sim_run(sim, START + 10 * KV_TIME_S, is_open, &run));
    kv_sim_run(sim, kv_sim_get_now(sim) + 5 * KV_TIME_S, NULL, NULL);

    set_path(sim, c, TRUE);
    server->to_send += c->lost;
    kv_end_work(server, kv_sim_get_now(sim));
    kv_sim_poke(sim, 1);
    kv_sim_run(sim, kv_sim_get_now(sim) + c->down, NULL, NULL);
    set_path(sim, c, c->late > 0);
    kv_sim_run(sim, kv_sim_get_now(sim) + c->heard, NULL, NULL);

    closed_at = kv_sim_get_now(sim);
    g_assert_cmpuint(server->n_events[KV_EVENT_CLOSED], ==, 0);
    g_assert_cmpuint(client->n_events[KV_EVENT_CLOSED], ==, 0);
    kv_session_close(server->session, closed_at);
    kv_sim_poke(sim, 1);
    kv_sim_run(sim, closed_at + c->late, NULL, NULL);
    set_path(sim, c, FALSE);
    g_assert_true(kv_sim_run(sim, closed_at + KV_TIME_S + c->delay, has_client_closed, &run));
    g_assert_cmpint(client->last_event[KV_EVENT_CLOSED].reason, ==, KV_REASON_PEER_CLOSED);
    g_test_message("told after %.3f s", (double) (kv_sim_get_now(sim) - closed_at) / KV_TIME_S);
    kv_sim_run(sim, closed_at + 2 * KV_TIME_S, NULL, NULL);
    g_assert_cmpuint(server->n_events[KV_EVENT_CLOSED], ==, 1);
}

/* clang-format off: one row each */
static const Case cases[] = {
    {"idle", 20 * MS, 0, 60 * KV_TIME_S, 10 * KV_TIME_S, 0, 0, 0},
    {"idle-published", 20 * MS, 0, 60 * KV_TIME_S, 10 * KV_TIME_S, 0, 0, 1},
    {"down-4", 20 * MS, 4 * KV_TIME_S, 0, KV_TIME_S, 0, 0, 0},
    {"down-11", 20 * MS, 11 * KV_TIME_S, 0, KV_TIME_S, 0, 0, 0},
    {"down-20", 20 * MS, 20 * KV_TIME_S, 0, 10 * KV_TIME_S, 0, 0, 0},
    {"down-25", 20 * MS, 25 * KV_TIME_S, 100 * MS, KV_TIME_S, 0, 0, 0},
    {"down-25-long", 200 * MS, 25 * KV_TIME_S, 100 * MS, KV_TIME_S, 0, 0, 0},
    {"down-25-data", 20 * MS, 25 * KV_TIME_S, 0, KV_TIME_S, 300, 0, 0},
    {"down-25-much", 50 * MS, 25 * KV_TIME_S, 0, KV_TIME_S, 2000, 0, 0},
    {"down-25-published", 20 * MS, 25 * KV_TIME_S, 0, KV_TIME_S, 0, 0, 1},
    {"late-400", 20 * MS, 25 * KV_TIME_S, 0, KV_TIME_S, 0, 400 * MS, 0},
    {"blink", 20 * MS, 300 * MS, 0, 10 * KV_TIME_S, 50, 0, 0},
};
/* clang-format on */

int
main(int argc, char **argv)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/sim-farewell/", cases[i].name, NULL);

        g_test_add_data_func(path, &cases[i], test_farewell);
    }
    return kv_test_main(&argc, &argv);
}
