/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include <stdio.h>
#include <string.h>

/*
 * Build-time program: "kv-settings-doc man < kcpvpn.1.in" copies the man page and puts the table
 * of settings in the place of the line @OPTIONS@.
 */

static void
print_roff(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '-')
            fputs("\\-", stdout);
        else if (*c == '\\')
            fputs("\\e", stdout);
        else
            putchar(*c);
    }
}

static void
print_tag(const KvSetting *row)
{
    const char *dashes = (row->flags & KV_SETTING_FLAG_NO_ARGV) != 0 ? "" : "--";

    fputs(".TP\n\\fB", stdout);
    print_roff(dashes);
    print_roff(row->key);
    fputs("\\fR", stdout);
    if (row->alias != NULL) {
        fputs(", \\fB", stdout);
        print_roff(dashes);
        print_roff(row->alias);
        fputs("\\fR", stdout);
    }
    if (row->value_name != NULL)
        printf(" \\fI%s\\fR", row->value_name);
    putchar('\n');
}

static void
print_notes(const KvSetting *row)
{
    g_autofree char *allowed = kv_setting_format_allowed(row);

    if (row->type != KV_SETTING_TYPE_BOOLEAN) {
        fputs("Allowed: ", stdout);
        print_roff(allowed);
        fputs(".\n", stdout);
    }
    if (row->default_text != NULL) {
        fputs("Default: ", stdout);
        print_roff(row->type != KV_SETTING_TYPE_BOOLEAN ? row->default_text : "off");
        fputs(".\n", stdout);
    }
    if (row->side == KV_SIDE_SERVER)
        puts("Server only.");
    if (row->side == KV_SIDE_CLIENT)
        puts("Client only.");
    if ((row->flags & KV_SETTING_FLAG_NO_ARGV) != 0)
        puts("Of saved tunnels only.");
}

static void
print_options(void)
{
    for (guint first = 0; first < KV_N_SETTINGS; first++) {
        const char *group = kv_setting_get(first)->group;
        gboolean seen = FALSE;

        for (guint i = 0; i < first && !seen; i++)
            seen = strcmp(kv_setting_get(i)->group, group) == 0;
        if (seen)
            continue;
        printf(".SS %s\n", group);
        for (guint i = first; i < KV_N_SETTINGS; i++) {
            const KvSetting *row = kv_setting_get(i);

            if (strcmp(row->group, group) != 0)
                continue;
            print_tag(row);
            print_roff(row->description);
            fputs(".\n", stdout);
            print_notes(row);
        }
    }
}

int
main(int argc, char **argv)
{
    gboolean replaced = FALSE;
    char line[1024];

    if (argc != 2 || strcmp(argv[1], "man") != 0) {
        fputs("usage: kv-settings-doc man < PAGE.in > PAGE\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "@OPTIONS@\n") == 0) {
            print_options();
            replaced = TRUE;
        } else {
            fputs(line, stdout);
        }
    }
    if (!replaced)
        fputs("kv-settings-doc: no line @OPTIONS@\n", stderr);
    return replaced && fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
