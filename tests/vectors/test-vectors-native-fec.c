/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-vector.h"
#include "native/kv-shard-decoder.h"
#include "native/kv-shard-encoder.h"

#include <string.h>

#define GROUP KV_GROUP_MASK /* the numbers wrap behind it */

/* Everything of a case as datagrams: data shards, then parity. */
typedef struct {
    KvPacketPool *pool;
    KvPacket *sent[KV_GROUP_SHARDS_MAX];
    guint n;
} Group;

static KvPacket *
add_packet(Group *group)
{
    KvPacket *packet = kv_packet_new(group->pool);

    g_assert_nonnull(packet);
    group->sent[group->n++] = packet;
    return packet;
}

static void
encode(Group *group, KvShardEncoder *encoder, JsonArray *shards, guint m)
{
    for (guint i = 0; i < json_array_get_length(shards); i++) {
        g_autoptr(GBytes) frames = kv_vector_get_hex_element(shards, i);
        size_t len = g_bytes_get_size(frames);
        KvPacket *packet = add_packet(group);

        memcpy(packet->data + KV_ITEM_DATA_BYTES, g_bytes_get_data(frames, NULL), len);
        g_assert_true(kv_shard_encoder_prepare(encoder));
        packet->len = (uint32_t) kv_shard_encoder_add(encoder, packet->data, len, 0);
    }
    kv_shard_encoder_close_group(encoder, m);
    for (guint i = 0; i < m; i++) {
        KvPacket *packet = add_packet(group);

        packet->len = (uint32_t) kv_shard_encoder_output(encoder, packet->data, KV_PACKET_CAPACITY);
    }
}

static void
read_item(const KvPacket *packet, KvItem *item)
{
    KvReader reader;

    kv_reader_init(&reader, packet->data, packet->len);
    g_assert_true(kv_item_next(&reader, item));
}

static void
check_parities(const Group *group, guint k, JsonArray *parities)
{
    for (guint i = 0; i < json_array_get_length(parities); i++) {
        g_autoptr(GBytes) want = kv_vector_get_hex_element(parities, i);
        KvItem item;

        read_item(group->sent[k + i], &item);
        g_assert_cmpuint(item.group, ==, GROUP);
        g_assert_cmpuint(item.index, ==, i);
        g_assert_cmpuint(item.data, ==, k);
        g_assert_cmpuint(item.parity, ==, json_array_get_length(parities));
        kv_vector_assert_bytes(item.content, item.len, want, "parity");
    }
}

static gboolean
has(JsonArray *numbers, guint number)
{
    for (guint i = 0; i < json_array_get_length(numbers); i++) {
        if (json_array_get_int_element(numbers, i) == number)
            return TRUE;
    }
    return FALSE;
}

/* What the decoder gives back with the packets of the case alone. */
static void
check_recovery(const Group *group, KvShardDecoder *decoder, JsonObject *one, guint k)
{
    JsonArray *shards = kv_vector_get_array(one, "shards");
    JsonArray *lost = kv_vector_get_array(one, "lost");
    JsonArray *used = kv_vector_get_array(one, "used");
    KvShard recovered[KV_GROUP_PARITY_MAX];
    guint n = 0;

    for (guint i = 0; i < group->n; i++) {
        KvItem item;

        if (i < k ? has(lost, i) : !has(used, i - k))
            continue;
        g_assert_cmpuint(n, ==, 0);
        read_item(group->sent[i], &item);
        g_assert_true(kv_shard_decoder_input(decoder, group->sent[i], &item, 0, recovered, &n));
    }
    g_assert_cmpuint(n, ==, json_array_get_length(lost));
    for (guint i = 0; i < n; i++) {
        guint place = (guint) json_array_get_int_element(lost, i);
        g_autoptr(GBytes) want = kv_vector_get_hex_element(shards, place);

        kv_vector_assert_bytes(recovered[i].packet->data + recovered[i].offset, recovered[i].len,
                               want, "recovered shard");
        kv_packet_unref(recovered[i].packet);
    }
}

static void
check_case(JsonObject *one)
{
    guint k = (guint) kv_vector_get_int(one, "k");
    guint m = (guint) kv_vector_get_int(one, "m");
    g_autoptr(KvPacketPool) pool = kv_packet_pool_new(1024);
    Group group = {.pool = pool};
    KvShardEncoder *encoder = kv_shard_encoder_new(pool);
    KvShardDecoder *decoder = kv_shard_decoder_new(pool);

    kv_shard_encoder_set_group(encoder, GROUP);
    kv_shard_encoder_set_parity(encoder, m);
    encode(&group, encoder, kv_vector_get_array(one, "shards"), m);
    check_parities(&group, k, kv_vector_get_array(one, "parities"));
    check_recovery(&group, decoder, one, k);
    for (guint i = 0; i < group.n; i++)
        kv_packet_unref(group.sent[i]);
    kv_shard_encoder_free(encoder);
    kv_shard_decoder_free(decoder);
}

/* Proves: parity is that of the document, and rebuilds what it says is lost. */
static void
test_groups(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("native/fec.json", "native-fec");
    JsonArray *cases = kv_vector_get_array(kv_vector_get_root(parser), "cases");

    for (guint i = 0; i < json_array_get_length(cases); i++)
        check_case(json_array_get_object_element(cases, i));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/native/fec", test_groups);
    return kv_test_main(&argc, &argv);
}
