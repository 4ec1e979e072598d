/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-live-skeleton.h"

#include "kv-notify.h"

#include <string.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"

typedef struct {
    const char *const *names;
    KvLiveRefresh refresh;
    gpointer owner;
} Live;

typedef struct {
    GDBusInterfaceSkeleton *skeleton;
    GDBusMethodInvocation *invocation;
} Read;

typedef struct {
    KvDbusTunnel1Skeleton parent_instance;
} KvLiveTunnel;

typedef struct {
    KvDbusTunnel1SkeletonClass parent_class;
} KvLiveTunnelClass;

typedef struct {
    KvDbusClient1Skeleton parent_instance;
} KvLiveClient;

typedef struct {
    KvDbusClient1SkeletonClass parent_class;
} KvLiveClientClass;

static GType kv_live_tunnel_get_type(void);
static GType kv_live_client_get_type(void);

G_DEFINE_TYPE(KvLiveTunnel, kv_live_tunnel, KV_DBUS_TYPE_TUNNEL1_SKELETON)
G_DEFINE_TYPE(KvLiveClient, kv_live_client, KV_DBUS_TYPE_CLIENT1_SKELETON)

static GQuark
live_quark(void)
{
    return g_quark_from_static_string("kv-live-skeleton");
}

/* gdbus-codegen's own table, of the class above ours. */
static const GDBusInterfaceVTable *
get_parent_vtable(GDBusInterfaceSkeleton *skeleton)
{
    gpointer klass = G_OBJECT_GET_CLASS(skeleton);

    return G_DBUS_INTERFACE_SKELETON_CLASS(g_type_class_peek_parent(klass))->get_vtable(skeleton);
}

/* (transfer full) (nullable) */
static GVariant *
get_property(const Read *read, const char *name, GError **error)
{
    GVariant *value = get_parent_vtable(read->skeleton)
                          ->get_property(g_dbus_method_invocation_get_connection(read->invocation),
                                         g_dbus_method_invocation_get_sender(read->invocation),
                                         g_dbus_method_invocation_get_object_path(read->invocation),
                                         g_dbus_interface_skeleton_get_info(read->skeleton)->name,
                                         name, error, read->skeleton);

    return value != NULL ? g_variant_take_ref(value) : NULL;
}

static void
answer_get(const Read *read)
{
    GVariant *arguments = g_dbus_method_invocation_get_parameters(read->invocation);
    GError *error = NULL;
    const char *name;
    g_autoptr(GVariant) value = NULL;

    g_variant_get(arguments, "(&s&s)", NULL, &name);
    value = get_property(read, name, &error);
    if (value == NULL)
        g_dbus_method_invocation_take_error(read->invocation, error);
    else
        g_dbus_method_invocation_return_value(read->invocation, g_variant_new("(v)", value));
}

static void
answer_get_all(const Read *read)
{
    GDBusPropertyInfo **info = g_dbus_interface_skeleton_get_info(read->skeleton)->properties;
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("(a{sv})"));
    g_variant_builder_open(&builder, G_VARIANT_TYPE_VARDICT);
    for (; *info != NULL; info++) {
        g_autoptr(GVariant) value = get_property(read, (*info)->name, NULL);

        if (value != NULL)
            g_variant_builder_add(&builder, "{sv}", (*info)->name, value);
    }
    g_variant_builder_close(&builder);
    g_dbus_method_invocation_return_value(read->invocation, g_variant_builder_end(&builder));
}

static gboolean
is_get_all(GDBusMethodInvocation *invocation)
{
    return strcmp(g_dbus_method_invocation_get_method_name(invocation), "GetAll") == 0;
}

/* Takes over the invocation, as answering does. */
static void
answer(gpointer data)
{
    Read *read = data;

    if (is_get_all(read->invocation))
        answer_get_all(read);
    else
        answer_get(read);
    g_object_unref(read->skeleton);
    g_free(read);
}

static gboolean
needs_refresh(const Live *live, GDBusMethodInvocation *invocation)
{
    const char *name;

    if (live == NULL || live->refresh == NULL)
        return FALSE;
    if (is_get_all(invocation))
        return TRUE;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s&s)", NULL, &name);
    return g_strv_contains(live->names, name);
}

static void
method_call(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
            const char *method, GVariant *arguments, GDBusMethodInvocation *invocation,
            gpointer data)
{
    const Live *live = g_object_get_qdata(data, live_quark());
    Read *read;

    kv_notify_progress();
    if (strcmp(interface, PROPERTIES) != 0) {
        get_parent_vtable(data)->method_call(bus, sender, path, interface, method, arguments,
                                             invocation, data);
        return;
    }
    read = g_new0(Read, 1);
    read->skeleton = g_object_ref(data);
    read->invocation = invocation;
    if (needs_refresh(live, invocation))
        live->refresh(live->owner, answer, read);
    else
        answer(read);
}

/* Without a getter GDBus hands reads to method_call(). No property can be written. */
static const GDBusInterfaceVTable live_vtable = {.method_call = method_call};

static GDBusInterfaceVTable *
get_vtable(GDBusInterfaceSkeleton *skeleton)
{
    return (GDBusInterfaceVTable *) &live_vtable;
}

/* For GetManagedObjects, which asks all objects in one go, and so do all who call it at that time.
 */
static GVariant *
get_properties(GDBusInterfaceSkeleton *skeleton)
{
    gpointer klass = G_OBJECT_GET_CLASS(skeleton);

    kv_notify_progress();
    return G_DBUS_INTERFACE_SKELETON_CLASS(g_type_class_peek_parent(klass))
        ->get_properties(skeleton);
}

static void
kv_live_tunnel_class_init(KvLiveTunnelClass *klass)
{
    G_DBUS_INTERFACE_SKELETON_CLASS(klass)->get_vtable = get_vtable;
    G_DBUS_INTERFACE_SKELETON_CLASS(klass)->get_properties = get_properties;
}

static void
kv_live_tunnel_init(KvLiveTunnel *self)
{
}

static void
kv_live_client_class_init(KvLiveClientClass *klass)
{
    G_DBUS_INTERFACE_SKELETON_CLASS(klass)->get_vtable = get_vtable;
    G_DBUS_INTERFACE_SKELETON_CLASS(klass)->get_properties = get_properties;
}

static void
kv_live_client_init(KvLiveClient *self)
{
}

KvDbusTunnel1 *
kv_live_tunnel_new(void)
{
    return g_object_new(kv_live_tunnel_get_type(), NULL);
}

KvDbusClient1 *
kv_live_client_new(void)
{
    return g_object_new(kv_live_client_get_type(), NULL);
}

void
kv_live_skeleton_set_refresh(gpointer skeleton, const char *const *names, KvLiveRefresh refresh,
                             gpointer owner)
{
    Live *live = g_new0(Live, 1);

    live->names = names;
    live->refresh = refresh;
    live->owner = owner;
    g_object_set_qdata_full(skeleton, live_quark(), live, g_free);
}
