/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn-engine"

#include "kv-tunnel.h"

#include "kv-clock.h"
#include "kv-error.h"
#include "kv-ip4.h"
#include "kv-log.h"
#include "kv-stats-rounds.h"
#include "kv-tunnel-client.h"
#include "kv-tunnel-peer.h"
#include "kv-tunnel-private.h"
#include "kv-tunnel-server.h"

typedef struct {
    KvEngine *engine;
    KvTunnelParams *params;
    KvTunnelState state;
    GError *error;
    GError *last_error;
    gboolean no_configure;
    KvTunnelDetails details;
    guint64 connected_since;
    gboolean has_begun; /* the role was told to start */
    KvStatsRounds *stats;
} KvTunnelPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(KvTunnel, kv_tunnel, G_TYPE_OBJECT)

enum {
    STATE_CHANGED,
    DETAILS_CHANGED,
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
    kv_stats_rounds_free(priv->stats);
    kv_engine_unref(priv->engine);
    kv_tunnel_details_clear(&priv->details);
    g_clear_error(&priv->error);
    g_clear_error(&priv->last_error);
    G_OBJECT_CLASS(kv_tunnel_parent_class)->finalize(object);
}

static void
kv_tunnel_class_init(KvTunnelClass *klass)
{
    GType type = G_TYPE_FROM_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = kv_tunnel_finalize;
    signals[STATE_CHANGED] = g_signal_new("state-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 2, G_TYPE_UINT, G_TYPE_ERROR);
    signals[DETAILS_CHANGED] = g_signal_new("details-changed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                            NULL, NULL, G_TYPE_NONE, 0);
    signals[PEER_ADDED] = g_signal_new("peer-added", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                       G_TYPE_NONE, 1, KV_TYPE_PEER);
    signals[PEER_REMOVED] = g_signal_new("peer-removed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                         NULL, G_TYPE_NONE, 1, KV_TYPE_PEER);
}

static void
kv_tunnel_init(KvTunnel *self)
{
    KvTunnelPrivate *priv = get_private(self);

    priv->stats = kv_stats_rounds_new();
    kv_tunnel_details_init(&priv->details);
}

static void
add_locals(KvTunnelDetails *details, const KvTunnelParams *params)
{
    g_autoptr(GArray) locals = kv_tunnel_params_list_locals(params);

    for (guint i = 0; i < locals->len; i++) {
        KvTunnelNetwork local = {.network = g_array_index(locals, KvNetwork, i)};

        g_array_append_val(details->addresses, local);
    }
}

/* Back to what is known without running. */
static void
forget_details(KvTunnelPrivate *priv)
{
    const KvTunnelParams *params = priv->params;
    KvTunnelDetails *details = &priv->details;

    kv_tunnel_details_clear(details);
    kv_tunnel_details_init(details);
    details->protocol = params->key != NULL ? "v1" : "native";
    details->cipher = kv_tunnel_params_get_cipher_name(params);
    details->why = kv_tunnel_params_get_cipher_why(params);
    if (params->role == KV_ROLE_CLIENT)
        return;
    details->vni_mode = params->vni_mode;
    details->mtu = params->vni_mtu;
    if (params->native != NULL) {
        add_locals(details, params);
        return;
    }
    kv_tunnel_details_add_ip4(
        details, params->local_ip,
        params->vni_mode == KV_VNI_MODE_TUN ? 32 : kv_ip4_mask_to_prefix(params->netmask), 0);
}

static GType
get_type(KvRole role)
{
    switch (role) {
    case KV_ROLE_SERVER:
        return KV_TYPE_TUNNEL_SERVER;
    case KV_ROLE_PEER:
        return KV_TYPE_TUNNEL_PEER;
    default:
        return KV_TYPE_TUNNEL_CLIENT;
    }
}

KvTunnel *
kv_tunnel_new_with_params(KvEngine *engine, KvTunnelParams *params)
{
    KvTunnel *self = g_object_new(get_type(params->role), NULL);
    KvTunnelPrivate *priv = get_private(self);

    priv->engine = kv_engine_ref(engine);
    priv->params = params;
    forget_details(priv);
    return self;
}

KvTunnel *
kv_tunnel_new(KvEngine *engine, const KvSettings *settings, GError **error)
{
    KvTunnelParams *params = kv_tunnel_params_new(settings, error);

    return params != NULL ? kv_tunnel_new_with_params(engine, params) : NULL;
}

static gboolean
is_down(KvTunnelState state)
{
    return state == KV_TUNNEL_STATE_STOPPED || state == KV_TUNNEL_STATE_FAILED;
}

void
kv_tunnel_set_configure(KvTunnel *self, gboolean configure)
{
    get_private(self)->no_configure = !configure;
}

gboolean
kv_tunnel_get_configure(KvTunnel *self)
{
    return !get_private(self)->no_configure;
}

/* --- running --------------------------------------------------------------------------------- */

/* It lives until it is down, but nobody could stop it any more that nobody else knows. */
static void
references_changed(gpointer data, GObject *object, gboolean is_last_ref)
{
    if (is_last_ref)
        kv_tunnel_stop(KV_TUNNEL(object));
}

static void
stop_for_engine(gpointer tunnel)
{
    kv_tunnel_stop(tunnel);
}

void
kv_tunnel_start(KvTunnel *self)
{
    KvTunnelPrivate *priv = get_private(self);
    g_autoptr(KvTunnel) alive = NULL;

    if (!is_down(priv->state))
        return;
    alive = g_object_ref(self);
    g_object_add_toggle_ref(G_OBJECT(self), references_changed, NULL);
    kv_stats_rounds_reset(priv->stats);
    g_clear_error(&priv->last_error);
    priv->has_begun = FALSE;
    if (!kv_engine_add_tunnel(priv->engine, self, stop_for_engine)) {
        kv_tunnel_finish(
            self, g_error_new_literal(KV_ERROR, KV_ERROR_CANCELLED, "the program is about to end"));
        return;
    }
    kv_tunnel_set_state(self, KV_TUNNEL_STATE_STARTING, NULL);
    /* A handler may have thought better of it. */
    if (priv->state != KV_TUNNEL_STATE_STARTING) {
        kv_tunnel_finish(self, NULL);
        return;
    }
    priv->has_begun = TRUE;
    for (guint i = 0; priv->params->warnings[i] != NULL; i++)
        kv_log(KV_LOG_WARNING, NULL, kv_tunnel_params_get_log_name(priv->params, NULL), NULL, "%s",
               priv->params->warnings[i]);
    KV_TUNNEL_GET_CLASS(self)->start(self);
}

void
kv_tunnel_stop(KvTunnel *self)
{
    KvTunnelPrivate *priv = get_private(self);
    g_autoptr(KvTunnel) alive = NULL;

    if (is_down(priv->state) || priv->state == KV_TUNNEL_STATE_STOPPING)
        return;
    alive = g_object_ref(self);
    kv_tunnel_set_state(self, KV_TUNNEL_STATE_STOPPING, NULL);
    if (priv->has_begun)
        KV_TUNNEL_GET_CLASS(self)->stop(self);
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

void
kv_tunnel_watch_network(KvTunnel *self, void (*changed)(gpointer tunnel))
{
    kv_route_watch_add(kv_engine_get_route_watch(get_private(self)->engine), changed, self);
}

gboolean
kv_tunnel_was_link_down(KvTunnel *self, const char *interface)
{
    return kv_route_watch_was_down(kv_engine_get_route_watch(get_private(self)->engine), interface);
}

void
kv_tunnel_unwatch_network(KvTunnel *self)
{
    kv_route_watch_remove(kv_engine_get_route_watch(get_private(self)->engine), self);
}

gboolean
kv_tunnel_open_hooks(KvTunnel *self, KvHooks **hooks, GError **error)
{
    KvTunnelPrivate *priv = get_private(self);

    return kv_tunnel_params_open_hooks(priv->params, kv_engine_get_hook_runner(priv->engine), hooks,
                                       error);
}

void
kv_tunnel_run_up(KvTunnel *self, KvHooks *hooks, const char *interface, KvIp4 local_ip)
{
    KvTunnelParams *params = get_private(self)->params;
    char ip6[KV_NETWORK_TEXT_BYTES];
    const KvHookTunnelInfo info = {
        .name = params->name != NULL ? params->name : "",
        .role = params->role,
        .interface_name = interface,
        .local_ip = local_ip,
        .local_ip6 = kv_tunnel_networks_find_ip6(get_private(self)->details.addresses, ip6),
    };

    if (hooks != NULL)
        kv_hooks_set_up(hooks, &info);
}

const KvTunnelDetails *
kv_tunnel_get_details(KvTunnel *self)
{
    return &get_private(self)->details;
}

void
kv_tunnel_set_details(KvTunnel *self, const KvTunnelDetails *details)
{
    KvTunnelPrivate *priv = get_private(self);

    if (kv_tunnel_details_equal(&priv->details, details))
        return;
    kv_tunnel_details_copy(&priv->details, details);
    g_signal_emit(self, signals[DETAILS_CHANGED], 0);
}

void
kv_tunnel_set_place(KvTunnel *self, const char *endpoint, const char *interface)
{
    g_auto(KvTunnelDetails) details = {0};

    kv_tunnel_details_copy(&details, &get_private(self)->details);
    g_free(details.endpoint);
    details.endpoint = g_strdup(endpoint);
    g_free(details.interface);
    details.interface = g_strdup(interface);
    kv_tunnel_set_details(self, &details);
}

/* Everything is in place before anybody hears of it. A handler that goes on to another state
 * has told of that one already. */
static void
change_state(KvTunnel *self, KvTunnelState state, const GError *error, gboolean details_changed)
{
    KvTunnelPrivate *priv = get_private(self);
    GError *copy = error != NULL ? g_error_copy(error) : NULL;
    guint64 since = state == KV_TUNNEL_STATE_CONNECTED ? kv_clock_to_realtime(kv_clock_now()) : 0;

    g_clear_error(&priv->error);
    priv->error = copy;
    if (error != NULL || state == KV_TUNNEL_STATE_CONNECTED) {
        g_clear_error(&priv->last_error);
        priv->last_error = error != NULL ? g_error_copy(error) : NULL;
    }
    priv->state = state;
    details_changed |= (since != 0) != (priv->connected_since != 0);
    priv->connected_since = since;
    if (details_changed)
        g_signal_emit(self, signals[DETAILS_CHANGED], 0);
    if (priv->state == state)
        g_signal_emit(self, signals[STATE_CHANGED], 0, (guint) state, priv->error);
}

void
kv_tunnel_set_state(KvTunnel *self, KvTunnelState state, const GError *error)
{
    if (get_private(self)->state != KV_TUNNEL_STATE_STOPPING)
        change_state(self, state, error, FALSE);
}

void
kv_tunnel_finish(KvTunnel *self, GError *error)
{
    KvTunnelPrivate *priv = get_private(self);
    g_autoptr(GError) owned_error = error;

    kv_engine_remove_tunnel(priv->engine, self);
    forget_details(priv);
    change_state(self, error != NULL ? KV_TUNNEL_STATE_FAILED : KV_TUNNEL_STATE_STOPPED, error,
                 TRUE);
    g_object_remove_toggle_ref(G_OBJECT(self), references_changed, NULL);
}

/* --- what it tells --------------------------------------------------------------------------- */

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

const GError *
kv_tunnel_get_last_error(KvTunnel *self)
{
    return get_private(self)->last_error;
}

KvRole
kv_tunnel_get_role(KvTunnel *self)
{
    return get_private(self)->params->role;
}

const char *
kv_tunnel_get_protocol(KvTunnel *self)
{
    return get_private(self)->details.protocol;
}

const char *
kv_tunnel_get_cipher(KvTunnel *self)
{
    return get_private(self)->details.cipher;
}

const char *
kv_tunnel_get_client_id(KvTunnel *self)
{
    const KvTunnelParams *params = get_private(self)->params;

    return params->v1.client.id[0] != '\0' ? params->v1.client.id : NULL;
}

const char *
kv_tunnel_get_interface(KvTunnel *self)
{
    return get_private(self)->details.interface;
}

const char *
kv_tunnel_get_endpoint(KvTunnel *self)
{
    return get_private(self)->details.endpoint;
}

KvVniMode
kv_tunnel_get_vni_mode(KvTunnel *self)
{
    return get_private(self)->details.vni_mode;
}

guint
kv_tunnel_get_mtu(KvTunnel *self)
{
    return get_private(self)->details.mtu;
}

guint64
kv_tunnel_get_connected_since(KvTunnel *self)
{
    return get_private(self)->connected_since;
}

GPtrArray *
kv_tunnel_get_peers(KvTunnel *self)
{
    GPtrArray *peers = g_ptr_array_new_with_free_func(g_object_unref);

    if (KV_TUNNEL_GET_CLASS(self)->list_peers != NULL)
        KV_TUNNEL_GET_CLASS(self)->list_peers(self, peers);
    return peers;
}

void
kv_tunnel_disconnect_peer(KvTunnel *self, KvPeer *peer)
{
    if (KV_TUNNEL_GET_CLASS(self)->disconnect_peer != NULL)
        KV_TUNNEL_GET_CLASS(self)->disconnect_peer(self, peer);
}

void
kv_tunnel_set_peers(KvTunnel *self, const KvPeerList *peers)
{
    if (KV_TUNNEL_GET_CLASS(self)->set_peers != NULL)
        KV_TUNNEL_GET_CLASS(self)->set_peers(self, peers);
}

void
kv_tunnel_set_terms(KvTunnel *self, const KvTunnelTerms *terms)
{
    if (KV_TUNNEL_GET_CLASS(self)->set_terms != NULL)
        KV_TUNNEL_GET_CLASS(self)->set_terms(self, terms);
}

/* --- statistics ------------------------------------------------------------------------------ */

void
kv_tunnel_get_stats_async(KvTunnel *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer data)
{
    g_autoptr(GPtrArray) pumps = g_ptr_array_new();
    GTask *task = g_task_new(self, cancellable, callback, data);

    g_task_set_source_tag(task, kv_tunnel_get_stats_async);
    KV_TUNNEL_GET_CLASS(self)->list_pumps(self, pumps);
    kv_stats_rounds_join(get_private(self)->stats, pumps, task);
}

gboolean
kv_tunnel_get_stats_finish(KvTunnel *self, GAsyncResult *result, KvStats *total, GError **error)
{
    g_autofree KvStatsSum *sum = NULL;

    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    sum = g_task_propagate_pointer(G_TASK(result), error);
    if (sum == NULL)
        return FALSE;
    *total = sum->total;
    return TRUE;
}

static void
log_round(GObject *object, GAsyncResult *result, gpointer data)
{
    g_autofree KvStatsSum *sum = g_task_propagate_pointer(G_TASK(result), NULL);

    KV_TUNNEL_GET_CLASS(object)->log_stats(KV_TUNNEL(object), &sum->total, sum->strangers);
}

void
kv_tunnel_log_stats(KvTunnel *self)
{
    kv_tunnel_get_stats_async(self, NULL, log_round, NULL);
}

void
kv_tunnel_pump_snapshot(KvTunnel *self, KvPump *pump, const KvPumpSnapshot *snapshot)
{
    kv_stats_rounds_pump_snapshot(get_private(self)->stats, pump, snapshot);
}

void
kv_tunnel_pump_gone(KvTunnel *self, KvPump *pump, const KvPumpSnapshot *last)
{
    kv_stats_rounds_pump_gone(get_private(self)->stats, pump, last);
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
kv_tunnel_log_stats_line(const char *name, const char *label, const KvStats *stats)
{
    g_autoptr(GString) drops = g_string_new(NULL);

    append_drops(drops, stats->drops);
    kv_log(KV_LOG_INFO, "statistics", name, label,
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
kv_tunnel_log_strangers(const char *name, const KvStats *total, const uint64_t *drops)
{
    g_autoptr(GString) line = g_string_new(NULL);

    append_drops(line, drops);
    if (line->len > 0)
        kv_log(KV_LOG_INFO, "statistics", name, NULL, "dropped outside of sessions:%s", line->str);
    if (total->handshakes_opened > 0 || total->cookie_replies > 0)
        kv_log(KV_LOG_INFO, "statistics", name, NULL,
               "handshakes: %" G_GUINT64_FORMAT " opened, %" G_GUINT64_FORMAT
               " answered with a cookie",
               (guint64) total->handshakes_opened, (guint64) total->cookie_replies);
}
