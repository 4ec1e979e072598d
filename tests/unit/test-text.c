/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "kv-text.h"

#include <string.h>

/* Proves: wide characters take two columns, combining ones none. */
static void
test_columns(void)
{
    static const struct {
        const char *text;
        guint columns;
    } cases[] = {
        {"", 0}, {"abc", 3}, {"隧道", 4}, {"a隧b", 4}, {"e\xcc\x81", 1}, {"é", 1}, {"한글", 4},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpuint(kv_text_columns(cases[i].text, strlen(cases[i].text)), ==,
                         cases[i].columns);
}

/* Proves: nothing that steers a terminal comes through, and everything else does. */
static void
test_make_printable(void)
{
    static const struct {
        const char *text;
        const char *printable;
    } cases[] = {
        {"", ""},
        {"plain 隧道 é", "plain 隧道 é"},
        {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
        {"a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\x9b31m"}, /* the one-character form of ESC [ */
        {"\xe2\x80\xae"
         "gpj",
         "\\u202egpj"}, /* turns the direction of writing */
        {"\xe2\x81\xa6", "\\u2066"},
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"}, /* no UTF-8 */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *printable = kv_text_make_printable(cases[i].text);

        g_assert_cmpstr(printable, ==, cases[i].printable);
    }
}

/* Proves: a quotation is printable, short, and has no character in part. */
static void
test_quote(void)
{
    g_autofree char *whole = g_strnfill(64, 'a');
    g_autofree char *cut = g_strconcat(whole, "...", NULL);
    g_autofree char *longer = g_strconcat(whole, "b", NULL);
    g_autofree char *wide = g_strconcat(whole + 2, "\xe9\x9a\xa7", NULL); /* bytes 62 to 64 */
    g_autofree char *wide_cut = g_strconcat(whole + 2, "...", NULL);
    g_autofree char *wrong = g_strnfill(80, (char) 0x80);
    const struct {
        const char *text;
        const char *quoted;
    } cases[] = {
        {"", ""},
        {"port\n\x1b[2J", "port\\x0a\\x1b[2J"},
        {"\xe2\x80\xae"
         "gpj\xc2\x9b",
         "\\u202egpj\\x9b"},
        {whole, whole},
        {longer, cut},
        {wide, wide_cut},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *quoted = kv_text_quote(cases[i].text);

        g_assert_cmpstr(quoted, ==, cases[i].quoted);
    }
    for (gsize len = 60; len <= 80; len++) {
        g_autofree char *text = g_strndup(wrong, len);
        g_autofree char *quoted = kv_text_quote(text);

        g_assert_true(g_utf8_validate(quoted, -1, NULL));
        g_assert_cmpuint(g_utf8_strlen(quoted, -1), <=, 64 + 3);
    }
}

/* Proves: no byte that a terminal or a parser acts upon survives, and the length is bounded. */
static void
test_escape(void)
{
    static const struct {
        const char *text;
        gsize len;
        const char *want;
    } rows[] = {
        {"", 0, ""},
        {"client_1-A", 10, "client_1-A"},
        {"a\nb\x1b[0m", 7, "a\\x0ab\\x1b[0m"},
        {"\x00\xff\x7f ~", 5, "\\x00\\xff\\x7f ~"},
        {"\\x41", 4, "\\x5cx41"},
    };
    g_autofree char *longest = g_strnfill(128, 'x');
    g_autofree char *longer = g_strnfill(129, 'x');
    g_autofree char *whole = kv_text_escape(longest, 128);
    g_autofree char *cut = kv_text_escape(longer, 129);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *escaped = kv_text_escape(rows[i].text, rows[i].len);

        g_assert_cmpstr(escaped, ==, rows[i].want);
    }
    g_assert_cmpstr(whole, ==, longest);
    g_assert_cmpuint(strlen(cut), ==, 131);
    g_assert_true(g_str_has_suffix(cut, "xxx..."));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/text/columns", test_columns);
    g_test_add_func("/text/make-printable", test_make_printable);
    g_test_add_func("/text/quote", test_quote);
    g_test_add_func("/text/escape", test_escape);
    return kv_test_main(&argc, &argv);
}
