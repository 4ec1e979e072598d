/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-kcp.h"

#define CONV       7
#define PIECE_MAX  255
#define FLIGHTS    64
#define WRITE_MAX  65536
#define DRAIN_TIME (600 * KV_TIME_S)

typedef struct {
    KvKcp *kcp;
    uint64_t written;
    uint64_t read;
} End;

/* Bytes of the script, and the two machines (or the one) it drives. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    KvPacketPool *pool;
    KvTime now;
    End ends[2];
    guint n_ends;
    KvPacket *flights[FLIGHTS]; /* to the end that their index's lowest bit names */
} Run;

static uint8_t
next_byte(Run *run)
{
    return run->at < run->end ? *run->at++ : 0;
}

static KvKcp *
make_kcp(Run *run, uint8_t flags, uint8_t window)
{
    KvKcpConfig config = {.conv = CONV,
                          .mtu = flags & 1 ? 1350 : 100,
                          .snd_wnd = 1 + window,
                          .rcv_wnd = 1 + window,
                          .interval = 10,
                          .resend = flags >> 1 & 3,
                          .nodelay = (flags & 8) != 0,
                          .nc = (flags & 16) != 0,
                          .stream = TRUE,
                          .ack_nodelay = (flags & 32) != 0,
                          .first_sn = (uint32_t) -8};

    if (flags & 64)
        config.tuning = KV_KCP_TUNING_PRODUCT;
    return kv_kcp_new(&config, run->pool, run->now);
}

static void
write_bytes(Run *run, End *end, size_t n)
{
    uint8_t data[PIECE_MAX * 8];
    KvSlice slice = {data, MIN(n, sizeof data)};

    if (!kv_kcp_can_send(end->kcp) || end->written > WRITE_MAX)
        return;
    for (size_t i = 0; i < slice.len; i++)
        data[i] = (uint8_t) (end->written + i);
    if (kv_kcp_send(end->kcp, &slice, 1))
        end->written += slice.len;
    kv_kcp_flush(end->kcp, run->now);
}

static void
read_bytes(const Run *run, End *end)
{
    const uint8_t *data;
    size_t n;

    while ((n = kv_kcp_peek(end->kcp, &data)) > 0) {
        for (size_t i = 0; run->n_ends == 2 && i < n; i++)
            g_assert(data[i] == (uint8_t) (end->read + i));
        kv_kcp_consume(end->kcp, n);
        end->read += n;
    }
}

/* @slot: where to keep the datagram in flight to the other end; NULL: it is lost */
static gboolean
output_one(Run *run, End *end, KvPacket **slot)
{
    g_autoptr(KvPacket) packet = kv_packet_new(run->pool);

    if (packet == NULL)
        return FALSE;
    packet->len = (uint32_t) kv_kcp_output(end->kcp, packet->data, sizeof packet->data, run->now);
    g_assert(packet->len <= 1350);
    if (packet->len == 0)
        return FALSE;
    if (slot != NULL) {
        kv_packet_unref(*slot);
        *slot = g_steal_pointer(&packet);
    }
    return TRUE;
}

static void
input(Run *run, End *end, KvPacket *packet)
{
    kv_kcp_input(end->kcp, packet, 0, packet->len, KV_KCP_RECEIVED, run->now);
}

/* A segment with any values, near the true ones or far from them, and any length behind it. */
static void
input_invented(Run *run, End *end)
{
    g_autoptr(KvPacket) packet = kv_packet_new(run->pool);
    uint8_t kind = next_byte(run);
    uint32_t far = kind & 128 ? (uint32_t) next_byte(run) << 24 : 0;
    size_t have = next_byte(run);
    uint8_t *p;

    if (packet == NULL)
        return;
    p = packet->data;
    kv_put_le32(p, CONV);
    p[4] = (uint8_t) (80 + (kind & 7));
    p[5] = next_byte(run);
    kv_put_le16(p + 6, (uint16_t) (next_byte(run) << (kind >> 3 & 7)));
    kv_put_le32(p + 8, (uint32_t) (run->now / KV_TIME_MS) - next_byte(run) + far);
    kv_put_le32(p + 12, (uint32_t) -8 + next_byte(run) + far);
    kv_put_le32(p + 16, (uint32_t) -8 + next_byte(run) + far);
    kv_put_le32(p + 20, kind & 64 ? next_byte(run) : (uint32_t) have);
    packet->len = (uint32_t) (KV_KCP_HEADER_BYTES + have);
    for (size_t i = 0; i < have; i++)
        p[KV_KCP_HEADER_BYTES + i] = (uint8_t) i;
    input(run, end, packet);
}

static void
input_raw(Run *run, End *end)
{
    g_autoptr(KvPacket) packet = kv_packet_new(run->pool);
    size_t wish = next_byte(run);

    if (packet == NULL)
        return;
    packet->len = (uint32_t) MIN(wish, (size_t) (run->end - run->at));
    memcpy(packet->data, run->at, packet->len);
    run->at += packet->len;
    input(run, end, packet);
}

static void
step(Run *run)
{
    uint8_t op = next_byte(run), message[PIECE_MAX * 2];
    guint which = run->n_ends == 2 ? op >> 7 : 0;
    End *end = &run->ends[which];
    KvPacket **slot = &run->flights[(next_byte(run) % (FLIGHTS / 2)) * 2 + (1 - which)];

    switch (op & 7) {
    case 0:
        write_bytes(run, end, (size_t) next_byte(run) * 8);
        break;
    case 1:
        output_one(run, end, op & 64 ? NULL : slot);
        break;
    case 2: /* what is delivered stays in its place: it may come again */
        slot = &run->flights[(slot - run->flights) ^ 1];
        if (run->n_ends == 2 && *slot != NULL)
            input(run, end, *slot);
        else if (run->n_ends == 1)
            input_invented(run, end);
        break;
    case 3:
        if (run->n_ends == 1)
            input_raw(run, end);
        kv_kcp_input_end(end->kcp, run->now);
        break;
    case 4:
        if (run->n_ends == 1 && op & 8)
            kv_kcp_recv_message(end->kcp, message, sizeof message);
        else
            read_bytes(run, end);
        break;
    case 5:
        kv_kcp_flush(end->kcp, run->now);
        break;
    case 6:
        run->now += (KvTime) next_byte(run) << (op >> 3 & 15);
        break;
    default:
        kv_kcp_advance(end->kcp, run->now);
        break;
    }
    g_assert(kv_kcp_get_waiting(end->kcp) <= 4096);
}

/* Over a path that works now, all that was written arrives. */
static void
finish(Run *run)
{
    KvTime until = run->now + DRAIN_TIME;

    while (run->now < until &&
           (run->ends[0].read < run->ends[1].written || run->ends[1].read < run->ends[0].written)) {
        run->now += 5 * KV_TIME_MS;
        for (guint i = 0; i < 2; i++) {
            KvPacket *packet = NULL;

            kv_kcp_advance(run->ends[i].kcp, run->now);
            while (output_one(run, &run->ends[i], &packet))
                input(run, &run->ends[1 - i], packet);
            kv_packet_unref(packet);
            read_bytes(run, &run->ends[1 - i]);
            kv_kcp_input_end(run->ends[1 - i].kcp, run->now);
        }
    }
    g_assert(run->ends[0].read == run->ends[1].written);
    g_assert(run->ends[1].read == run->ends[0].written);
}

/* The first bytes choose one machine fed with inventions or two over a path that loses, repeats
 * and reorders, and how they are set up; the rest is the script. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Run run = {.at = data, .end = data + size, .now = (UINT64_C(1) << 32) * KV_TIME_MS - 50000};

    if (size < 4)
        return 0;
    run.n_ends = 1 + (next_byte(&run) & 1);
    run.pool = kv_packet_pool_new(8192);
    for (guint i = 0; i < run.n_ends; i++) {
        uint8_t flags = next_byte(&run);

        run.ends[i].kcp = make_kcp(&run, flags, run.n_ends == 2 ? 31 : next_byte(&run));
    }
    while (run.at < run.end)
        step(&run);
    if (run.n_ends == 2)
        finish(&run);
    for (guint i = 0; i < FLIGHTS; i++)
        kv_packet_unref(run.flights[i]);
    for (guint i = 0; i < run.n_ends; i++)
        kv_kcp_free(run.ends[i].kcp);
    kv_packet_pool_free(run.pool);
    return 0;
}
