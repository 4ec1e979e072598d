/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gio/gio.h>

/**
 * KvDaemon:
 *
 * The composition root: engine, store, gate and objects, and the bus name. When the bus goes, all
 * but the name is kept, and put on the bus again once it is back. Main thread.
 */
typedef struct _KvDaemon KvDaemon;

/**
 * kv_daemon_new:
 * @failed: the name could not be had or was taken away: there is nothing left but
 *     kv_daemon_stop(). From the main loop
 *
 * Connects to the system bus, and fails without one.
 */
KvDaemon *kv_daemon_new(void (*failed)(gpointer data), gpointer data, GError **error) KV_MUST_USE;

/* Reads saved tunnels, puts all on the bus, takes the name, tells systemd, and starts what starts
 * by itself; in this order. */
void kv_daemon_start(KvDaemon *daemon);

/* Reads saved tunnels again, as Manager1.Reload does. */
void kv_daemon_reload(KvDaemon *daemon);

/**
 * kv_daemon_stop:
 * @stopped: called once from the main loop; @clean: all tunnels are down, and kv_daemon_free() may
 *     follow; else they took too long, and nothing but the end of the process is left
 *
 * The first half of the end: what is being asked is denied, nothing starts any more, every tunnel
 * stops in good order. The second is kv_daemon_free(). To be called once.
 */
void kv_daemon_stop(KvDaemon *daemon, void (*stopped)(gpointer data, gboolean clean),
                    gpointer data);

/* Takes everything from the bus, the name last. */
void kv_daemon_free(KvDaemon *daemon);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvDaemon, kv_daemon_free)
