/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-names.h"
#include "kv-test.h"

#include <NetworkManager.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The library as nmcli loads it, without a toolkit and a display: samples/ must come through
 * import and export unchanged, refused/ must be refused with the message in its first line.
 */

#define REFUSED_MARK "# refused: "

static NMVpnEditorPlugin *plugin;

/* Calls @check for each file of a folder beside this one; one that is empty fails. */
static void
for_each_file(const char *folder, void (*check)(const char *path))
{
    g_autofree char *at = g_build_filename(KV_TEST_SOURCE_DIR, folder, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(at, 0, &error);
    const char *name;
    guint n = 0;

    g_assert_no_error(error);
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(at, name, NULL);

        g_test_message("%s", path);
        check(path);
        n++;
    }
    g_assert_cmpuint(n, >, 0);
}

static NMConnection *
import(const char *path)
{
    g_autoptr(GError) error = NULL;
    NMConnection *connection = nm_vpn_editor_plugin_import(plugin, path, &error);

    g_assert_no_error(error);
    return connection;
}

/* (transfer full): where the profile lies now, in a new folder, by the name that is suggested. */
static char *export(NMConnection *connection)
{
    g_autofree char *folder = g_dir_make_tmp("kcpvpn-XXXXXX", NULL);
    g_autofree char *name = nm_vpn_editor_plugin_get_suggested_filename(plugin, connection);
    char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GError) error = NULL;

    nm_vpn_editor_plugin_export(plugin, path, connection, &error);
    g_assert_no_error(error);
    return path;
}

/* (transfer full): the file's text; it and its folder are removed. */
static char *
take_file(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_remove(path), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    return text;
}

static void
assert_comes_through(const char *path)
{
    g_autoptr(NMConnection) first = import(path);
    g_autofree char *out = export(first);
    g_autoptr(NMConnection) second = import(out);
    g_autofree char *again = export(second);
    g_autofree char *text = take_file(out);
    g_autofree char *text_again = take_file(again);

    g_assert_true(nm_connection_compare(first, second, NM_SETTING_COMPARE_FLAG_EXACT));
    g_assert_cmpstr(text, ==, text_again);
}

/* Proves: import, export and import again is the identity, and so is export again. */
static void
test_identity(void)
{
    for_each_file("samples", assert_comes_through);
}

static void
assert_refused(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_autofree char *wanted = NULL;
    NMConnection *connection = nm_vpn_editor_plugin_import(plugin, path, &error);

    g_assert_null(connection);
    g_assert_nonnull(error);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(g_str_has_prefix(text, REFUSED_MARK));
    wanted = g_strndup(text + strlen(REFUSED_MARK), strcspn(text + strlen(REFUSED_MARK), "\n"));
    if (strstr(error->message, wanted) == NULL)
        g_error("\"%s\" is not in \"%s\"", wanted, error->message);
    g_assert_nonnull(strstr(error->message, path));
}

/* Proves: what a desktop profile may not have, and what is no such file, is refused, and why is
 * said together with the file's name. */
static void
test_refusals(void)
{
    for_each_file("refused", assert_refused);
}

/* Proves: what is no regular file is refused and not read, which could block; a missing one, too.
 */
static void
test_no_files(void)
{
    static const char *const paths[] = {"/", "/dev/zero", "/nonexistent/x.kcpvpn"};
    g_autofree char *folder = g_dir_make_tmp("kcpvpn-XXXXXX", NULL);
    g_autofree char *fifo = g_build_filename(folder, "fifo.kcpvpn", NULL);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_assert_null(nm_vpn_editor_plugin_import(plugin, paths[i], &error));
        g_assert_nonnull(strstr(error->message, paths[i]));
        g_clear_error(&error);
    }
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_null(nm_vpn_editor_plugin_import(plugin, fifo, &error));
    g_assert_nonnull(strstr(error->message, "not a regular file"));
    g_remove(fifo);
    g_rmdir(folder);
}

static NMConnection *
make_profile(const char *id, const char *key, const char *value)
{
    NMConnection *connection = nm_simple_connection_new();
    NMSettingVpn *vpn = NM_SETTING_VPN(nm_setting_vpn_new());
    NMSetting *base = nm_setting_connection_new();

    g_object_set(base, NM_SETTING_CONNECTION_ID, id, NULL);
    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, KV_NM_SERVICE, NULL);
    nm_setting_vpn_add_data_item(vpn, "ip", "vpn.example.org");
    nm_setting_vpn_add_data_item(vpn, "port", "1235");
    if (key != NULL)
        nm_setting_vpn_add_data_item(vpn, key, value);
    nm_connection_add_setting(connection, base);
    nm_connection_add_setting(connection, NM_SETTING(vpn));
    return connection;
}

/* Proves: a secret goes into the file only if the profile has it, and then nobody else can read the
 * file, also if it was there before. */
static void
test_secret(void)
{
    g_autoptr(NMConnection) connection = make_profile("x", "secret-flags", "1");
    g_autofree char *path = export(connection);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    struct stat st;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_null(strstr(text, "secret"));
    g_assert_cmpint(chmod(path, 0644), ==, 0);
    nm_setting_vpn_add_secret(nm_connection_get_setting_vpn(connection), "secret", "geheim");
    nm_vpn_editor_plugin_export(plugin, path, connection, &error);
    g_assert_no_error(error);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & ALLPERMS, ==, 0600);
    g_clear_pointer(&text, g_free);
    text = take_file(path);
    g_assert_nonnull(strstr(text, "\nsecret=geheim\n"));
}

/* Proves: a profile that no file can say is refused, and no file is left behind. */
static void
test_unfit_profiles(void)
{
    static const struct {
        const char *key, *value, *message;
    } cases[] = {
        {"remote", "x", "\"remote\" is not a known setting"},
        {"up", "/bin/true", "up: a desktop profile may not have this setting"},
        {"port", "0", "port: \"0\" is not allowed"},
        {"client-id", "a b", "client-id: \"a b\" is not allowed"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(NMConnection) connection = make_profile("x", cases[i].key, cases[i].value);
        g_autofree char *folder = g_dir_make_tmp("kcpvpn-XXXXXX", NULL);
        g_autofree char *path = g_build_filename(folder, "x.kcpvpn", NULL);
        g_autoptr(GError) error = NULL;

        g_assert_false(nm_vpn_editor_plugin_export(plugin, path, connection, &error));
        g_assert_nonnull(strstr(error->message, cases[i].message));
        g_assert_cmpint(g_rmdir(folder), ==, 0);
    }
}

/* Proves: the name that is suggested is one that a file can have. */
static void
test_file_names(void)
{
    static const struct {
        const char *id, *name;
    } cases[] = {
        {"office", "office.kcpvpn"}, {"a/b/../c", "a_b_.._c.kcpvpn"}, {".hidden", "_hidden.kcpvpn"},
        {"办公室", "办公室.kcpvpn"}, {"", "kcpvpn.kcpvpn"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(NMConnection) connection = make_profile(cases[i].id, NULL, NULL);
        g_autofree char *name = nm_vpn_editor_plugin_get_suggested_filename(plugin, connection);

        g_assert_cmpstr(name, ==, cases[i].name);
    }
}

/* Proves: a name that is no UTF-8 makes no profile that cannot be sent, nor such a message. */
static void
test_odd_names(void)
{
    g_autofree char *folder = g_dir_make_tmp("kcpvpn-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "\xff\xfe.kcpvpn", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(NMConnection) connection = NULL;

    g_assert_true(g_file_set_contents(path, "[tunnel]\nrole=client\nip=a\nport=1\n", -1, NULL));
    connection = import(path);
    g_assert_true(g_utf8_validate(nm_connection_get_id(connection), -1, NULL));
    g_assert_true(g_file_set_contents(path, "[tunnel]\nport=0\n", -1, NULL));
    g_assert_null(nm_vpn_editor_plugin_import(plugin, path, &error));
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_cmpint(g_remove(path), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* Proves: an export puts no file in the place of what is none, such as /dev/stdout. */
static void
test_no_file_to_write(void)
{
    g_autoptr(NMConnection) connection = make_profile("x", NULL, NULL);
    g_autofree char *folder = g_dir_make_tmp("kcpvpn-XXXXXX", NULL);
    g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
    g_autofree char *link = g_build_filename(folder, "link", NULL);
    const char *const paths[] = {fifo, link, folder};

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(symlink("/dev/null", link), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(nm_vpn_editor_plugin_export(plugin, paths[i], connection, &error));
        g_assert_nonnull(strstr(error->message, "not a regular file"));
    }
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    g_assert_cmpint(g_remove(link), ==, 0);
    g_assert_cmpint(g_remove(fifo), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* Proves: what the library says of itself, and that it has no form for a program without toolkit.
 */
static void
test_plugin(void)
{
    g_autoptr(NMConnection) connection = make_profile("x", NULL, NULL);
    g_autofree char *name = NULL;
    g_autofree char *description = NULL;
    g_autofree char *service = NULL;
    g_autoptr(GError) error = NULL;

    g_object_get(plugin, NM_VPN_EDITOR_PLUGIN_NAME, &name, NM_VPN_EDITOR_PLUGIN_DESCRIPTION,
                 &description, NM_VPN_EDITOR_PLUGIN_SERVICE, &service, NULL);
    g_assert_cmpstr(name, ==, "kcpvpn");
    g_assert_cmpstr(service, ==, KV_NM_SERVICE);
    g_assert_nonnull(description);
    g_assert_cmpint(nm_vpn_editor_plugin_get_capabilities(plugin) & 7, ==,
                    NM_VPN_EDITOR_PLUGIN_CAPABILITY_IMPORT |
                        NM_VPN_EDITOR_PLUGIN_CAPABILITY_EXPORT |
                        NM_VPN_EDITOR_PLUGIN_CAPABILITY_IPV6);
    g_assert_null(nm_vpn_editor_plugin_get_editor(plugin, connection, &error));
    g_assert_cmpstr(error->message, ==, "the form needs a program that has GTK 3 or GTK 4");
}

int
main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : g_getenv("KV_NM_EDITOR_PLUGIN");
    g_autoptr(GError) error = NULL;

    g_setenv("LC_ALL", "C", TRUE);
    plugin = nm_vpn_editor_plugin_load_from_file(path, KV_NM_SERVICE, -1, NULL, NULL, &error);
    g_assert_no_error(error);
    g_test_add_func("/nm-editor/plugin", test_plugin);
    g_test_add_func("/nm-editor/identity", test_identity);
    g_test_add_func("/nm-editor/refusals", test_refusals);
    g_test_add_func("/nm-editor/no-files", test_no_files);
    g_test_add_func("/nm-editor/secret", test_secret);
    g_test_add_func("/nm-editor/unfit-profiles", test_unfit_profiles);
    g_test_add_func("/nm-editor/file-names", test_file_names);
    g_test_add_func("/nm-editor/odd-names", test_odd_names);
    g_test_add_func("/nm-editor/no-file-to-write", test_no_file_to_write);
    return kv_test_main(&argc, &argv);
}
