/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings-private.h"

#include "kv-i18n.h"

#include <string.h>

const KvSetting *
kv_setting_get(KvSettingId id)
{
    g_return_val_if_fail(id < KV_N_SETTINGS, NULL);
    if (id >= KV_SETTING_HOOK_DIR)
        return &kv_setting_program_rows[id - KV_SETTING_HOOK_DIR];
    if (id >= KV_SETTING_LOCAL_IP)
        return &kv_setting_network_rows[id - KV_SETTING_LOCAL_IP];
    if (id >= KV_SETTING_SECRET)
        return &kv_setting_security_rows[id - KV_SETTING_SECRET];
    return &kv_setting_connection_rows[id];
}

const KvSetting *
kv_setting_find(const char *key)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (strcmp(row->key, key) == 0 || g_strcmp0(row->alias, key) == 0)
            return row;
    }
    return NULL;
}

KvSettingSide
kv_setting_side_of_role(KvRole role)
{
    switch (role) {
    case KV_ROLE_CLIENT:
        return KV_SIDE_CLIENT;
    case KV_ROLE_SERVER:
        return KV_SIDE_SERVER;
    case KV_ROLE_PEER:
        return KV_SIDE_PEER;
    }
    g_return_val_if_reached(KV_SIDE_CLIENT);
}

const char *
kv_role_to_string(KvRole role)
{
    return kv_setting_get(KV_SETTING_ROLE)->choices[role];
}

gboolean
kv_role_from_string(const char *word, KvRole *role)
{
    const char *const *words = kv_setting_get(KV_SETTING_ROLE)->choices;

    for (guint i = 0; words[i] != NULL; i++) {
        if (g_strcmp0(words[i], word) != 0)
            continue;
        *role = (KvRole) i;
        return TRUE;
    }
    return FALSE;
}

const char *
kv_setting_get_desktop_default(const KvSetting *setting)
{
    return setting->desktop_default_text != NULL ? setting->desktop_default_text
                                                 : setting->default_text;
}

char *
kv_setting_format_default(const KvSetting *setting, gboolean is_desktop)
{
    const char *text = is_desktop ? kv_setting_get_desktop_default(setting) : setting->default_text;

    if (setting->native_default_text != NULL)
        return g_strdup_printf(_("%s, in protocol v1 %s"), _(setting->native_default_text), text);
    return g_strdup(text);
}

char *
kv_setting_format_allowed(const KvSetting *setting)
{
    g_autofree char *words = NULL;

    if (setting->allowed != NULL)
        return g_strdup(_(setting->allowed));
    switch (setting->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        return g_strdup(_("true or false"));
    case KV_SETTING_TYPE_UINT:
        return g_strdup_printf(_("a whole number from %u to %u"), (guint) setting->min,
                               (guint) setting->max);
    case KV_SETTING_TYPE_CHOICE:
        words = g_strjoinv(", ", (char **) setting->choices);
        return g_strdup_printf(_("one of %s"), words);
    case KV_SETTING_TYPE_STRING:
    case KV_SETTING_TYPE_SECRET:
        break;
    }
    return g_strdup_printf(_("%u to %u bytes without control characters"), (guint) setting->min,
                           (guint) setting->max);
}
