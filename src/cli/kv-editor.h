/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/**
 * KvEditor:
 *
 * A text in a file of its own, in a folder that only the user can enter, where an editor's backups
 * are as safe as the text. Main thread.
 */
typedef struct _KvEditor KvEditor;

/* @name: what the file is called; @text: what is in it at first. */
KvEditor *kv_editor_new(const char *name, const char *text, GError **error) KV_MUST_USE;

/* Runs the user's editor (VISUAL, EDITOR or vi) until it ends, and reads the text again. */
gboolean kv_editor_run(KvEditor *editor, GError **error) KV_MUST_USE;

/* (transfer none): the text as it is now, valid until the next run. */
const char *kv_editor_get_text(const KvEditor *editor);

/* Path of the file, for messages. */
const char *kv_editor_get_path(const KvEditor *editor);

/* Removes the folder and all in it. */
void kv_editor_free(KvEditor *editor);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvEditor, kv_editor_free)
