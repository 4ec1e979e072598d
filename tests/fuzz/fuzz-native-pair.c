/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-flights.h"
#include "kv-fuzz.h"
#include "kv-native-end.h"
#include "kv-null-seal.h"

#include <string.h>

#define START        (1000 * KV_TIME_S)
#define DELAY        (10 * KV_TIME_MS)
#define PACKETS      40 /* each way */
#define STEPS_MAX    100000
#define STEPS_FORGED 1500
#define TIME_FORGED  (20 * KV_TIME_S) /* handshakes, which may go on for ever, cost most */
#define PATIENCE     (3600 * KV_TIME_S)
#define FATES_MAX    512
/* Who hears nothing for minutes gives up, and is right. */
#define LOST_MAX      64
#define LOST_AT_FIRST 12

/* Two ends with a null seal, and a path that does to each datagram what the next bytes of the input
 * say. */
typedef struct {
    KvNativeEnd ends[2];
    GPtrArray *flights; /* of KvFlight */
    KvReader fates;
    guint n_lost;       /* in a row */
    gboolean is_forged; /* something was changed, and its tag made to fit */
    KvTime now;
} Path;

/* Some bytes of the plaintext, or of a handshake's frame, become others. */
static size_t
change(Path *path, uint8_t fate, uint8_t *data, size_t len)
{
    for (guint n = 1 + (fate >> 3 & 3); n > 0 && kv_reader_left(&path->fates) >= 2; n--) {
        size_t at = KV_SEAL_HEAD_BYTES + kv_reader_u8(&path->fates);

        if ((fate & 0x80) != 0)
            at = KV_SEAL_HEAD_BYTES + (at * 37) % len;
        if (at < len)
            data[at] = kv_reader_u8(&path->fates);
    }
    if ((fate & 0x40) != 0)
        len -= len / 3;
    if ((fate & 0x20) != 0) {
        kv_null_seal_fit(data, len);
        path->is_forged = TRUE;
        path->ends[0].is_lenient = path->ends[1].is_lenient = TRUE;
    }
    return len;
}

/* Whether one more may be lost, or damaged, which comes to the same. */
static gboolean
may_lose(Path *path)
{
    gboolean is_ready = path->ends[0].n_events[KV_EVENT_READY] > 0;

    return path->n_lost++ < (is_ready ? LOST_MAX : LOST_AT_FIRST);
}

static void
send_on(Path *path, guint to, uint8_t *data, size_t len)
{
    uint8_t fate = kv_reader_left(&path->fates) > 0 ? kv_reader_u8(&path->fates) : 0;
    KvTime at = path->now + DELAY;

    switch (fate & 7) {
    case 4:
        if (may_lose(path))
            return;
        break;
    case 5:
        kv_flights_launch(path->flights, to, data, len, at + (fate >> 3) * KV_TIME_MS);
        break;
    case 6:
        at += (KvTime) (fate >> 3) * 20 * KV_TIME_MS;
        break;
    case 7:
        if (may_lose(path))
            len = change(path, fate, data, len);
        break;
    default:
        break;
    }
    kv_flights_launch(path->flights, to, data, len, at);
}

static void
drain(Path *path)
{
    uint8_t buf[KV_PACKET_CAPACITY];
    size_t len;

    for (guint i = 0; i < 2; i++) {
        kv_native_end_machine.input_end(&path->ends[i], path->now);
        while ((len = kv_native_end_machine.output(&path->ends[i], buf, sizeof buf, path->now)) > 0)
            send_on(path, !i, buf, len);
    }
}

/* Returns: %FALSE if nothing will happen any more. */
static gboolean
step(Path *path)
{
    KvFlight *flight = kv_flights_next(path->flights);
    KvTime next = flight != NULL ? flight->at : KV_TIME_NEVER;

    for (guint i = 0; i < 2; i++)
        next = MIN(next, kv_native_end_machine.deadline(&path->ends[i]));
    if (next == KV_TIME_NEVER)
        return FALSE;
    path->now = MAX(path->now, next);
    if (flight != NULL && flight->at <= path->now) {
        kv_native_end_machine.input(&path->ends[flight->to], flight->data, flight->len, path->now);
        g_ptr_array_remove(path->flights, flight);
    }
    for (guint i = 0; i < 2; i++) {
        if (kv_native_end_machine.deadline(&path->ends[i]) <= path->now)
            kv_native_end_machine.advance(&path->ends[i], path->now);
    }
    drain(path);
    return TRUE;
}

static void
set_up(Path *path, uint8_t how)
{
    static const guint shapes[][2] = {{0, 0}, {10, 3}, {3, 2}, {1, 1}};

    kv_native_ends_init(&path->ends[0], &path->ends[1], (how & 1) == 0, 1);
    for (guint i = 0; i < 2; i++) {
        KvNativeEnd *end = &path->ends[i];

        end->params.data_shards = shapes[how >> 1 & 3][0];
        end->params.parity_shards = shapes[how >> 1 & 3][1];
        end->params.rapid_fec = (how & 8) != 0;
        end->params.snd_wnd = end->params.rcv_wnd = (how & 16) != 0 ? 32 : 1024;
        end->params.handshake_timeout = PATIENCE;
        end->size_max = (how & 32) != 0 ? 4000 : 1400;
        end->n_routes = (how & 64) != 0 ? 200 : 0;
        end->to_send = PACKETS;
        end->strays = TRUE;
    }
    kv_native_end_start(&path->ends[1], START);
    kv_native_end_start(&path->ends[0], START);
}

static gboolean
is_done(const Path *path)
{
    return path->ends[0].received >= PACKETS && path->ends[1].received >= PACKETS;
}

/* One byte chooses the configuration, the rest the fate of each datagram in turn; after that the
 * path is perfect. Every inner packet must arrive intact, once and in order, unless something was
 * forged: then nothing but bad is expected, and nothing worse may happen. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Path path = {.now = START};
    guint steps = 0;

    if (size < 1)
        return 0;
    path.flights = kv_flights_new();
    kv_reader_init(&path.fates, data + 1, MIN(size - 1, FATES_MAX));
    set_up(&path, data[0]);
    drain(&path);
    while (!is_done(&path) &&
           (!path.is_forged || (steps < STEPS_FORGED && path.now < START + TIME_FORGED))) {
        gboolean goes_on = step(&path);

        g_assert(path.is_forged || (goes_on && path.now < START + PATIENCE));
        g_assert(path.is_forged || path.ends[0].n_events[KV_EVENT_CLOSED] == 0);
        g_assert(++steps < STEPS_MAX);
        if (!goes_on)
            break;
    }
    g_ptr_array_unref(path.flights);
    kv_native_end_clear(&path.ends[0]);
    kv_native_end_clear(&path.ends[1]);
    return 0;
}
