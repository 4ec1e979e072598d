/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-auth.h"
#include "kv-dbus-error.h"
#include "kv-dbus-generated.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-fake-polkit.h"
#include "kv-test-bus.h"
#include "kv-test.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define SERVICE      "org.kcpvpn.Test"
#define NOBODY       65534
#define CHECKS_MAX   16
#define PATH_MANAGER "/manager"
#define PATH_TUNNEL  "/tunnel"

/* The bus, and on it the service with its gate, an authority, and a caller that is not root. */
static struct {
    KvTestBus *bus;
    GDBusConnection *service;
    GDBusConnection *authority;
    GDBusConnection *caller;
    KvFakePolkit *polkit;
    KvAuth *auth;
    KvAuthRequest request; /* all but the invocation */
} world;

/* That of the caller. */
static uid_t
get_uid(void)
{
    return geteuid() == 0 ? NOBODY : geteuid();
}

/* One call from outside and how it ended. */
typedef struct {
    gboolean done;
    GError *error;
} Call;

/* Something of the method's type. */
static GVariant *
make_reply(GDBusMethodInvocation *invocation)
{
    const GDBusArgInfo *const *out =
        (const GDBusArgInfo *const *) g_dbus_method_invocation_get_method_info(invocation)
            ->out_args;

    if (out == NULL || out[0] == NULL)
        return NULL;
    if (strcmp(out[0]->signature, "o") == 0)
        return g_variant_new("(o)", "/x");
    return g_variant_new("(a{sv})", NULL);
}

static void
checked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GDBusMethodInvocation) invocation = data;
    g_autoptr(GError) error = NULL;

    if (!kv_auth_check_finish(KV_AUTH(source), result, &error))
        g_dbus_method_invocation_return_gerror(invocation, error);
    else
        g_dbus_method_invocation_return_value(invocation, make_reply(invocation));
    g_steal_pointer(&invocation);
}

static void
method_called(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
              const char *method, GVariant *parameters, GDBusMethodInvocation *invocation,
              gpointer data)
{
    KvAuthRequest request = world.request;

    request.invocation = invocation;
    kv_auth_check_async(world.auth, &request, checked, invocation);
}

static void
answered(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &call->error);

    call->done = TRUE;
}

static void
begin(Call *call, GDBusConnection *caller, const char *method, gboolean interactive)
{
    static const char *const manager[] = {"CreateTunnel", "FindTunnel", "Reload", NULL};
    gboolean of_manager = g_strv_contains(manager, method);

    *call = (Call){0};
    g_dbus_connection_call(
        caller, SERVICE, of_manager ? PATH_MANAGER : PATH_TUNNEL,
        of_manager ? KV_DBUS_MANAGER_INTERFACE : KV_DBUS_TUNNEL_INTERFACE, method,
        strcmp(method, "CreateTunnel") == 0 ? g_variant_new("(a{sv}a{sv})", NULL, NULL)
        : strcmp(method, "FindTunnel") == 0 ? g_variant_new("(sa{sv})", "x", NULL)
                                            : g_variant_new("(a{sv})", NULL),
        NULL,
        interactive ? G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION : G_DBUS_CALL_FLAGS_NONE,
        G_MAXINT, NULL, answered, call);
}

/* Calls @method and checks how it ends; @code < 0: well. */
static void
expect(const char *method, int code)
{
    Call call;

    begin(&call, world.caller, method, FALSE);
    kv_test_bus_wait(&call.done);
    if (code < 0)
        g_assert_no_error(call.error);
    else
        g_assert_error(call.error, KV_ERROR, code);
    g_clear_error(&call.error);
}

static void
setup(void)
{
    world.request = (KvAuthRequest){.uid = get_uid(), .tunnel = "home"};
    world.polkit = kv_fake_polkit_new(world.authority);
}

static void
teardown(void)
{
    g_clear_pointer(&world.polkit, kv_fake_polkit_free);
}

static void
assert_rows(GDBusInterfaceInfo *info, gsize *n)
{
    for (guint i = 0; info->methods != NULL && info->methods[i] != NULL; i++) {
        if (kv_auth_find_row(info->name, info->methods[i]->name) == NULL)
            g_error("%s.%s has no row", info->name, info->methods[i]->name);
        (*n)++;
    }
}

/* Proves: each method of each interface has one row in the table, and no row is left over. */
static void
test_table(void)
{
    gsize n_methods = 0;
    gsize n_rows;
    const KvAuthRow *rows = kv_auth_get_rows(&n_rows);

    assert_rows(kv_dbus_manager1_interface_info(), &n_methods);
    assert_rows(kv_dbus_tunnel1_interface_info(), &n_methods);
    assert_rows(kv_dbus_client1_interface_info(), &n_methods);
    g_assert_cmpuint(n_rows, ==, n_methods);
    for (gsize i = 0; i < n_rows; i++) {
        g_assert_true(kv_auth_find_row(rows[i].interface, rows[i].method) == &rows[i]);
        g_assert_cmpint(rows[i].always & rows[i].may, ==, 0);
    }
    g_assert_null(kv_auth_find_row(KV_DBUS_TUNNEL_INTERFACE, "Explode"));
    g_assert_null(kv_auth_find_row(KV_DBUS_CLIENT_INTERFACE, "Start"));
    g_assert_null(kv_auth_find_row(NULL, NULL));
    g_assert_cmpstr(kv_auth_action_get_id(KV_AUTH_CREATE), ==, "org.kcpvpn.tunnel.create");
    g_assert_cmpstr(kv_auth_action_get_id(KV_AUTH_CONTROL_LISTED), ==,
                    "org.kcpvpn.tunnel.control-listed");
    g_assert_cmpstr(kv_auth_action_get_id(KV_AUTH_DISCONNECT), ==, "org.kcpvpn.client.disconnect");
}

/* Proves: without an authority only what is open to everybody works; with one again, it is asked.
 */
static void
test_no_polkit(void)
{
    world.request = (KvAuthRequest){.uid = get_uid(), .tunnel = "home"};
    expect("FindTunnel", -1);
    expect("Start", KV_ERROR_NOT_AUTHORIZED);
    setup();
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_YES);
    expect("Start", -1);
    teardown();
    expect("Start", KV_ERROR_NOT_AUTHORIZED);
}

/* Proves: each answer of the authority is told apart, and only a yes is one. */
static void
test_answers(void)
{
    static const struct {
        KvFakePolkitAnswer answer;
        int code;
    } cases[] = {
        {KV_FAKE_POLKIT_YES, -1},
        {KV_FAKE_POLKIT_NO, KV_ERROR_NOT_AUTHORIZED},
        {KV_FAKE_POLKIT_CHALLENGE, KV_ERROR_AUTHENTICATION_REQUIRED},
        {KV_FAKE_POLKIT_DISMISSED, KV_ERROR_AUTHENTICATION_DISMISSED},
        {KV_FAKE_POLKIT_ERROR, KV_ERROR_NOT_AUTHORIZED},
    };

    setup();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, cases[i].answer);
        expect("Stop", cases[i].code);
    }
    teardown();
}

/* Proves: the authority hears who calls, what for, and whether a person may be asked. */
static void
test_question(void)
{
    const char *name = g_dbus_connection_get_unique_name(world.caller);
    g_autofree char *plain = g_strdup_printf(KV_DBUS_ACTION_CONTROL " %s 0 tunnel=home\n", name);
    g_autofree char *full =
        g_strdup_printf(KV_DBUS_ACTION_CONTROL " %s 1 client=c1 tunnel=home\n", name);
    Call call;

    setup();
    expect("Start", KV_ERROR_NOT_AUTHORIZED);
    g_assert_cmpstr(kv_fake_polkit_get_questions(world.polkit), ==, plain);
    kv_fake_polkit_forget(world.polkit);
    world.request.client = "c1";
    begin(&call, world.caller, "Start", TRUE);
    kv_test_bus_wait(&call.done);
    g_assert_error(call.error, KV_ERROR, KV_ERROR_NOT_AUTHORIZED);
    g_clear_error(&call.error);
    g_assert_cmpstr(kv_fake_polkit_get_questions(world.polkit), ==, full);
    teardown();
}

/* Proves: what arguments demand is asked for on top, one no is enough, and what is waived is not.
 */
static void
test_several_actions(void)
{
    setup();
    world.request.also = KV_AUTH_HOOKS;
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CREATE, KV_FAKE_POLKIT_YES);
    expect("CreateTunnel", KV_ERROR_NOT_AUTHORIZED);
    g_assert_nonnull(strstr(kv_fake_polkit_get_questions(world.polkit), KV_DBUS_ACTION_HOOKS));
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_HOOKS, KV_FAKE_POLKIT_YES);
    expect("CreateTunnel", -1);
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CREATE, KV_FAKE_POLKIT_NO);
    expect("CreateTunnel", KV_ERROR_NOT_AUTHORIZED);
    world.request.waived = KV_AUTH_CREATE;
    kv_fake_polkit_forget(world.polkit);
    expect("CreateTunnel", -1);
    g_assert_null(strstr(kv_fake_polkit_get_questions(world.polkit), KV_DBUS_ACTION_CREATE));
    teardown();
}

/* Proves: an action that the method's row does not foresee denies the call. */
static void
test_unforeseen_action(void)
{
    setup();
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_YES);
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_SECRETS, KV_FAKE_POLKIT_YES);
    world.request.also = KV_AUTH_SECRETS;
    expect("Start", KV_ERROR_NOT_AUTHORIZED);
    g_assert_cmpstr(kv_fake_polkit_get_questions(world.polkit), ==, "");
    teardown();
}

/* Proves: a caller whom the tunnel names is asked for the milder action, and nobody else is. */
static void
test_listed_users(void)
{
    const struct passwd *user = getpwuid(get_uid());
    g_autofree char *listed = NULL;
    g_autofree char *not_listed = NULL;

    if (user == NULL) {
        g_test_skip("the caller's user has no name");
        return;
    }
    listed = g_strdup_printf("kv-test-a,%s,kv-test-b", user->pw_name);
    not_listed = g_strdup_printf("%sx,x%s,root", user->pw_name, user->pw_name);
    setup();
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL_LISTED, KV_FAKE_POLKIT_YES);
    world.request.users = listed;
    expect("Start", -1);
    g_assert_null(strstr(kv_fake_polkit_get_questions(world.polkit), KV_DBUS_ACTION_CONTROL " "));
    expect("GetSecrets", KV_ERROR_NOT_AUTHORIZED);
    world.request.users = not_listed;
    expect("Start", KV_ERROR_NOT_AUTHORIZED);
    world.request.users = "";
    expect("Start", KV_ERROR_NOT_AUTHORIZED);
    teardown();
}

/* Proves: root is not asked for, even without an authority. */
static void
test_root(void)
{
    g_autoptr(GDBusConnection) root = NULL;
    Call call;

    if (geteuid() != 0) {
        g_test_skip("not root");
        return;
    }
    world.request = (KvAuthRequest){.uid = 0};
    root = kv_test_bus_connect(world.bus, 0);
    begin(&call, root, "GetSecrets", FALSE);
    kv_test_bus_wait(&call.done);
    g_assert_no_error(call.error);
}

static void
gate_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;

    call->done = TRUE;
    g_assert_false(kv_auth_check_finish(KV_AUTH(source), result, &call->error));
}

static Call gate;

/* Like method_called(), but the test sees how the gate ends, as the caller no longer can. */
static void
method_called_by_leaver(GDBusConnection *bus, const char *sender, const char *path,
                        const char *interface, const char *method, GVariant *parameters,
                        GDBusMethodInvocation *invocation, gpointer data)
{
    KvAuthRequest request = {.invocation = invocation, .uid = get_uid(), .tunnel = "home"};

    kv_auth_check_async(world.auth, &request, gate_ended, &gate);
    g_object_unref(invocation);
}

static guint export(const char *path, GDBusInterfaceInfo *info,
                    GDBusInterfaceMethodCallFunc function)
{
    const GDBusInterfaceVTable vtable = {function, NULL, NULL, {NULL}};
    g_autoptr(GError) error = NULL;
    guint id =
        g_dbus_connection_register_object(world.service, path, info, &vtable, NULL, NULL, &error);

    g_assert_no_error(error);
    return id;
}

/* Proves: a caller that leaves the bus in the middle is denied, and the authority told. */
static void
test_caller_leaves(void)
{
    guint object = export("/leaver", kv_dbus_tunnel1_interface_info(), method_called_by_leaver);
    g_autoptr(GDBusConnection) leaver = kv_test_bus_connect(world.bus, get_uid());

    setup();
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_HANG);
    gate = (Call){0};
    g_dbus_connection_call(leaver, SERVICE, "/leaver", KV_DBUS_TUNNEL_INTERFACE, "Start",
                           g_variant_new("(a{sv})", NULL), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL,
                           NULL, NULL);
    while (kv_fake_polkit_count_hanging(world.polkit) == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_true(g_dbus_connection_close_sync(leaver, NULL, NULL));
    kv_test_bus_wait(&gate.done);
    g_assert_error(gate.error, KV_ERROR, KV_ERROR_NOT_AUTHORIZED);
    g_assert_nonnull(strstr(gate.error->message, "left"));
    g_clear_error(&gate.error);
    while (kv_fake_polkit_count_hanging(world.polkit) > 0)
        g_main_context_iteration(NULL, TRUE);
    g_dbus_connection_unregister_object(world.service, object);
    teardown();
}

/* Proves: whenever a caller leaves, even if the authority would say yes, nothing is left behind. */
static void
test_caller_leaves_any_time(void)
{
    setup();
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_YES);
    for (guint turns = 0; turns < 60; turns++) {
        g_autoptr(GDBusConnection) leaver = kv_test_bus_connect(world.bus, get_uid());
        Call call;

        begin(&call, leaver, "Start", FALSE);
        for (guint i = 0; i < turns && !call.done; i++)
            g_main_context_iteration(NULL, FALSE);
        g_assert_true(g_dbus_connection_close_sync(leaver, NULL, NULL));
        kv_test_bus_wait(&call.done);
        g_clear_error(&call.error);
    }
    expect("Start", -1);
    teardown();
}

/* Proves: an authority that goes away in the middle denies. */
static void
test_authority_leaves(void)
{
    g_autoptr(GDBusConnection) second = kv_test_bus_connect(world.bus, geteuid());
    KvFakePolkit *polkit = kv_fake_polkit_new(second);
    Call call;

    world.request = (KvAuthRequest){.uid = get_uid(), .tunnel = "home"};
    kv_fake_polkit_answer(polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_HANG);
    begin(&call, world.caller, "Start", TRUE);
    while (kv_fake_polkit_count_hanging(polkit) == 0)
        g_main_context_iteration(NULL, TRUE);
    g_dbus_connection_flush_sync(second, NULL, NULL);
    kv_fake_polkit_free(polkit);
    g_assert_true(g_dbus_connection_close_sync(second, NULL, NULL));
    kv_test_bus_wait(&call.done);
    g_assert_error(call.error, KV_ERROR, KV_ERROR_NOT_AUTHORIZED);
    g_clear_error(&call.error);
}

/* Proves: an authority that never answers denies, after the seconds that it is given. */
static void
test_authority_hangs(void)
{
    Call call;

    setup();
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_HANG);
    begin(&call, world.caller, "Start", FALSE);
    kv_test_bus_wait(&call.done);
    g_assert_error(call.error, KV_ERROR, KV_ERROR_NOT_AUTHORIZED);
    g_assert_nonnull(strstr(call.error->message, "no answer"));
    g_clear_error(&call.error);
    teardown();
}

/* Proves: one caller's open questions are bounded, others' are not touched, and all can be ended.
 */
static void
test_too_many(void)
{
    Call calls[CHECKS_MAX];

    setup();
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_HANG);
    for (guint i = 0; i < CHECKS_MAX; i++)
        begin(&calls[i], world.caller, "Start", TRUE);
    while (kv_fake_polkit_count_hanging(world.polkit) < CHECKS_MAX)
        g_main_context_iteration(NULL, TRUE);
    expect("Start", KV_ERROR_EXHAUSTED);
    expect("FindTunnel", -1);
    kv_auth_cancel(world.auth);
    for (guint i = 0; i < CHECKS_MAX; i++) {
        kv_test_bus_wait(&calls[i].done);
        g_assert_error(calls[i].error, KV_ERROR, KV_ERROR_CANCELLED);
        g_clear_error(&calls[i].error);
    }
    kv_fake_polkit_answer(world.polkit, KV_DBUS_ACTION_CONTROL, KV_FAKE_POLKIT_YES);
    expect("Start", -1);
    teardown();
}

int
main(int argc, char **argv)
{
    g_autoptr(GVariant) owned = NULL;
    int status;

    world.bus = kv_test_bus_new();
    if (world.bus == NULL)
        return KV_TEST_SKIPPED;
    kv_dbus_error_init();
    world.service = kv_test_bus_connect(world.bus, geteuid());
    world.authority = kv_test_bus_connect(world.bus, geteuid());
    world.caller = kv_test_bus_connect(world.bus, get_uid());
    owned = g_dbus_connection_call_sync(world.service, "org.freedesktop.DBus",
                                        "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                        "RequestName", g_variant_new("(su)", SERVICE, 0), NULL,
                                        G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
    g_assert_nonnull(owned);
    world.auth = kv_auth_new();
    export(PATH_MANAGER, kv_dbus_manager1_interface_info(), method_called);
    export(PATH_TUNNEL, kv_dbus_tunnel1_interface_info(), method_called);

    g_test_add_func("/auth/table", test_table);
    g_test_add_func("/auth/no-polkit", test_no_polkit);
    g_test_add_func("/auth/answers", test_answers);
    g_test_add_func("/auth/question", test_question);
    g_test_add_func("/auth/several-actions", test_several_actions);
    g_test_add_func("/auth/unforeseen-action", test_unforeseen_action);
    g_test_add_func("/auth/listed-users", test_listed_users);
    g_test_add_func("/auth/root", test_root);
    g_test_add_func("/auth/caller-leaves", test_caller_leaves);
    g_test_add_func("/auth/caller-leaves-any-time", test_caller_leaves_any_time);
    g_test_add_func("/auth/authority-leaves", test_authority_leaves);
    g_test_add_func("/auth/authority-hangs", test_authority_hangs);
    g_test_add_func("/auth/too-many", test_too_many);
    status = kv_test_main(&argc, &argv);
    g_object_unref(world.auth);
    g_object_unref(world.caller);
    g_object_unref(world.authority);
    g_object_unref(world.service);
    kv_test_bus_free(world.bus);
    return status;
}
