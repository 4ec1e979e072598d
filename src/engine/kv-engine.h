/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-runner.h"
#include "kv-netlink.h"
#include "kv-route-watch.h"
#include "kv-worker.h"

/**
 * KvEngine:
 *
 * What all tunnels of a process share: the workers, started when first asked for, the connections
 * to the kernel's network configuration, and who runs hooks. Main thread. Tunnels hold a reference,
 * so the workers end after the last of them.
 */
typedef struct _KvEngine KvEngine;

KvEngine *kv_engine_new(GError **error) KV_MUST_USE;
KvEngine *kv_engine_ref(KvEngine *engine);
void kv_engine_unref(KvEngine *engine);

/* (transfer none): worker number @index, 0 to KV_WORKERS_MAX - 1; NULL and @error if it cannot
 * be started. */
KvWorker *kv_engine_get_worker(KvEngine *engine, guint index, GError **error) KV_MUST_USE;

/**
 * kv_engine_shutdown:
 * @done: called once from the main loop, when every tunnel is STOPPED or FAILED and has told so;
 *     soon if none runs
 *
 * The first half of an orderly end: every tunnel that runs is stopped, all at once, and none
 * starts any more. It takes as long as the slowest, some seconds and what its hooks take. In
 * @done the second half begins: let go of tunnels and engine, which ends the workers. To be called
 * once.
 */
void kv_engine_shutdown(KvEngine *engine, void (*done)(gpointer data), gpointer data);

/* Whether kv_engine_shutdown() was called: no tunnel starts any more. Main thread. */
gboolean kv_engine_is_shutting_down(const KvEngine *engine);

/**
 * kv_engine_add_tunnel:
 * @tunnel: (transfer none): runs from here on, until kv_engine_remove_tunnel()
 * @stop: stops it; may remove it at once
 *
 * For tunnels. Returns: %FALSE after kv_engine_shutdown(): it must not run.
 */
gboolean kv_engine_add_tunnel(KvEngine *engine, gpointer tunnel,
                              void (*stop)(gpointer tunnel)) KV_MUST_USE;
void kv_engine_remove_tunnel(KvEngine *engine, gpointer tunnel);

/* (transfer none) */
KvRouteWatch *kv_engine_get_route_watch(KvEngine *engine);

/* (transfer none) */
KvNetlink *kv_engine_get_netlink(KvEngine *engine);

/* (transfer none) */
KvHookRunner *kv_engine_get_hook_runner(KvEngine *engine);

/* Lets the helper at @socket_path run all hooks, instead of this process; before any tunnel. */
void kv_engine_use_hook_helper(KvEngine *engine, const char *socket_path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvEngine, kv_engine_unref)
