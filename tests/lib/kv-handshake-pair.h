/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-test.h"
#include "native/kv-initiator.h"
#include "native/kv-responder.h"

/**
 * KvHandshakePair:
 *
 * An initiator and a responder that know each other, and what an engine keeps for them: one peer
 * with its last number, a wall clock for each initiation's number, indexes. All of it may be
 * changed between calls.
 */
typedef struct {
    KvTestRandom state;
    KvRandom random;
    KvIndexTable *indexes[2];  /* of initiator and responder */
    KvSecret *private_keys[2]; /* of initiator and responder */
    uint8_t public_keys[2][KV_NATIVE_KEY_BYTES];
    KvSecret *psk;
    KvNativeConfig say;
    KvResponderPeers peers; /* that the responder asks */

    uint64_t wall_clock;  /* of the initiator, us */
    uint64_t last_sent;   /* its last number */
    uint64_t last_taken;  /* the responder's, of this peer */
    gboolean is_admitted; /* the peer */
    uint8_t peer_psk[KV_NATIVE_KEY_BYTES];
    guint found; /* how many initiations were opened */

    KvInitiator *initiator;
    KvResponder *responder;
    KvEndpoint from; /* of the initiator */
    KvDrop drop;     /* what became of the last initiation */
} KvHandshakePair;

/* @has_psk: with keys, whether there is a preshared key as well. */
void kv_handshake_pair_init(KvHandshakePair *pair, KvNoisePattern pattern, gboolean has_psk,
                            uint64_t seed);
void kv_handshake_pair_clear(KvHandshakePair *pair);

/* A new initiator or responder with what @pair holds now. */
void kv_handshake_pair_restart_initiator(KvHandshakePair *pair);
void kv_handshake_pair_restart_responder(KvHandshakePair *pair);

/* The next initiation: its length in @buf, of %KV_INITIATION_MAX bytes. */
size_t kv_handshake_pair_begin(KvHandshakePair *pair, KvTime now, uint8_t *buf);

/* What the responder sends back for @datagram, a request being granted at once; 0: nothing. Never
 * more than came. */
size_t kv_handshake_pair_respond(KvHandshakePair *pair, const uint8_t *datagram, size_t len,
                                 KvTime now, uint8_t *buf);

/* One initiation, its answer and a first transport datagram; both ends' keys. */
void kv_handshake_pair_finish(KvHandshakePair *pair, KvTime now, KvNativeKeys *initiator,
                              KvNativeKeys *responder);

/* The first transport datagram of @keys: its length in @buf. */
size_t kv_handshake_pair_prove(const KvNativeKeys *keys, uint8_t *buf);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvHandshakePair, kv_handshake_pair_clear)
