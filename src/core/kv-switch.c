/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-switch.h"

#include <sodium.h>
#include <string.h>

#define BUCKETS_FIRST  64
#define SWEEP_INTERVAL (1 * KV_TIME_S)

G_STATIC_ASSERT(KV_SWITCH_KEY_BYTES == crypto_shorthash_KEYBYTES);

struct _KvSwitchEntry {
    KvSwitchEntry *next_in_bucket;
    KvSwitchEntry *next_of_port;
    KvSwitchEntry **link_of_port; /* what points here */
    KvSwitchPort *port;
    KvTime seen_at;
    gboolean is_own; /* of its port, which is not forgotten */
    uint8_t mac[KV_SWITCH_MAC_BYTES];
};

struct _KvSwitch {
    KvSwitchEntry **buckets;
    guint n_buckets; /* a power of two */
    guint n_entries;
    uint8_t key[KV_SWITCH_KEY_BYTES];
};

KvSwitch *
kv_switch_new(const uint8_t key[KV_SWITCH_KEY_BYTES])
{
    KvSwitch *table = g_new0(KvSwitch, 1);

    memcpy(table->key, key, sizeof table->key);
    table->n_buckets = BUCKETS_FIRST;
    table->buckets = g_new0(KvSwitchEntry *, table->n_buckets);
    return table;
}

void
kv_switch_free(KvSwitch *table)
{
    if (table == NULL)
        return;
    for (guint i = 0; i < table->n_buckets; i++) {
        while (table->buckets[i] != NULL) {
            KvSwitchEntry *entry = table->buckets[i];

            table->buckets[i] = entry->next_in_bucket;
            g_free(entry);
        }
    }
    g_free(table->buckets);
    g_free(table);
}

static KvSwitchEntry **
get_bucket(const KvSwitch *table, const uint8_t *mac)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *) &hash, mac, KV_SWITCH_MAC_BYTES, table->key);
    return &table->buckets[hash & (table->n_buckets - 1)];
}

static KvSwitchEntry *
lookup(const KvSwitch *table, const uint8_t *mac)
{
    KvSwitchEntry *entry = *get_bucket(table, mac);

    while (entry != NULL && memcmp(entry->mac, mac, KV_SWITCH_MAC_BYTES) != 0)
        entry = entry->next_in_bucket;
    return entry;
}

static void
grow(KvSwitch *table)
{
    g_autofree KvSwitchEntry **old = table->buckets;
    guint n_old = table->n_buckets;

    table->n_buckets *= 2;
    table->buckets = g_new0(KvSwitchEntry *, table->n_buckets);
    for (guint i = 0; i < n_old; i++) {
        while (old[i] != NULL) {
            KvSwitchEntry *entry = old[i];
            KvSwitchEntry **bucket = get_bucket(table, entry->mac);

            old[i] = entry->next_in_bucket;
            entry->next_in_bucket = *bucket;
            *bucket = entry;
        }
    }
}

static void
join_port(KvSwitchEntry *entry, KvSwitchPort *port)
{
    entry->port = port;
    entry->is_own = !port->had_entries && !port->may_take;
    port->had_entries = TRUE;
    entry->next_of_port = port->entries;
    entry->link_of_port = &port->entries;
    if (port->entries != NULL)
        port->entries->link_of_port = &entry->next_of_port;
    port->entries = entry;
    port->n_entries++;
}

static void
leave_port(KvSwitchEntry *entry)
{
    *entry->link_of_port = entry->next_of_port;
    if (entry->next_of_port != NULL)
        entry->next_of_port->link_of_port = entry->link_of_port;
    entry->port->n_entries--;
}

static void
forget(KvSwitch *table, KvSwitchEntry *entry)
{
    KvSwitchEntry **place = get_bucket(table, entry->mac);

    while (*place != entry)
        place = &(*place)->next_in_bucket;
    *place = entry->next_in_bucket;
    leave_port(entry);
    table->n_entries--;
    g_free(entry);
}

static gboolean
is_old(const KvSwitchEntry *entry, KvTime now)
{
    return !entry->is_own && now >= kv_time_add(entry->seen_at, KV_SWITCH_AGE);
}

static void
sweep(KvSwitch *table, KvSwitchPort *port, KvTime now)
{
    KvSwitchEntry *next;

    if (now < kv_time_add(port->swept_at, SWEEP_INTERVAL))
        return;
    port->swept_at = now;
    for (KvSwitchEntry *entry = port->entries; entry != NULL; entry = next) {
        next = entry->next_of_port;
        if (is_old(entry, now))
            forget(table, entry);
    }
}

void
kv_switch_remove_port(KvSwitch *table, KvSwitchPort *port)
{
    while (port->entries != NULL)
        forget(table, port->entries);
}

gboolean
kv_switch_is_group(const uint8_t *mac)
{
    return (mac[0] & 1) != 0;
}

/* Whether @port may have one more. */
static gboolean
has_room(KvSwitch *table, KvSwitchPort *port, KvTime now)
{
    if (port->n_entries >= KV_SWITCH_PORT_MACS)
        sweep(table, port, now);
    return port->n_entries < KV_SWITCH_PORT_MACS;
}

static KvSwitchEntry *
add(KvSwitch *table, const uint8_t *mac)
{
    KvSwitchEntry *entry = g_new0(KvSwitchEntry, 1);
    KvSwitchEntry **bucket;

    if (table->n_entries >= table->n_buckets)
        grow(table);
    memcpy(entry->mac, mac, sizeof entry->mac);
    bucket = get_bucket(table, mac);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    table->n_entries++;
    return entry;
}

gboolean
kv_switch_learn(KvSwitch *table, KvSwitchPort *port, const uint8_t *mac, KvTime now)
{
    KvSwitchEntry *entry;

    if (kv_switch_is_group(mac))
        return TRUE;
    entry = lookup(table, mac);
    if (entry != NULL && entry->port == port) {
        entry->seen_at = now;
        return TRUE;
    }
    if (entry != NULL && !is_old(entry, now) && !port->may_take)
        return FALSE;
    if (!has_room(table, port, now))
        return TRUE;
    if (entry != NULL)
        leave_port(entry);
    else
        entry = add(table, mac);
    entry->seen_at = now;
    join_port(entry, port);
    return TRUE;
}

KvSwitchPort *
kv_switch_find(const KvSwitch *table, const uint8_t *mac, KvTime now)
{
    KvSwitchEntry *entry = kv_switch_is_group(mac) ? NULL : lookup(table, mac);

    return entry != NULL && !is_old(entry, now) ? entry->port : NULL;
}

guint
kv_switch_get_size(const KvSwitch *table)
{
    return table->n_entries;
}
