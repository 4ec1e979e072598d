/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addresses-variant.h"

#include "kv-tunnel-details.h"

/* (transfer floating): the address alone. */
static GVariant *
address_to_variant(const KvNetwork *network)
{
    KvNetwork whole = *network;
    char text[KV_NETWORK_TEXT_BYTES];

    whole.prefix = (uint8_t) kv_network_get_bits(&whole);
    return g_variant_new_string(kv_network_to_string(&whole, text));
}

/* @key: of the address; @via: of where it leads. */
static GVariant *
networks_to_variant(const GArray *networks, const char *key, const char *via)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < networks->len; i++) {
        const KvTunnelNetwork *one = &g_array_index(networks, KvTunnelNetwork, i);

        g_variant_builder_open(&builder, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&builder, "{sv}", key, address_to_variant(&one->network));
        g_variant_builder_add(&builder, "{sv}", "prefix",
                              g_variant_new_uint32(one->network.prefix));
        if (one->via.prefix != 0)
            g_variant_builder_add(&builder, "{sv}", via, address_to_variant(&one->via));
        g_variant_builder_close(&builder);
    }
    return g_variant_builder_end(&builder);
}

GVariant *
kv_addresses_to_variant(const GArray *addresses)
{
    return networks_to_variant(addresses, "address", "peer");
}

GVariant *
kv_routes_to_variant(const GArray *routes)
{
    return networks_to_variant(routes, "destination", "gateway");
}

GVariant *
kv_dns_to_variant(const GArray *servers, const GPtrArray *domains)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    GVariantBuilder builder;

    if (servers->len > 0) {
        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        for (guint i = 0; i < servers->len; i++)
            g_variant_builder_add_value(&builder,
                                        address_to_variant(&g_array_index(servers, KvNetwork, i)));
        g_variant_dict_insert_value(&dict, "servers", g_variant_builder_end(&builder));
    }
    if (domains->len > 0)
        g_variant_dict_insert_value(
            &dict, "search",
            g_variant_new_strv((const char *const *) domains->pdata, (gssize) domains->len));
    return g_variant_dict_end(&dict);
}
