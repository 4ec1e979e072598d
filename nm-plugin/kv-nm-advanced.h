/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-nm-form.h"

/* Called once the page's form has what the user accepted. */
typedef void (*KvNmAdvancedFunc)(gpointer data);

/**
 * kv_nm_advanced_new:
 * @page: its setting is shown, and changed when the user accepts; must outlive the dialog
 * @parent: (nullable): the window that waits for the dialog
 * @accepted: called at most once
 *
 * A dialog with every setting that a profile may have and @page has no field for, by the table's
 * groups.
 *
 * Returns: (transfer none): the dialog, shown; it destroys itself after the user's answer. Main
 * thread.
 */
GtkWidget *kv_nm_advanced_new(KvNmForm *page, GtkWindow *parent, KvNmAdvancedFunc accepted,
                              gpointer data);
