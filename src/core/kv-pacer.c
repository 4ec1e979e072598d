/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-pacer.h"

#define START_SEGMENTS 64
#define QUEUE_SEGMENTS 16 /* under way: with fewer, long RTTs are jitter and not our queue */
#define FILLED_SAMPLES 8
#define FILLED_PART    4 /* of the RTT: more fills the path, in startup */
#define FILLED_MIN     (4 * KV_TIME_MS)
#define FILLED_MAX     (25 * KV_TIME_MS)
#define FILLED_JITTER  5 /* times that: no less fills it, either */
#define JITTER_SAMPLES 16
#define CAREFUL_PART   4 /* of startup's growth, once the path was full */
#define CROWD_PART     8 /* of the RTT: if no RTT of a round was shorter a queue stands */
#define CROWD_MIN      (2 * KV_TIME_MS)
#define OVERLOAD_LOSS  250 /* per mille, more than the least so far */
#define OVERLOAD_MOST  500 /* or so much in any case */
#define OVERLOAD_LEAST 192 /* segments: fewer may have met one bad moment */
#define DELAY_PART     16  /* of the RTT: more is no jitter */
#define DELAY_MIN      KV_TIME_MS
#define DELAY_MAX      (3 * KV_TIME_MS)
#define CWND_MIN       8 /* segments: fewer would starve loss detection */
#define RATE_ROUNDS    10
#define LOSS_ROUNDS    10
#define LOSS_SEGMENTS  128 /* fewer scatter: the best of ten measures is far above what arrives */
#define LOSS_FEW       32  /* segments will do after LOSS_ROUNDS */
#define LOSS_CREDIT    3   /* rounds that one measure counts for: the best of four remains */
#define ARRIVAL_FLOOR  500 /* per mille: beyond that much loss no compensation */
#define MARK_SHARE     870 /* in 1/1024: what a round with a mark leaves of the rate */
#define MARK_LEAST     512
#define MARK_GROWTH    32 /* of the rate, in 1/1024: with each round without */
#define MIN_RTT_LIFE   (10 * KV_TIME_S)
#define PROBE_RTT_TIME (200 * KV_TIME_MS)
#define BURST_MIN      500 /* us */
#define BURST_MAX      1000
#define BURST_BYTES    65536
#define STARTUP_GAIN   2955 /* 2 / ln 2, in 1/1024: doubles the rate each round */
#define DRAIN_GAIN     354
#define UNIT_GAIN      1024
#define CWND_GAIN      2048
#define N_PHASES       8
#define FULL_ROUNDS    3
#define LONG_ROUNDS    4
#define LONG_TIME      (200 * KV_TIME_MS) /* a queue from startup has drained by then */
#define PROBE_PAUSE    KV_TIME_S
#define DRAINED_ROUNDS 2

static const uint32_t phase_gains[N_PHASES] = {1280, 768, 1024, 1024, 1024, 1024, 1024, 1024};

static void
max_reset(KvPacerMax *max, uint64_t value, uint64_t round)
{
    for (guint i = 0; i < G_N_ELEMENTS(max->best); i++) {
        max->best[i].value = value;
        max->best[i].round = round;
    }
}

/* Keeps the best, and the best of what came after it, and of what came after that. */
static void
max_update(KvPacerMax *max, uint64_t value, uint64_t round, uint64_t window)
{
    if (value >= max->best[0].value || round - max->best[2].round > window) {
        max_reset(max, value, round);
        return;
    }
    for (guint i = 1; i < G_N_ELEMENTS(max->best); i++) {
        if (value < max->best[i].value)
            continue;
        for (guint j = i; j < G_N_ELEMENTS(max->best); j++) {
            max->best[j].value = value;
            max->best[j].round = round;
        }
        break;
    }
    for (guint i = 0; i < 2 && round - max->best[0].round > window; i++) {
        max->best[0] = max->best[1];
        max->best[1] = max->best[2];
        max->best[2].value = value;
        max->best[2].round = round;
    }
    if (max->best[1].round == max->best[0].round && round - max->best[1].round > window / 4) {
        max->best[1].value = max->best[2].value = value;
        max->best[1].round = max->best[2].round = round;
    } else if (max->best[2].round == max->best[1].round &&
               round - max->best[2].round > window / 2) {
        max->best[2].value = value;
        max->best[2].round = round;
    }
}

uint64_t
kv_pacer_get_bandwidth(const KvPacer *pacer)
{
    return pacer->bandwidth.best[0].value;
}

void
kv_pacer_init(KvPacer *pacer, uint32_t segment, KvTime now)
{
    *pacer = (KvPacer){
        .segment = segment,
        .cwnd = (uint64_t) START_SEGMENTS * segment,
        .share = UNIT_GAIN,
        .min_rtt_at = now,
        .probe_pause = PROBE_PAUSE,
        .epoch_at = now,
        .least_loss = 1000,
    };
}

/* What to send so that the known rate arrives. */
static uint64_t
get_sending_rate(const KvPacer *pacer)
{
    uint64_t bandwidth = kv_pacer_get_bandwidth(pacer);

    /* What is lost where a queue stands may have overflowed. Sent on top it would be lost, too, and
     * what is lost sent on top, and so on. */
    if (pacer->mode == KV_PACER_STARTUP || pacer->arrival.best[0].value == 0 || pacer->is_crowded)
        return bandwidth;
    return bandwidth * 1000 / MAX(ARRIVAL_FLOOR, pacer->arrival.best[0].value);
}

uint64_t
kv_pacer_get_bdp(const KvPacer *pacer)
{
    return get_sending_rate(pacer) * pacer->min_rtt / KV_TIME_S;
}

/* A second startup only looks whether a longer path is faster, too: what was known still holds. */
static gboolean
is_known(const KvPacer *pacer)
{
    return pacer->mode != KV_PACER_STARTUP || pacer->is_restarted;
}

uint64_t
kv_pacer_get_known_rate(const KvPacer *pacer)
{
    return is_known(pacer) ? get_sending_rate(pacer) : 0;
}

/* Whether @rtt is that of a queue. */
static gboolean
is_queued(const KvPacer *pacer, KvTime rtt)
{
    return rtt > pacer->min_rtt + MAX(pacer->min_rtt / 2, 4 * KV_TIME_MS);
}

static void
measure_arrival(KvPacer *pacer)
{
    uint64_t total = pacer->loss_acked + pacer->loss_lost;
    guint wanted = ++pacer->loss_rounds < LOSS_ROUNDS ? LOSS_SEGMENTS : LOSS_FEW;

    if (total < (uint64_t) wanted * pacer->segment)
        return;
    pacer->loss_clock += MIN(pacer->loss_rounds, LOSS_CREDIT);
    max_update(&pacer->arrival, pacer->loss_acked * 1000 / total, pacer->loss_clock, LOSS_ROUNDS);
    pacer->loss_acked = pacer->loss_lost = pacer->loss_rounds = 0;
}

static gboolean
is_long(const KvPacer *pacer, KvTime rtt)
{
    KvTime most = CLAMP(pacer->min_rtt / FILLED_PART, FILLED_MIN, FILLED_MAX);

    return rtt > pacer->min_rtt + MAX(most, FILLED_JITTER * pacer->jitter);
}

/* Startup sends in bursts, so each of its rounds begins with short RTTs until the path is full
 * (HyStart++, RFC 9406). */
static gboolean
is_standing(const KvPacer *pacer)
{
    return is_long(pacer, pacer->round_rtt) &&
           (pacer->round_rtts >= FILLED_SAMPLES || is_long(pacer, pacer->last_round_rtt));
}

/* Whether what is under way takes longer than a round trip at the rate at which this burst arrives:
 * the path is full, a round before a queue stands for all of one. */
static gboolean
is_overfull(const KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    KvTime elapsed = kv_time_elapsed(now, pacer->round_at);

    return sample->in_flight * elapsed >
           pacer->round_acked * (pacer->min_rtt + 2 * pacer->jitter) * 5 / 4;
}

static void
watch_queue(KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    if (sample->rtt == 0)
        return;
    if (!is_long(pacer, sample->rtt) || sample->in_flight <= QUEUE_SEGMENTS * pacer->segment)
        pacer->is_filled = FALSE;
    else if (is_standing(pacer) || is_overfull(pacer, sample, now))
        pacer->is_filled = pacer->was_filled = TRUE;
}

/* Whether far more was lost in the round that ends than the path loses by itself, and more is under
 * way than arrives: a short queue overflows long before it shows in the RTTs. */
static gboolean
is_overloaded(KvPacer *pacer, uint64_t in_flight)
{
    uint64_t total = pacer->round_acked + pacer->round_lost;
    guint loss = total > 0 ? (guint) (pacer->round_lost * 1000 / total) : 0;
    gboolean is_more = loss > MIN(pacer->least_loss + OVERLOAD_LOSS, OVERLOAD_MOST);

    pacer->round_acked = pacer->round_lost = 0;
    if (total < (uint64_t) OVERLOAD_LEAST * pacer->segment)
        return FALSE;
    pacer->least_loss = MIN(pacer->least_loss, loss);
    return is_more && in_flight > kv_pacer_get_bdp(pacer) * 3 / 2;
}

/* What was lost so far overflowed, maybe: no measure of the path. */
static void
forget_losses(KvPacer *pacer)
{
    pacer->loss_acked = pacer->loss_lost = pacer->loss_rounds = 0;
}

static void
end_startup(KvPacer *pacer)
{
    pacer->mode = KV_PACER_DRAIN;
    forget_losses(pacer);
}

/* Whether the round that is over, or this one, has a mark. */
static gboolean
is_marked_now(const KvPacer *pacer)
{
    return pacer->marked > 0 && pacer->marked >= pacer->round;
}

/* With so little under way a queue is not of ours, and less would starve loss detection. */
static void
take_mark(KvPacer *pacer, const KvPacerSample *sample)
{
    if (pacer->marked == pacer->round + 1 || sample->in_flight <= CWND_MIN * pacer->segment)
        return;
    pacer->marked = pacer->round + 1;
    if (pacer->mode == KV_PACER_CRUISE)
        pacer->share = MAX(pacer->share * MARK_SHARE / UNIT_GAIN, MARK_LEAST);
}

/* Whether startup has found the rate: three rounds that brought less than a quarter more, or one
 * such round while a queue stands or is marked; or the path has no room for what was sent. */
static void
check_full(KvPacer *pacer, const KvPacerSample *sample)
{
    uint64_t bandwidth = kv_pacer_get_bandwidth(pacer);
    gboolean queued = (pacer->is_filled && is_standing(pacer)) ||
                      (is_marked_now(pacer) && sample->in_flight > QUEUE_SEGMENTS * pacer->segment);
    gboolean overloaded = is_overloaded(pacer, sample->in_flight);

    /* Whoever fills a queue is not short of data, however often it runs dry here. */
    if (sample->app_limited && !queued)
        return;
    if (overloaded) {
        end_startup(pacer);
        return;
    }
    if (bandwidth >= pacer->full_bandwidth + pacer->full_bandwidth / 4) {
        pacer->full_bandwidth = bandwidth;
        pacer->full_rounds = 0;
        return;
    }
    if (++pacer->full_rounds >= FULL_ROUNDS || queued)
        end_startup(pacer);
}

static void
enter_cruise(KvPacer *pacer, KvTime now)
{
    pacer->mode = KV_PACER_CRUISE;
    pacer->phase = 2;
    pacer->phase_at = now;
    pacer->phase_bandwidth = kv_pacer_get_bandwidth(pacer);
}

static void
update_phase(KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    gboolean full_time = kv_time_elapsed(now, pacer->phase_at) > pacer->min_rtt;
    gboolean done;

    if (phase_gains[pacer->phase] > UNIT_GAIN)
        done = full_time;
    else if (phase_gains[pacer->phase] < UNIT_GAIN)
        done = full_time || sample->in_flight <= kv_pacer_get_bdp(pacer);
    else
        done = full_time;
    if (!done)
        return;
    /* What more was sent has arrived: there may be still more, no need to wait for the next turn.
     */
    if (pacer->phase > 0 &&
        kv_pacer_get_bandwidth(pacer) > pacer->phase_bandwidth + pacer->phase_bandwidth / 16)
        pacer->phase = 0;
    else
        pacer->phase = (pacer->phase + 1) % N_PHASES;
    if (pacer->phase == 0)
        pacer->phase_bandwidth = kv_pacer_get_bandwidth(pacer);
    pacer->phase_at = now;
}

static void
restart(KvPacer *pacer)
{
    uint64_t start = (uint64_t) START_SEGMENTS * pacer->segment;

    pacer->mode = KV_PACER_STARTUP;
    pacer->is_restarted = TRUE;
    pacer->full_bandwidth = 0;
    pacer->full_rounds = 0;
    pacer->is_filled = pacer->was_filled = FALSE;
    pacer->round_acked = pacer->round_lost = 0;
    pacer->least_loss = 1000;
    pacer->cwnd = MAX(start, kv_pacer_get_bdp(pacer));
}

/* At the end of a round: looks for RTTs that stay long whatever this end does. */
static void
watch_path(KvPacer *pacer, KvTime now)
{
    if (pacer->round_rtt <= pacer->min_rtt + pacer->min_rtt / 2 + 2 * KV_TIME_MS ||
        pacer->mode == KV_PACER_STARTUP) {
        pacer->long_rounds = 0;
        pacer->long_since = now;
        return;
    }
    if (++pacer->long_rounds < LONG_ROUNDS || pacer->long_since + LONG_TIME > now ||
        now < pacer->probed_at + pacer->probe_pause)
        return;
    pacer->mode = KV_PACER_PROBE_PATH;
    pacer->drained = 0;
    pacer->drained_rtt = 0;
}

static void
end_probe_path(KvPacer *pacer, KvTime now)
{
    gboolean is_longer = pacer->drained_rtt > pacer->min_rtt + pacer->min_rtt / 4 + KV_TIME_MS;

    pacer->min_rtt = pacer->drained_rtt;
    pacer->min_rtt_at = now;
    pacer->long_rounds = 0;
    pacer->long_since = pacer->probed_at = now;
    if (is_longer) {
        pacer->probe_pause = PROBE_PAUSE;
        restart(pacer);
        return;
    }
    /* It was a queue, and there may soon be one again: this costs too much to be done all the
     * time. */
    pacer->probe_pause = MIN(4 * pacer->probe_pause, MIN_RTT_LIFE);
    enter_cruise(pacer, now);
}

/* Only what was sent after all else had arrived tells the length of the path. */
static void
probe_path(KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    if (pacer->drained == 0) {
        if (sample->in_flight <= (uint64_t) CWND_MIN * pacer->segment) {
            pacer->drained = pacer->round;
            pacer->round_end = sample->delivered;
        }
        return;
    }
    if (pacer->round > pacer->drained && sample->rtt > 0 &&
        (pacer->drained_rtt == 0 || sample->rtt < pacer->drained_rtt))
        pacer->drained_rtt = sample->rtt;
    if (pacer->round >= pacer->drained + DRAINED_ROUNDS && pacer->drained_rtt > 0)
        end_probe_path(pacer, now);
}

/* Half of what RTTs change from one to the next they fall by; and a queue that grows lets none
 * fall. */
static void
update_jitter(KvPacer *pacer, KvTime rtt)
{
    KvTime change = pacer->last_rtt > rtt ? 2 * (pacer->last_rtt - rtt) : 0;

    pacer->n_rtts = MIN(pacer->n_rtts + 1, JITTER_SAMPLES);
    pacer->jitter = ((pacer->n_rtts - 1) * pacer->jitter + change) / pacer->n_rtts;
    pacer->last_rtt = rtt;
}

static void
update_min_rtt(KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    gboolean expired = kv_time_elapsed(now, pacer->min_rtt_at) > MIN_RTT_LIFE;

    if (sample->rtt == 0)
        return;
    update_jitter(pacer, sample->rtt);
    pacer->srtt = pacer->srtt > 0 ? (7 * pacer->srtt + sample->rtt) / 8 : sample->rtt;
    if (pacer->min_rtt == 0 || sample->rtt <= pacer->min_rtt || expired) {
        pacer->min_rtt = sample->rtt;
        pacer->min_rtt_at = now;
    }
    if (expired && pacer->mode == KV_PACER_CRUISE) {
        pacer->mode = KV_PACER_PROBE_RTT;
        pacer->probe_rtt_end = now + MAX(PROBE_RTT_TIME, 2 * pacer->min_rtt);
    }
}

static void
update_mode(KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    switch (pacer->mode) {
    case KV_PACER_STARTUP:
        break;
    case KV_PACER_DRAIN:
        forget_losses(pacer);
        if (sample->in_flight <= kv_pacer_get_bdp(pacer)) {
            enter_cruise(pacer, now);
            pacer->phase = 0; /* startup may have ended before it saw all there is */
        }
        break;
    case KV_PACER_CRUISE:
        update_phase(pacer, sample, now);
        break;
    case KV_PACER_PROBE_RTT:
        if (now >= pacer->probe_rtt_end)
            enter_cruise(pacer, now);
        break;
    case KV_PACER_PROBE_PATH:
        probe_path(pacer, sample, now);
        break;
    }
}

static void
begin_round(KvPacer *pacer)
{
    KvTime crowd = MAX(MAX(pacer->min_rtt / CROWD_PART, CROWD_MIN), pacer->jitter);

    pacer->is_crowded = pacer->round_rtt > pacer->min_rtt + crowd;
    pacer->last_round_rtt = pacer->round_rtt;
    pacer->round_rtt = 0;
    pacer->round_rtts = 0;
}

/* A peer that holds acks back for its timer answers in lumps; the window must bridge them. */
static void
update_extra(KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    uint64_t expected =
        kv_pacer_get_bandwidth(pacer) * kv_time_elapsed(now, pacer->epoch_at) / KV_TIME_S;

    if (pacer->epoch_acked <= expected) {
        pacer->epoch_acked = 0;
        pacer->epoch_at = now;
        expected = 0;
    }
    pacer->epoch_acked += sample->acked;
    max_update(&pacer->extra,
               MIN(pacer->epoch_acked - MIN(expected, pacer->epoch_acked), pacer->cwnd),
               pacer->round, RATE_ROUNDS);
}

static uint32_t
get_gain(const KvPacer *pacer)
{
    static const uint32_t gains[] = {
        [KV_PACER_STARTUP] = STARTUP_GAIN,
        [KV_PACER_DRAIN] = DRAIN_GAIN,
        [KV_PACER_PROBE_RTT] = UNIT_GAIN,
        [KV_PACER_PROBE_PATH] = UNIT_GAIN,
    };

    return pacer->mode == KV_PACER_CRUISE ? phase_gains[pacer->phase] : gains[pacer->mode];
}

static void
update_rate(KvPacer *pacer)
{
    uint64_t rate = get_sending_rate(pacer) * get_gain(pacer) / UNIT_GAIN;

    if (pacer->mode != KV_PACER_STARTUP) {
        pacer->rate = rate * pacer->share / UNIT_GAIN;
        return;
    }
    /* A few small writes must not make the first bulk transfer crawl. */
    if (pacer->min_rtt > 0)
        pacer->rate = MAX(pacer->rate,
                          (uint64_t) START_SEGMENTS * pacer->segment * KV_TIME_S / pacer->min_rtt);
    pacer->rate = MAX(pacer->rate, rate);
}

static void
update_cwnd(KvPacer *pacer, const KvPacerSample *sample)
{
    uint64_t bdp = kv_pacer_get_bdp(pacer);
    uint64_t floor = (uint64_t) CWND_MIN * pacer->segment;
    uint64_t target;

    if (pacer->mode == KV_PACER_STARTUP) {
        target = bdp * STARTUP_GAIN / UNIT_GAIN + pacer->extra.best[0].value;
        if (pacer->is_filled)
            return;
        if (pacer->cwnd < target || sample->delivered < (uint64_t) START_SEGMENTS * pacer->segment)
            pacer->cwnd += pacer->was_filled ? sample->acked / CAREFUL_PART : sample->acked;
        return;
    }
    if (pacer->mode == KV_PACER_PROBE_RTT)
        target = bdp / 2;
    else if (pacer->mode == KV_PACER_PROBE_PATH)
        target = floor;
    else
        target = bdp * CWND_GAIN / UNIT_GAIN * pacer->share / UNIT_GAIN +
                 pacer->extra.best[0].value + 4 * pacer->segment;
    pacer->cwnd = MAX(target, floor);
}

void
kv_pacer_on_ack(KvPacer *pacer, const KvPacerSample *sample, KvTime now)
{
    gboolean new_round = sample->prior_delivered >= pacer->round_end;

    pacer->loss_acked += sample->acked_alone;
    pacer->loss_lost += sample->lost_alone;
    pacer->round_acked += sample->acked;
    pacer->round_lost += sample->overtaken;
    update_min_rtt(pacer, sample, now);
    if (sample->rtt > 0 && (pacer->round_rtt == 0 || sample->rtt < pacer->round_rtt))
        pacer->round_rtt = sample->rtt;
    pacer->round_rtts += sample->rtt > 0;
    if (new_round) {
        pacer->round++;
        pacer->round_end = sample->delivered;
        measure_arrival(pacer);
        if (!is_marked_now(pacer))
            pacer->share = MIN(pacer->share + MARK_GROWTH, UNIT_GAIN);
    }
    if (sample->marked)
        take_mark(pacer, sample);
    if (sample->interval > 0 && sample->interval >= pacer->min_rtt) {
        uint64_t rate =
            (sample->delivered - sample->prior_delivered) * KV_TIME_S / sample->interval;

        if (!sample->app_limited || rate >= kv_pacer_get_bandwidth(pacer))
            max_update(&pacer->bandwidth, rate, pacer->round, RATE_ROUNDS);
    }
    update_extra(pacer, sample, now);
    if (pacer->mode == KV_PACER_STARTUP)
        watch_queue(pacer, sample, now);
    if (new_round && pacer->mode == KV_PACER_STARTUP)
        check_full(pacer, sample);
    if (new_round && pacer->round_rtt > 0) {
        if (pacer->mode != KV_PACER_PROBE_PATH)
            watch_path(pacer, now);
        begin_round(pacer);
    }
    if (new_round)
        pacer->round_at = now;
    update_mode(pacer, sample, now);
    update_rate(pacer);
    update_cwnd(pacer, sample);
}

/* The first startup is bounded by its window alone: what comes in bursts from an inner sender that
 * is starting up too would meet a delay here, take it for a queue, and stop growing. */
static gboolean
is_paced(const KvPacer *pacer, gboolean is_repeat)
{
    return pacer->rate > 0 && (is_repeat || is_known(pacer));
}

/* How far the schedule may run ahead, in us: the length of a burst. */
static uint64_t
get_burst(const KvPacer *pacer)
{
    uint64_t two = 2 * KV_TIME_S * pacer->segment / pacer->rate;
    uint64_t usual = CLAMP(BURST_BYTES * KV_TIME_S / pacer->rate, BURST_MIN, BURST_MAX);

    return MAX(two, usual);
}

void
kv_pacer_on_sent(KvPacer *pacer, uint32_t bytes, gboolean is_repeat, KvTime now)
{
    uint64_t earliest = (now > BURST_MAX ? now - BURST_MAX : 0) << 10;

    if (!is_paced(pacer, is_repeat))
        return;
    /* Being late is made up for, being idle is not. */
    pacer->next_at = MAX(pacer->next_at, earliest) + (bytes * KV_TIME_S << 10) / pacer->rate;
}

gboolean
kv_pacer_may_send(const KvPacer *pacer, gboolean is_repeat, KvTime now)
{
    return !is_paced(pacer, is_repeat) || pacer->next_at >> 10 < now + get_burst(pacer);
}

KvTime
kv_pacer_get_next(const KvPacer *pacer)
{
    return pacer->next_at >> 10;
}

gboolean
kv_pacer_is_filled(const KvPacer *pacer, uint64_t in_flight)
{
    uint64_t bdp = kv_pacer_get_bdp(pacer);

    return pacer->min_rtt > 0 && in_flight > bdp + bdp / 4 + 4 * pacer->segment;
}

gboolean
kv_pacer_has_queue(const KvPacer *pacer, uint64_t in_flight)
{
    return in_flight > QUEUE_SEGMENTS * pacer->segment && is_queued(pacer, pacer->srtt);
}

gboolean
kv_pacer_is_marked(const KvPacer *pacer)
{
    return pacer->share < UNIT_GAIN || is_marked_now(pacer);
}

gboolean
kv_pacer_is_delayed(const KvPacer *pacer)
{
    return pacer->srtt > pacer->min_rtt + CLAMP(pacer->min_rtt / DELAY_PART, DELAY_MIN, DELAY_MAX);
}

gboolean
kv_pacer_is_busy(const KvPacer *pacer, uint64_t in_flight)
{
    if (!is_known(pacer))
        return pacer->was_filled || kv_pacer_has_queue(pacer, in_flight);
    return in_flight > kv_pacer_get_bdp(pacer) / 2;
}
