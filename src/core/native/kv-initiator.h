/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"
#include "native/kv-handshake.h"

/* After so long without an answer it gives up, until it is started again. */
#define KV_INITIATOR_PATIENCE (90 * KV_TIME_S)

/* Where the rising number of each initiation comes from: docs/protocol.md, section 4. */
typedef struct {
    /* Greater than @above and than every one before, over restarts too. */
    uint64_t (*next)(void *ctx, uint64_t above);
    void *ctx;
} KvNativeNumbers;

/* All that is pointed to outlives the initiator. */
typedef struct {
    const KvSecret *private_key; /* (nullable): this end's; NULL: the ends share only @psk */
    const KvSecret *psk;         /* (nullable): with keys there need be none */
    uint8_t remote_public[KV_NATIVE_KEY_BYTES]; /* with keys; not one of small order */
    const KvNativeConfig *say;                  /* with the ciphers this end wants; the reset token
                                                   is put in here */
    KvIndexTable *indexes;
    KvNativeNumbers numbers; /* with keys */
} KvInitiatorConfig;

typedef enum {
    KV_INITIATOR_IDLE,    /* not started, or its keys were taken */
    KV_INITIATOR_WAITING, /* sends, until somebody answers */
    KV_INITIATOR_DONE,    /* the keys may be taken */
    KV_INITIATOR_REFUSED, /* the responder said no, or what is not allowed */
    KV_INITIATOR_GAVE_UP, /* nobody answered */
} KvInitiatorState;

/**
 * KvInitiator:
 *
 * The end that begins a handshake: sends initiations after a timetable, each good for an answer,
 * and takes the first answer that is true. One thread at a time.
 */
typedef struct _KvInitiator KvInitiator;

KvInitiator *kv_initiator_new(const KvInitiatorConfig *config, const KvRandom *random) KV_MUST_USE;
void kv_initiator_free(KvInitiator *initiator);

/* Begins, or begins anew: earlier attempts are forgotten. */
void kv_initiator_start(KvInitiator *initiator, KvTime now);

/* Stops and forgets all attempts. */
void kv_initiator_stop(KvInitiator *initiator);

/**
 * kv_initiator_input:
 * @datagram: from where the initiations go
 *
 * Takes an answer: a response or a cookie reply. Returns: whether it was one that is true, and of
 * an attempt of this initiator's; if not, nothing has changed.
 */
gboolean kv_initiator_input(KvInitiator *initiator, const uint8_t *datagram, size_t len,
                            KvTime now);

/* Puts the next initiation into @buf, of %KV_INITIATION_MAX bytes; 0: none is due. */
size_t kv_initiator_output(KvInitiator *initiator, uint8_t *buf, KvTime now);

/* When kv_initiator_advance() and then kv_initiator_output() want to be called. */
KvTime kv_initiator_deadline(const KvInitiator *initiator);
void kv_initiator_advance(KvInitiator *initiator, KvTime now);

KvInitiatorState kv_initiator_get_state(const KvInitiator *initiator);

/* Refused: (transfer none): why, until the next start. KV_REFUSED_RECORD may be this end's word on
 * what the responder said. */
const KvNativeConfig *kv_initiator_get_refusal(const KvInitiator *initiator);

/* Done: moves the keys into @keys, which is empty. */
void kv_initiator_take_keys(KvInitiator *initiator, KvNativeKeys *keys);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvInitiator, kv_initiator_free)
