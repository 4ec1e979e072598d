/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-flow.h"
#include "kv-test-packet.h"
#include "kv-test.h"

#include <string.h>

static const uint8_t key[KV_FLOW_KEY_BYTES] = {1, 2, 3};
static KvTestBuffer buffer;

static uint64_t
hash_of(const KvTestPacket *packet)
{
    kv_test_packet_build(&buffer, packet);
    return kv_flow_hash(packet->mode, buffer.data, buffer.len, key);
}

static KvTestPacket
make_packet(guint version, KvVniMode mode, uint8_t flow)
{
    return (KvTestPacket){
        .mode = mode, .version = version, .flow = flow, .tcp_flags = 0x10, .payload_len = 100};
}

/* Proves: packets of a flow share a hash whatever else differs, and other flows have others. */
static void
test_same_and_other_flows(void)
{
    for (guint version = 4; version <= 6; version += 2) {
        for (guint mode = KV_VNI_MODE_TUN; mode <= KV_VNI_MODE_TAP; mode++) {
            KvTestPacket packet = make_packet(version, mode, 1);
            uint64_t first = hash_of(&packet);

            packet.seq = 12345;
            packet.id = 77;
            packet.payload_len = 7;
            packet.tcp_flags = 0x18;
            g_assert_cmpuint(hash_of(&packet), ==, first);
            packet.flow = 2;
            g_assert_cmpuint(hash_of(&packet), !=, first);
            packet.flow = 1;
            packet.is_udp = TRUE;
            g_assert_cmpuint(hash_of(&packet), !=, first);
        }
    }
}

/* Proves: a later fragment, which has no ports, is not told apart by its payload. */
static void
test_fragments(void)
{
    KvTestPacket packet = make_packet(4, KV_VNI_MODE_TUN, 1);
    uint64_t first;

    kv_test_packet_build(&buffer, &packet);
    buffer.data[6] = 0x20;
    buffer.data[7] = 0x10;
    first = kv_flow_hash(KV_VNI_MODE_TUN, buffer.data, buffer.len, key);
    memset(buffer.data + 20, 0xee, 4);
    g_assert_cmpuint(kv_flow_hash(KV_VNI_MODE_TUN, buffer.data, buffer.len, key), ==, first);
}

/* Proves: the hash depends on the key, so nobody outside can choose where a flow goes. */
static void
test_keyed(void)
{
    const uint8_t other[KV_FLOW_KEY_BYTES] = {9};
    KvTestPacket packet = make_packet(4, KV_VNI_MODE_TUN, 1);
    uint64_t first = hash_of(&packet);

    g_assert_cmpuint(kv_flow_hash(KV_VNI_MODE_TUN, buffer.data, buffer.len, other), !=, first);
}

/* Proves: every length, cut anywhere, is read within its bounds (sanitizers watch). */
static void
test_short_packets(void)
{
    KvTestPacket packet = make_packet(6, KV_VNI_MODE_TAP, 1);

    kv_test_packet_build(&buffer, &packet);
    for (size_t len = 0; len <= buffer.len; len++) {
        g_autofree uint8_t *copy = g_memdup2(buffer.data, MAX(len, 1));

        kv_flow_hash(KV_VNI_MODE_TUN, copy, len, key);
        kv_flow_hash(KV_VNI_MODE_TAP, copy, len, key);
        kv_flow_mark_ce(KV_VNI_MODE_TUN, copy, len);
        kv_flow_mark_ce(KV_VNI_MODE_TAP, copy, len);
    }
}

/* Proves: the ECN field is found, a mark sets CE only where the sender knows ECN, and the header
 * checksum stays true. */
static void
test_mark(void)
{
    for (guint ecn = 0; ecn < 4; ecn++) {
        for (guint tos = 0; tos < 256; tos += 4) {
            KvTestPacket v4 = make_packet(4, KV_VNI_MODE_TAP, 1);
            KvTestPacket v6 = make_packet(6, KV_VNI_MODE_TUN, 1);
            uint16_t sum;
            uint8_t *ip;

            kv_test_packet_build(&buffer, &v4);
            ip = buffer.data + buffer.l3;
            ip[1] = (uint8_t) (tos | ecn);
            ip[10] = ip[11] = 0;
            sum = (uint16_t) ~kv_test_sum(0, ip, 20);
            ip[10] = (uint8_t) (sum >> 8);
            ip[11] = (uint8_t) sum;
            g_assert_cmpint(kv_flow_get_ecn(KV_VNI_MODE_TAP, buffer.data, buffer.len), ==, ecn);
            g_assert_cmpint(kv_flow_mark_ce(KV_VNI_MODE_TAP, buffer.data, buffer.len), ==,
                            ecn != 0);
            g_assert_cmpuint(ip[1], ==, ecn != 0 ? (tos | 3) : tos);
            g_assert_cmpuint(kv_test_sum(0, ip, 20), ==, 0xffff);

            kv_test_packet_build(&buffer, &v6);
            buffer.data[1] = (uint8_t) (ecn << 4);
            g_assert_cmpint(kv_flow_get_ecn(KV_VNI_MODE_TUN, buffer.data, buffer.len), ==, ecn);
            g_assert_cmpint(kv_flow_get_ecn(KV_VNI_MODE_TUN, buffer.data, 39), ==, KV_ECN_NOT_ECT);
            g_assert_cmpint(kv_flow_mark_ce(KV_VNI_MODE_TUN, buffer.data, buffer.len), ==,
                            ecn != 0);
            g_assert_cmpuint(buffer.data[1] >> 4 & 3, ==, ecn != 0 ? 3 : 0);
        }
    }
}

/* Proves: what becomes of each of the 16 pairs of an inner packet's two bits and its datagram's is
 * what RFC 6040's figure 4 says, of both families, and header checksums stay true. */
static void
test_take_ecn(void)
{
    enum { NOT = KV_ECN_NOT_ECT, E1 = KV_ECN_ECT1, E0 = KV_ECN_ECT0, CE = KV_ECN_CE, DROP = -1 };
    /* By inner, then by outer, in the order of their numbers. */
    static const int want[4][4] = {
        [NOT] = {NOT, NOT, NOT, DROP},
        [E1] = {E1, E1, E1, CE},
        [E0] = {E0, E1, E0, CE},
        [CE] = {CE, CE, CE, CE},
    };

    for (guint inner = 0; inner < 4; inner++) {
        for (guint outer = 0; outer < 4; outer++) {
            KvTestPacket v4 = make_packet(4, KV_VNI_MODE_TAP, 1);
            KvTestPacket v6 = make_packet(6, KV_VNI_MODE_TUN, 1);
            int expected = want[inner][outer];
            uint16_t sum;
            uint8_t *ip;

            kv_test_packet_build(&buffer, &v4);
            ip = buffer.data + buffer.l3;
            ip[1] = (uint8_t) (0xb8 | inner);
            ip[10] = ip[11] = 0;
            sum = (uint16_t) ~kv_test_sum(0, ip, 20);
            ip[10] = (uint8_t) (sum >> 8);
            ip[11] = (uint8_t) sum;
            g_assert_cmpint(
                kv_flow_take_ecn(KV_VNI_MODE_TAP, buffer.data, buffer.len, (KvEcn) outer), ==,
                expected != DROP);
            g_assert_cmpint(ip[1], ==, 0xb8 | (expected != DROP ? expected : (int) inner));
            g_assert_cmpuint(kv_test_sum(0, ip, 20), ==, 0xffff);

            kv_test_packet_build(&buffer, &v6);
            buffer.data[1] = (uint8_t) (inner << 4 | 5);
            g_assert_cmpint(
                kv_flow_take_ecn(KV_VNI_MODE_TUN, buffer.data, buffer.len, (KvEcn) outer), ==,
                expected != DROP);
            g_assert_cmpint(buffer.data[1], ==,
                            (expected != DROP ? expected : (int) inner) << 4 | 5);
        }
    }
    g_test_message("ECN: 16 of 16 pairs as RFC 6040 says, of IPv4 and IPv6");
}

/* Proves: a mark is set behind VLAN tags, too, and on IP packets alone. */
static void
test_mark_tagged(void)
{
    for (guint n_tags = 0; n_tags <= 2; n_tags++) {
        KvTestPacket packet = make_packet(6, KV_VNI_MODE_TAP, 1);

        packet.n_tags = n_tags;
        kv_test_packet_build(&buffer, &packet);
        g_assert_false(kv_flow_mark_ce(KV_VNI_MODE_TAP, buffer.data, buffer.len));
        buffer.data[buffer.l3 + 1] |= 0x20;
        g_assert_true(kv_flow_mark_ce(KV_VNI_MODE_TAP, buffer.data, buffer.len));
        g_assert_cmpuint(buffer.data[buffer.l3 + 1] >> 4 & 3, ==, 3);
        buffer.data[buffer.l3 - 2] = 0x08; /* an ethertype that is another's */
        buffer.data[buffer.l3 - 1] = 0x06;
        g_assert_false(kv_flow_mark_ce(KV_VNI_MODE_TAP, buffer.data, buffer.len));
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/flow/same-and-other-flows", test_same_and_other_flows);
    g_test_add_func("/flow/fragments", test_fragments);
    g_test_add_func("/flow/keyed", test_keyed);
    g_test_add_func("/flow/mark-tagged", test_mark_tagged);
    g_test_add_func("/flow/short-packets", test_short_packets);
    g_test_add_func("/flow/mark", test_mark);
    g_test_add_func("/flow/take-ecn", test_take_ecn);
    return kv_test_main(&argc, &argv);
}
