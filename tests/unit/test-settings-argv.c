/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-settings.h"
#include "kv-test.h"

#include <string.h>

/* A command line after the verb, split at spaces, in memory that can be looked at afterwards. */
typedef struct {
    char **strings; /* own all of them */
    char **argv;
    int argc;
} Line;

static void
line_init(Line *line, const char *text)
{
    line->strings = text[0] != '\0' ? g_strsplit(text, " ", 0) : g_new0(char *, 1);
    line->argc = (int) g_strv_length(line->strings);
    line->argv = g_memdup2(line->strings, ((gsize) line->argc + 1) * sizeof(char *));
}

static void
line_clear(Line *line)
{
    g_free(line->argv);
    g_strfreev(line->strings);
}

static char *
line_rest(const Line *line)
{
    g_assert_null(line->argv[line->argc]);
    return g_strjoinv(" ", line->argv);
}

/* Every command line of the documentation, and what it must come to. */
static const struct {
    KvRole role;
    const char *line;
    const char *effective; /* "key=value …" */
} documented[] = {
    {KV_ROLE_SERVER,
     "--ip 0.0.0.0 --port 1235 --kcp-mode normal --dscp 46 --local-ip 192.168.88.0 --vni-mode tun "
     "--assignable-ips 192.168.88.0/24 --hook-dir /kcpvpn-hooks",

     "ip=0.0.0.0 port=1235 kcp-mode=normal dscp=46 local-ip=192.168.88.0 vni-mode=tun "
     "assignable-ips=192.168.88.0/24 hook-dir=/kcpvpn-hooks vni-mtu=1500"},
    {KV_ROLE_SERVER,
     "--ip 0.0.0.0 --port 1235 --kcp-mode normal --dscp 46 --local-ip 192.168.88.1 --vni-mode tap "
     "--assignable-ips 192.168.88.2-192.168.88.254 --netmask 255.255.255.0 --hook-dir "
     "/kcpvpn-hooks --bridge br0",

     "vni-mode=tap assignable-ips=192.168.88.2-192.168.88.254 netmask=255.255.255.0 bridge=br0"},
    {KV_ROLE_CLIENT, "--client-id client1 --ip server1 --port 1235 --kcp-mode normal --dscp 46",
     "client-id=client1 ip=server1 port=1235 vni-name=kvc0 datashard=10 parityshard=3"},
    {KV_ROLE_CLIENT,
     "--client-id client1 --ip server1 --port 1235 --kcp-mode normal --dscp 46 --vni-mtu 1200 "
     "--local-ip 192.168.88.255 --vni-name kvc_c1",
     "vni-mtu=1200 local-ip=192.168.88.255 vni-name=kvc_c1"},
    {KV_ROLE_SERVER,
     "--ip 0.0.0.0 --port 1235 --udp-mtu 1480 --kcp-mode fast3 --crypt xor --vni-mode tun "
     "--vni-mtu 1400 --local-ip 192.168.88.0 --assignable-ips 192.168.88.0/24",
     "udp-mtu=1480 kcp-mode=fast3 crypt=xor vni-mtu=1400"},
};

static void
check_effective(const KvSettings *settings, const char *expected)
{
    g_auto(GStrv) words = g_strsplit(expected, " ", 0);

    for (guint i = 0; words[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(words[i], "=", 2);
        const KvSetting *row = kv_setting_find(pair[0]);
        g_autofree char *text = kv_settings_to_text(settings, row->id);

        g_assert_cmpstr(text, ==, pair[1]);
    }
}

static void
check_documented(KvRole role, const char *text, const char *effective, KvProtocol protocol)
{
    g_autoptr(KvSettings) settings = kv_settings_new(role);
    g_autoptr(GError) error = NULL;
    Line line;

    line_init(&line, text);
    g_assert_true(kv_settings_parse_argv(settings, KV_SETTING_FLAG_NO_ARGV, TRUE, &line.argc,
                                         line.argv, &error));
    g_assert_no_error(error);
    g_assert_cmpint(line.argc, ==, 0);
    check_effective(settings, effective);
    g_assert_cmpint(kv_settings_get_protocol(settings), ==, protocol);
    g_assert_false(kv_settings_validate(settings, NULL));
    g_assert_true(g_setenv("KCPVPN_KEY", "pre-shared-key", TRUE));
    g_assert_true(kv_settings_load_environment(settings, &error));
    g_assert_true(kv_settings_validate(settings, &error));
    g_assert_no_error(error);
    line_clear(&line);
}

/* Proves: the documented command lines are taken whole, mean what they say and are valid: natively
 * as they stand, and in v1 with a cipher of the Go program. */
static void
test_documented(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(documented); i++) {
        gboolean names_cipher = strstr(documented[i].line, "--crypt") != NULL;
        g_autofree char *with_cipher = g_strconcat(documented[i].line, " --crypt aes", NULL);

        check_documented(documented[i].role, documented[i].line, documented[i].effective,
                         names_cipher ? KV_PROTOCOL_V1 : KV_PROTOCOL_NATIVE);
        if (!names_cipher)
            check_documented(documented[i].role, with_cipher, documented[i].effective,
                             KV_PROTOCOL_V1);
    }
}

/* Forms of flags; @rest: what must be left; @message: NULL: no error. */
static const struct {
    const char *line;
    const char *effective;
    const char *rest;
    const char *message;
} forms[] = {
    {"", "port=1235", "", NULL},
    {"-port 99 -ds 5 --ps 2", "port=99 datashard=5 parityshard=2", "", NULL},
    {"--port=99 -ds=5", "port=99 datashard=5", "", NULL},
    {"--port 98 --port 99", "port=99", "", NULL},
    {"--rapid-fec --port 99", "rapid-fec=true port=99", "", NULL},
    {"--rapid-fec=false", "rapid-fec=false", "", NULL},
    {"--rapid-fec=1 -tcp=T --auto-reconnect=0", "rapid-fec=true tcp=true auto-reconnect=false", "",
     NULL},
    {"--rapid-fec false", "rapid-fec=true", "false", NULL},
    {"word --config /etc/x --port 99 -v more", "port=99", "word --config /etc/x -v more", NULL},
    {"--port 99 -- --port 1", "port=99", "-- --port 1", NULL},
    {"--vni-name --", "vni-name=--", "", NULL},
    {"--name home --role client", "port=1235", "--name home --role client", NULL},
    {"- -- x", "port=1235", "- -- x", NULL},
    {"---port 1", "port=1235", "---port 1", NULL},
    {"--config=/etc/x", "port=1235", "--config=/etc/x", NULL},
    {"--port", "port=1235", NULL, "port: a value must follow"},
    {"--port 0 --dscp 1", "port=1235 dscp=0", NULL,
     "port: \"0\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"--port=", "port=1235", NULL,
     "port: \"\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"--dscp 1 --tcp=maybe", "tcp=false dscp=0", NULL,
     "tcp: \"maybe\" is not allowed; allowed: true or false"},
    {"--hook-dir /x", "port=1235", NULL,
     "hook-dir: only a server has this setting, this is a client"},
};

/* Proves: all forms of flags are understood, the rest is left in order, errors change nothing. */
static void
test_forms(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
        g_autoptr(GError) error = NULL;
        g_autofree char *rest = NULL;
        gboolean ok;
        Line line;

        g_assert_true(kv_settings_set_text(settings, KV_SETTING_PORT, "1235", NULL));
        line_init(&line, forms[i].line);
        ok = kv_settings_parse_argv(settings, KV_SETTING_FLAG_NO_ARGV, TRUE, &line.argc, line.argv,
                                    &error);
        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, forms[i].message);
        g_assert_cmpint(ok, ==, error == NULL);
        check_effective(settings, forms[i].effective);
        rest = line_rest(&line);
        if (forms[i].rest != NULL)
            g_assert_cmpstr(rest, ==, forms[i].rest);
        line_clear(&line);
    }
}

/* Proves: a secret is gone from the original strings, in either form and even if refused. */
static void
test_secret_is_wiped(void)
{
    static const struct {
        const char *line;
        gboolean ok;
    } cases[] = {
        {"--secret hush-hush --port 1", TRUE},
        {"-secret=hush-hush --port 1", TRUE},
        {"--secret=hush-hush\n", FALSE},
        {"--secret hush-hush\n", FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) before = NULL;
        Line line;

        line_init(&line, cases[i].line);
        before = g_strdupv(line.strings);
        g_assert_cmpint(kv_settings_parse_argv(settings, KV_SETTING_FLAG_NO_ARGV, TRUE, &line.argc,
                                               line.argv, &error),
                        ==, cases[i].ok);
        for (guint n = 0; line.strings[n] != NULL; n++) {
            gsize len = strlen(before[n]);

            /* All of the original bytes, behind a NUL too. */
            g_assert_null(memmem(line.strings[n], len, "hush", 4));
        }
        if (error != NULL)
            g_assert_null(strstr(error->message, "hush"));
        line_clear(&line);
    }
}

/* Proves: a secret on the command line replaces the secret file that a key file named. */
static void
test_secret_overrides_secret_file(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    Line line;

    g_assert_true(kv_settings_set_text(settings, KV_SETTING_SECRET_FILE, "/x", NULL));
    line_init(&line, "--ip a --port 1 --secret s");
    g_assert_true(kv_settings_parse_argv(settings, KV_SETTING_FLAG_NO_ARGV, TRUE, &line.argc,
                                         line.argv, NULL));
    g_assert_true(kv_settings_validate(settings, NULL));
    line_clear(&line);
    line_init(&line, "--secret s --secret-file /x");
    g_assert_true(kv_settings_parse_argv(settings, KV_SETTING_FLAG_NO_ARGV, TRUE, &line.argc,
                                         line.argv, NULL));
    g_assert_false(kv_settings_validate(settings, NULL));
    line_clear(&line);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/settings-argv/documented", test_documented);
    g_test_add_func("/settings-argv/forms", test_forms);
    g_test_add_func("/settings-argv/secret-is-wiped", test_secret_is_wiped);
    g_test_add_func("/settings-argv/secret-overrides-secret-file",
                    test_secret_overrides_secret_file);
    return kv_test_main(&argc, &argv);
}
