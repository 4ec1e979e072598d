/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-packet.h"

#define SLAB_PACKETS    64
#define RESERVE_EIGHTHS 2
#define DEMAND_EIGHTHS  6

struct _KvPacketPool {
    KvPacket *free_list;
    GPtrArray *slabs;
    uint32_t used;
    uint32_t made;
    uint32_t max_packets;
};

KvPacketPool *
kv_packet_pool_new(uint32_t max_packets)
{
    KvPacketPool *pool = g_new0(KvPacketPool, 1);

    pool->slabs = g_ptr_array_new_with_free_func(g_free);
    pool->max_packets = max_packets;
    return pool;
}

void
kv_packet_pool_free(KvPacketPool *pool)
{
    if (pool == NULL)
        return;
    g_assert(pool->used == 0);
    g_ptr_array_unref(pool->slabs);
    g_free(pool);
}

uint32_t
kv_packet_pool_get_used(const KvPacketPool *pool)
{
    return pool->used;
}

gboolean
kv_packet_pool_is_scarce(const KvPacketPool *pool, guint eighths)
{
    return pool->max_packets - pool->used < pool->max_packets / 8 * eighths;
}

gboolean
kv_packet_pool_is_in_demand(const KvPacketPool *pool)
{
    return kv_packet_pool_is_scarce(pool, DEMAND_EIGHTHS);
}

uint32_t
kv_packet_pool_get_share(const KvPacketPool *pool)
{
    uint32_t free_packets = pool->max_packets - pool->used;
    uint32_t reserve = pool->max_packets / 8 * RESERVE_EIGHTHS;

    return MAX(free_packets, reserve + KV_PACKET_SHARE_MIN) - reserve;
}

static void
add_slab(KvPacketPool *pool)
{
    uint32_t n = MIN(SLAB_PACKETS, pool->max_packets - pool->made);
    char *slab = g_malloc(n * sizeof(KvPacket) + _Alignof(KvPacket));
    KvPacket *packets =
        (KvPacket *) (((uintptr_t) slab + _Alignof(KvPacket) - 1) & ~(_Alignof(KvPacket) - 1));

    g_ptr_array_add(pool->slabs, slab);
    pool->made += n;
    while (n-- > 0) {
        packets[n].pool = pool;
        packets[n].refs = 0;
        packets[n].next = pool->free_list;
        pool->free_list = &packets[n];
    }
}

KvPacket *
kv_packet_new(KvPacketPool *pool)
{
    KvPacket *packet;

    if (KV_UNLIKELY(pool->free_list == NULL)) {
        if (pool->made == pool->max_packets)
            return NULL;
        add_slab(pool);
    }
    packet = pool->free_list;
    pool->free_list = packet->next;
    pool->used++;
    packet->next = NULL;
    packet->refs = 1;
    packet->len = 0;
    packet->ecn = KV_ECN_NOT_ECT;
    return packet;
}

void
kv_packet_unref(KvPacket *packet)
{
    KvPacketPool *pool;

    if (packet == NULL)
        return;
    g_assert(packet->refs > 0);
    if (--packet->refs > 0)
        return;
    pool = packet->pool;
    packet->next = pool->free_list;
    pool->free_list = packet;
    pool->used--;
}
