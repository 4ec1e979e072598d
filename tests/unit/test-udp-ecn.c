/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test-sockaddr.h"
#include "kv-test.h"
#include "kv-udp.h"

#include <poll.h>
#include <string.h>

#define WAIT_MS      2000
#define BUFFER_BYTES (2 * 1024 * 1024)

static KvUdp *
open_udp(const char *ip, gboolean no_offload)
{
    KvUdpConfig config = {.local = kv_test_sockaddr(ip, 0),
                          .tells_marks = TRUE,
                          .no_offload = no_offload,
                          .socket_buffer = BUFFER_BYTES};
    KvUdp *udp = kv_udp_open(&config, NULL);

    g_assert_nonnull(udp);
    return udp;
}

static gboolean
wait_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, timeout_ms) > 0;
}

/* --- receiving ------------------------------------------------------------------------------- */

static void
set_class(KvUdp *to, gboolean is_ip6, int class)
{
    int fd = kv_udp_get_fd(to);

    if (is_ip6)
        g_assert_cmpint(setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class), ==, 0);
    g_assert_cmpint(setsockopt(fd, IPPROTO_IP, IP_TOS, &class, sizeof class), ==, 0);
}

/* Sends @n equal datagrams, and sees that all come with these two bits. */
static void
send_marked(KvUdp *from, KvUdp *to, const KvUdpPath *path, guint n, guint ecn)
{
    guint got = 0;

    for (guint i = 0; i < n; i++) {
        memset(kv_udp_reserve(from, path), 'x', 1000);
        kv_udp_commit(from, 1000, KV_ECN_NOT_ECT);
    }
    g_assert_cmpuint(kv_udp_flush(from), ==, 0);
    while (got < n) {
        KvUdpDatagram datagrams[64];
        int count;

        g_assert_true(wait_readable(kv_udp_get_fd(to), WAIT_MS));
        count = kv_udp_receive(to, datagrams, G_N_ELEMENTS(datagrams));
        for (int i = 0; i < count; i++)
            g_assert_cmpuint(datagrams[i].ecn, ==, ecn);
        got += (guint) MAX(count, 0);
    }
    g_assert_cmpuint(got, ==, n);
}

/* Proves: each datagram, alone or of a merged message, of either family and of IPv4 at an IPv6
 * socket, is told to have a congestion mark if and only if it has. */
static void
test_congestion_marks(void)
{
    static const struct {
        const char *from, *at, *to;
        gboolean no_offload;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", "127.0.0.1", FALSE},
        {"127.0.0.1", "0.0.0.0", "127.0.0.1", TRUE},
        {"::1", "::1", "::1", FALSE},
        {"127.0.0.1", "::", "127.0.0.1", FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvUdp) receiver = open_udp(cases[i].at, cases[i].no_offload);
        g_autoptr(KvUdp) sender = open_udp(cases[i].from, FALSE);
        const KvSockaddr *local = kv_udp_get_local(receiver);
        gboolean is_ip6 = strchr(cases[i].from, ':') != NULL;
        KvUdpPath path = {.remote = kv_test_sockaddr(cases[i].to, 0)};

        if (is_ip6)
            path.remote.v6.sin6_port = local->v6.sin6_port;
        else
            path.remote.v4.sin_port = local->v4.sin_port; /* at the same place in both */
        send_marked(sender, receiver, &path, 1, KV_ECN_NOT_ECT);
        for (int class = 0; class < 8; class ++) {
            set_class(sender, is_ip6, 0xb8 | class);
            send_marked(sender, receiver, &path, 1, class % 4);
            send_marked(sender, receiver, &path, 40, class % 4);
        }
    }
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The class of the next datagram at a socket that is not under test. */
static int
receive_class(int fd)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[128];
    } control;
    char data[2048];
    struct iovec iov = {data, sizeof data};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control};
    struct cmsghdr *class;
    int value;

    g_assert_true(wait_readable(fd, WAIT_MS));
    g_assert_cmpint(recvmsg(fd, &message, 0), >, 0);
    class = CMSG_FIRSTHDR(&message);
    g_assert_nonnull(class);
    if (class->cmsg_level == IPPROTO_IP)
        return *CMSG_DATA(class);
    g_assert_cmpint(class->cmsg_type, ==, IPV6_TCLASS);
    memcpy(&value, CMSG_DATA(class), sizeof value);
    return value;
}

/* A socket that is not under test and tells classes. */
static int
open_classes(const char *ip, KvSockaddr *address)
{
    socklen_t len = sizeof *address;
    int on = 1, fd;

    *address = kv_test_sockaddr(ip, 0);
    fd = socket(address->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, &address->sa, kv_sockaddr_get_length(address)), ==, 0);
    g_assert_cmpint(getsockname(fd, &address->sa, &len), ==, 0);
    if (address->sa.sa_family == AF_INET6)
        g_assert_cmpint(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on), ==, 0);
    else
        g_assert_cmpint(setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on), ==, 0);
    return fd;
}

/* Proves: each datagram has its own ECN field beside the socket's DSCP, in batches and alone, to
 * both families, to IPv4 from an IPv6 socket, and of connected sockets. */
static void
test_ecn_fields(void)
{
    static const KvEcn fields[] = {KV_ECN_NOT_ECT, KV_ECN_ECT0, KV_ECN_ECT1,   KV_ECN_CE,
                                   KV_ECN_ECT0,    KV_ECN_CE,   KV_ECN_NOT_ECT};
    static const struct {
        const char *from, *to;
        gboolean connected, no_offload;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", FALSE, FALSE},
        {"127.0.0.1", "127.0.0.1", TRUE, FALSE},
        {"127.0.0.1", "127.0.0.1", FALSE, TRUE},
        {"::1", "::1", FALSE, FALSE},
        {"::1", "::1", TRUE, FALSE},
        {"::", "127.0.0.1", FALSE, FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        KvSockaddr to;
        int fd = open_classes(cases[i].to, &to);
        KvUdpConfig config = {.local = kv_test_sockaddr(cases[i].from, 0),
                              .peer = cases[i].connected ? &to : NULL,
                              .dscp = 46,
                              .no_offload = cases[i].no_offload};
        g_autoptr(KvUdp) sender = kv_udp_open(&config, NULL);
        KvUdpPath path = {0};
        KvEndpoint endpoint;

        g_assert_nonnull(sender);
        kv_sockaddr_to_endpoint(&to, &endpoint);
        kv_sockaddr_from_endpoint(&path.remote, &endpoint, config.local.sa.sa_family);
        for (guint n = 1; n <= 20; n += 19) {
            for (guint j = 0; j < n * G_N_ELEMENTS(fields); j++) {
                memset(kv_udp_reserve(sender, cases[i].connected ? NULL : &path), 'x', 500);
                kv_udp_commit(sender, 500, fields[j / n]);
            }
            g_assert_cmpuint(kv_udp_flush(sender), ==, 0);
            for (guint j = 0; j < n * G_N_ELEMENTS(fields); j++)
                g_assert_cmpint(receive_class(fd), ==, 46 << 2 | fields[j / n]);
        }
        close(fd);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/udp-ecn/marks", test_congestion_marks);
    g_test_add_func("/udp-ecn/fields", test_ecn_fields);
    return kv_test_main(&argc, &argv);
}
