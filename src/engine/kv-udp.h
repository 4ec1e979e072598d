/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-ecn.h"
#include "kv-macros.h"
#include "kv-sockaddr.h"

#include <stdint.h>

/**
 * KvUdp:
 *
 * One UDP socket with batches: recvmmsg() with UDP_GRO inwards, sendmmsg() with UDP_SEGMENT
 * outwards; what the kernel or the device refuses is found out and left off. IPv4 and IPv6.
 * Opened on the main thread, then owned by one worker. Datagrams to be sent collect in an arena
 * and leave with kv_udp_flush(); equal-sized runs to one address become one message.
 */
typedef struct _KvUdp KvUdp;

#define KV_UDP_DATAGRAM_MAX 1500 /* bytes, of one datagram to be sent */
#define KV_UDP_ROOM         1536 /* bytes, to write it in */

typedef struct {
    KvSockaddr local;       /* address and port to bind; port 0: any; with a peer, AF_UNSPEC: any */
    const KvSockaddr *peer; /* (nullable): client: connect to it */
    gboolean reuse_port;    /* several workers on one port */
    gboolean is_first;      /* and this is the first of them: nobody else may have the port */
    gboolean is_deaf;       /* hears nothing until kv_udp_listen() */
    gboolean no_fragments; /* what is too long for the path is lost, so that its MTU can be found */
    gboolean tells_marks;  /* datagrams say whether they came with a congestion mark */
    gboolean no_offload;   /* no UDP_GRO, no UDP_SEGMENT: for kernels that mangle batches */
    guint dscp;            /* 0 to 63 */
    guint socket_buffer;   /* bytes, each direction; 0: the system's default */
} KvUdpConfig;

/* A local address without port; AF_UNSPEC: the kernel chooses. */
typedef struct {
    sa_family_t family;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    };
} KvUdpLocal;

/**
 * KvUdpPath:
 *
 * Where a datagram came from and which of this machine's addresses it came to. Used as it is
 * for the answer, which then leaves from that address; @local is set only by a socket bound to a
 * wildcard, where the kernel might choose another. Sessions are told apart by @remote alone.
 */
typedef struct {
    KvSockaddr remote;
    KvUdpLocal local;
} KvUdpPath;

/* An error names the address and what failed. */
KvUdp *kv_udp_open(const KvUdpConfig *config, GError **error) KV_MUST_USE;
void kv_udp_close(KvUdp *udp);

/**
 * kv_udp_listen:
 *
 * From now on an @is_deaf socket hears. Each socket that joins a shared port moves some senders
 * over to itself: whoever listened before the last one has joined would begin sessions whose other
 * datagrams then reach another worker.
 */
gboolean kv_udp_listen(KvUdp *udp, GError **error) KV_MUST_USE;
int kv_udp_get_fd(const KvUdp *udp);

/* (transfer none): what it is bound to, with the real port. */
const KvSockaddr *kv_udp_get_local(const KvUdp *udp);

/* Whether much of what was sent waits in the kernel, as datagrams do whose next hop has yet to be
 * found: what then goes to strangers takes the place of what goes to friends. */
gboolean kv_udp_is_choked(const KvUdp *udp);

/* One received datagram; @data and @path are valid until the next kv_udp_receive(). */
typedef struct {
    const uint8_t *data;
    size_t len; /* above KV_UDP_DATAGRAM_MAX: too long, maybe cut off; to be dropped */
    const KvUdpPath *path;
    KvEcn ecn; /* with which it came */
} KvUdpDatagram;

/**
 * kv_udp_receive:
 * @out: (out caller-allocates) (array length=max)
 *
 * One batch. Some may be left inside, which the descriptor does not show: call again before
 * sleeping if kv_udp_has_more().
 *
 * Returns: how many datagrams; 0: none waiting; < 0: -errno (ICMP errors of a connected socket
 * among them; they are news, not the end).
 */
int kv_udp_receive(KvUdp *udp, KvUdpDatagram *out, guint max);

/* Whether the next kv_udp_receive() is likely to bring something: the last one took all that it has
 * room for, and not all that there was. */
gboolean kv_udp_has_more(const KvUdp *udp);

/**
 * kv_udp_reserve:
 * @path: (nullable): NULL on a connected socket; must stay until the commit
 *
 * Returns: (transfer none): KV_UDP_ROOM bytes at the arena's end for one datagram of up to
 * KV_UDP_DATAGRAM_MAX, sending what is there first if it is full. Then kv_udp_commit() its real
 * length (0: none) and the ECN field that it leaves with; until then @path may still change.
 */
uint8_t *kv_udp_reserve(KvUdp *udp, const KvUdpPath *path);
void kv_udp_commit(KvUdp *udp, size_t len, KvEcn ecn);

/**
 * kv_udp_flush:
 *
 * Sends what collected; costs nothing if that is nothing.
 *
 * Returns: datagrams that the socket did not take since the last call (dropped, to be counted).
 */
guint kv_udp_flush(KvUdp *udp);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvUdp, kv_udp_close)
