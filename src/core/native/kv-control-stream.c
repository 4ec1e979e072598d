/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-control-stream.h"

#include "native/kv-record.h"

/* When a part goes again: after 1.5 round trips, then after twice as long each time. */
#define RESEND_UNKNOWN (500 * KV_TIME_MS) /* before the first round trip is known */
#define RESEND_MIN     (20 * KV_TIME_MS)
#define RESEND_MAX     (3 * KV_TIME_S)
#define DOUBLINGS_MAX  8

typedef struct {
    KvTime resend;
    guint doublings;
} Flight;

struct _KvControlStream {
    /* to the peer */
    GQueue parts; /* of GBytes: those under way, then those that wait; an empty one ends a batch */
    guint n_batches;                   /* whose end is among them */
    uint16_t first;                    /* sequence of the first of them */
    guint n_flying;                    /* of these */
    Flight flights[KV_CONTROL_WINDOW]; /* by sequence */

    /* from the peer */
    uint16_t next; /* sequence */
    gboolean ack_due;
    GBytes *early[KV_CONTROL_WINDOW]; /* by sequence, from next on */
    GByteArray *batch;                /* that is not whole yet */
    GQueue batches;                   /* of GBytes */
};

KvControlStream *
kv_control_stream_new(void)
{
    KvControlStream *stream = g_new0(KvControlStream, 1);

    g_queue_init(&stream->parts);
    g_queue_init(&stream->batches);
    stream->batch = g_byte_array_new();
    return stream;
}

void
kv_control_stream_free(KvControlStream *stream)
{
    if (stream == NULL)
        return;
    g_queue_clear_full(&stream->parts, (GDestroyNotify) g_bytes_unref);
    g_queue_clear_full(&stream->batches, (GDestroyNotify) g_bytes_unref);
    for (guint i = 0; i < KV_CONTROL_WINDOW; i++)
        g_clear_pointer(&stream->early[i], g_bytes_unref);
    g_byte_array_unref(stream->batch);
    g_free(stream);
}

/* --- to the peer ---------------------------------------------------------------------------- */

gboolean
kv_control_stream_has_room(const KvControlStream *stream)
{
    return stream->n_batches < KV_CONTROL_BATCHES_MAX;
}

gboolean
kv_control_stream_send(KvControlStream *stream, const uint8_t *records, size_t len)
{
    g_autoptr(GBytes) all = NULL;

    g_return_val_if_fail(len > 0 && len <= KV_RECORDS_MAX, FALSE);
    if (!kv_control_stream_has_room(stream))
        return FALSE;
    all = g_bytes_new(records, len);
    for (size_t at = 0; at < len; at += KV_CONTROL_PART_BYTES)
        g_queue_push_tail(&stream->parts,
                          g_bytes_new_from_bytes(all, at, MIN(len - at, KV_CONTROL_PART_BYTES)));
    g_queue_push_tail(&stream->parts, g_bytes_new(NULL, 0));
    stream->n_batches++;
    return TRUE;
}

static guint
get_window(const KvControlStream *stream)
{
    return MIN(stream->parts.length, KV_CONTROL_WINDOW);
}

static KvTime
get_resend_delay(KvTime rtt, guint doublings)
{
    KvTime first = rtt == 0 ? RESEND_UNKNOWN : MAX(rtt + rtt / 2, RESEND_MIN);

    return MIN(first << doublings, MAX(first, RESEND_MAX));
}

static void
output_ack(KvControlStream *stream, KvFrameWriter *writer)
{
    KvFrame frame = {.type = KV_FRAME_CONTROL_ACK, .next = stream->next};

    if (stream->ack_due && kv_frame_put(writer, &frame))
        stream->ack_due = FALSE;
}

/* Writes the @i-th part of the window, if it is due. Returns: %FALSE if it has no room. */
static gboolean
output_part(KvControlStream *stream, guint i, GBytes *bytes, KvFrameWriter *writer, KvTime rtt,
            KvTime now)
{
    KvFrame frame = {.type = KV_FRAME_CONTROL};
    Flight *flight;
    gsize len;

    frame.control.sequence = (uint16_t) (stream->first + i);
    flight = &stream->flights[frame.control.sequence % KV_CONTROL_WINDOW];
    if (i < stream->n_flying && flight->resend > now)
        return TRUE;
    frame.control.data = g_bytes_get_data(bytes, &len);
    frame.control.len = (uint16_t) len;
    if (!kv_frame_put(writer, &frame))
        return FALSE;
    if (i == stream->n_flying) {
        stream->n_flying++;
        flight->doublings = 0;
    }
    flight->resend = kv_time_add(now, get_resend_delay(rtt, flight->doublings));
    flight->doublings = MIN(flight->doublings + 1, DOUBLINGS_MAX);
    return TRUE;
}

void
kv_control_stream_output(KvControlStream *stream, KvFrameWriter *writer, KvTime rtt, KvTime now)
{
    guint window = get_window(stream);
    GList *part = stream->parts.head;

    output_ack(stream, writer);
    for (guint i = 0; i < window; i++, part = part->next) {
        if (!output_part(stream, i, part->data, writer, rtt, now))
            return;
    }
}

KvTime
kv_control_stream_deadline(const KvControlStream *stream)
{
    KvTime deadline = KV_TIME_NEVER;

    if (stream->ack_due || stream->n_flying < get_window(stream))
        return 0;
    for (guint i = 0; i < stream->n_flying; i++) {
        uint16_t sequence = (uint16_t) (stream->first + i);

        deadline = MIN(deadline, stream->flights[sequence % KV_CONTROL_WINDOW].resend);
    }
    return deadline;
}

void
kv_control_stream_input_ack(KvControlStream *stream, uint16_t next)
{
    guint n = (uint16_t) (next - stream->first);

    if (n > stream->n_flying)
        return; /* an old one, or nothing that was sent */
    for (guint i = 0; i < n; i++) {
        g_autoptr(GBytes) part = g_queue_pop_head(&stream->parts);

        if (g_bytes_get_size(part) == 0)
            stream->n_batches--;
    }
    stream->n_flying -= n;
    stream->first = next;
}

/* --- from the peer -------------------------------------------------------------------------- */

static void
finish_batch(KvControlStream *stream)
{
    if (stream->batch->len == 0)
        return;
    g_queue_push_tail(&stream->batches, g_byte_array_free_to_bytes(stream->batch));
    stream->batch = g_byte_array_new();
}

/* Takes the parts that come next. */
static gboolean
join_parts(KvControlStream *stream)
{
    for (;;) {
        GBytes **slot = &stream->early[stream->next % KV_CONTROL_WINDOW];
        g_autoptr(GBytes) part = g_steal_pointer(slot);
        gsize len;
        const void *data;

        if (part == NULL)
            return TRUE;
        data = g_bytes_get_data(part, &len);
        if (stream->batch->len + len > KV_RECORDS_MAX)
            return FALSE;
        if (len > 0)
            g_byte_array_append(stream->batch, data, (guint) len);
        else
            finish_batch(stream);
        stream->next++;
    }
}

gboolean
kv_control_stream_input(KvControlStream *stream, const KvFrameControl *part)
{
    uint16_t ahead = (uint16_t) (part->sequence - stream->next);
    GBytes **slot = &stream->early[part->sequence % KV_CONTROL_WINDOW];

    stream->ack_due = TRUE;
    if (ahead > INT16_MAX)
        return TRUE; /* once more: the acknowledgement was lost */
    if (ahead >= KV_CONTROL_WINDOW)
        return FALSE;
    if (*slot == NULL)
        *slot = g_bytes_new(part->data, part->len);
    return join_parts(stream);
}

GBytes *
kv_control_stream_recv(KvControlStream *stream)
{
    return g_queue_pop_head(&stream->batches);
}
