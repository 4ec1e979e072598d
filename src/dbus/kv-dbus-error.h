/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kv_dbus_error_init:
 *
 * Makes GDBus send every KV_ERROR as org.kcpvpn.Error.*, and turn those names back into KV_ERROR
 * on the other side. Once, before the first call on the bus; more calls do no harm. Any thread.
 */
void kv_dbus_error_init(void);

/* (transfer full): the name that @error has on the bus; "" for NULL. */
char *kv_dbus_error_get_name(const GError *error);
