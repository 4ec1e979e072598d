/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "nm-kcpvpn"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-nm-log.h"
#include "kv-nm-names.h"
#include "kv-nm-service.h"
#include "kv-signals.h"

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* The program that NetworkManager starts for a connection, by the file nm-kcpvpn-service.name. */

typedef struct {
    char *bus_name;
    gboolean persist;
    gboolean debug;
    gboolean version;
} Options;

static gboolean
parse_options(int argc, char **argv, Options *options, GError **error)
{
    const GOptionEntry entries[] = {
        {"bus-name", 0, 0, G_OPTION_ARG_STRING, &options->bus_name,
         N_("Bus name to own, one for each connection"), N_("NAME")},
        {"persist", 0, 0, G_OPTION_ARG_NONE, &options->persist,
         N_("Stay when a connection has ended"), NULL},
        {"debug", 0, 0, G_OPTION_ARG_NONE, &options->debug,
         N_("Log everything to the terminal, and stay when the caller goes"), NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, N_("Print the version and end"),
         NULL},
        {0},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_translation_domain(context, GETTEXT_PACKAGE);
    g_option_context_set_summary(
        context, _("Connects NetworkManager with the kcpvpn system service. NetworkManager starts "
                   "it; by hand it is of use for looking into a problem."));
    g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
    if (!g_option_context_parse(context, &argc, &argv, error))
        return FALSE;
    if (argc > 1) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                    _("\"%s\" is not allowed; only options are, see --help"), argv[1]);
        return FALSE;
    }
    if (options->bus_name == NULL)
        options->bus_name = g_strdup(KV_NM_SERVICE);
    if (g_dbus_is_name(options->bus_name) && !g_dbus_is_unique_name(options->bus_name))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                _("bus-name: \"%s\" is not allowed; allowed: a name such as %s"), options->bus_name,
                KV_NM_SERVICE);
    return FALSE;
}

static gboolean
end_requested(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

static void
state_changed(NMVpnServicePlugin *plugin, guint state, gpointer loop)
{
    if (state == NM_VPN_SERVICE_STATE_STOPPED)
        g_main_loop_quit(loop);
}

static int
run(const Options *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvNmService) service = kv_nm_service_new(options->bus_name, !options->debug, &error);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GDBusConnection) bus = NULL;

    if (service == NULL) {
        g_warning("cannot own %s: %s", options->bus_name, error->message);
        return EXIT_FAILURE;
    }
    bus = g_object_ref(nm_vpn_service_plugin_get_connection(NM_VPN_SERVICE_PLUGIN(service)));
    if (!options->persist) {
        g_signal_connect(service, "state-changed", G_CALLBACK(state_changed), loop);
        /* Of libnm, when nobody has connected for long. */
        g_signal_connect_swapped(service, "quit", G_CALLBACK(g_main_loop_quit), loop);
    }
    g_unix_signal_add(SIGTERM, end_requested, loop);
    g_unix_signal_add(SIGINT, end_requested, loop);
    g_main_loop_run(loop);
    kv_nm_service_stop(service);
    nm_vpn_service_plugin_shutdown(NM_VPN_SERVICE_PLUGIN(service));
    /* The last signals are on their way; if the bus is gone, nobody waits for them. */
    (void) g_dbus_connection_flush_sync(bus, NULL, NULL);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Options options = {0};
    int status;

    kv_signals_hold();
    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, KV_LOCALE_DIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    if (!parse_options(argc, argv, &options, &error)) {
        fprintf(stderr, "nm-kcpvpn-service: %s\n", error->message);
        g_free(options.bus_name);
        return 2;
    }
    kv_signals_end_by();
    signal(SIGPIPE, SIG_IGN);
    if (options.version) {
        printf("nm-kcpvpn-service %s\n", PACKAGE_VERSION);
        status = EXIT_SUCCESS;
    } else {
        kv_nm_log_init(options.debug);
        status = run(&options);
    }
    g_free(options.bus_name);
    return status;
}
