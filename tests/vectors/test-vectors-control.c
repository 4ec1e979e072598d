/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "v1/kv-v1-control.h"

#include <json-glib/json-glib.h>

static JsonParser *parser;

static JsonArray *
get_cases(const char *name)
{
    return json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), name);
}

/* "a.b.c.d" as a number; "" is 0. */
static KvIp4
parse_ip(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ".", -1);
    KvIp4 ip = 0;

    for (guint i = 0; parts[i] != NULL && *text != '\0'; i++)
        ip = ip << 8 | (KvIp4) g_ascii_strtoull(parts[i], NULL, 10);
    return ip;
}

static void
check_encoding(const KvV1Control *message, const char *hex)
{
    g_autoptr(GBytes) want = kv_test_unhex(hex);
    uint8_t buf[KV_V1_CONTROL_MAX];
    size_t len = kv_v1_control_encode(message, buf);

    kv_test_assert_bytes(buf, len, g_bytes_get_data(want, NULL), g_bytes_get_size(want), hex);
}

static KvV1ControlResult
decode(const char *hex, KvV1Control *message, size_t *left)
{
    g_autoptr(GBytes) bytes = kv_test_unhex(hex);
    size_t used = 0;
    KvV1ControlResult result = kv_v1_control_decode(g_bytes_get_data(bytes, NULL),
                                                    g_bytes_get_size(bytes), message, &used);

    *left = g_bytes_get_size(bytes) - used;
    return result;
}

/* Proves: what a client says of itself is written as the Go client writes it, and read back. */
static void
test_client_information(void)
{
    JsonArray *cases = get_cases("client_information");

    g_assert_cmpuint(json_array_get_length(cases), >, 0);
    for (guint i = 0; i < json_array_get_length(cases); i++) {
        JsonObject *c = json_array_get_object_element(cases, i);
        const char *hex = json_object_get_string_member(c, "message");
        KvV1Control message = {.type = KV_V1_CONTROL_CLIENT_INFO};
        KvV1Control back;
        size_t left;

        g_strlcpy(message.client.id, json_object_get_string_member(c, "client_id"),
                  sizeof message.client.id);
        message.client.mtu = (uint16_t) json_object_get_int_member(c, "vni_mtu");
        message.client.address_mode = (KvAddressMode) json_object_get_int_member(c, "ip_mode");
        message.client.ip = parse_ip(json_object_get_string_member(c, "local_ip"));
        check_encoding(&message, hex);

        g_assert_cmpint(decode(hex, &back, &left), ==, KV_V1_CONTROL_DONE);
        g_assert_cmpuint(left, ==, 0);
        g_assert_cmpstr(back.client.id, ==, message.client.id);
        g_assert_cmpuint(back.client.mtu, ==, message.client.mtu);
        g_assert_cmpint(back.client.address_mode, ==, message.client.address_mode);
        if (message.client.address_mode == KV_ADDRESS_MODE_CLIENT_SET)
            g_assert_cmpuint(back.client.ip, ==, message.client.ip);
        else
            g_assert_cmpuint(back.client.ip, ==, 0);
    }
}

/* Proves: every message of the server, and both ready messages, are the Go program's bytes. */
static void
test_server_messages(void)
{
    static const struct {
        const char *name;
        KvV1ControlType type;
    } types[] = {
        {"accepted", KV_V1_CONTROL_ACCEPTED},
        {"rejected", KV_V1_CONTROL_REJECTED},
        {"assigned", KV_V1_CONTROL_ASSIGNED},
        {"exhausted", KV_V1_CONTROL_EXHAUSTED},
        {"configuration", KV_V1_CONTROL_CONFIGURATION},
        {"client_ready", KV_V1_CONTROL_CLIENT_READY},
        {"server_ready", KV_V1_CONTROL_SERVER_READY},
    };
    JsonArray *cases = get_cases("server_messages");

    g_assert_cmpuint(json_array_get_length(cases), >, 0);
    for (guint i = 0; i < json_array_get_length(cases); i++) {
        JsonObject *c = json_array_get_object_element(cases, i);
        KvV1Control message = {
            .ip = parse_ip(json_object_get_string_member(c, "client_ip")),
            .config =
                {
                    .vni_mode = (KvVniMode) json_object_get_int_member(c, "vni_mode"),
                    .mtu = (uint16_t) json_object_get_int_member(c, "vni_mtu"),
                    .full_frame_mtu = (uint16_t) json_object_get_int_member(c, "full_frame_mtu"),
                    .server_ip = parse_ip(json_object_get_string_member(c, "server_local_ip")),
                    .netmask = parse_ip(json_object_get_string_member(c, "netmask")),
                },
        };

        for (guint j = 0; j < G_N_ELEMENTS(types); j++) {
            const char *hex = json_object_get_string_member(c, types[j].name);
            KvV1Control back;
            size_t left;

            message.type = types[j].type;
            check_encoding(&message, hex);
            g_assert_cmpint(decode(hex, &back, &left), ==, KV_V1_CONTROL_DONE);
            g_assert_cmpint(back.type, ==, types[j].type);
        }
    }
}

/* Proves: odd client informations get the Go server's verdict, but for three that it takes only
 * by mistake: one tag wrong, and ids with bytes that no id may have. */
static void
test_server_receives(void)
{
    static const struct {
        const char *name;
        KvV1ControlResult result;
        size_t left;
    } ours[] = {
        {"as sent", KV_V1_CONTROL_DONE, 0},        {"first tag wrong", KV_V1_CONTROL_BAD, 0},
        {"last tag wrong", KV_V1_CONTROL_BAD, 0},  {"both tags wrong", KV_V1_CONTROL_BAD, 0},
        {"type 6", KV_V1_CONTROL_BAD, 0},          {"id length 16", KV_V1_CONTROL_BAD, 0},
        {"id length 17", KV_V1_CONTROL_BAD, 0},    {"id has slash and nul", KV_V1_CONTROL_BAD, 0},
        {"ip mode 3", KV_V1_CONTROL_BAD, 0},       {"two bytes only", KV_V1_CONTROL_BAD, 0},
        {"longer than 34", KV_V1_CONTROL_DONE, 3},
    };
    JsonArray *cases = get_cases("server_receives");

    g_assert_cmpuint(json_array_get_length(cases), ==, G_N_ELEMENTS(ours));
    for (guint i = 0; i < json_array_get_length(cases); i++) {
        JsonObject *c = json_array_get_object_element(cases, i);
        KvV1Control message;
        size_t left;

        g_assert_cmpstr(json_object_get_string_member(c, "name"), ==, ours[i].name);
        g_test_message("%s", ours[i].name);
        g_assert_cmpint(decode(json_object_get_string_member(c, "message"), &message, &left), ==,
                        ours[i].result);
        if (ours[i].result != KV_V1_CONTROL_DONE)
            continue;
        g_assert_cmpuint(left, ==, ours[i].left);
        g_assert_cmpstr(json_object_get_string_member(c, "go_result"), ==, "accepted");
        g_assert_cmpuint(message.client.mtu, ==, json_object_get_int_member(c, "mtu"));
        g_assert_cmpstr(message.client.id, ==, "client1");
    }
}

int
main(int argc, char **argv)
{
    g_autofree char *path = kv_test_vector_path("control.json");
    g_autoptr(GError) error = NULL;
    int status;

    parser = json_parser_new();
    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    g_test_add_func("/vectors/control/client-information", test_client_information);
    g_test_add_func("/vectors/control/server-messages", test_server_messages);
    g_test_add_func("/vectors/control/server-receives", test_server_receives);
    status = kv_test_main(&argc, &argv);
    g_object_unref(parser);
    return status;
}
