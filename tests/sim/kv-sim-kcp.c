/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sim-kcp.h"

#include "kv-copies.h"
#include "kv-sim-native.h"
#include "kv-test.h"

#define CHUNK_MAX   16384
#define SMALL_WRITE 1200
#define CHECKSUM    4
#define NUMBER      4 /* bytes of a packet's number, which it begins with where there are flows */
#define FLOWS_MAX   64

typedef struct {
    KvSimKcp *pair;
    KvPacketPool *pool;
    KvKcp *kcp;
    KvSimNative native;
    KvTestRandom sizes;
    uint32_t mtu;
    uint32_t n_written;
    uint64_t written;
    uint64_t to_write;
    uint64_t read;
    KvCopies copies;
    guint turns;     /* left */
    KvTime write_at; /* when the next write is due */
    KvTime retry_at; /* and when to look again whether there is room for it */
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
    uint32_t next_of_flow[FLOWS_MAX];
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

static gboolean
writes_flows(const Side *side)
{
    return side->pair->setup.flows > 0 && side == &side->pair->sides[0];
}

/* How much the next write has. */
static uint64_t
choose_size(Side *side)
{
    const KvSimKcpSetup *setup = &side->pair->setup;
    uint32_t small = setup->write_max > 0 ? setup->write_max : SMALL_WRITE;
    uint32_t most = setup->write_every > 0 || side->turns > 0 ? small : CHUNK_MAX;
    uint32_t least = writes_flows(side) ? NUMBER : 1;
    uint64_t left = side->to_write - side->written;
    uint64_t wish = setup->write_size > 0 ? setup->write_size
                                          : least + kv_test_random_below(&side->sizes, most);

    /* the last packet of a flow has room for its number, too */
    return left < wish + least ? left : wish;
}

static void
send(Side *side, uint8_t *data, uint64_t n)
{
    guint flows = writes_flows(side) ? side->pair->setup.flows : 0;
    KvSlice slices[2] = {{data, n / 3}, {data + n / 3, n - n / 3}};
    gboolean taken;

    if (flows > 0)
        kv_put_le32(data, side->n_written);
    taken = side->pair->setup.config.native
                ? kv_lane_sender_send(&side->native.sender, side->kcp,
                                      flows > 0 ? side->n_written % flows : 0, KV_ECN_NOT_ECT,
                                      slices, 2)
                : kv_kcp_send(side->kcp, slices, 2);
    if (!taken)
        g_error("the pool is empty");
    side->n_written++;
    side->written += n;
}

static void
write_some(Side *side, KvTime now)
{
    static uint8_t chunk[CHUNK_MAX + 2 * NUMBER];
    KvTime pause = side->pair->setup.write_every;

    while (may_write(side, now)) {
        uint64_t n = choose_size(side);

        for (uint64_t i = 0; i < n; i++)
            chunk[i] = stream_byte(side->written + i);
        send(side, chunk, n);
        kv_kcp_flush(side->kcp, now);
        side->turns -= MIN(side->turns, 1);
        if (pause > 0 || writes_flows(side)) {
            Mark mark = {side->written, pause > 0 ? side->write_at : now};

            if (side == &side->pair->sides[0])
                g_array_append_val(side->pair->marks, mark);
            side->write_at += pause;
        }
    }
    side->retry_at = now + KV_TIME_MS;
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
check_stream(Side *side, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (data[i] != stream_byte(side->read + i))
            g_error("byte %" G_GUINT64_FORMAT " is wrong", side->read + i);
    }
    side->read += n;
}

/* A packet of one of several flows: within it the order holds. */
static void
check_packet(Side *side, const uint8_t *data, size_t n, KvTime now)
{
    KvSimKcp *pair = side->pair;
    uint32_t number = kv_get_le32(data);
    uint32_t *next = &pair->next_of_flow[number % pair->setup.flows];
    const Mark *mark = &g_array_index(pair->marks, Mark, number);
    uint64_t begin = number > 0 ? mark[-1].end : 0;
    KvTime delay = kv_time_elapsed(now, mark->at);

    if (number != *next)
        g_error("packet %u came, not %u", number, *next);
    *next += pair->setup.flows;
    if (n != mark->end - begin)
        g_error("packet %u has %zu bytes", number, n);
    for (size_t i = NUMBER; i < n; i++) {
        if (data[i] != stream_byte(begin + i))
            g_error("byte %zu of packet %u is wrong", i, number);
    }
    g_array_append_val(pair->delays, delay);
    side->read += n;
}

static void
read_packets(Side *side, KvTime now)
{
    gboolean has_flows = side->pair->setup.flows > 0 && side == &side->pair->sides[1];
    size_t n;

    while ((n = kv_sim_native_recv(&side->native)) > 0) {
        if (has_flows)
            check_packet(side, side->native.buf, n, now);
        else
            check_stream(side, side->native.buf, n);
    }
}

static void
read_some(Side *side, KvTime now)
{
    const uint8_t *data;
    size_t n;

    if (side->pair->setup.config.native)
        read_packets(side, now);
    while (now >= side->read_at && (n = kv_kcp_peek(side->kcp, &data)) > 0) {
        n = 1 + kv_test_random_below(&side->sizes, (uint32_t) n);
        check_stream(side, data, n);
        kv_kcp_consume(side->kcp, n);
        if (side->read_pause > 0)
            side->read_at = now + side->read_pause;
    }
    if (side->pair->setup.flows == 0)
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
    if (side->pair->setup.config.native)
        kv_sim_native_input(&side->native, packet, now);
    else
        kv_kcp_input(side->kcp, packet, 0, len, KV_KCP_RECEIVED, now);
}

static size_t
take_output(Side *side, uint8_t *buf, size_t cap, KvTime now)
{
    const KvKcpConfig *config = &side->pair->setup.config;

    cap = MIN(cap - CHECKSUM, side->mtu - config->reserved);
    return config->native ? kv_sim_native_output(&side->native, buf, cap, now)
                          : kv_kcp_output(side->kcp, buf, cap, now);
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
    n = take_output(side, buf, cap, now);
    if (n == 0) {
        write_some(side, now);
        n = take_output(side, buf, cap, now);
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
        at = MIN(at, MAX(side->write_at, side->retry_at));
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

    g_assert_cmpuint(setup->flows, <=, FLOWS_MAX);
    for (guint i = 0; i < setup->flows; i++)
        pair->next_of_flow[i] = i;
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
        if (config.native)
            kv_sim_native_init(&side->native, side->kcp, &config, config.first_sn);
        side->mtu = config.mtu;
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
        kv_sim_native_clear(&pair->sides[i].native);
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

uint32_t
kv_sim_kcp_get_kept(KvSimKcp *pair, guint end)
{
    return kv_lanes_get_kept(pair->sides[end].native.lanes);
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
