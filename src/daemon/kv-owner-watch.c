/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-owner-watch.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

#define WATCHES_KEY "kv-owner-watches" /* in the connection */

/*
 * One match rule serves all watches of a connection: a bus grants a connection some hundreds, and
 * says nothing to one that g_bus_watch_name() could not make, so that many callers would leave
 * unseen.
 */
typedef struct {
    GHashTable *by_name; /* GQueue of KvOwnerWatch, never empty */
} Watches;

struct _KvOwnerWatch {
    GDBusConnection *bus; /* keeps the set */
    Watches *set;         /* NULL once it has told */
    char *name;
    void (*left)(gpointer data);
    gpointer data;
    GCancellable *cancellable;
};

static void
watches_free(gpointer data)
{
    Watches *self = data;

    g_hash_table_unref(self->by_name);
    g_free(self);
}

static void
remove_watch(KvOwnerWatch *watch)
{
    Watches *set = g_steal_pointer(&watch->set);
    GQueue *queue = set != NULL ? g_hash_table_lookup(set->by_name, watch->name) : NULL;

    if (queue == NULL)
        return;
    g_queue_remove(queue, watch);
    if (g_queue_is_empty(queue))
        g_hash_table_remove(set->by_name, watch->name);
}

/* @watch may be gone afterwards. */
static void
tell(KvOwnerWatch *watch)
{
    remove_watch(watch);
    watch->left(watch->data);
}

static void
owner_changed(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
              const char *signal, GVariant *arguments, gpointer data)
{
    Watches *self = data;
    const char *name;
    const char *owner;
    GQueue *queue;

    if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE("(sss)")))
        return;
    g_variant_get(arguments, "(&s&s&s)", &name, NULL, &owner);
    if (owner[0] != '\0')
        return;
    /* Each may end others. */
    while ((queue = g_hash_table_lookup(self->by_name, name)) != NULL)
        tell(g_queue_peek_head(queue));
}

/* Whoever is still there is on no bus that we could see. */
static void
bus_closed(GDBusConnection *bus, gboolean remote_peer_vanished, GError *error, gpointer data)
{
    Watches *self = data;
    GHashTableIter iter;
    GQueue *queue;

    g_hash_table_iter_init(&iter, self->by_name);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &queue)) {
        tell(g_queue_peek_head(queue));
        g_hash_table_iter_init(&iter, self->by_name);
    }
}

static Watches *
get_watches(GDBusConnection *bus)
{
    Watches *self = g_object_get_data(G_OBJECT(bus), WATCHES_KEY);

    if (self != NULL)
        return self;
    self = g_new0(Watches, 1);
    self->by_name =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_queue_free);
    g_object_set_data_full(G_OBJECT(bus), WATCHES_KEY, self, watches_free);
    /* For as long as the connection lives. */
    g_dbus_connection_signal_subscribe(bus, BUS_NAME, BUS_NAME, "NameOwnerChanged", BUS_PATH, NULL,
                                       G_DBUS_SIGNAL_FLAGS_NONE, owner_changed, self, NULL);
    g_signal_connect(bus, "closed", G_CALLBACK(bus_closed), self);
    return self;
}

static void
got_presence(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    KvOwnerWatch *watch = data;
    gboolean present = FALSE;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    /* Without an answer the bus is gone, and so is everybody on it. */
    if (reply != NULL)
        g_variant_get(reply, "(b)", &present);
    if (!present && watch->set != NULL)
        tell(watch);
}

KvOwnerWatch *
kv_owner_watch_new(GDBusConnection *bus, const char *name, void (*left)(gpointer data),
                   gpointer data)
{
    KvOwnerWatch *self = g_new0(KvOwnerWatch, 1);
    GQueue *queue;

    self->bus = g_object_ref(bus);
    self->set = get_watches(bus);
    self->name = g_strdup(name);
    self->left = left;
    self->data = data;
    self->cancellable = g_cancellable_new();
    queue = g_hash_table_lookup(self->set->by_name, name);
    if (queue == NULL) {
        queue = g_queue_new();
        g_hash_table_insert(self->set->by_name, g_strdup(name), queue);
    }
    g_queue_push_tail(queue, self);
    /* Asked behind the match rule, so that whoever leaves now is not missed. */
    g_dbus_connection_call(bus, BUS_NAME, BUS_PATH, BUS_NAME, "NameHasOwner",
                           g_variant_new("(s)", name), G_VARIANT_TYPE("(b)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, self->cancellable, got_presence, self);
    return self;
}

void
kv_owner_watch_free(KvOwnerWatch *self)
{
    if (self == NULL)
        return;
    remove_watch(self);
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    g_object_unref(self->bus);
    g_free(self->name);
    g_free(self);
}

const char *
kv_owner_watch_get_name(const KvOwnerWatch *self)
{
    return self->name;
}
