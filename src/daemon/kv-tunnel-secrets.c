/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-secrets.h"

#include "kv-error.h"
#include "kv-log.h"
#include "kv-text.h"
#include "kv-thread.h"

#include <string.h>

#define CREDENTIALS_VARIABLE "CREDENTIALS_DIRECTORY"

static gboolean
check_file(const KvSettings *settings, KvSettingId id, gboolean of_admin, GError **error)
{
    const char *key = kv_setting_get(id)->key;
    const char *file = kv_settings_get_string(settings, id);
    g_autofree char *shown = NULL;

    if (file == NULL || (of_admin && g_path_is_absolute(file)))
        return TRUE;
    shown = kv_text_quote(file);
    if (of_admin)
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "%s: \"%s\" is not allowed; allowed: an absolute path", key, shown);
    else
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "%s: \"%s\" is not allowed; allowed: only in key files of the "
                    "administrator's folder; give the secret itself",
                    key, shown);
    return FALSE;
}

gboolean
kv_tunnel_secrets_check(const KvSettings *settings, gboolean of_admin, GError **error)
{
    return check_file(settings, KV_SETTING_SECRET_FILE, of_admin, error) &&
           check_file(settings, KV_SETTING_PRIVATE_KEY_FILE, of_admin, error);
}

/* systemd itself sees to who may read a credential; the mode that is seen here says nothing. */
static gboolean
load_credential(KvSettings *settings, KvSettingId id, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) why = NULL;
    gsize len;
    gboolean ok;

    if (!g_file_get_contents(path, &text, &len, &why)) {
        g_set_error(error, KV_ERROR, KV_ERROR_IO, "credential: %s", why->message);
        return FALSE;
    }
    text[strcspn(text, "\r\n")] = '\0';
    ok = kv_settings_set_text(settings, id, text, error);
    if (!ok)
        g_prefix_error(error, "%s: ", path);
    explicit_bzero(text, len);
    return ok;
}

/* Takes the setting @id out of the credential NAME.KEY if there is one and nothing was given. */
static gboolean
find_credential(KvSettings *settings, KvSettingId id, KvSettingId file_id, GError **error)
{
    const char *folder = g_getenv(CREDENTIALS_VARIABLE);
    g_autofree char *base = NULL;
    g_autofree char *path = NULL;

    if (folder == NULL || kv_settings_is_set(settings, id) ||
        kv_settings_is_set(settings, file_id) ||
        (kv_setting_get(id)->side & kv_setting_side_of_role(kv_settings_get_role(settings))) == 0)
        return TRUE;
    base = g_strconcat(kv_settings_get_string(settings, KV_SETTING_NAME), ".",
                       kv_setting_get(id)->key, NULL);
    path = g_build_filename(folder, base, NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    return load_credential(settings, id, path, error);
}

static gboolean
load_secrets(KvSettings *settings, gboolean of_admin, GError **error)
{
    if (!kv_settings_load_secret_files(settings, error))
        return FALSE;
    return !of_admin ||
           (find_credential(settings, KV_SETTING_SECRET, KV_SETTING_SECRET_FILE, error) &&
            find_credential(settings, KV_SETTING_PRIVATE_KEY, KV_SETTING_PRIVATE_KEY_FILE, error));
}

typedef struct {
    KvSettings *settings;
    gboolean of_admin;
    GTask *task;
    KvTunnelParams *params;
    GError *error; /* if there are none */
} Load;

static void
load_in_thread(gpointer data)
{
    Load *load = data;

    if (load_secrets(load->settings, load->of_admin, &load->error) &&
        kv_settings_validate(load->settings, &load->error))
        load->params = kv_tunnel_params_new(load->settings, &load->error);
}

static void
loaded(gpointer data)
{
    g_autofree Load *load = data;
    g_autoptr(GTask) task = load->task;

    if (load->params != NULL)
        g_task_return_pointer(task, load->params, (GDestroyNotify) kv_tunnel_params_unref);
    else
        g_task_return_error(task, load->error);
}

void
kv_tunnel_secrets_load_async(KvSettings *settings, gboolean of_admin, GAsyncReadyCallback callback,
                             gpointer data)
{
    g_autofree Load *load = g_new0(Load, 1);
    GError *error = NULL;

    load->settings = settings;
    load->of_admin = of_admin;
    load->task = g_task_new(NULL, NULL, callback, data);
    if (kv_thread_run(load_in_thread, loaded, load, &error)) {
        g_steal_pointer(&load);
        return;
    }
    g_task_return_error(load->task, error);
    g_object_unref(load->task);
}

KvTunnelParams *
kv_tunnel_secrets_load_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
