/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-dbus-names.h"
#include "kv-i18n.h"
#include "kv-peer-settings.h"
#include "kv-print.h"
#include "kv-property.h"
#include "kv-settings.h"
#include "kv-watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "show" and "status": one tunnel, or the daemon. */

/* --- a tunnel -------------------------------------------------------------------------------- */

/* A line "label  text", unless there is nothing to say. */
static void
add_row(KvTable *table, const char *label, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    kv_table_add(table, KV_STYLE_FAINT, label);
    kv_table_add(table, KV_STYLE_PLAIN, text);
}

static void
add_state(KvTable *table, KvDbusTunnel1 *tunnel)
{
    const char *state = kv_dbus_tunnel1_get_state(tunnel);
    g_autofree char *since =
        kv_property_format_since(kv_dbus_tunnel1_get_connected_since(tunnel), g_get_real_time());
    g_autofree char *text =
        since != NULL ? g_strdup_printf(_("%s, for %s"), state, since) : g_strdup(state);

    kv_table_add(table, KV_STYLE_FAINT, _("state"));
    kv_table_add(table, kv_print_get_state_style(state), text);
    add_row(table, _("reason"), kv_dbus_tunnel1_get_reason(tunnel));
}

static void
add_details(KvTable *table, KvDbusTunnel1 *tunnel)
{
    GVariant *details = kv_dbus_tunnel1_get_details(tunnel);
    const char *protocol = NULL;
    const char *cipher = NULL;
    const char *why = NULL;
    const char *link = NULL;
    g_autofree char *cipher_text = NULL;

    if (details == NULL)
        return;
    g_variant_lookup(details, "protocol", "&s", &protocol);
    g_variant_lookup(details, "cipher", "&s", &cipher);
    g_variant_lookup(details, "cipher-reason", "&s", &why);
    g_variant_lookup(details, "link-type", "&s", &link);
    if (cipher != NULL && why != NULL)
        cipher_text = g_strdup_printf("%s, %s", cipher, why);
    add_row(table, _("protocol"), protocol);
    add_row(table, _("cipher"), cipher_text != NULL ? cipher_text : cipher);
    add_row(table, _("link"), link);
}

static void
add_network(KvTable *table, KvDbusTunnel1 *tunnel)
{
    g_autofree char *addresses =
        kv_property_format_addresses(kv_dbus_tunnel1_get_addresses(tunnel));
    g_autofree char *routes = kv_property_format_routes(kv_dbus_tunnel1_get_routes(tunnel));
    g_autofree char *dns = kv_property_format_dns(kv_dbus_tunnel1_get_dns(tunnel));
    guint mtu = kv_dbus_tunnel1_get_mtu(tunnel);
    g_autofree char *mtu_text = mtu > 0 ? g_strdup_printf("%u", mtu) : NULL;

    add_row(table, _("endpoint"), kv_dbus_tunnel1_get_endpoint(tunnel));
    add_row(table, _("interface"), kv_dbus_tunnel1_get_interface(tunnel));
    add_row(table, _("addresses"), addresses);
    add_row(table, _("routes"), routes);
    add_row(table, _("DNS"), dns);
    add_row(table, _("MTU"), mtu_text);
}

static void
add_storage(KvTable *table, KvDbusTunnel1 *tunnel)
{
    const char *const *secrets = kv_dbus_tunnel1_get_saved_secrets(tunnel);
    g_autofree char *keys = secrets != NULL ? g_strjoinv(", ", (char **) secrets) : NULL;
    const char *file = kv_dbus_tunnel1_get_file(tunnel);
    g_autofree char *where = NULL;

    if (kv_dbus_tunnel1_get_transient(tunnel))
        where = g_strdup(_("nowhere: it ends with the program that made it"));
    else if (file != NULL && file[0] != '\0')
        where = kv_dbus_tunnel1_get_read_only(tunnel)
                    ? g_strdup_printf(_("%s, which only its administrator changes"), file)
                    : g_strdup(file);
    add_row(table, _("saved in"), where);
    add_row(table, _("saved secrets"), keys);
}

static void
add_clients(KvTable *table, KvDbusTunnel1 *tunnel)
{
    const char *const *paths = kv_dbus_tunnel1_get_clients(tunnel);
    g_autofree char *text = NULL;

    if (g_strcmp0(kv_dbus_tunnel1_get_role(tunnel), "client") == 0 || paths == NULL)
        return;
    text = g_strdup_printf("%u", g_strv_length((char **) paths));
    add_row(table, _("clients"), text);
}

static void
print_general(KvDbusTunnel1 *tunnel)
{
    g_autoptr(KvTable) table = kv_table_new(2);

    kv_table_add(table, KV_STYLE_FAINT, _("name"));
    kv_table_add(table, KV_STYLE_STRONG, kv_dbus_tunnel1_get_name(tunnel));
    add_row(table, _("role"), kv_dbus_tunnel1_get_role(tunnel));
    add_state(table, tunnel);
    add_network(table, tunnel);
    add_details(table, tunnel);
    add_clients(table, tunnel);
    add_storage(table, tunnel);
    kv_table_print(table, stdout);
}

static void
print_settings(KvDbusTunnel1 *tunnel)
{
    g_autoptr(KvTable) table = kv_table_new(2);
    GVariant *settings = kv_dbus_tunnel1_get_settings(tunnel);

    /* In the order of the table of settings; a newer daemon's are with --json. */
    for (guint i = 0; i < KV_N_SETTINGS && settings != NULL; i++) {
        const char *key = kv_setting_get(i)->key;
        g_autoptr(GVariant) value = g_variant_lookup_value(settings, key, NULL);
        g_autofree char *text = value != NULL ? kv_property_format_setting(value) : NULL;

        if (i != KV_SETTING_NAME && i != KV_SETTING_ROLE)
            add_row(table, key, text);
    }
    if (kv_table_is_empty(table))
        return;
    printf("\n%s\n", _("settings"));
    kv_table_print(table, stdout);
}

/* (transfer full): what a peer has beside its public key, as "keepalive=25 local-ip=10.0.0.7". */
static char *
format_peer(GVariant *peer)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++) {
        const char *key = kv_peer_setting_get(i)->key;
        g_autoptr(GVariant) value = g_variant_lookup_value(peer, key, NULL);
        g_autofree char *shown = value != NULL ? kv_property_format_setting(value) : NULL;

        if (shown != NULL && i != KV_PEER_SETTING_PUBLIC_KEY)
            g_string_append_printf(text, "%s%s=%s", text->len > 0 ? " " : "", key, shown);
    }
    return g_string_free(text, FALSE);
}

static void
print_peers(KvDbusTunnel1 *tunnel)
{
    g_autoptr(KvTable) table = kv_table_new(3);
    g_autoptr(GVariant) peers = NULL;
    GVariantIter iter;
    const char *name;
    GVariant *peer;

    if (kv_dbus_tunnel1_get_settings(tunnel) != NULL)
        peers = g_variant_lookup_value(kv_dbus_tunnel1_get_settings(tunnel), "peers",
                                       G_VARIANT_TYPE("a{sa{sv}}"));
    if (peers == NULL || g_variant_n_children(peers) == 0)
        return;
    g_variant_iter_init(&iter, peers);
    while (g_variant_iter_loop(&iter, "{&s@a{sv}}", &name, &peer)) {
        g_autofree char *others = format_peer(peer);
        const char *key = "";

        g_variant_lookup(peer, "public-key", "&s", &key);
        kv_table_add(table, KV_STYLE_PLAIN, name);
        kv_table_add(table, KV_STYLE_PLAIN, key);
        kv_table_add(table, KV_STYLE_PLAIN, others);
    }
    printf("\n%s\n", _("peers"));
    kv_table_print(table, stdout);
}

/* (transfer full): "3 packets, 4 kB". */
static char *
format_traffic(GVariant *statistics, const char *packets_key, const char *bytes_key)
{
    g_autofree char *bytes = kv_print_format_bytes(kv_property_get_counter(statistics, bytes_key));

    return g_strdup_printf(_("%" PRIu64 " packets, %s"),
                           kv_property_get_counter(statistics, packets_key), bytes);
}

static void
add_repair(KvTable *table, GVariant *statistics)
{
    g_autofree char *again = g_strdup_printf(_("%" PRIu64 " of %" PRIu64 " segments"),
                                             kv_property_get_counter(statistics, "retransmits"),
                                             kv_property_get_counter(statistics, "segments-sent"));
    g_autofree char *fec = g_strdup_printf(_("%" PRIu64 " sent, %" PRIu64 " repaired"),
                                           kv_property_get_counter(statistics, "fec-parity-sent"),
                                           kv_property_get_counter(statistics, "fec-recovered"));

    add_row(table, _("sent again"), again);
    add_row(table, _("FEC"), fec);
}

static void
add_path(KvTable *table, GVariant *statistics)
{
    guint64 rtt_us = kv_property_get_counter(statistics, "rtt-us");
    g_autofree char *rtt =
        rtt_us > 0 ? g_strdup_printf(_("%.1f ms"), (double) rtt_us / 1000) : NULL;
    g_autofree char *loss = kv_property_format_loss(statistics);

    add_row(table, _("round trip"), rtt);
    add_row(table, _("loss"), loss);
}

/* Of a server or a peer that speaks the native protocol, once somebody came. */
static void
add_handshakes(KvTable *table, GVariant *statistics)
{
    guint64 opened = kv_property_get_counter(statistics, "handshakes-opened");
    guint64 cookies = kv_property_get_counter(statistics, "cookie-replies");
    g_autofree char *text = NULL;

    if (opened > 0 || cookies > 0)
        text =
            g_strdup_printf(_("%" PRIu64 " opened, %" PRIu64 " told to prove their address first"),
                            opened, cookies);
    add_row(table, _("handshakes"), text);
}

static void
print_statistics(KvDbusTunnel1 *tunnel)
{
    GVariant *statistics = kv_dbus_tunnel1_get_statistics(tunnel);
    g_autoptr(KvTable) table = kv_table_new(2);
    g_autofree char *received = NULL;
    g_autofree char *sent = NULL;
    g_autofree char *wire_received = NULL;
    g_autofree char *wire_sent = NULL;
    g_autofree char *drops = NULL;

    if (statistics == NULL || g_variant_n_children(statistics) == 0)
        return;
    received = format_traffic(statistics, "rx-packets", "rx-bytes");
    sent = format_traffic(statistics, "tx-packets", "tx-bytes");
    wire_received = format_traffic(statistics, "wire-rx-datagrams", "wire-rx-bytes");
    wire_sent = format_traffic(statistics, "wire-tx-datagrams", "wire-tx-bytes");
    drops = kv_property_format_drops(statistics);
    add_row(table, _("received"), received);
    add_row(table, _("sent"), sent);
    add_row(table, _("UDP received"), wire_received);
    add_row(table, _("UDP sent"), wire_sent);
    add_path(table, statistics);
    add_repair(table, statistics);
    add_handshakes(table, statistics);
    add_row(table, _("dropped"), drops);
    printf("\n%s\n", _("statistics"));
    kv_table_print(table, stdout);
}

static KvExit
get_state_exit(KvDbusTunnel1 *tunnel)
{
    return g_strcmp0(kv_dbus_tunnel1_get_state(tunnel), KV_DBUS_STATE_CONNECTED) == 0
               ? KV_EXIT_OK
               : KV_EXIT_NOT_CONNECTED;
}

static void
print_tunnel(const KvArgs *args, KvDbusTunnel1 *tunnel, gboolean settings)
{
    g_autoptr(GVariant) object = NULL;

    if (kv_args_has(args, KV_OPTION_JSON)) {
        object = g_variant_ref_sink(kv_bus_describe(G_DBUS_PROXY(tunnel)));
        kv_print_json(stdout, object);
        return;
    }
    print_general(tunnel);
    if (settings) {
        print_settings(tunnel);
        print_peers(tunnel);
    }
    print_statistics(tunnel);
}

/* --- the daemon ------------------------------------------------------------------------------ */

static guint
count_connected(GPtrArray *tunnels)
{
    guint n = 0;

    for (guint i = 0; i < tunnels->len; i++)
        n += get_state_exit(g_ptr_array_index(tunnels, i)) == KV_EXIT_OK;
    return n;
}

static guint
count_clients(GPtrArray *tunnels)
{
    guint n = 0;

    for (guint i = 0; i < tunnels->len; i++) {
        const char *const *paths = kv_dbus_tunnel1_get_clients(g_ptr_array_index(tunnels, i));

        n += paths != NULL ? g_strv_length((char **) paths) : 0;
    }
    return n;
}

static void
print_daemon(const KvBus *bus)
{
    KvDbusManager1 *manager = kv_bus_get_manager(bus);
    g_autoptr(GPtrArray) tunnels = kv_bus_list_tunnels(bus);
    g_autoptr(KvTable) table = kv_table_new(2);
    g_autofree char *text =
        g_strdup_printf(_("%u, of which %u connected"), tunnels->len, count_connected(tunnels));
    g_autofree char *clients = g_strdup_printf("%u", count_clients(tunnels));
    GVariant *problems = kv_dbus_manager1_get_problems(manager);

    add_row(table, _("version"), kv_dbus_manager1_get_version(manager));
    add_row(table, _("tunnels"), text);
    add_row(table, _("clients"), clients);
    for (gsize i = 0; problems != NULL && i < g_variant_n_children(problems); i++) {
        g_autofree char *problem = kv_property_format_problem(problems, i);

        kv_table_add(table, KV_STYLE_BAD, _("problem"));
        kv_table_add(table, KV_STYLE_PLAIN, problem);
    }
    kv_table_print(table, stdout);
}

static void
show_daemon(const KvBus *bus, const KvArgs *args)
{
    g_autoptr(GVariant) object = NULL;

    if (!kv_args_has(args, KV_OPTION_JSON)) {
        print_daemon(bus);
        return;
    }
    object = g_variant_ref_sink(kv_bus_describe(G_DBUS_PROXY(kv_bus_get_manager(bus))));
    kv_print_json(stdout, object);
}

/* --- both ------------------------------------------------------------------------------------ */

static gboolean
check_watch(const KvArgs *args)
{
    gboolean watch = kv_args_has(args, KV_OPTION_WATCH);

    if (watch && kv_args_get_n_operands(args) == 0)
        kv_cmd_complain(_("--watch: which tunnel?"));
    else if (!watch && kv_args_has(args, KV_OPTION_INTERVAL))
        kv_cmd_complain(_("--interval goes with --watch only"));
    else
        return TRUE;
    return FALSE;
}

static void
refresh(KvDbusTunnel1 *tunnel)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();

    g_ptr_array_add(one, tunnel);
    kv_bus_refresh(one);
}

/* Shows the tunnel or, without one, the daemon. */
static KvExit
show(KvArgs *args, gboolean settings)
{
    const char *name = kv_args_get_operand(args, 0);
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = NULL;
    g_autoptr(KvDbusTunnel1) tunnel = NULL;

    if (!check_watch(args))
        return KV_EXIT_USAGE;
    bus = kv_bus_open(args, KV_BUS_READ, &status);
    if (bus == NULL)
        return status;
    if (name == NULL) {
        show_daemon(bus, args);
        return KV_EXIT_OK;
    }
    tunnel = kv_bus_find_tunnel(bus, name);
    if (tunnel == NULL)
        return KV_EXIT_NOT_FOUND;
    if (kv_args_has(args, KV_OPTION_WATCH))
        return kv_watch_run(bus, args, tunnel);
    refresh(tunnel);
    print_tunnel(args, tunnel, settings);
    return settings ? KV_EXIT_OK : get_state_exit(tunnel);
}

KvExit
kv_cmd_show(KvArgs *args)
{
    return show(args, TRUE);
}

KvExit
kv_cmd_status(KvArgs *args)
{
    return show(args, FALSE);
}
