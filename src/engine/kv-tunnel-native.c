/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-native.h"

#include <string.h>

void
kv_tunnel_native_free(KvTunnelNative *native)
{
    if (native == NULL)
        return;
    kv_secret_free(native->private_key);
    kv_secret_free(native->psk);
    kv_secret_free(native->preshared_key);
    g_free(native);
}

void
kv_tunnel_native_fill(const KvTunnelNative *native, KvNoisePattern pattern, KvNativeParams *params)
{
    *params = native->session;
    if (pattern == KV_NOISE_NNPSK0) {
        params->psk = native->psk;
        return;
    }
    params->private_key = native->private_key;
    params->psk = native->preshared_key;
    memcpy(params->remote_public, native->remote_public, sizeof params->remote_public);
}
