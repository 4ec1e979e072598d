/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-settings-private.h"

/* What Reed-Solomon over GF(256) can hold. */
#define SHARDS_MAX 256

static gboolean
require(const KvSettings *settings, KvSettingId id, GError **error)
{
    g_autofree char *allowed = NULL;

    if (kv_settings_is_set(settings, id))
        return TRUE;
    allowed = kv_setting_format_allowed(kv_setting_get(id));
    return kv_settings_fail(error, _("%s: required, but not given; allowed: %s"),
                            kv_setting_get(id)->key, allowed);
}

static gboolean
require_secret(const KvSettings *settings, GError **error)
{
    if (kv_settings_is_set(settings, KV_SETTING_SECRET))
        return TRUE;
    return kv_settings_fail(error, _("secret: required, but not given; allowed: secret, "
                                     "secret-file or the environment variable KCPVPN_KEY"));
}

static gboolean
validate_shards(const KvSettings *settings, GError **error)
{
    guint data = (guint) kv_settings_get_uint(settings, KV_SETTING_DATASHARD);
    guint parity = (guint) kv_settings_get_uint(settings, KV_SETTING_PARITYSHARD);

    if (data + parity > SHARDS_MAX)
        return kv_settings_fail(
            error, _("datashard and parityshard: %u and %u make %u; allowed: at most %u together"),
            data, parity, data + parity, SHARDS_MAX);
    return TRUE;
}

static gboolean
validate_mtu(const KvSettings *settings, GError **error)
{
    guint mtu = (guint) kv_settings_get_uint(settings, KV_SETTING_VNI_MTU);
    guint frame = (guint) kv_settings_get_uint(settings, KV_SETTING_FULL_FRAME_MTU);
    guint mtu_max = G_MAXUINT16 - KV_SETTING_FRAME_OVERHEAD;

    /* The server tells its clients the frame size in 16 bits. */
    if (mtu == 0 || mtu > mtu_max)
        return kv_settings_fail(error,
                                _("vni-mtu: \"%u\" is not allowed on a server; allowed: 68 to %u"),
                                mtu, mtu_max);
    if (frame != 0 && frame < mtu + KV_SETTING_FRAME_OVERHEAD)
        return kv_settings_fail(error,
                                _("full-frame-mtu: \"%u\" is too small for vni-mtu %u; allowed: 0 "
                                  "or at least %u"),
                                frame, mtu, mtu + KV_SETTING_FRAME_OVERHEAD);
    return TRUE;
}

static gboolean
validate_vni_mode(const KvSettings *settings, GError **error)
{
    static const KvSettingId need_netmask[] = {KV_SETTING_ASSIGNABLE_IPS, KV_SETTING_LOCAL_IP};
    gboolean tap = kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) == KV_VNI_MODE_TAP;

    if (!tap || kv_settings_is_set(settings, KV_SETTING_NETMASK))
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(need_netmask); i++) {
        if (kv_settings_is_set(settings, need_netmask[i]))
            return kv_settings_fail(error, _("netmask: required with vni-mode tap and %s"),
                                    kv_setting_get(need_netmask[i])->key);
    }
    return TRUE;
}

static gboolean
validate_one_secret(const KvSettings *settings, GError **error)
{
    if (kv_settings_is_set(settings, KV_SETTING_SECRET) && !settings->secret_from_file &&
        kv_settings_is_set(settings, KV_SETTING_SECRET_FILE))
        return kv_settings_fail(
            error, _("secret and secret-file: both were given; only one of them is allowed"));
    return TRUE;
}

gboolean
kv_settings_validate_saved(const KvSettings *settings, GError **error)
{
    if (!require(settings, KV_SETTING_IP, error) || !require(settings, KV_SETTING_PORT, error) ||
        !validate_one_secret(settings, error) || !validate_shards(settings, error))
        return FALSE;
    if (kv_settings_get_role(settings) == KV_ROLE_CLIENT)
        return TRUE;
    return require(settings, KV_SETTING_VNI_MODE, error) && validate_mtu(settings, error) &&
           validate_vni_mode(settings, error);
}

/* (transfer full) (nullable) */
static char *
format_warning(const KvSettings *settings, const KvSetting *row)
{
    const KvSettingValue *value = &settings->values[row->id];
    gboolean is_tap_only = row->id == KV_SETTING_NETMASK || row->id == KV_SETTING_BRIDGE;
    g_autofree char *allowed = NULL;

    if (value->given != NULL) {
        allowed = kv_setting_format_allowed(row);
        return g_strdup_printf(_("%s: %s cannot be had, %s is used; allowed: %s"), row->key,
                               value->given, value->text, allowed);
    }
    /* A client learns the mode from its server. */
    if (is_tap_only && value->is_set && settings->role == KV_ROLE_SERVER &&
        kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) == KV_VNI_MODE_TUN)
        return g_strdup_printf(_("%s: of no use with vni-mode tun, only with tap"), row->key);
    return NULL;
}

char **
kv_settings_list_warnings(const KvSettings *settings)
{
    g_autoptr(GStrvBuilder) warnings = g_strv_builder_new();

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        g_autofree char *warning = format_warning(settings, kv_setting_get(i));

        if (warning != NULL)
            g_strv_builder_add(warnings, warning);
    }
    return g_strv_builder_end(warnings);
}

gboolean
kv_settings_validate(const KvSettings *settings, GError **error)
{
    return kv_settings_validate_saved(settings, error) && require_secret(settings, error);
}
