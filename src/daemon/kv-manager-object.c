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
#include "kv-settings-variant.h"
#include "kv-tunnel-object.h"
#include "kv-tunnel-secrets.h"

#include <string.h>

struct _KvManagerObject {
    GObject parent_instance;
    const KvServices *services;
    KvDbusManager1 *skeleton;
    GPtrArray *tunnels; /* KvTunnelObject, oldest first */
    GHashTable *by_name;
    GHashTable *saving; /* names of tunnels that are being saved for the first time */
    guint64 last_number;
};

G_DEFINE_FINAL_TYPE(KvManagerObject, kv_manager_object, G_TYPE_OBJECT)

static void
kv_manager_object_finalize(GObject *object)
{
    KvManagerObject *self = KV_MANAGER_OBJECT(object);

    g_object_unref(self->skeleton);
    g_ptr_array_unref(self->tunnels);
    g_hash_table_unref(self->by_name);
    g_hash_table_unref(self->saving);
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
    self->tunnels = g_ptr_array_new_with_free_func(g_object_unref);
    self->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    self->saving = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

/* --- the set of tunnels --------------------------------------------------------------------- */

static void
announce_tunnels(KvManagerObject *self)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_sized_new(self->tunnels->len + 1);

    for (guint i = 0; i < self->tunnels->len; i++)
        g_ptr_array_add(paths, (gpointer) kv_tunnel_object_get_path(self->tunnels->pdata[i]));
    g_ptr_array_add(paths, NULL);
    kv_dbus_manager1_set_tunnels(self->skeleton, (const char *const *) paths->pdata);
    kv_notify_status("%u tunnels", self->tunnels->len);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(self->skeleton));
}

static void
tunnel_removed(KvTunnelObject *tunnel, gpointer data)
{
    KvManagerObject *self = data;

    g_hash_table_remove(self->by_name, kv_tunnel_object_get_name(tunnel));
    g_ptr_array_remove(self->tunnels, tunnel);
    announce_tunnels(self);
}

/* (transfer none): to be announced by the caller, who may add more. */
static KvTunnelObject *
add_tunnel(KvManagerObject *self, const KvTunnelOrigin *origin)
{
    KvTunnelObject *tunnel = kv_tunnel_object_new(self->services, origin, ++self->last_number);

    g_signal_connect(tunnel, "removed", G_CALLBACK(tunnel_removed), self);
    g_ptr_array_add(self->tunnels, tunnel);
    g_hash_table_insert(self->by_name, (gpointer) kv_tunnel_object_get_name(tunnel), tunnel);
    return tunnel;
}

/* (transfer full): for loops in which tunnels may go. */
static GPtrArray *
copy_tunnels(KvManagerObject *self)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint i = 0; i < self->tunnels->len; i++)
        g_ptr_array_add(copy, g_object_ref(self->tunnels->pdata[i]));
    return copy;
}

static gboolean
check_name_free(KvManagerObject *self, const char *name, GError **error)
{
    if (!g_hash_table_contains(self->by_name, name) && !g_hash_table_contains(self->saving, name))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_EXISTS, "name: there is a tunnel %s already", name);
    return FALSE;
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
        !kv_tunnel_secrets_check(settings, FALSE, error) || !check_name_free(self, name, error))
        return NULL;
    return g_steal_pointer(&settings);
}

static void
add_and_answer(KvManagerObject *self, GDBusMethodInvocation *invocation,
               const KvTunnelOrigin *origin)
{
    KvTunnelObject *tunnel = add_tunnel(self, origin);

    announce_tunnels(self);
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

    g_hash_table_remove(self->saving, kv_settings_get_string(create->settings, KV_SETTING_NAME));
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
    g_hash_table_add(self->saving,
                     g_strdup(kv_settings_get_string(create->settings, KV_SETTING_NAME)));
    kv_store_save_async(self->services->store, create->settings, NULL, created_saved, create);
    g_steal_pointer(&create);
}

/* CreateTunnel and ImportTunnel. */
static gboolean
handle_new(KvDbusManager1 *skeleton, GDBusMethodInvocation *invocation, gpointer what,
           GVariant *options, gpointer data)
{
    KvManagerObject *self = data;
    GError *error = NULL;
    g_autoptr(KvSettings) settings = parse_new(self, invocation, &error);
    KvAuthRequest request = {.invocation = invocation};

    if (settings == NULL) {
        g_dbus_method_invocation_take_error(invocation, error);
        return G_DBUS_METHOD_INVOCATION_HANDLED;
    }
    request.tunnel = kv_settings_get_string(settings, KV_SETTING_NAME);
    if (kv_settings_runs_programs(settings))
        request.also |= KV_AUTH_HOOKS;
    kv_call_run(self->services, self, &request, create_allowed);
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
    tunnel = g_hash_table_lookup(self->by_name, name);
    if (tunnel == NULL) {
        g_autofree char *shown = kv_log_escape(name, strlen(name));

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
        kv_call_run(self->services, self, &request, find_allowed);
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- Reload --------------------------------------------------------------------------------- */

static GVariant *
make_problems(const KvStoreContents *contents, GPtrArray *refused)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sus)"));
    for (guint i = 0; i < contents->problems->len; i++) {
        const KvStoreProblem *problem = contents->problems->pdata[i];

        g_variant_builder_add(&builder, "(sus)", problem->path, problem->line, problem->message);
    }
    for (guint i = 0; i < refused->len; i++) {
        const KvStoreEntry *entry = refused->pdata[i];

        g_variant_builder_add(&builder, "(sus)", entry->path, 0,
                              "a transient tunnel has this name; it is read at the next Reload "
                              "after that has gone");
    }
    return g_variant_builder_end(&builder);
}

static void
down_for_removal(gpointer data)
{
    g_autoptr(KvTunnelObject) tunnel = data;

    kv_tunnel_object_remove(tunnel);
}

/* Keeps @tunnel from being changed while it stops: what is saved then would be nobody's. Returns:
 * FALSE: a change is being saved, after which the tunnel has its file, or is gone anyway. */
static gboolean
begin_end(KvTunnelObject *tunnel, const char *why)
{
    const char *name = kv_tunnel_object_get_name(tunnel);

    if (!kv_tunnel_object_begin_change(tunnel, NULL))
        return FALSE;
    kv_log(KV_LOG_INFO, "delete", name, NULL, "ends: %s", why);
    return TRUE;
}

/* One that makes room for another of its name, which its file describes now. */
typedef struct {
    KvManagerObject *self;
    KvTunnelObject *tunnel;
} Replacement;

static void
read_again(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (!kv_manager_object_load_finish(KV_MANAGER_OBJECT(source), result, &error))
        kv_log(KV_LOG_ERROR, "broken-store", NULL, NULL, "saved tunnels: %s", error->message);
}

static void
down_for_replacement(gpointer data)
{
    g_autofree Replacement *replacement = data;
    g_autoptr(KvManagerObject) self = replacement->self;
    g_autoptr(KvTunnelObject) tunnel = replacement->tunnel;

    kv_tunnel_object_remove(tunnel);
    kv_manager_object_load_async(self, read_again, NULL);
}

static void
replace_tunnel(KvManagerObject *self, KvTunnelObject *tunnel)
{
    Replacement *replacement;

    if (!begin_end(tunnel, "its file is for the other side now"))
        return;
    replacement = g_new0(Replacement, 1);
    replacement->self = g_object_ref(self);
    replacement->tunnel = g_object_ref(tunnel);
    kv_tunnel_object_stop(tunnel, down_for_replacement, replacement);
}

static gboolean
has_role_of(const KvStoreEntry *entry, KvTunnelObject *tunnel)
{
    return kv_settings_get_role(entry->settings) ==
           kv_settings_get_role(kv_tunnel_object_get_settings(tunnel));
}

/* Saved tunnels whose file is gone, or is now for the other side. */
static void
end_stale(KvManagerObject *self, const KvStoreContents *contents)
{
    g_autoptr(GPtrArray) tunnels = copy_tunnels(self);

    for (guint i = 0; i < tunnels->len; i++) {
        KvTunnelObject *tunnel = tunnels->pdata[i];
        const char *file = kv_tunnel_object_get_file(tunnel);
        const KvStoreEntry *entry =
            kv_store_contents_find(contents, kv_tunnel_object_get_name(tunnel));

        if (file == NULL)
            continue;
        if (entry == NULL && !kv_store_contents_has_problem(contents, file)) {
            if (begin_end(tunnel, "its file is gone"))
                kv_tunnel_object_stop(tunnel, down_for_removal, g_object_ref(tunnel));
        } else if (entry != NULL && !has_role_of(entry, tunnel)) {
            replace_tunnel(self, tunnel);
        }
    }
}

/* @refused: gets what cannot be taken. */
static void
take_entry(KvManagerObject *self, const KvStoreEntry *entry, GPtrArray *refused)
{
    const char *name = kv_settings_get_string(entry->settings, KV_SETTING_NAME);
    KvTunnelObject *tunnel = g_hash_table_lookup(self->by_name, name);
    KvTunnelOrigin origin = {
        .settings = entry->settings, .file = entry->path, .read_only = entry->read_only};

    if (g_hash_table_contains(self->saving, name))
        return;
    if (tunnel == NULL)
        add_tunnel(self, &origin);
    else if (kv_tunnel_object_get_file(tunnel) == NULL)
        g_ptr_array_add(refused, (gpointer) entry);
    else if (has_role_of(entry, tunnel))
        kv_tunnel_object_set_settings(tunnel, entry->settings, entry->path, entry->read_only);
}

static void
loaded(GObject *store, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    KvManagerObject *self = g_task_get_source_object(task);
    GError *error = NULL;
    g_autoptr(KvStoreContents) contents = kv_store_load_finish(KV_STORE(store), result, &error);
    g_autoptr(GPtrArray) refused = g_ptr_array_new();

    if (contents == NULL) {
        g_task_return_error(task, error);
        return;
    }
    for (guint i = 0; i < contents->problems->len; i++) {
        const KvStoreProblem *problem = contents->problems->pdata[i];

        if (problem->line > 0)
            kv_log(KV_LOG_ERROR, "broken-file", NULL, NULL, "%s:%u: %s", problem->path,
                   problem->line, problem->message);
        else
            kv_log(KV_LOG_ERROR, "broken-file", NULL, NULL, "%s: %s", problem->path,
                   problem->message);
    }
    end_stale(self, contents);
    for (guint i = 0; i < contents->entries->len; i++)
        take_entry(self, contents->entries->pdata[i], refused);
    announce_tunnels(self);
    kv_dbus_manager1_set_problems(self->skeleton, make_problems(contents, refused));
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(self->skeleton));
    g_task_return_boolean(task, TRUE);
}

void
kv_manager_object_load_async(KvManagerObject *self, GAsyncReadyCallback callback, gpointer data)
{
    kv_store_load_async(self->services->store, NULL, loaded,
                        g_task_new(self, NULL, callback, data));
}

gboolean
kv_manager_object_load_finish(KvManagerObject *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void
reloaded(GObject *source, GAsyncResult *result, gpointer data)
{
    KvManagerObject *self = KV_MANAGER_OBJECT(source);
    GDBusMethodInvocation *invocation = data;
    GError *error = NULL;

    if (kv_manager_object_load_finish(self, result, &error))
        kv_dbus_manager1_complete_reload(self->skeleton, invocation);
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
        kv_call_run(self->services, self, &request, reload_allowed);
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- life ----------------------------------------------------------------------------------- */

void
kv_manager_object_autostart(KvManagerObject *self)
{
    kv_autostart_run(self->services, copy_tunnels(self));
}

static void
fill(KvManagerObject *self)
{
    static const char *const capabilities[] = {"protocol:v1", NULL};
    static const char *const none[] = {NULL};
    const char *const *roles = kv_setting_get(KV_SETTING_ROLE)->choices;
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sa{sv}}"));
    for (KvRole role = KV_ROLE_CLIENT; role <= KV_ROLE_SERVER; role++)
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
    fill(self);
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
    announce_tunnels(self);
    return TRUE;
}

void
kv_manager_object_unexport(KvManagerObject *self)
{
    if (g_dbus_interface_skeleton_get_connection(G_DBUS_INTERFACE_SKELETON(self->skeleton)) != NULL)
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->skeleton));
}

typedef struct {
    guint left;
    void (*done)(gpointer data);
    gpointer data;
} StopAll;

static void
one_stopped(gpointer data)
{
    StopAll *all = data;

    if (--all->left > 0)
        return;
    all->done(all->data);
    g_free(all);
}

void
kv_manager_object_stop(KvManagerObject *self, void (*done)(gpointer data), gpointer data)
{
    g_autoptr(GPtrArray) tunnels = copy_tunnels(self);
    StopAll *all = g_new0(StopAll, 1);

    all->left = tunnels->len + 1; /* one for this function, so that it is not done too early */
    all->done = done;
    all->data = data;
    for (guint i = 0; i < tunnels->len; i++)
        kv_tunnel_object_stop(tunnels->pdata[i], one_stopped, all);
    one_stopped(all);
}

void
kv_manager_object_remove(KvManagerObject *self)
{
    g_signal_handlers_disconnect_by_data(self->skeleton, self);
    while (self->tunnels->len > 0)
        kv_tunnel_object_remove(self->tunnels->pdata[self->tunnels->len - 1]);
    kv_manager_object_unexport(self);
}
