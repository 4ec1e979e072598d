/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn-engine"

#include "kv-tunnel.h"

#include "kv-log.h"
#include "kv-tunnel-client.h"
#include "kv-tunnel-private.h"
#include "kv-tunnel-server.h"

typedef struct {
    KvEngine *engine;
    KvTunnelParams *params;
    KvTunnelState state;
    GError *error;
} KvTunnelPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(KvTunnel, kv_tunnel, G_TYPE_OBJECT)

enum {
    STATE_CHANGED,
    PEER_ADDED,
    PEER_REMOVED,
    N_SIGNALS,
};

static guint signals[N_SIGNALS];

static KvTunnelPrivate *
get_private(KvTunnel *self)
{
    return kv_tunnel_get_instance_private(self);
}

static void
kv_tunnel_finalize(GObject *object)
{
    KvTunnelPrivate *priv = get_private(KV_TUNNEL(object));

    kv_tunnel_params_unref(priv->params);
    kv_engine_unref(priv->engine);
    g_clear_error(&priv->error);
    G_OBJECT_CLASS(kv_tunnel_parent_class)->finalize(object);
}

static void
kv_tunnel_class_init(KvTunnelClass *klass)
{
    GType type = G_TYPE_FROM_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = kv_tunnel_finalize;
    signals[STATE_CHANGED] = g_signal_new("state-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 2, G_TYPE_UINT, G_TYPE_ERROR);
    signals[PEER_ADDED] = g_signal_new("peer-added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                       G_TYPE_NONE, 1, G_TYPE_OBJECT);
    signals[PEER_REMOVED] = g_signal_new("peer-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                         NULL, G_TYPE_NONE, 1, G_TYPE_OBJECT);
}

static void
kv_tunnel_init(KvTunnel *self)
{
}

KvTunnel *
kv_tunnel_new(KvEngine *engine, const KvSettings *settings, GError **error)
{
    g_autoptr(KvTunnelParams) params = kv_tunnel_params_new(settings, error);
    KvTunnelPrivate *priv;
    KvTunnel *self;

    if (params == NULL)
        return NULL;
    self = g_object_new(
        params->role == KV_ROLE_SERVER ? KV_TYPE_TUNNEL_SERVER : KV_TYPE_TUNNEL_CLIENT, NULL);
    priv = get_private(self);
    priv->engine = kv_engine_ref(engine);
    priv->params = g_steal_pointer(&params);
    return self;
}

static gboolean
is_down(KvTunnelState state)
{
    return state == KV_TUNNEL_STATE_STOPPED || state == KV_TUNNEL_STATE_FAILED;
}

void
kv_tunnel_start(KvTunnel *self)
{
    KvTunnelPrivate *priv = get_private(self);

    if (!is_down(priv->state))
        return;
    /* It lives until it is down again, whoever else lets go of it. */
    g_object_ref(self);
    kv_tunnel_set_state(self, KV_TUNNEL_STATE_STARTING, NULL);
    KV_TUNNEL_GET_CLASS(self)->start(self);
}

void
kv_tunnel_stop(KvTunnel *self)
{
    KvTunnelPrivate *priv = get_private(self);

    if (is_down(priv->state) || priv->state == KV_TUNNEL_STATE_STOPPING)
        return;
    kv_tunnel_set_state(self, KV_TUNNEL_STATE_STOPPING, NULL);
    KV_TUNNEL_GET_CLASS(self)->stop(self);
}

KvTunnelState
kv_tunnel_get_state(KvTunnel *self)
{
    return get_private(self)->state;
}

const GError *
kv_tunnel_get_error(KvTunnel *self)
{
    return get_private(self)->error;
}

void
kv_tunnel_log_stats(KvTunnel *self)
{
    KV_TUNNEL_GET_CLASS(self)->snapshot(self);
}

KvEngine *
kv_tunnel_get_engine(KvTunnel *self)
{
    return get_private(self)->engine;
}

KvTunnelParams *
kv_tunnel_get_params(KvTunnel *self)
{
    return get_private(self)->params;
}

gboolean
kv_tunnel_open_hooks(KvTunnel *self, KvHooks **hooks, GError **error)
{
    KvTunnelPrivate *priv = get_private(self);
    const KvHooksConfig config = {
        .dir = priv->params->hook_dir,
        .connected_program = priv->params->on_connected_hook,
        .up = priv->params->up,
        .down = priv->params->down,
    };

    if (config.dir == NULL && config.connected_program == NULL && config.up == NULL &&
        config.down == NULL)
        return TRUE;
    *hooks = kv_hooks_new(kv_engine_get_hook_runner(priv->engine), &config, error);
    return *hooks != NULL;
}

void
kv_tunnel_run_up(KvTunnel *self, KvHooks *hooks, const char *interface, KvIp4 local_ip)
{
    KvTunnelParams *params = get_private(self)->params;
    const KvHookTunnelInfo info = {
        .name = params->name != NULL ? params->name : "",
        .role = params->role,
        .interface_name = interface,
        .local_ip = local_ip,
    };

    if (hooks != NULL)
        kv_hooks_set_up(hooks, &info);
}

void
kv_tunnel_set_state(KvTunnel *self, KvTunnelState state, const GError *error)
{
    KvTunnelPrivate *priv = get_private(self);
    GError *copy = error != NULL ? g_error_copy(error) : NULL;

    g_clear_error(&priv->error);
    priv->error = copy;
    priv->state = state;
    g_signal_emit(self, signals[STATE_CHANGED], 0, (guint) state, priv->error);
}

void
kv_tunnel_finish(KvTunnel *self, GError *error)
{
    kv_tunnel_set_state(self, error != NULL ? KV_TUNNEL_STATE_FAILED : KV_TUNNEL_STATE_STOPPED,
                        error);
    g_clear_error(&error);
    g_object_unref(self);
}

static void
append_drops(GString *line, const uint64_t *drops)
{
    for (guint i = KV_DROP_NONE + 1; i < KV_N_DROPS; i++) {
        if (drops[i] > 0)
            g_string_append_printf(line, " %s %" G_GUINT64_FORMAT, kv_drop_to_string(i),
                                   (guint64) drops[i]);
    }
}

void
kv_tunnel_log_snapshot(const char *interface, const char *label, const KvLinkSnapshot *snapshot)
{
    const KvStats *stats = &snapshot->stats;
    g_autoptr(GString) drops = g_string_new(NULL);

    append_drops(drops, stats->drops);
    kv_log(KV_LOG_INFO, "statistics", interface, label,
           "statistics: in %" G_GUINT64_FORMAT " packets %" G_GUINT64_FORMAT
           " bytes, out %" G_GUINT64_FORMAT " packets %" G_GUINT64_FORMAT
           " bytes; wire in %" G_GUINT64_FORMAT " datagrams %" G_GUINT64_FORMAT
           " bytes, out %" G_GUINT64_FORMAT " datagrams %" G_GUINT64_FORMAT
           " bytes; rtt %.1f ms; retransmits %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
           " segments; fec sent %" G_GUINT64_FORMAT " recovered %" G_GUINT64_FORMAT "; dropped:%s",
           (guint64) stats->inner_rx_packets, (guint64) stats->inner_rx_bytes,
           (guint64) stats->inner_tx_packets, (guint64) stats->inner_tx_bytes,
           (guint64) stats->wire_rx_datagrams, (guint64) stats->wire_rx_bytes,
           (guint64) stats->wire_tx_datagrams, (guint64) stats->wire_tx_bytes, stats->rtt_us / 1e3,
           (guint64) (stats->kcp_retransmits_timeout + stats->kcp_retransmits_fast +
                      stats->kcp_retransmits_probe),
           (guint64) stats->kcp_segments_sent, (guint64) stats->fec_parity_sent,
           (guint64) stats->fec_recovered, drops->len > 0 ? drops->str : " none");
}

void
kv_tunnel_log_drops(const uint64_t *drops)
{
    g_autoptr(GString) line = g_string_new(NULL);

    append_drops(line, drops);
    if (line->len > 0)
        kv_log(KV_LOG_INFO, "statistics", NULL, NULL, "dropped outside of sessions:%s", line->str);
}
