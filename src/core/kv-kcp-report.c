/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp-native.h"
#include "kv-kcp-private.h"

#define BITS_MIN  64
#define DELAY_MIN (10 * KV_TIME_MS)
#define DELAY_MAX (50 * KV_TIME_MS)
#define DELAY_RTT 4 /* so many parts of the RTT */

void
kv_kcp_native_init(KvKcp *kcp)
{
    KvKcpNative *native = &kcp->native;

    native->size = BITS_MIN;
    while (native->size < kcp->config.rcv_wnd)
        native->size *= 2;
    native->got = g_new0(uint64_t, native->size / 64);
    native->untold = g_new0(uint64_t, native->size / 64);
    native->once = g_new0(uint64_t, native->size / 64);
    native->end = kcp->rcv_nxt;
    native->report_at = native->forward_at = KV_TIME_NEVER;
}

void
kv_kcp_native_clear(KvKcp *kcp)
{
    g_free(kcp->native.got);
    g_free(kcp->native.untold);
    g_free(kcp->native.once);
}

KvTime
kv_kcp_get_report_delay(const KvKcp *kcp)
{
    return CLAMP(kcp->rack.srtt / DELAY_RTT, DELAY_MIN, DELAY_MAX);
}

uint32_t
kv_kcp_get_una(const KvKcp *kcp)
{
    return kcp->rcv_nxt;
}

uint16_t
kv_kcp_native_get_wnd(const KvKcp *kcp)
{
    return (uint16_t) (kv_kcp_get_free_window(kcp) / KV_FRAME_WND_UNIT);
}

/* --- the set of what came ------------------------------------------------------------------- */

static gboolean
has(const KvKcpNative *native, uint32_t sn)
{
    return kv_kcp_get_bit(native->got, native->size, sn);
}

/* Moves on by one. */
static void
pass(KvKcp *kcp)
{
    KvKcpNative *native = &kcp->native;

    if (has(native, kcp->rcv_nxt))
        kcp->n_early--;
    kv_kcp_clear_bit(native->got, native->size, kcp->rcv_nxt);
    kv_kcp_clear_bit(native->untold, native->size, kcp->rcv_nxt);
    kv_kcp_clear_bit(native->once, native->size, kcp->rcv_nxt);
    kcp->rcv_head = ++kcp->rcv_nxt;
}

static void
pass_what_came(KvKcp *kcp)
{
    while (kcp->n_early > 0 && has(&kcp->native, kcp->rcv_nxt))
        pass(kcp);
}

void
kv_kcp_native_skip(KvKcp *kcp, uint32_t fwd, KvTime now)
{
    KvKcpNative *native = &kcp->native;

    while (kcp->rcv_nxt != fwd && kcp->rcv_nxt != native->end)
        pass(kcp);
    if (kcp->rcv_nxt == native->end)
        kcp->rcv_head = kcp->rcv_nxt = native->end = fwd;
    pass_what_came(kcp);
    native->has_skipped = TRUE;
    native->skipped_to = fwd;
    native->report_at = now;
}

/* The peer repeats what it need not: it has not heard of @sn, or of how much room there is. */
static gboolean
refuse(KvKcp *kcp, uint32_t sn, KvTime now)
{
    kcp->duplicates++;
    if (kv_kcp_diff(sn, kcp->rcv_nxt) >= 0 && kv_kcp_diff(sn, kcp->native.end) < 0)
        kv_kcp_set_bit(kcp->native.untold, kcp->native.size, sn);
    kcp->native.report_at = now;
    return FALSE;
}

gboolean
kv_kcp_input_segment(KvKcp *kcp, uint32_t sn, KvTime now)
{
    KvKcpNative *native = &kcp->native;
    uint32_t ahead = sn - kcp->rcv_nxt;
    KvTime due = now + kv_kcp_get_report_delay(kcp);

    if (ahead >= kv_kcp_get_free_window(kcp) || has(native, sn))
        return refuse(kcp, sn, now);
    if (sn != native->end)
        due = now;
    native->report_at = MIN(native->report_at, due);
    if (kv_kcp_diff(sn, native->end) >= 0)
        native->end = sn + 1;
    kv_kcp_set_bit(native->got, native->size, sn);
    kv_kcp_set_bit(native->untold, native->size, sn);
    kcp->n_early++;
    pass_what_came(kcp);
    return TRUE;
}

gboolean
kv_kcp_has_segment(const KvKcp *kcp, uint32_t sn)
{
    return kv_kcp_diff(sn, kcp->rcv_nxt) < 0 ||
           (kv_kcp_diff(sn, kcp->native.end) < 0 && has(&kcp->native, sn));
}

/* --- the report ----------------------------------------------------------------------------- */

typedef struct {
    uint32_t from;
    uint32_t to;
    gboolean is_news; /* at most one report has told of all in it */
} Range;

static uint32_t
find_end(const KvKcpNative *native, uint32_t sn)
{
    while (sn != native->end) {
        uint32_t i = sn & (native->size - 1);
        uint64_t missing = ~native->got[i / 64] >> (i % 64);
        uint32_t step = missing != 0 ? (uint32_t) __builtin_ctzll(missing) : 64 - i % 64;

        step = MIN(step, native->end - sn);
        sn += step;
        if (step < 64 - i % 64)
            break;
    }
    return sn;
}

/* The first range at or above @sn; FALSE: none. */
static gboolean
find_range(const KvKcpNative *native, uint32_t sn, Range *range)
{
    uint32_t from = kv_kcp_next_bit(native->got, native->size, sn, native->end);
    uint32_t to;

    if (from == native->end)
        return FALSE;
    to = find_end(native, from);
    *range = (Range){
        .from = from,
        .to = to,
        .is_news = kv_kcp_next_bit(native->untold, native->size, from, to) != to ||
                   kv_kcp_next_bit(native->once, native->size, from, to) != to,
    };
    return TRUE;
}

/* What was told for the first time is worth telling once more: a report may be lost. */
static void
note_told(KvKcpNative *native, const Range *range)
{
    for (uint32_t sn = range->from; sn != range->to; sn++) {
        gboolean was_untold = kv_kcp_get_bit(native->untold, native->size, sn);

        kv_kcp_clear_bit(native->untold, native->size, sn);
        if (was_untold)
            kv_kcp_set_bit(native->once, native->size, sn);
        else
            kv_kcp_clear_bit(native->once, native->size, sn);
    }
}

typedef struct {
    guint all;
    guint news;
} Counts;

static Counts
count_ranges(const KvKcp *kcp)
{
    Counts counts = {0};
    Range range;

    for (uint32_t sn = kcp->rcv_nxt; find_range(&kcp->native, sn, &range); sn = range.to) {
        counts.all++;
        counts.news += range.is_news;
    }
    return counts;
}

/* All ranges; or, where they do not find room, those that the peer may not know, and of the others
 * as many as there is room for, by turns. Returns: how many are left that it may not know. */
static guint
fill_ranges(KvKcp *kcp, KvFrameReport *report)
{
    KvKcpNative *native = &kcp->native;
    Counts counts = count_ranges(kcp);
    guint old = KV_FRAME_RANGES_MAX - MIN(counts.news, KV_FRAME_RANGES_MAX);
    uint32_t end = kcp->rcv_nxt, turn = native->retell_from;
    Range range;

    if (counts.all <= KV_FRAME_RANGES_MAX || kv_kcp_diff(turn, kcp->rcv_nxt) < 0)
        turn = kcp->rcv_nxt;
    native->retell_from = kcp->rcv_nxt;

    for (uint32_t sn = kcp->rcv_nxt;
         report->n_ranges < KV_FRAME_RANGES_MAX && find_range(native, sn, &range); sn = range.to) {
        if (!range.is_news && (old == 0 || kv_kcp_diff(range.from, turn) < 0))
            continue;
        if (!range.is_news && --old == 0)
            native->retell_from = range.to;
        counts.news -= range.is_news;
        report->ranges[report->n_ranges++] = (KvFrameRange){
            .start = (uint16_t) (range.from - end),
            .len = (uint16_t) (range.to - range.from),
        };
        end = range.to;
        if (range.is_news)
            note_told(native, &range);
    }
    return counts.news;
}

gboolean
kv_kcp_owes_report(const KvKcp *kcp, KvTime now)
{
    return now >= kcp->native.report_at;
}

void
kv_kcp_fill_report(KvKcp *kcp, KvFrameReport *report, KvTime now)
{
    const KvKcpNative *native = &kcp->native;
    KvTime delay = kv_time_elapsed(now, native->head_at) / KV_FRAME_DELAY_UNIT;

    report->una = kcp->rcv_nxt;
    report->ts = native->head_ts;
    report->delay =
        native->has_head ? (uint16_t) MIN(delay, KV_KCP_DELAY_UNKNOWN) : KV_KCP_DELAY_UNKNOWN;
    report->wnd = kv_kcp_native_get_wnd(kcp);
    report->n_ranges = 0;
    kcp->native.report_at = fill_ranges(kcp, report) > 0 ? now : KV_TIME_NEVER;
}
