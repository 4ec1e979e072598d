/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "v1/kv-v1-mux.h"

/* The first byte says into what pieces the rest is cut, and how many streams this end has. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gboolean broken = FALSE;
    size_t step;
    size_t pos = 1;
    size_t end = 1;
    KvV1Mux mux;

    if (size == 0)
        return 0;
    step = (data[0] & 0x3f) + 1;
    kv_v1_mux_init(&mux);
    for (guint i = 0; i < data[0] >> 6; i++)
        g_assert(kv_v1_mux_open(&mux) == 2 * (i + 1));
    while (!broken && end < size) {
        end = MIN(size, end + step);
        for (;;) {
            size_t used;
            uint32_t id;
            KvV1MuxItem item = kv_v1_mux_parse(&mux, data + pos, end - pos, &used, &id);

            g_assert(used <= end - pos);
            pos += used;
            broken = item == KV_V1_MUX_BROKEN;
            if (item == KV_V1_MUX_DATA) {
                uint32_t n = (uint32_t) MIN(kv_v1_mux_get_left(&mux), end - pos);

                g_assert(kv_v1_mux_get_left(&mux) > 0);
                g_assert(kv_v1_mux_get_left(&mux) <= kv_v1_mux_get_frame_bytes(&mux));
                kv_v1_mux_take(&mux, n);
                pos += n;
                if (n == 0)
                    break;
            } else if (item == KV_V1_MUX_MORE) {
                g_assert(pos == end);
                break;
            } else if (broken) {
                break;
            }
        }
    }
    return 0;
}
