/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-heap.h"
#include "kv-test.h"

#define N_NODES 500

static KvTime
minimum(const KvHeapNode *nodes)
{
    KvTime least = KV_TIME_NEVER;

    for (guint i = 0; i < N_NODES; i++) {
        if (kv_heap_node_is_queued(&nodes[i]))
            least = MIN(least, nodes[i].when);
    }
    return least;
}

/* Proves: after any mix of insertions, moves and removals the top is the earliest. */
static void
test_random_operations(void)
{
    static KvHeapNode nodes[N_NODES];
    KvTestRandom random;
    KvHeap heap;

    kv_heap_init(&heap);
    kv_test_random_init(&random, kv_test_get_seed());
    for (guint step = 0; step < 20000; step++) {
        KvHeapNode *node = &nodes[kv_test_random_below(&random, N_NODES)];
        KvHeapNode *top;

        switch (kv_test_random_below(&random, 4)) {
        case 0:
            kv_heap_remove(&heap, node);
            g_assert_false(kv_heap_node_is_queued(node));
            break;
        case 1:
            kv_heap_set(&heap, node, KV_TIME_NEVER);
            g_assert_false(kv_heap_node_is_queued(node));
            break;
        default:
            kv_heap_set(&heap, node, kv_test_random_below(&random, 1000));
            break;
        }
        top = kv_heap_peek(&heap);
        g_assert_cmpuint(top != NULL ? top->when : KV_TIME_NEVER, ==, minimum(nodes));
    }
    kv_heap_clear(&heap);
    for (guint i = 0; i < N_NODES; i++)
        g_assert_false(kv_heap_node_is_queued(&nodes[i]));
}

/* Proves: draining gives every element once, in order. */
static void
test_drain_in_order(void)
{
    KvHeapNode nodes[N_NODES] = {0};
    KvTestRandom random;
    KvTime last = 0;
    guint n = 0;
    KvHeap heap;

    kv_heap_init(&heap);
    kv_heap_reserve(&heap, N_NODES);
    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < N_NODES; i++)
        kv_heap_set(&heap, &nodes[i], kv_test_random_below(&random, 100));
    for (KvHeapNode *top; (top = kv_heap_peek(&heap)) != NULL; n++) {
        g_assert_cmpuint(top->when, >=, last);
        last = top->when;
        kv_heap_remove(&heap, top);
    }
    g_assert_cmpuint(n, ==, N_NODES);
    kv_heap_clear(&heap);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/heap/random-operations", test_random_operations);
    g_test_add_func("/heap/drain-in-order", test_drain_in_order);
    return kv_test_main(&argc, &argv);
}
