/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <unistd.h>

/* The caller must look at the result: dropping it loses an error or leaks what it owns. */
#define KV_MUST_USE __attribute__((warn_unused_result))

/* A branch the packet path hardly ever takes. */
#define KV_UNLIKELY(expr) __builtin_expect(!!(expr), 0)

/* GLib 2.74 has no g_autofd yet. */
static inline void
kv_autofd_clear(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

#define kv_autofd __attribute__((cleanup(kv_autofd_clear)))
