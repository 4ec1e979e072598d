/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-privileges.h"
#include "kv-test.h"

#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define UID 4321
#define GID 4322

static const char with_user[] = "root:x:0:0::/root:/bin/sh\n"
                                "kcpvpn:x:4321:4322::/:/usr/sbin/nologin\n";
static const char without_user[] = "root:x:0:0::/root:/bin/sh\n";
static const char user_is_root[] = "root:x:0:0::/root:/bin/sh\nkcpvpn:x:0:0::/:/bin/sh\n";

/* Runs the test in a process of its own; TRUE in that process. */
static gboolean
in_child(void)
{
    if (g_test_subprocess())
        return TRUE;
    if (geteuid() != 0) {
        g_test_skip("not root: there is nothing to drop");
        return FALSE;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    return FALSE;
}

/* This process alone sees these users; the files that it makes go with it, as it may not remove
 * them once it is another user. */
static void
set_users(const char *text)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("kv-test-passwd-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (gssize) strlen(text));
    g_assert_cmpint(fchmod(fd, 0644), ==, 0);
    close(fd);
    g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
    g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
    g_assert_cmpint(mount(path, "/etc/passwd", NULL, MS_BIND, NULL), ==, 0);
    g_unlink(path);
    g_assert_cmpint(mount("none", g_get_tmp_dir(), "tmpfs", 0, "mode=1777"), ==, 0);
}

/* The value of a line of /proc/self/status, whatever its number base. */
static guint64
read_status(const char *key, guint base)
{
    g_autofree char *text = NULL;
    const char *at;

    g_assert_true(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
    at = strstr(text, key);
    g_assert_nonnull(at);
    return g_ascii_strtoull(at + strlen(key), NULL, base);
}

/* Proves: root becomes the user with CAP_NET_ADMIN alone, for good, and the folder is that
 * user's. */
static void
test_drop(void)
{
    g_autofree char *top = NULL;
    g_autofree char *folder = NULL;
    g_autoptr(GError) error = NULL;
    struct stat st;

    if (!in_child())
        return;
    set_users(with_user);
    top = g_dir_make_tmp("kv-test-privileges-XXXXXX", NULL);
    g_assert_cmpint(g_chmod(top, 0755), ==, 0);
    folder = g_build_filename(top, "state", NULL);
    g_setenv("STATE_DIRECTORY", folder, TRUE);
    g_assert_true(kv_privileges_drop(&error));
    g_assert_no_error(error);
    g_assert_cmpuint(getuid(), ==, UID);
    g_assert_cmpuint(geteuid(), ==, UID);
    g_assert_cmpuint(getgid(), ==, GID);
    g_assert_cmpint(getgroups(0, NULL), ==, 0);
    g_assert_cmpint(setuid(0), ==, -1);
    g_assert_cmphex(read_status("CapEff:\t", 16), ==, 1 << 12);
    g_assert_cmphex(read_status("CapPrm:\t", 16), ==, 1 << 12);
    g_assert_cmphex(read_status("CapInh:\t", 16), ==, 0);
    g_assert_cmphex(read_status("CapBnd:\t", 16), ==, 0);
    g_assert_cmpuint(read_status("NoNewPrivs:\t", 10), ==, 1);
    g_assert_cmpint(g_stat(folder, &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, UID);
    g_assert_cmpuint(st.st_gid, ==, GID);
    g_assert_cmpuint(st.st_mode & ALLPERMS, ==, 0700);
    /* Now that it is not root, it has nothing left to do. */
    g_assert_true(kv_privileges_drop(&error));
}

/* Proves: a folder of root's that is there already is handed over, a link is not followed. */
static void
test_folder(void)
{
    g_autofree char *top = NULL;
    g_autofree char *folder = NULL;
    g_autofree char *link_path = NULL;
    g_autoptr(GError) error = NULL;
    struct stat st;

    if (!in_child())
        return;
    set_users(with_user);
    top = g_dir_make_tmp("kv-test-privileges-XXXXXX", NULL);
    folder = g_build_filename(top, "state", NULL);
    link_path = g_build_filename(top, "link", NULL);
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    g_assert_cmpint(symlink(folder, link_path), ==, 0);
    g_setenv("STATE_DIRECTORY", link_path, TRUE);
    g_assert_false(kv_privileges_drop(&error));
    g_assert_nonnull(strstr(error->message, link_path));
    g_clear_error(&error);
    g_assert_cmpuint(geteuid(), ==, 0);
    g_assert_cmpint(g_stat(folder, &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, 0);
    g_setenv("STATE_DIRECTORY", folder, TRUE);
    g_assert_cmpint(g_chmod(top, 0755), ==, 0);
    g_assert_true(kv_privileges_drop(&error));
    g_assert_cmpint(g_stat(folder, &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, UID);
    g_assert_cmpuint(st.st_mode & ALLPERMS, ==, 0700);
}

static void
expect_no_user(const char *users)
{
    g_autoptr(GError) error = NULL;

    set_users(users);
    g_assert_false(kv_privileges_drop(&error));
    g_assert_error(error, KV_ERROR, KV_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "\"kcpvpn\""));
    g_assert_cmpuint(geteuid(), ==, 0);
}

/* Proves: without the user the error says how to make it, and nothing was changed. */
static void
test_no_user(void)
{
    if (in_child())
        expect_no_user(without_user);
}

/* Proves: a user of that name that is root in disguise is none. */
static void
test_user_is_root(void)
{
    if (in_child())
        expect_no_user(user_is_root);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/privileges/drop", test_drop);
    g_test_add_func("/privileges/folder", test_folder);
    g_test_add_func("/privileges/no-user", test_no_user);
    g_test_add_func("/privileges/user-is-root", test_user_is_root);
    return kv_test_main(&argc, &argv);
}
