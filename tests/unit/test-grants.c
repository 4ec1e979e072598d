/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-grants.h"
#include "kv-test.h"

#include <string.h>

static const uint8_t key_a[KV_KEY_BYTES] = {1};
static const uint8_t key_b[KV_KEY_BYTES] = {2};

static KvNetwork
network_of(const char *text)
{
    KvNetwork network;

    g_assert_true(kv_network_parse(&network, text));
    return network;
}

/* A server with pools of both families at the upper ends of its networks' beginnings. */
static KvGrants *
make(void)
{
    static const char *const domains[] = {"example.org", "~example.net", NULL};
    const KvNetwork locals[] = {network_of("10.0.0.1/24"), network_of("fd00::1/64")};
    const KvNetwork routes[] = {network_of("192.168.0.0/16"), network_of("2001:db8::/32")};
    const KvNetwork dns[] = {network_of("10.0.0.1")};
    const KvGrantsConfig config = {
        .mode = KV_VNI_MODE_TUN,
        .mtu = 1400,
        .locals = locals,
        .n_locals = G_N_ELEMENTS(locals),
        .pool4 = "10.0.0.0/30",
        .pool6 = "fd00::/64",
        .is_classful = TRUE,
        .routes = routes,
        .n_routes = G_N_ELEMENTS(routes),
        .dns = dns,
        .n_dns = G_N_ELEMENTS(dns),
        .domains = domains,
    };
    g_autoptr(GError) error = NULL;
    KvGrants *grants = kv_grants_new(&config, &error);

    g_assert_no_error(error);
    return grants;
}

typedef struct {
    const char *id;
    const uint8_t *public_key;
    const char *want;
    gboolean has_mode;
    KvVniMode mode;
    uint16_t mtu;
    gboolean is_apart;
} Ask;

static KvLeaseId
ask(KvGrants *grants, const Ask *ask, KvNativeConfig *grant)
{
    g_auto(KvNativeConfig) request;
    const KvGrantsClient client = {ask->public_key, "192.0.2.1:7", ask->is_apart};

    kv_native_config_init(&request);
    kv_native_config_init(grant);
    g_strlcpy(request.client_id, ask->id != NULL ? ask->id : "", sizeof request.client_id);
    request.mtu = ask->mtu;
    request.mode = ask->mode;
    request.said = ask->has_mode ? KV_SAID_MODE : 0;
    if (ask->want != NULL) {
        KvNetwork want = network_of(ask->want);

        g_array_append_val(request.wants, want);
    }
    return kv_grants_answer(grants, &client, &request, 0, grant);
}

static void
assert_list(const GArray *list, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < list->len; i++) {
        char one[KV_NETWORK_TEXT_BYTES];

        g_string_append_printf(text, "%s%s", i > 0 ? " " : "",
                               kv_network_to_string(&g_array_index(list, KvNetwork, i), one));
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void
assert_networks(KvGrants *grants, KvLeaseId lease, const uint8_t *public_key, const char *expected)
{
    g_autoptr(GArray) networks = kv_grants_list_networks(grants, lease, public_key);

    assert_list(networks, expected);
}

/* Proves: a client gets an address of each family with the prefix of the server's network, and is
 * told of gateways, routes, name servers and domains; neither the server's own addresses nor the
 * ends of its network are given out. */
static void
test_grant(void)
{
    g_autoptr(KvGrants) grants = make();
    g_auto(KvNativeConfig) grant = {0};
    KvLeaseId lease = ask(grants, &(Ask){.id = "a", .mtu = 1500}, &grant);

    g_assert_cmpuint(lease, !=, 0);
    g_assert_cmpuint(grant.refusal, ==, KV_REFUSED_NOT);
    assert_list(grant.addresses, "10.0.0.2/24 fd00::2/64");
    assert_list(grant.gateways, "10.0.0.1 fd00::1");
    assert_list(grant.routes, "192.168.0.0/16 2001:db8::/32");
    assert_list(grant.dns, "10.0.0.1");
    g_assert_cmpuint(grant.domains->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(grant.domains, 1), ==, "~example.net");
    g_assert_cmpuint(grant.mtu, ==, 1400);
    g_assert_cmpuint(grant.said & KV_SAID_MODE, !=, 0);
    g_assert_cmpint(grant.mode, ==, KV_VNI_MODE_TUN);
}

/* Proves: the smaller MTU counts, and without room for IPv6 there is none of it. */
static void
test_mtu(void)
{
    g_autoptr(KvGrants) grants = make();
    g_auto(KvNativeConfig) small = {0};
    g_auto(KvNativeConfig) asking = {0};

    g_assert_cmpuint(ask(grants, &(Ask){.id = "a", .mtu = 1279}, &small), !=, 0);
    g_assert_cmpuint(small.mtu, ==, 1279);
    assert_list(small.addresses, "10.0.0.2/24");
    assert_list(small.gateways, "10.0.0.1");
    assert_list(small.routes, "192.168.0.0/16");
    g_assert_cmpuint(ask(grants, &(Ask){.id = "b", .mtu = 1279, .want = "fd00::9"}, &asking), ==,
                     0);
    g_assert_cmpuint(asking.refusal, ==, KV_REFUSED_ADDRESS);
    g_assert_nonnull(strstr(asking.refusal_text, "1280"));
}

/* Proves: each refusal has its number and names what is at fault, and grants nothing. */
static void
test_refusals(void)
{
    static const struct {
        Ask ask;
        guint refusal;
        const char *names;
    } cases[] = {
        {{.has_mode = TRUE, .mode = KV_VNI_MODE_TAP}, KV_REFUSED_MODE, "tun interface, not tap"},
        {{.want = "10.0.0.1"}, KV_REFUSED_ADDRESS, "10.0.0.1"},
        {{.want = "10.0.0.0"}, KV_REFUSED_ADDRESS, "10.0.0.0"},
        {{.want = "10.0.0.9"}, KV_REFUSED_ADDRESS, "10.0.0.9"},
        {{.want = "fd00::1"}, KV_REFUSED_ADDRESS, "fd00::1"},
        {{.want = "fd00::"}, KV_REFUSED_ADDRESS, "fd00::"},
        {{.want = "fd01::5"}, KV_REFUSED_ADDRESS, "fd01::5"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvGrants) grants = make();
        g_auto(KvNativeConfig) grant = {0};

        g_assert_cmpuint(ask(grants, &cases[i].ask, &grant), ==, 0);
        g_assert_cmpuint(grant.refusal, ==, cases[i].refusal);
        g_assert_nonnull(strstr(grant.refusal_text, cases[i].names));
        g_assert_cmpuint(grant.addresses->len + grant.routes->len + grant.dns->len, ==, 0);
    }
}

/* Proves: no address left is said so; a server without IPv6 says that. */
static void
test_nothing_left(void)
{
    const KvGrantsConfig config = {.mtu = 1500, .pool4 = "10.0.0.1-10.0.0.1"};
    g_autoptr(KvGrants) grants = kv_grants_new(&config, NULL);
    g_auto(KvNativeConfig) first = {0};
    g_auto(KvNativeConfig) second = {0};
    g_auto(KvNativeConfig) third = {0};
    KvLeaseId lease = ask(grants, &(Ask){.id = "a"}, &first);
    KvLeaseId replaced;

    assert_list(first.addresses, "10.0.0.1");
    assert_list(first.gateways, "");
    g_assert_cmpint(kv_leases_confirm(kv_grants_get_leases(grants), lease, &replaced), ==,
                    KV_LEASES_HELD);
    g_assert_cmpuint(ask(grants, &(Ask){.id = "b"}, &second), ==, 0);
    g_assert_cmpuint(second.refusal, ==, KV_REFUSED_EXHAUSTED);
    g_assert_cmpuint(ask(grants, &(Ask){.id = "b", .want = "fd00::5"}, &third), ==, 0);
    g_assert_cmpuint(third.refusal, ==, KV_REFUSED_ADDRESS);
    g_assert_nonnull(strstr(third.refusal_text, "IPv6"));
}

/* Proves: a client that is known by its key has its fixed addresses and owns what lies behind it,
 * whatever id it claims; new settings count from then on. */
static void
test_peers(void)
{
    g_autoptr(KvGrants) grants = make();
    const KvNetwork fixed[] = {network_of("10.0.0.3"), network_of("fd00::77")};
    const KvNetwork behind[] = {network_of("172.16.0.0/12")};
    const KvGrantsPeer peers[] = {{{1}, fixed, 1, behind, 1}, {{2}, fixed + 1, 1, NULL, 0}};
    g_auto(KvNativeConfig) a = {0};
    g_auto(KvNativeConfig) b = {0};
    g_auto(KvNativeConfig) again = {0};
    KvLeaseId lease, replaced;

    kv_grants_set_peers(grants, peers, 2);
    g_assert_true(kv_grants_has_peer(grants, key_b));
    lease = ask(grants, &(Ask){.id = "x", .public_key = key_a}, &a);
    assert_list(a.addresses, "10.0.0.3/24 fd00::2/64");
    assert_networks(grants, lease, key_a, "10.0.0.3 fd00::2 172.16.0.0/12");
    g_assert_cmpint(kv_leases_confirm(kv_grants_get_leases(grants), lease, &replaced), ==,
                    KV_LEASES_HELD);
    g_assert_cmpuint(kv_grants_find_holder(grants, key_a, "y"), ==, lease);
    g_assert_true(kv_grants_is_up_to_date(grants, lease, key_a));
    g_assert_false(kv_grants_is_up_to_date(grants, lease, key_b));
    g_assert_cmpuint(kv_grants_find_holder(grants, key_b, "x"), ==, 0);
    g_assert_cmpuint(kv_grants_find_holder(grants, NULL, "x"), ==, 0);
    ask(grants, &(Ask){.id = "x", .public_key = key_b}, &b);
    assert_list(b.addresses, "10.0.0.2/24 fd00::77/64");
    kv_grants_set_peers(grants, peers + 1, 1);
    g_assert_false(kv_grants_has_peer(grants, key_a));
    assert_networks(grants, lease, key_a, "10.0.0.3 fd00::2");
    kv_native_config_init(&again);
    g_assert_true(kv_grants_repeat(grants, lease, &a, &again));
    assert_list(again.addresses, "10.0.0.3/24 fd00::2/64");
    g_assert_false(kv_grants_repeat(grants, lease + 100, &a, &again));
}

/* Proves: who is put apart from a living client of the same id gets other addresses, and is not
 * known by that id. */
static void
test_apart(void)
{
    g_autoptr(KvGrants) grants = make();
    g_auto(KvNativeConfig) first = {0};
    g_auto(KvNativeConfig) second = {0};
    KvLeaseId a = ask(grants, &(Ask){.id = "x"}, &first);
    KvLeaseId replaced, b;

    g_assert_cmpint(kv_leases_confirm(kv_grants_get_leases(grants), a, &replaced), ==,
                    KV_LEASES_HELD);
    b = ask(grants, &(Ask){.id = "x", .is_apart = TRUE}, &second);
    assert_list(second.addresses, "10.0.0.3/24 fd00::3/64");
    g_assert_cmpint(kv_leases_confirm(kv_grants_get_leases(grants), b, &replaced), ==,
                    KV_LEASES_HELD);
    g_assert_cmpuint(kv_grants_find_holder(grants, NULL, "x"), ==, a);
}

/* Proves: the pools' errors come through. */
static void
test_errors(void)
{
    const KvGrantsConfig configs[] = {{.pool4 = "fd00::/64"}, {.pool6 = "10.0.0.0/8"}};

    for (guint i = 0; i < G_N_ELEMENTS(configs); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(kv_grants_new(&configs[i], &error));
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/grants/grant", test_grant);
    g_test_add_func("/grants/mtu", test_mtu);
    g_test_add_func("/grants/refusals", test_refusals);
    g_test_add_func("/grants/nothing-left", test_nothing_left);
    g_test_add_func("/grants/peers", test_peers);
    g_test_add_func("/grants/apart", test_apart);
    g_test_add_func("/grants/errors", test_errors);
    return kv_test_main(&argc, &argv);
}
