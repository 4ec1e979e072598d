/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-nm-names.h"
#include "kv-nm-profile.h"

#include <string.h>

/* Lines KEY=VALUE, data first, and behind an empty line secrets. A \n in a value is "\\n". */
static NMSettingVpn *
make_vpn(char *text)
{
    NMSettingVpn *vpn = NM_SETTING_VPN(nm_setting_vpn_new());
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    gboolean secret = FALSE;

    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, KV_NM_SERVICE, NULL);
    for (guint i = 0; lines[i] != NULL; i++) {
        char *equals = strchr(lines[i], '=');
        g_autofree char *value = NULL;

        secret |= lines[i][0] == '\0';
        if (equals == NULL || equals == lines[i])
            continue;
        *equals = '\0';
        value = g_strcompress(equals + 1);
        if (secret)
            nm_setting_vpn_add_secret(vpn, lines[i], value);
        else
            nm_setting_vpn_add_data_item(vpn, lines[i], value);
    }
    return vpn;
}

static gboolean
has_control(const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if ((guchar) *text < ' ' || *text == 0x7f)
            return TRUE;
    }
    return FALSE;
}

/* What passed the gate is a client's, for the desktop, without control bytes, and a profile again.
 */
static void
check_passed(const KvSettings *settings)
{
    g_autoptr(NMSettingVpn) vpn = kv_nm_profile_from_settings(settings);
    g_autoptr(KvSettings) again = kv_nm_profile_to_settings(vpn, NULL);

    g_assert(kv_settings_get_role(settings) == KV_ROLE_CLIENT);
    g_assert(again != NULL);
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        g_autofree char *text = kv_settings_to_text(settings, i);
        g_autofree char *other = kv_settings_to_text(again, i);

        if (kv_settings_is_set(settings, i))
            g_assert((row->flags & KV_SETTING_FLAG_DESKTOP) != 0 &&
                     (row->side & KV_SIDE_CLIENT) != 0);
        g_assert(!has_control(text));
        g_assert(i == KV_SETTING_NAME || i == KV_SETTING_ROLE || g_strcmp0(text, other) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(NMSettingVpn) vpn = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(KvSettings) settings = NULL;
    g_auto(GStrv) missing = NULL;

    if (size > 65536)
        return 0;
    vpn = make_vpn(valid);
    missing = kv_nm_profile_list_missing_secrets(vpn);
    settings = kv_nm_profile_to_settings(vpn, &error);
    if (settings != NULL) {
        check_passed(settings);
    } else {
        g_assert(error != NULL && !has_control(error->message));
        g_assert(g_utf8_validate(error->message, -1, NULL));
    }
    return 0;
}
