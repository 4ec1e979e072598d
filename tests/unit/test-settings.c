/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-peer-list.h"
#include "kv-settings.h"
#include "kv-test.h"

#include <string.h>

/* What each row must be, written down a second time and independently of the table. */
typedef struct {
    const char *key;
    const char *default_text; /* "": none */
    const char *side;         /* of "c", "s" and "p" */
    gboolean desktop;
    const char *good; /* separated by spaces; "+": one space */
    const char *bad;  /* likewise; "~": the empty text */
} RowCase;

#define KEY         "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEYS_PUBLIC "j0DFrbaPJWJK5bIU6nZ6bslNgp09e14a0bpvPiE4KF8="
#define BAD_KEYS                                                                                   \
    "~ short AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 "                                         \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9= AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=="

static const RowCase row_cases[] = {
    {"ip", "", "csp", TRUE,
     "0.0.0.0 :: [::1] fe80::1%eth0 [fe80::1%eth0] server1 a.example.org. _x-1.example 1a",
     "~ 256.1.1.1 1.2.3 [1.2.3.4] [::1 -a a- a..b a/b host:1 fe80::1%a/b ::1::2 . [] a.1"},
    {"port", "", "csp", TRUE, "1 65535 0x4d3", "~ 0 65536 -1 +1 1.5 08 1235x 0x 0x-1"},
    {"udp-mtu", "1350", "csp", TRUE, "78 1480 1500", "77 0 1501 99999999999999999999"},
    {"kcp-mode", "fast", "cs", TRUE, "normal fast fast2 fast3 manual", "~ Fast fast4 slow fast+"},
    {"nodelay", "0", "cs", TRUE, "0 1", "2 true"},
    {"interval", "50", "cs", TRUE, "1 10 60000", "0 60001"},
    {"resend", "0", "cs", TRUE, "0 2 255", "256 -1"},
    {"nc", "0", "cs", TRUE, "0 1", "2"},
    {"acknodelay", "false", "cs", TRUE, "true false 1 0 t f T F TRUE FALSE True False",
     "~ yes on 2 tRUE"},
    {"sndwnd", "1024", "csp", TRUE, "1 65535", "0 65536"},
    {"rcvwnd", "1024", "csp", TRUE, "2 65535", "1 65536"},
    {"datashard", "10", "csp", TRUE, "0 10 255", "256 -1"},
    {"parityshard", "3", "csp", TRUE, "0 3 255", "256 -1"},
    {"rapid-fec", "false", "csp", TRUE, "true false", "2"},
    {"dscp", "0", "csp", TRUE, "0 46 63 0x2e", "64 -1 046"},
    {"sockbuf", "4194304", "csp", TRUE, "2048 268435456", "2047 268435457"},
    {"smuxbuf", "4194304", "cs", TRUE, "65536 268435456", "65535 268435457"},
    {"keepalive", "10", "csp", TRUE, "1 30", "0 31"},
    {"tcp", "false", "cs", FALSE, "true false", "2"},
    {"client-id", "", "c", TRUE, "client1 A_z-9 abcdefghijklmnop",
     "~ abcdefghijklmnopq a/b a.b a+b \xc3\xa9"},
    {"auto-reconnect", "false", "c", TRUE, "true false", "2"},
    {"secret", "", "cs", TRUE, "x pre-shared-key +", "~ \x7f \xff"},
    {"secret-file", "", "cs", FALSE, "/run/secret relative", "~ a\nb \xff"},
    {"crypt", "auto", "csp", TRUE,
     "aes aes-128 aes-192 salsa20 blowfish twofish cast5 3des tea xtea xor sm4 none auto "
     "chacha20-poly1305 aes-256-gcm",
     "~ AES aes-256 rot13 native"},
    {"private-key", "", "csp", TRUE, KEY, BAD_KEYS},
    {"private-key-file", "", "csp", FALSE, "/run/key relative", "~ a\nb \xff"},
    {"public-key", "", "c", TRUE, KEY,
     BAD_KEYS " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
              "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    {"preshared-key", "", "c", TRUE, KEY, BAD_KEYS},
    {"local-ip", "", "csp", TRUE, "192.168.88.0 10.0.0.1", "~ 0.0.0.0 10.0.0 10.0.0.1/24 ::1 host"},
    {"local-ip6", "", "csp", TRUE, "2001:db8::1 fd00::1/64 fe80::1/128",
     "~ :: ::1 ff02::1 10.0.0.1 2001:db8::1/0 2001:db8::1/129 fe80::1%eth0 [fd00::1] host"},
    {"netmask", "", "csp", TRUE, "255.255.255.0 255.255.255.255 128.0.0.0",
     "0.0.0.0 255.0.255.0 24 0.255.255.255"},
    {"vni-mtu", "1500", "csp", TRUE, "0 68 9000 65521", "1 67 65522"},
    {"full-frame-mtu", "0", "s", FALSE, "0 1 65535", "65536"},
    {"vni-name-prefix", "kvs", "s", FALSE, "k abcdefghijklmn",
     "~ abcdefghijklmno a/b . .. a+b a%d a:b"},
    {"vni-mode", "", "sp", FALSE, "tun tap", "~ TUN bridge"},
    {"assignable-ips", "", "s", FALSE,
     "192.168.88.0/24 10.0.0.0/0 10.0.0.0/32 10.0.0.0/255.255.0.0 10.0.0.2-10.0.0.254 "
     "1.1.1.1-1.1.1.1",
     "10.0.0.0 10.0.0.0/33 10.0.0.0/255.0.255.0 10.0.0.9-10.0.0.2 10.0.0.0/ /24 10.0.0.0/24/24 "
     "10.0.0.1-9 10.0.0.0/-1 a-b 0.0.0.0-0.0.0.0 0.0.0.0/32 0.0.0.0/255.255.255.255"},
    {"assignable-ips6", "", "s", FALSE,
     "2001:db8::/64 fd00::5-fd00::ffff fd00::1-fd00::1 fd00::1/128",
     "~ fd00::1 fd00::/129 fd00::9-fd00::5 10.0.0.0/8 10.0.0.1-10.0.0.9 fd00::1/64-fd00::2 "
     "fd00::-ff02::1 ff00::/8 ::/0 fd00::-"},
    {"routes", "", "s", FALSE, "10.0.0.0/8 10.0.0.0/8,2001:db8::/32,192.168.1.7 0.0.0.0/0,::/0 ::1",
     "~ 10.0.0.1/8 10.0.0.0/33 10.0.0.0/8,,::/0 a 10.0.0.0/255.0.0.0 2001:db8::1/64"},
    {"dns", "", "s", FALSE, "10.0.0.1 10.0.0.1,2001:db8::53",
     "~ 10.0.0.0/8 0.0.0.0 127.0.0.1 224.0.0.1 :: ::1 ff02::fb host 10.0.0.1;10.0.0.2"},
    {"dns-search", "", "s", FALSE, "example.org corp,~lab.example,~. .",
     "~ ~ ~~a a..b a. -a.b a_b,c/d example.org,"},
    {"client-to-client", "false", "s", FALSE, "true false", "2"},
    {"bridge", "", "csp", FALSE, "br0 abcdefghijklmno", "~ abcdefghijklmnop a/b a+b .. br\xc3\xbc"},
    {"vni-name", "kvc0", "cp", TRUE, "kvc_c1 tun-a", "~ abcdefghijklmnop a/b kvc%d"},
    {"persistent-vni", "false", "cp", FALSE, "true false", "2"},
    {"no-ip-configuration", "false", "c", TRUE, "true false", "2"},
    {"hook-dir", "", "s", FALSE, "/kcpvpn-hooks hooks", "~ a\tb"},
    {"on-connected-hook", "", "c", FALSE, "/bin/true", "~ \x01"},
    {"name", "", "csp", TRUE, "home B\xc3\xbcro", "~ a/b .hidden"},
    {"role", "", "csp", TRUE, "", "~ both"},
    {"workers", "0", "s", FALSE, "0 16", "17"},
    {"autostart", "false", "csp", FALSE, "true false", "2"},
    {"users", "", "csp", FALSE, "alice alice,bob A,b.o-b_9$", "~ a,,b a, , -a a+b a;b a:b"},
    {"up", "", "csp", FALSE, "/bin/true nft+add+rule+%i* a+%%i+'b++c'+100%%",
     "~ + a' a+%x a+% ''+a #a a\tb"},
    {"down", "", "csp", FALSE, "x+%i", "~ x+%d"},
};

static const KvRole roles[] = {KV_ROLE_CLIENT, KV_ROLE_SERVER, KV_ROLE_PEER};

static const KvSetting *
find(const char *key)
{
    const KvSetting *row = kv_setting_find(key);

    if (row == NULL)
        g_error("no row for %s", key);
    return row;
}

static KvRole
role_of(const KvSetting *row)
{
    return (row->side & KV_SIDE_CLIENT) != 0 ? KV_ROLE_CLIENT : KV_ROLE_SERVER;
}

static char *
decode(char *word)
{
    if (strcmp(word, "~") == 0)
        word[0] = '\0';
    return g_strdelimit(word, "+", ' ');
}

/* Proves: keys, sides, defaults and the desktop mark are the documented ones, row by row. */
static void
test_rows(void)
{
    g_assert_cmpuint(G_N_ELEMENTS(row_cases), ==, KV_N_SETTINGS);
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const RowCase *c = &row_cases[i];
        const KvSetting *row = kv_setting_get(i);
        g_autofree char *side = g_strconcat((row->side & KV_SIDE_CLIENT) != 0 ? "c" : "",
                                            (row->side & KV_SIDE_SERVER) != 0 ? "s" : "",
                                            (row->side & KV_SIDE_PEER) != 0 ? "p" : "", NULL);

        g_assert_cmpuint(row->id, ==, i);
        g_assert_cmpstr(row->key, ==, c->key);
        g_assert_cmpstr(row->default_text != NULL ? row->default_text : "", ==, c->default_text);
        g_assert_cmpstr(side, ==, c->side);
        g_assert_cmpint((row->flags & KV_SETTING_FLAG_DESKTOP) != 0, ==, c->desktop);
        g_assert_nonnull(row->group);
        g_assert_true(row->description != NULL && !g_str_has_suffix(row->description, "."));
        g_assert_true((row->value_name == NULL) == (row->type == KV_SETTING_TYPE_BOOLEAN));
        g_assert_true((row->choices != NULL) == (row->type == KV_SETTING_TYPE_CHOICE));
        g_assert_true(row->check == NULL || row->allowed != NULL);
    }
}

/* Proves: keys and aliases are unique and found, the manual flags alone are hidden, and what only
 * one protocol has a use for says so. */
static void
test_find(void)
{
    static const char *const hidden[] = {"nodelay", "interval", "resend", "nc", "acknodelay", NULL};
    static const char *const no_argv[] = {"name", "role", "autostart", "users", NULL};
    static const char *const v1[] = {"kcp-mode",   "nodelay", "interval",       "resend", "nc",
                                     "acknodelay", "smuxbuf", "full-frame-mtu", NULL};
    static const char *const native[] = {"local-ip6",  "assignable-ips6",  "routes", "dns",
                                         "dns-search", "client-to-client", NULL};

    g_assert_true(find("ds") == kv_setting_get(KV_SETTING_DATASHARD));
    g_assert_true(find("ps") == kv_setting_get(KV_SETTING_PARITYSHARD));
    g_assert_null(kv_setting_find("no-such-key"));
    g_assert_null(kv_setting_find(""));
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        g_assert_true(find(row->key) == row);
        g_assert_cmpint((row->flags & KV_SETTING_FLAG_HIDDEN) != 0, ==,
                        g_strv_contains(hidden, row->key));
        g_assert_cmpint((row->flags & KV_SETTING_FLAG_NO_ARGV) != 0, ==,
                        g_strv_contains(no_argv, row->key));
        g_assert_cmpint((row->flags & KV_SETTING_FLAG_V1) != 0, ==, g_strv_contains(v1, row->key));
        g_assert_cmpint((row->flags & KV_SETTING_FLAG_NATIVE) != 0, ==,
                        g_strv_contains(native, row->key));
    }
}

/* Proves: blanks around a list's items are no part of them. */
static void
test_list(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);

    g_assert_true(kv_settings_set_text(settings, KV_SETTING_USERS, " alice , bob", NULL));
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_USERS), ==, "alice,bob");
}

static void
check_good(const KvSetting *row, char *text)
{
    g_autoptr(KvSettings) settings = kv_settings_new(role_of(row));
    g_autoptr(GError) error = NULL;
    g_autofree char *shown = NULL;

    if (!kv_settings_set_text(settings, row->id, decode(text), &error))
        g_error("%s", error->message);
    g_assert_true(kv_settings_is_set(settings, row->id));
    shown = kv_settings_to_text(settings, row->id);
    if (row->type == KV_SETTING_TYPE_SECRET)
        g_assert_cmpstr(shown, ==, "(set)");
    else if (row->type == KV_SETTING_TYPE_STRING && text[0] != '[')
        g_assert_cmpstr(shown, ==, text);
    kv_settings_unset(settings, row->id);
    g_assert_false(kv_settings_is_set(settings, row->id));
}

static void
check_bad(const KvSetting *row, char *text)
{
    g_autoptr(KvSettings) settings = kv_settings_new(role_of(row));
    g_autoptr(KvSettings) fresh = kv_settings_new(role_of(row));
    g_autofree char *allowed = kv_setting_format_allowed(row);
    g_autoptr(GError) error = NULL;

    if (kv_settings_set_text(settings, row->id, decode(text), &error))
        g_error("%s takes \"%s\"", row->key, text);
    g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
    g_assert_true(g_str_has_prefix(error->message, row->key));
    g_assert_true(g_str_has_suffix(error->message, allowed));
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    for (const char *c = error->message; *c != '\0'; c++)
        g_assert_true((guchar) *c >= 0x20 && *c != 0x7f);
    g_assert_true(kv_settings_equal(settings, fresh));
}

/* Proves: each row takes what it should and refuses the rest, naming key and what is allowed. */
static void
test_values(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(row_cases); i++) {
        const KvSetting *row = find(row_cases[i].key);
        g_auto(GStrv) good = g_strsplit(row_cases[i].good, " ", 0);
        g_auto(GStrv) bad = g_strsplit(row_cases[i].bad, " ", 0);

        for (guint n = 0; good[n] != NULL; n++)
            check_good(row, good[n]);
        for (guint n = 0; bad[n] != NULL; n++)
            check_bad(row, bad[n]);
    }
}

/* Proves: no text, secrets included, takes any control character, too many bytes or bad UTF-8. */
static void
test_text_is_clean(void)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        g_autoptr(KvSettings) settings = kv_settings_new(role_of(row));
        g_autofree char *too_long = NULL;

        if (row->type != KV_SETTING_TYPE_STRING && row->type != KV_SETTING_TYPE_SECRET)
            continue;
        for (int c = 1; c < 0x80; c = c == 0x1f ? 0x7f : c + 1) {
            char text[] = {'1', (char) c, '1', '\0'};

            g_assert_false(kv_settings_set_text(settings, row->id, text, NULL));
        }
        g_assert_false(kv_settings_set_text(settings, row->id, "a\xc3(", NULL));
        too_long = g_strnfill(row->max + 1, 'a');
        g_assert_false(kv_settings_set_text(settings, row->id, too_long, NULL));
    }
}

/* Proves: messages read as meant, and none repeats a secret. */
static void
test_messages(void)
{
    static const struct {
        KvRole role;
        KvSettingId id;
        const char *text;
        const char *message;
    } cases[] = {
        {KV_ROLE_CLIENT, KV_SETTING_UDP_MTU, "9000",
         "udp-mtu: \"9000\" is not allowed; allowed: a whole number from 78 to 1500"},
        {KV_ROLE_CLIENT, KV_SETTING_KCP_MODE, "slow",
         "kcp-mode: \"slow\" is not allowed; allowed: one of normal, fast, fast2, fast3, manual"},
        {KV_ROLE_CLIENT, KV_SETTING_TCP, "maybe",
         "tcp: \"maybe\" is not allowed; allowed: true or false"},
        {KV_ROLE_CLIENT, KV_SETTING_SECRET, "tell\nnobody",
         "secret: this value is not allowed; allowed: 1 to 4096 bytes of UTF-8 text without "
         "control characters"},
        {KV_ROLE_CLIENT, KV_SETTING_SECRET_FILE, "",
         "secret-file: \"\" is not allowed; allowed: 1 to 4095 bytes without control characters"},
        {KV_ROLE_CLIENT, KV_SETTING_CLIENT_ID, "a\n\x1b[31m",
         "client-id: \"a\\x0a\\x1b[31m\" is not allowed; allowed: 1 to 16 characters of A-Z, a-z, "
         "0-9, _ and -"},
        {KV_ROLE_CLIENT, KV_SETTING_HOOK_DIR, "/x",
         "hook-dir: only a server has this setting, this is a client"},
        {KV_ROLE_SERVER, KV_SETTING_CLIENT_ID, "x",
         "client-id: only a client has this setting, this is a server"},
        {KV_ROLE_PEER, KV_SETTING_SECRET, "x", "secret: a peer does not have this setting"},
        {KV_ROLE_CLIENT, KV_SETTING_ROLE, "server",
         "role: these are settings of a server, a client was asked for"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(cases[i].role);
        g_autoptr(GError) error = NULL;

        g_assert_false(kv_settings_set_text(settings, cases[i].id, cases[i].text, &error));
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

/* Proves: a wrong value of any length gives a message of bounded length. */
static void
test_long_value_is_cut(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autofree char *text = g_strnfill(100000, 'x');
    g_autoptr(GError) error = NULL;

    g_assert_false(kv_settings_set_text(settings, KV_SETTING_PORT, text, &error));
    g_assert_cmpuint(strlen(error->message), <, 300);
}

/* Proves: the typed getters give what the text said, and defaults otherwise. */
static void
test_getters(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_SERVER);
    const KvSecret *secret;

    g_assert_cmpint(kv_settings_get_role(settings), ==, KV_ROLE_SERVER);
    g_assert_cmpuint(kv_settings_get_uint(settings, KV_SETTING_UDP_MTU), ==, 1350);
    g_assert_cmpuint(kv_settings_get_uint(settings, KV_SETTING_SOCKBUF), ==, 4194304);
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_KCP_MODE), ==, "fast");
    g_assert_cmpuint(kv_settings_get_choice(settings, KV_SETTING_KCP_MODE), ==, 1);
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_CRYPT), ==, "auto");
    g_assert_null(kv_settings_get_string(settings, KV_SETTING_LOCAL_IP));
    g_assert_null(kv_settings_get_secret(settings, KV_SETTING_SECRET));
    g_assert_false(kv_settings_get_boolean(settings, KV_SETTING_RAPID_FEC));

    g_assert_true(kv_settings_set_text(settings, KV_SETTING_DSCP, "0x2e", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_IP, "[2001:db8::1]", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_CRYPT, "none", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_VNI_MODE, "tap", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_RAPID_FEC, "T", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_SECRET, "abc", NULL));
    g_assert_cmpuint(kv_settings_get_uint(settings, KV_SETTING_DSCP), ==, 46);
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_IP), ==, "2001:db8::1");
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_CRYPT), ==, "none");
    g_assert_cmpuint(kv_settings_get_choice(settings, KV_SETTING_VNI_MODE), ==, KV_VNI_MODE_TAP);
    g_assert_true(kv_settings_get_boolean(settings, KV_SETTING_RAPID_FEC));
    secret = kv_settings_get_secret(settings, KV_SETTING_SECRET);
    kv_test_assert_bytes(kv_secret_get_data(secret), kv_secret_get_length(secret), "abc", 3,
                         "secret");
}

/* Proves: the native protocol is the default of each role; the words of "crypt" are told apart by
 * their protocol, and the native ones by the ciphers that they allow. */
static void
test_protocol(void)
{
    static const struct {
        const char *crypt;
        gboolean chacha20, aes;
    } native[] = {
        {"auto", TRUE, TRUE}, {"chacha20-poly1305", TRUE, FALSE}, {"aes-256-gcm", FALSE, TRUE}};
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_SERVER);

    for (guint i = 0; i < G_N_ELEMENTS(roles); i++) {
        g_autoptr(KvSettings) fresh = kv_settings_new(roles[i]);

        g_assert_cmpint(kv_settings_get_protocol(fresh), ==, KV_PROTOCOL_NATIVE);
        g_assert_true(kv_settings_allows_aead(fresh, KV_AEAD_CHACHA20_POLY1305));
        g_assert_true(kv_settings_allows_aead(fresh, KV_AEAD_AES_256_GCM));
    }
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_CRYPT, "aes", NULL));
    g_assert_cmpint(kv_settings_get_protocol(settings), ==, KV_PROTOCOL_V1);
    g_assert_cmpint(kv_settings_get_v1_cipher(settings), ==, KV_CIPHER_AES);
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_CRYPT, "none", NULL));
    g_assert_cmpint(kv_settings_get_protocol(settings), ==, KV_PROTOCOL_V1);
    g_assert_cmpint(kv_settings_get_v1_cipher(settings), ==, KV_CIPHER_NONE);
    g_assert_true(kv_settings_allows_aead(settings, KV_AEAD_CHACHA20_POLY1305));
    g_assert_true(kv_settings_allows_aead(settings, KV_AEAD_AES_256_GCM));
    for (guint i = 0; i < G_N_ELEMENTS(native); i++) {
        g_assert_true(kv_settings_set_text(settings, KV_SETTING_CRYPT, native[i].crypt, NULL));
        g_assert_cmpint(kv_settings_get_protocol(settings), ==, KV_PROTOCOL_NATIVE);
        g_assert_cmpint(kv_settings_allows_aead(settings, KV_AEAD_CHACHA20_POLY1305), ==,
                        native[i].chacha20);
        g_assert_cmpint(kv_settings_allows_aead(settings, KV_AEAD_AES_256_GCM), ==, native[i].aes);
    }
}

/* Proves: keys come out as the bytes that their text stands for, secret ones and public ones. */
static void
test_keys(void)
{
    static const KvSettingId ids[] = {KV_SETTING_PRIVATE_KEY, KV_SETTING_PUBLIC_KEY,
                                      KV_SETTING_PRESHARED_KEY};
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    uint8_t want[KV_KEY_BYTES];

    for (guint i = 0; i < KV_KEY_BYTES; i++)
        want[i] = (uint8_t) i;
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        uint8_t key[KV_KEY_BYTES] = {0};

        g_assert_false(kv_settings_get_key(settings, ids[i], key));
        g_assert_true(kv_settings_set_text(settings, ids[i], KEY, NULL));
        g_assert_true(kv_settings_get_key(settings, ids[i], key));
        kv_test_assert_bytes(key, sizeof key, want, sizeof want, "the key");
    }
}

/* Proves: each setting that names a program says so, none of them is for the desktop, and one that
 * was given is noticed. */
static void
test_programs(void)
{
    static const char *const programs[] = {"hook-dir", "on-connected-hook", "up", "down", NULL};

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        gboolean runs = (row->flags & KV_SETTING_FLAG_PROGRAM) != 0;
        g_autoptr(KvSettings) settings = kv_settings_new(role_of(row));

        g_assert_cmpint(runs, ==, g_strv_contains(programs, row->key));
        g_assert_false(runs && (row->flags & KV_SETTING_FLAG_DESKTOP) != 0);
        g_assert_false(kv_settings_runs_programs(settings));
        if (runs || (row->type == KV_SETTING_TYPE_STRING && row->check == NULL)) {
            g_assert_true(kv_settings_set_text(settings, row->id, "/x", NULL));
            g_assert_cmpint(kv_settings_runs_programs(settings), ==, runs);
        }
    }
}

/* Proves: the effective settings list defaults and hide the secret; what the other protocol alone
 * has a use for, the values that kcp-mode manual takes, and those of saved tunnels, are listed only
 * where they count. */
static void
test_effective(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autofree char *text = NULL;
    g_autofree char *v1 = NULL;
    g_autofree char *manual = NULL;

    g_assert_true(kv_settings_set_text(settings, KV_SETTING_SECRET, "hush-hush", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_IP, "server1", NULL));
    text = kv_settings_format_effective(settings);
    g_assert_nonnull(strstr(text, "secret = (set)\n"));
    g_assert_nonnull(strstr(text, "ip = server1\n"));
    g_assert_nonnull(strstr(text, "vni-name = kvc0\n"));
    g_assert_null(strstr(text, "hush"));
    g_assert_null(strstr(text, "vni-name-prefix"));
    g_assert_null(strstr(text, "local-ip"));
    g_assert_null(strstr(text, "interval ="));
    g_assert_null(strstr(text, "autostart"));
    g_assert_nonnull(strstr(text, "crypt = auto\n"));
    g_assert_nonnull(strstr(text, "udp-mtu = 1472\n"));
    g_assert_nonnull(strstr(text, "keepalive = none\n"));
    g_assert_null(strstr(text, "kcp-mode"));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_LOCAL_IP6, "fd00::1", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_CRYPT, "sm4", NULL));
    v1 = kv_settings_format_effective(settings);
    g_assert_nonnull(strstr(v1, "udp-mtu = 1350\nkcp-mode = fast\nacknodelay = false\n"));
    g_assert_nonnull(strstr(v1, "keepalive = 10\n"));
    g_assert_null(strstr(v1, "local-ip6"));
    g_assert_null(strstr(v1, "interval ="));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_KCP_MODE, "manual", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_AUTOSTART, "true", NULL));
    manual = kv_settings_format_effective(settings);
    g_assert_nonnull(strstr(manual, "nodelay = 0\ninterval = 50\nresend = 0\nnc = 0\n"));
    g_assert_nonnull(strstr(manual, "autostart = true\n"));
}

/* Proves: copies are equal and independent, and equality sees role, value and secret. */
static void
test_copy_and_equal(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(roles); i++) {
        g_autoptr(KvSettings) a = kv_settings_new(roles[i]);
        g_autoptr(KvSettings) other = kv_settings_new(roles[(i + 1) % G_N_ELEMENTS(roles)]);
        KvSettingId secret = roles[i] == KV_ROLE_PEER ? KV_SETTING_PRIVATE_KEY : KV_SETTING_SECRET;
        const char *first = "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE=";
        g_autoptr(KvSettings) b = NULL;

        g_assert_true(kv_settings_set_text(a, secret, first, NULL));
        g_assert_true(kv_settings_set_text(a, KV_SETTING_PORT, "1", NULL));
        b = kv_settings_copy(a);
        g_assert_true(kv_settings_equal(a, b));
        g_assert_true(kv_settings_set_text(b, secret, KEY, NULL));
        g_assert_false(kv_settings_equal(a, b));
        kv_settings_unset(b, secret);
        g_assert_false(kv_settings_equal(a, b));
        g_assert_true(kv_settings_set_text(b, secret, first, NULL));
        g_assert_true(kv_settings_equal(a, b));
        g_assert_true(kv_settings_set_text(b, KV_SETTING_PORT, "2", NULL));
        g_assert_false(kv_settings_equal(a, b));
        g_assert_false(kv_settings_equal(a, other));
    }
}

/* Proves: merging takes what was given, keeps the rest, and lets one secret replace another. */
static void
test_merge(void)
{
    g_autoptr(KvSettings) base = kv_settings_new(KV_ROLE_CLIENT);
    g_autoptr(KvSettings) over = kv_settings_new(KV_ROLE_CLIENT);

    g_assert_true(kv_settings_set_text(base, KV_SETTING_PORT, "1", NULL));
    g_assert_true(kv_settings_set_text(base, KV_SETTING_DSCP, "46", NULL));
    g_assert_true(kv_settings_set_text(base, KV_SETTING_SECRET_FILE, "/x", NULL));
    g_assert_true(kv_settings_set_text(over, KV_SETTING_PORT, "2", NULL));
    kv_settings_merge(base, over);
    g_assert_cmpuint(kv_settings_get_uint(base, KV_SETTING_PORT), ==, 2);
    g_assert_cmpuint(kv_settings_get_uint(base, KV_SETTING_DSCP), ==, 46);
    g_assert_true(kv_settings_is_set(base, KV_SETTING_SECRET_FILE));
    g_assert_true(kv_settings_set_text(over, KV_SETTING_SECRET, "s", NULL));
    kv_settings_merge(base, over);
    g_assert_true(kv_settings_is_set(base, KV_SETTING_SECRET));
    g_assert_false(kv_settings_is_set(base, KV_SETTING_SECRET_FILE));
}

#define NO_PEER                                                                                    \
    "peer: required with private-key, but none was given; allowed: a group [peer NAME] for each"

/* "key=value key=value" on top of a valid minimum; @message: NULL: valid. */
static const struct {
    KvRole role;
    const char *text;
    const char *message;
} validate_cases[] = {
    {KV_ROLE_CLIENT, "", NULL},
    {KV_ROLE_SERVER, "", NULL},
    {KV_ROLE_CLIENT, "-ip",
     "ip: required, but not given; allowed: an IPv4 address, an IPv6 address with or without "
     "brackets, or a host name"},
    {KV_ROLE_CLIENT, "-port",
     "port: required, but not given; allowed: a whole number from 1 to 65535"},
    {KV_ROLE_CLIENT, "-secret",
     "secret: required, but not given; allowed: secret, secret-file or the environment variable "
     "KCPVPN_KEY"},
    {KV_ROLE_CLIENT, "secret-file=/x",
     "secret and secret-file: both were given; only one of them is allowed"},
    {KV_ROLE_SERVER, "-vni-mode", "vni-mode: required, but not given; allowed: one of tun, tap"},
    {KV_ROLE_CLIENT, "crypt=aes datashard=250 parityshard=6", NULL},
    {KV_ROLE_CLIENT, "crypt=aes datashard=250 parityshard=7",
     "datashard and parityshard: 250 and 7 make 257; allowed: at most 256 together"},
    {KV_ROLE_CLIENT, "crypt=aes datashard=0 parityshard=255", NULL},
    {KV_ROLE_CLIENT, "vni-mtu=0", NULL},
    {KV_ROLE_CLIENT, "vni-mtu=65521", NULL},
    {KV_ROLE_SERVER, "vni-mtu=0",
     "vni-mtu: \"0\" is not allowed for a server; allowed: 68 to 65513"},
    {KV_ROLE_SERVER, "vni-mtu=65513", NULL},
    {KV_ROLE_SERVER, "vni-mtu=65514",
     "vni-mtu: \"65514\" is not allowed for a server; allowed: 68 to 65513"},
    {KV_ROLE_SERVER, "full-frame-mtu=1522", NULL},
    {KV_ROLE_SERVER, "full-frame-mtu=1521",
     "full-frame-mtu: \"1521\" is too small for vni-mtu 1500; allowed: 0 or at least 1522"},
    {KV_ROLE_SERVER, "netmask=255.0.0.0 bridge=br0", NULL},
    {KV_ROLE_CLIENT, "netmask=255.0.0.0 bridge=br0", NULL},
    {KV_ROLE_SERVER, "local-ip=10.0.0.1", NULL},
    {KV_ROLE_SERVER, "vni-mode=tap", NULL},
    {KV_ROLE_SERVER, "vni-mode=tap bridge=br0", NULL},
    {KV_ROLE_SERVER, "vni-mode=tap local-ip=10.0.0.1",
     "netmask: required with vni-mode tap and local-ip"},
    {KV_ROLE_SERVER, "vni-mode=tap assignable-ips=10.0.0.0/24",
     "netmask: required with vni-mode tap and assignable-ips"},
    {KV_ROLE_SERVER, "vni-mode=tap assignable-ips=10.0.0.0/24 netmask=255.255.255.0", NULL},
    {KV_ROLE_CLIENT, "", NULL},
    {KV_ROLE_CLIENT, "crypt=auto", NULL},
    {KV_ROLE_CLIENT, "crypt=aes", NULL},
    {KV_ROLE_CLIENT, "crypt=auto -secret",
     "secret: required, but not given; allowed: secret, secret-file or the environment variable "
     "KCPVPN_KEY"},
    {KV_ROLE_CLIENT, "crypt=aes-256-gcm -secret private-key=" KEY " public-key=" KEY, NULL},
    {KV_ROLE_CLIENT, "crypt=auto -secret private-key=" KEY " public-key=" KEY " preshared-key=" KEY,
     NULL},
    {KV_ROLE_CLIENT, "crypt=auto private-key=" KEY,
     "public-key: required with private-key, but not given"},
    {KV_ROLE_CLIENT, "crypt=auto preshared-key=" KEY,
     "public-key: required with preshared-key, but not given"},
    {KV_ROLE_CLIENT, "crypt=auto public-key=" KEY,
     "private-key: required, but not given; allowed: a key of 32 bytes in base64, 44 characters, "
     "as kcpvpn genkey, pubkey and genpsk write them"},
    {KV_ROLE_CLIENT, "crypt=auto -secret private-key=" KEY " public-key=" KEYS_PUBLIC,
     "public-key: belongs to this end's own private-key; allowed: the other end's"},
    {KV_ROLE_CLIENT, "crypt=aes private-key=" KEY " public-key=" KEY,
     "private-key: protocol v1 has no keys, and crypt aes is one of its ciphers; allowed: with "
     "crypt auto, chacha20-poly1305 or aes-256-gcm"},
    {KV_ROLE_CLIENT, "crypt=none preshared-key=" KEY,
     "preshared-key: protocol v1 has no keys, and crypt none is one of its ciphers; allowed: with "
     "crypt auto, chacha20-poly1305 or aes-256-gcm"},
    {KV_ROLE_SERVER, "crypt=auto -secret private-key=" KEY " peer", NULL},
    {KV_ROLE_SERVER, "crypt=aes private-key=" KEY " peer", NULL},
    {KV_ROLE_SERVER, "crypt=auto private-key=" KEY, NO_PEER},
    {KV_ROLE_SERVER, "crypt=auto peer",
     "private-key: required, but not given; allowed: a key of 32 bytes in base64, 44 characters, "
     "as kcpvpn genkey, pubkey and genpsk write them"},
    {KV_ROLE_PEER, "private-key=" KEY " peer", NULL},
    {KV_ROLE_PEER, "-ip -port private-key=" KEY " peer", NULL},
    {KV_ROLE_PEER, "private-key=" KEY, NO_PEER},
    {KV_ROLE_PEER, "peer",
     "private-key: required, but not given; allowed: a key of 32 bytes in base64, 44 characters, "
     "as kcpvpn genkey, pubkey and genpsk write them"},
    {KV_ROLE_PEER, "crypt=none private-key=" KEY " peer",
     "crypt: \"none\" is not allowed for a peer; allowed: auto, chacha20-poly1305 or aes-256-gcm"},
    {KV_ROLE_PEER, "vni-mtu=0", "vni-mtu: \"0\" is not allowed for a peer; allowed: 68 to 65513"},
    {KV_ROLE_PEER, "ip=vpn.example private-key=" KEY " peer",
     "ip: \"vpn.example\" is not allowed for a peer; allowed: an IPv4 or IPv6 address"},
    {KV_ROLE_PEER, "ip=[fd00::7] private-key=" KEY " peer", NULL},
    {KV_ROLE_PEER, "vni-mode=tap local-ip=10.0.0.1",
     "netmask: required with vni-mode tap and local-ip"},
    {KV_ROLE_SERVER, "-secret private-key=" KEY " peer", NULL},
    {KV_ROLE_SERVER, "crypt=aes -secret private-key=" KEY " peer",
     "secret: required, but not given; allowed: secret, secret-file or the environment variable "
     "KCPVPN_KEY"},
    {KV_ROLE_CLIENT, "crypt=auto private-key=" KEY " private-key-file=/x public-key=" KEY,
     "private-key and private-key-file: both were given; only one of them is allowed"},
    {KV_ROLE_CLIENT, "crypt=aes private-key-file=/x public-key=" KEY,
     "private-key-file: protocol v1 has no keys, and crypt aes is one of its ciphers; allowed: "
     "with crypt auto, chacha20-poly1305 or aes-256-gcm"},
    {KV_ROLE_CLIENT, "crypt=auto datashard=128 parityshard=64", NULL},
    {KV_ROLE_CLIENT, "crypt=auto datashard=129 parityshard=64",
     "datashard and parityshard: 129 and 64 make 193; allowed: at most 192 together"},
    {KV_ROLE_CLIENT, "crypt=auto parityshard=65",
     "parityshard: \"65\" is not allowed with crypt auto; allowed: a whole number from 0 to 64"},
    {KV_ROLE_SERVER, "crypt=auto udp-mtu=1232", NULL},
    {KV_ROLE_SERVER, "crypt=auto udp-mtu=1231",
     "udp-mtu: \"1231\" is not allowed with crypt auto; allowed: a whole number from 1232 to 1500"},
    {KV_ROLE_SERVER, "local-ip6=2001:db8::1/64", NULL},
    {KV_ROLE_CLIENT, "crypt=auto local-ip6=2001:db8::1", NULL},
    {KV_ROLE_CLIENT, "crypt=auto local-ip6=2001:db8::1/64",
     "local-ip6: \"2001:db8::1/64\" is not allowed on a client; allowed: an address without a "
     "prefix"},
};

/* @routes: (nullable) */
static void
add_peer(KvSettings *settings, const char *routes)
{
    KvPeerList *peers = kv_peer_list_new();
    KvPeerSettings *peer = kv_peer_settings_new(kv_settings_get_role(settings), "one", NULL);

    g_assert_true(kv_peer_settings_set_text(peer, KV_PEER_SETTING_PUBLIC_KEY, KEY, NULL));
    if (routes != NULL)
        g_assert_true(kv_peer_settings_set_text(peer, KV_PEER_SETTING_ROUTES, routes, NULL));
    g_assert_true(kv_peer_list_add(peers, peer, NULL));
    kv_settings_set_peers(settings, peers);
}

static void
apply(KvSettings *settings, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 0);

    for (guint i = 0; words[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(words[i], "=", 2);

        if (strcmp(pair[0], "peer") == 0)
            add_peer(settings, pair[1]);
        else if (words[i][0] == '-')
            kv_settings_unset(settings, find(words[i] + 1)->id);
        else
            g_assert_true(kv_settings_set_text(settings, find(pair[0])->id, pair[1], NULL));
    }
}

/* Proves: required keys and values that must go together are checked, with all keys named. */
static void
test_validate(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(validate_cases); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(validate_cases[i].role);
        g_autoptr(GError) error = NULL;
        gboolean ok;

        apply(settings, validate_cases[i].role == KV_ROLE_PEER ? "ip=10.1.2.3 port=1235"
                                                               : "ip=server1 port=1235 secret=s");
        if (validate_cases[i].role == KV_ROLE_SERVER)
            apply(settings, "vni-mode=tun");
        apply(settings, validate_cases[i].text);
        ok = kv_settings_validate(settings, &error);
        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, validate_cases[i].message);
        g_assert_cmpint(ok, ==, error == NULL);
        if (error != NULL)
            g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
    }
}

/* Proves: what is of no use beside the other settings is told of, and nothing else is. */
static void
test_warnings(void)
{
    static const struct {
        KvRole role;
        const char *text;
        const char *warnings;
    } warning_cases[] = {
        {KV_ROLE_SERVER, "vni-mode=tun netmask=255.0.0.0 bridge=br0",
         "bridge: of no use with vni-mode tun, only with tap"},
        {KV_ROLE_SERVER, "crypt=aes vni-mode=tun netmask=255.0.0.0 bridge=br0",
         "netmask: of no use with vni-mode tun, only with tap\n"
         "bridge: of no use with vni-mode tun, only with tap"},
        {KV_ROLE_SERVER, "vni-mode=tap netmask=255.0.0.0 bridge=br0", ""},
        {KV_ROLE_CLIENT, "netmask=255.0.0.0 bridge=br0", ""},
        {KV_ROLE_CLIENT, "kcp-mode=fast3 acknodelay=true smuxbuf=65536",
         "kcp-mode: of no use with crypt auto, which is the native protocol\nacknodelay: of no use "
         "with crypt auto, which is the native protocol\n"
         "smuxbuf: of no use with crypt auto, which is the native protocol"},
        {KV_ROLE_CLIENT, "crypt=auto nodelay=1 interval=20 resend=2 nc=1",
         "nodelay: of no use with crypt auto, which is the native protocol\ninterval: of no use "
         "with crypt auto, which is the native protocol\n"
         "resend: of no use with crypt auto, which is the native protocol\nnc: of no use with "
         "crypt auto, which is the native protocol"},
        {KV_ROLE_SERVER, "crypt=aes-256-gcm full-frame-mtu=9000 workers=2 local-ip6=fd00::1",
         "full-frame-mtu: of no use with crypt aes-256-gcm, which is the native protocol\n"
         "workers: the native protocol has one thread, 2 is of no use"},
        {KV_ROLE_SERVER, "crypt=auto workers=1", ""},
        {KV_ROLE_SERVER, "crypt=aes kcp-mode=fast3 local-ip6=fd00::1 private-key=" KEY, ""},
        {KV_ROLE_SERVER, "crypt=aes workers=2 private-key=" KEY,
         "workers: the native protocol has one thread, 2 is of no use"},
        {KV_ROLE_SERVER, "crypt=aes kcp-mode=fast3 workers=2", ""},
        {KV_ROLE_SERVER, "crypt=aes dns=10.0.0.1 client-to-client=true routes=10.0.0.0/8",
         "routes: of no use with crypt aes, which is protocol v1\ndns: of no use with crypt aes, "
         "which is protocol v1\n"
         "client-to-client: of no use with crypt aes, which is protocol v1"},
        {KV_ROLE_CLIENT, "crypt=aes local-ip6=fd00::1",
         "local-ip6: of no use with crypt aes, which is protocol v1"},
        {KV_ROLE_CLIENT, "crypt=auto secret=s public-key=" KEY,
         "secret: of no use with public-key"},
        {KV_ROLE_SERVER, "crypt=auto secret=s private-key=" KEY, ""},
        {KV_ROLE_SERVER, "crypt=auto vni-mode=tap peer=10.1.0.0/16",
         "peer one: routes: of no use with vni-mode tap, only with tun"},
        {KV_ROLE_SERVER, "crypt=auto vni-mode=tun peer=10.1.0.0/16", ""},
        {KV_ROLE_PEER, "crypt=auto vni-mode=tap peer=10.1.0.0/16",
         "peer one: routes: of no use with vni-mode tap, only with tun"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(warning_cases); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(warning_cases[i].role);
        g_auto(GStrv) warnings = NULL;
        g_autofree char *text = NULL;

        apply(settings, warning_cases[i].text);
        warnings = kv_settings_list_warnings(settings);
        text = g_strjoinv("\n", warnings);
        g_assert_cmpstr(text, ==, warning_cases[i].warnings);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/settings/rows", test_rows);
    g_test_add_func("/settings/find", test_find);
    g_test_add_func("/settings/list", test_list);
    g_test_add_func("/settings/values", test_values);
    g_test_add_func("/settings/text-is-clean", test_text_is_clean);
    g_test_add_func("/settings/messages", test_messages);
    g_test_add_func("/settings/long-value-is-cut", test_long_value_is_cut);
    g_test_add_func("/settings/getters", test_getters);
    g_test_add_func("/settings/protocol", test_protocol);
    g_test_add_func("/settings/keys", test_keys);
    g_test_add_func("/settings/effective", test_effective);
    g_test_add_func("/settings/programs", test_programs);
    g_test_add_func("/settings/copy-and-equal", test_copy_and_equal);
    g_test_add_func("/settings/merge", test_merge);
    g_test_add_func("/settings/validate", test_validate);
    g_test_add_func("/settings/warnings", test_warnings);
    return kv_test_main(&argc, &argv);
}
