/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-endpoint.h"
#include "kv-macros.h"
#include "kv-random.h"
#include "kv-time.h"

#define KV_PING_BYTES 8 /* what a ping says, and its pong again */

/**
 * KvPath:
 *
 * Where a peer is (docs/protocol.md, section 8, "Roaming"). True datagrams from elsewhere make
 * that a candidate, which is asked by a ping; only its pong moves the peer there. Somebody who
 * copies datagrams from an address of his own gets few and small ones, and the peer stays where
 * it was. Embedded; one thread.
 */
typedef struct {
    KvEndpoint remote; /* where the peer is */

    gboolean checking; /* the rest of this block means something */
    KvEndpoint candidate;
    uint8_t ping[KV_PING_BYTES];
    KvTime began;
    KvTime next_ping;
    guint pings;   /* that were sent */
    uint64_t came; /* bytes from the candidate */
    uint64_t went;

    KvEndpoint failed; /* the last candidate that did not answer */
    KvTime failed_until;
    KvTime failed_pause;

    KvEndpoint last;    /* where the last datagram came from */
    uint64_t last_room; /* bytes that may go back there, wherever it is */
} KvPath;

/* @remote: proved, as an address is to which the answer of a handshake went, or came from. */
void kv_path_init(KvPath *path, const KvEndpoint *remote);

/* A new handshake proved @remote. %TRUE: the peer was elsewhere before. */
gboolean kv_path_prove(KvPath *path, const KvEndpoint *remote);

/* A true datagram of @len bytes came; @newest: its counter is greater than all before. */
void kv_path_hear(KvPath *path, const KvEndpoint *from, size_t len, gboolean newest,
                  const KvRandom *random, KvTime now);

/**
 * kv_path_next_ping:
 * @rtt: of the path so far
 * @ping: (out): what the ping must say
 * @to: (out): where it must go
 *
 * Returns: whether a ping is to be sent now.
 */
gboolean kv_path_next_ping(KvPath *path, KvTime rtt, KvTime now, uint8_t ping[KV_PING_BYTES],
                           KvEndpoint *to) KV_MUST_USE;

/* A pong came; %TRUE: by it the peer is at kv_path's remote now, and was elsewhere before. */
gboolean kv_path_pong(KvPath *path, const uint8_t ping[KV_PING_BYTES], const KvEndpoint *from);

/* Whether a datagram of @len bytes may go to @to, which may not be the peer's address. */
gboolean kv_path_may_send(const KvPath *path, const KvEndpoint *to, size_t len) KV_MUST_USE;
void kv_path_sent(KvPath *path, const KvEndpoint *to, size_t len);

KvTime kv_path_deadline(const KvPath *path);
void kv_path_advance(KvPath *path, KvTime now);
