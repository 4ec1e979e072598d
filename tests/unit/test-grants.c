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

/* (transfer full): each is a list with "," between its items. */
static KvTunnelTerms *
make_terms(const char *routes, const char *dns, const char *domains)
{
    const struct {
        KvSettingId id;
        const char *text;
    } values[] = {
        {KV_SETTING_ROUTES, routes}, {KV_SETTING_DNS, dns}, {KV_SETTING_DNS_SEARCH, domains}};
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_SERVER);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        if (values[i].text != NULL)
            g_assert_true(kv_settings_set_text(settings, values[i].id, values[i].text, &error));
    }
    return kv_tunnel_terms_new(settings);
}

/* A server with pools of both families at the upper ends of its networks' beginnings. */
static KvGrants *
make(void)
{
    const KvNetwork locals[] = {network_of("10.0.0.1/24"), network_of("fd00::1/64")};
    g_autoptr(KvTunnelTerms) terms =
        make_terms("192.168.0.0/16,2001:db8::/32", "10.0.0.1", "example.org,~example.net");
    const KvGrantsConfig config = {
        .mode = KV_VNI_MODE_TUN,
        .mtu = 1400,
        .locals = locals,
        .n_locals = G_N_ELEMENTS(locals),
        .pool4 = "10.0.0.0/30",
        .pool6 = "fd00::/64",
        .is_classful = TRUE,
        .terms = terms,
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

/* Proves: who could have addresses of IPv6 alone, and has no room for that, is not let in with
 * none; where clients choose their own there is nothing to miss. */
static void
test_mtu_alone(void)
{
    g_autoptr(KvTunnelTerms) terms = make_terms(NULL, NULL, NULL);
    const KvGrantsConfig config6 = {.mtu = 1500, .pool6 = "fd00::/64", .terms = terms};
    const KvGrantsConfig config0 = {.mtu = 1500, .terms = terms};
    g_autoptr(KvGrants) only6 = kv_grants_new(&config6, NULL);
    g_autoptr(KvGrants) no_pool = kv_grants_new(&config0, NULL);
    g_auto(KvNativeConfig) small = {0};
    g_auto(KvNativeConfig) own = {0};
    g_auto(KvNativeConfig) large = {0};

    g_assert_cmpuint(ask(only6, &(Ask){.id = "a", .mtu = 1279}, &small), ==, 0);
    g_assert_cmpuint(small.refusal, ==, KV_REFUSED_ADDRESS);
    g_assert_nonnull(strstr(small.refusal_text, "1280"));
    g_assert_cmpuint(ask(only6, &(Ask){.id = "a", .mtu = 1280}, &large), !=, 0);
    g_assert_cmpuint(ask(no_pool, &(Ask){.id = "a", .mtu = 1279}, &own), !=, 0);
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
    g_autoptr(KvTunnelTerms) terms = make_terms(NULL, NULL, NULL);
    const KvGrantsConfig config = {.mtu = 1500, .pool4 = "10.0.0.1-10.0.0.1", .terms = terms};
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
    g_assert_cmpint(kv_grants_refresh(grants, lease, key_a, 0), ==, KV_GRANTS_SAME);
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

static void
assert_told(const KvGrants *grants, KvLeaseId lease, const char *addresses, const char *routes,
            const char *dns)
{
    g_auto(KvNativeConfig) news = {0};

    kv_native_config_init(&news);
    g_assert_true(kv_grants_tell(grants, lease, &news));
    g_assert_cmpuint(news.said, ==, 0);
    assert_list(news.addresses, addresses);
    assert_list(news.routes, routes);
    assert_list(news.dns, dns);
}

/* Proves: who has a lease can be told what has changed since; it keeps its addresses. */
static void
test_terms(void)
{
    g_autoptr(KvGrants) grants = make();
    g_autoptr(KvTunnelTerms) others = make_terms("172.16.0.0/12", NULL, "example.com");
    g_auto(KvNativeConfig) grant = {0};
    g_auto(KvNativeConfig) news = {0};
    KvLeaseId lease = ask(grants, &(Ask){.id = "x"}, &grant);

    assert_told(grants, lease, "10.0.0.2/24 fd00::2/64", "192.168.0.0/16 2001:db8::/32",
                "10.0.0.1");
    kv_grants_set_terms(grants, others);
    assert_told(grants, lease, "10.0.0.2/24 fd00::2/64", "172.16.0.0/12", "");
    kv_native_config_init(&news);
    g_assert_false(kv_grants_tell(grants, lease + 1, &news));
}

/* Proves: a client that lives moves to another fixed address, which nobody else has, and leaves the
 * former to others; one that is held by somebody who lives, or is the server's, is not to be had.
 */
static void
test_refresh(void)
{
    g_autoptr(KvGrants) grants = make();
    const KvNetwork three = network_of("10.0.0.3");
    const KvNetwork both[] = {network_of("10.0.0.77"), network_of("fd00::77")};
    const KvNetwork own = network_of("10.0.0.1");
    const KvGrantsPeer none[] = {{{1}, NULL, 0, NULL, 0}, {{2}, NULL, 0, NULL, 0}};
    const KvGrantsPeer moved[] = {{{1}, both, 2, NULL, 0}, {{2}, NULL, 0, NULL, 0}};
    const KvGrantsPeer held[] = {{{1}, &three, 1, NULL, 0}, {{2}, NULL, 0, NULL, 0}};
    const KvGrantsPeer wrong[] = {{{1}, &own, 1, NULL, 0}, {{2}, NULL, 0, NULL, 0}};
    g_auto(KvNativeConfig) a = {0};
    g_auto(KvNativeConfig) b = {0};
    g_auto(KvNativeConfig) c = {0};
    KvLeaseId leases[2], replaced;

    kv_grants_set_peers(grants, none, 2);
    leases[0] = ask(grants, &(Ask){.public_key = key_a}, &a);
    leases[1] = ask(grants, &(Ask){.public_key = key_b}, &b);
    for (guint i = 0; i < 2; i++)
        g_assert_cmpint(kv_leases_confirm(kv_grants_get_leases(grants), leases[i], &replaced), ==,
                        KV_LEASES_HELD);
    kv_grants_set_peers(grants, held, 2);
    g_assert_cmpint(kv_grants_refresh(grants, leases[0], key_a, 0), ==, KV_GRANTS_TAKEN);
    kv_grants_set_peers(grants, wrong, 2);
    g_assert_cmpint(kv_grants_refresh(grants, leases[0], key_a, 0), ==, KV_GRANTS_TAKEN);
    assert_networks(grants, leases[0], NULL, "10.0.0.2 fd00::2");
    kv_grants_set_peers(grants, moved, 2);
    g_assert_cmpint(kv_grants_refresh(grants, leases[0], key_a, 1000), ==, KV_GRANTS_MOVED);
    assert_networks(grants, leases[0], NULL, "10.0.0.77 fd00::2");
    g_assert_cmpint(kv_grants_refresh(grants, leases[0], key_a, 0), ==, KV_GRANTS_MOVED);
    g_assert_cmpint(kv_grants_refresh(grants, leases[0], key_a, 0), ==, KV_GRANTS_SAME);
    assert_networks(grants, leases[0], NULL, "10.0.0.77 fd00::77");
    g_assert_cmpuint(kv_grants_find_holder(grants, key_a, ""), ==, leases[0]);
    ask(grants, &(Ask){.id = "z"}, &c);
    assert_list(c.addresses, "10.0.0.2/24 fd00::2/64");
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
    g_autoptr(KvTunnelTerms) terms = make_terms(NULL, NULL, NULL);
    const KvGrantsConfig configs[] = {{.pool4 = "fd00::/64", .terms = terms},
                                      {.pool6 = "10.0.0.0/8", .terms = terms}};

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
    g_test_add_func("/grants/mtu-alone", test_mtu_alone);
    g_test_add_func("/grants/refusals", test_refusals);
    g_test_add_func("/grants/nothing-left", test_nothing_left);
    g_test_add_func("/grants/peers", test_peers);
    g_test_add_func("/grants/terms", test_terms);
    g_test_add_func("/grants/refresh", test_refresh);
    g_test_add_func("/grants/apart", test_apart);
    g_test_add_func("/grants/errors", test_errors);
    return kv_test_main(&argc, &argv);
}
