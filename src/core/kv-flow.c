/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-flow.h"

#include "kv-bytes.h"
#include "kv-gso-layout.h"

#include <sodium.h>

G_STATIC_ASSERT(KV_FLOW_KEY_BYTES == crypto_shorthash_KEYBYTES);

/* Two addresses, two ports, protocol, version. */
#define IDENTITY_BYTES (2 * 16 + 4 + 2)

static void
identify_ip(const KvGsoLayout *layout, const uint8_t *packet, size_t len,
            uint8_t identity[IDENTITY_BYTES])
{
    gboolean is_v6 = layout->version == 6;
    size_t address_bytes = is_v6 ? 16 : 4;
    size_t source = layout->l3 + (is_v6 ? KV_IP6_SOURCE : KV_IP4_SOURCE);

    memcpy(identity, packet + source, 2 * address_bytes);
    identity[36] = layout->protocol;
    identity[37] = layout->version;
    if (!layout->is_fragment &&
        (layout->protocol == KV_PROTOCOL_TCP || layout->protocol == KV_PROTOCOL_UDP) &&
        (size_t) layout->l4 + 4 <= len)
        memcpy(identity + 32, packet + layout->l4, 4);
}

uint64_t
kv_flow_hash(KvVniMode mode, const uint8_t *packet, size_t len,
             const uint8_t key[KV_FLOW_KEY_BYTES])
{
    uint8_t identity[IDENTITY_BYTES] = {0};
    KvGsoLayout layout;
    uint64_t hash;

    if (kv_gso_layout_parse(&layout, mode, packet, len))
        identify_ip(&layout, packet, len, identity);
    else
        memcpy(identity, packet, MIN(len, 12));
    crypto_shorthash((uint8_t *) &hash, identity, sizeof identity, key);
    return hash;
}

/* Where the IP header in a packet's beginning is, if it is whole. */
static gboolean
find_ip(KvVniMode mode, const uint8_t *headers, size_t len, size_t *l3)
{
    if (!kv_gso_find_l3(mode, headers, len, l3))
        return FALSE;
    if (len >= *l3 + KV_IP4_BYTES && headers[*l3] >> 4 == 4)
        return TRUE;
    return len >= *l3 + KV_IP6_BYTES && headers[*l3] >> 4 == 6;
}

static KvEcn
get_ecn(const uint8_t *ip)
{
    return (KvEcn) (ip[0] >> 4 == 4 ? ip[1] & KV_ECN_MASK : ip[1] >> 4 & KV_ECN_MASK);
}

static void
set_ecn(uint8_t *ip, KvEcn ecn)
{
    uint16_t before = kv_get_be16(ip);
    uint32_t sum;

    if (ip[0] >> 4 == 6) {
        ip[1] = (uint8_t) ((ip[1] & ~(KV_ECN_MASK << 4)) | ecn << 4);
        return;
    }
    ip[1] = (uint8_t) ((ip[1] & ~KV_ECN_MASK) | ecn);
    /* RFC 1624: the header checksum follows the one word that changed. */
    sum = (uint16_t) ~kv_get_be16(ip + KV_IP4_CHECKSUM) + (uint16_t) ~before + kv_get_be16(ip);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    kv_put_be16(ip + KV_IP4_CHECKSUM, (uint16_t) ~sum);
}

KvEcn
kv_flow_get_ecn(KvVniMode mode, const uint8_t *headers, size_t len)
{
    size_t l3;

    return find_ip(mode, headers, len, &l3) ? get_ecn(headers + l3) : KV_ECN_NOT_ECT;
}

gboolean
kv_flow_mark_ce(KvVniMode mode, uint8_t *headers, size_t len)
{
    size_t l3;

    if (!find_ip(mode, headers, len, &l3) || get_ecn(headers + l3) == KV_ECN_NOT_ECT)
        return FALSE;
    set_ecn(headers + l3, KV_ECN_CE);
    return TRUE;
}

gboolean
kv_flow_take_ecn(KvVniMode mode, uint8_t *headers, size_t len, KvEcn outer)
{
    size_t l3;

    if (outer == KV_ECN_CE)
        return kv_flow_mark_ce(mode, headers, len);
    if (outer != KV_ECN_ECT1)
        return TRUE;
    if (find_ip(mode, headers, len, &l3) && get_ecn(headers + l3) == KV_ECN_ECT0)
        set_ecn(headers + l3, KV_ECN_ECT1);
    return TRUE;
}
