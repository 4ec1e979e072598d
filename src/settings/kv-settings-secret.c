/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_VARIABLE  "KCPVPN_KEY"
#define SECRET_MAX_BYTES 4096

const KvSecretFile kv_secret_files[] = {
    {KV_SETTING_SECRET, KV_SETTING_SECRET_FILE},
    {KV_SETTING_PRIVATE_KEY, KV_SETTING_PRIVATE_KEY_FILE},
};
G_STATIC_ASSERT(G_N_ELEMENTS(kv_secret_files) == KV_N_SECRET_FILES);

gboolean
kv_settings_holds_secret(const KvSettings *settings, KvSettingId id)
{
    return kv_setting_get(id)->type == KV_SETTING_TYPE_SECRET && settings->values[id].is_set &&
           !settings->values[id].from_file;
}

/* Reads to the end, or @max + 1 bytes. Returns: how many, < 0: failed. */
static gssize
read_all(int fd, char *buf, gsize max)
{
    gsize len = 0;

    while (len <= max) {
        ssize_t n = read(fd, buf + len, max + 1 - len);

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

char *
kv_settings_read_file(const char *path, int extra_flags, gsize max, mode_t *mode, gsize *len,
                      GError **error)
{
    g_autofree char *shown = kv_text_quote(path);
    g_autofree char *buf = NULL;
    kv_autofd int fd = -1;
    struct stat st;
    gssize n;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | extra_flags);
    if (fd < 0 && errno == ELOOP) {
        kv_settings_fail(error, _("%s: a symbolic link is not allowed here"), shown);
        return NULL;
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        kv_error_set_errno(error, errno, _("%s: cannot be opened"), shown);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        kv_settings_fail(error, _("%s: not a regular file"), shown);
        return NULL;
    }
    buf = g_malloc0(max + 2);
    n = read_all(fd, buf, max);
    if (n < 0) {
        kv_error_set_errno(error, errno, _("%s: cannot be read"), shown);
        return NULL;
    }
    *mode = st.st_mode & ALLPERMS;
    *len = (gsize) n;
    return g_steal_pointer(&buf);
}

static gboolean
take_first_line(KvSettings *settings, KvSettingId id, const char *shown, char *buf, gsize len,
                GError **error)
{
    char *end = memchr(buf, '\n', len);
    gsize line = end != NULL ? (gsize) (end - buf) : len;

    if (line > 0 && buf[line - 1] == '\r')
        line--;
    if (line == 0 || line > SECRET_MAX_BYTES || memchr(buf, '\0', line) != NULL)
        return kv_settings_fail(error,
                                _("%s: the first line must be a secret of 1 to %u bytes of text"),
                                shown, SECRET_MAX_BYTES);
    buf[line] = '\0';
    return kv_settings_set_text(settings, id, buf, error);
}

static gboolean
load_file(KvSettings *settings, const KvSecretFile *pair, const char *path, GError **error)
{
    g_autofree char *shown = kv_text_quote(path);
    g_autofree char *buf = NULL;
    mode_t mode;
    gsize len;
    gboolean ok;

    if (kv_settings_holds_secret(settings, pair->secret))
        return kv_settings_fail_both(pair, error);
    /* The line, its end and one byte that shows that it is longer. */
    buf = kv_settings_read_file(path, O_NOFOLLOW, SECRET_MAX_BYTES + 2, &mode, &len, error);
    if (buf == NULL)
        return FALSE;
    if ((mode & (S_IRWXG | S_IRWXO)) != 0)
        ok = kv_settings_fail(
            error, _("%s: others than the owner have access (mode %04o); run: chmod 600"), shown,
            (guint) mode);
    else
        ok = take_first_line(settings, pair->secret, shown, buf, len, error);
    explicit_bzero(buf, len);
    settings->values[pair->secret].from_file |= ok;
    return ok;
}

gboolean
kv_settings_load_secret_file(KvSettings *settings, const char *path, GError **error)
{
    return load_file(settings, &kv_secret_files[0], path, error);
}

gboolean
kv_settings_load_secret_files(KvSettings *settings, GError **error)
{
    for (guint i = 0; i < KV_N_SECRET_FILES; i++) {
        const char *path = kv_settings_get_string(settings, kv_secret_files[i].file);

        if (path != NULL && !load_file(settings, &kv_secret_files[i], path, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_settings_names_secret_files(const KvSettings *settings)
{
    for (guint i = 0; i < KV_N_SECRET_FILES; i++) {
        if (kv_settings_is_set(settings, kv_secret_files[i].file))
            return TRUE;
    }
    return FALSE;
}

gboolean
kv_settings_embed_secret_files(KvSettings *settings, GError **error)
{
    if (!kv_settings_load_secret_files(settings, error))
        return FALSE;
    for (guint i = 0; i < KV_N_SECRET_FILES; i++) {
        kv_settings_unset(settings, kv_secret_files[i].file);
        settings->values[kv_secret_files[i].secret].from_file = FALSE;
    }
    return TRUE;
}

gboolean
kv_settings_fail_both(const KvSecretFile *pair, GError **error)
{
    const char *secret = kv_setting_get(pair->secret)->key;
    const char *file = kv_setting_get(pair->file)->key;

    return kv_settings_fail(error, _("%s and %s: both were given; only one of them is allowed"),
                            secret, file);
}

gboolean
kv_settings_load_environment(KvSettings *settings, GError **error)
{
    /* The variable's own memory, which others can read in /proc as long as it is not wiped. */
    char *value = getenv(SECRET_VARIABLE);
    gboolean ok = TRUE;

    if (value == NULL)
        return TRUE;
    /* Among equals, who have keys alone, it is of no use and no mistake. */
    if (value[0] != '\0' && settings->role != KV_ROLE_PEER &&
        !kv_settings_is_set(settings, KV_SETTING_SECRET) &&
        !kv_settings_is_set(settings, KV_SETTING_SECRET_FILE))
        ok = kv_settings_set_text(settings, KV_SETTING_SECRET, value, error);
    kv_secret_wipe_string(value);
    g_unsetenv(SECRET_VARIABLE);
    if (!ok)
        g_prefix_error(error, SECRET_VARIABLE ": ");
    return ok;
}
