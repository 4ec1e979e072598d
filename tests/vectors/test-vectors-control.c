/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "v1/kv-v1-control.h"

#include <json-glib/json-glib.h>

#define TAG               0xd5
#define CLIENT_INFO_BYTES 34

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

static gboolean
is_valid_id(GBytes *id)
{
    size_t len;
    const char *bytes = g_bytes_get_data(id, &len);

    for (size_t i = 0; i < len; i++) {
        if (!g_ascii_isalnum(bytes[i]) && bytes[i] != '_' && bytes[i] != '-')
            return FALSE;
    }
    return TRUE;
}

/* The Go server's verdict, but for what it takes only by mistake: one tag wrong, and ids with bytes
 * that no id may have. */
static gboolean
is_to_be_taken(JsonObject *one, const uint8_t *message, size_t len)
{
    g_autoptr(GBytes) id = NULL;

    if (g_strcmp0(json_object_get_string_member(one, "go_result"), "accepted") != 0)
        return FALSE;
    id = kv_test_unhex(json_object_get_string_member(one, "client_id_hex"));
    return len >= CLIENT_INFO_BYTES && message[0] == TAG && message[CLIENT_INFO_BYTES - 1] == TAG &&
           is_valid_id(id);
}

/* Proves: odd client informations get the Go server's verdict where that makes sense. */
static void
test_server_receives(void)
{
    JsonArray *cases = get_cases("server_receives");
    guint n_taken = 0;

    for (guint i = 0; i < json_array_get_length(cases); i++) {
        JsonObject *c = json_array_get_object_element(cases, i);
        const char *hex = json_object_get_string_member(c, "message");
        g_autoptr(GBytes) bytes = kv_test_unhex(hex);
        g_autoptr(GBytes) id = NULL;
        size_t len;
        const uint8_t *data = g_bytes_get_data(bytes, &len);
        KvV1Control message;
        size_t left;

        g_test_message("%s", json_object_get_string_member(c, "name"));
        if (!is_to_be_taken(c, data, len)) {
            g_assert_cmpint(decode(hex, &message, &left), ==, KV_V1_CONTROL_BAD);
            continue;
        }
        n_taken++;
        id = kv_test_unhex(json_object_get_string_member(c, "client_id_hex"));
        g_assert_cmpint(decode(hex, &message, &left), ==, KV_V1_CONTROL_DONE);
        g_assert_cmpuint(left, ==, len - CLIENT_INFO_BYTES);
        g_assert_cmpuint(message.client.mtu, ==, json_object_get_int_member(c, "mtu"));
        g_assert_cmpint(message.client.address_mode, ==, json_object_get_int_member(c, "ip_mode"));
        kv_test_assert_bytes(message.client.id, strlen(message.client.id),
                             g_bytes_get_data(id, NULL), g_bytes_get_size(id), "client id");
    }
    g_assert_cmpuint(n_taken, >, 0);
    g_assert_cmpuint(n_taken, <, json_array_get_length(cases));
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
