/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-command.h"

#include <sys/types.h>

/**
 * KvHookUser:
 *
 * Whom a program is to run as. Plain data; all is its own.
 */
typedef struct {
    char *name;
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    gsize n_groups;
} KvHookUser;

/**
 * kv_hook_spawn:
 * @user: (nullable): NULL: as who we are; else we must be root
 * @output_fd: what it writes to, on both descriptors
 *
 * Starts @command in a session of its own, with nothing to read, default signal handling, no other
 * descriptor of ours and none of our ambient capabilities (which are cleared: they are for this
 * alone), for another user also in the folder /. Returns: its number, for the
 * caller to reap; -1 and an error. Main thread.
 */
pid_t kv_hook_spawn(const KvHookCommand *command, const KvHookUser *user, int output_fd,
                    GError **error) KV_MUST_USE;
