/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-answer.h"
#include "kv-hook-spawn.h"

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
 * @command: its program is an absolute path
 * @user: (nullable): see kv_hook_spawn()
 */
KvHookProcess *kv_hook_process_start(const KvHookCommand *command, const KvHookUser *user,
                                     guint limit_ms, KvHookProcessDone done, gpointer data,
                                     GError **error) KV_MUST_USE;

/* (transfer none): how it ended; from @done on. */
const KvHookAnswer *kv_hook_process_get_answer(KvHookProcess *process);

/* Kills its group if it still runs. */
void kv_hook_process_free(KvHookProcess *process);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookProcess, kv_hook_process_free)
