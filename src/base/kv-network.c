/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-network.h"

#include <arpa/inet.h>
#include <string.h>

guint
kv_network_get_bits(const KvNetwork *network)
{
    return network->is_ip6 ? 128 : 32;
}

static gboolean
parse_prefix(const char *text, guint max, uint8_t *prefix)
{
    guint64 value;

    /* The function takes signs, spaces and leading zeros. */
    if (!g_ascii_isdigit(text[0]) || (text[0] == '0' && text[1] != '\0') ||
        !g_ascii_string_to_unsigned(text, 10, 0, max, &value, NULL))
        return FALSE;
    *prefix = (uint8_t) value;
    return TRUE;
}

gboolean
kv_network_parse(KvNetwork *network, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t) (slash - text) : strlen(text);
    char address[KV_NETWORK_TEXT_BYTES];
    KvNetwork read = {0};

    if (len >= sizeof address)
        return FALSE;
    memcpy(address, text, len);
    address[len] = '\0';
    read.is_ip6 = strchr(address, ':') != NULL;
    if (inet_pton(read.is_ip6 ? AF_INET6 : AF_INET, address, read.ip) != 1)
        return FALSE;
    read.prefix = (uint8_t) kv_network_get_bits(&read);
    if (slash != NULL && !parse_prefix(slash + 1, read.prefix, &read.prefix))
        return FALSE;
    *network = read;
    return TRUE;
}

const char *
kv_network_to_string(const KvNetwork *network, char text[KV_NETWORK_TEXT_BYTES])
{
    size_t len;

    inet_ntop(network->is_ip6 ? AF_INET6 : AF_INET, network->ip, text, KV_NETWORK_TEXT_BYTES);
    len = strlen(text);
    if (network->prefix < kv_network_get_bits(network))
        g_snprintf(text + len, KV_NETWORK_TEXT_BYTES - len, "/%u", network->prefix);
    return text;
}

void
kv_network_make_base(KvNetwork *network)
{
    guint whole = network->prefix / 8;

    if (network->prefix % 8 != 0) {
        network->ip[whole] &= (uint8_t) (0xff << (8 - network->prefix % 8));
        whole++;
    }
    memset(network->ip + whole, 0, sizeof network->ip - whole);
}

void
kv_network_set_ip4(KvNetwork *network, KvIp4 ip, guint prefix)
{
    *network = (KvNetwork){
        .ip = {(uint8_t) (ip >> 24), (uint8_t) (ip >> 16), (uint8_t) (ip >> 8), (uint8_t) ip},
        .prefix = (uint8_t) prefix,
    };
}

KvIp4
kv_network_get_ip4(const KvNetwork *network)
{
    return (KvIp4) network->ip[0] << 24 | (KvIp4) network->ip[1] << 16 |
           (KvIp4) network->ip[2] << 8 | network->ip[3];
}

gboolean
kv_network_is_base(const KvNetwork *network)
{
    KvNetwork base = *network;

    kv_network_make_base(&base);
    return memcmp(base.ip, network->ip, sizeof base.ip) == 0;
}

guint
kv_network_common_bits(const uint8_t *a, const uint8_t *b, guint max)
{
    guint bits = 0;

    for (guint i = 0; bits < max; i++, bits += 8) {
        guint differ = a[i] ^ b[i];

        if (differ != 0)
            return MIN(max, bits + (guint) __builtin_clz(differ) - 24);
    }
    return max;
}

gboolean
kv_network_contains(const KvNetwork *outer, const KvNetwork *inner)
{
    return outer->is_ip6 == inner->is_ip6 && outer->prefix <= inner->prefix &&
           kv_network_common_bits(outer->ip, inner->ip, outer->prefix) == outer->prefix;
}

gboolean
kv_network_equal(const KvNetwork *a, const KvNetwork *b)
{
    return a->is_ip6 == b->is_ip6 && a->prefix == b->prefix &&
           memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}
