/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-random.h"

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* Layout of a handshake datagram: docs/protocol.md, section 4. Bytes. */
#define KV_OUTER_KEY_BYTES    32
#define KV_OUTER_NONCE_BYTES  24
#define KV_OUTER_MAC_BYTES    16
#define KV_OUTER_HEAD_BYTES   (KV_OUTER_NONCE_BYTES + 2 * KV_OUTER_MAC_BYTES)
#define KV_OUTER_COOKIE_BYTES 16
#define KV_OUTER_REPLY_MIN    (KV_OUTER_NONCE_BYTES + KV_OUTER_COOKIE_BYTES + KV_OUTER_MAC_BYTES)
#define KV_OUTER_REPLY_MAX    (KV_OUTER_REPLY_MIN + 63)

/**
 * KvOuterKeys:
 *
 * What hides and filters datagrams for one receiver. The keys come from what many may know, its
 * public key, so they keep strangers out and prove nothing. Plain data, for any thread to read.
 */
typedef struct {
    uint8_t mac1[KV_OUTER_KEY_BYTES];
    uint8_t mask[KV_OUTER_KEY_BYTES];
    uint8_t cookie[KV_OUTER_KEY_BYTES];
    uint8_t head[16]; /* of transport datagrams */
} KvOuterKeys;

/* @outer: the receiver's static public key, or the preshared key in secret mode. */
void kv_outer_keys_derive(KvOuterKeys *keys, const uint8_t outer[KV_OUTER_KEY_BYTES]);

/**
 * kv_outer_seal:
 * @datagram: room of %KV_OUTER_HEAD_BYTES, then the body
 * @len: of both, more than the head
 * @cookie: (nullable): a fresh one of the receiver's
 *
 * Masks the body in place and writes the head. Takes a nonce and, without @cookie, another 16
 * bytes from @random.
 */
void kv_outer_seal(const KvOuterKeys *keys, uint8_t *datagram, size_t len, const uint8_t *cookie,
                   const KvRandom *random);

/* Whether @datagram knows the receiver's keys: one hash, the only thing done for strangers. */
gboolean kv_outer_check(const KvOuterKeys *keys, const uint8_t *datagram, size_t len) KV_MUST_USE;

/* Whether @datagram, which passed kv_outer_check(), proves that its sender got @cookie. */
gboolean kv_outer_check_cookie(const uint8_t *datagram, size_t len,
                               const uint8_t cookie[KV_OUTER_COOKIE_BYTES]) KV_MUST_USE;

/* Writes the body of @datagram, which passed kv_outer_check(): @len less the head. */
void kv_outer_unmask(const KvOuterKeys *keys, const uint8_t *datagram, size_t len, uint8_t *body);

/* (transfer none): mac1 of a handshake datagram. */
const uint8_t *kv_outer_get_mac1(const uint8_t *datagram);

/**
 * kv_outer_write_reply:
 * @keys: of the writer itself, which received @initiation
 * @padding: 0 to 63 bytes
 * @reply: (out caller-allocates): %KV_OUTER_REPLY_MAX bytes
 *
 * Returns: length of a cookie reply. Takes a nonce from @random.
 */
size_t kv_outer_write_reply(const KvOuterKeys *keys, const uint8_t *initiation,
                            const uint8_t cookie[KV_OUTER_COOKIE_BYTES], guint padding,
                            uint8_t *reply, const KvRandom *random);

/**
 * kv_outer_read_reply:
 * @keys: of the end to which the initiation with @mac1 went
 *
 * Returns: whether @datagram is a true answer to it; then @cookie is set.
 */
gboolean kv_outer_read_reply(const KvOuterKeys *keys, const uint8_t *mac1, const uint8_t *datagram,
                             size_t len, uint8_t cookie[KV_OUTER_COOKIE_BYTES]) KV_MUST_USE;
