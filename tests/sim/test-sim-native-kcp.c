/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sim-kcp.h"
#include "kv-test.h"

#define MBIT          UINT64_C(1000000)
#define WINDOW        4096
#define PACKET        1290  /* bytes that fit a datagram in either packing */
#define DELAYS        15000 /* packets: fewer have their last per cent by chance */
#define FOREVER       (UINT64_C(1) << 40)
#define HALF_TRIP(ms) ((ms) *KV_TIME_MS / 2)

/* The native packing, or that of v1 as the product runs it. */
static KvKcpConfig
make_config(gboolean native)
{
    return (KvKcpConfig){
        .conv = 0x11223344,
        .mtu = 1350,
        .reserved = 28,
        .snd_wnd = WINDOW,
        .rcv_wnd = WINDOW,
        .interval = 10,
        .resend = 2,
        .nodelay = TRUE,
        .nc = TRUE,
        .stream = !native,
        .native = native,
        .peer_wnd = WINDOW,
        .tuning = KV_KCP_TUNING_PRODUCT,
    };
}

static KvSimKcpSetup
make_setup(gboolean native, const KvSimLink *link)
{
    return (KvSimKcpSetup){
        .config = make_config(native),
        .peer_tuning = KV_KCP_TUNING_PRODUCT,
        .link = *link,
        .start = KV_TIME_S,
    };
}

/* --- all arrives ---------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    KvSimLink link;
    uint64_t bytes; /* each way */
    KvTime limit;   /* virtual */
} Path;

static const Path paths[] = {
    {"clean-1ms", {.delay = HALF_TRIP(1)}, 2000000, 3 * KV_TIME_S},
    {"clean-2s", {.delay = HALF_TRIP(2000)}, 500000, 30 * KV_TIME_S},
    {"loss-1%-1ms", {.delay = HALF_TRIP(1), .loss = 0.01}, 2000000, 5 * KV_TIME_S},
    {"loss-5%-50ms", {.delay = HALF_TRIP(50), .loss = 0.05}, 2000000, 15 * KV_TIME_S},
    {"loss-20%-50ms", {.delay = HALF_TRIP(50), .loss = 0.20}, 1000000, 30 * KV_TIME_S},
    {"loss-20%-2s", {.delay = HALF_TRIP(2000), .loss = 0.20}, 200000, 200 * KV_TIME_S},
    {"loss-40%-1ms", {.delay = HALF_TRIP(1), .loss = 0.40}, 500000, 30 * KV_TIME_S},
    {"loss-40%-50ms", {.delay = HALF_TRIP(50), .loss = 0.40}, 500000, 60 * KV_TIME_S},
    {"bursts",
     {.delay = HALF_TRIP(50), .burst_enter = 0.01, .burst_length = 5000},
     1000000,
     30 * KV_TIME_S},
    {"long-bursts",
     {.delay = HALF_TRIP(50), .burst_enter = 0.002, .burst_length = 300000},
     500000,
     60 * KV_TIME_S},
    {"reorder",
     {.delay = HALF_TRIP(50), .reorder = 0.2, .reorder_delay = 20000},
     1000000,
     15 * KV_TIME_S},
    {"jitter-reorder",
     {.delay = HALF_TRIP(50), .jitter = 30000, .reorder = 0.5, .reorder_delay = 5000},
     1000000,
     15 * KV_TIME_S},
    {"duplicates", {.delay = HALF_TRIP(50), .duplicate = 0.3}, 1000000, 10 * KV_TIME_S},
    {"corruption", {.delay = HALF_TRIP(50), .corrupt = 0.1}, 1000000, 30 * KV_TIME_S},
    {"everything",
     {.delay = HALF_TRIP(50),
      .loss = 0.05,
      .duplicate = 0.05,
      .corrupt = 0.05,
      .reorder = 0.05,
      .reorder_delay = 30000,
      .jitter = 10000},
     1000000,
     30 * KV_TIME_S},
    {"slow-lossy-link",
     {.delay = HALF_TRIP(100), .rate = MBIT, .queue_bytes = 20000, .loss = 0.05},
     500000,
     45 * KV_TIME_S},
};

typedef struct {
    const Path *path;
    guint flows;
    gboolean wraps;
} Case;

/* Proves: every packet arrives once, whole and in its flow's order, both ways, in the time that the
 * packing of v1 has for it; whether there is one lane or many, packets are longer than a datagram
 * or not, and across the wrap of sequence numbers, lane sequences and time stamps. */
static void
test_path(gconstpointer data)
{
    const Case *c = data;
    KvSimKcpSetup setup = make_setup(TRUE, &c->path->link);
    g_autoptr(KvSimKcp) pair = NULL;

    setup.bytes[0] = setup.bytes[1] = c->path->bytes;
    setup.flows = c->flows;
    if (c->wraps) {
        setup.config.first_sn = (uint32_t) -50;
        setup.start = (UINT64_C(1) << 32) - 400 * KV_TIME_MS;
    }
    pair = kv_sim_kcp_new(kv_test_get_seed(), &setup);
    g_assert_true(kv_sim_kcp_run(pair, c->path->limit));
    for (guint i = 0; i < 2; i++)
        g_assert_cmpuint(kv_sim_kcp_get_kept(pair, i), ==, 0);
}

/* --- as much as the packing of v1 ----------------------------------------------------------- */

/* Bits per second of bulk for three seconds or twenty round trips, after one second or twenty round
 * trips. */
static double
measure_bulk(const KvSimLink *link, gboolean native)
{
    KvSimKcpSetup setup = make_setup(native, link);
    KvTime begin = MAX(KV_TIME_S, 40 * link->delay), time = MAX(3 * KV_TIME_S, 40 * link->delay);
    g_autoptr(KvSimKcp) pair = NULL;
    uint64_t before;

    setup.bytes[0] = FOREVER;
    setup.write_size = PACKET;
    pair = kv_sim_kcp_new(kv_test_get_seed(), &setup);
    kv_sim_kcp_run(pair, begin);
    before = kv_sim_kcp_get_read(pair, 1);
    kv_sim_kcp_run(pair, time);
    return (double) (kv_sim_kcp_get_read(pair, 1) - before) * 8 * KV_TIME_S / (double) time;
}

/* Proves: one flow of full datagrams, in order, has the goodput of v1's stream, but for what longer
 * headers take and chance gives. */
static void
test_goodput(void)
{
    static const struct {
        double loss;
        guint rtt_us;
        guint mbit;
    } rows[] = {{0, 50000, 200},    {0.01, 50000, 200}, {0.05, 50000, 200},
                {0.10, 50000, 200}, {0.20, 50000, 100}, {0.01, 1000, 100},
                {0.40, 50000, 20},  {0, 100, 1000},     {0.02, 300000, 20}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        KvSimLink link = {.delay = rows[i].rtt_us / 2,
                          .rate = rows[i].mbit * MBIT,
                          .queue_bytes = rows[i].mbit * 12500,
                          .overhead = 48,
                          .batch = 50,
                          .loss = rows[i].loss};
        double native = measure_bulk(&link, TRUE), v1 = measure_bulk(&link, FALSE);

        g_test_message("loss %.2f, %u us, %u Mbit/s: %.1f, v1 %.1f", rows[i].loss, rows[i].rtt_us,
                       rows[i].mbit, native / 1e6, v1 / 1e6);
        g_assert_cmpfloat(native, >=, 0.95 * v1);
    }
}

/* --- as soon as the packing of v1 ----------------------------------------------------------- */

typedef struct {
    KvTime p50;
    KvTime p99;
} Delay;

static Delay
measure_delay(const KvSimLink *link, KvTime write_every, uint32_t write_size, guint flows)
{
    KvSimKcpSetup setup = make_setup(flows > 0, link);
    g_autoptr(KvSimKcp) pair = NULL;

    setup.bytes[0] = FOREVER;
    setup.write_every = write_every;
    setup.write_size = write_size;
    setup.flows = flows;
    pair = kv_sim_kcp_new(kv_test_get_seed(), &setup);
    kv_sim_kcp_run(pair, DELAYS * write_every);
    return (Delay){kv_sim_kcp_get_delay(pair, 0.5), kv_sim_kcp_get_delay(pair, 0.99)};
}

/* Proves: sparse packets of one flow arrive as soon as in v1's stream. */
static void
test_sparse(void)
{
    static const double losses[] = {0, 0.01, 0.05, 0.10, 0.20};

    for (guint i = 0; i < G_N_ELEMENTS(losses); i++) {
        KvSimLink link = {.delay = HALF_TRIP(50), .loss = losses[i]};
        Delay native = measure_delay(&link, 20 * KV_TIME_MS, 200, 1);
        Delay v1 = measure_delay(&link, 20 * KV_TIME_MS, 200, 0);

        g_test_message("loss %.2f: p50 %.1f, p99 %.1f ms; v1 %.1f, %.1f", losses[i],
                       (double) native.p50 / 1e3, (double) native.p99 / 1e3, (double) v1.p50 / 1e3,
                       (double) v1.p99 / 1e3);
        g_assert_cmpuint(native.p50, <=, v1.p50);
        g_assert_cmpuint(native.p99 * 10, <=, v1.p99 * 110);
    }
}

/* Proves: of ten flows none waits for another's losses: most packets come as soon as if nothing was
 * lost. */
static void
test_flows(void)
{
    static const struct {
        double loss;
        KvTime burst;
    } rows[] = {{0.02, 0}, {0.10, 0}, {0.20, 0}, {0.03, 3000}, {0.07, 3000}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        KvSimLink link = {.delay = HALF_TRIP(100), .jitter = KV_TIME_MS};
        Delay native, v1;

        if (rows[i].burst > 0) {
            link.burst_enter = rows[i].loss;
            link.burst_length = rows[i].burst;
        } else {
            link.loss = rows[i].loss;
        }
        native = measure_delay(&link, KV_TIME_MS, 1000, 10);
        v1 = measure_delay(&link, KV_TIME_MS, 1000, 0);
        g_test_message("loss %.2f, bursts %.1f ms: p50 %.1f, p99 %.1f ms; v1 %.1f, %.1f",
                       rows[i].loss, (double) rows[i].burst / 1e3, (double) native.p50 / 1e3,
                       (double) native.p99 / 1e3, (double) v1.p50 / 1e3, (double) v1.p99 / 1e3);
        g_assert_cmpuint(native.p50, <=, v1.p50);
        g_assert_cmpuint(native.p99, <=, v1.p99);
    }
}

/* --- the rest ------------------------------------------------------------------------------- */

/* Proves: with nothing owed the machine asks for no more wake-ups. */
static void
test_idle_silence(void)
{
    KvSimLink link = {.delay = HALF_TRIP(100)};
    KvSimKcpSetup setup = make_setup(TRUE, &link);
    g_autoptr(KvSimKcp) pair = NULL;

    setup.bytes[0] = setup.bytes[1] = 5000;
    pair = kv_sim_kcp_new(kv_test_get_seed(), &setup);
    g_assert_true(kv_sim_kcp_run(pair, 5 * KV_TIME_S));
    g_assert_false(kv_sim_run(kv_sim_kcp_get_sim(pair), 60 * KV_TIME_S, NULL, NULL));
    for (guint i = 0; i < 2; i++)
        g_assert_cmpuint(kv_kcp_deadline(kv_sim_kcp_get_machine(pair, i)), ==, KV_TIME_NEVER);
}

/* Proves: after a minute without any path data flows again within seconds of its return, and
 * little is sent meanwhile. */
static void
test_outage(void)
{
    KvSimLink link = {.delay = HALF_TRIP(50), .rate = 50 * MBIT, .queue_bytes = 500000};
    KvSimLink down = {.down = TRUE};
    KvSimKcpSetup setup = make_setup(TRUE, &link);
    g_autoptr(KvSimKcp) pair = NULL;
    uint64_t sent, before;
    KvSim *sim;

    setup.bytes[0] = FOREVER;
    setup.write_size = PACKET;
    pair = kv_sim_kcp_new(kv_test_get_seed(), &setup);
    sim = kv_sim_kcp_get_sim(pair);
    kv_sim_kcp_run(pair, 2 * KV_TIME_S);
    kv_sim_set_link(sim, 0, &down);
    kv_sim_set_link(sim, 1, &down);
    sent = kv_sim_get_counts(sim, 0)->sent;
    kv_sim_kcp_run(pair, 60 * KV_TIME_S);
    g_assert_cmpuint(kv_sim_get_counts(sim, 0)->sent - sent, <, 2000);
    kv_sim_set_link(sim, 0, &link);
    kv_sim_set_link(sim, 1, &link);
    kv_sim_kcp_run(pair, 5 * KV_TIME_S);
    before = kv_sim_kcp_get_read(pair, 1);
    kv_sim_kcp_run(pair, 3 * KV_TIME_S);
    g_assert_cmpuint((kv_sim_kcp_get_read(pair, 1) - before) * 8, >, 3 * 40 * MBIT);
}

static void
add_paths(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        for (guint flows = 0; flows < 2; flows++) {
            g_autofree char *name =
                g_strdup_printf("/sim/native-kcp/%s/%s", paths[i].name, flows ? "flows" : "stream");
            Case *c = g_new0(Case, 1);

            c->path = &paths[i];
            c->flows = flows * 50;
            c->wraps = (i + flows) % 2;
            g_test_add_data_func_full(name, c, test_path, g_free);
        }
    }
}

int
main(int argc, char **argv)
{
    add_paths();
    g_test_add_func("/sim/native-kcp/goodput", test_goodput);
    g_test_add_func("/sim/native-kcp/sparse", test_sparse);
    g_test_add_func("/sim/native-kcp/flows", test_flows);
    g_test_add_func("/sim/native-kcp/idle-silence", test_idle_silence);
    g_test_add_func("/sim/native-kcp/outage", test_outage);
    return kv_test_main(&argc, &argv);
}
