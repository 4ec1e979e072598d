/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"
#include "kv-test.h"

#include <string.h>

#define C KV_ROLE_CLIENT
#define S KV_ROLE_SERVER

/* What a setting of an older command line comes to. */
typedef enum {
    TAKEN,   /* as it stands */
    BENT,    /* counts as another value, without a word */
    WARNED,  /* the same, with a warning that names both */
    ABSENT,  /* as if not given */
    REFUSED, /* an error that names it */
} Fate;

/* Every flag, and the odd values that the Go program takes. */
static const struct {
    KvRole role;
    const char *key;
    const char *text;
    Fate fate;
    const char *effective; /* BENT, WARNED */
} cases[] = {
    {S, "ip", "", ABSENT, NULL}, /* and then missing: listening everywhere has a name, 0.0.0.0 */
    {C, "port", "", REFUSED, NULL},
    {C, "port", "0", REFUSED, NULL},
    {C, "port", "66771", REFUSED, NULL},
    {C, "port", "0x4d3", BENT, "1235"},
    {C, "udp-mtu", "", REFUSED, NULL},
    {C, "udp-mtu", "0", WARNED, "1400"},
    {C, "udp-mtu", "49", WARNED, "1400"},
    {C, "udp-mtu", "50", REFUSED, NULL},
    {C, "udp-mtu", "1500", TAKEN, NULL},
    {S, "udp-mtu", "1501", WARNED, "1400"},
    {S, "udp-mtu", "65535", WARNED, "1400"},
    {S, "udp-mtu", "65536", REFUSED, NULL},
    {C, "kcp-mode", "", REFUSED, NULL},
    {C, "kcp-mode", "turbo", REFUSED, NULL},
    {C, "nodelay", "", REFUSED, NULL},
    {C, "nodelay", "2", BENT, "1"},
    {C, "nodelay", "-1", REFUSED, NULL},
    {C, "interval", "", REFUSED, NULL},
    {C, "interval", "0", BENT, "10"},
    {C, "interval", "100000", BENT, "5000"},
    {C, "interval", "6000", TAKEN, NULL}, /* and held to 5000 */
    {C, "resend", "", REFUSED, NULL},
    {C, "resend", "1000", BENT, "255"},
    {C, "nc", "", REFUSED, NULL},
    {C, "nc", "7", BENT, "1"},
    {C, "acknodelay", "", REFUSED, NULL},
    {C, "sndwnd", "", REFUSED, NULL},
    {C, "sndwnd", "0", WARNED, "32"},
    {C, "sndwnd", "100000", BENT, "65535"},
    {C, "sndwnd", "-5", REFUSED, NULL},
    {C, "rcvwnd", "", REFUSED, NULL},
    {C, "rcvwnd", "0", WARNED, "32"},
    {C, "rcvwnd", "1", WARNED, "2"},
    {C, "rcvwnd", "100000", WARNED, "65535"},
    {C, "datashard", "", REFUSED, NULL},
    {C, "datashard", "-1", REFUSED, NULL},
    {C, "datashard", "0", TAKEN, NULL},
    {C, "parityshard", "", REFUSED, NULL},
    {C, "rapid-fec", "", REFUSED, NULL},
    {C, "dscp", "", REFUSED, NULL},
    {C, "dscp", "184", REFUSED, NULL},
    {S, "sockbuf", "", REFUSED, NULL},
    {S, "sockbuf", "0", WARNED, "2048"},
    {S, "sockbuf", "1073741824", WARNED, "268435456"},
    {S, "smuxbuf", "", REFUSED, NULL},
    {S, "smuxbuf", "0", REFUSED, NULL},
    {S, "smuxbuf", "1000", WARNED, "65536"},
    {S, "smuxbuf", "1073741824", BENT, "268435456"},
    {S, "keepalive", "", REFUSED, NULL},
    {S, "keepalive", "0", REFUSED, NULL},
    {S, "keepalive", "31", REFUSED, NULL},
    {C, "secret", "", REFUSED, NULL},
    {C, "secret-file", "", REFUSED, NULL},
    {C, "crypt", "", REFUSED, NULL},
    {C, "crypt", "AES", REFUSED, NULL},
    {C, "private-key", "", REFUSED, NULL},
    {C, "private-key-file", "", REFUSED, NULL},
    {C, "public-key", "", REFUSED, NULL},
    {C, "preshared-key", "", REFUSED, NULL},
    {C, "local-ip6", "", REFUSED, NULL},
    {S, "assignable-ips6", "", REFUSED, NULL},
    {S, "routes", "", REFUSED, NULL},
    {S, "dns", "", REFUSED, NULL},
    {S, "dns-search", "", REFUSED, NULL},
    {S, "client-to-client", "", REFUSED, NULL},
    {C, "local-ip", "", ABSENT, NULL},
    {C, "local-ip", "0.0.0.0", ABSENT, NULL},
    {S, "local-ip", "", ABSENT, NULL},
    {S, "netmask", "", ABSENT, NULL},
    {S, "netmask", "0.0.0.0", ABSENT, NULL},
    {S, "netmask", "255.0.255.0", REFUSED, NULL},
    {C, "vni-mtu", "", REFUSED, NULL},
    {C, "vni-mtu", "0", TAKEN, NULL},
    {C, "vni-mtu", "67", REFUSED, NULL},
    {S, "full-frame-mtu", "", REFUSED, NULL},
    {S, "full-frame-mtu", "0", TAKEN, NULL},
    {S, "vni-name-prefix", "", REFUSED, NULL},
    {S, "vni-name-prefix", "abcdefghijklmn", TAKEN, NULL},
    {S, "vni-mode", "", REFUSED, NULL},
    {S, "assignable-ips", "", ABSENT, NULL},
    {S, "assignable-ips", "0.0.0.0-0.0.0.0", REFUSED, NULL},
    {S, "hook-dir", "", ABSENT, NULL},
    {S, "bridge", "", ABSENT, NULL},
    {C, "bridge", "", ABSENT, NULL},
    {C, "tcp", "", REFUSED, NULL},
    {C, "tcp", "F", BENT, "false"},
    {C, "client-id", "", ABSENT, NULL},
    {C, "client-id", "a.b", REFUSED, NULL},
    {C, "vni-name", "", REFUSED, NULL},
    {C, "persistent-vni", "", REFUSED, NULL},
    {C, "auto-reconnect", "", REFUSED, NULL},
    {C, "no-ip-configuration", "", REFUSED, NULL},
    {C, "on-connected-hook", "", ABSENT, NULL},
    {S, "workers", "", REFUSED, NULL},
    {C, "up", "", REFUSED, NULL},
    {C, "down", "", REFUSED, NULL},
};

/* Gives @settings the flag "--key=text". */
static gboolean
give(KvSettings *settings, const char *key, const char *text, gboolean older, GError **error)
{
    g_autofree char *flag = g_strdup_printf("--%s=%s", key, text);
    char *argv[] = {flag, NULL};
    int argc = 1;

    return kv_settings_parse_argv(settings, KV_SETTING_FLAG_NO_ARGV, older, &argc, argv, error);
}

static void
check_case(guint i)
{
    g_autoptr(KvSettings) settings = kv_settings_new(cases[i].role);
    const KvSetting *row = kv_setting_find(cases[i].key);
    gboolean bent = cases[i].fate == BENT || cases[i].fate == WARNED;
    g_auto(GStrv) warnings = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    /* In the other protocol some are of no use, which is another warning. */
    if (row->id != KV_SETTING_CRYPT)
        g_assert_true(kv_settings_set_text(settings, KV_SETTING_CRYPT, "aes", NULL));
    g_assert_cmpint(give(settings, row->key, cases[i].text, TRUE, &error), ==,
                    cases[i].fate != REFUSED);
    if (error != NULL)
        g_assert_true(g_str_has_prefix(error->message, row->key));
    g_assert_cmpint(kv_settings_is_set(settings, row->id), ==, bent || cases[i].fate == TAKEN);
    text = kv_settings_to_text(settings, row->id);
    if (bent || cases[i].fate == TAKEN)
        g_assert_cmpstr(text, ==, bent ? cases[i].effective : cases[i].text);
    else
        g_assert_cmpstr(text, ==, row->default_text);
    warnings = kv_settings_list_warnings(settings);
    g_assert_cmpuint(g_strv_length(warnings), ==, cases[i].fate == WARNED ? 1 : 0);
    if (cases[i].fate == WARNED) {
        g_assert_true(g_str_has_prefix(warnings[0], row->key));
        g_assert_nonnull(strstr(warnings[0], cases[i].text));
        g_assert_nonnull(strstr(warnings[0], cases[i].effective));
    }
}

/* Proves: odd values of older command lines count as what they came to there, with a warning where
 * that is not what they say, or are refused by name. */
static void
test_values(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check_case(i);
}

/* Proves: the table leaves no flag out. */
static void
test_all_flags(void)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        gboolean found = (row->flags & KV_SETTING_FLAG_NO_ARGV) != 0;

        for (guint j = 0; j < G_N_ELEMENTS(cases) && !found; j++)
            found = strcmp(cases[j].key, row->key) == 0 && cases[j].text[0] == '\0';
        if (!found)
            g_error("no empty %s is tried", row->key);
    }
}

/* Proves: commands that no Go program had take nothing of this. */
static void
test_strict(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(cases[i].role);
        gboolean is_spelling = cases[i].effective != NULL &&
                               (strcmp(cases[i].text, "0x4d3") == 0 || cases[i].text[0] == 'F');

        g_assert_cmpint(give(settings, cases[i].key, cases[i].text, FALSE, NULL), ==,
                        cases[i].fate == TAKEN || is_spelling);
    }
}

/* Proves: an empty flag wins over the file, like any other. */
static void
test_over_file(void)
{
    g_autoptr(KvSettings) file = kv_settings_new(C);
    g_autoptr(KvSettings) flags = kv_settings_new(C);
    g_auto(GStrv) warnings = NULL;
    g_auto(GStrv) none = NULL;

    g_assert_true(kv_settings_set_text(file, KV_SETTING_CLIENT_ID, "alice", NULL));
    g_assert_true(kv_settings_set_text(file, KV_SETTING_LOCAL_IP, "10.0.0.2", NULL));
    g_assert_true(give(flags, "client-id", "", TRUE, NULL));
    g_assert_true(give(flags, "udp-mtu", "9000", TRUE, NULL));
    kv_settings_merge(file, flags);
    g_assert_false(kv_settings_is_set(file, KV_SETTING_CLIENT_ID));
    g_assert_true(kv_settings_is_set(file, KV_SETTING_LOCAL_IP));
    g_clear_pointer(&flags, kv_settings_free);
    flags = kv_settings_copy(file);
    warnings = kv_settings_list_warnings(flags);
    g_assert_cmpuint(g_strv_length(warnings), ==, 1);
    g_assert_true(
        g_str_has_prefix(warnings[0], "udp-mtu: 9000 cannot be had, 1400 is used; allowed: "));
    g_assert_true(give(file, "udp-mtu", "1300", TRUE, NULL));
    none = kv_settings_list_warnings(file);
    g_assert_cmpuint(g_strv_length(none), ==, 0);
}

/* Proves: settings that only run take a secret of any bytes, and hand on each of them; its length
 * still counts, and other texts stay clean. */
static void
test_any_secret(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autofree char *too_long = g_strnfill(kv_setting_get(KV_SETTING_SECRET)->max + 1, 'a');
    const KvSecret *secret;
    char bytes[256];

    for (guint i = 0; i < 255; i++)
        bytes[i] = (char) (i + 1);
    bytes[255] = '\0';
    kv_settings_allow_any_secret(settings);
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_SECRET, bytes, NULL));
    secret = kv_settings_get_secret(settings, KV_SETTING_SECRET);
    g_assert_cmpmem(kv_secret_get_data(secret), kv_secret_get_length(secret), bytes, 255);
    g_assert_false(kv_settings_set_text(settings, KV_SETTING_SECRET, "", NULL));
    g_assert_false(kv_settings_set_text(settings, KV_SETTING_SECRET, too_long, NULL));
    g_assert_false(kv_settings_set_text(settings, KV_SETTING_NAME, bytes, NULL));
    g_assert_false(kv_settings_set_text(settings, KV_SETTING_PRIVATE_KEY, bytes, NULL));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/settings-older/values", test_values);
    g_test_add_func("/settings-older/all-flags", test_all_flags);
    g_test_add_func("/settings-older/strict", test_strict);
    g_test_add_func("/settings-older/over-file", test_over_file);
    g_test_add_func("/settings-older/any-secret", test_any_secret);
    return kv_test_main(&argc, &argv);
}
