/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-nm-keyring.h"
#include "kv-nm-names.h"
#include "kv-nm-prompt.h"
#include "kv-nm-question.h"
#include "kv-secret.h"

#include <NetworkManager.h>
#include <errno.h>
#include <glib-unix.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Asks for the secrets of a connection. Who starts it (nmcli, a desktop's shell or applet) writes
 * what is known of the connection to stdin and reads the secrets from stdout.
 */

/* How long the answer's reader may take, if it never says that it has it. */
#define QUIT_WAIT_MS 20000

/* What it says then, and what it says if nobody waits for the answer any more. */
#define QUIT_WORD   "QUIT"
#define CANCEL_WORD "CANCEL"

typedef struct {
    char *uuid, *name, *service;
    char **hints;
    gboolean retry, may_ask, external_ui;
} Options;

static void
options_clear(Options *options)
{
    g_free(options->uuid);
    g_free(options->name);
    g_free(options->service);
    g_strfreev(options->hints);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean
check_options(const Options *options, int argc, char **argv, GError **error)
{
    if (argc > 1) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, _("unknown argument \"%s\""),
                    argv[1]);
        return FALSE;
    }
    if (options->uuid == NULL || options->name == NULL || options->service == NULL) {
        g_set_error_literal(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                            _("--uuid, --name and --service are required"));
        return FALSE;
    }
    if (g_strcmp0(options->service, KV_NM_SERVICE) != 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    _("service \"%s\" is not ours; allowed is %s"), options->service,
                    KV_NM_SERVICE);
        return FALSE;
    }
    return TRUE;
}

static gboolean
parse_options(int argc, char **argv, Options *options, GError **error)
{
    const GOptionEntry entries[] = {
        {"uuid", 'u', 0, G_OPTION_ARG_STRING, &options->uuid, N_("UUID of the connection"), "UUID"},
        {"name", 'n', 0, G_OPTION_ARG_STRING, &options->name, N_("Name of the connection"), "NAME"},
        {"service", 's', 0, G_OPTION_ARG_STRING, &options->service, N_("Its VPN service"),
         "SERVICE"},
        {"reprompt", 'r', 0, G_OPTION_ARG_NONE, &options->retry,
         N_("The last secrets were wrong: ask again"), NULL},
        {"allow-interaction", 'i', 0, G_OPTION_ARG_NONE, &options->may_ask,
         N_("The user may be asked"), NULL},
        {"hint", 't', 0, G_OPTION_ARG_STRING_ARRAY, &options->hints,
         N_("Secret to ask for, or x-vpn-message: and a sentence to show"), "HINT"},
        {"external-ui-mode", 0, 0, G_OPTION_ARG_NONE, &options->external_ui,
         N_("Describe the fields instead of showing them"), NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_summary(
        context,
        _("Asks for the secrets of a VPN connection; started by NetworkManager's agents."));
    g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
    return g_option_context_parse(context, &argc, &argv, error) &&
           check_options(options, argc, argv, error);
}

static void
wipe_values(GHashTable *secrets)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, secrets);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        kv_secret_wipe_string(value);
}

/* What stdin and the user's keyring know. */
static GPtrArray *
read_questions(const Options *options, GError **error)
{
    const char *const *hints = (const char *const *) options->hints;
    g_autoptr(GHashTable) secrets = NULL;
    g_autoptr(GHashTable) data = NULL;
    GPtrArray *questions;

    if (!nm_vpn_service_plugin_read_vpn_details(STDIN_FILENO, &data, &secrets)) {
        g_set_error(error, KV_ERROR, KV_ERROR_PROTOCOL,
                    _("stdin has no description of the connection"));
        return NULL;
    }
    questions = kv_nm_question_list(data, secrets, hints, options->retry);
    wipe_values(secrets);
    for (guint i = 0; i < questions->len; i++) {
        KvNmQuestion *question = g_ptr_array_index(questions, i);

        if (question->value == NULL && question->is_own) {
            g_autofree char *value = kv_nm_keyring_lookup(options->uuid, question->row->key);

            kv_nm_question_set_value(question, value);
            kv_secret_wipe_string(value);
        }
    }
    return questions;
}

/* Loaded for good: a toolkit cannot be unloaded. */
static KvNmPromptFunc *
load_prompt(GError **error)
{
    static const char *const modules[] = {KV_NM_PROMPT_MODULES};
    gpointer symbol = NULL;

    for (guint i = 0; modules[i] != NULL && symbol == NULL; i++) {
        GModule *module = g_module_open(modules[i], G_MODULE_BIND_LOCAL);

        if (module != NULL && g_module_symbol(module, KV_NM_PROMPT_SYMBOL, &symbol))
            g_module_make_resident(module);
    }
    if (symbol == NULL)
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_SUPPORTED,
                    _("the window to ask in is not installed: %s"), g_module_error());
    return (KvNmPromptFunc *) symbol;
}

/* Takes the window away when nobody waits for the answer any more. The end of stdin says nothing:
 * people who try the program out have no more to say. */
static gboolean
on_stdin(int fd, GIOCondition condition, gpointer data)
{
    char buf[256];
    ssize_t n = read(fd, buf, sizeof buf - 1);

    if (n <= 0)
        return n < 0 && errno == EINTR ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
    buf[n] = '\0';
    if (strstr(buf, QUIT_WORD) != NULL || strstr(buf, CANCEL_WORD) != NULL)
        exit(EXIT_FAILURE);
    return G_SOURCE_CONTINUE;
}

/* Until the value is one that the setting allows. Returns: FALSE without an error: cancelled. */
static gboolean
ask(KvNmQuestion *question, const char *prompt, KvNmPromptFunc *run, GError **error)
{
    g_autofree char *complaint = NULL;

    do {
        g_autofree char *message =
            complaint != NULL ? g_strdup_printf("%s\n\n%s", prompt, complaint) : g_strdup(prompt);
        g_autofree char *typed = run(_("Authenticate VPN"), message,
                                     kv_nm_question_get_label(question), question->value, error);

        if (typed == NULL)
            return FALSE;
        g_free(complaint);
        complaint = kv_nm_question_check(question, typed);
        kv_nm_question_set_value(question, typed);
        kv_secret_wipe_string(typed);
    } while (complaint != NULL);
    return TRUE;
}

static gboolean
ask_all(const GPtrArray *questions, const Options *options, GError **error)
{
    const char *const *hints = (const char *const *) options->hints;
    KvNmPromptFunc *run = NULL;

    for (guint i = 0; options->may_ask && i < questions->len; i++) {
        KvNmQuestion *question = g_ptr_array_index(questions, i);
        g_autofree char *prompt = kv_nm_question_format_prompt(question, options->name, hints);

        if (!kv_nm_question_is_open(question, options->retry))
            continue;
        if (run == NULL) {
            run = load_prompt(error);
            g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_stdin, NULL);
        }
        if (run == NULL || !ask(question, prompt, run, error))
            return FALSE;
    }
    return TRUE;
}

static void
print_and_wipe(char *text)
{
    fputs(text, stdout);
    fflush(stdout);
    kv_secret_wipe_string(text);
    g_free(text);
}

/* The reader may take our end for a failure as long as it has not read all. */
static void
wait_for_quit(void)
{
    gint64 end = g_get_monotonic_time() / 1000 + QUIT_WAIT_MS;
    g_autoptr(GString) said = g_string_new(NULL);
    gint64 left;

    while ((left = end - g_get_monotonic_time() / 1000) > 0) {
        struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
        char buf[64];
        ssize_t n;

        if (poll(&fd, 1, (int) left) < 0 && errno != EINTR)
            return;
        if (fd.revents == 0)
            continue;
        n = read(STDIN_FILENO, buf, sizeof buf);
        if (n == 0 || (n < 0 && errno != EINTR))
            return;
        g_string_append_len(said, buf, MAX(n, 0));
        if (strstr(said->str, QUIT_WORD) != NULL)
            return;
    }
}

/* To a program that shows the fields itself. */
static void
describe(const GPtrArray *questions, const Options *options)
{
    const KvNmQuestion *first = kv_nm_question_find_first(questions, options->retry);
    g_autofree char *prompt =
        kv_nm_question_format_prompt(first, options->name, (const char *const *) options->hints);

    print_and_wipe(kv_nm_question_to_key_file(questions, prompt, options->may_ask, options->retry));
}

/* Returns: FALSE without an error: cancelled. */
static gboolean
answer(const Options *options, GError **error)
{
    g_autoptr(GPtrArray) questions = read_questions(options, error);

    if (questions == NULL)
        return FALSE;
    if (options->external_ui) {
        describe(questions, options);
        return TRUE;
    }
    if (!ask_all(questions, options, error))
        return FALSE;
    print_and_wipe(kv_nm_question_to_lines(questions));
    wait_for_quit();
    return TRUE;
}

int
main(int argc, char **argv)
{
    g_auto(Options) options = {0};
    g_autoptr(GError) error = NULL;

    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, KV_LOCALE_DIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    if (parse_options(argc, argv, &options, &error) && answer(&options, &error))
        return EXIT_SUCCESS;
    if (error != NULL)
        g_printerr("nm-kcpvpn-auth-dialog: %s\n", error->message);
    return EXIT_FAILURE;
}
