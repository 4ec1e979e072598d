/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-settings.h"

#include <string.h>

#define ARGUMENTS_MAX 64

/* Arguments are the input's lines. */
static void
run(KvRole role, const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_auto(GStrv) strings = g_strsplit(text, "\n", ARGUMENTS_MAX);
    g_autoptr(KvSettings) settings = kv_settings_new(role);
    g_autoptr(KvSettings) fresh = kv_settings_copy(settings);
    g_autoptr(GError) error = NULL;
    char *argv[ARGUMENTS_MAX + 1] = {NULL};
    int before = (int) g_strv_length(strings);
    int argc = before;

    memcpy(argv, strings, (size_t) argc * sizeof argv[0]);
    if (kv_settings_parse_argv(settings, KV_SETTING_FLAG_NO_ARGV, TRUE, &argc, argv, &error)) {
        g_assert(error == NULL);
        if (!kv_settings_validate(settings, &error))
            g_assert(g_utf8_validate(error->message, -1, NULL));
    } else {
        g_assert(g_utf8_validate(error->message, -1, NULL));
        g_assert(kv_settings_equal(settings, fresh));
    }
    g_assert(argc >= 0 && argc <= before && argv[argc] == NULL);
    for (int i = 0; i < argc; i++)
        g_assert(argv[i] != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run(KV_ROLE_CLIENT, data, size);
    run(KV_ROLE_SERVER, data, size);
    return 0;
}
