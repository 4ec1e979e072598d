/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gmodule.h>

/*
 * The dialog's window is in a module of its own, which is loaded when somebody is to be asked, so
 * that the program does without a toolkit where others show the fields, or nobody is there.
 */

/* The module's one symbol, and its name without what the platform adds. */
#define KV_NM_PROMPT_SYMBOL "kv_nm_prompt_run"

/**
 * KvNmPromptFunc:
 * @message: the sentence above the field
 * @label: of the field, with a mnemonic
 * @value: (nullable): what is in the field at first
 * @error: set if there is no display
 *
 * Asks for one secret and waits for the person.
 * Returns: (transfer full) (nullable): what was typed: wipe it; NULL without an error: cancelled.
 */
typedef char *KvNmPromptFunc(const char *title, const char *message, const char *label,
                             const char *value, GError **error);

G_MODULE_EXPORT KvNmPromptFunc kv_nm_prompt_run;
