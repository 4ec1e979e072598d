/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-time.h"

/**
 * KvHeap:
 *
 * A binary heap of deadlines. An element is a #KvHeapNode embedded in what it belongs to and
 * remembers its own place, so moving and removing it costs O(log n) and finding it nothing.
 * One thread at a time. The heap's array grows with kv_heap_reserve() or on insertion.
 */
typedef struct {
    KvTime when;
    uint32_t index; /* place in the heap + 1; 0: not in a heap */
} KvHeapNode;

typedef struct {
    KvHeapNode **nodes;
    uint32_t len;
    uint32_t capacity;
} KvHeap;

void kv_heap_init(KvHeap *heap);
void kv_heap_clear(KvHeap *heap);

/* Makes room for @capacity elements, so that later insertions up to it never allocate. */
void kv_heap_reserve(KvHeap *heap, uint32_t capacity);

/* Puts @node at @when: inserts it or moves it; %KV_TIME_NEVER takes it out. */
void kv_heap_set(KvHeap *heap, KvHeapNode *node, KvTime when);
void kv_heap_remove(KvHeap *heap, KvHeapNode *node);

/* (transfer none) (nullable): the earliest element, which stays in. */
KvHeapNode *kv_heap_peek(const KvHeap *heap);

static inline gboolean
kv_heap_node_is_queued(const KvHeapNode *node)
{
    return node->index != 0;
}
