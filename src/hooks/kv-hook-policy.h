/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-spawn.h"

/**
 * KvHookPolicy:
 *
 * What the administrator lets be run: the programs in certain folders, as a certain user. Read
 * from the file hooks.conf, which may be absent:
 *
 *     [hooks]
 *     user=nobody
 *     folders=/etc/kcpvpn/hooks.d;/srv/hooks
 *
 * File, folders and programs must belong to root (or to who we are), nobody else may be able to
 * write to them or to exchange a folder above them, and none is a symbolic link. Main thread.
 */
typedef struct _KvHookPolicy KvHookPolicy;

/**
 * kv_hook_policy_load:
 * @config_dir: absolute: where hooks.conf is, and by default the one folder, hooks.d
 *
 * Errors name the file or the key at fault.
 */
KvHookPolicy *kv_hook_policy_load(const char *config_dir, GError **error) KV_MUST_USE;
void kv_hook_policy_free(KvHookPolicy *policy);

/* (transfer none) */
const KvHookUser *kv_hook_policy_get_user(KvHookPolicy *policy);

/**
 * kv_hook_policy_find_program:
 * @wanted: an absolute path or a bare name; any text
 *
 * Compares @wanted with what stands in the folders now, and opens nothing else.
 * Returns: (transfer full): the program's path; NULL and an error that says why it is not run.
 */
char *kv_hook_policy_find_program(KvHookPolicy *policy, const char *wanted,
                                  GError **error) KV_MUST_USE;

/* Whether a process of @uid may ask: root and the daemon's user @service_user, if that exists. */
gboolean kv_hook_policy_allows_peer(uid_t uid, const char *service_user);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookPolicy, kv_hook_policy_free)
