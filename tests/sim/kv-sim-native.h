/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-kcp.h"
#include "native/kv-lane-sender.h"
#include "native/kv-lanes.h"

/**
 * KvSimNative:
 *
 * What stands around a #KvKcp in the native packing, and no more: frames, bare in a datagram, and
 * lanes. Embedded.
 */
typedef struct {
    KvKcp *kcp;
    KvLanes *lanes;
    KvLaneSender sender;
    uint8_t *buf; /* for one inner packet */
} KvSimNative;

/* @kcp outlives it; @first_sequence: of every lane. */
void kv_sim_native_init(KvSimNative *native, KvKcp *kcp, const KvKcpConfig *config,
                        uint32_t first_sequence);
void kv_sim_native_clear(KvSimNative *native);

/* Takes a datagram of @len bytes at the start of @packet. */
void kv_sim_native_input(KvSimNative *native, KvPacket *packet, KvTime now);

/* The next datagram, of at most @cap bytes; 0: none. */
size_t kv_sim_native_output(KvSimNative *native, uint8_t *buf, size_t cap, KvTime now);

/* The next inner packet, in @native->buf; 0: none. */
size_t kv_sim_native_recv(KvSimNative *native);
