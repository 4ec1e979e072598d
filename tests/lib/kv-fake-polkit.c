/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fake-polkit.h"

#include <string.h>

#define NAME "org.freedesktop.PolicyKit1"
#define PATH "/org/freedesktop/PolicyKit1/Authority"

struct _KvFakePolkit {
    GDBusConnection *bus;
    GDBusNodeInfo *info;
    guint object;
    GHashTable *answers; /* action -> KvFakePolkitAnswer */
    GString *questions;
    GHashTable *hanging; /* cancellation id -> GDBusMethodInvocation */
};

static const char xml[] =
    "<node><interface name='org.freedesktop.PolicyKit1.Authority'>"
    "<method name='CheckAuthorization'>"
    "<arg type='(sa{sv})' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='a{ss}' direction='in'/><arg type='u' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='(bba{ss})' direction='out'/></method>"
    "<method name='CancelCheckAuthorization'><arg type='s' direction='in'/></method>"
    "<signal name='Changed'/>"
    "<property name='BackendName' type='s' access='read'/>"
    "<property name='BackendVersion' type='s' access='read'/>"
    "<property name='BackendFeatures' type='u' access='read'/>"
    "</interface></node>";

static int
compare_words(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
note_question(KvFakePolkit *polkit, GVariant *subject, const char *action, GVariant *details,
              guint32 flags)
{
    g_autoptr(GVariant) dict = g_variant_get_child_value(subject, 1);
    g_autofree char *kind = NULL;
    const char *caller = "?";
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) sorted = NULL;
    GVariantIter iter;
    const char *key;
    const char *value;

    g_variant_get_child(subject, 0, "s", &kind);
    if (strcmp(kind, "system-bus-name") == 0)
        g_variant_lookup(dict, "name", "&s", &caller);
    g_string_append_printf(polkit->questions, "%s %s %u", action, caller, flags);
    g_variant_iter_init(&iter, details);
    while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
        g_ptr_array_add(words, g_strdup_printf(" %s=%s", key, value));
    g_ptr_array_sort(words, compare_words);
    for (guint i = 0; i < words->len; i++)
        g_string_append(polkit->questions, g_ptr_array_index(words, i));
    g_string_append_c(polkit->questions, '\n');
    g_ptr_array_unref(words);
}

static void
reply(GDBusMethodInvocation *invocation, gboolean yes, gboolean challenge, gboolean dismissed)
{
    GVariantBuilder details;

    g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
    if (dismissed)
        g_variant_builder_add(&details, "{ss}", "polkit.dismissed", "true");
    g_dbus_method_invocation_return_value(invocation,
                                          g_variant_new("((bba{ss}))", yes, challenge, &details));
}

static void
check_authorization(KvFakePolkit *polkit, GVariant *parameters, GDBusMethodInvocation *invocation)
{
    g_autoptr(GVariant) subject = NULL;
    g_autoptr(GVariant) details = NULL;
    const char *action;
    const char *id;
    guint32 flags;

    g_variant_get(parameters, "(@(sa{sv})&s@a{ss}u&s)", &subject, &action, &details, &flags, &id);
    note_question(polkit, subject, action, details, flags);
    switch (GPOINTER_TO_UINT(g_hash_table_lookup(polkit->answers, action))) {
    case KV_FAKE_POLKIT_YES:
        reply(invocation, TRUE, FALSE, FALSE);
        return;
    case KV_FAKE_POLKIT_CHALLENGE:
        reply(invocation, FALSE, TRUE, FALSE);
        return;
    case KV_FAKE_POLKIT_DISMISSED:
        reply(invocation, FALSE, FALSE, TRUE);
        return;
    case KV_FAKE_POLKIT_ERROR:
        g_dbus_method_invocation_return_dbus_error(
            invocation, "org.freedesktop.PolicyKit1.Error.Failed", "out of order");
        return;
    case KV_FAKE_POLKIT_HANG:
        g_hash_table_insert(polkit->hanging, g_strdup(id), invocation);
        return;
    default:
        reply(invocation, FALSE, FALSE, FALSE);
    }
}

static void
cancel_check(KvFakePolkit *polkit, GVariant *parameters, GDBusMethodInvocation *invocation)
{
    const char *id;
    g_autofree char *key = NULL;
    GDBusMethodInvocation *hanging = NULL;

    g_variant_get(parameters, "(&s)", &id);
    if (g_hash_table_steal_extended(polkit->hanging, id, (gpointer *) &key, (gpointer *) &hanging))
        g_dbus_method_invocation_return_dbus_error(
            hanging, "org.freedesktop.PolicyKit1.Error.Cancelled", "cancelled");
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void
method_call(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
            const char *method, GVariant *parameters, GDBusMethodInvocation *invocation,
            gpointer data)
{
    if (strcmp(method, "CheckAuthorization") == 0)
        check_authorization(data, parameters, invocation);
    else
        cancel_check(data, parameters, invocation);
}

static GVariant *
get_property(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
             const char *property, GError **error, gpointer data)
{
    if (strcmp(property, "BackendFeatures") == 0)
        return g_variant_new_uint32(0);
    return g_variant_new_string("fake");
}

static void
call_bus(KvFakePolkit *polkit, const char *method, GVariant *arguments)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) result = g_dbus_connection_call_sync(
        polkit->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        method, arguments, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);

    g_assert_no_error(error);
}

KvFakePolkit *
kv_fake_polkit_new(GDBusConnection *bus)
{
    static const GDBusInterfaceVTable vtable = {method_call, get_property, NULL, {NULL}};
    KvFakePolkit *polkit = g_new0(KvFakePolkit, 1);
    g_autoptr(GError) error = NULL;

    polkit->bus = g_object_ref(bus);
    polkit->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    polkit->hanging = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_object_unref);
    polkit->questions = g_string_new(NULL);
    polkit->info = g_dbus_node_info_new_for_xml(xml, &error);
    g_assert_no_error(error);
    polkit->object = g_dbus_connection_register_object(bus, PATH, polkit->info->interfaces[0],
                                                       &vtable, polkit, NULL, &error);
    g_assert_no_error(error);
    call_bus(polkit, "RequestName", g_variant_new("(su)", NAME, 0));
    return polkit;
}

void
kv_fake_polkit_free(KvFakePolkit *polkit)
{
    if (polkit == NULL)
        return;
    g_dbus_connection_unregister_object(polkit->bus, polkit->object);
    call_bus(polkit, "ReleaseName", g_variant_new("(s)", NAME));
    g_dbus_node_info_unref(polkit->info);
    g_hash_table_unref(polkit->answers);
    g_hash_table_unref(polkit->hanging);
    g_string_free(polkit->questions, TRUE);
    g_object_unref(polkit->bus);
    g_free(polkit);
}

void
kv_fake_polkit_answer(KvFakePolkit *polkit, const char *action, KvFakePolkitAnswer answer)
{
    g_hash_table_insert(polkit->answers, g_strdup(action), GUINT_TO_POINTER(answer));
}

const char *
kv_fake_polkit_get_questions(KvFakePolkit *polkit)
{
    return polkit->questions->str;
}

void
kv_fake_polkit_forget(KvFakePolkit *polkit)
{
    g_string_truncate(polkit->questions, 0);
}

guint
kv_fake_polkit_count_hanging(KvFakePolkit *polkit)
{
    return g_hash_table_size(polkit->hanging);
}
