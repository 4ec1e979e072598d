/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel-params.h"
#include "kv-udp.h"

/**
 * KvV1Knock:
 *
 * A server without v1 says once, in its log, that somebody who knows the secret comes with v1, so
 * that nobody must guess why a client of the Go program gets no answer. One thread at a time.
 */
typedef struct _KvV1Knock KvV1Knock;

/* (nullable): NULL: there is no secret, or v1 is spoken. @params: outlives it */
KvV1Knock *kv_v1_knock_new(const KvTunnelParams *params, GError **error);
void kv_v1_knock_free(KvV1Knock *knock);

/* Looks at a datagram that nobody took, now and then. */
void kv_v1_knock_look(KvV1Knock *knock, const KvUdpDatagram *datagram, KvTime now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvV1Knock, kv_v1_knock_free)
