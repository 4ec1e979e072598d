/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-owner-watch.h"

struct _KvOwnerWatch {
    char *name;
    guint id;
    void (*left)(gpointer data);
    gpointer data;
};

/* Comes at first, too, if nobody has the name: whoever left during the call is not missed. */
static void
name_vanished(GDBusConnection *bus, const char *name, gpointer data)
{
    KvOwnerWatch *self = data;
    void (*left)(gpointer) = g_steal_pointer(&self->left);

    if (left != NULL)
        left(self->data);
}

KvOwnerWatch *
kv_owner_watch_new(GDBusConnection *bus, const char *name, void (*left)(gpointer data),
                   gpointer data)
{
    KvOwnerWatch *self = g_new0(KvOwnerWatch, 1);

    self->name = g_strdup(name);
    self->left = left;
    self->data = data;
    self->id = g_bus_watch_name_on_connection(bus, name, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
                                              name_vanished, self, NULL);
    return self;
}

void
kv_owner_watch_free(KvOwnerWatch *self)
{
    if (self == NULL)
        return;
    g_bus_unwatch_name(self->id);
    g_free(self->name);
    g_free(self);
}

const char *
kv_owner_watch_get_name(const KvOwnerWatch *self)
{
    return self->name;
}
