/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-ip4.h"
#include "kv-test.h"

/* Proves: the first octet is the most significant one, and the longest address fits. */
static void
test_to_string(void)
{
    static const struct {
        KvIp4 ip;
        const char *text;
    } cases[] = {
        {0, "0.0.0.0"},
        {0xc0a85801, "192.168.88.1"},
        {UINT32_MAX, "255.255.255.255"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        char text[KV_IP4_TEXT_BYTES];

        g_assert_cmpstr(kv_ip4_to_string(cases[i].ip, text), ==, cases[i].text);
    }
}

/* Proves: a netmask has no holes. */
static void
test_is_netmask(void)
{
    static const struct {
        KvIp4 mask;
        gboolean good;
    } cases[] = {
        {0, TRUE},           {UINT32_MAX, TRUE},  {0x80000000, TRUE},
        {0xffffff00, TRUE},  {0xfffffffe, TRUE},  {1, FALSE},
        {0x7fffffff, FALSE}, {0xff00ff00, FALSE}, {0xfffffffd, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(kv_ip4_is_netmask(cases[i].mask), ==, cases[i].good);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/ip4/to-string", test_to_string);
    g_test_add_func("/ip4/is-netmask", test_is_netmask);
    return kv_test_main(&argc, &argv);
}
