/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-endpoint.h"
#include "kv-stats.h"
#include "kv-time.h"
#include "native/kv-handshake.h"

/* With keys: who may come. Called from kv_responder_input() only. */
typedef struct {
    /* Whether the owner of @public is admitted; then @psk is set, to zeros if there is none. */
    gboolean (*find)(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES],
                     uint8_t psk[KV_NATIVE_KEY_BYTES]);
    /* Keeps @number, if it is greater than the last of @public; if not, sets @last. */
    gboolean (*take_number)(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES], uint64_t number,
                            uint64_t *last);
    void *ctx;
} KvResponderPeers;

/* At least one of the secrets; all that is pointed to outlives the responder. */
typedef struct {
    const KvSecret *private_key; /* (nullable): for peers with keys */
    const KvSecret *psk;         /* (nullable): for those that know a secret */
    KvResponderPeers peers;
    uint8_t ciphers[KV_NATIVE_CIPHERS_MAX]; /* KvAead: that this end wants; 0: no more */
    KvIndexTable *indexes;
} KvResponderConfig;

/* Somebody asks to come in. What it says is proved with keys only; its address never is. */
typedef struct {
    uint32_t id;                                /* for kv_responder_answer() */
    KvNoisePattern pattern;                     /* keys or a secret */
    uint8_t remote_public[KV_NATIVE_KEY_BYTES]; /* with keys; else zeros */
    KvEndpoint from;
    const KvNativeConfig *config; /* what it said; until the next call */
} KvNativeRequest;

/* What an initiation leads to, beside being dropped. */
typedef struct {
    size_t reply_len; /* of @reply, to be sent back at once; 0: nothing */
    uint8_t reply[KV_INITIATION_MAX];
    gboolean asks; /* @request is to be answered */
    KvNativeRequest request;
} KvResponderOutcome;

/**
 * KvResponder:
 *
 * The end that answers handshakes, one for each worker: keeps strangers out, asks for cookies under
 * load, keeps what it answered until the peer proves itself. What it keeps, and what each sender
 * can make it do, is bounded. One thread at a time.
 */
typedef struct _KvResponder KvResponder;

KvResponder *kv_responder_new(const KvResponderConfig *config, const KvRandom *random) KV_MUST_USE;
void kv_responder_free(KvResponder *responder);

/**
 * kv_responder_input:
 * @datagram: that is of no session
 * @outcome: (out): looked at whatever is returned
 *
 * Takes an initiation. Returns: why it was dropped, %KV_DROP_NONE if not.
 */
KvDrop kv_responder_input(KvResponder *responder, const uint8_t *datagram, size_t len,
                          const KvEndpoint *from, KvTime now, KvResponderOutcome *outcome);

/**
 * kv_responder_answer:
 * @grant: what to say, which kv_native_config_fits(), moved from; a refusal, if it has one. Cipher
 * and reset token are put in here, a new association too if it names none
 * @buf: of %KV_INITIATION_MAX bytes
 *
 * Answers a request, once. Returns: length of the datagram for where it came from; 0: it has left
 * in the meantime.
 */
size_t kv_responder_answer(KvResponder *responder, uint32_t id, KvNativeConfig *grant, KvTime now,
                           uint8_t *buf);

/**
 * kv_responder_confirm:
 * @datagram: with an index that no session has
 * @keys: (out): empty before
 *
 * Whether @datagram is true under the keys of an answered request, which proves the peer. Then they
 * move into @keys, with the id as @local_index and the grant as @local; the datagram is yet to be
 * given to the session that they make.
 */
gboolean kv_responder_confirm(KvResponder *responder, const uint8_t *datagram, size_t len,
                              KvTime now, KvNativeKeys *keys) KV_MUST_USE;

/* When kv_responder_advance() wants to be called, which forgets what is too old. */
KvTime kv_responder_deadline(const KvResponder *responder);
void kv_responder_advance(KvResponder *responder, KvTime now);

/* Drops what is half open for a peer that is not admitted any more. */
void kv_responder_forget_peer(KvResponder *responder, const uint8_t public[KV_NATIVE_KEY_BYTES]);

/* Of requests and half-open sessions. */
guint kv_responder_get_length(const KvResponder *responder);

/* Adds how many initiations it opened, and how many it answered with a cookie, to @stats. */
void kv_responder_add_stats(const KvResponder *responder, KvStats *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvResponder, kv_responder_free)
