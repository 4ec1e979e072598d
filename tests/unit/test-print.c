/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-print.h"
#include "kv-test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A terminal of our own. */
static FILE *
open_terminal(int *controller)
{
    FILE *file;
    int fd;

    *controller = posix_openpt(O_RDWR | O_NOCTTY);
    g_assert_cmpint(*controller, >=, 0);
    g_assert_cmpint(grantpt(*controller), ==, 0);
    g_assert_cmpint(unlockpt(*controller), ==, 0);
    fd = open(ptsname(*controller), O_RDWR | O_NOCTTY);
    g_assert_cmpint(fd, >=, 0);
    file = fdopen(fd, "w");
    g_assert_nonnull(file);
    return file;
}

/* Proves: colours are for terminals that can, of people who have not refused them. */
static void
test_wants_colour(void)
{
    int controller;
    FILE *terminal = open_terminal(&controller);
    FILE *file = tmpfile();

    g_unsetenv("NO_COLOR");
    g_setenv("TERM", "xterm", TRUE);
    g_assert_true(kv_print_wants_colour(terminal));
    g_assert_false(kv_print_wants_colour(file));
    g_setenv("NO_COLOR", "1", TRUE);
    g_assert_false(kv_print_wants_colour(terminal));
    g_setenv("NO_COLOR", "", TRUE);
    g_assert_true(kv_print_wants_colour(terminal));
    g_setenv("TERM", "dumb", TRUE);
    g_assert_false(kv_print_wants_colour(terminal));
    g_unsetenv("TERM");
    g_assert_false(kv_print_wants_colour(terminal));
    fclose(terminal);
    close(controller);
    fclose(file);
}

/* Proves: columns line up by what the terminal shows, whatever the bytes are. */
static void
test_table(void)
{
    g_autoptr(KvTable) table = kv_table_new(3);
    g_autofree char *text = NULL;

    g_assert_true(kv_table_is_empty(table));
    kv_table_set_heading(table, 0, "NAME", KV_ALIGN_LEFT);
    kv_table_set_heading(table, 1, "数量", KV_ALIGN_RIGHT);
    kv_table_set_heading(table, 2, "NOTE", KV_ALIGN_LEFT);
    kv_table_add(table, KV_STYLE_GOOD, "隧道一");
    kv_table_add(table, KV_STYLE_PLAIN, "7");
    kv_table_add(table, KV_STYLE_PLAIN, NULL);
    kv_table_add(table, KV_STYLE_PLAIN, "e\xcc\x81");
    kv_table_add(table, KV_STYLE_PLAIN, "12345");
    kv_table_add(table, KV_STYLE_PLAIN, "x\x1b[2J");
    text = kv_table_format(table, FALSE);
    g_assert_cmpstr(text, ==,
                    "NAME     数量  NOTE\n"
                    "隧道一      7  -\n"
                    "e\xcc\x81       12345  x\\x1b[2J\n");
}

/* Proves: colours change no width, and a plain cell has none. */
static void
test_table_colour(void)
{
    g_autoptr(KvTable) table = kv_table_new(2);
    g_autofree char *text = NULL;

    kv_table_add(table, KV_STYLE_BAD, "ab");
    kv_table_add(table, KV_STYLE_PLAIN, "c");
    kv_table_add(table, KV_STYLE_PLAIN, "abcd");
    kv_table_add(table, KV_STYLE_PLAIN, "e");
    text = kv_table_format(table, TRUE);
    g_assert_cmpstr(text, ==, "\x1b[31mab\x1b[0m    c\nabcd  e\n");
}

/* Proves: JSON keeps types and structure, and holds nothing that steers a terminal. */
static void
test_json(void)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(
        g_variant_new_parsed("{'Name': <'a\\u001b[31m\\n\\u009b\\u202e\\u007f\\\"隧'>, 'N': "
                             "<uint64 5>, 'L': <['x', 'y']>, "
                             "'B': <true>, 'D': <{'k': <0.5>}>, 'P': <objectpath '/a'>}"));
    g_autofree char *text = kv_print_format_json(value, FALSE);
    g_autofree char *pretty = kv_print_format_json(value, TRUE);

    g_assert_nonnull(strstr(text, "\"Name\":\"a\\u001b[31m\\n\\u009b\\u202e\\u007f\\\"隧\""));
    g_assert_nonnull(strstr(text, "\"N\":5"));
    g_assert_nonnull(strstr(text, "\"L\":[\"x\",\"y\"]"));
    g_assert_nonnull(strstr(text, "\"B\":true"));
    g_assert_nonnull(strstr(text, "\"D\":{\"k\":0.5}"));
    g_assert_nonnull(strstr(text, "\"P\":\"/a\""));
    g_assert_null(strchr(text, '\n'));
    g_assert_nonnull(strchr(pretty, '\n'));
}

/* Proves: numbers stay short, at the edges of their units, too. */
static void
test_units(void)
{
    static const struct {
        guint64 number;
        const char *bytes;
    } cases[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {99949, "99.9 kB"},
        {99950, "100 kB"},
        {999499, "999 kB"},
        {999500, "1.0 MB"},
        {1500000, "1.5 MB"},
        {2500000000, "2.5 GB"},
        {G_MAXUINT64, "18.4 EB"},
    };
    g_autofree char *rate = kv_print_format_rate(12345678);
    g_autofree char *slow = kv_print_format_rate(0.2);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = kv_print_format_bytes(cases[i].number);

        g_assert_cmpstr(text, ==, cases[i].bytes);
    }
    g_assert_cmpstr(rate, ==, "12.3 Mbit/s");
    g_assert_cmpstr(slow, ==, "0 bit/s");
}

/* Proves: a span tells its two largest units. */
static void
test_span(void)
{
    static const struct {
        guint64 seconds;
        const char *text;
    } cases[] = {
        {0, "0 s"},          {59, "59 s"},           {60, "1 min 0 s"},  {3599, "59 min 59 s"},
        {3600, "1 h 0 min"}, {86399, "23 h 59 min"}, {86400, "1 d 0 h"}, {90000, "1 d 1 h"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = kv_print_format_span(cases[i].seconds);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

/* Proves: a sparkline is scaled to its largest value, and nothing is drawn as nothing. */
static void
test_sparkline(void)
{
    static const double values[] = {0, 1, 4, 7.9, 8};
    static const double nothing[] = {0, 0};
    g_autofree char *blocks = kv_print_format_sparkline(values, G_N_ELEMENTS(values), TRUE);
    g_autofree char *plain = kv_print_format_sparkline(values, G_N_ELEMENTS(values), FALSE);
    g_autofree char *flat = kv_print_format_sparkline(nothing, G_N_ELEMENTS(nothing), TRUE);
    g_autofree char *empty = kv_print_format_sparkline(values, 0, TRUE);

    g_assert_cmpstr(blocks, ==, "▁▂▅██");
    g_assert_cmpstr(plain, ==, "_.=##");
    g_assert_cmpstr(flat, ==, "▁▁");
    g_assert_cmpstr(empty, ==, "");
}

int
main(int argc, char **argv)
{
    g_test_add_func("/print/wants-colour", test_wants_colour);
    g_test_add_func("/print/table", test_table);
    g_test_add_func("/print/table-colour", test_table_colour);
    g_test_add_func("/print/json", test_json);
    g_test_add_func("/print/units", test_units);
    g_test_add_func("/print/span", test_span);
    g_test_add_func("/print/sparkline", test_sparkline);
    return kv_test_main(&argc, &argv);
}
