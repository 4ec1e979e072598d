/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"

#include <stdio.h>
#include <string.h>

/*
 * Writes down a session of the native protocol for decode-native.py: what came to each end, after
 * the path has lost, doubled and reordered some of it, and what somebody who is to read it needs:
 * the keys of both ends and what their random sources gave.
 *
 *   capture-native SCENARIO FOLDER    capture.pcap, keys.json, packets.json
 */

#define MS    KV_TIME_MS
#define S     KV_TIME_S
#define START (1000 * S)

#define LOAD 60 /* initiations within a second that make a server ask for cookies */

typedef struct {
    const char *name;
    gboolean with_keys;
    gboolean load; /* the server asks for cookies */
    guint data_shards, parity_shards;
    KvSimLink link;
    size_t size_min, size_max; /* of an inner packet */
    guint packets;             /* each way */
    KvTime interval;
    guint routes;   /* that do not fit the handshake */
    guint restarts; /* of both ends: as many handshakes */
    gboolean ecn;   /* all packets know it */
} Scenario;

/* clang-format off: one row each */
static const Scenario scenarios[] = {
    {"keys",
     TRUE,
     TRUE,
     10,
     3,
     {.delay = 15 * MS, .loss = 0.08, .duplicate = 0.02},
     40,
     1400,
     2200,
     140 * MS,
     100,
     0},
    {"secret",
     FALSE,
     TRUE,
     0,
     0,
     {.delay = 25 * MS, .loss = 0.1, .reorder = 0.05, .reorder_delay = 20 * MS},
     40,
     4000,
     900,
     15 * MS,
     100,
     0},
    {"bulk",
     TRUE,
     TRUE,
     10,
     3,
     {.delay = 20 * MS, .loss = 0.02},
     1300,
     1300,
     3000,
     5 * MS,
     100,
     0,
     1},
    {"handshakes-keys", TRUE, FALSE, 0, 0, {.delay = MS}, 40, 100, 0, 0, 20, 1500},
    {"handshakes-secret", FALSE, FALSE, 0, 0, {.delay = MS}, 40, 100, 0, 0, 20, 1500},
};
/* clang-format on */

typedef struct _Capture Capture;

/* One end, and what is written down of it. */
typedef struct {
    Capture *capture;
    KvNativeEnd end;
    KvNativeEndTap tap;
    GString *drawn; /* values as long as a key, as JSON */
    GString *wrote; /* inner packets, as JSON */
} Side;

struct _Capture {
    const Scenario *scenario;
    Side sides[2]; /* client and server */
    KvSim *sim;
    FILE *pcap;
};

/* --- writing -------------------------------------------------------------------------------- */

static void
append_hex(GString *text, const uint8_t *bytes, size_t len)
{
    if (text->len > 0)
        g_string_append(text, ",\n");
    g_string_append_c(text, '"');
    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    g_string_append_c(text, '"');
}

static void
drew(void *data, const uint8_t *bytes, size_t len)
{
    Side *side = data;

    if (len == KV_NATIVE_KEY_BYTES)
        append_hex(side->drawn, bytes, len);
}

static void
wrote(void *data, guint flow, const uint8_t *packet, size_t len)
{
    Side *side = data;

    append_hex(side->wrote, packet, len);
}

static void
put(FILE *file, const void *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, file) != len)
        g_error("cannot write the capture");
}

static void
put_le32(FILE *file, uint32_t value)
{
    uint8_t bytes[4];

    kv_put_le32(bytes, value);
    put(file, bytes, sizeof bytes);
}

/* A file of libpcap whose packets begin with the IP header. */
static void
put_file_head(FILE *file)
{
    put_le32(file, 0xa1b2c3d4);
    put_le32(file, 2 | 4 << 16);
    put_le32(file, 0);
    put_le32(file, 0);
    put_le32(file, 65535);
    put_le32(file, 101);
}

/* IPv6 and UDP around a datagram; nobody looks at the checksum. */
static void
put_datagram(FILE *file, const KvNativeEnd *to, const uint8_t *datagram, size_t len, KvTime now)
{
    uint8_t head[48] = {0x60, [6] = 17, [7] = 64};

    kv_put_be16(head + 4, (uint16_t) (len + 8));
    memcpy(head + 8, to->peer_address.ip, 16);
    memcpy(head + 24, to->address.ip, 16);
    kv_put_be16(head + 40, to->peer_address.port);
    kv_put_be16(head + 42, to->address.port);
    kv_put_be16(head + 44, (uint16_t) (len + 8));
    put_le32(file, (uint32_t) (now / S));
    put_le32(file, (uint32_t) (now % S));
    put_le32(file, (uint32_t) (sizeof head + len));
    put_le32(file, (uint32_t) (sizeof head + len));
    put(file, head, sizeof head);
    put(file, datagram, len);
}

static void
came(void *data, const uint8_t *datagram, size_t len, KvTime now)
{
    Side *side = data;

    put_datagram(side->capture->pcap, &side->end, datagram, len, now);
}

static void
save(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents(path, text, -1, &error))
        g_error("%s", error->message);
}

static void
append_key(GString *text, const char *name, const KvSecret *key)
{
    GString *hex = g_string_new(NULL);

    if (key != NULL)
        append_hex(hex, kv_secret_get_data(key), kv_secret_get_length(key));
    else
        g_string_append(hex, "null");
    g_string_append_printf(text, "\"%s\": %s, ", name, hex->str);
    g_string_free(hex, TRUE);
}

static void
save_keys(Capture *capture, const char *folder)
{
    g_autoptr(GString) text = g_string_new("{\"ends\": [\n");
    g_autoptr(GString) packets = g_string_new("[");

    for (guint i = 0; i < 2; i++) {
        const Side *side = &capture->sides[i];
        GString *address = g_string_new(NULL);

        append_hex(address, side->end.address.ip, 16);
        g_string_append_printf(text, "{\"address\": %s, \"port\": %u, ", address->str,
                               side->end.address.port);
        append_key(text, "private", side->end.private_key);
        append_key(text, "psk", side->end.psk);
        g_string_append_printf(text, "\"drawn\": [\n%s]}%s\n", side->drawn->str,
                               i == 0 ? "," : "]}");
        g_string_append_printf(packets, "[\n%s]%s", side->wrote->str, i == 0 ? "," : "]\n");
        g_string_free(address, TRUE);
    }
    save(folder, "keys.json", text->str);
    save(folder, "packets.json", packets->str);
}

/* --- the session ---------------------------------------------------------------------------- */

/* Datagrams that a stranger with the server's outer key might send. */
static void
make_load(Capture *capture)
{
    KvNativeEnd *server = &capture->sides[1].end;
    uint8_t datagram[KV_INITIATION_MIN] = {0};
    GBytes *reply;

    server->tap = NULL;
    for (guint i = 0; i < LOAD; i++) {
        kv_outer_seal(&server->outer, datagram, sizeof datagram, NULL, &server->random);
        kv_native_end_machine.input(server, datagram, sizeof datagram, START);
    }
    while ((reply = g_queue_pop_head(&server->replies)) != NULL)
        g_bytes_unref(reply);
    server->tap = &capture->sides[1].tap;
}

static void
side_init(Side *side, Capture *capture)
{
    const Scenario *scenario = capture->scenario;
    KvNativeEnd *end = &side->end;

    side->capture = capture;
    side->drawn = g_string_new(NULL);
    side->wrote = g_string_new(NULL);
    side->tap = (KvNativeEndTap){drew, came, wrote, side};
    end->tap = &side->tap;
    end->params.data_shards = scenario->data_shards;
    end->params.parity_shards = scenario->parity_shards;
    end->size_min = scenario->size_min;
    end->size_max = scenario->size_max;
    end->n_routes = scenario->routes;
    end->to_send = scenario->packets;
    end->interval = scenario->interval;
    end->knows_ecn = scenario->ecn;
}

static gboolean
is_all_there(void *data)
{
    Capture *capture = data;

    return capture->sides[0].end.received >= capture->sides[1].end.to_send &&
           capture->sides[1].end.received >= capture->sides[0].end.to_send;
}

static void
run_session(Capture *capture)
{
    KvTime most = 600 * S;

    if (!kv_sim_run(capture->sim, START + most, is_all_there, capture))
        g_error("not all has arrived after %u s", (guint) (most / S));
    kv_native_close(capture->sides[0].end.native, KV_CLOSE_GOING_DOWN,
                    kv_sim_get_now(capture->sim));
    kv_sim_poke(capture->sim, 0);
    kv_sim_run(capture->sim, kv_sim_get_now(capture->sim) + S, NULL, NULL);
}

static gboolean
is_ready(void *data)
{
    Capture *capture = data;

    return capture->sides[1].end.native != NULL;
}

static void
run_handshakes(Capture *capture)
{
    for (guint i = 0; i < capture->scenario->restarts; i++) {
        KvTime now = kv_sim_get_now(capture->sim);

        for (guint end = 0; end < 2; end++)
            kv_native_end_restart(&capture->sides[end].end, now);
        kv_sim_poke(capture->sim, 0);
        if (!kv_sim_run(capture->sim, now + S, is_ready, capture))
            g_error("handshake %u was not answered", i);
    }
}

static void
run(const Scenario *scenario, const char *folder)
{
    Capture capture = {.scenario = scenario};
    g_autofree char *path = g_build_filename(folder, "capture.pcap", NULL);

    capture.pcap = fopen(path, "w");
    if (capture.pcap == NULL)
        g_error("cannot write %s", path);
    put_file_head(capture.pcap);
    kv_native_ends_init(&capture.sides[0].end, &capture.sides[1].end, scenario->with_keys, 3);
    capture.sim = kv_sim_new(5, START);
    for (guint i = 0; i < 2; i++) {
        side_init(&capture.sides[i], &capture);
        kv_sim_attach(capture.sim, i, &kv_native_end_machine, &capture.sides[i].end);
        kv_sim_set_link(capture.sim, i, &scenario->link);
        kv_native_end_start(&capture.sides[1 - i].end, START);
    }
    if (scenario->load)
        make_load(&capture);
    kv_sim_poke(capture.sim, 0);
    if (scenario->restarts > 0)
        run_handshakes(&capture);
    else
        run_session(&capture);
    save_keys(&capture, folder);
    if (fclose(capture.pcap) != 0)
        g_error("cannot write %s", path);
    kv_sim_free(capture.sim);
    for (guint i = 0; i < 2; i++) {
        kv_native_end_clear(&capture.sides[i].end);
        g_string_free(capture.sides[i].drawn, TRUE);
        g_string_free(capture.sides[i].wrote, TRUE);
    }
}

int
main(int argc, char **argv)
{
    for (guint i = 0; argc == 3 && i < G_N_ELEMENTS(scenarios); i++) {
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            run(&scenarios[i], argv[2]);
            return 0;
        }
    }
    g_printerr("usage: %s keys|secret|bulk|handshakes-keys|handshakes-secret FOLDER\n", argv[0]);
    return 2;
}
