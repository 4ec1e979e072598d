/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-gso.h"

#include "kv-checksum.h"
#include "kv-gso-layout.h"

typedef struct {
    uint8_t flags;
    uint8_t gso_type; /* without the ECN bit, which the TCP header repeats */
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
} VnetHeader;

static VnetHeader
parse_vnet_header(const uint8_t *p)
{
    return (VnetHeader){
        .flags = p[KV_VNET_FLAGS],
        .gso_type = p[KV_VNET_GSO_TYPE] & (uint8_t) ~KV_VNET_GSO_ECN,
        .gso_size = kv_get_le16(p + KV_VNET_GSO_SIZE),
        .csum_start = kv_get_le16(p + KV_VNET_CSUM_START),
        .csum_offset = kv_get_le16(p + KV_VNET_CSUM_OFFSET),
    };
}

/* Zero means "no checksum" in UDP, and is the same number as all ones everywhere else. */
static uint16_t
invert(uint16_t folded)
{
    uint16_t inverted = (uint16_t) ~folded;

    return inverted != 0 ? inverted : UINT16_MAX;
}

/* The field holds the pseudo header's sum, so summing over it too gives the whole. */
static gboolean
complete_checksum(const VnetHeader *vnet, uint8_t *packet, size_t len)
{
    size_t field = (size_t) vnet->csum_start + vnet->csum_offset;
    uint64_t sum;

    if ((vnet->flags & KV_VNET_NEEDS_CSUM) == 0)
        return TRUE;
    if (field + 2 > len)
        return FALSE;
    sum = kv_checksum_add(0, packet + vnet->csum_start, len - vnet->csum_start);
    kv_checksum_put(packet + field, invert(kv_checksum_fold(sum)));
    return TRUE;
}

static gboolean
type_fits(const VnetHeader *vnet, const KvGsoLayout *layout)
{
    switch (vnet->gso_type) {
    case KV_VNET_GSO_TCPV4:
        return layout->protocol == KV_PROTOCOL_TCP && layout->version == 4;
    case KV_VNET_GSO_TCPV6:
        return layout->protocol == KV_PROTOCOL_TCP && layout->version == 6;
    case KV_VNET_GSO_UDP_L4:
        return layout->protocol == KV_PROTOCOL_UDP;
    default:
        return FALSE;
    }
}

/* A fragment cannot be cut, nor one whose pseudo header is not in the packet. Lengths must agree
 * with what was read, and every length field of a segment must be able to hold its value. */
static gboolean
layout_fits(const VnetHeader *vnet, const KvGsoLayout *layout, size_t len)
{
    uint16_t csum_offset = layout->protocol == KV_PROTOCOL_TCP ? KV_TCP_CHECKSUM : KV_UDP_CHECKSUM;

    if (layout->payload == 0 || layout->is_routed || layout->end != len)
        return FALSE;
    if (layout->payload > KV_GSO_HEADERS_MAX || layout->payload == len || vnet->gso_size == 0)
        return FALSE;
    if ((vnet->flags & KV_VNET_NEEDS_CSUM) == 0)
        return TRUE;
    return vnet->csum_start == layout->l4 && vnet->csum_offset == csum_offset;
}

/* Takes the fields that differ between segments out of the template, so that their sums need
 * only these added. */
static void
prepare_ip(KvGsoCutter *cutter)
{
    uint8_t *ip = cutter->headers + cutter->l3;

    if (cutter->version == 6)
        return;
    cutter->ip_id = kv_get_be16(ip + KV_IP4_ID);
    kv_put_be16(ip + KV_IP4_TOTAL_LEN, 0);
    kv_put_be16(ip + KV_IP4_ID, 0);
    kv_put_be16(ip + KV_IP4_CHECKSUM, 0);
    cutter->ip_sum = kv_checksum_add(0, ip, cutter->l4 - cutter->l3);
}

static void
prepare_l4(KvGsoCutter *cutter, const KvGsoLayout *layout)
{
    uint8_t *l4 = cutter->headers + cutter->l4;
    uint64_t pseudo = kv_gso_layout_add_pseudo(layout, cutter->packet, 0);

    if (cutter->is_tcp) {
        cutter->tcp_seq = kv_get_be32(l4 + KV_TCP_SEQ);
        cutter->tcp_flags = l4[KV_TCP_FLAGS];
        kv_put_be32(l4 + KV_TCP_SEQ, 0);
        l4[KV_TCP_FLAGS] = 0;
        kv_put_be16(l4 + KV_TCP_CHECKSUM, 0);
    } else {
        kv_put_be16(l4 + KV_UDP_LEN, 0);
        kv_put_be16(l4 + KV_UDP_CHECKSUM, 0);
    }
    cutter->l4_sum = pseudo + kv_checksum_add(0, l4, cutter->header_len - cutter->l4);
}

static gboolean
prepare_cut(KvGsoCutter *cutter, KvVniMode mode, const VnetHeader *vnet)
{
    KvGsoLayout layout;

    if (!kv_gso_layout_parse(&layout, mode, cutter->packet, cutter->len) ||
        !type_fits(vnet, &layout) || !layout_fits(vnet, &layout, cutter->len))
        return FALSE;
    cutter->gso_size = vnet->gso_size;
    cutter->is_tcp = layout.protocol == KV_PROTOCOL_TCP;
    cutter->version = layout.version;
    cutter->l3 = layout.l3;
    cutter->l4 = layout.l4;
    cutter->header_len = layout.payload;
    cutter->offset = layout.payload;
    memcpy(cutter->headers, cutter->packet, cutter->header_len);
    prepare_ip(cutter);
    prepare_l4(cutter, &layout);
    return TRUE;
}

static void
write_ip(KvGsoCutter *cutter, size_t payload_len)
{
    uint8_t *ip = cutter->headers + cutter->l3;
    uint16_t len = (uint16_t) (cutter->header_len - cutter->l3 + payload_len);
    uint16_t id = (uint16_t) (cutter->ip_id + cutter->n_given);
    uint64_t sum;

    if (cutter->version == 6) {
        kv_put_be16(ip + KV_IP6_PAYLOAD_LEN, (uint16_t) (len - KV_IP6_BYTES));
        return;
    }
    kv_put_be16(ip + KV_IP4_TOTAL_LEN, len);
    kv_put_be16(ip + KV_IP4_ID, id);
    sum = kv_checksum_add_u16(kv_checksum_add_u16(cutter->ip_sum, len), id);
    kv_checksum_put(ip + KV_IP4_CHECKSUM, (uint16_t) ~kv_checksum_fold(sum));
}

static void
write_tcp(KvGsoCutter *cutter, uint64_t sum, gboolean is_last)
{
    uint8_t *tcp = cutter->headers + cutter->l4;
    uint32_t seq = cutter->tcp_seq + (uint32_t) (cutter->offset - cutter->header_len);
    uint8_t flags = cutter->tcp_flags;

    if (cutter->n_given > 0)
        flags &= (uint8_t) ~KV_TCP_CWR;
    if (!is_last)
        flags &= (uint8_t) ~(KV_TCP_FIN | KV_TCP_PSH);
    kv_put_be32(tcp + KV_TCP_SEQ, seq);
    tcp[KV_TCP_FLAGS] = flags;
    sum = kv_checksum_add_u16(kv_checksum_add_u32(sum, seq), flags);
    kv_checksum_put(tcp + KV_TCP_CHECKSUM, (uint16_t) ~kv_checksum_fold(sum));
}

static void
write_udp(KvGsoCutter *cutter, uint64_t sum, uint16_t len)
{
    uint8_t *udp = cutter->headers + cutter->l4;

    kv_put_be16(udp + KV_UDP_LEN, len);
    sum = kv_checksum_add_u16(sum, len);
    kv_checksum_put(udp + KV_UDP_CHECKSUM, invert(kv_checksum_fold(sum)));
}

gboolean
kv_gso_cutter_init(KvGsoCutter *cutter, KvVniMode mode, const uint8_t *vnet_hdr, uint8_t *packet,
                   size_t len)
{
    VnetHeader vnet = parse_vnet_header(vnet_hdr);

    cutter->packet = packet;
    cutter->len = len;
    cutter->offset = 0;
    cutter->n_given = 0;
    cutter->gso_size = 0;
    if (!kv_gso_find_ethertype(mode, packet, len, &cutter->ethertype))
        return FALSE;
    if (vnet.gso_type == KV_VNET_GSO_NONE)
        return complete_checksum(&vnet, packet, len);
    return prepare_cut(cutter, mode, &vnet);
}

size_t
kv_gso_cutter_get_longest(const KvGsoCutter *cutter)
{
    return cutter->gso_size == 0 ? cutter->len
                                 : MIN(cutter->header_len + cutter->gso_size, cutter->len);
}

guint
kv_gso_cutter_next(KvGsoCutter *cutter, KvSlice slices[2])
{
    const uint8_t *payload = cutter->packet + cutter->offset;
    size_t payload_len = MIN(cutter->gso_size, cutter->len - cutter->offset);
    uint16_t l4_len;
    uint64_t sum;

    if (cutter->offset == cutter->len)
        return 0;
    if (cutter->gso_size == 0) {
        slices[0] = (KvSlice){cutter->packet, cutter->len};
        cutter->offset = cutter->len;
        return 1;
    }
    l4_len = (uint16_t) (cutter->header_len - cutter->l4 + payload_len);
    sum = kv_checksum_add(kv_checksum_add_u16(cutter->l4_sum, l4_len), payload, payload_len);
    write_ip(cutter, payload_len);
    if (cutter->is_tcp)
        write_tcp(cutter, sum, cutter->offset + payload_len == cutter->len);
    else
        write_udp(cutter, sum, l4_len);
    cutter->offset += payload_len;
    cutter->n_given++;
    slices[0] = (KvSlice){cutter->headers, cutter->header_len};
    slices[1] = (KvSlice){payload, payload_len};
    return 2;
}
