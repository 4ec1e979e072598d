/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus-link.h"

#include "kv-listings.h"
#include "kv-log.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS   1000

#define FLAGS                                                                                      \
    (G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION)

struct _KvBusLink {
    KvBusLinkChanged changed;
    gpointer data;
    GDBusConnection *bus; /* NULL: there is none */
    GCancellable *cancellable;
    guint retry_source;
    guint retry_ms; /* before the next try */
};

static void retry_later(KvBusLink *self);

/* GDBus calls a connection closed, too, when there is something on it that it cannot read, but does
 * not hang up: on that one the bus would still see our name, and not give it to the next. */
static void
hang_up(GDBusConnection *bus)
{
    GIOStream *stream = g_dbus_connection_get_stream(bus);

    /* Fails if the bus has hung up, which is just as well. */
    if (G_IS_SOCKET_CONNECTION(stream))
        (void) g_socket_shutdown(g_socket_connection_get_socket(G_SOCKET_CONNECTION(stream)), TRUE,
                                 TRUE, NULL);
}

static void
closed(GDBusConnection *bus, gboolean remote_peer_vanished, GError *error, gpointer data)
{
    KvBusLink *self = data;

    hang_up(bus);
    g_signal_handlers_disconnect_by_data(bus, self);
    g_clear_object(&self->bus);
    self->changed(self->data, NULL);
    self->retry_ms = RETRY_FIRST_MS;
    retry_later(self);
}

/* @bus: (transfer full). Returns: %FALSE: it is closed already. */
static gboolean
take_bus(KvBusLink *self, GDBusConnection *bus)
{
    g_signal_connect(bus, "closed", G_CALLBACK(closed), self);
    kv_listings_bound(bus);
    self->bus = bus;
    if (!g_dbus_connection_is_closed(bus))
        return TRUE;
    /* Its signal may have come before. */
    g_signal_handlers_disconnect_by_data(bus, self);
    g_clear_object(&self->bus);
    return FALSE;
}

static void
connected(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *bus = g_dbus_connection_new_for_address_finish(result, &error);
    KvBusLink *self = data;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (bus != NULL && take_bus(self, bus)) {
        self->changed(self->data, bus);
        return;
    }
    self->retry_ms = MIN(2 * self->retry_ms, RETRY_MAX_MS);
    retry_later(self);
}

static gboolean
retry(gpointer data)
{
    KvBusLink *self = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *address = g_dbus_address_get_for_bus_sync(G_BUS_TYPE_SYSTEM, NULL, &error);

    self->retry_source = 0;
    if (address != NULL) {
        g_dbus_connection_new_for_address(address, FLAGS, NULL, self->cancellable, connected, self);
        return G_SOURCE_REMOVE;
    }
    kv_log(KV_LOG_ERROR, NULL, NULL, NULL, "no address of the system bus: %s", error->message);
    retry_later(self);
    return G_SOURCE_REMOVE;
}

static void
retry_later(KvBusLink *self)
{
    self->retry_source = g_timeout_add(self->retry_ms, retry, self);
}

KvBusLink *
kv_bus_link_new(KvBusLinkChanged changed, gpointer data, GError **error)
{
    g_autofree char *address = g_dbus_address_get_for_bus_sync(G_BUS_TYPE_SYSTEM, NULL, error);
    GDBusConnection *bus =
        address != NULL ? g_dbus_connection_new_for_address_sync(address, FLAGS, NULL, NULL, error)
                        : NULL;
    KvBusLink *self;

    if (bus == NULL)
        return NULL;
    self = g_new0(KvBusLink, 1);
    self->changed = changed;
    self->data = data;
    self->cancellable = g_cancellable_new();
    self->bus = bus;
    kv_listings_bound(bus);
    g_signal_connect(bus, "closed", G_CALLBACK(closed), self);
    return self;
}

void
kv_bus_link_free(KvBusLink *self)
{
    if (self == NULL)
        return;
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    g_clear_handle_id(&self->retry_source, g_source_remove);
    if (self->bus != NULL)
        g_signal_handlers_disconnect_by_data(self->bus, self);
    g_clear_object(&self->bus);
    g_free(self);
}

GDBusConnection *
kv_bus_link_get_bus(const KvBusLink *self)
{
    return self->bus;
}
