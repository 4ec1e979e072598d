/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addr-pool.h"

#include "kv-error.h"

/* Values in the table of taken addresses. */
#define LEASED   GINT_TO_POINTER(1)
#define EXCLUDED GINT_TO_POINTER(2)

/*
 * Below @next every address is taken or in @freed; from @next on every one is free that is not
 * taken. So a pool of any size costs nothing before it is used.
 */
struct _KvAddrPool {
    gboolean has_spec;
    KvIp4 first, last;
    uint64_t next;
    uint64_t size;
    GHashTable *taken; /* address: LEASED or EXCLUDED */
    GTree *freed;
};

static gint
compare_addresses(gconstpointer a, gconstpointer b)
{
    guint left = GPOINTER_TO_UINT(a);
    guint right = GPOINTER_TO_UINT(b);

    return (left > right) - (left < right);
}

/* A decimal number without sign and leading zeros, @text moving behind it. */
static gboolean
read_number(const char **text, guint max, guint *number)
{
    const char *p = *text;

    *number = 0;
    if (!g_ascii_isdigit(*p) || (p[0] == '0' && g_ascii_isdigit(p[1])))
        return FALSE;
    for (; g_ascii_isdigit(*p); p++) {
        *number = *number * 10 + (guint) (*p - '0');
        if (*number > max)
            return FALSE;
    }
    *text = p;
    return TRUE;
}

static gboolean
read_address(const char **text, KvIp4 *ip)
{
    *ip = 0;
    for (guint i = 0; i < 4; i++) {
        guint octet;

        if (i > 0 && *(*text)++ != '.')
            return FALSE;
        if (!read_number(text, 255, &octet))
            return FALSE;
        *ip = *ip << 8 | octet;
    }
    return TRUE;
}

/* What follows the slash: a prefix length or a dotted mask, to the end. */
static gboolean
read_mask(const char *text, KvIp4 *mask)
{
    const char *rest = text;
    guint prefix;

    if (read_number(&rest, 32, &prefix) && *rest == '\0') {
        *mask = prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
        return TRUE;
    }
    /* The complement of a mask is one less than a power of two. */
    return read_address(&text, mask) && *text == '\0' && (~*mask & (~*mask + 1)) == 0;
}

static gboolean
parse_spec(const char *text, KvIp4 *first, KvIp4 *last)
{
    KvIp4 mask;

    if (!read_address(&text, first))
        return FALSE;
    if (*text == '-') {
        text++;
        return read_address(&text, last) && *text == '\0' && *first <= *last;
    }
    if (*text != '/' || !read_mask(text + 1, &mask))
        return FALSE;
    *first &= mask;
    *last = *first | ~mask;
    return TRUE;
}

static gboolean
is_inside(const KvAddrPool *pool, KvIp4 ip)
{
    return ip != 0 && (!pool->has_spec || (ip >= pool->first && ip <= pool->last));
}

static void
take(KvAddrPool *pool, KvIp4 ip, gpointer how)
{
    g_tree_remove(pool->freed, GUINT_TO_POINTER(ip));
    g_hash_table_replace(pool->taken, GUINT_TO_POINTER(ip), how);
}

KvAddrPool *
kv_addr_pool_new(const char *spec, GError **error)
{
    KvIp4 first = 0, last = 0;
    KvAddrPool *pool;

    if (spec != NULL && (!parse_spec(spec, &first, &last) || last == 0)) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "“%s” is not a range of IPv4 addresses; allowed are address/prefix, "
                    "address/netmask and first-last",
                    spec);
        return NULL;
    }
    pool = g_new0(KvAddrPool, 1);
    pool->has_spec = spec != NULL;
    pool->first = MAX(first, 1);
    pool->last = last;
    pool->next = pool->first;
    pool->size = pool->has_spec ? (uint64_t) last - pool->first + 1 : 0;
    pool->taken = g_hash_table_new(NULL, NULL);
    pool->freed = g_tree_new(compare_addresses);
    return pool;
}

void
kv_addr_pool_free(KvAddrPool *pool)
{
    if (pool == NULL)
        return;
    g_hash_table_unref(pool->taken);
    g_tree_unref(pool->freed);
    g_free(pool);
}

void
kv_addr_pool_exclude(KvAddrPool *pool, KvIp4 ip)
{
    if (!is_inside(pool, ip) || g_hash_table_lookup(pool->taken, GUINT_TO_POINTER(ip)) == EXCLUDED)
        return;
    take(pool, ip, EXCLUDED);
    if (pool->has_spec)
        pool->size--;
}

gboolean
kv_addr_pool_lease(KvAddrPool *pool, KvIp4 *ip)
{
    GTreeNode *lowest = g_tree_node_first(pool->freed);

    *ip = 0;
    if (!pool->has_spec)
        return TRUE;
    if (lowest != NULL) {
        *ip = GPOINTER_TO_UINT(g_tree_node_key(lowest));
        take(pool, *ip, LEASED);
        return TRUE;
    }
    while (pool->next <= pool->last) {
        KvIp4 candidate = (KvIp4) pool->next++;

        if (!g_hash_table_contains(pool->taken, GUINT_TO_POINTER(candidate))) {
            *ip = candidate;
            take(pool, *ip, LEASED);
            return TRUE;
        }
    }
    return FALSE;
}

gboolean
kv_addr_pool_lease_exact(KvAddrPool *pool, KvIp4 ip)
{
    if (!is_inside(pool, ip) || g_hash_table_contains(pool->taken, GUINT_TO_POINTER(ip)))
        return FALSE;
    take(pool, ip, LEASED);
    return TRUE;
}

void
kv_addr_pool_release(KvAddrPool *pool, KvIp4 ip)
{
    if (g_hash_table_lookup(pool->taken, GUINT_TO_POINTER(ip)) != LEASED)
        return;
    g_hash_table_remove(pool->taken, GUINT_TO_POINTER(ip));
    if (pool->has_spec && ip < pool->next)
        g_tree_insert(pool->freed, GUINT_TO_POINTER(ip), NULL);
}

uint64_t
kv_addr_pool_get_size(const KvAddrPool *pool)
{
    return pool->size;
}
