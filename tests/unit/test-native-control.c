/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-control-stream.h"
#include "native/kv-record.h"

#include <string.h>

#define ROOM (KV_CONTROL_PART_BYTES + KV_FRAME_CONTROL_BYTES)
#define RTT  (40 * KV_TIME_MS)

/* Two ends; what one writes is a datagram that comes half a round trip later, or never. */
typedef struct {
    KvTestRandom random;
    KvControlStream *ends[2];
    KvTime now;
    guint loss;       /* % */
    GQueue flying[2]; /* of Datagram, to each end */
} Link;

typedef struct {
    KvTime arrival;
    size_t len;
    uint8_t bytes[ROOM];
} Datagram;

static void
link_init(Link *link, guint loss)
{
    memset(link, 0, sizeof *link);
    kv_test_random_init(&link->random, kv_test_get_seed());
    link->loss = loss;
    for (guint i = 0; i < 2; i++) {
        link->ends[i] = kv_control_stream_new();
        g_queue_init(&link->flying[i]);
    }
}

static void
link_clear(Link *link)
{
    for (guint i = 0; i < 2; i++) {
        kv_control_stream_free(link->ends[i]);
        g_queue_clear_full(&link->flying[i], g_free);
    }
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Link, link_clear)

/* Bytes that tell a batch from others. */
static uint8_t *
make_batch(guint number, size_t len)
{
    uint8_t *records = g_malloc(len);

    for (size_t i = 0; i < len; i++)
        records[i] = (uint8_t) (number * 31 + i + (i >> 8));
    return records;
}

static gboolean
send_batch(KvControlStream *stream, guint number, size_t len)
{
    g_autofree uint8_t *records = make_batch(number, len);

    return kv_control_stream_send(stream, records, len);
}

static void
expect_batch(KvControlStream *stream, guint number, size_t len)
{
    g_autofree uint8_t *records = make_batch(number, len);
    g_autoptr(GBytes) batch = kv_control_stream_recv(stream);
    gsize got;
    const void *data;

    g_assert_nonnull(batch);
    data = g_bytes_get_data(batch, &got);
    kv_test_assert_bytes(data, got, records, len, "batch");
}

/* What @stream writes into one datagram of @room bytes. */
static size_t
write_datagram(KvControlStream *stream, uint8_t *bytes, size_t room, KvTime rtt, KvTime now)
{
    KvFrameWriter writer = {bytes, room, 0};

    kv_control_stream_output(stream, &writer, rtt, now);
    return writer.len;
}

static gboolean
read_datagram(KvControlStream *stream, const uint8_t *bytes, size_t len)
{
    KvReader reader;
    KvFrame frame;

    kv_reader_init(&reader, bytes, len);
    while (kv_frame_next(&reader, &frame)) {
        if (frame.type == KV_FRAME_CONTROL_ACK)
            kv_control_stream_input_ack(stream, frame.next);
        else if (!kv_control_stream_input(stream, &frame.control))
            return FALSE;
    }
    g_assert_false(reader.failed);
    return TRUE;
}

/* Lets end @i write all it has by now. Returns: how many datagrams that were. */
static guint
write_all(Link *link, guint i)
{
    guint n = 0;

    while (kv_control_stream_deadline(link->ends[i]) <= link->now) {
        g_autofree Datagram *datagram = g_new0(Datagram, 1);

        datagram->arrival = link->now + RTT / 2;
        datagram->len = write_datagram(link->ends[i], datagram->bytes, ROOM, RTT, link->now);
        g_assert_cmpuint(datagram->len, >, 0);
        n++;
        if (kv_test_random_below(&link->random, 100) >= link->loss)
            g_queue_push_tail(&link->flying[1 - i], g_steal_pointer(&datagram));
    }
    return n;
}

static void
read_all(Link *link, guint i)
{
    const Datagram *first;

    while ((first = g_queue_peek_head(&link->flying[i])) != NULL && first->arrival <= link->now) {
        g_autofree Datagram *datagram = g_queue_pop_head(&link->flying[i]);

        g_assert_true(read_datagram(link->ends[i], datagram->bytes, datagram->len));
    }
}

static void
step(Link *link)
{
    for (guint i = 0; i < 2; i++)
        read_all(link, i);
    for (guint i = 0; i < 2; i++)
        write_all(link, i);
    link->now += KV_TIME_MS;
}

/* Proves: batches of every length arrive in order and whole, both ways, at any loss, and then
 * nobody has anything to do. */
static void
test_loss(void)
{
    static const size_t lens[] = {1, 1023, 1024, 1025, 2048, 20000, KV_RECORDS_MAX};
    static const guint losses[] = {0, 10, 30, 60};

    for (guint i = 0; i < G_N_ELEMENTS(losses); i++) {
        g_auto(Link) link;

        link_init(&link, losses[i]);
        for (guint j = 0; j < G_N_ELEMENTS(lens); j++) {
            g_assert_true(send_batch(link.ends[0], j, lens[j]));
            g_assert_true(send_batch(link.ends[1], j + 100, lens[j] / 2 + 1));
        }
        while (kv_control_stream_deadline(link.ends[0]) != KV_TIME_NEVER ||
               kv_control_stream_deadline(link.ends[1]) != KV_TIME_NEVER) {
            step(&link);
            g_assert_cmpuint(link.now, <, 300 * KV_TIME_S);
        }
        for (guint j = 0; j < G_N_ELEMENTS(lens); j++) {
            expect_batch(link.ends[1], j, lens[j]);
            expect_batch(link.ends[0], j + 100, lens[j] / 2 + 1);
        }
        g_assert_null(kv_control_stream_recv(link.ends[0]));
        g_assert_null(kv_control_stream_recv(link.ends[1]));
        g_test_message("%u %% loss: %" G_GUINT64_FORMAT " ms", losses[i], link.now / KV_TIME_MS);
        if (losses[i] == 0)
            g_assert_cmpuint(link.now, <, 14 * RTT);
    }
}

/* Proves: the sequence wraps, and late copies from before it do no harm. */
static void
test_wrap(void)
{
    uint8_t old[ROOM];
    size_t old_len;
    g_auto(Link) link;

    link_init(&link, 0);
    g_assert_true(send_batch(link.ends[0], 0, 5));
    old_len = write_datagram(link.ends[0], old, ROOM, RTT, 0);
    for (guint i = 0; i < 40000; i++) {
        uint8_t bytes[ROOM];
        size_t len;

        if (i > 0) {
            g_assert_true(send_batch(link.ends[0], i, 5));
            len = write_datagram(link.ends[0], bytes, ROOM, RTT, link.now);
            g_assert_true(read_datagram(link.ends[1], bytes, len));
        }
        if (i < 16384) /* later it is from the other half of the numbers */
            g_assert_true(read_datagram(link.ends[1], old, old_len));
        expect_batch(link.ends[1], i, 5);
        len = write_datagram(link.ends[1], bytes, ROOM, RTT, link.now);
        g_assert_true(read_datagram(link.ends[0], bytes, len));
        g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, KV_TIME_NEVER);
    }
}

/* Proves: eight parts leave and no more; an acknowledgement lets as many follow; the order in which
 * they come does not matter. */
static void
test_window(void)
{
    uint8_t datagrams[KV_CONTROL_WINDOW][ROOM];
    size_t lens[KV_CONTROL_WINDOW];
    uint8_t bytes[ROOM];
    g_auto(Link) link;

    link_init(&link, 0);
    g_assert_true(send_batch(link.ends[0], 1, 10 * KV_CONTROL_PART_BYTES));
    for (guint i = 0; i < KV_CONTROL_WINDOW; i++) {
        g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, 0);
        lens[i] = write_datagram(link.ends[0], datagrams[i], ROOM, RTT, 0);
        g_assert_cmpuint(lens[i], ==, ROOM);
    }
    g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, RTT + RTT / 2);
    g_assert_cmpuint(write_datagram(link.ends[0], bytes, ROOM, RTT, 0), ==, 0);
    for (guint i = KV_CONTROL_WINDOW; i-- > 0;)
        g_assert_true(read_datagram(link.ends[1], datagrams[i], lens[i]));

    kv_control_stream_input_ack(link.ends[0], 9); /* of what was never sent */
    g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, RTT + RTT / 2);
    g_assert_cmpuint(write_datagram(link.ends[1], bytes, ROOM, RTT, 0), ==, 3);
    g_assert_cmpuint(kv_get_le16(bytes + 1), ==, 8);
    g_assert_true(read_datagram(link.ends[0], bytes, 3));
    for (guint i = 0; i < 3; i++) {
        lens[i] = write_datagram(link.ends[0], datagrams[i], ROOM, RTT, 0);
        g_assert_true(read_datagram(link.ends[1], datagrams[i], lens[i]));
    }
    expect_batch(link.ends[1], 1, 10 * KV_CONTROL_PART_BYTES);
    kv_control_stream_input_ack(link.ends[0], 3); /* an old one */
    g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, RTT + RTT / 2);
    kv_control_stream_input_ack(link.ends[0], 11);
    g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, KV_TIME_NEVER);
}

/* Proves: a part goes again after 1.5 round trips and then twice as late each time, within bounds.
 */
static void
test_repeats(void)
{
    static const struct {
        KvTime rtt;
        guint ms[6];
    } rows[] = {
        {0, {500, 1000, 2000, 3000, 3000, 3000}},
        {5 * KV_TIME_MS, {20, 40, 80, 160, 320, 640}},
        {40 * KV_TIME_MS, {60, 120, 240, 480, 960, 1920}},
        {4 * KV_TIME_S, {6000, 6000, 6000, 6000, 6000, 6000}},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint8_t bytes[ROOM];
        KvTime now = 7;
        g_auto(Link) link;

        link_init(&link, 0);
        g_assert_true(send_batch(link.ends[0], 1, 1));
        g_assert_cmpuint(write_datagram(link.ends[0], bytes, ROOM, rows[i].rtt, now), ==, 6 + 5);
        for (guint j = 0; j < G_N_ELEMENTS(rows[i].ms); j++) {
            KvTime next = now + rows[i].ms[j] * KV_TIME_MS;

            g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, next);
            g_assert_cmpuint(write_datagram(link.ends[0], bytes, ROOM, rows[i].rtt, next - 1), ==,
                             0);
            g_assert_cmpuint(write_datagram(link.ends[0], bytes, ROOM, rows[i].rtt, next), ==, 11);
            now = next;
        }
    }
}

/* Proves: what has no room in one datagram leaves with the next. */
static void
test_room(void)
{
    uint8_t bytes[ROOM];
    g_auto(Link) link;

    link_init(&link, 0);
    g_assert_true(send_batch(link.ends[0], 1, 100));
    g_assert_true(kv_control_stream_input(link.ends[0], &(KvFrameControl){.sequence = 0}));
    g_assert_cmpuint(write_datagram(link.ends[0], bytes, 2, RTT, 0), ==, 0);
    g_assert_cmpuint(write_datagram(link.ends[0], bytes, 104, RTT, 0), ==, 3);
    g_assert_cmpuint(write_datagram(link.ends[0], bytes, 104, RTT, 0), ==, 0);
    g_assert_cmpuint(kv_control_stream_deadline(link.ends[0]), ==, 0);
    g_assert_cmpuint(write_datagram(link.ends[0], bytes, 105, RTT, 0), ==, 105);
    g_assert_cmpuint(write_datagram(link.ends[0], bytes, 105, RTT, 0), ==, 5);
}

/* Proves: the sender's memory is bounded, and so is the receiver's, whatever comes. */
static void
test_limits(void)
{
    uint8_t part[4096] = {0};
    KvFrameControl control = {.len = sizeof part, .data = part};
    g_auto(Link) link;

    link_init(&link, 0);
    for (guint i = 0; i < KV_CONTROL_BATCHES_MAX; i++)
        g_assert_true(send_batch(link.ends[0], i, 1));
    g_assert_false(send_batch(link.ends[0], 9, 1));

    control.sequence = 8;
    g_assert_false(kv_control_stream_input(link.ends[1], &control));
    control.sequence = 7;
    g_assert_true(kv_control_stream_input(link.ends[1], &control));
    for (control.sequence = 0; control.sequence < 15; control.sequence++)
        g_assert_true(kv_control_stream_input(link.ends[1], &control));
    control.len = 4095; /* 65535 in all */
    g_assert_true(kv_control_stream_input(link.ends[1], &control));
    control.sequence++;
    control.len = 1;
    g_assert_false(kv_control_stream_input(link.ends[1], &control));
    g_assert_null(kv_control_stream_recv(link.ends[1]));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-control/loss", test_loss);
    g_test_add_func("/native-control/wrap", test_wrap);
    g_test_add_func("/native-control/window", test_window);
    g_test_add_func("/native-control/repeats", test_repeats);
    g_test_add_func("/native-control/room", test_room);
    g_test_add_func("/native-control/limits", test_limits);
    return kv_test_main(&argc, &argv);
}
