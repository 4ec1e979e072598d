/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-macros.h"

/* Frames, of which items are made: docs/protocol.md, section 9. All numbers are as on the wire. */

#define KV_FRAME_RANGES_MAX  32
#define KV_FRAME_TOKEN_BYTES 8
#define KV_FRAME_CONTROL_MAX 1024 /* bytes in one: a datagram of any path has room for it */

/* Bytes of a frame without what is counted in it. */
#define KV_FRAME_HEAD_BYTES        15
#define KV_FRAME_SEG_BYTES         13
#define KV_FRAME_DGRAM_BYTES       9
#define KV_FRAME_REPORT_BYTES      30
#define KV_FRAME_RANGE_BYTES       4
#define KV_FRAME_CONTROL_BYTES     5
#define KV_FRAME_CONTROL_ACK_BYTES 3
#define KV_FRAME_PING_BYTES        9
#define KV_FRAME_CLOSE_BYTES       2

typedef enum {
    KV_FRAME_HEAD = 1,
    KV_FRAME_SEG = 2,
    KV_FRAME_DGRAM = 3,
    KV_FRAME_REPORT = 4,
    KV_FRAME_CONTROL = 5,
    KV_FRAME_CONTROL_ACK = 6,
    KV_FRAME_PING = 7,
    KV_FRAME_PONG = 8,
    KV_FRAME_CLOSE = 9,
} KvFrameType;

/* Before the first segment of a datagram, and true for all that follow. */
typedef struct {
    uint32_t una; /* all below was received */
    uint32_t fwd; /* nothing below is repeated any more */
    uint16_t wnd; /* free segments, in units of KV_FRAME_WND_UNIT, rounded down */
    uint32_t ts;  /* us of the sender's clock */
} KvFrameHead;

#define KV_FRAME_WND_UNIT 16

/* The word `lane`: a number and two bits; the others are 0. */
#define KV_FRAME_LANES     1024
#define KV_FRAME_LANE_MASK (KV_FRAME_LANES - 1)
#define KV_FRAME_NOT_FIRST (1 << 14) /* not the first part of a packet */
#define KV_FRAME_MORE      (1 << 15) /* further parts follow */

/* An inner packet or a part of one, to be repeated (seg) or not (dgram). */
typedef struct {
    uint32_t sn; /* of a seg alone */
    uint16_t lane;
    uint32_t lane_sequence;
    uint16_t len;
    const uint8_t *data; /* in what was read */
} KvFramePart;

/* What was received above una: so far above the end of the range before, and so much. */
typedef struct {
    uint16_t start; /* the first one counts from una */
    uint16_t len;   /* at least 1 */
} KvFrameRange;

/* What a receiver tells of what came: section 11. */
typedef struct {
    uint32_t una;
    uint32_t ts;    /* of the newest head */
    uint16_t delay; /* how long ago that came, in units of KV_FRAME_DELAY_UNIT */
    uint16_t wnd;   /* as in a head */
    uint32_t seen;
    uint32_t missing;
    uint32_t bursts;
    uint32_t ce;
    uint8_t n_ranges;
    KvFrameRange ranges[KV_FRAME_RANGES_MAX];
} KvFrameReport;

#define KV_FRAME_DELAY_UNIT 16 /* us */

/* A part of the reliable row of records; an empty one ends a batch. */
typedef struct {
    uint16_t sequence;
    uint16_t len;
    const uint8_t *data; /* in what was read */
} KvFrameControl;

/* Why an association ended; values that nobody knows are possible, and mean the same as none. */
typedef enum {
    KV_CLOSE_NONE = 0,
    KV_CLOSE_GOING_DOWN = 1,
    KV_CLOSE_REMOVED = 2,  /* by an administrator */
    KV_CLOSE_REPLACED = 3, /* by a newer session */
} KvCloseReason;

typedef struct {
    KvFrameType type;
    union {
        KvFrameHead head;
        KvFramePart part; /* seg, dgram */
        KvFrameReport report;
        KvFrameControl control;
        uint16_t next;                       /* control-ack: the sequence expected next */
        uint8_t token[KV_FRAME_TOKEN_BYTES]; /* ping, pong */
        uint8_t reason;                      /* close: KvCloseReason */
    };
} KvFrame;

/**
 * kv_frame_next:
 * @reader: over the frames of an item
 *
 * Takes the next frame.
 *
 * Returns: %FALSE at the end, and at a frame that cannot be, which sets @reader's failed: a type
 * that nobody knows, a length that does not fit, bits in a lane that should be 0, ranges that are
 * empty or too many.
 */
gboolean kv_frame_next(KvReader *reader, KvFrame *frame);

/* Length of @frame on the wire. */
size_t kv_frame_get_size(const KvFrame *frame);

/* Puts frames into a buffer of fixed size, one behind the other. */
typedef struct {
    uint8_t *data;
    size_t cap;
    size_t len; /* of the frames so far */
} KvFrameWriter;

/* Appends @frame if it has room. Returns: whether it had. */
gboolean kv_frame_put(KvFrameWriter *writer, const KvFrame *frame) KV_MUST_USE;
