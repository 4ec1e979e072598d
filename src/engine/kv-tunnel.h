/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-engine.h"
#include "kv-settings.h"
#include "kv-types.h"

#include <glib-object.h>

/**
 * KvTunnel:
 *
 * One tunnel, server or client. Main thread. Starting and stopping take their time:
 * "state-changed" (KvTunnelState state, GError *error) tells how it goes, with an error in
 * states WAITING and FAILED. In STOPPED and FAILED nothing of it is left: no interface (but a
 * persistent one), no socket, no session. "peer-added" and "peer-removed" (KvPeer) follow the
 * clients of a server.
 */
#define KV_TYPE_TUNNEL (kv_tunnel_get_type())
G_DECLARE_DERIVABLE_TYPE(KvTunnel, kv_tunnel, KV, TUNNEL, GObject)

/**
 * kv_tunnel_new:
 * @settings: validated; copied
 *
 * Returns: (transfer full): a stopped tunnel of the role of @settings, or %NULL and an error
 * that names the setting at fault.
 */
KvTunnel *kv_tunnel_new(KvEngine *engine, const KvSettings *settings, GError **error) KV_MUST_USE;

/* Starts it; does nothing unless it is stopped or failed. */
void kv_tunnel_start(KvTunnel *tunnel);

/* Ends it in good order; does nothing if it is stopped. */
void kv_tunnel_stop(KvTunnel *tunnel);

KvTunnelState kv_tunnel_get_state(KvTunnel *tunnel);

/* (transfer none) (nullable): why it waits or failed. */
const GError *kv_tunnel_get_error(KvTunnel *tunnel);

/* Writes the counters of every session to the log, as soon as the workers have answered. */
void kv_tunnel_log_stats(KvTunnel *tunnel);
