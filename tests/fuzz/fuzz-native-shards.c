/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "native/kv-shard-decoder.h"
#include "native/kv-shard-encoder.h"

#include <string.h>

#define GROUPS   4 /* of the sender, that the input may still deliver from */
#define DATA_MAX 20
#define SUMS_MAX 6
#define FORGED   GROUPS
#define POOL     128
#define BYTES    (KV_ITEM_PARITY_BYTES + 2 + 255 * 5)

typedef struct {
    uint8_t bytes[BYTES];
    size_t len;
} Sent;

typedef struct {
    guint k, n;
    Sent sent[DATA_MAX + SUMS_MAX];
} Group;

typedef struct {
    KvShardEncoder *encoder;
    KvShardDecoder *decoder;
    KvPacketPool *pool;
    KvTime now;
    guint n_groups;
    Group groups[GROUPS];
    GHashTable *forged; /* numbers of groups of which the decoder took a forged shard */
} Model;

static void
read_item(const uint8_t *bytes, size_t len, KvItem *item)
{
    KvReader reader;

    kv_reader_init(&reader, bytes, len);
    g_assert(kv_item_next(&reader, item));
}

static gboolean
is_forged(const Model *model, const Group *group)
{
    KvItem item;

    read_item(group->sent[0].bytes, group->sent[0].len, &item);
    return g_hash_table_contains(model->forged, GUINT_TO_POINTER(item.group));
}

/* One group; its shape and lengths come from the input. */
static Group *
send_group(Model *model, KvReader *reader)
{
    Group *group = &model->groups[model->n_groups++ % GROUPS];
    guint sums = 1 + kv_reader_u8(reader) % SUMS_MAX;
    guint k = 1 + kv_reader_u8(reader) % DATA_MAX;
    guint m = 1 + kv_reader_u8(reader) % sums;

    group->k = k;
    group->n = k + m;
    kv_shard_encoder_set_parity(model->encoder, sums);
    for (guint i = 0; i < k; i++) {
        Sent *sent = &group->sent[i];
        size_t len = kv_reader_u8(reader) * 5u;

        g_assert(kv_shard_encoder_prepare(model->encoder));
        memset(sent->bytes, (int) (model->n_groups * 32 + i), sizeof sent->bytes);
        sent->len = kv_shard_encoder_add(model->encoder, sent->bytes, len, model->now);
    }
    kv_shard_encoder_close_group(model->encoder, m);
    for (guint i = k; i < group->n; i++) {
        group->sent[i].len = kv_shard_encoder_output(model->encoder, group->sent[i].bytes, BYTES);
        g_assert(group->sent[i].len > 0);
    }
    g_assert(kv_shard_encoder_output(model->encoder, NULL, 0) == 0);
    return group;
}

static gboolean
was_sent(const Group *group, const KvShard *shard)
{
    for (guint i = 0; i < group->k; i++) {
        KvItem item;

        read_item(group->sent[i].bytes, group->sent[i].len, &item);
        if (item.len == shard->len &&
            memcmp(item.content, shard->packet->data + shard->offset, shard->len) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Feeds one item, of @group if that is not NULL. Returns: how many shards were rebuilt. */
static guint
feed(Model *model, const Group *group, const uint8_t *bytes, size_t len)
{
    g_autoptr(KvPacket) packet = kv_packet_new(model->pool);
    KvShard shards[KV_GROUP_PARITY_MAX];
    KvReader reader;
    KvItem item;
    gboolean ok;
    guint n;

    if (packet == NULL || len == 0)
        return 0;
    memset(packet->data, 0xa5, sizeof packet->data);
    memcpy(packet->data, bytes, len);
    packet->len = (uint32_t) len;
    kv_reader_init(&reader, packet->data, len);
    if (!kv_item_next(&reader, &item) || item.kind == KV_ITEM_BARE)
        return 0;
    if (group == NULL)
        g_hash_table_add(model->forged, GUINT_TO_POINTER(item.group));
    ok = kv_shard_decoder_input(model->decoder, packet, &item, model->now, shards, &n);
    g_assert(ok || group == NULL || is_forged(model, group));
    g_assert(n <= KV_GROUP_PARITY_MAX);
    for (guint i = 0; i < n; i++) {
        g_assert(shards[i].offset + shards[i].len == shards[i].packet->len);
        g_assert(group == NULL || is_forged(model, group) || was_sent(group, &shards[i]));
        kv_packet_unref(shards[i].packet);
    }
    return n;
}

static void
deliver(Model *model, guint slot, guint place)
{
    const Group *group = &model->groups[slot];

    if (group->n > 0) {
        const Sent *sent = &group->sent[place % group->n];

        feed(model, group, sent->bytes, sent->len);
    }
}

static void
forge(Model *model, KvReader *reader)
{
    size_t wanted = kv_reader_u8(reader);
    size_t len = MIN(wanted, kv_reader_left(reader));

    feed(model, NULL, kv_reader_bytes(reader, len), len);
}

static void
run(Model *model, KvReader *reader)
{
    while (kv_reader_left(reader) > 0) {
        uint8_t op = kv_reader_u8(reader);

        switch (op & 7) {
        case 0:
            send_group(model, reader);
            break;
        case 1:
            forge(model, reader);
            break;
        case 2:
            model->now += (KvTime) (op >> 3) * KV_TIME_S / 8;
            if (kv_shard_decoder_deadline(model->decoder) <= model->now)
                kv_shard_decoder_advance(model->decoder, model->now);
            g_assert(kv_shard_decoder_deadline(model->decoder) > model->now);
            break;
        default:
            deliver(model, op >> 3 & 3, kv_reader_u8(reader));
            break;
        }
        g_assert(kv_packet_pool_get_used(model->pool) <= POOL * 3 / 4);
    }
}

/* Whatever came before, the next group is repaired, unless a forged one said that it is old. */
static void
check_alive(Model *model)
{
    KvReader nothing;
    const Group *group;

    if (g_hash_table_size(model->forged) > 0)
        return;
    kv_reader_init(&nothing, NULL, 0);
    group = send_group(model, &nothing);
    g_assert(feed(model, group, group->sent[1].bytes, group->sent[1].len) == 1);
}

/* The first byte chooses where the numbers start, the others send, deliver, repeat, reorder, forge.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree Model *model = g_new0(Model, 1);
    KvReader reader;

    model->pool = kv_packet_pool_new(POOL);
    model->encoder = kv_shard_encoder_new(model->pool);
    model->decoder = kv_shard_decoder_new(model->pool);
    model->forged = g_hash_table_new(NULL, NULL);
    kv_reader_init(&reader, data, size);
    kv_shard_encoder_set_group(model->encoder,
                               (KV_GROUP_MASK - 3u + kv_reader_u8(&reader)) & KV_GROUP_MASK);
    run(model, &reader);
    check_alive(model);

    g_hash_table_unref(model->forged);
    kv_shard_encoder_free(model->encoder);
    kv_shard_decoder_advance(model->decoder, model->now + KV_SHARD_AGE);
    g_assert(kv_packet_pool_get_used(model->pool) == 0);
    kv_shard_decoder_free(model->decoder);
    kv_packet_pool_free(model->pool);
    return 0;
}
