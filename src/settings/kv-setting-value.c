/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-value.h"

#include "kv-i18n.h"
#include "kv-setting-check.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <string.h>

void
kv_setting_value_clear(KvSettingValue *value)
{
    g_free(value->given);
    g_free(value->text);
    kv_secret_free(value->secret);
    *value = (KvSettingValue){0};
}

static gboolean
parse_boolean(const char *text, guint64 *number)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False", NULL};

    *number = g_strv_contains(yes, text);
    return *number != 0 || g_strv_contains(no, text);
}

/* Decimal or 0x…; a leading zero is refused, since some would take it for octal. */
static gboolean
parse_uint(const KvSetting *row, const char *text, guint64 *number)
{
    guint base = 10;

    if (g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X")) {
        base = 16;
        text += 2;
    } else if (text[0] == '0' && text[1] != '\0') {
        return FALSE;
    }
    return g_ascii_string_to_unsigned(text, base, row->min, row->max, number, NULL);
}

static gboolean
parse_choice(const KvSetting *row, const char *text, guint64 *number)
{
    for (guint i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *number = i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
is_clean_text(const KvSetting *row, const char *text)
{
    size_t len = strlen(text);

    if (len < row->min || len > row->max || !g_utf8_validate(text, (gssize) len, NULL))
        return FALSE;
    for (size_t i = 0; i < len; i++) {
        if ((guchar) text[i] < 0x20 || text[i] == 0x7f)
            return FALSE;
    }
    return TRUE;
}

/* So that nobody else has to know that an IPv6 address may come in brackets. */
static char *
dup_canonical(const KvSetting *row, const char *text)
{
    if (row->check == kv_check_host && text[0] == '[')
        return g_strndup(text + 1, strlen(text) - 2);
    return g_strdup(text);
}

/* (transfer full) (nullable): @text in the one spelling of a list; NULL: an item is not allowed. */
static char *
parse_list(const KvSetting *row, const char *text)
{
    g_auto(GStrv) items = g_strsplit(text, ",", 0);

    for (guint i = 0; items[i] != NULL; i++) {
        g_strstrip(items[i]);
        if (items[i][0] == '\0' || (row->check != NULL && !row->check(items[i])))
            return NULL;
    }
    return g_strjoinv(",", items);
}

static gboolean
parse_string(const KvSetting *row, const char *text, KvSettingValue *value)
{
    if (!is_clean_text(row, text))
        return FALSE;
    if ((row->flags & KV_SETTING_FLAG_LIST) != 0)
        value->text = parse_list(row, text);
    else if (row->check == NULL || row->check(text))
        value->text = dup_canonical(row, text);
    return value->text != NULL;
}

gboolean
kv_setting_value_parse(KvSettingValue *value, const KvSetting *row, const char *text)
{
    switch (row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        if (!parse_boolean(text, &value->number))
            return FALSE;
        value->text = g_strdup(value->number ? "true" : "false");
        return TRUE;
    case KV_SETTING_TYPE_UINT:
        if (!parse_uint(row, text, &value->number) || (row->check != NULL && !row->check(text)))
            return FALSE;
        value->text = g_strdup_printf("%" G_GUINT64_FORMAT, value->number);
        return TRUE;
    case KV_SETTING_TYPE_CHOICE:
        if (!parse_choice(row, text, &value->number))
            return FALSE;
        value->text = g_strdup(text);
        return TRUE;
    case KV_SETTING_TYPE_STRING:
        return parse_string(row, text, value);
    case KV_SETTING_TYPE_SECRET:
        if (!is_clean_text(row, text) || (row->check != NULL && !row->check(text)))
            return FALSE;
        value->secret = kv_secret_new(text, strlen(text));
        return TRUE;
    }
    g_return_val_if_reached(FALSE);
}

gboolean
kv_setting_value_take_bytes(KvSettingValue *value, const KvSetting *row, const char *bytes)
{
    size_t len = strlen(bytes);

    if (len < row->min || len > row->max)
        return FALSE;
    value->secret = kv_secret_new(bytes, len);
    return TRUE;
}

gboolean
kv_setting_value_fail(const KvSetting *row, const char *text, GError **error)
{
    g_autofree char *allowed = kv_setting_format_allowed(row);
    g_autofree char *quoted = NULL;

    if (row->type == KV_SETTING_TYPE_SECRET)
        return kv_settings_fail(error, _("%s: this value is not allowed; allowed: %s"), row->key,
                                allowed);
    quoted = kv_text_quote(text);
    return kv_settings_fail(error, _("%s: \"%s\" is not allowed; allowed: %s"), row->key, quoted,
                            allowed);
}

void
kv_setting_value_copy(KvSettingValue *to, const KvSettingValue *from)
{
    kv_setting_value_clear(to);
    to->is_set = from->is_set;
    to->is_absent = from->is_absent;
    to->given = g_strdup(from->given);
    to->text = g_strdup(from->text);
    to->number = from->number;
    to->secret = kv_secret_copy(from->secret);
    to->from_file = from->from_file;
}

gboolean
kv_setting_value_equal(const KvSettingValue *a, const KvSettingValue *b)
{
    if (a->secret != NULL && b->secret != NULL)
        return kv_secret_equal(a->secret, b->secret);
    return a->secret == b->secret && g_strcmp0(a->text, b->text) == 0;
}

gboolean
kv_setting_value_get_key(const KvSettingValue *value, uint8_t key[KV_KEY_BYTES])
{
    char text[KV_KEY_TEXT_BYTES] = "";

    if (!value->is_set)
        return FALSE;
    if (value->secret == NULL)
        return kv_key_parse(key, value->text);
    memcpy(text, kv_secret_get_data(value->secret),
           MIN(kv_secret_get_length(value->secret), sizeof text - 1));
    /* It was checked when it was set. */
    if (!kv_key_parse(key, text))
        g_assert_not_reached();
    explicit_bzero(text, sizeof text);
    return TRUE;
}

GArray *
kv_setting_value_list_networks(const KvSettingValue *value)
{
    g_auto(GStrv) items = g_strsplit(value->text != NULL ? value->text : "", ",", 0);
    GArray *networks = g_array_new(FALSE, FALSE, sizeof(KvNetwork));

    for (guint i = 0; items[i] != NULL; i++) {
        KvNetwork network;

        if (kv_network_parse(&network, items[i]))
            g_array_append_val(networks, network);
    }
    return networks;
}

/* Leading and trailing blanks would be lost otherwise. */
static void
append_escaped(GString *out, const char *text, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        if (text[i] == '\\')
            g_string_append(out, "\\\\");
        else if (text[i] == ' ' && (i == 0 || i == len - 1))
            g_string_append(out, "\\s");
        else
            g_string_append_c(out, text[i]);
    }
}

void
kv_setting_value_append_line(GString *out, const KvSetting *row, const KvSettingValue *value)
{
    if (!value->is_set)
        return;
    g_string_append_printf(out, "%s=", row->key);
    if ((row->flags & KV_SETTING_FLAG_LIST) != 0) {
        g_autofree char *items = g_strdelimit(g_strdup(value->text), ",", ';');

        append_escaped(out, items, strlen(items));
        g_string_append_c(out, ';');
    } else if (value->secret != NULL) {
        append_escaped(out, (const char *) kv_secret_get_data(value->secret),
                       kv_secret_get_length(value->secret));
    } else {
        append_escaped(out, value->text, strlen(value->text));
    }
    g_string_append_c(out, '\n');
}
