/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-gso.h"
#include "kv-netlink.h"
#include "kv-test.h"
#include "kv-tun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* One process, two network namespaces:
 *
 *   TCP or UDP socket in "left"             TCP or UDP socket in "right"
 *        10.9.0.1, kvleft  <- cut, merge ->  kvright, 10.9.0.2
 */
#define LEFT      0x0a090001u
#define RIGHT     0x0a090002u
#define MTU       1400
#define N_SLOTS   256
#define N_BYTES   (20u << 20)
#define UDP_BYTES 1000
#define N_UDP     40

typedef struct {
    KvTun *tun;
    KvGsoMerger *merger; /* of what goes to it */
} Side;

static Side left, right;
static guint n_supers, n_merged, n_failed;

static Side
open_side(KvVniMode mode, const char *name, KvIp4 local, KvIp4 peer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvNetlink) netlink = kv_netlink_new(&error);
    Side side = {.tun = kv_tun_open(mode, name, FALSE, &error)};

    g_assert_no_error(error);
    side.merger = kv_gso_merger_new(mode, kv_tun_has_uso(side.tun));
    kv_netlink_set_mtu(netlink, name, MTU, &error);
    g_assert_no_error(error);
    if (mode == KV_VNI_MODE_TUN)
        kv_netlink_add_peer_address(netlink, name, local, peer, &error);
    else
        kv_netlink_add_address(netlink, name, local, 0xffffff00u, &error);
    g_assert_no_error(error);
    kv_netlink_set_up(netlink, name, TRUE, &error);
    g_assert_no_error(error);
    return side;
}

static void
close_side(Side *side)
{
    kv_tun_close(side->tun);
    kv_gso_merger_free(side->merger);
}

static gboolean
write_one(Side *to)
{
    guint n_iov, n_packets;
    const struct iovec *iov = kv_gso_merger_take(to->merger, &n_iov, &n_packets);

    if (iov == NULL)
        return FALSE;
    n_merged += n_packets > 1;
    n_failed += !kv_tun_write(to->tun, iov, n_iov);
    return TRUE;
}

/* Carries what one side has to the other, as plain packets on the way. */
static void
pump(Side *from, Side *to)
{
    static uint8_t slots[N_SLOTS][MTU + 100];
    static uint8_t buf[KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX + 100];
    guint n_slots = 0;
    ssize_t n;

    while (n_slots < N_SLOTS - KV_GSO_SEGMENTS_MAX &&
           (n = kv_tun_read(from->tun, buf, sizeof buf)) > 0) {
        KvGsoCutter cutter;
        KvSlice slices[2];
        guint n_slices;

        g_assert_true(kv_gso_cutter_init(&cutter, kv_tun_get_mode(from->tun), buf,
                                         buf + KV_VNET_HDR_BYTES, (size_t) n - KV_VNET_HDR_BYTES));
        n_supers += n > (ssize_t) sizeof slots[0];
        while ((n_slices = kv_gso_cutter_next(&cutter, slices)) > 0) {
            uint8_t *slot = slots[n_slots++];
            size_t len = slices[0].len + (n_slices > 1 ? slices[1].len : 0);

            g_assert_cmpuint(len, <=, MTU + 14);
            memcpy(slot, slices[0].data, slices[0].len);
            if (n_slices > 1)
                memcpy(slot + slices[0].len, slices[1].data, slices[1].len);
            while (!kv_gso_merger_add(to->merger, slot, len))
                write_one(to);
        }
    }
    while (write_one(to))
        ;
}

static void
pump_both(void)
{
    struct pollfd fds[] = {{.fd = kv_tun_get_fd(left.tun), .events = POLLIN},
                           {.fd = kv_tun_get_fd(right.tun), .events = POLLIN}};

    poll(fds, 2, 10);
    pump(&left, &right);
    pump(&right, &left);
}

static int
open_socket(int type, KvIp4 ip)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(5001), .sin_addr.s_addr = htonl(ip)};
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    return fd;
}

static void
start_connect(int fd, KvIp4 ip)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(5001), .sin_addr.s_addr = htonl(ip)};

    if (connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
        g_assert_cmpint(errno, ==, EINPROGRESS);
}

static uint8_t
pattern(size_t at)
{
    return (uint8_t) (at * 31 + at / 4093);
}

static void
transfer_tcp(int listener, int sender)
{
    static uint8_t out[N_BYTES], in[1 << 16];
    size_t n_sent = 0, n_got = 0, n_wrong = 0;
    gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    kv_autofd int receiver = -1;
    ssize_t n;

    for (size_t i = 0; i < N_BYTES; i++)
        out[i] = pattern(i);
    start_connect(sender, LEFT);
    while (n_got < N_BYTES && g_get_monotonic_time() < end) {
        pump_both();
        if (receiver < 0)
            receiver = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        n = n_sent < N_BYTES ? send(sender, out + n_sent, N_BYTES - n_sent, MSG_NOSIGNAL) : 0;
        n_sent += n > 0 ? (size_t) n : 0;
        while (receiver >= 0 && (n = read(receiver, in, sizeof in)) > 0) {
            for (ssize_t i = 0; i < n; i++)
                n_wrong += in[i] != pattern(n_got + (size_t) i);
            n_got += (size_t) n;
        }
    }
    g_assert_cmpuint(n_got, ==, N_BYTES);
    g_assert_cmpuint(n_wrong, ==, 0);
}

/* One send of many datagrams; the far kernel must see each of them. */
static void
transfer_udp(int receiver, int sender)
{
    static uint8_t out[UDP_BYTES * N_UDP], in[2048];
    gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    int size = UDP_BYTES;
    guint n_got = 0;
    ssize_t n;

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = pattern(i);
    start_connect(sender, LEFT);
    g_assert_cmpint(setsockopt(sender, SOL_UDP, UDP_SEGMENT, &size, sizeof size), ==, 0);
    g_assert_cmpint(send(sender, out, sizeof out, 0), ==, sizeof out);
    while (n_got < N_UDP && g_get_monotonic_time() < end) {
        pump_both();
        while ((n = recv(receiver, in, sizeof in, 0)) > 0) {
            kv_test_assert_bytes(in, (size_t) n, out + n_got * UDP_BYTES, UDP_BYTES, "datagram");
            n_got++;
        }
    }
    g_assert_cmpuint(n_got, ==, N_UDP);
}

static void
run_transfer(KvVniMode mode, int type)
{
    kv_autofd int receiver = -1;
    kv_autofd int sender = -1;
    kv_autofd int left_ns = -1;
    gboolean has_uso;

    n_supers = n_merged = n_failed = 0;
    g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
    /* Keeps the namespace alive once this process has left it. */
    left_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    left = open_side(mode, "kvleft", LEFT, RIGHT);
    receiver = open_socket(type, LEFT);
    if (type == SOCK_STREAM)
        g_assert_cmpint(listen(receiver, 1), ==, 0);
    g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
    right = open_side(mode, "kvright", RIGHT, LEFT);
    sender = open_socket(type, RIGHT);
    has_uso = kv_tun_has_uso(right.tun);
    if (type == SOCK_STREAM)
        transfer_tcp(receiver, sender);
    else
        transfer_udp(receiver, sender);
    g_test_message("%u super-packets read, %u written", n_supers, n_merged);
    g_assert_cmpuint(n_failed, ==, 0);
    if (type == SOCK_STREAM || has_uso) {
        g_assert_cmpuint(n_supers, >, 0);
        g_assert_cmpuint(n_merged, >, 0);
    }
    close_side(&left);
    close_side(&right);
}

/* Proves: two kernels understand each other through cut and merged TCP, without a wrong byte. */
static void
test_tun_tcp(void)
{
    run_transfer(KV_VNI_MODE_TUN, SOCK_STREAM);
}

static void
test_tap_tcp(void)
{
    run_transfer(KV_VNI_MODE_TAP, SOCK_STREAM);
}

/* Proves: the same for UDP that was sent as one. */
static void
test_tun_udp(void)
{
    run_transfer(KV_VNI_MODE_TUN, SOCK_DGRAM);
}

static void
test_tap_udp(void)
{
    run_transfer(KV_VNI_MODE_TAP, SOCK_DGRAM);
}

int
main(int argc, char **argv)
{
    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "skipped: no network namespace: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        fprintf(stderr, "skipped: /dev/net/tun: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    g_test_add_func("/gso-kernel/tun-tcp", test_tun_tcp);
    g_test_add_func("/gso-kernel/tap-tcp", test_tap_tcp);
    g_test_add_func("/gso-kernel/tun-udp", test_tun_udp);
    g_test_add_func("/gso-kernel/tap-udp", test_tap_udp);
    return kv_test_main(&argc, &argv);
}
