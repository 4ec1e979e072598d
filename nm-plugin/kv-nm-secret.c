/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-secret.h"

#include "kv-nm-names.h"

char *
kv_nm_secret_get_flags_key(const KvSetting *row)
{
    return g_strconcat(row->key, KV_NM_FLAGS_SUFFIX, NULL);
}

gboolean
kv_nm_secret_is_needed(const KvSetting *row, GHashTable *data)
{
    gboolean has_keys = g_hash_table_contains(data, kv_setting_get(KV_SETTING_PUBLIC_KEY)->key);
    g_autofree char *flags = NULL;

    if (row->type != KV_SETTING_TYPE_SECRET || (row->flags & KV_SETTING_FLAG_DESKTOP) == 0 ||
        (row->side & KV_SIDE_CLIENT) == 0)
        return FALSE;
    if (row->id == KV_SETTING_SECRET)
        return !has_keys;
    if (row->id == KV_SETTING_PRIVATE_KEY)
        return has_keys;
    flags = kv_nm_secret_get_flags_key(row);
    return has_keys && g_hash_table_contains(data, flags);
}
