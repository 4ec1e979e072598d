/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addresses-variant.h"
#include "kv-test.h"
#include "kv-tunnel-details.h"

static void
add(GArray *list, const char *text)
{
    KvNetwork network;

    g_assert_true(kv_network_parse(&network, text));
    g_array_append_val(list, network);
}

static void
fill_grant(KvNativeConfig *grant, KvVniMode mode)
{
    kv_native_config_init(grant);
    grant->said = KV_SAID_MODE;
    grant->mode = mode;
    add(grant->addresses, "10.0.0.2/24");
    add(grant->addresses, "fd00::2/64");
    add(grant->gateways, "10.0.0.1");
    add(grant->routes, "192.168.0.0/16");
    add(grant->routes, "::/0");
    add(grant->dns, "10.0.0.1");
    add(grant->dns, "fd00::1");
    g_ptr_array_add(grant->domains, g_strdup("example.org"));
    g_ptr_array_add(grant->domains, g_strdup("~."));
    grant->banner = g_strdup("Hello");
}

static void
assert_variant(GVariant *variant, const char *expected)
{
    g_autoptr(GVariant) owned = g_variant_take_ref(variant);
    g_autofree char *text = g_variant_print(owned, FALSE);

    g_assert_cmpstr(text, ==, expected);
}

/* Proves: the log names every address of either family, and says it if there is none. */
static void
test_description(void)
{
    g_auto(KvTunnelDetails) details = {0};
    g_autofree char *none = NULL;
    g_autofree char *one = NULL;
    g_autofree char *both = NULL;
    g_auto(KvNativeConfig) grant;

    kv_tunnel_details_init(&details);
    none = kv_tunnel_networks_describe(details.addresses);
    g_assert_cmpstr(none, ==, "no address");
    kv_tunnel_details_add_ip4(&details, 0x0a000002, 24, 0);
    one = kv_tunnel_networks_describe(details.addresses);
    g_assert_cmpstr(one, ==, "address 10.0.0.2");
    fill_grant(&grant, KV_VNI_MODE_TUN);
    kv_tunnel_details_set_grant(&details, &grant);
    both = kv_tunnel_networks_describe(details.addresses);
    g_assert_cmpstr(both, ==, "address 10.0.0.2 and fd00::2");
}

/* Proves: what a server granted reaches the bus with all it says: gateways are the other end of a
 * tun device, and on the way of a tap device's routes. */
static void
test_grant(void)
{
    for (KvVniMode mode = KV_VNI_MODE_TUN; mode <= KV_VNI_MODE_TAP; mode++) {
        gboolean is_tap = mode == KV_VNI_MODE_TAP;
        g_auto(KvTunnelDetails) details = {0};
        g_autoptr(GVariant) dns = NULL;
        g_auto(KvNativeConfig) grant;

        fill_grant(&grant, mode);
        kv_tunnel_details_init(&details);
        kv_tunnel_details_set_grant(&details, &grant);
        g_assert_cmpint(details.vni_mode, ==, mode);
        g_assert_cmpstr(details.banner, ==, "Hello");
        assert_variant(
            kv_addresses_to_variant(details.addresses),
            is_tap ? "[{'address': <'10.0.0.2'>, 'prefix': <uint32 24>}, {'address': <'fd00::2'>, "
                     "'prefix': <uint32 64>}]"
                   : "[{'address': <'10.0.0.2'>, 'prefix': <uint32 24>, 'peer': <'10.0.0.1'>}, "
                     "{'address': <'fd00::2'>, 'prefix': <uint32 64>}]");
        assert_variant(
            kv_routes_to_variant(details.routes),
            is_tap ? "[{'destination': <'192.168.0.0'>, 'prefix': <uint32 16>, 'gateway': "
                     "<'10.0.0.1'>}, {'destination': <'::'>, 'prefix': <uint32 0>}]"
                   : "[{'destination': <'192.168.0.0'>, 'prefix': <uint32 16>}, {'destination': "
                     "<'::'>, 'prefix': <uint32 0>}]");
        dns = g_variant_ref_sink(kv_dns_to_variant(details.dns, details.domains));
        g_assert_cmpuint(g_variant_n_children(dns), ==, 2);
        assert_variant(g_variant_lookup_value(dns, "search", NULL), "['example.org', '~.']");
        assert_variant(g_variant_lookup_value(dns, "servers", NULL), "['10.0.0.1', 'fd00::1']");
    }
}

/* Proves: a new grant replaces all of the one before, and no grant leaves nothing. */
static void
test_replace(void)
{
    g_auto(KvTunnelDetails) details = {0};
    g_auto(KvTunnelDetails) empty = {0};
    g_auto(KvNativeConfig) grant;

    kv_tunnel_details_init(&details);
    kv_tunnel_details_init(&empty);
    fill_grant(&grant, KV_VNI_MODE_TUN);
    kv_tunnel_details_set_grant(&details, &grant);
    kv_tunnel_details_set_grant(&details, &grant);
    g_assert_cmpuint(details.addresses->len, ==, 2);
    g_assert_cmpuint(details.domains->len, ==, 2);
    g_assert_false(kv_tunnel_details_equal(&details, &empty));
    kv_tunnel_details_forget_grant(&details);
    g_assert_true(kv_tunnel_details_equal(&details, &empty));
    details.why = "as crypt says";
    g_assert_false(kv_tunnel_details_equal(&details, &empty));
    kv_tunnel_details_copy(&empty, &details);
    g_assert_true(kv_tunnel_details_equal(&details, &empty));
    assert_variant(kv_addresses_to_variant(details.addresses), "[]");
    assert_variant(kv_dns_to_variant(details.dns, details.domains), "{}");
}

/* Proves: a copy is equal and its own, and every field tells two apart. */
static void
test_equal(void)
{
    g_auto(KvTunnelDetails) a = {0};
    g_auto(KvTunnelDetails) b = {0};
    g_auto(KvNativeConfig) grant;
    KvTunnelNetwork *route;

    kv_tunnel_details_init(&a);
    fill_grant(&grant, KV_VNI_MODE_TUN);
    kv_tunnel_details_set_grant(&a, &grant);
    kv_tunnel_details_add_ip4(&a, 0, 32, 1);
    kv_tunnel_details_add_ip4(&a, 0x0a000005, 32, 0x0a000001);
    g_assert_cmpuint(a.addresses->len, ==, 3);
    kv_tunnel_details_copy(&b, &a);
    g_assert_true(kv_tunnel_details_equal(&a, &b));
    route = &g_array_index(b.routes, KvTunnelNetwork, 1);
    route->network.prefix = 1;
    g_assert_false(kv_tunnel_details_equal(&a, &b));
    kv_tunnel_details_copy(&b, &a);
    b.protocol = "native";
    g_assert_false(kv_tunnel_details_equal(&a, &b));
    kv_tunnel_details_copy(&b, &a);
    g_ptr_array_set_size(b.domains, 1);
    g_assert_false(kv_tunnel_details_equal(&a, &b));
    kv_tunnel_details_copy(&b, &a);
    g_clear_pointer(&b.banner, g_free);
    g_assert_false(kv_tunnel_details_equal(&a, &b));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/tunnel-details/description", test_description);
    g_test_add_func("/tunnel-details/grant", test_grant);
    g_test_add_func("/tunnel-details/replace", test_replace);
    g_test_add_func("/tunnel-details/equal", test_equal);
    return kv_test_main(&argc, &argv);
}
