/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-nm-ip-config.h"
#include "kv-test.h"

#include <arpa/inet.h>
#include <string.h>

/* Properties are given as GVariant's text. What becomes of them is compared as lines KEY=VALUE, in
 * the order of the keys, with addresses as people write them. */

#define BASE                                                                                       \
    "'Interface': <'kvc0'>, 'Endpoint': <'203.0.113.1:1235'>, 'Mtu': <uint32 1400>, "              \
    "'Settings': <{'auto-reconnect': <true>}>, "
#define TUN "'Details': <{'link-type': <'tun'>}>, "
#define TAP "'Details': <{'link-type': <'tap'>}>, "
#define IP4 "{'address': <'10.1.0.2'>, 'prefix': <uint32 32>, 'peer': <'10.1.0.1'>}"
#define IP6 "{'address': <'fd00::2'>, 'prefix': <uint32 64>}"
#define CONFIG                                                                                     \
    "can-persist=true\ngateway=203.0.113.1\nhas-ip4=true\nhas-ip6=false\nmtu=uint32 1400\n"        \
    "tundev='kvc0'\n"
#define CONFIG6                                                                                    \
    "can-persist=true\ngateway=203.0.113.1\nhas-ip4=false\nhas-ip6=true\nmtu=uint32 1400\n"        \
    "tundev='kvc0'\n"
#define CONFIG46                                                                                   \
    "can-persist=true\ngateway=203.0.113.1\nhas-ip4=true\nhas-ip6=true\nmtu=uint32 1400\n"         \
    "tundev='kvc0'\n"
#define TUN4 "address=10.1.0.2\ndns=\nprefix=uint32 32\nptp=10.1.0.1\n"

static gboolean
is_address_key(const char *key)
{
    static const char *const keys[] = {"address", "ptp", "gateway", "internal-gateway", NULL};

    return g_strv_contains(keys, key);
}

static void
append_ip(GString *out, GVariant *value)
{
    char text[INET6_ADDRSTRLEN];
    guint32 number;
    gsize n = 0;
    gconstpointer bytes;

    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32)) {
        number = g_variant_get_uint32(value);
        g_string_append(out, inet_ntop(AF_INET, &number, text, sizeof(text)));
        return;
    }
    bytes = g_variant_get_fixed_array(value, &n, 1);
    g_assert_cmpuint(n, ==, 16);
    g_string_append(out, inet_ntop(AF_INET6, bytes, text, sizeof(text)));
}

static void
append_route(GString *out, GVariant *route)
{
    g_autoptr(GVariant) network = g_variant_get_child_value(route, 0);
    g_autoptr(GVariant) prefix = g_variant_get_child_value(route, 1);
    g_autoptr(GVariant) via = g_variant_get_child_value(route, 2);

    g_assert_cmpuint(g_variant_n_children(route), ==, 4);
    append_ip(out, network);
    g_string_append_printf(out, "/%u via ", g_variant_get_uint32(prefix));
    append_ip(out, via);
}

static void
append_value(GString *out, const char *key, GVariant *value)
{
    gboolean dns = strcmp(key, "dns") == 0;

    if (is_address_key(key)) {
        append_ip(out, value);
        return;
    }
    if (!dns && strcmp(key, "routes") != 0) {
        g_autofree char *text = g_variant_print(value, TRUE);

        g_string_append(out, text);
        return;
    }
    for (gsize i = 0; i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

        g_string_append(out, i > 0 ? "," : "");
        if (dns)
            append_ip(out, child);
        else
            append_route(out, child);
    }
}

static int
compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* (transfer full) (nullable) */
static char *
render(GVariant *dict)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    GString *out = g_string_new(NULL);
    GVariantIter iter;
    const char *key;
    GVariant *value;

    if (dict == NULL)
        return g_string_free(out, TRUE);
    g_assert_true(g_variant_is_of_type(dict, G_VARIANT_TYPE_VARDICT));
    g_variant_iter_init(&iter, dict);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        GString *line = g_string_new(key);

        g_string_append_c(line, '=');
        append_value(line, key, value);
        g_string_append_c(line, '\n');
        g_ptr_array_add(lines, g_string_free(line, FALSE));
    }
    g_ptr_array_sort(lines, compare);
    for (guint i = 0; i < lines->len; i++)
        g_string_append(out, lines->pdata[i]);
    return g_string_free(out, FALSE);
}

static GVariant *
parse(const char *text)
{
    g_autofree char *whole = g_strdup_printf("@a{sv} {%s}", text);
    g_autoptr(GError) error = NULL;
    GVariant *dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, whole, NULL, NULL, &error);

    g_assert_no_error(error);
    return dict;
}

/* @config, @ip4, @ip6: NULL: no dictionary */
static void
check(const char *tunnel, const char *config, const char *ip4, const char *ip6)
{
    g_autoptr(GVariant) properties = parse(tunnel);
    g_autoptr(GError) error = NULL;
    g_autoptr(KvNmIpConfig) made = kv_nm_ip_config_new(properties, &error);
    g_autofree char *got_config = NULL;
    g_autofree char *got_ip4 = NULL;
    g_autofree char *got_ip6 = NULL;

    g_assert_no_error(error);
    g_assert_nonnull(made);
    got_config = render(made->config);
    got_ip4 = render(made->ip4);
    got_ip6 = render(made->ip6);
    g_assert_cmpstr(got_config, ==, config);
    g_assert_cmpstr(got_ip4, ==, ip4);
    g_assert_cmpstr(got_ip6, ==, ip6);
}

/* Proves: a tun device has a peer, a tap device a gateway, if its network has it. */
static void
test_link_types(void)
{
    check(BASE TUN "'Addresses': <[" IP4 "]>", CONFIG, TUN4, NULL);
    check(BASE TAP "'Addresses': <[{'address': <'10.1.0.2'>, 'prefix': <uint32 24>, "
                   "'peer': <'10.1.0.1'>}]>",
          CONFIG, "address=10.1.0.2\ndns=\ninternal-gateway=10.1.0.1\nprefix=uint32 24\n", NULL);
    check(BASE TAP "'Addresses': <[{'address': <'10.1.0.2'>, 'prefix': <uint32 24>, "
                   "'peer': <'10.1.1.1'>}]>",
          CONFIG, "address=10.1.0.2\ndns=\nprefix=uint32 24\n", NULL);
    check(BASE TAP "'Addresses': <[{'address': <'fd00::2'>, 'prefix': <uint32 66>, "
                   "'peer': <'fd00::3fff:0:0:1'>}]>",
          CONFIG6, NULL,
          "address=fd00::2\ndns=\ninternal-gateway=fd00::3fff:0:0:1\nprefix=uint32 66\n");
    check(BASE TAP "'Addresses': <[{'address': <'fd00::2'>, 'prefix': <uint32 66>, "
                   "'peer': <'fd00::4000:0:0:1'>}]>",
          CONFIG6, NULL, "address=fd00::2\ndns=\nprefix=uint32 66\n");
    check(BASE TAP "'Addresses': <[{'address': <'10.1.0.2'>, 'prefix': <uint32 24>}]>", CONFIG,
          "address=10.1.0.2\ndns=\nprefix=uint32 24\n", NULL);
}

/* Proves: either family alone and both together; of several addresses the first of each counts. */
static void
test_families(void)
{
    check(BASE TUN "'Addresses': <[" IP6 "]>", CONFIG6, NULL,
          "address=fd00::2\ndns=\nprefix=uint32 64\n");
    check(BASE TUN "'Addresses': <[" IP6 ", " IP4 "]>", CONFIG46, TUN4,
          "address=fd00::2\ndns=\nprefix=uint32 64\n");
    check(BASE TUN "'Addresses': <[" IP4 ", {'address': <'10.9.0.9'>, 'prefix': <uint32 8>}]>",
          CONFIG, TUN4, NULL);
    check(BASE TUN "'Addresses': <[{'address': <'fd00::2'>, 'prefix': <uint32 128>, "
                   "'peer': <'fd00::1'>}]>",
          CONFIG6, NULL, "address=fd00::2\ndns=\nprefix=uint32 128\nptp=fd00::1\n");
}

/* Proves: without any address NetworkManager is told so, and the connection is complete. */
static void
test_no_address(void)
{
    check(BASE TAP "'Addresses': <@aa{sv} []>", CONFIG6, NULL, "");
    check(BASE "'Dns': <{'servers': <['10.1.0.53']>}>", CONFIG6, NULL, "");
}

/* Proves: a server that names routes keeps the default route where it is, one that names a default
 * route among them does not, and one that names none leaves it to the profile. */
static void
test_routes(void)
{
    check(BASE TUN "'Addresses': <[" IP4 ", " IP6 "]>, "
                   "'Routes': <[{'destination': <'10.2.0.0'>, 'prefix': <uint32 16>}, "
                   "{'destination': <'10.3.0.0'>, 'prefix': <uint32 16>, 'gateway': <'10.1.0.9'>}, "
                   "{'destination': <'fd01::'>, 'prefix': <uint32 48>, 'gateway': <'fd00::1'>}]>",
          CONFIG46,
          "address=10.1.0.2\ndns=\nnever-default=true\nprefix=uint32 32\nptp=10.1.0.1\n"
          "routes=10.2.0.0/16 via 0.0.0.0,10.3.0.0/16 via 10.1.0.9\n",
          "address=fd00::2\ndns=\nnever-default=true\nprefix=uint32 64\n"
          "routes=fd01::/48 via fd00::1\n");
    check(BASE TUN "'Addresses': <[" IP4 ", " IP6 "]>, "
                   "'Routes': <[{'destination': <'0.0.0.0'>, 'prefix': <uint32 0>, "
                   "'gateway': <'10.1.0.1'>}, "
                   "{'destination': <'10.2.0.0'>, 'prefix': <uint32 16>}]>",
          CONFIG46,
          "address=10.1.0.2\ndns=\ninternal-gateway=10.1.0.1\nnever-default=false\n"
          "prefix=uint32 32\nptp=10.1.0.1\nroutes=10.2.0.0/16 via 0.0.0.0\n",
          "address=fd00::2\ndns=\nnever-default=true\nprefix=uint32 64\nroutes=\n");
    /* As a tap device is given all of either family. */
    check(BASE TAP "'Addresses': <[{'address': <'10.1.0.2'>, 'prefix': <uint32 24>}, "
                   "{'address': <'fd00::2'>, 'prefix': <uint32 64>}]>, "
                   "'Routes': <[{'destination': <'0.0.0.0'>, 'prefix': <uint32 0>, "
                   "'gateway': <'10.1.0.1'>}, "
                   "{'destination': <'::'>, 'prefix': <uint32 0>, 'gateway': <'fd00::1'>}]>",
          CONFIG46,
          "address=10.1.0.2\ndns=\ninternal-gateway=10.1.0.1\nnever-default=false\n"
          "prefix=uint32 24\nroutes=\n",
          "address=fd00::2\ndns=\ninternal-gateway=fd00::1\nnever-default=false\n"
          "prefix=uint32 64\nroutes=\n");
    check(BASE TUN "'Addresses': <[" IP6 "]>, "
                   "'Routes': <[{'destination': <'::'>, 'prefix': <uint32 0>}]>",
          CONFIG6, NULL, "address=fd00::2\ndns=\nnever-default=false\nprefix=uint32 64\nroutes=\n");
}

/* Proves: name servers go to their family, domains, routing-only ones too, to each that is there.
 */
static void
test_dns(void)
{
    check(BASE TUN "'Addresses': <[" IP4 ", " IP6 "]>, "
                   "'Dns': <{'servers': <['10.1.0.53', 'fd00::53', '10.1.0.54']>, "
                   "'search': <['corp.example', '~internal.example']>}>",
          CONFIG46,
          "address=10.1.0.2\ndns=10.1.0.53,10.1.0.54\n"
          "domains=['corp.example', '~internal.example']\nprefix=uint32 32\nptp=10.1.0.1\n",
          "address=fd00::2\ndns=fd00::53\ndomains=['corp.example', '~internal.example']\n"
          "prefix=uint32 64\n");
}

/* Proves: the server's own address, a banner, an unknown MTU, and a daemon that will not connect
 * again. */
static void
test_config(void)
{
    check("'Interface': <'tun7'>, 'Endpoint': <'[2001:db8::1]:1235'>, "
          "'Details': <{'link-type': <'tun'>, 'banner': <'Be nice.\\nPlease.'>}>, "
          "'Addresses': <[" IP4 "]>",
          "banner='Be nice.\\nPlease.'\ncan-persist=false\ngateway=2001:db8::1\nhas-ip4=true\n"
          "has-ip6=false\ntundev='tun7'\n",
          TUN4, NULL);
    check("'Interface': <'tun7'>, 'Endpoint': <'[fe80::1%wan0]:1235'>, 'Mtu': <uint32 0>, " TUN
          "'Addresses': <[" IP4 "]>, 'Settings': <{'auto-reconnect': <false>}>",
          "can-persist=false\ngateway=fe80::1\nhas-ip4=true\nhas-ip6=false\ntundev='tun7'\n", TUN4,
          NULL);
}

/* Proves: what cannot be told NetworkManager is an error that names it. */
static void
test_mistakes(void)
{
    static const struct {
        const char *tunnel;
        const char *message;
    } cases[] = {
        {"'Endpoint': <'192.0.2.1:1'>", "the tunnel's interface cannot be used: \"\""},
        {"'Interface': <'kvc0'>", "the tunnel's endpoint cannot be used: \"\""},
        {"'Interface': <'kvc0'>, 'Endpoint': <'host:1'>",
         "the tunnel's endpoint cannot be used: \"host:1\""},
        {"'Interface': <'kvc0'>, 'Endpoint': <'[2001:db8]:1'>",
         "the tunnel's endpoint cannot be used: \"[2001:db8]:1\""},
        {BASE "'Addresses': <[{'address': <'10.1.0'>, 'prefix': <uint32 24>}]>",
         "the tunnel's address cannot be used: \"{'address': <'10.1.0'>, 'prefix': <uint32 24>}\""},
        {BASE "'Addresses': <[{'address': <'10.1.0.2'>}]>",
         "the tunnel's address cannot be used: \"{'address': <'10.1.0.2'>}\""},
        {BASE "'Addresses': <[{'address': <'10.1.0.2'>, 'prefix': <uint32 33>}]>",
         "the tunnel's address cannot be used: \"{'address': <'10.1.0.2'>, 'prefix': <uint32 "
         "33>}\""},
        {BASE "'Addresses': <[{'address': <'10.1.0.2'>, 'prefix': <uint32 0>}]>",
         "the tunnel's address cannot be used: \"{'address': <'10.1.0.2'>, 'prefix': <uint32 "
         "0>}\""},
        {BASE
         "'Addresses': <[{'address': <'10.1.0.2'>, 'prefix': <uint32 32>, 'peer': <'fd00::1'>}]>",
         "the tunnel's peer cannot be used: \"{'address': <'10.1.0.2'>, 'prefix': <uint32 32>, "
         "'peer': "
         "<'fd00::1'>}\""},
        {BASE "'Routes': <[{'destination': <'fd00::'>, 'prefix': <uint32 129>}]>",
         "the tunnel's destination cannot be used: \"{'destination': <'fd00::'>, 'prefix': "
         "<uint32 129>}\""},
        {BASE "'Addresses': <[" IP4 "]>, 'Dns': <{'servers': <['ns1']>}>",
         "the tunnel's name server cannot be used: \"ns1\""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GVariant) tunnel = parse(cases[i].tunnel);
        g_autoptr(GError) error = NULL;

        g_assert_null(kv_nm_ip_config_new(tunnel, &error));
        g_assert_error(error, KV_ERROR, KV_ERROR_PROTOCOL);
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

/* Proves: the same properties make the same, each difference shows, and nothing is equal to
 * nothing. */
static void
test_equal(void)
{
    static const char *const tunnels[] = {
        BASE TUN "'Addresses': <[" IP4 "]>",
        BASE TUN "'Addresses': <[" IP6 "]>",
        BASE TUN "'Addresses': <[" IP4 ", " IP6 "]>",
        BASE TUN "'Addresses': <[" IP4 "]>, 'Dns': <{'servers': <['10.1.0.53']>}>",
        "'Interface': <'kvc0'>, 'Endpoint': <'203.0.113.2:1235'>, " TUN "'Addresses': <[" IP4 "]>",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(tunnels); i++) {
        g_autoptr(GVariant) tunnel = parse(tunnels[i]);
        g_autoptr(KvNmIpConfig) a = kv_nm_ip_config_new(tunnel, NULL);

        g_assert_false(kv_nm_ip_config_equal(a, NULL));
        g_assert_false(kv_nm_ip_config_equal(NULL, a));
        for (gsize k = 0; k < G_N_ELEMENTS(tunnels); k++) {
            g_autoptr(GVariant) other = parse(tunnels[k]);
            g_autoptr(KvNmIpConfig) b = kv_nm_ip_config_new(other, NULL);

            g_assert_cmpint(kv_nm_ip_config_equal(a, b), ==, i == k);
        }
    }
    g_assert_false(kv_nm_ip_config_equal(NULL, NULL));
}

/* Proves: without the way to the server, all else stays the same. */
static void
test_without_way(void)
{
    static const char *const endpoints[] = {"203.0.113.1:1235", "[2001:db8::1]:1235"};

    for (gsize i = 0; i < G_N_ELEMENTS(endpoints); i++) {
        g_autofree char *text =
            g_strdup_printf("'Interface': <'kvc0'>, 'Endpoint': <'%s'>, 'Mtu': <uint32 1400>, " TUN
                            "'Addresses': <[" IP4 "]>",
                            endpoints[i]);
        g_autoptr(GVariant) tunnel = parse(text);
        g_autoptr(KvNmIpConfig) config = kv_nm_ip_config_new(tunnel, NULL);
        g_autoptr(GVariant) got = g_variant_ref_sink(kv_nm_ip_config_without_way(config));
        g_auto(GVariantDict) back = G_VARIANT_DICT_INIT(got);
        g_autoptr(GVariant) gateway = g_variant_lookup_value(config->config, "gateway", NULL);
        g_autoptr(GVariant) same = NULL;
        guint32 address;

        g_assert_true(g_variant_lookup(got, "gateway", "u", &address));
        g_assert_cmphex(address, ==, htonl(INADDR_LOOPBACK));
        g_variant_dict_insert_value(&back, "gateway", gateway);
        same = g_variant_ref_sink(g_variant_dict_end(&back));
        g_assert_true(g_variant_equal(same, config->config));
    }
}

static KvNmIpConfig *
make_with_dns(const char *dns)
{
    g_autofree char *text =
        g_strdup_printf("{" BASE TUN "'Addresses': <[" IP4 ", " IP6 "]>%s}", dns);
    g_autoptr(GVariant) tunnel = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    KvNmIpConfig *config = kv_nm_ip_config_new(tunnel, NULL);

    g_assert_nonnull(config);
    return config;
}

/* Proves: another name server is one of its family alone, another domain one of both; none and an
 * empty list are the same. */
static void
test_equal_dns(void)
{
    static const struct {
        const char *dns;
        gboolean equal4, equal6;
    } cases[] = {
        {"", TRUE, TRUE},
        {", 'Dns': <{'servers': <@as []>}>", TRUE, TRUE},
        {", 'Mtu': <uint32 1200>", TRUE, TRUE},
        {", 'Dns': <{'servers': <['10.1.0.53']>}>", FALSE, TRUE},
        {", 'Dns': <{'servers': <['fd00::53']>}>", TRUE, FALSE},
        {", 'Dns': <{'search': <['corp.example']>}>", FALSE, FALSE},
    };
    g_autoptr(KvNmIpConfig) none = make_with_dns("");

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvNmIpConfig) other = make_with_dns(cases[i].dns);

        g_assert_cmpint(kv_nm_ip_config_equal_dns(none, other, TRUE), ==, cases[i].equal4);
        g_assert_cmpint(kv_nm_ip_config_equal_dns(other, none, FALSE), ==, cases[i].equal6);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/nm-ip-config/link-types", test_link_types);
    g_test_add_func("/nm-ip-config/families", test_families);
    g_test_add_func("/nm-ip-config/no-address", test_no_address);
    g_test_add_func("/nm-ip-config/routes", test_routes);
    g_test_add_func("/nm-ip-config/dns", test_dns);
    g_test_add_func("/nm-ip-config/config", test_config);
    g_test_add_func("/nm-ip-config/mistakes", test_mistakes);
    g_test_add_func("/nm-ip-config/equal", test_equal);
    g_test_add_func("/nm-ip-config/equal-dns", test_equal_dns);
    g_test_add_func("/nm-ip-config/without-way", test_without_way);
    return kv_test_main(&argc, &argv);
}
