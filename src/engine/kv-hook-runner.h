/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-answer.h"
#include "kv-hook-command.h"

/**
 * KvHookRunner:
 *
 * Who runs hooks: this process itself, as its own user, or the helper kcpvpn-hooks, for a daemon
 * in a sandbox. The helper takes only what stands in the administrator's hook folders. Main thread.
 */
typedef struct _KvHookRunner KvHookRunner;

/* Where kcpvpn-hooks.socket listens. */
#define KV_HOOK_HELPER_SOCKET "/run/kcpvpn/hooks"

/* One run. */
typedef struct _KvHookRun KvHookRun;

/* Called once, when it has ended and its end is logged; may free @run. */
typedef void (*KvHookRunDone)(KvHookRun *run, const KvHookAnswer *answer, gpointer data);

/* (transfer full): @helper_socket: (nullable): the helper's socket; NULL: runs them itself. */
KvHookRunner *kv_hook_runner_new(const char *helper_socket) KV_MUST_USE;
void kv_hook_runner_free(KvHookRunner *runner);

/**
 * kv_hook_runner_find_program:
 * @name: a path, or a bare name to be looked up in PATH (by the helper: in its folders)
 *
 * Returns: (transfer full): what a command's program is to be. Without a helper NULL and an error
 * if there is no such program, if it cannot be run, or if others may write to it.
 */
char *kv_hook_runner_find_program(KvHookRunner *runner, const char *name,
                                  GError **error) KV_MUST_USE;

/* Fails if the program may not be run, or the helper cannot be reached. */
KvHookRun *kv_hook_runner_start(KvHookRunner *runner, const KvHookCommand *command,
                                KvHookRunDone done, gpointer data, GError **error) KV_MUST_USE;

/* Kills it if it still runs. */
void kv_hook_run_free(KvHookRun *run);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookRunner, kv_hook_runner_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookRun, kv_hook_run_free)
