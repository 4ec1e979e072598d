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

int
main(int argc, char **argv)
{
    g_test_add_func("/text/columns", test_columns);
    g_test_add_func("/text/make-printable", test_make_printable);
    return kv_test_main(&argc, &argv);
}
