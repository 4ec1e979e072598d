/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-listings.h"

#include <pthread.h>

#define LIMITS "org.freedesktop.DBus.Error.LimitsExceeded"

/* Of all connections: it has to be there before GDBus's thread is. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What waits, by "name serial", which a reply brings back as its destination and serial. */
typedef struct {
    GHashTable *waiting; /* of text -> name of the caller */
} Listings;

static void
listings_free(gpointer data)
{
    Listings *self = data;

    pthread_mutex_lock(&lock);
    g_hash_table_unref(self->waiting);
    pthread_mutex_unlock(&lock);
    g_free(self);
}

static char *
make_key(const char *caller, guint32 serial)
{
    return g_strdup_printf("%s %u", caller != NULL ? caller : "", serial);
}

static guint
count_of_caller(Listings *self, const char *caller)
{
    GHashTableIter iter;
    gpointer waiting;
    guint n = 0;

    g_hash_table_iter_init(&iter, self->waiting);
    while (g_hash_table_iter_next(&iter, NULL, &waiting))
        n += g_strcmp0(waiting, caller) == 0;
    return n;
}

static gboolean
admit(Listings *self, GDBusMessage *call)
{
    const char *caller = g_dbus_message_get_sender(call);
    gboolean ok;

    pthread_mutex_lock(&lock);
    ok = g_hash_table_size(self->waiting) < KV_LISTINGS_OF_ALL &&
         count_of_caller(self, caller) < KV_LISTINGS_OF_ONE;
    if (ok)
        g_hash_table_insert(self->waiting, make_key(caller, g_dbus_message_get_serial(call)),
                            g_strdup(caller));
    pthread_mutex_unlock(&lock);
    return ok;
}

static void
settle(Listings *self, GDBusMessage *reply)
{
    g_autofree char *key =
        make_key(g_dbus_message_get_destination(reply), g_dbus_message_get_reply_serial(reply));

    pthread_mutex_lock(&lock);
    g_hash_table_remove(self->waiting, key);
    pthread_mutex_unlock(&lock);
}

/* Whatever its interface: it may be left out. */
static gboolean
is_listing(GDBusMessage *message)
{
    return g_dbus_message_get_message_type(message) == G_DBUS_MESSAGE_TYPE_METHOD_CALL &&
           g_strcmp0(g_dbus_message_get_member(message), "GetManagedObjects") == 0;
}

static gboolean
wants_reply(GDBusMessage *message)
{
    return (g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED) == 0;
}

static void
refuse(GDBusConnection *bus, GDBusMessage *call)
{
    g_autofree char *text = g_strdup_printf(
        "too many lists of all objects are asked for; allowed: %d at a time by one caller, %d by "
        "all",
        KV_LISTINGS_OF_ONE, KV_LISTINGS_OF_ALL);
    g_autoptr(GDBusMessage) reply = g_dbus_message_new_method_error_literal(call, LIMITS, text);

    /* If the bus is gone, so is the caller. */
    g_dbus_connection_send_message(bus, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
}

/* (transfer full) (nullable): on GDBus's thread, for each message either way. A listing that nobody
 * wants to read is not made. */
static GDBusMessage *
filter(GDBusConnection *bus, GDBusMessage *message, gboolean incoming, gpointer data)
{
    Listings *self = data;

    if (!incoming) {
        if (g_dbus_message_get_reply_serial(message) != 0)
            settle(self, message);
        return message;
    }
    if (!is_listing(message) || (wants_reply(message) && admit(self, message)))
        return message;
    if (wants_reply(message))
        refuse(bus, message);
    g_object_unref(message);
    return NULL;
}

void
kv_listings_bound(GDBusConnection *bus)
{
    Listings *self = g_new0(Listings, 1);

    pthread_mutex_lock(&lock);
    self->waiting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    pthread_mutex_unlock(&lock);
    g_dbus_connection_add_filter(bus, filter, self, listings_free);
}
