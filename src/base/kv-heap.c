/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-heap.h"

void
kv_heap_init(KvHeap *heap)
{
    *heap = (KvHeap){0};
}

void
kv_heap_clear(KvHeap *heap)
{
    for (uint32_t i = 0; i < heap->len; i++)
        heap->nodes[i]->index = 0;
    g_free(heap->nodes);
    kv_heap_init(heap);
}

void
kv_heap_reserve(KvHeap *heap, uint32_t capacity)
{
    if (capacity <= heap->capacity)
        return;
    heap->nodes = g_renew(KvHeapNode *, heap->nodes, capacity);
    heap->capacity = capacity;
}

static void
place(KvHeap *heap, uint32_t i, KvHeapNode *node)
{
    heap->nodes[i] = node;
    node->index = i + 1;
}

static void
sift_up(KvHeap *heap, uint32_t i, KvHeapNode *node)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;

        if (heap->nodes[parent]->when <= node->when)
            break;
        place(heap, i, heap->nodes[parent]);
        i = parent;
    }
    place(heap, i, node);
}

static void
sift_down(KvHeap *heap, uint32_t i, KvHeapNode *node)
{
    for (;;) {
        uint32_t child = 2 * i + 1;

        if (child >= heap->len)
            break;
        if (child + 1 < heap->len && heap->nodes[child + 1]->when < heap->nodes[child]->when)
            child++;
        if (node->when <= heap->nodes[child]->when)
            break;
        place(heap, i, heap->nodes[child]);
        i = child;
    }
    place(heap, i, node);
}

void
kv_heap_set(KvHeap *heap, KvHeapNode *node, KvTime when)
{
    KvTime before = node->when;

    if (when == KV_TIME_NEVER) {
        kv_heap_remove(heap, node);
        return;
    }
    node->when = when;
    if (node->index == 0) {
        if (heap->len == heap->capacity)
            kv_heap_reserve(heap, MAX(16, heap->capacity * 2));
        sift_up(heap, heap->len++, node);
    } else if (when < before) {
        sift_up(heap, node->index - 1, node);
    } else if (when > before) {
        sift_down(heap, node->index - 1, node);
    }
}

void
kv_heap_remove(KvHeap *heap, KvHeapNode *node)
{
    KvHeapNode *last;
    uint32_t i;

    if (node->index == 0)
        return;
    i = node->index - 1;
    node->index = 0;
    last = heap->nodes[--heap->len];
    if (last == node)
        return;
    if (last->when < node->when)
        sift_up(heap, i, last);
    else
        sift_down(heap, i, last);
}

KvHeapNode *
kv_heap_peek(const KvHeap *heap)
{
    return heap->len > 0 ? heap->nodes[0] : NULL;
}
