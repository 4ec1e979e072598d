/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-runner.h"
#include "kv-netlink.h"
#include "kv-worker.h"

/**
 * KvEngine:
 *
 * What all tunnels of a process share: the workers, started when first asked for, the connection to
 * the kernel's network configuration, and who runs hooks. Main thread. Tunnels hold a reference, so
 * the workers end after the last of them.
 */
typedef struct _KvEngine KvEngine;

KvEngine *kv_engine_new(GError **error) KV_MUST_USE;
KvEngine *kv_engine_ref(KvEngine *engine);
void kv_engine_unref(KvEngine *engine);

/* (transfer none): worker number @index, 0 to KV_WORKERS_MAX - 1; NULL and @error if it cannot
 * be started. */
KvWorker *kv_engine_get_worker(KvEngine *engine, guint index, GError **error) KV_MUST_USE;

/* (transfer none) */
KvNetlink *kv_engine_get_netlink(KvEngine *engine);

/* (transfer none) */
KvHookRunner *kv_engine_get_hook_runner(KvEngine *engine);

/* Lets the helper at @socket_path run all hooks, instead of this process; before any tunnel. */
void kv_engine_use_hook_helper(KvEngine *engine, const char *socket_path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvEngine, kv_engine_unref)
