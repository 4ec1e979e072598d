/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-native.h"

#include "kv-copies.h"
#include "kv-kcp-native.h"
#include "native/kv-control-stream.h"
#include "native/kv-item.h"
#include "native/kv-lane-sender.h"
#include "native/kv-lanes.h"
#include "native/kv-shard-decoder.h"
#include "native/kv-shard-encoder.h"

/* The inside of KvNative, for the files that make it up: kv-native.c has its life and its timers,
 * kv-native-input.c what comes in, kv-native-output.c what goes out, kv-native-asking.c the
 * handshakes that it begins, kv-native-peer.c what only peers do, kv-native-say.c what is said
 * later than in a handshake. */

#define KV_NATIVE_EVENTS_MAX 16
#define KV_NATIVE_LIES_MAX   16 /* docs/protocol.md, section 13 */
#define KV_NATIVE_PONGS_MAX  4
#define KV_NATIVE_CLOSES     3 /* times that the peer is told of the end */
#define KV_NATIVE_CLOSE_GAP  (50 * KV_TIME_MS)
#define KV_NATIVE_PATIENCE   (25 * KV_TIME_MS) /* of a datagram that came early */

/* All of a datagram but one head and one segment. */
#define KV_NATIVE_RESERVED (KV_SEAL_OVERHEAD + KV_ITEM_DATA_BYTES + KV_SHARD_PARITY_EXTRA)

typedef enum {
    KV_NATIVE_BEGINNING, /* client: nobody has answered yet */
    KV_NATIVE_READY,     /* the device is being made */
    KV_NATIVE_OPEN,
    KV_NATIVE_CLOSING, /* over, the peer is being told */
    KV_NATIVE_CLOSED,
} KvNativeState;

typedef struct {
    KvEndpoint to;
    uint8_t body[KV_PING_BYTES];
} KvNativePong;

struct _KvNative {
    KvNativeParams params;
    KvPacketPool *pool;
    const KvRandom *random;
    KvNativeState state;
    KvReason reason; /* from KV_NATIVE_CLOSING on */

    /* the way to the peer */
    KvOuterKeys local_outer; /* hides what comes in */
    KvNativeConfig say;      /* what this end says of itself, later words included */
    gboolean has_news;
    KvNativeConfig news;    /* what it has yet to say */
    KvInitiator *initiator; /* of a client, of a peer */
    KvTransport *transport; /* NULL until the first handshake is through */
    KvNativeConfig remote;
    uint8_t association[KV_NATIVE_ID_BYTES];
    gboolean is_fresh;  /* what is carried begins from nothing, and waits for an association */
    gboolean has_heard; /* something of the peer's came under the association */

    /* of a client, of a peer */
    KvEndpoint call;     /* where initiations go */
    guint n_initiations; /* of the handshake under way; client: since it heard from the server */
    gboolean unanswered; /* there were too many of them */

    /* peer */
    uint8_t local_public[KV_NATIVE_KEY_BYTES];
    gboolean began;       /* this end began the association */
    KvTime associated_at; /* when it went live */
    KvReason lost;        /* the association is over, which is yet to be acted on */

    /* what is carried, from the outside in; NULL without a transport */
    KvShardEncoder *encoder;
    KvShardDecoder *decoder;
    KvKcp *kcp;
    KvCopies copies;
    KvLaneSender lane_sender;
    KvLanes *lanes;
    KvControlStream *control;
    KvShard recovered[KV_GROUP_PARITY_MAX];
    size_t watched_len; /* of the datagram whose last segment is watched */
    gboolean flush_due; /* something was written */
    gboolean input_due; /* something came in */
    gboolean muted;     /* there was no session to send under, and none came since */
    guint n_lies;       /* acknowledgements of what was never sent */
    KvEcn left_with;    /* the last datagram */

    KvNativePong pongs[KV_NATIVE_PONGS_MAX];
    guint n_pongs;
    KvTime handshake_deadline;
    guint closes_left;
    KvCloseReason close_reason;
    KvTime next_close;

    KvEvent events[KV_NATIVE_EVENTS_MAX];
    guint first_event;
    guint n_events;
    KvStats stats;
};

/* --- kv-native.c --- */

/* What an end that can begin handshakes is made of; @say: moved from. */
KvNative *kv_native_new_beginner(const KvNativeParams *params, KvNativeConfig *say,
                                 KvPacketPool *pool, const KvRandom *random) KV_MUST_USE;

/* Ends the association at once. */
void kv_native_finish(KvNative *native, KvReason reason);

/* The same, but a peer lives on and may begin another. */
void kv_native_lose(KvNative *native, KvReason reason);

/* Begins from nothing, with no association. */
void kv_native_forget(KvNative *native, KvTime now);

/* What the transport has to say after any call that takes the time. */
void kv_native_take_transport_events(KvNative *native, KvTime now);

/* What a handshake of this client has led to. */
void kv_native_check_initiator(KvNative *native, const KvEndpoint *from, KvTime now);

void kv_native_push_event(KvNative *native, KvEventType type);

/* --- kv-native-asking.c --- */

/* Begins a handshake, if it knows with whom. */
void kv_native_begin(KvNative *native, KvTime now);

/* An initiation has left. */
void kv_native_asked(KvNative *native);

/* Something of the peer's came, or a handshake is through. */
void kv_native_heard(KvNative *native);

/* Nobody answered for the whole patience of a handshake. */
void kv_native_gave_up(KvNative *native, KvTime now);

/* --- kv-native-peer.c --- */

/* Whether a peer keeps what it has, though @keys are of another association. */
gboolean kv_native_peer_keeps(const KvNative *native, const KvNativeKeys *keys, KvTime now);

/* Whether a peer could begin a handshake, if it had to. */
gboolean kv_native_peer_knows_remote(const KvNative *native);

/* There are new keys, so those that are asked for are not needed. */
void kv_native_peer_stop_asking(KvNative *native, KvTime now);

/* Acts on what was lost. */
void kv_native_peer_take_loss(KvNative *native, KvTime now);

/* --- kv-native-say.c --- */

/* Says what had to wait, if it need not any more. */
void kv_native_say_rest(KvNative *native);

/* It will not be said. */
void kv_native_forget_news(KvNative *native);

/* --- kv-native-input.c --- */

/* Reads what a datagram from @from held, @packet from its start. */
void kv_native_read_plaintext(KvNative *native, KvPacket *packet, const KvEndpoint *from,
                              KvTime now);
