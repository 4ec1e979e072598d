/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-settings.h"
#include "kv-test.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *dir;
    char *path;
    KvSettings *settings;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("kv-secret-XXXXXX", NULL);
    f->path = g_build_filename(f->dir, "secret", NULL);
    f->settings = kv_settings_new(KV_ROLE_CLIENT);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    g_unlink(f->path);
    g_assert_cmpint(g_rmdir(f->dir), ==, 0);
    kv_settings_free(f->settings);
    g_free(f->path);
    g_free(f->dir);
}

static void
write_secret(Fixture *f, const char *data, gssize len, int mode)
{
    g_assert_true(g_file_set_contents(f->path, data, len, NULL));
    g_assert_cmpint(g_chmod(f->path, mode), ==, 0);
}

static void
check_secret(Fixture *f, const char *expected)
{
    const KvSecret *secret = kv_settings_get_secret(f->settings, KV_SETTING_SECRET);

    g_assert_nonnull(secret);
    kv_test_assert_bytes(kv_secret_get_data(secret), kv_secret_get_length(secret), expected,
                         strlen(expected), "secret");
}

/* Proves: the secret is the first line, without its end, spaces kept. */
static void
test_first_line(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *text;
        const char *secret;
    } cases[] = {
        {"hush", "hush"},       {"hush\n", "hush"},     {"hush\r\n", "hush"},
        {"hush\nmore", "hush"}, {" hush \n", " hush "}, {"\xc3\xa9\n", "\xc3\xa9"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        write_secret(f, cases[i].text, -1, 0600);
        g_assert_true(kv_settings_load_secret_file(f->settings, f->path, &error));
        g_assert_no_error(error);
        check_secret(f, cases[i].secret);
    }
}

/* Proves: 4096 bytes are taken with any end of line, 4097 and what is no text are refused. */
static void
test_bad_first_line(Fixture *f, gconstpointer data)
{
    g_autofree char *most = g_strnfill(4096, 's');
    g_autofree char *most_crlf = g_strconcat(most, "\r\n", NULL);
    g_autofree char *too_long = g_strnfill(4097, 's');
    const struct {
        const char *text;
        gssize len;
    } bad[] = {
        {"", 0},        {"\nhush", -1}, {"\r\n", -1},   {"hu\0sh", 5},
        {"hu\tsh", -1}, {"\xff", -1},   {too_long, -1},
    };

    write_secret(f, most_crlf, -1, 0600);
    g_assert_true(kv_settings_load_secret_file(f->settings, f->path, NULL));
    check_secret(f, most);
    kv_settings_unset(f->settings, KV_SETTING_SECRET);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        write_secret(f, bad[i].text, bad[i].len, 0600);
        g_assert_false(kv_settings_load_secret_file(f->settings, f->path, &error));
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_null(strstr(error->message, "sh"));
        g_assert_false(kv_settings_is_set(f->settings, KV_SETTING_SECRET));
    }
}

/* Proves: any right of group or others refuses the file and says what to do. */
static void
test_modes(Fixture *f, gconstpointer data)
{
    for (int mode = 0400; mode <= 0777; mode++) {
        g_autoptr(GError) error = NULL;
        gboolean ok;

        if ((mode & 0400) == 0)
            continue;
        write_secret(f, "hush", -1, mode);
        ok = kv_settings_load_secret_file(f->settings, f->path, &error);
        g_assert_cmpint(ok, ==, (mode & 0077) == 0);
        if (!ok)
            g_assert_nonnull(strstr(error->message, "chmod 600"));
    }
}

/* Proves: an embedded secret counts as given itself, so that it is saved; without a file nothing
 * happens, and one that cannot be read changes nothing. */
static void
test_embed(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    g_assert_true(kv_settings_embed_secret_files(f->settings, NULL));
    g_assert_false(kv_settings_is_set(f->settings, KV_SETTING_SECRET));
    g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_SECRET_FILE, f->path, NULL));
    g_assert_false(kv_settings_embed_secret_files(f->settings, &error));
    g_assert_nonnull(error);
    g_assert_true(kv_settings_is_set(f->settings, KV_SETTING_SECRET_FILE));
    write_secret(f, "hush\n", -1, 0600);
    g_assert_true(kv_settings_embed_secret_files(f->settings, NULL));
    check_secret(f, "hush");
    text = kv_settings_to_data(f->settings, TRUE);
    g_assert_nonnull(strstr(text, "secret=hush\n"));
    g_assert_null(strstr(text, "secret-file"));
}

/* Proves: a private key comes out of a file as a secret does, and is not written again. */
static void
test_private_key(Fixture *f, gconstpointer data)
{
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    g_autofree char *line = g_strconcat(key, "\n", NULL);
    g_autoptr(GError) wrong = NULL;
    g_autoptr(GError) both = NULL;
    g_autofree char *text = NULL;
    uint8_t bytes[KV_KEY_BYTES] = {0};

    g_assert_false(kv_settings_names_secret_files(f->settings));
    g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_PRIVATE_KEY_FILE, f->path, NULL));
    g_assert_true(kv_settings_names_secret_files(f->settings));
    write_secret(f, "no key\n", -1, 0600);
    g_assert_false(kv_settings_load_secret_files(f->settings, &wrong));
    g_assert_true(g_str_has_prefix(wrong->message, "private-key: this value is not allowed"));
    write_secret(f, line, -1, 0640);
    g_assert_false(kv_settings_load_secret_files(f->settings, NULL));
    write_secret(f, line, -1, 0600);
    g_assert_true(kv_settings_load_secret_files(f->settings, NULL));
    g_assert_true(kv_settings_load_secret_files(f->settings, NULL));
    g_assert_true(kv_settings_get_key(f->settings, KV_SETTING_PRIVATE_KEY, bytes));
    g_assert_cmpuint(bytes[31], ==, 31);
    text = kv_settings_to_data(f->settings, TRUE);
    g_assert_null(strstr(text, key));
    g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_PRIVATE_KEY, key, NULL));
    g_assert_false(kv_settings_load_secret_files(f->settings, &both));
    g_assert_cmpstr(both->message, ==,
                    "private-key and private-key-file: both were given; only one of them is "
                    "allowed");
}

/* Proves: symbolic links, folders, devices and missing files are refused. */
static void
test_not_a_file(Fixture *f, gconstpointer data)
{
    const char *paths[] = {f->path, f->dir, "/dev/zero", "/nonexistent/secret"};

    g_assert_cmpint(symlink("/dev/null", f->path), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(kv_settings_load_secret_file(f->settings, paths[i], &error));
        g_assert_true(g_str_has_prefix(error->message, paths[i]));
    }
}

/* Proves: secret and secret file exclude each other, but loading what the file names does not. */
static void
test_both(Fixture *f, gconstpointer data)
{
    g_autofree char *text = NULL;

    write_secret(f, "hush", -1, 0600);
    g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_IP, "a", NULL));
    g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_PORT, "1", NULL));
    g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_SECRET_FILE, f->path, NULL));
    g_assert_false(kv_settings_validate(f->settings, NULL));
    g_assert_true(kv_settings_load_secret_file(f->settings, f->path, NULL));
    g_assert_true(kv_settings_validate(f->settings, NULL));
    text = kv_settings_to_data(f->settings, TRUE);
    g_assert_null(strstr(text, "hush"));

    g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_SECRET, "other", NULL));
    g_assert_false(kv_settings_validate(f->settings, NULL));
    g_assert_false(kv_settings_load_secret_file(f->settings, f->path, NULL));
    check_secret(f, "other");
}

/* Proves: the environment's secret is taken last, and is wiped and gone in every case. */
static void
test_environment(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *secret;      /* given before */
        const char *secret_file; /* given before */
        const char *variable;
        gboolean ok;
        const char *expected;
    } cases[] = {
        {NULL, NULL, "hush", TRUE, "hush"}, {"first", NULL, "hush", TRUE, "first"},
        {NULL, "/x", "hush", TRUE, NULL},   {NULL, NULL, "", TRUE, NULL},
        {NULL, NULL, NULL, TRUE, NULL},     {NULL, NULL, "hu\nsh", FALSE, NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        kv_settings_unset(f->settings, KV_SETTING_SECRET);
        kv_settings_unset(f->settings, KV_SETTING_SECRET_FILE);
        if (cases[i].secret != NULL)
            g_assert_true(
                kv_settings_set_text(f->settings, KV_SETTING_SECRET, cases[i].secret, NULL));
        if (cases[i].secret_file != NULL)
            g_assert_true(kv_settings_set_text(f->settings, KV_SETTING_SECRET_FILE,
                                               cases[i].secret_file, NULL));
        if (cases[i].variable != NULL)
            g_assert_true(g_setenv("KCPVPN_KEY", cases[i].variable, TRUE));
        g_assert_cmpint(kv_settings_load_environment(f->settings, &error), ==, cases[i].ok);
        g_assert_null(g_getenv("KCPVPN_KEY"));
        if (error != NULL)
            g_assert_true(g_str_has_prefix(error->message, "KCPVPN_KEY: secret: "));
        g_assert_cmpint(kv_settings_is_set(f->settings, KV_SETTING_SECRET), ==,
                        cases[i].expected != NULL);
        if (cases[i].expected != NULL)
            check_secret(f, cases[i].expected);
    }
}

/* Proves: the variable's own memory is overwritten, not only taken off the list. */
static void
test_environment_is_wiped(Fixture *f, gconstpointer data)
{
    char variable[] = "KCPVPN_KEY=hush-hush";

    g_assert_cmpint(putenv(variable), ==, 0);
    g_assert_true(kv_settings_load_environment(f->settings, NULL));
    check_secret(f, "hush-hush");
    g_assert_null(memmem(variable, sizeof variable, "hush", 4));
}

int
main(int argc, char **argv)
{
#define ADD(name, func) g_test_add("/settings-secret/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("first-line", test_first_line);
    ADD("bad-first-line", test_bad_first_line);
    ADD("modes", test_modes);
    ADD("embed", test_embed);
    ADD("private-key", test_private_key);
    ADD("not-a-file", test_not_a_file);
    ADD("both", test_both);
    ADD("environment", test_environment);
    ADD("environment-is-wiped", test_environment_is_wiped);
#undef ADD
    return kv_test_main(&argc, &argv);
}
