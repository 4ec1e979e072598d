/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-cmd.h"
#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-signals.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    const char *alias; /* (nullable) */
    KvExit (*run)(int argc, char **argv);
    const char *summary;
    gboolean sees_to_signals; /* they are still held back when it begins */
} Command;

static KvExit
run_server(int argc, char **argv)
{
    return kv_cmd_run(KV_ROLE_SERVER, argc, argv);
}

static KvExit
run_client(int argc, char **argv)
{
    return kv_cmd_run(KV_ROLE_CLIENT, argc, argv);
}

static KvExit
run_version(int argc, char **argv)
{
    printf("kcpvpn %s\n", PACKAGE_VERSION);
    return KV_EXIT_OK;
}

static const Command commands[] = {
    {"server", "s", run_server, N_("Serve clients in the foreground"), TRUE},
    {"client", "c", run_client, N_("Connect to a server in the foreground"), TRUE},
    {"version", NULL, run_version, N_("Print the version"), FALSE},
};

static void
print_usage(FILE *to)
{
    fprintf(to, _("Usage: kcpvpn COMMAND [OPTIONS]\n\nA VPN for bad networks.\n\nCommands:\n"));
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *names =
            commands[i].alias != NULL
                ? g_strdup_printf("%s, %s", commands[i].name, commands[i].alias)
                : g_strdup(commands[i].name);

        fprintf(to, "  %-12s %s\n", names, _(commands[i].summary));
    }
    fprintf(to, _("\n\"kcpvpn COMMAND --help\" lists the options of a command.\n"));
}

static KvExit
run_command(const Command *command, int argc, char **argv)
{
    if (!command->sees_to_signals)
        kv_signals_release();
    return command->run(argc, argv);
}

static gboolean
is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "-help") == 0 ||
           strcmp(word, "--help") == 0;
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
    g_autofree char *valid = g_utf8_make_valid(message, -1);

    fputs("kcpvpn: ", stderr);
    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (g_unichar_iscntrl(c))
            fprintf(stderr, "\\x%02x", c);
        else
            fwrite(p, 1, (gsize) (g_utf8_next_char(p) - p), stderr);
    }
    fputc('\n', stderr);
}

KvExit
kv_exit_from_error(const GError *error)
{
    if (error->domain != KV_ERROR)
        return KV_EXIT_FAILURE;
    switch ((KvError) error->code) {
    case KV_ERROR_INVALID_SETTING:
    case KV_ERROR_NOT_SUPPORTED:
        return KV_EXIT_USAGE;
    case KV_ERROR_REFUSED:
    case KV_ERROR_PROTOCOL:
        return KV_EXIT_REFUSED;
    case KV_ERROR_PERMISSION_DENIED:
        return KV_EXIT_PERMISSION;
    case KV_ERROR_TIMEOUT:
        return KV_EXIT_NO_ANSWER;
    case KV_ERROR_CONNECTION_LOST:
        return KV_EXIT_LOST;
    default:
        return KV_EXIT_FAILURE;
    }
}

int
main(int argc, char **argv)
{
    g_autofree char *message = NULL;

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
        return run_version(0, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0 || g_strcmp0(argv[1], commands[i].alias) == 0)
            return run_command(&commands[i], argc - 2, argv + 2);
    }
    message = g_strdup_printf(_("unknown command \"%s\"; allowed are server, client, version and "
                                "help"),
                              argv[1]);
    kv_cmd_complain(message);
    return KV_EXIT_USAGE;
}
