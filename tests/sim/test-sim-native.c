/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START (1000 * S)

typedef struct {
    const char *name;
    KvSimLink link;
    gboolean secret; /* instead of keys */
    guint data_shards, parity_shards;
    gboolean rapid_fec;
    size_t size_max;     /* of an inner packet; 0: 1400 */
    guint packets;       /* each way */
    guint limit_seconds; /* for all of them, virtual */
    guint window;        /* segments each end takes; 0: 1024 */
} Case;

typedef struct {
    KvNativeEnd client;
    KvNativeEnd server;
    KvSim *sim;
} Run;

static void
run_init_seeded(Run *run, gboolean with_keys, const KvSimLink *link, uint64_t seed)
{
    kv_native_ends_init(&run->client, &run->server, with_keys, seed + 1);
    run->sim = kv_sim_new(seed, START);
    kv_sim_attach(run->sim, 0, &kv_native_end_machine, &run->client);
    kv_sim_attach(run->sim, 1, &kv_native_end_machine, &run->server);
    for (guint i = 0; i < 2; i++)
        kv_sim_set_link(run->sim, i, link);
}

static void
run_init(Run *run, gboolean with_keys, const KvSimLink *link)
{
    run_init_seeded(run, with_keys, link, kv_test_get_seed());
}

static void
run_start(Run *run)
{
    kv_native_end_start(&run->server, kv_sim_get_now(run->sim));
    kv_native_end_start(&run->client, kv_sim_get_now(run->sim));
    kv_sim_poke(run->sim, 0);
}

static void
run_clear(Run *run)
{
    kv_sim_free(run->sim);
    kv_native_end_clear(&run->client);
    kv_native_end_clear(&run->server);
}

static gboolean
is_all_there(void *data)
{
    Run *run = data;

    return run->client.received >= run->server.to_send &&
           run->server.received >= run->client.to_send;
}

static gboolean
is_closed(void *data)
{
    Run *run = data;

    return run->client.n_events[KV_EVENT_CLOSED] > 0;
}

static void
run_until(Run *run, KvTime seconds, gboolean (*is_done)(void *data))
{
    KvTime until = kv_sim_get_now(run->sim) + seconds * S;

    kv_sim_poke(run->sim, 0);
    kv_sim_poke(run->sim, 1);
    g_assert_cmpint(kv_sim_run(run->sim, until, is_done, run), ==, is_done != NULL);
}

/* Proves: over the worst of paths the handshake completes, every inner packet arrives once and in
 * the order of its flow on either side before the time is up, nothing that waited for others was
 * given up, be the packets far longer than datagrams and the window small, and the server learns of
 * the end. */
static void
test_case(gconstpointer data)
{
    const Case *c = data;
    Run run;
    KvStats stats;

    run_init(&run, !c->secret, &c->link);
    for (guint i = 0; i < 2; i++) {
        KvNativeEnd *end = i == 0 ? &run.client : &run.server;

        end->params.data_shards = c->data_shards;
        end->params.parity_shards = c->parity_shards;
        end->params.rapid_fec = c->rapid_fec;
        end->to_send = c->packets;
        if (c->size_max > 0)
            end->size_max = c->size_max;
        if (c->window > 0)
            end->params.rcv_wnd = c->window;
    }
    run_start(&run);
    run_until(&run, c->limit_seconds, is_all_there);
    kv_native_get_stats(run.client.native, &stats);
    g_test_message("%u packets each way in %.2f s; %u sent again, %u repaired", c->packets,
                   (double) (kv_sim_get_now(run.sim) - START) / S,
                   (guint) (stats.kcp_retransmits_timeout + stats.kcp_retransmits_fast +
                            stats.kcp_retransmits_probe),
                   (guint) stats.fec_recovered);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_CLOSED], ==, 0);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_READY], ==, 1);
    g_assert_cmpuint(stats.drops[KV_DROP_NO_MEMORY], ==, 0);

    kv_native_close(run.client.native, KV_CLOSE_GOING_DOWN, kv_sim_get_now(run.sim));
    run_until(&run, 2, is_closed);
    run_clear(&run);
}

/* clang-format off: one row each */
static const Case cases[] = {
    {"clean", {.delay = MS}, 0, 0, 0, 0, 0, 2000, 20},
    {"clean-secret", {.delay = 20 * MS}, 1, 0, 0, 0, 0, 2000, 20},
    {"clean-fec", {.delay = 20 * MS}, 0, 10, 3, 0, 0, 2000, 20},
    {"loss-1", {.delay = 15 * MS, .loss = 0.01}, 0, 0, 0, 0, 0, 2000, 30},
    {"loss-10", {.delay = 15 * MS, .loss = 0.10}, 0, 0, 0, 0, 0, 2000, 60},
    {"loss-10-fec", {.delay = 15 * MS, .loss = 0.10}, 0, 10, 3, 0, 0, 2000, 60},
    {"loss-10-rapid", {.delay = 15 * MS, .loss = 0.10}, 1, 10, 3, 1, 0, 2000, 60},
    {"loss-30", {.delay = 15 * MS, .loss = 0.30}, 0, 0, 0, 0, 0, 1000, 90},
    {"loss-30-fec-10-10", {.delay = 15 * MS, .loss = 0.30}, 0, 10, 10, 1, 0, 1000, 90},
    {"bursts",
     {.delay = 15 * MS, .burst_enter = 0.01, .burst_length = 30 * MS},
     0,
     10,
     3,
     0,
     0,
     2000,
     60},
    {"reorder",
     {.delay = 15 * MS, .reorder = 0.05, .reorder_delay = 20 * MS},
     0,
     0,
     0,
     0,
     0,
     2000,
     60},
    {"duplicate", {.delay = 15 * MS, .duplicate = 0.3}, 0, 10, 3, 0, 0, 2000, 60},
    {"corrupt", {.delay = 15 * MS, .corrupt = 0.1}, 0, 0, 0, 0, 0, 2000, 60},
    {"parts", {.delay = 15 * MS, .loss = 0.05}, 0, 10, 3, 0, 9000, 300, 60},
    {"parts-30", {.delay = 15 * MS, .loss = 0.30}, 0, 0, 0, 0, 9000, 1000, 60, 128},
    {"parts-30-fec", {.delay = 15 * MS, .loss = 0.30}, 0, 10, 10, 0, 3000, 1000, 60, 128},
    {"parts-30-huge", {.delay = 15 * MS, .loss = 0.30}, 0, 0, 0, 0, 65000, 300, 60, 128},
    {"thin", {.delay = 30 * MS, .rate = 2000000, .queue_bytes = 50000}, 0, 0, 0, 0, 0, 1000, 60},
};
/* clang-format on */

static KvSimLink clean = {.delay = 15 * MS};

/* Proves: keys change under load, several times over, and no packet is lost, doubled or delayed
 * for it. */
static void
test_rekey(void)
{
    Run run;

    run_init(&run, TRUE, &clean);
    run.client.interval = run.server.interval = 20 * MS;
    run.client.to_send = run.server.to_send = 20000;
    run_start(&run);
    run_until(&run, 401, is_all_there);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_SESSIONS], >=, 6);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], ==, 0);
    run_clear(&run);
}

/* Proves: two ends with nothing to say send nothing, for an hour, and after it packets flow again
 * within two round trips. */
static void
test_silence(void)
{
    Run run;
    guint wrote;

    run_init(&run, TRUE, &clean);
    run_start(&run);
    run.client.to_send = 8;
    run_until(&run, 2, is_all_there);
    run_until(&run, 60, NULL);
    wrote = run.client.wrote + run.server.wrote;
    run_until(&run, 3600, NULL);
    g_assert_cmpuint(run.client.wrote + run.server.wrote, ==, wrote);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_CLOSED], ==, 0);
    run.client.to_send = 16;
    run_until(&run, 1, is_all_there);
    run_clear(&run);
}

/* Proves: a server that was started again, and so knows nothing, is noticed by its client's next
 * packet: all flows again in three round trips, and the client stays what it was. */
static void
test_server_restart(void)
{
    Run run;
    guint received;

    run_init(&run, TRUE, &clean);
    run.client.interval = 10 * MS;
    run.client.to_send = 100000;
    run.client.may_skip = run.server.may_skip = TRUE;
    run_start(&run);
    run_until(&run, 5, NULL);
    received = run.server.received;
    g_assert_cmpuint(received, >, 450);
    kv_native_end_restart(&run.server, kv_sim_get_now(run.sim));
    kv_sim_run(run.sim, kv_sim_get_now(run.sim) + 100 * MS, NULL, NULL);
    g_assert_cmpuint(run.server.received, >, received);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], ==, 1);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_CLOSED], ==, 0);
    run_clear(&run);
}

/* Proves: a client that ends, and whose server knows nothing of it any more and says so, does not
 * come back for a last time. */
static void
test_close_after_restart(void)
{
    Run run;
    guint n_ready;

    run_init(&run, TRUE, &clean);
    run.client.interval = 10 * MS;
    run.client.to_send = 100000;
    run.client.may_skip = run.server.may_skip = TRUE;
    run_start(&run);
    run_until(&run, 2, NULL);
    kv_native_end_restart(&run.server, kv_sim_get_now(run.sim));
    n_ready = run.server.n_events[KV_EVENT_READY];
    kv_native_close(run.client.native, KV_CLOSE_GOING_DOWN, kv_sim_get_now(run.sim));
    run_until(&run, 2, is_closed);
    run_until(&run, 2, NULL);
    g_assert_cmpuint(run.server.n_events[KV_EVENT_READY], ==, n_ready);
    g_assert_null(run.server.native);
    run_clear(&run);
}

/* Proves: a server's no reaches the client with its reason, and the client ends. */
static void
test_refused(void)
{
    Run run;

    run_init(&run, TRUE, &clean);
    run.server.refusal = KV_REFUSED_EXHAUSTED;
    run_start(&run);
    run_until(&run, 5, is_closed);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_REFUSED], ==, 1);
    g_assert_cmpuint(run.client.refusal, ==, KV_REFUSED_EXHAUSTED);
    g_assert_cmpint(run.client.last_event.reason, ==, KV_REASON_EXHAUSTED);
    g_assert_null(run.server.native);
    run_clear(&run);
}

/* Proves: a client whose server never answers gives up when its time is up. */
static void
test_nobody(void)
{
    KvSimLink down = {.down = TRUE};
    Run run;

    run_init(&run, TRUE, &down);
    run_start(&run);
    run_until(&run, 61, is_closed);
    g_assert_cmpint(run.client.last_event.reason, ==, KV_REASON_HANDSHAKE_TIMEOUT);
    run_clear(&run);
}

static void
set_links(Run *run, const KvSimLink *link)
{
    kv_sim_set_link(run->sim, 0, link);
    kv_sim_set_link(run->sim, 1, link);
}

/* Proves: a client whose server stays away tells of it 18 s after what it sent, then each half
 * minute, and that nobody answered when the patience of 90 s is over, but lives on; as soon as the
 * server is back it tells that too, and what waited arrives. */
static void
test_away(void)
{
    KvSimLink down = {.down = TRUE};
    Run run;
    guint *n = run.client.n_events;

    run_init(&run, TRUE, &clean);
    run.client.to_send = 8;
    run_start(&run);
    run_until(&run, 2, is_all_there);
    set_links(&run, &down);
    run.client.to_send = 9;
    run_until(&run, 17, NULL);
    g_assert_cmpuint(n[KV_EVENT_UNANSWERED], ==, 0);
    run_until(&run, 2, NULL);
    g_assert_cmpuint(n[KV_EVENT_UNANSWERED], ==, 1);
    run_until(&run, 84, NULL);
    g_assert_cmpuint(n[KV_EVENT_UNANSWERED], ==, 3);
    g_assert_cmpuint(n[KV_EVENT_LOST], ==, 0);
    run_until(&run, 3, NULL);
    g_assert_cmpuint(n[KV_EVENT_LOST], ==, 1);
    g_assert_cmpint(run.client.last_event.reason, ==, KV_REASON_HANDSHAKE_TIMEOUT);
    run_until(&run, 60, NULL);
    g_assert_cmpuint(n[KV_EVENT_ANSWERED] + n[KV_EVENT_CLOSED], ==, 0);
    set_links(&run, &clean);
    run_until(&run, 6, is_all_there);
    run_until(&run, 1, NULL);
    g_assert_cmpuint(n[KV_EVENT_ANSWERED], ==, 1);
    run_clear(&run);
}

/* Proves: a server that is heard is not away, though it answers no handshake. */
static void
test_no_rekey(void)
{
    KvResponder *responder;
    Run run;

    run_init(&run, TRUE, &clean);
    run_start(&run);
    run_until(&run, 1, NULL);
    responder = g_steal_pointer(&run.server.responder);
    run.client.interval = S;
    run.client.to_send = 174;
    run_until(&run, 176, is_all_there);
    g_assert_true(kv_native_is_asking(run.client.native));
    g_assert_cmpuint(run.client.n_events[KV_EVENT_UNANSWERED], ==, 0);
    run.server.responder = responder;
    run_clear(&run);
}

/* Proves: a client that does not get an answer goes on where it is told to call instead, be its
 * server the same or another one that knows nothing. */
static void
test_called(gconstpointer data)
{
    gboolean is_another = GPOINTER_TO_INT(data);
    KvSimLink down = {.down = TRUE};
    KvEndpoint there;
    Run run;

    run_init(&run, TRUE, &clean);
    run.client.to_send = 8;
    run_start(&run);
    run_until(&run, 2, is_all_there);
    if (is_another)
        kv_native_end_restart(&run.server, kv_sim_get_now(run.sim));
    set_links(&run, &down);
    run.client.to_send = 9;
    run.client.may_skip = run.server.may_skip = TRUE;
    run_until(&run, 19, NULL);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_UNANSWERED], ==, 1);
    there = run.client.peer_address;
    there.port++;
    run.client.peer_address = there;
    run.client.strays = TRUE;
    set_links(&run, &clean);
    run_until(&run, 5, NULL);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_ANSWERED], ==, 0);
    kv_native_call(run.client.native, &there, kv_sim_get_now(run.sim));
    run_until(&run, 6, NULL);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_ANSWERED], ==, 1);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], ==, is_another);
    g_assert_true(kv_endpoint_equal(kv_native_get_remote(run.client.native), &there));
    run.client.to_send = 17;
    run_until(&run, 2, NULL);
    g_assert_cmpuint(run.server.received, >=, 16);
    run_clear(&run);
}

static const GArray *
get_routes(KvNativeEnd *end)
{
    return kv_native_get_remote_config(end->native)->routes;
}

static gboolean
is_reconfigured(void *data)
{
    Run *run = data;

    return run->client.n_events[KV_EVENT_RECONFIGURED] > 0 &&
           run->server.n_events[KV_EVENT_RECONFIGURED] > 0;
}

/* Proves: what a handshake has no room for follows whole, both ways, once, over a path that loses
 * much; and a new handshake says it no second time. */
static void
test_more(void)
{
    KvSimLink lossy = {.delay = 15 * MS, .loss = 0.2};
    Run run;

    run_init(&run, TRUE, &lossy);
    run.client.n_routes = 70;
    run.server.n_routes = 3000;
    run_start(&run);
    run_until(&run, 30, is_reconfigured);
    g_assert_cmpuint(get_routes(&run.client)->len, ==, 3000);
    g_assert_cmpuint(get_routes(&run.server)->len, ==, 70);
    for (guint i = 0; i < 3000; i++) {
        const KvNetwork *route = &g_array_index(get_routes(&run.client), KvNetwork, i);

        g_assert_cmpuint(kv_get_le32(route->ip + 4), ==, i);
    }
    run.client.interval = 50 * MS;
    run.client.to_send = 4000;
    run_until(&run, 250, is_all_there);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_SESSIONS], >=, 3);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], ==, 1);
    g_assert_cmpuint(run.server.n_events[KV_EVENT_RECONFIGURED], ==, 1);
    run_clear(&run);
}

/* Says what @end has now. Returns: whether it was taken. */
static gboolean
say_routes(KvNativeEnd *end, guint n)
{
    g_auto(KvNativeConfig) config = {0};

    end->n_routes = n;
    kv_native_config_init(&config);
    kv_native_end_put_routes(end, &config);
    return kv_native_say(end->native, &config);
}

/* Proves: later words replace what was said, the last of them that there is none any more; what was
 * said stands in later handshakes, too; and what fits no batch is not said at all. */
static void
test_say(void)
{
    static const guint routes[] = {3, 200, 0, 1, 0};
    Run run;

    run_init(&run, TRUE, &clean);
    run.client.n_routes = run.server.n_routes = 5;
    run_start(&run);
    run_until(&run, 1, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(routes); i++) {
        g_assert_true(say_routes(&run.client, routes[i]));
        g_assert_true(say_routes(&run.server, routes[i]));
        run_until(&run, 1, NULL);
        g_assert_cmpuint(get_routes(&run.server)->len, ==, routes[i]);
        g_assert_cmpuint(get_routes(&run.client)->len, ==, routes[i]);
        g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], ==, i + 1);
    }
    g_assert_true(say_routes(&run.client, 7));
    g_assert_false(say_routes(&run.client, 3500));
    run_until(&run, 1, NULL);
    kv_native_end_restart(&run.server, kv_sim_get_now(run.sim));
    run.server.may_skip = TRUE;
    run.client.to_send = 8;
    run_until(&run, 1, NULL);
    g_assert_cmpuint(get_routes(&run.server)->len, ==, 7);
    run_clear(&run);
}

/* Proves: words that come faster than the peer takes them in end nothing: it learns the last of
 * them. What fits no batch does not replace what waits. */
static void
test_say_fast(void)
{
    static const KvSimLink down = {.down = TRUE};
    Run run;

    run_init(&run, TRUE, &clean);
    run_start(&run);
    run_until(&run, 1, NULL);
    set_links(&run, &down);
    for (guint i = 0; i < 51; i++) {
        g_assert_true(say_routes(&run.server, i % 2 == 0 ? 1000 + i : 0));
        g_assert_true(say_routes(&run.client, i % 2 == 0 ? 0 : 100 + i));
        g_assert_false(say_routes(&run.client, 3500));
    }
    set_links(&run, &clean);
    run_until(&run, 10, NULL);
    g_assert_cmpuint(get_routes(&run.client)->len, ==, 1050);
    g_assert_cmpuint(get_routes(&run.server)->len, ==, 0);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_CLOSED], ==, 0);
    /* Nine batches, of which one event may tell several. */
    g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], >, 0);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], <=, 9);
    g_assert_true(say_routes(&run.server, 3));
    run_until(&run, 1, NULL);
    g_assert_cmpuint(get_routes(&run.client)->len, ==, 3);
    run_clear(&run);
}

static size_t
output(KvNativeEnd *end, uint8_t *buf, KvTime now)
{
    return kv_native_end_machine.output(end, buf, KV_PACKET_CAPACITY, now);
}

/* Proves: a peer whose first datagram comes from elsewhere, as one does that somebody else copies
 * and sends on, stays where the answer went. */
static void
test_answered(void)
{
    static const KvEndpoint elsewhere = {.ip = {0xfd, 9}, .port = 9};
    g_autofree uint8_t *buf = g_malloc(KV_PACKET_CAPACITY);
    KvEndpoint home;
    Run run;
    size_t len;

    run_init(&run, TRUE, &clean);
    kv_native_end_start(&run.server, START);
    kv_native_end_start(&run.client, START);
    home = run.server.peer_address;
    len = output(&run.client, buf, START);
    kv_native_end_machine.input(&run.server, buf, len, START);
    len = output(&run.server, buf, START);
    kv_native_end_machine.input(&run.client, buf, len, START);
    len = output(&run.client, buf, START);
    run.server.peer_address = elsewhere;
    kv_native_end_machine.input(&run.server, buf, len, START);
    g_assert_nonnull(run.server.native);
    g_assert_true(kv_endpoint_equal(kv_native_get_remote(run.server.native), &home));
    run_clear(&run);
}

/* Traffic both ways, a hole of @hole seconds in it, and @rest seconds for what is missing to come.
 */
static void
run_through_hole(Run *run, KvTime hole, KvTime rest)
{
    KvSimLink down = {.down = TRUE};

    run_init(run, TRUE, &clean);
    run->client.interval = run->server.interval = 50 * MS;
    run->client.to_send = run->server.to_send = 200;
    run_start(run);
    run_until(run, 5, NULL);
    for (guint i = 0; i < 2; i++)
        kv_sim_set_link(run->sim, i, &down);
    run_until(run, hole, NULL);
    for (guint i = 0; i < 2; i++)
        kv_sim_set_link(run->sim, i, &clean);
    run_until(run, rest, is_all_there);
}

/* Proves: a hole of 200 s, after which all keys are old and a whole handshake's patience is over,
 * costs packets that come late, no more; none is missing ten seconds after it. */
static void
test_long_hole(void)
{
    Run run;

    run_through_hole(&run, 200, 10);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_CLOSED], ==, 0);
    g_assert_cmpuint(run.client.n_events[KV_EVENT_RECONFIGURED], ==, 0);
    run_clear(&run);
}

/* Proves: a path that is gone for two minutes is used again as soon as it is back, and not a packet
 * is missing then. */
static void
test_black_hole(void)
{
    Run run;

    run_through_hole(&run, 60, 20);
    run_clear(&run);
}

static gboolean
is_marked_all_there(void *data)
{
    Run *run = data;

    return run->client.received >= run->server.to_send &&
           run->server.received >= run->client.to_send / 4 * 3;
}

static void
run_congested(double loss, guint nth)
{
    KvSimLink link = {.delay = 5 * MS, .loss = loss};
    KvStats stats;
    Run run;

    run_init_seeded(&run, TRUE, &link, kv_test_get_seed() + nth);
    run.client.to_send = run.server.to_send = 2000;
    run.server.congested = TRUE;
    run_start(&run);
    run_until(&run, 20, is_marked_all_there);
    run_until(&run, 1, NULL);
    kv_native_get_stats(run.server.native, &stats);
    g_assert_cmpuint(run.server.received, ==, 1500);
    g_assert_cmpuint(stats.drops[KV_DROP_CONGESTION], ==, 500);
    g_assert_cmpuint(stats.path_rx_marked, >, 1000);
    g_assert_cmpuint(stats.path_rx_marked, ==, stats.wire_rx_datagrams);
    g_assert_cmpuint(run.client.received, ==, 2000);
    kv_native_get_stats(run.client.native, &stats);
    g_assert_cmpuint(stats.drops[KV_DROP_CONGESTION], ==, 0);
    g_assert_cmpuint(stats.path_rx_marked, ==, 0);
    run_clear(&run);
}

/* Proves: what congestion marks say to one end reaches the packets that they came with, by a mark
 * or by a loss, and the report; nobody else's. That of the datagram which confirms the session
 * counts, too, be it one with packets as the ping before was lost. */
static void
test_congestion(void)
{
    run_congested(0, 0);
    for (guint i = 1; i <= 8; i++)
        run_congested(0.3, i);
}

static gboolean
is_full_size(void *data)
{
    Run *run = data;

    return run->client.native != NULL && kv_native_get_packet_max(run->client.native) > 1300;
}

/* Sends one inner packet of @len bytes. Returns: in how many segments it went. */
static guint
count_segments(Run *run, size_t len)
{
    KvStats before, after;

    kv_native_get_stats(run->client.native, &before);
    run->client.size_min = run->client.size_max = len;
    run->server.size_min = run->server.size_max = len;
    run->client.to_send++;
    run_until(run, 5, is_all_there);
    kv_native_get_stats(run->client.native, &after);
    return (guint) (after.kcp_segments_sent - before.kcp_segments_sent);
}

/* Proves: what is said to fit one datagram does, and a byte more does not, with the size that every
 * path takes and with what the path was found to take. */
static void
test_packet_max(void)
{
    KvSimLink link = {.delay = 5 * MS};
    guint packet_max;
    Run run;

    run_init(&run, TRUE, &link);
    run_start(&run);
    g_assert_cmpuint(kv_native_get_packet_max(run.client.native), ==, 0);
    run_until(&run, 5, is_full_size);
    packet_max = kv_native_get_packet_max(run.client.native);
    g_assert_cmpuint(packet_max, <, run.client.params.datagram_max);
    g_assert_cmpuint(count_segments(&run, packet_max), ==, 1);
    g_assert_cmpuint(count_segments(&run, packet_max + 1), ==, 2);
    run_clear(&run);
}

int
main(int argc, char **argv)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/sim/native/%s", cases[i].name);

        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/sim/native/rekey", test_rekey);
    g_test_add_func("/sim/native/silence", test_silence);
    g_test_add_func("/sim/native/server-restart", test_server_restart);
    g_test_add_func("/sim/native/close-after-restart", test_close_after_restart);
    g_test_add_func("/sim/native/refused", test_refused);
    g_test_add_func("/sim/native/nobody", test_nobody);
    g_test_add_func("/sim/native/away", test_away);
    g_test_add_func("/sim/native/no-rekey", test_no_rekey);
    g_test_add_data_func("/sim/native/called/same", GINT_TO_POINTER(FALSE), test_called);
    g_test_add_data_func("/sim/native/called/another", GINT_TO_POINTER(TRUE), test_called);
    g_test_add_func("/sim/native/black-hole", test_black_hole);
    g_test_add_func("/sim/native/more", test_more);
    g_test_add_func("/sim/native/say", test_say);
    g_test_add_func("/sim/native/say-fast", test_say_fast);
    g_test_add_func("/sim/native/answered", test_answered);
    g_test_add_func("/sim/native/long-hole", test_long_hole);
    g_test_add_func("/sim/native/congestion", test_congestion);
    g_test_add_func("/sim/native/packet-max", test_packet_max);
    return kv_test_main(&argc, &argv);
}
