/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn-engine"

#include "kv-tunnel-server.h"

#include "kv-device.h"
#include "kv-error.h"
#include "kv-log.h"
#include "kv-resolve.h"
#include "kv-tunnel-server-private.h"
#include "kv-tunnel-server-v1.h"

typedef KvTunnelClass KvTunnelServerClass;

G_DEFINE_FINAL_TYPE(KvTunnelServer, kv_tunnel_server, KV_TYPE_TUNNEL)

typedef struct {
    KvPump *pump;
    KvLinkId link;
} PeerKey;

static guint
peer_key_hash(gconstpointer key)
{
    const PeerKey *k = key;

    return g_direct_hash(k->pump) ^ g_int64_hash(&k->link);
}

static gboolean
peer_key_equal(gconstpointer a, gconstpointer b)
{
    const PeerKey *x = a;
    const PeerKey *y = b;

    return x->pump == y->pump && x->link == y->link;
}

const char *
kv_tunnel_server_get_log_name(KvTunnelServer *self, KvPeer *peer)
{
    return kv_tunnel_params_get_log_name(kv_tunnel_get_params((KvTunnel *) self),
                                         peer != NULL ? kv_peer_get_interface(peer) : NULL);
}

KvPeer *
kv_tunnel_server_find_peer(KvTunnelServer *self, KvPump *pump, KvLinkId link)
{
    return g_hash_table_lookup(self->peers, &(PeerKey){pump, link});
}

void
kv_tunnel_server_add_peer(KvTunnelServer *self, KvPeer *peer)
{
    PeerKey key = {kv_peer_get_pump(peer), kv_peer_get_link(peer)};

    g_hash_table_insert(self->peers, g_memdup2(&key, sizeof key), peer);
}

static KvTunnelParams *
get_params(KvTunnelServer *self)
{
    return kv_tunnel_get_params((KvTunnel *) self);
}

static KvNetlink *
get_netlink(KvTunnelServer *self)
{
    return kv_engine_get_netlink(kv_tunnel_get_engine((KvTunnel *) self));
}

/* Whether another session of the same client has taken its place, and it is being told. */
static gboolean
is_replaced(KvPeer *peer)
{
    return kv_peer_is_native(peer) && kv_peer_get_lease(peer) == 0;
}

gboolean
kv_tunnel_server_is_full(KvTunnelServer *self)
{
    guint n = g_hash_table_size(self->peers);
    GHashTableIter iter;
    gpointer peer;

    if (n < get_params(self)->clients_max)
        return FALSE;
    g_hash_table_iter_init(&iter, self->peers);
    while (g_hash_table_iter_next(&iter, NULL, &peer)) {
        if (is_replaced(peer))
            n--;
    }
    return n >= get_params(self)->clients_max;
}

const KvTunnelTerms *
kv_tunnel_server_get_terms(KvTunnelServer *self)
{
    return self->terms != NULL ? self->terms : get_params(self)->terms;
}

/* --- a client's interface ------------------------------------------------------------------- */

static void
run_hook(KvTunnelServer *self, KvPeer *peer, KvHookEvent event)
{
    g_autofree char *key = g_strdup_printf("%p/%" G_GUINT64_FORMAT, kv_peer_get_pump(peer),
                                           (guint64) kv_peer_get_link(peer));
    const char *id = kv_peer_get_id(peer);
    char ip6[KV_NETWORK_TEXT_BYTES];
    KvHookInfo info = {
        .client_id = id != NULL ? id : "",
        .interface_name = kv_peer_get_interface(peer),
        .client_ip = kv_peer_get_ip(peer),
        .client_ip6 = kv_tunnel_networks_find_ip6(kv_peer_get_addresses(peer), ip6),
        .address_mode = kv_peer_get_client(peer)->address_mode,
        .remote_addr = kv_peer_get_remote(peer),
    };

    if (self->hooks != NULL)
        kv_hooks_run(self->hooks, event, key, &info);
}

/* Another program may own a name of ours. */
static gboolean
is_name_taken(gpointer netlink, const char *name)
{
    return kv_netlink_link_exists(netlink, name);
}

char *
kv_tunnel_server_take_name(KvTunnelServer *self, GError **error)
{
    return kv_vni_names_take(&self->vni_names, get_params(self)->vni_name_prefix, is_name_taken,
                             get_netlink(self), error);
}

void
kv_tunnel_server_announce_peer(KvTunnelServer *self, KvPeer *peer)
{
    g_autofree char *addresses = kv_tunnel_networks_describe(kv_peer_get_addresses(peer));

    kv_log(KV_LOG_INFO, "client-connected", kv_tunnel_server_get_log_name(self, peer),
           kv_peer_get_label(peer), "client %s at %s connected: interface %s, %s",
           kv_peer_get_label(peer), kv_peer_get_remote(peer), kv_peer_get_interface(peer),
           addresses);
    run_hook(self, peer, KV_HOOK_CONNECTED);
    kv_peer_set_connected(peer);
    g_signal_emit_by_name(self, "peer-added", peer);
}

void
kv_tunnel_server_readdress_peer(KvTunnelServer *self, KvPeer *peer, const KvNetwork *addresses,
                                guint n)
{
    g_autofree char *text = NULL;

    if (!kv_peer_is_connected(peer)) {
        kv_peer_set_addresses(peer, addresses, n);
        return;
    }
    run_hook(self, peer, KV_HOOK_DISCONNECTED);
    kv_peer_set_addresses(peer, addresses, n);
    run_hook(self, peer, KV_HOOK_CONNECTED);
    text = kv_tunnel_networks_describe(kv_peer_get_addresses(peer));
    kv_log(KV_LOG_INFO, "client-readdressed", kv_tunnel_server_get_log_name(self, peer),
           kv_peer_get_label(peer), "client %s has %s now", kv_peer_get_label(peer), text);
}

/* --- what the pumps say --------------------------------------------------------------------- */

static void
shut_pumps_down(KvTunnelServer *self)
{
    if (self->native != NULL)
        kv_tunnel_server_native_stop(self->native);
    for (guint i = 0; i < self->pumps->len; i++)
        kv_pump_shutdown(g_ptr_array_index(self->pumps, i));
}

static void
pump_event(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
           const KvEvent *event)
{
    KvTunnelServer *self = owner;
    KvPeer *peer = kv_tunnel_server_find_peer(self, pump, link);

    if (kv_tunnel_get_state((KvTunnel *) self) == KV_TUNNEL_STATE_STOPPING)
        return;
    if (event->type == KV_EVENT_CLIENT_INFO && peer == NULL)
        kv_tunnel_server_v1_introduced(self, pump, link, remote, &event->client);
    else if (event->type == KV_EVENT_READY && peer != NULL && kv_peer_is_native(peer))
        kv_tunnel_server_native_ready(self->native, peer);
    else if (event->type == KV_EVENT_READY && peer != NULL)
        kv_tunnel_server_v1_ready(self, peer);
}

static void
pump_requested(gpointer owner, KvPump *pump, const KvPumpRequest *request)
{
    KvTunnelServer *self = owner;

    if (self->native != NULL)
        kv_tunnel_server_native_requested(self->native, request);
}

static void
pump_confirmed(gpointer owner, KvPump *pump, KvLinkId link, uint32_t id)
{
    KvTunnelServer *self = owner;

    if (self->native != NULL)
        kv_tunnel_server_native_confirmed(self->native, link, id);
}

static void
pump_moved(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote)
{
    KvTunnelServer *self = owner;
    KvPeer *peer = kv_tunnel_server_find_peer(self, pump, link);

    if (peer != NULL)
        kv_tunnel_server_native_moved(self->native, peer, remote);
}

/* What all clients share is gone: better end, and be started again, than limp. */
static void
fail(KvTunnelServer *self, const GError *error)
{
    if (self->failure == NULL)
        self->failure = g_error_copy(error);
    shut_pumps_down(self);
}

static void
pump_hub_failed(gpointer owner, KvPump *pump, const GError *error)
{
    fail(owner, error);
}

static void
network_changed(gpointer data)
{
    KvTunnelServer *self = data;
    const char *shared =
        self->native != NULL ? kv_tunnel_server_native_get_interface(self->native) : NULL;
    g_autoptr(GError) error = NULL;

    if (self->failure != NULL || self->pumps->len == 0 ||
        kv_tunnel_get_state((KvTunnel *) self) == KV_TUNNEL_STATE_STOPPING)
        return;
    if (!kv_device_check_bridge(get_netlink(self), get_params(self)->bridge, shared, &error))
        fail(self, error);
    else if (self->native != NULL)
        kv_tunnel_server_native_note_network(self->native);
}

static void
pump_ended(gpointer owner, KvPump *pump, KvLinkId link, KvReason reason, KvTun *tun)
{
    KvTunnelServer *self = owner;
    g_autoptr(KvPeer) peer = kv_tunnel_server_find_peer(self, pump, link);
    const char *why = kv_reason_to_string(reason);

    if (tun != NULL && kv_tun_is_gone(tun))
        why = "another program removed its interface";
    kv_tun_close(tun);
    if (peer == NULL)
        return;
    g_object_ref(peer);
    if (reason == KV_REASON_NONE)
        return;
    g_hash_table_remove(self->peers, &(PeerKey){pump, link});
    if (kv_peer_get_interface(peer) != NULL) {
        kv_log(KV_LOG_INFO, "client-disconnected", kv_tunnel_server_get_log_name(self, peer),
               kv_peer_get_label(peer), "client %s at %s disconnected: %s", kv_peer_get_label(peer),
               kv_peer_get_remote(peer), why);
        run_hook(self, peer, KV_HOOK_DISCONNECTED);
        g_signal_emit_by_name(self, "peer-removed", peer);
    }
    if (kv_peer_is_native(peer))
        kv_tunnel_server_native_ended(self->native, peer);
    else
        kv_tunnel_server_v1_ended(self, peer);
}

static void
pump_snapshot(gpointer owner, KvPump *pump, const KvPumpSnapshot *snapshot)
{
    KvTunnelServer *self = owner;

    for (guint i = 0; i < snapshot->n_links; i++) {
        KvPeer *peer = kv_tunnel_server_find_peer(self, pump, snapshot->links[i].id);

        if (peer != NULL)
            kv_peer_update(peer, &snapshot->links[i]);
    }
    kv_tunnel_pump_snapshot((KvTunnel *) self, pump, snapshot);
}

static void
pump_link_state(gpointer owner, KvPump *pump, const KvLinkSnapshot *snapshot)
{
    KvTunnelServer *self = owner;
    KvPeer *peer = kv_tunnel_server_find_peer(self, pump, snapshot->id);

    if (peer == NULL)
        return;
    if (kv_peer_is_native(peer))
        kv_tunnel_server_native_link_state(self->native, peer, snapshot);
    else
        kv_tunnel_server_v1_link_state(self, peer, snapshot);
}

static void
hooks_drained(gpointer data)
{
    KvTunnelServer *self = data;

    kv_tunnel_unwatch_network((KvTunnel *) self);
    g_clear_pointer(&self->hooks, kv_hooks_free);
    g_clear_pointer(&self->native, kv_tunnel_server_native_free);
    g_clear_pointer(&self->grants, kv_grants_free);
    kv_log(KV_LOG_INFO, "stopped", kv_tunnel_server_get_log_name(self, NULL), NULL, "stopped");
    kv_tunnel_finish((KvTunnel *) self, g_steal_pointer(&self->failure));
}

static void
finish_if_down(KvTunnelServer *self)
{
    if (self->pumps->len > 0)
        return;
    if (self->hooks != NULL)
        kv_hooks_drain(self->hooks, hooks_drained, self);
    else
        hooks_drained(self);
}

static void
pump_gone(gpointer owner, KvPump *pump, const KvPumpSnapshot *last)
{
    KvTunnelServer *self = owner;

    kv_tunnel_pump_gone((KvTunnel *) self, pump, last);
    g_ptr_array_remove_fast(self->pumps, pump);
    /* Its clients are gone, and new ones would be let in by chance only: better end, and be started
     * again, than limp. */
    if (kv_pump_get_failure(pump) != NULL && self->failure == NULL) {
        self->failure = g_error_copy(kv_pump_get_failure(pump));
        shut_pumps_down(self);
    }
    finish_if_down(self);
}

static const KvPumpCallbacks pump_callbacks = {
    .event = pump_event,
    .requested = pump_requested,
    .confirmed = pump_confirmed,
    .moved = pump_moved,
    .hub_failed = pump_hub_failed,
    .ended = pump_ended,
    .snapshot = pump_snapshot,
    .link_state = pump_link_state,
    .gone = pump_gone,
};

/* --- starting and stopping ------------------------------------------------------------------ */

static KvGrants *
make_grants(KvTunnelServer *self, GError **error)
{
    const KvTunnelParams *params = get_params(self);
    g_autoptr(GArray) locals = kv_tunnel_params_list_locals(params);
    const KvGrantsConfig config = {
        .mode = params->vni_mode,
        .mtu = params->vni_mtu,
        .locals = (const KvNetwork *) (gpointer) locals->data,
        .n_locals = locals->len,
        .pool4 = params->assignable_ips,
        .pool6 = params->assignable_ips6,
        .is_classful = params->key == NULL,
        .terms = kv_tunnel_server_get_terms(self),
    };

    return kv_grants_new(&config, error);
}

/* (transfer none): those of the settings, until others take their place. */
static KvPeerList *
get_known(KvTunnelServer *self)
{
    if (self->known == NULL)
        self->known = kv_peer_list_ref(get_params(self)->peers);
    return self->known;
}

static gboolean
prepare(KvTunnelServer *self, GError **error)
{
    KvTunnelParams *params = get_params(self);

    /* Better now than at the first client. */
    if (!kv_tun_check_rights(error))
        return FALSE;
    self->grants = make_grants(self, error);
    if (self->grants == NULL)
        return FALSE;
    if (params->native != NULL) {
        self->native = kv_tunnel_server_native_new(self);
        kv_tunnel_server_native_set_peers(self->native, get_known(self));
    }
    if (params->bridge != NULL &&
        !kv_netlink_bridge_exists(get_netlink(self), params->bridge, error))
        return FALSE;
    return kv_tunnel_open_hooks((KvTunnel *) self, &self->hooks, error);
}

/* (transfer container): a socket for each worker; NULL: @error is set. */
static GPtrArray *
open_sockets(KvTunnelServer *self, const KvSockaddr *address, GError **error)
{
    KvTunnelParams *params = get_params(self);
    g_autoptr(GPtrArray) sockets = g_ptr_array_new_with_free_func((GDestroyNotify) kv_udp_close);
    KvUdpConfig config = {
        .local = *address,
        .reuse_port = params->workers > 1,
        .is_deaf = TRUE,
        .no_fragments = params->key == NULL,
        .tells_marks = params->native != NULL,
        .dscp = params->dscp,
        .socket_buffer = params->socket_buffer,
    };

    for (guint i = 0; i < params->workers; i++) {
        KvUdp *udp;

        config.is_first = i == 0;
        udp = kv_udp_open(&config, error);
        if (udp == NULL)
            return NULL;
        g_ptr_array_add(sockets, udp);
    }
    for (guint i = 0; i < sockets->len; i++) {
        if (!kv_udp_listen(g_ptr_array_index(sockets, i), error))
            return NULL;
    }
    return g_steal_pointer(&sockets);
}

/* @udp: (transfer full) */
static gboolean
add_pump(KvTunnelServer *self, KvUdp *udp, GError **error)
{
    KvEngine *engine = kv_tunnel_get_engine((KvTunnel *) self);
    KvWorker *worker = kv_engine_get_worker(engine, self->pumps->len, error);
    KvPump *pump;

    if (worker == NULL) {
        kv_udp_close(udp);
        return FALSE;
    }
    pump = kv_pump_new(worker, get_params(self), udp, &pump_callbacks, self, error);
    if (pump == NULL)
        return FALSE;
    g_ptr_array_add(self->pumps, pump);
    return TRUE;
}

static gboolean
open_pumps(KvTunnelServer *self, const KvSockaddr *address, GError **error)
{
    g_autoptr(GPtrArray) sockets = open_sockets(self, address, error);

    if (sockets == NULL)
        return FALSE;
    while (sockets->len > 0) {
        if (!add_pump(self, g_ptr_array_steal_index(sockets, 0), error))
            return FALSE;
    }
    return TRUE;
}

/* Clients of v1 have interfaces of their own, and a server for them needs no other one before a
 * native client comes. */
static gboolean
start_native(KvTunnelServer *self, GError **error)
{
    return self->native == NULL ||
           kv_tunnel_server_native_start(self->native, g_ptr_array_index(self->pumps, 0),
                                         get_params(self)->key == NULL, error);
}

/* What commands are told of, where each client has an interface: the bridge that has them all, or
 * how their names begin. */
static const char *
get_interface(KvTunnelServer *self)
{
    KvTunnelParams *params = get_params(self);
    const char *shared =
        self->native != NULL ? kv_tunnel_server_native_get_interface(self->native) : NULL;

    if (shared != NULL)
        return shared;
    return params->bridge != NULL ? params->bridge : params->vni_name_prefix;
}

static void
listen_at(KvTunnelServer *self, const KvSockaddr *address)
{
    KvTunnelParams *params = get_params(self);
    g_autofree char *where = kv_sockaddr_to_string(address);

    if (!open_pumps(self, address, &self->failure) || !start_native(self, &self->failure)) {
        shut_pumps_down(self);
        finish_if_down(self);
        return;
    }
    kv_log(KV_LOG_INFO, "listening", kv_tunnel_server_get_log_name(self, NULL), NULL,
           "listening on %s, %s mode, cipher %s", where,
           params->vni_mode == KV_VNI_MODE_TAP ? "tap" : "tun",
           kv_tunnel_params_get_cipher_name(params));
    if (params->bridge != NULL || self->native != NULL)
        kv_tunnel_watch_network((KvTunnel *) self, network_changed);
    kv_tunnel_run_up((KvTunnel *) self, self->hooks, get_interface(self), params->local_ip);
    kv_tunnel_set_place((KvTunnel *) self, where,
                        self->native != NULL ? kv_tunnel_server_native_get_interface(self->native)
                                             : NULL);
    kv_tunnel_set_state((KvTunnel *) self, KV_TUNNEL_STATE_CONNECTED, NULL);
}

static void
resolved(const KvSockaddr *address, const GError *error, gpointer data)
{
    g_autoptr(KvTunnel) tunnel = data;
    KvTunnelServer *self = (KvTunnelServer *) tunnel;

    g_clear_object(&self->resolving);
    if (kv_tunnel_get_state(tunnel) == KV_TUNNEL_STATE_STOPPING) {
        finish_if_down(self);
        return;
    }
    if (address == NULL) {
        g_propagate_prefixed_error(&self->failure, g_error_copy(error), "ip: ");
        finish_if_down(self);
        return;
    }
    listen_at(self, address);
}

static void
server_start(KvTunnel *tunnel)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;
    KvTunnelParams *params = get_params(self);

    kv_log(KV_LOG_INFO, "starting", kv_tunnel_server_get_log_name(self, NULL), NULL,
           "starting as server");
    if (!prepare(self, &self->failure)) {
        finish_if_down(self);
        return;
    }
    self->resolving = g_cancellable_new();
    kv_resolve(params->host, params->port, 0, KV_RESOLVE_LIMIT_MS, self->resolving, resolved,
               g_object_ref(tunnel));
}

static void
server_stop(KvTunnel *tunnel)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;

    /* Without a pump it is still resolving, and resolved() will find it stopping. */
    if (self->resolving != NULL)
        g_cancellable_cancel(self->resolving);
    shut_pumps_down(self);
}

static void
server_list_pumps(KvTunnel *tunnel, GPtrArray *pumps)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;

    g_ptr_array_extend(pumps, self->pumps, NULL, NULL);
}

static void
server_list_peers(KvTunnel *tunnel, GPtrArray *peers)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;
    GHashTableIter iter;
    gpointer peer;

    g_hash_table_iter_init(&iter, self->peers);
    while (g_hash_table_iter_next(&iter, NULL, &peer)) {
        if (kv_peer_is_connected(peer))
            g_ptr_array_add(peers, g_object_ref(peer));
    }
}

static void
server_disconnect_peer(KvTunnel *tunnel, KvPeer *peer)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;
    KvPump *pump = kv_peer_get_pump(peer);
    KvLinkId link = kv_peer_get_link(peer);

    /* A peer that is gone may name a pump that is gone, too. */
    if (kv_tunnel_server_find_peer(self, pump, link) == peer)
        kv_pump_close_link(pump, link, KV_CLOSE_REMOVED);
}

static void
server_set_peers(KvTunnel *tunnel, const KvPeerList *peers)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;

    KvPeerList *known = kv_peer_list_keep_secrets(peers, get_known(self));

    kv_peer_list_unref(self->known);
    self->known = known;
    if (self->native != NULL)
        kv_tunnel_server_native_set_peers(self->native, known);
}

static void
server_set_terms(KvTunnel *tunnel, const KvTunnelTerms *terms)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;
    KvTunnelTerms *former = self->terms;

    if (kv_tunnel_terms_equal(kv_tunnel_server_get_terms(self), terms))
        return;
    self->terms = kv_tunnel_terms_copy(terms);
    kv_tunnel_terms_free(former);
    if (self->native != NULL)
        kv_tunnel_server_native_take_terms(self->native);
}

static void
server_log_stats(KvTunnel *tunnel, const KvStats *total, const uint64_t *strangers)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;
    g_autoptr(GPtrArray) peers = kv_tunnel_get_peers(tunnel);

    for (guint i = 0; i < peers->len; i++) {
        KvPeer *peer = g_ptr_array_index(peers, i);

        kv_tunnel_log_stats_line(kv_tunnel_server_get_log_name(self, peer), kv_peer_get_label(peer),
                                 kv_peer_get_stats(peer));
    }
    kv_tunnel_log_strangers(kv_tunnel_server_get_log_name(self, NULL), total, strangers);
}

static void
kv_tunnel_server_finalize(GObject *object)
{
    KvTunnelServer *self = (KvTunnelServer *) object;

    kv_peer_list_unref(self->known);
    kv_tunnel_terms_free(self->terms);
    g_ptr_array_unref(self->claims);
    g_hash_table_unref(self->peers);
    g_ptr_array_unref(self->pumps);
    G_OBJECT_CLASS(kv_tunnel_server_parent_class)->finalize(object);
}

static void
kv_tunnel_server_class_init(KvTunnelServerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_tunnel_server_finalize;
    klass->start = server_start;
    klass->stop = server_stop;
    klass->list_pumps = server_list_pumps;
    klass->list_peers = server_list_peers;
    klass->disconnect_peer = server_disconnect_peer;
    klass->set_peers = server_set_peers;
    klass->set_terms = server_set_terms;
    klass->log_stats = server_log_stats;
}

static void
kv_tunnel_server_init(KvTunnelServer *self)
{
    self->pumps = g_ptr_array_new();
    self->peers = g_hash_table_new_full(peer_key_hash, peer_key_equal, g_free, g_object_unref);
    self->claims = g_ptr_array_new_with_free_func(kv_tunnel_server_v1_claim_free);
}
