/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"

/**
 * KvPacer:
 *
 * A model of the path, after BBR (draft-cardwell-iccrg-bbr-congestion-control): the highest
 * delivery rate of the last ten round trips and the lowest RTT of the last ten seconds. From them
 * follow how fast to send and how much to have under way. The rate is looked for with 2.9 times,
 * later every eighth round with 1.25 times the known one, and the queue this makes is drained.
 * Startup grows no further while RTTs tell, for all that they differ from one to the next, that the
 * path is full, and with care after that (HyStart++, RFC 9406). It ends when they tell so for a
 * round, when the rate no longer grows, or when far more is lost than in its first rounds.
 *
 * Loss does not lower the rate. What is lost even in the rounds that drain, and so without a
 * queue, is taken for a property of the link: that share is sent on top of the delivered rate, but
 * for startup, whose gain leaves room for it, and while a queue stands all the same. What had
 * copies is lost less often and counts not.
 *
 * A congestion mark does lower it, once a round trip by 15 per cent, and round trips without one
 * raise it again. The senders of what is carried are told, too, and go further; but until they do,
 * what waits here would leave at the old rate.
 *
 * When RTTs stay half as long again for some round trips the path may have become longer, which
 * looks just like a queue. So nearly nothing is sent until what is under way has arrived. If the
 * RTT has not come back then, the path has changed and is explored from the start.
 *
 * Embedded; one thread; no allocation. Sizes in bytes, rates in bytes per second.
 */

/* The largest of what was seen in the last so many rounds (after Nichols). */
typedef struct {
    struct {
        uint64_t value;
        uint64_t round;
    } best[3];
} KvPacerMax;

typedef enum {
    KV_PACER_STARTUP,
    KV_PACER_DRAIN,
    KV_PACER_CRUISE,
    KV_PACER_PROBE_RTT,
    KV_PACER_PROBE_PATH,
} KvPacerMode;

typedef struct {
    KvPacerMode mode;
    uint32_t segment; /* bytes of a full one */
    uint64_t rate;    /* to send at now; 0: not known yet */
    uint64_t cwnd;    /* bytes that may be under way */

    KvPacerMax bandwidth;
    KvPacerMax extra;   /* bytes acknowledged beyond the rate at once: held-back acks */
    KvPacerMax arrival; /* per mille of what was sent that arrived; 0: not known yet */
    uint32_t share;     /* of the rate that follows, in 1/1024: less after marks */
    uint64_t marked;    /* the round after the last one with a mark; 0: there was none */
    KvTime min_rtt;     /* 0: not known yet */
    KvTime min_rtt_at;
    KvTime srtt;
    KvTime last_rtt;
    guint n_rtts;  /* of which @jitter is a mean */
    KvTime jitter; /* how much RTTs change from one to the next */

    uint64_t round;
    uint64_t round_end; /* of delivered bytes */
    KvTime round_at;
    KvTime round_rtt;      /* lowest of the round */
    KvTime last_round_rtt; /* and of the one before */
    guint round_rtts;      /* how many there were */
    gboolean is_crowded;   /* in the one before no RTT was without a queue */

    uint64_t loss_acked; /* bytes without copies, since the last measure of arrival */
    uint64_t loss_lost;
    guint loss_rounds;   /* since then */
    uint64_t loss_clock; /* of measures, in rounds */

    uint64_t full_bandwidth; /* startup: the rate that was to be exceeded */
    guint full_rounds;
    gboolean is_filled;   /* a queue stands, or is about to */
    gboolean was_filled;  /* in this startup */
    uint64_t round_acked; /* bytes in startup's present round */
    uint64_t round_lost;
    guint least_loss; /* of its rounds so far, per mille */
    guint phase;      /* of the cruising cycle */
    KvTime phase_at;
    uint64_t phase_bandwidth; /* when the cycle began */
    KvTime probe_rtt_end;

    guint long_rounds;  /* in a row whose RTTs were too long */
    uint64_t drained;   /* while the path is probed: the round what was under way has arrived; 0:
                           not yet */
    KvTime drained_rtt; /* lowest since */
    KvTime long_since;
    KvTime probed_at;
    KvTime probe_pause;    /* to the next drain, longer after each that found no change */
    gboolean is_restarted; /* startup after a change of path */

    KvTime epoch_at; /* of the count of extra bytes */
    uint64_t epoch_acked;

    uint64_t next_at; /* when the schedule is even again, in 1/1024 us */
} KvPacer;

/* What one batch of acknowledgements showed. */
typedef struct {
    uint64_t delivered;       /* bytes, since the beginning */
    uint64_t prior_delivered; /* the same when the newest segment of the batch was sent */
    KvTime interval;          /* that the difference took; 0: nothing learnt */
    KvTime rtt;               /* 0: no sample */
    uint64_t acked;           /* bytes in this batch */
    uint64_t acked_alone;     /* of it without copies */
    uint64_t lost_alone;      /* bytes without copies given up as lost since the last batch */
    uint64_t overtaken;       /* bytes given up since then because later ones arrived */
    uint64_t in_flight;       /* bytes, after the batch */
    gboolean marked;          /* datagrams have come with a mark that stands for a loss */
    gboolean app_limited;     /* there was not enough to send */
} KvPacerSample;

/* @segment: bytes of a full segment with its header */
void kv_pacer_init(KvPacer *pacer, uint32_t segment, KvTime now);

void kv_pacer_on_ack(KvPacer *pacer, const KvPacerSample *sample, KvTime now);

/* Takes @bytes, sent at @now, off the schedule. What @is_repeat keeps to it in the first startup,
 * too: it was lost together and would be lost together again. */
void kv_pacer_on_sent(KvPacer *pacer, uint32_t bytes, gboolean is_repeat, KvTime now);

/* Whether the schedule has room at @now; it comes in bursts of half a millisecond and more. */
gboolean kv_pacer_may_send(const KvPacer *pacer, gboolean is_repeat, KvTime now);

/* When the next burst is due. */
KvTime kv_pacer_get_next(const KvPacer *pacer);

/* Delivered bytes per second; 0: not known yet. */
uint64_t kv_pacer_get_bandwidth(const KvPacer *pacer);

/* What is to be sent each second so that the known path is full; 0: not known yet. */
uint64_t kv_pacer_get_known_rate(const KvPacer *pacer);

/* Bytes that fill the known path without a queue; 0: not known yet. */
uint64_t kv_pacer_get_bdp(const KvPacer *pacer);

/* Whether @in_flight bytes stand in a queue, by the RTT. */
gboolean kv_pacer_has_queue(const KvPacer *pacer, uint64_t in_flight);

/* Whether marks have told of congestion, some rounds ago at the most. */
gboolean kv_pacer_is_marked(const KvPacer *pacer);

/* Whether RTTs are longer than those of the path alone, if only a little. */
gboolean kv_pacer_is_delayed(const KvPacer *pacer);

/* Whether @in_flight bytes are more than half of what the known path holds; while none is
 * known yet, whether they stand in a queue. */
gboolean kv_pacer_is_busy(const KvPacer *pacer, uint64_t in_flight);

/* Whether @in_flight bytes are more than the known path holds without a queue. */
gboolean kv_pacer_is_filled(const KvPacer *pacer, uint64_t in_flight);
