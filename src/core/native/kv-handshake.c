/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-handshake.h"

#include <sodium.h>
#include <string.h>

/* Bytes of the body before the Noise message, and of its payload before the records. */
#define INITIATION_HEAD   4
#define RESPONSE_HEAD     8
#define INITIATION_FIELDS 12
#define RESPONSE_FIELDS   4

static size_t
get_head_bytes(KvHandshakeType type)
{
    return type == KV_HANDSHAKE_INITIATION ? INITIATION_HEAD : RESPONSE_HEAD;
}

static size_t
get_field_bytes(KvHandshakeType type)
{
    return type == KV_HANDSHAKE_INITIATION ? INITIATION_FIELDS : RESPONSE_FIELDS;
}

/* @min to @max. */
static size_t
draw_length(const KvRandom *random, size_t min, size_t max)
{
    uint32_t drawn;

    kv_random_fill(random, &drawn, sizeof drawn);
    return min + drawn % (max - min + 1);
}

/* The records of @config, and padding up to a length of at least @min. */
static size_t
write_records(const KvNativeConfig *config, size_t min, size_t max, const KvRandom *random,
              uint8_t *records, uint32_t *left_out)
{
    KvRecordWriter writer;
    size_t want;

    /* Room to say that there is more is kept back until it is known. */
    kv_record_writer_init(&writer, records, max - MIN(max, KV_RECORD_HEAD_BYTES));
    kv_native_config_write(config, &writer);
    writer.cap = max;
    *left_out = writer.left_out;
    if (writer.left_out != 0 && !(config->said & KV_SAID_MORE))
        kv_record_put(&writer, KV_RECORD_MORE, NULL, 0);

    want = draw_length(random, MIN(MAX(min, writer.len), max), max);
    kv_record_pad(&writer, MAX(want, writer.len + KV_RECORD_HEAD_BYTES));
    return writer.len;
}

static void
write_body_head(const KvHandshakeHead *head, uint8_t *body)
{
    kv_put_le32(body, head->type);
    if (head->type == KV_HANDSHAKE_RESPONSE)
        kv_put_le32(body + INITIATION_HEAD, head->receiver);
}

static void
write_fields(const KvHandshakeHead *head, uint8_t *payload)
{
    kv_put_le32(payload, head->sender);
    if (head->type == KV_HANDSHAKE_INITIATION)
        kv_put_le64(payload + 4, head->number);
}

size_t
kv_handshake_write(KvNoise *noise, const KvOuterKeys *outer, const KvHandshakeHead *head,
                   const KvNativeConfig *config, const uint8_t *cookie, const KvRandom *random,
                   uint8_t *datagram, size_t max, uint32_t *left_out)
{
    size_t head_bytes = KV_OUTER_HEAD_BYTES + get_head_bytes(head->type);
    size_t fields = get_field_bytes(head->type);
    size_t fixed = head_bytes + kv_noise_get_overhead(noise) + fields;
    size_t min = head->type == KV_HANDSHAKE_INITIATION ? KV_INITIATION_MIN - fixed : 0;
    uint8_t payload[KV_INITIATION_MAX];
    size_t len;

    g_assert(max <= KV_INITIATION_MAX);
    if (max < fixed + KV_RECORD_HEAD_BYTES)
        return 0;
    write_fields(head, payload);
    len = fields + write_records(config, min, max - fixed, random, payload + fields, left_out);
    write_body_head(head, datagram + KV_OUTER_HEAD_BYTES);
    len = kv_noise_write(noise, payload, len, datagram + head_bytes);
    sodium_memzero(payload, sizeof payload);
    if (len == 0)
        return 0;
    kv_outer_seal(outer, datagram, head_bytes + len, cookie, random);
    return head_bytes + len;
}

gboolean
kv_handshake_unmask(const KvOuterKeys *outer, const uint8_t *datagram, size_t len,
                    KvHandshakeBody *body)
{
    body->len = len - KV_OUTER_HEAD_BYTES;
    if (body->len > sizeof body->bytes)
        return FALSE;
    kv_outer_unmask(outer, datagram, len, body->bytes);
    body->type = body->bytes[0];
    if (body->len < get_head_bytes(body->type))
        return FALSE;
    body->receiver =
        body->type == KV_HANDSHAKE_RESPONSE ? kv_get_le32(body->bytes + INITIATION_HEAD) : 0;
    return TRUE;
}

KvHandshakeResult
kv_handshake_open(KvNoise *noise, const KvHandshakeBody *body, KvHandshakeHead *head,
                  KvNativeConfig *config)
{
    size_t skip = get_head_bytes(body->type);
    size_t fields = get_field_bytes(body->type);
    uint8_t payload[KV_NOISE_MESSAGE_MAX];
    KvHandshakeResult result;
    size_t len;
    uint8_t bad;

    *head = (KvHandshakeHead){.type = body->type, .receiver = body->receiver};
    if (!kv_noise_read(noise, body->bytes + skip, body->len - skip, payload, &len))
        return KV_HANDSHAKE_FORGED;
    if (len < fields)
        return KV_HANDSHAKE_NOT_ALLOWED;
    head->sender = kv_get_le32(payload);
    if (body->type == KV_HANDSHAKE_INITIATION)
        head->number = kv_get_le64(payload + 4);
    result = kv_native_config_read(config, payload + fields, len - fields, &bad)
                 ? KV_HANDSHAKE_TRUE
                 : KV_HANDSHAKE_NOT_ALLOWED;
    sodium_memzero(payload, sizeof payload);
    return result;
}
