/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-setting-older.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <stdarg.h>
#include <string.h>

gboolean
kv_settings_fail(GError **error, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, KV_ERROR, KV_ERROR_INVALID_SETTING, message);
    return FALSE;
}

static void
value_clear(KvSettingValue *value)
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
    if (row->id == KV_SETTING_IP && text[0] == '[')
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

/* @value must be empty and stays so on failure. */
static gboolean
parse_value(const KvSetting *row, const char *text, KvSettingValue *value)
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

static void
set_default(KvSettings *settings, const KvSetting *row)
{
    KvSettingValue *value = &settings->values[row->id];

    value_clear(value);
    if (row->default_text != NULL && !parse_value(row, row->default_text, value))
        g_error("the default of %s is not allowed", row->key);
}

KvSettings *
kv_settings_new(KvRole role)
{
    KvSettings *settings = g_new0(KvSettings, 1);

    settings->role = role;
    for (guint i = 0; i < KV_N_SETTINGS; i++)
        set_default(settings, kv_setting_get(i));
    return settings;
}

static void
copy_value(KvSettingValue *to, const KvSettingValue *from)
{
    value_clear(to);
    to->is_set = from->is_set;
    to->is_absent = from->is_absent;
    to->given = g_strdup(from->given);
    to->text = g_strdup(from->text);
    to->number = from->number;
    to->secret = kv_secret_copy(from->secret);
}

KvSettings *
kv_settings_copy(const KvSettings *settings)
{
    KvSettings *copy = g_new0(KvSettings, 1);

    copy->role = settings->role;
    copy->secret_from_file = settings->secret_from_file;
    for (guint i = 0; i < KV_N_SETTINGS; i++)
        copy_value(&copy->values[i], &settings->values[i]);
    return copy;
}

void
kv_settings_free(KvSettings *settings)
{
    if (settings == NULL)
        return;
    for (guint i = 0; i < KV_N_SETTINGS; i++)
        value_clear(&settings->values[i]);
    g_free(settings);
}

KvRole
kv_settings_get_role(const KvSettings *settings)
{
    return settings->role;
}

static gboolean
check_side(const KvSettings *settings, const KvSetting *row, GError **error)
{
    if (settings->role == KV_ROLE_CLIENT && (row->side & KV_SIDE_CLIENT) == 0)
        return kv_settings_fail(error, _("%s: only a server has this setting, this is a client"),
                                row->key);
    if (settings->role == KV_ROLE_SERVER && (row->side & KV_SIDE_SERVER) == 0)
        return kv_settings_fail(error, _("%s: only a client has this setting, this is a server"),
                                row->key);
    return TRUE;
}

static gboolean
fail_value(const KvSetting *row, const char *text, GError **error)
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

gboolean
kv_settings_set_text(KvSettings *settings, KvSettingId id, const char *text, GError **error)
{
    const KvSetting *row = kv_setting_get(id);
    KvSettingValue value = {.is_set = TRUE};

    g_return_val_if_fail(row != NULL, FALSE);
    if (!check_side(settings, row, error))
        return FALSE;
    if (!parse_value(row, text, &value))
        return fail_value(row, text, error);
    if (id == KV_SETTING_ROLE && value.number != settings->role) {
        value_clear(&value);
        return kv_settings_fail(error, _("%s: these are settings of a %s, a %s was asked for"),
                                row->key, text, row->choices[settings->role]);
    }
    if (id == KV_SETTING_SECRET)
        settings->secret_from_file = FALSE;
    value_clear(&settings->values[id]);
    settings->values[id] = value;
    return TRUE;
}

gboolean
kv_settings_set_older_text(KvSettings *settings, KvSettingId id, const char *text, GError **error)
{
    const KvSetting *row = kv_setting_get(id);
    g_autofree char *other = NULL;
    guint64 number = 0;
    KvOlder older;

    g_return_val_if_fail(row != NULL, FALSE);
    older = kv_setting_read_older(row, text, &number);
    if (older == KV_OLDER_NONE)
        return kv_settings_set_text(settings, id, text, error);
    if (!check_side(settings, row, error))
        return FALSE;
    if (older == KV_OLDER_ABSENT) {
        kv_settings_unset(settings, id);
        settings->values[id].is_absent = TRUE;
        return TRUE;
    }
    other = g_strdup_printf("%" G_GUINT64_FORMAT, number);
    if (!kv_settings_set_text(settings, id, other, error))
        return FALSE;
    if (older == KV_OLDER_OTHER)
        settings->values[id].given = g_strdup(text);
    return TRUE;
}

void
kv_settings_unset(KvSettings *settings, KvSettingId id)
{
    g_return_if_fail(id < KV_N_SETTINGS);
    if (id == KV_SETTING_SECRET)
        settings->secret_from_file = FALSE;
    set_default(settings, kv_setting_get(id));
}

gboolean
kv_settings_is_set(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(id < KV_N_SETTINGS, FALSE);
    return settings->values[id].is_set;
}

gboolean
kv_settings_runs_programs(const KvSettings *settings)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if ((kv_setting_get(i)->flags & KV_SETTING_FLAG_PROGRAM) != 0 && settings->values[i].is_set)
            return TRUE;
    }
    return FALSE;
}

static gboolean
has_type(KvSettingId id, KvSettingType type)
{
    return id < KV_N_SETTINGS && kv_setting_get(id)->type == type;
}

gboolean
kv_settings_get_boolean(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(has_type(id, KV_SETTING_TYPE_BOOLEAN), FALSE);
    return settings->values[id].number != 0;
}

guint64
kv_settings_get_uint(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(has_type(id, KV_SETTING_TYPE_UINT), 0);
    return settings->values[id].number;
}

const char *
kv_settings_get_string(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(
        has_type(id, KV_SETTING_TYPE_STRING) || has_type(id, KV_SETTING_TYPE_CHOICE), NULL);
    return settings->values[id].text;
}

guint
kv_settings_get_choice(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(has_type(id, KV_SETTING_TYPE_CHOICE), 0);
    return (guint) settings->values[id].number;
}

const KvSecret *
kv_settings_get_secret(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(has_type(id, KV_SETTING_TYPE_SECRET), NULL);
    return settings->values[id].secret;
}

gboolean
kv_settings_get_key(const KvSettings *settings, KvSettingId id, uint8_t key[KV_KEY_BYTES])
{
    char text[KV_KEY_TEXT_BYTES] = "";
    const KvSettingValue *value;

    g_return_val_if_fail(id < KV_N_SETTINGS, FALSE);
    value = &settings->values[id];
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

KvProtocol
kv_settings_get_protocol(const KvSettings *settings)
{
    return settings->values[KV_SETTING_CRYPT].number < KV_N_CIPHERS ? KV_PROTOCOL_V1
                                                                    : KV_PROTOCOL_NATIVE;
}

KvCipher
kv_settings_get_v1_cipher(const KvSettings *settings)
{
    g_return_val_if_fail(kv_settings_get_protocol(settings) == KV_PROTOCOL_V1, KV_CIPHER_AES);
    return (KvCipher) settings->values[KV_SETTING_CRYPT].number;
}

gboolean
kv_settings_allows_aead(const KvSettings *settings, KvAead aead)
{
    switch (settings->values[KV_SETTING_CRYPT].number) {
    case KV_N_CIPHERS + KV_NATIVE_CRYPT_CHACHA20_POLY1305:
        return aead == KV_AEAD_CHACHA20_POLY1305;
    case KV_N_CIPHERS + KV_NATIVE_CRYPT_AES_256_GCM:
        return aead == KV_AEAD_AES_256_GCM;
    default:
        return TRUE;
    }
}

char *
kv_settings_to_text(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(id < KV_N_SETTINGS, NULL);
    if (settings->values[id].secret != NULL)
        return g_strdup("(set)");
    return g_strdup(settings->values[id].text);
}

/* Whether the tunnel in the foreground would be another one without this value. */
static gboolean
is_in_effect(const KvSettings *settings, const KvSetting *row)
{
    const char *mode = kv_settings_get_string(settings, KV_SETTING_KCP_MODE);

    switch (row->id) {
    case KV_SETTING_NODELAY:
    case KV_SETTING_INTERVAL:
    case KV_SETTING_RESEND:
    case KV_SETTING_NC:
        return strcmp(mode, "manual") == 0;
    default:
        return (row->flags & KV_SETTING_FLAG_NO_ARGV) == 0 || settings->values[row->id].is_set;
    }
}

char *
kv_settings_format_effective(const KvSettings *settings)
{
    KvSettingSide side = settings->role == KV_ROLE_CLIENT ? KV_SIDE_CLIENT : KV_SIDE_SERVER;
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        g_autofree char *text = kv_settings_to_text(settings, i);

        if ((row->side & side) != 0 && text != NULL && is_in_effect(settings, row))
            g_string_append_printf(out, "%s = %s\n", row->key, text);
    }
    return g_string_free(out, FALSE);
}

static gboolean
value_equal(const KvSettingValue *a, const KvSettingValue *b)
{
    if (a->secret != NULL && b->secret != NULL)
        return kv_secret_equal(a->secret, b->secret);
    return a->secret == b->secret && g_strcmp0(a->text, b->text) == 0;
}

gboolean
kv_settings_equal(const KvSettings *a, const KvSettings *b)
{
    if (a->role != b->role)
        return FALSE;
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        /* A file may repeat the role or leave it out. */
        if (i != KV_SETTING_ROLE && !value_equal(&a->values[i], &b->values[i]))
            return FALSE;
    }
    return TRUE;
}

void
kv_settings_merge(KvSettings *settings, const KvSettings *over)
{
    g_return_if_fail(settings->role == over->role);
    if (kv_settings_is_set(over, KV_SETTING_SECRET) ||
        kv_settings_is_set(over, KV_SETTING_SECRET_FILE)) {
        kv_settings_unset(settings, KV_SETTING_SECRET);
        kv_settings_unset(settings, KV_SETTING_SECRET_FILE);
        settings->secret_from_file = over->secret_from_file;
    }
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (over->values[i].is_set || over->values[i].is_absent)
            copy_value(&settings->values[i], &over->values[i]);
    }
}
