/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addr-pool6.h"

#include "kv-error.h"
#include "kv-network.h"

#include <string.h>

/* Values in the table of taken addresses. */
#define LEASED   GINT_TO_POINTER(1)
#define EXCLUDED GINT_TO_POINTER(2)

/* From which prefix on the first address of a network is nobody's in particular: RFC 6164. */
#define NO_ANYCAST_PREFIX 127

#define MULTICAST 0xff /* first byte of such an address */

/* As in kv-addr-pool.c: below @next every address is taken or in @freed; from @next on every one is
 * free that is not taken. */
struct _KvAddrPool6 {
    gboolean has_spec;
    uint8_t first[KV_IP6_BYTES];
    uint8_t last[KV_IP6_BYTES];
    uint8_t next[KV_IP6_BYTES];
    gboolean is_passed; /* @next went past @last */
    GHashTable *taken;  /* address: LEASED or EXCLUDED */
    GTree *freed;
};

static guint
hash_address(gconstpointer key)
{
    uint32_t words[KV_IP6_BYTES / sizeof(uint32_t)];
    guint hash = 0;

    memcpy(words, key, KV_IP6_BYTES);
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        hash = hash * 31 + words[i];
    return hash;
}

static gboolean
equal_addresses(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, KV_IP6_BYTES) == 0;
}

static gint
compare_addresses(gconstpointer a, gconstpointer b, gpointer unused)
{
    return memcmp(a, b, KV_IP6_BYTES);
}

/* Neither :: nor ::1 nor of a group. */
static gboolean
is_of_host(const uint8_t ip[KV_IP6_BYTES])
{
    static const uint8_t nothing[KV_IP6_BYTES];

    if (ip[0] == MULTICAST)
        return FALSE;
    return memcmp(ip, nothing, KV_IP6_BYTES - 1) != 0 || ip[KV_IP6_BYTES - 1] > 1;
}

static void
step(KvAddrPool6 *pool)
{
    guint i = KV_IP6_BYTES;

    pool->is_passed = memcmp(pool->next, pool->last, KV_IP6_BYTES) >= 0;
    while (!pool->is_passed && ++pool->next[--i] == 0)
        continue;
}

static const char *
find(const char *spec, char mark)
{
    return memchr(spec, mark, strlen(spec));
}

static gboolean
parse_range(KvAddrPool6 *pool, const char *spec, const char *dash)
{
    g_autofree char *from = g_strndup(spec, (gsize) (dash - spec));
    KvNetwork first, last;

    if (find(spec, '/') != NULL || !kv_network_parse(&first, from) ||
        !kv_network_parse(&last, dash + 1) || !first.is_ip6 || !last.is_ip6)
        return FALSE;
    memcpy(pool->first, first.ip, KV_IP6_BYTES);
    memcpy(pool->last, last.ip, KV_IP6_BYTES);
    return memcmp(first.ip, last.ip, KV_IP6_BYTES) <= 0;
}

static gboolean
parse_network(KvAddrPool6 *pool, const char *spec)
{
    KvNetwork network;

    if (find(spec, '/') == NULL || !kv_network_parse(&network, spec) || !network.is_ip6)
        return FALSE;
    kv_network_make_base(&network);
    memcpy(pool->first, network.ip, KV_IP6_BYTES);
    memcpy(pool->last, network.ip, KV_IP6_BYTES);
    for (guint bit = network.prefix; bit < 8 * KV_IP6_BYTES; bit++)
        pool->last[bit / 8] |= (uint8_t) (0x80 >> bit % 8);
    if (network.prefix < NO_ANYCAST_PREFIX)
        pool->first[KV_IP6_BYTES - 1]++;
    return TRUE;
}

static gboolean
parse_spec(KvAddrPool6 *pool, const char *spec)
{
    const char *dash = find(spec, '-');

    if (!(dash != NULL ? parse_range(pool, spec, dash) : parse_network(pool, spec)))
        return FALSE;
    return pool->last[0] != MULTICAST && is_of_host(pool->last);
}

static gboolean
is_inside(const KvAddrPool6 *pool, const uint8_t *ip)
{
    return is_of_host(ip) && (!pool->has_spec || (memcmp(ip, pool->first, KV_IP6_BYTES) >= 0 &&
                                                  memcmp(ip, pool->last, KV_IP6_BYTES) <= 0));
}

static void
take(KvAddrPool6 *pool, const uint8_t *ip, gpointer how)
{
    g_tree_remove(pool->freed, ip);
    g_hash_table_replace(pool->taken, g_memdup2(ip, KV_IP6_BYTES), how);
}

KvAddrPool6 *
kv_addr_pool6_new(const char *spec, GError **error)
{
    g_autoptr(KvAddrPool6) pool = g_new0(KvAddrPool6, 1);

    pool->has_spec = spec != NULL;
    if (spec != NULL && !parse_spec(pool, spec)) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "“%s” is not a range of IPv6 addresses of hosts; allowed are address/prefix "
                    "and first-last",
                    spec);
        return NULL;
    }
    memcpy(pool->next, pool->first, KV_IP6_BYTES);
    pool->taken = g_hash_table_new_full(hash_address, equal_addresses, g_free, NULL);
    pool->freed = g_tree_new_full(compare_addresses, NULL, g_free, NULL);
    return g_steal_pointer(&pool);
}

void
kv_addr_pool6_free(KvAddrPool6 *pool)
{
    if (pool == NULL)
        return;
    g_clear_pointer(&pool->taken, g_hash_table_unref);
    g_clear_pointer(&pool->freed, g_tree_unref);
    g_free(pool);
}

gboolean
kv_addr_pool6_has_spec(const KvAddrPool6 *pool)
{
    return pool->has_spec;
}

void
kv_addr_pool6_exclude(KvAddrPool6 *pool, const uint8_t ip[KV_IP6_BYTES])
{
    if (is_inside(pool, ip))
        take(pool, ip, EXCLUDED);
}

gboolean
kv_addr_pool6_lease(KvAddrPool6 *pool, uint8_t ip[KV_IP6_BYTES])
{
    GTreeNode *lowest = g_tree_node_first(pool->freed);

    memset(ip, 0, KV_IP6_BYTES);
    if (!pool->has_spec)
        return FALSE;
    if (lowest != NULL) {
        memcpy(ip, g_tree_node_key(lowest), KV_IP6_BYTES);
        take(pool, ip, LEASED);
        return TRUE;
    }
    for (; !pool->is_passed; step(pool)) {
        if (g_hash_table_contains(pool->taken, pool->next) || !is_of_host(pool->next))
            continue;
        memcpy(ip, pool->next, KV_IP6_BYTES);
        take(pool, ip, LEASED);
        step(pool);
        return TRUE;
    }
    return FALSE;
}

gboolean
kv_addr_pool6_lease_exact(KvAddrPool6 *pool, const uint8_t ip[KV_IP6_BYTES])
{
    if (!is_inside(pool, ip) || g_hash_table_contains(pool->taken, ip))
        return FALSE;
    take(pool, ip, LEASED);
    return TRUE;
}

void
kv_addr_pool6_release(KvAddrPool6 *pool, const uint8_t ip[KV_IP6_BYTES])
{
    gboolean is_below = pool->is_passed || memcmp(ip, pool->next, KV_IP6_BYTES) < 0;

    if (g_hash_table_lookup(pool->taken, ip) != LEASED)
        return;
    g_hash_table_remove(pool->taken, ip);
    if (pool->has_spec && is_below)
        g_tree_insert(pool->freed, g_memdup2(ip, KV_IP6_BYTES), NULL);
}
