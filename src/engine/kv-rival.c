/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-rival.h"

#include "kv-clock.h"
#include "kv-peer-private.h"

/* How long an earlier session may take to answer before a new one of the same client takes its
 * place: some round trips of a bad link. */
#define PATIENCE_MS 1500

static gboolean
patience_over(gpointer data)
{
    KvRival *rival = data;

    rival->timeout_id = 0;
    rival->asked = TRUE;
    kv_pump_query_link(kv_peer_get_pump(rival->peer), kv_peer_get_link(rival->peer));
    return G_SOURCE_REMOVE;
}

void
kv_rival_start(KvRival *rival, KvPeer *peer)
{
    rival->peer = g_object_ref(peer);
    rival->since = kv_clock_now();
    rival->timeout_id = g_timeout_add(PATIENCE_MS, patience_over, rival);
    kv_pump_poke_link(kv_peer_get_pump(peer), kv_peer_get_link(peer));
}

void
kv_rival_clear(KvRival *rival)
{
    g_clear_handle_id(&rival->timeout_id, g_source_remove);
    g_clear_object(&rival->peer);
}
