/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-path-mtu.h"

#include <string.h>

/*
 * A search tries the longest first, then halves what is left down to 16 bytes; each size has three
 * tries. Ten minutes later it begins again, if anything is sent. When nothing is known of long
 * datagrams for 0.8 s, five pings as long ask whether they pass, and as many short ones whether
 * anything does: so a path that begins to swallow them costs 3 s. The same asks at once when the
 * path is another. A try counts only if something else was answered after it: else the path was
 * gone, if only in one direction. If that is so for all of them in a row nothing is concluded, and
 * a short ping each 15 s asks for an answer while long datagrams are sent.
 */
#define GRAIN        16
#define SEARCH_TRIES 3
#define RAISE_TIME   (600 * KV_TIME_S)
#define LONG_WAIT    (800 * KV_TIME_MS)
#define LONG_TRIES   5
#define SILENT_TIME  (15 * KV_TIME_S)
#define TRY_MIN      (400 * KV_TIME_MS)
#define TRY_MAX      (3 * KV_TIME_S)

static gboolean
is_found(const KvPathMtu *mtu)
{
    return mtu->size >= mtu->max || (mtu->beyond <= mtu->max && mtu->beyond - mtu->size <= GRAIN);
}

static void
begin(KvPathMtuProbe *probe, guint size)
{
    *probe = (KvPathMtuProbe){.size = size}; /* due at once */
}

static void
end(KvPathMtuProbe *probe)
{
    *probe = (KvPathMtuProbe){0};
}

/* The next size to try, if there is one. */
static void
go_on(KvPathMtu *mtu, KvTime now)
{
    end(&mtu->search);
    if (is_found(mtu)) {
        mtu->searching = FALSE;
        mtu->raise = now + RAISE_TIME;
    } else if (mtu->beyond > mtu->max) {
        begin(&mtu->search, mtu->max);
    } else {
        begin(&mtu->search, mtu->size + (mtu->beyond - mtu->size) / 2);
    }
}

static void
begin_search(KvPathMtu *mtu, KvTime now)
{
    mtu->searching = TRUE;
    mtu->beyond = mtu->max + 1;
    go_on(mtu, now);
}

static void
forget_long(KvPathMtu *mtu)
{
    mtu->long_sent = 0;
    mtu->short_due = FALSE;
    end(&mtu->confirm);
}

static void
ask_long(KvPathMtu *mtu, guint size)
{
    begin(&mtu->confirm, size);
    mtu->short_due = TRUE;
}

static void
restart(KvPathMtu *mtu, KvTime now)
{
    forget_long(mtu);
    mtu->silent = FALSE;
    mtu->size = MIN(mtu->max, KV_PATH_MTU_BASE);
    begin_search(mtu, now);
}

void
kv_path_mtu_init(KvPathMtu *mtu, guint max, KvTime now)
{
    *mtu = (KvPathMtu){.max = max};
    restart(mtu, now);
}

void
kv_path_mtu_moved(KvPathMtu *mtu, KvTime now)
{
    forget_long(mtu);
    mtu->silent = FALSE;
    if (mtu->size > KV_PATH_MTU_BASE)
        ask_long(mtu, mtu->size);
    begin_search(mtu, now);
}

void
kv_path_mtu_sent(KvPathMtu *mtu, guint len, KvTime now)
{
    if (mtu->silent) {
        if (now >= mtu->silent_at + SILENT_TIME && len > KV_PATH_MTU_BASE) {
            mtu->silent_at = now;
            mtu->short_due = TRUE;
        }
        return;
    }
    if (mtu->searching && mtu->search.size == 0)
        go_on(mtu, now); /* it was given up in silence */
    else if (!mtu->searching && mtu->size < mtu->max && now >= mtu->raise)
        begin_search(mtu, now);
    if (len <= KV_PATH_MTU_BASE || len > mtu->size || mtu->confirm.size > 0)
        return;
    if (mtu->long_sent == 0)
        mtu->long_since = now;
    mtu->long_sent = MAX(mtu->long_sent, len);
}

gboolean
kv_path_mtu_is_unknown(const KvPathMtu *mtu, guint len)
{
    return len > KV_PATH_MTU_BASE && mtu->long_sent > 0 && len + GRAIN >= mtu->long_sent;
}

void
kv_path_mtu_arrived(KvPathMtu *mtu, guint len)
{
    if (len + GRAIN >= mtu->long_sent)
        forget_long(mtu);
}

void
kv_path_mtu_heard(KvPathMtu *mtu)
{
    mtu->search.heard = mtu->confirm.heard = TRUE;
    mtu->silent = FALSE;
}

static gboolean
take(KvPathMtuProbe *probe, KvTime rtt, const KvRandom *random, KvTime now)
{
    if (probe->size == 0 || probe->asked || now < probe->due)
        return FALSE;
    if (probe->due == 0)
        kv_random_fill(random, probe->ping, sizeof probe->ping);
    probe->asked = TRUE;
    probe->heard = FALSE;
    probe->due = now + CLAMP(rtt + rtt / 2, TRY_MIN, TRY_MAX);
    return TRUE;
}

gboolean
kv_path_mtu_next_ping(KvPathMtu *mtu, KvTime rtt, const KvRandom *random, KvTime now,
                      uint8_t ping[KV_PING_BYTES], guint *size)
{
    const KvPathMtuProbe *probe;

    if (mtu->short_due && !mtu->confirm.asked && now >= mtu->confirm.due) {
        mtu->short_due = FALSE;
        kv_random_fill(random, ping, KV_PING_BYTES);
        *size = 0;
        return TRUE;
    }
    if (take(&mtu->confirm, rtt, random, now)) {
        probe = &mtu->confirm;
        mtu->short_due = TRUE;
    } else if (take(&mtu->search, rtt, random, now)) {
        probe = &mtu->search;
    } else {
        return FALSE;
    }
    memcpy(ping, probe->ping, KV_PING_BYTES);
    *size = probe->size;
    return TRUE;
}

static gboolean
is_answered(const KvPathMtuProbe *probe, const uint8_t ping[KV_PING_BYTES])
{
    return probe->size > 0 && probe->due > 0 && memcmp(probe->ping, ping, KV_PING_BYTES) == 0;
}

void
kv_path_mtu_pong(KvPathMtu *mtu, const uint8_t ping[KV_PING_BYTES], KvTime now)
{
    if (is_answered(&mtu->confirm, ping)) {
        forget_long(mtu);
    } else if (is_answered(&mtu->search, ping)) {
        mtu->size = mtu->search.size;
        go_on(mtu, now);
    }
}

KvTime
kv_path_mtu_deadline(const KvPathMtu *mtu)
{
    KvTime due = mtu->search.size > 0 ? mtu->search.due : KV_TIME_NEVER;

    if (mtu->confirm.size > 0)
        return MIN(due, mtu->confirm.due);
    return mtu->long_sent > 0 ? MIN(due, mtu->long_since + LONG_WAIT) : due;
}

/* A try had its time. Returns: whether another one is no use. */
static gboolean
is_over(KvPathMtuProbe *probe, guint tries_max, KvTime now)
{
    if (!probe->asked || now < probe->due)
        return FALSE;
    probe->asked = FALSE;
    probe->lost += probe->heard ? 1 : 0;
    probe->missed = probe->heard ? 0 : probe->missed + 1;
    return probe->lost == tries_max || probe->missed == tries_max;
}

/* Nobody answers, so a lost ping says nothing of sizes. All waits until somebody does. */
static void
fall_silent(KvPathMtu *mtu, KvTime now)
{
    forget_long(mtu);
    end(&mtu->search);
    mtu->silent = TRUE;
    mtu->silent_at = now;
}

void
kv_path_mtu_advance(KvPathMtu *mtu, KvTime now)
{
    if (is_over(&mtu->confirm, LONG_TRIES, now)) {
        if (mtu->confirm.missed == 0)
            restart(mtu, now);
        else
            fall_silent(mtu, now);
    }
    if (is_over(&mtu->search, SEARCH_TRIES, now)) {
        if (mtu->search.missed == 0) {
            mtu->beyond = mtu->search.size;
            go_on(mtu, now);
        } else {
            fall_silent(mtu, now);
        }
    }
    if (mtu->long_sent > 0 && mtu->confirm.size == 0 && now >= mtu->long_since + LONG_WAIT)
        ask_long(mtu, mtu->long_sent);
}
