/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcptun-link.h"

#include "v1/kv-v1-crypt.h"
#include "v1/kv-v1-mux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * One smux stream between our core and kcptun over loopback: sends a file, and compares what
 * comes with another. Exit status 0: all was sent, acknowledged and received as it should.
 */
#define CHUNK_BYTES  8192
#define SOCKET_BYTES (4 << 20)
#define LINGER_MS    300 /* for acknowledgements that were lost */

static char *role, *cipher_name = (char *) "aes", *send_path, *expect_path, *secret;
static char *address = (char *) "127.0.0.1";
static int port, data_shards = 10, parity_shards = 3, seconds = 30;
static double loss;
static gint64 seed = 1;

static const GOptionEntry options[] = {
    {"role", 0, 0, G_OPTION_ARG_STRING, &role, "client: call kcptun-server; server: be called",
     NULL},
    {"address", 0, 0, G_OPTION_ARG_STRING, &address, "of kcptun-server, on loopback", NULL},
    {"port", 0, 0, G_OPTION_ARG_INT, &port, "of kcptun-server", NULL},
    {"cipher", 0, 0, G_OPTION_ARG_STRING, &cipher_name, "as kcptun names it", NULL},
    {"secret", 0, 0, G_OPTION_ARG_STRING, &secret, "kcptun's --key", NULL},
    {"ds", 0, 0, G_OPTION_ARG_INT, &data_shards, "data shards, 0: no FEC", NULL},
    {"ps", 0, 0, G_OPTION_ARG_INT, &parity_shards, "parity shards", NULL},
    {"loss", 0, 0, G_OPTION_ARG_DOUBLE, &loss, "share of datagrams lost each way, 0 to 1", NULL},
    {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of the losses", NULL},
    {"send", 0, 0, G_OPTION_ARG_FILENAME, &send_path, "file to send", NULL},
    {"expect", 0, 0, G_OPTION_ARG_FILENAME, &expect_path, "file that must come", NULL},
    {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "limit of the whole", NULL},
    {NULL},
};

typedef struct {
    KvKcptunLink *link;
    KvV1Mux mux;
    KvTestRandom random;
    struct sockaddr_in remote; /* server: port 0 until the client was heard */
    int fd;
    uint32_t opened; /* by kcptun; 0: none yet */
    uint32_t stream; /* to write to; 0: none yet */
    gboolean finished, broken;
    gsize n_sent, n_received, send_len, expect_len;
    char *send_data, *expect_data;
} Peer;

static KvTime
clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (KvTime) t.tv_sec * KV_TIME_S + (KvTime) t.tv_nsec / 1000;
}

static gboolean
parse_cipher(const char *name, KvCipher *cipher)
{
    for (guint i = 0; i < KV_N_CIPHERS; i++) {
        if (g_strcmp0(name, kv_cipher_to_string((KvCipher) i)) == 0) {
            *cipher = (KvCipher) i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
put_frame(Peer *peer, KvV1MuxCmd cmd, uint32_t id)
{
    uint8_t header[KV_V1_MUX_HEADER_BYTES];
    KvSlice slice = {header, sizeof header};

    kv_v1_mux_put_header(header, cmd, 0, id);
    return kv_kcptun_link_send(peer->link, &slice, 1);
}

static void
write_stream(Peer *peer)
{
    while (peer->stream != 0 && peer->n_sent < peer->send_len &&
           kv_kcptun_link_can_send(peer->link)) {
        gsize n = MIN(CHUNK_BYTES, peer->send_len - peer->n_sent);
        KvSlice slice = {(const uint8_t *) peer->send_data + peer->n_sent, n};
        KvV1MuxWrite frames;

        if (!kv_v1_mux_frame(&frames, peer->stream, &slice, 1) ||
            !kv_kcptun_link_send(peer->link, frames.slices, frames.n_slices))
            return;
        peer->n_sent += n;
    }
}

/* Compares the next @n payload bytes with what is expected. */
static void
take_payload(Peer *peer, const uint8_t *data, gsize n)
{
    if (n > peer->expect_len - peer->n_received ||
        memcmp(data, peer->expect_data + peer->n_received, n) != 0) {
        fprintf(stderr, "wrong bytes after %" G_GSIZE_FORMAT "\n", peer->n_received);
        peer->broken = TRUE;
        return;
    }
    peer->n_received += n;
}

/* kcptun's smux sends SYN first and only then makes the stream known to its own receiver, which
 * drops what it has no stream for. So whoever is called must not write before it has heard some
 * payload. */
static void
note_payload(Peer *peer, uint32_t id)
{
    if (peer->stream == 0)
        peer->stream = id;
}

static void
note_opened(Peer *peer, uint32_t id)
{
    if (peer->opened != 0) {
        fprintf(stderr, "stream %u after %u\n", id, peer->opened);
        peer->broken = TRUE;
    }
    peer->opened = id;
}

static void
read_stream(Peer *peer)
{
    const uint8_t *data;
    size_t len;

    while (!peer->broken && (len = kv_kcptun_link_peek(peer->link, &data)) > 0) {
        size_t used;
        uint32_t id;
        KvV1MuxItem item = kv_v1_mux_parse(&peer->mux, data, len, &used, &id);

        if (item == KV_V1_MUX_OPENED) {
            note_opened(peer, id);
        } else if (item == KV_V1_MUX_BROKEN) {
            fprintf(stderr, "this is not smux\n");
            peer->broken = TRUE;
        } else if (item == KV_V1_MUX_DATA) {
            uint32_t n = (uint32_t) MIN(len - used, kv_v1_mux_get_left(&peer->mux));

            note_payload(peer, id);
            take_payload(peer, data + used, n);
            kv_v1_mux_take(&peer->mux, n);
            used += n;
        }
        kv_kcptun_link_consume(peer->link, used);
    }
}

static void
receive_datagrams(Peer *peer, KvTime now)
{
    uint8_t buf[2048];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n;

    while ((n = recvfrom(peer->fd, buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *) &from,
                         &from_len)) >= 0) {
        if (peer->remote.sin_port == 0)
            peer->remote = from;
        if (!kv_kcptun_link_input(peer->link, buf, (size_t) n, now))
            fprintf(stderr, "a datagram of %zd bytes made no sense\n", n);
        read_stream(peer);
    }
}

static void
send_datagrams(Peer *peer, KvTime now)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    size_t len;

    /* A full socket buffer is one more loss. */
    while ((len = kv_kcptun_link_output(peer->link, buf, now)) > 0) {
        if (sendto(peer->fd, buf, len, MSG_DONTWAIT, (const struct sockaddr *) &peer->remote,
                   sizeof peer->remote) < 0 &&
            errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
            fprintf(stderr, "sendto: %s\n", g_strerror(errno));
    }
}

static void
wait_for_work(const Peer *peer, KvTime now, KvTime limit)
{
    KvTime until = MIN(kv_kcptun_link_deadline(peer->link), limit);
    struct pollfd pollfd = {.fd = peer->fd, .events = POLLIN};
    KvTime wait_us = MIN(kv_time_until(now, until), 100 * KV_TIME_MS);
    struct timespec timeout = {.tv_nsec = (long) wait_us * 1000};

    ppoll(&pollfd, 1, &timeout, NULL);
}

/* Runs until everything went both ways and a little longer, or the limit has passed. */
static gboolean
run(Peer *peer)
{
    KvTime limit = clock_now() + (KvTime) seconds * KV_TIME_S;
    KvTime end = KV_TIME_NEVER;

    for (;;) {
        KvTime now = clock_now();
        gboolean all;

        if (now >= limit || peer->broken)
            return FALSE;
        if (now >= end)
            return TRUE;
        receive_datagrams(peer, now);
        write_stream(peer);
        kv_kcptun_link_flush(peer->link, now);
        kv_kcptun_link_advance(peer->link, now);
        send_datagrams(peer, now);
        all = peer->n_sent == peer->send_len && peer->n_received == peer->expect_len &&
              kv_kcptun_link_get_waiting(peer->link) == 0;
        if (all && !peer->finished) {
            peer->finished = TRUE;
            end = now + LINGER_MS * KV_TIME_MS;
        }
        wait_for_work(peer, now, MIN(limit, end));
    }
}

static gboolean
open_socket(Peer *peer)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof local;
    int size = SOCKET_BYTES;

    peer->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || bind(peer->fd, (const struct sockaddr *) &local, sizeof local) != 0 ||
        getsockname(peer->fd, (struct sockaddr *) &local, &len) != 0)
        return FALSE;
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    peer->remote = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
    if (inet_pton(AF_INET, address, &peer->remote.sin_addr) != 1) {
        errno = EINVAL;
        return FALSE;
    }
    printf("port %u\n", ntohs(local.sin_port));
    fflush(stdout);
    return TRUE;
}

static gboolean
start(Peer *peer, GError **error)
{
    gboolean is_client = g_strcmp0(role, "client") == 0;
    KvKcptunConfig config = {.secret = secret,
                             .data_shards = (guint) data_shards,
                             .parity_shards = (guint) parity_shards,
                             .loss = loss,
                             .random = &peer->random};

    kv_test_random_init(&peer->random, (uint64_t) seed);
    if (!parse_cipher(cipher_name, &config.cipher) || secret == NULL || send_path == NULL ||
        expect_path == NULL || (is_client && port == 0)) {
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "role, secret, send, expect, a known cipher, a client's port: needed");
        return FALSE;
    }
    if (is_client)
        config.conv = 1 | (uint32_t) kv_test_random_u64(&peer->random);
    if (!g_file_get_contents(send_path, &peer->send_data, &peer->send_len, error) ||
        !g_file_get_contents(expect_path, &peer->expect_data, &peer->expect_len, error))
        return FALSE;
    peer->link = kv_kcptun_link_new(&config, clock_now(), error);
    if (peer->link == NULL)
        return FALSE;
    kv_v1_mux_init(&peer->mux);
    if (!is_client)
        return TRUE;
    peer->stream = kv_v1_mux_open(&peer->mux);
    return put_frame(peer, KV_V1_MUX_SYN, peer->stream);
}

int
main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- talk to kcptun");
    g_autoptr(GError) error = NULL;
    Peer peer = {.fd = -1};
    gboolean ok;

    setlocale(LC_ALL, "C");
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || !start(&peer, &error) ||
        !open_socket(&peer)) {
        fprintf(stderr, "%s\n", error != NULL ? error->message : g_strerror(errno));
        return 2;
    }
    ok = run(&peer);
    printf("%s: sent %" G_GSIZE_FORMAT ", received %" G_GSIZE_FORMAT
           " bytes, %u datagrams lost, %u shards rebuilt\n",
           ok ? "ok" : "failed", peer.n_sent, peer.n_received, kv_kcptun_link_get_lost(peer.link),
           kv_kcptun_link_get_recovered(peer.link));
    kv_kcptun_link_free(peer.link);
    g_free(peer.send_data);
    g_free(peer.expect_data);
    close(peer.fd);
    return ok ? 0 : 1;
}
