/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-owner.h"

#include "kv-owner-watch.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct _KvTunnelOwner {
    GDBusConnection *bus;
    KvOwnerWatch *watch; /* NULL once it has left, or the bus has gone */
    GCancellable *cancellable;
    int process; /* pidfd; < 0: not known */
    guint process_source;
    void (*gone)(gpointer data);
    gpointer data;
};

static gboolean
process_ended(int fd, GIOCondition condition, gpointer data)
{
    KvTunnelOwner *self = data;

    self->process_source = 0;
    self->gone(self->data);
    return G_SOURCE_REMOVE;
}

static void
left(gpointer data)
{
    KvTunnelOwner *self = data;

    g_clear_pointer(&self->watch, kv_owner_watch_free);
    if (g_dbus_connection_is_closed(self->bus) && self->process >= 0)
        self->process_source = g_unix_fd_add(self->process, G_IO_IN, process_ended, self);
    else
        self->gone(self->data);
}

/* Whoever has the number of a process that ended meanwhile: the watch tells that the owner left. */
static void
got_process(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    KvTunnelOwner *self = data;
    guint32 number;

    /* Without it the owner is gone with the bus. */
    if (reply == NULL)
        return;
    g_variant_get(reply, "(u)", &number);
    self->process = (int) syscall(SYS_pidfd_open, (pid_t) number, 0);
    if (self->process >= 0)
        fcntl(self->process, F_SETFD, FD_CLOEXEC);
}

KvTunnelOwner *
kv_tunnel_owner_new(GDBusConnection *bus, const char *name, void (*gone)(gpointer data),
                    gpointer data)
{
    KvTunnelOwner *self = g_new0(KvTunnelOwner, 1);

    self->bus = g_object_ref(bus);
    self->cancellable = g_cancellable_new();
    self->process = -1;
    self->gone = gone;
    self->data = data;
    g_dbus_connection_call(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                           "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                           g_variant_new("(s)", name), G_VARIANT_TYPE("(u)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, self->cancellable, got_process, self);
    self->watch = kv_owner_watch_new(bus, name, left, self);
    return self;
}

void
kv_tunnel_owner_free(KvTunnelOwner *self)
{
    if (self == NULL)
        return;
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    kv_owner_watch_free(self->watch);
    g_clear_handle_id(&self->process_source, g_source_remove);
    kv_autofd_clear(&self->process);
    g_object_unref(self->bus);
    g_free(self);
}

gboolean
kv_tunnel_owner_is(const KvTunnelOwner *self, const char *name)
{
    return self->watch != NULL && strcmp(kv_owner_watch_get_name(self->watch), name) == 0;
}
