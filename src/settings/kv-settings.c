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
set_default(KvSettings *settings, const KvSetting *row)
{
    KvSettingValue *value = &settings->values[row->id];

    kv_setting_value_clear(value);
    if (row->default_text != NULL && !kv_setting_value_parse(value, row, row->default_text))
        g_error("the default of %s is not allowed", row->key);
}

KvSettings *
kv_settings_new(KvRole role)
{
    KvSettings *settings = g_new0(KvSettings, 1);

    settings->role = role;
    settings->peers = kv_peer_list_new();
    for (guint i = 0; i < KV_N_SETTINGS; i++)
        set_default(settings, kv_setting_get(i));
    return settings;
}

KvSettings *
kv_settings_copy(const KvSettings *settings)
{
    KvSettings *copy = g_new0(KvSettings, 1);

    copy->role = settings->role;
    copy->peers = kv_peer_list_ref(settings->peers);
    copy->peers_given = settings->peers_given;
    copy->any_secret = settings->any_secret;
    for (guint i = 0; i < KV_N_SETTINGS; i++)
        kv_setting_value_copy(&copy->values[i], &settings->values[i]);
    return copy;
}

void
kv_settings_free(KvSettings *settings)
{
    if (settings == NULL)
        return;
    for (guint i = 0; i < KV_N_SETTINGS; i++)
        kv_setting_value_clear(&settings->values[i]);
    kv_peer_list_unref(settings->peers);
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
    if ((row->side & kv_setting_side_of_role(settings->role)) != 0)
        return TRUE;
    switch (settings->role) {
    case KV_ROLE_CLIENT:
        return kv_settings_fail(error, _("%s: only a server has this setting, this is a client"),
                                row->key);
    case KV_ROLE_SERVER:
        return kv_settings_fail(error, _("%s: only a client has this setting, this is a server"),
                                row->key);
    case KV_ROLE_PEER:
        break;
    }
    return kv_settings_fail(error, _("%s: a peer does not have this setting"), row->key);
}

void
kv_settings_allow_any_secret(KvSettings *settings)
{
    settings->any_secret = TRUE;
}

gboolean
kv_settings_set_text(KvSettings *settings, KvSettingId id, const char *text, GError **error)
{
    const KvSetting *row = kv_setting_get(id);
    KvSettingValue value = {.is_set = TRUE};
    gboolean ok;

    g_return_val_if_fail(row != NULL, FALSE);
    if (!check_side(settings, row, error))
        return FALSE;
    ok = id == KV_SETTING_SECRET && settings->any_secret
             ? kv_setting_value_take_bytes(&value, row, text)
             : kv_setting_value_parse(&value, row, text);
    if (!ok)
        return kv_setting_value_fail(row, text, error);
    if (id == KV_SETTING_ROLE && value.number != settings->role) {
        kv_setting_value_clear(&value);
        return kv_settings_fail(error, _("%s: these are settings of a %s, a %s was asked for"),
                                row->key, text, row->choices[settings->role]);
    }
    kv_setting_value_clear(&settings->values[id]);
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
    set_default(settings, kv_setting_get(id));
}

gboolean
kv_settings_is_set(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(id < KV_N_SETTINGS, FALSE);
    return settings->values[id].is_set;
}

const KvPeerList *
kv_settings_get_peers(const KvSettings *settings)
{
    return settings->peers;
}

void
kv_settings_set_peers(KvSettings *settings, KvPeerList *peers)
{
    kv_peer_list_unref(settings->peers);
    settings->peers = peers;
    settings->peers_given = TRUE;
}

void
kv_settings_unset_peers(KvSettings *settings)
{
    kv_settings_set_peers(settings, kv_peer_list_new());
    settings->peers_given = FALSE;
}

gboolean
kv_settings_has_peers(const KvSettings *settings)
{
    return settings->peers_given;
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
    g_return_val_if_fail(id < KV_N_SETTINGS, FALSE);
    return kv_setting_value_get_key(&settings->values[id], key);
}

GArray *
kv_settings_list_networks(const KvSettings *settings, KvSettingId id)
{
    g_return_val_if_fail(has_type(id, KV_SETTING_TYPE_STRING), NULL);
    return kv_setting_value_list_networks(&settings->values[id]);
}

KvProtocol
kv_settings_get_protocol(const KvSettings *settings)
{
    return settings->values[KV_SETTING_CRYPT].number < KV_N_NATIVE_CRYPTS ? KV_PROTOCOL_NATIVE
                                                                          : KV_PROTOCOL_V1;
}

KvCipher
kv_settings_get_v1_cipher(const KvSettings *settings)
{
    g_return_val_if_fail(kv_settings_get_protocol(settings) == KV_PROTOCOL_V1, KV_CIPHER_AES);
    return (KvCipher) (settings->values[KV_SETTING_CRYPT].number - KV_N_NATIVE_CRYPTS);
}

gboolean
kv_settings_allows_aead(const KvSettings *settings, KvAead aead)
{
    switch (settings->values[KV_SETTING_CRYPT].number) {
    case KV_NATIVE_CRYPT_CHACHA20_POLY1305:
        return aead == KV_AEAD_CHACHA20_POLY1305;
    case KV_NATIVE_CRYPT_AES_256_GCM:
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

    if (!kv_settings_has_use_for(settings, row->id))
        return FALSE;
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

/* (transfer full) (nullable) */
static char *
get_effective_text(const KvSettings *settings, const KvSetting *row)
{
    if (row->native_default_text != NULL && !settings->values[row->id].is_set &&
        kv_settings_get_protocol(settings) == KV_PROTOCOL_NATIVE)
        return g_strdup(row->native_default_text);
    return kv_settings_to_text(settings, row->id);
}

static void
append_effective_peers(GString *out, const KvPeerList *peers)
{
    for (guint i = 0; i < kv_peer_list_get_length(peers); i++) {
        const KvPeerSettings *peer = kv_peer_list_get(peers, i);

        g_string_append_printf(out, "[peer %s]\n", kv_peer_settings_get_name(peer));
        for (guint n = 0; n < KV_N_PEER_SETTINGS; n++) {
            g_autofree char *text = kv_peer_settings_to_text(peer, n);

            if (text != NULL)
                g_string_append_printf(out, "%s = %s\n", kv_peer_setting_get(n)->key, text);
        }
    }
}

char *
kv_settings_format_effective(const KvSettings *settings)
{
    KvSettingSide side = kv_setting_side_of_role(settings->role);
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        g_autofree char *text = get_effective_text(settings, row);

        if ((row->side & side) != 0 && text != NULL && is_in_effect(settings, row))
            g_string_append_printf(out, "%s = %s\n", row->key, text);
    }
    append_effective_peers(out, settings->peers);
    return g_string_free(out, FALSE);
}

char **
kv_settings_list_waiting(const KvSettings *old, const KvSettings *now)
{
    g_autoptr(GStrvBuilder) keys = g_strv_builder_new();

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (i != KV_SETTING_ROLE && (row->flags & KV_SETTING_FLAG_LIVE) == 0 &&
            !kv_setting_value_equal(&old->values[i], &now->values[i]))
            g_strv_builder_add(keys, row->key);
    }
    return g_strv_builder_end(keys);
}

gboolean
kv_settings_equal(const KvSettings *a, const KvSettings *b)
{
    if (a->role != b->role)
        return FALSE;
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        /* A file may repeat the role or leave it out. */
        if (i != KV_SETTING_ROLE && !kv_setting_value_equal(&a->values[i], &b->values[i]))
            return FALSE;
    }
    return kv_peer_list_equal(a->peers, b->peers);
}

void
kv_settings_merge(KvSettings *settings, const KvSettings *over)
{
    g_return_if_fail(settings->role == over->role);
    for (guint i = 0; i < KV_N_SECRET_FILES; i++) {
        const KvSecretFile *pair = &kv_secret_files[i];

        if (!kv_settings_is_set(over, pair->secret) && !kv_settings_is_set(over, pair->file))
            continue;
        kv_settings_unset(settings, pair->secret);
        kv_settings_unset(settings, pair->file);
    }
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (over->values[i].is_set || over->values[i].is_absent)
            kv_setting_value_copy(&settings->values[i], &over->values[i]);
    }
    if (over->peers_given)
        kv_settings_set_peers(settings, kv_peer_list_keep_secrets(over->peers, settings->peers));
}
