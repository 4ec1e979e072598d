/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-copies.h"
#include "kv-test.h"

#include <string.h>

typedef struct {
    KvPacketPool *pool;
    KvCopies copies;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->pool = kv_packet_pool_new(2 * KV_COPIES_MAX + 1);
    kv_copies_init(&f->copies, f->pool);
}

/* Proves, after every test: every packet comes back to the pool. */
static void
tear_down(Fixture *f, gconstpointer data)
{
    kv_copies_clear(&f->copies);
    g_assert_cmpuint(kv_packet_pool_get_used(f->pool), ==, 0);
    kv_packet_pool_free(f->pool);
}

static void
keep(Fixture *f, const char *text, guint times, KvTime due)
{
    kv_copies_keep(&f->copies, (const uint8_t *) text, strlen(text), times, due);
}

/* What leaves at @now must be @text; NULL: nothing. */
static void
check_take(Fixture *f, KvTime now, KvTime next, const char *text)
{
    uint8_t buf[KV_PACKET_CAPACITY];
    size_t len = kv_copies_take(&f->copies, buf, now, next);

    if (text == NULL)
        g_assert_cmpuint(len, ==, 0);
    else
        g_assert_cmpmem(buf, len, text, strlen(text));
}

/* Proves: a datagram leaves as often as asked for, as it is, not before its time. */
static void
test_times(Fixture *f, gconstpointer data)
{
    g_assert_cmpuint(kv_copies_deadline(&f->copies), ==, KV_TIME_NEVER);
    check_take(f, 1000, 1000, NULL);
    keep(f, "twice", 2, 102);
    keep(f, "once", 1, 103);
    g_assert_cmpuint(kv_copies_deadline(&f->copies), ==, 102);
    check_take(f, 101, 103, NULL);
    check_take(f, 102, 104, "twice");
    check_take(f, 102, 104, NULL);
    check_take(f, 104, 106, "once");
    check_take(f, 104, 106, "twice");
    check_take(f, 1000, 1000, NULL);
    g_assert_cmpuint(kv_copies_deadline(&f->copies), ==, KV_TIME_NEVER);
}

/* Proves: a full ring takes no more and forgets nothing it has; what is left behind is freed. */
static void
test_full(Fixture *f, gconstpointer data)
{
    for (guint i = 0; i < KV_COPIES_MAX + 5; i++) {
        char text[2] = {(char) ('a' + i % 26), 0};

        keep(f, text, 1, i);
    }
    g_assert_cmpuint(kv_packet_pool_get_used(f->pool), ==, KV_COPIES_MAX);
    check_take(f, 0, 0, "a");
    check_take(f, 1, 0, "b");
    keep(f, "last", 1, 5000);
    for (guint i = 2; i < KV_COPIES_MAX; i++) {
        char text[2] = {(char) ('a' + i % 26), 0};

        check_take(f, 5000, 0, text);
    }
    check_take(f, 5000, 0, "last");
    keep(f, "left", 2, 1);
}

/* Proves: while half of the pool is gone, copies take nothing from it. */
static void
test_scarce(Fixture *f, gconstpointer data)
{
    KvPacket *taken[KV_COPIES_MAX + 2];

    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        taken[i] = kv_packet_new(f->pool);
    keep(f, "none", 1, 0);
    check_take(f, 10, 0, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        kv_packet_unref(taken[i]);
    keep(f, "some", 1, 0);
    check_take(f, 10, 0, "some");
}

int
main(int argc, char **argv)
{
    g_test_add("/copies/times", Fixture, NULL, set_up, test_times, tear_down);
    g_test_add("/copies/full", Fixture, NULL, set_up, test_full, tear_down);
    g_test_add("/copies/scarce", Fixture, NULL, set_up, test_scarce, tear_down);
    return kv_test_main(&argc, &argv);
}
