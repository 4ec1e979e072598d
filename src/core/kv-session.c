/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-session.h"

struct _KvSession {
    KvV1 *v1;
};

KvSession *
kv_session_new_v1(const KvV1Config *config, KvV1Crypt *crypt, KvPacketPool *pool,
                  const KvRandom *random, KvTime now)
{
    KvSession *session = g_new0(KvSession, 1);

    session->v1 = kv_v1_new(config, crypt, pool, random, now);
    return session;
}

void
kv_session_free(KvSession *session)
{
    if (session == NULL)
        return;
    kv_v1_free(session->v1);
    g_free(session);
}

KvDrop
kv_session_input(KvSession *session, const uint8_t *datagram, size_t len, KvTime now)
{
    return kv_v1_input(session->v1, datagram, len, now);
}

size_t
kv_session_output(KvSession *session, uint8_t *buf, size_t cap, KvTime now)
{
    return kv_v1_output(session->v1, buf, cap, now);
}

KvTime
kv_session_deadline(const KvSession *session)
{
    return kv_v1_deadline(session->v1);
}

void
kv_session_advance(KvSession *session, KvTime now)
{
    kv_v1_advance(session->v1, now);
}

gboolean
kv_session_next_event(KvSession *session, KvEvent *event)
{
    return kv_v1_next_event(session->v1, event);
}

KvTime
kv_session_get_rtt(const KvSession *session)
{
    return kv_v1_get_rtt(session->v1);
}

gboolean
kv_session_can_send(const KvSession *session)
{
    return kv_v1_can_send(session->v1);
}

gboolean
kv_session_send(KvSession *session, const KvSlice *slices, guint n, uint16_t ethertype, KvTime now)
{
    return kv_v1_send(session->v1, slices, n, ethertype, now);
}

size_t
kv_session_recv(KvSession *session, uint8_t *buf, size_t cap, uint16_t *ethertype, KvTime now)
{
    return kv_v1_recv(session->v1, buf, cap, ethertype, now);
}

void
kv_session_answer(KvSession *session, const KvAnswer *answer, KvTime now)
{
    kv_v1_answer(session->v1, answer, now);
}

void
kv_session_open_vni(KvSession *session, KvTime now)
{
    kv_v1_open_vni(session->v1, now);
}

void
kv_session_poke(KvSession *session, KvTime now)
{
    kv_v1_poke(session->v1, now);
}

void
kv_session_close(KvSession *session, KvTime now)
{
    kv_v1_close(session->v1, now);
}

void
kv_session_get_stats(const KvSession *session, KvStats *stats)
{
    kv_v1_get_stats(session->v1, stats);
}
