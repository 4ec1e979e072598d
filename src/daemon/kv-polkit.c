/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-polkit.h"

#define NAME      "org.freedesktop.PolicyKit1"
#define PATH      "/org/freedesktop/PolicyKit1/Authority"
#define INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define FLAG_ALLOW_USER_INTERACTION 1u

/* What polkit calls a question of ours that is not wanted any more; from 1 on. */
static guint64 last_id;

static KvPolkitAnswer
parse_answer(GVariant *reply)
{
    g_autoptr(GVariant) details = NULL;
    const char *dismissed;
    gboolean authorized;
    gboolean challenge;

    g_variant_get(reply, "((bb@a{ss}))", &authorized, &challenge, &details);
    if (authorized)
        return KV_POLKIT_YES;
    if (g_variant_lookup(details, "polkit.dismissed", "&s", &dismissed))
        return KV_POLKIT_DISMISSED;
    return challenge ? KV_POLKIT_CHALLENGE : KV_POLKIT_NO;
}

/* Nobody waits for how this ends: the question is over either way. */
static void
take_back(GDBusConnection *bus, const char *id)
{
    g_dbus_connection_call(bus, NAME, PATH, INTERFACE, "CancelCheckAuthorization",
                           g_variant_new("(s)", id), NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, -1,
                           NULL, NULL, NULL);
}

static void
answered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    GDBusConnection *bus = G_DBUS_CONNECTION(source);
    GError *error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_finish(bus, result, &error);

    if (reply != NULL) {
        g_task_return_int(task, parse_answer(reply));
        return;
    }
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        take_back(bus, g_task_get_task_data(task));
    else
        g_dbus_error_strip_remote_error(error);
    g_task_return_error(task, error);
}

void
kv_polkit_ask_async(GDBusConnection *bus, const char *caller, const char *action, GVariant *details,
                    gboolean interactive, GCancellable *cancellable, GAsyncReadyCallback callback,
                    gpointer data)
{
    GTask *task = g_task_new(NULL, NULL, callback, data);
    char *id = g_strdup_printf("kcpvpn-%" G_GUINT64_FORMAT, ++last_id);
    g_auto(GVariantDict) subject = G_VARIANT_DICT_INIT(NULL);

    g_task_set_source_tag(task, kv_polkit_ask_async);
    g_task_set_task_data(task, id, g_free);
    g_variant_dict_insert(&subject, "name", "s", caller);
    g_dbus_connection_call(bus, NAME, PATH, INTERFACE, "CheckAuthorization",
                           g_variant_new("((s@a{sv})s@a{ss}us)", "system-bus-name",
                                         g_variant_dict_end(&subject), action, details,
                                         interactive ? FLAG_ALLOW_USER_INTERACTION : 0, id),
                           G_VARIANT_TYPE("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE, G_MAXINT,
                           cancellable, answered, task);
}

gboolean
kv_polkit_ask_finish(GAsyncResult *result, KvPolkitAnswer *answer, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    gssize value = g_task_propagate_int(G_TASK(result), &local_error);

    if (local_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    *answer = (KvPolkitAnswer) value;
    return TRUE;
}
