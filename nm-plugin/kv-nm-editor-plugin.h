/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <NetworkManager.h>

/**
 * KvNmEditorPlugin: what libnm loads into nmcli and the connection editors: import, export, and the
 * way to the form. Main thread. Its one way in is nm_vpn_editor_plugin_factory(), which libnm
 * declares.
 */
#define KV_TYPE_NM_EDITOR_PLUGIN (kv_nm_editor_plugin_get_type())
G_DECLARE_FINAL_TYPE(KvNmEditorPlugin, kv_nm_editor_plugin, KV, NM_EDITOR_PLUGIN, GObject)
