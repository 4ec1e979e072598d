/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-flow.h"
#include "kv-queue.h"
#include "kv-test-packet.h"
#include "kv-test.h"

#include <string.h>

#define LIMIT (600 * 1000)

static const uint8_t key[KV_FLOW_KEY_BYTES] = {1};

typedef struct {
    KvPacketPool *pool;
    KvQueue *queue;
    KvTime now;
    uint8_t got[KV_TEST_PACKET_MAX];
    size_t got_len;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->pool = kv_packet_pool_new(4096);
    f->queue = kv_queue_new(KV_VNI_MODE_TUN, f->pool, LIMIT, key);
    f->now = 1000 * KV_TIME_S;
}

/* Proves, after every test: the queue gives every packet back to the pool. */
static void
tear_down(Fixture *f, gconstpointer data)
{
    kv_queue_free(f->queue);
    g_assert_cmpuint(kv_packet_pool_get_used(f->pool), ==, 0);
    kv_packet_pool_free(f->pool);
}

/* A packet of @len bytes that begins with @number. */
static void
push(Fixture *f, uint32_t flow, uint32_t number, size_t len)
{
    g_autofree uint8_t *rest = g_malloc(len);
    KvSlice slices[2] = {{&number, sizeof number}, {rest, len - sizeof number}};

    memset(rest, (int) number, len);
    g_assert_true(kv_queue_push(f->queue, slices, 2, 0x0800, flow, f->now));
}

static gboolean
pop(Fixture *f, uint32_t *number)
{
    KvSlice slices[KV_QUEUE_SLICES_MAX];
    uint16_t ethertype;
    uint32_t flow;
    guint n = kv_queue_pop(f->queue, slices, &ethertype, &flow, f->now);

    f->got_len = 0;
    for (guint i = 0; i < n; i++) {
        memcpy(f->got + f->got_len, slices[i].data, slices[i].len);
        f->got_len += slices[i].len;
    }
    if (n == 0)
        return FALSE;
    g_assert_cmpuint(ethertype, ==, 0x0800);
    memcpy(number, f->got, sizeof *number);
    return TRUE;
}

/* Proves: packets of every size come out whole, in order, within a flow. */
static void
test_order_and_sizes(Fixture *f, gconstpointer data)
{
    static const size_t sizes[] = {4, 5, 1500, 1503, 1504, 1505, 1518, 3040, 3041, 9000, 65535};
    uint32_t number;
    size_t bytes = 0;

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        push(f, 7, i, sizes[i]);
        bytes += sizes[i];
    }
    g_assert_cmpuint(kv_queue_get_packets(f->queue), ==, G_N_ELEMENTS(sizes));
    g_assert_cmpuint(kv_queue_get_bytes(f->queue), ==, bytes);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_assert_true(pop(f, &number));
        g_assert_cmpuint(number, ==, i);
        g_assert_cmpuint(f->got_len, ==, sizes[i]);
        for (size_t j = 4; j < f->got_len; j++)
            g_assert_cmpuint(f->got[j], ==, i);
    }
    g_assert_false(pop(f, &number));
    g_assert_true(kv_queue_is_empty(f->queue));
    g_assert_cmpuint(kv_queue_get_packets(f->queue), ==, 0);
    g_assert_cmpuint(kv_queue_get_bytes(f->queue), ==, 0);
}

/* Proves: a sparse flow does not wait behind a bulk one. */
static void
test_sparse_first(Fixture *f, gconstpointer data)
{
    uint32_t number;

    for (guint i = 0; i < 100; i++)
        push(f, 1, 1, 1400);
    for (guint i = 0; i < 10; i++)
        g_assert_true(pop(f, &number));
    push(f, 2, 2, 100);
    for (guint i = 0; i < 4; i++) {
        g_assert_true(pop(f, &number));
        if (number == 2)
            return;
    }
    g_assert_not_reached();
}

/* Proves: two bulk flows share in bytes, whatever the sizes of their packets. */
static void
test_fair_shares(Fixture *f, gconstpointer data)
{
    size_t bytes[3] = {0};
    uint32_t number;

    for (guint i = 0; i < 60; i++)
        push(f, 1, 1, 1500);
    for (guint i = 0; i < 300; i++)
        push(f, 2, 2, 300);
    while (bytes[1] + bytes[2] < 100000) {
        g_assert_true(pop(f, &number));
        bytes[number] += f->got_len;
    }
    g_assert_cmpuint(MAX(bytes[1], bytes[2]) - MIN(bytes[1], bytes[2]), <=, 6100);
}

/* Proves: the bound holds, and it is the longest flow that pays. */
static void
test_bound(Fixture *f, gconstpointer data)
{
    guint small = 0;
    size_t total = 0;
    uint32_t number;

    for (guint i = 0; i < 20; i++)
        push(f, 2, 2, 500);
    for (guint i = 0; i < 1000; i++)
        push(f, 1, 1, 1500);
    g_assert_cmpuint(kv_queue_get_drops(f->queue), >, 300);
    while (pop(f, &number)) {
        small += number == 2;
        total += f->got_len;
    }
    g_assert_cmpuint(small, ==, 20);
    g_assert_cmpuint(total, <=, LIMIT);

    /* Small packets take as much memory as large ones. */
    for (guint i = 0; i < 3000; i++)
        push(f, 1, 1, 60);
    g_assert_cmpuint(kv_packet_pool_get_used(f->pool) * sizeof(KvPacket), <=,
                     LIMIT + sizeof(KvPacket));
}

/* Takes a packet each millisecond while @per_ms come in, for @ms. */
static void
run_load(Fixture *f, guint per_ms, guint ms)
{
    uint32_t number;

    for (guint i = 0; i < ms; i++) {
        for (guint j = 0; j < per_ms; j++)
            push(f, 1, i, 1000);
        pop(f, &number);
        f->now += KV_TIME_MS;
    }
}

/* Proves: CoDel drops from a queue that stands, and not from a burst that drains in time. */
static void
test_standing_queue(Fixture *f, gconstpointer data)
{
    uint32_t number;

    for (guint i = 0; i < 100; i++)
        push(f, 1, i, 1000);
    for (guint i = 0; i < 100; i++) {
        g_assert_true(pop(f, &number));
        f->now += KV_TIME_MS;
    }
    g_assert_cmpuint(kv_queue_get_drops(f->queue), ==, 0);

    for (guint i = 0; i < 150; i++)
        push(f, 1, i, 1000);
    run_load(f, 1, 5000);
    g_assert_cmpuint(kv_queue_get_drops(f->queue), >, 3);
}

/* Proves: packets of a sender that knows ECN are marked instead of dropped. */
static void
test_ecn(Fixture *f, gconstpointer data)
{
    static KvTestBuffer buffer;
    KvTestPacket packet = {.version = 6, .payload_len = 1000, .tcp_flags = 0x10};
    uint32_t number;
    guint marked = 0;

    kv_test_packet_build(&buffer, &packet);
    buffer.data[1] = 0x20; /* ECT(0) */
    for (guint i = 0; i < 5130; i++) {
        KvSlice slice = {buffer.data, buffer.len};

        g_assert_true(kv_queue_push(f->queue, &slice, 1, 0x0800, 1, f->now));
        if (i < 130)
            continue;
        g_assert_true(pop(f, &number));
        marked += (f->got[1] >> 4 & 3) == 3;
        f->now += KV_TIME_MS;
    }
    g_assert_cmpuint(marked, >, 3);
    g_assert_cmpuint(kv_queue_get_drops(f->queue), ==, 0);
}

/* Proves: an empty pool loses the packet, and nothing else. */
static void
test_empty_pool(Fixture *f, gconstpointer data)
{
    g_autoptr(KvPacketPool) pool = kv_packet_pool_new(3);
    KvQueue *queue = kv_queue_new(KV_VNI_MODE_TUN, pool, LIMIT, key);
    uint8_t bytes[4000] = {0};
    KvSlice slice = {bytes, sizeof bytes};
    KvSlice out[KV_QUEUE_SLICES_MAX];
    uint16_t ethertype;
    uint32_t flow;

    g_assert_true(kv_queue_push(queue, &slice, 1, 0x0800, 1, f->now));
    g_assert_false(kv_queue_push(queue, &slice, 1, 0x0800, 1, f->now));
    g_assert_cmpuint(kv_queue_pop(queue, out, &ethertype, &flow, f->now), ==, 3);
    g_assert_cmpuint(flow, ==, 1);
    g_assert_cmpuint(kv_queue_pop(queue, out, &ethertype, &flow, f->now), ==, 0);
    g_assert_cmpuint(kv_packet_pool_get_used(pool), ==, 0);
    kv_queue_free(queue);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*func)(Fixture *f, gconstpointer data);
    } tests[] = {
        {"/queue/order-and-sizes", test_order_and_sizes},
        {"/queue/sparse-first", test_sparse_first},
        {"/queue/fair-shares", test_fair_shares},
        {"/queue/bound", test_bound},
        {"/queue/standing-queue", test_standing_queue},
        {"/queue/ecn", test_ecn},
        {"/queue/empty-pool", test_empty_pool},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].func, tear_down);
    return kv_test_main(&argc, &argv);
}
