/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-dbus-names.h"
#include "kv-i18n.h"
#include "kv-print.h"

#include <stdio.h>
#include <string.h>

/* "monitor": prints events, a line each. Their words and keys are documented in kcpvpn(1). */

typedef struct {
    const KvArgs *args;
    const KvBus *bus;
    const char *only;  /* (nullable): the tunnel that is meant */
    GHashTable *names; /* object path to name: an object that goes takes its properties along */
} Monitor;

typedef struct {
    const char *key; /* as JSON has it */
    const char *value;
} Field;

static char *
format_now(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();

    return g_date_time_format_iso8601(now);
}

static void
print_json_event(const char *time, const char *event, const Field *fields, guint n)
{
    g_autoptr(GVariant) object = NULL;
    g_autofree char *line = NULL;
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "Time", g_variant_new_string(time));
    g_variant_builder_add(&builder, "{sv}", "Event", g_variant_new_string(event));
    for (guint i = 0; i < n; i++)
        g_variant_builder_add(&builder, "{sv}", fields[i].key,
                              g_variant_new_string(fields[i].value));
    object = g_variant_ref_sink(g_variant_builder_end(&builder));
    line = kv_print_format_json(object, FALSE);
    puts(line);
}

static void
print_text_event(const char *time, const char *event, const Field *fields, guint n)
{
    gboolean colour = kv_print_wants_colour(stdout);
    g_autoptr(GString) line = g_string_new(NULL);

    kv_print_append(line, KV_STYLE_FAINT, colour, time);
    for (guint i = 0; i < n; i++) {
        KvStyle style = i == 0 ? KV_STYLE_STRONG : KV_STYLE_PLAIN;

        if (strcmp(fields[i].key, "State") == 0)
            style = kv_print_get_state_style(fields[i].value);
        g_string_append_c(line, ' ');
        kv_print_append(line, style, colour, fields[i].value[0] != '\0' ? fields[i].value : "-");
        if (i == 0)
            g_string_append_printf(line, " %s", event);
    }
    if (n == 0)
        g_string_append_printf(line, " %s", event);
    puts(line->str);
}

/* Whoever reads a pipe wants each line when it happens. */
static void
print_event(const Monitor *monitor, const char *event, const Field *fields, guint n)
{
    g_autofree char *time = format_now();

    if (kv_args_has(monitor->args, KV_OPTION_JSON))
        print_json_event(time, event, fields, n);
    else
        print_text_event(time, event, fields, n);
    fflush(stdout);
}

static gboolean
is_meant(const Monitor *monitor, const char *tunnel)
{
    return tunnel != NULL && (monitor->only == NULL || strcmp(monitor->only, tunnel) == 0);
}

/* --- tunnels --------------------------------------------------------------------------------- */

static void
state_changed(const Monitor *monitor, KvDbusTunnel1 *tunnel, GVariant *arguments)
{
    const char *name = kv_dbus_tunnel1_get_name(tunnel);
    Field fields[] = {{"Name", name}, {"State", NULL}, {"Reason", NULL}, {"OldState", NULL}};

    g_variant_get(arguments, "(&s&s&s)", &fields[1].value, &fields[3].value, &fields[2].value);
    /* Text tells what is; what was has gone by already. */
    if (is_meant(monitor, name))
        print_event(monitor, "state", fields,
                    kv_args_has(monitor->args, KV_OPTION_JSON) ? 4
                                                               : 2 + (fields[2].value[0] != '\0'));
}

/* Of all objects: a tunnel's proxy may be replaced by another of the same tunnel. */
static void
signal_came(GDBusObjectManagerClient *objects, GDBusObjectProxy *object, GDBusProxy *interface,
            const char *sender, const char *signal, GVariant *arguments, gpointer data)
{
    if (KV_DBUS_IS_TUNNEL1(interface) && strcmp(signal, "StateChanged") == 0 &&
        g_variant_is_of_type(arguments, G_VARIANT_TYPE("(sss)")))
        state_changed(data, KV_DBUS_TUNNEL1(interface), arguments);
}

static void
follow_tunnel(Monitor *monitor, KvDbusTunnel1 *tunnel)
{
    g_hash_table_insert(monitor->names,
                        g_strdup(g_dbus_proxy_get_object_path(G_DBUS_PROXY(tunnel))),
                        g_strdup(kv_dbus_tunnel1_get_name(tunnel)));
}

static void
tunnel_event(Monitor *monitor, const char *event, KvDbusTunnel1 *tunnel)
{
    const char *name = kv_dbus_tunnel1_get_name(tunnel);
    const Field fields[] = {{"Name", name}, {"State", kv_dbus_tunnel1_get_state(tunnel)}};

    if (is_meant(monitor, name))
        print_event(monitor, event, fields, G_N_ELEMENTS(fields));
}

/* --- clients --------------------------------------------------------------------------------- */

static void
client_event(const Monitor *monitor, const char *event, KvDbusClient1 *client)
{
    const char *path = kv_dbus_client1_get_tunnel(client);
    const char *tunnel = path != NULL ? g_hash_table_lookup(monitor->names, path) : NULL;
    const char *id = kv_dbus_client1_get_id(client);
    const char *remote = kv_dbus_client1_get_remote_address(client);
    const char *interface = kv_dbus_client1_get_interface(client);
    const Field fields[] = {{"Name", tunnel},
                            {"Client", id != NULL ? id : ""},
                            {"RemoteAddress", remote != NULL ? remote : ""},
                            {"Interface", interface != NULL ? interface : ""}};

    if (is_meant(monitor, tunnel))
        print_event(monitor, event, fields, G_N_ELEMENTS(fields));
}

/* --- objects --------------------------------------------------------------------------------- */

static void
object_added(GDBusObjectManager *objects, GDBusObject *object, gpointer data)
{
    Monitor *monitor = data;
    g_autoptr(GDBusInterface) tunnel =
        g_dbus_object_get_interface(object, KV_DBUS_TUNNEL_INTERFACE);
    g_autoptr(GDBusInterface) client =
        g_dbus_object_get_interface(object, KV_DBUS_CLIENT_INTERFACE);

    if (tunnel != NULL) {
        follow_tunnel(monitor, KV_DBUS_TUNNEL1(tunnel));
        tunnel_event(monitor, "added", KV_DBUS_TUNNEL1(tunnel));
    }
    if (client != NULL)
        client_event(monitor, "client-connected", KV_DBUS_CLIENT1(client));
}

static void
object_removed(GDBusObjectManager *objects, GDBusObject *object, gpointer data)
{
    Monitor *monitor = data;
    g_autoptr(GDBusInterface) tunnel =
        g_dbus_object_get_interface(object, KV_DBUS_TUNNEL_INTERFACE);
    g_autoptr(GDBusInterface) client =
        g_dbus_object_get_interface(object, KV_DBUS_CLIENT_INTERFACE);

    if (client != NULL)
        client_event(monitor, "client-left", KV_DBUS_CLIENT1(client));
    if (tunnel != NULL)
        tunnel_event(monitor, "removed", KV_DBUS_TUNNEL1(tunnel));
}

static void
owner_changed(GObject *objects, GParamSpec *pspec, gpointer data)
{
    const Monitor *monitor = data;

    print_event(monitor, kv_bus_is_connected(monitor->bus) ? "daemon-started" : "daemon-stopped",
                NULL, 0);
}

static void
follow_all(Monitor *monitor)
{
    g_autoptr(GPtrArray) tunnels = kv_bus_list_tunnels(monitor->bus);
    GDBusObjectManager *objects = kv_bus_get_objects(monitor->bus);

    for (guint i = 0; i < tunnels->len; i++)
        follow_tunnel(monitor, g_ptr_array_index(tunnels, i));
    g_signal_connect(objects, "object-added", G_CALLBACK(object_added), monitor);
    g_signal_connect(objects, "object-removed", G_CALLBACK(object_removed), monitor);
    g_signal_connect(objects, "interface-proxy-signal", G_CALLBACK(signal_came), monitor);
    g_signal_connect(objects, "notify::name-owner", G_CALLBACK(owner_changed), monitor);
}

KvExit
kv_cmd_monitor(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_OPTIONAL, &status);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Monitor monitor = {.args = args, .bus = bus, .names = names};

    if (bus == NULL)
        return status;
    monitor.only = kv_args_get_operand(args, 0);
    follow_all(&monitor);
    g_signal_connect_swapped(kv_bus_get_connection(bus), "closed", G_CALLBACK(g_main_loop_quit),
                             loop);
    g_main_loop_run(loop); /* until a signal ends the program */
    kv_cmd_complain(_("the system bus went away"));
    return KV_EXIT_NO_DAEMON;
}
