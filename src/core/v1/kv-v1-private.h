/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-v1.h"

#include "kv-copies.h"

#include "v1/kv-v1-control.h"
#include "v1/kv-v1-fec.h"
#include "v1/kv-v1-mux.h"
#include "v1/kv-v1-replay.h"

/* The inside of KvV1, for the files that make it up: kv-v1.c has the wire side and the timers,
 * kv-v1-stream.c the inner side, kv-v1-handshake.c how a session begins and ends. */

#define KV_V1_CLOSE_LINGER      (1 * KV_TIME_S)
#define KV_V1_REFUSAL_LINGER    (3 * KV_TIME_S)
#define KV_V1_PACKET_INFO_BYTES 4
#define KV_V1_NONCE_BUFFER      2048

/* A FEC number this far from the last one says nothing about loss: the peer began anew, or lies. */
#define KV_V1_FEC_JUMP_MAX 4096
#define KV_V1_EVENTS_MAX   4
#define KV_V1_SEEN_MAX     1024 /* datagrams back whose copies are known */

/* A worker's sessions share one pool of packets. When less than this is left of it, in eighths, a
 * session takes no parity, and nothing that it could only keep: what is left is for
 * acknowledgements, which free others, and for the sessions that have little. */
#define KV_V1_SCARCE_INPUT 1

typedef enum {
    KV_V1_WAIT_INFO,   /* server: for what the client says of itself */
    KV_V1_WAIT_ANSWER, /* server: from the engine; client: from the server */
    KV_V1_WAIT_READY,  /* for the peer's ready message */
    KV_V1_WAIT_ECHO,   /* server: for an ack that a replayed session cannot have */
    KV_V1_READY,       /* both are, and the device is being made */
    KV_V1_OPEN,
    KV_V1_CLOSING, /* over, the peer is being told */
    KV_V1_CLOSED,
} KvV1State;

struct _KvV1 {
    KvV1Config config;
    KvV1Crypt *crypt;
    KvPacketPool *pool;
    const KvRandom *random;
    KvV1State state;
    KvReason reason; /* from KV_V1_CLOSING on */

    /* wire side, from the outside in */
    KvV1Replay replay;
    KvV1FecEncoder *encoder; /* NULL without FEC layer */
    KvV1FecDecoder *decoder;
    KvV1FecShard *recovered; /* room for what one packet may recover */
    size_t header_bytes;     /* before the KCP segments */
    KvKcp *kcp;
    KvCopies copies;
    gboolean flush_due; /* something was written */
    gboolean input_due; /* something came in */
    uint8_t nonces[KV_V1_NONCE_BUFFER];
    size_t nonces_left;

    /* streams and handshake; 0: no such stream yet */
    KvV1Mux mux;
    uint32_t control_id;
    uint32_t vni_id;
    uint8_t control[KV_V1_CONTROL_MAX]; /* the beginning of the next message */
    size_t control_len;
    KvClientInfo client;
    KvNetworkConfig network;
    KvIp4 ip;
    KvEvent events[KV_V1_EVENTS_MAX];
    guint first_event;
    guint n_events;

    /* an inner packet whose rest has not come yet */
    uint8_t packet_info[KV_V1_PACKET_INFO_BYTES];
    uint8_t *partial;
    size_t partial_size;
    gboolean is_partial;

    /* timers */
    KvTime next_heartbeat;
    KvTime handshake_deadline;
    KvTime linger_deadline;
    KvTime rapid_retry;
    KvTime last_heard;    /* a datagram that made sense */
    KvTime last_progress; /* the last one of these known to belong to progress */
    uint32_t seen_una;    /* KCP's state when progress was last looked for */
    uint32_t seen_rcv;

    uint32_t rx_next;                      /* the FEC number that comes next if nothing is lost */
    uint64_t rx_seen[KV_V1_SEEN_MAX / 64]; /* of those before rx_next, which came */
    KvStats stats;
};

/* --- kv-v1-handshake.c: how it begins and ends --- */

/* Ends the session at once. */
void kv_v1_finish(KvV1 *v1, KvReason reason);

/* Ends it as soon as the peer knows, at the latest after @how_long. */
void kv_v1_linger(KvV1 *v1, KvReason reason, KvTime how_long, KvTime now);

/* Writes to the stream what leaves with the next kv_v1_output(); %FALSE: no memory. */
gboolean kv_v1_write(KvV1 *v1, const KvSlice *slices, guint n) KV_MUST_USE;

/* Writes a frame without payload; without memory the session ends. */
void kv_v1_write_header(KvV1 *v1, KvV1MuxCmd cmd, uint32_t id);

/* Opens the control stream and introduces this client. */
void kv_v1_start_client(KvV1 *v1);

/* Server: whether the client that said ready was shown to be alive. */
void kv_v1_check_echo(KvV1 *v1, KvTime now);

/* Acts on what the control stream brought. */
void kv_v1_read_control(KvV1 *v1, KvTime now);

/* --- kv-v1-stream.c: the inner side --- */

/* Goes through the received stream up to the next inner packet, which waits in KCP's window until
 * kv_v1_recv() takes it: that is all the flow control there is. */
void kv_v1_read_stream(KvV1 *v1, KvTime now);
