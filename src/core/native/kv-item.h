/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-macros.h"

/* What lies in a datagram's plaintext: a row of items (docs/protocol.md, section 9). */

#define KV_ITEM_BODY_MAX 8191 /* 13 bits; the body of a shard has its numbers in it */

/* What a sender leaves free in front of the content, for kv_item_put_head(). */
#define KV_ITEM_BARE_BYTES   2
#define KV_ITEM_DATA_BYTES   6
#define KV_ITEM_PARITY_BYTES 8

/* Shards of one group (section 10). */
#define KV_GROUP_SHARDS_MAX 192 /* data and parity */
#define KV_GROUP_PARITY_MAX 64
#define KV_GROUP_MASK       0xffffffu /* numbers of groups have 24 bits */

typedef enum {
    KV_ITEM_PADDING = 0,
    KV_ITEM_BARE = 1,   /* frames without protection */
    KV_ITEM_DATA = 2,   /* frames that parity protects */
    KV_ITEM_PARITY = 3, /* a sum over the data shards of its group */
} KvItemKind;

/* One item; the fields that its kind has not are 0. */
typedef struct {
    KvItemKind kind;
    uint32_t group;
    uint8_t index;          /* among the data or the parity shards of the group */
    uint8_t data;           /* how many data shards the group has; parity alone knows */
    uint8_t parity;         /* and how many parity shards */
    const uint8_t *content; /* frames or parity, in what was read */
    size_t len;
} KvItem;

/**
 * kv_item_next:
 * @reader: over the plaintext of a datagram
 *
 * Takes the next item. Padding is not given out: it ends the plaintext.
 *
 * Returns: %FALSE at the end, and at an item that cannot be, which sets @reader's failed: a kind
 * that nobody knows, a length that does not fit, numbers beyond the limits.
 */
gboolean kv_item_next(KvReader *reader, KvItem *item);

/**
 * kv_item_put_head:
 * @buf: room for what stands in front of the content; the content is there already, or will be
 * @item: not padding; its content is not looked at
 *
 * Returns: length of the item, content included.
 */
size_t kv_item_put_head(uint8_t *buf, const KvItem *item);
