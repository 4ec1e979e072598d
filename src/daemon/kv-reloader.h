/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel-set.h"

/**
 * KvReloader:
 *
 * Brings the set of tunnels up to date with what is saved. "problems" (GVariant *problems, a(sus))
 * tells after each reading what could not be read: path, line, sentence. Main thread.
 */
#define KV_TYPE_RELOADER (kv_reloader_get_type())
G_DECLARE_FINAL_TYPE(KvReloader, kv_reloader, KV, RELOADER, GObject)

/* @services: outlives it. */
KvReloader *kv_reloader_new(const KvServices *services, KvTunnelSet *set) KV_MUST_USE;

/**
 * kv_reloader_run_async:
 *
 * Reads what is saved: new files become tunnels, changed ones change theirs, and tunnels whose file
 * is gone are stopped and go in their own time. Broken files are logged and told, and are no error.
 */
void kv_reloader_run_async(KvReloader *reloader, GAsyncReadyCallback callback, gpointer data);
gboolean kv_reloader_run_finish(KvReloader *reloader, GAsyncResult *result,
                                GError **error) KV_MUST_USE;
