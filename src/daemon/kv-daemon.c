/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-daemon.h"

#include "kv-bus-link.h"
#include "kv-dbus-error.h"
#include "kv-dbus-names.h"
#include "kv-log.h"
#include "kv-manager-object.h"
#include "kv-notify.h"
#include "kv-services.h"

/* What all tunnels together may take to stop: hooks take 30 s of it at most, see kv_hooks_drain().
 * The unit's own bound is above it. */
#define STOP_TIMEOUT_S 35

struct _KvDaemon {
    KvServices services;
    KvBusLink *link;
    KvManagerObject *manager;
    guint name_id;
    gboolean loaded; /* saved tunnels are there: the bus may see them */
    gboolean ready;  /* it has had the name once */
    void (*failed)(gpointer data);
    gpointer failed_data;

    void (*stopped)(gpointer data, gboolean clean); /* while it stops */
    gpointer stopped_data;
    guint stop_timer;
};

static gboolean
is_stopping(const KvDaemon *self)
{
    return self->stopped != NULL;
}

/* --- on the bus ----------------------------------------------------------------------------- */

static void
name_acquired(GDBusConnection *bus, const char *name, gpointer data)
{
    KvDaemon *self = data;

    if (is_stopping(self))
        return;
    kv_log(KV_LOG_INFO, "ready", NULL, NULL, "%s is on the bus", name);
    if (self->ready)
        return;
    self->ready = TRUE;
    kv_notify_ready();
    kv_manager_object_autostart(self->manager);
}

static void
name_lost(GDBusConnection *bus, const char *name, gpointer data)
{
    KvDaemon *self = data;

    /* Of the bus itself its link tells. */
    if (is_stopping(self) || g_dbus_connection_is_closed(self->services.bus))
        return;
    kv_log(KV_LOG_ERROR, "failed", NULL, NULL,
           "the name %s cannot be had, or is taken away: another daemon has it, or the bus does "
           "not allow it",
           name);
    self->failed(self->failed_data);
}

static void
enter_bus(KvDaemon *self)
{
    g_autoptr(GError) error = NULL;

    if (!kv_manager_object_export(self->manager, &error)) {
        kv_log(KV_LOG_ERROR, "failed", NULL, NULL, "%s", error->message);
        self->failed(self->failed_data);
        return;
    }
    g_dbus_object_manager_server_set_connection(self->services.objects, self->services.bus);
    self->name_id = g_bus_own_name_on_connection(self->services.bus, KV_DBUS_NAME,
                                                 G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, name_acquired,
                                                 name_lost, self, NULL);
}

static void
leave_bus(KvDaemon *self)
{
    if (self->name_id != 0)
        g_bus_unown_name(self->name_id);
    self->name_id = 0;
    g_dbus_object_manager_server_set_connection(self->services.objects, NULL);
    kv_manager_object_unexport(self->manager);
}

/* Tunnels are the engine's, and go on meanwhile. */
static void
bus_changed(gpointer data, GDBusConnection *bus)
{
    KvDaemon *self = data;

    if (bus == NULL) {
        kv_log(KV_LOG_WARNING, "bus-gone", NULL, NULL,
               "the bus is gone; tunnels go on, and can be reached once it is back");
        kv_notify_status("waiting for the bus; tunnels go on");
        leave_bus(self);
    }
    g_set_object(&self->services.bus, bus);
    if (bus != NULL && self->loaded && !is_stopping(self))
        enter_bus(self);
}

/* --- start ---------------------------------------------------------------------------------- */

static void
loaded(GObject *source, GAsyncResult *result, gpointer data)
{
    KvDaemon *self = data;
    g_autoptr(GError) error = NULL;

    /* What cannot be read is no reason not to serve the rest. */
    if (!kv_manager_object_load_finish(self->manager, result, &error))
        kv_log(KV_LOG_ERROR, "broken-store", NULL, NULL, "saved tunnels: %s", error->message);
    self->loaded = TRUE;
    if (self->services.bus != NULL && !is_stopping(self))
        enter_bus(self);
}

void
kv_daemon_start(KvDaemon *self)
{
    kv_manager_object_load_async(self->manager, loaded, self);
}

static void
reloaded(GObject *source, GAsyncResult *result, gpointer data)
{
    KvDaemon *self = data;
    g_autoptr(GError) error = NULL;

    if (!kv_manager_object_load_finish(self->manager, result, &error))
        kv_log(KV_LOG_ERROR, "broken-store", NULL, NULL, "saved tunnels: %s", error->message);
    if (!is_stopping(self))
        kv_notify_ready();
}

void
kv_daemon_reload(KvDaemon *self)
{
    if (!self->ready || is_stopping(self))
        return;
    kv_notify_reloading();
    kv_manager_object_load_async(self->manager, reloaded, self);
}

/* --- stop ----------------------------------------------------------------------------------- */

static void
finish(KvDaemon *self, gboolean clean)
{
    if (self->stop_timer == 0)
        return;
    g_clear_handle_id(&self->stop_timer, g_source_remove);
    self->stopped(self->stopped_data, clean);
}

static void
objects_down(gpointer data)
{
    finish(data, TRUE);
}

static void
engine_down(gpointer data)
{
    KvDaemon *self = data;

    /* Those that were about to start are not the engine's yet. */
    kv_manager_object_stop(self->manager, objects_down, self);
}

static gboolean
stop_timed_out(gpointer data)
{
    KvDaemon *self = data;

    kv_log(KV_LOG_ERROR, "failed", NULL, NULL, "some tunnels did not stop within %d seconds",
           STOP_TIMEOUT_S);
    finish(self, FALSE);
    return G_SOURCE_REMOVE;
}

void
kv_daemon_stop(KvDaemon *self, void (*stopped)(gpointer data, gboolean clean), gpointer data)
{
    g_return_if_fail(!is_stopping(self));
    self->stopped = stopped;
    self->stopped_data = data;
    kv_notify_stopping();
    self->stop_timer = g_timeout_add_seconds(STOP_TIMEOUT_S, stop_timed_out, self);
    kv_auth_cancel(self->services.auth);
    kv_engine_shutdown(self->services.engine, engine_down, self);
}

/* --- life ----------------------------------------------------------------------------------- */

KvDaemon *
kv_daemon_new(void (*failed)(gpointer data), gpointer data, GError **error)
{
    g_autoptr(KvDaemon) self = g_new0(KvDaemon, 1);
    KvServices *services = &self->services;

    kv_dbus_error_init();
    self->failed = failed;
    self->failed_data = data;
    self->link = kv_bus_link_new(bus_changed, self, error);
    if (self->link == NULL) {
        g_prefix_error(error, "no system bus: ");
        return NULL;
    }
    services->bus = g_object_ref(kv_bus_link_get_bus(self->link));
    services->engine = kv_engine_new(error);
    if (services->engine == NULL)
        return NULL;
    kv_engine_use_hook_helper(services->engine, KV_HOOK_HELPER_SOCKET);
    services->objects = g_dbus_object_manager_server_new(KV_DBUS_PATH);
    services->callers = kv_callers_new();
    services->auth = kv_auth_new();
    services->quota = kv_quota_new();
    services->store = kv_store_new_from_environment();
    self->manager = kv_manager_object_new(services);
    return g_steal_pointer(&self);
}

void
kv_daemon_free(KvDaemon *self)
{
    if (self == NULL)
        return;
    g_clear_pointer(&self->link, kv_bus_link_free);
    if (self->manager != NULL)
        kv_manager_object_remove(self->manager);
    if (self->name_id != 0)
        g_bus_unown_name(self->name_id);
    g_clear_object(&self->manager);
    g_clear_object(&self->services.objects);
    g_clear_object(&self->services.store);
    g_clear_object(&self->services.auth);
    g_clear_pointer(&self->services.callers, kv_callers_free);
    g_clear_pointer(&self->services.quota, kv_quota_free);
    g_clear_pointer(&self->services.engine, kv_engine_unref);
    /* The last answers are on their way; if the bus is gone, nobody waits for them. */
    if (self->services.bus != NULL)
        (void) g_dbus_connection_flush_sync(self->services.bus, NULL, NULL);
    g_clear_object(&self->services.bus);
    g_free(self);
}
