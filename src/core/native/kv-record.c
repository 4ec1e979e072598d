/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-record.h"

#include <string.h>

gboolean
kv_record_next(KvReader *reader, KvRecord *record)
{
    if (kv_reader_left(reader) == 0)
        return FALSE;
    record->type = kv_reader_u8(reader);
    record->len = kv_reader_le16(reader);
    record->value = kv_reader_bytes(reader, record->len);
    return !reader->failed;
}

void
kv_record_writer_init(KvRecordWriter *writer, void *data, size_t cap)
{
    *writer = (KvRecordWriter){.data = data, .cap = cap, .only = UINT32_MAX};
}

/* (nullable): room for a value of @len bytes, its head written; NULL: it is not. */
static uint8_t *
open_record(KvRecordWriter *writer, KvRecordType type, size_t len)
{
    uint8_t *head = writer->data + writer->len;

    if (!(writer->only & KV_RECORD_BIT(type)))
        return NULL;
    if (len > G_MAXUINT16 || writer->cap - writer->len < KV_RECORD_HEAD_BYTES + len) {
        writer->left_out |= KV_RECORD_BIT(type);
        return NULL;
    }
    head[0] = (uint8_t) type;
    kv_put_le16(head + 1, (uint16_t) len);
    writer->len += KV_RECORD_HEAD_BYTES + len;
    return head + KV_RECORD_HEAD_BYTES;
}

void
kv_record_put(KvRecordWriter *writer, KvRecordType type, const void *value, size_t len)
{
    uint8_t *room = open_record(writer, type, len);

    if (room != NULL && len > 0)
        memcpy(room, value, len);
}

void
kv_record_put_u8(KvRecordWriter *writer, KvRecordType type, uint8_t value)
{
    kv_record_put(writer, type, &value, sizeof value);
}

void
kv_record_put_u16(KvRecordWriter *writer, KvRecordType type, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    kv_record_put(writer, type, &value, sizeof value);
}

void
kv_record_put_u32(KvRecordWriter *writer, KvRecordType type, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    kv_record_put(writer, type, &value, sizeof value);
}

void
kv_record_put_u64(KvRecordWriter *writer, KvRecordType type, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    kv_record_put(writer, type, &value, sizeof value);
}

void
kv_record_pad(KvRecordWriter *writer, size_t len)
{
    size_t want = MIN(len, writer->cap);
    uint8_t *room;

    if (want < writer->len + KV_RECORD_HEAD_BYTES)
        return;
    want -= writer->len + KV_RECORD_HEAD_BYTES;
    room = open_record(writer, KV_RECORD_PADDING, want);
    if (room != NULL)
        memset(room, 0, want);
}
