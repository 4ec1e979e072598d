/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-leases.h"
#include "kv-test.h"

#include <string.h>

#define IP4(last) ((KvIp4) 10 << 24 | (last))

static const KvLeaseAddresses none;

static KvNetwork
address_of(const char *text)
{
    KvNetwork address;

    g_assert_true(kv_network_parse(&address, text));
    return address;
}

static KvLeases *
make(const char *pool4, const char *pool6)
{
    g_autoptr(GError) error = NULL;
    KvLeases *leases = kv_leases_new(pool4, pool6, &error);

    g_assert_no_error(error);
    return leases;
}

/* Asks for @want (nullable) as @name, whose key is proved if it begins with "key". */
static KvLeaseId
ask(KvLeases *leases, const char *name, const char *want, KvTime now, KvLeaseAddresses *addresses)
{
    const KvLeaseClient client = {
        .name = name,
        .from = "192.0.2.1:7",
        .is_proved = name != NULL && g_str_has_prefix(name, "key"),
        .has_mtu6 = TRUE,
    };
    KvNetwork wish = want != NULL ? address_of(want) : (KvNetwork){0};
    KvLeaseId lease;
    KvLeasesOffer offer = kv_leases_offer(leases, &client, &none, &wish, want != NULL ? 1 : 0, now,
                                          &lease, addresses);

    g_assert_cmpint(lease != 0, ==, offer == KV_LEASES_OFFERED);
    return lease;
}

/* The same, and it gets @expected. */
static KvLeaseId
offer(KvLeases *leases, const char *name, const char *want, KvTime now, const char *expected)
{
    KvLeaseAddresses addresses;
    KvLeaseId lease = ask(leases, name, want, now, &addresses);
    KvNetwork address = address_of(expected);

    g_assert_cmpuint(lease, !=, 0);
    g_assert_true(kv_network_equal(&addresses.ip[address.is_ip6], &address));
    return lease;
}

static void
hold(KvLeases *leases, KvLeaseId lease)
{
    KvLeaseId replaced;

    g_assert_cmpint(kv_leases_confirm(leases, lease, &replaced), ==, KV_LEASES_HELD);
    g_assert_cmpuint(replaced, ==, 0);
}

/* Proves: a client that comes back gets its addresses of both families again, whoever came in the
 * meantime; one without a name is not known again. */
static void
test_kept(void)
{
    g_autoptr(KvLeases) leases = make("10.0.0.1-10.0.0.9", "fd00::1-fd00::9");
    KvLeaseAddresses addresses;
    KvLeaseId a = offer(leases, "id a", NULL, 0, "10.0.0.1");
    KvLeaseId b;

    hold(leases, a);
    g_assert_cmpuint(kv_leases_find_holder(leases, "id a"), ==, a);
    kv_leases_release(leases, a);
    g_assert_cmpuint(kv_leases_find_holder(leases, "id a"), ==, 0);
    b = offer(leases, "id b", NULL, 1, "fd00::2");
    hold(leases, b);
    a = offer(leases, "id a", NULL, 2, "10.0.0.1");
    hold(leases, a);
    g_assert_true(kv_leases_get(leases, a, &addresses));
    g_assert_true(
        kv_network_equal(&addresses.ip[KV_FAMILY_IP6],
                         &(KvNetwork){.is_ip6 = TRUE, .prefix = 128, .ip = {0xfd, [15] = 1}}));
    a = offer(leases, NULL, NULL, 3, "10.0.0.3");
    hold(leases, a);
    kv_leases_release(leases, a);
    offer(leases, "id c", NULL, 4, "10.0.0.3");
}

/* Proves: an offer holds its address for its time only, and the same client that asks again is
 * offered the same, with more time. */
static void
test_offers_end(void)
{
    g_autoptr(KvLeases) leases = make("10.0.0.1-10.0.0.9", NULL);
    KvLeaseId a = offer(leases, "id a", NULL, 0, "10.0.0.1");
    KvLeaseId replaced;

    offer(leases, "id b", NULL, 0, "10.0.0.2");
    g_assert_cmpuint(offer(leases, "id a", NULL, 15 * KV_TIME_S, "10.0.0.1"), ==, a);
    offer(leases, "id c", NULL, KV_LEASES_OFFER_TIME, "10.0.0.2");
    offer(leases, "id d", NULL, KV_LEASES_OFFER_TIME + 15 * KV_TIME_S, "10.0.0.1");
    g_assert_cmpint(kv_leases_confirm(leases, a, &replaced), ==, KV_LEASES_TAKEN);
}

/* Proves: when all addresses are gone, those kept for others make room, the oldest first; then one
 * that was only offered is offered twice, and who confirms first has it; then there is none. */
static void
test_exhausted(void)
{
    g_autoptr(KvLeases) leases = make("10.0.0.1-10.0.0.2", NULL);
    KvLeaseAddresses addresses;
    KvLeaseId a = offer(leases, "id a", NULL, 0, "10.0.0.1");
    KvLeaseId b = offer(leases, "id b", NULL, 0, "10.0.0.2");
    KvLeaseId c, d, replaced;

    hold(leases, a);
    hold(leases, b);
    g_assert_cmpuint(ask(leases, "id c", NULL, 0, &addresses), ==, 0);
    kv_leases_release(leases, b);
    kv_leases_release(leases, a);
    c = offer(leases, "id c", NULL, 0, "10.0.0.2");
    hold(leases, c);
    c = offer(leases, "id d", NULL, 0, "10.0.0.1");
    d = offer(leases, "id e", NULL, 0, "10.0.0.1");
    hold(leases, d);
    g_assert_cmpint(kv_leases_confirm(leases, c, &replaced), ==, KV_LEASES_TAKEN);
    g_assert_cmpuint(ask(leases, "id f", NULL, 0, &addresses), ==, 0);
    /* What is not confirmed is not kept either. */
    kv_leases_release(leases, d);
    offer(leases, "id e", NULL, 0, "10.0.0.1");
}

/* Proves: who proved its name replaces its own association; who only claims one may do so by an
 * offer of its own, but not by an old one. */
static void
test_replaces(void)
{
    static const char *const names[] = {"key k", "id i"};
    KvLeaseId replaced;

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(KvLeases) leases = make("10.0.0.1-10.0.0.9", NULL);
        KvLeaseId first = offer(leases, names[i], NULL, 0, "10.0.0.1");
        KvLeaseId second;

        hold(leases, first);
        g_assert_cmpint(kv_leases_confirm(leases, first, &replaced), ==,
                        i == 0 ? KV_LEASES_REPLACES : KV_LEASES_TAKEN);
        g_assert_cmpuint(replaced, ==, i == 0 ? first : 0);
        second = offer(leases, names[i], NULL, 0, "10.0.0.1");
        g_assert_cmpuint(second, !=, first);
        g_assert_cmpint(kv_leases_confirm(leases, second, &replaced), ==, KV_LEASES_REPLACES);
        g_assert_cmpuint(replaced, ==, first);
        kv_leases_release(leases, first);
        g_assert_cmpuint(kv_leases_find_holder(leases, names[i]), ==, second);
        offer(leases, "id other", NULL, 0, "10.0.0.2");
    }
}

/* Proves: what a client asks for it gets if it is of the pool, or any without one, but nothing that
 * is the server's own, fixed for others, held, or a v1 client's; what is only kept it gets. */
static void
test_wants(void)
{
    static const char *const pools[] = {"10.0.0.0/28", NULL};
    KvLeaseAddresses addresses;
    KvLeaseId a;

    for (guint i = 0; i < G_N_ELEMENTS(pools); i++) {
        g_autoptr(KvLeases) leases = make(pools[i], NULL);
        KvNetwork own = address_of("10.0.0.1");
        KvNetwork fixed = address_of("10.0.0.2");

        kv_leases_exclude(leases, &own);
        kv_leases_set_fixed(leases, &fixed, 1);
        g_assert_true(kv_leases_take_exact_ip4(leases, IP4(3)));
        a = offer(leases, "id a", "10.0.0.4", 0, "10.0.0.4");
        hold(leases, a);
        for (guint last = 1; last <= 4; last++) {
            g_autofree char *taken = g_strdup_printf("10.0.0.%u", last);

            g_assert_cmpuint(ask(leases, "id b", taken, 0, &addresses), ==, 0);
            g_assert_cmpuint(addresses.ip[KV_FAMILY_IP4].ip[3], ==, last);
            g_assert_false(kv_leases_take_exact_ip4(leases, IP4(last)));
        }
        g_assert_cmpint(ask(leases, "id b", "10.0.0.16", 0, &addresses) != 0, ==, i == 1);
        kv_leases_release(leases, a);
        a = offer(leases, "id b", "10.0.0.4", 0, "10.0.0.4");
        hold(leases, a);
        kv_leases_release_ip4(leases, IP4(3));
        hold(leases, offer(leases, "id c", "10.0.0.3", 0, "10.0.0.3"));
        /* Without a pool who does not ask has none. */
        g_assert_cmpuint(ask(leases, "id d", NULL, 0, &addresses), !=, 0);
        g_assert_cmpint(addresses.ip[KV_FAMILY_IP4].prefix != 0, ==, i == 0);
    }
}

/* Proves: a fixed address is for its client alone, in or outside of the pool, from when it is set
 * until it is not any more; another one that it asks for is refused. */
static void
test_fixed(void)
{
    g_autoptr(KvLeases) leases = make("10.0.0.1-10.0.0.2", NULL);
    const KvLeaseClient client = {.name = "key k", .is_proved = TRUE, .has_mtu6 = TRUE};
    const KvNetwork fixed[] = {address_of("10.0.0.1"), address_of("fd00::7")};
    const KvLeaseAddresses mine = {{fixed[0], fixed[1]}};
    KvNetwork other = address_of("10.0.0.2");
    KvLeaseAddresses addresses;
    KvLeaseId lease;

    kv_leases_set_fixed(leases, fixed, 2);
    hold(leases, offer(leases, "id a", NULL, 0, "10.0.0.2"));
    g_assert_cmpuint(ask(leases, "id b", NULL, 0, &addresses), ==, 0);
    g_assert_cmpint(kv_leases_offer(leases, &client, &mine, &other, 1, 0, &lease, &addresses), ==,
                    KV_LEASES_NOT_ALLOWED);
    for (guint round = 0; round < 2; round++) {
        g_assert_cmpint(
            kv_leases_offer(leases, &client, &mine, fixed, round, 0, &lease, &addresses), ==,
            KV_LEASES_OFFERED);
        g_assert_true(kv_network_equal(&addresses.ip[KV_FAMILY_IP4], &fixed[0]));
        g_assert_true(kv_network_equal(&addresses.ip[KV_FAMILY_IP6], &fixed[1]));
        hold(leases, lease);
        kv_leases_release(leases, lease);
        g_assert_cmpuint(ask(leases, "id b", NULL, 0, &addresses), ==, 0);
    }
    kv_leases_set_fixed(leases, NULL, 0);
    /* It is kept for who had it, until there is need. */
    offer(leases, "key k", NULL, 0, "10.0.0.1");
}

enum { N_NAMES = 12, N_POOL = 8 };

/* What is held must be held by one, be of the pool, and not be the server's. */
static void
assert_consistent(const KvLeases *leases, const KvLeaseId *held, const KvIp4 *v1)
{
    gboolean taken[N_POOL + 1] = {FALSE};

    for (guint i = 0; i < N_NAMES; i++) {
        KvLeaseAddresses addresses;
        guint last = v1[i] & 0xff;

        if (held[i] != 0) {
            g_assert_true(kv_leases_get(leases, held[i], &addresses));
            last = addresses.ip[KV_FAMILY_IP4].ip[3];
            g_assert_cmpuint(addresses.ip[KV_FAMILY_IP4].prefix, ==, 32);
        }
        if (held[i] == 0 && v1[i] == 0)
            continue;
        g_assert_cmpuint(last, >, 1);
        g_assert_cmpuint(last, <=, N_POOL);
        g_assert_false(taken[last]);
        taken[last] = TRUE;
    }
}

/* Proves: whatever clients of both protocols do in whatever order, no two have the same address,
 * and when all are gone every one can be had again. */
static void
test_anything(void)
{
    g_autoptr(KvLeases) leases = make("10.0.0.1-10.0.0.8", NULL);
    KvNetwork own = address_of("10.0.0.1");
    KvLeaseId held[N_NAMES] = {0};
    KvLeaseId offered[N_NAMES] = {0};
    KvIp4 v1[N_NAMES] = {0};
    KvTestRandom random;
    KvTime now = 0;

    kv_leases_exclude(leases, &own);
    kv_test_random_init(&random, kv_test_get_seed());
    for (guint step = 0; step < 50000; step++) {
        guint i = kv_test_random_below(&random, N_NAMES);
        g_autofree char *name = g_strdup_printf("%s %u", i % 2 == 0 ? "key" : "id", i);
        g_autofree char *want = g_strdup_printf("10.0.0.%u", 1 + kv_test_random_below(&random, 9));
        KvLeaseAddresses addresses;
        KvLeaseId replaced;

        now += kv_test_random_below(&random, 2 * (uint32_t) KV_TIME_S);
        switch (kv_test_random_below(&random, 6)) {
        case 0:
            if (v1[i] == 0)
                offered[i] = ask(leases, name, step % 3 == 0 ? want : NULL, now, &addresses);
            break;
        case 1:
            switch (kv_leases_confirm(leases, offered[i], &replaced)) {
            case KV_LEASES_REPLACES:
                g_assert_cmpuint(replaced, ==, held[i]);
                held[i] = offered[i];
                break;
            case KV_LEASES_HELD:
                g_assert_cmpuint(held[i], ==, 0);
                held[i] = offered[i];
                break;
            case KV_LEASES_TAKEN:
                break;
            }
            break;
        case 2:
            kv_leases_release(leases, held[i]);
            held[i] = 0;
            break;
        case 3:
            if (held[i] == 0 && v1[i] == 0 && !kv_leases_take_ip4(leases, &v1[i]))
                v1[i] = 0;
            offered[i] = 0;
            break;
        case 4:
            if (held[i] == 0 && v1[i] == 0 && kv_leases_take_exact_ip4(leases, IP4(2 + i % 4)))
                v1[i] = IP4(2 + i % 4);
            offered[i] = 0;
            break;
        default:
            kv_leases_release_ip4(leases, v1[i]);
            v1[i] = 0;
            break;
        }
        assert_consistent(leases, held, v1);
    }
    for (guint i = 0; i < N_NAMES; i++) {
        kv_leases_release(leases, held[i]);
        kv_leases_release_ip4(leases, v1[i]);
    }
    for (guint last = 2; last <= N_POOL; last++)
        g_assert_true(kv_leases_take_exact_ip4(leases, IP4(last)));
}

/* Proves: what is remembered is bounded; the first to have gone is forgotten first. */
static void
test_bounds(void)
{
    g_autoptr(KvLeases) leases = make("10.0.0.0/8", NULL);
    KvLeaseAddresses addresses;
    KvLeaseId first = 0;
    KvLeaseId replaced;

    for (guint i = 0; i <= KV_LEASES_KEPT_MAX; i++) {
        g_autofree char *name = g_strdup_printf("id %u", i);
        KvLeaseId lease = ask(leases, name, NULL, 0, &addresses);

        hold(leases, lease);
        kv_leases_release(leases, lease);
    }
    offer(leases, "id 1", NULL, 0, "10.0.0.1");
    offer(leases, "id new", NULL, 0, "10.0.0.0");
    for (guint i = 0; i <= KV_LEASES_OFFERS_MAX; i++) {
        g_autofree char *name = g_strdup_printf("id offer %u", i);
        KvLeaseId lease = ask(leases, name, NULL, 0, &addresses);

        first = i == 0 ? lease : first;
    }
    g_assert_cmpint(kv_leases_confirm(leases, first, &replaced), ==, KV_LEASES_TAKEN);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/leases/kept", test_kept);
    g_test_add_func("/leases/offers-end", test_offers_end);
    g_test_add_func("/leases/exhausted", test_exhausted);
    g_test_add_func("/leases/replaces", test_replaces);
    g_test_add_func("/leases/wants", test_wants);
    g_test_add_func("/leases/fixed", test_fixed);
    g_test_add_func("/leases/anything", test_anything);
    g_test_add_func("/leases/bounds", test_bounds);
    return kv_test_main(&argc, &argv);
}
