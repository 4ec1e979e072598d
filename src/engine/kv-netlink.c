/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-netlink.h"

#include "kv-error.h"
#include "kv-ip4.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <string.h>

/* Links are always asked for one by one: a server may have a thousand, and a cache of them all
 * would be read anew for every client. */
struct _KvNetlink {
    struct nl_sock *sock;
};

typedef struct rtnl_link RtnlLink;
typedef struct rtnl_addr RtnlAddr;
typedef struct rtnl_route RtnlRoute;
typedef struct nl_addr NlAddr;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RtnlLink, rtnl_link_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RtnlAddr, rtnl_addr_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RtnlRoute, rtnl_route_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NlAddr, nl_addr_put)

static KvError
code_from_nl(int result)
{
    switch (-result) {
    case NLE_PERM:
    case NLE_NOACCESS:
        return KV_ERROR_PERMISSION_DENIED;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
    case NLE_NOADDR:
        return KV_ERROR_NOT_FOUND;
    case NLE_EXIST:
    case NLE_BUSY:
        return KV_ERROR_EXISTS;
    case NLE_INVAL:
    case NLE_RANGE:
        return KV_ERROR_INVALID_SETTING;
    case NLE_OPNOTSUPP:
    case NLE_AF_NOSUPPORT:
        return KV_ERROR_NOT_SUPPORTED;
    case NLE_NOMEM:
        return KV_ERROR_EXHAUSTED;
    default:
        return KV_ERROR_IO;
    }
}

/* Turns a libnl result into the GLib convention; @format says what was being done. */
static gboolean G_GNUC_PRINTF(3, 4) check(int result, GError **error, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    if (result >= 0)
        return TRUE;
    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    if (result == -NLE_PERM || result == -NLE_NOACCESS)
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "%s: the capability CAP_NET_ADMIN is missing", what);
    else
        g_set_error(error, KV_ERROR, code_from_nl(result), "%s: %s", what, nl_geterror(result));
    return FALSE;
}

static NlAddr *
build_nl_addr(KvIp4 ip, int prefix)
{
    uint32_t be = htonl(ip);
    NlAddr *addr = nl_addr_build(AF_INET, &be, sizeof be);

    if (addr != NULL)
        nl_addr_set_prefixlen(addr, prefix);
    return addr;
}

static RtnlLink *
get_link(KvNetlink *netlink, const char *name, GError **error)
{
    RtnlLink *link = NULL;
    int result = rtnl_link_get_kernel(netlink->sock, 0, name, &link);

    if (result == -NLE_NODEV || result == -NLE_OBJ_NOTFOUND) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, "There is no interface %s", name);
        return NULL;
    }
    return check(result, error, "Cannot look up interface %s", name) ? link : NULL;
}

static gboolean
change_link(KvNetlink *netlink, const char *name, RtnlLink *change, const char *what,
            GError **error)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, error);

    if (link == NULL)
        return FALSE;
    return check(rtnl_link_change(netlink->sock, link, change, 0), error,
                 "Cannot set %s of interface %s", what, name);
}

static gboolean
add_address(KvNetlink *netlink, const char *name, NlAddr *local, NlAddr *peer, GError **error)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, error);
    g_autoptr(RtnlAddr) addr = NULL;
    char text[INET_ADDRSTRLEN + 4];
    int result;

    if (link == NULL)
        return FALSE;
    addr = rtnl_addr_alloc();
    rtnl_addr_set_ifindex(addr, rtnl_link_get_ifindex(link));
    rtnl_addr_set_family(addr, AF_INET);
    result = rtnl_addr_set_local(addr, local);
    if (result >= 0 && peer != NULL)
        result = rtnl_addr_set_peer(addr, peer);
    if (result >= 0)
        result = rtnl_addr_add(netlink->sock, addr, 0);
    if (result == -NLE_EXIST)
        return TRUE;
    return check(result, error, "Cannot add address %s to interface %s",
                 nl_addr2str(local, text, sizeof text), name);
}

KvNetlink *
kv_netlink_new(GError **error)
{
    g_autoptr(KvNetlink) netlink = g_new0(KvNetlink, 1);

    netlink->sock = nl_socket_alloc();
    if (!check(netlink->sock != NULL ? nl_connect(netlink->sock, NETLINK_ROUTE) : -NLE_NOMEM, error,
               "Cannot open a netlink socket"))
        return NULL;
    return g_steal_pointer(&netlink);
}

void
kv_netlink_free(KvNetlink *netlink)
{
    if (netlink == NULL)
        return;
    nl_socket_free(netlink->sock);
    g_free(netlink);
}

gboolean
kv_netlink_set_mtu(KvNetlink *netlink, const char *name, guint mtu, GError **error)
{
    g_autoptr(RtnlLink) change = rtnl_link_alloc();
    g_autofree char *what = g_strdup_printf("MTU %u", mtu);

    rtnl_link_set_mtu(change, mtu);
    return change_link(netlink, name, change, what, error);
}

gboolean
kv_netlink_set_up(KvNetlink *netlink, const char *name, gboolean up, GError **error)
{
    g_autoptr(RtnlLink) change = rtnl_link_alloc();

    if (up)
        rtnl_link_set_flags(change, IFF_UP);
    else
        rtnl_link_unset_flags(change, IFF_UP);
    return change_link(netlink, name, change, up ? "state up" : "state down", error);
}

gboolean
kv_netlink_add_peer_address(KvNetlink *netlink, const char *name, KvIp4 local, KvIp4 peer,
                            GError **error)
{
    g_autoptr(NlAddr) local_addr = build_nl_addr(local, 32);
    g_autoptr(NlAddr) peer_addr = peer != 0 ? build_nl_addr(peer, 32) : NULL;

    return add_address(netlink, name, local_addr, peer_addr, error);
}

gboolean
kv_netlink_add_address(KvNetlink *netlink, const char *name, KvIp4 local, KvIp4 netmask,
                       GError **error)
{
    g_autoptr(NlAddr) addr = NULL;
    char text[KV_IP4_TEXT_BYTES];

    if (!kv_ip4_is_netmask(netmask)) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "Cannot set the address of interface %s: netmask %s has holes", name,
                    kv_ip4_to_string(netmask, text));
        return FALSE;
    }
    addr = build_nl_addr(local, netmask != 0 ? __builtin_popcount(netmask) : 32);
    return add_address(netlink, name, addr, NULL, error);
}

static KvIp4
read_nl_addr(const NlAddr *addr)
{
    uint32_t be = 0;

    if (addr != NULL && nl_addr_get_len(addr) == sizeof be)
        memcpy(&be, nl_addr_get_binary_addr(addr), sizeof be);
    return ntohl(be);
}

gboolean
kv_netlink_find_address(KvNetlink *netlink, const char *name, guint prefix,
                        KvNetlinkAddress *address, GError **error)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, error);
    struct nl_cache *cache = NULL;

    *address = (KvNetlinkAddress){0};
    if (link == NULL || !check(rtnl_addr_alloc_cache(netlink->sock, &cache), error,
                               "Cannot list the addresses of interface %s", name))
        return FALSE;
    for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
        RtnlAddr *addr = (RtnlAddr *) o;

        if (rtnl_addr_get_ifindex(addr) != rtnl_link_get_ifindex(link) ||
            rtnl_addr_get_family(addr) != AF_INET || rtnl_addr_get_prefixlen(addr) != (int) prefix)
            continue;
        address->local = read_nl_addr(rtnl_addr_get_local(addr));
        address->peer = read_nl_addr(rtnl_addr_get_peer(addr));
        if (address->peer == 0)
            address->peer = address->local;
        break;
    }
    nl_cache_free(cache);
    return TRUE;
}

gboolean
kv_netlink_remove_address(KvNetlink *netlink, const char *name, KvIp4 local, GError **error)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, error);
    struct ifaddrmsg header = {.ifa_family = AF_INET};
    struct nl_msg *message;
    char text[KV_IP4_TEXT_BYTES];
    int result;

    if (link == NULL)
        return FALSE;
    header.ifa_index = (unsigned int) rtnl_link_get_ifindex(link);
    message = nlmsg_alloc_simple(RTM_DELADDR, 0);
    nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO);
    /* rtnl_addr_delete() would also send IFA_ADDRESS, which then has to equal the peer. */
    nla_put_u32(message, IFA_LOCAL, htonl(local));
    result = nl_send_sync(netlink->sock, message);
    if (result == -NLE_NOADDR)
        return TRUE;
    return check(result, error, "Cannot remove address %s from interface %s",
                 kv_ip4_to_string(local, text), name);
}

/* --- addresses and routes of either family --------------------------------------------------- */

static int
get_af(const KvNetwork *network)
{
    return network->is_ip6 ? AF_INET6 : AF_INET;
}

static NlAddr *
build_network(const KvNetwork *network)
{
    NlAddr *addr = nl_addr_build(get_af(network), network->ip, network->is_ip6 ? 16 : 4);

    if (addr != NULL)
        nl_addr_set_prefixlen(addr, network->prefix);
    return addr;
}

/* (transfer full) (nullable): @gone: an interface that is not there is no error. */
static RtnlLink *
get_link_if_there(KvNetlink *netlink, const char *name, gboolean *gone, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    RtnlLink *link = get_link(netlink, name, &local_error);

    *gone = g_error_matches(local_error, KV_ERROR, KV_ERROR_NOT_FOUND);
    if (link == NULL && !*gone)
        g_propagate_error(error, g_steal_pointer(&local_error));
    return link;
}

gboolean
kv_netlink_has_ip6(void)
{
    struct ifaddrs *all = NULL;
    gboolean found = FALSE;

    if (getifaddrs(&all) < 0)
        return TRUE;
    for (const struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next)
        found = one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET6;
    freeifaddrs(all);
    return found;
}

/* What the kernel answers where sysctl disable_ipv6 is set. */
static gboolean
is_switched_off(const KvNetwork *network, int result, const char *name, GError **error)
{
    char text[KV_NETWORK_TEXT_BYTES];

    if (!network->is_ip6 || result != -NLE_NOACCESS)
        return FALSE;
    g_set_error(error, KV_ERROR, KV_ERROR_NOT_SUPPORTED,
                "Cannot set %s on interface %s: IPv6 is switched off there (sysctl "
                "net.ipv6.conf.%s.disable_ipv6)",
                kv_network_to_string(network, text), name, name);
    return TRUE;
}

gboolean
kv_netlink_add_network(KvNetlink *netlink, const char *name, const KvNetwork *address,
                       GError **error)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, error);
    g_autoptr(NlAddr) local = build_network(address);
    g_autoptr(RtnlAddr) addr = rtnl_addr_alloc();
    char text[KV_NETWORK_TEXT_BYTES];
    int result;

    if (link == NULL)
        return FALSE;
    rtnl_addr_set_ifindex(addr, rtnl_link_get_ifindex(link));
    result = rtnl_addr_set_local(addr, local);
    /* The server looks to it that nobody else has the address. */
    if (address->is_ip6)
        rtnl_addr_set_flags(addr, IFA_F_NODAD);
    if (result >= 0)
        result = rtnl_addr_add(netlink->sock, addr, 0);
    if (result == -NLE_EXIST)
        return TRUE;
    return !is_switched_off(address, result, name, error) &&
           check(result, error, "Cannot add address %s to interface %s",
                 kv_network_to_string(address, text), name);
}

gboolean
kv_netlink_remove_network(KvNetlink *netlink, const char *name, const KvNetwork *address,
                          GError **error)
{
    gboolean gone;
    g_autoptr(RtnlLink) link = get_link_if_there(netlink, name, &gone, error);
    struct ifaddrmsg header = {.ifa_family = (uint8_t) get_af(address)};
    struct nl_msg *message;
    char text[KV_NETWORK_TEXT_BYTES];
    int result;

    if (link == NULL)
        return gone;
    header.ifa_prefixlen = address->prefix;
    header.ifa_index = (unsigned int) rtnl_link_get_ifindex(link);
    message = nlmsg_alloc_simple(RTM_DELADDR, 0);
    nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO);
    nla_put(message, IFA_LOCAL, address->is_ip6 ? 16 : 4, address->ip);
    result = nl_send_sync(netlink->sock, message);
    if (result == -NLE_NOADDR)
        return TRUE;
    return check(result, error, "Cannot remove address %s from interface %s",
                 kv_network_to_string(address, text), name);
}

static void
read_network(const NlAddr *addr, KvNetwork *network)
{
    *network = (KvNetwork){0};
    if (addr == NULL || nl_addr_get_len(addr) > sizeof network->ip)
        return;
    network->is_ip6 = nl_addr_get_family(addr) == AF_INET6;
    network->prefix = (uint8_t) kv_network_get_bits(network);
    memcpy(network->ip, nl_addr_get_binary_addr(addr), nl_addr_get_len(addr));
}

static RtnlRoute *
build_route(const KvNetlinkRoute *route, RtnlLink *link)
{
    g_autoptr(NlAddr) destination = build_network(&route->destination);
    gboolean has_gateway = route->gateway.prefix != 0;
    RtnlRoute *built = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

    rtnl_route_set_family(built, (uint8_t) get_af(&route->destination));
    rtnl_route_set_table(built, RT_TABLE_MAIN);
    rtnl_route_set_protocol(built, RTPROT_STATIC);
    rtnl_route_set_type(built, RTN_UNICAST);
    rtnl_route_set_scope(built, has_gateway || route->destination.is_ip6 ? RT_SCOPE_UNIVERSE
                                                                         : RT_SCOPE_LINK);
    rtnl_route_set_dst(built, destination);
    rtnl_route_set_priority(built, route->metric);
    rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
    if (has_gateway) {
        g_autoptr(NlAddr) gateway = build_network(&route->gateway);

        rtnl_route_nh_set_gateway(hop, gateway);
    }
    rtnl_route_add_nexthop(built, hop);
    return built;
}

/* Whether the way is the same, too: then it may be what somebody left who had no time to take it
 * away. */
static gboolean
is_same_way(RtnlRoute *a, RtnlRoute *b)
{
    struct rtnl_nexthop *hop_a = rtnl_route_nexthop_n(a, 0);
    struct rtnl_nexthop *hop_b = rtnl_route_nexthop_n(b, 0);
    KvNetwork gateway_a;
    KvNetwork gateway_b;

    read_network(rtnl_route_nh_get_gateway(hop_a), &gateway_a);
    read_network(rtnl_route_nh_get_gateway(hop_b), &gateway_b);
    return rtnl_route_get_nnexthops(a) == rtnl_route_get_nnexthops(b) &&
           rtnl_route_get_protocol(a) == rtnl_route_get_protocol(b) &&
           rtnl_route_nh_get_ifindex(hop_a) == rtnl_route_nh_get_ifindex(hop_b) &&
           kv_network_equal(&gateway_a, &gateway_b);
}

/* Whether the main table has a route to the same network with the same metric. Those of a machine
 * are read once, for an error.
 * @name: set: the interface it goes through
 * @is_same: set: whether one of them is @wanted */
static gboolean
find_route(KvNetlink *netlink, RtnlRoute *wanted, char name[IF_NAMESIZE], gboolean *is_same)
{
    struct nl_cache *routes = NULL;
    gboolean found = FALSE;

    *is_same = FALSE;
    if (rtnl_route_alloc_cache(netlink->sock, rtnl_route_get_family(wanted), 0, &routes) < 0)
        return FALSE;
    for (struct nl_object *object = nl_cache_get_first(routes); object != NULL && !*is_same;
         object = nl_cache_get_next(object)) {
        RtnlRoute *route = (RtnlRoute *) object;
        NlAddr *destination = rtnl_route_get_dst(route);

        if (destination == NULL || rtnl_route_get_nnexthops(route) == 0 ||
            rtnl_route_get_table(route) != RT_TABLE_MAIN ||
            rtnl_route_get_priority(route) != rtnl_route_get_priority(wanted) ||
            nl_addr_cmp(destination, rtnl_route_get_dst(wanted)) != 0)
            continue;
        *is_same = is_same_way(route, wanted);
        found |=
            if_indextoname((unsigned int) rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0)),
                           name) != NULL;
    }
    nl_cache_free(routes);
    return found;
}

gboolean
kv_netlink_add_route(KvNetlink *netlink, const KvNetlinkRoute *route, gboolean *was_there,
                     GError **error)
{
    g_autoptr(RtnlLink) link = get_link(netlink, route->interface, error);
    g_autoptr(RtnlRoute) built = NULL;
    char text[KV_NETWORK_TEXT_BYTES];
    char name[IF_NAMESIZE];
    gboolean is_same;
    int result;

    if (link == NULL)
        return FALSE;
    kv_network_to_string(&route->destination, text);
    built = build_route(route, link);
    result = rtnl_route_add(netlink->sock, built, route->is_beside ? NLM_F_APPEND : NLM_F_EXCL);
    if (result == -NLE_EXIST && find_route(netlink, built, name, &is_same)) {
        if (is_same && was_there != NULL)
            *was_there = TRUE;
        if (is_same)
            return TRUE;
        g_set_error(error, KV_ERROR, KV_ERROR_EXISTS,
                    "Cannot add route %s with metric %u through interface %s: there is one through "
                    "interface %s",
                    text, route->metric, route->interface, name);
        return FALSE;
    }
    return !is_switched_off(&route->destination, result, route->interface, error) &&
           check(result, error, "Cannot add route %s with metric %u through interface %s", text,
                 route->metric, route->interface);
}

gboolean
kv_netlink_remove_route(KvNetlink *netlink, const KvNetlinkRoute *route, GError **error)
{
    gboolean gone;
    g_autoptr(RtnlLink) link = get_link_if_there(netlink, route->interface, &gone, error);
    g_autoptr(RtnlRoute) built = NULL;
    char text[KV_NETWORK_TEXT_BYTES];
    int result;

    if (link == NULL)
        return gone;
    built = build_route(route, link);
    result = rtnl_route_delete(netlink->sock, built, 0);
    if (result == -NLE_OBJ_NOTFOUND || result == -NLE_NODEV)
        return TRUE;
    return check(result, error, "Cannot remove route %s through interface %s",
                 kv_network_to_string(&route->destination, text), route->interface);
}

gboolean
kv_netlink_find_way(KvNetlink *netlink, const KvNetwork *address, KvNetwork *gateway,
                    char **interface, GError **error)
{
    g_autoptr(NlAddr) destination = build_network(address);
    g_autoptr(RtnlRoute) route = NULL;
    char text[KV_NETWORK_TEXT_BYTES];
    char name[IF_NAMESIZE];
    struct rtnl_nexthop *hop;

    *interface = NULL;
    kv_network_to_string(address, text);
    if (!check(rtnl_route_lookup(netlink->sock, destination, &route), error,
               "Cannot find the way to %s", text))
        return FALSE;
    hop = rtnl_route_get_nnexthops(route) > 0 ? rtnl_route_nexthop_n(route, 0) : NULL;
    if (hop == NULL ||
        if_indextoname((unsigned int) rtnl_route_nh_get_ifindex(hop), name) == NULL) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, "There is no way to %s", text);
        return FALSE;
    }
    read_network(rtnl_route_nh_get_gateway(hop), gateway);
    *interface = g_strdup(name);
    return TRUE;
}

gboolean
kv_netlink_set_tun_flags(KvNetlink *netlink, const char *name, GError **error)
{
    g_autoptr(RtnlLink) change = rtnl_link_alloc();

    rtnl_link_set_flags(change, IFF_NOARP | IFF_MULTICAST);
    return change_link(netlink, name, change, "flags NOARP and MULTICAST", error);
}

/* (transfer full): the link, if it is a bridge. */
static RtnlLink *
get_bridge(KvNetlink *netlink, const char *bridge, GError **error)
{
    g_autoptr(RtnlLink) link = get_link(netlink, bridge, error);

    if (link == NULL)
        return NULL;
    if (g_strcmp0(rtnl_link_get_type(link), "bridge") != 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, "Interface %s is not a bridge",
                    bridge);
        return NULL;
    }
    return g_steal_pointer(&link);
}

gboolean
kv_netlink_set_bridge(KvNetlink *netlink, const char *name, const char *bridge, GError **error)
{
    g_autoptr(RtnlLink) master = NULL;
    g_autoptr(RtnlLink) change = rtnl_link_alloc();
    g_autofree char *what = g_strdup_printf("bridge %s", bridge != NULL ? bridge : "none");

    if (bridge != NULL) {
        master = get_bridge(netlink, bridge, error);
        if (master == NULL)
            return FALSE;
    }
    rtnl_link_set_master(change, master != NULL ? rtnl_link_get_ifindex(master) : 0);
    return change_link(netlink, name, change, what, error);
}

gboolean
kv_netlink_lacks_bridge(KvNetlink *netlink, const char *name)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, NULL);

    return link != NULL && rtnl_link_get_master(link) == 0;
}

gboolean
kv_netlink_bridge_exists(KvNetlink *netlink, const char *bridge, GError **error)
{
    g_autoptr(RtnlLink) link = get_bridge(netlink, bridge, error);

    return link != NULL;
}

gboolean
kv_netlink_link_exists(KvNetlink *netlink, const char *name)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, NULL);

    return link != NULL;
}

gboolean
kv_netlink_is_up(KvNetlink *netlink, const char *name)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, NULL);

    return link != NULL && (rtnl_link_get_flags(link) & IFF_UP) != 0;
}

gboolean
kv_netlink_tun_is_in_use(KvNetlink *netlink, const char *name)
{
    g_autoptr(RtnlLink) link = get_link(netlink, name, NULL);

    /* One that is only kept has no carrier. */
    return link != NULL && g_strcmp0(rtnl_link_get_type(link), "tun") == 0 &&
           rtnl_link_get_carrier(link) != 0;
}

gboolean
kv_netlink_delete_link(KvNetlink *netlink, const char *name, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autoptr(RtnlLink) link = get_link(netlink, name, &local_error);

    if (link == NULL) {
        if (g_error_matches(local_error, KV_ERROR, KV_ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    return check(rtnl_link_delete(netlink->sock, link), error, "Cannot delete interface %s", name);
}
