/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel-native.h"
#include "kv-udp.h"
#include "native/kv-responder.h"

/**
 * KvNativeDoor:
 *
 * How native datagrams get in at the worker of a server, or of a peer: it knows which index is
 * whose, lets #KvResponder answer handshakes, finds the association that new keys are for, and
 * tells those whose session it does not know. One worker's thread; the sending is its owner's.
 */
typedef struct _KvNativeDoor KvNativeDoor;

/* An element: embedded by what datagrams are handed to. All zero: not at the door. */
typedef struct {
    uint32_t indexes[KV_TRANSPORT_SESSIONS_MAX];
    guint n_indexes;
    KvNoisePattern pattern;                     /* keys or a secret */
    uint8_t remote_public[KV_NATIVE_KEY_BYTES]; /* with keys; else zeros */
    uint8_t association[KV_NATIVE_ID_BYTES];
    gboolean is_known; /* by its association */
    gboolean stays;    /* a peer's, known by its key whatever association it has */
    gboolean is_placed;
    KvEndpoint place; /* a peer's: where it is, or is called */
} KvNativeDoorEntry;

/* What came of a datagram that is of no session. */
typedef struct {
    KvDrop drop;                    /* %KV_DROP_NONE: one of the following came of it */
    const uint8_t *reply;           /* to be sent back at once, whatever else there is */
    size_t reply_len;               /* 0: nothing */
    const KvNativeRequest *request; /* (nullable): for kv_native_door_grant(), once */
    KvNativeDoorEntry *entry;       /* (nullable): whose association request or keys go on with */
    gboolean is_confirmed;          /* the peer has proved itself, and @keys are its: */
    KvNativeKeys keys;              /* the id of its request is local_index; to be cleared */
} KvNativeDoorNews;

/* @native, @indexes and @random outlive it. */
KvNativeDoor *kv_native_door_new(const KvTunnelNative *native, KvIndexTable *indexes,
                                 const KvRandom *random) KV_MUST_USE;
void kv_native_door_free(KvNativeDoor *door);

/* --- who may come --------------------------------------------------------------------------- */

/* Admits the owner of @public. @psk: (nullable): 32 bytes that both ends share */
void kv_native_door_admit(KvNativeDoor *door, const uint8_t public[KV_NATIVE_KEY_BYTES],
                          const KvSecret *psk);

/* It is not admitted any more; what is half open goes. Returns: (transfer none) (nullable): what
 * still lives of it. */
KvNativeDoorEntry *kv_native_door_forget(KvNativeDoor *door,
                                         const uint8_t public[KV_NATIVE_KEY_BYTES]);

/* --- datagrams ------------------------------------------------------------------------------ */

/* (transfer none) (nullable): whose session a datagram is said to be of. O(1). */
KvNativeDoorEntry *kv_native_door_find(const KvNativeDoor *door, const uint8_t *datagram,
                                       size_t len);

/* Takes a datagram of no session. @news: (out): valid until the next call, whatever comes of it */
void kv_native_door_input(KvNativeDoor *door, const KvUdpDatagram *datagram, KvTime now,
                          KvNativeDoorNews *news);

/* A datagram that nobody knows: the answer to whom this end has forgotten. Returns: its length;
 * 0: none. @answer: (out caller-allocates): %KV_UDP_ROOM bytes */
size_t kv_native_door_reset(KvNativeDoor *door, const KvUdpDatagram *datagram, KvTime now,
                            uint8_t *answer);

/**
 * kv_native_door_grant:
 * @grant: what to say, moved from; a refusal, if it has one
 * @answer: (out caller-allocates): %KV_INITIATION_MAX bytes
 * @path: (out): where to
 *
 * Answers a request. What is granted to who asked to go on with its association is that.
 *
 * Returns: length of the answer; 0: it came too late.
 */
size_t kv_native_door_grant(KvNativeDoor *door, uint32_t id, KvNativeConfig *grant, KvTime now,
                            uint8_t *answer, KvUdpPath *path);

/* Adds what handshakes cost so far to @stats. */
void kv_native_door_add_stats(const KvNativeDoor *door, KvStats *stats);

KvTime kv_native_door_deadline(const KvNativeDoor *door);
void kv_native_door_advance(KvNativeDoor *door, KvTime now);

/* --- living associations --------------------------------------------------------------------- */

/* (transfer none) (nullable): the living association of who has @public. */
KvNativeDoorEntry *kv_native_door_find_peer(const KvNativeDoor *door,
                                            const uint8_t public[KV_NATIVE_KEY_BYTES]);

/* @entry: new; whose keys have no living association yet. Its indexes follow. */
void kv_native_door_add(KvNativeDoor *door, KvNativeDoorEntry *entry, const KvNativeKeys *keys);

/* @entry: new: of a peer that was admitted, and need not have an association. */
void kv_native_door_add_peer(KvNativeDoor *door, KvNativeDoorEntry *entry,
                             const uint8_t public[KV_NATIVE_KEY_BYTES]);

/* A peer's is to be found at @place from now on. Of two with the same place it is the last one. */
void kv_native_door_place(KvNativeDoor *door, KvNativeDoorEntry *entry, const KvEndpoint *place);

/* (transfer none) (nullable): the peer that is there. */
KvNativeDoorEntry *kv_native_door_find_at(const KvNativeDoor *door, const KvEndpoint *place);

/* @indexes: (array length=n): all that its sessions have now, three at most */
void kv_native_door_set_indexes(KvNativeDoor *door, KvNativeDoorEntry *entry,
                                const uint32_t *indexes, guint n);
void kv_native_door_remove(KvNativeDoor *door, KvNativeDoorEntry *entry);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNativeDoor, kv_native_door_free)
