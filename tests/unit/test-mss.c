/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-mss.h"

#include "kv-bytes.h"
#include "kv-test-packet.h"
#include "kv-test.h"

#include <string.h>

#define SYN     0x02
#define SYN_ACK 0x12
#define ACK     0x10

static KvTestBuffer buffer;

static void
put_checksum(guint version)
{
    uint8_t *field = buffer.data + buffer.l4 + 16;
    uint16_t sum = kv_test_pseudo_sum(&buffer, version, FALSE);

    kv_put_be16(field, 0);
    kv_put_be16(field,
                (uint16_t) ~kv_test_sum(sum, buffer.data + buffer.l4, buffer.len - buffer.l4));
}

/* Builds @packet with @options (hex digits), which fill its TCP options from the start. */
static void
build(const KvTestPacket *packet, const char *options)
{
    g_autoptr(GBytes) bytes = kv_test_unhex(options);
    KvTestPacket padded = *packet;

    padded.tcp_options = (guint) (g_bytes_get_size(bytes) + 3) / 4 * 4;
    kv_test_packet_build(&buffer, &padded);
    memcpy(buffer.data + buffer.l4 + 20, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    put_checksum(packet->version);
}

typedef struct {
    KvTestPacket packet;
    const char *options;
    guint at; /* of the MSS in the options */
    guint packet_max;
    guint want;
} Case;

static const Case lowered[] = {
    /* Linux's usual option first; at an odd offset; behind others; in the middle of a word. */
    {{.version = 4, .tcp_flags = SYN}, "020405b4", 2, 1200, 1160},
    {{.version = 4, .tcp_flags = SYN_ACK}, "020405b40402080a0102030405060708", 2, 1200, 1160},
    {{.version = 4, .tcp_flags = SYN}, "01020405b4", 3, 1201, 1161},
    {{.version = 4, .tcp_flags = SYN}, "0101080a0102030405060708020405b4", 14, 1200, 1160},
    {{.version = 4, .tcp_flags = SYN}, "0303070204ffff", 5, 1203, 1163},
    {{.version = 6, .tcp_flags = SYN}, "020405a0", 2, 1200, 1140},
    {{.version = 6, .tcp_flags = SYN, .extension = 16}, "01020405a0", 3, 1200, 1140},
    {{.version = 4, .tcp_flags = SYN, .extension = 8}, "020405b4", 2, 1200, 1160},
    {{.version = 4, .tcp_flags = SYN, .payload_len = 300}, "020405b4", 2, 1200, 1160},
    {{.mode = KV_VNI_MODE_TAP, .version = 4, .tcp_flags = SYN}, "020405b4", 2, 1214, 1160},
    {{.mode = KV_VNI_MODE_TAP, .version = 6, .tcp_flags = SYN}, "020405b4", 2, 1214, 1140},
    {{.mode = KV_VNI_MODE_TAP, .n_tags = 1, .version = 4, .tcp_flags = SYN},
     "020405b4",
     2,
     1214,
     1156},
    {{.mode = KV_VNI_MODE_TAP, .n_tags = 2, .version = 6, .tcp_flags = SYN},
     "020405b4",
     2,
     1214,
     1132},
    /* Whatever path this is, less helps nobody. */
    {{.version = 4, .tcp_flags = SYN}, "020405b4", 2, 100, KV_MSS_LEAST},
    {{.version = 6, .tcp_flags = SYN}, "020405b4", 2, 0, KV_MSS_LEAST},
    {{.version = 4, .tcp_flags = SYN}, "0204ffff", 2, 1400, 1360},
};

/* Proves: of a SYN that asks for more than fits the MSS becomes what fits, all else stays, and the
 * checksum is right as one computed anew. */
static void
test_lowered(void)
{
    static KvTestBuffer want;

    for (guint i = 0; i < G_N_ELEMENTS(lowered); i++) {
        const Case *c = &lowered[i];

        build(&c->packet, c->options);
        want = buffer;
        g_assert_true(kv_mss_clamp(c->packet.mode, buffer.data, buffer.len, c->packet_max));
        kv_put_be16(want.data + want.l4 + 20 + c->at, (uint16_t) c->want);
        memcpy(want.data + want.l4 + 16, buffer.data + buffer.l4 + 16, 2);
        kv_test_assert_bytes(buffer.data, buffer.len, want.data, want.len, c->options);
        put_checksum(c->packet.version);
        kv_test_assert_bytes(buffer.data, buffer.len, want.data, want.len, c->options);
        g_assert_false(kv_mss_clamp(c->packet.mode, buffer.data, buffer.len, c->packet_max));
    }
}

static const Case left_alone[] = {
    {{.version = 4, .tcp_flags = ACK}, "020405b4", 0, 1200, 0},
    {{.version = 4, .tcp_flags = SYN}, "02040488", 0, 1200, 0},         /* 1160 */
    {{.version = 4, .tcp_flags = SYN}, "", 0, 1200, 0},                 /* none */
    {{.version = 4, .tcp_flags = SYN}, "000205b402040fff", 0, 1200, 0}, /* behind the end */
    {{.version = 4, .tcp_flags = SYN}, "02030fff", 0, 1200, 0},         /* of another length */
    {{.version = 4, .tcp_flags = SYN}, "02050fffff", 0, 1200, 0},
    {{.version = 4, .tcp_flags = SYN}, "0300020405b4", 0, 1200, 0}, /* a length that stands still */
    {{.version = 4, .tcp_flags = SYN}, "0301020405b4", 0, 1200, 0},
    {{.version = 4, .tcp_flags = SYN}, "080a020405b4", 0, 1200, 0}, /* beyond the header */
    {{.version = 4, .tcp_flags = SYN}, "01010102", 0, 1200, 0},     /* cut off */
    {{.version = 4, .tcp_flags = SYN}, "01010204", 0, 1200, 0},
    {{.version = 4, .tcp_flags = SYN}, "020405b4020405b4", 0, 1200, 0}, /* which of them? */
};

/* Proves: what is no SYN, asks for no more than fits, or has options that make no sense is not
 * touched. */
static void
test_left_alone(void)
{
    static KvTestBuffer want;

    for (guint i = 0; i < G_N_ELEMENTS(left_alone); i++) {
        const Case *c = &left_alone[i];

        build(&c->packet, c->options);
        want = buffer;
        g_assert_false(kv_mss_clamp(c->packet.mode, buffer.data, buffer.len, c->packet_max));
        kv_test_assert_bytes(buffer.data, buffer.len, want.data, want.len, c->options);
    }
}

/* Proves: neither a fragment, nor UDP, nor a packet that is cut off, at any length, is touched. */
static void
test_not_whole(void)
{
    static uint8_t packet[256];
    KvTestPacket syn = {.version = 4, .tcp_flags = SYN};
    KvTestPacket udp = {.version = 4, .is_udp = TRUE, .payload_len = 100};

    build(&syn, "020405b4");
    for (size_t len = 0; len < buffer.len; len++) {
        memcpy(packet, buffer.data, len);
        g_assert_false(kv_mss_clamp(KV_VNI_MODE_TUN, packet, len, 1200));
        g_assert_cmpint(memcmp(packet, buffer.data, len), ==, 0);
    }
    buffer.data[6] = 0x20; /* more fragments */
    g_assert_false(kv_mss_clamp(KV_VNI_MODE_TUN, buffer.data, buffer.len, 1200));
    kv_test_packet_build(&buffer, &udp);
    buffer.data[buffer.l4 + 13] = SYN;
    g_assert_false(kv_mss_clamp(KV_VNI_MODE_TUN, buffer.data, buffer.len, 1200));
}

/* Proves: for any MSS and any place of it the checksum stays right. */
static void
test_checksum(void)
{
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < 20000; i++) {
        guint said = 600 + kv_test_random_below(&random, 64000);
        guint nops = kv_test_random_below(&random, 8);
        KvTestPacket packet = {.version = i % 2 ? 4 : 6,
                               .tcp_flags = SYN,
                               .seq = (uint32_t) kv_test_random_u64(&random)};
        char options[32];

        g_snprintf(options, sizeof options, "%.*s0204%04x", (int) (2 * nops), "0101010101010101",
                   said);
        build(&packet, options);
        kv_mss_clamp(KV_VNI_MODE_TUN, buffer.data, buffer.len,
                     600 + kv_test_random_below(&random, 900));
        g_assert_cmphex(kv_test_sum(kv_test_pseudo_sum(&buffer, packet.version, FALSE),
                                    buffer.data + buffer.l4, buffer.len - buffer.l4),
                        ==, 0xffff);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/mss/lowered", test_lowered);
    g_test_add_func("/mss/left-alone", test_left_alone);
    g_test_add_func("/mss/not-whole", test_not_whole);
    g_test_add_func("/mss/checksum", test_checksum);
    return kv_test_main(&argc, &argv);
}
