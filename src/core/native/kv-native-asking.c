/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-private.h"

/* An event tells of every so many initiations without an answer: after 3 s, then each half
 * minute. */
#define UNANSWERED 6

gboolean
kv_native_is_asking(const KvNative *native)
{
    return kv_initiator_get_state(native->initiator) == KV_INITIATOR_WAITING;
}

void
kv_native_begin(KvNative *native, KvTime now)
{
    if (native->params.role == KV_ROLE_PEER && !kv_native_peer_knows_remote(native)) {
        kv_transport_handshake_failed(native->transport, now);
        return;
    }
    native->call = *kv_native_get_remote(native);
    native->n_initiations = 0;
    native->remote.refusal = KV_REFUSED_NOT;
    kv_initiator_start(native->initiator, now);
}

void
kv_native_asked(KvNative *native)
{
    if (native->state == KV_NATIVE_BEGINNING || ++native->n_initiations % UNANSWERED != 0)
        return;
    native->unanswered = TRUE;
    kv_native_push_event(native, KV_EVENT_UNANSWERED);
}

void
kv_native_heard(KvNative *native)
{
    if (native->params.role != KV_ROLE_CLIENT)
        return;
    native->n_initiations = 0;
    if (native->unanswered)
        kv_native_push_event(native, KV_EVENT_ANSWERED);
    native->unanswered = FALSE;
}

/* A client's association goes on for as long as it lives, and asks again when there is something
 * to send. */
static void
client_gave_up(KvNative *native)
{
    /* It may be there and yet have no time for handshakes. */
    if (!native->unanswered)
        return;
    native->reason = KV_REASON_HANDSHAKE_TIMEOUT;
    kv_native_push_event(native, KV_EVENT_LOST);
    native->reason = KV_REASON_NONE;
}

void
kv_native_gave_up(KvNative *native, KvTime now)
{
    if (native->state == KV_NATIVE_BEGINNING) {
        kv_native_finish(native, KV_REASON_HANDSHAKE_TIMEOUT);
        return;
    }
    kv_initiator_stop(native->initiator);
    kv_transport_handshake_failed(native->transport, now);
    if (native->params.role == KV_ROLE_CLIENT)
        client_gave_up(native);
    else if (!kv_transport_can_send(native->transport, now))
        kv_native_lose(native, KV_REASON_HANDSHAKE_TIMEOUT);
}

void
kv_native_call(KvNative *native, const KvEndpoint *remote, KvTime now)
{
    g_return_if_fail(native->initiator != NULL);

    native->params.remote = *remote;
    native->call = *remote;
    if (native->is_fresh && native->params.keepalive > 0 && !kv_native_is_asking(native))
        kv_transport_want(native->transport, now);
    kv_native_take_transport_events(native, now);
}
