/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-profile.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-nm-names.h"
#include "kv-nm-secret.h"

/* All that NMSettingSecretFlags has. */
#define FLAGS_MAX 7

static gboolean
fail(GError **error, const char *message)
{
    g_set_error_literal(error, KV_ERROR, KV_ERROR_INVALID_SETTING, message);
    return FALSE;
}

/* Whether a desktop profile of a client may have it. */
static gboolean
is_of_desktop(const KvSetting *row)
{
    return (row->flags & KV_SETTING_FLAG_DESKTOP) != 0 && (row->side & KV_SIDE_CLIENT) != 0;
}

/* --- from a profile -------------------------------------------------------------------------- */

static void
collect(const char *key, const char *value, gpointer data)
{
    g_hash_table_insert(data, g_strdup(key), g_strdup(value));
}

static void
free_value(gpointer value)
{
    kv_secret_wipe_string(value);
    g_free(value);
}

/* (transfer full): what @list names, as keys and values that outlive the listing. */
static GHashTable *
collect_all(NMSettingVpn *vpn, void (*list)(NMSettingVpn *, NMVpnIterFunc, gpointer))
{
    GHashTable *items = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_value);

    list(vpn, collect, items);
    return items;
}

/* Takes the flags of secrets out of @values: they are NetworkManager's, not a tunnel's. */
static gboolean
take_flags(GHashTable *values, GError **error)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        g_autofree char *key = NULL;
        const char *text;

        if (row->type != KV_SETTING_TYPE_SECRET || !is_of_desktop(row))
            continue;
        key = kv_nm_secret_get_flags_key(row);
        text = g_hash_table_lookup(values, key);
        if (text != NULL && !g_ascii_string_to_unsigned(text, 10, 0, FLAGS_MAX, NULL, NULL)) {
            g_autofree char *shown = g_strescape(text, NULL);
            g_autofree char *message = g_strdup_printf(
                _("%s: \"%.64s\" is not allowed; allowed: 0 (kept in the profile), 1 (kept by the "
                  "user's agent), 2 (asked for each time), 4 (not required), or a sum of these"),
                key, shown);

            return fail(error, message);
        }
        g_hash_table_remove(values, key);
    }
    return TRUE;
}

KvSettings *
kv_nm_profile_to_settings(NMSettingVpn *vpn, GError **error)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autoptr(GHashTable) values = collect_all(vpn, nm_setting_vpn_foreach_data_item);
    g_autoptr(GHashTable) secrets = collect_all(vpn, nm_setting_vpn_foreach_secret);

    if (!take_flags(values, error) || !kv_settings_load_strings(settings, values, error) ||
        !kv_settings_load_secret_strings(settings, secrets, error) ||
        !kv_settings_validate_saved(settings, error))
        return NULL;
    return g_steal_pointer(&settings);
}

static gboolean
is_missing(NMSettingVpn *vpn, GHashTable *data, const KvSetting *row)
{
    NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_NONE;
    const char *secret = nm_setting_vpn_get_secret(vpn, row->key);

    if (!kv_nm_secret_is_needed(row, data))
        return FALSE;
    if (secret != NULL && secret[0] != '\0')
        return FALSE;
    /* Flags that cannot be read are for kv_nm_profile_to_settings() to name. */
    if (!nm_setting_get_secret_flags(NM_SETTING(vpn), row->key, &flags, NULL))
        return TRUE;
    return (flags & NM_SETTING_SECRET_FLAG_NOT_REQUIRED) == 0;
}

char **
kv_nm_profile_list_missing_secrets(NMSettingVpn *vpn)
{
    g_autoptr(GHashTable) data = collect_all(vpn, nm_setting_vpn_foreach_data_item);
    g_autoptr(GStrvBuilder) keys = g_strv_builder_new();

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (is_missing(vpn, data, kv_setting_get(i)))
            g_strv_builder_add(keys, kv_setting_get(i)->key);
    }
    return g_strv_builder_end(keys);
}

/* --- to a profile ---------------------------------------------------------------------------- */

static void
add_secret(NMSettingVpn *vpn, GHashTable *data, const KvSettings *settings, const KvSetting *row)
{
    const KvSecret *secret = kv_settings_get_secret(settings, row->id);
    NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_AGENT_OWNED;

    if (secret != NULL) {
        char *text =
            g_strndup((const char *) kv_secret_get_data(secret), kv_secret_get_length(secret));

        nm_setting_vpn_add_secret(vpn, row->key, text);
        kv_secret_wipe_string(text);
        g_free(text);
        flags = NM_SETTING_SECRET_FLAG_NONE;
    } else if (!kv_nm_secret_is_needed(row, data)) {
        return;
    }
    nm_setting_set_secret_flags(NM_SETTING(vpn), row->key, flags, NULL);
}

NMSettingVpn *
kv_nm_profile_from_settings(const KvSettings *settings)
{
    NMSettingVpn *vpn = NM_SETTING_VPN(nm_setting_vpn_new());
    g_autoptr(GHashTable) data = NULL;

    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, KV_NM_SERVICE, NULL);
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        g_autofree char *text = NULL;

        if (!is_of_desktop(row) || i == KV_SETTING_NAME || i == KV_SETTING_ROLE ||
            row->type == KV_SETTING_TYPE_SECRET || !kv_settings_is_set(settings, i))
            continue;
        text = kv_settings_to_text(settings, i);
        nm_setting_vpn_add_data_item(vpn, row->key, text);
    }
    data = collect_all(vpn, nm_setting_vpn_foreach_data_item);
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (is_of_desktop(row) && row->type == KV_SETTING_TYPE_SECRET)
            add_secret(vpn, data, settings, row);
    }
    return vpn;
}

/* --- key files ------------------------------------------------------------------------------- */

static gboolean
check_desktop(const KvSettings *settings, GError **error)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (kv_settings_is_set(settings, i) && !kv_settings_check_desktop(kv_setting_get(i), error))
            return FALSE;
    }
    return TRUE;
}

/* (transfer full): what the file calls the tunnel, or what the file is called. */
static char *
make_id(const KvSettings *settings, const char *where)
{
    const char *name = kv_settings_get_string(settings, KV_SETTING_NAME);
    char *base = NULL;

    if (name != NULL)
        return g_strdup(name);
    base = g_path_get_basename(where);
    if (g_str_has_suffix(base, KV_NM_FILE_SUFFIX))
        base[strlen(base) - strlen(KV_NM_FILE_SUFFIX)] = '\0';
    return base;
}

static NMConnection *
make_connection(const KvSettings *settings, const char *id)
{
    NMConnection *connection = nm_simple_connection_new();
    NMSetting *base = nm_setting_connection_new();
    NMSetting *ip4 = nm_setting_ip4_config_new();
    NMSetting *ip6 = nm_setting_ip6_config_new();

    g_object_set(base, NM_SETTING_CONNECTION_ID, id, NM_SETTING_CONNECTION_TYPE,
                 NM_SETTING_VPN_SETTING_NAME, NULL);
    g_object_set(ip4, NM_SETTING_IP_CONFIG_METHOD, NM_SETTING_IP4_CONFIG_METHOD_AUTO, NULL);
    g_object_set(ip6, NM_SETTING_IP_CONFIG_METHOD, NM_SETTING_IP6_CONFIG_METHOD_AUTO, NULL);
    nm_connection_add_setting(connection, base);
    nm_connection_add_setting(connection, ip4);
    nm_connection_add_setting(connection, ip6);
    nm_connection_add_setting(connection, NM_SETTING(kv_nm_profile_from_settings(settings)));
    return connection;
}

NMConnection *
kv_nm_profile_import(const char *text, gsize len, const char *where, GError **error)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autofree char *id = NULL;

    if (!kv_settings_load_data(settings, text, len, where, error))
        return NULL;
    if (!check_desktop(settings, error) || !kv_settings_validate_saved(settings, error)) {
        g_prefix_error(error, "%s: ", where);
        return NULL;
    }
    id = make_id(settings, where);
    return make_connection(settings, id);
}

char *
kv_nm_profile_export(NMConnection *connection, GError **error)
{
    NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
    const char *id = nm_connection_get_id(connection);
    g_autoptr(KvSettings) settings = NULL;
    g_autoptr(GError) unfit = NULL;

    if (vpn == NULL) {
        fail(error, _("the profile is not one of a VPN"));
        return NULL;
    }
    settings = kv_nm_profile_to_settings(vpn, error);
    if (settings == NULL)
        return NULL;
    /* A profile's name that no tunnel can have is left out: the file has a name, too. */
    if (id != NULL && !kv_settings_set_text(settings, KV_SETTING_NAME, id, &unfit))
        kv_settings_unset(settings, KV_SETTING_NAME);
    return kv_settings_to_data(settings, TRUE);
}
