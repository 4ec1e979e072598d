/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sim-kcp.h"

#include "kv-copies.h"

#include "kv-test.h"

#define CHUNK_MAX   16384
#define SMALL_WRITE 1200
#define CHECKSUM    4

typedef struct {
    KvSimKcp *pair;
    KvPacketPool *pool;
    KvKcp *kcp;
    KvTestRandom sizes;
    uint64_t written;
    uint64_t to_write;
    uint64_t read;
    KvCopies copies;
    guint turns; /* left */
    KvTime write_at;
    KvTime read_at;
    KvTime read_pause;
} Side;

/* One write of end 0. */
typedef struct {
    uint64_t end; /* in the stream */
    KvTime at;
} Mark;

struct _KvSimKcp {
    KvSimKcpSetup setup;
    KvSim *sim;
    Side sides[2];
    GArray *marks; /* of Mark: the writes of end 0 with pauses */
    guint n_read;  /* the first so many of them have been read */
    GArray *delays;
};

/* Byte @at of the stream that end @from writes. */
static uint8_t
stream_byte(uint64_t at)
{
    return (uint8_t) (at * 7 + (at >> 8) * 13 + (at >> 16) * 31);
}

static gboolean
may_write(const Side *side, KvTime now)
{
    return side->written < side->to_write && now >= side->write_at && kv_kcp_can_send(side->kcp) &&
           (side->turns == 0 || kv_kcp_get_waiting(side->kcp) == 0);
}

static void
write_some(Side *side, KvTime now)
{
    static uint8_t chunk[CHUNK_MAX];
    KvTime pause = side->pair->setup.write_every;
    uint32_t small = side->pair->setup.write_max > 0 ? side->pair->setup.write_max : SMALL_WRITE;

    while (may_write(side, now)) {
        uint32_t most = pause > 0 || side->turns > 0 ? small : CHUNK_MAX;
        uint64_t wish = 1 + (uint64_t) kv_test_random_below(&side->sizes, most);
        uint64_t n = MIN(side->to_write - side->written, wish);
        KvSlice slices[2] = {{chunk, n / 3}, {chunk + n / 3, n - n / 3}};

        for (uint64_t i = 0; i < n; i++)
            chunk[i] = stream_byte(side->written + i);
        if (!kv_kcp_send(side->kcp, slices, 2))
            g_error("the pool is empty");
        kv_kcp_flush(side->kcp, now);
        side->written += n;
        side->turns -= MIN(side->turns, 1);
        if (pause > 0) {
            Mark mark = {side->written, now};

            if (side == &side->pair->sides[0])
                g_array_append_val(side->pair->marks, mark);
            side->write_at = now + pause;
        }
    }
}

static void
note_delays(KvSimKcp *pair, KvTime now)
{
    for (; pair->n_read < pair->marks->len; pair->n_read++) {
        const Mark *mark = &g_array_index(pair->marks, Mark, pair->n_read);
        KvTime delay = kv_time_elapsed(now, mark->at);

        if (mark->end > pair->sides[1].read)
            return;
        g_array_append_val(pair->delays, delay);
    }
}

static void
read_some(Side *side, KvTime now)
{
    const uint8_t *data;
    size_t n;

    while (now >= side->read_at && (n = kv_kcp_peek(side->kcp, &data)) > 0) {
        n = 1 + kv_test_random_below(&side->sizes, (uint32_t) n);
        for (size_t i = 0; i < n; i++) {
            if (data[i] != stream_byte(side->read + i))
                g_error("byte %" G_GUINT64_FORMAT " is wrong", side->read + i);
        }
        kv_kcp_consume(side->kcp, n);
        side->read += n;
        if (side->read_pause > 0)
            side->read_at = now + side->read_pause;
    }
    note_delays(side->pair, now);
}

/* Stands in for the seal around a real datagram: what the path spoilt is not believed. */
static uint32_t
checksum(const uint8_t *data, size_t len)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < len; i++)
        sum = (sum ^ data[i]) * 16777619u;
    return sum;
}

static void
on_input(void *self, const uint8_t *data, size_t len, KvTime now)
{
    Side *side = self;
    g_autoptr(KvPacket) packet = NULL;

    if (len < CHECKSUM)
        return;
    len -= CHECKSUM;
    if (kv_get_le32(data + len) != checksum(data, len))
        return;
    packet = kv_packet_new(side->pool);
    if (packet == NULL)
        g_error("the pool is empty");
    memcpy(packet->data, data, len);
    packet->len = (uint32_t) len;
    kv_kcp_input(side->kcp, packet, 0, len, KV_KCP_RECEIVED, now);
}

static void
on_input_end(void *self, KvTime now)
{
    Side *side = self;

    read_some(side, now);
    kv_kcp_input_end(side->kcp, now);
    write_some(side, now);
}

static size_t
on_output(void *self, uint8_t *buf, size_t cap, KvTime now)
{
    Side *side = self;
    guint copies;
    KvTime again = now + kv_kcp_get_copy_delay(side->kcp);
    size_t n = kv_copies_take(&side->copies, buf, now, again);

    if (n > 0)
        return n;
    n = kv_kcp_output(side->kcp, buf, cap - CHECKSUM, now);
    if (n == 0) {
        write_some(side, now);
        n = kv_kcp_output(side->kcp, buf, cap - CHECKSUM, now);
    }
    if (n == 0)
        return 0;
    copies = kv_kcp_take_copies(side->kcp, n, now);
    kv_put_le32(buf + n, checksum(buf, n));
    if (copies > 0)
        kv_copies_keep(&side->copies, buf, n + CHECKSUM, copies, again);
    return n + CHECKSUM;
}

static KvTime
on_deadline(void *self)
{
    Side *side = self;
    const uint8_t *data;
    KvTime at = MIN(kv_kcp_deadline(side->kcp), kv_copies_deadline(&side->copies));

    if (side->written < side->to_write && side->pair->setup.write_every > 0)
        at = MIN(at, side->write_at);
    if (side->read_pause > 0 && kv_kcp_peek(side->kcp, &data) > 0)
        at = MIN(at, side->read_at);
    return at;
}

static void
on_advance(void *self, KvTime now)
{
    Side *side = self;

    read_some(side, now);
    kv_kcp_advance(side->kcp, now);
    write_some(side, now);
}

static const KvSimMachine machine = {
    .input = on_input,
    .input_end = on_input_end,
    .output = on_output,
    .deadline = on_deadline,
    .advance = on_advance,
};

KvSimKcp *
kv_sim_kcp_new(uint64_t seed, const KvSimKcpSetup *setup)
{
    KvSimKcp *pair = g_new0(KvSimKcp, 1);
    KvSimLink back = setup->link;

    pair->setup = *setup;
    pair->marks = g_array_new(FALSE, FALSE, sizeof(Mark));
    pair->delays = g_array_new(FALSE, FALSE, sizeof(KvTime));
    pair->sim = kv_sim_new(seed, setup->start);
    if (setup->rate_back > 0)
        back.rate = setup->rate_back;
    kv_sim_set_link(pair->sim, 0, &setup->link);
    kv_sim_set_link(pair->sim, 1, &back);
    for (guint i = 0; i < 2; i++) {
        Side *side = &pair->sides[i];
        KvKcpConfig config = setup->config;

        if (i == 1)
            config.tuning = setup->peer_tuning;
        side->pair = pair;
        side->pool = kv_packet_pool_new(1000000);
        side->kcp = kv_kcp_new(&config, side->pool, setup->start);
        kv_copies_init(&side->copies, side->pool);
        side->to_write = setup->bytes[i];
        side->turns = i == 0 ? setup->turns : 0;
        side->read_pause = i == 1 ? setup->slow_reader : 0;
        side->write_at = side->read_at = setup->start;
        kv_test_random_init(&side->sizes, seed + i);
        kv_sim_attach(pair->sim, i, &machine, side);
    }
    return pair;
}

void
kv_sim_kcp_free(KvSimKcp *pair)
{
    if (pair == NULL)
        return;
    kv_sim_free(pair->sim);
    g_array_unref(pair->marks);
    g_array_unref(pair->delays);
    for (guint i = 0; i < 2; i++) {
        kv_copies_clear(&pair->sides[i].copies);
        kv_kcp_free(pair->sides[i].kcp);
        kv_packet_pool_free(pair->sides[i].pool);
    }
    g_free(pair);
}

KvSim *
kv_sim_kcp_get_sim(KvSimKcp *pair)
{
    return pair->sim;
}

KvKcp *
kv_sim_kcp_get_machine(KvSimKcp *pair, guint end)
{
    return pair->sides[end].kcp;
}

static gboolean
all_arrived(void *data)
{
    const KvSimKcp *pair = data;

    return pair->sides[0].read == pair->sides[1].to_write &&
           pair->sides[1].read == pair->sides[0].to_write;
}

gboolean
kv_sim_kcp_run(KvSimKcp *pair, KvTime limit)
{
    for (guint i = 0; i < 2; i++)
        kv_sim_poke(pair->sim, i);
    return kv_sim_run(pair->sim, kv_sim_get_now(pair->sim) + limit, all_arrived, pair);
}

uint64_t
kv_sim_kcp_get_read(KvSimKcp *pair, guint end)
{
    return pair->sides[end].read;
}

static int
compare_times(const void *a, const void *b)
{
    KvTime x = *(const KvTime *) a, y = *(const KvTime *) b;

    return (x > y) - (x < y);
}

KvTime
kv_sim_kcp_get_delay(KvSimKcp *pair, double share)
{
    g_assert_cmpuint(pair->delays->len, >, 0);
    g_array_sort(pair->delays, compare_times);
    return g_array_index(pair->delays, KvTime, (guint) (share * (pair->delays->len - 1)));
}
