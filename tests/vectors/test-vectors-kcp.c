/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcp.h"
#include "kv-vector.h"

/* Both ends of one script, and where it is, for messages. */
typedef struct {
    KvPacketPool *pool;
    KvKcp *ends[2];
    JsonObject *script;
    const char *name;
    guint step;
} Replay;

static KvKcp *
make_end(const Replay *replay)
{
    JsonObject *s = replay->script;
    KvKcpConfig config = {
        .conv = (uint32_t) kv_vector_get_int(s, "conv"),
        .mtu = (uint32_t) kv_vector_get_int(s, "mtu"),
        .reserved = (uint32_t) kv_vector_get_int(s, "reserved"),
        .snd_wnd = (uint32_t) kv_vector_get_int(s, "snd_wnd"),
        .rcv_wnd = (uint32_t) kv_vector_get_int(s, "rcv_wnd"),
        .interval = (uint32_t) kv_vector_get_int(s, "interval"),
        .resend = (uint32_t) kv_vector_get_int(s, "resend"),
        .nodelay = kv_vector_get_int(s, "nodelay") != 0,
        .nc = kv_vector_get_int(s, "nc") != 0,
        .stream = json_object_get_boolean_member(s, "stream"),
        .ack_nodelay = json_object_get_boolean_member(s, "ack_nodelay"),
    };

    return kv_kcp_new(&config, replay->pool, 0);
}

static void
check_output(const Replay *replay, KvKcp *kcp, JsonObject *op, KvTime now)
{
    JsonArray *out = kv_vector_find_array(op, "out");
    guint n = out != NULL ? json_array_get_length(out) : 0;
    uint8_t buf[2048];
    size_t len;

    for (guint i = 0; i <= n; i++) {
        g_autofree char *what = g_strdup_printf("%s step %u out %u", replay->name, replay->step, i);
        g_autoptr(GBytes) want = kv_test_unhex(i < n ? json_array_get_string_element(out, i) : "");
        gsize want_len;
        const void *want_data = g_bytes_get_data(want, &want_len);

        len = kv_kcp_output(kcp, buf, sizeof buf, now);
        kv_test_assert_bytes(buf, len, want_data, want_len, what);
    }
}

static void
check_state(const Replay *replay, const KvKcp *kcp, JsonObject *want)
{
    KvKcpState state;

    kv_kcp_get_state(kcp, &state);
    {
        const struct {
            const char *name;
            uint32_t got;
        } rows[] = {
            {"acklist", state.acklist},
            {"cwnd", state.cwnd},
            {"incr", state.incr},
            {"probe", state.probe},
            {"probe_wait", state.probe_wait},
            {"rcv_buf", state.rcv_buf},
            {"rcv_nxt", state.rcv_nxt},
            {"rcv_queue", state.rcv_queue},
            {"rmt_wnd", state.rmt_wnd},
            {"rto", state.rto},
            {"rttvar", state.rttvar},
            {"snd_buf", state.snd_buf},
            {"snd_nxt", state.snd_nxt},
            {"snd_queue", state.snd_queue},
            {"snd_una", state.snd_una},
            {"srtt", state.srtt},
            {"ssthresh", state.ssthresh},
        };

        g_assert_cmpuint(json_object_get_size(want), ==, G_N_ELEMENTS(rows));
        for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
            gint64 value = kv_vector_get_int(want, rows[i].name);

            if (value != rows[i].got)
                g_error("%s step %u: %s is %u, not %" G_GINT64_FORMAT, replay->name, replay->step,
                        rows[i].name, rows[i].got, value);
        }
    }
}

static void
do_send(const Replay *replay, KvKcp *kcp, const uint8_t *data, size_t len)
{
    KvSlice slice = {.data = data, .len = len};

    g_assert_true(kv_kcp_send(kcp, &slice, 1));
}

static void
do_input(const Replay *replay, KvKcp *kcp, JsonObject *op, const uint8_t *data, size_t len,
         KvTime now)
{
    g_autoptr(KvPacket) packet = kv_packet_new(replay->pool);

    memcpy(packet->data, data, len);
    packet->len = (uint32_t) len;
    g_assert_cmpint(kv_kcp_input(kcp, packet, 0, len, KV_KCP_RECEIVED, now), ==,
                    kv_vector_get_int(op, "ret") == 0);
}

static void
do_recv(const Replay *replay, KvKcp *kcp, const uint8_t *want, size_t want_len)
{
    static uint8_t buf[65536];
    size_t len = kv_kcp_recv_message(kcp, buf, sizeof buf);

    kv_test_assert_bytes(buf, len, want, want_len, replay->name);
}

static void
do_step(Replay *replay, JsonObject *op)
{
    const char *verb = kv_vector_get_string(op, "op");
    KvKcp *kcp = replay->ends[kv_vector_get_string(op, "side")[0] - 'A'];
    KvTime now =
        (KvTime) (kv_vector_get_int(replay->script, "clock_start") + kv_vector_get_int(op, "t")) *
        KV_TIME_MS;
    g_autoptr(GBytes) bytes =
        kv_test_unhex(json_object_has_member(op, "data") ? kv_vector_get_string(op, "data") : "");
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);

    if (g_str_equal(verb, "send"))
        do_send(replay, kcp, data, len);
    else if (g_str_equal(verb, "input"))
        do_input(replay, kcp, op, data, len, now);
    else if (g_str_equal(verb, "recv"))
        do_recv(replay, kcp, data, len);
    else
        kv_kcp_flush(kcp, now);

    check_output(replay, kcp, op, now);
    if (g_str_equal(verb, "flush"))
        g_assert_cmpuint(kv_kcp_get_next_flush_ms(kcp), ==, kv_vector_get_int(op, "next_ms"));
    check_state(replay, kcp, json_object_get_object_member(op, "state"));
}

/* Proves: with no tuning the machine does byte for byte what the published one does. */
static void
test_script(gconstpointer data)
{
    Replay replay = {.script = (JsonObject *) data};
    JsonArray *ops = json_object_get_array_member(replay.script, "ops");

    replay.name = kv_vector_get_string(replay.script, "name");
    replay.pool = kv_packet_pool_new(100000);
    for (guint i = 0; i < 2; i++)
        replay.ends[i] = make_end(&replay);
    for (; replay.step < json_array_get_length(ops); replay.step++)
        do_step(&replay, json_array_get_object_element(ops, replay.step));
    for (guint i = 0; i < 2; i++)
        kv_kcp_free(replay.ends[i]);
    kv_packet_pool_free(replay.pool);
}

int
main(int argc, char **argv)
{
    g_autoptr(JsonParser) parser = kv_vector_load("kcp.json", "kcp-script-v1");
    JsonArray *scripts = kv_vector_get_array(kv_vector_get_root(parser), "scenarios");

    for (guint i = 0; i < json_array_get_length(scripts); i++) {
        JsonObject *script = json_array_get_object_element(scripts, i);
        g_autofree char *test_path =
            g_strconcat("/vectors/kcp/", kv_vector_get_string(script, "name"), NULL);

        g_test_add_data_func(test_path, script, test_script);
    }
    return kv_test_main(&argc, &argv);
}
