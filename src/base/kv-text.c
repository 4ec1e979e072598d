/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-text.h"

static guint
char_columns(gunichar c)
{
    if (g_unichar_iszerowidth(c))
        return 0;
    return g_unichar_iswide(c) ? 2 : 1;
}

guint
kv_text_columns(const char *text, gsize len)
{
    guint columns = 0;

    for (const char *at = text; at < text + len; at = g_utf8_next_char(at))
        columns += char_columns(g_utf8_get_char(at));
    return columns;
}

gboolean
kv_text_is_control(gunichar c)
{
    return g_unichar_iscntrl(c) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

char *
kv_text_make_printable(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_sized_new(64);

    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);

        if (!kv_text_is_control(c))
            g_string_append_unichar(out, c);
        else
            g_string_append_printf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
    }
    return g_string_free(out, FALSE);
}
