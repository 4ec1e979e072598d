/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-mss.h"

#include "kv-bytes.h"
#include "kv-gso-layout.h"

#define TCP_SYN 0x02

#define OPTION_END       0
#define OPTION_NONE      1
#define OPTION_MSS       2
#define OPTION_MSS_BYTES 4

/* Most packets are told by a look at two bytes; only extension headers and VLAN tags need more. */
static gboolean
may_be_syn(KvVniMode mode, const uint8_t *packet, size_t len)
{
    size_t at = mode == KV_VNI_MODE_TAP ? KV_ETH_HEADER_BYTES : 0;
    size_t l4;

    if (len < at + KV_IP4_BYTES + KV_TCP_BYTES)
        return FALSE;
    if (mode == KV_VNI_MODE_TAP && kv_get_be16(packet + 12) != KV_ETHERTYPE_IPV4 &&
        kv_get_be16(packet + 12) != KV_ETHERTYPE_IPV6)
        return TRUE;
    if (packet[at] >> 4 == 4) {
        l4 = at + (packet[at] & 15) * 4u;
        if (packet[at + 9] != KV_PROTOCOL_TCP)
            return FALSE;
    } else {
        l4 = at + KV_IP6_BYTES;
        if (packet[at + 6] == KV_PROTOCOL_UDP)
            return FALSE;
        if (packet[at + 6] != KV_PROTOCOL_TCP)
            return TRUE;
    }
    return l4 + KV_TCP_FLAGS < len && (packet[l4 + KV_TCP_FLAGS] & TCP_SYN) != 0;
}

/* RFC 1624, equation 3: the checksum follows one field of 16 bits. */
static void
follow(uint8_t *tcp, size_t at, uint16_t before, uint16_t after)
{
    uint32_t sum;

    /* Between the words that are summed up its bytes have each other's places. */
    if (at % 2 != 0) {
        before = GUINT16_SWAP_LE_BE(before);
        after = GUINT16_SWAP_LE_BE(after);
    }
    sum = (uint16_t) ~kv_get_be16(tcp + KV_TCP_CHECKSUM);
    sum += (uint16_t) ~before;
    sum += after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    kv_put_be16(tcp + KV_TCP_CHECKSUM, (uint16_t) ~sum);
}

/* Returns: where the option's value is; 0: there is none, or the options make no sense. */
static size_t
find_mss(const uint8_t *tcp, size_t header_len)
{
    size_t found = 0;
    size_t at = KV_TCP_BYTES;

    while (at < header_len && tcp[at] != OPTION_END) {
        size_t len;

        if (tcp[at] == OPTION_NONE) {
            at++;
            continue;
        }
        if (header_len - at < 2)
            return 0;
        len = tcp[at + 1];
        if (len < 2 || len > header_len - at)
            return 0;
        if (tcp[at] == OPTION_MSS) {
            /* Of two nobody knows which one the receiver believes. */
            if (len != OPTION_MSS_BYTES || found != 0)
                return 0;
            found = at + 2;
        }
        at += len;
    }
    return found;
}

gboolean
kv_mss_clamp(KvVniMode mode, uint8_t *packet, size_t len, guint packet_max)
{
    KvGsoLayout layout;
    uint8_t *tcp;
    size_t headers, at;
    uint16_t said, room;

    if (!may_be_syn(mode, packet, len) || !kv_gso_layout_parse(&layout, mode, packet, len) ||
        layout.protocol != KV_PROTOCOL_TCP || layout.payload == 0)
        return FALSE;
    tcp = packet + layout.l4;
    if ((tcp[KV_TCP_FLAGS] & TCP_SYN) == 0)
        return FALSE;
    at = find_mss(tcp, layout.payload - layout.l4);
    if (at == 0)
        return FALSE;
    /* Options come out of the MSS, RFC 6691: the fixed headers alone do not count. */
    headers = layout.l3 + (layout.version == 4 ? KV_IP4_BYTES : KV_IP6_BYTES) + KV_TCP_BYTES;
    room = (uint16_t) (CLAMP(packet_max, headers + KV_MSS_LEAST, headers + UINT16_MAX) - headers);
    said = kv_get_be16(tcp + at);
    if (said <= room)
        return FALSE;
    kv_put_be16(tcp + at, room);
    follow(tcp, at, said, room);
    return TRUE;
}
