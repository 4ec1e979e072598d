/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-shard-encoder.h"

#include "native/kv-cauchy.h"

#define SCARCE_EIGHTHS 1 /* of the pool: what is left then is not for parity */
#define SIZE_BYTES     2 /* with which a symbol begins: the length of its frames */

struct _KvShardEncoder {
    KvPacketPool *pool;
    uint32_t group; /* number of the open group, or of the one whose parity is leaving */
    guint wanted;   /* sums for the next group */
    guint n_sums;   /* that are held; 0: no group */
    guint n_data;   /* shards */
    guint n_parity; /* that leave; 0: the group is open */
    guint next;     /* of these */
    size_t max_len; /* of the symbols; the sums are as long */
    KvTime start;
    KvPacket *sums[KV_GROUP_PARITY_MAX];
};

KvShardEncoder *
kv_shard_encoder_new(KvPacketPool *pool)
{
    KvShardEncoder *encoder = g_new0(KvShardEncoder, 1);

    encoder->pool = pool;
    return encoder;
}

static void
drop_sums(KvShardEncoder *encoder)
{
    while (encoder->n_sums > 0)
        kv_packet_unref(encoder->sums[--encoder->n_sums]);
}

void
kv_shard_encoder_free(KvShardEncoder *encoder)
{
    if (encoder == NULL)
        return;
    drop_sums(encoder);
    g_free(encoder);
}

void
kv_shard_encoder_set_group(KvShardEncoder *encoder, uint32_t group)
{
    g_return_if_fail(encoder->n_sums == 0 && group <= KV_GROUP_MASK);
    encoder->group = group;
}

void
kv_shard_encoder_set_parity(KvShardEncoder *encoder, guint parity)
{
    g_return_if_fail(parity <= KV_GROUP_PARITY_MAX);
    encoder->wanted = parity;
}

/* The number is used up: the receiver may have heard of it. */
static void
end_group(KvShardEncoder *encoder)
{
    drop_sums(encoder);
    encoder->group = (encoder->group + 1) & KV_GROUP_MASK;
}

static gboolean
open_group(KvShardEncoder *encoder)
{
    if (encoder->wanted == 0 || kv_packet_pool_is_scarce(encoder->pool, SCARCE_EIGHTHS))
        return FALSE;
    while (encoder->n_sums < encoder->wanted) {
        KvPacket *packet = kv_packet_new(encoder->pool);

        if (packet == NULL) {
            drop_sums(encoder);
            return FALSE;
        }
        encoder->sums[encoder->n_sums++] = packet;
    }
    encoder->n_data = 0;
    encoder->n_parity = 0;
    encoder->next = 0;
    encoder->max_len = 0;
    return TRUE;
}

gboolean
kv_shard_encoder_prepare(KvShardEncoder *encoder)
{
    if (encoder->n_sums == 0)
        return open_group(encoder);
    return encoder->n_parity == 0;
}

/* Adds a symbol, which may be longer than those before, to the sums. */
static void
add_symbol(KvShardEncoder *encoder, const uint8_t *symbol, size_t len)
{
    uint8_t *sums[KV_GROUP_PARITY_MAX];

    for (guint i = 0; i < encoder->n_sums; i++) {
        sums[i] = encoder->sums[i]->data;
        if (len > encoder->max_len)
            memset(sums[i] + encoder->max_len, 0, len - encoder->max_len);
    }
    encoder->max_len = MAX(encoder->max_len, len);
    kv_cauchy_encode(encoder->n_data, symbol, len, sums, encoder->n_sums);
}

size_t
kv_shard_encoder_add(KvShardEncoder *encoder, uint8_t *item, size_t len, KvTime now)
{
    KvItem head = {.kind = KV_ITEM_DATA,
                   .group = encoder->group,
                   .index = (uint8_t) encoder->n_data,
                   .len = len};
    uint8_t *symbol = item + KV_ITEM_DATA_BYTES - SIZE_BYTES;

    g_return_val_if_fail(encoder->n_sums > 0 && encoder->n_parity == 0, 0);
    g_return_val_if_fail(len <= KV_SHARD_FRAMES_MAX, 0);
    if (encoder->n_data == 0)
        encoder->start = now;
    kv_put_le16(symbol, (uint16_t) len);
    add_symbol(encoder, symbol, SIZE_BYTES + len);
    encoder->n_data++;
    if (encoder->n_data + encoder->n_sums == KV_GROUP_SHARDS_MAX)
        kv_shard_encoder_close_group(encoder, encoder->n_sums);
    return kv_item_put_head(item, &head);
}

guint
kv_shard_encoder_get_n_data(const KvShardEncoder *encoder)
{
    return encoder->n_sums > 0 && encoder->n_parity == 0 ? encoder->n_data : 0;
}

KvTime
kv_shard_encoder_get_group_start(const KvShardEncoder *encoder)
{
    return kv_shard_encoder_get_n_data(encoder) > 0 ? encoder->start : KV_TIME_NEVER;
}

void
kv_shard_encoder_close_group(KvShardEncoder *encoder, guint parity)
{
    g_return_if_fail(parity <= encoder->n_sums);
    if (kv_shard_encoder_get_n_data(encoder) == 0)
        return;
    encoder->n_parity = parity;
    if (parity == 0)
        end_group(encoder);
}

size_t
kv_shard_encoder_output(KvShardEncoder *encoder, uint8_t *item, size_t cap)
{
    KvItem head = {.kind = KV_ITEM_PARITY,
                   .group = encoder->group,
                   .index = (uint8_t) encoder->next,
                   .data = (uint8_t) encoder->n_data,
                   .parity = (uint8_t) encoder->n_parity,
                   .len = encoder->max_len};

    if (encoder->n_sums == 0 || encoder->n_parity == 0)
        return 0;
    if (cap < KV_ITEM_PARITY_BYTES + encoder->max_len) {
        end_group(encoder);
        return 0;
    }
    memcpy(item + KV_ITEM_PARITY_BYTES, encoder->sums[encoder->next]->data, encoder->max_len);
    if (++encoder->next == encoder->n_parity)
        end_group(encoder);
    return kv_item_put_head(item, &head);
}
