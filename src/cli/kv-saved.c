/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-saved.h"

#include "kv-dbus-names.h"
#include "kv-i18n.h"
#include "kv-print.h"

#include <stdio.h>

KvExit
kv_saved_report(const KvBus *bus, const KvArgs *args, const char *path, const char *text)
{
    g_autoptr(KvDbusTunnel1) tunnel = NULL;
    g_autoptr(GVariant) object = NULL;
    g_autoptr(GString) line = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    /* A proxy of its own: the bus's objects learn of it only when the main context runs. */
    tunnel = kv_dbus_tunnel1_proxy_new_sync(
        g_dbus_proxy_get_connection(G_DBUS_PROXY(kv_bus_get_manager(bus))),
        G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS | G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
        KV_DBUS_NAME, path, NULL, &error);
    if (tunnel == NULL)
        return kv_bus_complain(path, error);
    if (kv_args_has(args, KV_OPTION_JSON)) {
        object = g_variant_ref_sink(kv_bus_describe(G_DBUS_PROXY(tunnel)));
        kv_print_json(stdout, object);
        return KV_EXIT_OK;
    }
    kv_print_append(line, KV_STYLE_PLAIN, FALSE, kv_dbus_tunnel1_get_name(tunnel));
    printf("%s: %s\n", line->str, text);
    return KV_EXIT_OK;
}
