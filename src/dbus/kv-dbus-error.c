/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-dbus-error.h"

#include "kv-error.h"

#include <gio/gio.h>

#define ENTRY(code, word)                                                                          \
    {                                                                                              \
        KV_ERROR_##code, "org.kcpvpn.Error." word                                                  \
    }

static const GDBusErrorEntry entries[] = {
    ENTRY(FAILED, "Failed"),
    ENTRY(INVALID_SETTING, "InvalidSetting"),
    ENTRY(NOT_SUPPORTED, "NotSupported"),
    ENTRY(PERMISSION_DENIED, "PermissionDenied"),
    ENTRY(NOT_FOUND, "NotFound"),
    ENTRY(EXISTS, "Exists"),
    ENTRY(TIMEOUT, "Timeout"),
    ENTRY(REFUSED, "Refused"),
    ENTRY(EXHAUSTED, "Exhausted"),
    ENTRY(CONNECTION_LOST, "ConnectionLost"),
    ENTRY(PROTOCOL, "Protocol"),
    ENTRY(IO, "Io"),
    ENTRY(CANCELLED, "Cancelled"),
    ENTRY(INVALID_ARGUMENT, "InvalidArgument"),
    ENTRY(WRONG_STATE, "WrongState"),
    ENTRY(READ_ONLY, "ReadOnly"),
    ENTRY(NOT_AUTHORIZED, "NotAuthorized"),
    ENTRY(AUTHENTICATION_REQUIRED, "AuthenticationRequired"),
    ENTRY(AUTHENTICATION_DISMISSED, "AuthenticationDismissed"),
};
G_STATIC_ASSERT(G_N_ELEMENTS(entries) == KV_N_ERRORS);

void
kv_dbus_error_init(void)
{
    static gsize registered;

    if (!g_once_init_enter(&registered))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(entries); i++)
        g_dbus_error_register_error(KV_ERROR, entries[i].error_code, entries[i].dbus_error_name);
    g_once_init_leave(&registered, 1);
}

char *
kv_dbus_error_get_name(const GError *error)
{
    if (error == NULL)
        return g_strdup("");
    kv_dbus_error_init();
    return g_dbus_error_encode_gerror(error);
}
