/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-settings-variant.h"

#include <string.h>

/* (transfer full) (nullable): an a{sv}: GVariant's text if it is that, else its bytes. */
static GVariant *
make_dict(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(GVariant) dict = NULL;
    g_autoptr(GBytes) bytes = NULL;

    if (size > 65536)
        return NULL;
    dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    if (dict != NULL)
        return g_steal_pointer(&dict);
    bytes = g_bytes_new(data, size);
    dict = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
    /* As the bus would hand it over. */
    return g_variant_get_normal_form(dict);
}

/* What was accepted holds no control character and comes back the same. */
static void
check_round_trip(const KvSettings *settings)
{
    g_autoptr(GVariant) values = g_variant_ref_sink(kv_settings_to_variant(settings));
    g_autoptr(GVariant) secrets = g_variant_ref_sink(kv_settings_secrets_to_variant(settings));
    g_auto(GStrv) keys = kv_settings_list_secrets(settings);
    g_autoptr(KvSettings) again = kv_settings_new_from_variant(values, NULL);

    g_assert(again != NULL);
    g_assert(g_variant_n_children(secrets) == g_strv_length(keys));
    for (guint i = 0; keys[i] != NULL; i++)
        g_assert(strcmp(keys[i], "peers") == 0 || !g_variant_lookup(values, keys[i], "*", NULL));
    g_assert(kv_settings_load_secrets_variant(again, secrets, NULL));
    g_assert(kv_settings_equal(settings, again));
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        g_autofree char *text = kv_settings_to_text(settings, i);

        for (const char *c = text; c != NULL && *c != '\0'; c++)
            g_assert((guchar) *c >= 0x20 && *c != 0x7f);
    }
}

static void
check_error(const GError *error)
{
    g_assert(error != NULL && error->message[0] != '\0');
    g_assert(g_utf8_validate(error->message, -1, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GVariant) dict = make_dict(data, size);
    g_autoptr(KvSettings) made = NULL;
    g_autoptr(GError) error = NULL;

    if (dict == NULL)
        return 0;
    made = kv_settings_new_from_variant(dict, &error);
    if (made != NULL)
        check_round_trip(made);
    else
        check_error(error);
    for (KvRole role = KV_ROLE_CLIENT; role <= KV_ROLE_PEER; role++) {
        g_autoptr(KvSettings) settings = kv_settings_new(role);
        g_autoptr(KvSettings) fresh = kv_settings_copy(settings);
        g_autoptr(GError) wrong = NULL;

        if (kv_settings_load_variant(settings, dict, &wrong)) {
            check_round_trip(settings);
        } else {
            check_error(wrong);
            g_assert(kv_settings_equal(settings, fresh));
        }
    }
    return 0;
}
