/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-rs.h"
#include "kv-vector.h"
#include "v1/kv-v1-fec.h"

#include <string.h>

static JsonArray *
get_cases(JsonParser *parser)
{
    JsonArray *cases = kv_vector_get_array(kv_vector_get_root(parser), "cases");

    g_assert_cmpuint(json_array_get_length(cases), >, 0);
    return cases;
}

static KvV1FecEncoder *
make_encoder(JsonObject *one)
{
    KvV1FecEncoder *encoder =
        kv_v1_fec_encoder_new((guint) kv_vector_get_int(one, "data_shards"),
                              (guint) kv_vector_get_int(one, "parity_shards"));

    g_assert_nonnull(encoder);
    return encoder;
}

/* Encodes the "payload" of @object and compares with its "datagram". */
static void
check_data(KvV1FecEncoder *encoder, JsonObject *object)
{
    g_autoptr(GBytes) payload = kv_vector_get_hex(object, "payload");
    g_autoptr(GBytes) datagram = kv_vector_get_hex(object, "datagram");
    uint8_t buf[KV_V1_FEC_PACKET_MAX];
    gsize len;
    const void *data = g_bytes_get_data(payload, &len);

    g_assert_cmpuint(len, <=, sizeof buf - KV_V1_FEC_HEADER_BYTES);
    memcpy(buf + KV_V1_FEC_HEADER_BYTES, data, len);
    kv_v1_fec_encoder_add(encoder, buf, KV_V1_FEC_HEADER_BYTES + len, 0);
    kv_vector_assert_bytes(buf, KV_V1_FEC_HEADER_BYTES + len, datagram, "data");
}

/* Draws as many packets as @wanted (nullable) holds. */
static void
check_output(KvV1FecEncoder *encoder, JsonArray *wanted, uint16_t flag)
{
    guint n = wanted != NULL ? json_array_get_length(wanted) : 0;

    for (guint i = 0; i < n; i++) {
        g_autoptr(GBytes) want = kv_vector_get_hex_element(wanted, i);
        uint8_t buf[KV_V1_FEC_PACKET_MAX];
        uint16_t got = 0;
        size_t len = kv_v1_fec_encoder_output(encoder, buf, sizeof buf, &got);

        kv_vector_assert_bytes(buf, len, want, "output");
        g_assert_cmphex(got, ==, flag);
    }
}

static void
check_drained(KvV1FecEncoder *encoder)
{
    uint8_t buf[KV_V1_FEC_PACKET_MAX];
    uint16_t flag;

    g_assert_cmpuint(kv_v1_fec_encoder_output(encoder, buf, sizeof buf, &flag), ==, 0);
}

static void
check_group(KvV1FecEncoder *encoder, JsonObject *group, uint32_t *next)
{
    JsonArray *data = kv_vector_get_array(group, "data");
    uint32_t first = (uint32_t) kv_vector_get_int(group, "first_seqid");

    if (first != *next)
        kv_v1_fec_encoder_set_seqid(encoder, first);
    for (guint i = 0; i < json_array_get_length(data); i++) {
        check_drained(encoder);
        check_data(encoder, json_array_get_object_element(data, i));
    }
    check_output(encoder, kv_vector_get_array(group, "parity"), KV_V1_FEC_PARITY);
    check_drained(encoder);
    *next = first + json_array_get_length(data) +
            json_array_get_length(kv_vector_get_array(group, "parity"));
}

/* Proves: groups, their parity and the wrap of the counter are the Go program's in every byte. */
static void
test_encode(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("fec_encode.json", "fec-encode-v1");
    JsonArray *cases = get_cases(parser);

    for (guint i = 0; i < json_array_get_length(cases); i++) {
        JsonObject *one = json_array_get_object_element(cases, i);
        JsonArray *groups = kv_vector_get_array(one, "groups");
        uint32_t paws = (uint32_t) kv_vector_get_int(one, "paws");
        g_autoptr(KvV1FecEncoder) encoder = make_encoder(one);
        uint32_t next = 0;

        for (guint j = 0; j < json_array_get_length(groups); j++) {
            check_group(encoder, json_array_get_object_element(groups, j), &next);
            next = next == paws ? 0 : next;
        }
    }
}

/* Proves: padding, and parity over it, are those of the Go program's rapid FEC. */
static void
test_rapid(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("fec_rapid.json", "fec-rapid-v1");
    JsonArray *cases = get_cases(parser);

    for (guint i = 0; i < json_array_get_length(cases); i++) {
        JsonObject *one = json_array_get_object_element(cases, i);
        JsonArray *steps = kv_vector_get_array(one, "steps");
        g_autoptr(KvV1FecEncoder) encoder = make_encoder(one);

        for (guint j = 0; j < json_array_get_length(steps); j++) {
            JsonObject *step = json_array_get_object_element(steps, j);

            if (strcmp(kv_vector_get_string(step, "op"), "encode") == 0) {
                check_data(encoder, step);
            } else {
                kv_v1_fec_encoder_close_group(encoder);
                check_output(encoder, kv_vector_find_array(step, "padding"), KV_V1_FEC_PADDING);
            }
            check_output(encoder, kv_vector_find_array(step, "parity"), KV_V1_FEC_PARITY);
            check_drained(encoder);
        }
    }
}

typedef struct {
    KvPacketPool *pool;
    KvV1FecDecoder *decoder;
    guint parity_shards;
    GHashTable *known; /* payloads that the sender sent, as far as the file tells */
    GHashTable *given; /* payloads the receiver has by now: arrived as data, or rebuilt */
} Run;

static void
run_clear(Run *run)
{
    kv_v1_fec_decoder_free(run->decoder);
    g_assert_cmpuint(kv_packet_pool_get_used(run->pool), ==, 0);
    kv_packet_pool_free(run->pool);
    g_hash_table_unref(run->known);
    g_hash_table_unref(run->given);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static GHashTable *
make_payload_set(void)
{
    return g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
}

/* (transfer full) (nullable): the payload of a data packet. */
static GBytes *
get_payload(GBytes *packet)
{
    const uint8_t *data = g_bytes_get_data(packet, NULL);
    gsize len = g_bytes_get_size(packet);

    if (kv_get_le16(data + KV_V1_FEC_FLAG_OFFSET) != KV_V1_FEC_DATA)
        return NULL;
    return g_bytes_new_from_bytes(packet, KV_V1_FEC_HEADER_BYTES, len - KV_V1_FEC_HEADER_BYTES);
}

static void
add_payload(GHashTable *set, GBytes *packet)
{
    GBytes *payload = get_payload(packet);

    if (payload != NULL)
        g_hash_table_add(set, payload);
}

static void
learn_payloads(Run *run, JsonArray *steps)
{
    for (guint i = 0; i < json_array_get_length(steps); i++) {
        JsonObject *step = json_array_get_object_element(steps, i);
        JsonArray *recovered = kv_vector_find_array(step, "recovered");
        g_autoptr(GBytes) in = kv_vector_get_hex(step, "in");

        add_payload(run->known, in);
        for (guint j = 0; recovered != NULL && j < json_array_get_length(recovered); j++)
            g_hash_table_add(run->known, kv_vector_get_hex_element(recovered, j));
    }
}

static void
feed(Run *run, JsonObject *step)
{
    g_autoptr(GBytes) in = kv_vector_get_hex(step, "in");
    g_autoptr(KvPacket) packet = kv_packet_new(run->pool);
    KvV1FecShard shards[KV_RS_SHARDS_MAX];
    guint n;
    gsize len;
    const void *data = g_bytes_get_data(in, &len);

    /* The crypt header's room in front, and dirt behind, as the data path has it. */
    memset(packet->data, 0xa5, sizeof packet->data);
    packet->len = KV_V1_CRYPT_HEADER_BYTES + (uint32_t) len;
    memcpy(packet->data + KV_V1_CRYPT_HEADER_BYTES, data, len);
    g_assert_true(kv_v1_fec_decoder_input(run->decoder, packet, KV_V1_CRYPT_HEADER_BYTES, len, 0,
                                          shards, &n));
    g_assert_cmpuint(n, <=, run->parity_shards);
    add_payload(run->given, in);
    for (guint i = 0; i < n; i++) {
        GBytes *got = g_bytes_new(shards[i].packet->data + shards[i].offset, shards[i].len);

        if (!g_hash_table_contains(run->known, got))
            g_test_message("a payload of %u bytes that the file does not name", shards[i].len);
        g_hash_table_add(run->given, got);
        kv_packet_unref(shards[i].packet);
    }
}

static void
check_decode(JsonObject *one)
{
    JsonArray *steps = kv_vector_get_array(one, "steps");
    guint d = (guint) kv_vector_get_int(one, "data_shards");
    guint p = (guint) kv_vector_get_int(one, "parity_shards");
    g_auto(Run) run = {
        .pool = kv_packet_pool_new(4 * (d + p) + 1),
        .parity_shards = p,
        .known = make_payload_set(),
        .given = make_payload_set(),
    };

    run.decoder = kv_v1_fec_decoder_new(d, p, run.pool);
    g_assert_nonnull(run.decoder);
    learn_payloads(&run, steps);
    for (guint i = 0; i < json_array_get_length(steps); i++) {
        JsonObject *step = json_array_get_object_element(steps, i);
        JsonArray *wanted = kv_vector_find_array(step, "recovered");

        feed(&run, step);
        for (guint j = 0; wanted != NULL && j < json_array_get_length(wanted); j++) {
            g_autoptr(GBytes) want = kv_vector_get_hex_element(wanted, j);

            if (!g_hash_table_contains(run.given, want))
                g_error("%u/%u, step %u: a payload the Go program rebuilds is missing", d, p, i);
        }
    }
}

/*
 * Proves: whatever the Go decoder rebuilds, ours has rebuilt by the same packet, unless it is only
 * what had arrived already: the Go decoder forgets a finished group and may rebuild it again.
 */
static void
test_decode(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("fec_decode.json", "fec-decode-v1");
    JsonArray *cases = get_cases(parser);

    for (guint i = 0; i < json_array_get_length(cases); i++)
        check_decode(json_array_get_object_element(cases, i));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/fec/encode", test_encode);
    g_test_add_func("/vectors/fec/rapid", test_rapid);
    g_test_add_func("/vectors/fec/decode", test_decode);
    return kv_test_main(&argc, &argv);
}
