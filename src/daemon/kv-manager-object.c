/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-manager-object.h"

#include "kv-autostart.h"
#include "kv-call.h"
#include "kv-dbus-generated.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-log.h"
#include "kv-notify.h"
#include "kv-options.h"
#include "kv-reloader.h"
#include "kv-settings-variant.h"
#include "kv-text.h"
#include "kv-tunnel-secrets.h"
#include "kv-tunnel-set.h"

#include <string.h>

struct _KvManagerObject {
    GObject parent_instance;
    const KvServices *services;
    KvDbusManager1 *skeleton;
    KvTunnelSet *set;
    KvReloader *reloader;
};

G_DEFINE_FINAL_TYPE(KvManagerObject, kv_manager_object, G_TYPE_OBJECT)

static void
kv_manager_object_finalize(GObject *object)
{
    KvManagerObject *self = KV_MANAGER_OBJECT(object);

    g_object_unref(self->skeleton);
    g_clear_object(&self->reloader);
    g_clear_object(&self->set);
    G_OBJECT_CLASS(kv_manager_object_parent_class)->finalize(object);
}

static void
kv_manager_object_class_init(KvManagerObjectClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_manager_object_finalize;
}

static void
kv_manager_object_init(KvManagerObject *self)
{
    self->skeleton = kv_dbus_manager1_skeleton_new();
}

/* --- what there is --------------------------------------------------------------------------- */

static void
announce_tunnels(KvTunnelSet *set, gpointer data)
{
    KvManagerObject *self = data;
    g_autoptr(GPtrArray) tunnels = kv_tunnel_set_copy(set);
    g_autoptr(GPtrArray) paths = g_ptr_array_sized_new(tunnels->len + 1);

    for (guint i = 0; i < tunnels->len; i++)
        g_ptr_array_add(paths, (gpointer) kv_tunnel_object_get_path(tunnels->pdata[i]));
    g_ptr_array_add(paths, NULL);
    kv_dbus_manager1_set_tunnels(self->skeleton, (const char *const *) paths->pdata);
    kv_notify_status(tunnels->len == 1 ? "%u tunnel" : "%u tunnels", tunnels->len);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(self->skeleton));
}

static void
announce_problems(KvReloader *reloader, GVariant *problems, gpointer data)
{
    KvManagerObject *self = data;

    kv_dbus_manager1_set_problems(self->skeleton, problems);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(self->skeleton));
}

/* --- CreateTunnel and ImportTunnel ---------------------------------------------------------- */

static const KvOption create_options[] = {
    {KV_DBUS_OPTION_TRANSIENT, "b"},
};
static const KvOption import_options[] = {
    {KV_DBUS_OPTION_TRANSIENT, "b"},
    {KV_DBUS_OPTION_NAME, "s"},
};

/* (transfer full) (nullable) */
static KvSettings *
parse_create(GVariant *arguments, GVariant *options, GError **error)
{
    g_autoptr(GVariant) dict = g_variant_get_child_value(arguments, 0);

    if (!kv_options_check(options, create_options, G_N_ELEMENTS(create_options), error))
        return NULL;
    return kv_settings_new_from_variant(dict, error);
}

/* (transfer full) (nullable) */
static KvSettings *
parse_import(GVariant *arguments, GVariant *options, GError **error)
{
    g_autoptr(KvSettings) settings = NULL;
    const char *text;
    const char *name;

    if (!kv_options_check(options, import_options, G_N_ELEMENTS(import_options), error))
        return NULL;
    g_variant_get_child(arguments, 0, "&s", &text);
    settings = kv_settings_new_from_data(text, strlen(text), "text", error);
    if (settings == NULL)
        return NULL;
    if (g_variant_lookup(options, KV_DBUS_OPTION_NAME, "&s", &name) &&
        !kv_settings_set_text(settings, KV_SETTING_NAME, name, error))
        return NULL;
    return g_steal_pointer(&settings);
}

/* (transfer full) (nullable): what either method shall make, checked as far as it can be. */
static KvSettings *
parse_new(KvManagerObject *self, GDBusMethodInvocation *invocation, GError **error)
{
    gboolean import =
        strcmp(g_dbus_method_invocation_get_method_name(invocation), "ImportTunnel") == 0;
    GVariant *arguments = g_dbus_method_invocation_get_parameters(invocation);
    g_autoptr(GVariant) options = g_variant_get_child_value(arguments, 1);
    g_autoptr(KvSettings) settings =
        import ? parse_import(arguments, options, error) : parse_create(arguments, options, error);
    const char *name;

    if (settings == NULL)
        return NULL;
    name = kv_settings_get_string(settings, KV_SETTING_NAME);
    if (name == NULL) {
        g_autofree char *allowed = kv_setting_format_allowed(kv_setting_get(KV_SETTING_NAME));

        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "name: required, but not given; allowed: %s", allowed);
        return NULL;
    }
    if (!kv_settings_validate_saved(settings, error) ||
        !kv_tunnel_secrets_check(settings, FALSE, error) ||
        !kv_tunnel_set_check_free(self->set, name, error))
        return NULL;
    return g_steal_pointer(&settings);
}

static void
add_and_answer(KvManagerObject *self, GDBusMethodInvocation *invocation,
               const KvTunnelOrigin *origin)
{
    KvTunnelObject *tunnel = kv_tunnel_set_add(self->set, origin);

    kv_tunnel_set_tell(self->set);
    g_dbus_method_invocation_return_value(invocation,
                                          g_variant_new("(o)", kv_tunnel_object_get_path(tunnel)));
}

typedef struct {
    KvManagerObject *self;
    GDBusMethodInvocation *invocation; /* (transfer full) */
    KvSettings *settings;
    guint32 uid;
} Create;

static void
create_free(Create *create)
{
    g_object_unref(create->self);
    kv_settings_free(create->settings);
    g_free(create);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Create, create_free)

static void
created_saved(GObject *store, GAsyncResult *result, gpointer data)
{
    g_autoptr(Create) create = data;
    KvManagerObject *self = create->self;
    GError *error = NULL;
    g_autofree char *file = kv_store_save_finish(KV_STORE(store), result, &error);
    KvTunnelOrigin origin = {
        .settings = create->settings, .file = file, .held = TRUE, .uid = create->uid};

    kv_tunnel_set_release(self->set, kv_settings_get_string(create->settings, KV_SETTING_NAME));
    if (file != NULL) {
        add_and_answer(self, create->invocation, &origin);
        return;
    }
    kv_quota_release(self->services->quota, create->uid, KV_QUOTA_TUNNELS);
    g_dbus_method_invocation_take_error(create->invocation, error);
}

static void
create_transient(Create *create)
{
    KvTunnelOrigin origin = {
        .settings = create->settings,
        .owner = g_dbus_method_invocation_get_sender(create->invocation),
        .held = TRUE,
        .uid = create->uid,
    };

    add_and_answer(create->self, create->invocation, &origin);
}

static void
create_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvManagerObject *self = object;
    g_autoptr(GVariant) options =
        g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), 1);
    g_autoptr(Create) create = g_new0(Create, 1);
    gboolean transient = FALSE;
    GError *error = NULL;

    create->self = g_object_ref(self);
    create->invocation = invocation;
    create->uid = uid;
    create->settings = parse_new(self, invocation, &error);
    if (create->settings == NULL ||
        !kv_quota_hold(self->services->quota, uid, KV_QUOTA_TUNNELS, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return;
    }
    g_variant_lookup(options, KV_DBUS_OPTION_TRANSIENT, "b", &transient);
    if (transient) {
        create_transient(create);
        return;
    }
    kv_tunnel_set_reserve(self->set, kv_settings_get_string(create->settings, KV_SETTING_NAME));
    kv_store_save_async(self->services->store, create->settings, NULL, created_saved, create);
    g_steal_pointer(&create);
}

static gboolean
read_new(gpointer object, GDBusMethodInvocation *invocation, KvAuthActions *also, char **tunnel,
         GError **error)
{
    g_autoptr(KvSettings) settings = parse_new(object, invocation, error);

    if (settings == NULL)
        return FALSE;
    *tunnel = g_strdup(kv_settings_get_string(settings, KV_SETTING_NAME));
    if (kv_settings_runs_programs(settings))
        *also |= KV_AUTH_HOOKS;
    return TRUE;
}

/* CreateTunnel and ImportTunnel. */
static gboolean
handle_new(KvDbusManager1 *skeleton, GDBusMethodInvocation *invocation, gpointer what,
           GVariant *options, gpointer data)
{
    KvManagerObject *self = data;
    KvAuthRequest request = {.invocation = invocation};

    kv_call_run(self->services, self, &request, read_new, create_allowed);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- FindTunnel ----------------------------------------------------------------------------- */

static void
find_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvManagerObject *self = object;
    KvTunnelObject *tunnel;
    const char *name;

    g_variant_get_child(g_dbus_method_invocation_get_parameters(invocation), 0, "&s", &name);
    tunnel = kv_tunnel_set_find(self->set, name);
    if (tunnel == NULL) {
        g_autofree char *shown = kv_text_quote(name);

        g_dbus_method_invocation_return_error(invocation, KV_ERROR, KV_ERROR_NOT_FOUND,
                                              "there is no tunnel %s", shown);
        return;
    }
    kv_dbus_manager1_complete_find_tunnel(self->skeleton, invocation,
                                          kv_tunnel_object_get_path(tunnel));
}

static gboolean
handle_find(KvDbusManager1 *skeleton, GDBusMethodInvocation *invocation, const char *name,
            GVariant *options, gpointer data)
{
    KvManagerObject *self = data;
    KvAuthRequest request = {.invocation = invocation};
    GError *error = NULL;

    if (kv_options_check(options, NULL, 0, &error))
        kv_call_run(self->services, self, &request, NULL, find_allowed);
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- Reload --------------------------------------------------------------------------------- */

void
kv_manager_object_load_async(KvManagerObject *self, GAsyncReadyCallback callback, gpointer data)
{
    kv_reloader_run_async(self->reloader, callback, data);
}

gboolean
kv_manager_object_load_finish(KvManagerObject *self, GAsyncResult *result, GError **error)
{
    return kv_reloader_run_finish(self->reloader, result, error);
}

static void
reloaded(GObject *source, GAsyncResult *result, gpointer data)
{
    GDBusMethodInvocation *invocation = data;
    GError *error = NULL;

    if (kv_reloader_run_finish(KV_RELOADER(source), result, &error))
        g_dbus_method_invocation_return_value(invocation, NULL);
    else
        g_dbus_method_invocation_take_error(invocation, error);
}

static void
reload_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    kv_log(KV_LOG_INFO, "reload", NULL, NULL, "user %u has saved tunnels read again", uid);
    kv_manager_object_load_async(object, reloaded, invocation);
}

static gboolean
handle_reload(KvDbusManager1 *skeleton, GDBusMethodInvocation *invocation, GVariant *options,
              gpointer data)
{
    KvManagerObject *self = data;
    KvAuthRequest request = {.invocation = invocation};
    GError *error = NULL;

    if (kv_options_check(options, NULL, 0, &error))
        kv_call_run(self->services, self, &request, NULL, reload_allowed);
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- life ----------------------------------------------------------------------------------- */

void
kv_manager_object_autostart(KvManagerObject *self)
{
    kv_autostart_run(self->services, kv_tunnel_set_copy(self->set));
}

static void
fill(KvManagerObject *self)
{
    static const char *const capabilities[] = {"protocol:v1", NULL};
    static const char *const none[] = {NULL};
    const char *const *roles = kv_setting_get(KV_SETTING_ROLE)->choices;
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sa{sv}}"));
    for (KvRole role = KV_ROLE_CLIENT; role <= KV_ROLE_PEER; role++)
        g_variant_builder_add(&builder, "{s@a{sv}}", roles[role],
                              kv_settings_defaults_to_variant(role));
    kv_dbus_manager1_set_default_settings(self->skeleton, g_variant_builder_end(&builder));
    kv_dbus_manager1_set_version(self->skeleton, PACKAGE_VERSION);
    kv_dbus_manager1_set_capabilities(self->skeleton, capabilities);
    kv_dbus_manager1_set_tunnels(self->skeleton, none);
    kv_dbus_manager1_set_problems(self->skeleton, g_variant_new("a(sus)", NULL));
}

KvManagerObject *
kv_manager_object_new(const KvServices *services)
{
    KvManagerObject *self = g_object_new(KV_TYPE_MANAGER_OBJECT, NULL);

    self->services = services;
    self->set = kv_tunnel_set_new(services);
    self->reloader = kv_reloader_new(services, self->set);
    fill(self);
    g_signal_connect_object(self->set, "changed", G_CALLBACK(announce_tunnels), self, 0);
    g_signal_connect_object(self->reloader, "problems", G_CALLBACK(announce_problems), self, 0);
    g_signal_connect(self->skeleton, "handle-create-tunnel", G_CALLBACK(handle_new), self);
    g_signal_connect(self->skeleton, "handle-import-tunnel", G_CALLBACK(handle_new), self);
    g_signal_connect(self->skeleton, "handle-find-tunnel", G_CALLBACK(handle_find), self);
    g_signal_connect(self->skeleton, "handle-reload", G_CALLBACK(handle_reload), self);
    return self;
}

gboolean
kv_manager_object_export(KvManagerObject *self, GError **error)
{
    if (!g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(self->skeleton),
                                          self->services->bus, KV_DBUS_PATH, error))
        return FALSE;
    kv_tunnel_set_tell(self->set);
    return TRUE;
}

void
kv_manager_object_unexport(KvManagerObject *self)
{
    if (g_dbus_interface_skeleton_get_connection(G_DBUS_INTERFACE_SKELETON(self->skeleton)) != NULL)
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->skeleton));
}

void
kv_manager_object_stop(KvManagerObject *self, void (*done)(gpointer data), gpointer data)
{
    kv_tunnel_set_stop(self->set, done, data);
}

void
kv_manager_object_remove(KvManagerObject *self)
{
    g_signal_handlers_disconnect_by_data(self->skeleton, self);
    kv_tunnel_set_remove_all(self->set);
    kv_manager_object_unexport(self);
}
