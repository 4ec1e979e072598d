/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

/**
 * KvHookProcess:
 *
 * One run of a hook, in a session of its own, watched by the default main context. It has ended
 * when the program has exited and nobody holds its output any more, or when its time is up: then
 * its whole process group is killed. What it writes goes to the log. Main thread.
 */
typedef struct _KvHookProcess KvHookProcess;

#define KV_HOOK_TIME_LIMIT_MS 10000
#define KV_HOOK_OUTPUT_MAX    65536 /* bytes that are logged; the rest is read and dropped */
#define KV_HOOK_LINES_MAX     1000  /* the same for lines */

/* Called once, when it has ended and its end is logged; may free @process. */
typedef void (*KvHookProcessDone)(KvHookProcess *process, gpointer data);

/**
 * kv_hook_process_start:
 * @path: absolute; run without arguments and without a shell
 * @envp: (array zero-terminated=1): the whole environment
 * @tunnel: (nullable): for the log, as @peer
 */
KvHookProcess *kv_hook_process_start(const char *path, char **envp, guint limit_ms,
                                     const char *tunnel, const char *peer, KvHookProcessDone done,
                                     gpointer data, GError **error) KV_MUST_USE;

/* Kills its group if it still runs. */
void kv_hook_process_free(KvHookProcess *process);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookProcess, kv_hook_process_free)
