/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-allowed-ips.h"

#include "kv-gso-layout.h"

#include <string.h>

#define IP4_DESTINATION 16
#define IP6_DESTINATION 24

typedef struct _Node Node;

/* A network; without an owner it only joins its children. All below @child[b] begin with its bits
 * and then b. */
struct _Node {
    Node *child[2];
    gpointer owner; /* (nullable) */
    uint8_t ip[16];
    uint8_t prefix;
};

struct _KvAllowedIps {
    Node *roots[2]; /* IPv4, IPv6 */
};

static Node *
node_new(const uint8_t *ip, guint prefix, gpointer owner)
{
    Node *node = g_new0(Node, 1);
    KvNetwork base = {.is_ip6 = TRUE, .prefix = (uint8_t) prefix};

    memcpy(base.ip, ip, sizeof base.ip);
    kv_network_make_base(&base);
    memcpy(node->ip, base.ip, sizeof node->ip);
    node->prefix = (uint8_t) prefix;
    node->owner = owner;
    return node;
}

/* No deeper than the prefixes are long. */
static void
node_free(Node *node)
{
    if (node == NULL)
        return;
    node_free(node->child[0]);
    node_free(node->child[1]);
    g_free(node);
}

static guint
get_bit(const uint8_t *ip, guint at)
{
    return ip[at / 8] >> (7 - at % 8) & 1;
}

KvAllowedIps *
kv_allowed_ips_new(void)
{
    return g_new0(KvAllowedIps, 1);
}

void
kv_allowed_ips_free(KvAllowedIps *ips)
{
    if (ips == NULL)
        return;
    node_free(ips->roots[0]);
    node_free(ips->roots[1]);
    g_free(ips);
}

/* Where the path of @network leaves the trie: at itself, below the place it belongs to, or at a
 * node that it shares only some bits with. */
static Node **
descend(Node **place, const KvNetwork *network, guint *common)
{
    while (*place != NULL) {
        Node *node = *place;

        *common = kv_network_common_bits(node->ip, network->ip, MIN(node->prefix, network->prefix));
        if (*common < node->prefix || node->prefix == network->prefix)
            return place;
        place = &node->child[get_bit(network->ip, node->prefix)];
    }
    *common = 0;
    return place;
}

void
kv_allowed_ips_add(KvAllowedIps *ips, const KvNetwork *network, gpointer owner)
{
    guint common;
    Node **place = descend(&ips->roots[network->is_ip6], network, &common);
    Node *old = *place;
    Node *added;
    Node *joint;

    g_return_if_fail(owner != NULL && kv_network_is_base(network));

    if (old != NULL && common == old->prefix && old->prefix == network->prefix) {
        old->owner = owner;
        return;
    }
    added = node_new(network->ip, network->prefix, owner);
    if (old == NULL) {
        *place = added;
        return;
    }
    if (common == network->prefix) {
        added->child[get_bit(old->ip, common)] = old;
        *place = added;
        return;
    }
    joint = node_new(network->ip, common, NULL);
    joint->child[get_bit(old->ip, common)] = old;
    joint->child[get_bit(network->ip, common)] = added;
    *place = joint;
}

/* Takes out what has neither an owner nor two children to join. */
static void
remove_below(Node **place, gpointer owner)
{
    Node *node = *place;

    if (node == NULL)
        return;
    remove_below(&node->child[0], owner);
    remove_below(&node->child[1], owner);
    if (node->owner == owner)
        node->owner = NULL;
    if (node->owner != NULL || (node->child[0] != NULL && node->child[1] != NULL))
        return;
    *place = node->child[0] != NULL ? node->child[0] : node->child[1];
    g_free(node);
}

void
kv_allowed_ips_remove(KvAllowedIps *ips, gpointer owner)
{
    g_return_if_fail(owner != NULL);

    remove_below(&ips->roots[0], owner);
    remove_below(&ips->roots[1], owner);
}

gpointer
kv_allowed_ips_get(const KvAllowedIps *ips, const KvNetwork *network)
{
    Node *root = ips->roots[network->is_ip6];
    guint common;
    Node *node = *descend(&root, network, &common);

    return node != NULL && common == node->prefix && node->prefix == network->prefix ? node->owner
                                                                                     : NULL;
}

gpointer
kv_allowed_ips_find(const KvAllowedIps *ips, gboolean is_ip6, const uint8_t *ip)
{
    const Node *node = ips->roots[is_ip6];
    guint bits = is_ip6 ? 128 : 32;
    gpointer owner = NULL;

    while (node != NULL && kv_network_common_bits(node->ip, ip, node->prefix) == node->prefix) {
        if (node->owner != NULL)
            owner = node->owner;
        if (node->prefix == bits)
            break;
        node = node->child[get_bit(ip, node->prefix)];
    }
    return owner;
}

static gpointer
find_at(const KvAllowedIps *ips, const uint8_t *packet, size_t len, guint offset4, guint offset6)
{
    if (len >= KV_IP4_BYTES && packet[0] >> 4 == 4)
        return kv_allowed_ips_find(ips, FALSE, packet + offset4);
    if (len >= KV_IP6_BYTES && packet[0] >> 4 == 6)
        return kv_allowed_ips_find(ips, TRUE, packet + offset6);
    return NULL;
}

gpointer
kv_allowed_ips_find_destination(const KvAllowedIps *ips, const uint8_t *packet, size_t len)
{
    return find_at(ips, packet, len, IP4_DESTINATION, IP6_DESTINATION);
}

gpointer
kv_allowed_ips_find_source(const KvAllowedIps *ips, const uint8_t *packet, size_t len)
{
    return find_at(ips, packet, len, KV_IP4_SOURCE, KV_IP6_SOURCE);
}
