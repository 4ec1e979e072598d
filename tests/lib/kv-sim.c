/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sim.h"

#include "kv-test.h"

#include <math.h>
#include <string.h>

#define DATAGRAM_MAX   2048
#define CODEL_INTERVAL (100 * KV_TIME_MS)
#define ECN_CE         3

typedef struct {
    KvTime at;
    uint64_t serial; /* keeps what arrives at the same time in order */
    guint to;
    guint ecn;
    size_t len;
    uint8_t data[];
} Flight;

typedef struct {
    KvTime first_above; /* when the queue will have stood too long; 0: it has not */
    KvTime next;
    guint count;
    gboolean telling;
} Codel;

typedef struct {
    const KvSimMachine *machine;
    void *self;
    KvSimLink link;
    KvSimCounts counts;
    KvTime burst_until;
    double busy_until_us;
    KvTime last_arrival;
    Codel codel;
} End;

struct _KvSim {
    KvTestRandom random;
    KvTime now;
    uint64_t serial;
    End ends[2];
    GPtrArray *flights; /* a heap: the first arrives first */
};

KvSim *
kv_sim_new(uint64_t seed, KvTime start)
{
    KvSim *sim = g_new0(KvSim, 1);

    kv_test_random_init(&sim->random, seed);
    sim->now = start;
    sim->flights = g_ptr_array_new_with_free_func(g_free);
    return sim;
}

void
kv_sim_free(KvSim *sim)
{
    if (sim == NULL)
        return;
    g_ptr_array_unref(sim->flights);
    g_free(sim);
}

void
kv_sim_attach(KvSim *sim, guint end, const KvSimMachine *machine, void *self)
{
    sim->ends[end].machine = machine;
    sim->ends[end].self = self;
}

void
kv_sim_set_link(KvSim *sim, guint from, const KvSimLink *link)
{
    sim->ends[from].link = *link;
}

KvTime
kv_sim_get_now(const KvSim *sim)
{
    return sim->now;
}

const KvSimCounts *
kv_sim_get_counts(const KvSim *sim, guint from)
{
    return &sim->ends[from].counts;
}

static gboolean
happens(KvSim *sim, double share)
{
    if (share <= 0)
        return FALSE;
    return (double) (kv_test_random_u64(&sim->random) >> 11) * 0x1p-53 < share;
}

static gboolean
is_before(const Flight *a, const Flight *b)
{
    return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void
push_flight(KvSim *sim, Flight *flight)
{
    gpointer *heap;
    guint i = sim->flights->len;

    g_ptr_array_add(sim->flights, flight);
    heap = sim->flights->pdata;
    for (; i > 0 && is_before(flight, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = flight;
}

static Flight *
pop_flight(KvSim *sim)
{
    gpointer *heap = sim->flights->pdata;
    Flight *top = heap[0];
    guint n = sim->flights->len - 1;
    Flight *last = heap[n];
    guint i = 0;

    heap[n] = NULL;
    g_ptr_array_set_size(sim->flights, (gint) n);
    if (n == 0)
        return top;
    for (guint child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_before(heap[child + 1], heap[child]))
            child++;
        if (is_before(last, heap[child]))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static gboolean
is_lost(KvSim *sim, End *end, size_t len)
{
    if (end->link.down || (end->link.size_max > 0 && len > end->link.size_max))
        return TRUE;
    if (sim->now >= end->burst_until && happens(sim, end->link.burst_enter))
        end->burst_until =
            sim->now + kv_test_random_below(&sim->random, (uint32_t) (2 * end->link.burst_length));
    return sim->now < end->burst_until || happens(sim, end->link.loss);
}

/* How long a queue makes its datagrams wait is known here when they come. Returns: whether the one
 * that leaves then has to tell of congestion. */
static gboolean
has_to_tell(Codel *codel, KvTime target, KvTime wait, KvTime leaves)
{
    if (target == 0 || wait < target) {
        codel->first_above = 0;
        codel->telling = FALSE;
        return FALSE;
    }
    if (codel->first_above == 0)
        codel->first_above = leaves + CODEL_INTERVAL;
    if (leaves < codel->first_above || (codel->telling && leaves < codel->next))
        return FALSE;
    if (codel->telling)
        codel->count++;
    else if (codel->count > 2 && leaves < codel->next + 16 * CODEL_INTERVAL)
        codel->count -= 2;
    else
        codel->count = 1;
    codel->next = (codel->telling ? codel->next : leaves) +
                  (KvTime) ((double) CODEL_INTERVAL / sqrt(codel->count));
    codel->telling = TRUE;
    return TRUE;
}

/* When the datagram has left the bottleneck; KV_TIME_NEVER: never. */
static KvTime
pass_queue(KvSim *sim, End *end, size_t len, guint *ecn)
{
    double us_per_byte, wait;

    if (end->link.rate == 0)
        return sim->now;
    us_per_byte = 8e6 / (double) end->link.rate;
    wait = MAX(0, end->busy_until_us - (double) sim->now);
    if (end->link.queue_bytes > 0 && wait / us_per_byte > end->link.queue_bytes)
        return KV_TIME_NEVER;
    if (has_to_tell(&end->codel, end->link.codel_target, (KvTime) wait, sim->now + (KvTime) wait)) {
        if (*ecn == 0)
            return KV_TIME_NEVER;
        *ecn = ECN_CE;
        end->counts.marked++;
    }
    end->counts.queue_us_sum += (uint64_t) wait;
    end->counts.queue_us_max = MAX(end->counts.queue_us_max, (uint64_t) wait);
    end->busy_until_us =
        (double) sim->now + wait + (double) (len + end->link.overhead) * us_per_byte;
    return (KvTime) end->busy_until_us;
}

static void
spoil(KvSim *sim, Flight *flight)
{
    uint32_t at = kv_test_random_below(&sim->random, (uint32_t) flight->len);

    if (happens(sim, 0.5))
        flight->len = at;
    else
        flight->data[at] ^= (uint8_t) (1 + kv_test_random_below(&sim->random, 255));
}

static void
launch(KvSim *sim, End *end, const uint8_t *data, size_t len, guint ecn, KvTime left)
{
    const KvSimLink *link = &end->link;
    Flight *flight = g_malloc(sizeof *flight + len);

    flight->to = end == &sim->ends[0] ? 1 : 0;
    flight->serial = sim->serial++;
    flight->len = len;
    flight->ecn = ecn;
    memcpy(flight->data, data, len);
    if (happens(sim, link->corrupt))
        spoil(sim, flight);

    flight->at = left + link->delay;
    if (link->jitter > 0)
        flight->at += kv_test_random_below(&sim->random, (uint32_t) link->jitter);
    if (happens(sim, link->reorder))
        flight->at += link->reorder_delay;
    else
        flight->at = end->last_arrival = MAX(flight->at, end->last_arrival);
    if (link->batch > 0)
        flight->at = (flight->at + link->batch - 1) / link->batch * link->batch;
    push_flight(sim, flight);
}

static void
transmit(KvSim *sim, End *end, const uint8_t *data, size_t len)
{
    guint ecn = end->machine->get_ecn != NULL ? end->machine->get_ecn(end->self) : 0;
    KvTime left;

    end->counts.sent++;
    end->counts.sent_ect += ecn != 0;
    end->counts.sent_bytes += len;
    left = pass_queue(sim, end, len, &ecn);
    if (left == KV_TIME_NEVER) {
        end->counts.queue_drops++;
        return;
    }
    if ((ecn != 0 && end->link.no_ect) || is_lost(sim, end, len)) {
        end->counts.lost++;
        return;
    }
    launch(sim, end, data, len, ecn, left);
    if (happens(sim, end->link.duplicate))
        launch(sim, end, data, len, ecn, left);
}

void
kv_sim_poke(KvSim *sim, guint index)
{
    End *end = &sim->ends[index];
    uint8_t buf[DATAGRAM_MAX];
    size_t len;

    while ((len = end->machine->output(end->self, buf, sizeof buf, sim->now)) > 0)
        transmit(sim, end, buf, len);
}

static KvTime
next_arrival(const KvSim *sim)
{
    return sim->flights->len > 0 ? ((const Flight *) sim->flights->pdata[0])->at : KV_TIME_NEVER;
}

static void
deliver_all(KvSim *sim)
{
    gboolean touched[2] = {FALSE, FALSE};

    while (next_arrival(sim) <= sim->now) {
        g_autofree Flight *flight = pop_flight(sim);
        End *end = &sim->ends[flight->to];

        sim->ends[1 - flight->to].counts.delivered++;
        if (end->machine->set_ecn != NULL)
            end->machine->set_ecn(end->self, flight->ecn);
        end->machine->input(end->self, flight->data, flight->len, sim->now);
        touched[flight->to] = TRUE;
    }
    for (guint i = 0; i < 2; i++) {
        if (!touched[i])
            continue;
        sim->ends[i].machine->input_end(sim->ends[i].self, sim->now);
        kv_sim_poke(sim, i);
    }
}

gboolean
kv_sim_run(KvSim *sim, KvTime until, gboolean (*is_done)(void *data), void *data)
{
    for (;;) {
        KvTime due[2], next = next_arrival(sim);

        if (is_done != NULL && is_done(data))
            return TRUE;
        for (guint i = 0; i < 2; i++) {
            due[i] = sim->ends[i].machine->deadline(sim->ends[i].self);
            next = MIN(next, due[i]);
        }
        if (next == KV_TIME_NEVER && (is_done != NULL || until == KV_TIME_NEVER))
            return FALSE;
        if (next >= until) {
            sim->now = MAX(sim->now, until);
            return FALSE;
        }
        sim->now = MAX(sim->now, next);
        deliver_all(sim);
        for (guint i = 0; i < 2; i++) {
            if (due[i] > sim->now)
                continue;
            sim->ends[i].machine->advance(sim->ends[i].self, sim->now);
            kv_sim_poke(sim, i);
        }
    }
}
