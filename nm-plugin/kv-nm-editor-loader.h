/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <NetworkManager.h>

/*
 * The form comes from a library of its own, one for each toolkit, which lies beside the one that
 * this is in; so programs without a toolkit, such as nmcli, load none. Main thread.
 */

/**
 * kv_nm_editor_load:
 *
 * Loads the library for the toolkit that the program has, and keeps it for good.
 * Returns: (transfer full): the form for @connection, or %NULL and an error that says what is
 * missing.
 */
NMVpnEditor *kv_nm_editor_load(NMVpnEditorPlugin *plugin, NMConnection *connection,
                               GError **error) KV_MUST_USE;

/* Whether there is a library for any toolkit. */
gboolean kv_nm_editor_is_installed(void);
