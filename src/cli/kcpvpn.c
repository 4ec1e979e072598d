/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-args.h"
#include "kv-cmd.h"
#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-signals.h"
#include "kv-text.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#define HELP_WIDTH 100

static KvExit
run_server(KvArgs *args)
{
    return kv_cmd_run(KV_ROLE_SERVER, args);
}

static KvExit
run_client(KvArgs *args)
{
    return kv_cmd_run(KV_ROLE_CLIENT, args);
}

static KvExit
run_peer(KvArgs *args)
{
    return kv_cmd_run(KV_ROLE_PEER, args);
}

static KvExit
run_version(KvArgs *args)
{
    printf("kcpvpn %s\n", PACKAGE_VERSION);
    return KV_EXIT_OK;
}

static void
print_usage(FILE *to)
{
    fprintf(to, _("Usage: kcpvpn COMMAND [OPTIONS]\n\nA VPN for bad networks.\n\nCommands:\n"));
    for (guint i = 0; i < KV_N_VERBS; i++) {
        const KvVerb *verb = kv_verb_get(i);
        g_autofree char *names = verb->alias != NULL
                                     ? g_strdup_printf("%s, %s", verb->name, verb->alias)
                                     : g_strdup(verb->name);

        fprintf(to, "  %-12s %s\n", names, _(verb->summary));
    }
    fprintf(to, _("\n\"kcpvpn COMMAND --help\" lists the options of a command.\n"));
}

/* The settings that commands in the foreground do not have. */
static void
print_saved_settings(void)
{
    printf("\n%s\n", _("Settings of a saved tunnel:"));
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if ((row->flags & KV_SETTING_FLAG_NO_ARGV) == 0 || i == KV_SETTING_NAME ||
            i == KV_SETTING_ROLE)
            continue;
        printf("  --%s%s%s\n        %s\n", row->key, row->value_name != NULL ? " " : "",
               row->value_name != NULL ? row->value_name : "", _(row->description));
    }
    printf("\n%s\n", _("All settings that \"kcpvpn client --help\" and \"kcpvpn server --help\" "
                       "list are options, too."));
}

static KvRole
get_role(const KvVerb *verb)
{
    switch (verb->settings) {
    case KV_VERB_SETTINGS_SERVER:
        return KV_ROLE_SERVER;
    case KV_VERB_SETTINGS_PEER:
        return KV_ROLE_PEER;
    default:
        return KV_ROLE_CLIENT;
    }
}

static gboolean
runs_tunnel(const KvVerb *verb)
{
    return verb->id == KV_VERB_SERVER || verb->id == KV_VERB_CLIENT || verb->id == KV_VERB_PEER;
}

static void
print_settings_help(const KvVerb *verb)
{
    g_autofree char *text = NULL;

    if (verb->settings == KV_VERB_SETTINGS_NONE)
        return;
    if (verb->settings == KV_VERB_SETTINGS_ANY) {
        print_saved_settings();
        return;
    }
    text = kv_settings_format_help(get_role(verb), HELP_WIDTH);
    printf("\n%s", text);
}

static void
print_help(const KvVerb *verb)
{
    g_autofree char *options = kv_verb_format_options(verb);
    const char *operands = verb->operands != NULL ? verb->operands : "";

    printf(_("Usage: kcpvpn %s%s%s [OPTIONS]\n\n%s.\n\nOptions:\n%s"), verb->name,
           operands[0] != '\0' ? " " : "", operands, _(verb->summary), options);
    print_settings_help(verb);
}

/* (transfer none) (nullable): NULL has been complained about. */
static const KvVerb *
find_verb(const char *word)
{
    const KvVerb *verb = kv_verb_find(word);
    const KvVerb *guess = kv_verb_guess(word);
    g_autofree char *names = kv_verb_format_names();
    g_autofree char *message = NULL;

    if (verb != NULL)
        return verb;
    if (guess != NULL)
        message = g_strdup_printf(_("unknown command \"%s\"; did you mean \"%s\"? allowed are %s"),
                                  word, guess->name, names);
    else
        message = g_strdup_printf(_("unknown command \"%s\"; allowed are %s"), word, names);
    kv_cmd_complain(message);
    return NULL;
}

static KvExit
run_help(KvArgs *args)
{
    const char *word = kv_args_get_operand(args, 0);
    const KvVerb *verb;

    if (word == NULL) {
        print_usage(stdout);
        return KV_EXIT_OK;
    }
    verb = find_verb(word);
    if (verb == NULL)
        return KV_EXIT_USAGE;
    print_help(verb);
    return KV_EXIT_OK;
}

/* What each command does. */
static KvExit (*const runs[])(KvArgs *args) = {
    [KV_VERB_SERVER] = run_server,    [KV_VERB_CLIENT] = run_client,
    [KV_VERB_PEER] = run_peer,        [KV_VERB_LIST] = kv_cmd_list,
    [KV_VERB_SHOW] = kv_cmd_show,     [KV_VERB_STATUS] = kv_cmd_status,
    [KV_VERB_ADD] = kv_cmd_add,       [KV_VERB_EDIT] = kv_cmd_edit,
    [KV_VERB_DELETE] = kv_cmd_delete, [KV_VERB_UP] = kv_cmd_up,
    [KV_VERB_DOWN] = kv_cmd_down,     [KV_VERB_CLIENTS] = kv_cmd_clients,
    [KV_VERB_KICK] = kv_cmd_kick,     [KV_VERB_MONITOR] = kv_cmd_monitor,
    [KV_VERB_IMPORT] = kv_cmd_import, [KV_VERB_EXPORT] = kv_cmd_export,
    [KV_VERB_RELOAD] = kv_cmd_reload, [KV_VERB_GENKEY] = kv_cmd_genkey,
    [KV_VERB_PUBKEY] = kv_cmd_pubkey, [KV_VERB_GENPSK] = kv_cmd_genpsk,
    [KV_VERB_VERSION] = run_version,  [KV_VERB_HELP] = run_help,
};
G_STATIC_ASSERT(G_N_ELEMENTS(runs) == KV_N_VERBS);

static gboolean
is_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "-help") == 0 || strcmp(word, "--help") == 0;
}

static gboolean
is_version(const char *word)
{
    return strcmp(word, "-v") == 0 || strcmp(word, "-version") == 0 ||
           strcmp(word, "--version") == 0;
}

/* The message may hold what the user typed or a file held: nothing of it reaches the terminal as
 * a control sequence. */
void
kv_cmd_complain(const char *message)
{
    g_autofree char *printable = kv_text_make_printable(message);

    fprintf(stderr, "kcpvpn: %s\n", printable);
}

KvExit
kv_exit_from_error(const GError *error)
{
    if (error->domain != KV_ERROR)
        return KV_EXIT_FAILURE;
    switch ((KvError) error->code) {
    case KV_ERROR_INVALID_SETTING:
    case KV_ERROR_NOT_SUPPORTED:
    case KV_ERROR_INVALID_ARGUMENT:
        return KV_EXIT_USAGE;
    case KV_ERROR_REFUSED:
    case KV_ERROR_PROTOCOL:
        return KV_EXIT_REFUSED;
    case KV_ERROR_PERMISSION_DENIED:
    case KV_ERROR_READ_ONLY:
    case KV_ERROR_NOT_AUTHORIZED:
    case KV_ERROR_AUTHENTICATION_REQUIRED:
    case KV_ERROR_AUTHENTICATION_DISMISSED:
        return KV_EXIT_PERMISSION;
    case KV_ERROR_TIMEOUT:
        return KV_EXIT_NO_ANSWER;
    case KV_ERROR_CONNECTION_LOST:
        return KV_EXIT_LOST;
    default:
        return KV_EXIT_FAILURE;
    }
}

static KvExit
run_verb(const KvVerb *verb, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvArgs) args = kv_args_parse(verb, argc, argv, &error);

    if (args == NULL) {
        kv_cmd_complain(error->message);
        return KV_EXIT_USAGE;
    }
    /* What runs in the foreground sees to signals itself. */
    if (kv_args_has(args, KV_OPTION_HELP) || !runs_tunnel(verb))
        kv_signals_release();
    if (kv_args_has(args, KV_OPTION_HELP)) {
        print_help(verb);
        return KV_EXIT_OK;
    }
    return runs[verb->id](args);
}

int
main(int argc, char **argv)
{
    const KvVerb *verb;

    kv_signals_hold();
    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, KV_LOCALE_DIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    if (argc < 2) {
        print_usage(stderr);
        return KV_EXIT_USAGE;
    }
    if (is_help(argv[1])) {
        print_usage(stdout);
        return KV_EXIT_OK;
    }
    if (is_version(argv[1]))
        return run_version(NULL);
    verb = find_verb(argv[1]);
    if (verb == NULL)
        return KV_EXIT_USAGE;
    return run_verb(verb, argc - 2, argv + 2);
}
