/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-i18n.h"
#include "kv-print.h"
#include "kv-property.h"

#include <stdio.h>
#include <string.h>

/* "down", "delete", "kick" and "reload": one call each, for every object that is named. */

/* Says that it was done, for people or as one JSON object. */
static void
report(const KvArgs *args, const char *key, const char *name, const char *result, const char *text)
{
    g_autoptr(GVariant) object = NULL;
    GVariantBuilder builder;

    if (!kv_args_has(args, KV_OPTION_JSON)) {
        g_autoptr(GString) line = g_string_new(NULL);

        kv_print_append(line, KV_STYLE_PLAIN, FALSE, name);
        printf("%s: %s\n", line->str, text);
        return;
    }
    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", key, g_variant_new_string(name));
    g_variant_builder_add(&builder, "{sv}", "Result", g_variant_new_string(result));
    object = g_variant_ref_sink(g_variant_builder_end(&builder));
    kv_print_json(stdout, object);
}

/* The first thing that went wrong tells how the program ends. */
static KvExit
worse(KvExit before, KvExit now)
{
    return before != KV_EXIT_OK ? before : now;
}

typedef KvExit (*TunnelDeed)(const KvBus *bus, const KvArgs *args, KvDbusTunnel1 *tunnel);

static KvExit
for_each_tunnel(KvArgs *args, TunnelDeed deed)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_CHANGE, &status);

    if (bus == NULL)
        return status;
    for (guint i = 0; i < kv_args_get_n_operands(args); i++) {
        g_autoptr(KvDbusTunnel1) tunnel = kv_bus_find_tunnel(bus, kv_args_get_operand(args, i));

        status = worse(status, tunnel != NULL ? deed(bus, args, tunnel) : KV_EXIT_NOT_FOUND);
    }
    return status;
}

static KvExit
stop_tunnel(const KvBus *bus, const KvArgs *args, KvDbusTunnel1 *tunnel)
{
    const char *name = kv_dbus_tunnel1_get_name(tunnel);
    g_autoptr(GError) error = NULL;

    if (g_strcmp0(kv_dbus_tunnel1_get_state(tunnel), "stopped") == 0) {
        report(args, "Name", name, "stopped", _("it was stopped already"));
        return KV_EXIT_OK;
    }
    if (!kv_dbus_tunnel1_call_stop_sync(tunnel, kv_bus_no_options(), kv_bus_get_call_flags(bus),
                                        kv_bus_get_timeout_ms(bus), NULL, &error))
        return kv_bus_complain(name, error);
    report(args, "Name", name, "stopped", _("stopped"));
    return KV_EXIT_OK;
}

KvExit
kv_cmd_down(KvArgs *args)
{
    return for_each_tunnel(args, stop_tunnel);
}

static KvExit
delete_tunnel(const KvBus *bus, const KvArgs *args, KvDbusTunnel1 *tunnel)
{
    const char *name = kv_dbus_tunnel1_get_name(tunnel);
    g_autoptr(GError) error = NULL;

    if (!kv_dbus_tunnel1_call_delete_sync(tunnel, kv_bus_no_options(), kv_bus_get_call_flags(bus),
                                          kv_bus_get_timeout_ms(bus), NULL, &error))
        return kv_bus_complain(name, error);
    report(args, "Name", name, "deleted", _("deleted"));
    return KV_EXIT_OK;
}

KvExit
kv_cmd_delete(KvArgs *args)
{
    return for_each_tunnel(args, delete_tunnel);
}

/* --- kick ------------------------------------------------------------------------------------ */

static gboolean
has_address(KvDbusClient1 *client, const char *word)
{
    GVariant *addresses = kv_dbus_client1_get_addresses(client);

    for (gsize i = 0; addresses != NULL && i < g_variant_n_children(addresses); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(addresses, i);
        const char *address;

        if (g_variant_lookup(entry, "address", "&s", &address) && strcmp(address, word) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Whether @word is the client's id, its interface, or one of its addresses. */
static gboolean
is_meant(KvDbusClient1 *client, const char *word)
{
    return word[0] != '\0' && (g_strcmp0(kv_dbus_client1_get_id(client), word) == 0 ||
                               g_strcmp0(kv_dbus_client1_get_interface(client), word) == 0 ||
                               g_strcmp0(kv_dbus_client1_get_remote_address(client), word) == 0 ||
                               has_address(client, word));
}

static KvExit
kick_client(const KvBus *bus, const KvArgs *args, GPtrArray *clients, const char *word)
{
    gboolean found = FALSE;
    KvExit status = KV_EXIT_OK;
    g_autofree char *message = NULL;

    for (guint i = 0; i < clients->len; i++) {
        KvDbusClient1 *client = g_ptr_array_index(clients, i);
        g_autoptr(GError) error = NULL;

        if (!is_meant(client, word))
            continue;
        found = TRUE;
        if (kv_dbus_client1_call_disconnect_sync(client, kv_bus_no_options(),
                                                 kv_bus_get_call_flags(bus),
                                                 kv_bus_get_timeout_ms(bus), NULL, &error))
            report(args, "Client", word, "disconnected", _("disconnected"));
        else
            status = worse(status, kv_bus_complain(word, error));
    }
    if (found)
        return status;
    message = g_strdup_printf(_("%s has no client \"%s\"; \"kcpvpn clients %s\" lists all"),
                              kv_args_get_operand(args, 0), word, kv_args_get_operand(args, 0));
    kv_cmd_complain(message);
    return KV_EXIT_NOT_FOUND;
}

KvExit
kv_cmd_kick(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_CHANGE, &status);
    g_autoptr(KvDbusTunnel1) tunnel =
        bus != NULL ? kv_bus_find_tunnel(bus, kv_args_get_operand(args, 0)) : NULL;
    g_autoptr(GPtrArray) clients = NULL;

    if (bus == NULL)
        return status;
    if (tunnel == NULL)
        return KV_EXIT_NOT_FOUND;
    clients = kv_bus_list_clients(bus, tunnel);
    for (guint i = 1; i < kv_args_get_n_operands(args); i++)
        status = worse(status, kick_client(bus, args, clients, kv_args_get_operand(args, i)));
    return status;
}

/* --- reload ---------------------------------------------------------------------------------- */

/* Complains about each file the daemon could not read. */
static KvExit
complain_about_problems(KvDbusManager1 *manager)
{
    g_autoptr(GVariant) problems = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GError) error = NULL;
    KvExit status = KV_EXIT_OK;

    /* Asked again: the change may not have reached this process yet. */
    reply = g_dbus_connection_call_sync(
        g_dbus_proxy_get_connection(G_DBUS_PROXY(manager)),
        g_dbus_proxy_get_name(G_DBUS_PROXY(manager)),
        g_dbus_proxy_get_object_path(G_DBUS_PROXY(manager)), "org.freedesktop.DBus.Properties",
        "Get",
        g_variant_new("(ss)", g_dbus_proxy_get_interface_name(G_DBUS_PROXY(manager)), "Problems"),
        G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
    if (reply == NULL)
        return kv_bus_complain(NULL, error);
    g_variant_get(reply, "(v)", &problems);
    if (!g_variant_is_of_type(problems, G_VARIANT_TYPE("a(sus)")))
        return KV_EXIT_OK;
    for (gsize i = 0; i < g_variant_n_children(problems); i++) {
        g_autofree char *text = kv_property_format_problem(problems, i);

        kv_cmd_complain(text);
        status = KV_EXIT_FAILURE;
    }
    return status;
}

KvExit
kv_cmd_reload(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_CHANGE, &status);
    g_autoptr(GError) error = NULL;
    KvDbusManager1 *manager;

    if (bus == NULL)
        return status;
    manager = kv_bus_get_manager(bus);
    if (!kv_dbus_manager1_call_reload_sync(manager, kv_bus_no_options(), kv_bus_get_call_flags(bus),
                                           kv_bus_get_timeout_ms(bus), NULL, &error))
        return kv_bus_complain(NULL, error);
    status = complain_about_problems(manager);
    if (status == KV_EXIT_OK)
        report(args, "Name", "kcpvpnd", "reloaded", _("its key files are read again"));
    return status;
}
