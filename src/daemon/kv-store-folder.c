/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-store-folder.h"

#include "kv-error.h"
#include "kv-tunnel-secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What g_file_set_contents_full() puts behind a name while it writes. */
#define UNFINISHED_LETTERS 6

/* --- whom files and folders belong to --------------------------------------------------------- */

/* (transfer full) (nullable): what is wrong with one folder on the way. */
static char *
check_step(const char *path, uid_t owner)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return g_strdup_printf("%s cannot be looked at: %s", path, g_strerror(errno));
    if (st.st_uid != 0 && st.st_uid != owner)
        return g_strdup_printf("the folder %s belongs to user %u, who could change what is in it",
                               path, st.st_uid);
    /* In a sticky folder others can add files, but not touch ours. */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0)
        return g_strdup_printf("other users may write to the folder %s (mode %04o); run: chmod "
                               "go-w",
                               path, st.st_mode & ALLPERMS);
    return NULL;
}

/* (transfer full) (nullable): what is wrong with @path or a folder above it. */
static char *
check_folder(const char *path, uid_t owner)
{
    g_autofree char *real = realpath(path, NULL);
    struct stat st;

    if (real == NULL || stat(real, &st) < 0)
        return g_strdup_printf("it cannot be looked at: %s", g_strerror(errno));
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return g_strdup_printf("other users may write to it (mode %04o); run: chmod go-w",
                               st.st_mode & ALLPERMS);
    for (char *end = real + strlen(real); end != NULL; end = strrchr(real, '/')) {
        char *wrong;

        *end = '\0';
        wrong = check_step(real[0] != '\0' ? real : "/", owner);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

/* (transfer full) (nullable): what is wrong with a file's owner and mode. */
static char *
check_file(const struct stat *st, gboolean read_only)
{
    uid_t owner = read_only ? 0 : geteuid();
    mode_t refused = read_only ? S_IRWXO | S_IWGRP : S_IRWXG | S_IRWXO;

    if (!S_ISREG(st->st_mode))
        return g_strdup("it is not a regular file");
    if (st->st_uid != owner)
        return g_strdup_printf("it belongs to user %u; allowed: user %u; run: chown", st->st_uid,
                               owner);
    if ((st->st_mode & refused) != 0)
        return g_strdup_printf("others have access to it (mode %04o); run: chmod %s",
                               st->st_mode & ALLPERMS, read_only ? "g-w,o-rwx" : "600");
    if (st->st_size > KV_SETTING_FILE_MAX)
        return g_strdup_printf("it is longer than %u bytes", KV_SETTING_FILE_MAX);
    return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Returns: bytes read, at most @max; < 0: failed. */
static gssize
read_up_to(int fd, char *buf, gsize max)
{
    gsize len = 0;

    while (len < max) {
        ssize_t n = read(fd, buf + len, max - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (gsize) n;
    }
    return (gssize) len;
}

/* The text behind "LINE: ", whose number goes to @line; messages begin with that or ": ". */
static const char *
split_line(const char *message, guint *line)
{
    char *end;
    guint64 number;

    *line = 0;
    if (message[0] != ':')
        return message;
    number = g_ascii_strtoull(message + 1, &end, 10);
    if (end == message + 1 || !g_str_has_prefix(end, ": "))
        return g_str_has_prefix(message, ": ") ? message + 2 : message;
    *line = (guint) MIN(number, G_MAXUINT);
    return end + 2;
}

/* Gives the tunnel the file's name if it has none of its own. */
static gboolean
ensure_name(KvSettings *settings, const char *file, GError **error)
{
    g_autofree char *name = NULL;

    if (kv_settings_is_set(settings, KV_SETTING_NAME))
        return TRUE;
    name = g_strndup(file, strlen(file) - strlen(KV_STORE_SUFFIX));
    return kv_settings_set_text(settings, KV_SETTING_NAME, name, error);
}

/* (transfer full) (nullable): the settings; or what is wrong, and where. */
static KvSettings *
parse(int fd, gsize size, const char *file, guint *line, char **wrong)
{
    g_autoptr(KvSettings) settings = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *buf = g_malloc(size + 1);
    gssize len = read_up_to(fd, buf, size);

    *line = 0;
    if (len < 0) {
        *wrong = g_strdup_printf("it cannot be read: %s", g_strerror(errno));
        return NULL;
    }
    settings = kv_settings_new_from_data(buf, (gsize) len, "", &error);
    explicit_bzero(buf, size);
    if (settings == NULL || !ensure_name(settings, file, &error)) {
        *wrong = g_strdup(split_line(error->message, line));
        return NULL;
    }
    return g_steal_pointer(&settings);
}

static KvSettings *
read_file(int folder, const char *file, gboolean read_only, guint *line, char **wrong)
{
    kv_autofd int fd = -1;
    g_autoptr(KvSettings) settings = NULL;
    g_autoptr(GError) error = NULL;
    struct stat st;

    *line = 0;
    fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP) {
        *wrong = g_strdup("a symbolic link is not allowed here");
        return NULL;
    }
    if (fd < 0 && errno == EACCES && read_only) {
        *wrong = g_strdup("the daemon may not read it; run: chown root:kcpvpn and chmod 640");
        return NULL;
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        *wrong = g_strdup_printf("it cannot be opened: %s", g_strerror(errno));
        return NULL;
    }
    *wrong = check_file(&st, read_only);
    if (*wrong != NULL)
        return NULL;
    settings = parse(fd, (gsize) st.st_size, file, line, wrong);
    if (settings == NULL || kv_tunnel_secrets_check(settings, read_only, &error))
        return g_steal_pointer(&settings);
    *wrong = g_strdup(error->message);
    return NULL;
}

static void
take_file(int folder, const char *path, const char *file, gboolean read_only,
          KvStoreContents *contents)
{
    g_autofree char *full = g_build_filename(path, file, NULL);
    g_autoptr(KvSettings) settings = NULL;
    const KvStoreEntry *other;
    char *wrong = NULL;
    guint line;

    settings = read_file(folder, file, read_only, &line, &wrong);
    if (settings == NULL) {
        kv_store_contents_add_problem(contents, full, line, wrong);
        return;
    }
    other = kv_store_contents_find(contents, kv_settings_get_string(settings, KV_SETTING_NAME));
    if (other != NULL) {
        wrong = g_strdup_printf("the name \"%s\" is taken by %s",
                                kv_settings_get_string(settings, KV_SETTING_NAME), other->path);
        kv_store_contents_add_problem(contents, full, 0, wrong);
        return;
    }
    kv_store_contents_add_entry(contents, g_steal_pointer(&settings), full, read_only);
}

/* Whether a write began @file and a crash ended it. The suffix is as long as what such a name ends
 * in: the file of a tunnel "home.kcpvpn" only looks like one. */
static gboolean
is_unfinished(const char *file)
{
    gsize len = strlen(file);
    gsize tail = 1 + UNFINISHED_LETTERS;
    g_autofree char *head = len > tail ? g_strndup(file, len - tail) : NULL;

    if (g_str_has_suffix(file, KV_STORE_SUFFIX))
        return FALSE;
    return head != NULL && file[len - tail] == '.' && g_str_has_suffix(head, KV_STORE_SUFFIX);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* (transfer full): the names of key files, sorted. */
static GPtrArray *
list_files(GDir *dir, int folder, gboolean read_only)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        if (!read_only && is_unfinished(name))
            unlinkat(folder, name, 0);
        else if (g_str_has_suffix(name, KV_STORE_SUFFIX) && name[0] != '.')
            g_ptr_array_add(files, g_strdup(name));
    }
    g_ptr_array_sort(files, compare_names);
    return files;
}

gboolean
kv_store_folder_read(const char *path, gboolean read_only, KvStoreContents *contents)
{
    kv_autofd int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autoptr(GPtrArray) files = NULL;
    g_autoptr(GDir) dir = NULL;
    g_autofree char *wrong = NULL;

    if (folder < 0 && errno == ENOENT)
        return TRUE;
    if (folder < 0)
        wrong = g_strdup_printf("the folder cannot be opened: %s", g_strerror(errno));
    else
        wrong = check_folder(path, read_only ? 0 : geteuid());
    if (wrong == NULL && (dir = g_dir_open(path, 0, NULL)) == NULL)
        wrong = g_strdup_printf("the folder cannot be read: %s", g_strerror(errno));
    if (wrong != NULL) {
        kv_store_contents_add_problem(contents, path, 0, g_steal_pointer(&wrong));
        return FALSE;
    }
    files = list_files(dir, folder, read_only);
    for (guint i = 0; i < files->len; i++)
        take_file(folder, path, g_ptr_array_index(files, i), read_only, contents);
    return TRUE;
}

/* --- writing ---------------------------------------------------------------------------------- */

static KvError
code_of_file_error(const GError *error)
{
    if (error->domain != G_FILE_ERROR)
        return KV_ERROR_IO;
    switch ((GFileError) error->code) {
    case G_FILE_ERROR_NOSPC:
    case G_FILE_ERROR_NFILE:
    case G_FILE_ERROR_MFILE:
        return KV_ERROR_EXHAUSTED;
    case G_FILE_ERROR_ROFS:
    case G_FILE_ERROR_ACCES:
    case G_FILE_ERROR_PERM:
        return KV_ERROR_PERMISSION_DENIED;
    default:
        return KV_ERROR_IO;
    }
}

gboolean
kv_store_folder_write(const char *path, const char *text, gboolean must_be_new, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(GError) why = NULL;
    struct stat st;

    if (g_mkdir(folder, 0700) < 0 && errno != EEXIST) {
        kv_error_set_errno(error, errno, "%s: cannot be made", folder);
        return FALSE;
    }
    if (must_be_new && lstat(path, &st) == 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXISTS,
                    "%s: a file is there that is no tunnel's: mend it and reload, or remove it",
                    path);
        return FALSE;
    }
    if (g_file_set_contents_full(path, text, -1,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                 &why))
        return TRUE;
    g_set_error(error, KV_ERROR, (int) code_of_file_error(why),
                "%s: cannot be written, all is as it was: %s", path, why->message);
    return FALSE;
}

gboolean
kv_store_folder_delete(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    kv_autofd int fd = -1;

    if (unlink(path) < 0 && errno != ENOENT) {
        kv_error_set_errno(error, errno, "%s: cannot be deleted", path);
        return FALSE;
    }
    /* A tunnel that is gone must not be back after a power cut. */
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return TRUE;
    if (fd < 0 || fsync(fd) < 0) {
        kv_error_set_errno(error, errno, "%s: cannot be written", folder);
        return FALSE;
    }
    return TRUE;
}
