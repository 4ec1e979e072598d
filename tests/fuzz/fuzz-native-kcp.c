/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-kcp-native.h"
#include "native/kv-lane-sender.h"
#include "native/kv-lanes.h"

#define FIRST        ((uint32_t) -8)
#define WINDOW       64
#define FLIGHTS      32
#define LANES        4
#define NUMBER_MAX   2000
#define DATAGRAM_MAX 512
#define DRAIN_TIME   (3600 * KV_TIME_S)

typedef struct {
    KvKcp *kcp;
    KvLanes *lanes;
    KvLaneSender sender;
    uint32_t n_written;
    uint32_t n_read;
    uint32_t next[LANES]; /* number of the packet that is to be read next from each lane */
} End;

/* Bytes of the script, and the two ends (or the one) it drives. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    KvPacketPool *pool;
    KvTime now;
    End ends[2];
    guint n_ends;
    gboolean has_gaps; /* packets were given up */
    KvPacket *flights[2][FLIGHTS];
    uint8_t buf[KV_LANES_PACKET_MAX];
} Run;

static uint8_t
next_byte(Run *run)
{
    return run->at < run->end ? *run->at++ : 0;
}

static uint32_t
next_number(Run *run)
{
    uint8_t kind = next_byte(run);

    return FIRST + next_byte(run) + (kind & 1 ? (uint32_t) kind << 24 : 0);
}

static void
make_end(Run *run, End *end, gboolean hostile)
{
    KvKcpConfig config = {.mtu = 100,
                          .snd_wnd = WINDOW,
                          .rcv_wnd = WINDOW,
                          .interval = 10,
                          .nc = TRUE,
                          .native = TRUE,
                          .peer_wnd = WINDOW,
                          .first_sn = FIRST,
                          .tuning = KV_KCP_TUNING_PRODUCT};
    KvLanesConfig lanes = {.kept_max = WINDOW,
                           .patience = hostile ? 20 * KV_TIME_MS : 0,
                           .first_sn = FIRST,
                           .first_sequence = FIRST};

    end->kcp = kv_kcp_new(&config, run->pool, run->now);
    end->lanes = kv_lanes_new(&lanes);
    for (guint i = 0; i < LANES; i++) {
        end->sender.next[i] = FIRST;
        end->next[i] = i;
    }
}

/* Packets are numbered, go to the lanes in turn, and are as long as their number says. */
static size_t
get_size(uint32_t number)
{
    return 4 + number * 37 % 200;
}

static void
write_packet(Run *run, End *end)
{
    uint8_t data[256];
    KvSlice slice = {data, get_size(end->n_written)};

    if (!kv_kcp_can_send(end->kcp) || end->n_written >= NUMBER_MAX)
        return;
    memset(data, (uint8_t) end->n_written, sizeof data);
    kv_put_le32(data, end->n_written);
    if (kv_lane_sender_send(&end->sender, end->kcp, end->n_written % LANES, KV_ECN_NOT_ECT, &slice,
                            1))
        end->n_written++;
    kv_kcp_flush(end->kcp, run->now);
}

static void
check_packet(const Run *run, End *end, size_t len)
{
    uint32_t number = kv_get_le32(run->buf);
    uint32_t *next = &end->next[number % LANES];

    g_assert(len == get_size(number));
    for (size_t i = 4; i < len; i++)
        g_assert(run->buf[i] == (uint8_t) number);
    g_assert(run->has_gaps ? number >= *next : number == *next);
    *next = number + LANES;
}

static void
read_packets(Run *run, End *end)
{
    KvEcn ecn;
    size_t n;

    kv_lanes_settle(end->lanes, kv_kcp_get_una(end->kcp));
    while ((n = kv_lanes_recv(end->lanes, run->buf, sizeof run->buf, &ecn)) > 0) {
        if (run->n_ends == 2)
            check_packet(run, end, n);
        end->n_read++;
    }
    g_assert(kv_lanes_get_kept(end->lanes) <= WINDOW + KV_LANES_KEPT_MORE);
}

static void
input_frame(Run *run, End *end, KvFrame *frame, KvPacket *packet)
{
    if (frame->type == KV_FRAME_HEAD)
        kv_kcp_input_head(end->kcp, &frame->head, KV_KCP_RECEIVED, run->now);
    else if (frame->type == KV_FRAME_REPORT)
        kv_kcp_input_report(end->kcp, &frame->report, run->now);
    else if (frame->type == KV_FRAME_DGRAM ||
             (frame->type == KV_FRAME_SEG &&
              kv_kcp_input_segment(end->kcp, frame->part.sn, run->now)))
        kv_lanes_input(end->lanes, frame->type, &frame->part, packet, run->now);
}

static void
input(Run *run, End *end, KvPacket *packet)
{
    KvReader reader;
    KvFrame frame;

    kv_reader_init(&reader, packet->data, packet->len);
    while (kv_frame_next(&reader, &frame))
        input_frame(run, end, &frame, packet);
    read_packets(run, end);
}

static void
put(KvFrameWriter *writer, KvFrame *frame, KvFrameType type)
{
    gboolean had_room;

    frame->type = type;
    had_room = kv_frame_put(writer, frame);
    g_assert(had_room);
}

/* (transfer full) (nullable): the next datagram of @end */
static KvPacket *
output(Run *run, End *end)
{
    g_autoptr(KvPacket) packet = kv_packet_new(run->pool);
    KvFrame head = {0}, frame = {0};
    KvFrameWriter writer;
    gboolean has_head;

    if (packet == NULL)
        return NULL;
    writer = (KvFrameWriter){packet->data, DATAGRAM_MAX, 0};
    if (kv_kcp_owes_report(end->kcp, run->now)) {
        kv_kcp_fill_report(end->kcp, &frame.report, run->now);
        put(&writer, &frame, KV_FRAME_REPORT);
    }
    has_head = kv_kcp_begin_datagram(end->kcp, &head.head, run->now);
    if (has_head)
        put(&writer, &head, KV_FRAME_HEAD);
    while (kv_kcp_next_segment(end->kcp, DATAGRAM_MAX - KV_FRAME_HEAD_BYTES - writer.len,
                               &frame.part, run->now)) {
        if (!has_head)
            put(&writer, &head, KV_FRAME_HEAD);
        has_head = TRUE;
        put(&writer, &frame, KV_FRAME_SEG);
    }
    packet->len = (uint32_t) writer.len;
    return packet->len > 0 ? g_steal_pointer(&packet) : NULL;
}

/* A frame with any values, near the true ones or far from them. */
static void
input_invented(Run *run, End *end)
{
    g_autoptr(KvPacket) packet = kv_packet_new(run->pool);
    uint8_t kind = next_byte(run);
    KvFrame frame = {.type = KV_FRAME_HEAD + kind % 4};

    if (packet == NULL)
        return;
    packet->len = next_byte(run);
    memset(packet->data, kind, packet->len);
    if (frame.type == KV_FRAME_HEAD) {
        frame.head = (KvFrameHead){next_number(run), next_number(run), next_byte(run),
                                   (uint32_t) run->now - next_number(run)};
    } else if (frame.type == KV_FRAME_REPORT) {
        frame.report.una = next_number(run);
        frame.report.ts = (uint32_t) run->now - next_number(run);
        frame.report.delay = (uint16_t) (next_byte(run) << 8);
        frame.report.wnd = next_byte(run);
        frame.report.n_ranges = kind / 4 % (KV_FRAME_RANGES_MAX + 1);
        for (guint i = 0; i < frame.report.n_ranges; i++)
            frame.report.ranges[i] =
                (KvFrameRange){next_byte(run), (uint16_t) (1 + next_byte(run) * 16)};
    } else {
        uint16_t lane = next_byte(run) % LANES;

        lane |= (uint16_t) ((kind >> 6) << 14);
        frame.part = (KvFramePart){.sn = next_number(run),
                                   .lane = lane,
                                   .lane_sequence = next_number(run),
                                   .len = (uint16_t) packet->len,
                                   .data = packet->data};
    }
    input_frame(run, end, &frame, packet);
}

/* The path takes less, or more again: what does not fit is given up. */
static void
change_mtu(Run *run, End *end)
{
    uint32_t mtu = 60 + next_byte(run);

    run->has_gaps = TRUE;
    kv_kcp_set_mtu(end->kcp, mtu, run->now);
}

static void
step(Run *run)
{
    uint8_t op = next_byte(run);
    guint which = run->n_ends == 2 ? op >> 7 : 0;
    End *end = &run->ends[which];
    uint8_t place = next_byte(run) % FLIGHTS;
    g_autoptr(KvPacket) packet = NULL;

    switch (op & 7) {
    case 0:
        write_packet(run, end);
        break;
    case 1: /* one in two is lost, or overwrites one that is under way */
        packet = output(run, end);
        if (packet == NULL || op & 64)
            break;
        kv_packet_unref(run->flights[1 - which][place]);
        run->flights[1 - which][place] = g_steal_pointer(&packet);
        break;
    case 2: /* what is delivered stays in its place: it may come again */
        if (run->n_ends == 1)
            input_invented(run, end);
        else if (run->flights[which][place] != NULL)
            input(run, end, run->flights[which][place]);
        break;
    case 3:
        kv_kcp_input_end(end->kcp, run->now);
        break;
    case 4:
        read_packets(run, end);
        break;
    case 5:
        if (op & 8)
            change_mtu(run, end);
        break;
    case 6:
        run->now += (KvTime) next_byte(run) << (op >> 3 & 15);
        break;
    default:
        kv_kcp_advance(end->kcp, run->now);
        kv_lanes_advance(end->lanes, run->now);
        break;
    }
    g_assert(kv_kcp_get_waiting(end->kcp) <= NUMBER_MAX * 8);
}

static gboolean
is_finished(const Run *run)
{
    for (guint i = 0; i < 2; i++) {
        if (kv_kcp_get_waiting(run->ends[i].kcp) > 0)
            return FALSE;
    }
    return TRUE;
}

/* Over a path that works now, all that was written arrives, but for what was given up. */
static void
finish(Run *run)
{
    KvTime until = run->now + DRAIN_TIME;
    gboolean is_first = TRUE;

    while (run->now < until && !is_finished(run)) {
        KvTime due = MIN(kv_kcp_deadline(run->ends[0].kcp), kv_kcp_deadline(run->ends[1].kcp));

        /* the script may have left what was due undone, which is no deadline any more */
        g_assert(due != KV_TIME_NEVER || is_first);
        is_first = FALSE;
        run->now += 5 * KV_TIME_MS;
        if (due != KV_TIME_NEVER)
            run->now = MAX(run->now, due);
        for (guint i = 0; i < 2; i++) {
            KvPacket *packet;

            kv_kcp_advance(run->ends[i].kcp, run->now);
            while ((packet = output(run, &run->ends[i])) != NULL) {
                input(run, &run->ends[1 - i], packet);
                kv_packet_unref(packet);
            }
            kv_kcp_input_end(run->ends[1 - i].kcp, run->now);
        }
    }
    g_assert(is_finished(run));
    for (guint i = 0; i < 2; i++)
        g_assert(run->has_gaps || run->ends[i].n_read == run->ends[1 - i].n_written);
}

/* The first byte chooses one end fed with inventions or two over a path that loses, repeats and
 * reorders; the rest is the script. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree Run *run = g_new0(Run, 1);

    run->at = data;
    run->end = data + size;
    run->now = (UINT64_C(1) << 32) - 50000;
    run->n_ends = 1 + (next_byte(run) & 1);
    run->pool = kv_packet_pool_new(8192);
    for (guint i = 0; i < run->n_ends; i++)
        make_end(run, &run->ends[i], run->n_ends == 1);
    while (run->at < run->end)
        step(run);
    if (run->n_ends == 2)
        finish(run);
    for (guint i = 0; i < 2 * FLIGHTS; i++)
        kv_packet_unref(run->flights[i / FLIGHTS][i % FLIGHTS]);
    for (guint i = 0; i < run->n_ends; i++) {
        kv_lanes_free(run->ends[i].lanes);
        kv_kcp_free(run->ends[i].kcp);
    }
    kv_packet_pool_free(run->pool);
    return 0;
}
