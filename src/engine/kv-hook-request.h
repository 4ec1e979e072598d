/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-answer.h"
#include "kv-hook-command.h"

/**
 * KvHookRequest:
 *
 * One run of a hook by the helper kcpvpn-hooks, for a process that may run nothing itself. What
 * the program writes is in the helper's log. Main thread.
 */
typedef struct _KvHookRequest KvHookRequest;

/* The helper's own limit, and as much again to come to it when it has many to run. */
#define KV_HOOK_ANSWER_LIMIT_MS 20000

/* Called once, when the answer is here and logged, or will not come; may free @request. */
typedef void (*KvHookRequestDone)(KvHookRequest *request, gpointer data);

/* Sends @command to the helper at @socket_path. */
KvHookRequest *kv_hook_request_start(const char *socket_path, const KvHookCommand *command,
                                     KvHookRequestDone done, gpointer data,
                                     GError **error) KV_MUST_USE;

/* (transfer none): how it ended; from @done on. Without an answer it counts as refused. */
const KvHookAnswer *kv_hook_request_get_answer(KvHookRequest *request);

/* Without an answer yet, the helper kills the program. */
void kv_hook_request_free(KvHookRequest *request);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookRequest, kv_hook_request_free)
