/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-packet.h"
#include "kv-time.h"
#include "kv-types.h"

/**
 * KvQueue:
 *
 * The inner packets that wait for their turn in front of a session: flow queues served in turn,
 * sparse flows first (RFC 8290), each kept short by CoDel (RFC 8289), which marks packets of
 * senders that know ECN and drops those of others. So a bulk transfer fills the path, but neither
 * a queue nor another flow's way. Bounded in bytes; when full, the longest flow loses.
 *
 * Packets lie in the pool's, in a chain if one is not enough. One thread at a time.
 */
typedef struct _KvQueue KvQueue;

/**
 * kv_queue_new:
 * @pool: gives the packets; outlives the queue
 * @limit_bytes: of memory that inner packets may take here; less when @pool is in demand
 * @key: (array fixed-size=16): of kv_flow_hash()
 */
KvQueue *kv_queue_new(KvVniMode mode, KvPacketPool *pool, size_t limit_bytes,
                      const uint8_t *key) KV_MUST_USE;
void kv_queue_free(KvQueue *queue);

/* The flow packets like this one belong to, for kv_queue_push(). */
uint32_t kv_queue_get_flow(const KvQueue *queue, const uint8_t *packet, size_t len);

/**
 * kv_queue_push:
 * @slices: (array length=n): one inner packet, gathered; copied
 * @flow: from kv_queue_get_flow()
 *
 * Returns: %FALSE if the pool is empty: the packet is dropped. Packets dropped to make room are
 * counted by kv_queue_get_drops().
 */
gboolean kv_queue_push(KvQueue *queue, const KvSlice *slices, guint n, uint16_t ethertype,
                       uint32_t flow, KvTime now);

#define KV_QUEUE_SLICES_MAX 48 /* a packet of 64 KiB */

/**
 * kv_queue_pop:
 * @slices: (out caller-allocates) (array fixed-size=48): the packet whose turn it is, valid until
 *     the next call on the queue
 * @flow: (out): as it was pushed
 *
 * Returns: number of slices; 0: the queue is empty.
 */
guint kv_queue_pop(KvQueue *queue, KvSlice *slices, uint16_t *ethertype, uint32_t *flow,
                   KvTime now);

gboolean kv_queue_is_empty(const KvQueue *queue);

/* Packets dropped by CoDel or for want of room. */
uint64_t kv_queue_get_drops(const KvQueue *queue);

/* Inner packets that wait, and their bytes. */
uint32_t kv_queue_get_packets(const KvQueue *queue);
size_t kv_queue_get_bytes(const KvQueue *queue);

/* @rtt: round trip of the path, us: how long a sender takes to react. 0: not known. */
void kv_queue_set_rtt(KvQueue *queue, KvTime rtt);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvQueue, kv_queue_free)
