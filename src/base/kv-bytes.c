/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"

void
kv_reader_init(KvReader *reader, const void *data, size_t len)
{
    *reader = (KvReader){.data = data, .len = len};
}

size_t
kv_reader_left(const KvReader *reader)
{
    return reader->len - reader->pos;
}

const uint8_t *
kv_reader_bytes(KvReader *reader, size_t n)
{
    const uint8_t *at;

    if (reader->failed || n > kv_reader_left(reader)) {
        reader->failed = TRUE;
        return NULL;
    }
    at = reader->data + reader->pos;
    reader->pos += n;
    return at;
}

uint8_t
kv_reader_u8(KvReader *reader)
{
    const uint8_t *p = kv_reader_bytes(reader, 1);

    return p != NULL ? p[0] : 0;
}

uint16_t
kv_reader_le16(KvReader *reader)
{
    const uint8_t *p = kv_reader_bytes(reader, 2);

    return p != NULL ? kv_get_le16(p) : 0;
}

uint32_t
kv_reader_le32(KvReader *reader)
{
    const uint8_t *p = kv_reader_bytes(reader, 4);

    return p != NULL ? kv_get_le32(p) : 0;
}
