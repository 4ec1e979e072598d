/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"

/* A path that is gone for a while, both ways or one: how soon what waits arrives when it is back,
 * and what that costs. Packets are numbered: each arrives once and in its flow's order, or the test
 * fails. */

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START (1000 * S)

#define CLOSE     (250 * MS)              /* besides a round trip, until something arrives */
#define REPEAT    (5 * S + 5 * S + S / 3) /* without keys: a client's pause, and a repeat */
#define ASKED     8                       /* datagrams a second, of one end, into the hole */
#define HANDSHAKE 30                      /* and as many initiations in 100 s */
#define RATE      8000000                 /* of a bulk transfer's link, bit/s */

enum { CLIENT, SERVER };

typedef enum {
    STEADY, /* a packet each 100 ms */
    QUEUED, /* a few, when the path is gone already, and no more */
    BULK,   /* as much as goes */
    N_LOADS,
} Load;

static const char *const load_names[] = {"steady", "queued", "bulk"};

typedef struct {
    KvTime hole;
    guint holes;      /* each 5 s, if there is more than one */
    guint handshakes; /* at most: one that is due, or was answered already */
    gboolean late;    /* no session outlives it */
} Case;

/* Which ways are cut, and who has something to send. */
typedef struct {
    Load load;
    KvTime rtt;
    gboolean cut[2];
    gboolean sends[2];
} Variant;

/* The worst of several runs. */
typedef struct {
    KvTime heard; /* how long after a hole the last of those with something to say was heard */
    guint asked;  /* datagrams a second of one end, cut both ways; */
    guint wrote;  /* or one way, where the other end's are answered */
    double rate;  /* of a bulk transfer after a hole, in parts of that before; at least */
    double burst; /* and what left in the first half second, in parts of the link's rate */
} Worst;

typedef struct {
    KvNativeEnd ends[2];
    KvSim *sim;
    const Variant *variant;
    KvTime back;
    guint received[2]; /* until then */
    KvTime first[2];   /* 0: nothing yet */
    guint before[2];   /* packets that came in the last second before the hole */
} Run;

static void
set_links(Run *run, gboolean down)
{
    for (guint i = 0; i < 2; i++) {
        KvSimLink link = {.delay = run->variant->rtt / 2, .down = down && run->variant->cut[i]};

        if (run->variant->load == BULK) {
            link.rate = RATE;
            link.queue_bytes = RATE / 200;
        }
        kv_sim_set_link(run->sim, i, &link);
    }
}

static void
run_for(Run *run, KvTime time)
{
    kv_sim_poke(run->sim, CLIENT);
    kv_sim_poke(run->sim, SERVER);
    kv_sim_run(run->sim, kv_sim_get_now(run->sim) + time, NULL, NULL);
}

static void
run_init(Run *run, const Variant *variant, gboolean late, uint64_t seed)
{
    *run = (Run){.variant = variant, .sim = kv_sim_new(seed, START)};
    kv_native_ends_init(&run->ends[CLIENT], &run->ends[SERVER], TRUE, seed + 1);
    /* A client that has nothing to send makes no new keys, but for a keepalive. */
    if (late && !variant->sends[CLIENT])
        run->ends[CLIENT].params.keepalive = 5 * S;
    for (guint i = 0; i < 2; i++) {
        kv_sim_attach(run->sim, i, &kv_native_end_machine, &run->ends[i]);
        run->ends[i].interval = variant->load == BULK ? 0 : 100 * MS;
    }
    set_links(run, FALSE);
    kv_native_end_start(&run->ends[SERVER], START);
    kv_native_end_start(&run->ends[CLIENT], START);
    /* Both know the way before it goes, and how long datagrams may be. */
    run->ends[CLIENT].to_send = run->ends[SERVER].to_send = 16;
    run_for(run, 3 * S);
    for (guint i = 0; i < 2; i++) {
        if (variant->load != QUEUED && variant->sends[i])
            run->ends[i].to_send = G_MAXUINT;
    }
}

static void
run_clear(Run *run)
{
    kv_sim_free(run->sim);
    kv_native_end_clear(&run->ends[CLIENT]);
    kv_native_end_clear(&run->ends[SERVER]);
}

static gboolean
is_heard(void *data)
{
    Run *run = data;
    gboolean all = TRUE;

    for (guint i = 0; i < 2; i++) {
        if (run->first[i] == 0 && run->ends[1 - i].received > run->received[1 - i])
            run->first[i] = kv_sim_get_now(run->sim) - run->back;
        all = all && (run->first[i] > 0 || !run->variant->sends[i]);
    }
    return all;
}

static void
note_received(Run *run)
{
    for (guint i = 0; i < 2; i++)
        run->received[i] = run->ends[i].received;
}

static void
pass_hole(Run *run, KvTime hole, Worst *worst)
{
    guint wrote[2];

    set_links(run, TRUE);
    for (guint i = 0; i < 2; i++) {
        if (run->variant->load == QUEUED && run->variant->sends[i])
            run->ends[i].to_send += 24;
        run->first[i] = 0;
    }
    /* What was under way does not count, nor what the first timeouts make leave. */
    run_for(run, S);
    for (guint i = 0; i < 2; i++)
        wrote[i] = run->ends[i].wrote;
    run_for(run, hole - S);
    for (guint i = 0; i < 2; i++) {
        guint *most = run->variant->cut[0] && run->variant->cut[1] ? &worst->asked : &worst->wrote;
        guint n = run->ends[i].wrote - wrote[i];

        n -= MIN(n, HANDSHAKE * (guint) (1 + hole / (100 * S)));
        *most = MAX(*most, n / (guint) (hole / S - 1));
    }
    set_links(run, FALSE);
    run->back = kv_sim_get_now(run->sim);
    note_received(run);
    g_assert_true(kv_sim_run(run->sim, run->back + 30 * S, is_heard, run));
    worst->heard = MAX(worst->heard, MAX(run->first[CLIENT], run->first[SERVER]));
}

/* How a bulk transfer does before the hole. */
static void
measure_before(Run *run)
{
    run_for(run, S);
    note_received(run);
    run_for(run, S);
    for (guint i = 0; i < 2; i++)
        run->before[i] = run->ends[i].received - run->received[i];
}

/* And after it. */
static void
measure_after(Run *run, Worst *worst)
{
    uint64_t sent[2];

    for (guint i = 0; i < 2; i++)
        sent[i] = kv_sim_get_counts(run->sim, i)->sent_bytes;
    run_for(run, S / 2);
    note_received(run);
    for (guint i = 0; i < 2; i++) {
        uint64_t bits = 8 * (kv_sim_get_counts(run->sim, i)->sent_bytes - sent[i]);

        worst->burst = MAX(worst->burst, (double) bits / (RATE / 2));
    }
    run_for(run, S);
    for (guint i = 0; i < 2; i++) {
        guint after = run->ends[i].received - run->received[i];

        if (run->variant->sends[1 - i])
            worst->rate = MIN(worst->rate, (double) after / run->before[i]);
    }
}

static gboolean
is_all_there(void *data)
{
    Run *run = data;

    return run->ends[CLIENT].received >= run->ends[SERVER].to_send &&
           run->ends[SERVER].received >= run->ends[CLIENT].to_send;
}

/* All arrives, and then nobody says anything any more. */
static void
run_to_end(Run *run)
{
    guint wrote;

    for (guint i = 0; i < 2; i++)
        run->ends[i].to_send = run->ends[i].sent;
    kv_sim_poke(run->sim, CLIENT);
    kv_sim_poke(run->sim, SERVER);
    g_assert_true(kv_sim_run(run->sim, kv_sim_get_now(run->sim) + 20 * S, is_all_there, run));
    run_for(run, 30 * S);
    wrote = run->ends[CLIENT].wrote + run->ends[SERVER].wrote;
    run_for(run, 60 * S);
    if (run->ends[CLIENT].params.keepalive == 0)
        g_assert_cmpuint(run->ends[CLIENT].wrote + run->ends[SERVER].wrote, ==, wrote);
}

static void
run_variant(const Case *c, const Variant *variant, uint64_t seed, Worst *worst)
{
    guint confirmed;
    Run run;

    run_init(&run, variant, c->late, seed);
    measure_before(&run);
    run_for(&run, seed % 151 * MS);
    confirmed = run.ends[SERVER].n_confirmed;
    for (guint i = 0; i < c->holes; i++) {
        pass_hole(&run, c->hole + seed % 163 * MS, worst);
        if (c->holes > 1)
            run_for(&run, 5 * S - c->hole);
    }
    if (variant->load == BULK)
        measure_after(&run, worst);
    g_assert_cmpuint(run.ends[SERVER].n_confirmed - confirmed, <=, c->handshakes);
    run_to_end(&run);
    g_assert_cmpuint(run.ends[CLIENT].n_events[KV_EVENT_CLOSED], ==, 0);
    g_assert_cmpuint(run.ends[CLIENT].n_events[KV_EVENT_RECONFIGURED], ==, 0);
    run_clear(&run);
}

/* All ways to cut it, and all that may want to send. */
static void
run_load(const Case *c, Load load, KvTime rtt)
{
    guint seeds = g_strcmp0(g_getenv("KV_TEST_LONG"), "1") == 0 ? 20 : 1;
    Worst worst = {.rate = 1};

    for (guint i = 0; i < 9 * seeds; i++) {
        guint cut = i % 3 + 1, sends = i / 3 % 3 + 1;
        Variant variant = {
            .load = load, .rtt = rtt, .cut = {cut & 1, cut >> 1}, .sends = {sends & 1, sends >> 1}};

        run_variant(c, &variant, kv_test_get_seed() + i * 7919, &worst);
    }
    g_test_message("%u s, %s, RTT %u ms: heard again after %u ms; %u datagrams a second into the "
                   "hole, %u where it is one way",
                   (guint) (c->hole / S), load_names[load], (guint) (rtt / MS),
                   (guint) (worst.heard / MS), worst.asked, worst.wrote);
    g_assert_cmpuint(worst.heard, <=, rtt + (c->late ? REPEAT + 2 * rtt : 0) + CLOSE);
    g_assert_cmpuint(worst.asked, <=, ASKED);
    g_assert_cmpuint(worst.wrote, <=, 2 * ASKED);
    if (load != BULK)
        return;
    g_test_message("then %.2f of the rate before, and %.2f of the link's at first", worst.rate,
                   worst.burst);
    g_assert_cmpfloat(worst.rate, >=, 0.4);
    g_assert_cmpfloat(worst.burst, <=, 2.5);
}

/* Proves: what waits arrives a round trip and a quarter of a second after the path is back, at the
 * latest, be it gone for 2 s each 5 or nearly for the life of a session, both ways or one, and
 * without new keys but those that are due; without a session one handshake brings it back. Nobody
 * floods a path that is gone, or one that is back, and who has nothing to say is silent. */
static void
test_hole(gconstpointer data)
{
    const Case *c = data;

    for (guint load = STEADY; load < N_LOADS; load++) {
        run_load(c, (Load) load, 30 * MS);
        run_load(c, (Load) load, 100 * MS);
    }
}

int
main(int argc, char **argv)
{
    static const Case cases[] = {
        {2 * S, 6, 0, FALSE},   {10 * S, 1, 0, FALSE}, {60 * S, 1, 1, FALSE},
        {170 * S, 1, 1, FALSE}, {200 * S, 1, 1, TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path =
            g_strdup_printf("/sim/native-holes/%u", (guint) (cases[i].hole / S));

        g_test_add_data_func(path, &cases[i], test_hole);
    }
    return kv_test_main(&argc, &argv);
}
