/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-policy.h"

#include "kv-error.h"
#include "kv-trusted-path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define FILE_NAME    "hooks.conf"
#define FOLDER_NAME  "hooks.d"
#define GROUP        "hooks"
#define DEFAULT_USER "nobody"
#define FILE_MAX     65536 /* bytes */
#define GROUPS_MAX   1024

struct _KvHookPolicy {
    char *file; /* for messages */
    char **folders;
    KvHookUser user;
};

/* --- hooks.conf ------------------------------------------------------------------------------ */

/* (transfer full): the text; NULL without an error if there is no such file. */
static char *
read_file(const char *config_dir, const char *path, GError **error)
{
    kv_autofd int dir_fd = -1;
    kv_autofd int fd = -1;
    g_autofree char *text = g_malloc(FILE_MAX + 1);
    struct stat st;
    ssize_t n;

    dir_fd = kv_trusted_open_dir(config_dir, error);
    if (dir_fd < 0)
        return NULL;
    fd = openat(dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return NULL;
    if (fd < 0 || fstat(fd, &st) < 0) {
        kv_error_set_errno(error, errno, "Cannot read %s", path);
        return NULL;
    }
    if (!kv_trusted_check(path, &st, error))
        return NULL;
    n = S_ISREG(st.st_mode) ? read(fd, text, FILE_MAX + 1) : -1;
    if (n < 0 || n > FILE_MAX) {
        g_set_error(error, KV_ERROR, KV_ERROR_IO, "%s must be a file of at most %d bytes", path,
                    FILE_MAX);
        return NULL;
    }
    text[n] = '\0';
    return g_steal_pointer(&text);
}

/* What is misspelt must not be ignored. */
static gboolean
check_names(GKeyFile *keys, const char *path, GError **error)
{
    static const char *const known[] = {"user", "folders", NULL};
    g_auto(GStrv) groups = g_key_file_get_groups(keys, NULL);
    g_auto(GStrv) names = g_key_file_get_keys(keys, GROUP, NULL, NULL);

    for (char **p = groups; *p != NULL; p++) {
        if (strcmp(*p, GROUP) != 0) {
            g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                        "%s: unknown group [%s]; allowed: [" GROUP "]", path, *p);
            return FALSE;
        }
    }
    for (char **p = names; p != NULL && *p != NULL; p++) {
        if (!g_strv_contains(known, *p)) {
            g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                        "%s: unknown key %s; allowed: user, folders", path, *p);
            return FALSE;
        }
    }
    return TRUE;
}

static GKeyFile *
load_keys(const char *config_dir, const char *path, GError **error)
{
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_autoptr(GError) local_error = NULL;
    g_autofree char *text = read_file(config_dir, path, &local_error);

    if (local_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return NULL;
    }
    if (text != NULL && text[0] != '\0' &&
        !g_key_file_load_from_data(keys, text, (gsize) -1, G_KEY_FILE_NONE, &local_error)) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, "%s: %s", path,
                    local_error->message);
        return NULL;
    }
    return check_names(keys, path, error) ? g_steal_pointer(&keys) : NULL;
}

static gboolean
find_user(KvHookUser *user, const char *name, const char *path, GError **error)
{
    const struct passwd *entry = getpwnam(name);
    int n = GROUPS_MAX;

    if (entry == NULL) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, "%s: user: there is no user \"%s\"",
                    path, name);
        return FALSE;
    }
    user->name = g_strdup(name);
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    user->groups = g_new0(gid_t, GROUPS_MAX);
    if (getgrouplist(name, entry->pw_gid, user->groups, &n) < 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED, "user %s is in more than %d groups", name,
                    GROUPS_MAX);
        return FALSE;
    }
    user->n_groups = (gsize) n;
    return TRUE;
}

KvHookPolicy *
kv_hook_policy_load(const char *config_dir, GError **error)
{
    g_autoptr(KvHookPolicy) self = g_new0(KvHookPolicy, 1);
    g_autoptr(GKeyFile) keys = NULL;
    g_autofree char *user = NULL;

    self->file = g_build_filename(config_dir, FILE_NAME, NULL);
    keys = load_keys(config_dir, self->file, error);
    if (keys == NULL)
        return NULL;
    self->folders = g_key_file_get_string_list(keys, GROUP, "folders", NULL, NULL);
    if (self->folders == NULL) {
        self->folders = g_new0(char *, 2);
        self->folders[0] = g_build_filename(config_dir, FOLDER_NAME, NULL);
    }
    user = g_key_file_get_string(keys, GROUP, "user", NULL);
    if (!find_user(&self->user, user != NULL ? user : DEFAULT_USER, self->file, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
kv_hook_policy_free(KvHookPolicy *policy)
{
    if (policy == NULL)
        return;
    g_strfreev(policy->folders);
    g_free(policy->file);
    g_free(policy->user.name);
    g_free(policy->user.groups);
    g_free(policy);
}

const KvHookUser *
kv_hook_policy_get_user(KvHookPolicy *policy)
{
    return &policy->user;
}

/* --- programs -------------------------------------------------------------------------------- */

static gboolean
check_program(int dir_fd, const char *name, const char *path, GError **error)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        kv_error_set_errno(error, errno, "Cannot use hook %s", path);
        return FALSE;
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "%s is not an executable file; a symbolic link is not followed", path);
        return FALSE;
    }
    return kv_trusted_check(path, &st, error);
}

/* (transfer full) (nullable): the path of the entry @name of @folder; NULL without an error if it
 * has none. */
static char *
find_in_folder(const char *folder, const char *name, GError **error)
{
    g_autofree char *path = NULL;
    int fd = kv_trusted_open_dir(folder, error);
    const struct dirent *entry;
    DIR *dir;

    if (fd < 0)
        return NULL;
    dir = fdopendir(fd);
    if (dir == NULL) {
        kv_error_set_errno(error, errno, "Cannot list folder %s", folder);
        close(fd);
        return NULL;
    }
    while (path == NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, name) == 0)
            path = g_build_filename(folder, entry->d_name, NULL);
    }
    if (path != NULL && !check_program(fd, name, path, error))
        g_clear_pointer(&path, g_free);
    closedir(dir);
    return g_steal_pointer(&path);
}

char *
kv_hook_policy_find_program(KvHookPolicy *policy, const char *wanted, GError **error)
{
    const char *slash = strrchr(wanted, '/');
    g_autofree char *folder = slash != NULL ? g_strndup(wanted, (gsize) (slash - wanted)) : NULL;
    const char *name = slash != NULL ? slash + 1 : wanted;
    g_autofree char *list = g_strjoinv(", ", policy->folders);

    for (char **p = policy->folders; *p != NULL; p++) {
        g_autoptr(GError) local_error = NULL;
        char *path;

        if (folder != NULL && strcmp(folder, *p) != 0)
            continue;
        path = find_in_folder(*p, name, &local_error);
        if (path != NULL)
            return path;
        if (local_error != NULL) {
            g_propagate_error(error, g_steal_pointer(&local_error));
            return NULL;
        }
    }
    g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, "%s is in no hook folder; those of %s are: %s",
                wanted, policy->file, list);
    return NULL;
}

gboolean
kv_hook_policy_allows_peer(uid_t uid, const char *service_user)
{
    const struct passwd *entry;

    if (uid == 0)
        return TRUE;
    entry = getpwnam(service_user);
    return entry != NULL && entry->pw_uid == uid;
}
