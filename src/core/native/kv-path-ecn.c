/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-path-ecn.h"

#include <string.h>

/*
 * Up to five pings with the field in question, one and a half round trips apart. A pong counts for
 * 5 s, and so does the arrival of a datagram, which is looked for when half of them are over; then,
 * with the next datagram that could have the field, pings ask again. Without any pong no datagram
 * has it for a minute, or, where nothing else was heard either, until something is. Nor has any for
 * a minute when in 2 s three quarters of those that had one were marked: no queue that is managed
 * does so.
 */
#define TRIES_MAX  5
#define TRY_MIN    (200 * KV_TIME_MS)
#define TRY_MAX    (3 * KV_TIME_S)
#define PROOF_TIME (5 * KV_TIME_S)
#define PAUSE_TIME (60 * KV_TIME_S)
#define MARKS_TIME (2 * KV_TIME_S)
#define MARKS_LEFT 32 /* datagrams: fewer say little */

static const KvEcn fields[] = {KV_ECN_ECT0, KV_ECN_ECT1};

void
kv_path_ecn_moved(KvPathEcn *path)
{
    *path = (KvPathEcn){.ce = path->ce};
}

static void
begin(KvPathEcnTest *test, KvTime now)
{
    test->asking = TRUE;
    test->tries = 0;
    test->due = now;
}

static void
end(KvPathEcnTest *test, gboolean passes, KvTime next)
{
    test->asking = FALSE;
    test->passes = passes;
    test->next = next;
}

gboolean
kv_path_ecn_may_leave(KvPathEcn *path, KvEcn ecn, KvTime now)
{
    KvPathEcnTest *test = &path->tests[ecn == fields[1]];

    if (!test->asking && !test->silent && now >= test->next)
        begin(test, now);
    return test->passes;
}

static void
watch(KvPathEcn *path, KvEcn ecn, KvTime now)
{
    const KvPathEcnTest *test = &path->tests[ecn == fields[1]];

    if (!test->passes || now + PROOF_TIME / 2 < test->next)
        return;
    path->watched = now;
    path->watched_ecn = ecn;
}

void
kv_path_ecn_sent(KvPathEcn *path, KvEcn ecn, KvTime now)
{
    if (path->n_left == 0)
        path->since = now;
    path->n_left += ecn != KV_ECN_NOT_ECT;
    if (now == path->moment) {
        if (ecn == path->moment_ecn)
            return;
        path->moment_ecn = KV_ECN_NOT_ECT;
        if (now == path->watched)
            path->watched_ecn = KV_ECN_NOT_ECT;
        return;
    }
    path->moment = now;
    path->moment_ecn = ecn;
    if (ecn != KV_ECN_NOT_ECT && path->watched_ecn == KV_ECN_NOT_ECT)
        watch(path, ecn, now);
}

static void
count_marks(KvPathEcn *path, guint n_marked, KvTime now)
{
    path->n_marked += n_marked;
    if (path->n_left < MARKS_LEFT || kv_time_elapsed(now, path->since) < MARKS_TIME)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(fields) && path->n_marked >= path->n_left / 4 * 3; i++)
        end(&path->tests[i], FALSE, now + PAUSE_TIME);
    path->n_left = path->n_marked = 0;
}

gboolean
kv_path_ecn_told(KvPathEcn *path, uint32_t ts, uint32_t ce, KvTime now)
{
    KvEcn ecn = path->watched_ecn;
    guint n_marked = (int32_t) (ce - path->ce) > 0 ? ce - path->ce : 0;

    if (ecn != KV_ECN_NOT_ECT && (int32_t) (ts - (uint32_t) path->watched) >= 0) {
        path->watched_ecn = KV_ECN_NOT_ECT;
        if (ts == (uint32_t) path->watched)
            end(&path->tests[ecn == fields[1]], TRUE, now + PROOF_TIME);
    }
    path->ce += n_marked;
    count_marks(path, n_marked, now);
    return n_marked > 0 && path->tests[0].passes;
}

void
kv_path_ecn_heard(KvPathEcn *path)
{
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        path->tests[i].heard = TRUE;
        path->tests[i].silent = FALSE;
    }
}

KvEcn
kv_path_ecn_next_ping(KvPathEcn *path, KvTime rtt, const KvRandom *random, KvTime now,
                      uint8_t ping[KV_PING_BYTES])
{
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        KvPathEcnTest *test = &path->tests[i];

        if (!test->asking || now < test->due || test->tries == TRIES_MAX)
            continue;
        if (test->tries++ == 0) {
            kv_random_fill(random, test->ping, sizeof test->ping);
            test->heard = FALSE;
        }
        test->due = now + CLAMP(rtt + rtt / 2, TRY_MIN, TRY_MAX);
        memcpy(ping, test->ping, KV_PING_BYTES);
        return fields[i];
    }
    return KV_ECN_NOT_ECT;
}

void
kv_path_ecn_pong(KvPathEcn *path, const uint8_t ping[KV_PING_BYTES], KvTime now)
{
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        KvPathEcnTest *test = &path->tests[i];

        if (test->asking && test->tries > 0 && memcmp(test->ping, ping, KV_PING_BYTES) == 0)
            end(test, TRUE, now + PROOF_TIME);
    }
}

KvTime
kv_path_ecn_deadline(const KvPathEcn *path)
{
    KvTime due = KV_TIME_NEVER;

    for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
        if (path->tests[i].asking)
            due = MIN(due, path->tests[i].due);
    return due;
}

void
kv_path_ecn_advance(KvPathEcn *path, KvTime now)
{
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        KvPathEcnTest *test = &path->tests[i];

        if (!test->asking || test->tries < TRIES_MAX || now < test->due)
            continue;
        /* Where nobody speaks, lost pings say nothing of their field. */
        test->silent = !test->heard;
        end(test, FALSE, test->heard ? now + PAUSE_TIME : now);
    }
}
