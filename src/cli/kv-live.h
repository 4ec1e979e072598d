/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/**
 * KvLive:
 *
 * The live view of one tunnel: takes statistics as they come and tells what they mean by the
 * second. Pure, time is an argument.
 */
typedef struct _KvLive KvLive;

/* Rates by the second between the last two looks, and what holds now. */
typedef struct {
    double rx_bits;
    double tx_bits;
    double rx_packets;
    double tx_packets;
    double retransmits;
    double fec_recovered;
    double fec_sent;
    double drops;
} KvLiveRates;

/* What a tunnel is called and how it is, for the view's first line. */
typedef struct {
    const char *name;
    const char *state;
    const char *reason; /* empty: none */
} KvLiveTitle;

KvLive *kv_live_new(void) KV_MUST_USE;
void kv_live_free(KvLive *live);

/**
 * kv_live_update:
 * @statistics: (nullable): as Tunnel1.Statistics has them
 * @now_us: of a steady clock
 *
 * Takes the next look. Counters that went back belong to a new start: nothing is told of the time
 * between.
 */
void kv_live_update(KvLive *live, GVariant *statistics, gint64 now_us);

/* Whether there were two looks to tell a rate from. */
gboolean kv_live_get_rates(const KvLive *live, KvLiveRates *rates);

/* (transfer full): the view of several lines, each ended; @unicode: whether the terminal has it. */
char *kv_live_format(const KvLive *live, const KvLiveTitle *title, gboolean colour,
                     gboolean unicode);

/* (transfer full): the same in one line, which is not ended. */
char *kv_live_format_line(const KvLive *live, const KvLiveTitle *title);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvLive, kv_live_free)
