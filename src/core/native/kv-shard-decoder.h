/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-packet.h"
#include "kv-time.h"
#include "native/kv-item.h"

/**
 * KvShardDecoder:
 *
 * Rebuilds data shards that were lost from the parity of their groups (section 10). It keeps
 * packets of at most eight groups by reference, each for three seconds at most, and no more than
 * its share of the pool. While nothing comes it holds no memory. One thread at a time.
 */
typedef struct _KvShardDecoder KvShardDecoder;

#define KV_SHARD_GROUPS 8               /* that are kept, by their numbers */
#define KV_SHARD_AGE    (3 * KV_TIME_S) /* of a group: later its losses were repeated long ago */

/**
 * kv_shard_decoder_new:
 * @pool: gives the packets of rebuilt shards; outlives the decoder
 */
KvShardDecoder *kv_shard_decoder_new(KvPacketPool *pool) KV_MUST_USE;
void kv_shard_decoder_free(KvShardDecoder *decoder);

/* A rebuilt data shard: frames inside a packet. */
typedef struct {
    KvPacket *packet; /* (transfer full) */
    uint32_t offset;
    uint32_t len;
} KvShard;

/**
 * kv_shard_decoder_input:
 * @packet: an opened datagram
 * @item: a data or a parity shard, whose content lies in @packet; of a data shard the two bytes
 *   in front of the content are overwritten. The content itself must never change
 * @recovered: (out caller-allocates): room for %KV_GROUP_PARITY_MAX
 * @n_recovered: (out): how many were rebuilt, in the order in which they were sent
 *
 * Takes a shard. The frames of a data shard are the caller's to read in any case.
 *
 * Returns: %FALSE if the shard contradicts others of its group: it is of no use then, nor is the
 * group if it was a mistake of theirs.
 */
gboolean kv_shard_decoder_input(KvShardDecoder *decoder, KvPacket *packet, const KvItem *item,
                                KvTime now, KvShard *recovered, guint *n_recovered) KV_MUST_USE;

/* When kv_shard_decoder_advance() wants to be called, to let go of what is too old. */
KvTime kv_shard_decoder_deadline(const KvShardDecoder *decoder);
void kv_shard_decoder_advance(KvShardDecoder *decoder, KvTime now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvShardDecoder, kv_shard_decoder_free)
