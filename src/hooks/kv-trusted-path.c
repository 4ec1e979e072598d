/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-trusted-path.h"

#include "kv-error.h"

#include <errno.h>
#include <fcntl.h>

static gboolean
check_owner(const char *path, const struct stat *st, GError **error)
{
    if (st->st_uid == 0 || st->st_uid == geteuid())
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED, "%s must belong to root", path);
    return FALSE;
}

gboolean
kv_trusted_check(const char *path, const struct stat *st, GError **error)
{
    if (!check_owner(path, st, error))
        return FALSE;
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                "%s must be writable by its owner alone (chmod go-w)", path);
    return FALSE;
}

/* In a sticky folder such as /tmp others cannot rename or remove what is root's. */
static gboolean
check_parent(const char *path, const struct stat *st, GError **error)
{
    if ((st->st_mode & S_ISVTX) != 0)
        return check_owner(path, st, error);
    return kv_trusted_check(path, st, error);
}

static gboolean
look_at(int fd, const char *path, struct stat *st, GError **error)
{
    if (fstat(fd, st) == 0)
        return TRUE;
    kv_error_set_errno(error, errno, "Cannot look at folder %s", path);
    return FALSE;
}

/* Opens @name in @parent, which is closed. */
static int
step_into(int parent, const char *name, const char *path, GError **error)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int errnum = errno;

    close(parent);
    if (fd < 0 && errnum == ENOTDIR)
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND,
                    "%s is not a folder, or a symbolic link, which is not followed", path);
    else if (fd < 0)
        kv_error_set_errno(error, errnum, "Cannot open folder %s", path);
    return fd;
}

int
kv_trusted_open_dir(const char *path, GError **error)
{
    g_autofree char *canonical = g_canonicalize_filename(path, "/");
    g_auto(GStrv) names = g_strsplit(canonical, "/", 0);
    g_autoptr(GString) so_far = g_string_new("/");
    struct stat st;
    int fd;

    /* POSIX lets two slashes in front mean something else, so they are kept. */
    if (g_strcmp0(canonical, path) != 0 || g_str_has_prefix(path, "//")) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "folder \"%s\" must be an absolute path without \".\", \"..\" or a slash at "
                    "its end",
                    path);
        return -1;
    }
    fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        kv_error_set_errno(error, errno, "Cannot open folder /");
        return -1;
    }
    /* The first name is what stands before the first slash. */
    for (guint i = 1; names[i] != NULL && names[i][0] != '\0'; i++) {
        if (!look_at(fd, so_far->str, &st, error) || !check_parent(so_far->str, &st, error)) {
            close(fd);
            return -1;
        }
        if (so_far->len > 1)
            g_string_append_c(so_far, '/');
        g_string_append(so_far, names[i]);
        fd = step_into(fd, names[i], so_far->str, error);
        if (fd < 0)
            return -1;
    }
    if (look_at(fd, path, &st, error) && kv_trusted_check(path, &st, error))
        return fd;
    close(fd);
    return -1;
}
