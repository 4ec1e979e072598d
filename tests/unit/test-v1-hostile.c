/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-end.h"

#define START (1000 * KV_TIME_S)

static void
assert_closed(const KvEnd *end, KvReason reason)
{
    g_assert_cmpuint(end->n_events[KV_EVENT_CLOSED], ==, 1);
    g_assert_cmpstr(kv_reason_to_string(end->last_event[KV_EVENT_CLOSED].reason), ==,
                    kv_reason_to_string(reason));
    g_assert_true(kv_session_deadline(end->session) == KV_TIME_NEVER);
}

/* A server session and the means to write any bytes into its stream, as a peer without manners. */
typedef struct {
    KvEnd *server;
    KvKcp *kcp;
    KvPacketPool *pool;
} Hostile;

static void
hostile_init(Hostile *hostile)
{
    KvV1Config config = kv_end_default_config(KV_ROLE_SERVER);
    KvKcpConfig kcp = config.kcp;

    kcp.mtu = 1350;
    kcp.reserved = 20;
    hostile->server = kv_end_new(&config, KV_CIPHER_NONE, 1, START);
    hostile->pool = kv_packet_pool_new(1000);
    hostile->kcp = kv_kcp_new(&kcp, hostile->pool, START);
}

static void
hostile_clear(Hostile *hostile)
{
    kv_kcp_free(hostile->kcp);
    kv_packet_pool_free(hostile->pool);
    kv_end_free(hostile->server);
}

/* Reads what the server says, so that acks of it leave with the next write. */
static void
hostile_listen(Hostile *hostile, KvTime now)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    const uint8_t *data;
    size_t len;

    while ((len = kv_session_output(hostile->server->session, buf, sizeof buf, NULL, now)) > 0) {
        g_autoptr(KvPacket) packet = kv_packet_new(hostile->pool);

        g_assert_true(kv_v1_crypt_open(hostile->server->crypt, buf, packet->data, len));
        packet->len = (uint32_t) len;
        g_assert_true(kv_kcp_input(hostile->kcp, packet, 20, len - 20, KV_KCP_RECEIVED, now));
    }
    while ((len = kv_kcp_peek(hostile->kcp, &data)) > 0)
        kv_kcp_consume(hostile->kcp, len);
}

static void
hostile_write_part(Hostile *hostile, const char *hex, KvTime now)
{
    static uint64_t nonce;
    g_autoptr(GBytes) bytes = kv_test_unhex(hex);
    KvSlice slice = {g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)};
    uint8_t buf[KV_V1_DATAGRAM_MAX] = {0};
    size_t len;

    g_assert_true(kv_kcp_send(hostile->kcp, &slice, 1));
    kv_kcp_flush(hostile->kcp, now);
    while ((len = kv_kcp_output(hostile->kcp, buf + 20, sizeof buf - 20, now)) > 0) {
        kv_put_le64(buf, ++nonce);
        kv_v1_crypt_seal(hostile->server->crypt, buf, len + 20);
        g_assert_cmpint(
            kv_session_input(hostile->server->session, buf, len + 20, NULL, KV_ECN_NOT_ECT, now),
            ==, KV_DROP_NONE);
    }
    kv_end_work(hostile->server, now);
    hostile_listen(hostile, now);
}

/* Writes the pieces between the bars one after the other; the server answers in between. */
static void
hostile_write(Hostile *hostile, const char *hex, KvTime now)
{
    g_auto(GStrv) parts = g_strsplit(hex, "|", -1);

    for (guint i = 0; parts[i] != NULL; i++)
        hostile_write_part(hostile, parts[i], now);
}

#define SYN2  "0100000002000000"
#define SYN4  "0100000004000000"
#define FIN2  "0101000002000000"
#define NOP   "0103000000000000"
#define INFO  "0102220002000000d50007636c69656e7431dc05000000000000000000000000000000000000000000d5"
#define READY "0102030002000000d506d5"

/* Proves: each breach of the protocol ends the session with that reason and nothing else happens;
 * what only looks odd does not. */
static void
test_hostile_stream(void)
{
    static const struct {
        const char *what;
        const char *hex;
        KvReason reason; /* KV_REASON_NONE: goes on */
        guint ready;
    } cases[] = {
        {"in order", SYN2 INFO "|" READY SYN4, KV_REASON_NONE, 1},
        {"heartbeats between", SYN2 NOP INFO "|" NOP READY NOP, KV_REASON_NONE, 1},
        {"odd stream numbers",
         "0100000007000000"
         "0102220007000000d50007636c69656e7431dc05"
         "000000000000000000000000000000000000000000d5",
         KV_REASON_NONE, 0},
        {"message in two frames",
         SYN2 "0102020002000000d500"
              "010220000200000007636c69656e7431dc05"
              "000000000000000000000000000000000000000000d5|" READY,
         KV_REASON_NONE, 1},
        {"both streams at once", SYN2 SYN4 INFO "|" READY, KV_REASON_NONE, 1},
        {"data before the device",
         SYN2 INFO "|" READY SYN4 "010209000400000000000800"
                   "000000003f",
         KV_REASON_NONE, 1},
        {"data of a stranger",
         SYN2 "010203000900000061616"
              "1" INFO "|" READY,
         KV_REASON_NONE, 1},
        {"chatter after ready", SYN2 INFO "|" READY "0102030002000000616161" NOP, KV_REASON_NONE,
         1},
        {"version", "0200000002000000", KV_REASON_PROTOCOL, 0},
        {"command", SYN2 "0105000002000000", KV_REASON_PROTOCOL, 0},
        {"heartbeat with a length", SYN2 "0103080000000000", KV_REASON_PROTOCOL, 0},
        {"five streams",
         SYN2 SYN4 "0100000006000000"
                   "0100000008000000"
                   "010000000a000000",
         KV_REASON_PROTOCOL, 0},
        {"message tag", SYN2 "010201000200000000", KV_REASON_PROTOCOL, 0},
        {"ready before information", SYN2 READY, KV_REASON_PROTOCOL, 0},
        {"information twice", SYN2 INFO INFO, KV_REASON_PROTOCOL, 0},
        {"a server's message", SYN2 "0102030002000000d507d5", KV_REASON_PROTOCOL, 0},
        {"bad client id",
         SYN2 "0102220002000000d5000763"
              "2f69656e7431dc05"
              "000000000000000000000000000000000000000000d5",
         KV_REASON_PROTOCOL, 0},
        {"end during the handshake", SYN2 FIN2, KV_REASON_PEER_CLOSED, 0},
        {"end", SYN2 INFO "|" READY SYN4 "0101000004000000" FIN2, KV_REASON_PEER_CLOSED, 1},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Hostile hostile;

        g_test_message("%s", cases[i].what);
        hostile_init(&hostile);
        kv_end_keep_inner(hostile.server);
        hostile_write(&hostile, cases[i].hex, START);
        g_assert_cmpuint(hostile.server->n_events[KV_EVENT_READY], ==, cases[i].ready);
        if (cases[i].reason == KV_REASON_NONE)
            g_assert_cmpuint(hostile.server->n_events[KV_EVENT_CLOSED], ==, 0);
        else
            assert_closed(hostile.server, cases[i].reason);
        hostile_clear(&hostile);
    }
}

/* Proves: a client that is ready but never opens the second stream, and keeps the session warm
 * with heartbeats, is shown out after the time a handshake may take. */
static void
test_no_second_stream(void)
{
    Hostile hostile;

    hostile_init(&hostile);
    hostile_write(&hostile, SYN2 INFO "|" READY, START);
    for (guint s = 1; s <= 11; s++) {
        KvTime now = START + s * KV_TIME_S;

        if (hostile.server->n_events[KV_EVENT_CLOSED] == 0)
            hostile_write(&hostile, NOP, now);
        kv_session_advance(hostile.server->session, now);
        kv_end_work(hostile.server, now);
    }
    assert_closed(hostile.server, KV_REASON_HANDSHAKE_TIMEOUT);
    hostile_clear(&hostile);
}

/* Proves: a recorded session, replayed to a server, opens nothing however many of the old acks
 * come, and is forgotten after the time a handshake may take. */
static void
test_replayed_session(void)
{
    KvV1Config config = kv_end_default_config(KV_ROLE_SERVER);
    KvV1Config client_config = kv_end_default_config(KV_ROLE_CLIENT);
    g_autoptr(KvEnd) server = kv_end_new(&config, KV_CIPHER_NONE, 1, START);
    g_autoptr(KvEnd) client = kv_end_new(&client_config, KV_CIPHER_NONE, 2, START);
    g_autoptr(KvEnd) fresh = kv_end_new(&config, KV_CIPHER_NONE, 3, START + KV_TIME_S);
    g_autoptr(GPtrArray) said = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
    KvTime now = START;
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    size_t len;

    client->to_send = 200;
    for (; now < START + 500 * KV_TIME_MS; now += KV_TIME_MS) {
        kv_session_advance(client->session, now);
        kv_session_advance(server->session, now);
        kv_end_work(client, now);
        while ((len = kv_session_output(client->session, buf, sizeof buf, NULL, now)) > 0) {
            g_ptr_array_add(said, g_bytes_new(buf, len));
            kv_session_input(server->session, buf, len, NULL, KV_ECN_NOT_ECT, now);
        }
        kv_end_work(server, now);
        while ((len = kv_session_output(server->session, buf, sizeof buf, NULL, now)) > 0)
            kv_session_input(client->session, buf, len, NULL, KV_ECN_NOT_ECT, now);
    }
    g_assert_cmpuint(server->n_events[KV_EVENT_READY], ==, 1);
    g_assert_cmpuint(server->received, ==, 200);

    now = START + KV_TIME_S;
    for (guint i = 0; i < 11000; i++, now += KV_TIME_MS) {
        if (i < said->len)
            kv_session_input(fresh->session, g_bytes_get_data(said->pdata[i], NULL),
                             g_bytes_get_size(said->pdata[i]), NULL, KV_ECN_NOT_ECT, now);
        kv_session_advance(fresh->session, now);
        kv_end_work(fresh, now);
        while (kv_session_output(fresh->session, buf, sizeof buf, NULL, now) > 0)
            continue;
    }
    g_assert_cmpuint(fresh->n_events[KV_EVENT_CLIENT_INFO], ==, 1);
    g_assert_cmpuint(fresh->n_events[KV_EVENT_READY], ==, 0);
    assert_closed(fresh, KV_REASON_HANDSHAKE_TIMEOUT);
}

/* Proves: frames too short to hold a packet are dropped and counted, and the next one is read. */
static void
test_short_frames(void)
{
    Hostile hostile;
    KvStats stats;

    hostile_init(&hostile);
    kv_end_keep_inner(hostile.server);
    hostile_write(&hostile,
                  SYN2 INFO "|" READY SYN4 "010201000400000000"
                            "010204000400000000000800"
                            "01020500040000000000080042",
                  START);
    g_assert_cmpuint(hostile.server->inner->len, ==, 1);
    g_assert_cmpuint(g_bytes_get_size(hostile.server->inner->pdata[0]), ==, 3);
    kv_session_get_stats(hostile.server->session, &stats);
    g_assert_cmpuint(stats.drops[KV_DROP_MALFORMED], ==, 2);
    hostile_clear(&hostile);
}

/* A datagram under cipher none around @len bytes at offset 20. */
static size_t
seal(KvEnd *end, uint8_t *buf, size_t len)
{
    static uint64_t nonce = 1u << 20;

    kv_put_le64(buf, ++nonce);
    kv_v1_crypt_seal(end->crypt, buf, len + 20);
    return len + 20;
}

/* Proves: what is no datagram of this session is dropped for the right reason and leaves no trace,
 * and a copy of a good one too. */
static void
test_drops(void)
{
    KvV1Config config = kv_end_default_config(KV_ROLE_SERVER);
    g_autoptr(KvEnd) end = kv_end_new(&config, KV_CIPHER_NONE, 1, START);
    uint8_t buf[2000] = {0};
    size_t len;

    g_assert_cmpint(kv_session_input(end->session, buf, 0, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_SHORT);
    g_assert_cmpint(kv_session_input(end->session, buf, 43, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_SHORT);
    g_assert_cmpint(kv_session_input(end->session, buf, 1501, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_CHECKSUM);
    memset(buf, 0x55, sizeof buf);
    g_assert_cmpint(kv_session_input(end->session, buf, 100, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_CHECKSUM);
    memset(buf, 0, sizeof buf);
    kv_put_le32(buf + 20, 0x4b57);
    buf[24] = 82;
    len = seal(end, buf, 24);
    g_assert_cmpint(kv_session_input(end->session, buf, len, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_CONV);
    kv_put_le32(buf + 20, 0x4b56);
    buf[24] = 80;
    len = seal(end, buf, 24);
    g_assert_cmpint(kv_session_input(end->session, buf, len, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_KCP);
    buf[24] = 84;
    len = seal(end, buf, 24);
    g_assert_cmpint(kv_session_input(end->session, buf, len, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_NONE);
    g_assert_cmpint(kv_session_input(end->session, buf, len, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_REPLAY);
    g_assert_cmpuint(kv_packet_pool_get_used(end->pool), ==, 0);
}

/* Proves: a FEC packet that makes no sense is dropped as such. */
static void
test_drops_fec(void)
{
    KvV1Config config = kv_end_default_config(KV_ROLE_SERVER);
    g_autoptr(KvEnd) end = NULL;
    uint8_t buf[200] = {0};
    size_t len;

    config.data_shards = 10;
    config.parity_shards = 3;
    end = kv_end_new(&config, KV_CIPHER_NONE, 1, START);
    len = seal(end, buf, 31);
    g_assert_cmpint(kv_session_input(end->session, buf, len, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_SHORT);
    len = seal(end, buf, 32);
    g_assert_cmpint(kv_session_input(end->session, buf, len, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_FEC);
    buf[24] = 0xf1;
    buf[26] = 26;
    len = seal(end, buf, 32);
    g_assert_cmpint(kv_session_input(end->session, buf, len, NULL, KV_ECN_NOT_ECT, START), ==,
                    KV_DROP_CONV);
    g_assert_cmpuint(kv_packet_pool_get_used(end->pool), ==, 0);
}

/* Proves: only a datagram that begins a stream may begin a session, and its conv is read. */
static void
test_probe(void)
{
    static const struct {
        const char *what;
        guint offset;
        uint8_t value;
        KvDrop drop;
    } cases[] = {
        {"a first datagram", 0, 0, KV_DROP_NONE},
        {"another stream number", 24 + 4, 9, KV_DROP_NONE},
        {"an ack", 4, 82, KV_DROP_STRANGER},
        {"a fragment", 5, 1, KV_DROP_STRANGER},
        {"a later segment", 12, 1, KV_DROP_STRANGER},
        {"too little data", 20, 7, KV_DROP_STRANGER},
        {"more data than there is", 20, 9, KV_DROP_STRANGER},
        {"another version", 24, 2, KV_DROP_STRANGER},
        {"another command", 25, 1, KV_DROP_STRANGER},
        {"a length", 26, 1, KV_DROP_STRANGER},
    };

    for (guint fec = 0; fec < 2; fec++) {
        KvV1Config config = kv_end_default_config(KV_ROLE_SERVER);
        g_autoptr(KvEnd) end = NULL;
        guint at = fec ? 28 : 20;

        config.data_shards = fec ? 3 : 0;
        config.parity_shards = 2;
        end = kv_end_new(&config, KV_CIPHER_NONE, 1, START);
        for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
            uint8_t buf[100] = {0};
            uint32_t conv = 0;
            KvDrop drop;
            size_t len;

            if (fec) {
                buf[24] = 0xf1;
                buf[26] = 34;
            }
            kv_put_le32(buf + at, 0xdeadbeef);
            buf[at + 4] = 81;
            buf[at + 20] = 8;
            buf[at + 24] = 1;
            buf[at + 28] = 2;
            if (cases[i].offset != 0)
                buf[at + cases[i].offset] = cases[i].value;
            len = seal(end, buf, at - 20 + 32);
            drop = kv_v1_probe(&config, end->crypt, buf, len, &conv);
            g_test_message("%s, FEC %u", cases[i].what, fec);
            g_assert_cmpstr(kv_drop_to_string(drop), ==, kv_drop_to_string(cases[i].drop));
            g_assert_cmpuint(conv, ==, drop == KV_DROP_NONE ? 0xdeadbeef : 0);
            g_assert_cmpint(kv_v1_probe(&config, end->crypt, buf, at + 23, &conv), ==,
                            KV_DROP_SHORT);
            buf[50] ^= 1;
            g_assert_cmpint(kv_v1_probe(&config, end->crypt, buf, len, &conv), ==,
                            KV_DROP_CHECKSUM);
            if (fec) {
                buf[50] ^= 1;
                buf[24] = 0xf2;
                len = seal(end, buf, at - 20 + 32);
                g_assert_cmpint(kv_v1_probe(&config, end->crypt, buf, len, &conv), ==,
                                KV_DROP_STRANGER);
            }
        }
    }
}

/* Proves: the first datagram of our own client passes the probe. */
static void
test_probe_own_client(void)
{
    KvV1Config config = kv_end_default_config(KV_ROLE_CLIENT);
    g_autoptr(KvEnd) end = kv_end_new(&config, KV_CIPHER_AES, 1, START);
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    uint32_t conv = 0;
    size_t len = kv_session_output(end->session, buf, sizeof buf, NULL, START);

    g_assert_cmpuint(len, >, 0);
    g_assert_cmpint(kv_v1_probe(&config, end->crypt, buf, len, &conv), ==, KV_DROP_NONE);
    g_assert_cmpuint(conv, ==, 0x4b56);
}

/* Proves: a client that fills the window before it has introduced itself is shown out, and its
 * packets are let go with it. */
static void
test_half_open_hoard(void)
{
    KvV1Config config = kv_end_default_config(KV_ROLE_SERVER);
    g_autoptr(KvEnd) end = kv_end_new(&config, KV_CIPHER_NONE, 1, START);

    for (guint sn = 1; sn <= 100; sn++) {
        uint8_t buf[KV_V1_DATAGRAM_MAX] = {0};

        kv_put_le32(buf + 20, 0x4b56);
        buf[24] = 81;
        kv_put_le32(buf + 32, sn);
        kv_put_le32(buf + 40, 1000);
        kv_session_input(end->session, buf, seal(end, buf, 1024), NULL, KV_ECN_NOT_ECT, START);
        g_assert_cmpuint(kv_packet_pool_get_used(end->pool), <=, 17);
    }
    kv_end_work(end, START);
    assert_closed(end, KV_REASON_PROTOCOL);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/v1-hostile/hostile-stream", test_hostile_stream);
    g_test_add_func("/v1-hostile/no-second-stream", test_no_second_stream);
    g_test_add_func("/v1-hostile/short-frames", test_short_frames);
    g_test_add_func("/v1-hostile/replayed-session", test_replayed_session);
    g_test_add_func("/v1-hostile/drops", test_drops);
    g_test_add_func("/v1-hostile/drops-fec", test_drops_fec);
    g_test_add_func("/v1-hostile/probe", test_probe);
    g_test_add_func("/v1-hostile/probe-own-client", test_probe_own_client);
    g_test_add_func("/v1-hostile/half-open-hoard", test_half_open_hoard);
    return kv_test_main(&argc, &argv);
}
