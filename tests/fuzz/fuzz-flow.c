/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-flow.h"
#include "kv-fuzz.h"

/* The mode, then an inner packet: hashing reads within its bounds, marking twice is marking once.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[KV_FLOW_KEY_BYTES] = {1};
    KvVniMode mode = size > 0 && (data[0] & 1) ? KV_VNI_MODE_TAP : KV_VNI_MODE_TUN;
    g_autofree uint8_t *packet = NULL;
    gboolean marked;

    if (size < 1 || size > 65536)
        return 0;
    packet = g_malloc(size);
    memcpy(packet, data + 1, size - 1);
    kv_flow_hash(mode, packet, size - 1, key);
    marked = kv_flow_mark_ce(mode, packet, size - 1);
    g_assert(kv_flow_mark_ce(mode, packet, size - 1) == marked);
    return 0;
}
