/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-question.h"
#include "kv-test.h"

#include <string.h>

static GHashTable *
new_table(const char *key, const char *value)
{
    GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    if (value != NULL)
        g_hash_table_insert(table, g_strdup(key), g_strdup(value));
    return table;
}

static GPtrArray *
list(const char *flags, const char *secret, const char *hint, gboolean retry)
{
    g_autoptr(GHashTable) data = new_table("secret-flags", flags);
    g_autoptr(GHashTable) secrets = new_table("secret", secret);
    const char *const hints[] = {"x-vpn-message:Why?", hint, NULL};

    return kv_nm_question_list(data, secrets, hints, retry);
}

typedef struct {
    const char *flags, *secret, *hint;
    gboolean retry;
    const char *value;
    gboolean is_open, is_own;
} Case;

static const Case cases[] = {
    {"0", "s", NULL, FALSE, "s", FALSE, FALSE},
    {NULL, "s", NULL, FALSE, "s", FALSE, FALSE},
    {"0", NULL, NULL, FALSE, NULL, TRUE, FALSE},
    {"0", "s", NULL, TRUE, "s", TRUE, FALSE},
    {"1", NULL, NULL, FALSE, NULL, TRUE, TRUE},
    {"1", "s", NULL, FALSE, "s", FALSE, TRUE},
    /* Always ask: a value that comes along is not taken, unless it is the one that was wrong. */
    {"2", "s", NULL, FALSE, NULL, TRUE, FALSE},
    {"2", "s", NULL, TRUE, "s", TRUE, FALSE},
    /* Not required, but asked for by name. */
    {"4", NULL, NULL, FALSE, NULL, FALSE, FALSE},
    {"4", NULL, "secret", FALSE, NULL, TRUE, FALSE},
    {"4", NULL, "another", FALSE, NULL, FALSE, FALSE},
    {"0", "s", "secret", FALSE, "s", FALSE, FALSE},
    /* What no secret can be is none. */
    {"0", "", NULL, FALSE, NULL, TRUE, FALSE},
    {"0", "a\nb", NULL, FALSE, NULL, TRUE, FALSE},
    {"0", "\xff", NULL, FALSE, NULL, TRUE, FALSE},
};

/* Proves: who is asked for what follows from flags, hints and what is known. */
static void
test_list(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        g_autoptr(GPtrArray) questions = list(c->flags, c->secret, c->hint, c->retry);
        const KvNmQuestion *question;

        g_test_message("case %u", i);
        g_assert_cmpuint(questions->len, ==, 1);
        question = g_ptr_array_index(questions, 0);
        g_assert_cmpstr(question->row->key, ==, "secret");
        g_assert_cmpstr(question->value, ==, c->value);
        g_assert_cmpint(kv_nm_question_is_open(question, c->retry), ==, c->is_open);
        g_assert_cmpint(question->is_own, ==, c->is_own);
    }
}

/* Proves: a message among the hints is the prompt, whole; without one it names the connection. */
static void
test_prompt(void)
{
    const char *const hints[] = {"secret", "x-vpn-message:No answer: is it right?", NULL};
    g_autoptr(GPtrArray) questions = list("0", NULL, NULL, FALSE);
    const KvNmQuestion *question = kv_nm_question_find_first(questions, FALSE);
    g_autofree char *given = kv_nm_question_format_prompt(question, "office", hints);
    g_autofree char *own = kv_nm_question_format_prompt(question, "office", NULL);

    g_assert_cmpstr(given, ==, "No answer: is it right?");
    g_assert_nonnull(strstr(own, "“office”"));
}

/* Proves: with keys it is these that are asked for, the preshared one if the profile has a keeper
 * for it; the sentence names the one that is missing. */
static void
test_keys(void)
{
    g_autoptr(GHashTable) data = new_table("public-key", "x");
    g_autoptr(GHashTable) secrets =
        new_table("private-key", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=");
    g_autoptr(GPtrArray) alone = kv_nm_question_list(data, secrets, NULL, FALSE);
    g_autoptr(GPtrArray) both = NULL;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    const KvNmQuestion *question = g_ptr_array_index(alone, 0);

    g_assert_cmpuint(alone->len, ==, 1);
    g_assert_cmpstr(question->row->key, ==, "private-key");
    g_assert_false(kv_nm_question_is_open(question, FALSE));
    first = kv_nm_question_format_prompt(kv_nm_question_find_first(alone, FALSE), "office", NULL);
    g_assert_nonnull(strstr(first, "private key"));
    g_hash_table_insert(data, g_strdup("preshared-key-flags"), g_strdup("1"));
    both = kv_nm_question_list(data, secrets, NULL, FALSE);
    g_assert_cmpuint(both->len, ==, 2);
    question = kv_nm_question_find_first(both, FALSE);
    g_assert_cmpstr(question->row->key, ==, "preshared-key");
    second = kv_nm_question_format_prompt(question, "office", NULL);
    g_assert_nonnull(strstr(second, "preshared key"));
}

/* Proves: the key file has what a reader of version 2 needs, and any value survives in it. */
static void
test_key_file(void)
{
    const char *secret = " a;b\\c \xc3\xa4=\"";
    g_autoptr(GPtrArray) questions = list("0", secret, NULL, TRUE);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *text = kv_nm_question_to_key_file(questions, "Why?", TRUE, TRUE);
    g_autofree char *value = NULL;
    g_autofree char *description = NULL;
    g_autofree char *title = NULL;
    g_autofree char *label = NULL;

    g_assert_true(g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, NULL));
    g_assert_cmpint(g_key_file_get_integer(file, "VPN Plugin UI", "Version", NULL), ==, 2);
    title = g_key_file_get_string(file, "VPN Plugin UI", "Title", NULL);
    g_assert_nonnull(title);
    description = g_key_file_get_string(file, "VPN Plugin UI", "Description", NULL);
    g_assert_cmpstr(description, ==, "Why?");
    value = g_key_file_get_string(file, "secret", "Value", NULL);
    g_assert_cmpstr(value, ==, secret);
    label = g_key_file_get_string(file, "secret", "Label", NULL);
    g_assert_cmpstr(label, ==, "Secret");
    g_assert_true(g_key_file_get_boolean(file, "secret", "IsSecret", NULL));
    g_assert_true(g_key_file_get_boolean(file, "secret", "ShouldAsk", NULL));
}

/* Proves: nobody is asked where nobody may be, and what is known is told all the same. */
static void
test_no_asking(void)
{
    g_autoptr(GPtrArray) questions = list("0", "s", NULL, TRUE);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *text = kv_nm_question_to_key_file(questions, "Why?", FALSE, TRUE);
    g_autofree char *value = NULL;

    g_assert_true(g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, NULL));
    g_assert_false(g_key_file_get_boolean(file, "secret", "ShouldAsk", NULL));
    value = g_key_file_get_string(file, "secret", "Value", NULL);
    g_assert_cmpstr(value, ==, "s");
}

/* Proves: the lines end in two empty ones, also if nothing is known. */
static void
test_lines(void)
{
    g_autoptr(GPtrArray) known = list("0", "a b", NULL, FALSE);
    g_autoptr(GPtrArray) unknown = list("4", NULL, NULL, FALSE);
    g_autofree char *text = kv_nm_question_to_lines(known);
    g_autofree char *nothing = kv_nm_question_to_lines(unknown);

    g_assert_cmpstr(text, ==, "secret\na b\n\n\n");
    g_assert_cmpstr(nothing, ==, "\n\n");
}

/* Proves: what is typed is checked as everywhere, and the complaint never tells the value. */
static void
test_check(void)
{
    g_autoptr(GPtrArray) questions = list("0", NULL, NULL, FALSE);
    KvNmQuestion *question = g_ptr_array_index(questions, 0);
    g_autofree char *good = kv_nm_question_check(question, "hush");
    g_autofree char *empty = kv_nm_question_check(question, "");
    g_autofree char *control = kv_nm_question_check(question, "hush\x01");

    g_assert_null(good);
    g_assert_nonnull(empty);
    g_assert_nonnull(control);
    g_assert_null(strstr(control, "hush"));
    kv_nm_question_set_value(question, "hush");
    g_assert_cmpstr(question->value, ==, "hush");
    kv_nm_question_set_value(question, NULL);
    g_assert_null(question->value);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/nm-question/list", test_list);
    g_test_add_func("/nm-question/prompt", test_prompt);
    g_test_add_func("/nm-question/keys", test_keys);
    g_test_add_func("/nm-question/key-file", test_key_file);
    g_test_add_func("/nm-question/no-asking", test_no_asking);
    g_test_add_func("/nm-question/lines", test_lines);
    g_test_add_func("/nm-question/check", test_check);
    return kv_test_main(&argc, &argv);
}
