/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

/* Which secrets a profile has. Pure; any thread. */

/* (transfer full): the item that says who keeps the secret of @row. */
char *kv_nm_secret_get_flags_key(const KvSetting *row);

/**
 * kv_nm_secret_is_needed:
 * @data: (element-type utf8 utf8): a profile's items, without secrets
 *
 * Whether a client with these settings has the secret of @row: with a server's public key a private
 * key of its own, else the secret; what may be there or not, if the profile says who keeps it.
 */
gboolean kv_nm_secret_is_needed(const KvSetting *row, GHashTable *data);
