/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "native/kv-frame.h"
#include "native/kv-item.h"

#include <string.h>

/* There is one way to write a frame: what was read is written as it stood. */
static void
read_frames(const KvItem *item)
{
    g_autofree uint8_t *buf = g_malloc(item->len + 1);
    KvFrameWriter writer = {buf, item->len, 0};
    KvReader reader;
    KvFrame frame;

    kv_reader_init(&reader, item->content, item->len);
    while (kv_frame_next(&reader, &frame)) {
        g_assert(kv_frame_put(&writer, &frame));
        g_assert(writer.len == reader.pos);
    }
    g_assert(reader.failed || writer.len == item->len);
    g_assert(memcmp(buf, item->content, writer.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KvReader reader;
    KvItem item;
    size_t end = 0;

    kv_reader_init(&reader, data, size);
    while (kv_item_next(&reader, &item)) {
        uint8_t head[KV_ITEM_PARITY_BYTES];
        size_t len = kv_item_put_head(head, &item);

        g_assert(memcmp(head, data + end, len - item.len) == 0);
        end += len;
        g_assert(end == reader.pos && item.content + item.len == data + end);
        if (item.kind != KV_ITEM_PARITY)
            read_frames(&item);
    }
    return 0;
}
