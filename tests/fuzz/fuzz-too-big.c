/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-too-big.h"

#include "kv-fuzz.h"

#include <string.h>

/* The mode, the MTU in units of 8, then an inner packet: it is read within its bounds, and nobody
 * is answered an answer. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KvVniMode mode = size > 0 && (data[0] & 1) ? KV_VNI_MODE_TAP : KV_VNI_MODE_TUN;
    KvTokenBucket bucket = {.interval = 1, .burst = 1000};
    uint8_t answer[KV_TOO_BIG_ANSWER_MAX], again[KV_TOO_BIG_ANSWER_MAX];
    g_autofree uint8_t *packet = NULL;
    guint mtu;
    size_t len;

    if (size < 2 || size > 65536)
        return 0;
    mtu = data[1] * 8u;
    packet = g_malloc(size - 2);
    memcpy(packet, data + 2, size - 2);
    kv_too_big_applies(mode, packet, size - 2, size - 2, mtu);
    len = kv_too_big_answer(mode, packet, size - 2, mtu, &bucket, 1000, answer);
    g_assert(len <= sizeof answer);
    if (len > 0)
        g_assert(kv_too_big_answer(mode, answer, len, mtu, &bucket, 1000, again) == 0);
    return 0;
}
