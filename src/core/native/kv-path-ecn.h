/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-ecn.h"
#include "kv-random.h"
#include "kv-time.h"
#include "native/kv-path.h"

/* Pings that leave with one field. */
typedef struct {
    gboolean passes; /* one of the last was answered, or another datagram came there since */
    gboolean asking;
    gboolean silent; /* the last ones met nothing but silence, and that goes on */
    gboolean heard;  /* something came since the first of them */
    KvTime next;     /* when to ask again, if anything is to leave with the field */
    guint tries;
    KvTime due; /* of the next one, or the verdict */
    uint8_t ping[KV_PING_BYTES];
} KvPathEcnTest;

/**
 * KvPathEcn:
 *
 * Whether datagrams with an ECN field other than zero pass, for there are paths that swallow them.
 * None leaves with one before a ping with the same field was answered, and while such datagrams
 * leave and nothing tells of their arrival it is asked again and again (in the spirit of RFC 9000,
 * 13.4.2). Embedded; one thread. All zero is a new one.
 *
 * A path that marks nearly all that has a field says nothing by it, and is given none, too.
 *
 * Of arrival tells a report, which has the time stamp of a datagram that came itself. All that
 * leave at one moment have the same.
 */
typedef struct {
    KvPathEcnTest tests[2]; /* of ECT(0) and ECT(1) */
    KvTime moment;          /* the last one */
    KvEcn moment_ecn;       /* with which all of them left; Not-ECT: others, too */
    KvTime watched;         /* a moment that reports may tell of */
    KvEcn watched_ecn;      /* likewise; Not-ECT: none is */
    uint32_t ce;            /* as the peer told it last */
    KvTime since;           /* of the two counts: */
    guint n_left;           /* datagrams with a field */
    guint n_marked;
} KvPathEcn;

/* The path is another one. */
void kv_path_ecn_moved(KvPathEcn *path);

/* A datagram could leave with @ecn, ECT(0) or ECT(1). Returns: whether it may. */
gboolean kv_path_ecn_may_leave(KvPathEcn *path, KvEcn ecn, KvTime now);

/* A datagram with @now for a time stamp leaves, with @ecn; %KV_ECN_NOT_ECT if it will again,
 * without a field. */
void kv_path_ecn_sent(KvPathEcn *path, KvEcn ecn, KvTime now);

/**
 * kv_path_ecn_told:
 * @ts: of a datagram that the peer has
 * @ce: datagrams that came there with a mark, so far
 *
 * Takes what a report says. Returns: whether what left with ECT(0) may have been marked since the
 * last one.
 */
gboolean kv_path_ecn_told(KvPathEcn *path, uint32_t ts, uint32_t ce, KvTime now);

/* Anything true came from the peer. */
void kv_path_ecn_heard(KvPathEcn *path);

/**
 * kv_path_ecn_next_ping:
 * @rtt: of the path
 * @ping: (out): what the ping must say
 *
 * Returns: the field that a ping is to leave with now; %KV_ECN_NOT_ECT: none is.
 */
KvEcn kv_path_ecn_next_ping(KvPathEcn *path, KvTime rtt, const KvRandom *random, KvTime now,
                            uint8_t ping[KV_PING_BYTES]) KV_MUST_USE;

/* A pong came, maybe of another's ping. */
void kv_path_ecn_pong(KvPathEcn *path, const uint8_t ping[KV_PING_BYTES], KvTime now);

KvTime kv_path_ecn_deadline(const KvPathEcn *path);
void kv_path_ecn_advance(KvPathEcn *path, KvTime now);
