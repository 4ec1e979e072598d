/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-index-table.h"

struct _KvIndexTable {
    KvRandom random;
    GHashTable *held; /* of indexes */
};

KvIndexTable *
kv_index_table_new(const KvRandom *random)
{
    KvIndexTable *table = g_new0(KvIndexTable, 1);

    table->random = *random;
    table->held = g_hash_table_new(NULL, NULL);
    return table;
}

void
kv_index_table_free(KvIndexTable *table)
{
    if (table == NULL)
        return;
    g_hash_table_unref(table->held);
    g_free(table);
}

uint32_t
kv_index_table_draw(KvIndexTable *table)
{
    uint32_t index;

    do {
        kv_random_fill(&table->random, &index, sizeof index);
    } while (index == 0 || g_hash_table_contains(table->held, GUINT_TO_POINTER(index)));
    g_hash_table_add(table->held, GUINT_TO_POINTER(index));
    return index;
}

void
kv_index_table_give_back(KvIndexTable *table, uint32_t index)
{
    g_hash_table_remove(table->held, GUINT_TO_POINTER(index));
}

guint
kv_index_table_get_length(const KvIndexTable *table)
{
    return g_hash_table_size(table->held);
}
