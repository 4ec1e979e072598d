/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"

/* CLOCK_BOOTTIME in microseconds: it goes on while the machine sleeps. Any thread. The only
 * place in the project that reads the time for packets. */
KvTime kv_clock_now(void);
