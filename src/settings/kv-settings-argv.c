/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-i18n.h"
#include "kv-settings-private.h"

#include <string.h>

typedef gboolean (*SetText)(KvSettings *settings, KvSettingId id, const char *text, GError **error);

/* A flag as it stands in the argument list. */
typedef struct {
    const KvSetting *row;
    char *value; /* behind "="; NULL: none */
} Flag;

/* Whether @arg is a flag of the table, of a row without @except. */
static gboolean
flag_parse(char *arg, KvSettingFlags except, Flag *flag)
{
    g_autofree char *key = NULL;

    if (arg[0] != '-')
        return FALSE;
    arg += arg[1] == '-' ? 2 : 1;
    flag->value = strchr(arg, '=');
    key = flag->value != NULL ? g_strndup(arg, (gsize) (flag->value - arg)) : g_strdup(arg);
    if (flag->value != NULL)
        flag->value++;
    flag->row = kv_setting_find(key);
    return flag->row != NULL && (flag->row->flags & except) == 0;
}

/* @next: the argument behind the flag, or NULL. @used_next: whether it was the flag's value. */
static gboolean
flag_apply(const Flag *flag, KvSettings *settings, SetText set_text, char *next,
           gboolean *used_next, GError **error)
{
    char *value = flag->value;
    gboolean ok;

    *used_next = FALSE;
    if (flag->row->type == KV_SETTING_TYPE_BOOLEAN)
        return kv_settings_set_text(settings, flag->row->id, value != NULL ? value : "true", error);
    if (value == NULL) {
        *used_next = TRUE;
        value = next;
    }
    if (value == NULL)
        return kv_settings_fail(error, _("%s: a value must follow"), flag->row->key);
    ok = set_text(settings, flag->row->id, value, error);
    if (flag->row->type == KV_SETTING_TYPE_SECRET)
        kv_secret_wipe_string(value);
    return ok;
}

gboolean
kv_settings_parse_argv(KvSettings *settings, KvSettingFlags except, gboolean older, int *argc,
                       char **argv, GError **error)
{
    /* Apart at first, so that a secret given here replaces one that a file named. */
    g_autoptr(KvSettings) given = kv_settings_new(settings->role);
    SetText set_text = older ? kv_settings_set_older_text : kv_settings_set_text;
    gboolean ok = TRUE;
    int kept = 0;
    int i = 0;

    given->any_secret = settings->any_secret;
    while (i < *argc && ok && strcmp(argv[i], "--") != 0) {
        gboolean used_next = FALSE;
        Flag flag;

        if (!flag_parse(argv[i], except, &flag)) {
            argv[kept++] = argv[i++];
            continue;
        }
        ok = flag_apply(&flag, given, set_text, i + 1 < *argc ? argv[i + 1] : NULL, &used_next,
                        error);
        i += used_next ? 2 : 1;
    }
    while (i < *argc)
        argv[kept++] = argv[i++];
    *argc = kept;
    argv[kept] = NULL;
    if (ok)
        kv_settings_merge(settings, given);
    return ok;
}
