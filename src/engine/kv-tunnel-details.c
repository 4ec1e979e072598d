/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-details.h"

void
kv_tunnel_details_init(KvTunnelDetails *details)
{
    *details = (KvTunnelDetails){
        .addresses = g_array_new(FALSE, FALSE, sizeof(KvTunnelNetwork)),
        .routes = g_array_new(FALSE, FALSE, sizeof(KvTunnelNetwork)),
        .dns = g_array_new(FALSE, FALSE, sizeof(KvNetwork)),
        .domains = g_ptr_array_new_with_free_func(g_free),
    };
}

void
kv_tunnel_details_clear(KvTunnelDetails *details)
{
    g_clear_pointer(&details->interface, g_free);
    g_clear_pointer(&details->endpoint, g_free);
    g_clear_pointer(&details->addresses, g_array_unref);
    g_clear_pointer(&details->routes, g_array_unref);
    g_clear_pointer(&details->dns, g_array_unref);
    g_clear_pointer(&details->domains, g_ptr_array_unref);
    g_clear_pointer(&details->banner, g_free);
}

static void
copy_texts(GPtrArray *to, const GPtrArray *from)
{
    for (guint i = 0; i < from->len; i++)
        g_ptr_array_add(to, g_strdup(g_ptr_array_index(from, i)));
}

void
kv_tunnel_details_copy(KvTunnelDetails *to, const KvTunnelDetails *from)
{
    KvTunnelDetails copy;

    kv_tunnel_details_init(&copy);
    copy.interface = g_strdup(from->interface);
    copy.endpoint = g_strdup(from->endpoint);
    copy.protocol = from->protocol;
    copy.cipher = from->cipher;
    copy.why = from->why;
    copy.vni_mode = from->vni_mode;
    copy.mtu = from->mtu;
    g_array_append_vals(copy.addresses, from->addresses->data, from->addresses->len);
    g_array_append_vals(copy.routes, from->routes->data, from->routes->len);
    g_array_append_vals(copy.dns, from->dns->data, from->dns->len);
    copy_texts(copy.domains, from->domains);
    copy.banner = g_strdup(from->banner);
    kv_tunnel_details_clear(to);
    *to = copy;
}

static gboolean
equal_networks(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        const KvTunnelNetwork *x = &g_array_index(a, KvTunnelNetwork, i);
        const KvTunnelNetwork *y = &g_array_index(b, KvTunnelNetwork, i);

        if (!kv_network_equal(&x->network, &y->network) || !kv_network_equal(&x->via, &y->via))
            return FALSE;
    }
    return TRUE;
}

static gboolean
equal_names(const KvTunnelDetails *a, const KvTunnelDetails *b)
{
    if (a->dns->len != b->dns->len || a->domains->len != b->domains->len)
        return FALSE;
    for (guint i = 0; i < a->dns->len; i++) {
        if (!kv_network_equal(&g_array_index(a->dns, KvNetwork, i),
                              &g_array_index(b->dns, KvNetwork, i)))
            return FALSE;
    }
    for (guint i = 0; i < a->domains->len; i++) {
        if (!g_str_equal(g_ptr_array_index(a->domains, i), g_ptr_array_index(b->domains, i)))
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_tunnel_details_equal(const KvTunnelDetails *a, const KvTunnelDetails *b)
{
    return g_strcmp0(a->interface, b->interface) == 0 && g_strcmp0(a->endpoint, b->endpoint) == 0 &&
           g_strcmp0(a->protocol, b->protocol) == 0 && g_strcmp0(a->cipher, b->cipher) == 0 &&
           g_strcmp0(a->why, b->why) == 0 && a->vni_mode == b->vni_mode && a->mtu == b->mtu &&
           equal_networks(a->addresses, b->addresses) && equal_networks(a->routes, b->routes) &&
           equal_names(a, b) && g_strcmp0(a->banner, b->banner) == 0;
}

void
kv_tunnel_details_forget_grant(KvTunnelDetails *details)
{
    g_array_set_size(details->addresses, 0);
    g_array_set_size(details->routes, 0);
    g_array_set_size(details->dns, 0);
    g_ptr_array_set_size(details->domains, 0);
    g_clear_pointer(&details->banner, g_free);
}

void
kv_tunnel_details_add_ip4(KvTunnelDetails *details, KvIp4 ip, guint prefix, KvIp4 peer)
{
    KvTunnelNetwork address = {0};

    if (ip == 0)
        return;
    kv_network_set_ip4(&address.network, ip, prefix);
    if (peer != 0)
        kv_network_set_ip4(&address.via, peer, 32);
    g_array_append_val(details->addresses, address);
}

const char *
kv_tunnel_networks_find_ip6(const GArray *networks, char text[KV_NETWORK_TEXT_BYTES])
{
    for (guint i = 0; i < networks->len; i++) {
        KvNetwork address = g_array_index(networks, KvTunnelNetwork, i).network;

        if (!address.is_ip6)
            continue;
        address.prefix = (uint8_t) kv_network_get_bits(&address);
        return kv_network_to_string(&address, text);
    }
    return NULL;
}

char *
kv_tunnel_networks_describe(const GArray *networks)
{
    GString *text = g_string_new(networks->len == 0 ? "no address" : NULL);

    for (guint i = 0; i < networks->len; i++) {
        KvNetwork address = g_array_index(networks, KvTunnelNetwork, i).network;
        char one[KV_NETWORK_TEXT_BYTES];

        address.prefix = (uint8_t) kv_network_get_bits(&address);
        g_string_append_printf(text, "%s%s", i > 0 ? " and " : "address ",
                               kv_network_to_string(&address, one));
    }
    return g_string_free(text, FALSE);
}

static KvNetwork
find_gateway(const KvNativeConfig *grant, gboolean is_ip6)
{
    for (guint i = 0; i < grant->gateways->len; i++) {
        const KvNetwork *gateway = &g_array_index(grant->gateways, KvNetwork, i);

        if (gateway->is_ip6 == is_ip6)
            return *gateway;
    }
    return (KvNetwork){0};
}

static void
add_networks(GArray *to, const GArray *from, const KvNativeConfig *grant, gboolean has_via)
{
    for (guint i = 0; i < from->len; i++) {
        KvTunnelNetwork network = {.network = g_array_index(from, KvNetwork, i)};

        if (has_via)
            network.via = find_gateway(grant, network.network.is_ip6);
        g_array_append_val(to, network);
    }
}

void
kv_tunnel_details_set_grant(KvTunnelDetails *details, const KvNativeConfig *grant)
{
    gboolean is_tap;

    kv_tunnel_details_forget_grant(details);
    if ((grant->said & KV_SAID_MODE) != 0)
        details->vni_mode = grant->mode;
    is_tap = details->vni_mode == KV_VNI_MODE_TAP;
    add_networks(details->addresses, grant->addresses, grant, !is_tap);
    add_networks(details->routes, grant->routes, grant, is_tap);
    g_array_append_vals(details->dns, grant->dns->data, grant->dns->len);
    copy_texts(details->domains, grant->domains);
    details->banner = g_strdup(grant->banner);
}
