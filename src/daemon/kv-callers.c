/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-callers.h"

#include "kv-error.h"
#include "kv-owner-watch.h"

struct _KvCallers {
    GCancellable *cancellable;
    GHashTable *by_name; /* unique name: Caller */
};

typedef struct {
    KvCallers *set;
    GDBusConnection *bus; /* on which it has its name; the watch holds it */
    guint32 uid;
    KvOwnerWatch *watch;
} Caller;

/* A call that waits for its user. */
typedef struct {
    KvCallers *set;
    GDBusMethodInvocation *invocation;
    void (*done)(gpointer data, guint32 uid, const GError *error);
    gpointer data;
} Request;

static void
caller_free(gpointer data)
{
    Caller *caller = data;

    kv_owner_watch_free(caller->watch);
    g_free(caller);
}

static void
request_free(Request *request)
{
    g_object_unref(request->invocation);
    g_free(request);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)

static void
caller_left(gpointer data)
{
    Caller *caller = data;

    g_hash_table_remove(caller->set->by_name, kv_owner_watch_get_name(caller->watch));
}

/* (transfer none) (nullable): another bus may give the same name to somebody else. */
static const Caller *
find_caller(KvCallers *self, GDBusMethodInvocation *invocation)
{
    const Caller *caller =
        g_hash_table_lookup(self->by_name, g_dbus_method_invocation_get_sender(invocation));

    if (caller == NULL || caller->bus != g_dbus_method_invocation_get_connection(invocation))
        return NULL;
    return caller;
}

static void
remember(KvCallers *self, GDBusMethodInvocation *invocation, guint32 uid)
{
    GDBusConnection *bus = g_dbus_method_invocation_get_connection(invocation);
    const char *name = g_dbus_method_invocation_get_sender(invocation);
    Caller *caller;

    /* It may have called twice. */
    if (find_caller(self, invocation) != NULL)
        return;
    caller = g_new0(Caller, 1);
    caller->set = self;
    caller->bus = bus;
    caller->uid = uid;
    caller->watch = kv_owner_watch_new(bus, name, caller_left, caller);
    g_hash_table_replace(self->by_name, g_strdup(name), caller);
}

static void
got_user(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(Request) request = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    g_autoptr(GError) gone = NULL;
    guint32 uid;

    /* The set is gone, and so is whoever asked. */
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (reply == NULL) {
        gone = g_error_new(KV_ERROR, KV_ERROR_CANCELLED, "the caller has left the bus");
        request->done(request->data, G_MAXUINT32, gone);
        return;
    }
    g_variant_get(reply, "(u)", &uid);
    remember(request->set, request->invocation, uid);
    request->done(request->data, uid, NULL);
}

void
kv_callers_identify(KvCallers *self, GDBusMethodInvocation *invocation,
                    void (*done)(gpointer data, guint32 uid, const GError *error), gpointer data)
{
    const Caller *caller = find_caller(self, invocation);
    Request *request;

    if (caller != NULL) {
        done(data, caller->uid, NULL);
        return;
    }
    request = g_new0(Request, 1);
    request->set = self;
    request->invocation = g_object_ref(invocation);
    request->done = done;
    request->data = data;
    g_dbus_connection_call(
        g_dbus_method_invocation_get_connection(invocation), "org.freedesktop.DBus",
        "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixUser",
        g_variant_new("(s)", g_dbus_method_invocation_get_sender(invocation)),
        G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, self->cancellable, got_user, request);
}

KvCallers *
kv_callers_new(void)
{
    KvCallers *self = g_new0(KvCallers, 1);

    self->cancellable = g_cancellable_new();
    self->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, caller_free);
    return self;
}

void
kv_callers_free(KvCallers *self)
{
    if (self == NULL)
        return;
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    g_hash_table_unref(self->by_name);
    g_free(self);
}
