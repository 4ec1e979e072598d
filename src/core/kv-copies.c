/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-copies.h"

#include <string.h>

#define SCARCE 4 /* eighths: copies are the first to do without packets */

void
kv_copies_init(KvCopies *copies, KvPacketPool *pool)
{
    copies->pool = pool;
    copies->first = copies->n = 0;
}

static KvPacket *
pop(KvCopies *copies)
{
    KvPacket *packet = copies->ring[copies->first].packet;

    copies->first = (copies->first + 1) % KV_COPIES_MAX;
    copies->n--;
    return packet;
}

static void
push(KvCopies *copies, KvPacket *packet, guint times, KvTime due)
{
    guint i = (copies->first + copies->n++) % KV_COPIES_MAX;

    copies->ring[i].packet = packet;
    copies->ring[i].left = times;
    copies->ring[i].due = due;
}

void
kv_copies_clear(KvCopies *copies)
{
    while (copies->n > 0)
        kv_packet_unref(pop(copies));
}

void
kv_copies_keep(KvCopies *copies, const uint8_t *datagram, size_t len, guint times, KvTime due)
{
    KvPacket *packet;

    g_return_if_fail(len <= KV_PACKET_CAPACITY && times > 0);
    if (copies->n == KV_COPIES_MAX || kv_packet_pool_is_scarce(copies->pool, SCARCE))
        return;
    packet = kv_packet_new(copies->pool);
    if (packet == NULL)
        return;
    memcpy(packet->data, datagram, len);
    packet->len = (uint32_t) len;
    push(copies, packet, times, due);
}

size_t
kv_copies_take(KvCopies *copies, uint8_t *buf, KvTime now, KvTime next)
{
    guint left;
    KvPacket *packet;
    size_t len;

    if (now < kv_copies_deadline(copies))
        return 0;
    left = copies->ring[copies->first].left;
    packet = pop(copies);
    len = packet->len;
    memcpy(buf, packet->data, len);
    if (left > 1)
        push(copies, packet, left - 1, next);
    else
        kv_packet_unref(packet);
    return len;
}

KvTime
kv_copies_deadline(const KvCopies *copies)
{
    return copies->n > 0 ? copies->ring[copies->first].due : KV_TIME_NEVER;
}
