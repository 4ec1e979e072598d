/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-udp.h"

/**
 * KvUdpSender:
 *
 * The sending half of a #KvUdp: the arena and the runs of datagrams in it. Worker thread.
 */
typedef struct _KvUdpSender KvUdpSender;

/**
 * kv_udp_sender_new:
 * @fd: not owned
 * @peer: (nullable) (transfer none): of a connected socket; what its route refuses is refused for
 *   good
 * @dscp: that the socket has; a datagram with an ECN field says both
 * @offload: UDP_SEGMENT may be tried
 */
KvUdpSender *kv_udp_sender_new(int fd, const KvSockaddr *peer, guint dscp, gboolean offload);
void kv_udp_sender_free(KvUdpSender *sender);

/* See kv_udp_reserve(), kv_udp_commit() and kv_udp_flush(). */
uint8_t *kv_udp_sender_reserve(KvUdpSender *sender, const KvUdpPath *path);
void kv_udp_sender_commit(KvUdpSender *sender, size_t len, KvEcn ecn);
guint kv_udp_sender_flush(KvUdpSender *sender);

/* An ICMP error that a send met instead of a receive, as errno, once; 0: none. */
int kv_udp_sender_take_news(KvUdpSender *sender);
