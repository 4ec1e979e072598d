/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpnd"

#include "kv-daemon.h"
#include "kv-error.h"
#include "kv-file-limit.h"
#include "kv-log.h"
#include "kv-notify.h"
#include "kv-privileges.h"
#include "kv-signals.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    GMainLoop *loop;
    KvDaemon *daemon;
    gboolean stopping;
    int status;
} Main;

static void
stopped(gpointer data, gboolean clean)
{
    Main *self = data;

    if (!clean)
        self->status = EXIT_FAILURE;
    g_main_loop_quit(self->loop);
    if (!clean)
        self->daemon = NULL; /* still in use: the end of the process takes it */
}

static void
stop(Main *self)
{
    if (self->stopping)
        return;
    self->stopping = TRUE;
    kv_daemon_stop(self->daemon, stopped, self);
}

static gboolean
stop_requested(gpointer data)
{
    stop(data);
    return G_SOURCE_CONTINUE;
}

static gboolean
reload_requested(gpointer data)
{
    Main *self = data;

    kv_daemon_reload(self->daemon);
    return G_SOURCE_CONTINUE;
}

static void
failed(gpointer data)
{
    Main *self = data;

    self->status = EXIT_FAILURE;
    stop(self);
}

static int
run(void)
{
    g_autoptr(GError) error = NULL;
    Main self = {.status = EXIT_SUCCESS};

    self.daemon = kv_daemon_new(failed, &self, &error);
    if (self.daemon == NULL) {
        kv_log(KV_LOG_ERROR, "failed", NULL, NULL, "%s", error->message);
        return EXIT_FAILURE;
    }
    self.loop = g_main_loop_new(NULL, FALSE);
    signal(SIGPIPE, SIG_IGN);
    g_unix_signal_add(SIGTERM, stop_requested, &self);
    g_unix_signal_add(SIGINT, stop_requested, &self);
    g_unix_signal_add(SIGHUP, reload_requested, &self);
    kv_notify_start_watchdog();
    kv_daemon_start(self.daemon);
    g_main_loop_run(self.loop);
    kv_daemon_free(self.daemon);
    g_main_loop_unref(self.loop);
    return self.status;
}

/* Answers "--version", and takes the log's level. */
static gboolean
parse_options(int argc, char **argv, KvLogLevel *level, gboolean *version, GError **error)
{
    g_autofree char *word = NULL;
    const GOptionEntry entries[] = {
        {"log-level", 0, 0, G_OPTION_ARG_STRING, &word,
         "The least important lines to log: error, warning, info or debug", "LEVEL"},
        {"version", 0, 0, G_OPTION_ARG_NONE, version, "Print the version and end", NULL},
        {0},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_summary(context, "The system service of kcpvpn: see kcpvpnd(8)");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error))
        return FALSE;
    if (argc > 1) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                    "\"%s\" is not allowed; kcpvpnd takes options only, see --help", argv[1]);
        return FALSE;
    }
    *level = KV_LOG_INFO;
    if (word == NULL || kv_log_level_from_string(word, level))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                "log-level: \"%s\" is none of error, warning, info, debug", word);
    return FALSE;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    gboolean version = FALSE;
    KvLogLevel level;

    kv_signals_hold();
    if (!parse_options(argc, argv, &level, &version, &error)) {
        fprintf(stderr, "kcpvpnd: %s\n", error->message);
        return 2;
    }
    if (version) {
        printf("kcpvpnd %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    kv_signals_end_by();
    kv_log_init(level, KV_LOG_FORMAT_TEXT);
    kv_log_name_tunnels();
    kv_file_limit_raise(KV_FILE_LIMIT_SERVER);
    if (!kv_privileges_drop(&error)) {
        kv_log(KV_LOG_ERROR, "failed", NULL, NULL, "%s", error->message);
        return EXIT_FAILURE;
    }
    return run();
}
