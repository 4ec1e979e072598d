/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "native/kv-control-stream.h"
#include "native/kv-record.h"

#include <string.h>

#define ROOM (KV_CONTROL_PART_BYTES + KV_FRAME_CONTROL_BYTES)
#define RTT  (30 * KV_TIME_MS)

typedef struct {
    KvControlStream *sender;
    KvControlStream *receiver;
    KvTime now;
    GArray *lens; /* of the batches that were sent, guint */
    guint n_received;
    gboolean is_forged;
    gboolean is_broken; /* the receiver had enough */
} Model;

static void
send_batch(Model *model, guint len)
{
    g_autofree uint8_t *records = g_malloc(len);

    memset(records, (int) model->lens->len, len);
    if (kv_control_stream_send(model->sender, records, len))
        g_array_append_val(model->lens, len);
}

/* What comes is what was sent, in order, as long as nobody forged. */
static void
receive_batches(Model *model)
{
    GBytes *batch;

    while ((batch = kv_control_stream_recv(model->receiver)) != NULL) {
        gsize len;
        const uint8_t *data = g_bytes_get_data(batch, &len);

        g_assert(len > 0 && len <= KV_RECORDS_MAX);
        if (!model->is_forged) {
            g_assert(model->n_received < model->lens->len);
            g_assert(len == g_array_index(model->lens, guint, model->n_received));
            g_assert(data[0] == (uint8_t) model->n_received && data[len - 1] == data[0]);
        }
        model->n_received++;
        g_bytes_unref(batch);
    }
}

static void
input(Model *model, KvControlStream *stream, const uint8_t *bytes, size_t len)
{
    KvReader reader;
    KvFrame frame;

    kv_reader_init(&reader, bytes, len);
    while (!model->is_broken && kv_frame_next(&reader, &frame)) {
        if (frame.type == KV_FRAME_CONTROL_ACK)
            kv_control_stream_input_ack(stream, frame.next);
        else if (frame.type == KV_FRAME_CONTROL)
            model->is_broken = !kv_control_stream_input(stream, &frame.control);
        receive_batches(model);
    }
    g_assert(!model->is_broken || model->is_forged);
}

/* One datagram from @from to @to, which may be lost, or come twice. */
static void
exchange(Model *model, KvControlStream *from, KvControlStream *to, guint copies)
{
    uint8_t bytes[ROOM];
    KvFrameWriter writer = {bytes, sizeof bytes, 0};

    kv_control_stream_output(from, &writer, RTT, model->now);
    for (guint i = 0; i < copies; i++)
        input(model, to, bytes, writer.len);
}

static void
run(Model *model, KvReader *reader)
{
    while (kv_reader_left(reader) > 0 && !model->is_broken) {
        uint8_t op = kv_reader_u8(reader);
        size_t left = kv_reader_left(reader);
        size_t len = MIN(op >> 3, left);

        switch (op & 7) {
        case 0:
            send_batch(model, 1 + (op >> 3) * 173u);
            break;
        case 1:
            model->is_forged = TRUE;
            input(model, op & 8 ? model->sender : model->receiver, kv_reader_bytes(reader, len),
                  len);
            break;
        case 2:
            model->now += (KvTime) (op >> 3) * 10 * KV_TIME_MS;
            break;
        case 3:
        case 4:
        case 5:
            exchange(model, model->sender, model->receiver, op >> 3 & 3);
            break;
        default:
            exchange(model, model->receiver, model->sender, op >> 3 & 3);
            break;
        }
    }
}

/* Whatever was lost, all arrives in the end, and then both are silent. */
static void
check_end(Model *model)
{
    while (kv_control_stream_deadline(model->sender) != KV_TIME_NEVER ||
           kv_control_stream_deadline(model->receiver) != KV_TIME_NEVER) {
        exchange(model, model->sender, model->receiver, 1);
        exchange(model, model->receiver, model->sender, 1);
        if (kv_control_stream_deadline(model->sender) > model->now)
            model->now += 10 * KV_TIME_MS;
        g_assert(model->now < 1000 * KV_TIME_S);
    }
    g_assert(model->n_received == model->lens->len);
}

/* Each byte sends, forges, lets time pass, or exchanges datagrams that may be lost or repeated. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Model model = {.sender = kv_control_stream_new(),
                   .receiver = kv_control_stream_new(),
                   .lens = g_array_new(FALSE, FALSE, sizeof(guint))};
    KvReader reader;

    kv_reader_init(&reader, data, size);
    run(&model, &reader);
    if (!model.is_forged)
        check_end(&model);
    kv_control_stream_free(model.sender);
    kv_control_stream_free(model.receiver);
    g_array_unref(model.lens);
    return 0;
}
