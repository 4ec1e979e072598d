/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-udp.h"

#include "kv-error.h"
#include "kv-udp-sender.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>

/* With UDP_GRO any message may be a coalesced one, so each has room for the largest; pages that
 * are not reached stay untouched. Without, what is cut off was too long anyway. */
#define GRO_MESSAGES   16
#define GRO_BYTES      65536
#define PLAIN_MESSAGES 64
#define PLAIN_BYTES    2048

/* The part of the socket's buffer, one in so many, that is enough to be called choked. */
#define CHOKED_SHARE 4

/* Bounds on the messages asked for at a time, when they are coalesced. */
#define GRO_MESSAGES_MIN 2

typedef union {
    struct cmsghdr align;
    uint8_t bytes[2 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
} Control;

struct _KvUdp {
    int fd;
    gboolean connected;
    gboolean wants_local; /* bound to a wildcard, without a peer */
    gboolean gro;
    int sndbuf; /* bytes that may wait to leave, as the kernel counts */
    KvSockaddr local;
    KvUdpPath peer_path; /* connected: where everything comes from */
    KvUdpSender *sender;

    guint n_asked;    /* messages that the last recvmmsg() was to bring */
    guint n_messages; /* that it brought */
    guint next;       /* message whose datagrams are handed out */
    guint next_at;    /* bytes of it handed out */
    guint next_segment;
    KvEcn next_ecn;
    guint coalesced; /* datagrams a message of the last batch, rounded down, at least 1 */

    guint capacity; /* messages */
    size_t message_bytes;
    uint8_t *buffer;
    struct mmsghdr messages[PLAIN_MESSAGES];
    struct iovec iovs[PLAIN_MESSAGES];
    Control controls[PLAIN_MESSAGES];
    KvUdpPath paths[PLAIN_MESSAGES];
};

/* --- opening -------------------------------------------------------------------------------- */

static gboolean
set_option(int fd, int level, int option, int value, const char *what, GError **error)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) == 0)
        return TRUE;
    kv_error_set_errno(error, errno, "cannot set %s of a UDP socket to %d", what, value);
    return FALSE;
}

/* The forced variant goes beyond net.core.*mem_max, which the plain one silently stops at. */
static gboolean
set_buffer(int fd, int forced, int plain, guint bytes, const char *what, GError **error)
{
    int value = (int) MIN(bytes, G_MAXINT);

    if (setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) == 0)
        return TRUE;
    return set_option(fd, SOL_SOCKET, plain, value, what, error);
}

static gboolean
set_dscp(int fd, int family, guint dscp, GError **error)
{
    int class = (int) dscp << 2;

    if (family == AF_INET6 &&
        !set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, class, "the traffic class", error))
        return FALSE;
    /* An IPv6 socket sends to mapped IPv4 addresses with this one. */
    return set_option(fd, IPPROTO_IP, IP_TOS, class, "the type of service", error);
}

static gboolean
forbid_fragments(int fd, int family, GError **error)
{
    if (family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE,
                                          "IPV6_MTU_DISCOVER", error))
        return FALSE;
    /* An IPv6 socket sends to mapped IPv4 addresses with this one. */
    return set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, "IP_MTU_DISCOVER", error);
}

static gboolean
share_port(int fd, GError **error)
{
    return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT", error);
}

/* A filter that lets nothing pass. */
static gboolean
close_ears(int fd, GError **error)
{
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = 1, .filter = &drop};

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0)
        return TRUE;
    kv_error_set_errno(error, errno, "cannot set the filter of a UDP socket");
    return FALSE;
}

gboolean
kv_udp_listen(KvUdp *udp, GError **error)
{
    return set_option(udp->fd, SOL_SOCKET, SO_DETACH_FILTER, 0, "SO_DETACH_FILTER", error);
}

static gboolean
set_options(int fd, int family, const KvUdpConfig *config, GError **error)
{
    guint bytes = config->socket_buffer;

    if (family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY", error))
        return FALSE;
    if (config->reuse_port && !config->is_first && !share_port(fd, error))
        return FALSE;
    if (config->is_deaf && !close_ears(fd, error))
        return FALSE;
    if (config->no_fragments && !forbid_fragments(fd, family, error))
        return FALSE;
    if (bytes > 0 &&
        (!set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, bytes, "the receive buffer", error) ||
         !set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, bytes, "the send buffer", error)))
        return FALSE;
    return config->dscp == 0 || set_dscp(fd, family, config->dscp, error);
}

static gboolean
bind_and_connect(int fd, const KvUdpConfig *config, GError **error)
{
    g_autofree char *text = NULL;

    if (config->local.sa.sa_family != AF_UNSPEC &&
        bind(fd, &config->local.sa, kv_sockaddr_get_length(&config->local)) < 0) {
        int errnum = errno;

        text = kv_sockaddr_to_string(&config->local);
        kv_error_set_errno(error, errnum, "cannot bind UDP address %s%s", text,
                           errnum == EACCES ? ", which takes CAP_NET_BIND_SERVICE" : "");
        return FALSE;
    }
    /* Only now: a socket that shares from the start would join another server's group, and its
     * clients with it. */
    if (config->reuse_port && config->is_first && !share_port(fd, error))
        return FALSE;
    if (config->peer != NULL &&
        connect(fd, &config->peer->sa, kv_sockaddr_get_length(config->peer)) < 0) {
        int errnum = errno;

        text = kv_sockaddr_to_string(config->peer);
        kv_error_set_errno(error, errnum, "cannot reach UDP address %s", text);
        return FALSE;
    }
    return TRUE;
}

static gboolean
ask_for_local(int fd, int family, GError **error)
{
    if (family == AF_INET6)
        return set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO", error);
    return set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO", error);
}

/* An IPv6 socket tells the class of mapped IPv4 packets as a type of service. */
static gboolean
ask_for_class(int fd, int family, GError **error)
{
    if (family == AF_INET6 &&
        !set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS", error))
        return FALSE;
    return set_option(fd, IPPROTO_IP, IP_RECVTOS, 1, "IP_RECVTOS", error);
}

static gboolean
knows_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_UDP, option, &value, sizeof(value)) == 0;
}

static void
make_buffers(KvUdp *udp)
{
    udp->capacity = udp->gro ? GRO_MESSAGES : PLAIN_MESSAGES;
    udp->message_bytes = udp->gro ? GRO_BYTES : PLAIN_BYTES;
    udp->buffer = g_malloc(udp->capacity * udp->message_bytes);
    udp->coalesced = 1;
    for (guint i = 0; i < udp->capacity; i++) {
        struct msghdr *message = &udp->messages[i].msg_hdr;

        udp->iovs[i].iov_base = udp->buffer + i * udp->message_bytes;
        udp->iovs[i].iov_len = udp->message_bytes;
        message->msg_iov = &udp->iovs[i];
        message->msg_iovlen = 1;
        message->msg_control = udp->controls[i].bytes;
        if (!udp->connected)
            message->msg_name = &udp->paths[i].remote;
    }
}

static gboolean
set_up(KvUdp *udp, const KvUdpConfig *config, GError **error)
{
    int family = config->peer != NULL ? config->peer->sa.sa_family : config->local.sa.sa_family;
    socklen_t len = sizeof(udp->local);
    socklen_t sndbuf_len = sizeof(udp->sndbuf);

    udp->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (udp->fd < 0) {
        kv_error_set_errno(error, errno, "cannot open a UDP socket");
        return FALSE;
    }
    if (!set_options(udp->fd, family, config, error) || !bind_and_connect(udp->fd, config, error))
        return FALSE;
    if (getsockopt(udp->fd, SOL_SOCKET, SO_SNDBUF, &udp->sndbuf, &sndbuf_len) < 0) {
        kv_error_set_errno(error, errno, "cannot find out a UDP socket's buffer");
        return FALSE;
    }
    if (getsockname(udp->fd, &udp->local.sa, &len) < 0) {
        kv_error_set_errno(error, errno, "cannot find out a UDP socket's address");
        return FALSE;
    }
    udp->wants_local = !udp->connected && kv_sockaddr_is_wildcard(&udp->local);
    if (udp->wants_local && !ask_for_local(udp->fd, family, error))
        return FALSE;
    if (config->tells_marks && !ask_for_class(udp->fd, family, error))
        return FALSE;
    udp->gro = !config->no_offload && knows_option(udp->fd, UDP_GRO, 1);
    udp->sender = kv_udp_sender_new(udp->fd, config->peer, config->dscp,
                                    !config->no_offload && knows_option(udp->fd, UDP_SEGMENT, 0));
    make_buffers(udp);
    return TRUE;
}

KvUdp *
kv_udp_open(const KvUdpConfig *config, GError **error)
{
    g_autoptr(KvUdp) udp = g_new0(KvUdp, 1);

    udp->fd = -1;
    udp->connected = config->peer != NULL;
    if (udp->connected)
        udp->peer_path.remote = *config->peer;
    if (!set_up(udp, config, error))
        return NULL;
    return g_steal_pointer(&udp);
}

void
kv_udp_close(KvUdp *udp)
{
    if (udp == NULL)
        return;
    kv_udp_sender_free(udp->sender);
    kv_autofd_clear(&udp->fd);
    g_free(udp->buffer);
    g_free(udp);
}

int
kv_udp_get_fd(const KvUdp *udp)
{
    return udp->fd;
}

const KvSockaddr *
kv_udp_get_local(const KvUdp *udp)
{
    return &udp->local;
}

gboolean
kv_udp_is_choked(const KvUdp *udp)
{
    int waiting = 0;

    return ioctl(udp->fd, SIOCOUTQ, &waiting) == 0 && waiting > udp->sndbuf / CHOKED_SHARE;
}

/* --- receiving ------------------------------------------------------------------------------ */

static void
parse_local(KvUdpLocal *local, const struct cmsghdr *control)
{
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(control), sizeof(info));
        local->family = AF_INET;
        /* Of a broadcast this is the address of the interface, not the one it was sent to. */
        local->v4 = info.ipi_spec_dst;
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(control), sizeof(info));
        local->family = AF_INET6;
        local->v6 = info.ipi6_addr;
    }
}

/* Of IPv4 the class is one byte, of IPv6 an int. */
static void
parse_ecn(KvEcn *ecn, const struct cmsghdr *control)
{
    int class;

    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
        *ecn = (KvEcn) (*CMSG_DATA(control) & KV_ECN_MASK);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
        memcpy(&class, CMSG_DATA(control), sizeof(class));
        *ecn = (KvEcn) (class & KV_ECN_MASK);
    }
}

/* Begins to hand out message @udp->next. The kernel merges only datagrams of one class. */
static void
begin_message(KvUdp *udp)
{
    struct msghdr *message = &udp->messages[udp->next].msg_hdr;
    KvUdpLocal *local = &udp->paths[udp->next].local;

    udp->next_at = 0;
    udp->next_segment = udp->messages[udp->next].msg_len;
    udp->next_ecn = KV_ECN_NOT_ECT;
    local->family = AF_UNSPEC;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        int segment;

        parse_local(local, control);
        parse_ecn(&udp->next_ecn, control);
        if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO)
            continue;
        memcpy(&segment, CMSG_DATA(control), sizeof(segment));
        if (segment > 0)
            udp->next_segment = (guint) segment;
    }
}

/* Reads a new batch. Messages that are coalesced bring many datagrams each, and asking for as
 * many as are wanted keeps to few of the large buffers. */
static int
read_batch(KvUdp *udp, guint max)
{
    guint want = udp->capacity;
    int n;

    if (udp->gro)
        want = CLAMP(max / udp->coalesced, GRO_MESSAGES_MIN, GRO_MESSAGES);
    for (guint i = 0; i < want; i++) {
        struct msghdr *message = &udp->messages[i].msg_hdr;

        message->msg_controllen = sizeof(udp->controls[i].bytes);
        message->msg_namelen = message->msg_name != NULL ? sizeof(KvSockaddr) : 0;
    }
    n = recvmmsg(udp->fd, udp->messages, want, MSG_DONTWAIT, NULL);
    udp->n_asked = want;
    udp->n_messages = (guint) MAX(n, 0);
    udp->next = 0;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    begin_message(udp);
    return n;
}

static guint
hand_out(KvUdp *udp, KvUdpDatagram *out, guint max)
{
    guint n = 0;

    while (n < max && udp->next < udp->n_messages) {
        guint len = udp->messages[udp->next].msg_len;
        uint8_t *data = udp->iovs[udp->next].iov_base;

        /* An empty datagram counts as one, too. */
        out[n++] =
            (KvUdpDatagram){.data = data + udp->next_at,
                            .len = MIN(udp->next_segment, len - udp->next_at),
                            .path = udp->connected ? &udp->peer_path : &udp->paths[udp->next],
                            .ecn = udp->next_ecn};
        udp->next_at += udp->next_segment;
        if (udp->next_at < len)
            continue;
        if (++udp->next < udp->n_messages)
            begin_message(udp);
    }
    return n;
}

int
kv_udp_receive(KvUdp *udp, KvUdpDatagram *out, guint max)
{
    int news;
    int n;

    if (udp->next < udp->n_messages)
        return (int) hand_out(udp, out, max);
    news = kv_udp_sender_take_news(udp->sender);
    if (news != 0)
        return -news;
    n = read_batch(udp, max);
    if (n <= 0)
        return n;
    n = (int) hand_out(udp, out, max);
    udp->coalesced = MAX((guint) n / udp->n_messages, 1);
    return n;
}

gboolean
kv_udp_has_more(const KvUdp *udp)
{
    return udp->next < udp->n_messages || udp->n_messages == udp->n_asked;
}

/* --- sending -------------------------------------------------------------------------------- */

uint8_t *
kv_udp_reserve(KvUdp *udp, const KvUdpPath *path)
{
    return kv_udp_sender_reserve(udp->sender, path);
}

void
kv_udp_commit(KvUdp *udp, size_t len, KvEcn ecn)
{
    kv_udp_sender_commit(udp->sender, len, ecn);
}

guint
kv_udp_flush(KvUdp *udp)
{
    return kv_udp_sender_flush(udp->sender);
}
