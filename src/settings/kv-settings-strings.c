/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-i18n.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <string.h>

gboolean
kv_settings_check_desktop(const KvSetting *row, GError **error)
{
    if ((row->flags & KV_SETTING_FLAG_DESKTOP) != 0)
        return TRUE;
    return kv_settings_fail(error,
                            _("%s: a desktop profile may not have this setting; a tunnel of the "
                              "system service may"),
                            row->key);
}

/* (transfer none) (nullable): the row of @key, if it may stand among values or, as told, among
 * secrets. */
static const KvSetting *
find_row(const char *key, gboolean secret, GError **error)
{
    const KvSetting *row = kv_setting_find(key);

    if (row == NULL || strcmp(row->key, key) != 0) {
        g_autofree char *shown = kv_text_quote(key);

        kv_settings_fail(error, _("\"%s\" is not a known setting"), shown);
        return NULL;
    }
    if (!kv_settings_check_desktop(row, error))
        return NULL;
    if (secret && row->type != KV_SETTING_TYPE_SECRET) {
        kv_settings_fail(error, _("%s: only secrets are allowed here"), row->key);
        return NULL;
    }
    if (!secret && row->type == KV_SETTING_TYPE_SECRET) {
        kv_settings_fail(error, _("%s: not allowed here; allowed: among the secrets"), row->key);
        return NULL;
    }
    return row;
}

static gint
compare_keys(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* In the order of the keys, so that of several mistakes always the same is told. */
static gboolean
set_all(KvSettings *settings, GHashTable *values, gboolean secret, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, values);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_ptr_array_add(keys, key);
    g_ptr_array_sort(keys, compare_keys);
    for (guint i = 0; i < keys->len; i++) {
        const KvSetting *row = find_row(keys->pdata[i], secret, error);

        if (row == NULL ||
            !kv_settings_set_text(settings, row->id, g_hash_table_lookup(values, keys->pdata[i]),
                                  error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
merge_strings(KvSettings *settings, GHashTable *values, gboolean secret, GError **error)
{
    g_autoptr(KvSettings) given = kv_settings_new(settings->role);

    if (!set_all(given, values, secret, error))
        return FALSE;
    kv_settings_merge(settings, given);
    return TRUE;
}

gboolean
kv_settings_load_strings(KvSettings *settings, GHashTable *values, GError **error)
{
    return merge_strings(settings, values, FALSE, error);
}

gboolean
kv_settings_load_secret_strings(KvSettings *settings, GHashTable *secrets, GError **error)
{
    return merge_strings(settings, secrets, TRUE, error);
}
