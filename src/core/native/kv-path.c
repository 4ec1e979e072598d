/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-path.h"

/*
 * A candidate has 3 s to answer and gets a ping at once, another after two round trips, the next
 * after four more, then one each half second: where a third is lost each way, three pings would
 * all come to nothing in one check of eight. One that did not answer is not asked again for 3 s,
 * then for 6 s, and so on up to a minute; an answer of anybody forgets that.
 */
#define CHECK_TIME (3 * KV_TIME_S)
#define PINGS_MAX  8
#define PING_WAIT  (100 * KV_TIME_MS)
#define PING_SLOW  (1 * KV_TIME_S)
#define PING_EACH  (500 * KV_TIME_MS)
#define PAUSE_MIN  (3 * KV_TIME_S)
#define PAUSE_MAX  (60 * KV_TIME_S)

#define ROOM_FACTOR   3  /* bytes to a candidate for each that came from there; RFC 9000, 8.1 */
#define PING_DATAGRAM 64 /* bytes; more than a datagram with nothing but a ping has */

void
kv_path_init(KvPath *path, const KvEndpoint *remote)
{
    *path = (KvPath){.remote = *remote};
}

static gboolean
move(KvPath *path, const KvEndpoint *remote)
{
    gboolean moved = !kv_endpoint_equal(&path->remote, remote);

    path->remote = *remote;
    path->checking = FALSE;
    path->failed_pause = 0;
    return moved;
}

gboolean
kv_path_prove(KvPath *path, const KvEndpoint *remote)
{
    return move(path, remote);
}

static void
begin_check(KvPath *path, const KvEndpoint *from, const KvRandom *random, KvTime now)
{
    path->checking = TRUE;
    path->candidate = *from;
    path->began = path->next_ping = now;
    path->pings = 0;
    path->came = path->went = 0;
    kv_random_fill(random, path->ping, sizeof path->ping);
}

static gboolean
is_paused(const KvPath *path, const KvEndpoint *from, KvTime now)
{
    return path->failed_pause > 0 && now < path->failed_until &&
           kv_endpoint_equal(&path->failed, from);
}

static gboolean
is_candidate(const KvPath *path, const KvEndpoint *endpoint)
{
    return path->checking && kv_endpoint_equal(&path->candidate, endpoint);
}

void
kv_path_hear(KvPath *path, const KvEndpoint *from, size_t len, gboolean newest,
             const KvRandom *random, KvTime now)
{
    path->last = *from;
    path->last_room = len;
    if (newest && kv_endpoint_equal(from, &path->remote))
        path->checking = FALSE; /* it is there, or there again */
    else if (newest && !is_candidate(path, from) && !is_paused(path, from, now))
        begin_check(path, from, random, now);
    if (is_candidate(path, from))
        path->came += len;
}

gboolean
kv_path_next_ping(KvPath *path, KvTime rtt, KvTime now, uint8_t ping[KV_PING_BYTES], KvEndpoint *to)
{
    KvTime wait = CLAMP(2 * rtt, PING_WAIT, PING_SLOW);

    if (!path->checking || path->pings == PINGS_MAX || now < path->next_ping ||
        !kv_path_may_send(path, &path->candidate, PING_DATAGRAM))
        return FALSE;
    path->next_ping = now + MIN(wait << path->pings, MAX(wait, PING_EACH));
    path->pings++;
    memcpy(ping, path->ping, KV_PING_BYTES);
    *to = path->candidate;
    return TRUE;
}

gboolean
kv_path_pong(KvPath *path, const uint8_t ping[KV_PING_BYTES], const KvEndpoint *from)
{
    /* From anywhere else it would prove only that somebody there passes pings on. */
    if (!is_candidate(path, from) || path->pings == 0 ||
        memcmp(path->ping, ping, KV_PING_BYTES) != 0)
        return FALSE;
    return move(path, from);
}

gboolean
kv_path_may_send(const KvPath *path, const KvEndpoint *to, size_t len)
{
    if (kv_endpoint_equal(to, &path->remote))
        return TRUE;
    if (is_candidate(path, to))
        return path->went + len <= ROOM_FACTOR * path->came;
    return kv_endpoint_equal(to, &path->last) && len <= path->last_room;
}

void
kv_path_sent(KvPath *path, const KvEndpoint *to, size_t len)
{
    if (is_candidate(path, to))
        path->went += len;
    if (kv_endpoint_equal(to, &path->last))
        path->last_room -= MIN(len, path->last_room);
}

KvTime
kv_path_deadline(const KvPath *path)
{
    KvTime end;

    if (!path->checking)
        return KV_TIME_NEVER;
    end = path->began + CHECK_TIME;
    /* A ping without room waits for a datagram, not for the time. */
    if (path->pings == PINGS_MAX || !kv_path_may_send(path, &path->candidate, PING_DATAGRAM))
        return end;
    return MIN(end, path->next_ping);
}

void
kv_path_advance(KvPath *path, KvTime now)
{
    if (!path->checking || now < path->began + CHECK_TIME)
        return;
    if (!kv_endpoint_equal(&path->failed, &path->candidate))
        path->failed_pause = 0;
    path->checking = FALSE;
    path->failed = path->candidate;
    path->failed_pause =
        path->failed_pause == 0 ? PAUSE_MIN : MIN(2 * path->failed_pause, PAUSE_MAX);
    path->failed_until = now + path->failed_pause;
}
