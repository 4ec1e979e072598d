/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-hook-policy.h"
#include "kv-test.h"
#include "kv-trusted-path.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <string.h>

/* base/ hooks.conf, hooks.d/ with good, and more by test. */
typedef struct {
    char *base;
    char *dir;
} Fixture;

static char *
at(Fixture *fixture, const char *name)
{
    return g_build_filename(fixture->base, name, NULL);
}

static void
put(Fixture *fixture, const char *name, const char *text, int mode)
{
    g_autofree char *path = at(fixture, name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    fixture->base = g_dir_make_tmp("kv-policy-XXXXXX", NULL);
    g_assert_nonnull(fixture->base);
    fixture->dir = at(fixture, "hooks.d");
    g_assert_cmpint(g_mkdir(fixture->dir, 0755), ==, 0);
    put(fixture, "hooks.d/good", "#!/bin/sh\n", 0755);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kv_test_remove_tree(fixture->base);
    g_free(fixture->dir);
    g_free(fixture->base);
}

static KvHookPolicy *
load(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    KvHookPolicy *policy = kv_hook_policy_load(fixture->base, &error);

    g_assert_no_error(error);
    return policy;
}

static void
assert_found(KvHookPolicy *policy, const char *wanted, const char *want)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = kv_hook_policy_find_program(policy, wanted, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(path, ==, want);
}

static void
assert_refused(KvHookPolicy *policy, const char *wanted, const char *reason)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = kv_hook_policy_find_program(policy, wanted, &error);

    if (path != NULL)
        g_error("%s was taken as %s", wanted, path);
    if (strstr(error->message, reason) == NULL)
        g_error("%s: \"%s\", not \"%s\"", wanted, error->message, reason);
}

/* Proves: without hooks.conf it is hooks.d, as nobody; by path and by bare name. */
static void
test_defaults(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHookPolicy) policy = load(fixture);
    g_autofree char *good = at(fixture, "hooks.d/good");

    g_assert_cmpstr(kv_hook_policy_get_user(policy)->name, ==, "nobody");
    g_assert_cmpuint(kv_hook_policy_get_user(policy)->uid, ==, getpwnam("nobody")->pw_uid);
    assert_found(policy, good, good);
    assert_found(policy, "good", good);
}

/* Proves: no text leads out of the folders, or to anything but a program in them. */
static void
test_outside(Fixture *fixture, gconstpointer data)
{
    static const char *const wanted[] = {
        "",     "/",     "/bin/sh", "sh",           "..",        ".",
        "goo",  "good/", "./good",  "hooks.d/good", "../bin/sh", "good\n",
        "/etc", "*",     "%s",      "//bin//sh",    "\xff",      "good/../good",
    };
    g_autofree char *sub = at(fixture, "hooks.d/sub");
    g_autoptr(KvHookPolicy) policy = load(fixture);
    static const char *const tails[] = {
        "",       "/",       "/.",     "/..",       "/../hooks.d/good",
        "//good", "/./good", "/good/", "/sub/good", "/good "};

    g_assert_cmpint(g_mkdir(sub, 0755), ==, 0);
    put(fixture, "hooks.d/sub/good", "#!/bin/sh\n", 0755);
    put(fixture, "evil", "#!/bin/sh\n", 0755);
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++)
        assert_refused(policy, wanted[i],
                       strcmp(wanted[i], ".") == 0 || strcmp(wanted[i], "..") == 0
                           ? "not an executable file"
                           : "is in no hook folder");
    for (guint i = 0; i < G_N_ELEMENTS(tails); i++) {
        g_autofree char *path = g_strconcat(fixture->dir, tails[i], NULL);

        assert_refused(policy, path, "");
    }
}

/* Proves: a program that others could change, or that is none, is refused, and why. */
static void
test_programs(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHookPolicy) policy = load(fixture);
    g_autofree char *link = at(fixture, "hooks.d/link");
    g_autofree char *fifo = at(fixture, "hooks.d/fifo");
    g_autofree char *foreign = at(fixture, "hooks.d/foreign");

    put(fixture, "hooks.d/group", "#!/bin/sh\n", 0775);
    put(fixture, "hooks.d/world", "#!/bin/sh\n", 0757);
    put(fixture, "hooks.d/plain", "#!/bin/sh\n", 0644);
    put(fixture, "hooks.d/foreign", "#!/bin/sh\n", 0755);
    g_assert_cmpint(symlink("good", link), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0755), ==, 0);
    assert_refused(policy, "group", "hooks.d/group must be writable by its owner alone");
    assert_refused(policy, "world", "hooks.d/world must be writable by its owner alone");
    assert_refused(policy, "plain", "hooks.d/plain is not an executable file");
    assert_refused(policy, "link", "a symbolic link is not followed");
    assert_refused(policy, "fifo", "not an executable file");
    if (geteuid() != 0)
        return;
    g_assert_cmpint(chown(foreign, 65534, 0), ==, 0);
    assert_refused(policy, "foreign", "hooks.d/foreign must belong to root");
}

/* Proves: so is all of a folder that others could change or exchange. */
static void
test_folders(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHookPolicy) policy = load(fixture);
    g_autofree char *moved = at(fixture, "moved");

    g_chmod(fixture->dir, 0775);
    assert_refused(policy, "good", "hooks.d must be writable by its owner alone");
    g_chmod(fixture->dir, 0757);
    assert_refused(policy, "good", "hooks.d must be writable by its owner alone");
    g_chmod(fixture->dir, 01777);
    assert_refused(policy, "good", "hooks.d must be writable by its owner alone");
    g_chmod(fixture->dir, 0755);
    g_chmod(fixture->base, 0777);
    assert_refused(policy, "good", "must be writable by its owner alone");
    g_chmod(fixture->base, 01777);
    g_clear_pointer(&moved, g_free);
    moved = kv_hook_policy_find_program(policy, "good", NULL);
    g_assert_nonnull(moved);
    g_chmod(fixture->base, 0755);
    if (geteuid() == 0) {
        g_assert_cmpint(chown(fixture->dir, 65534, 0), ==, 0);
        assert_refused(policy, "good", "hooks.d must belong to root");
        g_assert_cmpint(chown(fixture->dir, 0, 0), ==, 0);
        g_assert_cmpint(chown(fixture->base, 65534, 0), ==, 0);
        assert_refused(policy, "good", "must belong to root");
        g_assert_cmpint(chown(fixture->base, 0, 0), ==, 0);
    }
    g_free(moved);
    moved = at(fixture, "moved");
    g_assert_cmpint(rename(fixture->dir, moved), ==, 0);
    assert_refused(policy, "good", "No such file");
    g_assert_cmpint(symlink("moved", fixture->dir), ==, 0);
    assert_refused(policy, "good", "a symbolic link, which is not followed");
}

/* Proves: the administrator names user and folders; folders are looked through in their order. */
static void
test_config(Fixture *fixture, gconstpointer data)
{
    g_autofree char *other = at(fixture, "other");
    g_autofree char *good = at(fixture, "other/good");
    g_autofree char *old = at(fixture, "hooks.d/good");
    g_autofree char *text =
        g_strdup_printf("# ours\n[hooks]\nuser=root\nfolders=%s;%s\n", other, fixture->dir);
    g_autoptr(KvHookPolicy) policy = NULL;

    g_assert_cmpint(g_mkdir(other, 0755), ==, 0);
    put(fixture, "other/good", "#!/bin/sh\n", 0700);
    put(fixture, "hooks.conf", text, 0644);
    policy = load(fixture);
    g_assert_cmpstr(kv_hook_policy_get_user(policy)->name, ==, "root");
    g_assert_cmpuint(kv_hook_policy_get_user(policy)->uid, ==, 0);
    g_assert_cmpuint(kv_hook_policy_get_user(policy)->n_groups, >=, 1);
    assert_found(policy, "good", good);
    assert_found(policy, old, old);
    put(fixture, "hooks.conf", "", 0600);
    kv_hook_policy_free(policy);
    policy = load(fixture);
    g_assert_cmpstr(kv_hook_policy_get_user(policy)->name, ==, "nobody");
}

static void
assert_bad_config(Fixture *fixture, const char *text, int mode, const char *reason)
{
    g_autoptr(GError) error = NULL;

    put(fixture, "hooks.conf", text, mode);
    g_assert_null(kv_hook_policy_load(fixture->base, &error));
    g_assert_nonnull(error);
    if (strstr(error->message, "hooks.conf") == NULL || strstr(error->message, reason) == NULL)
        g_error("\"%s\", not \"%s\"", error->message, reason);
}

/* Proves: a file that others could have written, or that says something unknown, stops all. */
static void
test_bad_config(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = at(fixture, "hooks.conf");
    g_autofree char *big = g_strnfill(70000, '#');

    assert_bad_config(fixture, "[hooks]\n", 0666, "writable by its owner alone");
    assert_bad_config(fixture, "[hooks]\n", 0664, "writable by its owner alone");
    assert_bad_config(fixture, "[hooks]\nUser=root\n", 0644, "unknown key User");
    assert_bad_config(fixture, "[hook]\n", 0644, "unknown group [hook]");
    assert_bad_config(fixture, "user=root\n", 0644, "");
    assert_bad_config(fixture, "[hooks]\nuser=no-such-user\n", 0644, "no user \"no-such-user\"");
    assert_bad_config(fixture, "[hooks]\nuser=\n", 0644, "no user \"\"");
    assert_bad_config(fixture, "[hooks]\nuser=0\n", 0644, "no user \"0\"");
    assert_bad_config(fixture, big, 0644, "at most 65536 bytes");
    if (geteuid() == 0) {
        put(fixture, "hooks.conf", "", 0644);
        g_assert_cmpint(chown(path, 65534, 0), ==, 0);
        g_assert_null(kv_hook_policy_load(fixture->base, NULL));
    }
    g_remove(path);
    g_assert_cmpint(symlink("hooks.d/good", path), ==, 0);
    g_assert_null(kv_hook_policy_load(fixture->base, NULL));
    g_remove(path);
    g_assert_cmpint(mkfifo(path, 0644), ==, 0);
    g_assert_null(kv_hook_policy_load(fixture->base, NULL));
}

/* Proves: a folder is named by its one plain path. */
static void
test_folder_paths(Fixture *fixture, gconstpointer data)
{
    static const char *const bad[] = {"hooks.d",     "",           ".",     "/tmp/",
                                      "/tmp/../etc", "/tmp/./etc", "//etc", "/etc//x"};

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(kv_trusted_open_dir(bad[i], &error), ==, -1);
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
    }
}

/* Proves: root and the daemon's user may ask, nobody else; nor anybody for a user not there. */
static void
test_peers(Fixture *fixture, gconstpointer data)
{
    uid_t nobody = getpwnam("nobody")->pw_uid;

    g_assert_true(kv_hook_policy_allows_peer(0, "no-such-user"));
    g_assert_false(kv_hook_policy_allows_peer(nobody, "no-such-user"));
    g_assert_true(kv_hook_policy_allows_peer(nobody, "nobody"));
    g_assert_false(kv_hook_policy_allows_peer(nobody, "daemon"));
    g_assert_false(kv_hook_policy_allows_peer((uid_t) -1, "nobody"));
    g_assert_false(kv_hook_policy_allows_peer(1000, "nobody"));
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    ADD("/hook-policy/defaults", test_defaults);
    ADD("/hook-policy/outside", test_outside);
    ADD("/hook-policy/programs", test_programs);
    ADD("/hook-policy/folders", test_folders);
    ADD("/hook-policy/config", test_config);
    ADD("/hook-policy/bad-config", test_bad_config);
    ADD("/hook-policy/folder-paths", test_folder_paths);
    ADD("/hook-policy/peers", test_peers);
    return kv_test_main(&argc, &argv);
}
