/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-secret.h"

#include <glib.h>

/* Questions to the person at the terminal, whatever stdin and stdout are. Main thread. */

/* Whether there is a terminal to ask on. */
gboolean kv_ask_is_possible(void);

/**
 * kv_ask_secret:
 * @prompt: made printable
 *
 * Reads a line without showing it; a signal puts the terminal in order before it ends the program.
 * Returns: (transfer full) (nullable): NULL with @error: no terminal, or nothing was entered.
 */
KvSecret *kv_ask_secret(const char *prompt, GError **error) KV_MUST_USE;

/* Whether the person answers yes; no terminal and the end of input are no. */
gboolean kv_ask_yes_no(const char *prompt);
