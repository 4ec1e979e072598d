/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"

#include <glib.h>

/**
 * KvSim:
 *
 * Two machines and the path between them in virtual time: the clock jumps from event to event,
 * so minutes pass in milliseconds, and the same seed gives the same run. Datagrams are opaque.
 */
typedef struct _KvSim KvSim;

/**
 * KvSimMachine:
 *
 * One end. All but @deadline may be called at any event; after each, @output is drained. What
 * writes into the machine and reads from it (the application) belongs into @input_end and @advance.
 */
typedef struct {
    /* One datagram arrived. */
    void (*input)(void *self, const uint8_t *data, size_t len, KvTime now);
    /* All datagrams that arrived at @now have been given. */
    void (*input_end)(void *self, KvTime now);
    /* The next datagram to send into @buf; 0: none. */
    size_t (*output)(void *self, uint8_t *buf, size_t cap, KvTime now);
    /* When @advance wants to be called; KV_TIME_NEVER: not at all. */
    KvTime (*deadline)(void *self);
    void (*advance)(void *self, KvTime now);
    /* (nullable): the ECN field with which the last @output leaves */
    guint (*get_ecn)(void *self);
    /* (nullable): with which the next @input comes */
    void (*set_ecn)(void *self, guint ecn);
} KvSimMachine;

/* One direction of the path. All zero: perfect and immediate. Shares are 0.0 to 1.0. */
typedef struct {
    double loss;         /* independent */
    double burst_enter;  /* chance per datagram that a burst of losses begins with it */
    KvTime burst_length; /* its mean duration, all that is sent meanwhile being lost */
    double duplicate;
    double reorder; /* share that is held back by @reorder_delay and overtaken */
    double corrupt; /* share with a changed byte or cut short */
    KvTime delay;
    KvTime jitter; /* up to so much more; keeps the order */
    KvTime reorder_delay;
    KvTime batch;         /* arrivals are seen at multiples of this only, as by a busy worker */
    uint64_t rate;        /* bits per second; 0: unlimited */
    uint32_t queue_bytes; /* in front of @rate, tail drop; 0: unlimited */
    uint32_t overhead;    /* bytes the path adds to each datagram */
    uint32_t size_max;    /* bytes; longer datagrams are lost; 0: any */
    gboolean down;        /* nothing gets through */
    gboolean no_ect;      /* nothing with an ECN field that is not 0 does */
    KvTime codel_target;  /* CoDel in front of @rate (RFC 8289), which marks what knows ECN */
} KvSimLink;

typedef struct {
    uint64_t sent; /* datagrams */
    uint64_t sent_bytes;
    uint64_t lost;
    uint64_t queue_drops;
    uint64_t sent_ect; /* with an ECN field that is not 0 */
    uint64_t marked;
    uint64_t delivered;
    uint64_t queue_us_sum; /* waiting in the queue, over all that were not dropped */
    uint64_t queue_us_max;
} KvSimCounts;

/* The clock starts at @start. */
KvSim *kv_sim_new(uint64_t seed, KvTime start);
void kv_sim_free(KvSim *sim);

/* Puts a machine at end @end (0 or 1); @machine and @self outlive the simulation. */
void kv_sim_attach(KvSim *sim, guint end, const KvSimMachine *machine, void *self);

/* How datagrams sent by end @from fare from now on; copied. */
void kv_sim_set_link(KvSim *sim, guint from, const KvSimLink *link);

KvTime kv_sim_get_now(const KvSim *sim);

/* (transfer none): what happened to datagrams sent by @from */
const KvSimCounts *kv_sim_get_counts(const KvSim *sim, guint from);

/* Drains the output of an end that was written to from outside. */
void kv_sim_poke(KvSim *sim, guint end);

/**
 * kv_sim_run:
 * @is_done: (nullable): looked at after each event
 *
 * Runs until @is_done says so, nothing is left to happen, or the clock reaches @until; in the
 * last case, or if nothing was waited for, the clock stands at @until.
 *
 * Returns: %TRUE if @is_done said so.
 */
gboolean kv_sim_run(KvSim *sim, KvTime until, gboolean (*is_done)(void *data), void *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSim, kv_sim_free)
