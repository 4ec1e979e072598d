/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-udp-sender.h"

#include "kv-log.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

/* The kernel's UDP_MAX_SEGMENTS, 128 only in newer ones. */
#define SEGMENTS_MAX 64

/* What fits into one IP packet behind the headers, of IPv6 too. */
#define RUN_BYTES_MAX (65535 - 40 - 8)

#define ARENA_BYTES (256 * 1024)
#define RUNS_MAX    64

/* Consecutive datagrams to one address with one ECN field, all of one size but the last, which may
 * be shorter: one message with UDP_SEGMENT. */
typedef struct {
    uint8_t *data;
    uint32_t len;
    uint16_t segment; /* bytes, of each datagram but the last */
    uint16_t n;
    KvEcn ecn;
    gboolean closed;   /* the last one was shorter */
    gboolean has_path; /* else the socket's peer */
    KvUdpPath path;
} Run;

typedef union {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                  CMSG_SPACE(sizeof(int))];
} Control;

struct _KvUdpSender {
    int fd;
    gboolean connected;
    gboolean peer_is_ip6; /* if it is connected */
    guint dscp;
    uint16_t segment_max; /* longest datagrams that UDP_SEGMENT works for; 0: none */
    guint n_dropped;
    int news;
    const KvUdpPath *reserved;
    uint32_t used;
    guint n_runs;
    Run runs[RUNS_MAX];
    struct mmsghdr messages[RUNS_MAX];
    struct iovec iovs[RUNS_MAX];
    Control controls[RUNS_MAX];
    uint8_t *arena;
};

/* Not so a mapped address, whose packets are IPv4's. */
static gboolean
is_ip6(const KvSockaddr *address)
{
    return address->sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr);
}

KvUdpSender *
kv_udp_sender_new(int fd, const KvSockaddr *peer, guint dscp, gboolean offload)
{
    KvUdpSender *sender = g_new0(KvUdpSender, 1);

    sender->fd = fd;
    sender->connected = peer != NULL;
    sender->peer_is_ip6 = peer != NULL && is_ip6(peer);
    sender->dscp = dscp;
    sender->segment_max = offload ? KV_UDP_DATAGRAM_MAX : 0;
    /* Not cleared, so that pages which no burst reaches stay untouched. */
    sender->arena = g_malloc(ARENA_BYTES);
    return sender;
}

void
kv_udp_sender_free(KvUdpSender *sender)
{
    if (sender == NULL)
        return;
    g_free(sender->arena);
    g_free(sender);
}

static gboolean
local_equal(const KvUdpLocal *a, const KvUdpLocal *b)
{
    if (a->family != b->family)
        return FALSE;
    if (a->family == AF_INET)
        return a->v4.s_addr == b->v4.s_addr;
    return a->family != AF_INET6 || memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
}

static gboolean
run_takes(const KvUdpSender *sender, const Run *run, const KvUdpPath *path, size_t len, KvEcn ecn)
{
    if (run->closed || run->ecn != ecn || len > run->segment ||
        run->segment > sender->segment_max || run->n == SEGMENTS_MAX ||
        run->len + len > RUN_BYTES_MAX)
        return FALSE;
    if (path == NULL || !run->has_path)
        return path == NULL && !run->has_path;
    return kv_sockaddr_equal(&path->remote, &run->path.remote) &&
           local_equal(&path->local, &run->path.local);
}

uint8_t *
kv_udp_sender_reserve(KvUdpSender *sender, const KvUdpPath *path)
{
    if (sender->used + KV_UDP_ROOM > ARENA_BYTES || sender->n_runs == RUNS_MAX) {
        guint n_dropped = kv_udp_sender_flush(sender);

        sender->n_dropped = n_dropped;
    }
    sender->reserved = path;
    return sender->arena + sender->used;
}

void
kv_udp_sender_commit(KvUdpSender *sender, size_t len, KvEcn ecn)
{
    Run *run = sender->n_runs > 0 ? &sender->runs[sender->n_runs - 1] : NULL;

    g_assert(len <= KV_UDP_DATAGRAM_MAX);
    if (len == 0)
        return;
    if (run == NULL || !run_takes(sender, run, sender->reserved, len, ecn)) {
        run = &sender->runs[sender->n_runs++];
        *run = (Run){.data = sender->arena + sender->used, .segment = (uint16_t) len, .ecn = ecn};
        run->has_path = sender->reserved != NULL;
        if (run->has_path)
            run->path = *sender->reserved;
    }
    run->closed = len < run->segment;
    run->len += (uint32_t) len;
    run->n++;
    sender->used += (uint32_t) len;
}

/* Returns: bytes of the control message. */
static size_t
put_control(uint8_t *at, int level, int type, const void *value, size_t len)
{
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};

    memset(at, 0, CMSG_SPACE(len));
    memcpy(at, &header, sizeof(header));
    memcpy(at + CMSG_LEN(0), value, len);
    return CMSG_SPACE(len);
}

static size_t
put_local(uint8_t *at, const KvUdpLocal *local)
{
    if (local->family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = local->v4};

        return put_control(at, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    }
    if (local->family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = local->v6};

        return put_control(at, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    return 0;
}

/* The class of the whole message, since the kernel takes the socket's else. */
static size_t
put_class(uint8_t *at, const KvUdpSender *sender, const Run *run)
{
    int class = (int) (sender->dscp << 2 | run->ecn);

    if (run->has_path ? is_ip6(&run->path.remote) : sender->peer_is_ip6)
        return put_control(at, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
    return put_control(at, IPPROTO_IP, IP_TOS, &class, sizeof(class));
}

/* Message @i: @len bytes at @data of @run, cut by the kernel if that is more than one datagram. */
static void
set_message(KvUdpSender *sender, guint i, Run *run, uint8_t *data, size_t len)
{
    struct msghdr *message = &sender->messages[i].msg_hdr;
    uint8_t *control = sender->controls[i].bytes;
    size_t control_len = 0;

    sender->iovs[i] = (struct iovec){.iov_base = data, .iov_len = len};
    *message = (struct msghdr){.msg_iov = &sender->iovs[i], .msg_iovlen = 1};
    if (len > run->segment)
        control_len +=
            put_control(control, SOL_UDP, UDP_SEGMENT, &run->segment, sizeof(run->segment));
    if (run->has_path) {
        message->msg_name = &run->path.remote;
        message->msg_namelen = kv_sockaddr_get_length(&run->path.remote);
        control_len += put_local(control + control_len, &run->path.local);
    }
    if (run->ecn != KV_ECN_NOT_ECT)
        control_len += put_class(control + control_len, sender, run);
    if (control_len > 0) {
        message->msg_control = control;
        message->msg_controllen = control_len;
    }
}

/* The errors an ICMP message leaves on a connected socket: the next call gets them, whatever it
 * wanted, and the one after it works again. */
static gboolean
is_news(int errnum)
{
    return errnum == ECONNREFUSED || errnum == EHOSTUNREACH || errnum == ENETUNREACH ||
           errnum == EHOSTDOWN;
}

/* Sends the first message of @n, or some. Returns: how many left; < 0: -errno. */
static int
send_some(KvUdpSender *sender, struct mmsghdr *messages, guint n)
{
    int sent = sendmmsg(sender->fd, messages, n, MSG_DONTWAIT);

    if (sent < 0 && sender->connected && is_news(errno)) {
        sender->news = errno;
        sent = sendmmsg(sender->fd, messages, n, MSG_DONTWAIT);
    }
    return sent < 0 ? -errno : sent;
}

/* Nothing more will go out for now: trying the rest would only cost. */
static gboolean
is_full(int errnum)
{
    return errnum == EAGAIN || errnum == ENOBUFS || errnum == ENOMEM;
}

/* Sends @run as single datagrams, using up the messages from 0 on. Returns: how many were
 * dropped. */
static guint
send_singly(KvUdpSender *sender, Run *run)
{
    guint n_dropped = 0;
    guint next = 0;

    for (guint i = 0; i < run->n; i++) {
        size_t at = (size_t) i * run->segment;

        set_message(sender, i, run, run->data + at, MIN(run->segment, run->len - at));
    }
    while (next < run->n) {
        int sent = send_some(sender, &sender->messages[next], run->n - next);

        if (sent > 0) {
            next += (guint) sent;
            continue;
        }
        if (sent == -EINTR)
            continue;
        if (is_full(-sent))
            return n_dropped + run->n - next;
        n_dropped++;
        next++;
    }
    return n_dropped;
}

/* Whether the kernel refused @run for being cut by UDP_SEGMENT: the device cannot (EIO), or a
 * datagram does not fit the route (EINVAL or EMSGSIZE), where single ones are fragmented. */
static gboolean
refuses_segments(KvUdpSender *sender, const Run *run, int errnum)
{
    uint16_t before = sender->segment_max;

    if (run->n == 1)
        return FALSE;
    if (errnum == EIO || errnum == EOPNOTSUPP)
        sender->segment_max = 0;
    else if (errnum != EINVAL && errnum != EMSGSIZE)
        return FALSE;
    else if (sender->connected)
        sender->segment_max = MIN(sender->segment_max, run->segment - 1);
    if (sender->segment_max != before)
        kv_log(KV_LOG_DEBUG, NULL, NULL, NULL,
               "UDP_SEGMENT refused for datagrams of %u bytes (%s), now used up to %u bytes",
               run->segment, g_strerror(errnum), sender->segment_max);
    return TRUE;
}

static guint
send_runs(KvUdpSender *sender)
{
    guint n_dropped = 0;
    guint next = 0;
    guint ready = 0; /* messages from @next on that are set */

    while (next < sender->n_runs) {
        int sent;

        for (; next + ready < sender->n_runs; ready++) {
            Run *run = &sender->runs[next + ready];

            set_message(sender, next + ready, run, run->data, run->len);
        }
        sent = send_some(sender, &sender->messages[next], ready);
        if (sent > 0) {
            next += (guint) sent;
            ready -= (guint) sent;
            continue;
        }
        if (sent == -EINTR)
            continue;
        if (is_full(-sent)) {
            for (; next < sender->n_runs; next++)
                n_dropped += sender->runs[next].n;
            break;
        }
        if (refuses_segments(sender, &sender->runs[next], -sent)) {
            n_dropped += send_singly(sender, &sender->runs[next]);
            ready = 1;
        } else {
            n_dropped += sender->runs[next].n;
        }
        next++;
        ready--;
    }
    return n_dropped;
}

guint
kv_udp_sender_flush(KvUdpSender *sender)
{
    guint n_dropped = sender->n_dropped;

    if (sender->n_runs > 0)
        n_dropped += send_runs(sender);
    sender->n_dropped = 0;
    sender->n_runs = 0;
    sender->used = 0;
    return n_dropped;
}

int
kv_udp_sender_take_news(KvUdpSender *sender)
{
    int news = sender->news;

    sender->news = 0;
    return news;
}
