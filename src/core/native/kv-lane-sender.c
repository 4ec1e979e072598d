/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-lane-sender.h"

gboolean
kv_lane_sender_send(KvLaneSender *sender, KvKcp *kcp, uint64_t flow, KvEcn ecn,
                    const KvSlice *slices, guint n)
{
    uint16_t lane = flow & KV_FRAME_LANE_MASK;
    guint parts = kv_kcp_send_parts(kcp, lane, sender->next[lane], ecn, slices, n);

    sender->next[lane] += parts;
    return parts > 0;
}
