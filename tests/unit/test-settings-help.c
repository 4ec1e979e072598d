/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"
#include "kv-test.h"

#include <string.h>

/* What people read of the table: the options of --help, and the names in a form. */

static const KvRole roles[] = {KV_ROLE_CLIENT, KV_ROLE_SERVER, KV_ROLE_PEER};

/* Proves: help shows each flag of the role that is not hidden, and keeps to the width. */
static void
test_help(void)
{
    for (guint r = 0; r < G_N_ELEMENTS(roles); r++) {
        g_autofree char *help = kv_settings_format_help(roles[r], 80);
        g_auto(GStrv) lines = g_strsplit(help, "\n", 0);
        KvSettingSide side = kv_setting_side_of_role(roles[r]);

        for (guint i = 0; lines[i] != NULL; i++)
            g_assert_cmpuint(strlen(lines[i]), <=, 80);
        for (guint i = 0; i < KV_N_SETTINGS; i++) {
            const KvSetting *row = kv_setting_get(i);
            g_autofree char *flag = g_strdup_printf("  --%s%s", row->key,
                                                    row->alias != NULL        ? ","
                                                    : row->value_name != NULL ? " "
                                                                              : "");
            gboolean hidden =
                (row->flags & (KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_NO_ARGV)) != 0;

            g_assert_cmpint(strstr(help, flag) != NULL, ==, (row->side & side) != 0 && !hidden);
        }
        g_assert_nonnull(strstr(help, "default: auto)"));
        g_assert_nonnull(strstr(help, "(default: 1472, in"));
        g_assert_nonnull(strstr(help, "(default: none, in"));
    }
}

/* Proves: each setting that a client's form shows has a name there, with one key that picks it, and
 * no other has. */
static void
test_form_labels(void)
{
    /* The form's first page; all others are in a window of their own, with a button "_Cancel". */
    static const KvSettingId on_page[] = {KV_SETTING_IP, KV_SETTING_PORT, KV_SETTING_CRYPT,
                                          KV_SETTING_CLIENT_ID, KV_SETTING_SECRET};
    g_autoptr(GHashTable) first = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) second = g_hash_table_new(NULL, NULL);

    g_hash_table_add(second, GINT_TO_POINTER('c'));
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        gboolean page = FALSE;
        gboolean shown = (row->flags & KV_SETTING_FLAG_DESKTOP) != 0 &&
                         (row->flags & KV_SETTING_FLAG_NO_ARGV) == 0;
        const char *mark = row->form_label != NULL ? strchr(row->form_label, '_') : NULL;

        g_assert_cmpint(row->form_label != NULL, ==, shown);
        g_assert_true(shown || row->form_help == NULL);
        g_assert_true(!shown || (mark != NULL && g_ascii_isalnum(mark[1])));
        g_assert_true(mark == NULL || strchr(mark + 1, '_') == NULL);
        for (guint p = 0; p < G_N_ELEMENTS(on_page); p++)
            page |= on_page[p] == row->id;
        if (mark != NULL &&
            !g_hash_table_add(page ? first : second, GINT_TO_POINTER(g_ascii_tolower(mark[1]))))
            g_error("%s: the key of \"%s\" is taken", row->key, row->form_label);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/settings-help/help", test_help);
    g_test_add_func("/settings-help/form-labels", test_form_labels);
    return kv_test_main(&argc, &argv);
}
