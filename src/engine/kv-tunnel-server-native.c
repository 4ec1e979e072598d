/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-server-native.h"

#include "kv-addressing.h"
#include "kv-clock.h"
#include "kv-device.h"
#include "kv-log.h"
#include "kv-rival.h"
#include "kv-tunnel-server-private.h"

#include <sodium.h>
#include <string.h>

/* What a client was granted, until it proves itself, or that is too late. */
typedef struct {
    uint32_t id; /* of its request */
    KvLeaseId lease;
    gboolean has_key;
    uint8_t key[KV_KEY_BYTES];
    KvClientInfo client;
    char *name; /* (nullable) what it is called here */
    KvSockaddr from;
    KvAead aead;
    guint n_terms; /* under which of the terms it was made */
    KvTime since;
    GList node;
} Offer;

/* A client whose name is only claimed wants what a session that may be dead still holds. */
typedef struct {
    KvPumpRequest request;
    KvNativeConfig config;
    KvRival rival;
} Claim;

struct _KvTunnelServerNative {
    KvTunnelServer *server;
    KvPump *pump; /* (nullable): nobody is let in */
    KvPeerList *peers;
    char *interface;          /* (nullable) */
    KvAddressing *addressing; /* (nullable) as @interface */
    guint n_terms;            /* how often they, or peers, have changed */
    GHashTable *offers;       /* id of its request → Offer */
    GQueue oldest;            /* Offer, by time */
    GPtrArray *claims;        /* Claim */
};

static KvTunnelParams *
get_params(const KvTunnelServerNative *self)
{
    return kv_tunnel_get_params((KvTunnel *) self->server);
}

static KvNetlink *
get_netlink(const KvTunnelServerNative *self)
{
    return kv_engine_get_netlink(kv_tunnel_get_engine((KvTunnel *) self->server));
}

static void
offer_free(gpointer data)
{
    Offer *offer = data;

    g_free(offer->name);
    g_free(offer);
}

static void
claim_free(gpointer data)
{
    Claim *claim = data;

    kv_rival_clear(&claim->rival);
    kv_native_config_clear(&claim->config);
    g_free(claim);
}

KvTunnelServerNative *
kv_tunnel_server_native_new(KvTunnelServer *server)
{
    KvTunnelServerNative *self = g_new0(KvTunnelServerNative, 1);

    self->server = server;
    self->peers = kv_peer_list_new();
    self->offers = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, offer_free);
    self->claims = g_ptr_array_new_with_free_func(claim_free);
    return self;
}

void
kv_tunnel_server_native_free(KvTunnelServerNative *self)
{
    if (self == NULL)
        return;
    kv_tunnel_server_native_stop(self);
    g_ptr_array_unref(self->claims);
    g_hash_table_unref(self->offers);
    kv_peer_list_unref(self->peers);
    kv_addressing_free(self->addressing);
    g_free(self->interface);
    g_free(self);
}

const char *
kv_tunnel_server_native_get_interface(const KvTunnelServerNative *self)
{
    return self->interface;
}

/* --- the shared interface -------------------------------------------------------------------- */

static gboolean
apply_addressing(KvTunnelServerNative *self, GError **error)
{
    KvTunnelParams *params = get_params(self);
    g_autoptr(GArray) routes = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    g_autoptr(GArray) locals = kv_tunnel_params_list_locals(params);
    KvAddressingPlan plan = {.mode = params->vni_mode, .addresses = locals, .routes = routes};

    /* A bridge port carries no address of its own. */
    if (params->bridge != NULL)
        g_array_set_size(locals, 0);
    /* On a switch what is behind a client has no gateway here that would be known. */
    for (guint i = 0;
         params->vni_mode == KV_VNI_MODE_TUN && i < kv_peer_list_get_length(self->peers); i++) {
        g_autoptr(GArray) behind = kv_peer_settings_list_networks(kv_peer_list_get(self->peers, i),
                                                                  KV_PEER_SETTING_ROUTES);

        g_array_append_vals(routes, behind->data, behind->len);
    }
    return kv_addressing_apply(self->addressing, &plan, error);
}

static gboolean
make_interface(KvTunnelServerNative *self, GError **error)
{
    KvTunnelParams *params = get_params(self);
    g_autofree char *name = kv_tunnel_server_take_name(self->server, error);
    KvDevicePlan plan = {
        .mode = params->vni_mode,
        .name = name,
        .mtu = params->vni_mtu,
        .bridge = params->bridge,
    };
    g_autoptr(KvTun) tun = NULL;

    if (name == NULL)
        return FALSE;
    tun = kv_device_create(get_netlink(self), &plan, error);
    if (tun == NULL)
        return FALSE;
    self->addressing = kv_addressing_new(get_netlink(self), kv_tun_get_name(tun));
    if (!apply_addressing(self, error)) {
        g_clear_pointer(&self->addressing, kv_addressing_free);
        return FALSE;
    }
    self->interface = g_strdup(kv_tun_get_name(tun));
    kv_pump_set_hub(self->pump, g_steal_pointer(&tun),
                    kv_tunnel_server_get_terms(self->server)->client_to_client);
    return TRUE;
}

/* Whether the server's own network has it, so that the kernel knows where it is. */
static gboolean
is_in_own_network(KvTunnelServerNative *self, const KvNetwork *address)
{
    g_autoptr(GArray) locals = kv_tunnel_params_list_locals(get_params(self));

    for (guint i = 0; i < locals->len; i++) {
        if (kv_network_contains(&g_array_index(locals, KvNetwork, i), address))
            return TRUE;
    }
    return FALSE;
}

/* A client's address that is in no network of the interface needs a route of its own. */
static void
route_addresses(KvTunnelServerNative *self, KvPeer *peer, gboolean is_there)
{
    const GArray *addresses = kv_peer_get_addresses(peer);

    if (get_params(self)->vni_mode == KV_VNI_MODE_TAP || self->interface == NULL)
        return;
    for (guint i = 0; i < addresses->len; i++) {
        const KvTunnelNetwork *address = &g_array_index(addresses, KvTunnelNetwork, i);
        g_autoptr(GError) error = NULL;
        KvNetlinkRoute route = {
            .destination = address->network,
            .interface = self->interface,
            .metric = KV_ADDRESSING_METRIC,
        };

        if (is_in_own_network(self, &address->network))
            continue;
        if (!(is_there ? kv_netlink_add_route(get_netlink(self), &route, NULL, &error)
                       : kv_netlink_remove_route(get_netlink(self), &route, &error)))
            kv_log(KV_LOG_WARNING, NULL, kv_tunnel_server_get_log_name(self->server, peer),
                   kv_peer_get_label(peer), "client %s: %s", kv_peer_get_label(peer),
                   error->message);
    }
}

void
kv_tunnel_server_native_note_network(KvTunnelServerNative *self)
{
    g_autoptr(GError) error = NULL;
    GHashTableIter iter;
    gpointer peer;

    if (self->addressing == NULL ||
        !kv_addressing_has_returned(
            self->addressing, kv_tunnel_was_link_down((KvTunnel *) self->server, self->interface)))
        return;
    if (!apply_addressing(self, &error))
        kv_log(KV_LOG_WARNING, NULL, kv_tunnel_server_get_log_name(self->server, NULL), NULL, "%s",
               error->message);
    g_hash_table_iter_init(&iter, self->server->peers);
    while (g_hash_table_iter_next(&iter, NULL, &peer))
        if (kv_peer_is_native(peer))
            route_addresses(self, peer, TRUE);
}

/* --- who may come ---------------------------------------------------------------------------- */

static void
admit(KvTunnelServerNative *self, const KvPeerSettings *peer)
{
    uint8_t public_key[KV_KEY_BYTES];
    uint8_t psk[KV_KEY_BYTES];
    g_autoptr(KvSecret) secret = NULL;

    if (!kv_peer_settings_get_key(peer, KV_PEER_SETTING_PUBLIC_KEY, public_key))
        return;
    if (kv_peer_settings_get_key(peer, KV_PEER_SETTING_PRESHARED_KEY, psk)) {
        secret = kv_secret_new(psk, sizeof psk);
        sodium_memzero(psk, sizeof psk);
    }
    kv_pump_admit_key(self->pump, public_key, secret);
}

static void
forget_missing(KvTunnelServerNative *self, const KvPeerList *peers)
{
    for (guint i = 0; i < kv_peer_list_get_length(self->peers); i++) {
        uint8_t public_key[KV_KEY_BYTES];

        if (kv_peer_settings_get_key(kv_peer_list_get(self->peers, i), KV_PEER_SETTING_PUBLIC_KEY,
                                     public_key) &&
            kv_peer_list_find_key(peers, public_key) == NULL)
            kv_pump_forget_key(self->pump, public_key);
    }
}

static void
set_grants(KvTunnelServerNative *self)
{
    guint n = kv_peer_list_get_length(self->peers);
    g_autofree KvGrantsPeer *grants = g_new0(KvGrantsPeer, n);
    g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func((GDestroyNotify) g_array_unref);

    for (guint i = 0; i < n; i++) {
        const KvPeerSettings *peer = kv_peer_list_get(self->peers, i);
        GArray *fixed = kv_peer_settings_list_networks(peer, KV_PEER_SETTING_LOCAL_IP);
        GArray *fixed6 = kv_peer_settings_list_networks(peer, KV_PEER_SETTING_LOCAL_IP6);
        GArray *behind = kv_peer_settings_list_networks(peer, KV_PEER_SETTING_ALLOWED_IPS);
        GArray *routes = kv_peer_settings_list_networks(peer, KV_PEER_SETTING_ROUTES);

        g_array_append_vals(fixed, fixed6->data, fixed6->len);
        g_array_append_vals(behind, routes->data, routes->len);
        g_array_unref(fixed6);
        g_array_unref(routes);
        g_ptr_array_add(lists, fixed);
        g_ptr_array_add(lists, behind);
        grants[i].addresses = (const KvNetwork *) (gpointer) fixed->data;
        grants[i].n_addresses = fixed->len;
        grants[i].allowed_ips = (const KvNetwork *) (gpointer) behind->data;
        grants[i].n_allowed_ips = behind->len;
        if (!kv_peer_settings_get_key(peer, KV_PEER_SETTING_PUBLIC_KEY, grants[i].public_key))
            g_assert_not_reached(); /* no peer is valid without */
    }
    kv_grants_set_peers(self->server->grants, grants, n);
}

static void
join(KvTunnelServerNative *self, KvPeer *peer)
{
    g_autoptr(GArray) networks = kv_grants_list_networks(
        self->server->grants, kv_peer_get_lease(peer), kv_peer_get_public_key(peer));
    gboolean is_tap = get_params(self)->vni_mode == KV_VNI_MODE_TAP;

    kv_pump_join(self->pump, kv_peer_get_link(peer), (const KvNetwork *) (gpointer) networks->data,
                 is_tap ? 0 : networks->len);
}

/* Returns: %FALSE if that is more than the protocol can tell. */
static gboolean
tell(KvTunnelServerNative *self, KvPeer *peer)
{
    g_auto(KvNativeConfig) news = {0};

    kv_native_config_init(&news);
    if (!kv_grants_tell(self->server->grants, kv_peer_get_lease(peer), &news))
        return TRUE;
    if (!kv_native_config_fits(&news))
        return FALSE;
    kv_pump_say(self->pump, kv_peer_get_link(peer), &news);
    return TRUE;
}

/* (transfer full) (element-type KvNetwork): whole addresses. */
static GArray *
list_addresses(KvTunnelServerNative *self, KvLeaseId lease)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    KvLeaseAddresses addresses;

    kv_leases_get(kv_grants_get_leases(self->server->grants), lease, &addresses);
    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        if (addresses.ip[family].prefix != 0)
            g_array_append_val(list, addresses.ip[family]);
    }
    return list;
}

/* Its lease has other addresses. */
static void
readdress(KvTunnelServerNative *self, KvPeer *peer)
{
    g_autoptr(GArray) addresses = list_addresses(self, kv_peer_get_lease(peer));

    route_addresses(self, peer, FALSE);
    join(self, peer);
    kv_tunnel_server_readdress_peer(self->server, peer,
                                    (const KvNetwork *) (gpointer) addresses->data, addresses->len);
    route_addresses(self, peer, TRUE);
    if (!tell(self, peer))
        kv_pump_close_link(self->pump, kv_peer_get_link(peer), KV_CLOSE_NONE);
}

static void
rename_peer(KvTunnelServerNative *self, KvPeer *peer)
{
    const KvPeerSettings *settings =
        kv_peer_list_find_key(self->peers, kv_peer_get_public_key(peer));
    const char *name = settings != NULL ? kv_peer_settings_get_name(settings) : NULL;

    if (name != NULL && g_strcmp0(name, kv_peer_get_id(peer)) != 0)
        kv_peer_set_id(peer, name);
}

/* Those that live are told which addresses they have now, and where their packets may come from. */
static void
refresh_living(KvTunnelServerNative *self)
{
    GHashTableIter iter;
    gpointer peer;

    g_hash_table_iter_init(&iter, self->server->peers);
    while (g_hash_table_iter_next(&iter, NULL, &peer)) {
        const uint8_t *key = kv_peer_get_public_key(peer);

        if (key == NULL || !kv_grants_has_peer(self->server->grants, key))
            continue;
        rename_peer(self, peer);
        switch (kv_grants_refresh(self->server->grants, kv_peer_get_lease(peer), key,
                                  kv_peer_get_client(peer)->mtu)) {
        case KV_GRANTS_SAME:
            join(self, peer);
            break;
        case KV_GRANTS_MOVED:
            readdress(self, peer);
            break;
        case KV_GRANTS_TAKEN:
            kv_pump_close_link(self->pump, kv_peer_get_link(peer), KV_CLOSE_NONE);
            break;
        }
    }
}

void
kv_tunnel_server_native_set_peers(KvTunnelServerNative *self, const KvPeerList *peers)
{
    g_autoptr(GError) error = NULL;

    if (self->pump != NULL)
        forget_missing(self, peers);
    kv_peer_list_unref(self->peers);
    self->peers = kv_peer_list_ref(peers);
    self->n_terms++;
    set_grants(self);
    if (self->pump == NULL)
        return;
    for (guint i = 0; i < kv_peer_list_get_length(peers); i++)
        admit(self, kv_peer_list_get(peers, i));
    refresh_living(self);
    if (self->addressing != NULL && !apply_addressing(self, &error))
        kv_log(KV_LOG_WARNING, NULL, kv_tunnel_server_get_log_name(self->server, NULL), NULL, "%s",
               error->message);
}

/* --- other terms than before ------------------------------------------------------------------ */

void
kv_tunnel_server_native_take_terms(KvTunnelServerNative *self)
{
    const KvTunnelTerms *terms = kv_tunnel_server_get_terms(self->server);
    GHashTableIter iter;
    gpointer peer;
    gboolean all_told = TRUE;

    kv_grants_set_terms(self->server->grants, terms);
    self->n_terms++;
    if (self->pump == NULL)
        return;
    kv_pump_set_client_to_client(self->pump, terms->client_to_client);
    g_hash_table_iter_init(&iter, self->server->peers);
    while (g_hash_table_iter_next(&iter, NULL, &peer))
        all_told &= !kv_peer_is_native(peer) || tell(self, peer);
    if (!all_told)
        kv_log(KV_LOG_ERROR, NULL, kv_tunnel_server_get_log_name(self->server, NULL), NULL,
               "clients cannot be told so many routes, name servers and domains at once: those "
               "that are connected go on with what they were told before");
}

gboolean
kv_tunnel_server_native_start(KvTunnelServerNative *self, KvPump *pump, gboolean needs_interface,
                              GError **error)
{
    self->pump = pump;
    if (needs_interface && !make_interface(self, error))
        return FALSE;
    for (guint i = 0; i < kv_peer_list_get_length(self->peers); i++)
        admit(self, kv_peer_list_get(self->peers, i));
    return TRUE;
}

void
kv_tunnel_server_native_stop(KvTunnelServerNative *self)
{
    g_autoptr(GError) error = NULL;

    self->pump = NULL;
    g_ptr_array_set_size(self->claims, 0);
    if (self->addressing != NULL && !kv_addressing_clear(self->addressing, &error))
        kv_log(KV_LOG_WARNING, NULL, kv_tunnel_server_get_log_name(self->server, NULL), NULL, "%s",
               error->message);
}

/* --- answering ------------------------------------------------------------------------------- */

static void
drop_offer(KvTunnelServerNative *self, uint32_t id)
{
    Offer *offer = g_hash_table_lookup(self->offers, &id);

    if (offer == NULL)
        return;
    g_queue_unlink(&self->oldest, &offer->node);
    g_hash_table_remove(self->offers, &id);
}

static void
drop_old_offers(KvTunnelServerNative *self, KvTime now)
{
    Offer *offer;

    while ((offer = g_queue_peek_head(&self->oldest)) != NULL &&
           kv_time_elapsed(now, offer->since) >= KV_LEASES_OFFER_TIME)
        drop_offer(self, offer->id);
}

/* (transfer full) (nullable): a client with a key has the name that the server gave it; else it is
 * what it claims to be. */
static char *
name_client(const KvTunnelServerNative *self, const uint8_t *key, const char *client_id)
{
    const KvPeerSettings *peer = key != NULL ? kv_peer_list_find_key(self->peers, key) : NULL;

    if (peer != NULL)
        return g_strdup(kv_peer_settings_get_name(peer));
    return *client_id != '\0' ? g_strdup(client_id) : NULL;
}

static const uint8_t *
get_key(const KvPumpRequest *request)
{
    return request->pattern == KV_NOISE_IKPSK2 ? request->remote_public : NULL;
}

static void
add_offer(KvTunnelServerNative *self, const KvPumpRequest *request, KvLeaseId lease)
{
    const KvNativeConfig *config = request->config;
    const uint8_t *key = get_key(request);
    Offer *offer = g_new0(Offer, 1);

    offer->id = request->id;
    offer->lease = lease;
    offer->has_key = key != NULL;
    if (key != NULL)
        memcpy(offer->key, key, sizeof offer->key);
    offer->name = name_client(self, key, config->client_id);
    offer->client.mtu = config->mtu;
    offer->client.address_mode =
        config->wants->len > 0 ? KV_ADDRESS_MODE_CLIENT_SET : KV_ADDRESS_MODE_ASSIGNED;
    offer->from = request->from;
    offer->aead = kv_tunnel_native_find_aead(get_params(self)->native, config);
    offer->n_terms = self->n_terms;
    offer->since = kv_clock_now();
    offer->node.data = offer;
    drop_old_offers(self, offer->since);
    /* The name of a request that was given up long ago may be drawn again. */
    drop_offer(self, offer->id);
    g_hash_table_replace(self->offers, &offer->id, offer);
    g_queue_push_tail_link(&self->oldest, &offer->node);
}

static void
log_refusal(KvTunnelServerNative *self, const KvPumpRequest *request, const KvNativeConfig *grant)
{
    g_autofree char *from = kv_sockaddr_to_string(&request->from);
    g_autofree char *name = name_client(self, get_key(request), request->config->client_id);
    const char *label = name != NULL ? name : from;

    kv_log_limited("client-refused", KV_LOG_WARNING, "client-refused",
                   kv_tunnel_server_get_log_name(self->server, NULL), label,
                   "client %s at %s refused: %s", label, from, grant->refusal_text);
}

/* Who comes back takes the place of a session of its own. */
static gboolean
has_room(KvTunnelServerNative *self, const KvPumpRequest *request, gboolean is_apart)
{
    if (!kv_tunnel_server_is_full(self->server))
        return TRUE;
    return !is_apart && kv_grants_find_holder(self->server->grants, get_key(request),
                                              request->config->client_id) != 0;
}

static void
answer(KvTunnelServerNative *self, const KvPumpRequest *request, gboolean is_apart)
{
    g_autofree char *from = kv_sockaddr_to_string(&request->from);
    const KvGrantsClient client = {get_key(request), from, is_apart};
    g_auto(KvNativeConfig) grant;
    KvLeaseId lease = 0;

    kv_native_config_init(&grant);
    if (!has_room(self, request, is_apart))
        kv_grants_refuse(&grant, KV_REFUSED_FULL, "this server has no room for more clients");
    else
        lease = kv_grants_answer(self->server->grants, &client, request->config, kv_clock_now(),
                                 &grant);
    if (lease != 0)
        add_offer(self, request, lease);
    else
        log_refusal(self, request, &grant);
    kv_pump_grant(self->pump, request->id, &grant);
}

/* New keys for what goes on. */
static void
answer_again(KvTunnelServerNative *self, const KvPumpRequest *request)
{
    KvPeer *peer = kv_tunnel_server_find_peer(self->server, self->pump, request->link);
    g_auto(KvNativeConfig) grant;

    kv_native_config_init(&grant);
    if (peer == NULL ||
        !kv_grants_repeat(self->server->grants, kv_peer_get_lease(peer), request->config, &grant))
        kv_grants_refuse(&grant, KV_REFUSED_NOW, "this association is about to end");
    kv_pump_grant(self->pump, request->id, &grant);
}

/* --- a client that comes back while its earlier session still stands ------------------------ */

static KvPeer *
find_holder(KvTunnelServerNative *self, KvLeaseId lease)
{
    GHashTableIter iter;
    gpointer peer;

    if (lease == 0)
        return NULL;
    g_hash_table_iter_init(&iter, self->server->peers);
    while (g_hash_table_iter_next(&iter, NULL, &peer)) {
        if (kv_peer_get_lease(peer) == lease)
            return peer;
    }
    return NULL;
}

static void
start_claim(KvTunnelServerNative *self, const KvPumpRequest *request, KvPeer *rival)
{
    Claim *claim = g_new0(Claim, 1);

    kv_native_config_init(&claim->config);
    kv_native_config_copy(request->config, &claim->config);
    claim->request = *request;
    claim->request.config = &claim->config;
    g_ptr_array_add(self->claims, claim);
    kv_rival_start(&claim->rival, rival);
}

/* Who only claims a name gets nothing of a client that was heard of since.
 * @last_received: of @rival; counts unless it @is_gone */
static void
settle_claims(KvTunnelServerNative *self, const KvPeer *rival, KvTime last_received,
              gboolean is_gone)
{
    for (guint i = self->claims->len; i-- > 0;) {
        Claim *claim = g_ptr_array_index(self->claims, i);

        if (claim->rival.peer != rival || (!claim->rival.asked && !is_gone))
            continue;
        answer(self, &claim->request, !is_gone && last_received > claim->rival.since);
        g_ptr_array_remove_index(self->claims, i);
    }
}

void
kv_tunnel_server_native_requested(KvTunnelServerNative *self, const KvPumpRequest *request)
{
    KvLeaseId lease;
    KvPeer *rival;

    if (self->pump == NULL)
        return;
    if (request->link != 0) {
        answer_again(self, request);
        return;
    }
    lease = get_key(request) == NULL
                ? kv_grants_find_holder(self->server->grants, NULL, request->config->client_id)
                : 0;
    rival = find_holder(self, lease);
    if (rival != NULL)
        start_claim(self, request, rival);
    else
        answer(self, request, FALSE);
}

/* --- coming and going ------------------------------------------------------------------------ */

static KvPeer *
make_peer(KvTunnelServerNative *self, KvLinkId link, const Offer *offer)
{
    KvPeer *peer = kv_peer_new(self->pump, link, &offer->from, &offer->client, "native",
                               kv_tunnel_native_aead_to_string(offer->aead));
    g_autoptr(GArray) addresses = list_addresses(self, offer->lease);

    kv_peer_set_id(peer, offer->name);
    kv_peer_set_public_key(peer, offer->has_key ? offer->key : NULL);
    kv_peer_set_lease(peer, offer->lease);
    kv_peer_set_addresses(peer, (const KvNetwork *) (gpointer) addresses->data, addresses->len);
    return peer;
}

/* What it held is another's now, and so are the routes there, also if it ends only later. */
static void
end_replaced(KvTunnelServerNative *self, KvLeaseId lease)
{
    KvPeer *peer = find_holder(self, lease);

    if (peer == NULL)
        return;
    route_addresses(self, peer, FALSE);
    kv_peer_set_lease(peer, 0);
    kv_pump_close_link(kv_peer_get_pump(peer), kv_peer_get_link(peer), KV_CLOSE_REPLACED);
}

static gboolean
settle_offer(KvTunnelServerNative *self, const Offer *offer)
{
    KvLeases *leases = kv_grants_get_leases(self->server->grants);
    KvLeaseId replaced = 0;

    if (offer->has_key && !kv_grants_has_peer(self->server->grants, offer->key))
        return FALSE;
    if (kv_leases_confirm(leases, offer->lease, &replaced) == KV_LEASES_TAKEN)
        return FALSE;
    end_replaced(self, replaced);
    /* There was room when it asked, and somebody was faster. */
    if (replaced != 0 || !kv_tunnel_server_is_full(self->server))
        return TRUE;
    kv_leases_release(leases, offer->lease);
    return FALSE;
}

/* What it was granted may be outdated by now. Returns: %FALSE if it cannot have what it should. */
static gboolean
refresh_offer(KvTunnelServerNative *self, const Offer *offer)
{
    return offer->n_terms == self->n_terms || !offer->has_key ||
           kv_grants_refresh(self->server->grants, offer->lease, offer->key, offer->client.mtu) !=
               KV_GRANTS_TAKEN;
}

static void
add_peer(KvTunnelServerNative *self, KvLinkId link, const Offer *offer)
{
    gboolean is_fine = refresh_offer(self, offer);
    KvPeer *peer = make_peer(self, link, offer);

    kv_tunnel_server_add_peer(self->server, peer);
    if (offer->n_terms != self->n_terms)
        is_fine &= tell(self, peer);
    if (!is_fine)
        kv_pump_close_link(self->pump, link, KV_CLOSE_NONE);
}

void
kv_tunnel_server_native_confirmed(KvTunnelServerNative *self, KvLinkId link, uint32_t id)
{
    Offer *offer = g_hash_table_lookup(self->offers, &id);

    if (self->pump == NULL || kv_tunnel_server_find_peer(self->server, self->pump, link) != NULL)
        return;
    /* It comes again, and is offered something else. */
    if (offer == NULL || !settle_offer(self, offer))
        kv_pump_close_link(self->pump, link, KV_CLOSE_NONE);
    else
        add_peer(self, link, offer);
    drop_offer(self, id);
}

void
kv_tunnel_server_native_ready(KvTunnelServerNative *self, KvPeer *peer)
{
    g_autoptr(GError) error = NULL;

    if (self->pump == NULL)
        return;
    if (self->interface == NULL && !make_interface(self, &error)) {
        kv_log(KV_LOG_ERROR, "client-failed", kv_tunnel_server_get_log_name(self->server, NULL),
               kv_peer_get_label(peer), "client %s at %s: no interface for it: %s",
               kv_peer_get_label(peer), kv_peer_get_remote(peer), error->message);
        kv_pump_close_link(self->pump, kv_peer_get_link(peer), KV_CLOSE_NONE);
        return;
    }
    kv_peer_set_interface(peer, self->interface);
    /* Its packets wait until it has joined: what answers them is to find the way. */
    route_addresses(self, peer, TRUE);
    join(self, peer);
    kv_tunnel_server_announce_peer(self->server, peer);
}

void
kv_tunnel_server_native_moved(KvTunnelServerNative *self, KvPeer *peer, const KvSockaddr *remote)
{
    kv_peer_set_remote(peer, remote);
    kv_log(KV_LOG_INFO, "client-moved", kv_tunnel_server_get_log_name(self->server, peer),
           kv_peer_get_label(peer), "client %s is at %s now", kv_peer_get_label(peer),
           kv_peer_get_remote(peer));
}

void
kv_tunnel_server_native_link_state(KvTunnelServerNative *self, KvPeer *peer,
                                   const KvLinkSnapshot *snapshot)
{
    if (self->pump != NULL)
        settle_claims(self, peer, snapshot->last_received, FALSE);
}

void
kv_tunnel_server_native_ended(KvTunnelServerNative *self, KvPeer *peer)
{
    KvLeaseId lease = kv_peer_get_lease(peer);

    if (lease != 0)
        route_addresses(self, peer, FALSE);
    kv_leases_release(kv_grants_get_leases(self->server->grants), lease);
    if (self->pump != NULL)
        settle_claims(self, peer, 0, TRUE);
}
