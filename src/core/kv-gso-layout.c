/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-gso-layout.h"

#include "kv-bytes.h"
#include "kv-checksum.h"

#define ETHERTYPE_OFFSET 12
#define VLAN_TAG_BYTES   4
#define VLAN_TAGS_MAX    2
#define ETHERTYPE_VLAN   0x8100
#define ETHERTYPE_QINQ   0x88a8

#define EXTENSION_HOP_BY_HOP  0
#define EXTENSION_ROUTING     43
#define EXTENSION_FRAGMENT    44
#define EXTENSION_DESTINATION 60
#define EXTENSIONS_MAX        8
#define EXTENSION_UNIT        8 /* bytes, of the length field and of the smallest one */

#define IP4_MORE_OR_OFFSET 0x3fff
#define IP4_OFFSET         0x1fff
#define IP6_OFFSET_SHIFT   3 /* of the fragment header's second field */

static gboolean
find_l3(KvGsoLayout *layout, KvVniMode mode, const uint8_t *packet, size_t len)
{
    uint16_t ethertype;

    if (mode == KV_VNI_MODE_TUN) {
        layout->l3 = 0;
        return len > 0;
    }
    layout->l3 = KV_ETH_HEADER_BYTES;
    if (len < KV_ETH_HEADER_BYTES)
        return FALSE;
    ethertype = kv_get_be16(packet + ETHERTYPE_OFFSET);
    while ((ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ) &&
           layout->n_tags < VLAN_TAGS_MAX && len >= layout->l3 + (size_t) VLAN_TAG_BYTES) {
        ethertype = kv_get_be16(packet + layout->l3 + 2);
        layout->l3 += VLAN_TAG_BYTES;
        layout->n_tags++;
    }
    return len > layout->l3 &&
           ethertype == (packet[layout->l3] >> 4 == 4 ? KV_ETHERTYPE_IPV4 : KV_ETHERTYPE_IPV6);
}

static gboolean
parse_ip4(KvGsoLayout *layout, const uint8_t *packet, size_t len)
{
    const uint8_t *ip = packet + layout->l3;
    size_t header_len, total_len;

    if (len < layout->l3 + (size_t) KV_IP4_BYTES)
        return FALSE;
    header_len = (ip[0] & 15) * 4u;
    total_len = kv_get_be16(ip + KV_IP4_TOTAL_LEN);
    if (header_len < KV_IP4_BYTES || total_len < header_len || total_len > len - layout->l3)
        return FALSE;
    layout->l4 = (uint16_t) (layout->l3 + header_len);
    layout->end = layout->l3 + total_len;
    layout->protocol = ip[9];
    layout->is_plain = header_len == KV_IP4_BYTES;
    layout->is_fragment = (kv_get_be16(ip + KV_IP4_FRAGMENT) & IP4_MORE_OR_OFFSET) != 0;
    layout->is_later_fragment = (kv_get_be16(ip + KV_IP4_FRAGMENT) & IP4_OFFSET) != 0;
    return TRUE;
}

/* Stops at the first header that is not an extension we know how to step over. */
static gboolean
walk_extensions(KvGsoLayout *layout, const uint8_t *packet)
{
    for (guint i = 0; i < EXTENSIONS_MAX; i++) {
        const uint8_t *header = packet + layout->l4;
        size_t left = layout->end - layout->l4;
        size_t header_len;

        switch (layout->protocol) {
        case EXTENSION_FRAGMENT:
            layout->is_fragment = TRUE;
            break;
        case EXTENSION_ROUTING:
            layout->is_routed = TRUE;
            break;
        case EXTENSION_HOP_BY_HOP:
        case EXTENSION_DESTINATION:
            break;
        default:
            return TRUE;
        }
        if (left < EXTENSION_UNIT)
            return FALSE;
        header_len = layout->protocol == EXTENSION_FRAGMENT ? EXTENSION_UNIT
                                                            : (header[1] + 1u) * EXTENSION_UNIT;
        if (header_len > left)
            return FALSE;
        if (layout->protocol == EXTENSION_FRAGMENT)
            layout->is_later_fragment = kv_get_be16(header + 2) >> IP6_OFFSET_SHIFT != 0;
        layout->is_plain = FALSE;
        layout->protocol = header[0];
        layout->l4 = (uint16_t) (layout->l4 + header_len);
        if (layout->is_later_fragment)
            return TRUE;
    }
    return FALSE;
}

static gboolean
parse_ip6(KvGsoLayout *layout, const uint8_t *packet, size_t len)
{
    const uint8_t *ip = packet + layout->l3;
    size_t payload_len;

    if (len < layout->l3 + (size_t) KV_IP6_BYTES)
        return FALSE;
    payload_len = kv_get_be16(ip + KV_IP6_PAYLOAD_LEN);
    if (payload_len > len - layout->l3 - KV_IP6_BYTES)
        return FALSE;
    layout->l4 = (uint16_t) (layout->l3 + KV_IP6_BYTES);
    layout->end = layout->l4 + payload_len;
    layout->protocol = ip[6];
    layout->is_plain = TRUE;
    return walk_extensions(layout, packet);
}

static uint16_t
find_payload(const KvGsoLayout *layout, const uint8_t *packet)
{
    const uint8_t *l4 = packet + layout->l4;
    size_t left = layout->end - layout->l4;
    size_t header_len;

    if (layout->is_fragment)
        return 0;
    if (layout->protocol == KV_PROTOCOL_UDP)
        return left >= KV_UDP_BYTES ? (uint16_t) (layout->l4 + KV_UDP_BYTES) : 0;
    if (layout->protocol != KV_PROTOCOL_TCP || left < KV_TCP_BYTES)
        return 0;
    header_len = (l4[12] >> 4) * 4u;
    if (header_len < KV_TCP_BYTES || header_len > left)
        return 0;
    return (uint16_t) (layout->l4 + header_len);
}

gboolean
kv_gso_find_ethertype(KvVniMode mode, const uint8_t *packet, size_t len, uint16_t *ethertype)
{
    if (mode == KV_VNI_MODE_TAP) {
        if (len < KV_ETH_HEADER_BYTES)
            return FALSE;
        *ethertype = kv_get_be16(packet + ETHERTYPE_OFFSET);
        return TRUE;
    }
    if (len == 0 || (packet[0] >> 4 != 4 && packet[0] >> 4 != 6))
        return FALSE;
    *ethertype = packet[0] >> 4 == 4 ? KV_ETHERTYPE_IPV4 : KV_ETHERTYPE_IPV6;
    return TRUE;
}

gboolean
kv_gso_find_l3(KvVniMode mode, const uint8_t *packet, size_t len, size_t *l3)
{
    KvGsoLayout layout = {0};
    gboolean found = find_l3(&layout, mode, packet, len);

    *l3 = layout.l3;
    return found;
}

gboolean
kv_gso_layout_parse(KvGsoLayout *layout, KvVniMode mode, const uint8_t *packet, size_t len)
{
    gboolean parsed;

    *layout = (KvGsoLayout){0};
    if (!find_l3(layout, mode, packet, len))
        return FALSE;
    layout->version = packet[layout->l3] >> 4;
    switch (layout->version) {
    case 4:
        parsed = parse_ip4(layout, packet, len);
        break;
    case 6:
        parsed = parse_ip6(layout, packet, len);
        break;
    default:
        parsed = FALSE;
        break;
    }
    if (parsed)
        layout->payload = find_payload(layout, packet);
    return parsed;
}

uint64_t
kv_gso_layout_add_pseudo(const KvGsoLayout *layout, const uint8_t *packet, uint32_t l4_len)
{
    const uint8_t *ip = packet + layout->l3;
    uint64_t sum = layout->version == 4 ? kv_checksum_add(0, ip + KV_IP4_SOURCE, 8)
                                        : kv_checksum_add(0, ip + KV_IP6_SOURCE, 32);

    sum = kv_checksum_add_u16(sum, layout->protocol);
    return kv_checksum_add_u32(sum, l4_len);
}
