/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"
#include "native/kv-frame.h"

/**
 * KvControlStream:
 *
 * The reliable row of records between two ends of an association, both ways (docs/protocol.md,
 * section 9): batches of records that a handshake had no room for, or that replace what was said.
 * It is for rare, small messages, and allocates as they come. One thread at a time.
 */
typedef struct _KvControlStream KvControlStream;

#define KV_CONTROL_WINDOW      8 /* parts that may wait for their acknowledgement */
#define KV_CONTROL_PART_BYTES  KV_FRAME_CONTROL_MAX
#define KV_CONTROL_BATCHES_MAX 8 /* not yet acknowledged */

KvControlStream *kv_control_stream_new(void) KV_MUST_USE;
void kv_control_stream_free(KvControlStream *stream);

/* Whether kv_control_stream_send() takes another batch. */
gboolean kv_control_stream_has_room(const KvControlStream *stream);

/**
 * kv_control_stream_send:
 * @records: copied
 * @len: 1 to %KV_RECORDS_MAX bytes
 *
 * Queues a batch. Returns: %FALSE if %KV_CONTROL_BATCHES_MAX wait already.
 */
gboolean kv_control_stream_send(KvControlStream *stream, const uint8_t *records,
                                size_t len) KV_MUST_USE;

/**
 * kv_control_stream_output:
 * @writer: of one datagram; one whose room is KV_CONTROL_PART_BYTES + KV_FRAME_CONTROL_BYTES takes
 *   any part
 * @rtt: smoothed round trip, 0: not known yet
 *
 * Appends what is due, the acknowledgement first, as far as there is room.
 */
void kv_control_stream_output(KvControlStream *stream, KvFrameWriter *writer, KvTime rtt,
                              KvTime now);

/* When kv_control_stream_output() has something to write; 0: at once. */
KvTime kv_control_stream_deadline(const KvControlStream *stream);

/**
 * kv_control_stream_input:
 *
 * Takes a part, in any order. kv_control_stream_recv() may have batches then, and is to be asked
 * for all of them.
 *
 * Returns: %FALSE if the peer sent what it must not: parts beyond the window, or a batch longer
 * than %KV_RECORDS_MAX. The association is of no use then.
 */
gboolean kv_control_stream_input(KvControlStream *stream, const KvFrameControl *part) KV_MUST_USE;

/* Takes an acknowledgement: the peer has all parts before @next. */
void kv_control_stream_input_ack(KvControlStream *stream, uint16_t next);

/* (transfer full) (nullable): the next batch that came whole; NULL: none. */
GBytes *kv_control_stream_recv(KvControlStream *stream) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvControlStream, kv_control_stream_free)
