/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-methods.h"

#include "kv-call.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-log.h"
#include "kv-options.h"
#include "kv-settings-variant.h"
#include "kv-text.h"
#include "kv-tunnel-secrets.h"

#include <string.h>

/*
 * Each method has a handler, which refuses what makes no sense before anybody is asked for a
 * password, and a second half that runs once the caller may. The second half reads the arguments
 * again, and looks whether the tunnel is still there: both may have taken their time.
 */

static KvDbusTunnel1 *
get_skeleton(KvTunnelObject *self)
{
    return kv_tunnel_object_get_skeleton(self);
}

/* (transfer full): argument number @index. */
static GVariant *
get_argument(GDBusMethodInvocation *invocation, gsize index)
{
    return g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), index);
}

/* What the gate is told of every method. */
static KvAuthRequest
make_request(KvTunnelObject *self, GDBusMethodInvocation *invocation)
{
    const char *sender = g_dbus_method_invocation_get_sender(invocation);

    return (KvAuthRequest){
        .invocation = invocation,
        .tunnel = kv_tunnel_object_get_name(self),
        .users = kv_settings_get_string(kv_tunnel_object_get_settings(self), KV_SETTING_USERS),
        /* It could make another one and let this one end. Programs it must be allowed anyway. */
        .waived = kv_tunnel_object_is_owned_by(self, sender)
                      ? KV_AUTH_CONTROL | KV_AUTH_CONTROL_LISTED | KV_AUTH_MODIFY | KV_AUTH_DELETE
                      : KV_AUTH_NONE,
    };
}

static void
run(KvTunnelObject *self, const KvAuthRequest *request, KvCallFunc then)
{
    kv_call_run(kv_tunnel_object_get_services(self), self, request, NULL, then);
}

/* For methods without options: whether to go on. */
static gboolean
check_no_options(GDBusMethodInvocation *invocation, GVariant *options)
{
    GError *error = NULL;

    if (kv_options_check(options, NULL, 0, &error))
        return TRUE;
    g_dbus_method_invocation_take_error(invocation, error);
    return FALSE;
}

static gboolean
check_there(KvTunnelObject *self, GDBusMethodInvocation *invocation)
{
    if (!kv_tunnel_object_is_removed(self))
        return TRUE;
    g_dbus_method_invocation_return_error(invocation, KV_ERROR, KV_ERROR_NOT_FOUND,
                                          "tunnel %s was deleted", kv_tunnel_object_get_name(self));
    return FALSE;
}

static gboolean
check_writable(KvTunnelObject *self, GError **error)
{
    if (!kv_tunnel_object_is_read_only(self))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_READ_ONLY,
                "tunnel %s: its file %s is the administrator's; change it there, then call Reload",
                kv_tunnel_object_get_name(self), kv_tunnel_object_get_file(self));
    return FALSE;
}

/* A method that is under way. */
typedef struct {
    KvTunnelObject *self;
    GDBusMethodInvocation *invocation; /* (transfer full) */
    KvSettings *settings;              /* (nullable): what is being saved */
} Job;

static Job *
job_new(KvTunnelObject *self, GDBusMethodInvocation *invocation)
{
    Job *job = g_new0(Job, 1);

    job->self = g_object_ref(self);
    job->invocation = invocation;
    return job;
}

static void
job_free(Job *job)
{
    g_object_unref(job->self);
    kv_settings_free(job->settings);
    g_free(job);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

/* --- Start and Stop ------------------------------------------------------------------------- */

static const KvOption start_options[] = {
    {KV_DBUS_OPTION_SECRETS, "a{sv}"},
    {KV_DBUS_OPTION_CONFIGURE, "b"},
};

static void
started(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(Job) job = data;
    GError *error = NULL;

    if (kv_tunnel_object_start_finish(job->self, result, &error))
        kv_dbus_tunnel1_complete_start(get_skeleton(job->self), job->invocation);
    else
        g_dbus_method_invocation_take_error(job->invocation, error);
}

static void
start_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvTunnelObject *self = object;
    g_autoptr(GVariant) options = get_argument(invocation, 0);
    g_autoptr(GVariant) secrets =
        g_variant_lookup_value(options, KV_DBUS_OPTION_SECRETS, G_VARIANT_TYPE_VARDICT);
    const char *name = kv_tunnel_object_get_name(self);
    gboolean configure = TRUE;

    g_variant_lookup(options, KV_DBUS_OPTION_CONFIGURE, "b", &configure);
    kv_log(KV_LOG_INFO, "start", name, NULL, "user %u starts it", uid);
    kv_tunnel_object_start_async(self, secrets, configure, started, job_new(self, invocation));
}

static gboolean
handle_start(KvDbusTunnel1 *skeleton, GDBusMethodInvocation *invocation, GVariant *options,
             gpointer data)
{
    KvTunnelObject *self = data;
    KvAuthRequest request = make_request(self, invocation);
    GError *error = NULL;

    if (kv_options_check(options, start_options, G_N_ELEMENTS(start_options), &error))
        run(self, &request, start_allowed);
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
stopped(gpointer data)
{
    g_autoptr(Job) job = data;

    kv_dbus_tunnel1_complete_stop(get_skeleton(job->self), job->invocation);
}

static void
stop_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvTunnelObject *self = object;
    const char *name = kv_tunnel_object_get_name(self);

    if (!check_there(self, invocation))
        return;
    kv_log(KV_LOG_INFO, "stop", name, NULL, "user %u stops it", uid);
    kv_tunnel_object_stop(self, stopped, job_new(self, invocation));
}

static gboolean
handle_stop(KvDbusTunnel1 *skeleton, GDBusMethodInvocation *invocation, GVariant *options,
            gpointer data)
{
    KvAuthRequest request = make_request(data, invocation);

    if (check_no_options(invocation, options))
        run(data, &request, stop_allowed);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- Update --------------------------------------------------------------------------------- */

static const KvOption update_options[] = {
    {KV_DBUS_OPTION_UNSET, "as"},
};

static gboolean
check_kept(KvTunnelObject *self, const KvSettings *settings, GError **error)
{
    const char *name = kv_settings_get_string(settings, KV_SETTING_NAME);

    if (g_strcmp0(name, kv_tunnel_object_get_name(self)) == 0)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                "name: a tunnel keeps its name; allowed: %s", kv_tunnel_object_get_name(self));
    return FALSE;
}

static gboolean
unset(KvSettings *settings, GVariant *options, GError **error)
{
    g_autofree const char **keys = NULL;

    if (!g_variant_lookup(options, KV_DBUS_OPTION_UNSET, "^a&s", &keys))
        return TRUE;
    for (guint i = 0; keys[i] != NULL; i++) {
        const KvSetting *row = kv_setting_find(keys[i]);

        if (row == NULL || strcmp(row->key, keys[i]) != 0) {
            g_autofree char *shown = kv_text_quote(keys[i]);

            g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                        "option unset: \"%s\" is not a known setting", shown);
            return FALSE;
        }
        if (row->id == KV_SETTING_ROLE) {
            g_set_error_literal(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                                "option unset: a tunnel keeps its role");
            return FALSE;
        }
        kv_settings_unset(settings, row->id);
    }
    return TRUE;
}

/* (transfer full) (nullable): the outcome of an Update() of the settings of now. */
static KvSettings *
make_update(KvTunnelObject *self, GDBusMethodInvocation *invocation, GError **error)
{
    g_autoptr(GVariant) changes = get_argument(invocation, 0);
    g_autoptr(GVariant) options = get_argument(invocation, 1);
    g_autoptr(KvSettings) settings = kv_settings_copy(kv_tunnel_object_get_settings(self));

    if (!kv_options_check(options, update_options, G_N_ELEMENTS(update_options), error) ||
        !unset(settings, options, error) || !kv_settings_load_variant(settings, changes, error) ||
        !check_kept(self, settings, error) || !kv_settings_validate_saved(settings, error) ||
        !kv_tunnel_secrets_check(settings, FALSE, error))
        return NULL;
    return g_steal_pointer(&settings);
}

static void
update_done(Job *job, const char *file)
{
    kv_tunnel_object_set_settings(job->self, job->settings, file, FALSE);
    kv_dbus_tunnel1_complete_update(get_skeleton(job->self), job->invocation);
}

static void
update_saved(GObject *store, GAsyncResult *result, gpointer data)
{
    g_autoptr(Job) job = data;
    g_autofree char *file = NULL;
    GError *error = NULL;

    kv_tunnel_object_end_change(job->self);
    file = kv_store_save_finish(KV_STORE(store), result, &error);
    if (file != NULL)
        update_done(job, file);
    else
        g_dbus_method_invocation_take_error(job->invocation, error);
}

static void
update_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvTunnelObject *self = object;
    const KvServices *services = kv_tunnel_object_get_services(self);
    g_autoptr(Job) job = job_new(self, invocation);
    GError *error = NULL;

    job->settings = make_update(self, invocation, &error);
    if (job->settings == NULL || !check_writable(self, &error) ||
        !kv_tunnel_object_begin_change(self, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return;
    }
    if (kv_tunnel_object_get_file(self) != NULL) {
        kv_store_save_async(services->store, job->settings, NULL, update_saved, job);
        g_steal_pointer(&job);
        return;
    }
    kv_tunnel_object_end_change(self);
    update_done(job, NULL);
}

static gboolean
read_update(gpointer object, GDBusMethodInvocation *invocation, KvAuthActions *also, char **tunnel,
            GError **error)
{
    KvTunnelObject *self = object;
    g_autoptr(KvSettings) settings = make_update(self, invocation, error);

    if (settings == NULL || !check_writable(self, error))
        return FALSE;
    if (kv_settings_runs_programs(settings))
        *also |= KV_AUTH_HOOKS;
    return TRUE;
}

static gboolean
handle_update(KvDbusTunnel1 *skeleton, GDBusMethodInvocation *invocation, GVariant *changes,
              GVariant *options, gpointer data)
{
    KvTunnelObject *self = data;
    KvAuthRequest request = make_request(self, invocation);

    kv_call_run(kv_tunnel_object_get_services(self), self, &request, read_update, update_allowed);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- Delete --------------------------------------------------------------------------------- */

static void
delete_done(Job *job)
{
    kv_tunnel_object_remove(job->self);
    kv_dbus_tunnel1_complete_delete(get_skeleton(job->self), job->invocation);
}

static void
file_deleted(GObject *store, GAsyncResult *result, gpointer data)
{
    g_autoptr(Job) job = data;
    GError *error = NULL;

    kv_tunnel_object_end_change(job->self);
    /* A file that somebody removed and a Reload missed meanwhile is just as gone. */
    if (kv_store_delete_finish(KV_STORE(store), result, &error) ||
        g_error_matches(error, KV_ERROR, KV_ERROR_NOT_FOUND)) {
        g_clear_error(&error);
        delete_done(job);
    } else {
        g_dbus_method_invocation_take_error(job->invocation, error);
    }
}

static void
down_for_delete(gpointer data)
{
    g_autoptr(Job) job = data;
    KvTunnelObject *self = job->self;
    const KvServices *services = kv_tunnel_object_get_services(self);

    if (kv_tunnel_object_get_file(self) != NULL) {
        kv_store_delete_async(services->store, kv_tunnel_object_get_name(self), NULL, file_deleted,
                              job);
        g_steal_pointer(&job);
        return;
    }
    kv_tunnel_object_end_change(self);
    delete_done(job);
}

static void
delete_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvTunnelObject *self = object;
    const char *name = kv_tunnel_object_get_name(self);
    GError *error = NULL;

    if (!check_writable(self, &error) || !kv_tunnel_object_begin_change(self, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return;
    }
    kv_log(KV_LOG_INFO, "delete", name, NULL, "user %u deletes it", uid);
    kv_tunnel_object_stop(self, down_for_delete, job_new(self, invocation));
}

static gboolean
handle_delete(KvDbusTunnel1 *skeleton, GDBusMethodInvocation *invocation, GVariant *options,
              gpointer data)
{
    KvAuthRequest request = make_request(data, invocation);
    GError *error = NULL;

    if (!check_no_options(invocation, options))
        return G_DBUS_METHOD_INVOCATION_HANDLED;
    if (check_writable(data, &error))
        run(data, &request, delete_allowed);
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- Export and GetSecrets ------------------------------------------------------------------ */

static void
export_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvTunnelObject *self = object;
    g_autofree char *text = NULL;
    gboolean with_secrets;

    if (!check_there(self, invocation))
        return;
    g_variant_get_child(g_dbus_method_invocation_get_parameters(invocation), 0, "b", &with_secrets);
    text = kv_settings_to_data(kv_tunnel_object_get_settings(self), with_secrets);
    kv_dbus_tunnel1_complete_export(get_skeleton(self), invocation, text);
    kv_secret_wipe_string(text);
}

static gboolean
handle_export(KvDbusTunnel1 *skeleton, GDBusMethodInvocation *invocation, gboolean with_secrets,
              GVariant *options, gpointer data)
{
    KvAuthRequest request = make_request(data, invocation);

    if (!check_no_options(invocation, options))
        return G_DBUS_METHOD_INVOCATION_HANDLED;
    if (with_secrets)
        request.also |= KV_AUTH_SECRETS;
    run(data, &request, export_allowed);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
get_secrets_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvTunnelObject *self = object;

    if (check_there(self, invocation))
        kv_dbus_tunnel1_complete_get_secrets(
            get_skeleton(self), invocation,
            kv_settings_secrets_to_variant(kv_tunnel_object_get_settings(self)));
}

static gboolean
handle_get_secrets(KvDbusTunnel1 *skeleton, GDBusMethodInvocation *invocation, GVariant *options,
                   gpointer data)
{
    KvAuthRequest request = make_request(data, invocation);

    if (check_no_options(invocation, options))
        run(data, &request, get_secrets_allowed);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- Watch ---------------------------------------------------------------------------------- */

static void
watch_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvTunnelObject *self = object;
    const char *sender = g_dbus_method_invocation_get_sender(invocation);
    GError *error = NULL;
    guint interval_ms;

    if (!check_there(self, invocation))
        return;
    g_variant_get_child(g_dbus_method_invocation_get_parameters(invocation), 0, "u", &interval_ms);
    if (kv_tunnel_object_watch(self, sender, uid, interval_ms, &error))
        kv_dbus_tunnel1_complete_watch(get_skeleton(self), invocation);
    else
        g_dbus_method_invocation_take_error(invocation, error);
}

static gboolean
handle_watch(KvDbusTunnel1 *skeleton, GDBusMethodInvocation *invocation, guint interval_ms,
             GVariant *options, gpointer data)
{
    KvAuthRequest request = make_request(data, invocation);

    if (check_no_options(invocation, options))
        run(data, &request, watch_allowed);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

void
kv_tunnel_methods_connect(KvTunnelObject *self)
{
    static const struct {
        const char *signal;
        GCallback handler;
    } handlers[] = {
        {"handle-start", G_CALLBACK(handle_start)},
        {"handle-stop", G_CALLBACK(handle_stop)},
        {"handle-update", G_CALLBACK(handle_update)},
        {"handle-delete", G_CALLBACK(handle_delete)},
        {"handle-export", G_CALLBACK(handle_export)},
        {"handle-get-secrets", G_CALLBACK(handle_get_secrets)},
        {"handle-watch", G_CALLBACK(handle_watch)},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
        g_signal_connect(get_skeleton(self), handlers[i].signal, handlers[i].handler, self);
}
