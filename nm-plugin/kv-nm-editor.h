/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>

/**
 * KvNmEditor: the page "VPN" of a connection editor.
 *
 * Items of the profile that the page knows nothing of stay in it. Main thread.
 */
#define KV_TYPE_NM_EDITOR (kv_nm_editor_get_type())
G_DECLARE_FINAL_TYPE(KvNmEditor, kv_nm_editor, KV, NM_EDITOR, GObject)

/**
 * nm_vpn_editor_factory_kcpvpn:
 * @plugin: whose editor it is
 * @connection: the profile to show
 *
 * What the editor plugin looks for in the library that fits the program's toolkit
 * (KV_NM_EDITOR_FACTORY).
 *
 * Returns: (transfer full): the editor, or %NULL and an error.
 */
NMVpnEditor *nm_vpn_editor_factory_kcpvpn(NMVpnEditorPlugin *plugin, NMConnection *connection,
                                          GError **error);
