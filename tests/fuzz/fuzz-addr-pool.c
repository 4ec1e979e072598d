/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addr-pool.h"
#include "kv-bytes.h"
#include "kv-fuzz.h"

static void
run_operations(KvAddrPool *pool, KvReader *reader)
{
    g_autoptr(GHashTable) leased = g_hash_table_new(NULL, NULL);
    gboolean has_spec = kv_addr_pool_get_size(pool) > 0;

    while (kv_reader_left(reader) >= 5) {
        uint8_t op = kv_reader_u8(reader);
        KvIp4 ip = kv_reader_le32(reader);

        switch (op & 3) {
        case 0:
            if (kv_addr_pool_lease(pool, &ip) && has_spec)
                g_assert(g_hash_table_add(leased, GUINT_TO_POINTER(ip)));
            break;
        case 1:
            if (kv_addr_pool_lease_exact(pool, ip))
                g_assert(g_hash_table_add(leased, GUINT_TO_POINTER(ip)));
            break;
        case 2:
            kv_addr_pool_release(pool, ip);
            g_hash_table_remove(leased, GUINT_TO_POINTER(ip));
            break;
        default:
            if (!g_hash_table_contains(leased, GUINT_TO_POINTER(ip)))
                kv_addr_pool_exclude(pool, ip);
            break;
        }
        g_assert(!has_spec || g_hash_table_size(leased) <= kv_addr_pool_get_size(pool));
    }
}

/* A specification up to the first zero byte ("" for none), then operations of five bytes each. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t len = end != NULL ? (size_t) (end - data) : size;
    g_autofree char *spec = g_strndup((const char *) data, len);
    g_autoptr(GError) error = NULL;
    g_autoptr(KvAddrPool) pool = kv_addr_pool_new(len > 0 ? spec : NULL, &error);
    KvReader reader;

    g_assert((pool == NULL) == (error != NULL));
    if (pool == NULL || end == NULL)
        return 0;
    kv_reader_init(&reader, end + 1, size - len - 1);
    run_operations(pool, &reader);
    return 0;
}
