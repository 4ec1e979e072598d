/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-auth.h"

#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-owner-watch.h"
#include "kv-polkit.h"
#include "kv-thread.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

/*
 * Times. polkitd answers within milliseconds unless it waits for a person, who gets as long as an
 * authentication agent usually grants; a caller that has no patience leaves, which ends the check.
 */
#define ANSWER_TIMEOUT_S 5
#define PERSON_TIMEOUT_S 300

/* Checks that one caller may have under way. */
#define CHECKS_PER_CALLER_MAX 16

struct _KvAuth {
    GObject parent;
    GPtrArray *checks; /* (element-type Check): under way; not owned */
};

G_DEFINE_FINAL_TYPE(KvAuth, kv_auth, G_TYPE_OBJECT)

typedef enum {
    END_NONE,
    END_CALLER_LEFT,
    END_TIMEOUT,
    END_STOPPED,
} EndReason;

/* One check, owned by its task. */
typedef struct {
    KvAuth *auth;
    GDBusConnection *bus;
    char *caller; /* its unique name there */
    char *tunnel;
    char *client;
    char *users;
    gboolean listed;       /* among them */
    KvAuthActions actions; /* still to be asked for */
    KvAuthActions asked;   /* the one polkit thinks about */
    gboolean interactive;
    guint32 uid;
    KvOwnerWatch *watch;
    guint timeout;
    EndReason reason;
    GCancellable *cancellable;
} Check;

static const char *const action_ids[] = {
    KV_DBUS_ACTION_CREATE,         KV_DBUS_ACTION_MODIFY,     KV_DBUS_ACTION_CONTROL,
    KV_DBUS_ACTION_CONTROL_LISTED, KV_DBUS_ACTION_DELETE,     KV_DBUS_ACTION_SECRETS,
    KV_DBUS_ACTION_HOOKS,          KV_DBUS_ACTION_DISCONNECT,
};
G_STATIC_ASSERT(G_N_ELEMENTS(action_ids) == KV_AUTH_N_ACTIONS);
G_STATIC_ASSERT(KV_AUTH_DISCONNECT == 1 << (KV_AUTH_N_ACTIONS - 1));

static const KvAuthRow rows[] = {
    {KV_DBUS_MANAGER_INTERFACE, "CreateTunnel", KV_AUTH_CREATE, KV_AUTH_HOOKS},
    {KV_DBUS_MANAGER_INTERFACE, "FindTunnel", KV_AUTH_NONE, KV_AUTH_NONE},
    {KV_DBUS_MANAGER_INTERFACE, "ImportTunnel", KV_AUTH_CREATE, KV_AUTH_HOOKS},
    {KV_DBUS_MANAGER_INTERFACE, "Reload", KV_AUTH_MODIFY, KV_AUTH_NONE},
    {KV_DBUS_TUNNEL_INTERFACE, "Start", KV_AUTH_CONTROL, KV_AUTH_NONE},
    {KV_DBUS_TUNNEL_INTERFACE, "Stop", KV_AUTH_CONTROL, KV_AUTH_NONE},
    {KV_DBUS_TUNNEL_INTERFACE, "Update", KV_AUTH_MODIFY, KV_AUTH_HOOKS},
    {KV_DBUS_TUNNEL_INTERFACE, "Delete", KV_AUTH_DELETE, KV_AUTH_NONE},
    {KV_DBUS_TUNNEL_INTERFACE, "Export", KV_AUTH_NONE, KV_AUTH_SECRETS},
    {KV_DBUS_TUNNEL_INTERFACE, "GetSecrets", KV_AUTH_SECRETS, KV_AUTH_NONE},
    {KV_DBUS_TUNNEL_INTERFACE, "Watch", KV_AUTH_NONE, KV_AUTH_NONE},
    {KV_DBUS_CLIENT_INTERFACE, "Disconnect", KV_AUTH_DISCONNECT, KV_AUTH_NONE},
};

const KvAuthRow *
kv_auth_find_row(const char *interface, const char *method)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (g_strcmp0(rows[i].interface, interface) == 0 && g_strcmp0(rows[i].method, method) == 0)
            return &rows[i];
    }
    return NULL;
}

const KvAuthRow *
kv_auth_get_rows(gsize *n)
{
    *n = G_N_ELEMENTS(rows);
    return rows;
}

const char *
kv_auth_action_get_id(KvAuthActions action)
{
    for (guint i = 0; i < KV_AUTH_N_ACTIONS; i++) {
        if (action == 1u << i)
            return action_ids[i];
    }
    g_return_val_if_reached(NULL);
}

/* --- one check -------------------------------------------------------------------------------- */

static void
check_free(gpointer data)
{
    Check *check = data;

    g_ptr_array_remove_fast(check->auth->checks, check);
    g_clear_handle_id(&check->timeout, g_source_remove);
    kv_owner_watch_free(check->watch);
    g_object_unref(check->bus);
    g_object_unref(check->cancellable);
    g_free(check->caller);
    g_free(check->tunnel);
    g_free(check->client);
    g_free(check->users);
    g_free(check);
}

static Check *
check_new(KvAuth *auth, const KvAuthRequest *request)
{
    GDBusMessage *message = g_dbus_method_invocation_get_message(request->invocation);
    Check *check = g_new0(Check, 1);

    check->auth = auth;
    check->bus = g_object_ref(g_dbus_method_invocation_get_connection(request->invocation));
    check->caller = g_strdup(g_dbus_method_invocation_get_sender(request->invocation));
    check->tunnel = g_strdup(request->tunnel);
    check->client = g_strdup(request->client);
    check->users = g_strdup(request->users);
    check->uid = request->uid;
    check->interactive = (g_dbus_message_get_flags(message) &
                          G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;
    check->cancellable = g_cancellable_new();
    g_ptr_array_add(auth->checks, check);
    return check;
}

static guint
count_checks(KvAuth *auth, const char *caller)
{
    guint n = 0;

    for (guint i = 0; i < auth->checks->len; i++) {
        const Check *check = g_ptr_array_index(auth->checks, i);

        n += g_strcmp0(check->caller, caller) == 0;
    }
    return n;
}

/* Takes @task. */
static void
deny(GTask *task, KvError code, const char *sentence)
{
    g_task_return_new_error(task, KV_ERROR, (int) code, "%s", sentence);
    g_object_unref(task);
}

/* Takes @task. @what could not be done, because of @why unless the check was ended from outside. */
static void
deny_failed(GTask *task, const char *what, const GError *why)
{
    const Check *check = g_task_get_task_data(task);
    g_autofree char *text = NULL;

    switch (check->reason) {
    case END_CALLER_LEFT:
        deny(task, KV_ERROR_NOT_AUTHORIZED, "the caller left the bus before it was authorized");
        return;
    case END_STOPPED:
        deny(task, KV_ERROR_CANCELLED, "the daemon stops");
        return;
    case END_TIMEOUT:
        text = g_strdup_printf("%s: no answer within %d seconds; only root may do this now", what,
                               check->interactive ? PERSON_TIMEOUT_S : ANSWER_TIMEOUT_S);
        deny(task, KV_ERROR_NOT_AUTHORIZED, text);
        return;
    case END_NONE:
        break;
    }
    text = g_strdup_printf("%s: %s; only root may do this now", what, why->message);
    deny(task, KV_ERROR_NOT_AUTHORIZED, text);
}

/* Takes @task. */
static void
allow(GTask *task)
{
    const Check *check = g_task_get_task_data(task);

    if (check->reason != END_NONE) {
        deny_failed(task, "polkit could not be asked", NULL);
        return;
    }
    g_task_return_boolean(task, TRUE);
    g_object_unref(task);
}

/* It is denied from the main loop. */
static void
end_check(Check *check, EndReason reason)
{
    if (check->reason == END_NONE)
        check->reason = reason;
    g_cancellable_cancel(check->cancellable);
}

static void
caller_left(gpointer data)
{
    end_check(data, END_CALLER_LEFT);
}

static gboolean
timed_out(gpointer data)
{
    Check *check = data;

    check->timeout = 0;
    end_check(check, END_TIMEOUT);
    return G_SOURCE_REMOVE;
}

/* --- polkit ----------------------------------------------------------------------------------- */

static void ask_next(GTask *task);

/* Takes @task. */
static void
deny_answer(GTask *task, KvPolkitAnswer answer)
{
    const Check *check = g_task_get_task_data(task);
    const char *action = kv_auth_action_get_id(check->asked);
    g_autofree char *of =
        check->tunnel != NULL ? g_strdup_printf(" (tunnel \"%s\")", check->tunnel) : g_strdup("");
    g_autofree char *text = NULL;

    if (answer == KV_POLKIT_DISMISSED) {
        text = g_strdup_printf("%s%s: the authentication was dismissed", action, of);
        deny(task, KV_ERROR_AUTHENTICATION_DISMISSED, text);
    } else if (answer == KV_POLKIT_CHALLENGE) {
        text = g_strdup_printf(
            "%s%s: a password is needed; %s", action, of,
            check->interactive ? "no authentication agent (such as pkttyagent) runs for the caller"
                               : "call again with interactive authorization allowed");
        deny(task, KV_ERROR_AUTHENTICATION_REQUIRED, text);
    } else {
        text =
            g_strdup_printf("%s%s: the policy does not allow it to user %u; an administrator can "
                            "grant it by a polkit rule",
                            action, of, check->uid);
        deny(task, KV_ERROR_NOT_AUTHORIZED, text);
    }
}

static void
polkit_answered(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Check *check = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    KvPolkitAnswer answer;

    if (!kv_polkit_ask_finish(result, &answer, &error)) {
        deny_failed(task, "polkit could not be asked", error);
        return;
    }
    if (check->reason == END_NONE && answer != KV_POLKIT_YES) {
        deny_answer(task, answer);
        return;
    }
    check->actions &= ~check->asked;
    ask_next(task);
}

/* (transfer floating): what rules can look up. */
static GVariant *
make_details(const Check *check)
{
    GVariantBuilder details;

    g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
    if (check->tunnel != NULL) {
        g_variant_builder_add(&details, "{ss}", KV_DBUS_DETAIL_TUNNEL, check->tunnel);
    } else if (check->asked == KV_AUTH_MODIFY) {
        /* Reload: the action's own message would name a tunnel. */
        g_variant_builder_add(&details, "{ss}", "polkit.message",
                              N_("Authentication is required to read the saved VPN tunnels again"));
        g_variant_builder_add(&details, "{ss}", "polkit.gettext_domain", GETTEXT_PACKAGE);
    }
    if (check->client != NULL)
        g_variant_builder_add(&details, "{ss}", KV_DBUS_DETAIL_CLIENT, check->client);
    return g_variant_builder_end(&details);
}

/* Takes @task. The least action that is left; when none is, all were allowed. */
static void
ask_next(GTask *task)
{
    Check *check = g_task_get_task_data(task);

    if (check->actions == KV_AUTH_NONE || check->reason != END_NONE) {
        allow(task);
        return;
    }
    check->asked = check->actions & -check->actions;
    kv_polkit_ask_async(check->bus, check->caller, kv_auth_action_get_id(check->asked),
                        make_details(check), check->interactive, check->cancellable,
                        polkit_answered, task);
}

/* --- users that a tunnel lists ---------------------------------------------------------------- */

/* (transfer full) (nullable): the name of user @uid. May take its time. */
static char *
find_user_name(guint32 uid)
{
    long hint = sysconf(_SC_GETPW_R_SIZE_MAX);
    gsize size = hint > 0 ? (gsize) hint : 16384;
    g_autofree char *buf = g_malloc(size);
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwuid_r((uid_t) uid, &entry, buf, size, &found) != 0 || found == NULL)
        return NULL;
    return g_strdup(found->pw_name);
}

static gboolean
lists_user(const char *users, const char *name)
{
    g_auto(GStrv) words = g_strsplit(users, ",", 0);

    for (guint i = 0; words[i] != NULL; i++) {
        if (strcmp(g_strstrip(words[i]), name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* In a thread: user databases may lie behind a network. Touches nothing that may change. */
static void
look_up_user(gpointer data)
{
    Check *check = g_task_get_task_data(data);
    g_autofree char *name = find_user_name(check->uid);

    check->listed = name != NULL && lists_user(check->users, name);
}

static void
user_looked_up(gpointer data)
{
    GTask *task = data;
    Check *check = g_task_get_task_data(task);

    /* One that was ended meanwhile goes no further than ask_next(). */
    if (check->listed) {
        check->actions &= ~KV_AUTH_CONTROL;
        check->actions |= KV_AUTH_CONTROL_LISTED;
    }
    ask_next(task);
}

/* Takes @task. */
static void
look_up_listed(GTask *task)
{
    Check *check = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;

    if ((check->actions & KV_AUTH_CONTROL) == 0 || check->users == NULL)
        ask_next(task);
    else if (!kv_thread_run(look_up_user, user_looked_up, task, &error))
        deny_failed(task, "the caller's name cannot be looked up", error);
}

/* --- the gate --------------------------------------------------------------------------------- */

/* What is to be asked for. Returns: FALSE: the method may not be called, at least not so. */
static gboolean
find_actions(const KvAuthRequest *request, KvAuthActions *actions)
{
    const KvAuthRow *row =
        kv_auth_find_row(g_dbus_method_invocation_get_interface_name(request->invocation),
                         g_dbus_method_invocation_get_method_name(request->invocation));

    if (row == NULL || (request->also & ~row->may) != 0)
        return FALSE;
    *actions = (row->always & ~request->waived) | request->also;
    return TRUE;
}

void
kv_auth_check_async(KvAuth *auth, const KvAuthRequest *request, GAsyncReadyCallback callback,
                    gpointer user_data)
{
    GTask *task = g_task_new(auth, NULL, callback, user_data);
    const char *caller = g_dbus_method_invocation_get_sender(request->invocation);
    gboolean too_many = count_checks(auth, caller) >= CHECKS_PER_CALLER_MAX;
    Check *check = check_new(auth, request);

    g_task_set_source_tag(task, kv_auth_check_async);
    g_task_set_task_data(task, check, check_free);
    if (!find_actions(request, &check->actions)) {
        deny(task, KV_ERROR_NOT_AUTHORIZED, "no rule says who may call this method so");
        return;
    }
    if (check->actions == KV_AUTH_NONE || check->uid == 0) {
        allow(task);
        return;
    }
    if (too_many) {
        deny(task, KV_ERROR_EXHAUSTED, "too many calls of this caller wait for authorization");
        return;
    }
    check->timeout = g_timeout_add_seconds(check->interactive ? PERSON_TIMEOUT_S : ANSWER_TIMEOUT_S,
                                           timed_out, check);
    check->watch = kv_owner_watch_new(g_dbus_method_invocation_get_connection(request->invocation),
                                      check->caller, caller_left, check);
    look_up_listed(task);
}

gboolean
kv_auth_check_finish(KvAuth *auth, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, auth), FALSE);
    return g_task_propagate_boolean(G_TASK(result), error);
}

void
kv_auth_cancel(KvAuth *auth)
{
    for (guint i = 0; i < auth->checks->len; i++)
        end_check(g_ptr_array_index(auth->checks, i), END_STOPPED);
}

KvAuth *
kv_auth_new(void)
{
    return g_object_new(KV_TYPE_AUTH, NULL);
}

static void
kv_auth_finalize(GObject *object)
{
    KvAuth *auth = KV_AUTH(object);

    g_ptr_array_unref(auth->checks);
    G_OBJECT_CLASS(kv_auth_parent_class)->finalize(object);
}

static void
kv_auth_class_init(KvAuthClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_auth_finalize;
}

static void
kv_auth_init(KvAuth *auth)
{
    auth->checks = g_ptr_array_new();
}
