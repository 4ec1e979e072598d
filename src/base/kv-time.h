/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/**
 * KvTime:
 *
 * Microseconds of CLOCK_BOOTTIME, or of a simulation's clock. Only differences mean anything.
 * Whoever needs the time gets it as an argument; kv-clock.c alone reads it.
 */
typedef uint64_t KvTime;

#define KV_TIME_NEVER UINT64_MAX
#define KV_TIME_MS    UINT64_C(1000)
#define KV_TIME_S     UINT64_C(1000000)

/* @t + @delta, staying at "never" instead of wrapping. */
static inline KvTime
kv_time_add(KvTime t, KvTime delta)
{
    return t > KV_TIME_NEVER - delta ? KV_TIME_NEVER : t + delta;
}

/* How long ago @since was; 0 when it lies ahead. */
static inline KvTime
kv_time_elapsed(KvTime now, KvTime since)
{
    return now > since ? now - since : 0;
}

/* How long until @then; 0 when it has passed. */
static inline KvTime
kv_time_until(KvTime now, KvTime then)
{
    return then > now ? then - now : 0;
}
