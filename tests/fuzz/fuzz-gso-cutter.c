/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-gso.h"

/* The mode, a virtio header, a packet. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = size - 1 - KV_VNET_HDR_BYTES;
    g_autofree uint8_t *packet = NULL;
    size_t payload_len = 0;
    size_t header_len = 0;
    KvGsoCutter cutter;
    KvSlice slices[2];
    guint n;

    if (size < 1 + KV_VNET_HDR_BYTES || len > 2 * KV_GSO_PACKET_MAX)
        return 0;
    packet = g_malloc(MAX(len, 1));
    memcpy(packet, data + 1 + KV_VNET_HDR_BYTES, len);
    if (!kv_gso_cutter_init(&cutter, data[0] & 1 ? KV_VNI_MODE_TAP : KV_VNI_MODE_TUN, data + 1,
                            packet, len))
        return 0;
    while ((n = kv_gso_cutter_next(&cutter, slices)) > 0) {
        const uint8_t *last = slices[n - 1].data;

        g_assert(last >= packet && last + slices[n - 1].len <= packet + len);
        g_assert(slices[n - 1].len > 0);
        payload_len += slices[n - 1].len;
        header_len = n == 2 ? slices[0].len : 0;
    }
    g_assert(header_len + payload_len == len);
    return 0;
}
