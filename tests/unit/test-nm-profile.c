/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-nm-names.h"
#include "kv-nm-profile.h"
#include "kv-test.h"

#include <string.h>

/* (transfer full): @data: "key=value" items with "|" between them. */
static NMSettingVpn *
make_vpn(const char *data, const char *secret_key, const char *secret)
{
    NMSettingVpn *vpn = NM_SETTING_VPN(nm_setting_vpn_new());
    g_auto(GStrv) items = g_strsplit(data, "|", 0);

    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, KV_NM_SERVICE, NULL);
    for (guint i = 0; items[i] != NULL; i++) {
        char *value = strchr(items[i], '=');

        g_assert_nonnull(value);
        *value++ = '\0';
        nm_setting_vpn_add_data_item(vpn, items[i], value);
    }
    if (secret != NULL)
        nm_setting_vpn_add_secret(vpn, secret_key, secret);
    return vpn;
}

#define GOOD "ip=vpn.example|port=1235"

/* Proves: values and secret arrive, in the one spelling of the table. */
static void
test_read(void)
{
    g_autoptr(NMSettingVpn) vpn = make_vpn("ip=[2001:db8::1]|port=0x10|kcp-mode=fast3|"
                                           "rapid-fec=1|secret-flags=1|role=client|name=office",
                                           "secret", "s e c r e t");
    g_autoptr(GError) error = NULL;
    g_autoptr(KvSettings) settings = kv_nm_profile_to_settings(vpn, &error);
    const KvSecret *secret;

    g_assert_no_error(error);
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_IP), ==, "2001:db8::1");
    g_assert_cmpuint(kv_settings_get_uint(settings, KV_SETTING_PORT), ==, 16);
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_KCP_MODE), ==, "fast3");
    g_assert_true(kv_settings_get_boolean(settings, KV_SETTING_RAPID_FEC));
    g_assert_cmpint(kv_settings_get_role(settings), ==, KV_ROLE_CLIENT);
    secret = kv_settings_get_secret(settings, KV_SETTING_SECRET);
    kv_test_assert_bytes(kv_secret_get_data(secret), kv_secret_get_length(secret), "s e c r e t",
                         11, "secret");
}

static const struct {
    const char *data;
    const char *secret_key;
    const char *secret;
    const char *message;
} refused[] = {
    {"ip=a|port=1|colour=red", NULL, NULL, "\"colour\" is not a known setting"},
    {"ip=a|port=1|ds=3", NULL, NULL, "\"ds\" is not a known setting"},
    {"ip=a|port=1|x\x1b[2Jy=1", NULL, NULL, "\"x\\x1b[2Jy\" is not a known setting"},
    {"ip=a|port=1|on-connected-hook=/bin/sh", NULL, NULL,
     "on-connected-hook: a desktop profile may not have this setting; a tunnel of the system "
     "service may"},
    {"ip=a|port=1|up=/bin/sh", NULL, NULL,
     "up: a desktop profile may not have this setting; a tunnel of the system service may"},
    {"ip=a|port=1|secret-file=/etc/shadow", NULL, NULL,
     "secret-file: a desktop profile may not have this setting; a tunnel of the system service "
     "may"},
    {"ip=a|port=1|bridge=br0", NULL, NULL,
     "bridge: a desktop profile may not have this setting; a tunnel of the system service may"},
    {"ip=a|port=1|persistent-vni=true", NULL, NULL,
     "persistent-vni: a desktop profile may not have this setting; a tunnel of the system service "
     "may"},
    {"ip=a|port=1|vni-mode=tun", NULL, NULL,
     "vni-mode: a desktop profile may not have this setting; a tunnel of the system service may"},
    {"ip=a|port=1|role=server", NULL, NULL,
     "role: these are settings of a server, a client was asked for"},
    {"ip=a|port=0", NULL, NULL,
     "port: \"0\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"ip=a\nb|port=1", NULL, NULL,
     "ip: \"a\\x0ab\" is not allowed; allowed: an IPv4 address, an IPv6 address with or without "
     "brackets, or a host name"},
    {"ip=a|port=1|secret=s", NULL, NULL, "secret: not allowed here; allowed: among the secrets"},
    {"ip=a|port=1", "crypt", "aes", "crypt: only secrets are allowed here"},
    {"ip=a|port=1", "password", "p", "\"password\" is not a known setting"},
    {"ip=a|port=1", "secret", "a\nb",
     "secret: this value is not allowed; allowed: 1 to 4096 bytes of UTF-8 text without control "
     "characters"},
    {"ip=a|port=1|secret-flags=8", NULL, NULL,
     "secret-flags: \"8\" is not allowed; allowed: 0 (kept in the profile), 1 (kept by the user's "
     "agent), 2 (asked for each time), 4 (not required), or a sum of these"},
    {"ip=a|port=1|secret-flags=\x1b", NULL, NULL,
     "secret-flags: \"\\033\" is not allowed; allowed: 0 (kept in the profile), 1 (kept by the "
     "user's agent), 2 (asked for each time), 4 (not required), or a sum of these"},
    {"ip=a|port=1|crypt-flags=1", NULL, NULL, "\"crypt-flags\" is not a known setting"},
    {"ip=a", NULL, NULL, "port: required, but not given; allowed: a whole number from 1 to 65535"},
    {"ip=a|port=1|crypt=aes|datashard=200|parityshard=57", NULL, NULL,
     "datashard and parityshard: 200 and 57 make 257; allowed: at most 256 together"},
};

/* Proves: what a profile may not say is refused in a sentence that names it, and tells no secret.
 */
static void
test_refused(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(NMSettingVpn) vpn =
            make_vpn(refused[i].data, refused[i].secret_key, refused[i].secret);
        g_autoptr(GError) error = NULL;

        g_assert_null(kv_nm_profile_to_settings(vpn, &error));
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_cmpstr(error->message, ==, refused[i].message);
    }
}

/* Proves: each setting that runs a program, names a file or touches what is not the tunnel's own is
 * closed to profiles, whatever comes into the table. */
static void
test_every_row(void)
{
    static const KvSettingId closed[] = {
        KV_SETTING_SECRET_FILE, KV_SETTING_PRIVATE_KEY_FILE,
        KV_SETTING_HOOK_DIR,    KV_SETTING_ON_CONNECTED_HOOK,
        KV_SETTING_UP,          KV_SETTING_DOWN,
        KV_SETTING_BRIDGE,      KV_SETTING_AUTOSTART,
        KV_SETTING_USERS,       KV_SETTING_PERSISTENT_VNI,
    };

    for (gsize i = 0; i < G_N_ELEMENTS(closed); i++)
        g_assert_false(kv_settings_check_desktop(kv_setting_get(closed[i]), NULL));
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if ((row->flags & KV_SETTING_FLAG_PROGRAM) != 0)
            g_assert_false(kv_settings_check_desktop(row, NULL));
    }
}

/* Proves: who keeps the secret decides whether it is missing. */
static void
test_missing(void)
{
    static const struct {
        const char *data;
        const char *secret;
        gboolean missing;
    } cases[] = {
        {GOOD, NULL, TRUE},
        {GOOD, "s", FALSE},
        {GOOD "|secret-flags=0", NULL, TRUE},
        {GOOD "|secret-flags=1", NULL, TRUE},
        {GOOD "|secret-flags=2", NULL, TRUE},
        {GOOD "|secret-flags=2", "s", FALSE},
        {GOOD "|secret-flags=4", NULL, FALSE},
        {GOOD "|secret-flags=6", NULL, FALSE},
        {GOOD "|secret-flags=x", NULL, TRUE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(NMSettingVpn) vpn = make_vpn(cases[i].data, "secret", cases[i].secret);
        g_auto(GStrv) missing = kv_nm_profile_list_missing_secrets(vpn);

        g_assert_cmpuint(g_strv_length(missing), ==, cases[i].missing ? 1 : 0);
        if (cases[i].missing)
            g_assert_cmpstr(missing[0], ==, "secret");
    }
}

/* Proves: a client with its server's key has a private key in place of a secret, and a preshared
 * one if the profile says who keeps it. */
static void
test_missing_keys(void)
{
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    static const struct {
        const char *data;
        const char *private_key;
        const char *missing;
    } cases[] = {
        {"", NULL, "private-key"},
        {"", key, ""},
        {"|private-key-flags=4", NULL, ""},
        {"|secret-flags=1", key, ""},
        {"|preshared-key-flags=1", key, "preshared-key"},
        {"|preshared-key-flags=2", NULL, "private-key preshared-key"},
        {"|preshared-key-flags=4", key, ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *data =
            g_strdup_printf("%s|crypt=auto|public-key=%s%s", GOOD, key, cases[i].data);
        g_autoptr(NMSettingVpn) vpn = make_vpn(data, "private-key", cases[i].private_key);
        g_auto(GStrv) missing = kv_nm_profile_list_missing_secrets(vpn);
        g_autofree char *text = g_strjoinv(" ", missing);
        g_autoptr(KvSettings) settings = kv_nm_profile_to_settings(vpn, NULL);

        g_assert_cmpstr(text, ==, cases[i].missing);
        g_assert_nonnull(settings);
        g_assert_cmpint(kv_settings_is_set(settings, KV_SETTING_PRIVATE_KEY), ==,
                        cases[i].private_key != NULL);
    }
}

static const char *const files[] = {
    "[tunnel]\nname=office\nrole=client\nip=vpn.example\nport=1235\n",
    "[tunnel]\nname=office\nrole=client\nip=2001:db8::1\nport=1235\nsecret=a b\\\\\n",
    "[tunnel]\nname=b\xc3\xbcro\nrole=client\nip=192.0.2.1\nport=1\nudp-mtu=1200\nkcp-mode=manual\n"
    "nodelay=1\ninterval=20\nresend=2\nnc=1\nacknodelay=true\nsndwnd=512\nrcvwnd=256\n"
    "datashard=5\nparityshard=2\nrapid-fec=true\ndscp=46\nsockbuf=65536\nsmuxbuf=131072\n"
    "keepalive=5\nclient-id=me\nauto-reconnect=false\nsecret=xyz\ncrypt=salsa20\n"
    "local-ip=10.0.0.2\nnetmask=255.255.255.0\nvni-mtu=1400\nvni-name=vpn0\n"
    "no-ip-configuration=true\n",
};

/* Proves: a file that became a profile becomes the same file again, and that the same profile. */
static void
test_round_trip(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(NMConnection) first =
            kv_nm_profile_import(files[i], strlen(files[i]), "x.kcpvpn", &error);
        g_autoptr(NMConnection) second = NULL;
        g_autofree char *text = NULL;

        g_assert_no_error(error);
        text = kv_nm_profile_export(first, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(text, ==, files[i]);
        second = kv_nm_profile_import(text, strlen(text), "y.kcpvpn", &error);
        g_assert_no_error(error);
        g_assert_true(nm_connection_compare(first, second, NM_SETTING_COMPARE_FLAG_EXACT));
    }
}

static void
check_flags(const char *text, NMSettingSecretFlags want)
{
    g_autoptr(NMConnection) connection = kv_nm_profile_import(text, strlen(text), "x", NULL);
    NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
    NMSettingSecretFlags flags;

    g_assert_true(nm_setting_get_secret_flags(NM_SETTING(vpn), "secret", &flags, NULL));
    g_assert_cmpint(flags, ==, want);
    g_assert_cmpstr(nm_setting_vpn_get_service_type(vpn), ==, KV_NM_SERVICE);
    g_assert_null(nm_setting_vpn_get_data_item(vpn, "role"));
    g_assert_null(nm_setting_vpn_get_data_item(vpn, "name"));
}

/* Proves: a secret in the file stays with the profile, another is the user's to keep. */
static void
test_import_secret(void)
{
    check_flags(files[0], NM_SETTING_SECRET_FLAG_AGENT_OWNED);
    check_flags(files[1], NM_SETTING_SECRET_FLAG_NONE);
}

/* Proves: a profile takes its name from the text, else from the file; one that is no name for a
 * tunnel is left out of what is exported. */
static void
test_names(void)
{
    static const char text[] = "[tunnel]\nip=a\nport=1\n";
    g_autoptr(NMConnection) connection =
        kv_nm_profile_import(text, strlen(text), "/home/me/home.kcpvpn", NULL);
    g_autofree char *named = kv_nm_profile_export(connection, NULL);
    g_autofree char *nameless = NULL;

    g_assert_cmpstr(nm_connection_get_id(connection), ==, "home");
    g_assert_cmpstr(named, ==, "[tunnel]\nname=home\nrole=client\nip=a\nport=1\n");
    g_object_set(nm_connection_get_setting_connection(connection), NM_SETTING_CONNECTION_ID, "a/b",
                 NULL);
    nameless = kv_nm_profile_export(connection, NULL);
    g_assert_cmpstr(nameless, ==, "[tunnel]\nrole=client\nip=a\nport=1\n");
}

/* Proves: a server's file and one with settings that are not for the desktop say why they are
 * refused, and so does a profile that cannot be exported. */
static void
test_import_refused(void)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[tunnel]\nrole=server\nip=a\nport=1\nvni-mode=tun\n",
         "x:2: role: these are settings of a server, a client was asked for"},
        {"[tunnel]\nip=a\nport=1\nvni-mode=tun\n",
         "x:4: vni-mode: only a server has this setting, this is a client"},
        {"[tunnel]\nip=a\nport=1\nup=/bin/true\n",
         "x: up: a desktop profile may not have this setting; a tunnel of the system service may"},
        {"[tunnel]\nip=a\n",
         "x: port: required, but not given; allowed: a whole number from 1 to 65535"},
        {"[openvpn]\n", "x:1: \"openvpn\" is not a known group; allowed: tunnel, peer NAME"},
        {"[tunnel]\nip=a\nport=1\n[peer b]\n",
         "x:4: peer b: a client has no peers; its server is the one of public-key"},
        {"remote a\n", "x:1: neither a comment nor a group nor KEY=VALUE"},
    };
    g_autoptr(NMConnection) connection = nm_simple_connection_new();
    g_autoptr(GError) bad = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(kv_nm_profile_import(cases[i].text, strlen(cases[i].text), "x", &error));
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
    g_assert_null(kv_nm_profile_export(connection, &bad));
    g_clear_error(&bad);
    nm_connection_add_setting(connection, NM_SETTING(make_vpn("ip=a|port=1|x=1", NULL, NULL)));
    g_assert_null(kv_nm_profile_export(connection, &bad));
    g_assert_cmpstr(bad->message, ==, "\"x\" is not a known setting");
}

int
main(int argc, char **argv)
{
    g_test_add_func("/nm-profile/read", test_read);
    g_test_add_func("/nm-profile/refused", test_refused);
    g_test_add_func("/nm-profile/every-row", test_every_row);
    g_test_add_func("/nm-profile/missing", test_missing);
    g_test_add_func("/nm-profile/missing-keys", test_missing_keys);
    g_test_add_func("/nm-profile/round-trip", test_round_trip);
    g_test_add_func("/nm-profile/import-secret", test_import_secret);
    g_test_add_func("/nm-profile/names", test_names);
    g_test_add_func("/nm-profile/import-refused", test_import_refused);
    return kv_test_main(&argc, &argv);
}
