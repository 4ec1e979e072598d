/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "v1/kv-v1-fec.h"

#include "kv-bytes.h"
#include "kv-rs.h"

#include <string.h>

/* Longest shard, rounded up to what vector instructions like. */
#define PARITY_BYTES 1504

G_STATIC_ASSERT(PARITY_BYTES >= KV_V1_FEC_PACKET_MAX - KV_V1_FEC_SHARD_OFFSET);

struct _KvV1FecEncoder {
    KvRs *rs;
    guint data_shards;
    guint parity_shards;
    uint32_t paws;  /* the counter wraps here, after the last parity of a group */
    uint32_t seqid; /* of the next packet to leave */
    guint n_shards; /* in the open group; data_shards: its parity is going out */
    size_t max_len; /* of these */
    KvTime group_start;
    guint padding_left;
    guint parity_next;
    uint8_t padding[KV_V1_FEC_PADDING_BYTES];
    uint8_t *parity_block;
    uint8_t *parity[KV_RS_SHARDS_MAX]; /* zero from the group's longest shard on */
};

static void
put_header(uint8_t *packet, uint32_t seqid, uint16_t flag)
{
    kv_put_le32(packet, seqid);
    kv_put_le16(packet + KV_V1_FEC_FLAG_OFFSET, flag);
}

static gboolean
is_full(const KvV1FecEncoder *encoder)
{
    return encoder->n_shards == encoder->data_shards;
}

static void
add_shard(KvV1FecEncoder *encoder, const uint8_t *packet, size_t len)
{
    size_t shard_len = len - KV_V1_FEC_SHARD_OFFSET;

    kv_rs_encode_update(encoder->rs, encoder->n_shards, packet + KV_V1_FEC_SHARD_OFFSET, shard_len,
                        encoder->parity);
    encoder->max_len = MAX(encoder->max_len, shard_len);
    encoder->n_shards++;
}

static void
start_group(KvV1FecEncoder *encoder)
{
    for (guint i = 0; i < encoder->parity_shards; i++)
        memset(encoder->parity[i], 0, encoder->max_len);
    encoder->n_shards = 0;
    encoder->max_len = 0;
    encoder->parity_next = 0;
}

static size_t
output_padding(KvV1FecEncoder *encoder, uint8_t *buf, size_t cap)
{
    g_return_val_if_fail(cap >= KV_V1_FEC_PADDING_BYTES, 0);
    memcpy(buf, encoder->padding, KV_V1_FEC_PADDING_BYTES);
    put_header(buf, encoder->seqid++, KV_V1_FEC_PADDING);
    encoder->padding_left--;
    return KV_V1_FEC_PADDING_BYTES;
}

static size_t
output_parity(KvV1FecEncoder *encoder, uint8_t *buf, size_t cap)
{
    size_t len = KV_V1_FEC_SHARD_OFFSET + encoder->max_len;

    g_return_val_if_fail(cap >= len, 0);
    put_header(buf, encoder->seqid++, KV_V1_FEC_PARITY);
    memcpy(buf + KV_V1_FEC_SHARD_OFFSET, encoder->parity[encoder->parity_next], encoder->max_len);
    if (encoder->seqid == encoder->paws)
        encoder->seqid = 0;
    if (++encoder->parity_next == encoder->parity_shards)
        start_group(encoder);
    return len;
}

KvV1FecEncoder *
kv_v1_fec_encoder_new(guint data_shards, guint parity_shards)
{
    KvRs *rs = kv_rs_new(data_shards, parity_shards);
    KvV1FecEncoder *encoder;

    if (rs == NULL)
        return NULL;
    encoder = g_new0(KvV1FecEncoder, 1);
    encoder->rs = rs;
    encoder->data_shards = data_shards;
    encoder->parity_shards = parity_shards;
    encoder->paws = UINT32_MAX - UINT32_MAX % (data_shards + parity_shards);
    encoder->parity_block = g_malloc0((gsize) parity_shards * PARITY_BYTES);
    for (guint i = 0; i < parity_shards; i++)
        encoder->parity[i] = encoder->parity_block + (gsize) i * PARITY_BYTES;
    return encoder;
}

void
kv_v1_fec_encoder_free(KvV1FecEncoder *encoder)
{
    if (encoder == NULL)
        return;
    kv_rs_free(encoder->rs);
    g_free(encoder->parity_block);
    g_free(encoder);
}

void
kv_v1_fec_encoder_set_seqid(KvV1FecEncoder *encoder, uint32_t seqid)
{
    g_return_if_fail(encoder->n_shards == 0 && seqid < encoder->paws);
    g_return_if_fail(seqid % (encoder->data_shards + encoder->parity_shards) == 0);
    encoder->seqid = seqid;
}

void
kv_v1_fec_encoder_add(KvV1FecEncoder *encoder, uint8_t *packet, size_t len, KvTime now)
{
    g_return_if_fail(len >= KV_V1_FEC_HEADER_BYTES && len <= KV_V1_FEC_PACKET_MAX);
    g_return_if_fail(!is_full(encoder));
    if (encoder->n_shards == 0)
        encoder->group_start = now;
    put_header(packet, encoder->seqid++, KV_V1_FEC_DATA);
    kv_put_le16(packet + KV_V1_FEC_SIZE_OFFSET, (uint16_t) (len - KV_V1_FEC_SIZE_OFFSET));
    add_shard(encoder, packet, len);
}

KvTime
kv_v1_fec_encoder_get_group_start(const KvV1FecEncoder *encoder)
{
    return encoder->n_shards == 0 || is_full(encoder) ? KV_TIME_NEVER : encoder->group_start;
}

void
kv_v1_fec_encoder_close_group(KvV1FecEncoder *encoder)
{
    if (encoder->n_shards == 0 || is_full(encoder))
        return;
    encoder->padding_left = encoder->data_shards - encoder->n_shards;
    kv_put_le16(encoder->padding + KV_V1_FEC_SIZE_OFFSET, KV_V1_FEC_PADDING_SHARD_BYTES);
    kv_put_le32(encoder->padding + KV_V1_FEC_PADDING_FIRST_OFFSET, encoder->seqid);
    kv_put_le32(encoder->padding + KV_V1_FEC_PADDING_LAST_OFFSET,
                encoder->seqid + encoder->padding_left - 1);
    while (!is_full(encoder))
        add_shard(encoder, encoder->padding, KV_V1_FEC_PADDING_BYTES);
}

size_t
kv_v1_fec_encoder_output(KvV1FecEncoder *encoder, uint8_t *buf, size_t cap, uint16_t *flag)
{
    if (!is_full(encoder))
        return 0;
    if (encoder->padding_left > 0) {
        *flag = KV_V1_FEC_PADDING;
        return output_padding(encoder, buf, cap);
    }
    *flag = KV_V1_FEC_PARITY;
    return output_parity(encoder, buf, cap);
}
