/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-sim.h"
#include "kv-test.h"
#include "native/kv-native.h"
#include "native/kv-resets.h"
#include "native/kv-responder.h"

#define KV_NATIVE_END_FLOWS 8

/* Looks on, for who writes a session down; nothing here may be NULL. */
typedef struct {
    void (*drew)(void *data, const uint8_t *bytes, size_t len); /* of the end's random source */
    void (*came)(void *data, const uint8_t *datagram, size_t len, KvTime now);
    void (*wrote)(void *data, guint flow, const uint8_t *packet, size_t len); /* an inner one */
    void *data;
} KvNativeEndTap;

/**
 * KvNativeEnd:
 *
 * One end of the native protocol with what an engine does around it: a server answers handshakes
 * and makes its association of what was confirmed; both act on events, and read and write inner
 * packets of several flows, of which every fourth knows no ECN. Packets are numbered in their flow,
 * so that the other end can tell that each arrives whole, at most once and in the order of its
 * flow.
 */
typedef struct {
    KvNativeParams params;
    KvTestRandom state;
    KvRandom random;
    KvIndexTable *indexes;
    KvSecret *private_key; /* NULL in secret mode */
    KvSecret *psk;
    uint8_t public[KV_NATIVE_KEY_BYTES];
    uint8_t peer_public[KV_NATIVE_KEY_BYTES];
    KvOuterKeys outer;
    KvPacketPool *pool;
    KvNative *native; /* a server's: NULL until a client was confirmed */
    KvEndpoint address;
    KvEndpoint peer_address;
    uint64_t last_number;      /* client, peer: its own; server: of the client */
    uint64_t peer_number;      /* peer: of the other */
    const KvNativeEndTap *tap; /* (nullable) */

    /* server, peer */
    KvResponder *responder;
    KvResets resets;
    uint8_t reset_key[KV_RESET_KEY_BYTES];
    GQueue replies; /* of GBytes */
    uint8_t association[KV_NATIVE_ID_BYTES];

    guint n_routes; /* that it says lie behind it */

    gboolean strays; /* datagrams may go where the other is no more */

    /* peer */
    KvTime nat_time; /* datagrams come in only so long after one went out; 0: always */
    KvTime last_wrote;

    /* what happened */
    guint n_events[KV_EVENT_CLOSED + 1];
    KvEvent last_event;
    guint drops[KV_N_DROPS];
    guint wrote;       /* datagrams */
    guint n_confirmed; /* server, peer: handshakes that the other end began */
    guint refusal;

    /* numbered inner packets, the flows in turn */
    guint to_send; /* of all flows */
    guint sent;
    guint received;
    guint next[KV_NATIVE_END_FLOWS]; /* the number that comes next */
    gboolean congested;              /* each datagram comes with a congestion mark */
    gboolean knows_ecn;              /* it sends ECT(0) alone, and what comes may be marked */
    guint left_with;                 /* the ECN field of the last datagram */
    guint came_with;                 /* the ECN field of the datagram that comes next */
    guint marked;                    /* inner packets that came with a mark */
    gboolean may_skip;               /* some may be lost, as when the other end began anew */
    gboolean is_lenient;             /* whatever arrives is taken */
    KvTime interval;                 /* between two of them; 0: as fast as they go */
    KvTime next_send;
    size_t size_min;
    size_t size_max;
    uint8_t *buf;
} KvNativeEnd;

/* Client and server that know each other, by keys or by a secret; parameters may be changed before
 * kv_native_end_start(). */
void kv_native_ends_init(KvNativeEnd *client, KvNativeEnd *server, gboolean with_keys,
                         uint64_t seed);

/* Two equals that know each other's keys and addresses. */
void kv_native_peers_init(KvNativeEnd *a, KvNativeEnd *b, uint64_t seed);
void kv_native_end_start(KvNativeEnd *end, KvTime now);

/* Forgets all but its keys, as when its program is started again. */
void kv_native_end_restart(KvNativeEnd *end, KvTime now);
void kv_native_end_clear(KvNativeEnd *end);

/* Puts as many routes into @config as the end has. */
void kv_native_end_put_routes(const KvNativeEnd *end, KvNativeConfig *config);

/* For kv_sim_attach(), with the end as the machine's self. */
extern const KvSimMachine kv_native_end_machine;

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvNativeEnd, kv_native_end_clear)
