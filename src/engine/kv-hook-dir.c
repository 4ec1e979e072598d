/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-dir.h"

#include "kv-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A change within the granularity of the folder's time stamp would else stay unseen. */
#define SETTLE_US (2 * G_USEC_PER_SEC)

struct _KvHookDir {
    char *path;
    GHashTable *names;
    struct timespec mtime;
    gboolean is_missing;
    gboolean is_settled; /* @mtime was old enough when the folder was listed */
};

static gboolean
is_writable_by_others(const struct stat *st)
{
    return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static gboolean
check_folder(const char *path, struct stat *st, GError **error)
{
    if (stat(path, st) < 0) {
        kv_error_set_errno(error, errno, "Cannot use hook folder %s", path);
        return FALSE;
    }
    if (!S_ISDIR(st->st_mode)) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, "Hook folder %s is not a folder", path);
        return FALSE;
    }
    if (is_writable_by_others(st)) {
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "Hook folder %s must be writable by its owner alone (chmod go-w)", path);
        return FALSE;
    }
    return TRUE;
}

static gboolean
list(KvHookDir *self, const struct stat *st, GError **error)
{
    gint64 mtime_us = st->st_mtim.tv_sec * G_USEC_PER_SEC + st->st_mtim.tv_nsec / 1000;
    g_autoptr(GError) local_error = NULL;
    g_autoptr(GDir) dir = g_dir_open(self->path, 0, &local_error);
    const char *name;

    if (dir == NULL) {
        g_set_error(error, KV_ERROR, KV_ERROR_IO, "Cannot list hook folder: %s",
                    local_error->message);
        return FALSE;
    }
    self->mtime = st->st_mtim;
    self->is_settled = g_get_real_time() - mtime_us > SETTLE_US;
    g_hash_table_remove_all(self->names);
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(self->path, name, NULL);

        if (g_str_has_prefix(name, "on_") && !g_file_test(path, G_FILE_TEST_IS_DIR))
            g_hash_table_add(self->names, g_strdup(name));
    }
    return TRUE;
}

static gboolean
refresh(KvHookDir *self, GError **error)
{
    struct stat st;

    self->is_missing = access(self->path, F_OK) < 0 && errno == ENOENT;
    if (self->is_missing) {
        g_hash_table_remove_all(self->names);
        self->is_settled = FALSE;
        return TRUE;
    }
    if (!check_folder(self->path, &st, error))
        return FALSE;
    if (self->is_settled && st.st_mtim.tv_sec == self->mtime.tv_sec &&
        st.st_mtim.tv_nsec == self->mtime.tv_nsec)
        return TRUE;
    return list(self, &st, error);
}

KvHookDir *
kv_hook_dir_new(const char *path, GError **error)
{
    g_autoptr(KvHookDir) self = g_new0(KvHookDir, 1);

    self->path = g_canonicalize_filename(path, NULL);
    self->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!refresh(self, error))
        return NULL;
    return g_steal_pointer(&self);
}

gboolean
kv_hook_dir_is_missing(const KvHookDir *dir)
{
    return dir->is_missing;
}

void
kv_hook_dir_free(KvHookDir *dir)
{
    if (dir == NULL)
        return;
    g_hash_table_unref(dir->names);
    g_free(dir->path);
    g_free(dir);
}

char *
kv_hook_dir_find(KvHookDir *dir, KvHookEvent event, const char *client_id, GError **error)
{
    const char *word = event == KV_HOOK_CONNECTED ? "connected" : "disconnected";
    g_autofree char *own = g_strdup_printf("on_%s_%s", client_id, word);
    g_autofree char *common = g_strdup_printf("on_%s", word);
    const char *name = NULL;

    if (!refresh(dir, error))
        return NULL;
    if (client_id[0] != '\0')
        name = g_hash_table_lookup(dir->names, own);
    if (name == NULL)
        name = g_hash_table_lookup(dir->names, common);
    return name != NULL ? g_build_filename(dir->path, name, NULL) : NULL;
}

gboolean
kv_hook_check_program(const char *path, GError **error)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        kv_error_set_errno(error, errno, "Cannot use hook %s", path);
        return FALSE;
    }
    if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "Hook %s is not an executable file", path);
        return FALSE;
    }
    if (is_writable_by_others(&st)) {
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "Hook %s must be writable by its owner alone (chmod go-w)", path);
        return FALSE;
    }
    return TRUE;
}
