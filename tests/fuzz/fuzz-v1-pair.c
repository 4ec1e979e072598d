/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-end.h"
#include "kv-flights.h"
#include "kv-fuzz.h"

#define DELAY      (10 * KV_TIME_MS)
#define PACKETS    40 /* each way */
#define STEPS_MAX  200000
#define PATIENCE   (3600 * KV_TIME_S)
#define FATES_MAX  1024
#define WRAP_START (((UINT64_C(1) << 32) - 200) * KV_TIME_MS)

/* Two ends, and a path that does to each datagram what the next byte of the input says. */
typedef struct {
    KvEnd *ends[2];
    GPtrArray *flights; /* of KvFlight */
    const uint8_t *fates;
    size_t n_fates;
    KvTime now;
} Path;

static void
send_on(Path *path, guint to, uint8_t *data, size_t len)
{
    uint8_t fate = 0;
    KvTime at = path->now + DELAY;

    if (path->n_fates > 0) {
        fate = *path->fates++;
        path->n_fates--;
    }
    switch (fate & 7) {
    case 4:
        return;
    case 5:
        kv_flights_launch(path->flights, to, data, len, at + (fate >> 3) * KV_TIME_MS);
        break;
    case 6:
        at += (KvTime) (fate >> 3) * 20 * KV_TIME_MS;
        break;
    case 7:
        data[(size_t) (fate >> 3) * 37 % len] ^= (uint8_t) (1 + (fate >> 3));
        if ((fate & 8) != 0)
            len -= len / 3;
        break;
    default:
        break;
    }
    kv_flights_launch(path->flights, to, data, len, at);
}

static void
drain(Path *path)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    size_t len;

    for (guint i = 0; i < 2; i++) {
        kv_end_work(path->ends[i], path->now);
        while ((len = kv_session_output(path->ends[i]->session, buf, sizeof buf, NULL, path->now)) >
               0)
            send_on(path, !i, buf, len);
    }
}

static void
step(Path *path)
{
    KvFlight *flight = kv_flights_next(path->flights);
    KvTime next = flight != NULL ? flight->at : KV_TIME_NEVER;

    for (guint i = 0; i < 2; i++)
        next = MIN(next, kv_session_deadline(path->ends[i]->session));
    g_assert(next != KV_TIME_NEVER);
    path->now = MAX(path->now, next);
    if (flight != NULL && flight->at <= path->now) {
        kv_session_input(path->ends[flight->to]->session, flight->data, flight->len, NULL,
                         KV_ECN_NOT_ECT, path->now);
        g_ptr_array_remove(path->flights, flight);
    }
    for (guint i = 0; i < 2; i++) {
        if (kv_session_deadline(path->ends[i]->session) <= path->now)
            kv_session_advance(path->ends[i]->session, path->now);
    }
    drain(path);
}

static KvEnd *
make_end(KvRole role, uint8_t shape, uint8_t how)
{
    static const guint shapes[][2] = {{0, 0}, {10, 3}, {3, 2}, {1, 1}};
    KvV1Config config = kv_end_default_config(role);
    KvEnd *end;

    config.data_shards = shapes[shape & 3][0];
    config.parity_shards = shapes[shape & 3][1];
    config.rapid_fec = (shape & 4) != 0;
    config.udp_mtu = (shape & 8) != 0 ? 300 : 1350;
    if ((how & 1) != 0)
        config.kcp.tuning = (KvKcpTuning){0};
    if ((how & 2) != 0)
        config.kcp.first_sn = 0xfffffff8;
    config.kcp.nc = (how & 4) == 0;
    config.kcp.snd_wnd = config.kcp.rcv_wnd = (how & 8) != 0 ? 8 : 1024;
    config.handshake_timeout = config.peer_timeout = PATIENCE;
    end = kv_end_new(&config, KV_CIPHER_NONE, role, WRAP_START);
    end->to_send = PACKETS;
    return end;
}

/* Two bytes choose the configuration, the rest the fate of each datagram in turn; after that the
 * path is perfect. Every inner packet must arrive intact, once and in order. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Path path = {.now = WRAP_START};
    guint steps = 0;

    if (size < 2)
        return 0;
    path.flights = kv_flights_new();
    path.fates = data + 2;
    path.n_fates = MIN(size - 2, FATES_MAX);
    path.ends[0] = make_end(KV_ROLE_CLIENT, data[0], data[1]);
    path.ends[1] = make_end(KV_ROLE_SERVER, data[0], data[1] >> 4);
    if (((data[1] >> 4) & 2) != (data[1] & 2)) {
        /* Both must begin at the same sn. */
        kv_end_free(path.ends[1]);
        path.ends[1] = make_end(KV_ROLE_SERVER, data[0], (uint8_t) ((data[1] >> 4) ^ 2));
    }
    drain(&path);
    while (path.ends[0]->received < PACKETS || path.ends[1]->received < PACKETS) {
        g_assert(path.ends[0]->n_events[KV_EVENT_CLOSED] == 0);
        g_assert(path.ends[1]->n_events[KV_EVENT_CLOSED] == 0);
        g_assert(++steps < STEPS_MAX);
        step(&path);
    }
    kv_session_close(path.ends[0]->session, path.now);
    for (steps = 0; path.ends[0]->n_events[KV_EVENT_CLOSED] == 0; steps++) {
        g_assert(steps < STEPS_MAX);
        drain(&path);
        step(&path);
    }
    g_assert(path.ends[0]->last_event[KV_EVENT_CLOSED].reason == KV_REASON_LOCAL);
    g_ptr_array_unref(path.flights);
    kv_end_free(path.ends[0]);
    kv_end_free(path.ends[1]);
    return 0;
}
