/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook.h"
#include "kv-pump.h"
#include "kv-tunnel-params.h"
#include "kv-tunnel.h"

/* What the two roles fill in, and what they call back. */
struct _KvTunnelClass {
    GObjectClass parent_class;

    /* Begin; report by kv_tunnel_set_state() and kv_tunnel_finish(). */
    void (*start)(KvTunnel *tunnel);
    /* Begin to end; kv_tunnel_finish() follows. */
    void (*stop)(KvTunnel *tunnel);
    /* Add the KvPumps that have not said they are gone. */
    void (*list_pumps)(KvTunnel *tunnel, GPtrArray *pumps);
    /* Write a round of statistics to the log, with kv_tunnel_log_stats_line(). @strangers: what
     * was dropped outside of sessions; @total has it, too. */
    void (*log_stats)(KvTunnel *tunnel, const KvStats *total, const uint64_t *strangers);
    /* (nullable): add the peers that were announced. */
    void (*list_peers)(KvTunnel *tunnel, GPtrArray *peers);
    /* (nullable) */
    void (*disconnect_peer)(KvTunnel *tunnel, KvPeer *peer);
    /* (nullable): take over other peers. */
    void (*set_peers)(KvTunnel *tunnel, const KvPeerList *peers);
    /* (nullable): take over other terms. */
    void (*set_terms)(KvTunnel *tunnel, const KvTunnelTerms *terms);
};

KvEngine *kv_tunnel_get_engine(KvTunnel *tunnel);
KvTunnelParams *kv_tunnel_get_params(KvTunnel *tunnel);

/* @changed is called, with @tunnel, when links, addresses or routes of this machine are other ones,
 * until kv_tunnel_unwatch_network(), which does nothing when they are not watched. */
void kv_tunnel_watch_network(KvTunnel *tunnel, void (*changed)(gpointer tunnel));
void kv_tunnel_unwatch_network(KvTunnel *tunnel);

/* For a @changed: whether @interface was set down, be it up again by now. */
gboolean kv_tunnel_was_link_down(KvTunnel *tunnel, const char *interface);

/* Opens @hooks if the settings name any program. */
gboolean kv_tunnel_open_hooks(KvTunnel *tunnel, KvHooks **hooks, GError **error) KV_MUST_USE;

/* @hooks: (nullable): the tunnel's interface is up; @local_ip: of this end, or 0. */
void kv_tunnel_run_up(KvTunnel *tunnel, KvHooks *hooks, const char *interface, KvIp4 local_ip);

/* Whether addresses are this side's business. */
gboolean kv_tunnel_get_configure(KvTunnel *tunnel);

/* Copies @details, and says "details-changed" if they differ from what was. They are forgotten when
 * the tunnel is down. */
void kv_tunnel_set_details(KvTunnel *tunnel, const KvTunnelDetails *details);

/* The same with another @endpoint and @interface (both nullable), while the rest stays. */
void kv_tunnel_set_place(KvTunnel *tunnel, const char *endpoint, const char *interface);

/* @error: (nullable) (transfer none): goes along with WAITING. Does nothing once the tunnel is
 * stopping. A handler may stop it before this returns, which may free a client that waits. */
void kv_tunnel_set_state(KvTunnel *tunnel, KvTunnelState state, const GError *error);

/* Nothing is left: STOPPED, or FAILED with @error (transfer full) (nullable). The tunnel may be
 * gone, or started anew, when this returns. */
void kv_tunnel_finish(KvTunnel *tunnel, GError *error);

/* The pumps' callbacks of the same names hand over to these. */
void kv_tunnel_pump_snapshot(KvTunnel *tunnel, KvPump *pump, const KvPumpSnapshot *snapshot);
void kv_tunnel_pump_gone(KvTunnel *tunnel, KvPump *pump, const KvPumpSnapshot *last);

/* One log line of counters; @label (nullable): the peer; @interface (nullable). */
void kv_tunnel_log_stats_line(const char *name, const char *label, const KvStats *stats);

/* One log line each of what was dropped outside of sessions, and of handshakes, if there were any.
 * @total: that has the handshakes */
void kv_tunnel_log_strangers(const char *name, const KvStats *total, const uint64_t *drops);
