/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-ecn.h"
#include "kv-macros.h"

#include <stdint.h>

/**
 * KvPacket:
 *
 * One opened datagram or one KCP segment, from a worker's pool. Counted by reference, without
 * atomics: a packet never leaves the thread of its pool. FEC and KCP both keep the same packet
 * instead of copying out of it.
 */
#define KV_PACKET_CAPACITY 1536 /* bytes: the largest v1 datagram (1500) and some */

typedef struct _KvPacketPool KvPacketPool;
typedef struct _KvPacket KvPacket;

struct _KvPacket {
    KvPacketPool *pool;
    KvPacket *next; /* free list of the pool; else at its holder's disposal */
    uint32_t refs;
    uint32_t len; /* bytes in use from the start of @data */
    KvEcn ecn;    /* of a datagram: with which it came; of a segment: of its inner packet */
    uint8_t data[KV_PACKET_CAPACITY] __attribute__((aligned(32)));
};

/**
 * kv_packet_pool_new:
 * @max_packets: bound on packets alive at a time
 *
 * Memory is taken in slabs as it is needed, given out last-freed first so that a small load
 * touches few pages, and returned to the system by kv_packet_pool_free() only.
 */
KvPacketPool *kv_packet_pool_new(uint32_t max_packets) KV_MUST_USE;

/* Frees the pool; every packet must have been returned (checked). */
void kv_packet_pool_free(KvPacketPool *pool);

/* Packets out of the pool at this moment. */
uint32_t kv_packet_pool_get_used(const KvPacketPool *pool);

/* Whether less than @eighths of eight of the packets are left: those who can wait then should, so
 * that those who would give packets back still find one to do it with. */
gboolean kv_packet_pool_is_scarce(const KvPacketPool *pool, guint eighths);

/* Whether more than a quarter of the packets are out. */
gboolean kv_packet_pool_is_in_demand(const KvPacketPool *pool);

#define KV_PACKET_SHARE_MIN 32 /* packets with which a connection lives */

/**
 * kv_packet_pool_get_share:
 *
 * How many packets one holder (a session in one direction, a queue) may have by now: as many as
 * are free above a reserve of a quarter of all, but at least %KV_PACKET_SHARE_MIN. So one alone has
 * room for a long path, and none can take what others need (the dynamic thresholds of Choudhury
 * and Hahne, 1998).
 */
uint32_t kv_packet_pool_get_share(const KvPacketPool *pool);

/* (transfer full) (nullable): a packet with one reference and len 0; NULL at the pool's bound. */
KvPacket *kv_packet_new(KvPacketPool *pool) KV_MUST_USE;

static inline KvPacket *
kv_packet_ref(KvPacket *packet)
{
    packet->refs++;
    return packet;
}

/* Gives one reference back; NULL is fine. */
void kv_packet_unref(KvPacket *packet);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvPacketPool, kv_packet_pool_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvPacket, kv_packet_unref)
