/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-services.h"

/**
 * KvWatchers:
 *
 * The callers of Tunnel1.Watch, each with its own interval, until they leave the bus. Main
 * thread.
 */
typedef struct _KvWatchers KvWatchers;

/**
 * kv_watchers_new:
 * @due: called from the main loop when @name wants to be told; @clients: also of the clients,
 *     which happens once a second at most
 */
KvWatchers *kv_watchers_new(const KvServices *services,
                            void (*due)(gpointer data, const char *name, gboolean clients),
                            gpointer data) KV_MUST_USE;
void kv_watchers_free(KvWatchers *watchers);

/**
 * kv_watchers_set:
 * @uid: the user of @name
 * @interval_ms: 0: no longer
 *
 * Returns: %FALSE: @interval_ms is not allowed (%KV_ERROR_INVALID_ARGUMENT), or the user watches
 * too much (%KV_ERROR_EXHAUSTED).
 */
gboolean kv_watchers_set(KvWatchers *watchers, const char *name, guint32 uid, guint interval_ms,
                         GError **error) KV_MUST_USE;

/* Whether @name is told of anything. */
gboolean kv_watchers_has(const KvWatchers *watchers, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvWatchers, kv_watchers_free)
