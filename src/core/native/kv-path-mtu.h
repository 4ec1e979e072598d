/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-random.h"
#include "kv-time.h"
#include "native/kv-path.h"

#include <glib.h>

#define KV_PATH_MTU_BASE 1232 /* bytes of a datagram that every path takes; section 12 */

/* Pings of one size, until one is answered or enough were not. */
typedef struct {
    guint size; /* 0: none */
    uint8_t ping[KV_PING_BYTES];
    gboolean asked; /* one is under way */
    gboolean heard; /* since it left an answer came, to whatever */
    guint lost;     /* before it so many, while something else was answered; */
    guint missed;   /* and so many in a row while nothing was */
    KvTime due;     /* of the next one, and of the verdict */
} KvPathMtuProbe;

/**
 * KvPathMtu:
 *
 * How long datagrams may be: searched with padded pings (RFC 8899), and set back when the path
 * swallows long ones. Embedded; one thread. All sizes are bytes of a whole datagram.
 */
typedef struct {
    guint size;   /* that was found to pass */
    guint max;    /* what both ends take, and the interface */
    guint beyond; /* the least size known, or believed, not to pass */
    KvPathMtuProbe search;
    gboolean searching;
    KvTime raise; /* when to search again, if there is use for it */

    guint long_sent;   /* the longest sent of which nothing is known, 0: none */
    KvTime long_since; /* when the first of these left */
    KvPathMtuProbe confirm;
    gboolean short_due; /* a ping that every path takes: whether there is one at all */
    gboolean silent;    /* a probe ended without any answer, and none came since */
    KvTime silent_at;   /* when that was asked last */
} KvPathMtu;

/* Begins with the base, or @max if that is less, and a search. */
void kv_path_mtu_init(KvPathMtu *mtu, guint max, KvTime now);

/* The path is another one. As a rule it takes as much, and what is under way cannot be cut again:
 * the size stays until pings, from now on, say that it does not pass. */
void kv_path_mtu_moved(KvPathMtu *mtu, KvTime now);

/* A datagram of @len bytes was sent, which was not one of the search's pings. */
void kv_path_mtu_sent(KvPathMtu *mtu, guint len, KvTime now);

/* Whether kv_path_mtu_arrived() of @len bytes would tell anything now. */
gboolean kv_path_mtu_is_unknown(const KvPathMtu *mtu, guint len);

/**
 * kv_path_mtu_arrived:
 *
 * The peer has acknowledged what only a datagram of @len bytes brought. It spares the pings that
 * else ask once a second whether long datagrams still pass.
 */
void kv_path_mtu_arrived(KvPathMtu *mtu, guint len);

/* An answer came from the peer, and so something arrives there. */
void kv_path_mtu_heard(KvPathMtu *mtu);

/**
 * kv_path_mtu_next_ping:
 * @rtt: of the path
 * @ping: (out): what the ping must say
 * @size: (out): to how many bytes its datagram must be padded, 0: not at all
 *
 * Returns: whether a ping is to be sent now.
 */
gboolean kv_path_mtu_next_ping(KvPathMtu *mtu, KvTime rtt, const KvRandom *random, KvTime now,
                               uint8_t ping[KV_PING_BYTES], guint *size) KV_MUST_USE;

/* A pong came, maybe of another's ping. */
void kv_path_mtu_pong(KvPathMtu *mtu, const uint8_t ping[KV_PING_BYTES], KvTime now);

KvTime kv_path_mtu_deadline(const KvPathMtu *mtu);
void kv_path_mtu_advance(KvPathMtu *mtu, KvTime now);
