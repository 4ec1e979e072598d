/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-watch.h"

#include "kv-i18n.h"
#include "kv-live.h"
#include "kv-print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_DEFAULT_MS 1000

/* Up to the beginning of the @n-th line above, and clear from there on. */
#define REWIND "\x1b[%uF\x1b[J"

typedef struct {
    const KvBus *bus;
    const KvArgs *args;
    KvDbusTunnel1 *tunnel;
    KvLive *live;
    GMainLoop *loop;
    gboolean in_place;
    guint n_lines; /* of the view that stands on the terminal */
    KvExit status;
} Watch;

static KvLiveTitle
get_title(const Watch *watch)
{
    const char *reason = kv_dbus_tunnel1_get_reason(watch->tunnel);

    return (KvLiveTitle){
        .name = kv_dbus_tunnel1_get_name(watch->tunnel),
        .state = kv_dbus_tunnel1_get_state(watch->tunnel),
        .reason = reason != NULL ? reason : "",
    };
}

static guint
count_lines(const char *text)
{
    guint n = 0;

    for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n'))
        n++;
    return n;
}

static void
draw(Watch *watch)
{
    KvLiveTitle title = get_title(watch);
    g_autofree char *text =
        kv_live_format(watch->live, &title, kv_print_wants_colour(stdout), g_get_charset(NULL));

    if (watch->n_lines > 0)
        printf(REWIND, watch->n_lines);
    fputs(text, stdout);
    watch->n_lines = count_lines(text);
}

static void
print_object(const Watch *watch)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format_iso8601(now);
    GVariant *statistics = kv_dbus_tunnel1_get_statistics(watch->tunnel);
    g_autoptr(GVariant) object = NULL;
    g_autofree char *line = NULL;
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "Time", g_variant_new_string(time));
    g_variant_builder_add(&builder, "{sv}", "Name",
                          g_variant_new_string(kv_dbus_tunnel1_get_name(watch->tunnel)));
    g_variant_builder_add(&builder, "{sv}", "State",
                          g_variant_new_string(kv_dbus_tunnel1_get_state(watch->tunnel)));
    if (statistics != NULL)
        g_variant_builder_add(&builder, "{sv}", "Statistics", statistics);
    object = g_variant_ref_sink(g_variant_builder_end(&builder));
    line = kv_print_format_json(object, FALSE);
    puts(line);
}

static void
print_line(const Watch *watch)
{
    KvLiveTitle title = get_title(watch);
    g_autofree char *line = kv_live_format_line(watch->live, &title);

    puts(line);
}

static void
show_now(Watch *watch)
{
    if (kv_args_has(watch->args, KV_OPTION_JSON))
        print_object(watch);
    else if (watch->in_place)
        draw(watch);
    else
        print_line(watch);
    fflush(stdout);
}

static void
properties_changed(GDBusProxy *proxy, GVariant *changed, char **invalidated, gpointer data)
{
    Watch *watch = data;
    g_autoptr(GVariant) statistics = g_variant_lookup_value(changed, "Statistics", NULL);

    if (statistics != NULL)
        kv_live_update(watch->live, statistics, g_get_monotonic_time());
    if (statistics != NULL || watch->in_place)
        show_now(watch);
}

static void
object_removed(GDBusObjectManager *objects, GDBusObject *object, gpointer data)
{
    Watch *watch = data;

    if (strcmp(g_dbus_object_get_object_path(object),
               g_dbus_proxy_get_object_path(G_DBUS_PROXY(watch->tunnel))) != 0)
        return;
    if (kv_bus_is_connected(watch->bus)) {
        kv_cmd_complain(_("the tunnel was deleted"));
        watch->status = KV_EXIT_NOT_FOUND;
    } else {
        kv_cmd_complain(_("the daemon went away"));
        watch->status = KV_EXIT_NO_DAEMON;
    }
    g_main_loop_quit(watch->loop);
}

/* Returns: FALSE: it has been complained about. */
static gboolean
begin(Watch *watch)
{
    guint interval_ms = kv_args_get_uint(watch->args, KV_OPTION_INTERVAL, INTERVAL_DEFAULT_MS);
    g_autoptr(GError) error = NULL;

    if (kv_dbus_tunnel1_call_watch_sync(watch->tunnel, interval_ms, kv_bus_no_options(),
                                        kv_bus_get_call_flags(watch->bus),
                                        kv_bus_get_timeout_ms(watch->bus), NULL, &error))
        return TRUE;
    watch->status = kv_bus_complain(kv_dbus_tunnel1_get_name(watch->tunnel), error);
    return FALSE;
}

KvExit
kv_watch_run(const KvBus *bus, const KvArgs *args, KvDbusTunnel1 *tunnel)
{
    g_autoptr(KvLive) live = kv_live_new();
    Watch watch = {.bus = bus,
                   .args = args,
                   .tunnel = tunnel,
                   .live = live,
                   .in_place = isatty(STDOUT_FILENO) && !kv_args_has(args, KV_OPTION_JSON),
                   .status = KV_EXIT_OK};

    if (!begin(&watch))
        return watch.status;
    watch.loop = g_main_loop_new(NULL, FALSE);
    g_signal_connect(tunnel, "g-properties-changed", G_CALLBACK(properties_changed), &watch);
    g_signal_connect(kv_bus_get_objects(bus), "object-removed", G_CALLBACK(object_removed), &watch);
    kv_live_update(live, kv_dbus_tunnel1_get_statistics(tunnel), g_get_monotonic_time());
    if (watch.in_place)
        show_now(&watch);
    g_main_loop_run(watch.loop); /* a signal ends the program */
    g_signal_handlers_disconnect_by_data(tunnel, &watch);
    g_signal_handlers_disconnect_by_data(kv_bus_get_objects(bus), &watch);
    g_main_loop_unref(watch.loop);
    return watch.status;
}
