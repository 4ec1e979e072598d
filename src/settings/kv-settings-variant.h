/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

/*
 * Settings as D-Bus carries them: a{sv} by the table's keys. A number may come in any integer
 * type or as text, a truth also as a boolean, a list as an array of strings or as text with
 * commas; all else is text. Peers come under "peers" as a{sa{sv}}, their settings by their names,
 * all of them at once. Errors (%KV_ERROR_INVALID_SETTING) name key, value or type, and what
 * is allowed. Secrets that pass through GVariant lie in ordinary memory, as in any message of
 * the bus. One thread at a time for each KvSettings.
 */

/**
 * kv_settings_new_from_variant:
 * @dict: a{sv} with at least "role"
 *
 * Returns: (transfer full): the settings, secrets included, or %NULL.
 */
KvSettings *kv_settings_new_from_variant(GVariant *dict, GError **error) KV_MUST_USE;

/* Replaces the values that @dict names; @settings is unchanged on failure. */
gboolean kv_settings_load_variant(KvSettings *settings, GVariant *dict, GError **error) KV_MUST_USE;

/* The same, for secrets alone: another key is an error, and so is a peer that is not there. Peers
 * that are not named keep what they have. */
gboolean kv_settings_load_secrets_variant(KvSettings *settings, GVariant *dict,
                                          GError **error) KV_MUST_USE;

/* (transfer floating): a{sv} of the role and of every value that was given, but no secret: b, u,
 * s, and as for lists. */
GVariant *kv_settings_to_variant(const KvSettings *settings);

/* (transfer floating): the same with the secrets, but for one out of a secret file. */
GVariant *kv_settings_to_full_variant(const KvSettings *settings);

/* (transfer floating): a{sv} of the secrets that were given, without one out of a secret file. */
GVariant *kv_settings_secrets_to_variant(const KvSettings *settings);

/* (transfer full): the keys of those secrets; "peers" if a peer has one. */
char **kv_settings_list_secrets(const KvSettings *settings);

/* (transfer floating): a{sv} of every default of @role. */
GVariant *kv_settings_defaults_to_variant(KvRole role);
