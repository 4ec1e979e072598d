/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-stats-rounds.h"

typedef struct {
    GPtrArray *tasks;   /* of GTask */
    GPtrArray *awaited; /* of KvPump */
    KvStatsSum sum;
    uint64_t rtt_sum_us;
    uint64_t rtt_var_sum_us;
    guint n_rtts;
} Round;

struct _KvStatsRounds {
    KvStatsSum past;
    Round *round; /* (nullable): under way */
};

static void
round_free(Round *round)
{
    g_ptr_array_unref(round->tasks);
    g_ptr_array_unref(round->awaited);
    g_free(round);
}

/* From the main loop, so that nobody who hands over numbers meets what the callbacks do. */
static gboolean
deliver(gpointer data)
{
    Round *round = data;

    for (guint i = 0; i < round->tasks->len; i++)
        g_task_return_pointer(g_ptr_array_index(round->tasks, i),
                              g_memdup2(&round->sum, sizeof round->sum), g_free);
    return G_SOURCE_REMOVE;
}

static void
end_if_complete(KvStatsRounds *rounds)
{
    Round *round = rounds->round;

    if (round->awaited->len > 0)
        return;
    rounds->round = NULL;
    if (round->n_rtts > 0) {
        round->sum.total.rtt_us = (uint32_t) (round->rtt_sum_us / round->n_rtts);
        round->sum.total.rtt_var_us = (uint32_t) (round->rtt_var_sum_us / round->n_rtts);
    }
    g_idle_add_full(G_PRIORITY_DEFAULT, deliver, round, (GDestroyNotify) round_free);
}

static void
add_link(Round *round, const KvStats *stats)
{
    KvStats *total = &round->sum.total;

    kv_stats_add(total, stats);
    total->send_window += stats->send_window;
    total->send_waiting += stats->send_waiting;
    total->queue_packets += stats->queue_packets;
    total->queue_bytes += stats->queue_bytes;
    if (stats->rtt_us == 0)
        return;
    round->rtt_sum_us += stats->rtt_us;
    round->rtt_var_sum_us += stats->rtt_var_us;
    round->n_rtts++;
}

/* What a pump knows of links that are gone and of datagrams without a link. */
static void
add_past(KvStatsSum *sum, const KvPumpSnapshot *snapshot)
{
    kv_stats_add(&sum->total, &snapshot->past);
    for (guint i = 0; i < KV_N_DROPS; i++) {
        sum->total.drops[i] += snapshot->drops[i];
        sum->strangers[i] += snapshot->drops[i];
    }
}

KvStatsRounds *
kv_stats_rounds_new(void)
{
    return g_new0(KvStatsRounds, 1);
}

void
kv_stats_rounds_free(KvStatsRounds *rounds)
{
    if (rounds == NULL)
        return;
    g_assert(rounds->round == NULL);
    g_free(rounds);
}

void
kv_stats_rounds_reset(KvStatsRounds *rounds)
{
    rounds->past = (KvStatsSum){0};
}

void
kv_stats_rounds_join(KvStatsRounds *rounds, const GPtrArray *pumps, GTask *task)
{
    if (rounds->round != NULL) {
        g_ptr_array_add(rounds->round->tasks, task);
        return;
    }
    rounds->round = g_new0(Round, 1);
    rounds->round->tasks = g_ptr_array_new_with_free_func(g_object_unref);
    rounds->round->awaited = g_ptr_array_new();
    rounds->round->sum = rounds->past;
    g_ptr_array_add(rounds->round->tasks, task);
    for (guint i = 0; i < pumps->len; i++) {
        g_ptr_array_add(rounds->round->awaited, g_ptr_array_index(pumps, i));
        kv_pump_snapshot(g_ptr_array_index(pumps, i));
    }
    end_if_complete(rounds);
}

void
kv_stats_rounds_pump_snapshot(KvStatsRounds *rounds, KvPump *pump, const KvPumpSnapshot *snapshot)
{
    g_return_if_fail(rounds->round != NULL);

    if (!g_ptr_array_remove_fast(rounds->round->awaited, pump))
        return;
    add_past(&rounds->round->sum, snapshot);
    for (guint i = 0; i < snapshot->n_links; i++)
        add_link(rounds->round, &snapshot->links[i].stats);
    end_if_complete(rounds);
}

void
kv_stats_rounds_pump_gone(KvStatsRounds *rounds, KvPump *pump, const KvPumpSnapshot *last)
{
    if (rounds->round != NULL && g_ptr_array_remove_fast(rounds->round->awaited, pump)) {
        add_past(&rounds->round->sum, last);
        end_if_complete(rounds);
    }
    add_past(&rounds->past, last);
}
