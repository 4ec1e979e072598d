/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-call.h"

#include "kv-error.h"

typedef struct {
    const KvServices *services;
    GObject *object;
    GDBusMethodInvocation *invocation; /* NULL once it was answered or handed on */
    char *tunnel;
    char *client;
    char *users;
    KvAuthActions also;
    KvAuthActions waived;
    gboolean held; /* against the quota of @uid */
    KvCallRead read;
    KvCallFunc then;
    guint32 uid;
} KvCall;

static void
kv_call_free(KvCall *call)
{
    g_assert(call->invocation == NULL);
    g_object_unref(call->object);
    g_free(call->tunnel);
    g_free(call->client);
    g_free(call->users);
    g_free(call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvCall, kv_call_free)

/* Whether anybody may have to be asked before @request is done. */
static gboolean
needs_right(const KvAuthRequest *request)
{
    const KvAuthRow *row =
        kv_auth_find_row(g_dbus_method_invocation_get_interface_name(request->invocation),
                         g_dbus_method_invocation_get_method_name(request->invocation));

    return row == NULL || (row->always | row->may) != KV_AUTH_NONE;
}

static void
checked(GObject *auth, GAsyncResult *result, gpointer data)
{
    g_autoptr(KvCall) call = data;
    GDBusMethodInvocation *invocation = g_steal_pointer(&call->invocation);
    GError *error = NULL;

    if (call->held)
        kv_quota_release(call->services->quota, call->uid, KV_QUOTA_CALLS);
    if (!kv_auth_check_finish(KV_AUTH(auth), result, &error))
        g_dbus_method_invocation_take_error(invocation, error);
    else if (g_dbus_method_invocation_get_connection(invocation) != call->services->bus)
        /* Its answer goes nowhere, but nothing shall be done for it, either. */
        g_dbus_method_invocation_return_error(invocation, KV_ERROR, KV_ERROR_CANCELLED,
                                              "the caller's bus is gone");
    else
        call->then(call->object, invocation, call->uid);
}

/* Takes @call. */
static void
refuse(KvCall *call, const GError *error)
{
    if (call->held)
        kv_quota_release(call->services->quota, call->uid, KV_QUOTA_CALLS);
    g_dbus_method_invocation_return_gerror(g_steal_pointer(&call->invocation), error);
    kv_call_free(call);
}

/* Past the quotas; what waits for polkit counts until it is answered. */
static gboolean
admit(KvCall *call, gboolean changes, GError **error)
{
    KvQuota *quota = call->services->quota;

    if (!kv_quota_admit(quota, call->uid, g_dbus_method_invocation_get_parameters(call->invocation),
                        changes, error))
        return FALSE;
    call->held = changes && kv_quota_hold(quota, call->uid, KV_QUOTA_CALLS, error);
    return call->held || !changes;
}

static gboolean
read_arguments(KvCall *call, KvAuthRequest *request, GError **error)
{
    if (call->read == NULL)
        return TRUE;
    if (!call->read(call->object, call->invocation, &request->also, &call->tunnel, error))
        return FALSE;
    request->tunnel = call->tunnel;
    return TRUE;
}

static void
identified(gpointer data, guint32 uid, const GError *error)
{
    KvCall *call = data;
    g_autoptr(GError) wrong = NULL;
    KvAuthRequest request = {
        .invocation = call->invocation,
        .uid = uid,
        .tunnel = call->tunnel,
        .client = call->client,
        .users = call->users,
        .also = call->also,
        .waived = call->waived,
    };

    call->uid = uid;
    if (error != NULL)
        refuse(call, error);
    else if (!admit(call, needs_right(&request), &wrong) || !read_arguments(call, &request, &wrong))
        refuse(call, wrong);
    else
        kv_auth_check_async(call->services->auth, &request, checked, call);
}

void
kv_call_run(const KvServices *services, gpointer object, const KvAuthRequest *request,
            KvCallRead read, KvCallFunc then)
{
    KvCall *call = g_new0(KvCall, 1);

    call->services = services;
    call->object = g_object_ref(object);
    call->invocation = request->invocation;
    call->tunnel = g_strdup(request->tunnel);
    call->client = g_strdup(request->client);
    call->users = g_strdup(request->users);
    call->also = request->also;
    call->waived = request->waived;
    call->read = read;
    call->then = then;
    kv_callers_identify(services->callers, request->invocation, identified, call);
}
