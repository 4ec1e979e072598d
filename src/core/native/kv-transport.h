/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-ecn.h"
#include "native/kv-frame.h"
#include "native/kv-live-session.h"
#include "native/kv-loss-count.h"
#include "native/kv-path-ecn.h"
#include "native/kv-path-mtu.h"
#include "native/kv-path.h"

#define KV_TRANSPORT_SESSIONS_MAX 3 /* previous, current, next */

/**
 * KvTransport:
 *
 * The way of an association to its peer: its live sessions, which of them sends, when there must be
 * a new one, where the peer is, how long datagrams may be, and what is said when there is nothing
 * to say (docs/protocol.md, sections 7, 8 and 12). It knows nothing of what a plaintext means but
 * pings, which its owner writes and reads.
 *
 * After any call that takes the time, the owner drains kv_transport_next_probe(), then
 * kv_transport_take_events(), and asks for the new deadline. Nothing is believed of a datagram
 * before its tag is found good. One thread at a time; its memory is fixed.
 */
typedef struct _KvTransport KvTransport;

typedef struct {
    gboolean may_begin;                       /* this end can begin handshakes: all but a server */
    uint8_t local_public[KV_OUTER_KEY_BYTES]; /* with keys: this end's */
    KvTime keepalive;                         /* 0: silent when idle */
    guint datagram_max;                       /* bytes; what both ends take */
} KvTransportConfig;

typedef enum {
    KV_TRANSPORT_BEGIN = 1 << 0,    /* begin a handshake, naming the association */
    KV_TRANSPORT_SESSIONS = 1 << 1, /* a session came or went: kv_transport_get_indexes() */
    KV_TRANSPORT_MOVED = 1 << 2,    /* the peer is elsewhere: kv_transport_get_remote() */
    KV_TRANSPORT_RESIZED = 1 << 3,  /* kv_transport_get_size() is another */
    KV_TRANSPORT_EXPIRED = 1 << 4,  /* so long without a session that the association is over */
    KV_TRANSPORT_SPARED = 1 << 5,   /* the handshake under way is not needed after all */
} KvTransportEvents;

/* A datagram as it came. */
typedef struct {
    KvSealHead head;
    const uint8_t *data;
    size_t len;
    KvEndpoint from;
    KvEcn ecn; /* with which it came */
} KvTransportInput;

/* A datagram that the transport itself wants sent. */
typedef struct {
    gboolean ping; /* else the plaintext is empty */
    uint8_t body[KV_PING_BYTES];
    gboolean asks; /* kv_transport_seal() must be told this */
    size_t size;   /* to which the whole datagram is to be padded; 0: not at all */
    KvEndpoint to; /* and this */
    KvEcn ecn;     /* with which it leaves */
} KvProbe;

/* (transfer full): an association without a session; @random outlives it. */
KvTransport *kv_transport_new(const KvTransportConfig *config, const KvRandom *random) KV_MUST_USE;
/* Wipes all keys. */
void kv_transport_free(KvTransport *transport);

/* --- sessions -------------------------------------------------------------------------------- */

/**
 * kv_transport_add:
 * @session: (transfer full): live from now on; the oldest of four leaves
 * @proved: the peer's address: where the answer of the handshake came from, or went to
 * @first: (nullable): with a session that the peer began: the datagram by which it went live,
 *   opened already by kv_live_session_open()
 */
void kv_transport_add(KvTransport *transport, KvLiveSession *session, const KvEndpoint *proved,
                      const KvTransportInput *first, KvTime now);

/* The handshake that %KV_TRANSPORT_BEGIN asked for came to nothing; it is asked for again when
 * there is something to send. */
void kv_transport_handshake_failed(KvTransport *transport, KvTime now);

/* There is something to send and kv_transport_can_send() says no: asks for a handshake. */
void kv_transport_want(KvTransport *transport, KvTime now);

/* This end's own address or way may have changed: sends a ping now, and has less patience than else
 * until it is answered. */
void kv_transport_poke(KvTransport *transport, KvTime now);

/* Fills @indexes with this end's names of the sessions. Returns: how many. */
guint kv_transport_get_indexes(const KvTransport *transport,
                               uint32_t indexes[KV_TRANSPORT_SESSIONS_MAX]);

/* --- datagrams ------------------------------------------------------------------------------- */

/**
 * kv_transport_open:
 * @plain: (out caller-allocates): @input's length less %KV_SEAL_OVERHEAD; may be in place, behind
 *   the head
 *
 * Returns: %KV_DROP_NONE if it is a true one of this association.
 */
KvDrop kv_transport_open(KvTransport *transport, const KvTransportInput *input, uint8_t *plain,
                         KvTime now) KV_MUST_USE;

/* What was opened asks for an answer: it had more than reports, acknowledgements, pongs and
 * parity. */
void kv_transport_asked(KvTransport *transport, KvTime now);

/* What is about to be sealed answers: it has a report, an acknowledgement or a pong. */
void kv_transport_answer(KvTransport *transport);

/* What was opened answers. Others say nothing of the way to the peer. */
void kv_transport_answered(KvTransport *transport);

/* The peer says again what this end has taken and answered: if it goes on so, nothing arrives
 * there. */
void kv_transport_doubt(KvTransport *transport, KvTime now);

/* What was opened had a pong. */
void kv_transport_pong(KvTransport *transport, const uint8_t body[KV_PING_BYTES],
                       const KvEndpoint *from, KvTime now);

/* Whether there is a session to send under. */
gboolean kv_transport_can_send(const KvTransport *transport, KvTime now);

/**
 * kv_transport_seal:
 * @datagram: %KV_SEAL_HEAD_BYTES of room, @len bytes of plaintext, %KV_SEAL_TAG_BYTES of room
 * @asks: it has more than reports, acknowledgements, pongs and parity
 * @to: (nullable): where it must go, if not to where the peer is: a pong goes to its ping's
 *   sender, a probe as it says
 *
 * Returns: length of the datagram; 0: there is no session, or @to may not have as much.
 */
size_t kv_transport_seal(KvTransport *transport, uint8_t *datagram, size_t len, gboolean asks,
                         const KvEndpoint *to, KvTime now);

/* Takes a datagram to write and seal now; %FALSE: none. */
gboolean kv_transport_next_probe(KvTransport *transport, KvProbe *probe, KvTime now) KV_MUST_USE;

/* With which a datagram to the peer leaves that could leave with @ecn, so far as the path is known
 * to let such pass; that is asked then. */
KvEcn kv_transport_get_ecn(KvTransport *transport, KvEcn ecn, KvTime now);

/* What is known of datagrams with time stamps: kv_path_ecn_sent(), kv_path_ecn_told(). */
void kv_transport_ecn_sent(KvTransport *transport, KvEcn ecn, KvTime now);
gboolean kv_transport_ecn_told(KvTransport *transport, const KvFrameReport *report, KvTime now);

/* Whether kv_transport_arrived() of a datagram of @len bytes, just sealed, would tell anything. */
gboolean kv_transport_is_unknown(const KvTransport *transport, size_t len);

/* A datagram of @len bytes was acknowledged: kv_path_mtu_arrived(). */
void kv_transport_arrived(KvTransport *transport, size_t len);

/**
 * kv_transport_input_reset:
 *
 * Takes a datagram that is nothing else. Returns: whether it was the reset of a session; that one
 * is forgotten, and %KV_TRANSPORT_BEGIN follows.
 */
gboolean kv_transport_input_reset(KvTransport *transport, const uint8_t *datagram, size_t len,
                                  const KvEndpoint *from, KvTime now);

/* --- state ----------------------------------------------------------------------------------- */

KvTransportEvents kv_transport_take_events(KvTransport *transport);
KvTime kv_transport_deadline(const KvTransport *transport);
void kv_transport_advance(KvTransport *transport, KvTime now);

/* What both ends take, bytes: of an association that has sent nothing yet. */
void kv_transport_set_datagram_max(KvTransport *transport, guint datagram_max, KvTime now);

/* The round trip as others measured it; 0: not known. */
void kv_transport_set_rtt(KvTransport *transport, KvTime rtt);

/* (transfer none): where the peer is. */
const KvEndpoint *kv_transport_get_remote(const KvTransport *transport);

/* How long a datagram may be now, bytes. */
guint kv_transport_get_size(const KvTransport *transport);

/* (transfer none): what a report says of datagrams. */
const KvLossCount *kv_transport_get_loss(const KvTransport *transport);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTransport, kv_transport_free)
