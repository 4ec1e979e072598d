/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-random.h"
#include "native/kv-native-keys.h"

/* The two datagrams of a handshake: docs/protocol.md, section 4. No state; any thread. */

/* Bytes of an initiation; a response has no more than the initiation it answers, nor the most. */
#define KV_INITIATION_MIN 600
#define KV_INITIATION_MAX 1200

/* Bytes from which on a datagram may be a handshake message. */
#define KV_HANDSHAKE_MIN (KV_OUTER_HEAD_BYTES + 1)

typedef enum {
    KV_HANDSHAKE_INITIATION = 1,
    KV_HANDSHAKE_RESPONSE = 2,
} KvHandshakeType;

/* What stands in a message beside the records. */
typedef struct {
    KvHandshakeType type;
    uint32_t sender;   /* its index; 0 in a refusal */
    uint32_t receiver; /* response: the initiator's index */
    uint64_t number;   /* initiation */
} KvHandshakeHead;

/**
 * kv_handshake_write:
 * @noise: whose turn it is
 * @outer: the receiver's
 * @config: what to say; if not all of it has room, the message says that more follows
 * @cookie: (nullable): a fresh one of the receiver's
 * @max: of the datagram, at most %KV_INITIATION_MAX
 * @left_out: (out): %KV_RECORD_BIT() of the types of which not all has room
 *
 * Writes a whole datagram, padded to a random length. Returns: its length; 0 if @max has no room
 * for a message at all, or the peer's key is of small order.
 */
size_t kv_handshake_write(KvNoise *noise, const KvOuterKeys *outer, const KvHandshakeHead *head,
                          const KvNativeConfig *config, const uint8_t *cookie,
                          const KvRandom *random, uint8_t *datagram, size_t max,
                          uint32_t *left_out) KV_MUST_USE;

/**
 * KvHandshakeBody:
 *
 * The body of a datagram that passed kv_outer_check(), unmasked.
 */
typedef struct {
    KvHandshakeType type; /* or a number that means nothing */
    uint32_t receiver;    /* response */
    size_t len;
    uint8_t bytes[KV_NOISE_MESSAGE_MAX];
} KvHandshakeBody;

/* %FALSE if @datagram, whose receiver has @outer, is too short or too long for its type. */
gboolean kv_handshake_unmask(const KvOuterKeys *outer, const uint8_t *datagram, size_t len,
                             KvHandshakeBody *body) KV_MUST_USE;

typedef enum {
    KV_HANDSHAKE_TRUE,
    KV_HANDSHAKE_FORGED,      /* nothing has changed */
    KV_HANDSHAKE_NOT_ALLOWED, /* the peer said what the protocol does not allow */
} KvHandshakeResult;

/**
 * kv_handshake_open:
 * @noise: whose turn it is to read
 * @head: (out): what the message said, as far as it is true
 * @config: (out): initialised; what its records say
 */
KvHandshakeResult kv_handshake_open(KvNoise *noise, const KvHandshakeBody *body,
                                    KvHandshakeHead *head, KvNativeConfig *config) KV_MUST_USE;
