/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-i18n.h"
#include "kv-saved.h"
#include "kv-settings-variant.h"
#include "kv-settings.h"

/* "add": makes a tunnel of flags. */

static KvSettings *
read_settings(KvArgs *args, KvRole role, GError **error)
{
    g_autoptr(KvSettings) settings = kv_settings_new(role);

    if (!kv_settings_set_text(settings, KV_SETTING_NAME, kv_args_get_operand(args, 0), error) ||
        !kv_args_apply_settings(args, settings, error) ||
        !kv_settings_load_environment(settings, error) ||
        !kv_settings_embed_secret_files(settings, error))
        return NULL;
    return g_steal_pointer(&settings);
}

KvExit
kv_cmd_add(KvArgs *args)
{
    const char *word = kv_args_get(args, KV_OPTION_ROLE);
    KvRole role = KV_ROLE_CLIENT;
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvSettings) settings = NULL;
    g_autoptr(KvBus) bus = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;

    if (word == NULL) {
        kv_cmd_complain(_("add: --role is required; allowed: client, server, peer"));
        return KV_EXIT_USAGE;
    }
    g_return_val_if_fail(kv_role_from_string(word, &role), KV_EXIT_USAGE); /* of the table */
    settings = read_settings(args, role, &error);
    if (settings == NULL) {
        kv_cmd_complain(error->message);
        return kv_exit_from_error(error);
    }
    bus = kv_bus_open(args, KV_BUS_CHANGE, &status);
    if (bus == NULL)
        return status;
    if (!kv_dbus_manager1_call_create_tunnel_sync(
            kv_bus_get_manager(bus), kv_settings_to_full_variant(settings), kv_bus_no_options(),
            kv_bus_get_call_flags(bus), kv_bus_get_timeout_ms(bus), &path, NULL, &error))
        return kv_bus_complain(kv_args_get_operand(args, 0), error);
    return kv_saved_report(bus, args, path, _("added"));
}
