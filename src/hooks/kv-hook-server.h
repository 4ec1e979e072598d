/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

/**
 * KvHookServer:
 *
 * Answers on the socket of kcpvpn-hooks, see kv-hook-message.h: only root and the daemon's user,
 * at most 64 at a time; further ones wait in the socket. The policy is read anew for each, so that
 * a change of the administrator's needs no restart. Who hangs up has his hook killed. Main
 * thread.
 */
typedef struct _KvHookServer KvHookServer;

#define KV_HOOK_SERVER_MAX        64
#define KV_HOOK_SERVER_REQUEST_MS 2000 /* for the command to come after a connection */

typedef void (*KvHookServerIdle)(gpointer data);

/**
 * kv_hook_server_new:
 * @listener: (transfer full): a listening SOCK_SEQPACKET socket
 * @config_dir: see kv_hook_policy_load()
 * @service_user: the daemon's user
 * @idle: called whenever there was no connection for @idle_ms
 */
KvHookServer *kv_hook_server_new(int listener, const char *config_dir, const char *service_user,
                                 guint idle_ms, KvHookServerIdle idle, gpointer data) KV_MUST_USE;

/* Kills the hooks that run. */
void kv_hook_server_free(KvHookServer *server);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookServer, kv_hook_server_free)
