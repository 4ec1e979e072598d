/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-peer.h"
#include "kv-time.h"

/**
 * KvRival:
 *
 * A peer that holds what a newcomer wants, and that may be dead: whether it lives is found out.
 * Embedded, where it stays. Main thread.
 */
typedef struct {
    KvPeer *peer;
    KvTime since;     /* when it was made to show a sign of life */
    guint timeout_id; /* until there was time for one */
    gboolean asked;   /* kv_pump_query_link() has been called, and not been answered yet */
} KvRival;

/* Makes @peer say something, if it lives, and asks its pump a little later what came of it since:
 * @link_state of #KvPumpCallbacks tells. */
void kv_rival_start(KvRival *rival, KvPeer *peer);
void kv_rival_clear(KvRival *rival);
