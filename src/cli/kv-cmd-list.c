/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-i18n.h"
#include "kv-print.h"
#include "kv-property.h"

#include <stdio.h>
#include <string.h>

/* "list" and "clients": what there is. */

static void
print_word(const char *word)
{
    g_autoptr(GString) line = g_string_new(NULL);

    kv_print_append(line, KV_STYLE_PLAIN, FALSE, word);
    puts(line->str);
}

static void
print_described(GPtrArray *proxies)
{
    GVariantBuilder builder;
    g_autoptr(GVariant) list = NULL;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < proxies->len; i++)
        g_variant_builder_add_value(&builder, kv_bus_describe(g_ptr_array_index(proxies, i)));
    list = g_variant_ref_sink(g_variant_builder_end(&builder));
    kv_print_json(stdout, list);
}

/* --- list ------------------------------------------------------------------------------------ */

static void
add_tunnel(KvTable *table, KvDbusTunnel1 *tunnel, gint64 now_us)
{
    const char *state = kv_dbus_tunnel1_get_state(tunnel);
    gboolean client = g_strcmp0(kv_dbus_tunnel1_get_role(tunnel), "client") == 0;
    const char *const *paths = kv_dbus_tunnel1_get_clients(tunnel);
    guint n_clients = paths != NULL ? g_strv_length((char **) paths) : 0;
    g_autofree char *clients = client ? NULL : g_strdup_printf("%u", n_clients);
    g_autofree char *since =
        kv_property_format_since(kv_dbus_tunnel1_get_connected_since(tunnel), now_us);
    g_autofree char *addresses =
        kv_property_format_addresses(kv_dbus_tunnel1_get_addresses(tunnel));
    const char *endpoint = kv_dbus_tunnel1_get_endpoint(tunnel);

    kv_table_add(table, KV_STYLE_STRONG, kv_dbus_tunnel1_get_name(tunnel));
    kv_table_add(table, KV_STYLE_PLAIN, kv_dbus_tunnel1_get_role(tunnel));
    kv_table_add(table, kv_print_get_state_style(state), state);
    kv_table_add(table, KV_STYLE_PLAIN, since);
    kv_table_add(table, KV_STYLE_PLAIN, endpoint != NULL && endpoint[0] != '\0' ? endpoint : NULL);
    kv_table_add(table, KV_STYLE_PLAIN, addresses);
    kv_table_add(table, KV_STYLE_PLAIN, clients);
    kv_table_add(table, KV_STYLE_PLAIN, kv_dbus_tunnel1_get_reason(tunnel));
}

static void
print_tunnels(GPtrArray *tunnels)
{
    g_autoptr(KvTable) table = kv_table_new(8);

    if (tunnels->len == 0) {
        puts(_("There are no tunnels; \"kcpvpn add\" and \"kcpvpn import\" make some."));
        return;
    }
    kv_table_set_heading(table, 0, _("NAME"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 1, _("ROLE"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 2, _("STATE"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 3, _("SINCE"), KV_ALIGN_RIGHT);
    kv_table_set_heading(table, 4, _("ENDPOINT"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 5, _("ADDRESSES"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 6, _("CLIENTS"), KV_ALIGN_RIGHT);
    kv_table_set_heading(table, 7, _("REASON"), KV_ALIGN_LEFT);
    for (guint i = 0; i < tunnels->len; i++)
        add_tunnel(table, g_ptr_array_index(tunnels, i), g_get_real_time());
    kv_table_print(table, stdout);
}

KvExit
kv_cmd_list(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_READ, &status);
    g_autoptr(GPtrArray) tunnels = NULL;

    if (bus == NULL)
        return status;
    tunnels = kv_bus_list_tunnels(bus);
    if (kv_args_has(args, KV_OPTION_JSON)) {
        kv_bus_refresh(tunnels);
        print_described(tunnels);
    } else if (kv_args_has(args, KV_OPTION_NAMES)) {
        for (guint i = 0; i < tunnels->len; i++)
            print_word(kv_dbus_tunnel1_get_name(g_ptr_array_index(tunnels, i)));
    } else {
        print_tunnels(tunnels);
    }
    return KV_EXIT_OK;
}

/* --- clients --------------------------------------------------------------------------------- */

/* (transfer full) (nullable): the smoothed round trip, as text. */
static char *
format_rtt(GVariant *statistics)
{
    guint64 rtt_us = kv_property_get_counter(statistics, "rtt-us");

    return rtt_us > 0 ? g_strdup_printf(_("%.1f ms"), (double) rtt_us / 1000) : NULL;
}

static void
add_client(KvTable *table, KvDbusClient1 *client, const char *tunnel, gint64 now_us)
{
    GVariant *statistics = kv_dbus_client1_get_statistics(client);
    const char *id = kv_dbus_client1_get_id(client);
    g_autofree char *addresses =
        kv_property_format_addresses(kv_dbus_client1_get_addresses(client));
    g_autofree char *since =
        kv_property_format_since(kv_dbus_client1_get_connected_since(client), now_us);
    g_autofree char *received =
        kv_print_format_bytes(kv_property_get_counter(statistics, "rx-bytes"));
    g_autofree char *sent = kv_print_format_bytes(kv_property_get_counter(statistics, "tx-bytes"));
    g_autofree char *rtt = format_rtt(statistics);

    kv_table_add(table, KV_STYLE_PLAIN, tunnel);
    kv_table_add(table, KV_STYLE_STRONG, id != NULL && id[0] != '\0' ? id : NULL);
    kv_table_add(table, KV_STYLE_PLAIN, addresses);
    kv_table_add(table, KV_STYLE_PLAIN, kv_dbus_client1_get_interface(client));
    kv_table_add(table, KV_STYLE_PLAIN, kv_dbus_client1_get_remote_address(client));
    kv_table_add(table, KV_STYLE_PLAIN, since);
    kv_table_add(table, KV_STYLE_PLAIN, received);
    kv_table_add(table, KV_STYLE_PLAIN, sent);
    kv_table_add(table, KV_STYLE_PLAIN, rtt);
}

static void
set_client_headings(KvTable *table)
{
    kv_table_set_heading(table, 0, _("TUNNEL"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 1, _("CLIENT"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 2, _("ADDRESSES"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 3, _("INTERFACE"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 4, _("REMOTE"), KV_ALIGN_LEFT);
    kv_table_set_heading(table, 5, _("SINCE"), KV_ALIGN_RIGHT);
    kv_table_set_heading(table, 6, _("RECEIVED"), KV_ALIGN_RIGHT);
    kv_table_set_heading(table, 7, _("SENT"), KV_ALIGN_RIGHT);
    kv_table_set_heading(table, 8, _("RTT"), KV_ALIGN_RIGHT);
}

static void
print_clients(const KvBus *bus, GPtrArray *tunnels)
{
    g_autoptr(KvTable) table = kv_table_new(9);

    set_client_headings(table);
    for (guint i = 0; i < tunnels->len; i++) {
        KvDbusTunnel1 *tunnel = g_ptr_array_index(tunnels, i);
        g_autoptr(GPtrArray) clients = kv_bus_list_clients(bus, tunnel);

        for (guint j = 0; j < clients->len; j++)
            add_client(table, g_ptr_array_index(clients, j), kv_dbus_tunnel1_get_name(tunnel),
                       g_get_real_time());
    }
    if (kv_table_is_empty(table))
        puts(_("No client is connected."));
    else
        kv_table_print(table, stdout);
}

/* (transfer full): the clients of all @tunnels. */
static GPtrArray *
collect_clients(const KvBus *bus, GPtrArray *tunnels)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint i = 0; i < tunnels->len; i++) {
        GPtrArray *clients = kv_bus_list_clients(bus, g_ptr_array_index(tunnels, i));

        g_ptr_array_extend_and_steal(all, clients);
    }
    return all;
}

static void
print_ids(GPtrArray *clients)
{
    for (guint i = 0; i < clients->len; i++) {
        const char *id = kv_dbus_client1_get_id(g_ptr_array_index(clients, i));

        if (id != NULL && id[0] != '\0')
            print_word(id);
    }
}

/* (transfer full) (nullable): the tunnel that was named, or all; NULL: complained about. */
static GPtrArray *
choose_tunnels(const KvBus *bus, const KvArgs *args)
{
    const char *name = kv_args_get_operand(args, 0);
    GPtrArray *tunnels;
    KvDbusTunnel1 *tunnel;

    if (name == NULL)
        return kv_bus_list_tunnels(bus);
    tunnel = kv_bus_find_tunnel(bus, name);
    if (tunnel == NULL)
        return NULL;
    tunnels = g_ptr_array_new_with_free_func(g_object_unref);
    g_ptr_array_add(tunnels, tunnel);
    return tunnels;
}

KvExit
kv_cmd_clients(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_READ, &status);
    g_autoptr(GPtrArray) tunnels = bus != NULL ? choose_tunnels(bus, args) : NULL;
    g_autoptr(GPtrArray) clients = NULL;

    if (bus == NULL)
        return status;
    if (tunnels == NULL)
        return KV_EXIT_NOT_FOUND;
    clients = collect_clients(bus, tunnels);
    if (!kv_args_has(args, KV_OPTION_IDS))
        kv_bus_refresh(clients);
    if (kv_args_has(args, KV_OPTION_JSON))
        print_described(clients);
    else if (kv_args_has(args, KV_OPTION_IDS))
        print_ids(clients);
    else
        print_clients(bus, tunnels);
    return KV_EXIT_OK;
}
