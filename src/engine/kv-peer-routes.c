/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer-routes.h"

#include <string.h>

GArray *
kv_peer_routes_list(const KvPeerSettings *peer)
{
    GArray *networks = kv_peer_settings_list_networks(peer, KV_PEER_SETTING_ALLOWED_IPS);
    g_autoptr(GArray) routes = kv_peer_settings_list_networks(peer, KV_PEER_SETTING_ROUTES);

    return g_array_append_vals(networks, routes->data, routes->len);
}

/* Many write it in halves, which leave another default route as it is. */
static gboolean
is_default(const KvNetwork *network)
{
    return network->prefix <= 1;
}

static void
get_endpoint(const KvSockaddr *place, KvNetwork *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    KvEndpoint endpoint;
    gboolean is_ip4;

    kv_sockaddr_to_endpoint(place, &endpoint);
    is_ip4 = memcmp(endpoint.ip, mapped, sizeof mapped) == 0;
    *address = (KvNetwork){.is_ip6 = !is_ip4, .prefix = is_ip4 ? 32 : 128};
    memcpy(address->ip, endpoint.ip + (is_ip4 ? sizeof mapped : 0), is_ip4 ? 4 : 16);
}

gboolean
kv_peer_routes_depend_on(const GArray *networks, const KvSockaddr *place)
{
    KvNetwork endpoint;

    get_endpoint(place, &endpoint);
    for (guint i = 0; i < networks->len; i++) {
        const KvNetwork *network = &g_array_index(networks, KvNetwork, i);

        if (is_default(network) || kv_network_contains(network, &endpoint))
            return TRUE;
    }
    return FALSE;
}

void
kv_peer_routes_add(const GArray *networks, const KvSockaddr *place, GArray *routes,
                   GArray *endpoints)
{
    KvNetwork endpoint;

    for (guint i = 0; i < networks->len; i++) {
        const KvNetwork *network = &g_array_index(networks, KvNetwork, i);

        if (!is_default(network) || place != NULL)
            g_array_append_val(routes, *network);
    }
    if (place == NULL || !kv_peer_routes_depend_on(networks, place))
        return;
    get_endpoint(place, &endpoint);
    g_array_append_val(endpoints, endpoint);
}
