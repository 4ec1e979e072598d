/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-types.h"
#include "native/kv-native-config.h"

/* An inner address, with the prefix of its network, and the other end of a point-to-point link; or
 * a network behind the tunnel, and its gateway. */
typedef struct {
    KvNetwork network;
    KvNetwork via; /* a prefix of 0: none */
} KvTunnelNetwork;

/**
 * KvTunnelDetails:
 *
 * What a tunnel tells of itself while it runs: of a client once the server granted it, whether or
 * not anybody set it on an interface; of a server what its settings say.
 */
typedef struct {
    char *interface;      /* (nullable) */
    char *endpoint;       /* (nullable) */
    const char *protocol; /* "v1" or "native"; static */
    const char *cipher;   /* as the setting crypt names it; static */
    const char *why;      /* it is that one: the end of a sentence; static */
    KvVniMode vni_mode;
    guint mtu;          /* bytes; 0: not known yet */
    GArray *addresses;  /* of KvTunnelNetwork */
    GArray *routes;     /* of KvTunnelNetwork */
    GArray *dns;        /* of KvNetwork, whole addresses */
    GPtrArray *domains; /* of text; those for routing only begin with "~" */
    char *banner;       /* (nullable): what the server wants people to read */
} KvTunnelDetails;

void kv_tunnel_details_init(KvTunnelDetails *details);
void kv_tunnel_details_clear(KvTunnelDetails *details);

/* @to: initialised, or all zeros; what it had is gone. */
void kv_tunnel_details_copy(KvTunnelDetails *to, const KvTunnelDetails *from);
gboolean kv_tunnel_details_equal(const KvTunnelDetails *a, const KvTunnelDetails *b);

/* No addresses any more, nor what else a server grants. */
void kv_tunnel_details_forget_grant(KvTunnelDetails *details);

/* (transfer none) (nullable): @text, with the first IPv6 address, without its prefix. @networks:
 * (element-type KvTunnelNetwork) */
const char *kv_tunnel_networks_find_ip6(const GArray *networks, char text[KV_NETWORK_TEXT_BYTES]);

/* (transfer full): "address A and B", without prefixes, or "no address", for the log. @networks:
 * (element-type KvTunnelNetwork) */
char *kv_tunnel_networks_describe(const GArray *networks);

/* Adds an address of IPv4, if @ip is not 0. @peer: 0: none */
void kv_tunnel_details_add_ip4(KvTunnelDetails *details, KvIp4 ip, guint prefix, KvIp4 peer);

/* Replaces all that a server grants, the interface's mode included, by what it has said: gateways
 * are the other end of a tun device, and on the way of the routes of a tap device. */
void kv_tunnel_details_set_grant(KvTunnelDetails *details, const KvNativeConfig *grant);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvTunnelDetails, kv_tunnel_details_clear)
