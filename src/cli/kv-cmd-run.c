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

typedef struct {
    GMainLoop *loop;
    KvTunnel *tunnel;
    GError *error;
} Run;

static KvSettings *
read_settings(KvRole role, KvArgs *args, GError **error)
{
    const char *config_file = kv_args_get(args, KV_OPTION_CONFIG);
    g_autoptr(KvSettings) settings = kv_settings_new(role);
    g_autoptr(KvSettings) flags = kv_settings_new(role);

    kv_settings_allow_any_secret(flags);
    kv_settings_allow_any_secret(settings);
    if (!kv_args_apply_settings(args, flags, error))
        return NULL;
    if (config_file != NULL && !kv_settings_load_file(settings, config_file, error))
        return NULL;
    kv_settings_merge(settings, flags);
    if (!kv_settings_load_environment(settings, error))
        return NULL;
    if (!kv_settings_load_secret_files(settings, error) || !kv_settings_validate(settings, error))
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
    KvCipher cipher;

    if (kv_settings_get_protocol(settings) != KV_PROTOCOL_V1)
        return;
    cipher = kv_settings_get_v1_cipher(settings);
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
run_tunnel(KvTunnel *tunnel, const KvArgs *args)
{
    const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP};
    guint stats_interval_s = kv_args_get_uint(args, KV_OPTION_STATS_INTERVAL, 0);
    Run run = {.loop = g_main_loop_new(NULL, FALSE), .tunnel = tunnel};
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(stop_signals); i++)
        g_unix_signal_add(stop_signals[i], stop_requested, &run);
    g_unix_signal_add(SIGUSR1, stats_requested, &run);
    signal(SIGPIPE, SIG_IGN);
    if (stats_interval_s > 0)
        g_timeout_add_seconds(stats_interval_s, stats_requested, &run);
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

static void
init_log(const KvArgs *args)
{
    const char *word = kv_args_get(args, KV_OPTION_LOG_LEVEL);
    KvLogLevel level = KV_LOG_INFO;

    if (word != NULL)
        g_return_if_fail(kv_log_level_from_string(word, &level)); /* a choice of the table */
    kv_log_init(level,
                kv_args_has(args, KV_OPTION_LOG_JSON) ? KV_LOG_FORMAT_JSON : KV_LOG_FORMAT_TEXT);
}

/* Natively all clients of a server have one interface and one socket. */
static gboolean
needs_many_files(const KvSettings *settings)
{
    return kv_settings_get_role(settings) == KV_ROLE_SERVER &&
           kv_settings_get_protocol(settings) == KV_PROTOCOL_V1;
}

static KvExit
run_settings(const KvSettings *settings, const KvArgs *args)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvEngine) engine = NULL;
    g_autoptr(KvTunnel) tunnel = NULL;

    init_log(args);
    kv_file_limit_raise(needs_many_files(settings) ? KV_FILE_LIMIT_SERVER : 0);
    engine = kv_engine_new(&error);
    if (engine != NULL)
        tunnel = kv_tunnel_new(engine, settings, &error);
    if (tunnel == NULL) {
        kv_log(KV_LOG_ERROR, "failed", NULL, NULL, "%s", error->message);
        return kv_exit_from_error(error);
    }
    warn_about_cipher(settings);
    warn_about_mtu(settings);
    return run_tunnel(tunnel, args);
}

/* What a start would find wrong before it touches the system. */
static KvExit
check_settings(const KvSettings *settings, const KvArgs *args)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvTunnelParams) params = kv_tunnel_params_new(settings, &error);
    g_autofree char *text = NULL;

    init_log(args);
    if (params == NULL || !kv_tunnel_params_check(params, &error)) {
        kv_cmd_complain(error->message);
        return kv_exit_from_error(error);
    }
    for (guint i = 0; params->warnings[i] != NULL; i++)
        kv_log(KV_LOG_WARNING, NULL, NULL, NULL, "%s", params->warnings[i]);
    text = kv_settings_format_effective(settings);
    fputs(text, stdout);
    return KV_EXIT_OK;
}

/* A file that is not there is as wrong a setting as any. */
static KvExit
exit_from_wrong_settings(const GError *error)
{
    if (g_error_matches(error, KV_ERROR, KV_ERROR_NOT_FOUND))
        return KV_EXIT_USAGE;
    return kv_exit_from_error(error);
}

KvExit
kv_cmd_run(KvRole role, KvArgs *args)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvSettings) settings = NULL;

    if (kv_args_has(args, KV_OPTION_CHECK))
        kv_signals_release();
    else
        kv_signals_end_by();
    settings = read_settings(role, args, &error);
    if (settings == NULL) {
        kv_cmd_complain(error->message);
        return exit_from_wrong_settings(error);
    }
    return kv_args_has(args, KV_OPTION_CHECK) ? check_settings(settings, args)
                                              : run_settings(settings, args);
}
