/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * Notices to the service manager, as sd_notify(3) describes them, on the socket that NOTIFY_SOCKET
 * names; without one they do nothing. Main thread. Spoken here and not by libsystemd, which would
 * bring three compression libraries and a second crypto library for a datagram.
 */

/* The service works. Also ends kv_notify_reloading(). */
void kv_notify_ready(void);

/* It reads its files again; kv_notify_ready() must follow. */
void kv_notify_reloading(void);

/* It ends. */
void kv_notify_stopping(void);

/* One line for "systemctl status"; control characters become blanks. */
void kv_notify_status(const char *format, ...) G_GNUC_PRINTF(1, 2);

/**
 * kv_notify_start_watchdog:
 *
 * Tells the service manager twice in each WATCHDOG_USEC that the default main loop turns.
 *
 * Returns: the id of the source, for g_source_remove(); 0 if the service manager does not want it.
 */
guint kv_notify_start_watchdog(void);

/**
 * kv_notify_progress:
 *
 * Does what that source would if its time is over. For what is done many times in one turn of the
 * main loop: of all the calls that are waiting, however many, GDBus has the loop make one turn.
 * Costs next to nothing.
 */
void kv_notify_progress(void);
