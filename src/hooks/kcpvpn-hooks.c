/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-hook-server.h"
#include "kv-log.h"
#include "kv-signals.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SERVICE_USER       "kcpvpn"
#define DEFAULT_CONFIG_DIR "/etc/kcpvpn"

#define IDLE_MS 30000

#define FIRST_PASSED_FD 3 /* sd_listen_fds(3) */

#define EXIT_USAGE 2

static int
get_socket_option(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

/* The one socket that systemd passed, or -1 and an error. */
static int
take_socket(GError **error)
{
    g_autofree char *pid = g_strdup_printf("%d", (int) getpid());
    gboolean is_passed =
        g_strcmp0(g_getenv("LISTEN_PID"), pid) == 0 && g_strcmp0(g_getenv("LISTEN_FDS"), "1") == 0;

    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    if (is_passed && get_socket_option(FIRST_PASSED_FD, SO_DOMAIN) == AF_UNIX &&
        get_socket_option(FIRST_PASSED_FD, SO_TYPE) == SOCK_SEQPACKET &&
        get_socket_option(FIRST_PASSED_FD, SO_ACCEPTCONN) == 1) {
        fcntl(FIRST_PASSED_FD, F_SETFD, FD_CLOEXEC);
        return FIRST_PASSED_FD;
    }
    g_set_error_literal(error, KV_ERROR, KV_ERROR_FAILED,
                        "no socket was passed: this program is started by kcpvpn-hooks.socket");
    return -1;
}

static gboolean
parse_options(int *argc, char ***argv, gboolean *version, GError **error)
{
    const GOptionEntry entries[] = {
        {"version", 0, 0, G_OPTION_ARG_NONE, version, "Print the version and end", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_summary(context, "Runs hooks for kcpvpnd: see kcpvpn-hooks(8)");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc == 1)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                "\"%s\" is not allowed; kcpvpn-hooks takes options only, see --help", (*argv)[1]);
    return FALSE;
}

static int
complain(int status, const GError *error)
{
    fprintf(stderr, "kcpvpn-hooks: %s\n", error->message);
    return status;
}

static void
quit(gpointer data)
{
    g_main_loop_quit(data);
}

static gboolean
on_signal(gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_CONTINUE;
}

static void
serve(int listener)
{
    const char *config_dir = g_getenv("CONFIGURATION_DIRECTORY");
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(KvHookServer) server =
        kv_hook_server_new(listener, config_dir != NULL ? config_dir : DEFAULT_CONFIG_DIR,
                           SERVICE_USER, IDLE_MS, quit, loop);

    g_unix_signal_add(SIGTERM, on_signal, loop);
    g_unix_signal_add(SIGINT, on_signal, loop);
    g_main_loop_run(loop);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean version = FALSE;
    int listener;

    kv_signals_hold();
    if (!parse_options(&argc, &argv, &version, &error))
        return complain(EXIT_USAGE, error);
    if (version) {
        printf("kcpvpn-hooks %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    kv_signals_end_by();
    listener = take_socket(&error);
    if (listener >= 0 && geteuid() != 0)
        g_set_error_literal(&error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                            "only root can run hooks as another user");
    if (error != NULL)
        return complain(EXIT_FAILURE, error);
    kv_log_init(KV_LOG_INFO, KV_LOG_FORMAT_TEXT);
    kv_log_name_tunnels();
    serve(listener);
    return EXIT_SUCCESS;
}
