/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-clock.h"

#include <time.h>

KvTime
kv_clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (KvTime) now.tv_sec * KV_TIME_S + (KvTime) now.tv_nsec / 1000;
}

guint64
kv_clock_to_realtime(KvTime time)
{
    return time != 0 ? (guint64) g_get_real_time() - kv_clock_now() + time : 0;
}
