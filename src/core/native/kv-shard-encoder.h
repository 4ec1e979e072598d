/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-packet.h"
#include "kv-seal.h"
#include "kv-time.h"
#include "native/kv-item.h"

/* Longest frames of one data shard. Their parity is longer by this: whoever fills datagrams leaves
 * as much free in those with data shards. */
#define KV_SHARD_PARITY_EXTRA (KV_ITEM_PARITY_BYTES + 2 - KV_ITEM_DATA_BYTES)
#define KV_SHARD_FRAMES_MAX                                                                        \
    (KV_PACKET_CAPACITY - KV_SEAL_OVERHEAD - KV_ITEM_DATA_BYTES - KV_SHARD_PARITY_EXTRA)

/**
 * KvShardEncoder:
 *
 * Puts frames into data shards and sums up the parity of their group while they leave (section 10).
 * The shape is the caller's: how many parity shards a group may get is fixed when it begins, how
 * many it gets, and with how many data shards, when it is closed. One thread at a time.
 */
typedef struct _KvShardEncoder KvShardEncoder;

/**
 * kv_shard_encoder_new:
 * @pool: gives the packets in which parity is summed up while a group is open; outlives the encoder
 */
KvShardEncoder *kv_shard_encoder_new(KvPacketPool *pool) KV_MUST_USE;
void kv_shard_encoder_free(KvShardEncoder *encoder);

/* For tests: the next group has number @group. Only while none is open. */
void kv_shard_encoder_set_group(KvShardEncoder *encoder, uint32_t group);

/* How many parity shards the groups that begin from now on may get, at most %KV_GROUP_PARITY_MAX;
 * 0, as at first: none is open, and none begins. */
void kv_shard_encoder_set_parity(KvShardEncoder *encoder, guint parity);

/**
 * kv_shard_encoder_prepare:
 *
 * Opens a group, if none is open.
 *
 * Returns: whether a data shard may be added: parity is wanted, none waits to leave, and the pool
 * has packets to sum it up in. If not, frames go without protection.
 */
gboolean kv_shard_encoder_prepare(KvShardEncoder *encoder) KV_MUST_USE;

/**
 * kv_shard_encoder_add:
 * @item: %KV_ITEM_DATA_BYTES of room, then frames
 * @len: of the frames, at most %KV_SHARD_FRAMES_MAX
 *
 * Makes @item a data shard of the open group and adds it to the parity. Only after
 * kv_shard_encoder_prepare() said so, each time. A group that could take no more is closed.
 *
 * Returns: length of the item.
 */
size_t kv_shard_encoder_add(KvShardEncoder *encoder, uint8_t *item, size_t len, KvTime now);

/* When the first shard of the open group was added; %KV_TIME_NEVER if it has none. */
KvTime kv_shard_encoder_get_group_start(const KvShardEncoder *encoder);

/* Data shards of the open group; 0: it has none. */
guint kv_shard_encoder_get_n_data(const KvShardEncoder *encoder);

/**
 * kv_shard_encoder_close_group:
 * @parity: how many parity shards it gets: no more than were summed up; 0 for none
 *
 * Ends the open group, if it has data. kv_shard_encoder_output() then has its parity.
 */
void kv_shard_encoder_close_group(KvShardEncoder *encoder, guint parity);

/**
 * kv_shard_encoder_output:
 * @item: room for @cap bytes, all that a datagram of now has
 *
 * If the datagrams became too short for the parity of a group, it is given up.
 *
 * Returns: length of the next parity shard, which was put into @item; 0: none.
 */
size_t kv_shard_encoder_output(KvShardEncoder *encoder, uint8_t *item, size_t cap);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvShardEncoder, kv_shard_encoder_free)
