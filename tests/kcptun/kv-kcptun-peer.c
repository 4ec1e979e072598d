/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcptun-path.h"

#include "kv-end.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * A session of ours against kcptun over loopback. kcptun carries our two streams as two TCP
 * connections and knows nothing of what is in them; the test at their other end plays the rest of
 * the peer. Sends a file in inner packets, and compares what comes with another. Exit status 0: all
 * was sent, acknowledged and received as it should.
 */
#define SALT             "kcp-go"
#define WINDOW           1024
#define INTERVAL_MS      10 /* of kcptun's fast3 */
#define MTU              1350
#define PACKET_BYTES     1396 /* of the file in each inner packet */
#define ETHERTYPE        0x0800
#define FULL_FRAME_BYTES 8192 /* at least what kcptun puts into a frame */
#define INFO_BYTES       4 /* the packet information in front of an inner packet: two unseen, ... */
#define UNSEEN_BYTES     2 /* ... two of the ethertype */
#define LINGER_MS        300 /* for acknowledgements that were lost */

static char *role, *cipher_name = (char *) "aes", *send_path, *expect_path, *secret;
static char *address = (char *) "127.0.0.1";
static int port, data_shards = 10, parity_shards = 3, seconds = 30, delay_ms;
static double loss;
static gint64 seed = 1;
static gboolean no_copies;

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
    {"delay", 0, 0, G_OPTION_ARG_INT, &delay_ms, "of each way, ms", NULL},
    {"no-copies", 0, 0, G_OPTION_ARG_NONE, &no_copies, "send no datagram twice", NULL},
    {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of the losses", NULL},
    {"send", 0, 0, G_OPTION_ARG_FILENAME, &send_path, "file to send", NULL},
    {"expect", 0, 0, G_OPTION_ARG_FILENAME, &expect_path, "file that must come", NULL},
    {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "limit of the whole", NULL},
    {NULL},
};

typedef struct {
    KvV1Config config;
    KvCipher cipher;
    KvKcptunPath *path;
    KvEnd *end;
    gboolean called; /* the conversation is known */
    gboolean finished, broken;
    gsize n_sent, n_received, send_len, expect_len;
    guint n_short; /* frames that were too short to be shown */
    char *send_data, *expect_data;
    GHashTable *sent; /* of GBytes: datagrams without nonce */
    guint copies;
    KvTime began, sent_at;
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

static void
start_session(Peer *peer, uint32_t conv, KvTime now)
{
    g_clear_pointer(&peer->end, kv_end_free);
    peer->config.kcp.conv = conv;
    peer->end =
        kv_end_new_with_secret(&peer->config, peer->cipher, secret, SALT, (uint64_t) seed, now);
    peer->end->answer.config.full_frame_mtu = FULL_FRAME_BYTES;
    kv_end_keep_inner(peer->end);
}

/* kcptun's smux sends SYN first and only then makes the stream known to its own receiver, which
 * drops what it has no stream for. So whoever is called must not write before it has heard some
 * payload. */
static gboolean
may_write(const Peer *peer)
{
    return peer->n_sent < peer->send_len && kv_session_can_send(peer->end->session) &&
           (peer->config.role == KV_ROLE_CLIENT || peer->n_received > 0);
}

static void
write_packets(Peer *peer, KvTime now)
{
    while (may_write(peer)) {
        gsize n = MIN(PACKET_BYTES, peer->send_len - peer->n_sent);

        if (!kv_end_send(peer->end, peer->send_data + peer->n_sent, n, ETHERTYPE, now))
            return;
        if (peer->n_sent == 0)
            peer->began = now;
        peer->n_sent += n;
    }
}

/* Frames of kcptun that were too short to be shown, and have not been made up for. */
static guint
count_short(const Peer *peer)
{
    KvStats stats;

    kv_session_get_stats(peer->end->session, &stats);
    return (guint) stats.drops[KV_DROP_MALFORMED] - peer->n_short;
}

static gboolean
is_next(const Peer *peer, gsize skip, GBytes *packet)
{
    gsize at = peer->n_received + skip + UNSEEN_BYTES, len = g_bytes_get_size(packet);

    return at + len <= peer->expect_len &&
           memcmp(g_bytes_get_data(packet, NULL), peer->expect_data + at, len) == 0;
}

/* kcptun cuts the bytes into frames as it reads them, and each comes out as an inner packet, whose
 * ethertype and payload are compared. Of one that has no payload nothing is known but that it was.
 */
static void
take_packet(Peer *peer, GBytes *packet)
{
    gsize skip = 0, most = (gsize) count_short(peer) * INFO_BYTES;

    while (skip <= most && !is_next(peer, skip, packet))
        skip++;
    if (skip > most) {
        fprintf(stderr, "wrong bytes after %" G_GSIZE_FORMAT "\n", peer->n_received);
        peer->broken = TRUE;
        return;
    }
    peer->n_short += (guint) ((skip + INFO_BYTES - 1) / INFO_BYTES);
    peer->n_received += skip + UNSEEN_BYTES + g_bytes_get_size(packet);
}

static void
read_packets(Peer *peer)
{
    GPtrArray *inner = peer->end->inner;

    for (guint i = 0; i < inner->len && !peer->broken; i++)
        take_packet(peer, inner->pdata[i]);
    g_ptr_array_set_size(inner, 0);
}

static void
receive_datagrams(Peer *peer, KvTime now)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    size_t len;

    while ((len = kv_kcptun_path_receive(peer->path, buf, sizeof buf, now)) > 0) {
        uint32_t conv;

        if (!peer->called &&
            kv_v1_probe(&peer->config, peer->end->crypt, buf, len, &conv) == KV_DROP_NONE) {
            start_session(peer, conv, now);
            peer->called = TRUE;
        }
        if (peer->called)
            kv_end_machine.input(peer->end, buf, len, now);
    }
}

/* A copy is what a datagram that left before was, under another nonce. */
static void
note_datagram(Peer *peer, const uint8_t *datagram, size_t len)
{
    uint8_t plain[KV_V1_DATAGRAM_MAX];

    if (!kv_v1_crypt_open(peer->end->crypt, datagram, plain, len))
        g_error("a datagram of our own does not open");
    if (!g_hash_table_add(peer->sent,
                          g_bytes_new(plain + KV_V1_NONCE_BYTES, len - KV_V1_NONCE_BYTES)))
        peer->copies++;
}

static void
send_datagrams(Peer *peer, KvTime now)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    size_t len;

    while ((len = kv_session_output(peer->end->session, buf, sizeof buf, NULL, now)) > 0) {
        note_datagram(peer, buf, len);
        kv_kcptun_path_send(peer->path, buf, len, now);
    }
    kv_kcptun_path_advance(peer->path, now);
}

static void
check_finished(Peer *peer, KvTime now)
{
    KvStats stats;

    kv_session_get_stats(peer->end->session, &stats);
    if (peer->sent_at == 0 && peer->n_sent == peer->send_len && stats.send_waiting == 0)
        peer->sent_at = now;
    peer->finished = peer->sent_at != 0 &&
                     peer->expect_len - peer->n_received <= (gsize) count_short(peer) * INFO_BYTES;
    if (peer->end->n_events[KV_EVENT_CLOSED] > 0) {
        fprintf(stderr, "the session is over: %s\n",
                kv_reason_to_string(peer->end->last_event[KV_EVENT_CLOSED].reason));
        peer->broken = TRUE;
    }
}

/* Runs until everything went both ways and a little longer, or the limit has passed. */
static gboolean
run(Peer *peer)
{
    KvTime limit = clock_now() + (KvTime) seconds * KV_TIME_S;
    KvTime end = KV_TIME_NEVER;

    for (;;) {
        KvTime now = clock_now();

        if (now >= limit || peer->broken)
            return FALSE;
        if (now >= end)
            return TRUE;
        receive_datagrams(peer, now);
        if (peer->called) {
            kv_end_machine.advance(peer->end, now);
            read_packets(peer);
            write_packets(peer, now);
            send_datagrams(peer, now);
            check_finished(peer, now);
        }
        if (peer->finished && end == KV_TIME_NEVER)
            end = now + LINGER_MS * KV_TIME_MS;
        kv_kcptun_path_wait(peer->path,
                            MIN(MIN(limit, end), peer->called
                                                     ? kv_session_deadline(peer->end->session)
                                                     : KV_TIME_NEVER),
                            now);
    }
}

static gboolean
check_options(Peer *peer, GError **error)
{
    gboolean is_client = g_strcmp0(role, "client") == 0;

    if (parse_cipher(cipher_name, &peer->cipher) && secret != NULL && send_path != NULL &&
        expect_path != NULL && (is_client ? port > 0 : g_strcmp0(role, "server") == 0))
        return TRUE;
    g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                        "role, secret, send, expect, a known cipher, a client's port: needed");
    return FALSE;
}

static gboolean
start(Peer *peer, GError **error)
{
    KvKcptunPathConfig path = {.address = address,
                               .port = (uint16_t) port,
                               .loss = loss,
                               .delay = (KvTime) delay_ms * KV_TIME_MS,
                               .seed = (uint64_t) seed};

    if (!check_options(peer, error) ||
        !g_file_get_contents(send_path, &peer->send_data, &peer->send_len, error) ||
        !g_file_get_contents(expect_path, &peer->expect_data, &peer->expect_len, error))
        return FALSE;
    peer->path = kv_kcptun_path_new(&path, error);
    if (peer->path == NULL)
        return FALSE;
    printf("port %u\n", kv_kcptun_path_get_port(peer->path));
    fflush(stdout);

    /* As the product runs it, but for rapid FEC, whose padding kcptun does not know. */
    peer->called = g_strcmp0(role, "client") == 0;
    peer->config = kv_end_default_config(peer->called ? KV_ROLE_CLIENT : KV_ROLE_SERVER);
    peer->config.kcp.snd_wnd = peer->config.kcp.rcv_wnd = WINDOW;
    peer->config.kcp.interval = INTERVAL_MS;
    peer->config.kcp.nodelay = TRUE;
    peer->config.kcp.tuning.early_copy = !no_copies;
    peer->config.udp_mtu = MTU;
    peer->config.data_shards = (guint) data_shards;
    peer->config.parity_shards = (guint) parity_shards;
    peer->sent =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
    start_session(peer, 1 + (uint32_t) seed, clock_now());
    return TRUE;
}

static void
clear(Peer *peer)
{
    g_clear_pointer(&peer->end, kv_end_free);
    g_clear_pointer(&peer->path, kv_kcptun_path_free);
    g_clear_pointer(&peer->sent, g_hash_table_unref);
    g_free(peer->send_data);
    g_free(peer->expect_data);
}

int
main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- talk to kcptun");
    g_autoptr(GError) error = NULL;
    Peer peer = {0};
    KvStats stats;
    gboolean ok;

    setlocale(LC_ALL, "C");
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || !start(&peer, &error)) {
        fprintf(stderr, "%s\n", error->message);
        clear(&peer);
        return 2;
    }
    ok = run(&peer);
    kv_session_get_stats(peer.end->session, &stats);
    printf("%s: sent %" G_GSIZE_FORMAT " bytes in %u ms, received %" G_GSIZE_FORMAT
           ", %u datagrams lost, %u copied, %u shards rebuilt\n",
           ok ? "ok" : "failed", peer.n_sent,
           (guint) (kv_time_elapsed(peer.sent_at, peer.began) / KV_TIME_MS), peer.n_received,
           kv_kcptun_path_get_lost(peer.path), peer.copies, (guint) stats.fec_recovered);
    clear(&peer);
    return ok ? 0 : 1;
}
