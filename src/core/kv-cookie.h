/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-endpoint.h"
#include "kv-macros.h"
#include "kv-outer.h"
#include "kv-random.h"
#include "kv-time.h"

/* How long a secret makes cookies, and from its beginning honours them. */
#define KV_COOKIE_BAKING  (60 * KV_TIME_S)
#define KV_COOKIE_HONOURS (120 * KV_TIME_S)

/**
 * KvCookieJar:
 *
 * Cookies of one responder under load: what an address gets that asks, and must show. Nothing is
 * kept for an address. One thread at a time.
 */
typedef struct {
    uint8_t secrets[2][32]; /* the present one, and the one before */
    KvTime made[2];         /* when each began */
    gboolean filled[2];
} KvCookieJar;

/* Writes the cookie of @address; draws a new secret from @random when the last is too old. */
void kv_cookie_jar_bake(KvCookieJar *jar, const KvEndpoint *address, KvTime now,
                        const KvRandom *random, uint8_t cookie[KV_OUTER_COOKIE_BYTES]);

/* Whether @datagram, which passed kv_outer_check(), shows a cookie of @address still fresh. */
gboolean kv_cookie_jar_check(const KvCookieJar *jar, const KvEndpoint *address, KvTime now,
                             const uint8_t *datagram, size_t len) KV_MUST_USE;
