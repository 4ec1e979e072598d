/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

#include <NetworkManager.h>

/*
 * A NetworkManager profile and the settings of a client tunnel, either of the other.
 *
 * The service runs as root for any user who may activate a profile, so this is the gate: what the
 * table does not mark for the desktop, what it does not know, values it does not allow and a
 * server's settings are refused, whatever an editor or nmcli let pass. Errors
 * (%KV_ERROR_INVALID_SETTING) are a sentence that names key, value and what is allowed, and never
 * hold a secret. Pure; one thread at a time for each profile.
 */

/**
 * kv_nm_profile_to_settings:
 * @vpn: a profile's VPN setting, with or without its secrets
 *
 * Returns: (transfer full): the settings of a client, with those secrets; complete and fit for each
 * other, but for a secret that is not there. %NULL: refused.
 */
KvSettings *kv_nm_profile_to_settings(NMSettingVpn *vpn, GError **error) KV_MUST_USE;

/**
 * kv_nm_profile_from_settings:
 * @settings: of a client; only what the table marks for the desktop
 *
 * Returns: (transfer full): a VPN setting with every value that was given but name and role, which
 * are the profile's own. A secret that is there is kept in the profile, one that is not is the
 * user's agent's.
 */
NMSettingVpn *kv_nm_profile_from_settings(const KvSettings *settings) KV_MUST_USE;

/* (transfer full): keys of the secrets that a start needs and that neither @vpn holds nor its flags
 * call not required. */
char **kv_nm_profile_list_missing_secrets(NMSettingVpn *vpn) KV_MUST_USE;

/**
 * kv_nm_profile_import:
 * @text: @len bytes of a key file, which may hold a secret; left as it is
 * @where: what errors call the text, such as its path; a file's name becomes the profile's if the
 *     text gives none
 *
 * Returns: (transfer full): a profile to be completed by the caller: connection.id,
 * connection.type, vpn, and both families automatic. %NULL: refused, a server's file for one.
 */
NMConnection *kv_nm_profile_import(const char *text, gsize len, const char *where,
                                   GError **error) KV_MUST_USE;

/* (transfer full): the key file that kv_nm_profile_import() reads, with the secrets that
 * @connection holds: wipe it. %NULL: the profile is one that kv_nm_profile_to_settings() refuses.
 */
char *kv_nm_profile_export(NMConnection *connection, GError **error) KV_MUST_USE;
