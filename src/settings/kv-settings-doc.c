/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer-settings.h"

#include <stdio.h>
#include <string.h>

/*
 * Build-time program: "kv-settings-doc KIND < PAGE.in" copies a man page and puts the table of
 * settings in the place of the line @OPTIONS@, that of peers in the place of @PEERS@: with kind
 * "man" all of it, for kcpvpn(1), with kind "nm" the data of a connection of NetworkManager, where
 * secrets are apart.
 */
static gboolean is_for_nm;

static gboolean
is_shown(const KvSetting *row)
{
    return !is_for_nm ||
           ((row->flags & KV_SETTING_FLAG_DESKTOP) != 0 && (row->side & KV_SIDE_CLIENT) != 0 &&
            (row->flags & KV_SETTING_FLAG_NO_ARGV) == 0 && row->type != KV_SETTING_TYPE_SECRET);
}

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
print_tag(const KvSetting *row, const char *dashes)
{
    fputs(".TP\n\\fB", stdout);
    print_roff(dashes);
    print_roff(row->key);
    fputs("\\fR", stdout);
    if (row->alias != NULL && !is_for_nm) {
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
print_side(const KvSetting *row)
{
    static const struct {
        guint side;
        const char *note;
    } notes[] = {
        {KV_SIDE_SERVER, "Server only."},
        {KV_SIDE_CLIENT, "Client only."},
        {KV_SIDE_PEER, "Peer only."},
        {KV_SIDE_SERVER | KV_SIDE_PEER, "Server and peer only."},
        {KV_SIDE_CLIENT | KV_SIDE_PEER, "Client and peer only."},
        {KV_SIDE_CLIENT | KV_SIDE_SERVER, "Client and server only."},
    };

    /* Nobody else has peers at all. */
    if (row->group == NULL && row->side == (KV_SIDE_SERVER | KV_SIDE_PEER))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(notes); i++) {
        if (row->side == notes[i].side)
            puts(notes[i].note);
    }
}

static void
print_notes(const KvSetting *row)
{
    g_autofree char *allowed = kv_setting_format_allowed(row);
    g_autofree char *by_default = kv_setting_format_default(row, is_for_nm);

    if (is_for_nm || row->type != KV_SETTING_TYPE_BOOLEAN) {
        fputs("Allowed: ", stdout);
        print_roff(allowed);
        fputs(".\n", stdout);
    }
    if (by_default != NULL) {
        fputs("Default: ", stdout);
        print_roff(is_for_nm || row->type != KV_SETTING_TYPE_BOOLEAN ? by_default : "off");
        fputs(".\n", stdout);
    }
    if ((row->flags & KV_SETTING_FLAG_V1) != 0)
        puts("Protocol v1 only.");
    if ((row->flags & KV_SETTING_FLAG_NATIVE) != 0)
        puts("Native protocol only.");
    if (!is_for_nm)
        print_side(row);
    if ((row->flags & KV_SETTING_FLAG_NO_ARGV) != 0)
        puts("Of saved tunnels only.");
    if (!is_for_nm && (row->flags & KV_SETTING_FLAG_LIVE) != 0)
        puts("Of a tunnel of the service counts at once, also while it runs.");
}

static const char *
get_dashes(const KvSetting *row)
{
    return is_for_nm || (row->flags & KV_SETTING_FLAG_NO_ARGV) != 0 ? "" : "--";
}

static void
print_row(const KvSetting *row, const char *dashes)
{
    print_tag(row, dashes);
    print_roff(row->description);
    fputs(".\n", stdout);
    print_notes(row);
}

/* The next row of the group that is shown, from @i on; KV_N_SETTINGS if there is none. */
static guint
find_row(const char *group, guint i)
{
    while (i < KV_N_SETTINGS &&
           (!is_shown(kv_setting_get(i)) || strcmp(kv_setting_get(i)->group, group) != 0))
        i++;
    return i;
}

static void
print_options(void)
{
    for (guint first = 0; first < KV_N_SETTINGS; first++) {
        const char *group = kv_setting_get(first)->group;

        if (find_row(group, 0) != first)
            continue;
        printf(".SS %s\n", group);
        for (guint i = first; i < KV_N_SETTINGS; i = find_row(group, i + 1)) {
            const KvSetting *row = kv_setting_get(i);

            print_row(row, get_dashes(row));
        }
    }
}

static void
print_peers(void)
{
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++)
        print_row(kv_peer_setting_get(i), "");
}

int
main(int argc, char **argv)
{
    gboolean replaced = FALSE;
    char line[1024];

    is_for_nm = argc == 2 && strcmp(argv[1], "nm") == 0;
    if (argc != 2 || (!is_for_nm && strcmp(argv[1], "man") != 0)) {
        fputs("usage: kv-settings-doc man|nm < PAGE.in > PAGE\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "@OPTIONS@\n") == 0) {
            print_options();
            replaced = TRUE;
        } else if (strcmp(line, "@PEERS@\n") == 0) {
            print_peers();
        } else {
            fputs(line, stdout);
        }
    }
    if (!replaced)
        fputs("kv-settings-doc: no line @OPTIONS@\n", stderr);
    return replaced && fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
