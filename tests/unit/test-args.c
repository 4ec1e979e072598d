/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-args.h"
#include "kv-error.h"
#include "kv-test.h"

#include <string.h>

/* The words behind a command, in memory that can be written to, as main()'s. */
typedef struct {
    char **argv;
    KvArgs *args;
    GError *error;
} Line;

static void
line_init(Line *line, KvVerbId verb, const char *text)
{
    line->error = NULL;
    line->argv = g_strsplit(text, " ", 0);
    line->args =
        kv_args_parse(kv_verb_get(verb), text[0] != '\0' ? (int) g_strv_length(line->argv) : 0,
                      line->argv, &line->error);
}

static void
line_clear(Line *line)
{
    kv_args_free(line->args);
    g_clear_error(&line->error);
    g_strfreev(line->argv);
}

/* Proves: each row of the tables stands in its place and makes sense. */
static void
test_tables(void)
{
    for (guint i = 0; i < KV_N_OPTIONS; i++) {
        const KvOption *option = kv_option_get(i);

        g_assert_cmpuint(option->id, ==, i);
        g_assert_nonnull(option->description);
        g_assert_true((option->kind == KV_VALUE_NONE) == (option->value_name == NULL));
        g_assert_true((option->kind == KV_VALUE_CHOICE) == (option->choices != NULL));
        g_assert_true((option->kind == KV_VALUE_NUMBER) == (option->max > option->min));
    }
    for (guint i = 0; i < KV_N_VERBS; i++) {
        const KvVerb *verb = kv_verb_get(i);

        g_assert_cmpuint(verb->id, ==, i);
        g_assert_true(kv_verb_find(verb->name) == verb);
        g_assert_true(verb->alias == NULL || kv_verb_find(verb->alias) == verb);
        g_assert_true(kv_verb_has_option(verb, KV_OPTION_HELP));
        g_assert_true((verb->max_operands > 0) == (verb->operands != NULL));
        g_assert_cmpuint(verb->min_operands, <=, verb->max_operands);
        g_assert_true((verb->max_operands > 1) == (verb->rest != KV_OPERAND_NONE));
    }
}

/* Proves: what is meant by a mistyped command, and that not everything is one. */
static void
test_guess(void)
{
    static const struct {
        const char *word;
        const char *guess; /* NULL: none */
    } cases[] = {
        {"lst", "list"},     {"lits", "list"},       {"lsit", "list"},    {"clent", "client"},
        {"sotp", NULL},      {"satus", "status"},    {"ad", "add"},       {"xyzzy", NULL},
        {"", NULL},          {"monitro", "monitor"}, {"imprt", "import"}, {"u", "up"},
        {"delet", "delete"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const KvVerb *verb = kv_verb_guess(cases[i].word);

        g_assert_cmpstr(verb != NULL ? verb->name : NULL, ==, cases[i].guess);
    }
    g_assert_cmpuint(kv_verb_distance("", "abc"), ==, 3);
    g_assert_cmpuint(kv_verb_distance("abcd", "abdc"), ==, 1);
    g_assert_cmpuint(kv_verb_distance("kitten", "sitting"), ==, 3);
}

/* Proves: options and operands in any order, with one dash or two, values in both ways. */
static void
test_parse(void)
{
    Line line;

    line_init(&line, KV_VERB_UP, "-wait=7 home --json --secret-file f");
    g_assert_no_error(line.error);
    g_assert_cmpuint(kv_args_get_uint(line.args, KV_OPTION_WAIT, 90), ==, 7);
    g_assert_cmpuint(kv_args_get_uint(line.args, KV_OPTION_INTERVAL, 90), ==, 90);
    g_assert_true(kv_args_has(line.args, KV_OPTION_JSON));
    g_assert_false(kv_args_has(line.args, KV_OPTION_NO_WAIT));
    g_assert_cmpstr(kv_args_get(line.args, KV_OPTION_SECRET_FILE), ==, "f");
    g_assert_cmpuint(kv_args_get_n_operands(line.args), ==, 1);
    g_assert_cmpstr(kv_args_get_operand(line.args, 0), ==, "home");
    g_assert_null(kv_args_get_operand(line.args, 1));
    g_assert_false(kv_args_has_settings(line.args));
    line_clear(&line);

    line_init(&line, KV_VERB_IMPORT, "- -- --name");
    g_assert_no_error(line.error);
    g_assert_cmpstr(kv_args_get_operand(line.args, 0), ==, "-");
    g_assert_cmpstr(kv_args_get_operand(line.args, 1), ==, "--name");
    line_clear(&line);

    line_init(&line, KV_VERB_UP, "--help --nonsense");
    g_assert_no_error(line.error);
    g_assert_true(kv_args_has(line.args, KV_OPTION_HELP));
    line_clear(&line);
}

/* Proves: settings' flags go to the settings, and a secret leaves the command line. */
static void
test_settings(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autoptr(GError) error = NULL;
    Line line;

    line_init(
        &line, KV_VERB_ADD,
        "--port 7 --auto-reconnect --role client home --ip=a.example --secret abc --users a,b");
    g_assert_no_error(line.error);
    g_assert_true(kv_args_has_settings(line.args));
    g_assert_cmpstr(kv_args_get(line.args, KV_OPTION_ROLE), ==, "client");
    g_assert_cmpstr(kv_args_get_operand(line.args, 0), ==, "home");
    g_assert_true(kv_args_apply_settings(line.args, settings, &error));
    g_assert_cmpuint(kv_settings_get_uint(settings, KV_SETTING_PORT), ==, 7);
    g_assert_true(kv_settings_get_boolean(settings, KV_SETTING_AUTO_RECONNECT));
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_IP), ==, "a.example");
    g_assert_cmpstr(kv_settings_get_string(settings, KV_SETTING_USERS), ==, "a,b");
    g_assert_cmpuint(kv_secret_get_length(kv_settings_get_secret(settings, KV_SETTING_SECRET)), ==,
                     3);
    for (guint i = 0; line.argv[i] != NULL; i++)
        g_assert_null(strstr(line.argv[i], "abc"));
    line_clear(&line);
}

/* Proves: every wrong word gets an error that names it and what is allowed. */
static void
test_errors(void)
{
    static const struct {
        KvVerbId verb;
        const char *line;
        const char *said[3]; /* each is in the message */
    } cases[] = {
        {KV_VERB_UP, "", {"up: ", "usage: kcpvpn up TUNNEL"}},
        {KV_VERB_UP, "a b", {"\"b\"", "too many"}},
        {KV_VERB_LIST, "x", {"\"x\"", "too many"}},
        {KV_VERB_KICK, "t", {"not enough", "TUNNEL CLIENT..."}},
        {KV_VERB_LIST, "--jsn", {"\"--jsn\"", "did you mean --json"}},
        {KV_VERB_LIST, "--zzzzzzzz", {"\"--zzzzzzzz\"", "allowed: ", "--names, --json"}},
        {KV_VERB_LIST, "--ask", {"\"--ask\""}},
        {KV_VERB_ADD, "a --prot 1", {"\"--prot\"", "did you mean --port"}},
        {KV_VERB_ADD, "a --zzzzzzzz", {"\"--zzzzzzzz\"", "kcpvpn add --help"}},
        {KV_VERB_ADD, "a --name b", {"\"--name\""}},
        {KV_VERB_SERVER, "--autostart", {"\"--autostart\""}},
        {KV_VERB_LIST, "--json=1", {"--json takes no value"}},
        {KV_VERB_UP, "a --wait", {"--wait: a value must follow", "1 to 86400"}},
        {KV_VERB_UP, "a --wait 0", {"\"0\"", "1 to 86400"}},
        {KV_VERB_UP, "a --wait 1x", {"\"1x\"", "1 to 86400"}},
        {KV_VERB_UP, "a --secret-file=", {"--secret-file", "FILE"}},
        {KV_VERB_ADD, "a --role both", {"\"both\"", "client, server, peer"}},
        {KV_VERB_SERVER, "--log-level loud", {"\"loud\"", "error, warning, info, debug"}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Line line;

        line_init(&line, cases[i].verb, cases[i].line);
        g_assert_null(line.args);
        g_assert_error(line.error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        for (guint j = 0; j < G_N_ELEMENTS(cases[i].said) && cases[i].said[j] != NULL; j++) {
            if (strstr(line.error->message, cases[i].said[j]) == NULL)
                g_error("%s: no \"%s\" in: %s", cases[i].line, cases[i].said[j],
                        line.error->message);
        }
        line_clear(&line);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/args/tables", test_tables);
    g_test_add_func("/args/guess", test_guess);
    g_test_add_func("/args/parse", test_parse);
    g_test_add_func("/args/settings", test_settings);
    g_test_add_func("/args/errors", test_errors);
    return kv_test_main(&argc, &argv);
}
