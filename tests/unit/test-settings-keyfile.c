/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-settings.h"
#include "kv-test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static gboolean
load(KvSettings *settings, const char *text, GError **error)
{
    return kv_settings_load_data(settings, text, strlen(text), "x.kcpvpn", error);
}

static const struct {
    const char *text;
    const char *message; /* NULL: fine */
} syntax_cases[] = {
    {"", NULL},
    {"# nothing\n\n", NULL},
    {"[tunnel]\n", NULL},
    {"[tunnel]\nport=99\n", NULL},
    {"\xef\xbb\xbf[tunnel]\nport=99\nname=Home\n", NULL},
    {"\r\n[tunnel]\r\n\t# note\r\n  port = 99 \r\nname=Home", NULL},
    {"[tunnel]\nrole=client\nport=99", NULL},
    {"[tunnel]\nusers=alice;bob;\nport=99\n", NULL},
    {"[tunnel]\nusers=alice;;bob\n",
     "x.kcpvpn:2: users: \"alice,,bob\" is not allowed; allowed: user names of 1 to 32 visible "
     "ASCII characters without , : ; or /"},
    {"port=99\n", "x.kcpvpn:1: group tunnel must come first"},
    {"\n[other]\n", "x.kcpvpn:2: \"other\" is not a known group; allowed: tunnel, peer NAME"},
    {"[tunnel]\n[peer x]\n",
     "x.kcpvpn:2: peer x: a client has no peers; its server is the one of public-key"},
    {"[tunnel\n", "x.kcpvpn:1: a group must end in \"]\""},
    {"[tunnel]\n\n[tunnel]\n", "x.kcpvpn:3: group tunnel stands here for the second time"},
    {"[tunnel]\nport\n", "x.kcpvpn:2: neither a comment nor a group nor KEY=VALUE"},
    {"[tunnel]\n=1\n", "x.kcpvpn:2: neither a comment nor a group nor KEY=VALUE"},
    {"[tunnel]\n\nprot=1\n", "x.kcpvpn:3: \"prot\" is not a known setting"},
    {"[tunnel]\nds=1\n", "x.kcpvpn:2: \"ds\" is not a known setting"},
    {"[tunnel]\nport[de]=1\n", "x.kcpvpn:2: \"port[de]\" is not a known setting"},
    {"[tunnel]\nPort=1\n", "x.kcpvpn:2: \"Port\" is not a known setting"},
    {"[tunnel]\nport=1\ndscp=1\nport=1\n",
     "x.kcpvpn:4: port: stands here for the second time, after line 2"},
    {"[tunnel]\ndscp=1\nport=0\n",
     "x.kcpvpn:3: port: \"0\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"[tunnel]\nname=a\\x\n",
     "x.kcpvpn:2: name: only \\s, \\n, \\t, \\r and \\\\ may follow \"\\\""},
    {"[tunnel]\nname=a\\\n",
     "x.kcpvpn:2: name: only \\s, \\n, \\t, \\r and \\\\ may follow \"\\\""},
    {"[tunnel]\nname=a\\nb\n",
     "x.kcpvpn:2: name: \"a\\x0ab\" is not allowed; allowed: 1 to 64 bytes without control "
     "characters or /, and no . in front"},
    {"[tunnel]\nhook-dir=/x\n",
     "x.kcpvpn:2: hook-dir: only a server has this setting, this is a client"},
    {"[tunnel]\nhook-dir=/x\nrole=server\n",
     "x.kcpvpn:3: role: these are settings of a server, a client was asked for"},
    {"[tunnel]\nsecret=a\\tb\n",
     "x.kcpvpn:2: secret: this value is not allowed; allowed: 1 to 4096 "
     "bytes of UTF-8 text without control characters"},
};

/* Proves: the syntax is GKeyFile's, each mistake is named with its line, and changes nothing. */
static void
test_syntax(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(syntax_cases); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
        g_autoptr(KvSettings) before = kv_settings_copy(settings);
        g_autoptr(GError) error = NULL;
        gboolean ok = load(settings, syntax_cases[i].text, &error);

        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, syntax_cases[i].message);
        g_assert_cmpint(ok, ==, error == NULL);
        if (error != NULL) {
            g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
            g_assert_true(kv_settings_equal(settings, before));
        }
        if (ok && strstr(syntax_cases[i].text, "port") != NULL)
            g_assert_cmpuint(kv_settings_get_uint(settings, KV_SETTING_PORT), ==, 99);
    }
}

/* Proves: a NUL byte and a file beyond the limit are refused. */
static void
test_not_text(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autofree char *huge = g_strnfill(KV_SETTING_FILE_MAX + 1, '\n');
    g_autoptr(GError) nul = NULL;
    g_autoptr(GError) length = NULL;

    g_assert_false(kv_settings_load_data(settings, "\n# \0", 4, "x", &nul));
    g_assert_cmpstr(nul->message, ==, "x:2: holds a NUL byte; a key file is text");
    g_assert_false(load(settings, huge, &length));
    g_assert_cmpstr(length->message, ==, "x.kcpvpn: longer than 1048576 bytes");
    huge[KV_SETTING_FILE_MAX] = '\0';
    g_assert_true(load(settings, huge, NULL));
}

#define KEY "j0DFrbaPJWJK5bIU6nZ6bslNgp09e15a0bpvPiE4KF8="

/* Values for every row of a role, with all that needs an escape. */
static KvSettings *
full_settings(KvRole role)
{
    KvSettings *settings = kv_settings_new(role);
    KvSettingSide side = kv_setting_side_of_role(role);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        static const char *const tries[] = {" \\a = [b] # c\xc3\xa9 ",
                                            "10.0.0.0/24",
                                            "2001:db8::1/64",
                                            "fd00::1",
                                            "10.0.0.1",
                                            "fd00::/64",
                                            KEY,
                                            "255.0.0.0",
                                            "1500",
                                            "131072",
                                            "abc",
                                            "1",
                                            "true",
                                            NULL};
        const KvSetting *row = kv_setting_get(i);
        gboolean done = (row->side & side) == 0;

        for (guint n = 0; row->choices != NULL && row->choices[n] != NULL && !done; n++)
            done = kv_settings_set_text(settings, i, row->choices[n], NULL);
        for (guint n = 0; tries[n] != NULL && !done; n++)
            done = kv_settings_set_text(settings, i, tries[n], NULL);
        if (!done)
            g_error("no value for %s", row->key);
    }
    return settings;
}

/* Proves: what is written is read back the same, by us and by GKeyFile. */
static void
test_round_trip(void)
{
    for (KvRole role = KV_ROLE_CLIENT; role <= KV_ROLE_PEER; role++) {
        g_autoptr(KvSettings) settings = full_settings(role);
        g_autoptr(KvSettings) again = kv_settings_new(role);
        g_autofree char *data = kv_settings_to_data(settings, TRUE);
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autoptr(GError) error = NULL;

        g_assert_true(load(again, data, &error));
        g_assert_no_error(error);
        g_assert_true(kv_settings_equal(settings, again));
        g_assert_true(g_key_file_load_from_data(file, data, (gsize) -1, G_KEY_FILE_NONE, &error));
        for (guint i = 0; i < KV_N_SETTINGS; i++) {
            const KvSetting *row = kv_setting_get(i);
            g_autofree char *text = kv_settings_to_text(settings, i);
            g_autofree char *read = g_key_file_get_string(file, "tunnel", row->key, NULL);

            if ((row->flags & KV_SETTING_FLAG_LIST) != 0 && read != NULL)
                read[strlen(read) - 1] = '\0'; /* the list's last ";" */
            g_assert_cmpint(kv_settings_is_set(again, i), ==, read != NULL);
            if (i == KV_SETTING_SECRET && read != NULL)
                g_assert_cmpstr(read, ==, " \\a = [b] # c\xc3\xa9 ");
            else if (read != NULL)
                g_assert_cmpstr(read, ==, row->type == KV_SETTING_TYPE_SECRET ? KEY : text);
        }
    }
}

/* Proves: only given values are written, and a secret only when asked for. */
static void
test_writes_what_was_given(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_SERVER);
    g_autofree char *bare = NULL;
    g_autofree char *with = NULL;

    g_assert_true(
        load(settings, "[tunnel]\nport=1\nname=n\nsecret=hush\nprivate-key=" KEY "\n", NULL));
    bare = kv_settings_to_data(settings, FALSE);
    with = kv_settings_to_data(settings, TRUE);
    g_assert_cmpstr(bare, ==, "[tunnel]\nname=n\nrole=server\nport=1\n");
    g_assert_cmpstr(with, ==,
                    "[tunnel]\nname=n\nrole=server\nport=1\nsecret=hush\nprivate-key=" KEY "\n");
}

static char *
write_file(const char *name, const char *text, int mode)
{
    g_autofree char *dir = g_dir_make_tmp("kv-settings-XXXXXX", NULL);
    char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
    return path;
}

static void
remove_file(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);

    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

/* Proves: a tunnel without a name is named after its file, if the name will do. */
static void
test_name_of_file(void)
{
    static const struct {
        const char *file;
        const char *text;
        const char *name;
    } cases[] = {
        {"home.kcpvpn", "[tunnel]\n", "home"},
        {"home.conf", "[tunnel]\n", "home.conf"},
        {"home.kcpvpn", "[tunnel]\nname=other\n", "other"},
        {".kcpvpn", "[tunnel]\n", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = write_file(cases[i].file, cases[i].text, 0644);
        g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
        g_autoptr(GError) error = NULL;

        g_assert_true(kv_settings_load_file(settings, path, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_NAME), ==, cases[i].name);
        remove_file(path);
    }
}

/* Proves: a file with a secret that everybody can read is refused, others are not. */
static void
test_file_modes(void)
{
    static const struct {
        const char *text;
        int mode;
        gboolean ok;
    } cases[] = {
        {"[tunnel]\nsecret=s\n", 0600, TRUE},  {"[tunnel]\nsecret=s\n", 0640, TRUE},
        {"[tunnel]\nsecret=s\n", 0644, FALSE}, {"[tunnel]\nsecret=s\n", 0602, FALSE},
        {"[tunnel]\nport=1\n", 0644, TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = write_file("a.kcpvpn", cases[i].text, cases[i].mode);
        g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(kv_settings_load_file(settings, path, &error), ==, cases[i].ok);
        if (!cases[i].ok) {
            g_assert_nonnull(strstr(error->message, "chmod o-rwx"));
            g_assert_false(kv_settings_is_set(settings, KV_SETTING_SECRET));
        }
        remove_file(path);
    }
}

/* Proves: what is no file, or too long a one, gives an error that names it. */
static void
test_no_file(void)
{
    g_autofree char *big = g_strnfill(KV_SETTING_FILE_MAX + 1, '\n');
    g_autofree char *path = write_file("big", big, 0600);
    const char *paths[] = {"/nonexistent/x.kcpvpn", "/", "/dev/zero", path};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
        g_autoptr(GError) error = NULL;

        g_assert_false(kv_settings_load_file(settings, paths[i], &error));
        g_assert_true(g_str_has_prefix(error->message, paths[i]));
        g_assert_true(g_error_matches(error, KV_ERROR,
                                      i == 0 ? KV_ERROR_NOT_FOUND : KV_ERROR_INVALID_SETTING));
    }
    remove_file(path);
}

/* Proves: a text says its role itself, or is told to; a list is written as GKeyFile's are. */
static void
test_own_role(void)
{
    static const struct {
        const char *text;
        const char *message; /* NULL: fine */
    } cases[] = {
        {"[tunnel]\nport=9\n\nrole=server\nhook-dir=/x\nusers=a,b\n", NULL},
        {"[tunnel]\nrole=client\nhook-dir=/x\n",
         "x.kcpvpn:3: hook-dir: only a server has this setting, this is a client"},
        {"[tunnel]\nrole=both\n",
         "x.kcpvpn:2: role: \"both\" is not allowed; allowed: one of client, server, peer"},
        {"[tunnel]\nport=9\n",
         "x.kcpvpn: role: required, but not given; allowed: one of client, server, peer"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(KvSettings) settings =
            kv_settings_new_from_data(cases[i].text, strlen(cases[i].text), "x.kcpvpn", &error);

        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, cases[i].message);
        g_assert_true((settings == NULL) == (error != NULL));
        if (settings != NULL) {
            g_autofree char *text = kv_settings_to_data(settings, FALSE);

            g_assert_cmpint(kv_settings_get_role(settings), ==, KV_ROLE_SERVER);
            g_assert_nonnull(strstr(text, "\nusers=a;b;\n"));
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/settings-keyfile/syntax", test_syntax);
    g_test_add_func("/settings-keyfile/not-text", test_not_text);
    g_test_add_func("/settings-keyfile/round-trip", test_round_trip);
    g_test_add_func("/settings-keyfile/writes-what-was-given", test_writes_what_was_given);
    g_test_add_func("/settings-keyfile/name-of-file", test_name_of_file);
    g_test_add_func("/settings-keyfile/file-modes", test_file_modes);
    g_test_add_func("/settings-keyfile/no-file", test_no_file);
    g_test_add_func("/settings-keyfile/own-role", test_own_role);
    return kv_test_main(&argc, &argv);
}
