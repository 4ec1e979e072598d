/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-flights.h"

#include <string.h>

GPtrArray *
kv_flights_new(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

void
kv_flights_launch(GPtrArray *flights, guint to, const uint8_t *data, size_t len, KvTime at)
{
    KvFlight *flight = g_malloc(sizeof *flight + len);

    flight->at = at;
    flight->to = to;
    flight->len = len;
    memcpy(flight->data, data, len);
    g_ptr_array_add(flights, flight);
}

KvFlight *
kv_flights_next(const GPtrArray *flights)
{
    KvFlight *next = NULL;

    for (guint i = 0; i < flights->len; i++) {
        KvFlight *flight = flights->pdata[i];

        if (next == NULL || flight->at < next->at)
            next = flight;
    }
    return next;
}
