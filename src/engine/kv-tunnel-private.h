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
    /* Ask the pumps for snapshots; give each to kv_tunnel_log_snapshot(). */
    void (*snapshot)(KvTunnel *tunnel);
};

KvEngine *kv_tunnel_get_engine(KvTunnel *tunnel);
KvTunnelParams *kv_tunnel_get_params(KvTunnel *tunnel);

/* Opens @hooks if the settings name any program. */
gboolean kv_tunnel_open_hooks(KvTunnel *tunnel, KvHooks **hooks, GError **error) KV_MUST_USE;

/* @hooks: (nullable): the tunnel's interface is up; @local_ip: of this end, or 0. */
void kv_tunnel_run_up(KvTunnel *tunnel, KvHooks *hooks, const char *interface, KvIp4 local_ip);

/* @error: (nullable) (transfer none): goes along with WAITING. */
void kv_tunnel_set_state(KvTunnel *tunnel, KvTunnelState state, const GError *error);

/* Nothing is left: STOPPED, or FAILED with @error (transfer full) (nullable). */
void kv_tunnel_finish(KvTunnel *tunnel, GError *error);

/* One log line of counters; @label (nullable): the peer; @interface (nullable). */
void kv_tunnel_log_snapshot(const char *interface, const char *label,
                            const KvLinkSnapshot *snapshot);

/* One log line of what was dropped outside of sessions, if anything was. */
void kv_tunnel_log_drops(const uint64_t *drops);
