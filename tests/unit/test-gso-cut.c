/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-checksum.h"
#include "kv-gso.h"
#include "kv-test-packet.h"
#include "kv-test.h"

static KvTestBuffer super;
static KvTestBuffer want;

/* Proves: the sum is that of RFC 1071's example and of a published IPv4 header. */
static void
test_checksum_published(void)
{
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                     0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

    g_assert_cmpuint(kv_checksum_fold(kv_checksum_add(0, example, sizeof example)), ==,
                     GUINT16_TO_BE(0xddf2));
    g_assert_cmpuint(kv_checksum_fold(kv_checksum_add(0, header, sizeof header)), ==, UINT16_MAX);
}

/* Proves: any length at any address gives what adding byte by byte gives. */
static void
test_checksum_random(void)
{
    static uint8_t data[70000];
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    kv_test_random_bytes(&random, data, sizeof data);
    memset(data, 0xff, 5000);
    for (guint i = 0; i < 2000; i++) {
        size_t at = kv_test_random_below(&random, 100);
        size_t len = kv_test_random_below(&random, i < 1900 ? 300 : sizeof data - 100);

        g_assert_cmpuint(kv_checksum_fold(kv_checksum_add(0, data + at, len)), ==,
                         GUINT16_TO_BE(kv_test_sum(0, data + at, len)));
    }
}

static const KvTestPacket cuts[] = {
    {.version = 4, .tcp_options = 12, .tcp_flags = 0x99, .payload_len = 4000},
    {.version = 4, .tcp_flags = 0x10, .payload_len = 3000, .extension = 8},
    {.version = 4, .tcp_flags = 0x18, .payload_len = 1, .id = 0xffff, .seq = UINT32_MAX},
    {.version = 4, .tcp_flags = 0x18, .payload_len = 65480, .id = 0xfff0, .seq = 0xffff8000},
    {.version = 6, .tcp_options = 40, .tcp_flags = 0xd9, .payload_len = 4001},
    {.version = 6, .tcp_options = 12, .tcp_flags = 0x11, .payload_len = 2000, .extension = 24},
    {.version = 4, .is_udp = TRUE, .payload_len = 5555, .id = 9},
    {.version = 6, .is_udp = TRUE, .payload_len = 5000},
    {.mode = KV_VNI_MODE_TAP, .version = 4, .tcp_flags = 0x19, .payload_len = 4000},
    {.mode = KV_VNI_MODE_TAP, .version = 6, .n_tags = 1, .tcp_flags = 0x19, .payload_len = 4000},
    {.mode = KV_VNI_MODE_TAP, .version = 4, .n_tags = 2, .is_udp = TRUE, .payload_len = 4000},
};

/* The segment at @offset as its sender would have built it. */
static void
build_segment(const KvTestPacket *packet, guint n, size_t offset, size_t gso_size)
{
    KvTestPacket segment = *packet;

    segment.payload_len = MIN(gso_size, packet->payload_len - offset);
    segment.payload = (uint8_t) (packet->payload + offset);
    segment.id = (uint16_t) (packet->id + n);
    segment.seq = packet->seq + (uint32_t) offset;
    if (n > 0)
        segment.tcp_flags &= 0x7f;
    if (offset + segment.payload_len < packet->payload_len)
        segment.tcp_flags &= 0xf6;
    segment.is_partial = FALSE;
    kv_test_packet_build(&want, &segment);
}

static void
check_cut(const KvTestPacket *packet, uint16_t gso_size)
{
    static uint8_t got[KV_TEST_PACKET_MAX];
    uint8_t vnet[10];
    KvGsoCutter cutter;
    KvSlice slices[2];
    size_t offset = 0;

    kv_test_packet_build(&super, packet);
    kv_test_vnet_build(vnet, &super, packet, gso_size);
    vnet[1] |= packet->tcp_flags & 0x80;
    g_assert_true(kv_gso_cutter_init(&cutter, packet->mode, vnet, super.data, super.len));
    for (guint n = 0; offset < packet->payload_len; n++) {
        build_segment(packet, n, offset, gso_size);
        g_assert_cmpuint(kv_gso_cutter_next(&cutter, slices), ==, 2);
        memcpy(got, slices[0].data, slices[0].len);
        memcpy(got + slices[0].len, slices[1].data, slices[1].len);
        kv_test_assert_bytes(got, slices[0].len + slices[1].len, want.data, want.len, "segment");
        offset += slices[1].len;
    }
    g_assert_cmpuint(kv_gso_cutter_next(&cutter, slices), ==, 0);
}

/* Proves: every kind of super-packet becomes the very segments its sender would have built. */
static void
test_cut(void)
{
    const uint16_t sizes[] = {1, 536, 1000, 1400, 1448, 65535};

    for (guint i = 0; i < G_N_ELEMENTS(cuts); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(sizes); j++) {
            KvTestPacket packet = cuts[i];

            if (sizes[j] == 1 && packet.payload_len > 10000)
                continue;
            packet.is_partial = TRUE;
            check_cut(&packet, sizes[j]);
            packet.payload = 77;
            check_cut(&packet, sizes[j]);
        }
    }
}

/* Proves: hdr_len is not looked at. */
static void
test_wrong_hdr_len(void)
{
    const uint16_t lies[] = {0, 1, 40, 1000, 65535};

    for (guint i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint8_t vnet[10];
        KvGsoCutter cutter;
        KvSlice slices[2];

        kv_test_packet_build(&super, &cuts[0]);
        kv_test_vnet_build(vnet, &super, &cuts[0], 1400);
        kv_put_le16(vnet + 2, lies[i]);
        g_assert_true(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len));
        g_assert_cmpuint(kv_gso_cutter_next(&cutter, slices), ==, 2);
        g_assert_cmpuint(slices[0].len, ==, super.payload);
    }
}

/* Proves: a plain packet comes out as one piece, its checksum completed, a sum of zero as ones. */
static void
test_plain(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cuts) * 300; i++) {
        KvTestPacket packet = cuts[i % G_N_ELEMENTS(cuts)];
        uint8_t vnet[10];
        KvGsoCutter cutter;
        KvSlice slices[2];

        packet.payload_len = 2 + i % 7;
        packet.payload = (uint8_t) i;
        packet.flow = (uint8_t) (i / 256);
        kv_test_packet_build(&want, &packet);
        packet.is_partial = TRUE;
        kv_test_packet_build(&super, &packet);
        kv_test_vnet_build(vnet, &super, &packet, 0);
        vnet[1] = 0;
        g_assert_true(kv_gso_cutter_init(&cutter, packet.mode, vnet, super.data, super.len));
        g_assert_cmpuint(cutter.ethertype, ==,
                         packet.n_tags == 2    ? 0x88a8
                         : packet.n_tags == 1  ? 0x8100
                         : packet.version == 4 ? 0x0800
                                               : 0x86dd);
        g_assert_cmpuint(kv_gso_cutter_next(&cutter, slices), ==, 1);
        kv_test_assert_bytes(slices[0].data, slices[0].len, want.data, want.len, "plain");
        g_assert_cmpuint(kv_gso_cutter_next(&cutter, slices), ==, 0);
    }
}

/* Proves: what the device does not need to understand passes as it is. */
static void
test_untouched(void)
{
    uint8_t arp[60] = {[12] = 0x08, [13] = 0x06};
    uint8_t short_ip[1] = {0x45};
    const uint8_t vnet[10] = {0};
    KvGsoCutter cutter;
    KvSlice slices[2];

    g_assert_true(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TAP, vnet, arp, sizeof arp));
    g_assert_cmpuint(cutter.ethertype, ==, 0x0806);
    g_assert_cmpuint(kv_gso_cutter_next(&cutter, slices), ==, 1);
    g_assert_true(slices[0].data == arp);
    g_assert_cmpuint(slices[0].len, ==, sizeof arp);
    g_assert_true(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, short_ip, 1));
    g_assert_false(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, short_ip, 0));
    g_assert_false(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TAP, vnet, arp, 13));
    short_ip[0] = 0x55;
    g_assert_false(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, short_ip, 1));
}

typedef struct {
    const char *what;
    guint at; /* < 10: of the virtio header; else of the packet, + 100 */
    uint8_t value;
} Damage;

static const Damage damages[] = {
    {"unknown type", 1, 2},
    {"UFO", 1, 3},
    {"type of IPv6", 1, 4},
    {"type of UDP", 1, 5},
    {"ECN without a type", 1, 0x82},
    {"csum_start", 6, 21},
    {"csum_start high", 7, 1},
    {"csum_offset", 8, 6},
    {"version", 100, 0x65},
    {"short IP header", 100, 0x44},
    {"IP header too long", 100, 0x4f},
    {"total length", 103, 1},
    {"more fragments", 106, 0x20},
    {"fragment offset", 107, 1},
    {"protocol", 109, 17},
    {"short TCP header", 132, 0x40},
};

/* Proves: a super-packet and a virtio header that do not fit each other are refused. */
static void
test_malformed(void)
{
    const KvTestPacket packet = {.version = 4, .tcp_flags = 0x10, .payload_len = 3000};
    uint8_t vnet[10];
    KvGsoCutter cutter;

    for (guint i = 0; i < G_N_ELEMENTS(damages); i++) {
        kv_test_packet_build(&super, &packet);
        kv_test_vnet_build(vnet, &super, &packet, 1400);
        g_assert_true(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len));
        *(damages[i].at < 10 ? vnet + damages[i].at : super.data + damages[i].at - 100) =
            damages[i].value;
        if (kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len))
            g_error("taken: %s", damages[i].what);
    }
    kv_test_packet_build(&super, &packet);
    kv_test_vnet_build(vnet, &super, &packet, 0);
    g_assert_false(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len));
    kv_test_vnet_build(vnet, &super, &packet, 1400);
    for (size_t len = 0; len < super.len; len++) {
        if (kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, len))
            g_error("taken: cut to %zu bytes", len);
    }
    vnet[1] = 0;
    kv_put_le16(vnet + 6, (uint16_t) (super.len - 1));
    kv_put_le16(vnet + 8, 0);
    g_assert_false(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len));
    memset(vnet + 6, 0xff, 4);
    g_assert_false(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len));
}

/* Proves: extension headers that hide the end, loop on, or change the destination are refused. */
static void
test_malformed_extensions(void)
{
    const KvTestPacket packet = {
        .version = 6, .extension = 64, .tcp_flags = 0x10, .payload_len = 3000};
    uint8_t vnet[10];
    KvGsoCutter cutter;

    for (guint n_headers = 1; n_headers <= 8; n_headers++) {
        gboolean fits = n_headers < 8;

        kv_test_packet_build(&super, &packet);
        kv_test_vnet_build(vnet, &super, &packet, 1400);
        for (guint i = 0; i < n_headers; i++) {
            super.data[40 + 8 * i] = i + 1 < n_headers ? 60 : 6;
            super.data[41 + 8 * i] = (uint8_t) (i + 1 < n_headers ? 0 : 8 - n_headers);
        }
        g_assert_cmpint(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len),
                        ==, fits);
    }
    for (guint i = 0; i < 3; i++) {
        kv_test_packet_build(&super, &packet);
        if (i < 2)
            super.data[6] = i == 0 ? 43 : 44;
        else
            super.data[41] = 255;
        g_assert_false(kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, vnet, super.data, super.len));
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/checksum/published", test_checksum_published);
    g_test_add_func("/checksum/random", test_checksum_random);
    g_test_add_func("/gso-cut/cut", test_cut);
    g_test_add_func("/gso-cut/wrong-hdr-len", test_wrong_hdr_len);
    g_test_add_func("/gso-cut/plain", test_plain);
    g_test_add_func("/gso-cut/untouched", test_untouched);
    g_test_add_func("/gso-cut/malformed", test_malformed);
    g_test_add_func("/gso-cut/malformed-extensions", test_malformed_extensions);
    return kv_test_main(&argc, &argv);
}
