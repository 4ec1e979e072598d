/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-kcp-native.h"

/**
 * KvLaneSender:
 *
 * The sending end of the lanes: the next sequence of each. Embedded; one thread. All zero is a new
 * one; tests start elsewhere.
 */
typedef struct {
    uint32_t next[KV_FRAME_LANES];
} KvLaneSender;

/**
 * kv_lane_sender_send:
 * @flow: the same number for all packets of a flow, salted (kv_flow_hash())
 * @ecn: of the packet
 * @slices: (array length=n): one inner packet, gathered, not empty
 *
 * Queues a packet as segments of its flow's lane.
 *
 * Returns: %FALSE if the pool is empty; nothing was queued then.
 */
gboolean kv_lane_sender_send(KvLaneSender *sender, KvKcp *kcp, uint64_t flow, KvEcn ecn,
                             const KvSlice *slices, guint n) KV_MUST_USE;
