/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-private.h"

#define SLOTS_MIN 16
#define ACKS_MIN  64

void
kv_kcp_receiving_init(KvKcp *kcp)
{
    kcp->rcv_head = kcp->rcv_nxt = kcp->config.first_sn;
}

static KvKcpSlot *
slot_at(const KvKcp *kcp, uint32_t sn)
{
    return &kcp->slots[sn & (kcp->slots_size - 1)];
}

void
kv_kcp_receiving_clear(KvKcp *kcp)
{
    for (uint32_t i = 0; i < kcp->slots_size; i++)
        kv_packet_unref(kcp->slots[i].packet);
    g_free(kcp->slots);
    g_free(kcp->acks);
}

static uint32_t
readable(const KvKcp *kcp)
{
    return kcp->rcv_nxt - kcp->rcv_head;
}

/* Sequence numbers from rcv_nxt on that there is room for. */
static uint32_t
get_room(const KvKcp *kcp)
{
    return MIN(kcp->config.rcv_wnd, kv_kcp_get_share(kcp, &kcp->delivered, kcp->rcv_nxt));
}

uint32_t
kv_kcp_get_free_window(const KvKcp *kcp)
{
    uint32_t n = readable(kcp);

    return n < kcp->config.rcv_wnd ? MIN(kcp->config.rcv_wnd - n, get_room(kcp)) : 0;
}

/* A peer that repeats itself without end must not fill memory: una answers for what is cut. */
static void
remember_ack(KvKcp *kcp, const KvKcpAck *ack)
{
    if (kcp->n_acks == kcp->acks_size) {
        if (kcp->acks_size > 2 * kcp->config.rcv_wnd + ACKS_MIN)
            return;
        kcp->acks_size = MAX(ACKS_MIN, kcp->acks_size * 2);
        kcp->acks = g_renew(KvKcpAck, kcp->acks, kcp->acks_size);
    }
    kcp->acks[kcp->n_acks++] = *ack;
}

static void
grow_slots(KvKcp *kcp, uint32_t span)
{
    uint32_t size = MAX(SLOTS_MIN, kcp->slots_size);
    KvKcpSlot *slots;

    while (size < span)
        size *= 2;
    slots = g_new0(KvKcpSlot, size);
    /* What is kept lies within one old ring from the head. */
    for (uint32_t i = 0; i < kcp->slots_size; i++)
        slots[(kcp->rcv_head + i) & (size - 1)] = *slot_at(kcp, kcp->rcv_head + i);
    g_free(kcp->slots);
    kcp->slots = slots;
    kcp->slots_size = size;
}

/* Moves rcv_nxt over what is there, as far as the reader keeps up. */
static void
advance_in_order(KvKcp *kcp)
{
    while (kcp->n_early > 0 && readable(kcp) < kcp->config.rcv_wnd &&
           slot_at(kcp, kcp->rcv_nxt)->packet != NULL) {
        kcp->rcv_nxt++;
        kcp->n_early--;
    }
}

void
kv_kcp_take_push(KvKcp *kcp, const KvKcpAck *ack, KvPacket *packet, const KvKcpSlot *slot)
{
    int32_t ahead = kv_kcp_diff(ack->sn, kcp->rcv_nxt);
    uint32_t span = ack->sn - kcp->rcv_head + 1;

    if (ahead >= (int32_t) get_room(kcp)) {
        kcp->duplicates++;
        return;
    }
    remember_ack(kcp, ack);
    if (ahead < 0) {
        kcp->duplicates++;
        return;
    }
    if (span > kcp->slots_size)
        grow_slots(kcp, span);
    if (slot_at(kcp, ack->sn)->packet != NULL) {
        kcp->duplicates++;
        return;
    }
    *slot_at(kcp, ack->sn) = *slot;
    slot_at(kcp, ack->sn)->packet = kv_packet_ref(packet);
    kcp->n_early++;
    advance_in_order(kcp);
}

/* The reader is done with @n segments. */
static void
release(KvKcp *kcp, uint32_t n)
{
    gboolean was_closed = readable(kcp) >= kcp->config.rcv_wnd;

    kcp->read_offset = 0;
    while (n-- > 0) {
        KvKcpSlot *slot = slot_at(kcp, kcp->rcv_head++);

        kv_packet_unref(slot->packet);
        slot->packet = NULL;
    }
    advance_in_order(kcp);
    if (was_closed && readable(kcp) < kcp->config.rcv_wnd)
        kcp->probe |= KV_KCP_ASK_TELL;
}

size_t
kv_kcp_peek(KvKcp *kcp, const uint8_t **data)
{
    while (readable(kcp) > 0) {
        const KvKcpSlot *slot = slot_at(kcp, kcp->rcv_head);

        if (slot->len > kcp->read_offset) {
            *data = slot->packet->data + slot->offset + kcp->read_offset;
            return slot->len - kcp->read_offset;
        }
        release(kcp, 1);
    }
    *data = NULL;
    return 0;
}

void
kv_kcp_consume(KvKcp *kcp, size_t n)
{
    g_return_if_fail(readable(kcp) > 0);
    g_return_if_fail(n <= slot_at(kcp, kcp->rcv_head)->len - kcp->read_offset);

    kcp->read_offset += (uint32_t) n;
    if (kcp->read_offset == slot_at(kcp, kcp->rcv_head)->len)
        release(kcp, 1);
}

size_t
kv_kcp_recv_message(KvKcp *kcp, uint8_t *buf, size_t cap)
{
    uint32_t n;
    size_t total = 0;

    if (readable(kcp) == 0)
        return 0;
    n = slot_at(kcp, kcp->rcv_head)->frg + 1u;
    if (n > readable(kcp))
        return 0;
    for (uint32_t i = 0; i < n; i++)
        total += slot_at(kcp, kcp->rcv_head + i)->len;
    if (total > cap)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        const KvKcpSlot *slot = slot_at(kcp, kcp->rcv_head + i);

        memcpy(buf, slot->packet->data + slot->offset, slot->len);
        buf += slot->len;
    }
    release(kcp, n);
    return total;
}
