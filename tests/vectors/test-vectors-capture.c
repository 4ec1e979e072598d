/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-end.h"
#include "kv-vector.h"
#include "v1/kv-v1-control.h"
#include "v1/kv-v1-fec.h"

#define START (1000 * KV_TIME_S)

enum { TO_SERVER, TO_CLIENT, N_WAYS };

/* What one side said, taken apart by the simplest means: every datagram is there, so the segments
 * put in order are the stream, and nothing needs to be repaired. */
typedef struct {
    GPtrArray *segments; /* GBytes by sn */
    GPtrArray *control;  /* GBytes, one message each */
    GPtrArray *inner;    /* GBytes: ethertype and packet */
    GArray *stamps;      /* guint32 by sn: ts of its last transmission */
    gboolean said_end;
} Speech;

typedef struct {
    char *secret;
    KvCipher cipher;
    guint data_shards, parity_shards;
    gboolean rapid_fec;
    KvV1Crypt *crypt;
    uint32_t conv;
    GPtrArray *datagrams; /* GBytes */
    GArray *times;        /* KvTime */
    GArray *ways;         /* guint */
    Speech said[N_WAYS];
} Capture;

static void
speech_init(Speech *speech)
{
    GDestroyNotify unref = (GDestroyNotify) g_bytes_unref;

    *speech = (Speech){.segments = g_ptr_array_new_with_free_func(unref),
                       .control = g_ptr_array_new_with_free_func(unref),
                       .inner = g_ptr_array_new_with_free_func(unref),
                       .stamps = g_array_new(FALSE, TRUE, sizeof(guint32))};
}

static void
speech_clear(Speech *speech)
{
    g_ptr_array_unref(speech->segments);
    g_ptr_array_unref(speech->control);
    g_ptr_array_unref(speech->inner);
    g_array_unref(speech->stamps);
}

/* Keeps the pushes of a datagram; returns its conv, or 0 for parity and padding. */
static uint32_t
hear_datagram(Speech *speech, const Capture *capture, const void *wire, size_t len)
{
    uint8_t plain[KV_V1_DATAGRAM_MAX];
    size_t pos = KV_V1_CRYPT_HEADER_BYTES;
    uint32_t conv;

    g_assert_cmpuint(len, <=, sizeof plain);
    g_assert_true(kv_v1_crypt_open(capture->crypt, wire, plain, len));
    if (capture->data_shards > 0) {
        if (kv_get_le16(plain + pos + 4) != KV_V1_FEC_DATA)
            return 0;
        pos += KV_V1_FEC_HEADER_BYTES;
    }
    conv = kv_get_le32(plain + pos);
    while (pos < len) {
        uint32_t sn = kv_get_le32(plain + pos + 12);
        uint32_t n = kv_get_le32(plain + pos + 20);

        g_assert_cmpuint(kv_get_le32(plain + pos), ==, conv);
        if (plain[pos + 4] == 81) {
            if (speech->segments->len <= sn) {
                g_ptr_array_set_size(speech->segments, (int) sn + 1);
                g_array_set_size(speech->stamps, sn + 1);
            }
            g_array_index(speech->stamps, guint32, sn) = kv_get_le32(plain + pos + 8);
            if (speech->segments->pdata[sn] == NULL)
                speech->segments->pdata[sn] = g_bytes_new(plain + pos + 24, n);
        }
        pos += 24 + n;
    }
    g_assert_cmpuint(pos, ==, len);
    return conv;
}

/* Takes the stream apart: the first stream that is opened carries control, the second packets.
 * The server opens none, so there the numbers must do. */
static void
understand(Speech *speech)
{
    g_autoptr(GByteArray) stream = g_byte_array_new();
    const uint8_t *p;

    for (guint i = 0; i < speech->segments->len; i++) {
        GBytes *segment = speech->segments->pdata[i];

        g_assert_nonnull(segment);
        g_byte_array_append(stream, g_bytes_get_data(segment, NULL),
                            (guint) g_bytes_get_size(segment));
    }
    for (guint pos = 0; pos < stream->len; pos += 8 + kv_get_le16(p + 2)) {
        uint16_t n;

        p = stream->data + pos;
        n = kv_get_le16(p + 2);
        g_assert_cmpuint(p[0], ==, 1);
        g_assert_cmpuint(pos + 8 + n, <=, stream->len);
        if (p[1] == 1 && p[4] == 2)
            speech->said_end = TRUE;
        if (p[1] == 2 && p[4] == 2)
            g_ptr_array_add(speech->control, g_bytes_new(p + 8, n));
        if (p[1] == 2 && p[4] == 4)
            g_ptr_array_add(speech->inner, g_bytes_new(p + 10, n - 2));
    }
}

static const char *
flag_value(char **flags, const char *name, const char *otherwise)
{
    for (guint i = 0; flags[i] != NULL && flags[i + 1] != NULL; i++) {
        if (g_str_equal(flags[i], name))
            return flags[i + 1];
    }
    return otherwise;
}

static void
read_flags(Capture *capture, const char *text)
{
    g_auto(GStrv) flags = g_strsplit(text, " ", -1);
    const char *cipher = flag_value(flags, "--crypt", "aes");
    const char *secret = flag_value(flags, "--secret", "");
    uint8_t key[KV_V1_KEY_BYTES];
    g_autoptr(GError) error = NULL;

    capture->secret = g_strdup(secret);
    capture->data_shards = (guint) atoi(flag_value(flags, "--ds", "10"));
    capture->parity_shards = (guint) atoi(flag_value(flags, "--ps", "3"));
    capture->rapid_fec = g_strv_contains((const char *const *) flags, "--rapid-fec");
    while (capture->cipher < KV_N_CIPHERS &&
           !g_str_equal(kv_cipher_to_string(capture->cipher), cipher))
        capture->cipher++;
    g_assert_cmpint(capture->cipher, <, KV_N_CIPHERS);
    g_assert_true(
        kv_v1_derive_key((const uint8_t *) secret, strlen(secret), KV_V1_SALT, key, &error));
    capture->crypt = kv_v1_crypt_new(capture->cipher, key, &error);
    g_assert_no_error(error);
}

/* What a fake TCP packet carries. The kernels' own packets carry nothing. */
static GBytes *
strip_tcp(GBytes *ip)
{
    size_t len;
    const uint8_t *p = g_bytes_get_data(ip, &len);
    size_t header = (p[0] & 15u) * 4;

    header += (p[header + 12] >> 4) * 4u;
    return g_bytes_new_from_bytes(ip, header, len - header);
}

static void
check_number(JsonObject *record, const char *name, uint32_t got)
{
    if (kv_vector_get_int(record, name) != got)
        g_error("vector file: %s is %" G_GINT64_FORMAT ", in the datagram it is %u", name,
                kv_vector_get_int(record, name), got);
}

/* Whether the file says of the segments what they say themselves. */
static void
check_segments(JsonArray *segments, const uint8_t *p, size_t len)
{
    for (guint i = 0; i < json_array_get_length(segments); i++) {
        JsonObject *segment = json_array_get_object_element(segments, i);

        g_assert_cmpuint(len, >=, 24);
        check_number(segment, "cmd", p[4]);
        check_number(segment, "wnd", kv_get_le16(p + 6));
        check_number(segment, "ts", kv_get_le32(p + 8));
        check_number(segment, "sn", kv_get_le32(p + 12));
        check_number(segment, "una", kv_get_le32(p + 16));
        check_number(segment, "len", kv_get_le32(p + 20));
        g_assert_cmpuint(len - 24, >=, kv_get_le32(p + 20));
        len -= 24 + kv_get_le32(p + 20);
        p += 24 + kv_get_le32(p + 20);
    }
    g_assert_cmpuint(len, ==, 0);
}

/* The same for all that the file knows of a datagram that is not encrypted. */
static void
check_notes(JsonObject *record, GBytes *datagram)
{
    JsonArray *segments = kv_vector_find_array(record, "segments");
    size_t len;
    const uint8_t *p = g_bytes_get_data(datagram, &len);
    size_t pos = KV_V1_CRYPT_HEADER_BYTES;

    if (json_object_has_member(record, "fec_seqid")) {
        g_assert_cmpuint(len, >=, pos + KV_V1_FEC_HEADER_BYTES);
        check_number(record, "fec_seqid", kv_get_le32(p + pos));
        g_assert_cmphex(g_ascii_strtoull(kv_vector_get_string(record, "fec_flag"), NULL, 16), ==,
                        kv_get_le16(p + pos + 4));
        if (json_object_has_member(record, "fec_size"))
            check_number(record, "fec_size", kv_get_le16(p + pos + 6));
        pos += KV_V1_FEC_HEADER_BYTES;
    }
    if (segments != NULL)
        check_segments(segments, p + pos, len - pos);
}

static void
load_datagrams(Capture *capture, JsonArray *datagrams)
{
    for (guint i = 0; i < json_array_get_length(datagrams); i++) {
        JsonObject *record = json_array_get_object_element(datagrams, i);
        gboolean is_tcp = json_object_has_member(record, "ip_packet");
        guint way = g_str_equal(kv_vector_get_string(record, "dir"), "c2s") ? TO_SERVER : TO_CLIENT;
        KvTime at = START + (KvTime) kv_vector_get_int(record, "t_us");
        g_autoptr(GBytes) raw = kv_vector_get_hex(record, is_tcp ? "ip_packet" : "data");
        g_autoptr(GBytes) bytes = is_tcp ? strip_tcp(raw) : g_bytes_ref(raw);
        uint32_t conv;

        check_number(record, "len", (uint32_t) g_bytes_get_size(raw));
        if (g_bytes_get_size(bytes) == 0)
            continue;
        check_notes(record, bytes);
        conv = hear_datagram(&capture->said[way], capture, g_bytes_get_data(bytes, NULL),
                             g_bytes_get_size(bytes));
        if (capture->conv == 0)
            capture->conv = conv;
        g_ptr_array_add(capture->datagrams, g_steal_pointer(&bytes));
        g_array_append_val(capture->times, at);
        g_array_append_val(capture->ways, way);
    }
    g_assert_cmpuint(capture->datagrams->len, >, 4);
}

static void
capture_load(Capture *capture, const char *name)
{
    g_autoptr(JsonParser) parser = kv_vector_load(name, "capture-v1");
    JsonObject *root = kv_vector_get_root(parser);

    *capture = (Capture){
        .datagrams = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref),
        .times = g_array_new(FALSE, FALSE, sizeof(KvTime)),
        .ways = g_array_new(FALSE, FALSE, sizeof(guint)),
    };
    read_flags(capture, kv_vector_get_string(root, "server_flags"));
    for (guint way = 0; way < N_WAYS; way++)
        speech_init(&capture->said[way]);
    load_datagrams(capture, kv_vector_get_array(root, "datagrams"));
    for (guint way = 0; way < N_WAYS; way++)
        understand(&capture->said[way]);
}

static void
capture_clear(Capture *capture)
{
    for (guint way = 0; way < N_WAYS; way++)
        speech_clear(&capture->said[way]);
    g_ptr_array_unref(capture->datagrams);
    g_array_unref(capture->times);
    g_array_unref(capture->ways);
    kv_v1_crypt_free(capture->crypt);
    g_free(capture->secret);
}

static KvV1Control
decode(GPtrArray *messages, guint index)
{
    KvV1Control message;
    size_t len, used;
    const uint8_t *data;

    g_assert_cmpuint(index, <, messages->len);
    data = g_bytes_get_data(messages->pdata[index], &len);
    g_assert_cmpint(kv_v1_control_decode(data, len, &message, &used), ==, KV_V1_CONTROL_DONE);
    g_assert_cmpuint(used, ==, len);
    return message;
}

static KvV1Config
make_config(const Capture *capture, KvRole role)
{
    KvV1Config config = kv_end_default_config(role);

    config.kcp.conv = capture->conv;
    config.kcp.interval = 40;
    config.kcp.tuning = (KvKcpTuning){0};
    config.data_shards = capture->data_shards;
    config.parity_shards = capture->parity_shards;
    config.rapid_fec = capture->rapid_fec;
    return config;
}

/* The recorded datagram as the peer would have sent it to this end: its acks give back the times
 * of our transmissions, not of those it heard when it was recorded. */
static void
restamp(const Capture *capture, guint index, const Speech *ours, uint8_t *wire)
{
    size_t len;
    const uint8_t *data = g_bytes_get_data(capture->datagrams->pdata[index], &len);
    size_t pos = KV_V1_CRYPT_HEADER_BYTES;

    g_assert_true(kv_v1_crypt_open(capture->crypt, data, wire, len));
    if (capture->data_shards > 0) {
        if (kv_get_le16(wire + pos + 4) != KV_V1_FEC_DATA)
            pos = len;
        else
            pos += KV_V1_FEC_HEADER_BYTES;
    }
    for (; pos < len; pos += 24 + kv_get_le32(wire + pos + 20)) {
        uint32_t sn = kv_get_le32(wire + pos + 12);

        if (wire[pos + 4] == 82 && sn < ours->stamps->len)
            kv_put_le32(wire + pos + 8, g_array_index(ours->stamps, guint32, sn));
    }
    kv_v1_crypt_seal(capture->crypt, wire, len);
}

/* Gives @end, in time, all that went its way, and listens to what it says. */
static void
replay(const Capture *capture, KvEnd *end, guint way, Speech *said)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    KvTime now = START;
    size_t len;
    guint i = 0;

    while (i < capture->datagrams->len) {
        KvTime due = kv_session_deadline(end->session);
        KvTime arrival = g_array_index(capture->times, KvTime, i);

        kv_end_work(end, now);
        while ((len = kv_session_output(end->session, buf, sizeof buf, NULL, now)) > 0)
            hear_datagram(said, capture, buf, len);
        if (due < arrival) {
            now = MAX(now, due);
            kv_session_advance(end->session, now);
            continue;
        }
        now = arrival;
        if (g_array_index(capture->ways, guint, i) == way) {
            gboolean is_over = end->n_events[KV_EVENT_CLOSED] > 0;

            len = g_bytes_get_size(capture->datagrams->pdata[i]);
            restamp(capture, i, said, buf);
            g_assert_cmpstr(kv_drop_to_string(kv_session_input(end->session, buf, len, NULL,
                                                               KV_ECN_NOT_ECT, now)),
                            ==, is_over ? "stranger" : "none");
        }
        i++;
    }
    kv_end_work(end, now);
    while ((len = kv_session_output(end->session, buf, sizeof buf, NULL, now)) > 0)
        hear_datagram(said, capture, buf, len);
    understand(said);
    g_test_message("%u inner packets, %u control messages", end->inner->len, said->control->len);
}

static void
assert_same(GPtrArray *got, GPtrArray *want, const char *what)
{
    g_assert_cmpuint(got->len, ==, want->len);
    for (guint i = 0; i < got->len; i++)
        kv_vector_assert_bytes(g_bytes_get_data(got->pdata[i], NULL),
                               g_bytes_get_size(got->pdata[i]), want->pdata[i], what);
}

/* Proves: our server, spoken to by a recorded Go client, says in the handshake exactly what the Go
 * server said, takes every inner packet unchanged, and understands the farewell. */
static void
test_server(gconstpointer data)
{
    g_autoptr(KvEnd) end = NULL;
    KvV1Control answer, info;
    uint32_t conv = 0;
    KvV1Config config;
    Capture capture;
    Speech said;

    capture_load(&capture, data);
    speech_init(&said);
    info = decode(capture.said[TO_SERVER].control, 0);
    answer = decode(capture.said[TO_CLIENT].control, 0);
    config = make_config(&capture, KV_ROLE_SERVER);
    end = kv_end_new_with_secret(&config, capture.cipher, capture.secret, KV_V1_SALT, 1, START);
    kv_end_keep_inner(end);
    end->answer = (KvAnswer){.type = answer.type == KV_V1_CONTROL_REJECTED    ? KV_ANSWER_REJECT
                                     : answer.type == KV_V1_CONTROL_EXHAUSTED ? KV_ANSWER_EXHAUSTED
                                                                              : KV_ANSWER_ACCEPT,
                             .ip = answer.ip,
                             .config = answer.config};
    g_assert_cmpint(kv_v1_probe(&config, end->crypt,
                                g_bytes_get_data(capture.datagrams->pdata[0], NULL),
                                g_bytes_get_size(capture.datagrams->pdata[0]), &conv),
                    ==, KV_DROP_NONE);
    g_assert_cmpuint(conv, ==, capture.conv);

    replay(&capture, end, TO_SERVER, &said);
    g_assert_cmpuint(end->n_events[KV_EVENT_CLIENT_INFO], ==, 1);
    g_assert_true(memcmp(&end->last_event[KV_EVENT_CLIENT_INFO].client, &info.client,
                         sizeof info.client) == 0);
    assert_same(said.control, capture.said[TO_CLIENT].control, "server's control messages");
    assert_same(end->inner, capture.said[TO_SERVER].inner, "inner packets");
    g_assert_cmpuint(end->n_events[KV_EVENT_CLOSED], ==, 1);
    if (end->answer.type == KV_ANSWER_ACCEPT) {
        g_assert_cmpuint(end->inner->len, >, 0);
        g_assert_cmpint(end->last_event[KV_EVENT_CLOSED].reason, ==, KV_REASON_PEER_CLOSED);
    } else {
        g_assert_cmpint(end->last_event[KV_EVENT_CLOSED].reason, ==,
                        end->answer.type == KV_ANSWER_REJECT ? KV_REASON_ADDRESS_REJECTED
                                                             : KV_REASON_EXHAUSTED);
    }
    speech_clear(&said);
    capture_clear(&capture);
}

/* Proves: our client, answered by a recorded Go server, says exactly what the Go client said, takes
 * the same configuration and every inner packet. */
static void
test_client(gconstpointer data)
{
    g_autoptr(KvEnd) end = NULL;
    KvV1Control answer, info;
    KvV1Config config;
    Capture capture;
    Speech said;

    capture_load(&capture, data);
    speech_init(&said);
    info = decode(capture.said[TO_SERVER].control, 0);
    answer = decode(capture.said[TO_CLIENT].control, 0);
    config = make_config(&capture, KV_ROLE_CLIENT);
    config.client = info.client;
    end = kv_end_new_with_secret(&config, capture.cipher, capture.secret, KV_V1_SALT, 1, START);
    kv_end_keep_inner(end);

    replay(&capture, end, TO_CLIENT, &said);
    assert_same(said.control, capture.said[TO_SERVER].control, "client's control messages");
    assert_same(end->inner, capture.said[TO_CLIENT].inner, "inner packets");
    if (answer.type == KV_V1_CONTROL_REJECTED || answer.type == KV_V1_CONTROL_EXHAUSTED) {
        g_assert_cmpuint(end->n_events[KV_EVENT_REFUSED], ==, 1);
        g_assert_cmpint(end->last_event[KV_EVENT_REFUSED].reason, ==,
                        answer.type == KV_V1_CONTROL_REJECTED ? KV_REASON_ADDRESS_REJECTED
                                                              : KV_REASON_EXHAUSTED);
        g_assert_true(said.said_end);
        g_assert_true(capture.said[TO_SERVER].said_end);
    } else {
        const KvEvent *ready = &end->last_event[KV_EVENT_READY];

        g_assert_cmpuint(end->n_events[KV_EVENT_CONFIGURED], ==, 1);
        g_assert_cmpuint(end->n_events[KV_EVENT_READY], ==, 1);
        g_assert_cmpuint(end->inner->len, >, 0);
        g_assert_cmpuint(ready->ip, ==,
                         answer.type == KV_V1_CONTROL_ACCEPTED ? info.client.ip : answer.ip);
        g_assert_cmpuint(ready->config.mtu, ==,
                         info.client.mtu == 0 ? answer.config.mtu
                                              : MIN(answer.config.mtu, info.client.mtu));
        g_assert_cmpuint(end->n_events[KV_EVENT_CLOSED], ==, 0);
    }
    speech_clear(&said);
    capture_clear(&capture);
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* (transfer full): the captures of the folder, in order. */
static GPtrArray *
list_captures(void)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *path = kv_test_vector_path("");
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
    const char *name;

    if (dir == NULL)
        g_error("cannot list the vector files: %s", error->message);
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_prefix(name, "capture-") && g_str_has_suffix(name, ".json"))
            g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    return g_steal_pointer(&names);
}

int
main(int argc, char **argv)
{
    g_autoptr(GPtrArray) names = list_captures();

    if (names->len == 0)
        g_error("there is no capture among the vector files");
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *server = g_strconcat("/vectors/", name, "/server", NULL);
        g_autofree char *client = g_strconcat("/vectors/", name, "/client", NULL);

        g_test_add_data_func(server, name, test_server);
        g_test_add_data_func(client, name, test_client);
    }
    return kv_test_main(&argc, &argv);
}
