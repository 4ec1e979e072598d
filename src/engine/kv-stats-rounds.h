/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-pump.h"

#include <gio/gio.h>

/**
 * KvStatsRounds:
 *
 * Adds up what the pumps of one tunnel have counted. A round asks every pump once; whoever wants
 * numbers meanwhile waits for the round that is under way. Each pump counts once in it, by its
 * answer or, if that does not come any more, by its last word; pumps that were gone before
 * count with what they had. Main thread.
 */
typedef struct _KvStatsRounds KvStatsRounds;

typedef struct {
    KvStats total;
    uint64_t strangers[KV_N_DROPS]; /* dropped outside of sessions; part of @total */
} KvStatsSum;

KvStatsRounds *kv_stats_rounds_new(void) KV_MUST_USE;

/* No round may be under way. */
void kv_stats_rounds_free(KvStatsRounds *rounds);

/* Forgets pumps that are gone. */
void kv_stats_rounds_reset(KvStatsRounds *rounds);

/**
 * kv_stats_rounds_join:
 * @pumps: (element-type KvPump): those that live
 * @task: (transfer full): gets a KvStatsSum to be freed with g_free(), from the main loop; what it
 *     was made for lives as long as the round
 */
void kv_stats_rounds_join(KvStatsRounds *rounds, const GPtrArray *pumps, GTask *task);

/* A pump has answered, or said its last word. */
void kv_stats_rounds_pump_snapshot(KvStatsRounds *rounds, KvPump *pump,
                                   const KvPumpSnapshot *snapshot);
void kv_stats_rounds_pump_gone(KvStatsRounds *rounds, KvPump *pump, const KvPumpSnapshot *last);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvStatsRounds, kv_stats_rounds_free)
