/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-ask.h"
#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-print.h"
#include "kv-property.h"
#include "kv-settings.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* "up": starts a tunnel, and stays until it is connected or has failed. */

#define WAIT_DEFAULT_S 90

typedef struct {
    const KvArgs *args;
    const KvBus *bus;
    KvDbusTunnel1 *tunnel;
    GMainLoop *loop;
    KvExit status;
} Up;

/* --- the secret ------------------------------------------------------------------------------ */

static KvRole
get_role(KvDbusTunnel1 *tunnel)
{
    KvRole role = KV_ROLE_CLIENT;

    kv_role_from_string(kv_dbus_tunnel1_get_role(tunnel), &role);
    return role;
}

/* Whether the daemon has no secret for the tunnel, knows none to read, and needs one: no tunnel
 * with keys. */
static gboolean
lacks_secret(KvDbusTunnel1 *tunnel)
{
    static const KvSettingId others[] = {KV_SETTING_SECRET, KV_SETTING_SECRET_FILE,
                                         KV_SETTING_PRIVATE_KEY, KV_SETTING_PRIVATE_KEY_FILE,
                                         KV_SETTING_PUBLIC_KEY};
    const char *const *saved = kv_dbus_tunnel1_get_saved_secrets(tunnel);
    GVariant *settings = kv_dbus_tunnel1_get_settings(tunnel);

    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        const char *key = kv_setting_get(others[i])->key;
        g_autoptr(GVariant) value = NULL;

        if (settings != NULL)
            value = g_variant_lookup_value(settings, key, NULL);
        if (value != NULL || (saved != NULL && g_strv_contains(saved, key)))
            return FALSE;
    }
    return get_role(tunnel) != KV_ROLE_PEER;
}

static gboolean
ask_for_secret(KvDbusTunnel1 *tunnel, KvSettings *settings, GError **error)
{
    g_autofree char *prompt =
        g_strdup_printf(_("Secret of %s: "), kv_dbus_tunnel1_get_name(tunnel));
    g_autoptr(KvSecret) secret = kv_ask_secret(prompt, error);
    char *text;
    gboolean ok;

    if (secret == NULL)
        return FALSE;
    text = g_strndup((const char *) kv_secret_get_data(secret), kv_secret_get_length(secret));
    ok = kv_settings_set_text(settings, KV_SETTING_SECRET, text, error);
    kv_secret_wipe_string(text);
    g_free(text);
    return ok;
}

/* Finds the secret for this start, if the caller has to give one, and puts it into @settings. */
static gboolean
get_secret(const Up *up, KvSettings *settings, GError **error)
{
    const char *file = kv_args_get(up->args, KV_OPTION_SECRET_FILE);

    if (file != NULL)
        return kv_settings_load_secret_file(settings, file, error);
    if (!kv_settings_load_environment(settings, error))
        return FALSE;
    if (kv_settings_is_set(settings, KV_SETTING_SECRET) || !lacks_secret(up->tunnel))
        return TRUE;
    /* Without a terminal the daemon says what is missing. */
    if (kv_args_has(up->args, KV_OPTION_NO_ASK) || !kv_ask_is_possible())
        return TRUE;
    return ask_for_secret(up->tunnel, settings, error);
}

/* (transfer floating): the options of Start. */
static GVariant *
make_options(const KvSettings *settings)
{
    const KvSecret *secret = kv_settings_get_secret(settings, KV_SETTING_SECRET);
    GVariantDict secrets;
    GVariantDict options;
    char *text;

    g_variant_dict_init(&options, NULL);
    if (secret == NULL)
        return g_variant_dict_end(&options);
    text = g_strndup((const char *) kv_secret_get_data(secret), kv_secret_get_length(secret));
    g_variant_dict_init(&secrets, NULL);
    g_variant_dict_insert(&secrets, kv_setting_get(KV_SETTING_SECRET)->key, "s", text);
    kv_secret_wipe_string(text);
    g_free(text);
    g_variant_dict_insert_value(&options, KV_DBUS_OPTION_SECRETS, g_variant_dict_end(&secrets));
    return g_variant_dict_end(&options);
}

/* --- how it goes on -------------------------------------------------------------------------- */

static void
print_text(const Up *up, const char *text)
{
    g_autoptr(GString) line = g_string_new(NULL);

    kv_print_append(line, KV_STYLE_PLAIN, FALSE, kv_dbus_tunnel1_get_name(up->tunnel));
    g_string_append(line, ": ");
    kv_print_append(line, KV_STYLE_PLAIN, FALSE, text);
    puts(line->str);
    fflush(stdout);
}

/* The state by which the bus calls it ends up in the properties only when the loop runs. */
static void
print_connected(const Up *up)
{
    gboolean listens = get_role(up->tunnel) != KV_ROLE_CLIENT;
    const char *interface = kv_dbus_tunnel1_get_interface(up->tunnel);
    g_autofree char *addresses =
        kv_property_format_addresses(kv_dbus_tunnel1_get_addresses(up->tunnel));
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_printf(text, listens ? _("listening on %s") : _("connected to %s"),
                           kv_dbus_tunnel1_get_endpoint(up->tunnel));
    if (interface != NULL && interface[0] != '\0')
        g_string_append_printf(text, _(", interface %s"), interface);
    if (addresses != NULL)
        g_string_append_printf(text, _(", address %s"), addresses);
    print_text(up, text->str);
}

static void
print_object(const Up *up)
{
    g_autoptr(GVariant) object = g_variant_ref_sink(kv_bus_describe(G_DBUS_PROXY(up->tunnel)));

    kv_print_json(stdout, object);
}

/* The exit status that the foreground client would have, by the error's name on the bus. */
static KvExit
get_failure_exit(KvDbusTunnel1 *tunnel)
{
    const char *name = kv_dbus_tunnel1_get_reason_error(tunnel);
    g_autoptr(GError) error = NULL;

    if (name == NULL || name[0] == '\0')
        return KV_EXIT_FAILURE;
    error = g_dbus_error_new_for_dbus_error(name, "");
    return kv_exit_from_error(error);
}

static void
finish(Up *up, KvExit status)
{
    up->status = status;
    g_main_loop_quit(up->loop);
}

static void
complain(const Up *up, const char *text)
{
    g_autofree char *message =
        g_strdup_printf("%s: %s", kv_dbus_tunnel1_get_name(up->tunnel), text);

    kv_cmd_complain(message);
}

static void
state_changed(KvDbusTunnel1 *tunnel, const char *state, const char *old_state, const char *reason,
              gpointer data)
{
    Up *up = data;
    g_autofree char *text = NULL;

    if (strcmp(state, KV_DBUS_STATE_CONNECTED) == 0) {
        finish(up, KV_EXIT_OK);
    } else if (strcmp(state, KV_DBUS_STATE_WAITING) == 0) {
        text = g_strdup_printf(_("%s; it tries again"), reason);
        complain(up, text);
    } else if (strcmp(state, KV_DBUS_STATE_FAILED) == 0) {
        complain(up, reason);
        finish(up, get_failure_exit(tunnel));
    } else if (strcmp(state, KV_DBUS_STATE_STOPPED) == 0 ||
               strcmp(state, KV_DBUS_STATE_STOPPING) == 0) {
        complain(up, _("somebody stopped it"));
        finish(up, KV_EXIT_FAILURE);
    }
}

static void
object_removed(GDBusObjectManager *objects, GDBusObject *object, gpointer data)
{
    Up *up = data;

    if (strcmp(g_dbus_object_get_object_path(object),
               g_dbus_proxy_get_object_path(G_DBUS_PROXY(up->tunnel))) != 0)
        return;
    if (kv_bus_is_connected(up->bus)) {
        complain(up, _("somebody deleted it"));
        finish(up, KV_EXIT_NOT_FOUND);
    } else {
        complain(up, _("the daemon went away"));
        finish(up, KV_EXIT_NO_DAEMON);
    }
}

static gboolean
time_is_up(gpointer data)
{
    Up *up = data;
    g_autofree char *text =
        g_strdup_printf(_("not connected yet; it goes on trying until \"kcpvpn down %s\""),
                        kv_dbus_tunnel1_get_name(up->tunnel));

    complain(up, text);
    finish(up, KV_EXIT_NO_ANSWER);
    return G_SOURCE_REMOVE;
}

static gboolean
interrupted(gpointer data)
{
    Up *up = data;
    g_autofree char *text =
        g_strdup_printf(_("it goes on in the background until \"kcpvpn down %s\""),
                        kv_dbus_tunnel1_get_name(up->tunnel));

    complain(up, text);
    finish(up, KV_EXIT_FAILURE);
    return G_SOURCE_CONTINUE;
}

static void
wait_for_end(Up *up)
{
    guint seconds = kv_args_get_uint(up->args, KV_OPTION_WAIT, WAIT_DEFAULT_S);

    g_timeout_add_seconds(seconds, time_is_up, up);
    g_unix_signal_add(SIGINT, interrupted, up);
    g_unix_signal_add(SIGTERM, interrupted, up);
    g_main_loop_run(up->loop);
}

static gboolean
is_on_its_way(KvDbusTunnel1 *tunnel)
{
    const char *state = kv_dbus_tunnel1_get_state(tunnel);

    return g_strcmp0(state, KV_DBUS_STATE_CONNECTING) == 0 ||
           g_strcmp0(state, KV_DBUS_STATE_WAITING) == 0;
}

/* Returns: FALSE: it has been complained about. */
static gboolean
start(Up *up)
{
    g_autoptr(KvSettings) settings = kv_settings_new(get_role(up->tunnel));
    g_autoptr(GError) error = NULL;

    if (!get_secret(up, settings, &error) ||
        !kv_dbus_tunnel1_call_start_sync(up->tunnel, make_options(settings),
                                         kv_bus_get_call_flags(up->bus),
                                         kv_bus_get_timeout_ms(up->bus), NULL, &error)) {
        up->status = kv_bus_complain(kv_dbus_tunnel1_get_name(up->tunnel), error);
        return FALSE;
    }
    return TRUE;
}

static void
report(const Up *up)
{
    if (kv_args_has(up->args, KV_OPTION_JSON))
        print_object(up);
    else if (up->status == KV_EXIT_OK)
        print_connected(up);
}

/* Signals are queued while a call is under way, so none is missed between start and wait. */
static KvExit
bring_up(Up *up)
{
    gboolean started = FALSE;

    if (g_strcmp0(kv_dbus_tunnel1_get_state(up->tunnel), KV_DBUS_STATE_CONNECTED) == 0) {
        report(up);
        return KV_EXIT_OK;
    }
    g_signal_connect(up->tunnel, "state-changed", G_CALLBACK(state_changed), up);
    g_signal_connect(kv_bus_get_objects(up->bus), "object-removed", G_CALLBACK(object_removed), up);
    started = is_on_its_way(up->tunnel) || start(up);
    if (!started)
        return up->status;
    if (kv_args_has(up->args, KV_OPTION_NO_WAIT)) {
        if (kv_args_has(up->args, KV_OPTION_JSON))
            print_object(up);
        else
            print_text(up, _("started"));
        return KV_EXIT_OK;
    }
    wait_for_end(up);
    report(up);
    return up->status;
}

KvExit
kv_cmd_up(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_CHANGE, &status);
    g_autoptr(KvDbusTunnel1) tunnel =
        bus != NULL ? kv_bus_find_tunnel(bus, kv_args_get_operand(args, 0)) : NULL;
    Up up = {.args = args, .bus = bus, .tunnel = tunnel, .status = KV_EXIT_OK};

    if (bus == NULL)
        return status;
    if (tunnel == NULL)
        return KV_EXIT_NOT_FOUND;
    up.loop = g_main_loop_new(NULL, FALSE);
    status = bring_up(&up);
    g_signal_handlers_disconnect_by_data(tunnel, &up);
    g_signal_handlers_disconnect_by_data(kv_bus_get_objects(bus), &up);
    g_main_loop_unref(up.loop);
    return status;
}
