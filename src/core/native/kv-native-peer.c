/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-private.h"

#include <string.h>

/* Two associations that begin closer together were begun at once, by either end. */
#define AT_ONCE_TIME (5 * KV_TIME_S)

KvNative *
kv_native_new_peer(const KvNativeParams *params, KvNativeConfig *say, KvPacketPool *pool,
                   const KvRandom *random, KvTime now)
{
    KvNative *native = kv_native_new_beginner(params, say, pool, random);

    g_assert(params->role == KV_ROLE_PEER && params->private_key != NULL);
    native->state = KV_NATIVE_READY;
    kv_native_push_event(native, KV_EVENT_READY);
    kv_native_forget(native, now);
    if (params->keepalive > 0 && kv_native_peer_knows_remote(native))
        kv_transport_want(native->transport, now);
    kv_native_take_transport_events(native, now);
    return native;
}

gboolean
kv_native_peer_keeps(const KvNative *native, const KvNativeKeys *keys, KvTime now)
{
    int order = memcmp(native->local_public, keys->remote_public, KV_NATIVE_KEY_BYTES);

    /* It was told that its association goes on, which has ended since: it must hear of that. */
    if (!keys->initiator && (keys->remote.said & KV_SAID_ASSOCIATION) != 0 &&
        memcmp(keys->remote.association, keys->association, KV_NATIVE_ID_BYTES) == 0)
        return TRUE;
    if (native->is_fresh || native->began == keys->initiator ||
        kv_time_elapsed(now, native->associated_at) >= AT_ONCE_TIME)
        return FALSE;
    return native->began ? order > 0 : order < 0;
}

gboolean
kv_native_peer_knows_remote(const KvNative *native)
{
    return !native->is_fresh || native->params.remote.port != 0;
}

void
kv_native_peer_stop_asking(KvNative *native, KvTime now)
{
    if (native->initiator == NULL || !kv_native_is_asking(native))
        return;
    kv_initiator_stop(native->initiator);
    kv_transport_handshake_failed(native->transport, now);
}

void
kv_native_peer_take_loss(KvNative *native, KvTime now)
{
    KvReason reason = native->lost;

    native->reason = reason;
    kv_native_push_event(native, KV_EVENT_LOST);
    native->reason = native->lost = KV_REASON_NONE;
    kv_initiator_stop(native->initiator);
    kv_native_forget(native, now);
    /* Who ended in good order may be back soon; else there is a pause before the next try. */
    if (reason != KV_REASON_PEER_CLOSED && reason != KV_REASON_REMOVED)
        kv_transport_handshake_failed(native->transport, now);
    if (native->params.keepalive > 0 && kv_native_peer_knows_remote(native))
        kv_transport_want(native->transport, now);
}

void
kv_native_answer(const KvNative *native, const KvNativeConfig *asked, KvNativeConfig *grant)
{
    g_return_if_fail(native->params.role == KV_ROLE_PEER);

    if ((asked->said & KV_SAID_MODE) != 0 && asked->mode != native->params.mode) {
        grant->refusal = KV_REFUSED_MODE;
        grant->refusal_text = g_strdup("the other peer's interface is of the other mode");
        return;
    }
    kv_native_config_copy(&native->say, grant);
    if ((asked->said & KV_SAID_ASSOCIATION) == 0 ||
        memcmp(asked->association, native->association, KV_NATIVE_ID_BYTES) != 0)
        grant->said &= ~(guint) KV_SAID_ASSOCIATION;
}
