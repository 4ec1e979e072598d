/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-dial.h"

#include <stdatomic.h>
#include <string.h>

uint64_t
kv_native_next_number(uint64_t above)
{
    static _Atomic uint64_t last_number;
    uint64_t last = atomic_load(&last_number);
    uint64_t next;

    do {
        next = MAX(MAX(last, above) + 1, (uint64_t) g_get_real_time());
    } while (!atomic_compare_exchange_weak(&last_number, &last, next));
    return next;
}

static uint64_t
next_number(void *ctx, uint64_t above)
{
    return kv_native_next_number(above);
}

static void
introduce(const KvTunnelParams *params, KvNativeConfig *say)
{
    KvNetwork wish;

    g_strlcpy(say->client_id, params->v1.client.id, sizeof say->client_id);
    say->mtu = params->vni_mtu;
    memcpy(say->ciphers, params->native->ciphers, sizeof say->ciphers);
    if (params->address_mode == KV_ADDRESS_MODE_OTHER)
        return;
    if (params->local_ip != 0) {
        kv_network_set_ip4(&wish, params->local_ip, 32);
        g_array_append_val(say->wants, wish);
    }
    if (params->has_local_ip6)
        g_array_append_val(say->wants, params->local_ip6);
}

KvNative *
kv_native_dial(const KvTunnelParams *params, const KvEndpoint *remote, KvIndexTable *indexes,
               KvPacketPool *pool, const KvRandom *random, KvTime now)
{
    const KvTunnelNative *native = params->native;
    g_auto(KvNativeConfig) say = {0};
    KvNativeParams session;

    kv_tunnel_native_fill(native, native->private_key != NULL ? KV_NOISE_IKPSK2 : KV_NOISE_NNPSK0,
                          &session);
    session.remote = *remote;
    session.indexes = indexes;
    session.numbers.next = next_number;
    kv_native_config_init(&say);
    introduce(params, &say);
    return kv_native_new_client(&session, &say, pool, random, now);
}

KvNative *
kv_native_dial_peer(const KvTunnelParams *params, const KvPumpPeer *peer, KvIndexTable *indexes,
                    KvPacketPool *pool, const KvRandom *random, KvTime now)
{
    g_auto(KvNativeConfig) say = {0};
    KvNativeParams session;

    kv_tunnel_native_fill(params->native, KV_NOISE_IKPSK2, &session);
    session.psk = peer->psk;
    memcpy(session.remote_public, peer->public, sizeof session.remote_public);
    session.keepalive = peer->keepalive;
    session.indexes = indexes;
    session.numbers.next = next_number;
    kv_native_config_init(&say);
    say.mtu = params->vni_mtu;
    memcpy(say.ciphers, params->native->ciphers, sizeof say.ciphers);
    return kv_native_new_peer(&session, &say, pool, random, now);
}
