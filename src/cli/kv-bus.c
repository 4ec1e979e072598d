/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus.h"

#include "kv-agent.h"
#include "kv-dbus-error.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-i18n.h"

#include <string.h>
#include <unistd.h>

/* A daemon that is being started reads its tunnels first. */
#define START_TIMEOUT_MS 60000

/* Long enough for a tunnel that takes leave of many peers, when nobody is asked for a password. */
#define CALL_TIMEOUT_MS 120000

struct _KvBus {
    GDBusConnection *connection;
    GDBusObjectManager *objects; /* tunnels and clients */
    KvDbusManager1 *manager;
    KvAgent *agent; /* (nullable) */
    gboolean interactive;
};

/* --- objects --------------------------------------------------------------------------------- */

GDBusConnection *
kv_bus_get_connection(const KvBus *bus)
{
    return bus->connection;
}

GDBusObjectManager *
kv_bus_get_objects(const KvBus *bus)
{
    return bus->objects;
}

static GDBusInterface *
get_interface(const KvBus *bus, const char *path, const char *interface)
{
    return g_dbus_object_manager_get_interface(bus->objects, path, interface);
}

KvDbusManager1 *
kv_bus_get_manager(const KvBus *bus)
{
    return bus->manager;
}

gboolean
kv_bus_is_connected(const KvBus *bus)
{
    g_autofree char *owner =
        g_dbus_object_manager_client_get_name_owner(G_DBUS_OBJECT_MANAGER_CLIENT(bus->objects));

    return owner != NULL;
}

static gint
compare_tunnels(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(kv_dbus_tunnel1_get_name(*(KvDbusTunnel1 *const *) a),
                     kv_dbus_tunnel1_get_name(*(KvDbusTunnel1 *const *) b));
}

GPtrArray *
kv_bus_list_tunnels(const KvBus *bus)
{
    GPtrArray *tunnels = g_ptr_array_new_with_free_func(g_object_unref);
    GList *objects = g_dbus_object_manager_get_objects(bus->objects);

    for (GList *at = objects; at != NULL; at = at->next) {
        GDBusInterface *interface = g_dbus_object_get_interface(at->data, KV_DBUS_TUNNEL_INTERFACE);

        if (interface != NULL)
            g_ptr_array_add(tunnels, interface);
    }
    g_list_free_full(objects, g_object_unref);
    g_ptr_array_sort(tunnels, compare_tunnels);
    return tunnels;
}

/* Signals that came before the daemon listed its objects still wait for the loop. One of them may
 * tell of an object that is in the list, too, and GLib then puts another proxy in the place of the
 * first, with none of our handlers. */
static void
take_in_old_signals(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

KvDbusTunnel1 *
kv_bus_find_tunnel(const KvBus *bus, const char *name)
{
    g_autoptr(GPtrArray) tunnels = NULL;
    g_autofree char *message = NULL;

    take_in_old_signals();
    tunnels = kv_bus_list_tunnels(bus);
    for (guint i = 0; i < tunnels->len; i++) {
        KvDbusTunnel1 *tunnel = g_ptr_array_index(tunnels, i);

        if (g_strcmp0(kv_dbus_tunnel1_get_name(tunnel), name) == 0)
            return g_object_ref(tunnel);
    }
    message = g_strdup_printf(_("there is no tunnel \"%s\"; \"kcpvpn list\" lists all"), name);
    kv_cmd_complain(message);
    return NULL;
}

KvDbusTunnel1 *
kv_bus_get_tunnel(const KvBus *bus, const char *path)
{
    GDBusInterface *interface = get_interface(bus, path, KV_DBUS_TUNNEL_INTERFACE);

    return interface != NULL ? KV_DBUS_TUNNEL1(interface) : NULL;
}

GPtrArray *
kv_bus_list_clients(const KvBus *bus, KvDbusTunnel1 *tunnel)
{
    GPtrArray *clients = g_ptr_array_new_with_free_func(g_object_unref);
    const char *const *paths = kv_dbus_tunnel1_get_clients(tunnel);

    for (guint i = 0; paths != NULL && paths[i] != NULL; i++) {
        GDBusInterface *interface = get_interface(bus, paths[i], KV_DBUS_CLIENT_INTERFACE);

        if (interface != NULL)
            g_ptr_array_add(clients, interface);
    }
    return clients;
}

/* --- opening --------------------------------------------------------------------------------- */

static gboolean
call_bus_daemon(GDBusConnection *connection, const char *method, GVariant *arguments,
                GError **error)
{
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", method,
        arguments, NULL, G_DBUS_CALL_FLAGS_NONE, START_TIMEOUT_MS, NULL, error);

    return reply != NULL;
}

/* The bus daemon's reason why there is no kcpvpnd, or TRUE. */
static gboolean
reach_daemon(GDBusConnection *connection, gboolean may_start, GError **error)
{
    g_autoptr(GError) absent = NULL;

    /* Asked first: a daemon that was started by hand may be none that the bus can start. */
    if (call_bus_daemon(connection, "GetNameOwner", g_variant_new("(s)", KV_DBUS_NAME), &absent))
        return TRUE;
    if (may_start)
        return call_bus_daemon(connection, "StartServiceByName",
                               g_variant_new("(su)", KV_DBUS_NAME, 0), error);
    g_propagate_error(error, g_steal_pointer(&absent));
    return FALSE;
}

static KvExit
complain_about_daemon(GError *error, gboolean may_start)
{
    g_autofree char *message = NULL;

    g_dbus_error_strip_remote_error(error);
    if (!may_start && g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
        message = g_strdup(_("the daemon is not running; \"systemctl start kcpvpnd\" starts it"));
    else if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN))
        message = g_strdup(_("the daemon is not running, and the bus does not know how to start "
                             "it; \"systemctl start kcpvpnd\" may, if it is installed"));
    else
        message = g_strdup_printf(_("the daemon cannot be reached: %s; \"systemctl status "
                                    "kcpvpnd\" and \"journalctl -u kcpvpnd\" may tell more"),
                                  error->message);
    kv_cmd_complain(message);
    return KV_EXIT_NO_DAEMON;
}

static KvExit
complain_about_bus(GError *error)
{
    g_autofree char *message = NULL;

    g_dbus_error_strip_remote_error(error);
    message = g_strdup_printf(_("the system bus cannot be reached: %s"), error->message);
    kv_cmd_complain(message);
    return KV_EXIT_NO_DAEMON;
}

/* As systemctl does it: for commands that may need a password, of people at a terminal who are not
 * root, unless they say otherwise. */
static gboolean
start_agent(KvBus *bus, const KvArgs *args, GError **error)
{
    gboolean wanted = kv_args_has(args, KV_OPTION_ASK);

    if (!bus->interactive || (!wanted && (geteuid() == 0 || !isatty(STDIN_FILENO))))
        return TRUE;
    bus->agent = kv_agent_start(error);
    if (bus->agent != NULL || wanted)
        return bus->agent != NULL;
    /* The desktop may have an agent. */
    g_clear_error(error);
    return TRUE;
}

static gboolean
check_asking(const KvArgs *args)
{
    if (!kv_args_has(args, KV_OPTION_ASK) || !kv_args_has(args, KV_OPTION_NO_ASK))
        return TRUE;
    kv_cmd_complain(_("--ask and --no-ask: only one of them is allowed"));
    return FALSE;
}

/* The manager is no object of its own object manager. */
static gboolean
make_proxies(KvBus *bus, GError **error)
{
    bus->objects = kv_dbus_object_manager_client_new_sync(
        bus->connection, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START, KV_DBUS_NAME,
        KV_DBUS_PATH, NULL, error);
    if (bus->objects == NULL)
        return FALSE;
    bus->manager =
        kv_dbus_manager1_proxy_new_sync(bus->connection, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
                                        KV_DBUS_NAME, KV_DBUS_PATH, NULL, error);
    return bus->manager != NULL;
}

static gboolean
connect_to_daemon(KvBus *bus, gboolean may_start, KvBusFlags flags, KvExit *status)
{
    g_autoptr(GError) error = NULL;

    bus->connection = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    if (bus->connection == NULL) {
        *status = complain_about_bus(error);
        return FALSE;
    }
    g_dbus_connection_set_exit_on_close(bus->connection, FALSE);
    if (!reach_daemon(bus->connection, may_start, &error) &&
        (may_start || (flags & KV_BUS_OPTIONAL) == 0)) {
        *status = complain_about_daemon(error, may_start);
        return FALSE;
    }
    g_clear_error(&error);
    if (make_proxies(bus, &error))
        return TRUE;
    *status = complain_about_daemon(error, may_start);
    return FALSE;
}

KvBus *
kv_bus_open(const KvArgs *args, KvBusFlags flags, KvExit *status)
{
    g_autoptr(KvBus) bus = g_new0(KvBus, 1);
    g_autoptr(GError) error = NULL;

    kv_dbus_error_init();
    if (!check_asking(args)) {
        *status = KV_EXIT_USAGE;
        return NULL;
    }
    if (!connect_to_daemon(bus, !kv_args_has(args, KV_OPTION_NO_START), flags, status))
        return NULL;
    bus->interactive = (flags & KV_BUS_CHANGE) != 0 && !kv_args_has(args, KV_OPTION_NO_ASK);
    if (!start_agent(bus, args, &error)) {
        kv_cmd_complain(error->message);
        *status = KV_EXIT_FAILURE;
        return NULL;
    }
    return g_steal_pointer(&bus);
}

void
kv_bus_free(KvBus *bus)
{
    if (bus == NULL)
        return;
    g_clear_pointer(&bus->agent, kv_agent_stop);
    g_clear_object(&bus->manager);
    g_clear_object(&bus->objects);
    g_clear_object(&bus->connection);
    g_free(bus);
}

/* --- calls ----------------------------------------------------------------------------------- */

GDBusCallFlags
kv_bus_get_call_flags(const KvBus *bus)
{
    return bus->interactive ? G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION
                            : G_DBUS_CALL_FLAGS_NONE;
}

gint
kv_bus_get_timeout_ms(const KvBus *bus)
{
    return bus->interactive ? G_MAXINT : CALL_TIMEOUT_MS;
}

GVariant *
kv_bus_no_options(void)
{
    return g_variant_new("a{sv}", NULL);
}

static KvExit
get_exit(const GError *error)
{
    if (g_error_matches(error, KV_ERROR, KV_ERROR_NOT_FOUND))
        return KV_EXIT_NOT_FOUND;
    if (error->domain == KV_ERROR)
        return kv_exit_from_error(error);
    if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED))
        return KV_EXIT_PERMISSION;
    if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_DISCONNECTED) ||
        g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CLOSED))
        return KV_EXIT_NO_DAEMON;
    return KV_EXIT_FAILURE;
}

/* (nullable): what a person can do about @error. */
static const char *
get_hint(const GError *error)
{
    if (g_error_matches(error, KV_ERROR, KV_ERROR_AUTHENTICATION_REQUIRED))
        return _("run it in a terminal, with --ask, or as root");
    if (g_error_matches(error, KV_ERROR, KV_ERROR_NOT_AUTHORIZED))
        return _("run it as root, or have the administrator allow it with a polkit rule");
    return NULL;
}

KvExit
kv_bus_complain(const char *what, GError *error)
{
    const char *hint = get_hint(error);
    g_autofree char *message = NULL;

    g_dbus_error_strip_remote_error(error);
    message = g_strdup_printf("%s%s%s%s%s", what != NULL ? what : "", what != NULL ? ": " : "",
                              error->message, hint != NULL ? "; " : "", hint != NULL ? hint : "");
    kv_cmd_complain(message);
    return get_exit(error);
}

/* --- properties ------------------------------------------------------------------------------ */

typedef struct {
    GDBusProxy *proxy; /* not owned: the caller's array is */
    guint *n_pending;
} Refresh;

static void
refresh_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Refresh *refresh = data;
    g_autoptr(GVariant) properties = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, NULL);
    GVariantIter iter;
    const char *name;
    GVariant *value;

    --*refresh->n_pending;
    if (reply == NULL)
        return; /* it has gone in the meantime */
    properties = g_variant_get_child_value(reply, 0);
    g_variant_iter_init(&iter, properties);
    while (g_variant_iter_loop(&iter, "{&sv}", &name, &value))
        g_dbus_proxy_set_cached_property(refresh->proxy, name, value);
}

void
kv_bus_refresh(GPtrArray *proxies)
{
    guint n_pending = proxies->len;

    for (guint i = 0; i < proxies->len; i++) {
        GDBusProxy *proxy = g_ptr_array_index(proxies, i);
        Refresh *refresh = g_new(Refresh, 1);

        *refresh = (Refresh){proxy, &n_pending};
        g_dbus_connection_call(
            g_dbus_proxy_get_connection(proxy), g_dbus_proxy_get_name(proxy),
            g_dbus_proxy_get_object_path(proxy), "org.freedesktop.DBus.Properties", "GetAll",
            g_variant_new("(s)", g_dbus_proxy_get_interface_name(proxy)), G_VARIANT_TYPE("(a{sv})"),
            G_DBUS_CALL_FLAGS_NO_AUTO_START, CALL_TIMEOUT_MS, NULL, refresh_done, refresh);
    }
    while (n_pending > 0)
        g_main_context_iteration(NULL, TRUE);
}

GVariant *
kv_bus_describe(GDBusProxy *proxy)
{
    g_auto(GStrv) names = g_dbus_proxy_get_cached_property_names(proxy);
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "Path",
                          g_variant_new_object_path(g_dbus_proxy_get_object_path(proxy)));
    for (guint i = 0; names != NULL && names[i] != NULL; i++) {
        g_autoptr(GVariant) value = g_dbus_proxy_get_cached_property(proxy, names[i]);

        if (value != NULL)
            g_variant_builder_add(&builder, "{sv}", names[i], value);
    }
    return g_variant_builder_end(&builder);
}
