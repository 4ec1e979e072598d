/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-v1-mux.h"

#define VERSION 1

static gboolean
find_stream(const KvV1Mux *mux, uint32_t id, uint32_t *index)
{
    for (uint32_t i = 0; i < mux->n_streams; i++) {
        if (mux->streams[i] == id) {
            *index = i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
add_stream(KvV1Mux *mux, uint32_t id)
{
    if (mux->n_streams == KV_V1_MUX_STREAMS_MAX)
        return FALSE;
    mux->streams[mux->n_streams++] = id;
    return TRUE;
}

/* What a complete header means. KV_V1_MUX_MORE: nothing worth telling. */
static KvV1MuxItem
handle_header(KvV1Mux *mux)
{
    uint8_t cmd = mux->header[1];
    uint16_t len = kv_get_le16(mux->header + 2);
    uint32_t index = 0;
    gboolean known;

    mux->id = kv_get_le32(mux->header + 4);
    /* A Go receiver does not pass over the payload of frames that have none: such a length can
     * only come from something else. */
    if (mux->header[0] != VERSION || cmd > KV_V1_MUX_NOP || (cmd != KV_V1_MUX_PSH && len != 0))
        return KV_V1_MUX_BROKEN;
    if (cmd == KV_V1_MUX_NOP)
        return KV_V1_MUX_MORE;
    known = find_stream(mux, mux->id, &index);
    switch (cmd) {
    case KV_V1_MUX_SYN:
        if (known)
            return KV_V1_MUX_MORE;
        return add_stream(mux, mux->id) ? KV_V1_MUX_OPENED : KV_V1_MUX_BROKEN;
    case KV_V1_MUX_FIN:
        if (!known)
            return KV_V1_MUX_MORE;
        mux->streams[index] = mux->streams[--mux->n_streams];
        return KV_V1_MUX_CLOSED;
    default:
        mux->left = len;
        mux->frame_bytes = len;
        mux->skip = !known;
        return known && len > 0 ? KV_V1_MUX_DATA : KV_V1_MUX_MORE;
    }
}

void
kv_v1_mux_init(KvV1Mux *mux)
{
    memset(mux, 0, sizeof *mux);
}

uint32_t
kv_v1_mux_open(KvV1Mux *mux)
{
    uint32_t id = mux->last_id + 2;
    uint32_t index;

    if (find_stream(mux, id, &index) || !add_stream(mux, id))
        return 0;
    mux->last_id = id;
    return id;
}

KvV1MuxItem
kv_v1_mux_parse(KvV1Mux *mux, const uint8_t *data, size_t len, size_t *used, uint32_t *id)
{
    KvV1MuxItem item = KV_V1_MUX_MORE;
    size_t pos = 0;

    if (mux->left > 0 && !mux->skip)
        item = KV_V1_MUX_DATA;
    while (item == KV_V1_MUX_MORE && pos < len) {
        size_t n;

        if (mux->left > 0) {
            n = MIN(mux->left, len - pos);
            mux->left -= (uint32_t) n;
            pos += n;
            continue;
        }
        n = MIN(KV_V1_MUX_HEADER_BYTES - mux->header_len, len - pos);
        memcpy(mux->header + mux->header_len, data + pos, n);
        mux->header_len += (uint32_t) n;
        pos += n;
        if (mux->header_len == KV_V1_MUX_HEADER_BYTES) {
            mux->header_len = 0;
            item = handle_header(mux);
        }
    }
    *used = pos;
    *id = mux->id;
    return item;
}

void
kv_v1_mux_take(KvV1Mux *mux, uint32_t n)
{
    g_return_if_fail(n <= mux->left);

    mux->left -= n;
}

void
kv_v1_mux_put_header(uint8_t header[KV_V1_MUX_HEADER_BYTES], KvV1MuxCmd cmd, uint16_t len,
                     uint32_t id)
{
    header[0] = VERSION;
    header[1] = (uint8_t) cmd;
    kv_put_le16(header + 2, len);
    kv_put_le32(header + 4, id);
}

gboolean
kv_v1_mux_frame(KvV1MuxWrite *write, uint32_t id, const KvSlice *slices, guint n)
{
    size_t total = 0;
    guint current = 0;
    size_t offset = 0;
    guint n_frames = 0;

    write->n_slices = 0;
    for (guint i = 0; i < n; i++)
        total += slices[i].len;
    if (total == 0 || n > KV_V1_MUX_WRITE_SLICES ||
        total > (size_t) KV_V1_MUX_FRAME_MAX * KV_V1_MUX_WRITE_FRAMES)
        return FALSE;
    while (total > 0) {
        size_t left = MIN(total, KV_V1_MUX_FRAME_MAX);
        uint8_t *header = write->headers[n_frames++];

        kv_v1_mux_put_header(header, KV_V1_MUX_PSH, (uint16_t) left, id);
        write->slices[write->n_slices++] = (KvSlice){header, KV_V1_MUX_HEADER_BYTES};
        total -= left;
        while (left > 0) {
            const KvSlice *from = &slices[current];
            size_t take = MIN(left, from->len - offset);

            if (take > 0)
                write->slices[write->n_slices++] =
                    (KvSlice){(const uint8_t *) from->data + offset, take};
            left -= take;
            offset += take;
            if (offset == from->len) {
                current++;
                offset = 0;
            }
        }
    }
    return TRUE;
}
