/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addressing.h"
#include "kv-error.h"
#include "kv-test.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* kvt0 is the tunnel's interface, out0 the way to the rest of the world. */

static KvNetlink *netlink;

static void
ip(const char *args)
{
    g_free(kv_test_ip(args));
}

static void
assert_shows(const char *args, const char *text, gboolean shows)
{
    g_autofree char *out = kv_test_ip(args);

    if ((strstr(out, text) != NULL) != shows)
        g_error("ip %s: %s \"%s\" in:\n%s", args, shows ? "no" : "unwanted", text, out);
}

/* (transfer full): (element-type KvNetwork): of a text with spaces between. */
static GArray *
parse_list(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    GArray *list = g_array_new(FALSE, FALSE, sizeof(KvNetwork));

    for (guint i = 0; words[i] != NULL && *words[i] != '\0'; i++) {
        KvNetwork network;

        g_assert_true(kv_network_parse(&network, words[i]));
        g_array_append_val(list, network);
    }
    return list;
}

static gboolean
apply(KvAddressing *addressing, KvVniMode mode, const char *addresses, const char *gateways,
      const char *routes, const char *endpoint, GError **error)
{
    g_autoptr(GArray) address_list = parse_list(addresses);
    g_autoptr(GArray) gateway_list = parse_list(gateways);
    g_autoptr(GArray) route_list = parse_list(routes);
    g_autoptr(GArray) endpoint_list = parse_list(endpoint != NULL ? endpoint : "");
    KvAddressingPlan plan = {mode, address_list, gateway_list, route_list, endpoint_list};

    return kv_addressing_apply(addressing, &plan, error);
}

static void
assert_applies(KvAddressing *addressing, KvVniMode mode, const char *addresses,
               const char *gateways, const char *routes, const char *endpoint)
{
    g_autoptr(GError) error = NULL;

    apply(addressing, mode, addresses, gateways, routes, endpoint, &error);
    g_assert_no_error(error);
}

static void
switch_ip6_off(const char *interface)
{
    g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", interface);
    FILE *file = fopen(path, "w");

    g_assert_nonnull(file);
    g_assert_cmpint(fputs("1", file), >=, 0);
    g_assert_cmpint(fclose(file), ==, 0);
}

static void
set_up(void)
{
    ip("link add kvt0 type veth peer name kvt1");
    ip("link set kvt1 up");
    ip("link set kvt0 up");
    ip("link add out0 type veth peer name out1");
    ip("link set out1 up");
    ip("link set out0 up");
    ip("addr add 192.0.2.2/24 dev out0");
    ip("-6 addr add 2001:db8:9::2/64 dev out0 nodad");
    ip("route add default via 192.0.2.1");
    ip("-6 route add default via 2001:db8:9::1");
}

static void
tear_down(void)
{
    ip("link del kvt0");
    ip("link del out0");
}

/* Proves: addresses and routes of both families are set as planned, only what differs is changed
 * by another plan, and all of it, but nothing else, goes. */
static void
test_change(void)
{
    g_autoptr(KvAddressing) addressing = kv_addressing_new(netlink, "kvt0");

    set_up();
    ip("addr add 10.9.9.9/32 dev kvt0");
    ip("route add 172.16.0.0/12 dev kvt0");
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24 fd00::2/64", "10.0.0.1 fd00::1",
                   "192.168.0.0/16 2001:db8:1::/48", "192.0.2.99");
    assert_shows("addr show dev kvt0", "10.0.0.2/24", TRUE);
    assert_shows("addr show dev kvt0", "fd00::2/64", TRUE);
    assert_shows("addr show dev kvt0", "fd00::2/64 scope global nodad", TRUE);
    assert_shows("route", "192.168.0.0/16 dev kvt0 proto static scope link metric 50", TRUE);
    assert_shows("-6 route", "2001:db8:1::/48 dev kvt0 proto static metric 50", TRUE);
    assert_shows("route", "192.0.2.99", FALSE);

    ip("route del 192.168.0.0/16 dev kvt0");
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.3/24 fd00::2/64", "10.0.0.1 fd00::1",
                   "192.168.7.0/24", NULL);
    assert_shows("addr show dev kvt0", "10.0.0.2", FALSE);
    assert_shows("addr show dev kvt0", "10.0.0.3/24", TRUE);
    assert_shows("addr show dev kvt0", "fd00::2/64", TRUE);
    assert_shows("-6 route", "2001:db8:1::/48", FALSE);
    assert_shows("route", "192.168.7.0/24", TRUE);

    g_assert_true(kv_addressing_clear(addressing, NULL));
    assert_shows("addr show dev kvt0", "10.0.0.3", FALSE);
    assert_shows("addr show dev kvt0", "fd00::2", FALSE);
    assert_shows("addr show dev kvt0", "10.9.9.9/32", TRUE);
    assert_shows("route", "192.168.7.0/24", FALSE);
    assert_shows("route", "172.16.0.0/12 dev kvt0", TRUE);
    tear_down();
}

/* Proves: routes stay when an interface gets another address in the place of its only one. */
static void
test_only_address(void)
{
    g_autoptr(KvAddressing) addressing = kv_addressing_new(netlink, "kvt0");

    set_up();
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2 fd00::2", "10.0.0.1 fd00::1",
                   "192.168.0.0/16 2001:db8:1::/48", NULL);
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.3 fd00::3", "10.0.0.1 fd00::1",
                   "192.168.0.0/16 2001:db8:1::/48", NULL);
    assert_shows("addr show dev kvt0", "10.0.0.3/32", TRUE);
    assert_shows("route", "10.0.0.1 dev kvt0", TRUE);
    assert_shows("route", "192.168.0.0/16 dev kvt0", TRUE);
    assert_shows("-6 route", "fd00::1 dev kvt0", TRUE);
    assert_shows("-6 route", "2001:db8:1::/48 dev kvt0", TRUE);
    g_assert_true(kv_addressing_clear(addressing, NULL));
    tear_down();
}

/* Proves: the routes of a tap device lead over its gateway; one that is in no network of the
 * interface has a route of its own. */
static void
test_gateways(void)
{
    g_autoptr(KvAddressing) tap = kv_addressing_new(netlink, "kvt0");
    g_autoptr(KvAddressing) alone = kv_addressing_new(netlink, "kvt0");

    set_up();
    assert_applies(tap, KV_VNI_MODE_TAP, "10.0.0.2/24 fd00::2/64", "10.0.0.1 fd00::1",
                   "192.168.0.0/16 2001:db8:1::/48", NULL);
    assert_shows("route", "192.168.0.0/16 via 10.0.0.1 dev kvt0", TRUE);
    assert_shows("-6 route", "2001:db8:1::/48 via fd00::1 dev kvt0", TRUE);
    assert_shows("route", "\n10.0.0.1", FALSE);
    g_assert_true(kv_addressing_clear(tap, NULL));

    assert_applies(alone, KV_VNI_MODE_TUN, "10.0.0.2 fd00::2", "10.0.0.1 fd00::1", "", NULL);
    assert_shows("route", "10.0.0.1 dev kvt0", TRUE);
    assert_shows("-6 route", "fd00::1 dev kvt0", TRUE);
    g_assert_true(kv_addressing_clear(alone, NULL));
    assert_shows("route", "10.0.0.1", FALSE);
    tear_down();
}

/* Proves: a pushed default route takes all traffic but the tunnel's own, which keeps its way also
 * when the server is elsewhere; afterwards all is as it was. */
static void
test_full_tunnel(void)
{
    g_autoptr(KvAddressing) addressing = kv_addressing_new(netlink, "kvt0");
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    set_up();
    before = kv_test_ip("route");
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24 fd00::2/64", "10.0.0.1",
                   "0.0.0.0/0 ::/0", "198.51.100.7");
    assert_shows("route get 8.8.8.8", "dev kvt0", TRUE);
    assert_shows("-6 route get 2001:db8:5::1", "dev kvt0", TRUE);
    assert_shows("route get 198.51.100.7", "via 192.0.2.1 dev out0", TRUE);
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24 fd00::2/64", "10.0.0.1",
                   "0.0.0.0/0 ::/0", "203.0.113.7");
    assert_shows("route get 203.0.113.7", "via 192.0.2.1 dev out0", TRUE);
    assert_shows("route get 198.51.100.7", "dev kvt0", TRUE);
    g_assert_true(kv_addressing_clear(addressing, NULL));
    after = kv_test_ip("route");
    g_assert_cmpstr(after, ==, before);
    assert_shows("-6 route get 2001:db8:5::1", "dev out0", TRUE);
    tear_down();
}

/* Proves: what a program left that was killed is no hindrance to the next one, which takes it away
 * in the end; so it is where the interface stayed. Who cannot have all that it wants leaves that to
 * others. */
static void
test_leftovers(void)
{
    static const char endpoints[] = "198.51.100.7 2001:db8:5::7 192.0.2.9";
    KvAddressing *killed = kv_addressing_new(netlink, "kvt0");
    g_autoptr(KvAddressing) next = kv_addressing_new(netlink, "kvt0");
    g_autoptr(KvAddressing) second = kv_addressing_new(netlink, "kvt1");
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    set_up();
    before = kv_test_ip("route");
    assert_applies(killed, KV_VNI_MODE_TUN, "10.0.0.2/24 fd00::2/64", "10.0.0.1 10.7.0.1",
                   "0.0.0.0/0 ::/0", endpoints);
    kv_addressing_free(killed);
    assert_shows("route", "198.51.100.7 via 192.0.2.1 dev out0", TRUE);
    assert_applies(next, KV_VNI_MODE_TUN, "10.0.0.2/24 fd00::2/64", "10.0.0.1 10.7.0.1",
                   "0.0.0.0/0 ::/0", endpoints);
    g_assert_false(
        apply(second, KV_VNI_MODE_TUN, "10.8.0.2/24", "", "0.0.0.0/0", "198.51.100.7", &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_EXISTS);
    g_assert_true(kv_addressing_clear(second, NULL));
    assert_shows("route", "198.51.100.7 via 192.0.2.1 dev out0", TRUE);
    g_assert_true(kv_addressing_clear(next, NULL));
    after = kv_test_ip("route");
    g_assert_cmpstr(after, ==, before);
    assert_shows("-6 route", "2001:db8:5::7", FALSE);
    tear_down();
}

/* Proves: each of several endpoints has its own way out, also where one is on the machine's network
 * and another lies in a network that leads into the tunnel already; if one cannot be reached, what
 * was set stays. */
static void
test_endpoints(void)
{
    g_autoptr(KvAddressing) addressing = kv_addressing_new(netlink, "kvt0");
    g_autoptr(GError) error = NULL;

    set_up();
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24", "", "0.0.0.0/0 10.5.0.0/16",
                   "192.0.2.9");
    assert_shows("route", "192.0.2.9 dev out0", TRUE);
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24", "", "0.0.0.0/0 10.5.0.0/16",
                   "192.0.2.9 10.5.0.1");
    assert_shows("route get 10.5.0.1", "via 192.0.2.1 dev out0", TRUE);
    assert_shows("route get 10.5.0.2", "dev kvt0", TRUE);
    assert_shows("route get 8.8.8.8", "dev kvt0", TRUE);
    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24", "", "10.5.0.0/16", NULL);

    ip("route add unreachable 203.0.113.0/24");
    g_assert_false(apply(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24", "",
                         "10.5.0.0/16 203.0.113.0/24", "10.5.0.1 203.0.113.7", &error));
    g_assert_nonnull(strstr(error->message, "203.0.113.7"));
    assert_shows("route", "10.5.0.0/16 dev kvt0", TRUE);
    g_assert_true(kv_addressing_clear(addressing, NULL));
    ip("route del unreachable 203.0.113.0/24");
    tear_down();
}

/* Proves: what cannot be set names interface and value, what was set before it can be taken away,
 * and so it can when the interface is gone. */
static void
test_errors(void)
{
    g_autoptr(KvAddressing) addressing = kv_addressing_new(netlink, "kvt0");
    g_autoptr(KvAddressing) nowhere = kv_addressing_new(netlink, "kvt9");
    g_autoptr(GError) exists = NULL;
    g_autoptr(GError) missing = NULL;
    g_autoptr(GError) no_ip6 = NULL;

    set_up();
    ip("route add 192.168.0.0/16 dev out0 metric 50");
    g_assert_false(apply(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24", "",
                         "192.168.5.0/24 192.168.0.0/16", NULL, &exists));
    g_assert_error(exists, KV_ERROR, KV_ERROR_EXISTS);
    g_assert_nonnull(strstr(exists->message, "192.168.0.0/16 with metric 50"));
    g_assert_nonnull(strstr(exists->message, "kvt0"));
    assert_shows("route", "192.168.5.0/24 dev kvt0", TRUE);
    g_assert_true(kv_addressing_clear(addressing, NULL));
    assert_shows("route", "192.168.5.0/24", FALSE);
    assert_shows("route", "192.168.0.0/16 dev out0", TRUE);

    g_assert_false(apply(nowhere, KV_VNI_MODE_TUN, "10.0.0.2/24", "", "", NULL, &missing));
    g_assert_error(missing, KV_ERROR, KV_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(missing->message, "kvt9"));

    switch_ip6_off("kvt0");
    g_assert_false(apply(addressing, KV_VNI_MODE_TUN, "fd00::2/64", "", "", NULL, &no_ip6));
    g_assert_error(no_ip6, KV_ERROR, KV_ERROR_NOT_SUPPORTED);
    g_assert_nonnull(strstr(no_ip6->message, "fd00::2/64 on interface kvt0"));

    assert_applies(addressing, KV_VNI_MODE_TUN, "10.0.0.2/24", "", "192.168.5.0/24", NULL);
    tear_down();
    g_assert_true(kv_addressing_clear(addressing, NULL));
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "skipped: no network namespace: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    g_test_add_func("/addressing/change", test_change);
    g_test_add_func("/addressing/only-address", test_only_address);
    g_test_add_func("/addressing/gateways", test_gateways);
    g_test_add_func("/addressing/full-tunnel", test_full_tunnel);
    g_test_add_func("/addressing/leftovers", test_leftovers);
    g_test_add_func("/addressing/endpoints", test_endpoints);
    g_test_add_func("/addressing/errors", test_errors);
    netlink = kv_netlink_new(&error);
    g_assert_no_error(error);
    status = kv_test_main(&argc, &argv);
    kv_netlink_free(netlink);
    return status;
}
