/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-stats.h"

#include <glib.h>

static const char *const drop_names[] = {
    "none",     "short", "checksum",  "replay",    "conv",   "fec",    "kcp",
    "stranger", "rate",  "no-memory", "malformed", "device", "socket", "queue",
};

G_STATIC_ASSERT(G_N_ELEMENTS(drop_names) == KV_N_DROPS);

const char *
kv_drop_to_string(KvDrop drop)
{
    g_return_val_if_fail(drop < KV_N_DROPS, "unknown");
    return drop_names[drop];
}
