/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-item.h"

#define KIND_SHIFT 13

G_STATIC_ASSERT(KV_ITEM_BODY_MAX == (1 << KIND_SHIFT) - 1);

static uint32_t
get_le24(const uint8_t *p)
{
    return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16;
}

static void
put_le24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
    p[2] = (uint8_t) (v >> 16);
}

/* From the start of the item to its content. */
static size_t
get_head_bytes(KvItemKind kind)
{
    switch (kind) {
    case KV_ITEM_BARE:
        return KV_ITEM_BARE_BYTES;
    case KV_ITEM_DATA:
        return KV_ITEM_DATA_BYTES;
    case KV_ITEM_PARITY:
        return KV_ITEM_PARITY_BYTES;
    case KV_ITEM_PADDING:
    default:
        return 0;
    }
}

static gboolean
is_sane(const KvItem *item)
{
    switch (item->kind) {
    case KV_ITEM_DATA:
        return item->index < KV_GROUP_SHARDS_MAX;
    case KV_ITEM_PARITY:
        return item->data > 0 && item->parity <= KV_GROUP_PARITY_MAX &&
               item->data + item->parity <= KV_GROUP_SHARDS_MAX && item->index < item->parity;
    case KV_ITEM_BARE:
    case KV_ITEM_PADDING:
    default:
        return TRUE;
    }
}

/* @body begins behind the item's first two bytes and is at least as long as its numbers. */
static void
read_body(KvItem *item, const uint8_t *body, size_t len)
{
    size_t numbers = get_head_bytes(item->kind) - KV_ITEM_BARE_BYTES;

    if (item->kind == KV_ITEM_DATA || item->kind == KV_ITEM_PARITY) {
        item->group = get_le24(body);
        item->index = body[3];
    }
    if (item->kind == KV_ITEM_PARITY) {
        item->data = body[4];
        item->parity = body[5];
    }
    item->content = body + numbers;
    item->len = len - numbers;
}

gboolean
kv_item_next(KvReader *reader, KvItem *item)
{
    uint16_t word;
    size_t len;
    const uint8_t *body;

    /* A single byte has no room for a head: padding, too. */
    if (reader->failed || kv_reader_left(reader) < KV_ITEM_BARE_BYTES)
        return FALSE;
    word = kv_reader_le16(reader);
    *item = (KvItem){.kind = (KvItemKind) (word >> KIND_SHIFT)};
    if (item->kind == KV_ITEM_PADDING) {
        kv_reader_bytes(reader, kv_reader_left(reader));
        return FALSE;
    }
    len = word & KV_ITEM_BODY_MAX;
    body = kv_reader_bytes(reader, len);
    reader->failed = body == NULL || item->kind > KV_ITEM_PARITY ||
                     len < get_head_bytes(item->kind) - KV_ITEM_BARE_BYTES;
    if (reader->failed)
        return FALSE;
    read_body(item, body, len);
    reader->failed = !is_sane(item);
    return !reader->failed;
}

size_t
kv_item_put_head(uint8_t *buf, const KvItem *item)
{
    size_t head = get_head_bytes(item->kind);
    size_t body = head - KV_ITEM_BARE_BYTES + item->len;

    g_return_val_if_fail(head > 0 && body <= KV_ITEM_BODY_MAX && is_sane(item), 0);
    kv_put_le16(buf, (uint16_t) ((guint) item->kind << KIND_SHIFT | body));
    if (item->kind != KV_ITEM_BARE) {
        put_le24(buf + 2, item->group);
        buf[5] = item->index;
    }
    if (item->kind == KV_ITEM_PARITY) {
        buf[6] = item->data;
        buf[7] = item->parity;
    }
    return head + item->len;
}
