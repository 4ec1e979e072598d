/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-network.h"

#include "kv-test.h"

/* NULL: not to be read. */
static const struct {
    const char *text;
    const char *read;
} texts[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"192.0.2.1/32", "192.0.2.1"},
    {"10.0.0.0/8", "10.0.0.0/8"},
    {"0.0.0.0/0", "0.0.0.0/0"},
    {"2001:db8::1", "2001:db8::1"},
    {"::/0", "::/0"},
    {"fd00::/64", "fd00::/64"},
    {"FD00:0::0/64", "fd00::/64"},
    {"::ffff:192.0.2.1/128", "::ffff:192.0.2.1"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/127",
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127"},
    {"", NULL},
    {"/8", NULL},
    {"10.0.0.0/", NULL},
    {"10.0.0.0/33", NULL},
    {"10.0.0.0/08", NULL},
    {"10.0.0.0/+8", NULL},
    {"10.0.0.0/ 8", NULL},
    {"10.0.0.0/8/8", NULL},
    {"10.0.0/8", NULL},
    {" 10.0.0.0", NULL},
    {"010.0.0.0", NULL},
    {"fd00::/129", NULL},
    {"fd00::%eth0/64", NULL},
    {"fd00::99999", NULL},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555555555/127", NULL},
};

/* Proves: networks of both families are read and written, and nothing else is. */
static void
test_text(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        KvNetwork network;
        char text[KV_NETWORK_TEXT_BYTES];
        gboolean ok = kv_network_parse(&network, texts[i].text);

        g_assert_cmpstr(ok ? kv_network_to_string(&network, text) : NULL, ==, texts[i].read);
    }
}

/* Proves: bits below the prefix are seen and cleared, whatever the prefix. */
static void
test_base(void)
{
    for (guint prefix = 0; prefix <= 128; prefix++) {
        KvNetwork network;

        g_assert_true(kv_network_parse(&network, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        network.prefix = (uint8_t) prefix;
        g_assert_cmpint(kv_network_is_base(&network), ==, prefix == 128);
        kv_network_make_base(&network);
        g_assert_true(kv_network_is_base(&network));
        for (guint bit = 0; bit < 128; bit++)
            g_assert_cmpint(network.ip[bit / 8] >> (7 - bit % 8) & 1, ==, bit < prefix);
    }
}

/* Proves: a network holds what begins with its bits, of its own family only. */
static void
test_contains(void)
{
    static const struct {
        const char *outer, *inner;
        gboolean contains;
    } cases[] = {
        {"0.0.0.0/0", "10.1.2.3", TRUE},          {"10.0.0.0/8", "10.255.0.0/16", TRUE},
        {"10.0.0.0/8", "10.0.0.0/8", TRUE},       {"10.0.0.0/8", "0.0.0.0/0", FALSE},
        {"10.0.0.0/8", "11.0.0.1", FALSE},        {"10.0.0.0/15", "10.1.255.255", TRUE},
        {"10.0.0.0/15", "10.2.0.0", FALSE},       {"::/0", "10.0.0.1", FALSE},
        {"0.0.0.0/0", "fd00::1", FALSE},          {"fd00::/65", "fd00::7fff:0:0:1", TRUE},
        {"fd00::/65", "fd00::8000:0:0:1", FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvNetwork outer, inner;

        g_assert_true(kv_network_parse(&outer, cases[i].outer));
        g_assert_true(kv_network_parse(&inner, cases[i].inner));
        g_assert_cmpint(kv_network_contains(&outer, &inner), ==, cases[i].contains);
        g_assert_true(kv_network_equal(&outer, &outer));
        g_assert_false(kv_network_equal(&outer, &inner) && i != 2);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/network/text", test_text);
    g_test_add_func("/network/base", test_base);
    g_test_add_func("/network/contains", test_contains);
    return kv_test_main(&argc, &argv);
}
