/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-demux.h"

#include "kv-types.h"

#include <sodium.h>

/* Open addressing with linear probing; at most half full, so a probe ends soon. The hash is keyed
 * because senders choose their addresses. */
#define TABLE_MIN_SLOTS 64
#define ENTRIES_MAX     (KV_CLIENTS_MAX + KV_DEMUX_HALF_OPEN_MAX)

struct _KvDemux {
    KvDemuxEntry **slots;
    uint32_t mask;
    uint32_t used;
    uint32_t half_open;
    uint32_t half_open_max;
    KvTime bucket_time; /* the bucket is full at this time plus burst over rate */
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

KvDemux *
kv_demux_new(guint half_open_max)
{
    KvDemux *demux = g_new0(KvDemux, 1);

    demux->slots = g_new0(KvDemuxEntry *, TABLE_MIN_SLOTS);
    demux->mask = TABLE_MIN_SLOTS - 1;
    demux->half_open_max = half_open_max;
    crypto_shorthash_keygen(demux->hash_key);
    return demux;
}

void
kv_demux_free(KvDemux *demux)
{
    if (demux == NULL)
        return;
    g_free(demux->slots);
    g_free(demux);
}

static uint32_t
home_slot(const KvDemux *demux, const KvSockaddr *remote)
{
    uint8_t text[18] = {0};
    uint64_t hash;

    if (remote->sa.sa_family == AF_INET) {
        memcpy(text, &remote->v4.sin_port, 2);
        memcpy(text + 2, &remote->v4.sin_addr, 4);
    } else {
        memcpy(text, &remote->v6.sin6_port, 2);
        memcpy(text + 2, &remote->v6.sin6_addr, 16);
    }
    crypto_shorthash((uint8_t *) &hash, text, sizeof text, demux->hash_key);
    return (uint32_t) hash & demux->mask;
}

static void
insert(KvDemux *demux, KvDemuxEntry *entry)
{
    uint32_t slot = home_slot(demux, &entry->remote);

    while (demux->slots[slot] != NULL)
        slot = (slot + 1) & demux->mask;
    demux->slots[slot] = entry;
    entry->slot = slot + 1;
}

static void
resize(KvDemux *demux, uint32_t n_slots)
{
    g_autofree KvDemuxEntry **old = demux->slots;
    uint32_t n_old = demux->mask + 1;

    demux->slots = g_new0(KvDemuxEntry *, n_slots);
    demux->mask = n_slots - 1;
    for (uint32_t i = 0; i < n_old; i++) {
        if (old[i] != NULL)
            insert(demux, old[i]);
    }
}

KvDemuxEntry *
kv_demux_find(KvDemux *demux, const KvSockaddr *remote)
{
    uint32_t slot = home_slot(demux, remote);

    while (demux->slots[slot] != NULL) {
        if (kv_sockaddr_equal(&demux->slots[slot]->remote, remote))
            return demux->slots[slot];
        slot = (slot + 1) & demux->mask;
    }
    return NULL;
}

KvDrop
kv_demux_admit(KvDemux *demux, KvTime now)
{
    const KvTime token = KV_TIME_S / KV_DEMUX_NEW_PER_S;

    if (demux->used >= ENTRIES_MAX || demux->half_open >= demux->half_open_max)
        return KV_DROP_RATE;
    if (now > KV_DEMUX_NEW_BURST * token)
        demux->bucket_time = MAX(demux->bucket_time, now - KV_DEMUX_NEW_BURST * token);
    if (demux->bucket_time + token > now)
        return KV_DROP_RATE;
    demux->bucket_time += token;
    return KV_DROP_NONE;
}

void
kv_demux_add(KvDemux *demux, KvDemuxEntry *entry)
{
    g_return_if_fail(entry->slot == 0);

    if (2 * (demux->used + 1) > demux->mask)
        resize(demux, 2 * (demux->mask + 1));
    insert(demux, entry);
    entry->half_open = TRUE;
    demux->half_open++;
    demux->used++;
}

void
kv_demux_establish(KvDemux *demux, KvDemuxEntry *entry)
{
    if (!entry->half_open)
        return;
    entry->half_open = FALSE;
    demux->half_open--;
}

/* Entries behind the gap move up until one stands at home or a slot is empty. */
static void
close_gap(KvDemux *demux, uint32_t gap)
{
    for (uint32_t slot = (gap + 1) & demux->mask; demux->slots[slot] != NULL;
         slot = (slot + 1) & demux->mask) {
        uint32_t home = home_slot(demux, &demux->slots[slot]->remote);

        if (((slot - home) & demux->mask) < ((slot - gap) & demux->mask))
            continue;
        demux->slots[gap] = demux->slots[slot];
        demux->slots[gap]->slot = gap + 1;
        demux->slots[slot] = NULL;
        gap = slot;
    }
}

void
kv_demux_remove(KvDemux *demux, KvDemuxEntry *entry)
{
    uint32_t slot;

    if (entry->slot == 0)
        return;
    kv_demux_establish(demux, entry);
    slot = entry->slot - 1;
    entry->slot = 0;
    demux->slots[slot] = NULL;
    demux->used--;
    close_gap(demux, slot);
}

guint
kv_demux_get_size(const KvDemux *demux)
{
    return demux->used;
}

guint
kv_demux_get_half_open(const KvDemux *demux)
{
    return demux->half_open;
}
