/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-packet.h"
#include "kv-time.h"

#define KV_COPIES_MAX 256 /* waiting; what does not fit goes without */

/**
 * KvCopies:
 *
 * Datagrams that leave a second time, and maybe a third, some ms after the first. A datagram is
 * copied as a whole, its place in a FEC group included: so copies repair the group, where new
 * datagrams with the same segments would only be as likely to be lost. Embedded; one thread; no
 * allocation but of packets from the pool.
 */
typedef struct {
    KvPacketPool *pool;
    struct {
        KvPacket *packet;
        KvTime due;
        guint left; /* times it is still to leave */
    } ring[KV_COPIES_MAX];
    guint first;
    guint n;
} KvCopies;

void kv_copies_init(KvCopies *copies, KvPacketPool *pool);
void kv_copies_clear(KvCopies *copies);

/* Keeps @datagram, at most KV_PACKET_CAPACITY bytes, to leave @times from @due on. Forgets it when
 * there is no room or packet left for it. */
void kv_copies_keep(KvCopies *copies, const uint8_t *datagram, size_t len, guint times, KvTime due);

/**
 * kv_copies_take:
 * @buf: (out): room for KV_PACKET_CAPACITY bytes
 * @next: when it is due again, if it is to leave once more
 *
 * Returns: the length of a datagram that is due; 0: none.
 */
size_t kv_copies_take(KvCopies *copies, uint8_t *buf, KvTime now, KvTime next);

/* When the next one is due; %KV_TIME_NEVER: none waits. */
KvTime kv_copies_deadline(const KvCopies *copies);
