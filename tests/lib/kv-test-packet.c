/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test-packet.h"

#include "kv-bytes.h"

static void
put(KvTestBuffer *buffer, const void *data, size_t len)
{
    g_assert_cmpuint(buffer->len + len, <=, KV_TEST_PACKET_MAX);
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
}

static void
put_fill(KvTestBuffer *buffer, uint8_t value, size_t len)
{
    g_assert_cmpuint(buffer->len + len, <=, KV_TEST_PACKET_MAX);
    memset(buffer->data + buffer->len, value, len);
    buffer->len += len;
}

static void
put_be16(KvTestBuffer *buffer, guint value)
{
    uint8_t bytes[2];

    kv_put_be16(bytes, (uint16_t) value);
    put(buffer, bytes, sizeof bytes);
}

static void
put_ethernet(KvTestBuffer *buffer, const KvTestPacket *packet)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

    put(buffer, macs, sizeof macs);
    for (guint i = packet->n_tags; i > 0; i--) {
        put_be16(buffer, i == 2 ? 0x88a8 : 0x8100);
        put_be16(buffer, 100 + i);
    }
    put_be16(buffer, packet->version == 4 ? 0x0800 : 0x86dd);
}

static void
put_ip4(KvTestBuffer *buffer, const KvTestPacket *packet, size_t rest)
{
    const uint8_t addresses[8] = {10, 0, 0, packet->flow, 10, 0, 1, 1};
    size_t header_len = 20 + packet->extension;
    const uint8_t start[2] = {(uint8_t) (0x40 | header_len / 4), 0};
    const uint8_t middle[4] = {0, 0, 64, packet->is_udp ? 17 : 6};

    put(buffer, start, sizeof start);
    put_be16(buffer, (guint) (header_len + rest));
    put_be16(buffer, packet->id);
    put(buffer, middle, sizeof middle);
    put_be16(buffer, 0);
    put(buffer, addresses, sizeof addresses);
    put_fill(buffer, 1, packet->extension);
    kv_put_be16(buffer->data + buffer->l3 + 10,
                (uint16_t) ~kv_test_sum(0, buffer->data + buffer->l3, header_len));
}

static void
put_ip6(KvTestBuffer *buffer, const KvTestPacket *packet, size_t rest)
{
    const uint8_t start[4] = {0x60, 0, 0, 7};
    const uint8_t protocol = packet->is_udp ? 17 : 6;
    const uint8_t next[2] = {packet->extension > 0 ? 0 : protocol, 64};

    put(buffer, start, sizeof start);
    put_be16(buffer, (guint) (packet->extension + rest));
    put(buffer, next, sizeof next);
    for (guint i = 0; i < 2; i++) {
        put_be16(buffer, 0xfd00);
        put_fill(buffer, 0, 13);
        put_fill(buffer, i == 0 ? packet->flow : 1, 1);
    }
    if (packet->extension > 0) {
        const uint8_t hop_by_hop[2] = {protocol, (uint8_t) (packet->extension / 8 - 1)};

        put(buffer, hop_by_hop, sizeof hop_by_hop);
        put_fill(buffer, 0, packet->extension - 2);
    }
}

static void
put_l4(KvTestBuffer *buffer, const KvTestPacket *packet)
{
    uint8_t bytes[4];

    put_be16(buffer, 1000u + packet->flow);
    put_be16(buffer, 443);
    if (packet->is_udp) {
        put_be16(buffer, (guint) (8 + packet->payload_len));
        put_be16(buffer, 0);
        return;
    }
    kv_put_be32(bytes, packet->seq);
    put(buffer, bytes, 4);
    put_fill(buffer, 0x11, 4);
    bytes[0] = (uint8_t) ((20 + packet->tcp_options) / 4 << 4);
    bytes[1] = packet->tcp_flags;
    put(buffer, bytes, 2);
    put_be16(buffer, 5000);
    put_be16(buffer, 0);
    put_be16(buffer, 0);
    put_fill(buffer, 1, packet->tcp_options);
}

uint16_t
kv_test_sum(uint32_t sum, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t) data[i] << 8 : data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t) sum;
}

uint16_t
kv_test_pseudo_sum(const KvTestBuffer *buffer, guint version, gboolean is_udp)
{
    const uint8_t *ip = buffer->data + buffer->l3;
    size_t l4_len = buffer->len - buffer->l4;
    uint8_t tail[8] = {0};

    kv_put_be32(tail, (uint32_t) l4_len);
    tail[7] = is_udp ? 17 : 6;
    return kv_test_sum(version == 4 ? kv_test_sum(0, ip + 12, 8) : kv_test_sum(0, ip + 8, 32), tail,
                       sizeof tail);
}

void
kv_test_packet_build(KvTestBuffer *buffer, const KvTestPacket *packet)
{
    size_t l4_header = packet->is_udp ? 8 : 20 + packet->tcp_options;
    uint8_t *field;
    uint16_t sum;

    buffer->len = 0;
    if (packet->mode == KV_VNI_MODE_TAP)
        put_ethernet(buffer, packet);
    buffer->l3 = buffer->len;
    if (packet->version == 4)
        put_ip4(buffer, packet, l4_header + packet->payload_len);
    else
        put_ip6(buffer, packet, l4_header + packet->payload_len);
    buffer->l4 = buffer->len;
    put_l4(buffer, packet);
    buffer->payload = buffer->len;
    for (size_t i = 0; i < packet->payload_len; i++)
        put_fill(buffer, (uint8_t) (packet->payload + i), 1);
    field = buffer->data + buffer->l4 + (packet->is_udp ? 6 : 16);
    sum = kv_test_pseudo_sum(buffer, packet->version, packet->is_udp);
    if (!packet->is_partial)
        sum = (uint16_t) ~kv_test_sum(sum, buffer->data + buffer->l4, buffer->len - buffer->l4);
    if (packet->is_udp && sum == 0)
        sum = UINT16_MAX;
    kv_put_be16(field, sum);
}

void
kv_test_vnet_build(uint8_t vnet[10], const KvTestBuffer *buffer, const KvTestPacket *packet,
                   uint16_t gso_size)
{
    vnet[0] = 1;
    vnet[1] = packet->is_udp ? 5 : packet->version == 4 ? 1 : 4;
    kv_put_le16(vnet + 2, (uint16_t) buffer->payload);
    kv_put_le16(vnet + 4, gso_size);
    kv_put_le16(vnet + 6, (uint16_t) buffer->l4);
    kv_put_le16(vnet + 8, packet->is_udp ? 6 : 16);
}
