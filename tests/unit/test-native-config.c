/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-native-config.h"

#include <string.h>

static void
add_network(GArray *list, const char *text)
{
    KvNetwork network;

    g_assert_true(kv_network_parse(&network, text));
    g_array_append_val(list, network);
}

/* Something of everything. */
static void
fill(KvNativeConfig *config)
{
    kv_native_config_init(config);
    config->said = KV_SAID_MODE | KV_SAID_KEEPALIVE | KV_SAID_ASSOCIATION | KV_SAID_RESET |
                   KV_SAID_NUMBER | KV_SAID_MORE;
    strcpy(config->client_id, "laptop_of-Ann");
    config->mode = KV_VNI_MODE_TAP;
    config->mtu = 1400;
    config->ciphers[0] = KV_AEAD_AES_256_GCM;
    config->ciphers[1] = KV_AEAD_CHACHA20_POLY1305;
    config->window = 4096;
    config->datagram = 1452;
    config->keepalive = 25;
    memset(config->association, 7, sizeof config->association);
    memset(config->reset, 8, sizeof config->reset);
    config->capabilities = KV_CAPABILITY_PARITY;
    config->number = UINT64_C(0x123456789abcdef0);
    add_network(config->wants, "10.0.0.9");
    add_network(config->wants, "fd00::9");
    add_network(config->addresses, "10.0.0.9/24");
    add_network(config->addresses, "fd00::9/64");
    add_network(config->gateways, "10.0.0.1");
    add_network(config->gateways, "fd00::1");
    add_network(config->routes, "192.168.0.0/16");
    add_network(config->routes, "::/0");
    add_network(config->routes, "172.16.0.0/12");
    add_network(config->dns, "10.0.0.53");
    add_network(config->dns, "fd00::53");
    g_ptr_array_add(config->domains, g_strdup("corp.example"));
    g_ptr_array_add(config->domains, g_strdup("~lab.example"));
    g_ptr_array_add(config->domains, g_strdup("~."));
    config->banner = g_strdup("Willkommen\nim B\xc3\xbcro");
    config->refusal = KV_REFUSED_FULL;
    config->refusal_text = g_strdup("no room");
}

static void
assert_list(const GArray *got, const GArray *want)
{
    g_assert_cmpuint(got->len, ==, want->len);
    for (guint i = 0; i < got->len; i++)
        g_assert_true(kv_network_equal(&g_array_index(got, KvNetwork, i),
                                       &g_array_index(want, KvNetwork, i)));
}

static void
assert_same(const KvNativeConfig *got, const KvNativeConfig *want)
{
    g_assert_cmpuint(got->said, ==, want->said);
    g_assert_cmpstr(got->client_id, ==, want->client_id);
    g_assert_cmpint(got->mode, ==, want->mode);
    g_assert_cmpuint(got->mtu, ==, want->mtu);
    g_assert_cmpmem(got->ciphers, sizeof got->ciphers, want->ciphers, sizeof want->ciphers);
    g_assert_cmpuint(got->window, ==, want->window);
    g_assert_cmpuint(got->datagram, ==, want->datagram);
    g_assert_cmpuint(got->keepalive, ==, want->keepalive);
    g_assert_cmpmem(got->association, KV_NATIVE_ID_BYTES, want->association, KV_NATIVE_ID_BYTES);
    g_assert_cmpmem(got->reset, KV_NATIVE_ID_BYTES, want->reset, KV_NATIVE_ID_BYTES);
    g_assert_cmpuint(got->capabilities, ==, want->capabilities);
    g_assert_cmpuint(got->number, ==, want->number);
    assert_list(got->wants, want->wants);
    assert_list(got->addresses, want->addresses);
    assert_list(got->gateways, want->gateways);
    g_assert_cmpuint(got->domains->len, ==, want->domains->len);
    for (guint i = 0; i < got->domains->len; i++)
        g_assert_cmpstr(g_ptr_array_index(got->domains, i), ==,
                        g_ptr_array_index(want->domains, i));
    assert_list(got->routes, want->routes);
    assert_list(got->dns, want->dns);
    g_assert_cmpstr(got->banner, ==, want->banner);
    g_assert_cmpuint(got->refusal, ==, want->refusal);
    g_assert_cmpstr(got->refusal_text, ==, want->refusal_text);
}

/* Proves: a copy says the same, shares nothing, and replaces what was there. */
static void
test_copy(void)
{
    g_auto(KvNativeConfig) copy = {0};
    g_auto(KvNativeConfig) want = {0};
    KvNativeConfig config;

    fill(&config);
    fill(&want);
    fill(&copy);
    add_network(copy.routes, "10.9.0.0/16");
    kv_native_config_copy(&config, &copy);
    kv_native_config_clear(&config);
    assert_same(&copy, &want);
}

/* Proves: all that one end may say arrives at the other, and padding says nothing. */
static void
test_round_trip(void)
{
    g_auto(KvNativeConfig) config = {0};
    g_auto(KvNativeConfig) back = {0};
    g_auto(KvNativeConfig) nothing = {0};
    uint8_t buf[1200];
    KvRecordWriter writer;
    uint8_t bad;

    fill(&config);
    kv_record_writer_init(&writer, buf, sizeof buf);
    kv_native_config_write(&config, &writer);
    g_assert_cmpuint(writer.left_out, ==, 0);
    kv_record_pad(&writer, 1100);
    g_assert_cmpuint(writer.len, ==, 1100);
    kv_native_config_init(&back);
    g_assert_true(kv_native_config_read(&back, buf, writer.len, &bad));
    assert_same(&back, &config);

    kv_native_config_init(&nothing);
    kv_record_writer_init(&writer, buf, sizeof buf);
    kv_native_config_write(&nothing, &writer);
    g_assert_cmpuint(writer.len, ==, 0);
}

/* Proves: what has no room is left out whole and counted, and what each session needs comes first.
 */
static void
test_no_room(void)
{
    g_auto(KvNativeConfig) config = {0};
    uint8_t buf[1200];
    uint8_t bad;
    gboolean all = FALSE;

    fill(&config);
    for (size_t cap = 0; cap < sizeof buf; cap++) {
        g_auto(KvNativeConfig) back = {0};
        KvRecordWriter writer;

        kv_record_writer_init(&writer, buf, cap);
        kv_native_config_write(&config, &writer);
        g_assert_cmpuint(writer.len, <=, cap);
        kv_native_config_init(&back);
        g_assert_true(kv_native_config_read(&back, buf, writer.len, &bad));
        if (cap > 150)
            g_assert_cmpuint(back.said, ==, config.said);
        all = writer.left_out == 0;
    }
    g_assert_true(all);
}

/* Proves: padding reaches the length wanted but for what a head cannot fill, and never beyond. */
static void
test_padding(void)
{
    uint8_t buf[64];

    for (size_t want = 0; want < 80; want++) {
        KvRecordWriter writer;

        kv_record_writer_init(&writer, buf, sizeof buf);
        kv_record_put_u16(&writer, KV_RECORD_MTU, 1400);
        kv_record_pad(&writer, want);
        g_assert_cmpuint(writer.len, <=, MAX(5, MIN(want, sizeof buf)));
        g_assert_cmpuint(writer.len + KV_RECORD_HEAD_BYTES, >, MIN(want, sizeof buf));
    }
}

typedef struct {
    const char *what;
    const char *hex;
} Case;

static gboolean
read_hex(KvNativeConfig *config, const char *hex, uint8_t *bad)
{
    g_autoptr(GBytes) bytes = kv_test_unhex(hex);
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);

    return kv_native_config_read(config, data, len, bad);
}

/* Proves: whatever is not allowed is found, by its type. */
static void
test_bad(void)
{
    static const Case cases[] = {
        {"a head cut short", "030200780503"},
        {"a value cut short", "03020078"},
        {"client id of nothing", "010000"},
        {"client id with a slash", "01030061"
                                   "2f62"},
        {"client id with a zero", "01020061"
                                  "00"},
        {"mode 2", "02010002"},
        {"mode of nothing", "020000"},
        {"mode twice", "0201000002010000"},
        {"MTU of one byte", "03010044"},
        {"MTU of 67", "0302004300"},
        {"no cipher at all", "040000"},
        {"window 0", "05040000000000"},
        {"datagram of 1231", "060200cf04"},
        {"association of 15", "080f00000102030405060708090a0b0c0d0e"},
        {"IPv4 of 3", "0a03000a0000"},
        {"prefix 33", "0c05000a00000121"},
        {"prefix missing", "0c04000a000001"},
        {"IPv6 prefix 129", "1111000000000000000000000000000000000081"},
        {"gateway twice", "0e04000a0000010e04000a000002"},
        {"domain kind 2", "1403000261"
                          "62"},
        {"domain with two dots", "14050000612e2e62"},
        {"domain with a space", "1404000061"
                                "2062"},
        {"domain that ends with a dot", "1403000061"
                                        "2e"},
        {"domain of nothing", "14010000"},
        {"banner with ESC", "1502001b5b"},
        {"banner with a wrong byte", "150100ff"},
        {"banner with a zero", "1502006100"},
        {"refusal 0", "17010000"},
        {"refusal with a line end", "170300010a61"},
        {"number of 7", "18070000000000000000"},
        {"capabilities of 3", "1903000000"
                              "00"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(KvNativeConfig) config = {0};
        uint8_t bad = 0xee;

        kv_native_config_init(&config);
        g_test_message("%s", cases[i].what);
        g_assert_false(read_hex(&config, cases[i].hex, &bad));
        if (i > 1)
            g_assert_cmpuint(bad, ==,
                             (guint) g_ascii_xdigit_value(cases[i].hex[0]) * 16 +
                                 (guint) g_ascii_xdigit_value(cases[i].hex[1]));
    }
}

static gboolean
read_long(uint8_t type, uint8_t byte, guint16 len)
{
    g_auto(KvNativeConfig) config = {0};
    uint8_t buf[1024];
    KvRecordWriter writer;
    g_autofree uint8_t *value = g_malloc(len);
    uint8_t bad;

    memset(value, byte, len);
    value[0] = type == KV_RECORD_DOMAIN ? 0 : value[0];
    if (type == KV_RECORD_DOMAIN) {
        for (guint i = 64; i < len; i += 64)
            value[i] = '.';
    }
    kv_record_writer_init(&writer, buf, sizeof buf);
    kv_record_put(&writer, type, value, len);
    kv_native_config_init(&config);
    return kv_native_config_read(&config, buf, writer.len, &bad);
}

/* Proves: texts have the lengths of the document, to the byte. */
static void
test_lengths(void)
{
    static const struct {
        uint8_t type;
        guint16 max;
    } cases[] = {{KV_RECORD_CLIENT_ID, 64},
                 {KV_RECORD_BANNER, 512},
                 {KV_RECORD_REFUSED, 513},
                 {KV_RECORD_DOMAIN, 254}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_true(read_long(cases[i].type, 'a', cases[i].max));
        g_assert_false(read_long(cases[i].type, 'a', cases[i].max + 1));
    }
}

/* Proves: what this program does not know, and what is longer than it needs, is passed over. */
static void
test_future(void)
{
    g_auto(KvNativeConfig) config = {0};
    uint8_t bad;

    kv_native_config_init(&config);
    g_assert_true(read_hex(&config,
                           "c80200ffff" /* type 200 */
                           "0304007805ffff"
                           "04040009020201" /* cipher 9; 2 twice */
                           "0a05000a00000999"
                           "190400ffffffff",
                           &bad));
    g_assert_cmpuint(config.mtu, ==, 1400);
    g_assert_cmpuint(config.ciphers[0], ==, KV_AEAD_AES_256_GCM);
    g_assert_cmpuint(config.ciphers[1], ==, KV_AEAD_CHACHA20_POLY1305);
    g_assert_cmpuint(config.ciphers[2], ==, 0);
    g_assert_cmpuint(config.wants->len, ==, 1);
    g_assert_cmpuint(config.capabilities, ==, KV_CAPABILITY_PARITY);
}

/* Proves: later records replace those of their type, and lists of the other family stay. */
static void
test_replace(void)
{
    g_auto(KvNativeConfig) config = {0};
    const KvNetwork *dns;
    uint8_t bad;

    fill(&config);
    g_assert_true(read_hex(&config,
                           "0302007805"
                           "1204000a000035"
                           "1204000a000036"
                           "1405000162"
                           "2e63"
                           "64",
                           &bad));
    g_assert_cmpuint(config.mtu, ==, 1400);
    g_assert_cmpuint(config.window, ==, 4096);
    g_assert_cmpuint(config.dns->len, ==, 3);
    dns = &g_array_index(config.dns, KvNetwork, 0);
    g_assert_true(dns[0].is_ip6 && !dns[1].is_ip6 && !dns[2].is_ip6);
    g_assert_cmpuint(dns[2].ip[3], ==, 0x36);
    g_assert_cmpuint(config.domains->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(config.domains, 0), ==, "~b.cd");
}

/* Proves: a route is a network, whatever bits stand below its prefix. */
static void
test_route(void)
{
    g_auto(KvNativeConfig) config = {0};
    char text[KV_NETWORK_TEXT_BYTES];
    uint8_t bad;

    kv_native_config_init(&config);
    g_assert_true(read_hex(&config, "1005000a01020308", &bad));
    kv_network_to_string(&g_array_index(config.routes, KvNetwork, 0), text);
    g_assert_cmpstr(text, ==, "10.0.0.0/8");
}

static uint32_t
count(const KvNativeConfig *config)
{
    return config->wants->len + config->addresses->len + config->gateways->len +
           config->routes->len + config->dns->len + config->domains->len;
}

/* Proves: an empty list says that there is none, of its type alone, and also where nothing was
 * said; with others of its type it says nothing. */
static void
test_none(void)
{
    g_auto(KvNativeConfig) config = {0};
    uint8_t bad;

    fill(&config);
    g_assert_true(read_hex(&config, "1000000e0000", &bad));
    g_assert_cmpuint(config.routes->len, ==, 1);
    g_assert_true(g_array_index(config.routes, KvNetwork, 0).is_ip6);
    g_assert_cmpuint(config.gateways->len, ==, 1);
    g_assert_cmpuint(count(&config), ==, 11);
    g_assert_true(read_hex(&config, "0a00000b00000c00000d00000e00000f0000", &bad));
    g_assert_true(read_hex(&config, "100000110000120000130000140000", &bad));
    g_assert_cmpuint(count(&config), ==, 0);
    g_assert_true(read_hex(&config, "1000001005000a00000008", &bad));
    g_assert_cmpuint(config.routes->len, ==, 1);
    g_assert_true(read_hex(&config, "1005000b00000008100000", &bad));
    g_assert_cmpuint(config.routes->len, ==, 1);
}

/* Proves: what was said and is not any more is taken back, and nothing else is. */
static void
test_take_back(void)
{
    g_auto(KvNativeConfig) before = {0};
    g_auto(KvNativeConfig) now = {0};
    uint8_t buf[1200];
    KvRecordWriter writer;
    uint8_t bad;

    fill(&before);
    kv_native_config_init(&now);
    add_network(now.routes, "fd02::/64");
    add_network(now.dns, "10.0.0.54");
    kv_native_config_take_back(&now, &before);
    kv_record_writer_init(&writer, buf, sizeof buf);
    kv_native_config_write(&now, &writer);
    g_assert_true(kv_native_config_read(&before, buf, writer.len, &bad));
    g_assert_cmpuint(count(&before), ==, 2);
    g_assert_true(g_array_index(before.routes, KvNetwork, 0).is_ip6);
    g_assert_false(g_array_index(before.dns, KvNetwork, 0).is_ip6);
    g_assert_cmpstr(before.banner, !=, NULL);
    g_assert_cmpuint(before.mtu, ==, 1400);
}

/* Proves: whether all has room in a batch is known to the byte. */
static void
test_fits(void)
{
    g_auto(KvNativeConfig) config = {0};

    kv_native_config_init(&config);
    for (guint i = 0; i < KV_RECORDS_MAX / 8; i++)
        add_network(config.routes, "10.0.0.0/8");
    g_assert_true(kv_native_config_fits(&config));
    /* seven bytes are left: one value of four */
    add_network(config.dns, "10.0.0.1");
    g_assert_true(kv_native_config_fits(&config));
    add_network(config.dns, "10.0.0.1");
    g_assert_false(kv_native_config_fits(&config));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-config/round-trip", test_round_trip);
    g_test_add_func("/native-config/copy", test_copy);
    g_test_add_func("/native-config/no-room", test_no_room);
    g_test_add_func("/native-config/padding", test_padding);
    g_test_add_func("/native-config/bad", test_bad);
    g_test_add_func("/native-config/lengths", test_lengths);
    g_test_add_func("/native-config/future", test_future);
    g_test_add_func("/native-config/replace", test_replace);
    g_test_add_func("/native-config/route", test_route);
    g_test_add_func("/native-config/none", test_none);
    g_test_add_func("/native-config/take-back", test_take_back);
    g_test_add_func("/native-config/fits", test_fits);
    return kv_test_main(&argc, &argv);
}
