/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-outer.h"
#include "kv-types.h"

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* Layout and limits of a transport datagram: docs/protocol.md, section 7. */
#define KV_SEAL_HEAD_BYTES    16
#define KV_SEAL_TAG_BYTES     16
#define KV_SEAL_OVERHEAD      (KV_SEAL_HEAD_BYTES + KV_SEAL_TAG_BYTES)
#define KV_SEAL_TRAFFIC_BYTES 32
#define KV_SEAL_TOKEN_BYTES   16
#define KV_SEAL_EPOCH_BITS    22                  /* datagrams under one key: 2^22 */
#define KV_SEAL_COUNTER_MAX   (UINT64_C(1) << 60) /* of one session */

/* Whether this processor has instructions for it; else it is not to be offered. */
gboolean kv_aead_is_available(KvAead aead);

/* What stands in front of a transport datagram. */
typedef struct {
    uint32_t index; /* the receiver's name of the session */
    uint64_t counter;
    uint8_t check[4]; /* kv_seal_check() */
} KvSealHead;

/* Reads the head of @datagram; %FALSE if it is too short to be one. Proves nothing. */
gboolean kv_seal_read_head(const KvOuterKeys *keys, const uint8_t *datagram, size_t len,
                           KvSealHead *head);

/* Whether the sender of @datagram, with @head, knew @token, as the session's owner does. */
gboolean kv_seal_check(const KvSealHead *head, const uint8_t token[KV_SEAL_TOKEN_BYTES],
                       const uint8_t *datagram, size_t len) KV_MUST_USE;

/**
 * KvSeal:
 *
 * The keys of one direction of one session: they change with the counter, and old ones are wiped.
 * Seals or opens, not both. Not in guarded memory, which costs four pages a piece, and a server
 * has thousands. One thread at a time.
 */
typedef struct _KvSeal KvSeal;

/**
 * kv_seal_new:
 * @traffic: from the handshake; the caller wipes it
 *
 * Returns: (transfer full): the direction's keys, from counter 0 on.
 */
KvSeal *kv_seal_new(KvAead aead, const uint8_t traffic[KV_SEAL_TRAFFIC_BYTES]) KV_MUST_USE;
void kv_seal_free(KvSeal *seal);

/**
 * kv_seal_write:
 * @keys: of the receiver
 * @head: index and counter; the counter must not be lower than any before
 * @token: that the receiver gave
 * @datagram: head room, @len bytes of plaintext, room for the tag
 *
 * Seals in place. Returns: length of the datagram.
 */
size_t kv_seal_write(KvSeal *seal, const KvOuterKeys *keys, const KvSealHead *head,
                     const uint8_t token[KV_SEAL_TOKEN_BYTES], uint8_t *datagram, size_t len);

/**
 * kv_seal_read:
 * @plain: (out caller-allocates): @len less %KV_SEAL_OVERHEAD bytes; may be in place, behind the
 *   head
 *
 * Returns: whether the datagram is true. The keys move on with counters that were true, so a
 * forged one cannot push them.
 */
gboolean kv_seal_read(KvSeal *seal, uint64_t counter, const uint8_t *datagram, size_t len,
                      uint8_t *plain) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSeal, kv_seal_free)
