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
 * @connected: the socket has one peer, so that what its route refuses is refused for good
 * @offload: UDP_SEGMENT may be tried
 */
KvUdpSender *kv_udp_sender_new(int fd, gboolean connected, gboolean offload);
void kv_udp_sender_free(KvUdpSender *sender);

/* See kv_udp_reserve(), kv_udp_commit() and kv_udp_flush(). */
uint8_t *kv_udp_sender_reserve(KvUdpSender *sender, const KvUdpPath *path);
void kv_udp_sender_commit(KvUdpSender *sender, size_t len);
guint kv_udp_sender_flush(KvUdpSender *sender);

/* An ICMP error that a send met instead of a receive, as errno, once; 0: none. */
int kv_udp_sender_take_news(KvUdpSender *sender);
