/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-test.h"
#include "kv-trusted-path.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

/* base/a/b/c, all of them ours. */
typedef struct {
    char *base;
} Fixture;

static char *
at(Fixture *fixture, const char *name)
{
    return g_build_filename(fixture->base, name, NULL);
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autofree char *inner = NULL;

    fixture->base = g_dir_make_tmp("kv-trusted-XXXXXX", NULL);
    g_assert_nonnull(fixture->base);
    inner = at(fixture, "a/b/c");
    g_assert_cmpint(g_mkdir_with_parents(inner, 0755), ==, 0);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kv_test_remove_tree(fixture->base);
    g_free(fixture->base);
}

static void
assert_opened(const char *path)
{
    g_autoptr(GError) error = NULL;
    kv_autofd int fd = kv_trusted_open_dir(path, &error);
    struct stat by_path;
    struct stat st;

    g_assert_no_error(error);
    g_assert_cmpint(stat(path, &by_path), ==, 0);
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    g_assert_true(st.st_ino == by_path.st_ino && st.st_dev == by_path.st_dev);
}

/* @names, @reason: what the message must hold. */
static void
assert_refused(const char *path, KvError code, const char *names, const char *reason)
{
    g_autoptr(GError) error = NULL;
    int fd = kv_trusted_open_dir(path, &error);

    if (fd >= 0 || error == NULL)
        g_error("%s was opened, or refused without an error", path);
    g_assert_error(error, KV_ERROR, (int) code);
    if (strstr(error->message, names) == NULL || strstr(error->message, reason) == NULL)
        g_error("%s: \"%s\" lacks \"%s\" or \"%s\"", path, error->message, names, reason);
}

/* Proves: a folder of ours below folders of ours or root's is opened, and so is the topmost. */
static void
test_good(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = at(fixture, "a/b/c");

    assert_opened(path);
    assert_opened(fixture->base);
    if (geteuid() == 0)
        assert_opened("/");
}

/* Proves: only a path that has one reading is looked at. */
static void
test_spelling(Fixture *fixture, gconstpointer data)
{
    static const char *const tails[] = {"/a/./b", "/a/../a", "/a/", "//a", "/a//b", "/.", "/.."};
    static const char *const wrong[] = {"", "a", "./a", "../a", "//", "/..", "//tmp", " /tmp"};
    g_autofree char *doubled = g_strconcat("/", fixture->base, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(tails); i++) {
        g_autofree char *path = g_strconcat(fixture->base, tails[i], NULL);

        assert_refused(path, KV_ERROR_INVALID_SETTING, path, "must be an absolute path");
    }
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        assert_refused(wrong[i], KV_ERROR_INVALID_SETTING, wrong[i], "must be an absolute path");
    assert_refused(doubled, KV_ERROR_INVALID_SETTING, doubled, "must be an absolute path");
}

/* Proves: a symbolic link is followed nowhere on the way, wherever it leads. */
static void
test_links(Fixture *fixture, gconstpointer data)
{
    static const char *const targets[] = {"b", ".", "..", "/", "/nonexistent", "link"};
    g_autofree char *link = at(fixture, "a/link");
    g_autofree char *below = at(fixture, "a/link/c");

    for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_assert_cmpint(symlink(targets[i], link), ==, 0);
        assert_refused(link, KV_ERROR_NOT_FOUND, link, "a symbolic link, which is not followed");
        assert_refused(below, KV_ERROR_NOT_FOUND, link, "a symbolic link, which is not followed");
        g_assert_cmpint(g_unlink(link), ==, 0);
    }
}

/* Proves: what is no folder, not there, or closed to us is named. */
static void
test_no_folder(Fixture *fixture, gconstpointer data)
{
    g_autofree char *file = at(fixture, "a/file");
    g_autofree char *below = at(fixture, "a/file/c");
    g_autofree char *gone = at(fixture, "a/gone");
    g_autofree char *below_gone = at(fixture, "a/gone/c");
    g_autofree char *closed = at(fixture, "a/b");
    g_autofree char *long_name = g_strnfill(300, 'x');
    g_autofree char *too_long = at(fixture, long_name);

    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    assert_refused(file, KV_ERROR_NOT_FOUND, file, "is not a folder");
    assert_refused(below, KV_ERROR_NOT_FOUND, file, "is not a folder");
    assert_refused(gone, KV_ERROR_NOT_FOUND, gone, "No such file");
    assert_refused(below_gone, KV_ERROR_NOT_FOUND, gone, "No such file");
    assert_refused(too_long, KV_ERROR_IO, too_long, "File name too long");
    if (geteuid() == 0)
        return;
    g_assert_cmpint(g_chmod(closed, 0), ==, 0);
    assert_refused(closed, KV_ERROR_PERMISSION_DENIED, closed, "Permission denied");
    g_assert_cmpint(g_chmod(closed, 0755), ==, 0);
}

/* Proves: no folder on the way may be open to others for writing, but for those in which nobody
 * can touch what is not theirs; the last one never. */
static void
test_modes(Fixture *fixture, gconstpointer data)
{
    static const struct {
        int mode;
        gboolean inner; /* may be on the way */
        gboolean last;  /* may be the last */
    } cases[] = {
        {0755, TRUE, TRUE},   {0700, TRUE, TRUE},    {0711, TRUE, TRUE},    {0775, FALSE, FALSE},
        {0757, FALSE, FALSE}, {0777, FALSE, FALSE},  {0720, FALSE, FALSE},  {0702, FALSE, FALSE},
        {01777, TRUE, FALSE}, {01775, TRUE, FALSE},  {01755, TRUE, TRUE},   {02755, TRUE, TRUE},
        {04755, TRUE, TRUE},  {02775, FALSE, FALSE}, {04777, FALSE, FALSE},
    };
    g_autofree char *middle = at(fixture, "a/b");
    g_autofree char *below = at(fixture, "a/b/c");

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(g_chmod(middle, cases[i].mode), ==, 0);
        if (cases[i].inner)
            assert_opened(below);
        else
            assert_refused(below, KV_ERROR_PERMISSION_DENIED, middle, "by its owner alone");
        if (cases[i].last)
            assert_opened(middle);
        else
            assert_refused(middle, KV_ERROR_PERMISSION_DENIED, middle, "by its owner alone");
    }
}

/* Proves: all folders must be root's, or of who we are; no mode makes up for it. */
static void
test_owners(Fixture *fixture, gconstpointer data)
{
    static const char *const steps[] = {"a", "a/b", "a/b/c"};
    static const int modes[] = {0755, 0700, 01777, 0500};
    g_autofree char *last = at(fixture, "a/b/c");

    if (geteuid() != 0) {
        g_test_skip("not root: cannot give folders away");
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *step = at(fixture, steps[i]);

        for (guint k = 0; k < G_N_ELEMENTS(modes); k++) {
            g_assert_cmpint(chown(step, NOBODY, 0), ==, 0);
            g_assert_cmpint(g_chmod(step, modes[k]), ==, 0);
            assert_refused(last, KV_ERROR_PERMISSION_DENIED, step, "must belong to root");
        }
        g_assert_cmpint(chown(step, 0, NOBODY), ==, 0);
        g_assert_cmpint(g_chmod(step, 0755), ==, 0);
        assert_opened(last);
    }
}

static guint looks_left;

int fstat(int fd, struct stat *st) __attribute__((visibility("default")));

/* In the place of the C library's: fails when looks_left has come down to 1. */
int
fstat(int fd, struct stat *st)
{
    if (looks_left > 0 && --looks_left == 0) {
        errno = EIO;
        return -1;
    }
    return (int) syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}

/* Proves: a folder that cannot be looked at is an error wherever it lies, not an absent one. */
static void
test_no_look(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = at(fixture, "a/b");
    g_auto(GStrv) steps = g_strsplit(path, "/", 0);

    /* One look at each step, from / to the last. */
    for (guint i = 1; i <= g_strv_length(steps); i++) {
        looks_left = i;
        assert_refused(path, KV_ERROR_IO, "Cannot look at folder /", "Input/output error");
        g_assert_cmpuint(looks_left, ==, 0);
    }
    looks_left = g_strv_length(steps) + 1;
    {
        kv_autofd int fd = kv_trusted_open_dir(path, NULL);

        g_assert_cmpint(fd, >=, 0);
    }
    g_assert_cmpuint(looks_left, ==, 1);
    looks_left = 0;
}

/* Proves: files are held to the same, and a sticky bit is no excuse. */
static void
test_check(void)
{
    static const struct {
        guint mode;
        gboolean good;
    } cases[] = {{0755, TRUE},  {0700, TRUE},  {0644, TRUE},  {04755, TRUE},
                 {0775, FALSE}, {0757, FALSE}, {0622, FALSE}, {01777, FALSE}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (guint mine = 0; mine < 3; mine++) {
            const uid_t owners[] = {0, geteuid(), NOBODY};
            struct stat st = {.st_mode = S_IFREG | cases[i].mode, .st_uid = owners[mine]};
            gboolean trusted = owners[mine] == 0 || owners[mine] == geteuid();
            g_autoptr(GError) error = NULL;
            gboolean good = kv_trusted_check("/x/y", &st, &error);

            g_assert_true(good == (cases[i].good && trusted));
            g_assert_true(good == (error == NULL));
            if (!good)
                g_assert_true(g_str_has_prefix(error->message, "/x/y must be"));
        }
    }
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    ADD("/trusted-path/good", test_good);
    ADD("/trusted-path/spelling", test_spelling);
    ADD("/trusted-path/links", test_links);
    ADD("/trusted-path/no-folder", test_no_folder);
    ADD("/trusted-path/modes", test_modes);
    ADD("/trusted-path/owners", test_owners);
    ADD("/trusted-path/no-look", test_no_look);
    g_test_add_func("/trusted-path/check", test_check);
    return kv_test_main(&argc, &argv);
}
