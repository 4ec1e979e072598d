/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-settings.h"

#include <string.h>

/* What was accepted must come back the same from what is written, by us and by GKeyFile. */
static void
check_round_trip(const KvSettings *settings)
{
    g_autoptr(KvSettings) again = kv_settings_new(kv_settings_get_role(settings));
    g_autofree char *text = kv_settings_to_data(settings, TRUE);
    g_autoptr(GKeyFile) file = g_key_file_new();

    g_assert(kv_settings_load_data(again, text, strlen(text), "fuzz", NULL));
    g_assert(kv_settings_equal(settings, again));
    g_assert(g_key_file_load_from_data(file, text, (gsize) -1, G_KEY_FILE_NONE, NULL));
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        g_autofree char *value = kv_settings_to_text(settings, i);
        const KvSetting *row = kv_setting_get(i);
        g_autofree char *read = g_key_file_get_string(file, "tunnel", row->key, NULL);

        if ((row->flags & KV_SETTING_FLAG_LIST) != 0 && read != NULL) {
            g_auto(GStrv) items = g_key_file_get_string_list(file, "tunnel", row->key, NULL, NULL);

            g_free(read);
            read = g_strjoinv(",", items);
        }

        for (const char *c = value; c != NULL && *c != '\0'; c++)
            g_assert((guchar) *c >= 0x20 && *c != 0x7f);
        if (kv_settings_is_set(settings, i) && row->type != KV_SETTING_TYPE_SECRET)
            g_assert(g_strcmp0(read, value) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (KvRole role = KV_ROLE_CLIENT; role <= KV_ROLE_PEER; role++) {
        g_autoptr(KvSettings) settings = kv_settings_new(role);
        g_autoptr(KvSettings) fresh = kv_settings_copy(settings);
        g_autoptr(GError) error = NULL;

        if (kv_settings_load_data(settings, (const char *) data, size, "fuzz", &error)) {
            g_assert(error == NULL);
            check_round_trip(settings);
        } else {
            g_assert(g_str_has_prefix(error->message, "fuzz:"));
            g_assert(g_utf8_validate(error->message, -1, NULL));
            g_assert(kv_settings_equal(settings, fresh));
        }
    }
    return 0;
}
