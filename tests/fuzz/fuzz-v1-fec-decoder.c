/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-fuzz.h"
#include "kv-rs.h"
#include "v1/kv-v1-fec.h"

#include <string.h>

#define OFFSET     KV_V1_CRYPT_HEADER_BYTES
#define GROUPS     4  /* of the sender, that the input may still deliver from */
#define SHARDS_MAX 13 /* of the shapes below */
#define FORGED     GROUPS

static const struct {
    guint data, parity;
} shapes[] = {{10, 3}, {1, 1}, {2, 1}, {3, 2}};

typedef struct {
    uint8_t bytes[KV_V1_FEC_PACKET_MAX];
    size_t len;
} Sent;

typedef struct {
    guint data, n;
    KvV1FecEncoder *encoder;
    KvV1FecDecoder *decoder;
    KvPacketPool *pool;
    KvTime now;
    guint n_groups;
    Sent sent[GROUPS][SHARDS_MAX];
    GHashTable *forged; /* groups of which the decoder took a forged packet */
} Model;

static uint32_t
get_group(const Model *model, const uint8_t *packet)
{
    return kv_get_le32(packet) / model->n;
}

static gboolean
is_forged(const Model *model, guint slot)
{
    uint32_t group = get_group(model, model->sent[slot][0].bytes);

    return g_hash_table_contains(model->forged, GUINT_TO_POINTER(group));
}

/* One group of which the last data places may be padding; lengths come from the input. */
static guint
send_group(Model *model, KvReader *reader)
{
    guint slot = model->n_groups++ % GROUPS;
    guint n_real = 1 + kv_reader_u8(reader) % model->data;
    Sent *sent = model->sent[slot];
    guint n = 0;
    uint16_t flag;

    for (; n < n_real; n++) {
        sent[n].len = KV_V1_FEC_HEADER_BYTES + kv_reader_u8(reader) * 5u;
        memset(sent[n].bytes, (int) (model->n_groups * 16 + n), sent[n].len);
        kv_v1_fec_encoder_add(model->encoder, sent[n].bytes, sent[n].len, model->now);
    }
    kv_v1_fec_encoder_close_group(model->encoder);
    for (; n < model->n; n++)
        sent[n].len =
            kv_v1_fec_encoder_output(model->encoder, sent[n].bytes, sizeof sent[n].bytes, &flag);
    return slot;
}

static gboolean
was_sent(const Model *model, guint slot, const uint8_t *payload, size_t len)
{
    for (guint place = 0; place < model->data; place++) {
        const Sent *sent = &model->sent[slot][place];

        if (kv_get_le16(sent->bytes + KV_V1_FEC_FLAG_OFFSET) == KV_V1_FEC_DATA &&
            sent->len == KV_V1_FEC_HEADER_BYTES + len &&
            memcmp(sent->bytes + KV_V1_FEC_HEADER_BYTES, payload, len) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Feeds one packet of the group in @slot; what it rebuilds must be of that group. */
static gboolean
feed(Model *model, guint slot, const uint8_t *bytes, size_t len, guint *n)
{
    g_autoptr(KvPacket) packet = kv_packet_new(model->pool);
    KvV1FecShard shards[SHARDS_MAX];
    gboolean ok;

    g_assert(packet != NULL);
    memset(packet->data, 0xa5, sizeof packet->data);
    packet->len = (uint32_t) (OFFSET + len);
    if (len > 0)
        memcpy(packet->data + OFFSET, bytes, len);
    ok = kv_v1_fec_decoder_input(model->decoder, packet, OFFSET, len, model->now, shards, n);
    g_assert(*n <= model->n - model->data);
    for (guint i = 0; i < *n; i++) {
        const KvV1FecShard *shard = &shards[i];

        g_assert(shard->offset + shard->len <= shard->packet->len);
        g_assert(slot == FORGED || is_forged(model, slot) ||
                 was_sent(model, slot, shard->packet->data + shard->offset, shard->len));
        kv_packet_unref(shard->packet);
    }
    return ok;
}

static void
deliver(Model *model, guint slot, guint place, guint *n)
{
    const Sent *sent = &model->sent[slot][place % model->n];

    *n = 0;
    if (sent->len > 0)
        g_assert(feed(model, slot, sent->bytes, sent->len, n));
}

static void
forge(Model *model, KvReader *reader)
{
    size_t wanted = kv_reader_u8(reader);
    size_t len = MIN(wanted, kv_reader_left(reader));
    const uint8_t *bytes = kv_reader_bytes(reader, len);
    guint n;

    if (feed(model, FORGED, bytes, len, &n))
        g_hash_table_add(model->forged, GUINT_TO_POINTER(get_group(model, bytes)));
}

/* Whatever came before, a group that nobody forged into is repaired. */
static void
check_alive(Model *model)
{
    guint n_recovered = 0;
    KvReader nothing;
    guint slot;

    kv_reader_init(&nothing, NULL, 0);
    do {
        slot = send_group(model, &nothing);
    } while (is_forged(model, slot));
    for (guint place = 1; place <= model->data; place++) {
        guint n;

        deliver(model, slot, place, &n);
        n_recovered += n;
    }
    g_assert(n_recovered == 1);
}

static void
run(Model *model, KvReader *reader)
{
    while (kv_reader_left(reader) > 0) {
        uint8_t op = kv_reader_u8(reader);
        guint n;

        switch (op & 7) {
        case 0:
            send_group(model, reader);
            break;
        case 1:
            forge(model, reader);
            break;
        case 2:
            model->now += (KvTime) (op >> 3) * 4 * KV_TIME_S;
            break;
        default:
            deliver(model, op >> 3 & 3, kv_reader_u8(reader), &n);
            break;
        }
    }
}

/* The first byte chooses shape and start, the others send, deliver, repeat, reorder and forge. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree Model *model = g_new0(Model, 1);
    KvReader reader;
    guint parity;
    uint8_t head;

    kv_reader_init(&reader, data, size);
    head = kv_reader_u8(&reader);
    model->data = shapes[head & 3].data;
    parity = shapes[head & 3].parity;
    model->n = model->data + parity;
    model->encoder = kv_v1_fec_encoder_new(model->data, parity);
    model->pool = kv_packet_pool_new(4 * model->n + 1);
    model->decoder = kv_v1_fec_decoder_new(model->data, parity, model->pool);
    model->forged = g_hash_table_new(NULL, NULL);
    if (head & 4)
        kv_v1_fec_encoder_set_seqid(model->encoder, (UINT32_MAX / model->n - 2) * model->n);
    run(model, &reader);
    check_alive(model);

    g_hash_table_unref(model->forged);
    kv_v1_fec_encoder_free(model->encoder);
    kv_v1_fec_decoder_free(model->decoder);
    g_assert(kv_packet_pool_get_used(model->pool) == 0);
    kv_packet_pool_free(model->pool);
    return 0;
}
