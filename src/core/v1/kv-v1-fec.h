/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-packet.h"
#include "kv-time.h"
#include "v1/kv-v1-wire.h"

/**
 * FEC as kcp-go does it, with the rapid FEC extension of the Go kcpvpn.
 *
 * A FEC packet here is what follows the 20 bytes of the crypt header: seqid (4), flag (2) and,
 * for data and padding, size (2); the shard that the code covers begins at the size field.
 * One thread at a time.
 */
typedef struct _KvV1FecEncoder KvV1FecEncoder;
typedef struct _KvV1FecDecoder KvV1FecDecoder;

/* (nullable): NULL for a shape that has no code: then there is no FEC layer at all. */
KvV1FecEncoder *kv_v1_fec_encoder_new(guint data_shards, guint parity_shards) KV_MUST_USE;
void kv_v1_fec_encoder_free(KvV1FecEncoder *encoder);

/* For tests: the next group begins at @seqid, a multiple of the group size. */
void kv_v1_fec_encoder_set_seqid(KvV1FecEncoder *encoder, uint32_t seqid);

/**
 * kv_v1_fec_encoder_add:
 * @packet: room for the header in bytes 0..7, KCP segments from byte 8 on
 * @len: whole length, 8 to 1480
 *
 * Writes the header and adds the shard to its group's parity. After the last shard of a group
 * kv_v1_fec_encoder_output() has the parity; it must be drained before the next call.
 */
void kv_v1_fec_encoder_add(KvV1FecEncoder *encoder, uint8_t *packet, size_t len, KvTime now);

/* When the open group's first shard was added; %KV_TIME_NEVER if no group is open. */
KvTime kv_v1_fec_encoder_get_group_start(const KvV1FecEncoder *encoder);

/* Rapid FEC: closes the open group with padding, so that its parity goes out now. */
void kv_v1_fec_encoder_close_group(KvV1FecEncoder *encoder);

/* Length of the next padding or parity packet put into @buf; 0: none. @flag tells which. */
size_t kv_v1_fec_encoder_output(KvV1FecEncoder *encoder, uint8_t *buf, size_t cap, uint16_t *flag);

/**
 * kv_v1_fec_decoder_new:
 * @pool: gives the packets of rebuilt shards; must outlive the decoder
 *
 * The decoder holds references to at most 3 * (data_shards + parity_shards) packets of at most
 * eight groups, and forgets a group that got nothing for 60 s when it opens another.
 *
 * Returns: (nullable): NULL for a shape that has no code.
 */
KvV1FecDecoder *kv_v1_fec_decoder_new(guint data_shards, guint parity_shards,
                                      KvPacketPool *pool) KV_MUST_USE;
void kv_v1_fec_decoder_free(KvV1FecDecoder *decoder);

/* A run of KCP segments inside a packet. */
typedef struct {
    KvPacket *packet; /* (transfer full) for rebuilt shards */
    uint32_t offset;
    uint32_t len;
} KvV1FecShard;

/**
 * kv_v1_fec_decoder_input:
 * @packet: kept by reference if it may be needed; what lies behind its length may be zeroed
 * @offset: where the FEC header begins
 * @len: bytes from there to the end of the packet
 * @recovered: (out caller-allocates): room for parity_shards entries
 * @n_recovered: (out): how many were rebuilt; the caller unrefs each packet
 *
 * Costs nothing but table look-ups unless a group is rebuilt; the order of packets does not
 * matter. Rebuilt padding is not handed out.
 *
 * Returns: %FALSE if the packet makes no sense (flag, length, size, place of parity, or a padding
 * range that leaves its own group); nothing was kept then. Data at a place where this shape has
 * parity is fine but not kept: the peer was given another shape, and goes without repair.
 */
gboolean kv_v1_fec_decoder_input(KvV1FecDecoder *decoder, KvPacket *packet, size_t offset,
                                 size_t len, KvTime now, KvV1FecShard *recovered,
                                 guint *n_recovered) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvV1FecEncoder, kv_v1_fec_encoder_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvV1FecDecoder, kv_v1_fec_decoder_free)
