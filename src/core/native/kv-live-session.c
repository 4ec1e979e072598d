/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-live-session.h"

#include <sodium.h>
#include <string.h>

KvLiveSession *
kv_live_session_new(KvNativeKeys *keys, KvTime now)
{
    KvLiveSession *session = g_new0(KvLiveSession, 1);

    session->indexes = g_steal_pointer(&keys->indexes);
    session->local_index = keys->local_index;
    session->remote_index = keys->remote_index;
    session->initiator = keys->initiator;
    session->born = now;
    session->send = kv_seal_new(keys->aead, keys->send);
    session->receive = kv_seal_new(keys->aead, keys->receive);
    session->remote_outer = keys->remote_outer;
    memcpy(session->remote_public, keys->remote_public, sizeof session->remote_public);
    memcpy(session->remote_token, keys->remote_token, sizeof session->remote_token);
    return session;
}

void
kv_live_session_free(KvLiveSession *session)
{
    if (session == NULL)
        return;
    if (session->indexes != NULL)
        kv_index_table_give_back(session->indexes, session->local_index);
    kv_seal_free(session->send);
    kv_seal_free(session->receive);
    sodium_memzero(session, sizeof *session);
    g_free(session);
}

gboolean
kv_live_session_is_usable(const KvLiveSession *session, KvTime now)
{
    return kv_time_elapsed(now, session->born) < KV_LIVE_SESSION_REJECT &&
           session->next_counter < KV_SEAL_COUNTER_MAX &&
           session->replay.next < KV_SEAL_COUNTER_MAX && session->forged < KV_LIVE_SESSION_FORGED;
}

size_t
kv_live_session_seal(KvLiveSession *session, uint8_t *datagram, size_t len)
{
    KvSealHead head = {.index = session->remote_index, .counter = session->next_counter};

    g_assert(session->next_counter < KV_SEAL_COUNTER_MAX);
    session->next_counter++;
    return kv_seal_write(session->send, &session->remote_outer, &head, session->remote_token,
                         datagram, len);
}

KvDrop
kv_live_session_open(KvLiveSession *session, const KvSealHead *head, const uint8_t *datagram,
                     size_t len, uint8_t *plain, gboolean *newest, KvTime now)
{
    if (head->index != session->local_index || !kv_live_session_is_usable(session, now))
        return KV_DROP_CONV;
    if (!kv_replay_may_pass(&session->replay, head->counter))
        return KV_DROP_REPLAY;
    if (!kv_seal_read(session->receive, head->counter, datagram, len, plain)) {
        session->forged++;
        return KV_DROP_CHECKSUM;
    }
    *newest = head->counter >= session->replay.next;
    kv_replay_note(&session->replay, head->counter);
    return KV_DROP_NONE;
}
