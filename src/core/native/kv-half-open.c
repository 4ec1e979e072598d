/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-half-open.h"

#include <string.h>

struct _KvHalfOpenTable {
    GHashTable *by_index; /* of KvHalfOpen, owned */
    GQueue order;         /* the first to expire first */
    guint waiting;
};

static void
free_half_open(gpointer data)
{
    KvHalfOpen *half = data;

    kv_noise_free(half->noise);
    kv_native_keys_clear(&half->keys);
    g_free(half);
}

KvHalfOpenTable *
kv_half_open_table_new(void)
{
    KvHalfOpenTable *table = g_new0(KvHalfOpenTable, 1);

    table->by_index = g_hash_table_new_full(NULL, NULL, NULL, free_half_open);
    g_queue_init(&table->order);
    return table;
}

void
kv_half_open_table_free(KvHalfOpenTable *table)
{
    if (table == NULL)
        return;
    g_hash_table_unref(table->by_index);
    g_free(table);
}

void
kv_half_open_table_remove(KvHalfOpenTable *table, KvHalfOpen *half)
{
    g_queue_unlink(&table->order, &half->link);
    if (half->noise != NULL)
        table->waiting--;
    g_hash_table_remove(table->by_index, GUINT_TO_POINTER(half->keys.local_index));
}

/* The next of @who, from @link on. */
static KvHalfOpen *
next_of(const GList *link, const uint8_t *who)
{
    for (; link != NULL; link = link->next) {
        KvHalfOpen *half = link->data;

        if (memcmp(half->who, who, sizeof half->who) == 0)
            return half;
    }
    return NULL;
}

static guint
count_of(const KvHalfOpenTable *table, const uint8_t *who)
{
    guint n = 0;

    for (KvHalfOpen *half = next_of(table->order.head, who); half != NULL;
         half = next_of(half->link.next, who))
        n++;
    return n;
}

/* A look over all of them costs little beside the curve arithmetic that one more has cost. */
static void
make_room(KvHalfOpenTable *table, const uint8_t *who)
{
    if (count_of(table, who) >= KV_HALF_OPEN_EACH)
        kv_half_open_table_remove(table, next_of(table->order.head, who));
    else if (table->order.length >= KV_HALF_OPEN_MAX)
        kv_half_open_table_remove(table, g_queue_peek_head(&table->order));
}

KvHalfOpen *
kv_half_open_table_add(KvHalfOpenTable *table, const uint8_t *who, uint32_t index, KvNoise *noise,
                       KvTime now)
{
    KvHalfOpen *half;

    make_room(table, who);
    half = g_new0(KvHalfOpen, 1);
    memcpy(half->who, who, sizeof half->who);
    half->noise = noise;
    half->keys.local_index = index;
    half->expires = kv_time_add(now, KV_HALF_OPEN_TIME);
    half->link.data = half;
    g_hash_table_insert(table->by_index, GUINT_TO_POINTER(index), half);
    g_queue_push_tail_link(&table->order, &half->link);
    table->waiting++;
    return half;
}

KvHalfOpen *
kv_half_open_table_find(const KvHalfOpenTable *table, uint32_t index)
{
    return g_hash_table_lookup(table->by_index, GUINT_TO_POINTER(index));
}

void
kv_half_open_table_answered(KvHalfOpenTable *table, KvHalfOpen *half, KvTime now)
{
    g_clear_pointer(&half->noise, kv_noise_free);
    table->waiting--;
    half->expires = kv_time_add(now, KV_HALF_OPEN_TIME);
    g_queue_unlink(&table->order, &half->link);
    g_queue_push_tail_link(&table->order, &half->link);
}

void
kv_half_open_table_remove_who(KvHalfOpenTable *table, const uint8_t *who)
{
    KvHalfOpen *half;

    while ((half = next_of(table->order.head, who)) != NULL)
        kv_half_open_table_remove(table, half);
}

void
kv_half_open_table_remove_association(KvHalfOpenTable *table, const uint8_t *association)
{
    GList *next;

    for (GList *link = table->order.head; link != NULL; link = next) {
        KvHalfOpen *half = link->data;

        next = link->next;
        if (half->noise == NULL &&
            memcmp(half->keys.association, association, KV_NATIVE_ID_BYTES) == 0)
            kv_half_open_table_remove(table, half);
    }
}

void
kv_half_open_table_expire(KvHalfOpenTable *table, KvTime now)
{
    KvHalfOpen *oldest;

    while ((oldest = g_queue_peek_head(&table->order)) != NULL && oldest->expires <= now)
        kv_half_open_table_remove(table, oldest);
}

KvTime
kv_half_open_table_deadline(const KvHalfOpenTable *table)
{
    const KvHalfOpen *oldest = g_queue_peek_head((GQueue *) &table->order);

    return oldest != NULL ? oldest->expires : KV_TIME_NEVER;
}

guint
kv_half_open_table_get_length(const KvHalfOpenTable *table)
{
    return table->order.length;
}

guint
kv_half_open_table_get_waiting(const KvHalfOpenTable *table)
{
    return table->waiting;
}
