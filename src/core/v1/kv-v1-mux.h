/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-macros.h"

/**
 * KvV1Mux:
 *
 * The frames of smux version 1: where they begin and end in the received byte stream, and which
 * streams exist. It keeps no payload: what a stream brings is taken by the caller out of the
 * bytes it has. Both ends act as smux "servers", so either numbers its own streams 2, 4, 6, ...
 *
 * Embedded by its owner; one thread at a time.
 */
#define KV_V1_MUX_HEADER_BYTES 8
#define KV_V1_MUX_FRAME_MAX    32768 /* bytes of payload a sender puts into one frame */
#define KV_V1_MUX_STREAMS_MAX  4     /* the protocol needs two */

/* (wire) */
typedef enum {
    KV_V1_MUX_SYN = 0,
    KV_V1_MUX_FIN = 1,
    KV_V1_MUX_PSH = 2,
    KV_V1_MUX_NOP = 3,
} KvV1MuxCmd;

typedef struct {
    uint8_t header[KV_V1_MUX_HEADER_BYTES];
    uint32_t header_len;  /* bytes of @header so far */
    uint32_t left;        /* payload bytes of the current frame still to come */
    uint32_t frame_bytes; /* payload bytes of the current frame in all */
    uint32_t id;          /* stream of the current frame */
    gboolean skip;        /* the current frame is of no known stream */
    uint32_t streams[KV_V1_MUX_STREAMS_MAX];
    uint32_t n_streams;
    uint32_t last_id; /* last one opened here */
} KvV1Mux;

void kv_v1_mux_init(KvV1Mux *mux);

/* Opens the next stream of this end and returns its id; 0: there are too many. */
uint32_t kv_v1_mux_open(KvV1Mux *mux) KV_MUST_USE;

typedef enum {
    KV_V1_MUX_MORE,   /* every byte was used: give more */
    KV_V1_MUX_OPENED, /* the peer opened stream id */
    KV_V1_MUX_CLOSED, /* the peer closed stream id, which is forgotten */
    KV_V1_MUX_DATA,   /* payload for stream id comes next; see kv_v1_mux_take() */
    KV_V1_MUX_BROKEN, /* not smux version 1, or more streams than allowed */
} KvV1MuxItem;

/**
 * kv_v1_mux_parse:
 * @data: (array length=len): the received bytes that come next
 * @used: (out): how many of them are done with, however the call ends
 * @id: (out): the stream, for those results that have one
 *
 * Goes to the next thing worth telling. Frames of unknown streams and heartbeats are passed over.
 * After %KV_V1_MUX_DATA the payload is not part of @used: the caller takes as much of it as it has
 * and says so with kv_v1_mux_take(); until all is taken, every call returns this result again.
 */
KvV1MuxItem kv_v1_mux_parse(KvV1Mux *mux, const uint8_t *data, size_t len, size_t *used,
                            uint32_t *id) KV_MUST_USE;

/* Payload bytes of the current frame: still to be taken, and in all. */
static inline uint32_t
kv_v1_mux_get_left(const KvV1Mux *mux)
{
    return mux->left;
}

static inline uint32_t
kv_v1_mux_get_frame_bytes(const KvV1Mux *mux)
{
    return mux->frame_bytes;
}

/* Marks the next @n payload bytes of the current frame as taken; @n is at most what is left. */
void kv_v1_mux_take(KvV1Mux *mux, uint32_t n);

/* Writes a frame header. SYN, FIN and NOP have @len 0, NOP also @id 0. */
void kv_v1_mux_put_header(uint8_t header[KV_V1_MUX_HEADER_BYTES], KvV1MuxCmd cmd, uint16_t len,
                          uint32_t id);

#define KV_V1_MUX_WRITE_FRAMES 3 /* 96 KiB: more than any inner packet */
#define KV_V1_MUX_WRITE_SLICES 8

/* One write cut into frames: slices of the headers here and of the caller's payload. */
typedef struct {
    uint8_t headers[KV_V1_MUX_WRITE_FRAMES][KV_V1_MUX_HEADER_BYTES];
    KvSlice slices[KV_V1_MUX_WRITE_SLICES + 2 * KV_V1_MUX_WRITE_FRAMES];
    guint n_slices;
} KvV1MuxWrite;

/**
 * kv_v1_mux_frame:
 * @write: (out): what to send; refers to itself and to the payload of @slices
 * @slices: (array length=n): one write, at most %KV_V1_MUX_WRITE_SLICES pieces
 *
 * Returns: %FALSE if the write is empty, has too many pieces or needs too many frames.
 */
gboolean kv_v1_mux_frame(KvV1MuxWrite *write, uint32_t id, const KvSlice *slices,
                         guint n) KV_MUST_USE;
