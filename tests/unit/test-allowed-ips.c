/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-allowed-ips.h"

#include "kv-test.h"

#include <string.h>

static KvNetwork
network(const char *text)
{
    KvNetwork read;

    g_assert_true(kv_network_parse(&read, text));
    return read;
}

static void
add(KvAllowedIps *ips, const char *text, const char *owner)
{
    KvNetwork to_add = network(text);

    kv_allowed_ips_add(ips, &to_add, (gpointer) owner);
}

static const char *
find(const KvAllowedIps *ips, const char *text)
{
    KvNetwork address = network(text);

    return kv_allowed_ips_find(ips, address.is_ip6, address.ip);
}

/* Proves: the longest match wins, in both families and whatever the order of adding. */
static void
test_longest(void)
{
    static const char *const networks[] = {"0.0.0.0/0",    "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3",
                                           "::/0",         "fd00::/8",   "fd00:1::/32", "fd00:1::1",
                                           "10.128.0.0/9", "10.1.2.0/24"};
    static const struct {
        const char *address, *owner;
    } cases[] = {
        {"9.9.9.9", "0.0.0.0/0"},   {"10.2.0.1", "10.0.0.0/8"},  {"10.1.9.1", "10.1.0.0/16"},
        {"10.1.2.3", "10.1.2.3"},   {"10.1.2.4", "10.1.2.0/24"}, {"10.200.0.1", "10.128.0.0/9"},
        {"2001:db8::1", "::/0"},    {"fd01::1", "fd00::/8"},     {"fd00:1::2", "fd00:1::/32"},
        {"fd00:1::1", "fd00:1::1"},
    };

    for (guint turn = 0; turn < G_N_ELEMENTS(networks); turn++) {
        g_autoptr(KvAllowedIps) ips = kv_allowed_ips_new();

        for (guint i = 0; i < G_N_ELEMENTS(networks); i++) {
            const char *text = networks[(i * 3 + turn) % G_N_ELEMENTS(networks)];

            add(ips, text, text);
        }
        for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
            g_assert_cmpstr(find(ips, cases[i].address), ==, cases[i].owner);
    }
}

/* Proves: what is not in the table belongs to nobody, and families do not mix. */
static void
test_nobody(void)
{
    g_autoptr(KvAllowedIps) ips = kv_allowed_ips_new();

    g_assert_null(find(ips, "10.0.0.1"));
    add(ips, "10.0.0.0/24", "a");
    g_assert_null(find(ips, "10.0.1.1"));
    g_assert_null(find(ips, "a00::1"));
    add(ips, "::/0", "b");
    g_assert_null(find(ips, "10.0.1.1"));
}

/* Proves: a network given to another peer is the other's, and a peer that is removed owns nothing
 * while the rest stays. */
static void
test_owners(void)
{
    g_autoptr(KvAllowedIps) ips = kv_allowed_ips_new();
    static const char a[] = "a", b[] = "b";
    KvNetwork shared = network("10.1.0.0/16");

    add(ips, "10.0.0.0/8", a);
    add(ips, "10.1.0.0/16", a);
    add(ips, "10.2.0.0/16", b);
    add(ips, "fd00::/64", a);
    add(ips, "10.1.0.0/16", b);
    g_assert_true(kv_allowed_ips_get(ips, &shared) == b);
    g_assert_cmpstr(find(ips, "10.1.0.1"), ==, b);
    kv_allowed_ips_remove(ips, (gpointer) b);
    g_assert_null(kv_allowed_ips_get(ips, &shared));
    g_assert_cmpstr(find(ips, "10.1.0.1"), ==, a);
    g_assert_cmpstr(find(ips, "10.2.0.1"), ==, a);
    kv_allowed_ips_remove(ips, (gpointer) a);
    g_assert_null(find(ips, "10.1.0.1"));
    g_assert_null(find(ips, "fd00::1"));
}

#define N_RANDOM 300

/* Proves: it says what a plain list of all networks says, through random adding and removing. */
static void
test_as_a_list(void)
{
    static const char owners[8] = {0};
    g_autoptr(KvAllowedIps) ips = kv_allowed_ips_new();
    KvNetwork list[N_RANDOM];
    gpointer owned[N_RANDOM] = {NULL};

    for (guint i = 0; i < N_RANDOM; i++) {
        gpointer owner = (gpointer) &owners[g_test_rand_int_range(0, 8)];

        list[i] = (KvNetwork){.is_ip6 = g_test_rand_int_range(0, 2),
                              /* few different bits, so that paths meet */
                              .ip = {10, (uint8_t) g_test_rand_int_range(0, 4),
                                     (uint8_t) g_test_rand_int_range(0, 256), 0}};
        list[i].prefix = (uint8_t) g_test_rand_int_range(0, list[i].is_ip6 ? 129 : 33);
        kv_network_make_base(&list[i]);
        for (guint j = 0; j < i; j++) {
            if (kv_network_equal(&list[j], &list[i]))
                owned[j] = NULL;
        }
        owned[i] = owner;
        kv_allowed_ips_add(ips, &list[i], owner);
        if (i % 50 == 49) {
            gpointer gone = (gpointer) &owners[g_test_rand_int_range(0, 8)];

            kv_allowed_ips_remove(ips, gone);
            for (guint j = 0; j <= i; j++)
                owned[j] = owned[j] == gone ? NULL : owned[j];
        }
        for (guint k = 0; k < 20; k++) {
            KvNetwork address = list[g_test_rand_int_range(0, (gint32) i + 1)];
            gint best = -1;

            address.ip[3] = (uint8_t) g_test_rand_int_range(0, 4);
            address.prefix = (uint8_t) kv_network_get_bits(&address);
            for (guint j = 0; j <= i; j++) {
                if (owned[j] != NULL && kv_network_contains(&list[j], &address) &&
                    (best < 0 || list[j].prefix > list[best].prefix))
                    best = (gint) j;
            }
            g_assert_true(kv_allowed_ips_find(ips, address.is_ip6, address.ip) ==
                          (best < 0 ? NULL : owned[best]));
        }
    }
}

/* Proves: a packet's own addresses are looked up, and what is cut off or no IP belongs to nobody.
 */
static void
test_packets(void)
{
    g_autoptr(KvAllowedIps) ips = kv_allowed_ips_new();
    uint8_t packet[40] = {0x45};

    add(ips, "10.0.0.1", "source4");
    add(ips, "10.0.0.2", "destination4");
    add(ips, "fd00::1", "source6");
    add(ips, "fd00::2", "destination6");
    memcpy(packet + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    g_assert_cmpstr(kv_allowed_ips_find_source(ips, packet, 20), ==, "source4");
    g_assert_cmpstr(kv_allowed_ips_find_destination(ips, packet, 20), ==, "destination4");
    g_assert_null(kv_allowed_ips_find_destination(ips, packet, 19));
    memset(packet, 0, sizeof packet);
    packet[0] = 0x60;
    packet[8] = packet[24] = 0xfd;
    packet[23] = 1;
    packet[39] = 2;
    g_assert_cmpstr(kv_allowed_ips_find_source(ips, packet, 40), ==, "source6");
    g_assert_cmpstr(kv_allowed_ips_find_destination(ips, packet, 40), ==, "destination6");
    g_assert_null(kv_allowed_ips_find_source(ips, packet, 39));
    packet[0] = 0x50;
    g_assert_null(kv_allowed_ips_find_source(ips, packet, 40));
    g_assert_null(kv_allowed_ips_find_source(ips, packet, 0));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/allowed-ips/longest", test_longest);
    g_test_add_func("/allowed-ips/nobody", test_nobody);
    g_test_add_func("/allowed-ips/owners", test_owners);
    g_test_add_func("/allowed-ips/as-a-list", test_as_a_list);
    g_test_add_func("/allowed-ips/packets", test_packets);
    return kv_test_main(&argc, &argv);
}
