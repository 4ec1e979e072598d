/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-event.h"
#include "kv-test.h"
#include "v1/kv-v1-control.h"

/* Proves: every type of message survives encoding and decoding, and decoding asks for more until
 * the last byte is there. */
static void
test_round_trip(void)
{
    static const uint8_t lengths[] = {34, 16, 3, 20, 3, 16, 3, 3};
    const KvNetworkConfig config = {KV_VNI_MODE_TAP, 1400, 1422, 0xc0a85801, 0xffffff00};

    for (guint type = 0; type < G_N_ELEMENTS(lengths); type++) {
        KvV1Control in = {.type = type};
        uint8_t buf[KV_V1_CONTROL_MAX];
        KvV1Control out;
        size_t used = 0;
        size_t len;

        if (type == KV_V1_CONTROL_CLIENT_INFO)
            in.client =
                (KvClientInfo){"abcdefgh_-ABCXYZ", 9000, KV_ADDRESS_MODE_CLIENT_SET, 0x0a000001};
        if (type == KV_V1_CONTROL_ASSIGNED)
            in.ip = 0xc0a85802;
        if (type == KV_V1_CONTROL_ASSIGNED || type == KV_V1_CONTROL_ACCEPTED ||
            type == KV_V1_CONTROL_CONFIGURATION)
            in.config = config;
        len = kv_v1_control_encode(&in, buf);
        g_assert_cmpuint(len, ==, lengths[type]);
        for (size_t n = 0; n < len; n++)
            g_assert_cmpint(kv_v1_control_decode(buf, n, &out, &used), ==, KV_V1_CONTROL_MORE);
        g_assert_cmpint(kv_v1_control_decode(buf, len, &out, &used), ==, KV_V1_CONTROL_DONE);
        g_assert_cmpuint(used, ==, len);
        g_assert_cmpint(out.type, ==, in.type);
        g_assert_cmpstr(out.client.id, ==, in.client.id);
        g_assert_cmpuint(out.client.mtu, ==, in.client.mtu);
        g_assert_cmpint(out.client.address_mode, ==, in.client.address_mode);
        g_assert_cmpuint(out.client.ip, ==, in.client.ip);
        g_assert_cmpuint(out.ip, ==, in.ip);
        g_assert_cmpint(out.config.vni_mode, ==, in.config.vni_mode);
        g_assert_cmpuint(out.config.mtu, ==, in.config.mtu);
        g_assert_cmpuint(out.config.full_frame_mtu, ==, in.config.full_frame_mtu);
        g_assert_cmpuint(out.config.server_ip, ==, in.config.server_ip);
        g_assert_cmpuint(out.config.netmask, ==, in.config.netmask);
    }
}

/* Proves: bytes no peer in its right mind sends are refused. */
static void
test_bad(void)
{
    static const struct {
        const char *what;
        const char *hex;
    } cases[] = {
        {"first tag", "00"},
        {"type", "d508"},
        {"last tag", "d506d4"},
        {"device mode", "d50502dc05f2050058a8c000000000d5"},
        {"device mode of an assignment", "d5030558a8c0ffdc05f2050058a8c000000000d5"},
        {"long id", "d50011636c69656e7431dc05000000000000000000000000000000000000000000d5"},
        {"address mode", "d50007636c69656e7431dc05030000000000000000000000000000000000000000d5"},
        {"slash", "d500012fdc0500000000000000000000000000000000000000000000000000000000d5"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) bytes = kv_test_unhex(cases[i].hex);
        size_t len;
        const uint8_t *data = g_bytes_get_data(bytes, &len);
        KvV1Control message;
        size_t used;

        g_test_message("%s", cases[i].what);
        g_assert_cmpint(kv_v1_control_decode(data, len, &message, &used), ==, KV_V1_CONTROL_BAD);
    }
}

/* Proves: exactly the bytes A-Z a-z 0-9 _ - may stand in a client id, up to 16 of them. */
static void
test_client_id(void)
{
    for (guint c = 0; c < 256; c++) {
        const char id[] = {'a', (char) c, 'b'};
        gboolean allowed =
            c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
                             (int) c) != NULL;

        g_assert_cmpint(kv_v1_client_id_is_valid(id, 3), ==, allowed);
    }
    g_assert_true(kv_v1_client_id_is_valid("", 0));
    g_assert_true(kv_v1_client_id_is_valid("0123456789abcdef", 16));
    g_assert_false(kv_v1_client_id_is_valid("0123456789abcdefg", 17));
}

/* Proves: each reason has a text of its own. */
static void
test_reasons(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint reason = KV_REASON_NONE; reason <= KV_REASON_NO_MEMORY; reason++) {
        const char *text = kv_reason_to_string(reason);

        g_assert_nonnull(text);
        g_assert_true(g_hash_table_add(seen, (gpointer) text));
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/v1-control/round-trip", test_round_trip);
    g_test_add_func("/v1-control/bad", test_bad);
    g_test_add_func("/v1-control/client-id", test_client_id);
    g_test_add_func("/v1-control/reasons", test_reasons);
    return kv_test_main(&argc, &argv);
}
