/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-event.h"
#include "kv-kcp.h"
#include "kv-packet.h"
#include "kv-random.h"
#include "kv-stats.h"
#include "native/kv-frame.h"
#include "native/kv-initiator.h"
#include "native/kv-transport.h"

/**
 * KvNative:
 *
 * One association of the native protocol (docs/protocol.md): handshake, transport, FEC, ARQ and
 * lanes joined; the only files that name them all. The verbs are those of kv-session.h, and so are
 * the rules of calling them; datagrams have addresses here, since the peer may move.
 *
 * A client begins handshakes itself. A server's association is made of the keys that a
 * #KvResponder gave, and gets those of later handshakes by kv_native_add_keys(). A peer does both.
 *
 * Nothing of a datagram is used before its tag was found good, and what a true peer says is bounded
 * all the same.
 */
typedef struct _KvNative KvNative;

/* All that is pointed to outlives the association. */
typedef struct {
    KvRole role;
    KvVniMode mode;              /* a client follows its server */
    const KvSecret *private_key; /* (nullable): this end's; NULL: both ends share only @psk */
    const KvSecret *psk;         /* (nullable) */
    uint8_t remote_public[KV_NATIVE_KEY_BYTES]; /* client, with keys, and peer: the other's */
    KvEndpoint remote;       /* client: where the server is; peer: port 0 if that is not known */
    KvIndexTable *indexes;   /* client, peer */
    KvNativeNumbers numbers; /* client, with keys; peer */
    uint32_t snd_wnd;        /* segments */
    uint32_t rcv_wnd;        /* segments */
    guint data_shards;       /* of a group; 0 in either: no parity is sent */
    guint parity_shards;
    gboolean rapid_fec; /* a group that fills slowly is closed early */
    guint datagram_max; /* bytes, at least %KV_PATH_MTU_BASE; what this end's own path takes */
    KvTime keepalive;   /* 0: silent when idle */
    KvTime handshake_timeout; /* client: until the first answer */
} KvNativeParams;

/**
 * kv_native_new_client:
 * @say: what to say of oneself, which kv_native_config_fits(), moved from; what the association
 * itself decides is put in here: mode, window, longest datagram, keepalive, capabilities
 *
 * Returns: (transfer full): an association that is being made.
 */
KvNative *kv_native_new_client(const KvNativeParams *params, KvNativeConfig *say,
                               KvPacketPool *pool, const KvRandom *random, KvTime now) KV_MUST_USE;

/**
 * kv_native_new_server:
 * @keys: of an answered request that was confirmed; moved from
 * @first: the datagram that confirmed it; its head need not be read yet
 *
 * Returns: (transfer full): a living association; %KV_EVENT_READY is its first event.
 */
KvNative *kv_native_new_server(const KvNativeParams *params, KvNativeKeys *keys, KvPacketPool *pool,
                               const KvRandom *random, const KvTransportInput *first,
                               KvTime now) KV_MUST_USE;

/**
 * kv_native_new_peer:
 * @say: as for a client
 *
 * One of two equals that know each other's keys. It begins a handshake when there is something to
 * send, or a keepalive, and it knows where the other is; else it waits for the other. It lives
 * until it is closed: of an association that ends %KV_EVENT_LOST tells, and the next packet begins
 * another; what waited is dropped. %KV_EVENT_READY is its first event, %KV_EVENT_CONFIGURED comes
 * with each association that begins from nothing.
 *
 * Returns: (transfer full)
 */
KvNative *kv_native_new_peer(const KvNativeParams *params, KvNativeConfig *say, KvPacketPool *pool,
                             const KvRandom *random, KvTime now) KV_MUST_USE;

void kv_native_free(KvNative *native);

/* Peer: what to answer when the other end begins; a refusal maybe. @grant: initialised */
void kv_native_answer(const KvNative *native, const KvNativeConfig *asked, KvNativeConfig *grant);

/* Any but a server: it waits for the answer to an initiation of its own. */
gboolean kv_native_is_asking(const KvNative *native);

/* Any but a server: where the other is to be called from now on, unless it has been heard from
 * elsewhere. */
void kv_native_call(KvNative *native, const KvEndpoint *remote, KvTime now);

/* Server: the same peer made a new handshake that names this association. Peer: the other end made
 * a handshake, whatever it names. @first: as for kv_native_new_server() */
void kv_native_add_keys(KvNative *native, KvNativeKeys *keys, const KvTransportInput *first,
                        KvTime now);

/* What every end that is asked to make room for an association says of itself in its grant. */
void kv_native_describe(const KvNativeParams *params, KvNativeConfig *config);

/* --- wire side ------------------------------------------------------------------------------ */

/* @ecn: with which it came. */
KvDrop kv_native_input(KvNative *native, const uint8_t *datagram, size_t len,
                       const KvEndpoint *from, KvEcn ecn, KvTime now);

/* Puts the next datagram into @buf, of KV_PACKET_CAPACITY bytes, and its address into @to; 0:
 * nothing to send. */
size_t kv_native_output(KvNative *native, uint8_t *buf, size_t cap, KvEndpoint *to, KvTime now);

/* With which the datagram of the last kv_native_output() is to leave. */
KvEcn kv_native_get_ecn(const KvNative *native);

KvTime kv_native_deadline(const KvNative *native);
void kv_native_advance(KvNative *native, KvTime now);
gboolean kv_native_next_event(KvNative *native, KvEvent *event);

/* --- inner side ----------------------------------------------------------------------------- */

KvTime kv_native_get_rtt(const KvNative *native);
gboolean kv_native_can_send(const KvNative *native);

/* Longest inner packet that goes into one datagram of the path as it is now, bytes; 0: there is no
 * path yet. */
guint kv_native_get_packet_max(const KvNative *native);

/* @flow: the same for all packets of a flow, salted: kv_flow_hash(). */
gboolean kv_native_send(KvNative *native, uint64_t flow, const KvSlice *slices, guint n,
                        KvTime now);
size_t kv_native_recv(KvNative *native, uint8_t *buf, size_t cap, uint16_t *ethertype, KvTime now);

/* --- control -------------------------------------------------------------------------------- */

/**
 * kv_native_say:
 * @config: all addresses, gateways, routes, DNS servers and domains that hold from now on, and of
 *   the rest what is new; what was taken back is noted in it
 *
 * Tells the peer what is different now; %KV_EVENT_RECONFIGURED is what it gets. While it takes
 * nothing in the last word counts. Returns: %FALSE if @config says what the protocol does not allow
 * or does not fit a batch: nothing is said then.
 */
gboolean kv_native_say(KvNative *native, KvNativeConfig *config) KV_MUST_USE;

/* After KV_EVENT_READY, when the device stands: inner packets may flow from here on. */
void kv_native_open_vni(KvNative *native, KvTime now);
void kv_native_poke(KvNative *native, KvTime now);
void kv_native_close(KvNative *native, KvCloseReason reason, KvTime now);

/* --- state ---------------------------------------------------------------------------------- */

/* (transfer none): what the peer said, later words included; of a refusal, why. */
const KvNativeConfig *kv_native_get_remote_config(const KvNative *native);
/* (transfer none): where the peer is. */
const KvEndpoint *kv_native_get_remote(const KvNative *native);
/* (transfer none): KV_NATIVE_ID_BYTES; all zero until there is one. */
const uint8_t *kv_native_get_association(const KvNative *native);

/* MTU of the interfaces at both ends, as granted; 0: nobody has said. */
guint kv_native_get_mtu(const KvNative *native);

/* This end's names of its sessions, %KV_TRANSPORT_SESSIONS_MAX at most; returns how many. They
 * change with %KV_EVENT_SESSIONS. */
guint kv_native_get_indexes(const KvNative *native, uint32_t *indexes);
void kv_native_get_stats(const KvNative *native, KvStats *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNative, kv_native_free)
