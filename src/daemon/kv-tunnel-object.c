/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-object.h"

#include "kv-addresses-variant.h"
#include "kv-client-object.h"
#include "kv-dbus-error.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-live-skeleton.h"
#include "kv-log.h"
#include "kv-settings-variant.h"
#include "kv-stats-variant.h"
#include "kv-tunnel-methods.h"
#include "kv-tunnel-owner.h"
#include "kv-tunnel-secrets.h"
#include "kv-tunnel.h"
#include "kv-watchers.h"

#include <string.h>

/* Between two announcements of Clients, which names all of them each time. */
#define CLIENTS_INTERVAL_MS 100

typedef struct {
    void (*done)(gpointer data);
    gpointer data;
} Waiter;

struct _KvTunnelObject {
    GObject parent_instance;
    const KvServices *services;
    KvDbusTunnel1 *skeleton;
    char *path;
    char *name; /* that of every @settings it will have; others key tables by it */
    KvSettings *settings;
    char *file; /* NULL: transient */
    gboolean read_only;
    gboolean removed;
    gboolean changing; /* what is saved */
    gboolean held;     /* against the quota of @uid */
    guint32 uid;
    KvTunnelOwner *owner; /* NULL: nobody's */

    KvTunnel *tunnel;           /* while it is not down */
    KvSettings *starting;       /* while its secrets are read */
    gboolean start_is_outdated; /* they were changed meanwhile */
    GArray *waiters;            /* for it to be down; while there are any it shall stop */

    GPtrArray *clients; /* KvClientObject, oldest first */
    guint64 last_client;
    guint clients_timer;
    gboolean clients_changed;

    KvWatchers *watchers;
    GHashTable *due; /* names to tell of statistics when they come; value: of clients, too */
    gboolean stats_asked;
};

G_DEFINE_FINAL_TYPE(KvTunnelObject, kv_tunnel_object, G_TYPE_OBJECT)

static guint removed_signal;

static void
kv_tunnel_object_finalize(GObject *object)
{
    KvTunnelObject *self = KV_TUNNEL_OBJECT(object);

    g_assert(self->tunnel == NULL && self->starting == NULL);
    g_object_unref(self->skeleton);
    g_free(self->path);
    g_free(self->name);
    kv_settings_free(self->settings);
    g_free(self->file);
    g_array_unref(self->waiters);
    g_ptr_array_unref(self->clients);
    g_hash_table_unref(self->due);
    G_OBJECT_CLASS(kv_tunnel_object_parent_class)->finalize(object);
}

static void
kv_tunnel_object_class_init(KvTunnelObjectClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_tunnel_object_finalize;
    removed_signal = g_signal_new("removed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
kv_tunnel_object_init(KvTunnelObject *self)
{
    self->skeleton = kv_live_tunnel_new();
    self->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
    self->clients = g_ptr_array_new_with_free_func(g_object_unref);
    self->due = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

/* --- statistics ----------------------------------------------------------------------------- */

static void
set_stats(KvTunnelObject *self, const KvStats *total)
{
    GVariant *stats = kv_tunnel_get_role(self->tunnel) == KV_ROLE_CLIENT
                          ? kv_stats_to_variant(total)
                          : kv_stats_to_server_variant(total, self->clients->len);

    kv_dbus_tunnel1_set_statistics(self->skeleton, stats);
}

/* To @name alone: nobody else asked for it. */
static void
tell_stats(KvTunnelObject *self, const char *name, const char *path, const char *interface,
           GVariant *stats)
{
    g_auto(GVariantDict) changed = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert_value(&changed, "Statistics", stats);
    /* Fails only when the bus is gone, and @name with it. */
    g_dbus_connection_emit_signal(
        self->services->bus, name, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
        g_variant_new("(s@a{sv}@as)", interface, g_variant_dict_end(&changed),
                      g_variant_new_strv(NULL, 0)),
        NULL);
}

static void
tell_all_stats(KvTunnelObject *self, const char *name, gboolean clients)
{
    tell_stats(self, name, self->path, KV_DBUS_TUNNEL_INTERFACE,
               kv_dbus_tunnel1_get_statistics(self->skeleton));
    for (guint i = 0; clients && i < self->clients->len; i++) {
        KvClientObject *client = self->clients->pdata[i];

        tell_stats(self, name, kv_client_object_get_path(client), KV_DBUS_CLIENT_INTERFACE,
                   kv_client_object_get_stats(client));
    }
}

static void
got_stats(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(KvTunnelObject) self = data;
    gboolean of_clients = FALSE;
    GHashTableIter iter;
    gpointer name;
    gpointer clients;
    KvStats total;

    self->stats_asked = FALSE;
    if (!kv_tunnel_get_stats_finish(KV_TUNNEL(source), result, &total, NULL) ||
        KV_TUNNEL(source) != self->tunnel) {
        g_hash_table_remove_all(self->due);
        return;
    }
    set_stats(self, &total);
    g_hash_table_iter_init(&iter, self->due);
    while (g_hash_table_iter_next(&iter, NULL, &clients))
        of_clients |= clients != NULL;
    for (guint i = 0; of_clients && i < self->clients->len; i++)
        kv_client_object_update_stats(self->clients->pdata[i]);
    g_hash_table_iter_init(&iter, self->due);
    while (g_hash_table_iter_next(&iter, &name, &clients)) {
        if (kv_watchers_has(self->watchers, name))
            tell_all_stats(self, name, clients != NULL);
    }
    g_hash_table_remove_all(self->due);
}

static void
watcher_due(gpointer data, const char *name, gboolean clients)
{
    KvTunnelObject *self = data;

    if (self->tunnel == NULL)
        return;
    /* Whoever is still due when the next time comes is not told twice, but of all it is due. */
    clients |= g_hash_table_lookup(self->due, name) != NULL;
    g_hash_table_replace(self->due, g_strdup(name), clients ? self : NULL);
    if (self->stats_asked)
        return;
    self->stats_asked = TRUE;
    kv_tunnel_get_stats_async(self->tunnel, NULL, got_stats, g_object_ref(self));
}

gboolean
kv_tunnel_object_watch(KvTunnelObject *self, const char *name, guint32 uid, guint interval_ms,
                       GError **error)
{
    return kv_watchers_set(self->watchers, name, uid, interval_ms, error);
}

typedef struct {
    KvTunnelObject *self;
    void (*done)(gpointer data);
    gpointer data;
} Refresh;

static void
refreshed(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Refresh *refresh = data;
    g_autoptr(KvTunnelObject) self = refresh->self;
    KvStats total;

    if (kv_tunnel_get_stats_finish(KV_TUNNEL(source), result, &total, NULL) &&
        KV_TUNNEL(source) == self->tunnel)
        set_stats(self, &total);
    refresh->done(refresh->data);
}

static void
refresh_stats(gpointer owner, void (*done)(gpointer data), gpointer data)
{
    KvTunnelObject *self = owner;
    Refresh *refresh;

    if (self->tunnel == NULL) {
        done(data);
        return;
    }
    refresh = g_new0(Refresh, 1);
    refresh->self = g_object_ref(self);
    refresh->done = done;
    refresh->data = data;
    kv_tunnel_get_stats_async(self->tunnel, NULL, refreshed, refresh);
}

/* --- clients -------------------------------------------------------------------------------- */

static void
announce_clients(KvTunnelObject *self)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_sized_new(self->clients->len + 1);

    for (guint i = 0; i < self->clients->len; i++)
        g_ptr_array_add(paths, (gpointer) kv_client_object_get_path(self->clients->pdata[i]));
    g_ptr_array_add(paths, NULL);
    self->clients_changed = FALSE;
    kv_dbus_tunnel1_set_clients(self->skeleton, (const char *const *) paths->pdata);
}

static gboolean
clients_interval_over(gpointer data)
{
    KvTunnelObject *self = data;

    if (self->clients_changed) {
        announce_clients(self);
        return G_SOURCE_CONTINUE;
    }
    self->clients_timer = 0;
    return G_SOURCE_REMOVE;
}

/* At once if they have not changed for a while, else a little later, all changes together. */
static void
clients_changed(KvTunnelObject *self)
{
    self->clients_changed = TRUE;
    if (self->clients_timer != 0)
        return;
    announce_clients(self);
    self->clients_timer = g_timeout_add(CLIENTS_INTERVAL_MS, clients_interval_over, self);
}

static void
peer_added(KvTunnel *tunnel, KvPeer *peer, gpointer data)
{
    KvTunnelObject *self = data;
    g_autofree char *path = g_strdup_printf("%s" KV_DBUS_CLIENT_INFIX "/%" G_GUINT64_FORMAT,
                                            self->path, ++self->last_client);

    g_ptr_array_add(self->clients,
                    kv_client_object_new(self->services, tunnel, peer, path, self->path,
                                         kv_tunnel_object_get_name(self)));
    clients_changed(self);
}

static void
peer_removed(KvTunnel *tunnel, KvPeer *peer, gpointer data)
{
    KvTunnelObject *self = data;

    for (guint i = 0; i < self->clients->len; i++) {
        KvClientObject *client = self->clients->pdata[i];

        if (kv_client_object_get_peer(client) != peer)
            continue;
        kv_client_object_remove(client);
        g_ptr_array_remove_index(self->clients, i);
        clients_changed(self);
        return;
    }
}

/* --- properties ----------------------------------------------------------------------------- */

static const char *
state_to_word(KvTunnelState state)
{
    switch (state) {
    case KV_TUNNEL_STATE_STOPPED:
        return KV_DBUS_STATE_STOPPED;
    case KV_TUNNEL_STATE_STARTING:
    case KV_TUNNEL_STATE_CONNECTING:
        return KV_DBUS_STATE_CONNECTING;
    case KV_TUNNEL_STATE_CONNECTED:
        return KV_DBUS_STATE_CONNECTED;
    case KV_TUNNEL_STATE_WAITING:
        return KV_DBUS_STATE_WAITING;
    case KV_TUNNEL_STATE_STOPPING:
        return KV_DBUS_STATE_STOPPING;
    case KV_TUNNEL_STATE_FAILED:
        return KV_DBUS_STATE_FAILED;
    }
    g_return_val_if_reached(KV_DBUS_STATE_FAILED);
}

static GVariant *
make_details(KvTunnel *tunnel)
{
    const char *banner = tunnel != NULL ? kv_tunnel_get_details(tunnel)->banner : NULL;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    if (tunnel != NULL) {
        g_variant_dict_insert(&dict, "protocol", "s", kv_tunnel_get_protocol(tunnel));
        g_variant_dict_insert(&dict, "cipher", "s", kv_tunnel_get_cipher(tunnel));
        g_variant_dict_insert(&dict, "cipher-reason", "s", kv_tunnel_get_details(tunnel)->why);
        g_variant_dict_insert(&dict, "link-type", "s",
                              kv_tunnel_get_vni_mode(tunnel) == KV_VNI_MODE_TAP ? "tap" : "tun");
        if (banner != NULL)
            g_variant_dict_insert(&dict, "banner", "s", banner);
    }
    return g_variant_dict_end(&dict);
}

static void
set_details(KvTunnelObject *self)
{
    KvTunnel *tunnel = self->tunnel;
    const char *interface = tunnel != NULL ? kv_tunnel_get_interface(tunnel) : NULL;
    const char *endpoint = tunnel != NULL ? kv_tunnel_get_endpoint(tunnel) : NULL;
    g_auto(KvTunnelDetails) details = {0};

    kv_tunnel_details_init(&details);
    if (tunnel != NULL)
        kv_tunnel_details_copy(&details, kv_tunnel_get_details(tunnel));
    kv_dbus_tunnel1_set_interface(self->skeleton, interface != NULL ? interface : "");
    kv_dbus_tunnel1_set_endpoint(self->skeleton, endpoint != NULL ? endpoint : "");
    kv_dbus_tunnel1_set_addresses(self->skeleton, kv_addresses_to_variant(details.addresses));
    kv_dbus_tunnel1_set_routes(self->skeleton, kv_routes_to_variant(details.routes));
    kv_dbus_tunnel1_set_dns(self->skeleton, kv_dns_to_variant(details.dns, details.domains));
    kv_dbus_tunnel1_set_mtu(self->skeleton, tunnel != NULL ? kv_tunnel_get_mtu(tunnel) : 0);
    kv_dbus_tunnel1_set_details(self->skeleton, make_details(tunnel));
    kv_dbus_tunnel1_set_connected_since(self->skeleton,
                                        tunnel != NULL ? kv_tunnel_get_connected_since(tunnel) : 0);
}

static void
set_saved(KvTunnelObject *self)
{
    g_auto(GStrv) secrets = kv_settings_list_secrets(self->settings);

    kv_dbus_tunnel1_set_settings(self->skeleton, kv_settings_to_variant(self->settings));
    kv_dbus_tunnel1_set_saved_secrets(self->skeleton, (const char *const *) secrets);
    kv_dbus_tunnel1_set_file(self->skeleton, self->file != NULL ? self->file : "");
    kv_dbus_tunnel1_set_read_only(self->skeleton, self->read_only);
}

/* Everybody hears of all properties first, then of the state. */
static void
set_state(KvTunnelObject *self, const char *word, const GError *error)
{
    g_autofree char *old = g_strdup(kv_dbus_tunnel1_get_state(self->skeleton));
    g_autofree char *name = kv_dbus_error_get_name(error);
    const char *reason = error != NULL ? error->message : "";

    set_details(self);
    kv_dbus_tunnel1_set_state(self->skeleton, word);
    kv_dbus_tunnel1_set_reason(self->skeleton, reason);
    kv_dbus_tunnel1_set_reason_error(self->skeleton, name);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(self->skeleton));
    if (g_strcmp0(old, word) != 0)
        kv_dbus_tunnel1_emit_state_changed(self->skeleton, word, old, reason);
}

static void
fill(KvTunnelObject *self)
{
    static const char *const none[] = {NULL};
    KvRole role = kv_settings_get_role(self->settings);

    kv_dbus_tunnel1_set_name(self->skeleton, kv_tunnel_object_get_name(self));
    kv_dbus_tunnel1_set_role(self->skeleton, kv_setting_get(KV_SETTING_ROLE)->choices[role]);
    kv_dbus_tunnel1_set_transient(self->skeleton, self->file == NULL);
    kv_dbus_tunnel1_set_state(self->skeleton, KV_DBUS_STATE_STOPPED);
    kv_dbus_tunnel1_set_reason(self->skeleton, "");
    kv_dbus_tunnel1_set_reason_error(self->skeleton, "");
    kv_dbus_tunnel1_set_statistics(self->skeleton, g_variant_new("a{sv}", NULL));
    kv_dbus_tunnel1_set_clients(self->skeleton, none);
    set_details(self);
    set_saved(self);
}

/* --- running -------------------------------------------------------------------------------- */

static void
answer_waiters(KvTunnelObject *self)
{
    g_autoptr(GArray) waiters = g_steal_pointer(&self->waiters);

    self->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
    for (guint i = 0; i < waiters->len; i++) {
        const Waiter *waiter = &g_array_index(waiters, Waiter, i);

        waiter->done(waiter->data);
    }
}

static void
drop_tunnel(KvTunnelObject *self)
{
    g_autoptr(KvTunnel) tunnel = g_steal_pointer(&self->tunnel);

    g_signal_handlers_disconnect_by_data(tunnel, self);
    for (guint i = 0; i < self->clients->len; i++)
        kv_client_object_remove(self->clients->pdata[i]);
    g_ptr_array_set_size(self->clients, 0);
    announce_clients(self);
    kv_dbus_tunnel1_set_statistics(self->skeleton, g_variant_new("a{sv}", NULL));
}

static void
state_changed(KvTunnel *tunnel, guint state, const GError *error, gpointer data)
{
    g_autoptr(KvTunnelObject) self = g_object_ref(data);
    const char *name = kv_tunnel_object_get_name(self);

    if (state == KV_TUNNEL_STATE_FAILED)
        kv_log(KV_LOG_ERROR, "failed", name, NULL, "%s", error != NULL ? error->message : "failed");
    if (state == KV_TUNNEL_STATE_STOPPED || state == KV_TUNNEL_STATE_FAILED)
        drop_tunnel(self);
    set_state(self, state_to_word(state), error);
    if (self->tunnel == NULL)
        answer_waiters(self);
}

static void
details_changed(KvTunnel *tunnel, gpointer data)
{
    set_details(data);
}

/* What counts at once of the settings. */
static void
take_live_settings(KvTunnelObject *self)
{
    g_autoptr(KvTunnelTerms) terms = kv_tunnel_terms_new(self->settings);

    kv_tunnel_set_peers(self->tunnel, kv_settings_get_peers(self->settings));
    kv_tunnel_set_terms(self->tunnel, terms);
}

/* Somebody may wait for what does not, or for what is of no use; of one that does not run its start
 * tells. */
static void
log_change(KvTunnelObject *self, const KvSettings *old)
{
    const char *name = kv_tunnel_object_get_name(self);
    g_auto(GStrv) keys = kv_settings_list_waiting(old, self->settings);
    g_auto(GStrv) known = kv_settings_list_warnings(old);
    g_auto(GStrv) warnings = kv_settings_list_warnings(self->settings);
    g_autofree char *list = g_strjoinv(", ", keys);

    if (self->tunnel == NULL && self->starting == NULL)
        return;
    if (*list != '\0')
        kv_log(KV_LOG_INFO, "changed", name, NULL, "changed, from its next start on: %s", list);
    for (guint i = 0; warnings[i] != NULL; i++) {
        if (!g_strv_contains((const char *const *) known, warnings[i]))
            kv_log(KV_LOG_WARNING, NULL, name, NULL, "%s", warnings[i]);
    }
}

static void
launch(KvTunnelObject *self, KvTunnel *tunnel)
{
    self->tunnel = g_object_ref(tunnel);
    if (self->start_is_outdated)
        take_live_settings(self);
    self->start_is_outdated = FALSE;
    g_signal_connect(tunnel, "details-changed", G_CALLBACK(details_changed), self);
    g_signal_connect(tunnel, "state-changed", G_CALLBACK(state_changed), self);
    g_signal_connect(tunnel, "peer-added", G_CALLBACK(peer_added), self);
    g_signal_connect(tunnel, "peer-removed", G_CALLBACK(peer_removed), self);
    kv_tunnel_start(tunnel);
}

static void
secrets_loaded(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    KvTunnelObject *self = g_task_get_source_object(task);
    g_autoptr(KvSettings) settings = g_steal_pointer(&self->starting);
    GError *error = NULL;
    g_autoptr(KvTunnelParams) params = kv_tunnel_secrets_load_finish(result, &error);
    g_autoptr(KvTunnel) tunnel = NULL;

    if (params == NULL) {
        g_task_return_error(task, error);
        answer_waiters(self);
        return;
    }
    if (self->waiters->len > 0) {
        g_task_return_new_error(task, KV_ERROR, KV_ERROR_CANCELLED,
                                "the tunnel was stopped while it started");
        answer_waiters(self);
        return;
    }
    tunnel = kv_tunnel_new_with_params(self->services->engine, g_steal_pointer(&params));
    kv_tunnel_set_configure(tunnel, GPOINTER_TO_INT(g_task_get_task_data(task)));
    launch(self, tunnel);
    if (kv_tunnel_get_state(tunnel) == KV_TUNNEL_STATE_FAILED)
        g_task_return_error(task, g_error_copy(kv_tunnel_get_error(tunnel)));
    else
        g_task_return_boolean(task, TRUE);
}

static gboolean
check_start(KvTunnelObject *self, GError **error)
{
    const char *name = kv_tunnel_object_get_name(self);

    /* What began now nobody would wait for. */
    if (kv_engine_is_shutting_down(self->services->engine)) {
        g_set_error_literal(error, KV_ERROR, KV_ERROR_CANCELLED, "the daemon stops");
        return FALSE;
    }
    if (self->removed) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, "tunnel %s was deleted", name);
        return FALSE;
    }
    if (self->changing) {
        g_set_error(error, KV_ERROR, KV_ERROR_WRONG_STATE,
                    "tunnel %s is being changed or deleted; try again", name);
        return FALSE;
    }
    if (self->tunnel == NULL && self->starting == NULL && self->waiters->len == 0)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_WRONG_STATE,
                "tunnel %s is started already, or not stopped yet; stop it first", name);
    return FALSE;
}

void
kv_tunnel_object_start_async(KvTunnelObject *self, GVariant *secrets, gboolean configure,
                             GAsyncReadyCallback callback, gpointer data)
{
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, data);
    g_autoptr(KvSettings) settings = kv_settings_copy(self->settings);
    GError *error = NULL;

    if (!check_start(self, &error) ||
        (secrets != NULL && !kv_settings_load_secrets_variant(settings, secrets, &error))) {
        g_task_return_error(task, error);
        return;
    }
    g_task_set_task_data(task, GINT_TO_POINTER(configure), NULL);
    self->starting = g_steal_pointer(&settings);
    self->start_is_outdated = FALSE;
    kv_tunnel_secrets_load_async(self->starting, self->read_only, secrets_loaded,
                                 g_steal_pointer(&task));
}

gboolean
kv_tunnel_object_start_finish(KvTunnelObject *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

void
kv_tunnel_object_stop(KvTunnelObject *self, void (*done)(gpointer data), gpointer data)
{
    Waiter waiter = {.done = done, .data = data};

    if (self->tunnel == NULL && self->starting == NULL) {
        done(data);
        return;
    }
    g_array_append_val(self->waiters, waiter);
    if (self->tunnel != NULL)
        kv_tunnel_stop(self->tunnel);
}

/* --- life ----------------------------------------------------------------------------------- */

const KvServices *
kv_tunnel_object_get_services(KvTunnelObject *self)
{
    return self->services;
}

KvDbusTunnel1 *
kv_tunnel_object_get_skeleton(KvTunnelObject *self)
{
    return self->skeleton;
}

const char *
kv_tunnel_object_get_name(KvTunnelObject *self)
{
    return self->name;
}

const char *
kv_tunnel_object_get_path(KvTunnelObject *self)
{
    return self->path;
}

const KvSettings *
kv_tunnel_object_get_settings(KvTunnelObject *self)
{
    return self->settings;
}

const char *
kv_tunnel_object_get_file(KvTunnelObject *self)
{
    return self->file;
}

gboolean
kv_tunnel_object_is_read_only(KvTunnelObject *self)
{
    return self->read_only;
}

gboolean
kv_tunnel_object_is_removed(KvTunnelObject *self)
{
    return self->removed;
}

gboolean
kv_tunnel_object_is_owned_by(KvTunnelObject *self, const char *name)
{
    return self->owner != NULL && kv_tunnel_owner_is(self->owner, name);
}

void
kv_tunnel_object_set_settings(KvTunnelObject *self, const KvSettings *settings, const char *file,
                              gboolean read_only)
{
    KvSettings *old = self->settings;
    char *old_file = self->file;

    self->settings = kv_settings_copy(settings);
    log_change(self, old);
    self->start_is_outdated = self->starting != NULL;
    self->file = g_strdup(file);
    self->read_only = read_only;
    kv_settings_free(old);
    g_free(old_file);
    set_saved(self);
    if (self->tunnel != NULL)
        take_live_settings(self);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(self->skeleton));
}

gboolean
kv_tunnel_object_begin_change(KvTunnelObject *self, GError **error)
{
    const char *name = kv_tunnel_object_get_name(self);

    if (self->removed) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, "tunnel %s was deleted", name);
        return FALSE;
    }
    if (self->changing) {
        g_set_error(error, KV_ERROR, KV_ERROR_WRONG_STATE,
                    "another change of tunnel %s is being saved; try again", name);
        return FALSE;
    }
    self->changing = TRUE;
    return TRUE;
}

void
kv_tunnel_object_end_change(KvTunnelObject *self)
{
    self->changing = FALSE;
}

void
kv_tunnel_object_remove(KvTunnelObject *self)
{
    if (self->removed)
        return;
    g_assert(self->tunnel == NULL && self->starting == NULL);
    self->removed = TRUE;
    kv_live_skeleton_set_refresh(self->skeleton, NULL, NULL, NULL);
    g_signal_handlers_disconnect_by_data(self->skeleton, self);
    g_clear_pointer(&self->owner, kv_tunnel_owner_free);
    g_clear_pointer(&self->watchers, kv_watchers_free);
    g_clear_handle_id(&self->clients_timer, g_source_remove);
    if (self->held)
        kv_quota_release(self->services->quota, self->uid, KV_QUOTA_TUNNELS);
    g_dbus_object_manager_server_unexport(self->services->objects, self->path);
    g_signal_emit(self, removed_signal, 0);
}

static void
down_after_owner(gpointer data)
{
    g_autoptr(KvTunnelObject) self = data;

    kv_tunnel_object_remove(self);
}

static void
owner_gone(gpointer data)
{
    KvTunnelObject *self = data;
    const char *name = kv_tunnel_object_get_name(self);

    kv_log(KV_LOG_INFO, "owner-gone", name, NULL, "ends, since the program that made it is gone");
    kv_tunnel_object_stop(self, down_after_owner, g_object_ref(self));
}

KvTunnelObject *
kv_tunnel_object_new(const KvServices *services, const KvTunnelOrigin *origin, guint64 number)
{
    static const char *const live[] = {"Statistics", NULL};
    KvTunnelObject *self = g_object_new(KV_TYPE_TUNNEL_OBJECT, NULL);
    g_autoptr(KvDbusObjectSkeleton) object = NULL;

    self->services = services;
    self->path = g_strdup_printf(KV_DBUS_TUNNEL_PATH "/%" G_GUINT64_FORMAT, number);
    self->settings = kv_settings_copy(origin->settings);
    self->name = g_strdup(kv_settings_get_string(self->settings, KV_SETTING_NAME));
    self->file = g_strdup(origin->file);
    self->read_only = origin->read_only;
    self->held = origin->held;
    self->uid = origin->uid;
    self->watchers = kv_watchers_new(services, watcher_due, self);
    fill(self);
    kv_live_skeleton_set_refresh(self->skeleton, live, refresh_stats, self);
    kv_tunnel_methods_connect(self);
    object = kv_dbus_object_skeleton_new(self->path);
    kv_dbus_object_skeleton_set_tunnel1(object, self->skeleton);
    g_dbus_object_manager_server_export(services->objects, G_DBUS_OBJECT_SKELETON(object));
    if (origin->owner != NULL)
        self->owner = kv_tunnel_owner_new(services->bus, origin->owner, owner_gone, self);
    return self;
}
