/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-kcp.h"
#include "native/kv-frame.h"

/*
 * A #KvKcp in the packing of the native protocol (docs/protocol.md, section 11). It deals in plain
 * frames; who reads and writes datagrams is the caller:
 *
 *   in    kv_kcp_input_head(), kv_kcp_input_segment(), kv_kcp_input_report(), and when a batch of
 *         datagrams is through kv_kcp_input_end()
 *   out   kv_kcp_fill_report() when one is owed, kv_kcp_begin_datagram(), kv_kcp_next_segment() as
 *         long as there is room, kv_kcp_take_copies()
 *   time  kv_kcp_deadline(), kv_kcp_advance()
 *
 * A segment is one part of an inner packet, never cut again and handed up the moment it comes, in
 * any order: kv-lanes.h restores what order is wanted. KvKcpConfig.reserved is all of a datagram
 * but one head and one segment with its frame.
 *
 * Its timers, besides those of the sender in kv-kcp-rack.c:
 *   report    10 ms, or a quarter of the RTT if that is more, but 50 ms at the most, after the
 * first segment that none has told of; at once when a gap appears or closes forward   the sender's
 * rto, while the peer does not know what was given up
 */

/* --- sending -------------------------------------------------------------------------------- */

/**
 * kv_kcp_send_parts:
 * @lane: the number of the lane
 * @lane_sequence: of the first part; the others follow
 * @ecn: of the packet
 * @slices: (array length=n): one inner packet, gathered, not empty
 *
 * Cuts a packet into parts that fit a datagram each and queues them. Takes all or nothing. Does not
 * look at the window: ask kv_kcp_can_send() first.
 *
 * Returns: how many parts; 0: the pool is empty.
 */
guint kv_kcp_send_parts(KvKcp *kcp, uint16_t lane, uint32_t lane_sequence, KvEcn ecn,
                        const KvSlice *slices, guint n) KV_MUST_USE;

/**
 * kv_kcp_inherit:
 * @kcp: new, of parts at least as long
 * @former: of which nothing came to the peer
 *
 * Queues all that @former has yet to bring there, sent or not, with its lanes.
 */
void kv_kcp_inherit(KvKcp *kcp, const KvKcp *former);

/* Bytes of the longest part now; what is longer goes as several. */
uint32_t kv_kcp_get_part_max(const KvKcp *kcp);

/**
 * kv_kcp_set_mtu:
 * @mtu: bytes of a UDP payload, as in #KvKcpConfig
 *
 * What the path takes has changed. Segments that do not fit any more are given up, for nobody can
 * cut them again; the peer learns it.
 */
void kv_kcp_set_mtu(KvKcp *kcp, uint32_t mtu, KvTime now);

/**
 * kv_kcp_begin_datagram:
 * @head: (out): to be put in front of the first segment
 *
 * Returns: %TRUE if the head is owed even when no segment follows.
 */
gboolean kv_kcp_begin_datagram(KvKcp *kcp, KvFrameHead *head, KvTime now);

/**
 * kv_kcp_next_segment:
 * @room: bytes that are left for its frame
 * @segment: (out): its data is the machine's and holds until the next call of any kind
 *
 * Returns: %FALSE: none may leave now, or none of so few bytes.
 */
gboolean kv_kcp_next_segment(KvKcp *kcp, size_t room, KvFramePart *segment, KvTime now);

/**
 * kv_kcp_get_ecn:
 *
 * With which ECN field the segments since kv_kcp_begin_datagram() may leave together: what is sent
 * again takes no marks, as in RFC 3168, 6.1.5, so that a path which swallows datagrams with such a
 * field delays them, and no more.
 */
KvEcn kv_kcp_get_ecn(const KvKcp *kcp);

/**
 * kv_kcp_watch:
 * @sn: of a segment that has just left
 *
 * From now on kv_kcp_take_arrived() says, once, when the peer has told that it came by its first
 * transmission. Returns: %FALSE if another one is watched, or this one left before.
 */
gboolean kv_kcp_watch(KvKcp *kcp, uint32_t sn) KV_MUST_USE;
gboolean kv_kcp_take_arrived(KvKcp *kcp) KV_MUST_USE;

/* --- receiving ------------------------------------------------------------------------------ */

/**
 * kv_kcp_input_head:
 *
 * Takes a head. One out of a recovered datagram (@origin) is no measure of time.
 *
 * Returns: %FALSE if it acknowledges what was never sent, which no true peer does; that part of it
 * is not believed then.
 */
gboolean kv_kcp_input_head(KvKcp *kcp, const KvFrameHead *head, KvKcpOrigin origin, KvTime now);

/**
 * kv_kcp_input_segment:
 * @sn: its number
 *
 * Returns: %TRUE if it is new and to be handed up, now: nobody will repeat it.
 */
gboolean kv_kcp_input_segment(KvKcp *kcp, uint32_t sn, KvTime now) KV_MUST_USE;

/* Whether a segment need not come any more: it was taken, or una is past it. */
gboolean kv_kcp_has_segment(const KvKcp *kcp, uint32_t sn);

/* What the next report tells of came with congestion marks, in part. Those on ECT(1) alone are left
 * to the senders inside, who take a mark for less than a loss. */
void kv_kcp_note_marks(KvKcp *kcp);

/* Takes a report. Returns: as kv_kcp_input_head(). */
gboolean kv_kcp_input_report(KvKcp *kcp, const KvFrameReport *report, KvTime now);

/* All segments below have come or never will. */
uint32_t kv_kcp_get_una(const KvKcp *kcp);

gboolean kv_kcp_owes_report(const KvKcp *kcp, KvTime now);

/* Says in @report what has come; what it counts of datagrams is the caller's to fill in. */
void kv_kcp_fill_report(KvKcp *kcp, KvFrameReport *report, KvTime now);
