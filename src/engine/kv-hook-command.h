/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

/**
 * KvHookCommand:
 *
 * What to run as a hook: a program, its arguments, and what it is told by KV_* variables. Plain
 * data; all strings are its own.
 */
typedef struct {
    char *program;    /* absolute; for the helper also a bare name, see kv-hook-message.h */
    char **arguments; /* NULL-terminated, without the program's name */
    char **variables; /* NULL-terminated, each KV_NAME=value */
    char *tunnel;     /* (nullable): for the log, as @peer; the latter is escaped */
    char *peer;
} KvHookCommand;

/* (transfer full): with copies of @program, @tunnel and @peer, and nothing else yet. */
KvHookCommand *kv_hook_command_new(const char *program, const char *tunnel,
                                   const char *peer) KV_MUST_USE;
void kv_hook_command_free(KvHookCommand *command);

/**
 * kv_hook_command_split:
 * @line: a program and its arguments, quoted as in a shell
 *
 * Returns: (transfer full): the words, at least one; NULL and %KV_ERROR_INVALID_SETTING if there
 * is none or a quote is left open.
 */
char **kv_hook_command_split(const char *line, GError **error) KV_MUST_USE;

/* Takes @words (NULL-terminated) for arguments, with @interface for each %i and a % for each %%. */
void kv_hook_command_set_arguments(KvHookCommand *command, char *const *words,
                                   const char *interface);

/* (transfer full): program and arguments, as execve() takes them. */
char **kv_hook_command_get_argv(const KvHookCommand *command);

/* (transfer full): PATH and the variables: a hook's whole environment. */
char **kv_hook_command_get_environment(const KvHookCommand *command);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHookCommand, kv_hook_command_free)
