/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-too-big.h"

#include "kv-bytes.h"
#include "kv-test-packet.h"
#include "kv-test.h"

#include <string.h>

#define START (1000 * KV_TIME_S)
#define MTU   1400

static KvTestBuffer buffer;
static uint8_t answer[KV_TOO_BIG_ANSWER_MAX];

static void
build(KvVniMode mode, guint version, guint n_tags, size_t payload_len)
{
    KvTestPacket packet = {.mode = mode,
                           .version = version,
                           .n_tags = n_tags,
                           .is_udp = TRUE,
                           .flow = 9,
                           .payload_len = payload_len};

    kv_test_packet_build(&buffer, &packet);
    if (version == 4)
        buffer.data[buffer.l3 + 6] = 0x40; /* do not fragment */
}

static size_t
make(KvVniMode mode)
{
    KvTokenBucket bucket = {.interval = KV_TIME_S, .burst = 1};

    return kv_too_big_answer(mode, buffer.data, buffer.len, MTU, &bucket, START, answer);
}

/* Proves: only a packet that is longer than it may be, and may not be fragmented, is too big. */
static void
test_applies(void)
{
    build(KV_VNI_MODE_TUN, 4, 0, MTU - 28);
    g_assert_false(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, buffer.len, MTU));
    build(KV_VNI_MODE_TUN, 4, 0, MTU - 27);
    g_assert_true(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, buffer.len, MTU));
    buffer.data[6] = 0;
    g_assert_false(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, buffer.len, MTU));
    build(KV_VNI_MODE_TUN, 6, 0, MTU - 48);
    g_assert_false(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, buffer.len, MTU));
    build(KV_VNI_MODE_TUN, 6, 0, MTU - 47);
    g_assert_true(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, buffer.len, MTU));
    build(KV_VNI_MODE_TUN, 6, 0, 1280 - 48);
    g_assert_false(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, buffer.len, 1000));
    build(KV_VNI_MODE_TAP, 4, 1, MTU - 28);
    g_assert_false(kv_too_big_applies(KV_VNI_MODE_TAP, buffer.data, buffer.len, buffer.len, MTU));
    build(KV_VNI_MODE_TAP, 4, 2, MTU - 27);
    g_assert_true(kv_too_big_applies(KV_VNI_MODE_TAP, buffer.data, buffer.len, buffer.len, MTU));
    /* Of a super-packet only its parts count. */
    build(KV_VNI_MODE_TUN, 4, 0, 8000);
    g_assert_false(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, MTU, MTU));
    g_assert_true(kv_too_big_applies(KV_VNI_MODE_TUN, buffer.data, buffer.len, MTU + 1, MTU));
}

static void
check_answer4(size_t l3, size_t len, size_t quoted)
{
    const uint8_t *ip = answer + l3;
    const uint8_t *icmp = ip + 20;
    const uint8_t *asked = buffer.data + buffer.l3;

    g_assert_cmpuint(len, ==, l3 + 28 + quoted);
    g_assert_cmphex(kv_test_sum(0, ip, 20), ==, 0xffff);
    g_assert_cmphex(kv_test_sum(0, icmp, 8 + quoted), ==, 0xffff);
    g_assert_cmphex(ip[0], ==, 0x45);
    g_assert_cmpuint(kv_get_be16(ip + 2), ==, 28 + quoted);
    g_assert_cmpuint(ip[9], ==, 1);
    kv_test_assert_bytes(ip + 12, 4, asked + 16, 4, "from where it was to go");
    kv_test_assert_bytes(ip + 16, 4, asked + 12, 4, "to its sender");
    g_assert_cmpuint(icmp[0], ==, 3);
    g_assert_cmpuint(icmp[1], ==, 4);
    g_assert_cmpuint(kv_get_be16(icmp + 4), ==, 0);
    g_assert_cmpuint(kv_get_be16(icmp + 6), ==, MTU);
    kv_test_assert_bytes(icmp + 8, quoted, asked, quoted, "quoted");
}

/* Proves: "fragmentation needed" as RFC 1191 wants it, no longer than 576 bytes. */
static void
test_answer4(void)
{
    build(KV_VNI_MODE_TUN, 4, 0, 1500);
    check_answer4(0, make(KV_VNI_MODE_TUN), 576 - 28);
    build(KV_VNI_MODE_TUN, 4, 0, 3);
    check_answer4(0, make(KV_VNI_MODE_TUN), 31);
}

static void
check_answer6(size_t l3, size_t len, size_t quoted)
{
    const uint8_t *ip = answer + l3;
    const uint8_t *icmp = ip + 40;
    const uint8_t *asked = buffer.data + buffer.l3;
    uint8_t tail[8] = {0};

    g_assert_cmpuint(len, ==, l3 + 48 + quoted);
    g_assert_cmpuint(kv_get_be16(ip + 4), ==, 8 + quoted);
    g_assert_cmpuint(ip[6], ==, 58);
    kv_test_assert_bytes(ip + 8, 16, asked + 24, 16, "from where it was to go");
    kv_test_assert_bytes(ip + 24, 16, asked + 8, 16, "to its sender");
    kv_put_be32(tail, (uint32_t) (8 + quoted));
    tail[7] = 58;
    g_assert_cmphex(kv_test_sum(kv_test_sum(kv_test_sum(0, ip + 8, 32), tail, 8), icmp, 8 + quoted),
                    ==, 0xffff);
    g_assert_cmpuint(icmp[0], ==, 2);
    g_assert_cmpuint(icmp[1], ==, 0);
    g_assert_cmpuint(kv_get_be32(icmp + 4), ==, MTU);
    kv_test_assert_bytes(icmp + 8, quoted, asked, quoted, "quoted");
}

/* Proves: "packet too big" as RFC 4443 wants it, no longer than 1280 bytes. */
static void
test_answer6(void)
{
    build(KV_VNI_MODE_TUN, 6, 0, 1501);
    check_answer6(0, make(KV_VNI_MODE_TUN), 1280 - 48);
    build(KV_VNI_MODE_TUN, 6, 0, 3);
    check_answer6(0, make(KV_VNI_MODE_TUN), 51);
}

/* Proves: a frame's answer goes back to the Ethernet address that it came from, behind the same
 * tags. */
static void
test_answer_frame(void)
{
    size_t len;

    build(KV_VNI_MODE_TAP, 4, 1, 1500);
    len = make(KV_VNI_MODE_TAP);
    check_answer4(18, len, 576 - 28);
    kv_test_assert_bytes(answer, 6, buffer.data + 6, 6, "to");
    kv_test_assert_bytes(answer + 6, 6, buffer.data, 6, "from");
    kv_test_assert_bytes(answer + 12, 6, buffer.data + 12, 6, "tag");
    build(KV_VNI_MODE_TAP, 6, 2, 1500);
    len = make(KV_VNI_MODE_TAP);
    g_assert_cmpuint(len, <=, sizeof answer);
    check_answer6(22, len, 1280 - 48);
}

static void
set4(size_t at, uint8_t value)
{
    build(KV_VNI_MODE_TUN, 4, 0, 1500);
    buffer.data[at] = value;
}

static void
set6(size_t at, uint8_t value)
{
    build(KV_VNI_MODE_TUN, 6, 0, 1500);
    buffer.data[at] = value;
}

/* Proves: nothing is said of error messages, but of other ICMP. */
static void
test_not_of_errors(void)
{
    static const uint8_t errors4[] = {3, 4, 5, 11, 12}, others4[] = {0, 8, 13};
    static const uint8_t errors6[] = {1, 2, 3, 4, 100, 127, 137}, others6[] = {128, 129, 135};

    for (guint i = 0; i < G_N_ELEMENTS(errors4) + G_N_ELEMENTS(others4); i++) {
        gboolean is_error = i < G_N_ELEMENTS(errors4);

        set4(9, 1);
        buffer.data[20] = is_error ? errors4[i] : others4[i - G_N_ELEMENTS(errors4)];
        g_assert_cmpint(make(KV_VNI_MODE_TUN) == 0, ==, is_error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(errors6) + G_N_ELEMENTS(others6); i++) {
        gboolean is_error = i < G_N_ELEMENTS(errors6);

        set6(6, 58);
        buffer.data[40] = is_error ? errors6[i] : others6[i - G_N_ELEMENTS(errors6)];
        g_assert_cmpint(make(KV_VNI_MODE_TUN) == 0, ==, is_error);
    }
}

/* An IPv6 fragment header in front of 1400 bytes of UDP. */
static void
build_fragment6(guint offset, gboolean more)
{
    set6(6, 44);
    memset(buffer.data + 40, 0, 8);
    buffer.data[40] = 17;
    kv_put_be16(buffer.data + 42, (uint16_t) (offset << 3 | (more ? 1 : 0)));
}

/* Proves: nothing is said of later fragments, of what is for many, and to what is no host. */
static void
test_not_of_others(void)
{
    set4(6, 0x20); /* the first fragment */
    g_assert_cmpuint(make(KV_VNI_MODE_TUN), >, 0);
    set4(7, 1); /* another */
    g_assert_cmpuint(make(KV_VNI_MODE_TUN), ==, 0);
    build_fragment6(0, TRUE);
    g_assert_cmpuint(make(KV_VNI_MODE_TUN), >, 0);
    build_fragment6(1, TRUE);
    g_assert_cmpuint(make(KV_VNI_MODE_TUN), ==, 0);
    for (guint at = 12; at <= 16; at += 4) {
        static const uint8_t first[] = {0, 127, 224, 239, 255};

        for (guint i = 0; i < G_N_ELEMENTS(first); i++) {
            set4(at, first[i]);
            g_assert_cmpuint(make(KV_VNI_MODE_TUN), ==, 0);
        }
    }
    set6(24, 0xff);
    g_assert_cmpuint(make(KV_VNI_MODE_TUN), ==, 0);
    set6(8, 0);
    memset(buffer.data + 8, 0, 16);
    g_assert_cmpuint(make(KV_VNI_MODE_TUN), ==, 0);
    build(KV_VNI_MODE_TAP, 4, 0, 1500);
    buffer.data[0] |= 1;
    g_assert_cmpuint(make(KV_VNI_MODE_TAP), ==, 0);
    set4(2, 0xff); /* a length that is not there */
    g_assert_cmpuint(make(KV_VNI_MODE_TUN), ==, 0);
}

/* Proves: no more answers than the bucket allows, and what is not answered costs none. */
static void
test_rate(void)
{
    KvTokenBucket bucket = {.interval = 100 * KV_TIME_MS, .burst = 5};
    guint n = 0;

    set4(12, 224);
    for (guint i = 0; i < 100; i++)
        kv_too_big_answer(KV_VNI_MODE_TUN, buffer.data, buffer.len, MTU, &bucket, START, answer);
    build(KV_VNI_MODE_TUN, 4, 0, 1500);
    for (guint i = 0; i < 10000; i++)
        n += kv_too_big_answer(KV_VNI_MODE_TUN, buffer.data, buffer.len, MTU, &bucket,
                               START + i * KV_TIME_MS, answer) > 0;
    g_assert_cmpuint(n, >=, 5 + 99);
    g_assert_cmpuint(n, <=, 5 + 100);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/too-big/applies", test_applies);
    g_test_add_func("/too-big/answer4", test_answer4);
    g_test_add_func("/too-big/answer6", test_answer6);
    g_test_add_func("/too-big/answer-frame", test_answer_frame);
    g_test_add_func("/too-big/not-of-errors", test_not_of_errors);
    g_test_add_func("/too-big/not-of-others", test_not_of_others);
    g_test_add_func("/too-big/rate", test_rate);
    return kv_test_main(&argc, &argv);
}
