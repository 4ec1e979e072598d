/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn-engine"

#include "kv-tunnel-server.h"

#include "kv-addr-pool.h"
#include "kv-clock.h"
#include "kv-device.h"
#include "kv-error.h"
#include "kv-hook.h"
#include "kv-ip4.h"
#include "kv-log.h"
#include "kv-peer-private.h"
#include "kv-resolve.h"
#include "kv-tunnel-private.h"
#include "kv-vni-names.h"

/* How long an earlier session may take to answer before a new one of the same client takes its
 * place: some round trips of a bad link. */
#define RIVAL_PATIENCE_MS 1500

typedef struct {
    KvTunnel parent_instance;
    KvAddrPool *pool;
    KvHooks *hooks;
    GPtrArray *pumps;  /* KvPump, until each said it is gone */
    GHashTable *peers; /* PeerKey → KvPeer */
    GPtrArray *claims; /* Claim */
    KvVniNames vni_names;
    GCancellable *resolving; /* while the name service is asked */
    GError *failure;
} KvTunnelServer;

typedef KvTunnelClass KvTunnelServerClass;

G_DEFINE_FINAL_TYPE(KvTunnelServer, kv_tunnel_server, KV_TYPE_TUNNEL)

typedef struct {
    KvPump *pump;
    KvLinkId link;
} PeerKey;

/* A client wants what a session that may be dead still holds: the same client, back again. */
typedef struct {
    KvTunnelServer *server;
    KvPeer *peer;
    KvPeer *rival;
    KvTime since;
    guint timeout_id;
    gboolean asked; /* how its rival does */
} Claim;

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

/* (nullable). @peer: (nullable): whose interface tells servers without a name apart */
static const char *
get_log_name(KvTunnelServer *self, KvPeer *peer)
{
    return kv_tunnel_params_get_log_name(kv_tunnel_get_params((KvTunnel *) self),
                                         peer != NULL ? kv_peer_get_interface(peer) : NULL);
}

static KvPeer *
find_peer(KvTunnelServer *self, KvPump *pump, KvLinkId link)
{
    return g_hash_table_lookup(self->peers, &(PeerKey){pump, link});
}

static KvTunnelParams *
get_params(KvTunnelServer *self)
{
    return kv_tunnel_get_params((KvTunnel *) self);
}

static void
claim_free(gpointer data)
{
    Claim *claim = data;

    g_clear_handle_id(&claim->timeout_id, g_source_remove);
    g_object_unref(claim->peer);
    g_object_unref(claim->rival);
    g_free(claim);
}

/* --- answering a client --------------------------------------------------------------------- */

/* A newcomer is among the peers already. */
static gboolean
is_too_many(KvTunnelServer *self)
{
    return g_hash_table_size(self->peers) > KV_CLIENTS_MAX;
}

static KvAnswerType
lease_address(KvTunnelServer *self, KvPeer *peer)
{
    const KvClientInfo *client = kv_peer_get_client(peer);
    KvIp4 ip = 0;

    if (is_too_many(self))
        return KV_ANSWER_EXHAUSTED;
    switch (client->address_mode) {
    case KV_ADDRESS_MODE_ASSIGNED:
        if (!kv_addr_pool_lease(self->pool, &ip))
            return KV_ANSWER_EXHAUSTED;
        break;
    case KV_ADDRESS_MODE_CLIENT_SET:
        if (!kv_addr_pool_lease_exact(self->pool, client->ip))
            return KV_ANSWER_REJECT;
        ip = client->ip;
        break;
    case KV_ADDRESS_MODE_OTHER:
        break;
    }
    kv_peer_set_ip(peer, ip);
    return KV_ANSWER_ACCEPT;
}

static void
log_refusal(KvTunnelServer *self, KvPeer *peer, KvAnswerType type)
{
    char ip[KV_IP4_TEXT_BYTES];

    if (is_too_many(self))
        kv_log_limited("client-refused", KV_LOG_WARNING, "client-refused", get_log_name(self, NULL),
                       kv_peer_get_label(peer), "client %s at %s refused: there are %d already",
                       kv_peer_get_label(peer), kv_peer_get_remote(peer), KV_CLIENTS_MAX);
    else if (type == KV_ANSWER_EXHAUSTED)
        kv_log_limited("client-refused", KV_LOG_WARNING, "client-refused", get_log_name(self, NULL),
                       kv_peer_get_label(peer),
                       "client %s at %s refused: no assignable address is left",
                       kv_peer_get_label(peer), kv_peer_get_remote(peer));
    else
        kv_log_limited("client-refused", KV_LOG_WARNING, "client-refused", get_log_name(self, NULL),
                       kv_peer_get_label(peer),
                       "client %s at %s refused: address %s is taken or not assignable",
                       kv_peer_get_label(peer), kv_peer_get_remote(peer),
                       kv_ip4_to_string(kv_peer_get_client(peer)->ip, ip));
}

static void
answer_client(KvTunnelServer *self, KvPeer *peer)
{
    KvTunnelParams *params = get_params(self);
    KvAnswer answer = {
        .type = lease_address(self, peer),
        .ip = kv_peer_get_ip(peer),
        .config =
            {
                .vni_mode = params->vni_mode,
                .mtu = params->vni_mtu,
                .full_frame_mtu = params->full_frame_mtu,
                .server_ip = params->local_ip,
                .netmask = params->netmask,
            },
    };

    /* A point-to-point client without an address of its own has no use for ours: the Go client
     * fails on setting a peer address alone. */
    if (params->vni_mode == KV_VNI_MODE_TUN && answer.ip == 0)
        answer.config.server_ip = 0;
    if (answer.type != KV_ANSWER_ACCEPT)
        log_refusal(self, peer, answer.type);
    kv_pump_answer(kv_peer_get_pump(peer), kv_peer_get_link(peer), &answer);
}

/* --- a client that comes back while its earlier session still stands ------------------------ */

static KvPeer *
find_rival(KvTunnelServer *self, KvPeer *peer)
{
    const KvClientInfo *client = kv_peer_get_client(peer);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, self->peers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (value == peer)
            continue;
        if (client->id[0] != '\0' && strcmp(client->id, kv_peer_get_client(value)->id) == 0)
            return value;
        if (client->address_mode == KV_ADDRESS_MODE_CLIENT_SET && client->ip != 0 &&
            client->ip == kv_peer_get_ip(value))
            return value;
    }
    return NULL;
}

static gboolean
rival_patience_over(gpointer data)
{
    Claim *claim = data;

    claim->timeout_id = 0;
    claim->asked = TRUE;
    kv_pump_query_link(kv_peer_get_pump(claim->rival), kv_peer_get_link(claim->rival));
    return G_SOURCE_REMOVE;
}

static void
start_claim(KvTunnelServer *self, KvPeer *peer, KvPeer *rival)
{
    Claim *claim = g_new0(Claim, 1);

    claim->server = self;
    claim->peer = g_object_ref(peer);
    claim->rival = g_object_ref(rival);
    claim->since = kv_clock_now();
    claim->timeout_id = g_timeout_add(RIVAL_PATIENCE_MS, rival_patience_over, claim);
    g_ptr_array_add(self->claims, claim);
    kv_pump_poke_link(kv_peer_get_pump(rival), kv_peer_get_link(rival));
}

/* The rival lives: the newcomer gets what is left. The rival is dead: it goes first, and the
 * newcomer is answered when its interface is closed (peer_ended() below). */
static void
settle_claims(KvTunnelServer *self, const KvPeer *rival, const KvLinkSnapshot *link)
{
    for (guint i = self->claims->len; i-- > 0;) {
        Claim *claim = g_ptr_array_index(self->claims, i);

        if (!claim->asked || claim->rival != rival)
            continue;
        claim->asked = FALSE;
        if (link->last_received > claim->since) {
            answer_client(self, claim->peer);
            g_ptr_array_remove_index(self->claims, i);
        } else {
            kv_pump_drop_link(kv_peer_get_pump(claim->rival), link->id);
        }
    }
}

static void
settle_claims_of_ended(KvTunnelServer *self, KvPeer *ended)
{
    for (guint i = self->claims->len; i-- > 0;) {
        Claim *claim = g_ptr_array_index(self->claims, i);

        if (claim->rival == ended && claim->peer != ended)
            answer_client(self, claim->peer);
        if (claim->rival == ended || claim->peer == ended)
            g_ptr_array_remove_index(self->claims, i);
    }
}

static void
client_introduced(KvTunnelServer *self, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
                  const KvClientInfo *client)
{
    KvPeer *peer = kv_peer_new(pump, link, remote, client, "v1",
                               kv_cipher_to_string(get_params(self)->cipher));
    PeerKey key = {pump, link};
    KvPeer *rival;

    g_hash_table_insert(self->peers, g_memdup2(&key, sizeof key), peer);
    rival = find_rival(self, peer);
    if (rival != NULL)
        start_claim(self, peer, rival);
    else
        answer_client(self, peer);
}

/* --- a client's interface ------------------------------------------------------------------- */

static void
run_hook(KvTunnelServer *self, KvPeer *peer, KvHookEvent event)
{
    g_autofree char *key = g_strdup_printf("%p/%" G_GUINT64_FORMAT, kv_peer_get_pump(peer),
                                           (guint64) kv_peer_get_link(peer));
    KvHookInfo info = {
        .client_id = kv_peer_get_client(peer)->id,
        .interface_name = kv_peer_get_interface(peer),
        .client_ip = kv_peer_get_ip(peer),
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

static KvTun *
create_device(KvTunnelServer *self, KvPeer *peer, GError **error)
{
    KvTunnelParams *params = get_params(self);
    KvNetlink *netlink = kv_engine_get_netlink(kv_tunnel_get_engine((KvTunnel *) self));
    const KvClientInfo *client = kv_peer_get_client(peer);
    g_autofree char *name =
        kv_vni_names_take(&self->vni_names, params->vni_name_prefix, is_name_taken, netlink, error);
    gboolean is_tun = params->vni_mode == KV_VNI_MODE_TUN;
    KvDevicePlan plan = {
        .mode = params->vni_mode,
        .name = name,
        .mtu = client->mtu != 0 ? MIN(params->vni_mtu, client->mtu) : params->vni_mtu,
        .local = is_tun ? params->local_ip : 0,
        .peer = is_tun ? kv_peer_get_ip(peer) : 0,
        .bridge = params->bridge,
    };
    KvTun *tun;

    if (name == NULL)
        return NULL;
    tun = kv_device_create(netlink, &plan, error);
    if (tun != NULL)
        kv_peer_set_interface(peer, kv_tun_get_name(tun));
    return tun;
}

static void
client_ready(KvTunnelServer *self, KvPeer *peer)
{
    g_autoptr(GError) error = NULL;
    char ip[KV_IP4_TEXT_BYTES];
    KvTun *tun = create_device(self, peer, &error);

    if (tun == NULL) {
        kv_log(KV_LOG_ERROR, "client-failed", get_log_name(self, NULL), kv_peer_get_label(peer),
               "client %s at %s: no interface for it: %s", kv_peer_get_label(peer),
               kv_peer_get_remote(peer), error->message);
        kv_pump_close_link(kv_peer_get_pump(peer), kv_peer_get_link(peer));
        return;
    }
    kv_pump_attach(kv_peer_get_pump(peer), kv_peer_get_link(peer), tun);
    kv_log(KV_LOG_INFO, "client-connected", get_log_name(self, peer), kv_peer_get_label(peer),
           "client %s at %s connected: interface %s, address %s", kv_peer_get_label(peer),
           kv_peer_get_remote(peer), kv_peer_get_interface(peer),
           kv_ip4_to_string(kv_peer_get_ip(peer), ip));
    run_hook(self, peer, KV_HOOK_CONNECTED);
    kv_peer_set_connected(peer);
    g_signal_emit_by_name(self, "peer-added", peer);
}

/* --- what the pumps say --------------------------------------------------------------------- */

static void
pump_event(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
           const KvEvent *event)
{
    KvTunnelServer *self = owner;
    KvPeer *peer = find_peer(self, pump, link);

    if (kv_tunnel_get_state((KvTunnel *) self) == KV_TUNNEL_STATE_STOPPING)
        return;
    if (event->type == KV_EVENT_CLIENT_INFO && peer == NULL)
        client_introduced(self, pump, link, remote, &event->client);
    else if (event->type == KV_EVENT_READY && peer != NULL)
        client_ready(self, peer);
}

static void
pump_ended(gpointer owner, KvPump *pump, KvLinkId link, KvReason reason, KvTun *tun)
{
    KvTunnelServer *self = owner;
    g_autoptr(KvPeer) peer = find_peer(self, pump, link);
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
    kv_addr_pool_release(self->pool, kv_peer_get_ip(peer));
    if (kv_peer_get_interface(peer) != NULL) {
        kv_log(KV_LOG_INFO, "client-disconnected", get_log_name(self, peer),
               kv_peer_get_label(peer), "client %s at %s disconnected: %s", kv_peer_get_label(peer),
               kv_peer_get_remote(peer), why);
        run_hook(self, peer, KV_HOOK_DISCONNECTED);
        g_signal_emit_by_name(self, "peer-removed", peer);
    }
    settle_claims_of_ended(self, peer);
}

static void
pump_snapshot(gpointer owner, KvPump *pump, const KvPumpSnapshot *snapshot)
{
    KvTunnelServer *self = owner;

    for (guint i = 0; i < snapshot->n_links; i++) {
        KvPeer *peer = find_peer(self, pump, snapshot->links[i].id);

        if (peer != NULL)
            kv_peer_update(peer, &snapshot->links[i]);
    }
    kv_tunnel_pump_snapshot((KvTunnel *) self, pump, snapshot);
}

static void
pump_link_state(gpointer owner, KvPump *pump, const KvLinkSnapshot *snapshot)
{
    KvTunnelServer *self = owner;
    KvPeer *peer = find_peer(self, pump, snapshot->id);

    if (peer != NULL)
        settle_claims(self, peer, snapshot);
}

static void
hooks_drained(gpointer data)
{
    KvTunnelServer *self = data;

    g_clear_pointer(&self->hooks, kv_hooks_free);
    g_clear_pointer(&self->pool, kv_addr_pool_free);
    kv_log(KV_LOG_INFO, "stopped", get_log_name(self, NULL), NULL, "stopped");
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
shut_pumps_down(KvTunnelServer *self)
{
    for (guint i = 0; i < self->pumps->len; i++)
        kv_pump_shutdown(g_ptr_array_index(self->pumps, i));
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
    .ended = pump_ended,
    .snapshot = pump_snapshot,
    .link_state = pump_link_state,
    .gone = pump_gone,
};

/* --- starting and stopping ------------------------------------------------------------------ */

static gboolean
prepare(KvTunnelServer *self, GError **error)
{
    KvTunnelParams *params = get_params(self);
    KvNetlink *netlink = kv_engine_get_netlink(kv_tunnel_get_engine((KvTunnel *) self));

    /* Better now than at the first client. */
    if (!kv_tun_check_rights(error))
        return FALSE;
    self->pool = kv_addr_pool_new(params->assignable_ips, error);
    if (self->pool == NULL)
        return FALSE;
    kv_addr_pool_exclude(self->pool, params->local_ip);
    if (params->bridge != NULL && !kv_netlink_bridge_exists(netlink, params->bridge, error))
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

static void
listen_at(KvTunnelServer *self, const KvSockaddr *address)
{
    KvTunnelParams *params = get_params(self);
    g_autofree char *where = kv_sockaddr_to_string(address);
    g_auto(KvTunnelDetails) details = {0};

    if (!open_pumps(self, address, &self->failure)) {
        shut_pumps_down(self);
        finish_if_down(self);
        return;
    }
    kv_log(KV_LOG_INFO, "listening", get_log_name(self, NULL), NULL,
           "listening on %s, %s mode, cipher %s", where,
           params->vni_mode == KV_VNI_MODE_TAP ? "tap" : "tun",
           kv_cipher_to_string(params->cipher));
    /* A server has an interface for each client: what its commands are told is the bridge that has
     * them all, or how their names begin. */
    kv_tunnel_run_up((KvTunnel *) self, self->hooks,
                     params->bridge != NULL ? params->bridge : params->vni_name_prefix,
                     params->local_ip);
    kv_tunnel_details_copy(&details, kv_tunnel_get_details((KvTunnel *) self));
    g_free(details.endpoint);
    details.endpoint = g_steal_pointer(&where);
    kv_tunnel_set_details((KvTunnel *) self, &details);
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
        self->failure = g_error_copy(error);
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

    kv_log(KV_LOG_INFO, "starting", get_log_name(self, NULL), NULL, "starting as server");
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
    if (find_peer(self, pump, link) == peer)
        kv_pump_close_link(pump, link);
}

static void
server_log_stats(KvTunnel *tunnel, const KvStats *total, const uint64_t *strangers)
{
    KvTunnelServer *self = (KvTunnelServer *) tunnel;
    g_autoptr(GPtrArray) peers = kv_tunnel_get_peers(tunnel);

    for (guint i = 0; i < peers->len; i++) {
        KvPeer *peer = g_ptr_array_index(peers, i);

        kv_tunnel_log_stats_line(get_log_name(self, peer), kv_peer_get_label(peer),
                                 kv_peer_get_stats(peer));
    }
    kv_tunnel_log_strangers(get_log_name(self, NULL), strangers);
}

static void
kv_tunnel_server_finalize(GObject *object)
{
    KvTunnelServer *self = (KvTunnelServer *) object;

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
    klass->log_stats = server_log_stats;
}

static void
kv_tunnel_server_init(KvTunnelServer *self)
{
    self->pumps = g_ptr_array_new();
    self->peers = g_hash_table_new_full(peer_key_hash, peer_key_equal, g_free, g_object_unref);
    self->claims = g_ptr_array_new_with_free_func(claim_free);
}
