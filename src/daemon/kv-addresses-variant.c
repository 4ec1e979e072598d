/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addresses-variant.h"

#include "kv-ip4.h"

GVariant *
kv_addresses_to_variant(KvIp4 ip, guint prefix, KvIp4 peer)
{
    GVariantBuilder builder;
    char text[KV_IP4_TEXT_BYTES];

    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    if (ip != 0) {
        g_variant_builder_open(&builder, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&builder, "{sv}", "address",
                              g_variant_new_string(kv_ip4_to_string(ip, text)));
        g_variant_builder_add(&builder, "{sv}", "prefix", g_variant_new_uint32(prefix));
        if (peer != 0)
            g_variant_builder_add(&builder, "{sv}", "peer",
                                  g_variant_new_string(kv_ip4_to_string(peer, text)));
        g_variant_builder_close(&builder);
    }
    return g_variant_builder_end(&builder);
}
