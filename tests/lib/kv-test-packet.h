/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

/* Inner packets for tests, with checksums computed byte by byte, apart from the product's code. */

#define KV_TEST_PACKET_MAX 70000

typedef struct {
    KvVniMode mode;
    guint n_tags;    /* VLAN, TAP only */
    guint version;   /* 4 or 6 */
    guint extension; /* bytes of IPv4 options or of an IPv6 hop-by-hop header; 0: none */
    gboolean is_udp;
    guint tcp_options; /* bytes, a multiple of 4 */
    uint8_t tcp_flags;
    uint8_t flow; /* the last byte of the source address and the port */
    uint16_t id;
    uint32_t seq;
    size_t payload_len;
    uint8_t payload;     /* the first payload byte; the next are one more each */
    gboolean is_partial; /* the checksum field holds the pseudo header's sum alone */
} KvTestPacket;

typedef struct {
    uint8_t data[KV_TEST_PACKET_MAX];
    size_t len;
    size_t l3, l4, payload; /* offsets */
} KvTestBuffer;

/* The sum of big-endian 16-bit words with end-around carry, an odd last byte padded. */
uint16_t kv_test_sum(uint32_t sum, const uint8_t *data, size_t len);

/* The sum of the pseudo header of what begins at @buffer->l4. */
uint16_t kv_test_pseudo_sum(const KvTestBuffer *buffer, guint version, gboolean is_udp);

void kv_test_packet_build(KvTestBuffer *buffer, const KvTestPacket *packet);

/* The 10 bytes a kernel puts in front of a super-packet. */
void kv_test_vnet_build(uint8_t vnet[10], const KvTestBuffer *buffer, const KvTestPacket *packet,
                        uint16_t gso_size);
