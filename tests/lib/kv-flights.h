/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-time.h"

#include <glib.h>

/* A datagram under way between two ends, in a block that is no longer than it. */
typedef struct {
    KvTime at; /* when it arrives */
    guint to;  /* which of the ends */
    size_t len;
    uint8_t data[];
} KvFlight;

/* (transfer full): of KvFlight, which g_ptr_array_remove() frees. */
GPtrArray *kv_flights_new(void) KV_MUST_USE;

/* A copy of @data is under way from now on. */
void kv_flights_launch(GPtrArray *flights, guint to, const uint8_t *data, size_t len, KvTime at);

/* (transfer none) (nullable): the earliest to arrive; of those at the same time the one that was
 * launched first. */
KvFlight *kv_flights_next(const GPtrArray *flights);
