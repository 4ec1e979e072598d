/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-native.h"
#include "kv-kcp-private.h"

#define RING_MIN      64 /* one word of each bit map */
#define SLAB_SEGMENTS 32

void
kv_kcp_sending_init(KvKcp *kcp)
{
    kcp->snd_una = kcp->snd_nxt = kcp->ready_from = kcp->config.first_sn;
    kcp->slabs = g_ptr_array_new_with_free_func(g_free);
    kv_heap_init(&kcp->timers);
}

static void
unref_list(KvSegment *segment)
{
    for (; segment != NULL; segment = segment->next)
        kv_packet_unref(segment->packet);
}

void
kv_kcp_sending_clear(KvKcp *kcp)
{
    unref_list(kcp->unacked_head);
    unref_list(kcp->queue_head);
    kv_heap_clear(&kcp->timers);
    g_ptr_array_unref(kcp->slabs);
    g_free(kcp->ring);
    g_free(kcp->suspect);
    g_free(kcp->ready);
}

void
kv_kcp_set_bit(uint64_t *bits, uint32_t ring_size, uint32_t sn)
{
    uint32_t i = sn & (ring_size - 1);

    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

void
kv_kcp_clear_bit(uint64_t *bits, uint32_t ring_size, uint32_t sn)
{
    uint32_t i = sn & (ring_size - 1);

    bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

gboolean
kv_kcp_get_bit(const uint64_t *bits, uint32_t ring_size, uint32_t sn)
{
    uint32_t i = sn & (ring_size - 1);

    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

uint32_t
kv_kcp_next_bit(const uint64_t *bits, uint32_t ring_size, uint32_t from, uint32_t end)
{
    while (from != end) {
        uint32_t i = from & (ring_size - 1);
        uint64_t word = bits[i / 64] >> (i % 64);
        uint32_t step = word != 0 ? (uint32_t) __builtin_ctzll(word) : 64 - i % 64;

        if (step >= end - from)
            return end;
        from += step;
        if (word != 0)
            return from;
    }
    return end;
}

static void
copy_bits(const uint64_t *from, uint32_t from_size, uint64_t *to, uint32_t to_size, uint32_t sn,
          uint32_t end)
{
    while ((sn = kv_kcp_next_bit(from, from_size, sn, end)) != end)
        kv_kcp_set_bit(to, to_size, sn++);
}

static void
grow_ring(KvKcp *kcp)
{
    uint32_t size = MAX(RING_MIN, kcp->ring_size * 2);
    KvSegment **ring = g_new0(KvSegment *, size);
    uint64_t *suspect = g_new0(uint64_t, size / 64);
    uint64_t *ready = g_new0(uint64_t, size / 64);

    for (uint32_t sn = kcp->snd_una; sn != kcp->snd_nxt; sn++)
        ring[sn & (size - 1)] = kcp->ring[sn & (kcp->ring_size - 1)];
    if (kcp->ring_size > 0) {
        copy_bits(kcp->suspect, kcp->ring_size, suspect, size, kcp->snd_una, kcp->snd_nxt);
        copy_bits(kcp->ready, kcp->ring_size, ready, size, kcp->snd_una, kcp->snd_nxt);
    }
    g_free(kcp->ring);
    g_free(kcp->suspect);
    g_free(kcp->ready);
    kcp->ring = ring;
    kcp->suspect = suspect;
    kcp->ready = ready;
    kcp->ring_size = size;
    kv_heap_reserve(&kcp->timers, size);
}

KvSegment *
kv_kcp_number_next(KvKcp *kcp)
{
    KvSegment *segment = kcp->queue_head;

    if (kv_kcp_in_flight_span(kcp) == kcp->ring_size)
        grow_ring(kcp);
    kcp->queue_head = segment->next;
    if (kcp->queue_head == NULL)
        kcp->queue_tail = NULL;
    kcp->n_queue--;

    segment->sn = kcp->snd_nxt++;
    kcp->ring[segment->sn & (kcp->ring_size - 1)] = segment;
    segment->prev = kcp->unacked_tail;
    segment->next = NULL;
    if (kcp->unacked_tail != NULL)
        kcp->unacked_tail->next = segment;
    else
        kcp->unacked_head = segment;
    kcp->unacked_tail = segment;
    return segment;
}

void
kv_kcp_mark_ready(KvKcp *kcp, KvSegment *segment)
{
    kv_kcp_set_bit(kcp->ready, kcp->ring_size, segment->sn);
    if (kcp->n_ready++ == 0 || kv_kcp_diff(segment->sn, kcp->ready_from) < 0)
        kcp->ready_from = segment->sn;
}

void
kv_kcp_clear_ready(KvKcp *kcp, KvSegment *segment)
{
    if (!kv_kcp_get_bit(kcp->ready, kcp->ring_size, segment->sn))
        return;
    kv_kcp_clear_bit(kcp->ready, kcp->ring_size, segment->sn);
    kcp->n_ready--;
}

void
kv_kcp_mark_suspect(KvKcp *kcp, KvSegment *segment)
{
    kv_kcp_set_bit(kcp->suspect, kcp->ring_size, segment->sn);
}

void
kv_kcp_segment_recycle(KvKcp *kcp, KvSegment *segment)
{
    kv_packet_unref(segment->packet);
    segment->next = kcp->spare;
    kcp->spare = segment;
}

void
kv_kcp_segment_acked(KvKcp *kcp, KvSegment *segment)
{
    kv_kcp_clear_ready(kcp, segment);
    kv_kcp_clear_bit(kcp->suspect, kcp->ring_size, segment->sn);
    kv_heap_remove(&kcp->timers, &segment->timer);
    kcp->ring[segment->sn & (kcp->ring_size - 1)] = NULL;
    if (segment->prev != NULL)
        segment->prev->next = segment->next;
    else
        kcp->unacked_head = segment->next;
    if (segment->next != NULL)
        segment->next->prev = segment->prev;
    else
        kcp->unacked_tail = segment->prev;
    kv_kcp_segment_recycle(kcp, segment);
}

static KvSegment *
take_spare(KvKcp *kcp)
{
    KvSegment *segment;

    if (KV_UNLIKELY(kcp->spare == NULL)) {
        KvSegment *slab = g_new(KvSegment, SLAB_SEGMENTS);

        g_ptr_array_add(kcp->slabs, slab);
        for (guint i = 0; i < SLAB_SEGMENTS; i++) {
            slab[i].next = kcp->spare;
            kcp->spare = &slab[i];
        }
    }
    segment = kcp->spare;
    kcp->spare = segment->next;
    *segment = (KvSegment){0};
    return segment;
}

static void
recycle_list(KvKcp *kcp, KvSegment *segment)
{
    while (segment != NULL) {
        KvSegment *next = segment->next;

        kv_kcp_segment_recycle(kcp, segment);
        segment = next;
    }
}

/* @n empty segments in a list, or NULL with nothing taken. */
static KvSegment *
take_segments(KvKcp *kcp, size_t n, KvSegment **last)
{
    KvSegment *head = NULL;

    *last = NULL;
    while (n-- > 0) {
        KvPacket *packet = kv_packet_new(kcp->pool);
        KvSegment *segment;

        if (packet == NULL) {
            recycle_list(kcp, head);
            return NULL;
        }
        segment = take_spare(kcp);
        segment->packet = packet;
        segment->next = head;
        head = segment;
        if (*last == NULL)
            *last = segment;
    }
    return head;
}

static void
append_bytes(KvKcp *kcp, KvSegment **segment, const KvSlice *slice)
{
    const uint8_t *data = slice->data;
    size_t left = slice->len;

    while (left > 0) {
        KvPacket *packet = (*segment)->packet;
        size_t n = MIN(left, kcp->mss - packet->len);

        if (n == 0) {
            *segment = (*segment)->next;
            continue;
        }
        memcpy(packet->data + packet->len, data, n);
        packet->len += (uint32_t) n;
        data += n;
        left -= n;
    }
}

static void
enqueue(KvKcp *kcp, KvSegment *first, KvSegment *last, size_t count)
{
    if (kcp->queue_tail != NULL)
        kcp->queue_tail->next = first;
    else
        kcp->queue_head = first;
    kcp->queue_tail = last;
    kcp->n_queue += (uint32_t) count;
    if (kcp->config.stream)
        return;
    for (KvSegment *s = first; s != NULL; s = s->next)
        s->frg = (uint8_t) --count;
}

static size_t
sum_up(const KvSlice *slices, guint n)
{
    size_t total = 0;

    for (guint i = 0; i < n; i++)
        total += slices[i].len;
    return total;
}

gboolean
kv_kcp_send(KvKcp *kcp, const KvSlice *slices, guint n)
{
    KvSegment *into = NULL;
    size_t total = sum_up(slices, n), room = 0, count;

    if (kcp->config.stream && kcp->queue_tail != NULL) {
        into = kcp->queue_tail;
        room = kcp->mss - into->packet->len;
    }
    count = total > room ? (total - room + kcp->mss - 1) / kcp->mss : 0;
    if (!kcp->config.stream && count > 255)
        return FALSE;
    if (count > 0) {
        KvSegment *last;
        KvSegment *first = take_segments(kcp, count, &last);

        if (first == NULL)
            return FALSE;
        enqueue(kcp, first, last, count);
        if (into == NULL)
            into = first;
    }
    for (guint i = 0; i < n; i++)
        append_bytes(kcp, &into, &slices[i]);
    return TRUE;
}

guint
kv_kcp_send_parts(KvKcp *kcp, uint16_t lane, uint32_t lane_sequence, KvEcn ecn,
                  const KvSlice *slices, guint n)
{
    size_t total = sum_up(slices, n);
    size_t count = (total + kcp->mss - 1) / kcp->mss;
    KvSegment *first, *last;

    g_return_val_if_fail(kcp->config.native && count > 0, 0);
    first = take_segments(kcp, count, &last);
    if (first == NULL)
        return 0;
    enqueue(kcp, first, last, count);
    for (KvSegment *s = first, *into = first; s != NULL; s = s->next) {
        s->lane =
            lane | (s == into ? 0 : KV_FRAME_NOT_FIRST) | (s->next == NULL ? 0 : KV_FRAME_MORE);
        s->lane_sequence = lane_sequence++;
        s->packet->ecn = ecn;
    }
    for (guint i = 0; i < n; i++)
        append_bytes(kcp, &first, &slices[i]);
    return (guint) count;
}

static void
inherit_list(KvKcp *kcp, const KvSegment *segment)
{
    for (; segment != NULL; segment = segment->next) {
        KvSegment *heir = take_spare(kcp);

        heir->packet = kv_packet_ref(segment->packet);
        heir->lane = segment->lane;
        heir->lane_sequence = segment->lane_sequence;
        enqueue(kcp, heir, heir, 1);
    }
}

void
kv_kcp_inherit(KvKcp *kcp, const KvKcp *former)
{
    g_return_if_fail(kcp->config.native && kcp->mss >= former->mss);

    inherit_list(kcp, former->unacked_head);
    inherit_list(kcp, former->queue_head);
}
