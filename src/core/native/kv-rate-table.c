/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-rate-table.h"

#include <sodium.h>
#include <string.h>

/* A bucket as one time: when it will be full again (the "generic cell rate algorithm"). */
typedef struct {
    guint hash; /* keyed, so that nobody can choose keys that meet */
    uint8_t key[KV_RATE_KEY_BYTES];
    KvTime full;
    GList link; /* in the order of the last call */
} Bucket;

struct _KvRateTable {
    guint max;
    KvTime interval; /* between two, in the long run */
    KvTime depth;    /* how far @full may lie ahead */
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
    GHashTable *buckets; /* set of Bucket, owned */
    GQueue order;
};

static guint
hash_bucket(gconstpointer bucket)
{
    return ((const Bucket *) bucket)->hash;
}

static gboolean
equal_buckets(gconstpointer a, gconstpointer b)
{
    return memcmp(((const Bucket *) a)->key, ((const Bucket *) b)->key, KV_RATE_KEY_BYTES) == 0;
}

KvRateTable *
kv_rate_table_new(guint max, KvTime interval, guint burst, const KvRandom *random)
{
    KvRateTable *table = g_new0(KvRateTable, 1);

    table->max = max;
    table->interval = interval;
    table->depth = table->interval * (burst - 1);
    kv_random_fill(random, table->hash_key, sizeof table->hash_key);
    table->buckets = g_hash_table_new_full(hash_bucket, equal_buckets, g_free, NULL);
    g_queue_init(&table->order);
    return table;
}

void
kv_rate_table_free(KvRateTable *table)
{
    if (table == NULL)
        return;
    g_hash_table_unref(table->buckets);
    g_free(table);
}

static void
forget(KvRateTable *table, Bucket *bucket)
{
    g_queue_unlink(&table->order, &bucket->link);
    g_hash_table_remove(table->buckets, bucket);
}

/* A bucket to look for, or to copy. */
static Bucket
make_probe(const KvRateTable *table, const uint8_t key[KV_RATE_KEY_BYTES])
{
    uint8_t hash[crypto_shorthash_BYTES];
    Bucket probe = {0};

    crypto_shorthash(hash, key, KV_RATE_KEY_BYTES, table->hash_key);
    memcpy(&probe.hash, hash, sizeof probe.hash);
    memcpy(probe.key, key, sizeof probe.key);
    return probe;
}

static Bucket *
find_or_make(KvRateTable *table, const uint8_t key[KV_RATE_KEY_BYTES], KvTime now)
{
    Bucket probe = make_probe(table, key);
    Bucket *bucket = g_hash_table_lookup(table->buckets, &probe);

    if (bucket == NULL) {
        bucket = g_new(Bucket, 1);
        *bucket = probe;
        bucket->full = now;
        bucket->link.data = bucket;
        g_hash_table_add(table->buckets, bucket);
    } else {
        g_queue_unlink(&table->order, &bucket->link);
    }
    g_queue_push_tail_link(&table->order, &bucket->link);
    return bucket;
}

/* The oldest go: those with nothing to remember, and those there is no room for. */
static void
tidy(KvRateTable *table, KvTime now)
{
    Bucket *oldest;

    while ((oldest = g_queue_peek_head(&table->order)) != NULL) {
        if (oldest->full > now && table->order.length <= table->max)
            return;
        forget(table, oldest);
    }
}

static gboolean
has_token(const KvRateTable *table, const Bucket *bucket, KvTime now)
{
    return kv_time_until(now, bucket->full) <= table->depth;
}

gboolean
kv_rate_table_take(KvRateTable *table, const uint8_t key[KV_RATE_KEY_BYTES], KvTime now)
{
    Bucket *bucket = find_or_make(table, key, now);
    gboolean may = has_token(table, bucket, now);

    if (may)
        bucket->full = kv_time_add(MAX(bucket->full, now), table->interval);
    tidy(table, now);
    return may;
}

gboolean
kv_rate_table_may(const KvRateTable *table, const uint8_t key[KV_RATE_KEY_BYTES], KvTime now)
{
    Bucket probe = make_probe(table, key);
    const Bucket *bucket = g_hash_table_lookup(table->buckets, &probe);

    return bucket == NULL || has_token(table, bucket, now);
}

guint
kv_rate_table_get_length(const KvRateTable *table)
{
    return table->order.length;
}
