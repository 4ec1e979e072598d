/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kv_nm_log_init:
 * @debug: everything, and to stderr; else as NetworkManager tells its plugins by NM_VPN_LOG_LEVEL
 *     (a number of syslog's) and NM_VPN_LOG_SYSLOG (1: not to stderr, which leads nowhere)
 *
 * Installs the writer of GLib's log lines. Once, before the first of them.
 */
void kv_nm_log_init(gboolean debug);
