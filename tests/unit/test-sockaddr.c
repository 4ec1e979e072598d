/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test-sockaddr.h"
#include "kv-test.h"

#include <net/if.h>

/* Proves: text, length and wildcard of every kind of address. */
static void
test_text(void)
{
    static const struct {
        const char *ip;
        uint16_t port;
        const char *want;
        gboolean wildcard;
    } rows[] = {
        {"192.0.2.1", 1235, "192.0.2.1:1235", FALSE},         {"0.0.0.0", 0, "0.0.0.0:0", TRUE},
        {"2001:db8::1", 65535, "[2001:db8::1]:65535", FALSE}, {"::", 1, "[::]:1", TRUE},
        {"::ffff:192.0.2.1", 7, "192.0.2.1:7", FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        KvSockaddr address = kv_test_sockaddr(rows[i].ip, rows[i].port);
        g_autofree char *text = kv_sockaddr_to_string(&address);

        g_assert_cmpstr(text, ==, rows[i].want);
        g_assert_cmpint(kv_sockaddr_is_wildcard(&address), ==, rows[i].wildcard);
        g_assert_cmpuint(kv_sockaddr_get_length(&address), ==,
                         address.sa.sa_family == AF_INET ? sizeof(address.v4) : sizeof(address.v6));
    }
}

/* Proves: each part of an address counts in a comparison, and equal ones have one hash. */
static void
test_equal(void)
{
    KvSockaddr addresses[] = {
        kv_test_sockaddr("192.0.2.1", 1),        kv_test_sockaddr("192.0.2.1", 2),
        kv_test_sockaddr("192.0.2.2", 1),        kv_test_sockaddr("fe80::1", 1),
        kv_test_sockaddr("::ffff:192.0.2.1", 1), kv_test_sockaddr("fe80::1", 2),
        kv_test_sockaddr("fe80::2", 1),          kv_test_sockaddr("fe80::1", 1),
    };

    addresses[7].v6.sin6_scope_id = 3;
    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(addresses); j++)
            g_assert_cmpint(kv_sockaddr_equal(&addresses[i], &addresses[j]), ==, i == j);
    }
    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        KvSockaddr copy = addresses[i];

        /* No part of the comparison. */
        if (copy.sa.sa_family == AF_INET)
            copy.v4.sin_zero[0] = 1;
        else
            copy.v6.sin6_flowinfo = 1;
        g_assert_true(kv_sockaddr_equal(&copy, &addresses[i]));
    }
}

/* Proves: a link-local address is told with its interface, by name while there is one. */
static void
test_zone(void)
{
    KvSockaddr address = kv_test_sockaddr("fe80::1", 1235);
    g_autofree char *by_number = NULL;
    g_autofree char *by_name = NULL;

    address.v6.sin6_scope_id = 999999;
    by_number = kv_sockaddr_to_string(&address);
    g_assert_cmpstr(by_number, ==, "[fe80::1%999999]:1235");
    address.v6.sin6_scope_id = if_nametoindex("lo");
    by_name = kv_sockaddr_to_string(&address);
    g_assert_cmpstr(by_name, ==, "[fe80::1%lo]:1235");
}

/* Proves: core's form of an address is the same for IPv4 and IPv4 mapped into IPv6, and leads back
 * to what the socket uses. */
static void
test_endpoint(void)
{
    static const struct {
        const char *text;
        const char *mapped; /* the same on an IPv6 socket */
    } cases[] = {{"192.0.2.1", "::ffff:192.0.2.1"}, {"2001:db8::1", NULL}, {"fe80::1", NULL}};

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvSockaddr address = kv_test_sockaddr(cases[i].text, 1235);
        KvSockaddr back, mapped;
        KvEndpoint endpoint, other;

        if (address.sa.sa_family == AF_INET6 && i == 2)
            address.v6.sin6_scope_id = 7;
        kv_sockaddr_to_endpoint(&address, &endpoint);
        g_assert_cmpuint(endpoint.port, ==, 1235);
        kv_sockaddr_from_endpoint(&back, &endpoint, address.sa.sa_family);
        g_assert_true(kv_sockaddr_equal(&back, &address));
        if (cases[i].mapped == NULL)
            continue;
        mapped = kv_test_sockaddr(cases[i].mapped, 1235);
        kv_sockaddr_to_endpoint(&mapped, &other);
        g_assert_true(kv_endpoint_equal(&other, &endpoint));
        kv_sockaddr_from_endpoint(&back, &endpoint, AF_INET6);
        g_assert_true(kv_sockaddr_equal(&back, &mapped));
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/sockaddr/text", test_text);
    g_test_add_func("/sockaddr/equal", test_equal);
    g_test_add_func("/sockaddr/zone", test_zone);
    g_test_add_func("/sockaddr/endpoint", test_endpoint);
    return kv_test_main(&argc, &argv);
}
