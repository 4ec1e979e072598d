/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-grants.h"

#include "kv-key.h"

#include <string.h>

#define MTU6_MIN 1280 /* RFC 8200 */

/* Networks that have no room for a first and last address of their own: RFC 3021, RFC 6164. */
#define POINT_TO_POINT_PREFIX4 31
#define POINT_TO_POINT_PREFIX6 127

typedef struct {
    uint8_t public_key[KV_KEY_BYTES];
    KvLeaseAddresses fixed;
    GArray *allowed_ips; /* of KvNetwork */
} Peer;

struct _KvGrants {
    KvVniMode mode;
    uint16_t mtu;
    GArray *locals; /* of KvNetwork */
    gboolean has_pool6;
    KvTunnelTerms *terms;
    GHashTable *peers; /* public key → Peer */
    KvLeases *leases;
};

static void
peer_free(gpointer data)
{
    Peer *peer = data;

    g_array_unref(peer->allowed_ips);
    g_free(peer);
}

static GArray *
copy_networks(const KvNetwork *networks, guint n)
{
    GArray *copy = g_array_new(FALSE, FALSE, sizeof(KvNetwork));

    g_array_append_vals(copy, networks, n);
    return copy;
}

static KvNetwork
make_whole(const KvNetwork *address)
{
    KvNetwork whole = *address;

    whole.prefix = (uint8_t) kv_network_get_bits(address);
    return whole;
}

/* --- making --------------------------------------------------------------------------------- */

static void
exclude_first(KvGrants *self, const KvNetwork *local)
{
    KvNetwork first = *local;

    kv_network_make_base(&first);
    first = make_whole(&first);
    kv_leases_exclude(self->leases, &first);
}

static void
exclude_last(KvGrants *self, const KvNetwork *local)
{
    KvNetwork last = make_whole(local);

    for (guint bit = local->prefix; bit < kv_network_get_bits(local); bit++)
        last.ip[bit / 8] |= (uint8_t) (0x80 >> bit % 8);
    kv_leases_exclude(self->leases, &last);
}

static void
exclude_local(KvGrants *self, const KvNetwork *local, gboolean is_classful)
{
    KvNetwork whole = make_whole(local);

    kv_leases_exclude(self->leases, &whole);
    if (local->is_ip6 && local->prefix < POINT_TO_POINT_PREFIX6)
        exclude_first(self, local);
    if (!local->is_ip6 && is_classful && local->prefix < POINT_TO_POINT_PREFIX4) {
        exclude_first(self, local);
        exclude_last(self, local);
    }
}

KvGrants *
kv_grants_new(const KvGrantsConfig *config, GError **error)
{
    g_autoptr(KvLeases) leases = kv_leases_new(config->pool4, config->pool6, error);
    KvGrants *self;

    if (leases == NULL)
        return NULL;
    self = g_new0(KvGrants, 1);
    self->leases = g_steal_pointer(&leases);
    self->mode = config->mode;
    self->mtu = config->mtu;
    self->has_pool6 = config->pool6 != NULL;
    self->locals = copy_networks(config->locals, config->n_locals);
    self->terms = kv_tunnel_terms_copy(config->terms);
    self->peers = g_hash_table_new_full(kv_key_hash, kv_key_equal, NULL, peer_free);
    for (guint i = 0; i < config->n_locals; i++)
        exclude_local(self, &config->locals[i], config->is_classful);
    return self;
}

void
kv_grants_free(KvGrants *self)
{
    if (self == NULL)
        return;
    g_array_unref(self->locals);
    kv_tunnel_terms_free(self->terms);
    g_hash_table_unref(self->peers);
    kv_leases_free(self->leases);
    g_free(self);
}

KvLeases *
kv_grants_get_leases(KvGrants *self)
{
    return self->leases;
}

void
kv_grants_set_terms(KvGrants *self, const KvTunnelTerms *terms)
{
    KvTunnelTerms *copy = kv_tunnel_terms_copy(terms);

    kv_tunnel_terms_free(self->terms);
    self->terms = copy;
}

static Peer *
peer_new(const KvGrantsPeer *config)
{
    Peer *peer = g_new0(Peer, 1);

    memcpy(peer->public_key, config->public_key, KV_KEY_BYTES);
    peer->allowed_ips = copy_networks(config->allowed_ips, config->n_allowed_ips);
    for (guint i = 0; i < config->n_addresses; i++) {
        guint family = config->addresses[i].is_ip6 ? KV_FAMILY_IP6 : KV_FAMILY_IP4;

        peer->fixed.ip[family] = config->addresses[i];
    }
    return peer;
}

void
kv_grants_set_peers(KvGrants *self, const KvGrantsPeer *peers, guint n)
{
    g_autoptr(GArray) fixed = g_array_new(FALSE, FALSE, sizeof(KvNetwork));

    g_hash_table_remove_all(self->peers);
    for (guint i = 0; i < n; i++) {
        Peer *peer = peer_new(&peers[i]);

        g_hash_table_replace(self->peers, peer->public_key, peer);
        g_array_append_vals(fixed, peers[i].addresses, peers[i].n_addresses);
    }
    kv_leases_set_fixed(self->leases, (const KvNetwork *) (gpointer) fixed->data, fixed->len);
}

static const Peer *
find_peer(const KvGrants *self, const uint8_t *public_key)
{
    return public_key != NULL ? g_hash_table_lookup(self->peers, public_key) : NULL;
}

gboolean
kv_grants_has_peer(const KvGrants *self, const uint8_t public_key[KV_KEY_BYTES])
{
    return find_peer(self, public_key) != NULL;
}

/* --- who ------------------------------------------------------------------------------------ */

/* (transfer full) (nullable): what a client is known by when it comes back. A key's text and an id
 * cannot be taken for each other. */
static char *
make_name(const uint8_t *public_key, const char *client_id)
{
    char text[KV_KEY_TEXT_BYTES];

    if (public_key != NULL)
        return g_strdup_printf("key %s", kv_key_to_string(public_key, text));
    return *client_id != '\0' ? g_strdup_printf("id %s", client_id) : NULL;
}

KvLeaseId
kv_grants_find_holder(const KvGrants *self, const uint8_t *public_key, const char *client_id)
{
    g_autofree char *name = make_name(public_key, client_id);

    return name != NULL ? kv_leases_find_holder(self->leases, name) : 0;
}

/* --- answering ------------------------------------------------------------------------------ */

void
kv_grants_refuse(KvNativeConfig *grant, KvRefusal refusal, const char *text)
{
    kv_native_config_clear(grant);
    kv_native_config_init(grant);
    grant->refusal = refusal;
    grant->refusal_text = g_strdup(text);
}

static const char *
mode_to_string(KvVniMode mode)
{
    return mode == KV_VNI_MODE_TAP ? "tap" : "tun";
}

static uint16_t
get_mtu(const KvGrants *self, const KvNativeConfig *request)
{
    return request->mtu != 0 ? MIN(request->mtu, self->mtu) : self->mtu;
}

/* IPv6 is there for who has an address of it here, or the means to get one. */
static gboolean
has_ip6(const KvGrants *self)
{
    for (guint i = 0; i < self->locals->len; i++) {
        if (g_array_index(self->locals, KvNetwork, i).is_ip6)
            return TRUE;
    }
    return self->has_pool6;
}

static void
refuse_mtu(KvNativeConfig *grant)
{
    g_autofree char *text =
        g_strdup_printf("an IPv6 address needs an MTU of at least %d", MTU6_MIN);

    kv_grants_refuse(grant, KV_REFUSED_ADDRESS, text);
}

static gboolean
refuse_impossible(const KvGrants *self, const KvNativeConfig *request, KvNativeConfig *grant)
{
    g_autofree char *text = NULL;
    gboolean wants_ip6 = FALSE;

    if ((request->said & KV_SAID_MODE) != 0 && request->mode != self->mode) {
        text = g_strdup_printf("this server has a %s interface, not %s", mode_to_string(self->mode),
                               mode_to_string(request->mode));
        kv_grants_refuse(grant, KV_REFUSED_MODE, text);
        return TRUE;
    }
    for (guint i = 0; i < request->wants->len; i++)
        wants_ip6 |= g_array_index(request->wants, KvNetwork, i).is_ip6;
    if (wants_ip6 && !has_ip6(self)) {
        kv_grants_refuse(grant, KV_REFUSED_ADDRESS, "this server has no IPv6 addresses");
        return TRUE;
    }
    if (wants_ip6 && get_mtu(self, request) < MTU6_MIN) {
        refuse_mtu(grant);
        return TRUE;
    }
    return FALSE;
}

/* The prefix of the server's network around it, if it is in one. */
static KvNetwork
add_prefix(const KvGrants *self, const KvNetwork *address)
{
    KvNetwork result = *address;

    for (guint i = 0; i < self->locals->len; i++) {
        const KvNetwork *local = &g_array_index(self->locals, KvNetwork, i);

        if (kv_network_contains(local, address))
            result.prefix = MIN(result.prefix, local->prefix);
    }
    return result;
}

static void
describe_family(const KvGrants *self, const KvNetwork *address, KvNativeConfig *grant)
{
    KvNetwork with_prefix = add_prefix(self, address);

    g_array_append_val(grant->addresses, with_prefix);
    for (guint i = 0; i < self->locals->len; i++) {
        KvNetwork gateway = make_whole(&g_array_index(self->locals, KvNetwork, i));

        if (gateway.is_ip6 == address->is_ip6) {
            g_array_append_val(grant->gateways, gateway);
            break;
        }
    }
    for (guint i = 0; i < self->terms->routes->len; i++) {
        const KvNetwork *route = &g_array_index(self->terms->routes, KvNetwork, i);

        if (route->is_ip6 == address->is_ip6)
            g_array_append_vals(grant->routes, route, 1);
    }
}

/* What may change while a client is there. */
static void
describe_network(const KvGrants *self, const KvLeaseAddresses *addresses, KvNativeConfig *grant)
{
    const KvTunnelTerms *terms = self->terms;

    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        if (addresses->ip[family].prefix != 0)
            describe_family(self, &addresses->ip[family], grant);
    }
    g_array_append_vals(grant->dns, terms->dns->data, terms->dns->len);
    for (guint i = 0; terms->domains[i] != NULL; i++)
        g_ptr_array_add(grant->domains, g_strdup(terms->domains[i]));
}

static void
describe(const KvGrants *self, const KvLeaseAddresses *addresses, const KvNativeConfig *request,
         KvNativeConfig *grant)
{
    grant->mode = self->mode;
    grant->said |= KV_SAID_MODE;
    grant->mtu = get_mtu(self, request);
    describe_network(self, addresses, grant);
}

static void
refuse_address(const KvLeaseAddresses *addresses, KvNativeConfig *grant)
{
    char text[KV_NETWORK_TEXT_BYTES];
    g_autofree char *why = NULL;
    /* Families are chosen in turn, so the last one is at fault. */
    guint family = addresses->ip[KV_FAMILY_IP6].prefix != 0 ? KV_FAMILY_IP6 : KV_FAMILY_IP4;

    why = g_strdup_printf("address %s is taken or not assignable",
                          kv_network_to_string(&addresses->ip[family], text));
    kv_grants_refuse(grant, KV_REFUSED_ADDRESS, why);
}

/* What is fixed for it in families that it can have. */
static void
get_fixed(const KvGrants *self, const Peer *peer, uint16_t mtu, KvLeaseAddresses *fixed)
{
    *fixed = peer->fixed;
    if (MIN(mtu != 0 ? mtu : self->mtu, self->mtu) < MTU6_MIN)
        fixed->ip[KV_FAMILY_IP6] = (KvNetwork){0};
}

KvGrantsChange
kv_grants_refresh(KvGrants *self, KvLeaseId lease, const uint8_t public_key[KV_KEY_BYTES],
                  uint16_t mtu)
{
    const Peer *peer = find_peer(self, public_key);
    KvLeaseAddresses addresses;
    KvLeaseAddresses fixed;
    gboolean is_same = TRUE;

    if (peer == NULL || !kv_leases_get(self->leases, lease, &addresses))
        return KV_GRANTS_TAKEN;
    get_fixed(self, peer, mtu, &fixed);
    for (guint family = 0; family < KV_N_FAMILIES; family++)
        is_same &= fixed.ip[family].prefix == 0 ||
                   kv_network_equal(&fixed.ip[family], &addresses.ip[family]);
    if (is_same)
        return KV_GRANTS_SAME;
    return kv_leases_move(self->leases, lease, &fixed) ? KV_GRANTS_MOVED : KV_GRANTS_TAKEN;
}

/* Whether a larger MTU is all that it would take to be given an address. */
static gboolean
lacks_mtu6(const KvGrants *self, const KvLeaseClient *who, const Peer *peer,
           const KvLeaseAddresses *addresses)
{
    return !who->has_mtu6 && addresses->ip[KV_FAMILY_IP4].prefix == 0 &&
           (self->has_pool6 || (peer != NULL && peer->fixed.ip[KV_FAMILY_IP6].prefix != 0));
}

KvLeaseId
kv_grants_answer(KvGrants *self, const KvGrantsClient *client, const KvNativeConfig *request,
                 KvTime now, KvNativeConfig *grant)
{
    static const KvLeaseAddresses none;
    g_autofree char *name =
        client->is_apart ? NULL : make_name(client->public_key, request->client_id);
    const Peer *peer = find_peer(self, client->public_key);
    const KvLeaseClient who = {
        .name = name,
        .from = client->from,
        .is_proved = client->public_key != NULL,
        .has_mtu6 = get_mtu(self, request) >= MTU6_MIN,
    };
    KvLeaseAddresses addresses;
    KvLeaseId lease = 0;

    if (refuse_impossible(self, request, grant))
        return 0;
    switch (kv_leases_offer(self->leases, &who, peer != NULL ? &peer->fixed : &none,
                            (const KvNetwork *) (gpointer) request->wants->data,
                            request->wants->len, now, &lease, &addresses)) {
    case KV_LEASES_OFFERED:
        if (!lacks_mtu6(self, &who, peer, &addresses)) {
            describe(self, &addresses, request, grant);
            break;
        }
        refuse_mtu(grant);
        lease = 0;
        break;
    case KV_LEASES_NONE_LEFT:
        kv_grants_refuse(grant, KV_REFUSED_EXHAUSTED, "no assignable address is left");
        break;
    case KV_LEASES_NOT_ALLOWED:
        refuse_address(&addresses, grant);
        break;
    }
    return lease;
}

gboolean
kv_grants_repeat(KvGrants *self, KvLeaseId lease, const KvNativeConfig *request,
                 KvNativeConfig *grant)
{
    KvLeaseAddresses addresses;

    if (!kv_leases_get(self->leases, lease, &addresses))
        return FALSE;
    describe(self, &addresses, request, grant);
    return TRUE;
}

gboolean
kv_grants_tell(const KvGrants *self, KvLeaseId lease, KvNativeConfig *news)
{
    KvLeaseAddresses addresses;

    if (!kv_leases_get(self->leases, lease, &addresses))
        return FALSE;
    describe_network(self, &addresses, news);
    return TRUE;
}

GArray *
kv_grants_list_networks(const KvGrants *self, KvLeaseId lease, const uint8_t *public_key)
{
    GArray *networks = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    const Peer *peer = find_peer(self, public_key);
    KvLeaseAddresses addresses;

    kv_leases_get(self->leases, lease, &addresses);
    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        if (addresses.ip[family].prefix != 0)
            g_array_append_val(networks, addresses.ip[family]);
    }
    if (peer != NULL)
        g_array_append_vals(networks, peer->allowed_ips->data, peer->allowed_ips->len);
    return networks;
}
