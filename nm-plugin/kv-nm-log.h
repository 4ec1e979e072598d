/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * kv_nm_log_init:
 * @debug: everything; else as NetworkManager tells its plugins by NM_VPN_LOG_LEVEL (a number of
 *     syslog's) and NM_VPN_LOG_SYSLOG (1: to syslog, too)
 *
 * Installs the writer of GLib's log lines, to stderr or to the journal behind it. Once, before the
 * first of them.
 */
void kv_nm_log_init(gboolean debug);
