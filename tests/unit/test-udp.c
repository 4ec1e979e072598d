/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-test-sockaddr.h"
#include "kv-test.h"
#include "kv-udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#define WAIT_MS      2000
#define BUFFER_BYTES (2 * 1024 * 1024)

/* A network namespace of its own lets the test change the loopback's MTU, and disturbs nobody. */
static gboolean own_network;

static gboolean
set_loopback(int request, int value)
{
    struct ifreq interface = {.ifr_name = "lo"};
    kv_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (request == SIOCSIFFLAGS)
        interface.ifr_flags = (short) value;
    else
        interface.ifr_mtu = value;
    return ioctl(fd, (unsigned long) request, &interface) == 0;
}

static void
enter_own_network(void)
{
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return;
    own_network = set_loopback(SIOCSIFFLAGS, IFF_UP | IFF_RUNNING);
    g_assert_true(own_network);
}

static KvUdp *
open_udp(const char *ip, const KvSockaddr *peer, gboolean no_offload)
{
    g_autoptr(GError) error = NULL;
    KvUdpConfig config = {.local = kv_test_sockaddr(ip, 0),
                          .peer = peer,
                          .no_offload = no_offload,
                          .socket_buffer = BUFFER_BYTES};
    KvUdp *udp = kv_udp_open(&config, &error);

    g_assert_no_error(error);
    return udp;
}

/* A socket that is not under test, with UDP_GRO if asked for. */
static int
open_plain(const char *ip, gboolean gro, KvSockaddr *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*address);
    int on = 1;

    *address = kv_test_sockaddr(ip, 0);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, &address->sa, sizeof(address->v4)), ==, 0);
    g_assert_cmpint(getsockname(fd, &address->sa, &len), ==, 0);
    if (gro)
        g_assert_cmpint(setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)), ==, 0);
    return fd;
}

static gboolean
wait_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, timeout_ms) > 0;
}

static void
fill(uint8_t *data, size_t len, guint seed)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t) (seed * 31 + i * 7 + (i >> 8));
}

static void
put(KvUdp *udp, const KvUdpPath *path, size_t len, guint seed)
{
    fill(kv_udp_reserve(udp, path), len, seed);
    kv_udp_commit(udp, len, KV_ECN_NOT_ECT);
}

static void
assert_datagram(const KvUdpDatagram *datagram, size_t len, guint seed)
{
    uint8_t want[KV_UDP_DATAGRAM_MAX];

    fill(want, len, seed);
    kv_test_assert_bytes(datagram->data, datagram->len, want, len, "datagram");
}

/* Receives one datagram, waiting for it. */
static KvUdpDatagram
receive_one(KvUdp *udp)
{
    KvUdpDatagram datagram;
    int n = kv_udp_receive(udp, &datagram, 1);

    if (n == 0) {
        g_assert_true(wait_readable(kv_udp_get_fd(udp), WAIT_MS));
        n = kv_udp_receive(udp, &datagram, 1);
    }
    g_assert_cmpint(n, ==, 1);
    return datagram;
}

/* --- whole way ------------------------------------------------------------------------------ */

/* Receives @n datagrams of @sizes, numbered from @first. */
static void
expect(KvUdp *udp, const size_t *sizes, guint n, guint first)
{
    KvUdpDatagram out[16];

    for (guint done = 0; done < n;) {
        int got = kv_udp_receive(udp, out, G_N_ELEMENTS(out));

        g_assert_cmpint(got, >=, 0);
        if (got == 0)
            g_assert_true(wait_readable(kv_udp_get_fd(udp), WAIT_MS));
        for (int i = 0; i < got; i++, done++) {
            g_assert_cmpuint(done, <, n);
            assert_datagram(&out[i], sizes[done], first + done);
        }
    }
    g_assert_cmpint(kv_udp_receive(udp, out, G_N_ELEMENTS(out)), ==, 0);
}

static void
send_random_bursts(KvUdp *from, const KvUdpPath *path, KvUdp *to)
{
    KvTestRandom random;
    guint first = 0;
    size_t sizes[60];

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint round = 0; round < 60; round++) {
        guint n = 1 + kv_test_random_below(&random, G_N_ELEMENTS(sizes));
        size_t size = 1 + kv_test_random_below(&random, KV_UDP_DATAGRAM_MAX);

        for (guint i = 0; i < n; i++) {
            if (kv_test_random_below(&random, 4) == 0)
                size = 1 + kv_test_random_below(&random, KV_UDP_DATAGRAM_MAX);
            sizes[i] = size;
            put(from, path, size, first + i);
        }
        g_assert_cmpuint(kv_udp_flush(from), ==, 0);
        expect(to, sizes, n, first);
        first += n;
    }
}

/* Proves: bursts of all sizes arrive whole and in order, with and without offloads at either end,
 * in both families, to a peer and back along the path. */
static void
test_bursts(void)
{
    static const char *const ips[] = {"127.0.0.1", "::1"};

    for (guint i = 0; i < 8; i++) {
        g_autoptr(KvUdp) server = open_udp(ips[i & 1], NULL, (i & 2) != 0);
        g_autoptr(KvUdp) client = open_udp(ips[i & 1], kv_udp_get_local(server), (i & 4) != 0);
        KvUdpDatagram datagram;
        KvUdpPath path;

        send_random_bursts(client, NULL, server);
        put(client, NULL, 1, 0);
        kv_udp_flush(client);
        datagram = receive_one(server);
        path = *datagram.path;
        g_assert_true(kv_sockaddr_equal(&path.remote, kv_udp_get_local(client)));
        g_assert_cmpint(path.local.family, ==, AF_UNSPEC);
        send_random_bursts(server, &path, client);
        put(server, &path, 1, 0);
        kv_udp_flush(server);
        datagram = receive_one(client);
        g_assert_true(kv_sockaddr_equal(&datagram.path->remote, kv_udp_get_local(server)));
    }
}

/* --- receiving ------------------------------------------------------------------------------ */

static void
send_segmented(int fd, const KvSockaddr *to, const uint8_t *data, size_t len, uint16_t segment)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(segment))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *) data, .iov_len = len};
    struct msghdr message = {
        .msg_name = (void *) to, .msg_namelen = sizeof(to->v4), .msg_iov = &iov, .msg_iovlen = 1};

    if (segment > 0) {
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(segment)), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
        memcpy(CMSG_DATA(&control.header), &segment, sizeof(segment));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
    }
    g_assert_cmpint(sendmsg(fd, &message, 0), ==, len);
}

/* Proves: coalesced datagrams are split at the size the kernel names, the last one shorter, and a
 * small @max takes them piece by piece. */
static void
test_split(void)
{
    static const struct {
        size_t len;
        uint16_t segment;
    } rows[] = {{5000, 1000}, {5001, 1000}, {4999, 1000}, {1400, 0}, {60 * 1000, 1400}, {64, 1}};
    static uint8_t data[65536];
    g_autoptr(KvUdp) udp = open_udp("127.0.0.1", NULL, FALSE);
    KvSockaddr address;
    kv_autofd int fd = open_plain("127.0.0.1", FALSE, &address);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        size_t segment = rows[i].segment > 0 ? rows[i].segment : rows[i].len;
        size_t at = 0;

        fill(data, rows[i].len, i);
        send_segmented(fd, kv_udp_get_local(udp), data, rows[i].len, rows[i].segment);
        g_assert_true(wait_readable(kv_udp_get_fd(udp), WAIT_MS));
        while (at < rows[i].len) {
            KvUdpDatagram out[7];
            int n = kv_udp_receive(udp, out, G_N_ELEMENTS(out));

            g_assert_cmpint(n, ==, MIN(7, (rows[i].len - at + segment - 1) / segment));
            for (int j = 0; j < n; j++) {
                kv_test_assert_bytes(out[j].data, out[j].len, data + at,
                                     MIN(segment, rows[i].len - at), "segment");
                g_assert_true(kv_sockaddr_equal(&out[j].path->remote, &address));
                at += out[j].len;
            }
        }
    }
}

/* Proves: all that waits, merged or not, is read in one go as long as there is said to be more. */
static void
test_has_more(void)
{
    g_autoptr(KvUdp) from = open_udp("127.0.0.1", NULL, FALSE);

    for (guint n = 1, i = 0, got = 0; n <= 300; n += i++ % 4 < 3 ? 0 : n, got = 0) {
        g_autoptr(KvUdp) to = open_udp("127.0.0.1", NULL, i % 2 == 0);
        KvUdpDatagram out[64];

        for (guint j = 0; j < n; j++)
            put(from, &(KvUdpPath){*kv_udp_get_local(to)}, i % 4 < 2 ? 200 : 200 + j % 7, j);
        g_assert_cmpuint(kv_udp_flush(from), ==, 0);
        while (kv_udp_has_more(to))
            got += (guint) kv_udp_receive(to, out, G_N_ELEMENTS(out));
        g_assert_cmpuint(got, ==, n);
    }
}

/* Proves: a datagram that is too long shows as such, an empty one as empty; neither disturbs the
 * next. */
static void
test_odd_lengths(void)
{
    static uint8_t data[9000];

    for (guint no_offload = 0; no_offload < 2; no_offload++) {
        g_autoptr(KvUdp) udp = open_udp("127.0.0.1", NULL, no_offload != 0);
        KvSockaddr address;
        kv_autofd int fd = open_plain("127.0.0.1", FALSE, &address);

        send_segmented(fd, kv_udp_get_local(udp), data, sizeof(data), 0);
        send_segmented(fd, kv_udp_get_local(udp), data, 0, 0);
        send_segmented(fd, kv_udp_get_local(udp), data, 100, 0);
        g_assert_cmpuint(receive_one(udp).len, >, KV_UDP_DATAGRAM_MAX);
        g_assert_cmpuint(receive_one(udp).len, ==, 0);
        g_assert_cmpuint(receive_one(udp).len, ==, 100);
    }
}

/* Proves: an ICMP error is news to the receiver and costs the next send nothing. */
static void
test_refused(void)
{
    g_autoptr(KvUdp) server = open_udp("127.0.0.1", NULL, FALSE);
    KvSockaddr address = *kv_udp_get_local(server);
    g_autoptr(KvUdp) client = open_udp("127.0.0.1", &address, FALSE);
    KvUdpConfig config = {.local = address};
    g_autoptr(GError) error = NULL;
    KvUdpDatagram datagram;

    g_clear_pointer(&server, kv_udp_close);
    put(client, NULL, 10, 1);
    g_assert_cmpuint(kv_udp_flush(client), ==, 0);
    g_assert_true(wait_readable(kv_udp_get_fd(client), WAIT_MS));
    g_assert_cmpint(kv_udp_receive(client, &datagram, 1), ==, -ECONNREFUSED);
    g_assert_cmpint(kv_udp_receive(client, &datagram, 1), ==, 0);

    put(client, NULL, 10, 2);
    g_assert_cmpuint(kv_udp_flush(client), ==, 0);
    g_assert_true(wait_readable(kv_udp_get_fd(client), WAIT_MS));
    server = kv_udp_open(&config, &error);
    g_assert_no_error(error);
    put(client, NULL, 10, 3);
    g_assert_cmpuint(kv_udp_flush(client), ==, 0);
    datagram = receive_one(server);
    assert_datagram(&datagram, 10, 3);
    g_assert_cmpint(kv_udp_receive(client, &datagram, 1), ==, -ECONNREFUSED);
    g_assert_cmpint(kv_udp_receive(client, &datagram, 1), ==, 0);
}

/* Proves: the answer of a socket bound to a wildcard leaves from the address that was asked, in
 * both families and for IPv4 over an IPv6 socket. */
static void
test_answer_from_asked_address(void)
{
    static const struct {
        const char *bound;
        const char *asked;
        const char *from;
    } rows[] = {
        {"0.0.0.0", "127.0.0.5", "127.0.0.1"},
        {"::", "127.0.0.5", "127.0.0.1"},
        {"::", "::1", "::1"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(KvUdp) server = open_udp(rows[i].bound, NULL, FALSE);
        KvSockaddr asked =
            kv_test_sockaddr(rows[i].asked, ntohs(kv_udp_get_local(server)->v4.sin_port));
        g_autoptr(KvUdp) client = open_udp(rows[i].from, &asked, FALSE);
        g_autofree char *from = kv_sockaddr_to_string(kv_udp_get_local(client));
        g_autofree char *seen = NULL;
        KvUdpDatagram datagram;

        put(client, NULL, 1000, i);
        put(client, NULL, 1000, i);
        kv_udp_flush(client);
        datagram = receive_one(server);
        seen = kv_sockaddr_to_string(&datagram.path->remote);
        g_assert_cmpstr(seen, ==, from);
        for (guint j = 0; j < 3; j++)
            put(server, datagram.path, 1200, j);
        g_assert_cmpuint(kv_udp_flush(server), ==, 0);
        /* A connected socket gets nothing from another address. */
        for (guint j = 0; j < 3; j++) {
            datagram = receive_one(client);
            assert_datagram(&datagram, 1200, j);
        }
    }
}

/* --- sending -------------------------------------------------------------------------------- */

typedef struct {
    size_t len;
    int segment;
} Message;

static Message
receive_message(int fd)
{
    static uint8_t data[65536];
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    Message got = {0};
    ssize_t n;

    g_assert_true(wait_readable(fd, WAIT_MS));
    n = recvmsg(fd, &message, 0);
    g_assert_cmpint(n, >=, 0);
    got.len = (size_t) n;
    if (CMSG_FIRSTHDR(&message) != NULL)
        memcpy(&got.segment, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got.segment));
    return got;
}

/* Proves: which datagrams become one message: equal ones and a shorter last one, up to 64 and up
 * to what a packet holds; and none where offloads are switched off. */
static void
test_runs(void)
{
    static const struct {
        gboolean no_offload;
        size_t sizes[8]; /* each @repeat times */
        guint repeat;
        Message want[4]; /* the first ones */
    } rows[] = {
        {FALSE,
         {1000, 1000, 1000, 400, 1000, 1200, 1200},
         1,
         {{3400, 1000}, {1000, 0}, {2400, 1200}}},
        {FALSE, {100}, 65, {{6400, 100}, {100, 0}}},
        {FALSE, {1500}, 50, {{43 * 1500, 1500}, {7 * 1500, 1500}}},
        {FALSE, {1, 2, 3}, 1, {{1, 0}, {2, 0}, {3, 0}}},
        {TRUE, {1000, 1000, 400}, 1, {{1000, 0}, {1000, 0}, {400, 0}}},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        KvSockaddr address;
        kv_autofd int fd = open_plain("127.0.0.1", TRUE, &address);
        g_autoptr(KvUdp) udp = open_udp("127.0.0.1", &address, rows[i].no_offload);

        for (guint j = 0; rows[i].sizes[j] != 0; j++) {
            for (guint k = 0; k < rows[i].repeat; k++)
                put(udp, NULL, rows[i].sizes[j], 0);
        }
        g_assert_cmpuint(kv_udp_flush(udp), ==, 0);
        for (guint j = 0; j < 4 && rows[i].want[j].len != 0; j++) {
            Message got = receive_message(fd);

            g_assert_cmpuint(got.len, ==, rows[i].want[j].len);
            /* A single datagram may come with its own size or with none. */
            if (rows[i].want[j].segment != 0)
                g_assert_cmpint(got.segment, ==, rows[i].want[j].segment);
        }
        g_assert_false(wait_readable(fd, 0));
    }
}

/* Proves: datagrams to different peers in turn reach each its own. */
static void
test_paths_in_turn(void)
{
    g_autoptr(KvUdp) from = open_udp("127.0.0.1", NULL, FALSE);
    g_autoptr(KvUdp) a = open_udp("127.0.0.1", NULL, FALSE);
    g_autoptr(KvUdp) b = open_udp("127.0.0.1", NULL, FALSE);
    KvUdpPath paths[2] = {{.remote = *kv_udp_get_local(a)}, {.remote = *kv_udp_get_local(b)}};
    size_t sizes[10];

    for (guint i = 0; i < 20; i++)
        put(from, &paths[(i / 2) % 2], 700, (i / 4) * 2 + i % 2);
    g_assert_cmpuint(kv_udp_flush(from), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        sizes[i] = 700;
    expect(a, sizes, 10, 0);
    expect(b, sizes, 10, 0);
}

/* Proves: a reservation that is given up sends nothing, and a flush of nothing does nothing. */
static void
test_commit_nothing(void)
{
    g_autoptr(KvUdp) server = open_udp("127.0.0.1", NULL, FALSE);
    g_autoptr(KvUdp) client = open_udp("127.0.0.1", kv_udp_get_local(server), FALSE);
    size_t sizes[] = {500, 500};
    uint8_t *room;

    g_assert_cmpuint(kv_udp_flush(client), ==, 0);
    room = kv_udp_reserve(client, NULL);
    kv_udp_commit(client, 0, KV_ECN_NOT_ECT);
    g_assert_cmpuint(kv_udp_flush(client), ==, 0);
    g_assert_true(kv_udp_reserve(client, NULL) == room);
    kv_udp_commit(client, 0, KV_ECN_NOT_ECT);
    put(client, NULL, 500, 0);
    kv_udp_reserve(client, NULL);
    kv_udp_commit(client, 0, KV_ECN_NOT_ECT);
    put(client, NULL, 500, 1);
    g_assert_cmpuint(kv_udp_flush(client), ==, 0);
    expect(server, sizes, 2, 0);
}

static gboolean
has_large_buffer(const KvUdp *udp)
{
    socklen_t len = sizeof(int);
    int bytes = 0;

    g_assert_cmpint(getsockopt(kv_udp_get_fd(udp), SOL_SOCKET, SO_RCVBUF, &bytes, &len), ==, 0);
    return bytes >= BUFFER_BYTES;
}

/* Proves: more than the arena or its list of messages holds is sent on the way, whole and in
 * order. */
static void
test_full_arena(void)
{
    for (guint longer = 0; longer < 2; longer++) {
        g_autoptr(KvUdp) server = open_udp("127.0.0.1", NULL, FALSE);
        g_autoptr(KvUdp) client = open_udp("127.0.0.1", kv_udp_get_local(server), FALSE);
        guint received = 0;

        if (!has_large_buffer(server)) {
            g_test_skip("needs a receive buffer above net.core.rmem_max");
            return;
        }
        for (guint i = 0; i <= 400; i++) {
            KvUdpDatagram out[64];
            int n;

            if (i < 400)
                put(client, NULL, longer != 0 ? 1 + i : KV_UDP_DATAGRAM_MAX, i);
            else
                g_assert_cmpuint(kv_udp_flush(client), ==, 0);
            while ((n = kv_udp_receive(server, out, G_N_ELEMENTS(out))) > 0) {
                for (int j = 0; j < n; j++, received++)
                    assert_datagram(&out[j], longer != 0 ? 1 + received : KV_UDP_DATAGRAM_MAX,
                                    received);
            }
            g_assert_cmpint(n, ==, 0);
            if (i == 399)
                g_assert_cmpuint(received, >, 150);
        }
        g_assert_cmpuint(received, ==, 400);
    }
}

/* Proves: what the socket refuses is counted, datagram by datagram, and the rest goes out. */
static void
test_drops(void)
{
    for (guint no_offload = 0; no_offload < 2; no_offload++) {
        g_autoptr(KvUdp) from = open_udp("127.0.0.1", NULL, no_offload != 0);
        g_autoptr(KvUdp) to = open_udp("127.0.0.1", NULL, FALSE);
        KvUdpPath good = {.remote = *kv_udp_get_local(to)};
        KvUdpPath bad = {.remote = kv_test_sockaddr("127.0.0.1", 0)};
        size_t sizes[] = {300, 300, 200, 400};

        for (guint i = 0; i < 3; i++)
            put(from, &good, sizes[i], i);
        for (guint i = 0; i < 3; i++)
            put(from, &bad, 300, i);
        put(from, &good, sizes[3], 3);
        g_assert_cmpuint(kv_udp_flush(from), ==, 3);
        g_assert_cmpuint(kv_udp_flush(from), ==, 0);
        expect(to, sizes, 4, 0);
    }
}

/* Proves: where the route's MTU is too small for UDP_SEGMENT, the same datagrams still arrive, and
 * those that fit still go in one message. */
static void
test_small_mtu(void)
{
    KvSockaddr address;
    kv_autofd int fd = -1;

    if (!own_network) {
        g_test_skip("needs the right to make a network namespace");
        return;
    }
    g_assert_true(set_loopback(SIOCSIFMTU, 1300));
    for (guint connected = 0; connected < 2; connected++) {
        g_autoptr(KvUdp) to = open_udp("127.0.0.1", NULL, FALSE);
        g_autoptr(KvUdp) from =
            open_udp("127.0.0.1", connected != 0 ? kv_udp_get_local(to) : NULL, FALSE);
        KvUdpPath path = {.remote = *kv_udp_get_local(to)};
        size_t sizes[20];

        for (guint round = 0; round < 3; round++) {
            for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
                sizes[i] = i < 10 ? 1400 : 1200 - i;
                put(from, connected != 0 ? NULL : &path, sizes[i], i);
            }
            g_assert_cmpuint(kv_udp_flush(from), ==, 0);
            expect(to, sizes, G_N_ELEMENTS(sizes), 0);
        }
        fd = open_plain("127.0.0.1", TRUE, &address);
        path.remote = address;
        if (connected == 0) {
            put(from, &path, 1200, 0);
            put(from, &path, 1200, 0);
            g_assert_cmpuint(kv_udp_flush(from), ==, 0);
            g_assert_cmpuint(receive_message(fd).len, ==, 2400);
        }
        kv_autofd_clear(&fd);
    }
    g_assert_true(set_loopback(SIOCSIFMTU, 65536));
}

/* --- opening -------------------------------------------------------------------------------- */

/* Proves: the DSCP and the buffer size reach the socket, in both families. */
static void
test_options(void)
{
    static const struct {
        const char *ip;
        int level;
        int option;
    } rows[] = {{"127.0.0.1", IPPROTO_IP, IP_TOS},
                {"::1", IPPROTO_IPV6, IPV6_TCLASS},
                {"::1", IPPROTO_IP, IP_TOS}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        KvUdpConfig config = {
            .local = kv_test_sockaddr(rows[i].ip, 0), .dscp = 46, .socket_buffer = 100000};
        g_autoptr(KvUdp) udp = kv_udp_open(&config, NULL);
        socklen_t len = sizeof(int);
        int value = 0;

        g_assert_nonnull(udp);
        g_assert_cmpint(getsockopt(kv_udp_get_fd(udp), rows[i].level, rows[i].option, &value, &len),
                        ==, 0);
        g_assert_cmpint(value, ==, 46 << 2);
        g_assert_cmpint(getsockopt(kv_udp_get_fd(udp), SOL_SOCKET, SO_RCVBUF, &value, &len), ==, 0);
        g_assert_cmpint(value, >=, 100000);
    }
}

/* Proves: an address that is taken or foreign is an error that names it; sharing has to be asked
 * for, and the first of those who share finds out whether others do already. */
static void
test_open_errors(void)
{
    g_autoptr(KvUdp) first = open_udp("127.0.0.1", NULL, FALSE);
    KvUdpConfig taken = {.local = *kv_udp_get_local(first)};
    KvUdpConfig foreign = {.local = kv_test_sockaddr("192.0.2.77", 4000)};
    KvUdpConfig shared = {
        .local = kv_test_sockaddr("127.0.0.1", 0), .reuse_port = TRUE, .is_first = TRUE};
    g_autofree char *text = kv_sockaddr_to_string(kv_udp_get_local(first));
    g_autoptr(GError) taken_error = NULL;
    g_autoptr(GError) foreign_error = NULL;
    g_autoptr(GError) shared_error = NULL;
    g_autoptr(KvUdp) one = NULL;
    g_autoptr(KvUdp) two = NULL;

    g_assert_null(kv_udp_open(&taken, &taken_error));
    g_assert_error(taken_error, KV_ERROR, KV_ERROR_EXISTS);
    g_assert_nonnull(strstr(taken_error->message, text));
    g_assert_null(kv_udp_open(&foreign, &foreign_error));
    g_assert_nonnull(strstr(foreign_error->message, "192.0.2.77:4000"));
    one = kv_udp_open(&shared, NULL);
    g_assert_nonnull(one);
    shared.local = *kv_udp_get_local(one);
    g_assert_null(kv_udp_open(&shared, &shared_error));
    g_assert_error(shared_error, KV_ERROR, KV_ERROR_EXISTS);
    shared.is_first = FALSE;
    two = kv_udp_open(&shared, NULL);
    g_assert_nonnull(two);
}

/* Proves: a deaf socket keeps its address but nothing that comes to it, until it listens; so no
 * worker of a starting server begins a session that another worker will get. */
static void
test_deaf(void)
{
    KvUdpConfig config = {.local = kv_test_sockaddr("127.0.0.1", 0), .is_deaf = TRUE};
    g_autoptr(KvUdp) server = kv_udp_open(&config, NULL);
    KvSockaddr address;
    int fd = open_plain("127.0.0.1", FALSE, &address);
    const KvSockaddr *to = kv_udp_get_local(server);
    KvUdpDatagram datagram;

    g_assert_cmpint(sendto(fd, "early", 5, 0, &to->sa, kv_sockaddr_get_length(to)), ==, 5);
    g_assert_false(wait_readable(kv_udp_get_fd(server), 50));
    g_assert_true(kv_udp_listen(server, NULL));
    g_assert_cmpint(sendto(fd, "late", 4, 0, &to->sa, kv_sockaddr_get_length(to)), ==, 4);
    g_assert_true(wait_readable(kv_udp_get_fd(server), 1000));
    g_assert_cmpint(kv_udp_receive(server, &datagram, 1), ==, 1);
    g_assert_cmpmem(datagram.data, datagram.len, "late", 4);
    close(fd);
}

/* Proves: a client may leave its own address to the kernel. */
static void
test_unbound_client(void)
{
    g_autoptr(KvUdp) server = open_udp("::1", NULL, FALSE);
    KvUdpConfig config = {.peer = kv_udp_get_local(server)};
    g_autoptr(KvUdp) client = kv_udp_open(&config, NULL);
    size_t size = 33;

    g_assert_nonnull(client);
    g_assert_cmpuint(kv_udp_get_local(client)->v6.sin6_port, !=, 0);
    put(client, NULL, size, 0);
    kv_udp_flush(client);
    expect(server, &size, 1, 0);
}

int
main(int argc, char **argv)
{
    enter_own_network();
    g_test_add_func("/udp/bursts", test_bursts);
    g_test_add_func("/udp/split", test_split);
    g_test_add_func("/udp/has-more", test_has_more);
    g_test_add_func("/udp/odd-lengths", test_odd_lengths);
    g_test_add_func("/udp/refused", test_refused);
    g_test_add_func("/udp/answer-from-asked-address", test_answer_from_asked_address);
    g_test_add_func("/udp/runs", test_runs);
    g_test_add_func("/udp/paths-in-turn", test_paths_in_turn);
    g_test_add_func("/udp/commit-nothing", test_commit_nothing);
    g_test_add_func("/udp/full-arena", test_full_arena);
    g_test_add_func("/udp/drops", test_drops);
    g_test_add_func("/udp/small-mtu", test_small_mtu);
    g_test_add_func("/udp/options", test_options);
    g_test_add_func("/udp/open-errors", test_open_errors);
    g_test_add_func("/udp/deaf", test_deaf);
    g_test_add_func("/udp/unbound-client", test_unbound_client);
    return kv_test_main(&argc, &argv);
}
