/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-handshake-pair.h"
#include "kv-sim.h"

#include <string.h>

#define MS      KV_TIME_MS
#define ANSWERS 8
/* So many times the handshakes in the long run, whose seed is another each time: with few of them
 * the share that is in time scatters around the bound. */
#define LONG_RUN 4

typedef struct {
    const char *name;
    KvSimLink link; /* each way */
    guint n;        /* handshakes, in the short run */
    KvTime p95;
} Case;

/* A responder with what waits to be sent. */
typedef struct {
    KvHandshakePair *pair;
    uint8_t answers[ANSWERS][KV_INITIATION_MAX];
    size_t lens[ANSWERS];
    guint n;
} Server;

static void
client_input(void *self, const uint8_t *data, size_t len, KvTime now)
{
    KvHandshakePair *pair = self;

    (void) kv_initiator_input(pair->initiator, data, len, now);
}

static void
nothing(void *self G_GNUC_UNUSED, KvTime now G_GNUC_UNUSED)
{
}

static size_t
client_output(void *self, uint8_t *buf, size_t cap, KvTime now)
{
    KvHandshakePair *pair = self;

    g_assert_cmpuint(cap, >=, KV_INITIATION_MAX);
    return kv_initiator_output(pair->initiator, buf, now);
}

static KvTime
client_deadline(void *self)
{
    KvHandshakePair *pair = self;

    return kv_initiator_deadline(pair->initiator);
}

static void
client_advance(void *self, KvTime now)
{
    KvHandshakePair *pair = self;

    kv_initiator_advance(pair->initiator, now);
}

static void
server_input(void *self, const uint8_t *data, size_t len, KvTime now)
{
    Server *server = self;
    size_t reply =
        kv_handshake_pair_respond(server->pair, data, len, now, server->answers[server->n]);

    if (reply == 0)
        return;
    server->lens[server->n++] = reply;
    g_assert_cmpuint(server->n, <, ANSWERS);
}

static size_t
server_output(void *self, uint8_t *buf, size_t cap G_GNUC_UNUSED, KvTime now G_GNUC_UNUSED)
{
    Server *server = self;

    if (server->n == 0)
        return 0;
    server->n--;
    memcpy(buf, server->answers[server->n], server->lens[server->n]);
    return server->lens[server->n];
}

static KvTime
server_deadline(void *self)
{
    Server *server = self;

    return kv_responder_deadline(server->pair->responder);
}

static void
server_advance(void *self, KvTime now)
{
    Server *server = self;

    kv_responder_advance(server->pair->responder, now);
}

static const KvSimMachine client = {client_input, nothing, client_output, client_deadline,
                                    client_advance};
static const KvSimMachine server = {server_input, nothing, server_output, server_deadline,
                                    server_advance};

static gboolean
has_ended(void *data)
{
    const KvHandshakePair *pair = data;

    return kv_initiator_get_state(pair->initiator) != KV_INITIATOR_WAITING;
}

/* Returns: how long it took. */
static KvTime
shake_hands(const Case *c, guint i)
{
    const KvTime start = (i + 1) * KV_TIME_S;
    uint64_t seed = kv_test_get_seed() + i;
    g_autoptr(KvSim) sim = kv_sim_new(seed, start);
    g_auto(KvHandshakePair) pair = {0};
    Server end = {.pair = &pair};

    kv_handshake_pair_init(&pair, i % 2 == 0 ? KV_NOISE_IKPSK2 : KV_NOISE_NNPSK0, FALSE, seed);
    kv_sim_attach(sim, 0, &client, &pair);
    kv_sim_attach(sim, 1, &server, &end);
    kv_sim_set_link(sim, 0, &c->link);
    kv_sim_set_link(sim, 1, &c->link);
    kv_initiator_start(pair.initiator, start);
    kv_sim_run(sim, start + 2 * KV_INITIATOR_PATIENCE, has_ended, &pair);
    g_assert_cmpint(kv_initiator_get_state(pair.initiator), ==, KV_INITIATOR_DONE);
    return kv_sim_get_now(sim) - start;
}

static gint
compare_times(gconstpointer a, gconstpointer b)
{
    KvTime left = *(const KvTime *) a;
    KvTime right = *(const KvTime *) b;

    return (left > right) - (left < right);
}

/* Proves: over the worst of paths every handshake comes to its end, and 19 of 20 in time. */
static void
test_path(gconstpointer data)
{
    const Case *c = data;
    guint n = g_strcmp0(g_getenv("KV_TEST_LONG"), "1") == 0 ? c->n * LONG_RUN : c->n;
    g_autofree KvTime *times = g_new(KvTime, n);
    KvTime p95;

    for (guint i = 0; i < n; i++)
        times[i] = shake_hands(c, i);
    qsort(times, n, sizeof *times, compare_times);
    p95 = times[n * 95 / 100];
    g_test_message("%u; median %.0f ms, p95 %.0f ms, worst %.0f ms", n, (double) times[n / 2] / MS,
                   (double) p95 / MS, (double) times[n - 1] / MS);
    g_assert_cmpuint(p95, <=, c->p95);
}

static const Case cases[] = {
    {"clean", {.delay = 15 * MS}, 50, 31 * MS},
    {"loss-30", {.delay = 15 * MS, .loss = 0.3}, 1000, 3000 * MS},
    {"bursts", {.delay = 50 * MS, .burst_enter = 0.1, .burst_length = 500 * MS}, 200, 3000 * MS},
    {"corrupt-30", {.delay = 15 * MS, .corrupt = 0.3}, 500, 3000 * MS},
    {"reorder",
     {.delay = 100 * MS, .reorder = 0.3, .reorder_delay = 700 * MS, .duplicate = 0.3},
     200,
     1000 * MS},
    {"far", {.delay = 1500 * MS, .loss = 0.1}, 100, 6000 * MS},
};

int
main(int argc, char **argv)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/sim/native-handshake/%s", cases[i].name);

        g_test_add_data_func(path, &cases[i], test_path);
    }
    return kv_test_main(&argc, &argv);
}
