/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn-engine"

#include "kv-tunnel-peer.h"

#include "kv-addressing.h"
#include "kv-device.h"
#include "kv-error.h"
#include "kv-hook.h"
#include "kv-log.h"
#include "kv-peer-private.h"
#include "kv-peer-routes.h"
#include "kv-peer-socket.h"
#include "kv-resolve.h"
#include "kv-tunnel-private.h"

#include <sodium.h>
#include <string.h>

typedef struct _KvTunnelPeer KvTunnelPeer;

/* One of those that the settings name. */
typedef struct {
    KvTunnelPeer *tunnel;
    KvPeerSettings *settings;
    uint8_t public_key[KV_KEY_BYTES];
    KvLinkId link;
    GArray *networks;        /* of KvNetwork: its allowed-ips and routes */
    guint turn;              /* which address of its endpoint's name is to be tried */
    GCancellable *resolving; /* (nullable) */
    gboolean is_placed;
    KvSockaddr place; /* where it is, or is called */
    KvAead aead;      /* of what it said last */
    KvPeer *peer;     /* (nullable): while it is there */
} Known;

struct _KvTunnelPeer {
    KvTunnel parent_instance;
    KvHooks *hooks;
    KvPump *pump;
    sa_family_t family; /* of the pump's socket */
    KvAddressing *addressing;
    KvPeerList *peers; /* (nullable) */
    GPtrArray *known;  /* Known */
    gboolean finishing;
    GError *failure;
};

typedef KvTunnelClass KvTunnelPeerClass;

G_DEFINE_FINAL_TYPE(KvTunnelPeer, kv_tunnel_peer, KV_TYPE_TUNNEL)

static const KvPumpCallbacks pump_callbacks;

static KvTunnelParams *
get_params(KvTunnelPeer *self)
{
    return kv_tunnel_get_params((KvTunnel *) self);
}

static const char *
get_log_name(KvTunnelPeer *self)
{
    return kv_tunnel_params_get_log_name(get_params(self), get_params(self)->vni_name);
}

static KvNetlink *
get_netlink(KvTunnelPeer *self)
{
    return kv_engine_get_netlink(kv_tunnel_get_engine((KvTunnel *) self));
}

/* One that failed has taken away its addresses and routes, and is to set no others. */
static gboolean
is_stopping(KvTunnelPeer *self)
{
    return self->failure != NULL ||
           kv_tunnel_get_state((KvTunnel *) self) == KV_TUNNEL_STATE_STOPPING;
}

static const char *
get_name(const Known *known)
{
    return kv_peer_settings_get_name(known->settings);
}

/* --- the end -------------------------------------------------------------------------------- */

static void
hooks_drained(gpointer data)
{
    KvTunnelPeer *self = data;

    g_clear_pointer(&self->hooks, kv_hooks_free);
    self->finishing = FALSE;
    if (self->failure == NULL)
        kv_log(KV_LOG_INFO, "stopped", get_log_name(self), NULL, "stopped");
    kv_tunnel_finish((KvTunnel *) self, g_steal_pointer(&self->failure));
}

static void
finish(KvTunnelPeer *self)
{
    self->finishing = TRUE;
    kv_tunnel_unwatch_network((KvTunnel *) self);
    g_clear_pointer(&self->addressing, kv_addressing_free);
    if (self->hooks != NULL)
        kv_hooks_drain(self->hooks, hooks_drained, self);
    else
        hooks_drained(self);
}

/* Takes away what was set, which a persistent interface would keep. */
static void
shut_down(KvTunnelPeer *self)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < self->known->len; i++) {
        Known *known = g_ptr_array_index(self->known, i);

        if (known->resolving != NULL)
            g_cancellable_cancel(known->resolving);
    }
    if (self->addressing != NULL && !kv_addressing_clear(self->addressing, &error))
        kv_log(KV_LOG_WARNING, NULL, get_log_name(self), NULL, "%s", error->message);
    if (self->pump != NULL)
        kv_pump_shutdown(self->pump);
    else if (!self->finishing)
        finish(self);
}

/* --- addresses and routes -------------------------------------------------------------------- */

static gboolean
apply_addressing(KvTunnelPeer *self, GError **error)
{
    KvTunnelParams *params = get_params(self);
    g_autoptr(GArray) locals = kv_tunnel_params_list_locals(params);
    g_autoptr(GArray) routes = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    g_autoptr(GArray) endpoints = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    KvAddressingPlan plan = {
        .mode = params->vni_mode, .addresses = locals, .routes = routes, .endpoints = endpoints};

    if (!kv_tunnel_get_configure((KvTunnel *) self))
        return TRUE;
    /* A bridge port carries no address of its own. */
    if (params->bridge != NULL)
        g_array_set_size(locals, 0);
    for (guint i = 0; params->vni_mode == KV_VNI_MODE_TUN && i < self->known->len; i++) {
        const Known *known = g_ptr_array_index(self->known, i);

        kv_peer_routes_add(known->networks, known->is_placed ? &known->place : NULL, routes,
                           endpoints);
    }
    return kv_addressing_apply(self->addressing, &plan, error);
}

static void
refresh_addressing(KvTunnelPeer *self)
{
    g_autoptr(GError) error = NULL;

    if (!apply_addressing(self, &error))
        kv_log(KV_LOG_WARNING, NULL, get_log_name(self), NULL, "%s", error->message);
}

/* --- peers ----------------------------------------------------------------------------------- */

static void
known_free(gpointer data)
{
    Known *known = data;

    if (known->resolving != NULL)
        g_cancellable_cancel(known->resolving);
    g_clear_object(&known->resolving);
    g_array_unref(known->networks);
    g_clear_object(&known->peer);
    kv_peer_settings_free(known->settings);
    g_free(known);
}

static Known *
find_link(KvTunnelPeer *self, KvLinkId link)
{
    for (guint i = 0; i < self->known->len; i++) {
        Known *known = g_ptr_array_index(self->known, i);

        if (known->link == link)
            return known;
    }
    return NULL;
}

static void
join(Known *known)
{
    gboolean is_tap = get_params(known->tunnel)->vni_mode == KV_VNI_MODE_TAP;

    kv_pump_join(known->tunnel->pump, known->link,
                 (const KvNetwork *) (gpointer) known->networks->data,
                 is_tap ? 0 : known->networks->len);
}

static void
place(Known *known, const KvSockaddr *remote)
{
    gboolean depended =
        known->is_placed && kv_peer_routes_depend_on(known->networks, &known->place);

    known->place = *remote;
    known->is_placed = TRUE;
    if (depended || kv_peer_routes_depend_on(known->networks, remote))
        refresh_addressing(known->tunnel);
}

/* The name service's answer, which may come when the peer is not known any more. */
typedef struct {
    KvTunnelPeer *tunnel; /* a reference */
    KvLinkId link;
    GCancellable *cancellable;
} Question;

static void
resolved(const KvSockaddr *address, const GError *error, gpointer data)
{
    g_autofree Question *question = data;
    g_autoptr(KvTunnel) tunnel = (KvTunnel *) question->tunnel;
    g_autoptr(GCancellable) cancellable = question->cancellable;
    KvTunnelPeer *self = question->tunnel;
    Known *known = find_link(self, question->link);

    if (known == NULL || known->resolving != cancellable)
        return;
    g_clear_object(&known->resolving);
    if (self->pump == NULL || is_stopping(self))
        return;
    if (address == NULL) {
        kv_log(KV_LOG_WARNING, NULL, get_log_name(self), get_name(known), "peer %s: endpoint: %s",
               get_name(known), error->message);
        return;
    }
    if (self->family == AF_INET && address->sa.sa_family == AF_INET6) {
        kv_log(KV_LOG_WARNING, NULL, get_log_name(self), get_name(known),
               "peer %s: its endpoint has an IPv6 address, and ip one of IPv4", get_name(known));
        return;
    }
    kv_pump_call(self->pump, known->link, address);
    if (known->peer == NULL)
        place(known, address);
}

static void
call(Known *known)
{
    g_autofree char *host = NULL;
    uint16_t port;
    Question *question;

    if (known->resolving != NULL || !kv_peer_settings_get_endpoint(known->settings, &host, &port))
        return;
    known->resolving = g_cancellable_new();
    question = g_new0(Question, 1);
    question->tunnel = g_object_ref(known->tunnel);
    question->link = known->link;
    question->cancellable = g_object_ref(known->resolving);
    kv_resolve(host, port, known->turn++, KV_RESOLVE_LIMIT_MS, known->resolving, resolved,
               question);
}

static KvTime
get_keepalive(KvTunnelPeer *self, const KvPeerSettings *settings)
{
    if (!kv_peer_settings_is_set(settings, KV_PEER_SETTING_KEEPALIVE))
        return get_params(self)->native->session.keepalive;
    return kv_peer_settings_get_uint(settings, KV_PEER_SETTING_KEEPALIVE) * KV_TIME_S;
}

static void
add_known(KvTunnelPeer *self, const KvPeerSettings *settings)
{
    Known *known = g_new0(Known, 1);
    KvPumpPeer peer = {.keepalive = get_keepalive(self, settings)};
    g_autoptr(KvSecret) psk = NULL;
    uint8_t key[KV_KEY_BYTES];

    known->tunnel = self;
    known->settings = kv_peer_settings_copy(settings);
    known->networks = kv_peer_routes_list(settings);
    if (!kv_peer_settings_get_key(settings, KV_PEER_SETTING_PUBLIC_KEY, known->public_key))
        g_assert_not_reached(); /* no peer is valid without */
    memcpy(peer.public, known->public_key, sizeof peer.public);
    if (kv_peer_settings_get_key(settings, KV_PEER_SETTING_PRESHARED_KEY, key))
        psk = kv_secret_new(key, sizeof key);
    sodium_memzero(key, sizeof key);
    peer.psk = psk;
    known->link = kv_pump_add_peer(self->pump, &peer);
    g_ptr_array_add(self->known, known);
    call(known);
}

/* --- a peer that comes and goes -------------------------------------------------------------- */

static void
peer_came(Known *known, const KvSockaddr *remote)
{
    KvTunnelPeer *self = known->tunnel;
    const KvClientInfo client = {.address_mode = KV_ADDRESS_MODE_OTHER};
    const char *cipher = kv_tunnel_native_aead_to_string(known->aead);

    known->peer = kv_peer_new(self->pump, known->link, remote, &client, "native", cipher);
    kv_peer_set_id(known->peer, get_name(known));
    kv_peer_set_public_key(known->peer, known->public_key);
    kv_peer_set_interface(known->peer, get_params(self)->vni_name);
    kv_peer_set_connected(known->peer);
    place(known, remote);
    kv_log(KV_LOG_INFO, "client-connected", get_log_name(self), get_name(known),
           "peer %s is there: at %s, cipher %s", get_name(known), kv_peer_get_remote(known->peer),
           cipher);
    g_signal_emit_by_name(self, "peer-added", known->peer);
}

static void
peer_went(Known *known, KvReason reason)
{
    g_autoptr(KvPeer) peer = g_steal_pointer(&known->peer);

    if (peer == NULL)
        return;
    kv_log(KV_LOG_INFO, "client-disconnected", get_log_name(known->tunnel), get_name(known),
           "peer %s is gone: %s", get_name(known), kv_reason_to_string(reason));
    g_signal_emit_by_name(known->tunnel, "peer-removed", peer);
}

static void
peer_refused(Known *known, const KvNativeConfig *remote)
{
    kv_log_limited("peer-refused", KV_LOG_WARNING, "refused", get_log_name(known->tunnel),
                   get_name(known), "peer %s refuses: %s", get_name(known),
                   remote->refusal_text != NULL ? remote->refusal_text : "it does not say why");
}

/* --- what the pump says --------------------------------------------------------------------- */

static void
pump_event(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
           const KvEvent *event)
{
    KvTunnelPeer *self = owner;
    Known *known = find_link(self, link);

    if (known == NULL || is_stopping(self))
        return;
    switch (event->type) {
    case KV_EVENT_READY:
        join(known);
        break;
    case KV_EVENT_CONFIGURED:
        peer_came(known, remote);
        break;
    case KV_EVENT_LOST:
        if (event->reason == KV_REASON_HANDSHAKE_TIMEOUT && known->peer == NULL)
            kv_log_limited("peer-silent", KV_LOG_WARNING, NULL, get_log_name(self), get_name(known),
                           "peer %s does not answer", get_name(known));
        peer_went(known, event->reason);
        break;
    case KV_EVENT_UNANSWERED:
        call(known);
        break;
    default:
        break;
    }
}

static void
pump_configured(gpointer owner, KvPump *pump, KvLinkId link, const KvNativeConfig *remote)
{
    KvTunnelPeer *self = owner;
    Known *known = find_link(self, link);

    if (known == NULL)
        return;
    known->aead = kv_tunnel_native_find_aead(get_params(self)->native, remote);
    if (remote->refusal != KV_REFUSED_NOT)
        peer_refused(known, remote);
}

static void
pump_moved(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote)
{
    KvTunnelPeer *self = owner;
    Known *known = find_link(self, link);

    if (known == NULL || known->peer == NULL || is_stopping(self))
        return;
    kv_peer_set_remote(known->peer, remote);
    place(known, remote);
    kv_log(KV_LOG_INFO, "client-moved", get_log_name(self), get_name(known), "peer %s is at %s now",
           get_name(known), kv_peer_get_remote(known->peer));
}

static void
fail(KvTunnelPeer *self, const GError *error)
{
    if (!is_stopping(self))
        self->failure = g_error_copy(error);
    shut_down(self);
}

static void
pump_hub_failed(gpointer owner, KvPump *pump, const GError *error)
{
    fail(owner, error);
}

static void
pump_ended(gpointer owner, KvPump *pump, KvLinkId link, KvReason reason, KvTun *tun)
{
    KvTunnelPeer *self = owner;
    Known *known = find_link(self, link);

    kv_tun_close(tun);
    if (known == NULL)
        return;
    peer_went(known, reason);
    g_ptr_array_remove(self->known, known);
}

static void
pump_snapshot(gpointer owner, KvPump *pump, const KvPumpSnapshot *snapshot)
{
    KvTunnelPeer *self = owner;

    for (guint i = 0; i < snapshot->n_links; i++) {
        const Known *known = find_link(self, snapshot->links[i].id);

        if (known != NULL && known->peer != NULL)
            kv_peer_update(known->peer, &snapshot->links[i]);
    }
    kv_tunnel_pump_snapshot((KvTunnel *) self, pump, snapshot);
}

static void
pump_gone(gpointer owner, KvPump *pump, const KvPumpSnapshot *last)
{
    KvTunnelPeer *self = owner;

    kv_tunnel_pump_gone((KvTunnel *) self, pump, last);
    if (self->failure == NULL && kv_pump_get_failure(pump) != NULL)
        self->failure = g_error_copy(kv_pump_get_failure(pump));
    self->pump = NULL;
    finish(self);
}

static const KvPumpCallbacks pump_callbacks = {
    .event = pump_event,
    .configured = pump_configured,
    .moved = pump_moved,
    .hub_failed = pump_hub_failed,
    .ended = pump_ended,
    .snapshot = pump_snapshot,
    .gone = pump_gone,
};

/* --- starting and stopping ------------------------------------------------------------------ */

/* (transfer full) (nullable) */
static KvTun *
make_interface(KvTunnelPeer *self, GError **error)
{
    KvTunnelParams *params = get_params(self);
    KvDevicePlan plan = {
        .mode = params->vni_mode,
        .name = params->vni_name,
        .persistent = params->persistent_vni,
        .mtu = params->vni_mtu,
        .bridge = params->bridge,
    };
    g_autoptr(GError) local_error = NULL;
    KvTun *tun;

    if (params->bridge != NULL &&
        !kv_netlink_bridge_exists(get_netlink(self), params->bridge, error))
        return NULL;
    tun = kv_device_create(get_netlink(self), &plan, &local_error);
    if (tun != NULL)
        return tun;
    if (g_error_matches(local_error, KV_ERROR, KV_ERROR_EXISTS))
        g_prefix_error(&local_error, "vni-name: give this tunnel another one than %s: ", plan.name);
    g_propagate_error(error, g_steal_pointer(&local_error));
    return NULL;
}

static void
tell_place(KvTunnelPeer *self, const KvSockaddr *local)
{
    g_autofree char *endpoint = kv_sockaddr_to_string(local);

    kv_tunnel_set_place((KvTunnel *) self, endpoint, get_params(self)->vni_name);
}

static gboolean
start(KvTunnelPeer *self, GError **error)
{
    KvTunnelParams *params = get_params(self);
    KvWorker *worker;
    KvSockaddr local;
    KvUdp *udp;
    KvTun *tun;

    if (!kv_tunnel_open_hooks((KvTunnel *) self, &self->hooks, error))
        return FALSE;
    worker = kv_engine_get_worker(kv_tunnel_get_engine((KvTunnel *) self), 0, error);
    udp = worker != NULL ? kv_peer_socket_open(params, error) : NULL;
    if (udp == NULL)
        return FALSE;
    local = *kv_udp_get_local(udp);
    self->family = local.sa.sa_family;
    self->pump = kv_pump_new(worker, params, udp, &pump_callbacks, self, error);
    if (self->pump == NULL)
        return FALSE;
    tun = make_interface(self, error);
    if (tun == NULL)
        return FALSE;
    self->addressing = kv_addressing_new(get_netlink(self), params->vni_name);
    kv_pump_set_hub(self->pump, tun, FALSE);
    for (guint i = 0; i < kv_peer_list_get_length(self->peers); i++)
        add_known(self, kv_peer_list_get(self->peers, i));
    if (!apply_addressing(self, error))
        return FALSE;
    tell_place(self, &local);
    return TRUE;
}

/* Those that are there learn where this end is by now; a bridge may be gone. */
static void
network_changed(gpointer data)
{
    KvTunnelPeer *self = data;
    KvTunnelParams *params = get_params(self);
    g_autoptr(GError) error = NULL;

    if (self->pump == NULL || is_stopping(self))
        return;
    if (!kv_device_check_bridge(get_netlink(self), params->bridge, params->vni_name, &error)) {
        fail(self, error);
        return;
    }
    if (kv_addressing_has_returned(self->addressing,
                                   kv_tunnel_was_link_down(data, params->vni_name)))
        refresh_addressing(self);
    for (guint i = 0; i < self->known->len; i++) {
        const Known *known = g_ptr_array_index(self->known, i);

        if (known->peer != NULL)
            kv_pump_poke_link(self->pump, known->link);
    }
}

static void
peer_start(KvTunnel *tunnel)
{
    KvTunnelPeer *self = (KvTunnelPeer *) tunnel;
    KvTunnelParams *params = get_params(self);

    kv_log(KV_LOG_INFO, "starting", get_log_name(self), NULL, "starting as peer");
    g_ptr_array_set_size(self->known, 0);
    if (self->peers == NULL)
        self->peers = kv_peer_list_ref(params->peers);
    if (!start(self, &self->failure)) {
        shut_down(self);
        return;
    }
    kv_tunnel_watch_network((KvTunnel *) self, network_changed);
    kv_log(KV_LOG_INFO, "listening", get_log_name(self), NULL,
           "listening on %s: interface %s, %s mode, cipher %s, %u peers",
           kv_tunnel_get_endpoint(tunnel), params->vni_name,
           params->vni_mode == KV_VNI_MODE_TAP ? "tap" : "tun",
           kv_tunnel_params_get_cipher_name(params), self->known->len);
    kv_tunnel_run_up(tunnel, self->hooks, params->vni_name, params->local_ip);
    kv_tunnel_set_state(tunnel, KV_TUNNEL_STATE_CONNECTED, NULL);
}

static void
peer_stop(KvTunnel *tunnel)
{
    shut_down((KvTunnelPeer *) tunnel);
}

static void
peer_list_pumps(KvTunnel *tunnel, GPtrArray *pumps)
{
    KvTunnelPeer *self = (KvTunnelPeer *) tunnel;

    if (self->pump != NULL)
        g_ptr_array_add(pumps, self->pump);
}

static void
peer_list_peers(KvTunnel *tunnel, GPtrArray *peers)
{
    KvTunnelPeer *self = (KvTunnelPeer *) tunnel;

    for (guint i = 0; i < self->known->len; i++) {
        const Known *known = g_ptr_array_index(self->known, i);

        if (known->peer != NULL)
            g_ptr_array_add(peers, g_object_ref(known->peer));
    }
}

/* --- other peers than before ----------------------------------------------------------------- */

/* Whether all is the same that a link is made with. */
static gboolean
has_same_link(const KvTunnelPeer *self, const KvPeerSettings *a, const KvPeerSettings *b)
{
    uint8_t keys[2][KV_KEY_BYTES] = {{0}, {0}};
    gboolean same;

    kv_peer_settings_get_key(a, KV_PEER_SETTING_PRESHARED_KEY, keys[0]);
    kv_peer_settings_get_key(b, KV_PEER_SETTING_PRESHARED_KEY, keys[1]);
    same = sodium_memcmp(keys[0], keys[1], KV_KEY_BYTES) == 0;
    sodium_memzero(keys, sizeof keys);
    return same &&
           get_keepalive((KvTunnelPeer *) self, a) == get_keepalive((KvTunnelPeer *) self, b);
}

static gboolean
has_same_endpoint(const KvPeerSettings *a, const KvPeerSettings *b)
{
    return g_strcmp0(kv_peer_settings_get_string(a, KV_PEER_SETTING_ENDPOINT),
                     kv_peer_settings_get_string(b, KV_PEER_SETTING_ENDPOINT)) == 0;
}

static void
update_known(Known *known, const KvPeerSettings *settings)
{
    gboolean same_endpoint = has_same_endpoint(known->settings, settings);

    kv_peer_settings_free(known->settings);
    known->settings = kv_peer_settings_copy(settings);
    g_array_unref(known->networks);
    known->networks = kv_peer_routes_list(settings);
    join(known);
    if (same_endpoint)
        return;
    known->turn = 0;
    call(known);
}

static void
forget_missing(KvTunnelPeer *self)
{
    for (guint i = self->known->len; i-- > 0;) {
        Known *known = g_ptr_array_index(self->known, i);
        const KvPeerSettings *now = kv_peer_list_find_key(self->peers, known->public_key);

        if (now != NULL && has_same_link(self, known->settings, now))
            continue;
        kv_pump_forget_key(self->pump, known->public_key);
        peer_went(known, KV_REASON_LOCAL);
        g_ptr_array_remove_index(self->known, i);
    }
}

static Known *
find_key(KvTunnelPeer *self, const uint8_t public_key[KV_KEY_BYTES])
{
    for (guint i = 0; i < self->known->len; i++) {
        Known *known = g_ptr_array_index(self->known, i);

        if (memcmp(known->public_key, public_key, KV_KEY_BYTES) == 0)
            return known;
    }
    return NULL;
}

static void
peer_set_peers(KvTunnel *tunnel, const KvPeerList *peers)
{
    KvTunnelPeer *self = (KvTunnelPeer *) tunnel;
    KvPeerList *before = self->peers != NULL ? self->peers : get_params(self)->peers;
    KvPeerList *now = kv_peer_list_keep_secrets(peers, before);

    kv_peer_list_unref(self->peers);
    self->peers = now;
    if (self->pump == NULL || is_stopping(self))
        return;
    forget_missing(self);
    for (guint i = 0; i < kv_peer_list_get_length(now); i++) {
        const KvPeerSettings *settings = kv_peer_list_get(now, i);
        uint8_t key[KV_KEY_BYTES] = {0};
        Known *known;

        kv_peer_settings_get_key(settings, KV_PEER_SETTING_PUBLIC_KEY, key);
        known = find_key(self, key);
        if (known != NULL)
            update_known(known, settings);
        else
            add_known(self, settings);
    }
    refresh_addressing(self);
}

/* It is told, and may come again at once. */
static void
peer_disconnect_peer(KvTunnel *tunnel, KvPeer *peer)
{
    KvTunnelPeer *self = (KvTunnelPeer *) tunnel;
    const uint8_t *key = kv_peer_get_public_key(peer);
    Known *known = key != NULL ? find_key(self, key) : NULL;
    g_autoptr(KvPeerSettings) settings = NULL;

    if (known == NULL || known->peer != peer || self->pump == NULL || is_stopping(self))
        return;
    settings = kv_peer_settings_copy(known->settings);
    kv_pump_forget_key(self->pump, key);
    peer_went(known, KV_REASON_LOCAL);
    g_ptr_array_remove(self->known, known);
    add_known(self, settings);
}

static void
peer_log_stats(KvTunnel *tunnel, const KvStats *total, const uint64_t *strangers)
{
    KvTunnelPeer *self = (KvTunnelPeer *) tunnel;

    for (guint i = 0; i < self->known->len; i++) {
        const Known *known = g_ptr_array_index(self->known, i);

        if (known->peer != NULL)
            kv_tunnel_log_stats_line(get_log_name(self), get_name(known),
                                     kv_peer_get_stats(known->peer));
    }
    kv_tunnel_log_strangers(get_log_name(self), total, strangers);
}

static void
kv_tunnel_peer_finalize(GObject *object)
{
    KvTunnelPeer *self = (KvTunnelPeer *) object;

    g_ptr_array_unref(self->known);
    kv_peer_list_unref(self->peers);
    G_OBJECT_CLASS(kv_tunnel_peer_parent_class)->finalize(object);
}

static void
kv_tunnel_peer_class_init(KvTunnelPeerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_tunnel_peer_finalize;
    klass->start = peer_start;
    klass->stop = peer_stop;
    klass->list_pumps = peer_list_pumps;
    klass->list_peers = peer_list_peers;
    klass->disconnect_peer = peer_disconnect_peer;
    klass->set_peers = peer_set_peers;
    klass->log_stats = peer_log_stats;
}

static void
kv_tunnel_peer_init(KvTunnelPeer *self)
{
    self->known = g_ptr_array_new_with_free_func(known_free);
}
