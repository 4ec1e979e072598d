/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn"

#include "kv-cmd.h"

#include "kv-error.h"
#include "kv-file-limit.h"
#include "kv-i18n.h"
#include "kv-log.h"
#include "kv-settings.h"
#include "kv-signals.h"
#include "kv-tunnel-params.h"
#include "kv-tunnel.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define HELP_WIDTH 100

/* Flags that say how to run, not what: they are no settings of a tunnel. */
typedef struct {
    char *config_file;
    gboolean check;
    gboolean help;
    gboolean log_json;
    KvLogLevel log_level;
    guint stats_interval_s;
} RunOptions;

typedef struct {
    GMainLoop *loop;
    KvTunnel *tunnel;
    GError *error;
} Run;

/* --- options ------------------------------------------------------------------------------------
 */

/* Whether @arg is the flag @name; @value gets what follows "=", or NULL. */
static gboolean
is_flag(const char *arg, const char *name, const char **value)
{
    gsize len = strlen(name);

    if (arg[0] != '-')
        return FALSE;
    arg += arg[1] == '-' ? 2 : 1;
    if (strncmp(arg, name, len) != 0 || (arg[len] != '\0' && arg[len] != '='))
        return FALSE;
    *value = arg[len] == '=' ? arg + len + 1 : NULL;
    return TRUE;
}

static gboolean
set_stats_interval(RunOptions *options, const char *text, GError **error)
{
    guint64 seconds;

    if (!g_ascii_string_to_unsigned(text, 10, 1, 86400, &seconds, NULL)) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    _("stats-interval: \"%s\" is not a number of seconds from 1 to 86400"), text);
        return FALSE;
    }
    options->stats_interval_s = (guint) seconds;
    return TRUE;
}

static gboolean
set_log_level(RunOptions *options, const char *text, GError **error)
{
    if (kv_log_level_from_string(text, &options->log_level))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                _("log-level: \"%s\" is none of error, warning, info, debug"), text);
    return FALSE;
}

static gboolean
set_config_file(RunOptions *options, const char *text, GError **error)
{
    g_free(options->config_file);
    options->config_file = g_strdup(text);
    return TRUE;
}

static const struct {
    const char *name;
    gboolean (*set)(RunOptions *options, const char *text, GError **error);
} valued_flags[] = {
    {"config", set_config_file},
    {"log-level", set_log_level},
    {"stats-interval", set_stats_interval},
};

/* Takes the flag at @argv[*@i] if it is one of ours; @taken tells. */
static gboolean
parse_run_flag(RunOptions *options, int argc, char **argv, int *i, gboolean *taken, GError **error)
{
    const char *value;

    *taken = TRUE;
    for (gsize j = 0; j < G_N_ELEMENTS(valued_flags); j++) {
        if (!is_flag(argv[*i], valued_flags[j].name, &value))
            continue;
        if (value == NULL && *i + 1 < argc)
            value = argv[++*i];
        if (value == NULL) {
            g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, _("%s: a value is missing"),
                        valued_flags[j].name);
            return FALSE;
        }
        return valued_flags[j].set(options, value, error);
    }
    if (is_flag(argv[*i], "check", &value) && value == NULL)
        options->check = TRUE;
    else if (is_flag(argv[*i], "log-json", &value) && value == NULL)
        options->log_json = TRUE;
    else if ((is_flag(argv[*i], "help", &value) || is_flag(argv[*i], "h", &value)) && value == NULL)
        options->help = TRUE;
    else
        *taken = FALSE;
    return TRUE;
}

/* Removes our own flags from @argv and leaves the settings' in. */
static gboolean
parse_run_options(RunOptions *options, int *argc, char **argv, GError **error)
{
    int kept = 0;

    options->log_level = KV_LOG_INFO;
    for (int i = 0; i < *argc; i++) {
        gboolean taken;

        if (!parse_run_flag(options, *argc, argv, &i, &taken, error))
            return FALSE;
        if (!taken)
            argv[kept++] = argv[i];
    }
    *argc = kept;
    return TRUE;
}

static void
print_help(KvRole role)
{
    g_autofree char *settings = kv_settings_format_help(role, HELP_WIDTH);

    printf(
        _("Usage: kcpvpn %s [OPTIONS]\n\n%s\nRunning:\n"
          "  --config FILE               Read settings from a .kcpvpn key file; flags win over it\n"
          "  --check                     Check and print the settings, without secrets, and end\n"
          "  --log-level LEVEL           error, warning, info or debug (default: info)\n"
          "  --log-json                  Write the log as one JSON object a line\n"
          "  --stats-interval SECONDS    Write statistics to the log at this interval\n"
          "  --help                      Print this text\n"),
        role == KV_ROLE_SERVER ? "server" : "client", settings);
}

static KvSettings *
read_settings(KvRole role, RunOptions *options, int argc, char **argv, GError **error)
{
    g_autoptr(KvSettings) settings = kv_settings_new(role);
    g_autoptr(KvSettings) flags = kv_settings_new(role);
    const char *secret_file;

    if (!kv_settings_parse_argv(flags, &argc, argv, error))
        return NULL;
    if (argc > 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    _("unknown option \"%s\"; \"kcpvpn %s --help\" lists what is allowed"), argv[0],
                    role == KV_ROLE_SERVER ? "server" : "client");
        return NULL;
    }
    if (options->config_file != NULL &&
        !kv_settings_load_file(settings, options->config_file, error))
        return NULL;
    kv_settings_merge(settings, flags);
    if (!kv_settings_load_environment(settings, error))
        return NULL;
    secret_file = kv_settings_get_string(settings, KV_SETTING_SECRET_FILE);
    if (secret_file != NULL && !kv_settings_load_secret_file(settings, secret_file, error))
        return NULL;
    if (!kv_settings_validate(settings, error))
        return NULL;
    return g_steal_pointer(&settings);
}

/* --- running
 * -------------------------------------------------------------------------------------- */

static gboolean
stop_requested(gpointer data)
{
    Run *run = data;

    kv_tunnel_stop(run->tunnel);
    return G_SOURCE_CONTINUE;
}

static gboolean
stats_requested(gpointer data)
{
    Run *run = data;

    kv_tunnel_log_stats(run->tunnel);
    return G_SOURCE_CONTINUE;
}

static void
state_changed(KvTunnel *tunnel, guint state, const GError *error, gpointer data)
{
    Run *run = data;

    if (state != KV_TUNNEL_STATE_STOPPED && state != KV_TUNNEL_STATE_FAILED)
        return;
    if (error != NULL)
        run->error = g_error_copy(error);
    g_main_loop_quit(run->loop);
}

static void
warn_about_cipher(const KvSettings *settings)
{
    KvCipher cipher = (KvCipher) kv_settings_get_choice(settings, KV_SETTING_CRYPT);

    if (kv_cipher_is_weak(cipher))
        kv_log(KV_LOG_WARNING, NULL, NULL, NULL,
               "crypt: %s protects little or nothing; choose it for compatibility only",
               kv_cipher_to_string(cipher));
}

/* The words of a connection's end are the same whether the client tries again or not. */
static const char *
get_failure_event(const GError *error)
{
    if (g_error_matches(error, KV_ERROR, KV_ERROR_REFUSED))
        return "refused";
    if (g_error_matches(error, KV_ERROR, KV_ERROR_TIMEOUT) ||
        g_error_matches(error, KV_ERROR, KV_ERROR_CONNECTION_LOST) ||
        g_error_matches(error, KV_ERROR, KV_ERROR_PROTOCOL))
        return "lost";
    return "failed";
}

static void
warn_about_mtu(const KvSettings *settings)
{
    guint mtu = (guint) kv_settings_get_uint(settings, KV_SETTING_VNI_MTU);

    if (mtu > KV_VNI_MTU_MAX)
        kv_log(KV_LOG_WARNING, NULL, NULL, NULL,
               "vni-mtu: %u is more than the protocol carries in one piece; %d is used", mtu,
               KV_VNI_MTU_MAX);
}

static KvExit
run_tunnel(KvTunnel *tunnel, const RunOptions *options)
{
    const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP};
    Run run = {.loop = g_main_loop_new(NULL, FALSE), .tunnel = tunnel};
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(stop_signals); i++)
        g_unix_signal_add(stop_signals[i], stop_requested, &run);
    g_unix_signal_add(SIGUSR1, stats_requested, &run);
    signal(SIGPIPE, SIG_IGN);
    if (options->stats_interval_s > 0)
        g_timeout_add_seconds(options->stats_interval_s, stats_requested, &run);
    g_signal_connect(tunnel, "state-changed", G_CALLBACK(state_changed), &run);
    kv_tunnel_start(tunnel);
    if (kv_tunnel_get_state(tunnel) != KV_TUNNEL_STATE_FAILED)
        g_main_loop_run(run.loop);
    g_main_loop_unref(run.loop);
    error = run.error;
    if (error == NULL)
        return KV_EXIT_OK;
    kv_log(KV_LOG_ERROR, get_failure_event(error), NULL, NULL, "%s", error->message);
    return kv_exit_from_error(error);
}

static KvExit
run_settings(const KvSettings *settings, const RunOptions *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvEngine) engine = NULL;
    g_autoptr(KvTunnel) tunnel = NULL;
    KvExit status;

    kv_log_init(options->log_level, options->log_json ? KV_LOG_FORMAT_JSON : KV_LOG_FORMAT_TEXT);
    kv_file_limit_raise(kv_settings_get_role(settings) == KV_ROLE_SERVER ? KV_FILE_LIMIT_SERVER
                                                                         : 0);
    engine = kv_engine_new(&error);
    if (engine != NULL)
        tunnel = kv_tunnel_new(engine, settings, &error);
    if (tunnel == NULL) {
        kv_log(KV_LOG_ERROR, "failed", NULL, NULL, "%s", error->message);
        return kv_exit_from_error(error);
    }
    warn_about_cipher(settings);
    warn_about_mtu(settings);
    status = run_tunnel(tunnel, options);
    return status;
}

KvExit
kv_cmd_run(KvRole role, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvSettings) settings = NULL;
    RunOptions options = {0};
    g_autofree char *config_file = NULL;
    gboolean ok = parse_run_options(&options, &argc, argv, &error);

    config_file = options.config_file;
    if (ok && !options.help && !options.check)
        kv_signals_end_by();
    else
        kv_signals_release();
    if (ok && options.help) {
        print_help(role);
        return KV_EXIT_OK;
    }
    if (ok)
        settings = read_settings(role, &options, argc, argv, &error);
    if (settings == NULL) {
        kv_cmd_complain(error->message);
        return kv_exit_from_error(error);
    }
    if (options.check) {
        g_autofree char *text = kv_settings_format_effective(settings);

        fputs(text, stdout);
        return KV_EXIT_OK;
    }
    return run_settings(settings, &options);
}
