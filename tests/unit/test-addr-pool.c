/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addr-pool.h"
#include "kv-error.h"
#include "kv-test.h"

#include <string.h>

#define IP(a, b, c, d) ((KvIp4) (a) << 24 | (b) << 16 | (c) << 8 | (d))

static KvAddrPool *
make(const char *spec)
{
    g_autoptr(GError) error = NULL;
    KvAddrPool *pool = kv_addr_pool_new(spec, &error);

    g_assert_no_error(error);
    g_assert_nonnull(pool);
    return pool;
}

static const struct {
    const char *spec;
    uint64_t size;
    KvIp4 lowest;
} good[] = {
    {"192.168.88.0/24", 256, IP(192, 168, 88, 0)},
    {"192.168.88.77/24", 256, IP(192, 168, 88, 0)},
    {"192.168.1.77/255.255.255.252", 4, IP(192, 168, 1, 76)},
    {"10.0.0.250-10.0.1.3", 10, IP(10, 0, 0, 250)},
    {"10.1.1.1/32", 1, IP(10, 1, 1, 1)},
    {"10.1.1.1/255.255.255.255", 1, IP(10, 1, 1, 1)},
    {"10.1.1.1-10.1.1.1", 1, IP(10, 1, 1, 1)},
    {"255.255.255.254/31", 2, IP(255, 255, 255, 254)},
    {"10.0.0.0/8", 1 << 24, IP(10, 0, 0, 0)},
    {"1.2.3.4/0", UINT32_MAX, IP(0, 0, 0, 1)},
    {"1.2.3.4/0.0.0.0", UINT32_MAX, IP(0, 0, 0, 1)},
    {"0.0.0.0-255.255.255.255", UINT32_MAX, IP(0, 0, 0, 1)},
};

/* Proves: each form of specification covers what it says, both ends included. */
static void
test_good_specs(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(KvAddrPool) pool = make(good[i].spec);
        KvIp4 highest = (KvIp4) (good[i].lowest + good[i].size - 1);
        KvIp4 ip;

        g_assert_cmpuint(kv_addr_pool_get_size(pool), ==, good[i].size);
        g_assert_true(kv_addr_pool_lease(pool, &ip));
        g_assert_cmphex(ip, ==, good[i].lowest);
        g_assert_false(kv_addr_pool_lease_exact(pool, ip));
        g_assert_false(kv_addr_pool_lease_exact(pool, good[i].lowest - 1));
        g_assert_false(kv_addr_pool_lease_exact(pool, highest + 1));
        if (good[i].size > 1)
            g_assert_true(kv_addr_pool_lease_exact(pool, highest));
    }
}

static const char *const bad[] = {
    "",
    " ",
    "x",
    "10.0.0.1",
    "10.0.0.1/",
    "10.0.0.1/33",
    "10.0.0.1/032",
    "10.0.0.1/-1",
    "10.0.0.1/4294967296",
    "10.0.0.1/24x",
    "10.0.0.1/255.0.255.0",
    "10.0.0.1/0.0.0.255",
    "10.0.0.1/255.255.255",
    "10.0.0.1-",
    "10.0.0.2-10.0.0.1",
    "10.0.0.1-10.0.0.2-10.0.0.3",
    "10.0.0.1 - 10.0.0.2",
    "10.0.0.1-10.0.0.2 ",
    "10.0.0/24",
    "10.0.0.0.0/24",
    "10.0.0.256/24",
    "10.0.0.01/24",
    "10..0.1/24",
    "0x0a.0.0.1/24",
    "+1.0.0.1/24",
    "0.0.0.0/32",
    "0.0.0.0-0.0.0.0",
    "::1/128",
};

/* Proves: whatever else is refused with an error that names it. */
static void
test_bad_specs(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(KvAddrPool) pool = kv_addr_pool_new(bad[i], &error);

        g_assert_null(pool);
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_nonnull(strstr(error->message, bad[i]));
    }
}

/* Proves: a pool behaves as a plain array that is searched from the start. */
static void
test_against_array(void)
{
    enum { FREE, LEASED, EXCLUDED } state[64] = {FREE};
    const KvIp4 first = IP(10, 0, 0, 64);
    g_autoptr(KvAddrPool) pool = make("10.0.0.64/26");
    KvTestRandom random;
    KvIp4 ip;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint step = 0; step < 50000; step++) {
        guint at = kv_test_random_below(&random, G_N_ELEMENTS(state));
        guint lowest = 0;

        switch (kv_test_random_below(&random, step % 1000 < 500 ? 5 : 3)) {
        case 0:
            while (lowest < G_N_ELEMENTS(state) && state[lowest] != FREE)
                lowest++;
            g_assert_cmpint(kv_addr_pool_lease(pool, &ip), ==, lowest < G_N_ELEMENTS(state));
            if (lowest < G_N_ELEMENTS(state)) {
                g_assert_cmphex(ip, ==, first + lowest);
                state[lowest] = LEASED;
            }
            break;
        case 1:
            g_assert_cmpint(kv_addr_pool_lease_exact(pool, first + at), ==, state[at] == FREE);
            state[at] = state[at] == FREE ? LEASED : state[at];
            break;
        default:
            if (step % 10000 == 9999) {
                kv_addr_pool_exclude(pool, first + at);
                state[at] = EXCLUDED;
            }
            kv_addr_pool_release(pool, first + at);
            state[at] = state[at] == LEASED ? FREE : state[at];
            break;
        }
    }
}

/* Proves: the server's own address is never given out, whenever and how often it is excluded. */
static void
test_exclude(void)
{
    g_autoptr(KvAddrPool) pool = make("10.0.0.0/30");
    KvIp4 ip;

    kv_addr_pool_exclude(pool, IP(10, 0, 0, 0));
    kv_addr_pool_exclude(pool, IP(10, 0, 0, 0));
    kv_addr_pool_exclude(pool, IP(10, 0, 1, 0));
    kv_addr_pool_exclude(pool, 0);
    g_assert_cmpuint(kv_addr_pool_get_size(pool), ==, 3);
    kv_addr_pool_release(pool, IP(10, 0, 0, 0));
    g_assert_false(kv_addr_pool_lease_exact(pool, IP(10, 0, 0, 0)));
    g_assert_true(kv_addr_pool_lease(pool, &ip));
    g_assert_cmphex(ip, ==, IP(10, 0, 0, 1));
    kv_addr_pool_exclude(pool, ip);
    kv_addr_pool_release(pool, ip);
    g_assert_true(kv_addr_pool_lease(pool, &ip));
    g_assert_cmphex(ip, ==, IP(10, 0, 0, 2));
    g_assert_cmpuint(kv_addr_pool_get_size(pool), ==, 2);
}

/* Proves: without a specification clients choose, but none an address that another has. */
static void
test_clients_choose(void)
{
    g_autoptr(KvAddrPool) pool = make(NULL);
    KvIp4 ip = 1;

    g_assert_cmpuint(kv_addr_pool_get_size(pool), ==, 0);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(kv_addr_pool_lease(pool, &ip));
        g_assert_cmphex(ip, ==, 0);
    }
    kv_addr_pool_exclude(pool, IP(10, 0, 0, 1));
    g_assert_false(kv_addr_pool_lease_exact(pool, 0));
    g_assert_false(kv_addr_pool_lease_exact(pool, IP(10, 0, 0, 1)));
    g_assert_true(kv_addr_pool_lease_exact(pool, IP(10, 0, 0, 2)));
    g_assert_false(kv_addr_pool_lease_exact(pool, IP(10, 0, 0, 2)));
    kv_addr_pool_release(pool, IP(10, 0, 0, 2));
    kv_addr_pool_release(pool, IP(10, 0, 0, 3));
    g_assert_true(kv_addr_pool_lease_exact(pool, IP(10, 0, 0, 2)));
}

/* Proves: the largest pool serves clients and takes them back, lowest first, at no cost of size. */
static void
test_huge_pool(void)
{
    g_autoptr(KvAddrPool) pool = make("0.0.0.0/0");
    KvIp4 ip;

    g_assert_true(kv_addr_pool_lease_exact(pool, UINT32_MAX));
    for (KvIp4 expected = 1; expected <= KV_CLIENTS_MAX; expected++) {
        g_assert_true(kv_addr_pool_lease(pool, &ip));
        g_assert_cmphex(ip, ==, expected);
    }
    for (KvIp4 given = KV_CLIENTS_MAX; given > 0; given--)
        kv_addr_pool_release(pool, given);
    for (KvIp4 expected = 1; expected <= KV_CLIENTS_MAX; expected++) {
        g_assert_true(kv_addr_pool_lease(pool, &ip));
        g_assert_cmphex(ip, ==, expected);
    }
}

/* Proves: a pool that ends at the highest address ends there. */
static void
test_upper_end(void)
{
    g_autoptr(KvAddrPool) pool = make("255.255.255.254/31");
    KvIp4 ip;

    g_assert_true(kv_addr_pool_lease(pool, &ip));
    g_assert_true(kv_addr_pool_lease(pool, &ip));
    g_assert_cmphex(ip, ==, UINT32_MAX);
    g_assert_false(kv_addr_pool_lease(pool, &ip));
    kv_addr_pool_release(pool, UINT32_MAX);
    g_assert_true(kv_addr_pool_lease(pool, &ip));
    g_assert_cmphex(ip, ==, UINT32_MAX);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/addr-pool/good-specs", test_good_specs);
    g_test_add_func("/addr-pool/bad-specs", test_bad_specs);
    g_test_add_func("/addr-pool/against-array", test_against_array);
    g_test_add_func("/addr-pool/exclude", test_exclude);
    g_test_add_func("/addr-pool/clients-choose", test_clients_choose);
    g_test_add_func("/addr-pool/huge-pool", test_huge_pool);
    g_test_add_func("/addr-pool/upper-end", test_upper_end);
    return kv_test_main(&argc, &argv);
}
