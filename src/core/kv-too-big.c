/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-too-big.h"

#include "kv-bytes.h"
#include "kv-checksum.h"
#include "kv-gso-layout.h"

#define MAC_BYTES         6
#define IP4_DONT_FRAGMENT 0x4000
#define IP4_TTL           8
#define IP4_ANSWER_MAX    576  /* RFC 1812, 4.3.2.3 */
#define IP4_CONTROL       0xc0 /* precedence "internetwork control" */
#define IP6_MTU_LEAST     1280
#define HOPS              64

#define PROTOCOL_ICMP4 1
#define PROTOCOL_ICMP6 58
#define ICMP_BYTES     8
#define ICMP_CHECKSUM  2
#define ICMP_MTU       4 /* 32 bits; of ICMPv4 the first 16 are unused */

#define ICMP4_UNREACHABLE       3
#define ICMP4_NEEDS_FRAGMENTING 4 /* code */
#define ICMP4_QUENCH            4
#define ICMP4_REDIRECT          5
#define ICMP4_TIME_EXCEEDED     11
#define ICMP4_PARAMETER         12
#define ICMP6_TOO_BIG           2
#define ICMP6_ERRORS_END        128
#define ICMP6_REDIRECT          137

gboolean
kv_too_big_applies(KvVniMode mode, const uint8_t *packet, size_t len, size_t longest, guint mtu)
{
    KvGsoLayout layout;

    if (longest <= mtu + (mode == KV_VNI_MODE_TAP ? KV_ETH_HEADER_BYTES : 0u) ||
        !kv_gso_layout_parse(&layout, mode, packet, len))
        return FALSE;
    if (layout.version == 6)
        return longest - layout.l3 > MAX(mtu, IP6_MTU_LEAST);
    return longest - layout.l3 > mtu &&
           (kv_get_be16(packet + layout.l3 + KV_IP4_FRAGMENT) & IP4_DONT_FRAGMENT) != 0;
}

/* --- whether to say it ---------------------------------------------------------------------- */

/* An address of one host, or so it looks: not of a group, everybody, nobody or the host itself. */
static gboolean
is_host4(const uint8_t *ip)
{
    return ip[0] != 0 && ip[0] != 127 && ip[0] < 224;
}

static gboolean
is_host6(const uint8_t *ip)
{
    static const uint8_t zeros[15] = {0};

    return ip[0] != 0xff && (memcmp(ip, zeros, sizeof zeros) != 0 || ip[15] > 1);
}

static gboolean
is_error(const KvGsoLayout *layout, const uint8_t *packet)
{
    uint8_t type;

    if (layout->protocol != (layout->version == 4 ? PROTOCOL_ICMP4 : PROTOCOL_ICMP6))
        return FALSE;
    /* Cut off: nobody can tell that it is none. */
    if (layout->l4 >= layout->end)
        return TRUE;
    type = packet[layout->l4];
    if (layout->version == 6)
        return type < ICMP6_ERRORS_END || type == ICMP6_REDIRECT;
    return type == ICMP4_UNREACHABLE || type == ICMP4_QUENCH || type == ICMP4_REDIRECT ||
           type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER;
}

static gboolean
may_answer(const KvGsoLayout *layout, KvVniMode mode, const uint8_t *packet)
{
    const uint8_t *ip = packet + layout->l3;

    if (mode == KV_VNI_MODE_TAP && ((packet[0] | packet[MAC_BYTES]) & 1) != 0)
        return FALSE;
    if (layout->is_later_fragment || is_error(layout, packet))
        return FALSE;
    if (layout->version == 4)
        return is_host4(ip + KV_IP4_SOURCE) && is_host4(ip + KV_IP4_SOURCE + 4);
    return is_host6(ip + KV_IP6_SOURCE) && is_host6(ip + KV_IP6_SOURCE + 16);
}

/* --- what to say ---------------------------------------------------------------------------- */

/* Back to the sender, behind the same tags. */
static void
put_ethernet(uint8_t *answer, const uint8_t *packet, size_t len)
{
    if (len < 2 * MAC_BYTES)
        return;
    memcpy(answer, packet + MAC_BYTES, MAC_BYTES);
    memcpy(answer + MAC_BYTES, packet, MAC_BYTES);
    memcpy(answer + 2 * MAC_BYTES, packet + 2 * MAC_BYTES, len - 2 * MAC_BYTES);
}

static size_t
put_answer4(uint8_t *answer, const uint8_t *ip, size_t ip_len, guint mtu)
{
    uint8_t *icmp = answer + KV_IP4_BYTES;
    size_t quoted = MIN(ip_len, IP4_ANSWER_MAX - KV_IP4_BYTES - ICMP_BYTES);
    size_t len = KV_IP4_BYTES + ICMP_BYTES + quoted;
    uint64_t sum;

    memset(answer, 0, KV_IP4_BYTES + ICMP_BYTES);
    answer[0] = 0x45;
    answer[1] = IP4_CONTROL;
    kv_put_be16(answer + KV_IP4_TOTAL_LEN, (uint16_t) len);
    kv_put_be16(answer + KV_IP4_FRAGMENT, IP4_DONT_FRAGMENT);
    answer[IP4_TTL] = HOPS;
    answer[IP4_TTL + 1] = PROTOCOL_ICMP4;
    memcpy(answer + KV_IP4_SOURCE, ip + KV_IP4_SOURCE + 4, 4);
    memcpy(answer + KV_IP4_SOURCE + 4, ip + KV_IP4_SOURCE, 4);
    sum = kv_checksum_add(0, answer, KV_IP4_BYTES);
    kv_checksum_put(answer + KV_IP4_CHECKSUM, (uint16_t) ~kv_checksum_fold(sum));

    icmp[0] = ICMP4_UNREACHABLE;
    icmp[1] = ICMP4_NEEDS_FRAGMENTING;
    kv_put_be32(icmp + ICMP_MTU, MIN(mtu, UINT16_MAX));
    memcpy(icmp + ICMP_BYTES, ip, quoted);
    sum = kv_checksum_add(0, icmp, ICMP_BYTES + quoted);
    kv_checksum_put(icmp + ICMP_CHECKSUM, (uint16_t) ~kv_checksum_fold(sum));
    return len;
}

static size_t
put_answer6(uint8_t *answer, const uint8_t *ip, size_t ip_len, guint mtu)
{
    uint8_t *icmp = answer + KV_IP6_BYTES;
    size_t quoted = MIN(ip_len, IP6_MTU_LEAST - KV_IP6_BYTES - ICMP_BYTES);
    uint64_t sum;

    memset(answer, 0, KV_IP6_BYTES + ICMP_BYTES);
    answer[0] = 0x60;
    kv_put_be16(answer + KV_IP6_PAYLOAD_LEN, (uint16_t) (ICMP_BYTES + quoted));
    answer[6] = PROTOCOL_ICMP6;
    answer[7] = HOPS;
    memcpy(answer + KV_IP6_SOURCE, ip + KV_IP6_SOURCE + 16, 16);
    memcpy(answer + KV_IP6_SOURCE + 16, ip + KV_IP6_SOURCE, 16);

    icmp[0] = ICMP6_TOO_BIG;
    kv_put_be32(icmp + ICMP_MTU, MAX(mtu, IP6_MTU_LEAST));
    memcpy(icmp + ICMP_BYTES, ip, quoted);
    sum = kv_checksum_add(0, answer + KV_IP6_SOURCE, 32);
    sum = kv_checksum_add_u16(sum, PROTOCOL_ICMP6);
    sum = kv_checksum_add_u32(sum, (uint32_t) (ICMP_BYTES + quoted));
    sum = kv_checksum_add(sum, icmp, ICMP_BYTES + quoted);
    kv_checksum_put(icmp + ICMP_CHECKSUM, (uint16_t) ~kv_checksum_fold(sum));
    return KV_IP6_BYTES + ICMP_BYTES + quoted;
}

size_t
kv_too_big_answer(KvVniMode mode, const uint8_t *packet, size_t len, guint mtu,
                  KvTokenBucket *bucket, KvTime now, uint8_t *answer)
{
    KvGsoLayout layout;
    size_t ip_len;

    if (!kv_gso_layout_parse(&layout, mode, packet, len) || !may_answer(&layout, mode, packet) ||
        !kv_token_bucket_take(bucket, 1, now))
        return 0;
    ip_len = layout.end - layout.l3;
    put_ethernet(answer, packet, layout.l3);
    if (layout.version == 4)
        return layout.l3 + put_answer4(answer + layout.l3, packet + layout.l3, ip_len, mtu);
    return layout.l3 + put_answer6(answer + layout.l3, packet + layout.l3, ip_len, mtu);
}
