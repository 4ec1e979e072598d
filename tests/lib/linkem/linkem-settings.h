/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum { LINKEM_JITTER_UNIFORM, LINKEM_JITTER_NORMAL, LINKEM_JITTER_PARETO } LinkemJitter;
typedef enum { LINKEM_CORRUPT_RAW, LINKEM_CORRUPT_UDP } LinkemCorrupt;

/* What one direction of the link does. Shares are 0 to 1, times nanoseconds. */
typedef struct {
    double loss;
    bool bursts; /* Gilbert-Elliott */
    double to_bad, to_good, loss_bad, loss_good;
    int64_t delay, jitter;
    LinkemJitter jitter_kind;
    bool order; /* jitter never reorders */
    double reorder;
    int64_t reorder_delay;
    double dup, corrupt, mark;
    LinkemCorrupt corrupt_kind;
    double rate;                              /* bit/s; 0: none */
    int64_t queue_bytes, queue_ns, queue_max; /* bounds of the queue before the rate; 0: unset */
    int overhead;                             /* bytes added to each frame for the rate */
    bool down;
    int maxlen;
    bool drops_ect; /* IP packets with an ECN field that is not 0 */
    bool rewrites_ecn;
    unsigned ecn;          /* to this one */
    bool spare_neighbours; /* ARP and neighbour discovery pass unharmed */
} LinkemSettings;

/* A perfect link. */
void linkem_settings_clear(LinkemSettings *settings);

/* Sets one `key=value` of the README's table. Returns: whether it was understood. */
bool linkem_settings_set(LinkemSettings *settings, const char *key, const char *value);
