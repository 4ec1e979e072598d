/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-packet.h"
#include "kv-stats.h"
#include "kv-time.h"
#include "native/kv-frame.h"

/**
 * KvLanes:
 *
 * The receiving end of the lanes of an association (docs/protocol.md, section 9): puts the packets
 * of each lane back in order, joins parts, and hands up every packet at most once. Lanes never wait
 * for each other. One thread at a time.
 *
 * What came early waits for as long as that helps: a segment until all segments before it have come
 * or never will, a datagram for a short time, since nobody repeats what it misses. Then its lane
 * moves on. A packet that a lane has passed over is still handed up when it comes after all, if it
 * is one of the last 8192.
 *
 * What waits beyond its bound is given up: first datagrams, then the packets that were begun first.
 * Segments of a peer that keeps to its window never meet that: those that wait are above una, and
 * within the window, but for the parts of one packet.
 *
 * Memory: by lane in use, by what waits, both bounded; nothing else depends on the peer.
 */
typedef struct _KvLanes KvLanes;

#define KV_LANES_PACKET_MAX 65549 /* bytes of an inner packet: 64 KiB less one, and Ethernet */
#define KV_LANES_WINDOW     8192  /* packets that were passed over and may still come */
#define KV_LANES_KEPT_MORE  64    /* parts of a packet that una is in the middle of */

typedef struct {
    uint32_t kept_max;       /* the window that the peer was told: so many parts wait in all, and
                                %KV_LANES_KEPT_MORE, for others before them or the rest of their packet */
    KvTime patience;         /* of a datagram that came early; 0: none */
    uint32_t first_sn;       /* 0 on any real wire, as @first_sequence; */
    uint32_t first_sequence; /* tests start just before the wrap */
} KvLanesConfig;

/* (transfer full): @config is copied */
KvLanes *kv_lanes_new(const KvLanesConfig *config) KV_MUST_USE;
void kv_lanes_free(KvLanes *lanes);

/**
 * kv_lanes_input:
 * @type: %KV_FRAME_SEG, and then one that kv_kcp_input_segment() called new, or %KV_FRAME_DGRAM
 * @part: its data lies in @packet
 * @packet: referenced for as long as the part waits
 *
 * Returns: why the part was dropped, or %KV_DROP_NONE; %KV_DROP_NO_MEMORY: something that waited
 * was given up for it.
 */
KvDrop kv_lanes_input(KvLanes *lanes, KvFrameType type, const KvFramePart *part, KvPacket *packet,
                      KvTime now);

/* All segments below @una have come or never will (kv_kcp_get_una()): nothing waits for them. */
void kv_lanes_settle(KvLanes *lanes, uint32_t una);

/**
 * kv_lanes_recv:
 * @buf: (out caller-allocates): %KV_LANES_PACKET_MAX bytes
 * @ecn: (out): that of the datagrams which its parts came in: %KV_ECN_CE if one of them met
 *   congestion, else %KV_ECN_ECT1 if one had that
 *
 * The next inner packet that is due. Returns: its length; 0: none.
 */
size_t kv_lanes_recv(KvLanes *lanes, uint8_t *buf, size_t cap, KvEcn *ecn) KV_MUST_USE;

/* When a datagram has waited long enough; %KV_TIME_NEVER: none waits. */
KvTime kv_lanes_deadline(const KvLanes *lanes);
void kv_lanes_advance(KvLanes *lanes, KvTime now);

/* Parts that are kept, for statistics and tests. */
uint32_t kv_lanes_get_kept(const KvLanes *lanes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvLanes, kv_lanes_free)
