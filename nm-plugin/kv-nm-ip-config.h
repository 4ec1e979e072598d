/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/**
 * KvNmIpConfig:
 *
 * What NetworkManager has to know of a connected tunnel: the dictionaries (a{sv}) of its signals
 * Config, Ip4Config and Ip6Config. A family that has no address has no dictionary; a tunnel without
 * any address, as one whose addresses come by DHCP, has an empty one for IPv6, which says so.
 */
typedef struct {
    GVariant *config;
    GVariant *ip4; /* (nullable) */
    GVariant *ip6; /* (nullable) */
} KvNmIpConfig;

/**
 * kv_nm_ip_config_new:
 * @tunnel: a{sv}, properties of an org.kcpvpn.Tunnel1 that is connected, or was and will be again
 *
 * - NetworkManager takes one address of each family: the first.
 * - The other end is the peer of a tun device, and the gateway of a tap device if its network has
 * it.
 * - A server that names routes says by that what is not behind the tunnel, too: without a default
 *   route among them the tunnel never becomes the default route of a family. A server that names
 *   none leaves that to the profile.
 *
 * Pure. Returns: (transfer full): the dictionaries. %NULL and a %KV_ERROR_PROTOCOL: a property is
 * missing, or no address, prefix or device where one must be.
 */
KvNmIpConfig *kv_nm_ip_config_new(GVariant *tunnel, GError **error) KV_MUST_USE;

/* (transfer floating): Config with a gateway, as there must be one, that takes no route to reach:
 * this host itself. */
GVariant *kv_nm_ip_config_without_way(const KvNmIpConfig *config) KV_MUST_USE;

void kv_nm_ip_config_free(KvNmIpConfig *config);

/* Whether both say the same; %NULL is equal to nothing. */
gboolean kv_nm_ip_config_equal(const KvNmIpConfig *a, const KvNmIpConfig *b);

/* Whether name servers and domains of IPv4, or else of IPv6, are the same. */
gboolean kv_nm_ip_config_equal_dns(const KvNmIpConfig *a, const KvNmIpConfig *b, gboolean is_ip4);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNmIpConfig, kv_nm_ip_config_free)
