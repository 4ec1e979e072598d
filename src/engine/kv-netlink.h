/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-network.h"
#include "kv-types.h"

/**
 * KvNetlink:
 *
 * Links, addresses and bridges over rtnetlink (libnl-route). Main thread; each call waits for
 * the kernel's answer, which is immediate. Every error names the interface and the value.
 */
typedef struct _KvNetlink KvNetlink;

KvNetlink *kv_netlink_new(GError **error) KV_MUST_USE;
void kv_netlink_free(KvNetlink *netlink);

gboolean kv_netlink_set_mtu(KvNetlink *netlink, const char *name, guint mtu, GError **error);
gboolean kv_netlink_set_up(KvNetlink *netlink, const char *name, gboolean up, GError **error);

/* TUN: @local with @peer, both /32; 0 for @peer: none. EEXIST is success. */
gboolean kv_netlink_add_peer_address(KvNetlink *netlink, const char *name, KvIp4 local, KvIp4 peer,
                                     GError **error);

/* TAP: @local/@netmask; a netmask of 0 means /32. A netmask with holes is an error. */
gboolean kv_netlink_add_address(KvNetlink *netlink, const char *name, KvIp4 local, KvIp4 netmask,
                                GError **error);

/* An IPv4 address as it stands on an interface. */
typedef struct {
    KvIp4 local; /* 0: none */
    KvIp4 peer;  /* of a point-to-point interface, else @local */
} KvNetlinkAddress;

/* @address: (out): of those with that prefix length, the one that was set first. O(addresses of the
 * machine). */
gboolean kv_netlink_find_address(KvNetlink *netlink, const char *name, guint prefix,
                                 KvNetlinkAddress *address, GError **error) KV_MUST_USE;

/* Takes away one IPv4 address; an absent one is fine. */
gboolean kv_netlink_remove_address(KvNetlink *netlink, const char *name, KvIp4 local,
                                   GError **error);

/* An address of either family with the prefix of its network. EEXIST is success. */
gboolean kv_netlink_add_network(KvNetlink *netlink, const char *name, const KvNetwork *address,
                                GError **error);

/* Takes it away again; an absent one, or interface, is fine. */
gboolean kv_netlink_remove_network(KvNetlink *netlink, const char *name, const KvNetwork *address,
                                   GError **error);

/* A route in the main table. Strings are the caller's. */
typedef struct {
    KvNetwork destination; /* no bit set below its prefix */
    KvNetwork gateway;     /* a prefix of 0: none, the destination is on the interface */
    const char *interface;
    guint metric;       /* the least wins; 0 with IPv6 is 1024 */
    gboolean is_beside; /* one with that destination and metric may be there, and goes before */
} KvNetlinkRoute;

/* Whether any interface of this network namespace has an IPv6 address; if that cannot be told, one
 * has. */
gboolean kv_netlink_has_ip6(void);

/**
 * kv_netlink_add_route:
 * @was_there: (out) (optional): set to %TRUE if the same one is there already, as from a program
 *   that was killed, which is fine; else left alone
 *
 * %KV_ERROR_EXISTS: there is another one with that destination and metric, whoever has set it, and
 * it is not to be beside that.
 */
gboolean kv_netlink_add_route(KvNetlink *netlink, const KvNetlinkRoute *route, gboolean *was_there,
                              GError **error);

/* Takes it away again; an absent one, or interface, is fine. */
gboolean kv_netlink_remove_route(KvNetlink *netlink, const KvNetlinkRoute *route, GError **error);

/**
 * kv_netlink_find_way:
 * @address: a whole address
 * @gateway: (out): a prefix of 0: none
 * @interface: (out) (transfer full)
 *
 * By which gateway and interface packets to @address leave now.
 */
gboolean kv_netlink_find_way(KvNetlink *netlink, const KvNetwork *address, KvNetwork *gateway,
                             char **interface, GError **error) KV_MUST_USE;

/* TUN devices are point-to-point, without ARP; sets NOARP and multicast as the Go program does.
 * TAP devices are left as the kernel makes them, with multicast, which that program takes away. */
gboolean kv_netlink_set_tun_flags(KvNetlink *netlink, const char *name, GError **error);

/* Puts @name into @bridge, which must exist and be a bridge; NULL takes it out. */
gboolean kv_netlink_set_bridge(KvNetlink *netlink, const char *name, const char *bridge,
                               GError **error);

/* Whether @name is there, and a port of no bridge. */
gboolean kv_netlink_lacks_bridge(KvNetlink *netlink, const char *name);

gboolean kv_netlink_bridge_exists(KvNetlink *netlink, const char *bridge, GError **error);
gboolean kv_netlink_link_exists(KvNetlink *netlink, const char *name);

/* Whether it is there and was set up. */
gboolean kv_netlink_is_up(KvNetlink *netlink, const char *name);

/* Whether @name is a TUN or TAP interface that a program has open, this one included. */
gboolean kv_netlink_tun_is_in_use(KvNetlink *netlink, const char *name);

/* Deletes an interface; an absent one is fine. */
gboolean kv_netlink_delete_link(KvNetlink *netlink, const char *name, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNetlink, kv_netlink_free)
