/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "v1/kv-v1-control.h"

#include <string.h>

/* What is decoded must be encoded to a message that decodes to the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t buf[KV_V1_CONTROL_MAX];
    KvV1Control message;
    KvV1Control back;
    size_t used = 0;
    size_t len;

    if (kv_v1_control_decode(data, size, &message, &used) != KV_V1_CONTROL_DONE)
        return 0;
    g_assert(used <= size && used <= KV_V1_CONTROL_MAX);
    g_assert(strlen(message.client.id) <= KV_CLIENT_ID_MAX);
    g_assert(kv_v1_client_id_is_valid(message.client.id, strlen(message.client.id)));
    len = kv_v1_control_encode(&message, buf);
    g_assert(len == used);
    g_assert(kv_v1_control_decode(buf, len, &back, &used) == KV_V1_CONTROL_DONE);
    g_assert(memcmp(&message, &back, sizeof message) == 0);
    return 0;
}
