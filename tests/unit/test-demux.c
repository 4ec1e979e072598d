/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-demux.h"
#include "kv-test.h"

#include <arpa/inet.h>

#define N_ENTRIES     3000
#define HALF_OPEN_MAX 128

static KvSockaddr
make_address(uint32_t n)
{
    KvSockaddr address = {0};

    address.v4.sin_family = AF_INET;
    address.v4.sin_addr.s_addr = htonl(0x0a000000 + n / 7);
    address.v4.sin_port = htons((uint16_t) (1024 + n % 7));
    return address;
}

/* Proves: after any order of adding and removing, exactly what was added is found. */
static void
test_find_after_random_changes(void)
{
    static KvDemuxEntry entries[N_ENTRIES];
    g_autoptr(KvDemux) demux = kv_demux_new(HALF_OPEN_MAX);
    KvTestRandom random;
    guint in = 0;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < N_ENTRIES; i++)
        entries[i].remote = make_address(i);
    for (guint step = 0; step < 40000; step++) {
        KvDemuxEntry *entry = &entries[kv_test_random_below(&random, N_ENTRIES)];
        KvDemuxEntry *probe = &entries[kv_test_random_below(&random, N_ENTRIES)];

        if (entry->slot != 0) {
            kv_demux_remove(demux, entry);
            in--;
        } else {
            kv_demux_add(demux, entry);
            kv_demux_establish(demux, entry);
            in++;
        }
        g_assert_true(kv_demux_find(demux, &probe->remote) == (probe->slot != 0 ? probe : NULL));
        g_assert_cmpuint(kv_demux_get_size(demux), ==, in);
        g_assert_cmpuint(kv_demux_get_half_open(demux), ==, 0);
    }
    for (guint i = 0; i < N_ENTRIES; i++)
        kv_demux_remove(demux, &entries[i]);
    g_assert_cmpuint(kv_demux_get_size(demux), ==, 0);
}

/* Proves: IPv4 and IPv6 senders, and ports of one address, are told apart. */
static void
test_address_families(void)
{
    g_autoptr(KvDemux) demux = kv_demux_new(HALF_OPEN_MAX);
    KvDemuxEntry v4 = {.remote = make_address(1)};
    KvDemuxEntry v6 = {0};
    KvSockaddr other_port;

    v6.remote.v6.sin6_family = AF_INET6;
    v6.remote.v6.sin6_port = v4.remote.v4.sin_port;
    inet_pton(AF_INET6, "2001:db8::1", &v6.remote.v6.sin6_addr);
    kv_demux_add(demux, &v4);
    kv_demux_add(demux, &v6);
    g_assert_true(kv_demux_find(demux, &v4.remote) == &v4);
    g_assert_true(kv_demux_find(demux, &v6.remote) == &v6);
    other_port = v6.remote;
    other_port.v6.sin6_port ^= 1;
    g_assert_null(kv_demux_find(demux, &other_port));
    kv_demux_remove(demux, &v4);
    kv_demux_remove(demux, &v6);
}

/* Proves: strangers get a burst, then the rate, whatever the clock's value. */
static void
test_rate_of_strangers(void)
{
    const KvTime starts[] = {0, KV_TIME_S, 1000000 * KV_TIME_S};

    for (guint i = 0; i < G_N_ELEMENTS(starts); i++) {
        g_autoptr(KvDemux) demux = kv_demux_new(HALF_OPEN_MAX);
        KvTime now = starts[i] + 10 * KV_TIME_S;
        guint admitted = 0;

        for (guint n = 0; n < 1000; n++)
            admitted += kv_demux_admit(demux, now) == KV_DROP_NONE;
        g_assert_cmpuint(admitted, ==, KV_DEMUX_NEW_BURST);
        admitted = 0;
        for (guint ms = 0; ms < 10000; ms++)
            admitted += kv_demux_admit(demux, now += KV_TIME_MS) == KV_DROP_NONE;
        g_assert_cmpuint(admitted, >=, 10 * KV_DEMUX_NEW_PER_S - 1);
        g_assert_cmpuint(admitted, <=, 10 * KV_DEMUX_NEW_PER_S + 1);
    }
}

/* Proves: half-open sessions are bounded, and finishing or dropping one makes room again. */
static void
test_half_open_bound(void)
{
    static KvDemuxEntry entries[HALF_OPEN_MAX];
    g_autoptr(KvDemux) demux = kv_demux_new(HALF_OPEN_MAX);
    KvTime now = 1000 * KV_TIME_S;

    for (guint i = 0; i < HALF_OPEN_MAX; i++) {
        entries[i].remote = make_address(i);
        g_assert_cmpint(kv_demux_admit(demux, now += KV_TIME_S), ==, KV_DROP_NONE);
        kv_demux_add(demux, &entries[i]);
    }
    g_assert_cmpint(kv_demux_admit(demux, now += KV_TIME_S), ==, KV_DROP_RATE);
    kv_demux_establish(demux, &entries[0]);
    g_assert_cmpint(kv_demux_admit(demux, now += KV_TIME_S), ==, KV_DROP_NONE);
    for (guint i = 0; i < HALF_OPEN_MAX; i++)
        kv_demux_remove(demux, &entries[i]);
    g_assert_cmpuint(kv_demux_get_half_open(demux), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/demux/find-after-random-changes", test_find_after_random_changes);
    g_test_add_func("/demux/address-families", test_address_families);
    g_test_add_func("/demux/rate-of-strangers", test_rate_of_strangers);
    g_test_add_func("/demux/half-open-bound", test_half_open_bound);
    return kv_test_main(&argc, &argv);
}
