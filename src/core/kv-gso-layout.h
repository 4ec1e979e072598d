/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-types.h"

/* Private to kv-gso-*.c and kv-flow.c: the virtio header, and where an inner packet's
 * headers are. */

/* struct virtio_net_hdr, 10 bytes, little-endian. */
#define KV_VNET_FLAGS       0
#define KV_VNET_GSO_TYPE    1
#define KV_VNET_HDR_LEN     2
#define KV_VNET_GSO_SIZE    4
#define KV_VNET_CSUM_START  6
#define KV_VNET_CSUM_OFFSET 8

#define KV_VNET_NEEDS_CSUM 0x01

#define KV_VNET_GSO_NONE   0
#define KV_VNET_GSO_TCPV4  1
#define KV_VNET_GSO_TCPV6  4
#define KV_VNET_GSO_UDP_L4 5
#define KV_VNET_GSO_ECN    0x80 /* or-ed in: the first segment alone keeps CWR */

#define KV_ETH_HEADER_BYTES 14
#define KV_ETHERTYPE_IPV4   0x0800
#define KV_ETHERTYPE_IPV6   0x86dd

#define KV_PROTOCOL_TCP 6
#define KV_PROTOCOL_UDP 17

#define KV_TCP_FIN 0x01
#define KV_TCP_PSH 0x08
#define KV_TCP_ACK 0x10
#define KV_TCP_CWR 0x80

/* Offsets in the fixed headers. */
#define KV_IP4_TOTAL_LEN   2
#define KV_IP4_ID          4
#define KV_IP4_FRAGMENT    6
#define KV_IP4_CHECKSUM    10
#define KV_IP4_SOURCE      12
#define KV_IP4_BYTES       20
#define KV_IP6_PAYLOAD_LEN 4
#define KV_IP6_SOURCE      8
#define KV_IP6_BYTES       40
#define KV_TCP_SEQ         4
#define KV_TCP_FLAGS       13
#define KV_TCP_CHECKSUM    16
#define KV_TCP_BYTES       20
#define KV_UDP_LEN         4
#define KV_UDP_CHECKSUM    6
#define KV_UDP_BYTES       8

typedef struct {
    uint16_t l3;       /* offset of the IP header */
    uint16_t l4;       /* offset of what follows IP and its extension headers */
    uint16_t payload;  /* offset of the payload of TCP or UDP; 0: neither, or cut off */
    uint8_t protocol;  /* of what is at @l4 */
    uint8_t version;   /* 4 or 6 */
    uint8_t n_tags;    /* VLAN tags in front of @l3 */
    gboolean is_plain; /* neither IPv4 options nor IPv6 extension headers */
    gboolean is_fragment;
    gboolean is_later_fragment; /* and not the first: what is at @l4 is no header */
    gboolean is_routed; /* an IPv6 routing header: the last destination is not in the header */
    size_t end;         /* where the IP packet ends; padding may follow */
} KvGsoLayout;

/**
 * kv_gso_find_ethertype:
 * @ethertype: (out): of the IP header in a TUN packet; of the frame, so a VLAN tag's too, in TAP
 *
 * Returns: %FALSE if @packet is too short, or no IP packet in TUN mode.
 */
gboolean kv_gso_find_ethertype(KvVniMode mode, const uint8_t *packet, size_t len,
                               uint16_t *ethertype);

/* @l3: (out): offset of the IP header, behind Ethernet and up to two VLAN tags; FALSE: there is
 * none. Of @packet its beginning is enough. */
gboolean kv_gso_find_l3(KvVniMode mode, const uint8_t *packet, size_t len, size_t *l3);

/* FALSE if it is not an IP packet with all of its headers and length inside @len. */
gboolean kv_gso_layout_parse(KvGsoLayout *layout, KvVniMode mode, const uint8_t *packet,
                             size_t len);

/* Running checksum of the pseudo header for @l4_len bytes from @layout->l4 on. */
uint64_t kv_gso_layout_add_pseudo(const KvGsoLayout *layout, const uint8_t *packet,
                                  uint32_t l4_len);
