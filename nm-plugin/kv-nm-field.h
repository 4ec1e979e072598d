/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

#include <gtk/gtk.h>

/**
 * KvNmField: one setting in a form: its label, the control that fits its type, and a note below.
 *
 * The note is the row's help or, while what was typed is not allowed, the table's message. The
 * control's widget name is the setting's key. Main thread.
 */
typedef struct _KvNmField KvNmField;

/* Called after each change by the user, the field's mark being up to date. */
typedef void (*KvNmFieldFunc)(KvNmField *field, gpointer data);

typedef enum {
    KV_NM_FIELD_NOTE_ON_ERROR, /* the help is a tooltip only */
    KV_NM_FIELD_NOTE_ALWAYS,
} KvNmFieldNote;

/**
 * kv_nm_field_new:
 * @row: one that has a form_label
 * @required: whether a client cannot do without it
 * @changed: (nullable): called as long as the field lives
 *
 * Returns: (transfer full): the field; its widgets live on with whoever has them.
 */
KvNmField *kv_nm_field_new(const KvSetting *row, gboolean required, KvNmFieldNote note,
                           KvNmFieldFunc changed, gpointer data) KV_MUST_USE;
void kv_nm_field_free(KvNmField *field);

const KvSetting *kv_nm_field_get_row(const KvNmField *field);

/* (transfer none): the entry, check button or list. */
GtkWidget *kv_nm_field_get_control(const KvNmField *field);

/* Puts the field into the rows of @grid from @top on. Returns: the next free row. */
int kv_nm_field_attach(KvNmField *field, GtkGrid *grid, int top);

/* Makes the label as wide as others in @labels. */
void kv_nm_field_align(KvNmField *field, GtkSizeGroup *labels);

/**
 * kv_nm_field_set_text:
 * @text: (nullable): the value; %NULL: none, so the default counts
 *
 * Shows the value, whether it is allowed or not. Does not call the field's function.
 */
void kv_nm_field_set_text(KvNmField *field, const char *text);

/**
 * kv_nm_field_dup_text:
 *
 * Returns: (transfer full) (nullable): the value in the control, %NULL for none. What was set and
 * not changed comes back as it was. Wipe it if it is a secret.
 */
char *kv_nm_field_dup_text(const KvNmField *field);

void kv_nm_field_set_sensitive(KvNmField *field, gboolean sensitive);

/* Whether the field is marked as one with a value that is not allowed. */
gboolean kv_nm_field_is_marked(const KvNmField *field);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNmField, kv_nm_field_free)
