/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* How far below the greatest a counter may still come before it is missing. */
#define KV_LOSS_COUNT_LATE 64

/**
 * KvLossCount:
 *
 * How many datagrams came and how many did not, by their counters: what a report tells the peer
 * (docs/protocol.md, section 11). The sums wrap, as they do on the wire. All zero is a new one;
 * plain data.
 */
typedef struct {
    uint32_t seen;
    uint32_t missing;
    uint32_t bursts; /* runs of missing ones */
    uint32_t ce;     /* came with a congestion mark; its owner counts them */

    uint64_t greatest;
    gboolean any;   /* @greatest means something */
    uint64_t bits;  /* of the counters below it, the nearest lowest */
    guint held;     /* how many of @bits exist */
    gboolean a_gap; /* the last one settled was missing */
} KvLossCount;

/* @counter came, for the first time. O(1) whatever it is. */
void kv_loss_count_note(KvLossCount *count, uint64_t counter);

/* What comes next has counters from 0 on again; those not settled yet are. */
void kv_loss_count_begin_session(KvLossCount *count);
