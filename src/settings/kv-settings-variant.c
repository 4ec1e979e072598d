/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings-variant.h"

#include "kv-i18n.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <string.h>

/* Boxes within boxes: a variant may come in a variant, but nobody needs many. */
#define NESTING_MAX 8

/* --- from a{sv} ----------------------------------------------------------------------------- */

/* (transfer full) (nullable): an integer's or a truth's text. */
static char *
number_to_text(GVariant *value)
{
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_BOOLEAN:
        return g_strdup(g_variant_get_boolean(value) ? "true" : "false");
    case G_VARIANT_CLASS_BYTE:
        return g_strdup_printf("%u", g_variant_get_byte(value));
    case G_VARIANT_CLASS_INT16:
        return g_strdup_printf("%d", g_variant_get_int16(value));
    case G_VARIANT_CLASS_UINT16:
        return g_strdup_printf("%u", g_variant_get_uint16(value));
    case G_VARIANT_CLASS_INT32:
        return g_strdup_printf("%d", g_variant_get_int32(value));
    case G_VARIANT_CLASS_UINT32:
        return g_strdup_printf("%u", g_variant_get_uint32(value));
    case G_VARIANT_CLASS_INT64:
        return g_strdup_printf("%" G_GINT64_FORMAT, g_variant_get_int64(value));
    case G_VARIANT_CLASS_UINT64:
        return g_strdup_printf("%" G_GUINT64_FORMAT, g_variant_get_uint64(value));
    default:
        return NULL;
    }
}

/* (transfer full) (nullable): the items with "," between them; NULL: one holds a "," itself. */
static char *
list_to_text(GVariant *value)
{
    g_autofree const char **items = g_variant_get_strv(value, NULL);

    for (guint i = 0; items[i] != NULL; i++) {
        if (strchr(items[i], ',') != NULL)
            return NULL;
    }
    return g_strjoinv(",", (char **) items);
}

/* (transfer full) (nullable): @value as kv_settings_set_text() takes it; NULL: of no type that
 * @row knows. */
static char *
value_to_text(const KvSetting *row, GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_variant_dup_string(value, NULL);
    switch (row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        return number_to_text(value);
    case KV_SETTING_TYPE_UINT:
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
            return NULL;
        return number_to_text(value);
    case KV_SETTING_TYPE_STRING:
        if ((row->flags & KV_SETTING_FLAG_LIST) != 0 &&
            g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY))
            return list_to_text(value);
        return NULL;
    case KV_SETTING_TYPE_CHOICE:
    case KV_SETTING_TYPE_SECRET:
        break;
    }
    return NULL;
}

static gboolean
fail_type(const KvSetting *row, GVariant *value, GError **error)
{
    g_autofree char *allowed = kv_setting_format_allowed(row);

    return kv_settings_fail(error, _("%s: a value of type \"%s\" is not allowed; allowed: %s"),
                            row->key, g_variant_get_type_string(value), allowed);
}

static gboolean
set_value(KvSettings *settings, const KvSetting *row, GVariant *boxed, GError **error)
{
    g_autoptr(GVariant) value = g_variant_ref(boxed);
    g_autofree char *text = NULL;
    gboolean ok;

    for (guint i = 0; i < NESTING_MAX && g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT); i++) {
        GVariant *inner = g_variant_get_variant(value);

        g_variant_unref(value);
        value = inner;
    }
    text = value_to_text(row, value);
    if (text == NULL)
        return fail_type(row, value, error);
    ok = kv_settings_set_text(settings, row->id, text, error);
    if (row->type == KV_SETTING_TYPE_SECRET)
        kv_secret_wipe_string(text);
    return ok;
}

/* (transfer none) (nullable): the row of @key, which must be new in @seen. */
static const KvSetting *
find_row(const char *key, gboolean *seen, GError **error)
{
    const KvSetting *row = kv_setting_find(key);

    if (row == NULL || strcmp(row->key, key) != 0) {
        g_autofree char *shown = kv_text_quote(key);

        kv_settings_fail(error, _("\"%s\" is not a known setting"), shown);
        return NULL;
    }
    if (seen[row->id]) {
        kv_settings_fail(error, _("%s: was given twice"), row->key);
        return NULL;
    }
    seen[row->id] = TRUE;
    return row;
}

/* Changes @settings up to the first mistake. */
static gboolean
set_all(KvSettings *settings, GVariant *dict, gboolean secrets_only, GError **error)
{
    gboolean seen[KV_N_SETTINGS] = {FALSE};
    GVariantIter iter;
    const char *key;
    GVariant *value;

    g_variant_iter_init(&iter, dict);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        g_autoptr(GVariant) owned = value;
        const KvSetting *row = find_row(key, seen, error);

        if (row == NULL)
            return FALSE;
        if (secrets_only && row->type != KV_SETTING_TYPE_SECRET)
            return kv_settings_fail(error, _("%s: only secrets are allowed here"), row->key);
        if (!set_value(settings, row, value, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
merge_variant(KvSettings *settings, GVariant *dict, gboolean secrets_only, GError **error)
{
    g_autoptr(KvSettings) given = kv_settings_new(settings->role);

    g_return_val_if_fail(g_variant_is_of_type(dict, G_VARIANT_TYPE_VARDICT), FALSE);
    if (!set_all(given, dict, secrets_only, error))
        return FALSE;
    kv_settings_merge(settings, given);
    return TRUE;
}

gboolean
kv_settings_load_variant(KvSettings *settings, GVariant *dict, GError **error)
{
    return merge_variant(settings, dict, FALSE, error);
}

gboolean
kv_settings_load_secrets_variant(KvSettings *settings, GVariant *dict, GError **error)
{
    return merge_variant(settings, dict, TRUE, error);
}

KvSettings *
kv_settings_new_from_variant(GVariant *dict, GError **error)
{
    const KvSetting *row = kv_setting_get(KV_SETTING_ROLE);
    g_autoptr(GVariant) role = NULL;
    g_autoptr(KvSettings) settings = NULL;
    KvRole side = KV_ROLE_CLIENT;

    g_return_val_if_fail(g_variant_is_of_type(dict, G_VARIANT_TYPE_VARDICT), NULL);
    role = g_variant_lookup_value(dict, row->key, NULL);
    if (role == NULL) {
        g_autofree char *allowed = kv_setting_format_allowed(row);

        kv_settings_fail(error, _("%s: required, but not given; allowed: %s"), row->key, allowed);
        return NULL;
    }
    if (g_variant_is_of_type(role, G_VARIANT_TYPE_STRING) &&
        strcmp(g_variant_get_string(role, NULL), row->choices[KV_ROLE_SERVER]) == 0)
        side = KV_ROLE_SERVER;
    settings = kv_settings_new(side);
    /* The role first, so that a wrong one is not reported as a key of the other side. */
    if (!set_value(settings, row, role, error) || !set_all(settings, dict, FALSE, error))
        return NULL;
    return g_steal_pointer(&settings);
}

/* --- to a{sv} ------------------------------------------------------------------------------- */

static GVariant *
value_to_variant(const KvSetting *row, const KvSettingValue *value)
{
    g_auto(GStrv) items = NULL;

    switch (row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        return g_variant_new_boolean(value->number != 0);
    case KV_SETTING_TYPE_UINT:
        return g_variant_new_uint32((guint32) value->number);
    case KV_SETTING_TYPE_STRING:
        if ((row->flags & KV_SETTING_FLAG_LIST) == 0)
            break;
        items = g_strsplit(value->text, ",", 0);
        return g_variant_new_strv((const char *const *) items, -1);
    case KV_SETTING_TYPE_CHOICE:
        break;
    case KV_SETTING_TYPE_SECRET:
        return g_variant_new_take_string(g_strndup((const char *) kv_secret_get_data(value->secret),
                                                   kv_secret_get_length(value->secret)));
    }
    return g_variant_new_string(value->text);
}

GVariant *
kv_settings_to_variant(const KvSettings *settings)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (settings->values[i].is_set && row->type != KV_SETTING_TYPE_SECRET)
            g_variant_dict_insert_value(&dict, row->key,
                                        value_to_variant(row, &settings->values[i]));
    }
    g_variant_dict_insert(&dict, kv_setting_get(KV_SETTING_ROLE)->key, "s",
                          kv_setting_get(KV_SETTING_ROLE)->choices[settings->role]);
    return g_variant_dict_end(&dict);
}

GVariant *
kv_settings_secrets_to_variant(const KvSettings *settings)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (kv_settings_holds_secret(settings, i))
            g_variant_dict_insert_value(&dict, row->key,
                                        value_to_variant(row, &settings->values[i]));
    }
    return g_variant_dict_end(&dict);
}

char **
kv_settings_list_secrets(const KvSettings *settings)
{
    g_autoptr(GStrvBuilder) keys = g_strv_builder_new();

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (kv_settings_holds_secret(settings, i))
            g_strv_builder_add(keys, kv_setting_get(i)->key);
    }
    return g_strv_builder_end(keys);
}

GVariant *
kv_settings_defaults_to_variant(KvRole role)
{
    KvSettingSide side = role == KV_ROLE_CLIENT ? KV_SIDE_CLIENT : KV_SIDE_SERVER;
    g_autoptr(KvSettings) defaults = kv_settings_new(role);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (row->default_text != NULL && (row->side & side) != 0)
            g_variant_dict_insert_value(&dict, row->key,
                                        value_to_variant(row, &defaults->values[i]));
    }
    return g_variant_dict_end(&dict);
}
