/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-options.h"
#include "kv-test.h"

#include <string.h>

static const KvOption known[] = {{"transient", "b"}, {"name", "s"}};

static const struct {
    const char *options;
    gsize n_known;
    const char *message; /* NULL: fine */
} cases[] = {
    {"@a{sv} {}", 2, NULL},
    {"@a{sv} {}", 0, NULL},
    {"{'transient': <true>}", 2, NULL},
    {"{'transient': <false>, 'name': <''>}", 2, NULL},
    {"{'other': <true>}", 2, "\"other\" is not an option of this method; allowed: transient, name"},
    {"{'': <true>}", 2, "\"\" is not an option of this method; allowed: transient, name"},
    {"{'name': <''>}", 1, "\"name\" is not an option of this method; allowed: transient"},
    {"{'name': <''>}", 0, "\"name\" is not an option of this method; allowed: no option"},
    {"{'name': <true>}", 2,
     "option name: a value of type \"b\" is not allowed; allowed: type \"s\""},
    {"{'name': <<''>>}", 2,
     "option name: a value of type \"v\" is not allowed; allowed: type \"s\""},
    {"{'name': <''>, 'name': <''>}", 2, "option name was given twice"},
};

/* Proves: what is not known, of another type or there twice is refused by its name. */
static void
test_check(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GVariant) options =
            g_variant_parse(G_VARIANT_TYPE_VARDICT, cases[i].options, NULL, NULL, NULL);
        g_autoptr(GError) error = NULL;
        gboolean ok = kv_options_check(options, known, cases[i].n_known, &error);

        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, cases[i].message);
        g_assert_true(ok == (error == NULL));
        if (error != NULL)
            g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT);
    }
}

/* Proves: a name's control characters are shown as numbers, other characters as they are, and a
 * long one is cut. */
static void
test_odd_name(void)
{
    g_autofree char *name = g_strnfill(1000, 'x');
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) options = NULL;
    g_autoptr(GError) error = NULL;

    name[0] = '\n';
    name[1] = '\xc3';
    name[2] = '\xa9';
    g_variant_dict_insert(&dict, name, "b", TRUE);
    options = g_variant_ref_sink(g_variant_dict_end(&dict));
    g_assert_false(kv_options_check(options, known, G_N_ELEMENTS(known), &error));
    g_assert_true(g_str_has_prefix(error->message, "\"\\x0a\xc3\xa9xxx"));
    g_assert_cmpuint(strlen(error->message), <, 250);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/options/check", test_check);
    g_test_add_func("/options/odd-name", test_odd_name);
    return kv_test_main(&argc, &argv);
}
