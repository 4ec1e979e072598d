/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-session.h"

/* One of the two. */
struct _KvSession {
    KvV1 *v1;
    KvNative *native;
};

KvSession *
kv_session_new_v1(const KvV1Config *config, KvV1Crypt *crypt, KvPacketPool *pool,
                  const KvRandom *random, KvTime now)
{
    KvSession *session = g_new0(KvSession, 1);

    session->v1 = kv_v1_new(config, crypt, pool, random, now);
    return session;
}

KvSession *
kv_session_new_native(KvNative *native)
{
    KvSession *session = g_new0(KvSession, 1);

    session->native = native;
    return session;
}

void
kv_session_free(KvSession *session)
{
    if (session == NULL)
        return;
    if (session->v1 != NULL)
        kv_v1_free(session->v1);
    kv_native_free(session->native);
    g_free(session);
}

KvDrop
kv_session_input(KvSession *session, const uint8_t *datagram, size_t len, const KvEndpoint *from,
                 KvEcn ecn, KvTime now)
{
    if (session->v1 != NULL)
        return kv_v1_input(session->v1, datagram, len, now);
    return kv_native_input(session->native, datagram, len, from, ecn, now);
}

size_t
kv_session_output(KvSession *session, uint8_t *buf, size_t cap, KvEndpoint *to, KvTime now)
{
    if (session->v1 != NULL)
        return kv_v1_output(session->v1, buf, cap, now);
    return kv_native_output(session->native, buf, cap, to, now);
}

KvEcn
kv_session_get_ecn(const KvSession *session)
{
    return session->native != NULL ? kv_native_get_ecn(session->native) : KV_ECN_NOT_ECT;
}

KvTime
kv_session_deadline(const KvSession *session)
{
    if (session->v1 != NULL)
        return kv_v1_deadline(session->v1);
    return kv_native_deadline(session->native);
}

void
kv_session_advance(KvSession *session, KvTime now)
{
    if (session->v1 != NULL)
        kv_v1_advance(session->v1, now);
    else
        kv_native_advance(session->native, now);
}

gboolean
kv_session_next_event(KvSession *session, KvEvent *event)
{
    if (session->v1 != NULL)
        return kv_v1_next_event(session->v1, event);
    return kv_native_next_event(session->native, event);
}

KvTime
kv_session_get_rtt(const KvSession *session)
{
    if (session->v1 != NULL)
        return kv_v1_get_rtt(session->v1);
    return kv_native_get_rtt(session->native);
}

gboolean
kv_session_can_send(const KvSession *session)
{
    if (session->v1 != NULL)
        return kv_v1_can_send(session->v1);
    return kv_native_can_send(session->native);
}

gboolean
kv_session_send(KvSession *session, const KvSlice *slices, guint n, uint16_t ethertype,
                uint32_t flow, KvTime now)
{
    if (session->v1 != NULL)
        return kv_v1_send(session->v1, slices, n, ethertype, now);
    return kv_native_send(session->native, flow, slices, n, now);
}

size_t
kv_session_recv(KvSession *session, uint8_t *buf, size_t cap, uint16_t *ethertype, KvTime now)
{
    if (session->v1 != NULL)
        return kv_v1_recv(session->v1, buf, cap, ethertype, now);
    return kv_native_recv(session->native, buf, cap, ethertype, now);
}

void
kv_session_answer(KvSession *session, const KvAnswer *answer, KvTime now)
{
    g_return_if_fail(session->v1 != NULL);
    kv_v1_answer(session->v1, answer, now);
}

void
kv_session_open_vni(KvSession *session, KvTime now)
{
    if (session->v1 != NULL)
        kv_v1_open_vni(session->v1, now);
    else
        kv_native_open_vni(session->native, now);
}

void
kv_session_poke(KvSession *session, KvTime now)
{
    if (session->v1 != NULL)
        kv_v1_poke(session->v1, now);
    else
        kv_native_poke(session->native, now);
}

void
kv_session_close(KvSession *session, KvTime now)
{
    if (session->v1 != NULL)
        kv_v1_close(session->v1, now);
    else
        kv_native_close(session->native, KV_CLOSE_NONE, now);
}

void
kv_session_get_stats(const KvSession *session, KvStats *stats)
{
    if (session->v1 != NULL)
        kv_v1_get_stats(session->v1, stats);
    else
        kv_native_get_stats(session->native, stats);
}

KvNative *
kv_session_get_native(KvSession *session)
{
    return session->native;
}
