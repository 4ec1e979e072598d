/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-session-table.h"

/* Linear probing, at most half full, as in kv-demux.c. */
#define TABLE_MIN_SLOTS 64

typedef struct {
    uint32_t index; /* 0: empty */
    gpointer owner;
} Slot;

struct _KvSessionTable {
    Slot *slots;
    uint32_t mask;
    uint32_t used;
};

KvSessionTable *
kv_session_table_new(void)
{
    KvSessionTable *table = g_new0(KvSessionTable, 1);

    table->slots = g_new0(Slot, TABLE_MIN_SLOTS);
    table->mask = TABLE_MIN_SLOTS - 1;
    return table;
}

void
kv_session_table_free(KvSessionTable *table)
{
    if (table == NULL)
        return;
    g_free(table->slots);
    g_free(table);
}

/* Where it is, or would be put. */
static uint32_t
find_slot(const KvSessionTable *table, uint32_t index)
{
    uint32_t slot = index & table->mask;

    while (table->slots[slot].index != 0 && table->slots[slot].index != index)
        slot = (slot + 1) & table->mask;
    return slot;
}

gpointer
kv_session_table_find(const KvSessionTable *table, uint32_t index)
{
    return table->slots[find_slot(table, index)].owner;
}

static void
grow(KvSessionTable *table)
{
    g_autofree Slot *old = table->slots;
    uint32_t n_old = table->mask + 1;

    table->slots = g_new0(Slot, 2 * n_old);
    table->mask = 2 * n_old - 1;
    for (uint32_t i = 0; i < n_old; i++) {
        if (old[i].index != 0)
            table->slots[find_slot(table, old[i].index)] = old[i];
    }
}

void
kv_session_table_add(KvSessionTable *table, uint32_t index, gpointer owner)
{
    g_return_if_fail(index != 0 && owner != NULL && kv_session_table_find(table, index) == NULL);

    if (2 * (table->used + 1) > table->mask)
        grow(table);
    table->slots[find_slot(table, index)] = (Slot){index, owner};
    table->used++;
}

void
kv_session_table_remove(KvSessionTable *table, uint32_t index)
{
    uint32_t gap = find_slot(table, index);

    if (table->slots[gap].index == 0 || index == 0)
        return;
    table->slots[gap] = (Slot){0};
    table->used--;
    /* Those behind the gap move up until one stands at home or a slot is empty. */
    for (uint32_t slot = (gap + 1) & table->mask; table->slots[slot].index != 0;
         slot = (slot + 1) & table->mask) {
        uint32_t home = table->slots[slot].index & table->mask;

        if (((slot - home) & table->mask) < ((slot - gap) & table->mask))
            continue;
        table->slots[gap] = table->slots[slot];
        table->slots[slot] = (Slot){0};
        gap = slot;
    }
}

guint
kv_session_table_get_size(const KvSessionTable *table)
{
    return table->used;
}
