/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-event.h"
#include "kv-packet.h"
#include "kv-random.h"
#include "kv-stats.h"
#include "kv-time.h"
#include "native/kv-native.h"
#include "v1/kv-v1.h"

/**
 * KvSession:
 *
 * The four verbs of one session between two peers, whatever its protocol. Sealed datagrams on one
 * side, inner packets on the other; the time comes in as an argument, and what
 * the engine must act on is drained as events. It keeps no more than the bounds of its
 * configuration, whatever the peer sends. One thread at a time.
 *
 * After any call that takes the time, the caller drains kv_session_output(), then the events, and
 * asks for the new deadline. Once %KV_EVENT_CLOSED was taken and the output drained a last time,
 * the session does nothing more and is to be freed.
 */
typedef struct _KvSession KvSession;

/* (transfer full): a v1 session; @crypt, @pool and @random outlive it. */
KvSession *kv_session_new_v1(const KvV1Config *config, KvV1Crypt *crypt, KvPacketPool *pool,
                             const KvRandom *random, KvTime now) KV_MUST_USE;

/* (transfer full): a session of the native protocol. @native: (transfer full): just made */
KvSession *kv_session_new_native(KvNative *native) KV_MUST_USE;
void kv_session_free(KvSession *session);

/* --- wire side ------------------------------------------------------------------------------ */

/**
 * kv_session_input:
 * @from: (nullable): native: where it came from; v1 does not look
 * @ecn: native: with which it came
 *
 * Takes one sealed datagram; says why if it was dropped. The bytes stay the caller's.
 */
KvDrop kv_session_input(KvSession *session, const uint8_t *datagram, size_t len,
                        const KvEndpoint *from, KvEcn ecn, KvTime now);

/**
 * kv_session_output:
 * @buf: (out caller-allocates): KV_PACKET_CAPACITY bytes or more
 * @to: (inout): native: where the datagram goes; v1 leaves it as it is, since its peer never moves
 *
 * Puts the next sealed datagram into @buf. Returns: its length; 0: nothing to send.
 */
size_t kv_session_output(KvSession *session, uint8_t *buf, size_t cap, KvEndpoint *to, KvTime now);

/* With which ECN field the datagram of the last kv_session_output() is to leave. */
KvEcn kv_session_get_ecn(const KvSession *session);

/* When kv_session_advance() wants to be called. */
KvTime kv_session_deadline(const KvSession *session);
void kv_session_advance(KvSession *session, KvTime now);

/* Takes the next event; %FALSE: none. */
gboolean kv_session_next_event(KvSession *session, KvEvent *event);

/* --- inner side ----------------------------------------------------------------------------- */

/* Whether another inner packet may be sent now. If not, stop reading the device. */
gboolean kv_session_can_send(const KvSession *session);

/* Smoothed round trip of the path, us; 0: not known yet. */
KvTime kv_session_get_rtt(const KvSession *session);

/**
 * kv_session_send:
 * @slices: (array length=n): one inner packet, gathered
 * @ethertype: v1: of the packet, host byte order
 * @flow: native: the same for all packets of a flow, salted: of kv_flow_hash()
 *
 * Queues one inner packet; it leaves with kv_session_output(). v1: one that is longer than the
 * server's full frame MTU has room for is dropped and counted. %FALSE: no link or no memory,
 * and nothing was queued.
 */
gboolean kv_session_send(KvSession *session, const KvSlice *slices, guint n, uint16_t ethertype,
                         uint32_t flow, KvTime now);

/* Takes the next whole inner packet into @buf (v1: full frame MTU bytes or more; native:
 * KV_GSO_PACKET_MAX and the frame's head); 0: none. */
size_t kv_session_recv(KvSession *session, uint8_t *buf, size_t cap, uint16_t *ethertype,
                       KvTime now);

/* --- control -------------------------------------------------------------------------------- */

/**
 * kv_session_answer:
 *
 * v1 server: answers %KV_EVENT_CLIENT_INFO, once. After a refusal %KV_EVENT_CLOSED follows when the
 * client has acknowledged it, or after three seconds.
 */
void kv_session_answer(KvSession *session, const KvAnswer *answer, KvTime now);

/* After KV_EVENT_READY, when the device stands: inner packets may flow from here on. */
void kv_session_open_vni(KvSession *session, KvTime now);

/* Sends a heartbeat now: a living peer answers it within a round trip, and a native one learns of
 * the address that this end has by now. */
void kv_session_poke(KvSession *session, KvTime now);

/**
 * kv_session_close:
 *
 * Ends the session in good order: what tells the peer so is left to kv_session_output().
 * %KV_EVENT_CLOSED follows when the peer has acknowledged it, or after one second.
 */
void kv_session_close(KvSession *session, KvTime now);

/* A copy of the counters, with KCP's as they are now. */
void kv_session_get_stats(const KvSession *session, KvStats *stats);

/* (transfer none) (nullable): for what only the native protocol has; NULL: v1. */
KvNative *kv_session_get_native(KvSession *session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSession, kv_session_free)
