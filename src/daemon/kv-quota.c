/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-quota.h"

#include "kv-error.h"
#include "kv-owner-watch.h"

struct _KvQuota {
    GDBusConnection *bus;
    GCancellable *cancellable;
    GHashTable *callers; /* unique name: Caller */
    GHashTable *users;   /* uid: User */
};

/* A caller on the bus whose user is known. */
typedef struct {
    KvQuota *quota;
    guint32 uid;
    KvOwnerWatch *watch;
} Caller;

/* Kept for the daemon's life: there are no more of them than users on the system. */
typedef struct {
    gint64 refilled_us; /* monotonic */
    double calls;       /* left in the bucket */
    guint held[KV_N_QUOTAS];
} User;

/* A call that waits for its user. */
typedef struct {
    KvQuota *quota;
    GDBusMethodInvocation *invocation;
    gboolean changes;
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

static User *
get_user(KvQuota *self, guint32 uid)
{
    User *user = g_hash_table_lookup(self->users, GUINT_TO_POINTER(uid));

    if (user == NULL) {
        user = g_new0(User, 1);
        user->calls = KV_QUOTA_CALLS_BURST;
        user->refilled_us = g_get_monotonic_time();
        g_hash_table_insert(self->users, GUINT_TO_POINTER(uid), user);
    }
    return user;
}

static gboolean
take_call(KvQuota *self, guint32 uid, GError **error)
{
    User *user = get_user(self, uid);
    gint64 now = g_get_monotonic_time();
    double back = (double) (now - user->refilled_us) / G_USEC_PER_SEC * KV_QUOTA_CALLS_PER_SECOND;

    user->calls = MIN(user->calls + back, KV_QUOTA_CALLS_BURST);
    user->refilled_us = now;
    if (user->calls < 1) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                    "too many calls; allowed: %d a second for each user but root",
                    KV_QUOTA_CALLS_PER_SECOND);
        return FALSE;
    }
    user->calls -= 1;
    return TRUE;
}

static gboolean
check_size(GDBusMethodInvocation *invocation, GError **error)
{
    gsize size = g_variant_get_size(g_dbus_method_invocation_get_parameters(invocation));

    if (size <= KV_QUOTA_CALL_BYTES)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                "the call's arguments have %" G_GSIZE_FORMAT " bytes; allowed: %d for each user "
                "but root",
                size, KV_QUOTA_CALL_BYTES);
    return FALSE;
}

static gboolean
check_user(KvQuota *self, const Request *request, guint32 uid, GError **error)
{
    if (uid == 0)
        return TRUE;
    return check_size(request->invocation, error) &&
           (!request->changes || take_call(self, uid, error));
}

static void
decide(KvQuota *self, const Request *request, guint32 uid)
{
    g_autoptr(GError) error = NULL;

    if (!check_user(self, request, uid, &error))
        g_prefix_error(&error, "quota: ");
    request->done(request->data, uid, error);
}

static void
caller_left(gpointer data)
{
    Caller *caller = data;

    g_hash_table_remove(caller->quota->callers, kv_owner_watch_get_name(caller->watch));
}

static void
remember(KvQuota *self, const char *name, guint32 uid)
{
    Caller *caller;

    if (g_hash_table_contains(self->callers, name))
        return;
    caller = g_new0(Caller, 1);
    caller->quota = self;
    caller->uid = uid;
    caller->watch = kv_owner_watch_new(self->bus, name, caller_left, caller);
    g_hash_table_insert(self->callers, g_strdup(name), caller);
}

static void
got_user(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(Request) request = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    g_autoptr(GError) denied = NULL;
    guint32 uid;

    /* The quotas are gone, and so is whoever asked. */
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (reply == NULL) {
        denied = g_error_new(KV_ERROR, KV_ERROR_CANCELLED, "the caller has left the bus");
        request->done(request->data, G_MAXUINT32, denied);
        return;
    }
    g_variant_get(reply, "(u)", &uid);
    remember(request->quota, g_dbus_method_invocation_get_sender(request->invocation), uid);
    decide(request->quota, request, uid);
}

void
kv_quota_admit(KvQuota *self, GDBusMethodInvocation *invocation, gboolean changes,
               void (*done)(gpointer data, guint32 uid, const GError *error), gpointer data)
{
    const char *sender = g_dbus_method_invocation_get_sender(invocation);
    Caller *caller = g_hash_table_lookup(self->callers, sender);
    Request *request = g_new0(Request, 1);

    request->quota = self;
    request->invocation = g_object_ref(invocation);
    request->changes = changes;
    request->done = done;
    request->data = data;
    if (caller != NULL) {
        decide(self, request, caller->uid);
        request_free(request);
        return;
    }
    g_dbus_connection_call(self->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                           "org.freedesktop.DBus", "GetConnectionUnixUser",
                           g_variant_new("(s)", sender), G_VARIANT_TYPE("(u)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, self->cancellable, got_user, request);
}

gboolean
kv_quota_hold(KvQuota *self, guint32 uid, KvQuotaKind kind, GError **error)
{
    static const char *const things[KV_N_QUOTAS] = {"tunnels", "watches",
                                                    "calls that wait for authorization"};
    User *user = get_user(self, uid);

    if (uid != 0 && user->held[kind] >= KV_QUOTA_HELD) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                    "too many %s; allowed: %d for each user but root", things[kind], KV_QUOTA_HELD);
        return FALSE;
    }
    user->held[kind]++;
    return TRUE;
}

void
kv_quota_release(KvQuota *self, guint32 uid, KvQuotaKind kind)
{
    User *user = get_user(self, uid);

    g_return_if_fail(user->held[kind] > 0);
    user->held[kind]--;
}

KvQuota *
kv_quota_new(GDBusConnection *bus)
{
    KvQuota *self = g_new0(KvQuota, 1);

    self->bus = g_object_ref(bus);
    self->cancellable = g_cancellable_new();
    self->callers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, caller_free);
    self->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return self;
}

void
kv_quota_free(KvQuota *self)
{
    if (self == NULL)
        return;
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    g_hash_table_unref(self->callers);
    g_hash_table_unref(self->users);
    g_object_unref(self->bus);
    g_free(self);
}
