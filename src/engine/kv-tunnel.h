/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-engine.h"
#include "kv-peer-list.h"
#include "kv-peer.h"
#include "kv-settings.h"
#include "kv-stats.h"
#include "kv-tunnel-details.h"
#include "kv-tunnel-params.h"
#include "kv-types.h"

#include <gio/gio.h>

/**
 * KvTunnel:
 *
 * One tunnel, server or client. Main thread. Starting and stopping take their time:
 * "state-changed" (KvTunnelState state, GError *error) tells how it goes, with an error in
 * states WAITING and FAILED. In STOPPED and FAILED nothing of it is left: no interface (but a
 * persistent one), no socket, no session; it may be started again.
 *
 * "details-changed" () follows what the getters below tell, and comes before the "state-changed" of
 * the same step. "peer-added" and "peer-removed" (KvPeer) follow the clients of a server.
 *
 * A handler may call anything here, starting, stopping and letting go of the tunnel included.
 * Whoever started a tunnel keeps a reference: when the last one goes while it runs, it stops,
 * and frees itself when it is down.
 */
#define KV_TYPE_TUNNEL (kv_tunnel_get_type())
G_DECLARE_DERIVABLE_TYPE(KvTunnel, kv_tunnel, KV, TUNNEL, GObject)

/**
 * kv_tunnel_new:
 * @settings: validated; copied
 *
 * Takes some milliseconds, for the key.
 *
 * Returns: (transfer full): a stopped tunnel of the role of @settings, or %NULL and an error
 * that names the setting at fault.
 */
KvTunnel *kv_tunnel_new(KvEngine *engine, const KvSettings *settings, GError **error) KV_MUST_USE;

/* (transfer full): the same of parameters that were made before, maybe in another thread; takes no
 * time. @params: (transfer full) */
KvTunnel *kv_tunnel_new_with_params(KvEngine *engine, KvTunnelParams *params) KV_MUST_USE;

/**
 * kv_tunnel_set_configure:
 * @configure: %FALSE: the interface of a client is made and set up, but without addresses, since
 *     somebody else (NetworkManager) sets them. %TRUE at first.
 *
 * Before the start. Unlike the setting no-ip-configuration the server knows nothing of it and
 * grants an address as ever.
 */
void kv_tunnel_set_configure(KvTunnel *tunnel, gboolean configure);

/* Starts it; does nothing unless it is stopped or failed. If the engine was shut down it fails. */
void kv_tunnel_start(KvTunnel *tunnel);

/* Ends it in good order; does nothing if it is stopped. */
void kv_tunnel_stop(KvTunnel *tunnel);

/* --- what it is and does ----------------------------------------------------------------------
 *
 * Strings are (transfer none) and valid until the next "details-changed". "While it runs" is from
 * when it is known until STOPPED or FAILED, so also while a client waits to try again.
 */

KvTunnelState kv_tunnel_get_state(KvTunnel *tunnel);

/* (transfer none) (nullable): why it waits or failed. */
const GError *kv_tunnel_get_error(KvTunnel *tunnel);

/* (transfer none) (nullable): what went wrong last since it was started, until it is connected. */
const GError *kv_tunnel_get_last_error(KvTunnel *tunnel);

KvRole kv_tunnel_get_role(KvTunnel *tunnel);

/* "v1" or "native" */
const char *kv_tunnel_get_protocol(KvTunnel *tunnel);

/* As the setting crypt names it, such as "aes". */
const char *kv_tunnel_get_cipher(KvTunnel *tunnel);

/* (nullable): the client id that was set; NULL for a server or none. */
const char *kv_tunnel_get_client_id(KvTunnel *tunnel);

/* (nullable): the name of a client's interface, as long as there is one. */
const char *kv_tunnel_get_interface(KvTunnel *tunnel);

/* (nullable): "address:port", IPv6 in brackets, while it runs: of a client the server's it has last
 * tried, of a server its own. */
const char *kv_tunnel_get_endpoint(KvTunnel *tunnel);

/* Layer of the inner packets; of a client as the server says, TUN before. */
KvVniMode kv_tunnel_get_vni_mode(KvTunnel *tunnel);

/* Bytes, of a client's interface or, at most, of a server's; 0: not known yet. */
guint kv_tunnel_get_mtu(KvTunnel *tunnel);

/* (transfer none): all of that, with addresses and what else there is; valid until the next
 * "details-changed". */
const KvTunnelDetails *kv_tunnel_get_details(KvTunnel *tunnel);

/* CLOCK_REALTIME in microseconds, while it is CONNECTED, or else 0. */
guint64 kv_tunnel_get_connected_since(KvTunnel *tunnel);

/* --- the clients of a server ---------------------------------------------------------------- */

/* (transfer full) (element-type KvPeer): those that "peer-added" told of; none of a client. */
GPtrArray *kv_tunnel_get_peers(KvTunnel *tunnel);

/**
 * kv_tunnel_disconnect_peer:
 *
 * Ends a client's session in good order: it is told, its interface goes, its hook runs, its
 * address is free again. "peer-removed" follows, after a second if the client does not answer.
 * A client that reconnects by itself may come back at once. Nothing happens if it is gone.
 */
void kv_tunnel_disconnect_peer(KvTunnel *tunnel, KvPeer *peer);

/**
 * kv_tunnel_set_peers:
 * @peers: of a server: the clients that it knows by key, in the place of those before
 *
 * Also while it runs: who is not among them any more is disconnected, others hold on, with what is
 * theirs now.
 */
void kv_tunnel_set_peers(KvTunnel *tunnel, const KvPeerList *peers);

/**
 * kv_tunnel_set_terms:
 * @terms: of a server, in the place of those before
 *
 * Also while it runs: native clients are told, and hold on. Others have none.
 */
void kv_tunnel_set_terms(KvTunnel *tunnel, const KvTunnelTerms *terms);

/* --- statistics ----------------------------------------------------------------------------- */

/**
 * kv_tunnel_get_stats_async:
 * @cancellable: (nullable)
 *
 * Asks the workers for all counters. @callback comes from the main loop in any case, also if the
 * tunnel is not running or stops meanwhile; the call holds a reference to the tunnel. Calls while
 * one is under way share its answer, so asking often costs little: O(peers) for all of them.
 *
 * When @callback runs, kv_peer_get_stats() and kv_peer_get_last_seen() of the peers are new, too.
 */
void kv_tunnel_get_stats_async(KvTunnel *tunnel, GCancellable *cancellable,
                               GAsyncReadyCallback callback, gpointer data);

/**
 * kv_tunnel_get_stats_finish:
 * @total: (out caller-allocates): the sums over all sessions since the start, of gone ones and
 *     of datagrams that were of none included, so they never fall; of what stands now
 *     the sums of the living sessions, for @rtt_us and @rtt_var_us the mean
 *
 * Returns: %FALSE if it was cancelled (%G_IO_ERROR_CANCELLED).
 */
gboolean kv_tunnel_get_stats_finish(KvTunnel *tunnel, GAsyncResult *result, KvStats *total,
                                    GError **error);

/* Writes the counters of every session to the log, as soon as the workers have answered. */
void kv_tunnel_log_stats(KvTunnel *tunnel);
