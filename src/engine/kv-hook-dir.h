/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook.h"
#include "kv-macros.h"

/**
 * KvHookDir:
 *
 * The names in a server's hook folder. Read when it is opened and again after the folder
 * changed; a hook is then found by comparing strings, so nothing a peer sent is ever part of a
 * path that is opened. Main thread.
 */
typedef struct _KvHookDir KvHookDir;

/* Fails if it is no folder or others than its owner may write to it. A missing one has no hooks
 * until it is made. */
KvHookDir *kv_hook_dir_new(const char *path, GError **error) KV_MUST_USE;
void kv_hook_dir_free(KvHookDir *dir);

/* Whether it was not there when it was looked at last. */
gboolean kv_hook_dir_is_missing(const KvHookDir *dir);

/**
 * kv_hook_dir_find:
 * @client_id: any bytes; empty: none
 *
 * Returns: (transfer full) (nullable): path of on_<client-id>_<event>, else of on_<event>; NULL
 * without an error if there is neither.
 */
char *kv_hook_dir_find(KvHookDir *dir, KvHookEvent event, const char *client_id, GError **error);

/* Whether @path may be run: a program that only its owner may change. Links are followed. */
gboolean kv_hook_check_program(const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookDir, kv_hook_dir_free)
