/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-pump.h"
#include "kv-tunnel-params.h"
#include "native/kv-native.h"

/**
 * kv_native_dial:
 * @remote: where the server is
 * @indexes: of the worker
 *
 * Client: begins an association, which says of this end what @params say. They, @indexes,
 * @pool and @random outlive it.
 *
 * Returns: (transfer full)
 */
KvNative *kv_native_dial(const KvTunnelParams *params, const KvEndpoint *remote,
                         KvIndexTable *indexes, KvPacketPool *pool, const KvRandom *random,
                         KvTime now) KV_MUST_USE;

/**
 * kv_native_dial_peer:
 * @peer: its secret outlives the association
 *
 * One of two equals: an association that begins when there is something to send, and it is known
 * where to. As above.
 */
KvNative *kv_native_dial_peer(const KvTunnelParams *params, const KvPumpPeer *peer,
                              KvIndexTable *indexes, KvPacketPool *pool, const KvRandom *random,
                              KvTime now) KV_MUST_USE;

/* The number of an initiation: greater than @above and than every one before of this process, and,
 * but for a clock that was set back, of those before it. Any thread. */
uint64_t kv_native_next_number(uint64_t above);
