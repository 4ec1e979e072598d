/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-switch.h"

#include "kv-test.h"

#define START (1000 * KV_TIME_S)

static KvSwitch *
new_table(void)
{
    static const uint8_t key[KV_SWITCH_KEY_BYTES] = {1};

    return kv_switch_new(key);
}

static const uint8_t *
mac(guint number)
{
    static uint8_t bytes[KV_SWITCH_MAC_BYTES];

    bytes[0] = 2;
    bytes[3] = (uint8_t) (number >> 16);
    bytes[4] = (uint8_t) (number >> 8);
    bytes[5] = (uint8_t) number;
    return bytes;
}

/* Proves: an address is found behind the port that had it first, and forgotten after five minutes
 * of silence; then another port may have it. */
static void
test_learn(void)
{
    g_autoptr(KvSwitch) table = new_table();
    KvSwitchPort a = {0}, b = {0};

    g_assert_true(kv_switch_learn(table, &a, mac(100), START));
    g_assert_true(kv_switch_learn(table, &b, mac(200), START));
    g_assert_null(kv_switch_find(table, mac(1), START));
    g_assert_true(kv_switch_learn(table, &a, mac(1), START));
    g_assert_true(kv_switch_find(table, mac(1), START) == &a);
    g_assert_null(kv_switch_find(table, mac(2), START));
    g_assert_false(kv_switch_learn(table, &b, mac(1), START + KV_SWITCH_AGE - 1));
    g_assert_true(kv_switch_find(table, mac(1), START + KV_SWITCH_AGE - 1) == &a);
    g_assert_true(kv_switch_learn(table, &b, mac(1), START + KV_SWITCH_AGE));
    g_assert_true(kv_switch_find(table, mac(1), START + KV_SWITCH_AGE) == &b);
    g_assert_cmpuint(a.n_entries, ==, 1);
    g_assert_cmpuint(b.n_entries, ==, 2);
    g_assert_true(kv_switch_learn(table, &b, mac(1), START + 2 * KV_SWITCH_AGE - 1));
    g_assert_true(kv_switch_find(table, mac(1), START + 2 * KV_SWITCH_AGE) == &b);
    g_assert_null(kv_switch_find(table, mac(1), START + 3 * KV_SWITCH_AGE));
}

/* Proves: the first address of a port is its own, however long it is silent, until the port goes;
 * and a port that may take gets any. */
static void
test_own(void)
{
    g_autoptr(KvSwitch) table = new_table();
    KvSwitchPort a = {0}, b = {0}, trusted = {.may_take = TRUE};
    KvTime late = START + 100 * KV_SWITCH_AGE;

    g_assert_true(kv_switch_learn(table, &a, mac(1), START));
    g_assert_false(kv_switch_learn(table, &b, mac(1), late));
    g_assert_true(kv_switch_find(table, mac(1), late) == &a);
    kv_switch_remove_port(table, &a);
    g_assert_true(kv_switch_learn(table, &b, mac(1), late));
    g_assert_true(kv_switch_find(table, mac(1), late) == &b);
    g_assert_true(kv_switch_learn(table, &trusted, mac(1), late));
    g_assert_true(kv_switch_find(table, mac(1), late) == &trusted);
    g_assert_false(kv_switch_learn(table, &b, mac(1), late));
}

/* Proves: addresses for many are never learned. */
static void
test_group(void)
{
    static const uint8_t broadcast[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t multicast[] = {0x33, 0x33, 0, 0, 0, 1};
    g_autoptr(KvSwitch) table = new_table();
    KvSwitchPort a = {0};

    kv_switch_learn(table, &a, broadcast, START);
    kv_switch_learn(table, &a, multicast, START);
    g_assert_null(kv_switch_find(table, broadcast, START));
    g_assert_cmpuint(kv_switch_get_size(table), ==, 0);
}

/* Proves: a port that makes up addresses keeps its share and no more, takes nothing from others,
 * and may learn again when its old ones are forgotten. */
static void
test_flood(void)
{
    g_autoptr(KvSwitch) table = new_table();
    KvSwitchPort good = {0}, bad = {0};

    for (guint i = 0; i < 10; i++)
        kv_switch_learn(table, &good, mac(i), START);
    for (guint i = 1000; i < 100000; i++)
        kv_switch_learn(table, &bad, mac(i), START);
    g_assert_cmpuint(bad.n_entries, ==, KV_SWITCH_PORT_MACS);
    g_assert_cmpuint(kv_switch_get_size(table), ==, KV_SWITCH_PORT_MACS + 10);
    for (guint i = 0; i < 10; i++)
        g_assert_true(kv_switch_find(table, mac(i), START) == &good);
    g_assert_false(kv_switch_learn(table, &bad, mac(5), START));
    g_assert_true(kv_switch_find(table, mac(5), START) == &good);
    kv_switch_learn(table, &bad, mac(7777777), START + KV_SWITCH_AGE);
    g_assert_true(kv_switch_find(table, mac(7777777), START + KV_SWITCH_AGE) == &bad);
    g_assert_cmpuint(bad.n_entries, ==, 2); /* and its own */
}

/* Proves: with a port all its addresses go, and the others stay, whatever the size of the table. */
static void
test_ports(void)
{
    g_autoptr(KvSwitch) table = new_table();
    KvSwitchPort ports[64] = {{0}};

    for (guint i = 0; i < 64 * 100; i++)
        kv_switch_learn(table, &ports[i % 64], mac(i), START);
    g_assert_cmpuint(kv_switch_get_size(table), ==, 6400);
    for (guint i = 0; i < 64; i += 2)
        kv_switch_remove_port(table, &ports[i]);
    g_assert_cmpuint(kv_switch_get_size(table), ==, 3200);
    for (guint i = 0; i < 64 * 100; i++)
        g_assert_true(kv_switch_find(table, mac(i), START) == (i % 2 == 0 ? NULL : &ports[i % 64]));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/switch/learn", test_learn);
    g_test_add_func("/switch/own", test_own);
    g_test_add_func("/switch/group", test_group);
    g_test_add_func("/switch/flood", test_flood);
    g_test_add_func("/switch/ports", test_ports);
    return kv_test_main(&argc, &argv);
}
