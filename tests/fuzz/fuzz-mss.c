/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-mss.h"

#include "kv-fuzz.h"

#include <string.h>

/* The mode, the length that fits in units of 8, then an inner packet: it is read within its
 * bounds, no more than two fields of it change, and once it is clamped it stays as it is. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KvVniMode mode = size > 0 && (data[0] & 1) ? KV_VNI_MODE_TAP : KV_VNI_MODE_TUN;
    g_autofree uint8_t *packet = NULL;
    size_t changed = 0;
    guint packet_max;

    if (size < 2 || size > 65536)
        return 0;
    packet_max = data[1] * 8u;
    packet = g_malloc(size - 2);
    memcpy(packet, data + 2, size - 2);
    if (kv_mss_clamp(mode, packet, size - 2, packet_max))
        g_assert(!kv_mss_clamp(mode, packet, size - 2, packet_max));
    for (size_t i = 0; i < size - 2; i++)
        changed += packet[i] != data[2 + i];
    g_assert(changed <= 4);
    return 0;
}
