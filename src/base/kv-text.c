/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-text.h"

#include <string.h>

#define QUOTED_MAX 64

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

/* At most @max bytes, and no character in part; all of them if there is none to be kept whole. */
static gsize
cut_length(const char *text, gsize max)
{
    gsize len = max;

    while (len > 0 && ((guchar) text[len] & 0xc0) == 0x80)
        len--;
    return max - len < 4 ? len : max;
}

char *
kv_text_quote(const char *text)
{
    g_autofree char *head = NULL;
    g_autofree char *printable = NULL;

    if (strlen(text) <= QUOTED_MAX)
        return kv_text_make_printable(text);
    head = g_strndup(text, cut_length(text, QUOTED_MAX));
    printable = kv_text_make_printable(head);
    return g_strconcat(printable, "...", NULL);
}

char *
kv_text_escape(const char *bytes, gsize len)
{
    GString *escaped = g_string_new(NULL);

    for (gsize i = 0; i < MIN(len, KV_TEXT_ESCAPE_MAX); i++) {
        if (bytes[i] < 0x20 || bytes[i] > 0x7e || bytes[i] == '\\')
            g_string_append_printf(escaped, "\\x%02x", (guchar) bytes[i]);
        else
            g_string_append_c(escaped, bytes[i]);
    }
    if (len > KV_TEXT_ESCAPE_MAX)
        g_string_append(escaped, "...");
    return g_string_free(escaped, FALSE);
}
