/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-i18n.h"
#include "kv-text.h"

#include <string.h>

#define FLAG_INDENT 2
#define TEXT_INDENT 30
#define WIDTH_MIN   (TEXT_INDENT + 20)

/* Punctuation that must not begin a line. */
static gboolean
is_closing(gunichar c)
{
    GUnicodeType type = g_unichar_type(c);

    return g_unichar_iswide(c) &&
           (type == G_UNICODE_OTHER_PUNCTUATION || type == G_UNICODE_CLOSE_PUNCTUATION);
}

/* End of what must stay on one line: a word, or one wide character and the points behind it. */
static const char *
unit_end(const char *at)
{
    gboolean wide = g_unichar_iswide(g_utf8_get_char(at));

    at = g_utf8_next_char(at);
    while (*at != '\0' && *at != ' ') {
        gunichar c = g_utf8_get_char(at);

        if (!is_closing(c) && (wide || g_unichar_iswide(c)))
            break;
        at = g_utf8_next_char(at);
    }
    return at;
}

static void
append_wrapped(GString *out, const char *text, guint indent, guint width)
{
    guint column = indent;

    while (*text != '\0') {
        gboolean space = *text == ' ';
        const char *end;
        guint columns;

        while (*text == ' ')
            text++;
        if (*text == '\0')
            break;
        end = unit_end(text);
        columns = kv_text_columns(text, (gsize) (end - text));
        if (column > indent && column + space + columns > width) {
            g_string_append_printf(out, "\n%*s", (int) indent, "");
            column = indent;
            space = FALSE;
        }
        g_string_append(out, space ? " " : "");
        g_string_append_len(out, text, end - text);
        column += space + columns;
        text = end;
    }
    g_string_append_c(out, '\n');
}

/* (transfer full): the description, and in brackets what else is to be known. */
static char *
format_text(const KvSetting *row)
{
    g_autoptr(GString) notes = g_string_new(NULL);
    g_autofree char *by_default = kv_setting_format_default(row, FALSE);

    if ((row->flags & KV_SETTING_FLAG_V1) != 0)
        g_string_append(notes, _("protocol v1 only"));
    if ((row->flags & KV_SETTING_FLAG_NATIVE) != 0)
        g_string_append(notes, _("native protocol only"));
    if (by_default != NULL && row->type != KV_SETTING_TYPE_BOOLEAN) {
        g_string_append(notes, notes->len > 0 ? "; " : "");
        g_string_append_printf(notes, _("default: %s"), by_default);
    }
    if (notes->len == 0)
        return g_strdup(_(row->description));
    return g_strdup_printf("%s (%s)", _(row->description), notes->str);
}

static void
append_row(GString *out, const KvSetting *row, guint width)
{
    g_autofree char *text = format_text(row);
    gsize start = out->len;
    guint column;

    g_string_append_printf(out, "%*s--%s", FLAG_INDENT, "", row->key);
    if (row->alias != NULL)
        g_string_append_printf(out, ", --%s", row->alias);
    if (row->value_name != NULL)
        g_string_append_printf(out, " %s", row->value_name);
    column = (guint) (out->len - start);
    if (column + 2 > TEXT_INDENT) {
        g_string_append_c(out, '\n');
        column = 0;
    }
    g_string_append_printf(out, "%*s", (int) (TEXT_INDENT - column), "");
    append_wrapped(out, text, TEXT_INDENT, width);
}

static gboolean
is_shown(const KvSetting *row, KvRole role)
{
    KvSettingSide side = kv_setting_side_of_role(role);

    return (row->side & side) != 0 &&
           (row->flags & (KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_NO_ARGV)) == 0;
}

static void
append_group(GString *out, const char *group, KvRole role, guint width)
{
    gboolean first = TRUE;

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (!is_shown(row, role) || strcmp(row->group, group) != 0)
            continue;
        if (first)
            g_string_append_printf(out, "%s%s:\n", out->len > 0 ? "\n" : "", _(group));
        first = FALSE;
        append_row(out, row, width);
    }
}

/* Whether no row before @id has its group. */
static gboolean
begins_group(guint id)
{
    for (guint i = 0; i < id; i++) {
        if (strcmp(kv_setting_get(i)->group, kv_setting_get(id)->group) == 0)
            return FALSE;
    }
    return TRUE;
}

char *
kv_settings_format_help(KvRole role, guint width)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (begins_group(i))
            append_group(out, kv_setting_get(i)->group, role, MAX(width, WIDTH_MIN));
    }
    return g_string_free(out, FALSE);
}
