/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hub.h"

#include "kv-gso.h"
#include "kv-netlink.h"
#include "kv-test-packet.h"
#include "kv-test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A worker with a hub, its device in a namespace of its own, and ports that note what they get:
 *
 *   UDP socket 10.9.0.1 -- kvhub (device) -- hub -- port 0 (10.9.0.2), port 1 (10.9.0.3)
 */
#define N_PORTS  2
#define HOST     0x0a090001u
#define UDP_PORT 4000

typedef struct {
    KvHubPort port; /* first */
    guint n_packets;
    size_t last_len;
    uint8_t last[2048];
    uint64_t flow;
    gboolean one_flow;
} Port; /* the worker's */

typedef struct {
    KvWorker *worker;
    KvHub *hub;
    KvTun *tun;
    KvVniMode mode;
    KvBetweenPorts between_ports;
    KvRandom random;
    uint8_t buffer[KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX];
    Port ports[N_PORTS];
    Port seen[N_PORTS]; /* what look() found in them */
    uint64_t drops[KV_N_DROPS];
    gint n_lost; /* atomic */
    guint n_taken;
    sem_t done;
    void (*task)(gpointer fixture);
} Fixture;

static KvNetlink *netlink;

static void
fill_random(void *ctx, void *buf, size_t len)
{
    randombytes_buf(buf, len);
}

static void
run_task(KvWorker *worker, gpointer data)
{
    Fixture *f = data;

    f->task(f);
    sem_post(&f->done);
}

/* Runs @task on the worker and waits for its end. */
static void
on_worker(Fixture *f, void (*task)(gpointer fixture))
{
    f->task = task;
    kv_worker_send(f->worker, run_task, f);
    while (sem_wait(&f->done) < 0)
        g_assert_cmpint(errno, ==, EINTR);
}

static void
on_send(KvHubPort *hub_port, const KvSlice *slices, guint n, uint16_t ethertype, uint64_t flow,
        KvTime now)
{
    Port *port = (Port *) hub_port;

    /* The kernel tells its neighbours of a new interface whenever it likes. */
    if (ethertype == ETHERTYPE_IPV6)
        return;
    port->last_len = 0;
    for (guint i = 0; i < n; i++) {
        g_assert_cmpuint(port->last_len + slices[i].len, <=, sizeof port->last);
        memcpy(port->last + port->last_len, slices[i].data, slices[i].len);
        port->last_len += slices[i].len;
    }
    port->one_flow = port->n_packets == 0 || (port->one_flow && flow == port->flow);
    port->flow = flow;
    port->n_packets++;
}

static void
on_lost(gpointer owner)
{
    g_atomic_int_inc(&((Fixture *) owner)->n_lost);
}

static void
on_taken(gpointer owner, KvHubPort *loser, KvHubPort *winner, const KvNetwork *network)
{
    Fixture *f = owner;

    g_assert_true(loser == &f->ports[0].port && winner == &f->ports[1].port);
    f->n_taken++;
}

static void
start_hub(gpointer data)
{
    static const char *const addresses[N_PORTS] = {"10.9.0.2", "10.9.0.3"};
    Fixture *f = data;
    KvHubConfig config = {
        .worker = f->worker,
        .random = &f->random,
        .tx_buffer = f->buffer,
        .lost = on_lost,
        .taken = on_taken,
        .owner = f,
        .between_ports = f->between_ports,
    };
    g_autoptr(GError) error = NULL;

    f->hub = kv_hub_new(&config, f->tun, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < N_PORTS; i++) {
        KvNetwork network;

        g_assert_true(kv_network_parse(&network, addresses[i]));
        f->ports[i].port.send = on_send;
        kv_fit_init(&f->ports[i].port.fit);
        kv_hub_add_port(f->hub, &f->ports[i].port);
        kv_hub_set_networks(f->hub, &f->ports[i].port, &network, 1);
    }
}

static void
stop_hub(gpointer data)
{
    Fixture *f = data;

    for (guint i = 0; i < N_PORTS; i++)
        kv_hub_remove_port(f->hub, &f->ports[i].port);
    kv_hub_free(f->hub);
}

static void
set_up(Fixture *f, gconstpointer mode)
{
    g_autoptr(GError) error = NULL;

    f->mode = GPOINTER_TO_INT(mode);
    f->random.fill = fill_random;
    sem_init(&f->done, 0, 0);
    f->tun = kv_tun_open(f->mode, "kvhub", FALSE, &error);
    g_assert_no_error(error);
    kv_netlink_add_address(netlink, "kvhub", HOST, 0xffffff00u, &error);
    g_assert_no_error(error);
    kv_netlink_set_up(netlink, "kvhub", TRUE, &error);
    g_assert_no_error(error);
    f->worker = kv_worker_new(0, &error);
    g_assert_no_error(error);
    g_assert_true(kv_worker_start(f->worker, NULL));
    on_worker(f, start_hub);
}

static void
set_up_open(Fixture *f, gconstpointer mode)
{
    f->between_ports = KV_BETWEEN_PORTS_DIRECT;
    set_up(f, mode);
}

static void
tear_down(Fixture *f, gconstpointer unused)
{
    on_worker(f, stop_hub);
    kv_worker_free(f->worker);
    kv_tun_close(f->tun);
    sem_destroy(&f->done);
}

/* For the main thread, as the kernel may have something to send at any time. */
static void
look(gpointer data)
{
    Fixture *f = data;

    memcpy(f->seen, f->ports, sizeof f->seen);
    memset(f->drops, 0, sizeof f->drops);
    kv_hub_add_drops(f->hub, f->drops);
}

/* Waits until the worker has handed @n packets or more to port @i. */
static void
wait_for(Fixture *f, guint i, guint n)
{
    for (guint tries = 0; tries < 2000; tries++) {
        on_worker(f, look);
        if (f->seen[i].n_packets >= n)
            return;
        g_usleep(1000);
    }
    g_error("port %u got %u packets, not %u", i, f->seen[i].n_packets, n);
}

static int
open_socket(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(UDP_PORT), .sin_addr.s_addr = htonl(HOST)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    return fd;
}

static void
send_udp(int fd, uint32_t ip, const void *data, size_t len)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(UDP_PORT), .sin_addr.s_addr = htonl(ip)};

    g_assert_cmpint(sendto(fd, data, len, 0, (struct sockaddr *) &to, sizeof to), ==, len);
}

/* Proves: what the kernel sends reaches the port of its destination, super-packets in the pieces
 * that their sender asked for, and what is for nobody is counted. */
static void
test_out(Fixture *f, gconstpointer unused)
{
    static uint8_t bytes[10000];
    int fd = open_socket();
    int segment = 1000;

    send_udp(fd, HOST + 2, "hello", 5);
    wait_for(f, 1, 1);
    g_assert_cmpuint(f->seen[1].last_len, ==, 20 + 8 + 5);
    g_assert_cmpint(memcmp(f->seen[1].last + 28, "hello", 5), ==, 0);
    g_assert_cmpuint(f->seen[0].n_packets, ==, 0);
    g_assert_cmpint(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment), ==, 0);
    send_udp(fd, HOST + 1, bytes, sizeof bytes);
    wait_for(f, 0, 10);
    g_assert_cmpuint(f->seen[0].n_packets, ==, 10);
    g_assert_cmpuint(f->seen[0].last_len, ==, 1028);
    g_assert_true(f->seen[0].one_flow);
    g_assert_cmpuint(f->seen[1].n_packets, ==, 1);
    for (guint i = 0; i < 100; i++)
        send_udp(fd, HOST + 8, "nobody", 6);
    for (guint i = 0; i < 2000 && f->drops[KV_DROP_DESTINATION] < 100; i++) {
        on_worker(f, look);
        g_usleep(1000);
    }
    g_assert_cmpuint(f->drops[KV_DROP_DESTINATION], >=, 100);
    close(fd);
}

/* A UDP packet of one port, from 10.0.0.@from to 10.0.1.1 as the builder makes it, then moved. */
static size_t
build(uint8_t *packet, uint32_t from, uint32_t to)
{
    static KvTestBuffer buffer;
    KvTestPacket what = {.version = 4, .is_udp = TRUE, .payload_len = 100};

    kv_test_packet_build(&buffer, &what);
    kv_put_be32(buffer.data + 12, from);
    kv_put_be32(buffer.data + 16, to);
    kv_put_be16(buffer.data + 22, UDP_PORT);
    kv_put_be16(buffer.data + 10, 0);
    kv_put_be16(buffer.data + 10, (uint16_t) ~kv_test_sum(0, buffer.data, 20));
    kv_put_be16(buffer.data + 26, 0);
    memcpy(packet, buffer.data, buffer.len);
    return buffer.len;
}

static void
receive_three(gpointer data)
{
    static uint8_t packets[3][256];
    Fixture *f = data;
    KvTime now = kv_worker_get_now(f->worker);
    size_t len = build(packets[0], HOST + 1, HOST);

    kv_hub_receive(f->hub, &f->ports[0].port, packets[0], len, 0x0800, now);
    build(packets[1], HOST + 2, HOST); /* not port 0's address */
    kv_hub_receive(f->hub, &f->ports[0].port, packets[1], len, 0x0800, now);
    build(packets[2], HOST + 1, HOST + 2);
    kv_hub_receive(f->hub, &f->ports[0].port, packets[2], len, 0x0800, now);
    kv_hub_flush(f->hub);
}

static void
take_network(gpointer data)
{
    Fixture *f = data;
    KvNetwork network;

    g_assert_true(kv_network_parse(&network, "10.9.0.2"));
    kv_hub_set_networks(f->hub, &f->ports[1].port, &network, 1);
}

/* Proves: of two ports with one address the later gets the packets, and the owner is told. */
static void
test_taken(Fixture *f, gconstpointer unused)
{
    int fd = open_socket();

    on_worker(f, take_network);
    g_assert_cmpuint(f->n_taken, ==, 1);
    send_udp(fd, HOST + 1, "hello", 5);
    wait_for(f, 1, 1);
    g_assert_cmpuint(f->seen[0].n_packets, ==, 0);
    close(fd);
}

static void
set_sizes(gpointer data)
{
    Fixture *f = data;

    f->ports[0].port.fit.mtu = 1000;
    f->ports[0].port.fit.packet_max = 1200;
}

/* Proves: the kernel believes what it is told of packets that are longer than the other end takes,
 * and sends none of them again. */
static void
test_too_big(Fixture *f, gconstpointer unused)
{
    static uint8_t bytes[1200];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(UDP_PORT), .sin_addr.s_addr = htonl(HOST + 1)};
    int fd = open_socket();
    int discover = IP_PMTUDISC_DO, mtu = 0, error = 0;
    socklen_t len = sizeof mtu;

    on_worker(f, set_sizes);
    g_assert_cmpint(setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover), ==, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *) &to, sizeof to), ==, 0);
    g_assert_cmpint(send(fd, bytes, sizeof bytes, 0), ==, sizeof bytes);
    for (guint i = 0; i < 2000 && mtu != 1000; i++) {
        g_usleep(1000);
        g_assert_cmpint(getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len), ==, 0);
    }
    g_assert_cmpint(mtu, ==, 1000);
    on_worker(f, look);
    g_assert_cmpuint(f->seen[0].n_packets, ==, 0);
    g_assert_cmpuint(f->seen[0].port.drops[KV_DROP_TOO_BIG], ==, 1);
    g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), ==, 0);
    g_assert_cmpint(error, ==, EMSGSIZE);
    g_assert_cmpint(send(fd, bytes, sizeof bytes, 0), ==, -1);
    g_assert_cmpint(errno, ==, EMSGSIZE);
    g_assert_cmpint(send(fd, bytes, 900, 0), ==, 900);
    wait_for(f, 0, 1);
    g_assert_cmpuint(f->seen[0].n_packets, ==, 1);
    close(fd);
}

/* Proves: who connects through the hub is asked for segments that fit a datagram. */
static void
test_mss(Fixture *f, gconstpointer unused)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(HOST + 1)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    on_worker(f, set_sizes);
    g_assert_cmpint(connect(fd, (struct sockaddr *) &to, sizeof to), ==, -1);
    g_assert_cmpint(errno, ==, EINPROGRESS);
    wait_for(f, 0, 1);
    g_assert_cmphex(f->seen[0].last[40], ==, 2);
    g_assert_cmphex(f->seen[0].last[41], ==, 4);
    g_assert_cmpuint(kv_get_be16(f->seen[0].last + 42), ==, 1160);
    close(fd);
}

/* Proves: of what a port receives its own packets for this host reach it, others' do not, nor does
 * what is for another port reach that one. */
static void
test_in(Fixture *f, gconstpointer unused)
{
    int fd = open_socket();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    uint8_t got[256];

    on_worker(f, receive_three);
    g_assert_cmpint(poll(&ready, 1, 5000), ==, 1);
    g_assert_cmpint(recvfrom(fd, got, sizeof got, 0, (struct sockaddr *) &from, &len), ==, 100);
    g_assert_cmphex(ntohl(from.sin_addr.s_addr), ==, HOST + 1);
    g_assert_cmpint(poll(&ready, 1, 100), ==, 0);
    on_worker(f, look);
    g_assert_cmpuint(f->seen[0].port.drops[KV_DROP_SOURCE], ==, 1);
    g_assert_cmpuint(f->seen[0].port.drops[KV_DROP_DESTINATION], ==, 1);
    g_assert_cmpuint(f->seen[1].n_packets, ==, 0);
    close(fd);
}

/* Proves: where ports may meet, what is for another one goes there, and nowhere else. */
static void
test_between_ports(Fixture *f, gconstpointer unused)
{
    int fd = open_socket(); /* else the host answers that nobody listens */

    on_worker(f, receive_three);
    on_worker(f, look);
    g_assert_cmpuint(f->seen[1].n_packets, ==, 1);
    g_assert_cmpuint(f->seen[1].last_len, ==, 128);
    g_assert_cmpuint(f->seen[0].n_packets, ==, 0);
    close(fd);
}

/* Proves: in tap mode the interface's address is known to it, and a broadcast reaches all ports. */
static void
test_broadcast(Fixture *f, gconstpointer unused)
{
    int fd = open_socket();

    send_udp(fd, HOST + 7, "who has it?", 11); /* asks by ARP */
    wait_for(f, 0, 1);
    wait_for(f, 1, 1);
    g_assert_cmpuint(f->seen[0].last[0], ==, 0xff);
    g_assert_cmpuint(f->seen[1].last[0], ==, 0xff);
    close(fd);
}

static void
receive_stolen(gpointer data)
{
    static uint8_t frame[60];
    Fixture *f = data;

    memcpy(frame + 6, f->ports[0].last + 6, 6);
    kv_hub_receive(f->hub, &f->ports[1].port, frame, sizeof frame, 0, kv_worker_get_now(f->worker));
    kv_hub_flush(f->hub);
}

/* Proves: no port can pass for the interface. */
static void
test_own_mac(Fixture *f, gconstpointer unused)
{
    test_broadcast(f, NULL);
    on_worker(f, receive_stolen);
    on_worker(f, look);
    g_assert_cmpuint(f->seen[1].port.drops[KV_DROP_SOURCE], ==, 1);
}

/* Proves: the owner is told once when somebody deletes the interface. */
static void
test_lost(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    kv_netlink_delete_link(netlink, "kvhub", &error);
    g_assert_no_error(error);
    for (guint i = 0; i < 2000 && g_atomic_int_get(&f->n_lost) == 0; i++)
        g_usleep(1000);
    g_usleep(20000);
    g_assert_cmpint(g_atomic_int_get(&f->n_lost), ==, 1);
}

int
main(int argc, char **argv)
{
    gconstpointer tun = GINT_TO_POINTER(KV_VNI_MODE_TUN);
    gconstpointer tap = GINT_TO_POINTER(KV_VNI_MODE_TAP);
    g_autoptr(GError) error = NULL;
    int status;

    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "skipped: no network namespace: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        fprintf(stderr, "skipped: /dev/net/tun: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    g_test_add("/hub/out", Fixture, tun, set_up, test_out, tear_down);
    g_test_add("/hub/in", Fixture, tun, set_up, test_in, tear_down);
    g_test_add("/hub/between-ports", Fixture, tun, set_up_open, test_between_ports, tear_down);
    g_test_add("/hub/taken", Fixture, tun, set_up, test_taken, tear_down);
    g_test_add("/hub/too-big", Fixture, tun, set_up, test_too_big, tear_down);
    g_test_add("/hub/mss", Fixture, tun, set_up, test_mss, tear_down);
    g_test_add("/hub/broadcast", Fixture, tap, set_up, test_broadcast, tear_down);
    g_test_add("/hub/own-mac", Fixture, tap, set_up, test_own_mac, tear_down);
    g_test_add("/hub/lost", Fixture, tun, set_up, test_lost, tear_down);
    netlink = kv_netlink_new(&error);
    g_assert_no_error(error);
    status = kv_test_main(&argc, &argv);
    kv_netlink_free(netlink);
    return status;
}
