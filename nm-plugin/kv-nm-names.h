/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Every name that the parts of the plugin and NetworkManager call each other by. */

/* vpn.service-type of profiles, and the bus name of the service; with several connections at once
 * NetworkManager gives each process a name of its own, this one and ".Connection_N". */
#define KV_NM_SERVICE "org.freedesktop.NetworkManager.kcpvpn"

/* The type as people give it: nmcli's vpn-type, and the name in the .name file. */
#define KV_NM_TYPE "kcpvpn"

/* Profiles keep the settings by the keys of the one table in vpn.data, secrets in vpn.secrets, and
 * who keeps a secret in vpn.data, by the secret's key and this. */
#define KV_NM_FLAGS_SUFFIX "-flags"

/* Name of a key file for import and export. */
#define KV_NM_FILE_SUFFIX ".kcpvpn"

/* Of the editor libraries, in the folder of the one that libnm loads. */
#define KV_NM_EDITOR_GTK3    "libnm-vpn-plugin-kcpvpn-editor.so"
#define KV_NM_EDITOR_GTK4    "libnm-gtk4-vpn-plugin-kcpvpn-editor.so"
#define KV_NM_EDITOR_FACTORY "nm_vpn_editor_factory_kcpvpn"
