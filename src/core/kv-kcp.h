/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-packet.h"
#include "kv-time.h"

/**
 * KvKcp:
 *
 * KCP, the ARQ of kcp-go (tests/vectors/kcp.json is its exact behaviour): a machine with four
 * verbs, fed with opened datagrams and the time. One thread at a time.
 *
 * With every field of #KvKcpTuning zero it sends exactly what the published algorithm sends.
 * The product switches on the sender-only changes listed there; no receiver can tell.
 *
 * With KvKcpConfig.native the same machine speaks the packing of the native protocol instead: then
 * kv-kcp-native.h says how data gets in and out.
 *
 * Sequence numbers index rings, unacknowledged segments stand in a list and their timeouts in
 * a heap: an acknowledgement or a timeout costs O(1) to O(log n) plus the holes before it, and
 * an idle machine nothing.
 */
typedef struct _KvKcp KvKcp;

#define KV_KCP_HEADER_BYTES 24
#define KV_KCP_WINDOW_MAX   65535 /* segments, the width of the wnd field */

/**
 * KvKcpTuning:
 *
 * The improvements that stay within what any peer expects, in one place; all zero: as published.
 * @tail_probe, @early_copy and @pacing build on @rack.
 *
 * @flush_on_input: acknowledgements, and what they make room for, leave at the end of a batch
 *   of input (kv_kcp_input_end()) instead of waiting up to 40 ms for the timer.
 * @rack: losses are told by time (RFC 8985): a segment is lost when one sent later has arrived
 *   and a reordering window (an eighth of the RTT, 10 ms at the most, wider after a needless
 *   repeat) has passed. As published a segment goes out again with every second ack that passes it.
 *   A closed window is asked after from 200 ms on instead of 7 s. Neither waits as long as the
 *   peer's silence would have it once the connection ends (kv_kcp_hurry()).
 * @ack_repeat: the ack of a segment that came early is sent once more with the next one: until
 *   the gap before it closes no una speaks for it, and losing it makes the peer repeat in vain.
 * @tail_probe: the last segment goes out again after two RTTs of silence, long before its
 *   timeout (RFC 8985, TLP).
 * @early_copy: on a path that loses and is not in full use (in startup: without a queue), a
 *   datagram goes out a second time some ms after the first, and a third time while little is
 *   under way and more than 8 % come late: sparse packets and the first rounds of a transfer,
 *   which FEC serves worst, are spared the wait for a repair. Repairs get a copy in any case (as in
 *   Hairpin, NSDI 2024). All this within an allowance of a sixteenth of the traffic, or while the
 *   path has room of the share that comes late, and five times that when it is more than 8 %; of
 *   16 KiB/s, or a sixteenth of the path's rate if that is less; and of 1 MiB saved up, or twice
 *   what fills the path if that is more, with 3 MiB on top when more than 4 % come late, but of no
 *   more than half a second of the path's rate or those two fillings. While the path is in full use
 *   what was saved up before is not touched. What comes late while a queue
 *   stands, which may have overflowed, is not taken for loss of the path. With @pacing, copies take
 *   the place of segments only where RTTs show that a queue begins. The copies themselves are the
 *   caller's work: kv_kcp_take_copies().
 * @pacing: new segments and repairs leave at the measured delivery rate and no more is under
 *   way than about two round trips' worth of it, whatever the window (after BBR). Random loss
 *   does not slow it down: after startup the share that is lost of what goes without copies is
 *   sent on top. A queue that builds up does. A path that became longer for good is told from a
 *   queue by a pause of some round trips; losses are then told by its new RTT.
 * @idle_silence: no timer while nothing is owed to the peer.
 */
typedef struct {
    gboolean flush_on_input;
    gboolean rack;
    gboolean ack_repeat;
    gboolean tail_probe;
    gboolean early_copy;
    gboolean pacing;
    gboolean idle_silence;
} KvKcpTuning;

/* What the product runs with. */
#define KV_KCP_TUNING_PRODUCT                                                                      \
    ((KvKcpTuning){.flush_on_input = TRUE,                                                         \
                   .rack = TRUE,                                                                   \
                   .ack_repeat = TRUE,                                                             \
                   .early_copy = TRUE,                                                             \
                   .tail_probe = TRUE,                                                             \
                   .pacing = TRUE,                                                                 \
                   .idle_silence = TRUE})

typedef struct {
    uint32_t conv;
    uint32_t mtu;      /* bytes of a UDP payload, 50 to 1500 */
    uint32_t reserved; /* bytes of it kept free for the layers outside, 0, 20 or 28 */
    uint32_t snd_wnd;  /* segments */
    uint32_t rcv_wnd;  /* segments */
    uint32_t interval; /* ms, held to 10..5000 */
    uint32_t resend;   /* acks that skip a segment before it is sent again; 0: never */
    gboolean nodelay;
    gboolean nc; /* no congestion window */
    gboolean stream;
    gboolean ack_nodelay;
    gboolean native;   /* see kv-kcp-native.h; @tuning has @rack and @flush_on_input then */
    uint32_t peer_wnd; /* native: the window that the peer announced, segments */
    uint32_t first_sn; /* 0 on any real wire; tests start just before the wrap */
    KvKcpTuning tuning;
} KvKcpConfig;

/* Where a datagram came from. A recovered one carries an old window and gives no RTT sample. */
typedef enum {
    KV_KCP_RECEIVED,
    KV_KCP_RECOVERED,
} KvKcpOrigin;

/**
 * kv_kcp_new:
 * @config: copied
 * @pool: (not nullable): gives the packets that sent data waits in; outlives the machine. What it
 *   calls one holder's share bounds the window that the peer is told of, too
 * @now: the time
 *
 * Returns: (transfer full): the machine, or %NULL when @config is out of range (a bug).
 */
KvKcp *kv_kcp_new(const KvKcpConfig *config, KvPacketPool *pool, KvTime now) KV_MUST_USE;
void kv_kcp_free(KvKcp *kcp);

/**
 * kv_kcp_send:
 * @slices: (array length=n): one write, gathered
 *
 * Appends bytes to the stream (stream mode: filling up the last queued segment first), or adds
 * one message. Takes all or nothing; %FALSE when the pool is empty or a message needs more
 * than 255 segments. It does not look at the window: ask kv_kcp_can_send() first.
 */
gboolean kv_kcp_send(KvKcp *kcp, const KvSlice *slices, guint n) KV_MUST_USE;

/**
 * kv_kcp_can_send:
 *
 * The condition for another write: fewer segments wait than min(snd_wnd, rmt_wnd) and than its
 * share of the pool while packets are in demand, and with
 * @pacing no more than about 10 ms (at least 64 KiB) of them is still unsent, so that the
 * standing queue stays with the writer.
 */
gboolean kv_kcp_can_send(const KvKcp *kcp);

/* Segments queued or sent and not yet covered by the peer's una. */
uint32_t kv_kcp_get_waiting(const KvKcp *kcp);

/**
 * kv_kcp_input:
 * @packet: holds the bytes; the machine takes references where it keeps them
 * @offset: where the segments begin in @packet
 * @len: their length in bytes
 *
 * Returns: %FALSE if a segment was not understood; those before it have been processed.
 */
gboolean kv_kcp_input(KvKcp *kcp, KvPacket *packet, size_t offset, size_t len, KvKcpOrigin origin,
                      KvTime now);

/**
 * kv_kcp_input_end:
 *
 * Ends a batch of kv_kcp_input(), after what they brought has been read: with @flush_on_input
 * acknowledgements (one for the whole batch) and new room are used at once; as published
 * nothing happens. kv_kcp_output() may have something to give out afterwards.
 */
void kv_kcp_input_end(KvKcp *kcp, KvTime now);

/**
 * kv_kcp_peek:
 * @data: (out) (transfer none): the received bytes that come next, valid until the next call
 *
 * Returns: how many bytes lie at @data, all of one segment; 0: none.
 */
size_t kv_kcp_peek(KvKcp *kcp, const uint8_t **data);

/* Takes @n of the bytes that kv_kcp_peek() showed. */
void kv_kcp_consume(KvKcp *kcp, size_t n);

/* Bounds one message: message mode of the vectors needs whole messages. 0: none complete. */
size_t kv_kcp_recv_message(KvKcp *kcp, uint8_t *buf, size_t cap);

/**
 * kv_kcp_flush:
 *
 * The flush of the published algorithm: decides what is due; kv_kcp_output() then gives it out.
 * Called after every write (unless the caller batches), and by kv_kcp_advance() on its timer.
 */
void kv_kcp_flush(KvKcp *kcp, KvTime now);

/**
 * kv_kcp_hurry:
 *
 * For the last words of a connection, after they were written: forgets how long the peer has been
 * silent or its window closed, which by now makes repeats and questions rare. As published nothing
 * happens, and new segments leave at once anyway.
 */
void kv_kcp_hurry(KvKcp *kcp);

/**
 * kv_kcp_output:
 * @buf: (out): room for at least mtu - reserved bytes
 *
 * Returns: the length of the next datagram, without outer headers; 0: nothing (more) to send.
 */
size_t kv_kcp_output(KvKcp *kcp, uint8_t *buf, size_t cap, KvTime now);

/**
 * kv_kcp_take_copies:
 * @len: bytes on the wire
 *
 * How many times the datagram that kv_kcp_output() gave out last, or one that FEC adds to it, is to
 * leave again just as it is, each time kv_kcp_get_copy_delay() later. What that costs is taken off
 * the allowance of @early_copy.
 */
guint kv_kcp_take_copies(KvKcp *kcp, size_t len, KvTime now) KV_MUST_USE;
KvTime kv_kcp_get_copy_delay(const KvKcp *kcp);

/* When kv_kcp_advance() wants to be called; %KV_TIME_NEVER while nothing is owed. */
KvTime kv_kcp_deadline(const KvKcp *kcp);

/* Runs the timer. Returns: %TRUE if the regular timer flush was due (rapid FEC hangs on it). */
gboolean kv_kcp_advance(KvKcp *kcp, KvTime now);

/* Inner values, for vectors, statistics and tests. */
typedef struct {
    uint32_t snd_una, snd_nxt, rcv_nxt;
    uint32_t snd_queue, snd_buf, rcv_queue, rcv_buf, acklist;
    uint32_t rmt_wnd, cwnd, incr, ssthresh;
    uint32_t probe, probe_wait; /* flags, ms */
    uint32_t srtt, rttvar, rto; /* ms */
    uint64_t segments_sent, retransmits_timeout, retransmits_fast, retransmits_probe;
    uint64_t early_copies;
    uint64_t duplicates;
    uint64_t echoes; /* acks that named the time of a transmission of ours, as no old ack can */
} KvKcpState;

void kv_kcp_get_state(const KvKcp *kcp, KvKcpState *state);

/* Milliseconds the published algorithm's flush would return: time to the next timer flush. */
uint32_t kv_kcp_get_next_flush_ms(const KvKcp *kcp);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvKcp, kv_kcp_free)
