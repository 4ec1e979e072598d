/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-ip-config.h"

#include "kv-error.h"
#include "kv-text.h"

#include <NetworkManager.h>
#include <arpa/inet.h>
#include <string.h>

typedef struct {
    int family; /* AF_UNSPEC: none */
    union {
        struct in_addr ip4;
        struct in6_addr ip6;
    };
} Address;

/* An address of the tunnel, a route, or where either leads. */
typedef struct {
    Address address;
    guint32 prefix;
    Address via; /* peer or gateway */
} Network;

typedef struct {
    int family;
    const Network *own; /* the tunnel's address; NULL: none of this family */
    GArray *routes;     /* Network, of both families */
    GVariant *dns;      /* a{sv} */
    gboolean is_tap;
} Family;

/* --- from the daemon's texts ----------------------------------------------------------------- */

static gboolean
fail(GError **error, const char *what, const char *text)
{
    g_autofree char *shown = kv_text_make_printable(text);

    g_set_error(error, KV_ERROR, KV_ERROR_PROTOCOL, "the tunnel's %s cannot be used: \"%s\"", what,
                shown);
    return FALSE;
}

static gboolean
parse_address(const char *text, Address *address)
{
    *address = (Address){.family = AF_INET};
    if (inet_pton(AF_INET, text, &address->ip4) == 1)
        return TRUE;
    *address = (Address){.family = AF_INET6};
    if (inet_pton(AF_INET6, text, &address->ip6) == 1)
        return TRUE;
    *address = (Address){.family = AF_UNSPEC};
    return FALSE;
}

static guint
get_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

/* @what: the key of the address, @via: that of where it leads. */
static gboolean
parse_network(GVariant *dict, const char *what, const char *via, guint min_prefix, Network *network,
              GError **error)
{
    g_autofree char *shown = g_variant_print(dict, FALSE);
    const char *text;

    *network = (Network){0};
    if (!g_variant_lookup(dict, what, "&s", &text) || !parse_address(text, &network->address) ||
        !g_variant_lookup(dict, "prefix", "u", &network->prefix) ||
        network->prefix > get_bits(network->address.family) || network->prefix < min_prefix)
        return fail(error, what, shown);
    if (g_variant_lookup(dict, via, "&s", &text) &&
        (!parse_address(text, &network->via) || network->via.family != network->address.family))
        return fail(error, via, shown);
    return TRUE;
}

/* (transfer full) (nullable) (element-type Network) */
static GArray *
parse_networks(GVariant *tunnel, const char *property, const char *what, const char *via,
               guint min_prefix, GError **error)
{
    g_autoptr(GArray) networks = g_array_new(FALSE, FALSE, sizeof(Network));
    g_autoptr(GVariant) list = g_variant_lookup_value(tunnel, property, G_VARIANT_TYPE("aa{sv}"));
    GVariantIter iter;
    GVariant *dict;

    if (list == NULL)
        return g_steal_pointer(&networks);
    g_variant_iter_init(&iter, list);
    while ((dict = g_variant_iter_next_value(&iter)) != NULL) {
        g_autoptr(GVariant) owned = dict;
        Network network;

        if (!parse_network(owned, what, via, min_prefix, &network, error))
            return NULL;
        g_array_append_val(networks, network);
    }
    return g_steal_pointer(&networks);
}

/* "192.0.2.1:9999" or "[fe80::1%eth0]:9999" */
static gboolean
parse_endpoint(const char *text, Address *address, GError **error)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;

    if (colon == NULL)
        return fail(error, "endpoint", text);
    host = g_strndup(text, (gsize) (colon - text));
    if (host[0] == '[') {
        memmove(host, host + 1, strlen(host));
        host[strcspn(host, "%]")] = '\0';
    }
    return parse_address(host, address) || fail(error, "endpoint", text);
}

/* --- to NetworkManager's numbers ------------------------------------------------------------- */

/* (transfer floating): IPv4 as it lies in memory, IPv6 as bytes. */
static GVariant *
address_to_variant(const Address *address)
{
    if (address->family == AF_INET)
        return g_variant_new_uint32(address->ip4.s_addr);
    return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, &address->ip6, sizeof(address->ip6), 1);
}

static void
insert_address(GVariantDict *dict, const char *key, const Address *address)
{
    g_variant_dict_insert_value(dict, key, address_to_variant(address));
}

/* (transfer floating): network, prefix, next hop, and a metric that NetworkManager ignores. */
static GVariant *
route_to_variant(const Network *route)
{
    if (route->address.family == AF_INET) {
        guint32 numbers[] = {route->address.ip4.s_addr, route->prefix, route->via.ip4.s_addr, 0};

        return g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, numbers, G_N_ELEMENTS(numbers),
                                         sizeof(numbers[0]));
    }
    return g_variant_new(
        "(@ayu@ayu)", address_to_variant(&route->address), route->prefix,
        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, &route->via.ip6, sizeof(route->via.ip6), 1),
        (guint32) 0);
}

static gboolean
has_default_route(const Family *family, Address *gateway)
{
    for (guint i = 0; i < family->routes->len; i++) {
        const Network *route = &g_array_index(family->routes, Network, i);

        if (route->address.family == family->family && route->prefix == 0) {
            *gateway = route->via;
            return TRUE;
        }
    }
    return FALSE;
}

static void
add_routes(GVariantDict *dict, const Family *family)
{
    GVariantBuilder builder;
    Address gateway = {0};

    if (family->routes->len == 0)
        return;
    g_variant_builder_init(&builder,
                           G_VARIANT_TYPE(family->family == AF_INET ? "aau" : "a(ayuayu)"));
    for (guint i = 0; i < family->routes->len; i++) {
        const Network *route = &g_array_index(family->routes, Network, i);

        /* NetworkManager makes the default route itself, unless the profile says never. */
        if (route->address.family == family->family && route->prefix > 0)
            g_variant_builder_add_value(&builder, route_to_variant(route));
    }
    g_variant_dict_insert_value(dict, NM_VPN_PLUGIN_IP4_CONFIG_ROUTES,
                                g_variant_builder_end(&builder));
    g_variant_dict_insert(dict, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT, "b",
                          !has_default_route(family, &gateway));
    if (gateway.family != AF_UNSPEC)
        insert_address(dict, NM_VPN_PLUGIN_IP4_CONFIG_INT_GATEWAY, &gateway);
}

static gboolean
add_dns(GVariantDict *dict, const Family *family, GError **error)
{
    g_autofree const char **servers = NULL;
    g_autofree const char **search = NULL;
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(family->family == AF_INET ? "au" : "aay"));
    g_variant_lookup(family->dns, "servers", "^a&s", &servers);
    for (guint i = 0; servers != NULL && servers[i] != NULL; i++) {
        Address address;

        if (!parse_address(servers[i], &address)) {
            g_variant_builder_clear(&builder);
            return fail(error, "name server", servers[i]);
        }
        if (address.family == family->family)
            g_variant_builder_add_value(&builder, address_to_variant(&address));
    }
    g_variant_dict_insert_value(dict, NM_VPN_PLUGIN_IP4_CONFIG_DNS,
                                g_variant_builder_end(&builder));
    if (g_variant_lookup(family->dns, "search", "^a&s", &search))
        g_variant_dict_insert(dict, NM_VPN_PLUGIN_IP4_CONFIG_DOMAINS, "^as", search);
    return TRUE;
}

static gboolean
in_same_network(const Network *network)
{
    const uint8_t *a = (const uint8_t *) &network->address.ip6;
    const uint8_t *b = (const uint8_t *) &network->via.ip6;
    guint whole = network->prefix / 8;
    guint rest = network->prefix % 8;

    /* Both families' addresses lie at the same place, in network order. */
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static void
add_other_end(GVariantDict *dict, const Family *family)
{
    const Network *own = family->own;

    if (own->via.family == AF_UNSPEC)
        return;
    if (!family->is_tap)
        insert_address(dict, NM_VPN_PLUGIN_IP4_CONFIG_PTP, &own->via);
    else if (in_same_network(own))
        insert_address(dict, NM_VPN_PLUGIN_IP4_CONFIG_INT_GATEWAY, &own->via);
}

/* NetworkManager calls the keys of both families the same. */
static gboolean
make_family(const Family *family, GVariant **out, GError **error)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    if (family->own == NULL)
        return TRUE;
    insert_address(&dict, NM_VPN_PLUGIN_IP4_CONFIG_ADDRESS, &family->own->address);
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_IP4_CONFIG_PREFIX, "u", family->own->prefix);
    add_other_end(&dict, family);
    add_routes(&dict, family);
    if (!add_dns(&dict, family, error))
        return FALSE;
    *out = g_variant_ref_sink(g_variant_dict_end(&dict));
    return TRUE;
}

/* (transfer none) (nullable): NetworkManager can take one of each family. */
static const Network *
find_own(GArray *addresses, int family)
{
    for (guint i = 0; i < addresses->len; i++) {
        const Network *own = &g_array_index(addresses, Network, i);

        if (own->address.family == family)
            return own;
    }
    return NULL;
}

/* --- the three dictionaries ------------------------------------------------------------------ */

/* (transfer full): the a{sv} of that name, or an empty one. */
static GVariant *
get_dict(GVariant *tunnel, const char *property)
{
    GVariant *dict = g_variant_lookup_value(tunnel, property, G_VARIANT_TYPE_VARDICT);

    return dict != NULL ? dict : g_variant_ref_sink(g_variant_new("a{sv}", NULL));
}

static void
add_banner(GVariantDict *dict, GVariant *details)
{
    const char *banner;

    if (g_variant_lookup(details, "banner", "&s", &banner) && banner[0] != '\0')
        g_variant_dict_insert(dict, NM_VPN_PLUGIN_CONFIG_BANNER, "s", banner);
}

/* Whether the daemon connects again by itself, also when the network under the tunnel changes. Only
 * if it does not is it for NetworkManager to activate the profile anew. */
static gboolean
can_persist(GVariant *tunnel)
{
    g_autoptr(GVariant) settings = get_dict(tunnel, "Settings");
    gboolean reconnects = FALSE;

    g_variant_lookup(settings, "auto-reconnect", "b", &reconnects);
    return reconnects;
}

static gboolean
make_config(KvNmIpConfig *config, GVariant *tunnel, GVariant *details, GError **error)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    const char *interface = "";
    const char *endpoint = "";
    guint32 mtu = 0;
    Address gateway;

    g_variant_lookup(tunnel, "Interface", "&s", &interface);
    g_variant_lookup(tunnel, "Endpoint", "&s", &endpoint);
    g_variant_lookup(tunnel, "Mtu", "u", &mtu);
    if (interface[0] == '\0')
        return fail(error, "interface", interface);
    if (!parse_endpoint(endpoint, &gateway, error))
        return FALSE;
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_TUNDEV, "s", interface);
    insert_address(&dict, NM_VPN_PLUGIN_CONFIG_EXT_GATEWAY, &gateway);
    if (mtu != 0)
        g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_MTU, "u", mtu);
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_HAS_IP4, "b", config->ip4 != NULL);
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CONFIG_HAS_IP6, "b", config->ip6 != NULL);
    g_variant_dict_insert(&dict, NM_VPN_PLUGIN_CAN_PERSIST, "b", can_persist(tunnel));
    add_banner(&dict, details);
    config->config = g_variant_ref_sink(g_variant_dict_end(&dict));
    return TRUE;
}

KvNmIpConfig *
kv_nm_ip_config_new(GVariant *tunnel, GError **error)
{
    g_autoptr(KvNmIpConfig) config = g_new0(KvNmIpConfig, 1);
    g_autoptr(GVariant) details = get_dict(tunnel, "Details");
    g_autoptr(GVariant) dns = get_dict(tunnel, "Dns");
    g_autoptr(GArray) addresses = parse_networks(tunnel, "Addresses", "address", "peer", 1, error);
    g_autoptr(GArray) routes =
        addresses != NULL ? parse_networks(tunnel, "Routes", "destination", "gateway", 0, error)
                          : NULL;
    Family family = {.routes = routes, .dns = dns};
    const char *link_type = "";

    if (routes == NULL)
        return NULL;
    g_variant_lookup(details, "link-type", "&s", &link_type);
    family.is_tap = strcmp(link_type, "tap") == 0;
    family.family = AF_INET;
    family.own = find_own(addresses, AF_INET);
    if (!make_family(&family, &config->ip4, error))
        return NULL;
    family.family = AF_INET6;
    family.own = find_own(addresses, AF_INET6);
    if (!make_family(&family, &config->ip6, error))
        return NULL;
    if (config->ip4 == NULL && config->ip6 == NULL)
        config->ip6 = g_variant_ref_sink(g_variant_new("a{sv}", NULL));
    if (!make_config(config, tunnel, details, error))
        return NULL;
    return g_steal_pointer(&config);
}

GVariant *
kv_nm_ip_config_without_way(const KvNmIpConfig *config)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(config->config);
    const Address nowhere = {.family = AF_INET, .ip4.s_addr = htonl(INADDR_LOOPBACK)};

    insert_address(&dict, NM_VPN_PLUGIN_CONFIG_EXT_GATEWAY, &nowhere);
    return g_variant_dict_end(&dict);
}

void
kv_nm_ip_config_free(KvNmIpConfig *config)
{
    if (config == NULL)
        return;
    g_clear_pointer(&config->config, g_variant_unref);
    g_clear_pointer(&config->ip4, g_variant_unref);
    g_clear_pointer(&config->ip6, g_variant_unref);
    g_free(config);
}

static gboolean
equal(GVariant *a, GVariant *b)
{
    return a == b || (a != NULL && b != NULL && g_variant_equal(a, b));
}

gboolean
kv_nm_ip_config_equal(const KvNmIpConfig *a, const KvNmIpConfig *b)
{
    return a != NULL && b != NULL && equal(a->config, b->config) && equal(a->ip4, b->ip4) &&
           equal(a->ip6, b->ip6);
}

/* (transfer full) (nullable): %NULL also for an empty list. */
static GVariant *
get_list(GVariant *dict, const char *key)
{
    g_autoptr(GVariant) list = dict != NULL ? g_variant_lookup_value(dict, key, NULL) : NULL;

    return list != NULL && g_variant_n_children(list) > 0 ? g_steal_pointer(&list) : NULL;
}

static gboolean
equal_list(GVariant *a, GVariant *b, const char *key)
{
    g_autoptr(GVariant) list_a = get_list(a, key);
    g_autoptr(GVariant) list_b = get_list(b, key);

    return equal(list_a, list_b);
}

gboolean
kv_nm_ip_config_equal_dns(const KvNmIpConfig *a, const KvNmIpConfig *b, gboolean is_ip4)
{
    GVariant *dict_a = is_ip4 ? a->ip4 : a->ip6;
    GVariant *dict_b = is_ip4 ? b->ip4 : b->ip6;

    return equal_list(dict_a, dict_b, NM_VPN_PLUGIN_IP4_CONFIG_DNS) &&
           equal_list(dict_a, dict_b, NM_VPN_PLUGIN_IP4_CONFIG_DOMAINS);
}
