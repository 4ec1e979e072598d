/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addr-pool6.h"
#include "kv-error.h"
#include "kv-network.h"
#include "kv-test.h"

#include <string.h>

typedef struct {
    uint8_t ip[KV_IP6_BYTES];
} Address;

static Address
address_of(const char *text)
{
    KvNetwork network;
    Address address;

    g_assert_true(kv_network_parse(&network, text));
    g_assert_true(network.is_ip6);
    memcpy(address.ip, network.ip, KV_IP6_BYTES);
    return address;
}

static KvAddrPool6 *
make(const char *spec)
{
    g_autoptr(GError) error = NULL;
    KvAddrPool6 *pool = kv_addr_pool6_new(spec, &error);

    g_assert_no_error(error);
    g_assert_nonnull(pool);
    return pool;
}

static void
assert_leases(KvAddrPool6 *pool, const char *expected)
{
    Address want = address_of(expected);
    uint8_t ip[KV_IP6_BYTES];

    g_assert_true(kv_addr_pool6_lease(pool, ip));
    kv_test_assert_bytes(ip, sizeof ip, want.ip, sizeof want.ip, expected);
}

static const struct {
    const char *spec;
    const char *lowest, *highest;
    const char *below, *above; /* (nullable): next to them, outside */
} good[] = {
    {"2001:db8::/64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff",
     "2001:db8::", "2001:db8:0:1::"},
    {"2001:db8::77/64", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::", NULL},
    {"fd00::100/120", "fd00::101", "fd00::1ff", "fd00::100", "fd00::200"},
    {"fd00::100/126", "fd00::101", "fd00::103", "fd00::100", "fd00::104"},
    {"fd00::100/127", "fd00::100", "fd00::101", "fd00::ff", "fd00::102"},
    {"fd00::100/128", "fd00::100", "fd00::100", "fd00::ff", "fd00::101"},
    {"fd00::fe-fd00::1:2", "fd00::fe", "fd00::1:2", "fd00::fd", "fd00::1:3"},
    {"fd00::-fd00::", "fd00::", "fd00::", NULL, "fd00::1"},
    {"2000::/3", "2000::1", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::", "4000::"},
    {"::-::5", "::2", "::5", "::1", "::6"},
};

/* Proves: each form of specification covers what it says, both ends included, but for the address
 * of all routers and those that no host has. */
static void
test_good_specs(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(KvAddrPool6) pool = make(good[i].spec);
        Address lowest = address_of(good[i].lowest);
        Address highest = address_of(good[i].highest);

        g_assert_true(kv_addr_pool6_has_spec(pool));
        if (good[i].below != NULL)
            g_assert_false(kv_addr_pool6_lease_exact(pool, address_of(good[i].below).ip));
        if (good[i].above != NULL)
            g_assert_false(kv_addr_pool6_lease_exact(pool, address_of(good[i].above).ip));
        assert_leases(pool, good[i].lowest);
        g_assert_false(kv_addr_pool6_lease_exact(pool, lowest.ip));
        g_assert_cmpint(kv_addr_pool6_lease_exact(pool, highest.ip), ==,
                        memcmp(lowest.ip, highest.ip, KV_IP6_BYTES) != 0);
    }
}

static const char *const bad[] = {
    "",
    " ",
    "x",
    "2001:db8::1",
    "2001:db8::/",
    "2001:db8::/129",
    "2001:db8::/064",
    "2001:db8::/-1",
    "2001:db8::/64x",
    "2001:db8::/ffff::",
    "2001:db8::1-",
    "-2001:db8::1",
    "2001:db8::2-2001:db8::1",
    "2001:db8::1-2001:db8::2-2001:db8::3",
    "2001:db8::1/128-2001:db8::2",
    "2001:db8::1-2001:db8::2/128",
    "2001:db8::1 - 2001:db8::2",
    "2001:db8::1%eth0/64",
    "2001:db8:::/64",
    "10.0.0.0/8",
    "10.0.0.1-10.0.0.2",
    "::1-10.0.0.2",
    "::/128",
    "::-::1",
    "ff02::/16",
    "fe80::-ff02::1",
    "::/0",
};

/* Proves: whatever else is refused with an error that names it. */
static void
test_bad_specs(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(KvAddrPool6) pool = kv_addr_pool6_new(bad[i], &error);

        g_assert_null(pool);
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_nonnull(strstr(error->message, bad[i]));
    }
}

/* Proves: a pool behaves as a plain array that is searched from the start, across a carry. */
static void
test_against_array(void)
{
    enum { FREE, LEASED, EXCLUDED } state[64] = {FREE};
    g_autoptr(KvAddrPool6) pool = make("2001:db8::ffff:ffe0-2001:db8::1:0:1f");
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint step = 0; step < 50000; step++) {
        guint at = kv_test_random_below(&random, G_N_ELEMENTS(state));
        Address address = address_of("2001:db8::ffff:ffe0");
        uint64_t low = UINT64_C(0xffffffe0) + at;
        uint8_t ip[KV_IP6_BYTES];
        guint lowest = 0;

        for (guint i = 0; i < 8; i++)
            address.ip[15 - i] = (uint8_t) (low >> 8 * i);
        switch (kv_test_random_below(&random, step % 1000 < 500 ? 5 : 3)) {
        case 0:
            while (lowest < G_N_ELEMENTS(state) && state[lowest] != FREE)
                lowest++;
            g_assert_cmpint(kv_addr_pool6_lease(pool, ip), ==, lowest < G_N_ELEMENTS(state));
            if (lowest < G_N_ELEMENTS(state)) {
                g_assert_cmpuint((uint8_t) (0xe0 + lowest), ==, ip[15]);
                g_assert_cmpuint(lowest >= 32, ==, ip[11]);
                state[lowest] = LEASED;
            }
            break;
        case 1:
            g_assert_cmpint(kv_addr_pool6_lease_exact(pool, address.ip), ==, state[at] == FREE);
            state[at] = state[at] == FREE ? LEASED : state[at];
            break;
        default:
            if (step % 10000 == 9999) {
                kv_addr_pool6_exclude(pool, address.ip);
                state[at] = EXCLUDED;
            }
            kv_addr_pool6_release(pool, address.ip);
            state[at] = state[at] == LEASED ? FREE : state[at];
            break;
        }
    }
}

/* Proves: the server's own address is never given out, whenever and how often it is excluded. */
static void
test_exclude(void)
{
    g_autoptr(KvAddrPool6) pool = make("fd00::/125");
    Address own = address_of("fd00::1");

    kv_addr_pool6_exclude(pool, own.ip);
    kv_addr_pool6_exclude(pool, own.ip);
    kv_addr_pool6_exclude(pool, address_of("fd01::").ip);
    kv_addr_pool6_release(pool, own.ip);
    g_assert_false(kv_addr_pool6_lease_exact(pool, own.ip));
    assert_leases(pool, "fd00::2");
    kv_addr_pool6_exclude(pool, address_of("fd00::2").ip);
    kv_addr_pool6_release(pool, address_of("fd00::2").ip);
    assert_leases(pool, "fd00::3");
}

/* Proves: without a specification clients choose, but none an address that another has or that no
 * host has. */
static void
test_clients_choose(void)
{
    static const char *const never[] = {"::", "::1", "ff02::1", "fd00::1"};
    g_autoptr(KvAddrPool6) pool = make(NULL);
    Address chosen = address_of("fd00::2");
    uint8_t ip[KV_IP6_BYTES];

    g_assert_false(kv_addr_pool6_has_spec(pool));
    g_assert_false(kv_addr_pool6_lease(pool, ip));
    kv_addr_pool6_exclude(pool, address_of("fd00::1").ip);
    for (guint i = 0; i < G_N_ELEMENTS(never); i++)
        g_assert_false(kv_addr_pool6_lease_exact(pool, address_of(never[i]).ip));
    for (guint round = 0; round < 3; round++) {
        g_assert_true(kv_addr_pool6_lease_exact(pool, chosen.ip));
        g_assert_false(kv_addr_pool6_lease_exact(pool, chosen.ip));
        kv_addr_pool6_release(pool, chosen.ip);
    }
}

/* Proves: the largest pool serves clients and takes them back, lowest first, at no cost of size;
 * the very last address is given once and ends it. */
static void
test_edges(void)
{
    g_autoptr(KvAddrPool6) huge = make("1::/1");
    g_autoptr(KvAddrPool6) end = make("feff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127");
    uint8_t ip[KV_IP6_BYTES];

    g_assert_true(kv_addr_pool6_lease_exact(huge, address_of("::4").ip));
    for (guint i = 0; i < 4096; i++)
        g_assert_true(kv_addr_pool6_lease(huge, ip));
    /* From ::2, over ::4, that is ::1002. */
    kv_test_assert_bytes(ip, sizeof ip, address_of("::1002").ip, sizeof ip, "the 4096th");
    kv_addr_pool6_release(huge, address_of("::9").ip);
    kv_addr_pool6_release(huge, address_of("::3").ip);
    assert_leases(huge, "::3");
    assert_leases(huge, "::9");
    assert_leases(huge, "::1003");

    assert_leases(end, "feff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
    assert_leases(end, "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    g_assert_false(kv_addr_pool6_lease(end, ip));
    kv_addr_pool6_release(end, address_of("feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").ip);
    assert_leases(end, "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    g_assert_false(kv_addr_pool6_lease(end, ip));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/addr-pool6/good-specs", test_good_specs);
    g_test_add_func("/addr-pool6/bad-specs", test_bad_specs);
    g_test_add_func("/addr-pool6/against-array", test_against_array);
    g_test_add_func("/addr-pool6/exclude", test_exclude);
    g_test_add_func("/addr-pool6/clients-choose", test_clients_choose);
    g_test_add_func("/addr-pool6/edges", test_edges);
    return kv_test_main(&argc, &argv);
}
