/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-settings.h"
#include "kv-verb.h"

#include <glib.h>

/**
 * KvArgs:
 *
 * What follows a command on the command line, sorted by the tables: its options, its operands, and
 * the flags of the table of settings. The strings stay those of main(). Main thread.
 */
typedef struct _KvArgs KvArgs;

/**
 * kv_args_parse:
 * @argv: (array length=argc): what follows the command word; kept in use by the result
 *
 * Options and operands may stand in any order; behind "--" all are operands. An option has one dash
 * or two, its value behind "=" or in the next word. With "--help" nothing else is checked. Values
 * of settings' flags are not looked at yet. An error (%KV_ERROR_INVALID_SETTING) names the command,
 * the word and what is allowed.
 */
KvArgs *kv_args_parse(const KvVerb *verb, int argc, char **argv, GError **error) KV_MUST_USE;
void kv_args_free(KvArgs *args);

const KvVerb *kv_args_get_verb(const KvArgs *args);

gboolean kv_args_has(const KvArgs *args, KvOptionId id);
/* (transfer none) (nullable): the option's value; the last one if it was given twice. */
const char *kv_args_get(const KvArgs *args, KvOptionId id);
/* The value of a number, or @fallback if the option was not given. */
guint kv_args_get_uint(const KvArgs *args, KvOptionId id, guint fallback);

guint kv_args_get_n_operands(const KvArgs *args);
/* (transfer none) (nullable): operand @i, NULL behind the last. */
const char *kv_args_get_operand(const KvArgs *args, guint i);

/* Whether a flag of the table of settings was given. */
gboolean kv_args_has_settings(const KvArgs *args);

/* Puts the settings' flags into @settings; secrets are wiped from the command line. */
gboolean kv_args_apply_settings(KvArgs *args, KvSettings *settings, GError **error) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvArgs, kv_args_free)
