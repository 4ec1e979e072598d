/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"

#include <glib.h>

/* CLOCK_BOOTTIME in microseconds: it goes on while the machine sleeps. Any thread. The only
 * place in the project that reads the time for packets. */
KvTime kv_clock_now(void);

/* A time of kv_clock_now() as CLOCK_REALTIME in microseconds since 1970, for people to read; 0
 * stays 0. Any thread. */
guint64 kv_clock_to_realtime(KvTime time);
