/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-transport.h"

#include "native/kv-resets.h"

#include <string.h>

/*
 * Timers. A session: new handshake at 120 s, if it carried anything since and this end began it;
 * gone at 180 s. One that this end began is pinged at once, and at growing intervals, until the
 * peer has used it; if it never does, it goes after 15 s. One that does not send any more is taken
 * for 15 s after the peer has used its heir. Traffic: what asks for an answer gets one within 10 s,
 * be it an empty datagram; after 11 s without any answer pings ask for one, a second apart; 14 s
 * make a new handshake, whatever else comes, and four round trips, 2 s at least, when this end's
 * own network has changed. An answer that comes after all spares it. Whose own answers seem to get
 * lost asks, each 5 s at most. Two handshakes begin 5 s apart at least. Without any session for
 * three lives of one, the association is over.
 */
#define ANSWER_TIME   (10 * KV_TIME_S)
#define REMIND_TIME   (11 * KV_TIME_S) /* an empty datagram would be here by now */
#define REMIND_GAP    (1 * KV_TIME_S)
#define SILENCE_TIME  (14 * KV_TIME_S)
#define CHANGED_TIME  (2 * KV_TIME_S)
#define OVERLAP_TIME  (15 * KV_TIME_S)
#define CONFIRM_TIME  (15 * KV_TIME_S)
#define CONFIRM_FIRST (250 * KV_TIME_MS)
#define CONFIRM_MAX   (4 * KV_TIME_S)
#define AT_ONCE_TIME  (5 * KV_TIME_S)
#define BEGIN_TIME    (5 * KV_TIME_S)
#define DOUBT_TIME    (5 * KV_TIME_S)
#define EXPIRY_TIME   (3 * KV_LIVE_SESSION_REJECT)

#define RTT_UNKNOWN (333 * KV_TIME_MS) /* RFC 9002, 6.2.2 */

typedef struct {
    KvLiveSession *session;
    KvTime live;        /* since when it is here */
    gboolean confirmed; /* the peer has used it */
    KvTime confirmed_at;
    KvTime ping_due; /* until it is confirmed */
    KvTime ping_wait;
    gboolean late; /* it carried something when it was old enough for a rekey */
} Entry;

struct _KvTransport {
    KvTransportConfig config;
    KvRandom random;
    KvTime now;                                   /* of the last call */
    Entry entries[KV_TRANSPORT_SESSIONS_MAX + 1]; /* the newest first; one of room for a moment */
    guint n;
    gboolean placed; /* there was a session, so there is a path */
    KvTime expires;
    uint32_t heard; /* index of the session whose counters tell what is newest, 0: none */
    KvPath path;
    KvPathMtu mtu;
    KvPathEcn ecn;
    guint told_size;
    KvLossCount loss;
    KvTime rtt;
    KvTime last_sent;
    KvTime answer_due;
    KvTime doubted;  /* when it seemed last that answers of this end get lost */
    KvTime asked;    /* when this end asked first of what was not answered since, or never */
    KvTime reminded; /* when it pinged last for that */
    KvTime patience; /* how long it may stay without an answer */
    gboolean poked;
    gboolean wanted; /* a handshake, whatever else is there */
    gboolean begun;  /* it was asked for */
    gboolean doubts; /* for no other reason than that there was no answer */
    KvTime begin_after;
    KvTransportEvents events;
};

KvTransport *
kv_transport_new(const KvTransportConfig *config, const KvRandom *random)
{
    KvTransport *transport = g_new0(KvTransport, 1);

    transport->config = *config;
    transport->random = *random;
    transport->expires = transport->answer_due = transport->asked = KV_TIME_NEVER;
    transport->patience = SILENCE_TIME;
    transport->rtt = RTT_UNKNOWN;
    kv_path_mtu_init(&transport->mtu, config->datagram_max, 0);
    transport->told_size = transport->mtu.size;
    return transport;
}

void
kv_transport_free(KvTransport *transport)
{
    if (transport == NULL)
        return;
    for (guint i = 0; i < transport->n; i++)
        kv_live_session_free(transport->entries[i].session);
    g_free(transport);
}

/* --- which session -------------------------------------------------------------------------- */

static const uint8_t *
get_initiator_key(const KvTransport *transport, const Entry *entry)
{
    return entry->session->initiator ? transport->config.local_public
                                     : entry->session->remote_public;
}

/* Whether both ends began at the same time, and @older is the one they use. */
static gboolean
is_preferred(const KvTransport *transport, const Entry *older, const Entry *newer)
{
    return older->session->initiator != newer->session->initiator &&
           kv_time_elapsed(newer->live, older->live) < AT_ONCE_TIME &&
           memcmp(get_initiator_key(transport, older), get_initiator_key(transport, newer),
                  KV_OUTER_KEY_BYTES) > 0;
}

/* (nullable): the session to send under. */
static const Entry *
pick(const KvTransport *transport, KvTime now)
{
    const Entry *best = NULL;

    for (guint i = 0; i < transport->n; i++) {
        const Entry *entry = &transport->entries[i];

        if (kv_live_session_is_usable(entry->session, now) &&
            (best == NULL || is_preferred(transport, entry, best)))
            best = entry;
    }
    return best;
}

static Entry *
find(KvTransport *transport, uint32_t index)
{
    for (guint i = 0; i < transport->n; i++)
        if (transport->entries[i].session->local_index == index)
            return &transport->entries[i];
    return NULL;
}

static void
drop(KvTransport *transport, guint i)
{
    if (transport->heard == transport->entries[i].session->local_index)
        transport->heard = 0;
    kv_live_session_free(transport->entries[i].session);
    transport->n--;
    memmove(&transport->entries[i], &transport->entries[i + 1],
            (transport->n - i) * sizeof *transport->entries);
    transport->events |= KV_TRANSPORT_SESSIONS;
}

/* When @entry goes, @sender being the one in use. */
static KvTime
get_end(const Entry *entry, const Entry *sender)
{
    KvTime end = entry->session->born + KV_LIVE_SESSION_REJECT;

    if (!entry->confirmed)
        end = MIN(end, entry->live + CONFIRM_TIME);
    if (entry != sender && sender != NULL && sender->confirmed)
        end = MIN(end, MAX(sender->confirmed_at, entry->live) + OVERLAP_TIME);
    return end;
}

static void
drop_old(KvTransport *transport, KvTime now)
{
    const Entry *sender = pick(transport, now);
    guint i = 0;

    while (i < transport->n) {
        const Entry *entry = &transport->entries[i];

        if (now >= get_end(entry, sender) || !kv_live_session_is_usable(entry->session, now)) {
            drop(transport, i);
            sender = pick(transport, now);
            i = 0;
        } else {
            i++;
        }
    }
    if (now >= transport->expires) {
        transport->expires = KV_TIME_NEVER;
        transport->events |= KV_TRANSPORT_EXPIRED;
    }
}

/* --- a new handshake ------------------------------------------------------------------------ */

static void
forget_asked(KvTransport *transport)
{
    transport->asked = KV_TIME_NEVER;
    transport->patience = SILENCE_TIME;
}

static gboolean
is_rekey_due(const Entry *sender)
{
    return sender->session->initiator && sender->late;
}

/* When one is due, if nothing changes. */
static KvTime
get_begin(const KvTransport *transport, const Entry *sender)
{
    KvTime due = KV_TIME_NEVER;

    if (!transport->config.may_begin || transport->begun)
        return KV_TIME_NEVER;
    if (transport->wanted)
        due = 0;
    else if (sender == NULL && transport->placed && transport->config.keepalive > 0)
        due = transport->last_sent + transport->config.keepalive;
    else if (sender != NULL && is_rekey_due(sender))
        due = 0;
    else if (sender != NULL)
        due = kv_time_add(transport->asked, transport->patience);
    return MAX(due, transport->begin_after);
}

static void
update(KvTransport *transport, KvTime now)
{
    const Entry *sender = pick(transport, now);

    transport->now = now;
    if (now < get_begin(transport, sender))
        return;
    transport->begun = TRUE;
    transport->doubts = !transport->wanted && sender != NULL && !is_rekey_due(sender);
    transport->begin_after = now + BEGIN_TIME;
    transport->events |= KV_TRANSPORT_BEGIN;
}

void
kv_transport_want(KvTransport *transport, KvTime now)
{
    transport->wanted = TRUE;
    update(transport, now);
}

void
kv_transport_handshake_failed(KvTransport *transport, KvTime now)
{
    transport->begun = transport->wanted = FALSE;
    forget_asked(transport);
    transport->begin_after = now + BEGIN_TIME;
    for (guint i = 0; i < transport->n; i++)
        transport->entries[i].late = FALSE;
    /* Else a keepalive without a session would be due at once, for ever. */
    transport->last_sent = now;
    update(transport, now);
}

/* --- what comes ----------------------------------------------------------------------------- */

static void
moved(KvTransport *transport, KvTime now)
{
    kv_path_mtu_moved(&transport->mtu, now);
    kv_path_ecn_moved(&transport->ecn);
    transport->events |= KV_TRANSPORT_MOVED;
}

/* Empty datagrams answer what was there before; they alone are no reason for new keys. */
static void
mark_late(Entry *entry, size_t len, KvTime now)
{
    if (len > KV_SEAL_OVERHEAD &&
        kv_time_elapsed(now, entry->session->born) >= KV_LIVE_SESSION_REKEY)
        entry->late = TRUE;
}

/* Whether counters of @entry tell what is newest: those of the session that the peer sends under,
 * so far as is known. */
static gboolean
is_heard(KvTransport *transport, const Entry *entry, KvTime now)
{
    if (transport->heard != entry->session->local_index && entry == pick(transport, now)) {
        kv_loss_count_begin_session(&transport->loss);
        transport->heard = entry->session->local_index;
    }
    return transport->heard == entry->session->local_index;
}

static void
take_answer(KvTransport *transport)
{
    forget_asked(transport);
    kv_path_mtu_heard(&transport->mtu);
    if (!transport->begun || !transport->doubts)
        return;
    transport->begun = FALSE;
    transport->events |= KV_TRANSPORT_SPARED;
}

/* @input was true, under @entry. */
static void
note(KvTransport *transport, Entry *entry, const KvTransportInput *input, gboolean newest,
     KvTime now)
{
    gboolean heard = is_heard(transport, entry, now);

    if (!entry->confirmed) {
        entry->confirmed = TRUE;
        entry->confirmed_at = now;
    }
    mark_late(entry, input->len, now);
    if (input->len == KV_SEAL_OVERHEAD)
        take_answer(transport);
    if (heard)
        kv_loss_count_note(&transport->loss, input->head.counter);
    if (input->ecn == KV_ECN_CE)
        transport->loss.ce++;
    kv_path_ecn_heard(&transport->ecn);
    kv_path_hear(&transport->path, &input->from, input->len, heard && newest, &transport->random,
                 now);
}

KvDrop
kv_transport_open(KvTransport *transport, const KvTransportInput *input, uint8_t *plain, KvTime now)
{
    Entry *entry = find(transport, input->head.index);
    gboolean newest;
    KvDrop result;

    if (entry == NULL)
        return KV_DROP_CONV;
    result = kv_live_session_open(entry->session, &input->head, input->data, input->len, plain,
                                  &newest, now);
    if (result != KV_DROP_NONE)
        return result;
    note(transport, entry, input, newest, now);
    update(transport, now);
    return KV_DROP_NONE;
}

void
kv_transport_add(KvTransport *transport, KvLiveSession *session, const KvEndpoint *proved,
                 const KvTransportInput *first, KvTime now)
{
    Entry *entry = transport->entries;

    memmove(entry + 1, entry, transport->n * sizeof *entry);
    *entry = (Entry){.session = session, .live = now, .ping_due = now, .ping_wait = CONFIRM_FIRST};
    if (++transport->n > KV_TRANSPORT_SESSIONS_MAX)
        drop(transport, KV_TRANSPORT_SESSIONS_MAX);
    transport->events |= KV_TRANSPORT_SESSIONS;
    transport->expires = session->born + EXPIRY_TIME;
    if (!transport->placed)
        kv_path_init(&transport->path, proved);
    else if (kv_path_prove(&transport->path, proved))
        moved(transport, now);
    transport->placed = TRUE;
    transport->wanted = FALSE;
    if (session->initiator)
        transport->begun = FALSE;
    forget_asked(transport);
    if (first != NULL)
        note(transport, entry, first, TRUE, now);
    drop_old(transport, now);
    update(transport, now);
}

void
kv_transport_asked(KvTransport *transport, KvTime now)
{
    if (transport->answer_due == KV_TIME_NEVER)
        transport->answer_due = now + ANSWER_TIME;
}

void
kv_transport_answer(KvTransport *transport)
{
    transport->answer_due = KV_TIME_NEVER;
}

void
kv_transport_answered(KvTransport *transport)
{
    take_answer(transport);
}

/* Sends a ping now. */
static void
ask(KvTransport *transport, KvTime now)
{
    transport->poked = TRUE;
    update(transport, now);
}

void
kv_transport_poke(KvTransport *transport, KvTime now)
{
    /* After a sleep, say, a handshake is due already. */
    update(transport, now);
    /* What was asked before went another way. */
    if (transport->asked != KV_TIME_NEVER)
        transport->asked = now;
    transport->patience = CLAMP(4 * transport->rtt, CHANGED_TIME, SILENCE_TIME);
    kv_path_ecn_moved(&transport->ecn);
    ask(transport, now);
}

void
kv_transport_doubt(KvTransport *transport, KvTime now)
{
    if (!transport->config.may_begin || transport->asked != KV_TIME_NEVER ||
        kv_time_elapsed(now, transport->doubted) < DOUBT_TIME)
        return;
    transport->doubted = now;
    ask(transport, now);
}

void
kv_transport_pong(KvTransport *transport, const uint8_t body[KV_PING_BYTES], const KvEndpoint *from,
                  KvTime now)
{
    if (kv_path_pong(&transport->path, body, from)) {
        moved(transport, now);
        return;
    }
    kv_path_mtu_pong(&transport->mtu, body, now);
    kv_path_ecn_pong(&transport->ecn, body, now);
}

gboolean
kv_transport_input_reset(KvTransport *transport, const uint8_t *datagram, size_t len,
                         const KvEndpoint *from, KvTime now)
{
    if (!transport->placed || !kv_endpoint_equal(from, &transport->path.remote))
        return FALSE;
    for (guint i = 0; i < transport->n; i++) {
        if (!kv_reset_matches(transport->entries[i].session->remote_token, datagram, len))
            continue;
        drop(transport, i);
        kv_transport_want(transport, now);
        return TRUE;
    }
    return FALSE;
}

/* --- what goes ------------------------------------------------------------------------------ */

gboolean
kv_transport_can_send(const KvTransport *transport, KvTime now)
{
    return pick(transport, now) != NULL;
}

size_t
kv_transport_seal(KvTransport *transport, uint8_t *datagram, size_t len, gboolean asks,
                  const KvEndpoint *to, KvTime now)
{
    const Entry *sender = pick(transport, now);
    gboolean home = to == NULL || kv_endpoint_equal(to, &transport->path.remote);
    size_t sealed = len + KV_SEAL_OVERHEAD;

    if (sender == NULL || (!home && !kv_path_may_send(&transport->path, to, sealed)))
        return 0;
    kv_live_session_seal(sender->session, datagram, len);
    mark_late(find(transport, sender->session->local_index), sealed, now);
    transport->last_sent = now;
    if (home) {
        if (asks && transport->asked == KV_TIME_NEVER)
            transport->asked = now;
        kv_path_mtu_sent(&transport->mtu, (guint) sealed, now);
    }
    kv_path_sent(&transport->path, home ? &transport->path.remote : to, sealed);
    update(transport, now);
    return sealed;
}

static void
fill_ping(KvTransport *transport, KvProbe *probe)
{
    probe->ping = probe->asks = TRUE;
    kv_random_fill(&transport->random, probe->body, sizeof probe->body);
}

/* The peer has not used the session yet that this end began. */
static gboolean
take_confirm(KvTransport *transport, Entry *sender, KvProbe *probe, KvTime now)
{
    if (sender->confirmed || now < sender->ping_due)
        return FALSE;
    sender->ping_due = now + sender->ping_wait;
    sender->ping_wait = MIN(2 * sender->ping_wait, CONFIRM_MAX);
    fill_ping(transport, probe);
    return TRUE;
}

static KvTime
get_keepalive(const KvTransport *transport)
{
    if (transport->config.keepalive == 0)
        return KV_TIME_NEVER;
    return transport->last_sent + transport->config.keepalive;
}

/* A ping is answered at once, so nobody waits much longer for what may be lost on the way. */
static KvTime
get_reminder(const KvTransport *transport)
{
    if (!transport->config.may_begin || transport->begun || transport->asked == KV_TIME_NEVER)
        return KV_TIME_NEVER;
    return MAX(transport->asked + REMIND_TIME, transport->reminded + REMIND_GAP);
}

static gboolean
take_keepalive(KvTransport *transport, KvProbe *probe, KvTime now)
{
    if (transport->poked || now >= get_keepalive(transport) || now >= get_reminder(transport)) {
        transport->poked = FALSE;
        transport->last_sent = transport->reminded = now;
        fill_ping(transport, probe);
        return TRUE;
    }
    if (now < transport->answer_due)
        return FALSE;
    transport->answer_due = KV_TIME_NEVER;
    return TRUE;
}

gboolean
kv_transport_next_probe(KvTransport *transport, KvProbe *probe, KvTime now)
{
    const Entry *sender = pick(transport, now);
    guint size = 0;

    if (sender == NULL)
        return FALSE;
    *probe = (KvProbe){.to = transport->path.remote};
    if (take_confirm(transport, find(transport, sender->session->local_index), probe, now))
        return TRUE;
    if (kv_path_next_ping(&transport->path, transport->rtt, now, probe->body, &probe->to)) {
        probe->ping = TRUE;
        return TRUE;
    }
    if (sender->confirmed && kv_path_mtu_next_ping(&transport->mtu, transport->rtt,
                                                   &transport->random, now, probe->body, &size)) {
        probe->ping = TRUE;
        probe->size = size;
        return TRUE;
    }
    if (sender->confirmed)
        probe->ecn = kv_path_ecn_next_ping(&transport->ecn, transport->rtt, &transport->random, now,
                                           probe->body);
    if (probe->ecn != KV_ECN_NOT_ECT) {
        probe->ping = TRUE;
        return TRUE;
    }
    return take_keepalive(transport, probe, now);
}

KvEcn
kv_transport_get_ecn(KvTransport *transport, KvEcn ecn, KvTime now)
{
    if (ecn == KV_ECN_NOT_ECT || kv_path_ecn_may_leave(&transport->ecn, ecn, now))
        return ecn;
    return KV_ECN_NOT_ECT;
}

void
kv_transport_ecn_sent(KvTransport *transport, KvEcn ecn, KvTime now)
{
    kv_path_ecn_sent(&transport->ecn, ecn, now);
}

gboolean
kv_transport_ecn_told(KvTransport *transport, const KvFrameReport *report, KvTime now)
{
    return kv_path_ecn_told(&transport->ecn, report->ts, report->ce, now);
}

gboolean
kv_transport_is_unknown(const KvTransport *transport, size_t len)
{
    return kv_path_mtu_is_unknown(&transport->mtu, (guint) len);
}

void
kv_transport_arrived(KvTransport *transport, size_t len)
{
    kv_path_mtu_arrived(&transport->mtu, (guint) len);
}

/* --- time and state ------------------------------------------------------------------------- */

static KvTime
get_probe_due(const KvTransport *transport, const Entry *sender)
{
    KvTime due = MIN(get_keepalive(transport), transport->answer_due);

    due = MIN(due, get_reminder(transport));
    due = MIN(due, kv_path_deadline(&transport->path));
    if (transport->poked)
        due = 0;
    if (!sender->confirmed)
        return MIN(due, sender->ping_due);
    due = MIN(due, kv_path_ecn_deadline(&transport->ecn));
    return MIN(due, kv_path_mtu_deadline(&transport->mtu));
}

KvTime
kv_transport_deadline(const KvTransport *transport)
{
    const Entry *sender = pick(transport, transport->now);
    KvTime due = MIN(get_begin(transport, sender), transport->expires);

    for (guint i = 0; i < transport->n; i++)
        due = MIN(due, get_end(&transport->entries[i], sender));
    return sender != NULL ? MIN(due, get_probe_due(transport, sender)) : due;
}

void
kv_transport_advance(KvTransport *transport, KvTime now)
{
    drop_old(transport, now);
    kv_path_advance(&transport->path, now);
    if (pick(transport, now) != NULL) {
        kv_path_mtu_advance(&transport->mtu, now);
        kv_path_ecn_advance(&transport->ecn, now);
    }
    update(transport, now);
}

KvTransportEvents
kv_transport_take_events(KvTransport *transport)
{
    KvTransportEvents events = transport->events;

    transport->events = 0;
    if (transport->told_size != transport->mtu.size)
        events |= KV_TRANSPORT_RESIZED;
    transport->told_size = transport->mtu.size;
    return events;
}

guint
kv_transport_get_indexes(const KvTransport *transport, uint32_t indexes[KV_TRANSPORT_SESSIONS_MAX])
{
    for (guint i = 0; i < transport->n; i++)
        indexes[i] = transport->entries[i].session->local_index;
    return transport->n;
}

void
kv_transport_set_datagram_max(KvTransport *transport, guint datagram_max, KvTime now)
{
    transport->config.datagram_max = datagram_max;
    kv_path_mtu_init(&transport->mtu, datagram_max, now);
}

void
kv_transport_set_rtt(KvTransport *transport, KvTime rtt)
{
    transport->rtt = rtt > 0 ? rtt : RTT_UNKNOWN;
}

const KvEndpoint *
kv_transport_get_remote(const KvTransport *transport)
{
    return &transport->path.remote;
}

guint
kv_transport_get_size(const KvTransport *transport)
{
    return transport->mtu.size;
}

const KvLossCount *
kv_transport_get_loss(const KvTransport *transport)
{
    return &transport->loss;
}
