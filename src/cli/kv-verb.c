/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-verb.h"

#include "kv-i18n.h"
#include "kv-text.h"

#include <string.h>

/* More mistakes than these in a word, and it is no mistyped command. */
#define GUESS_MISTAKES_MAX 2

#define HELP_TEXT_COLUMN 30

static const char *const roles[] = {"client", "server", "peer", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

static const KvOption options[] = {
    [KV_OPTION_CONFIG] =
        {
            .id = KV_OPTION_CONFIG,
            .name = "config",
            .kind = KV_VALUE_FILE,
            .value_name = "FILE",
            .description = N_("Read settings from a .kcpvpn key file; flags win over it"),
        },
    [KV_OPTION_CHECK] =
        {
            .id = KV_OPTION_CHECK,
            .name = "check",
            .description = N_("Check and print the settings, without secrets, and end"),
        },
    [KV_OPTION_LOG_LEVEL] =
        {
            .id = KV_OPTION_LOG_LEVEL,
            .name = "log-level",
            .kind = KV_VALUE_CHOICE,
            .value_name = "LEVEL",
            .choices = log_levels,
            .description = N_("Least severity to log (default: info)"),
        },
    [KV_OPTION_LOG_JSON] =
        {
            .id = KV_OPTION_LOG_JSON,
            .name = "log-json",
            .description = N_("Write the log as one JSON object a line"),
        },
    [KV_OPTION_STATS_INTERVAL] =
        {
            .id = KV_OPTION_STATS_INTERVAL,
            .name = "stats-interval",
            .kind = KV_VALUE_NUMBER,
            .value_name = "SECONDS",
            .min = 1,
            .max = 86400,
            .description = N_("Write statistics to the log at this interval"),
        },
    [KV_OPTION_ROLE] =
        {
            .id = KV_OPTION_ROLE,
            .name = "role",
            .kind = KV_VALUE_CHOICE,
            .value_name = "ROLE",
            .choices = roles,
            .description = N_("Side of the tunnel: client, server or peer"),
        },
    [KV_OPTION_UNSET] =
        {
            .id = KV_OPTION_UNSET,
            .name = "unset",
            .kind = KV_VALUE_KEYS,
            .value_name = "KEY,...",
            .description = N_("Put these settings back to their defaults"),
        },
    [KV_OPTION_NAME] =
        {
            .id = KV_OPTION_NAME,
            .name = "name",
            .kind = KV_VALUE_TEXT,
            .value_name = "NAME",
            .description = N_("Name of the tunnel, instead of the file's"),
        },
    [KV_OPTION_SECRET_FILE] =
        {
            .id = KV_OPTION_SECRET_FILE,
            .name = "secret-file",
            .kind = KV_VALUE_FILE,
            .value_name = "FILE",
            .description = N_("Read the secret for this start from a file"),
        },
    [KV_OPTION_NO_WAIT] =
        {
            .id = KV_OPTION_NO_WAIT,
            .name = "no-wait",
            .description = N_("Do not wait until it is done"),
        },
    [KV_OPTION_WAIT] =
        {
            .id = KV_OPTION_WAIT,
            .name = "wait",
            .kind = KV_VALUE_NUMBER,
            .value_name = "SECONDS",
            .min = 1,
            .max = 86400,
            .description = N_("Wait no longer than this (default: 90)"),
        },
    [KV_OPTION_WATCH] =
        {
            .id = KV_OPTION_WATCH,
            .name = "watch",
            .alias = "w",
            .description = N_("Show rates, round trip, loss and repair live, until Ctrl-C"),
        },
    [KV_OPTION_INTERVAL] =
        {
            .id = KV_OPTION_INTERVAL,
            .name = "interval",
            .kind = KV_VALUE_NUMBER,
            .value_name = "MS",
            .min = 100,
            .max = 60000,
            .description = N_("With --watch: milliseconds between two looks (default: 1000)"),
        },
    [KV_OPTION_NAMES] =
        {
            .id = KV_OPTION_NAMES,
            .name = "names",
            .description = N_("Print the names alone, one a line"),
        },
    [KV_OPTION_IDS] =
        {
            .id = KV_OPTION_IDS,
            .name = "ids",
            .description = N_("Print the clients' ids alone, one a line"),
        },
    [KV_OPTION_WITH_SECRETS] =
        {
            .id = KV_OPTION_WITH_SECRETS,
            .name = "with-secrets",
            .description = N_("Write the stored secrets, too"),
        },
    [KV_OPTION_FORCE] =
        {
            .id = KV_OPTION_FORCE,
            .name = "force",
            .description = N_("Replace a file that exists"),
        },
    [KV_OPTION_JSON] =
        {
            .id = KV_OPTION_JSON,
            .name = "json",
            .description = N_("Print JSON, for scripts"),
        },
    [KV_OPTION_ASK] =
        {
            .id = KV_OPTION_ASK,
            .name = "ask",
            .description = N_("Ask for passwords on the terminal even if stdin is none"),
        },
    [KV_OPTION_NO_ASK] =
        {
            .id = KV_OPTION_NO_ASK,
            .name = "no-ask",
            .description = N_("Never ask for a password, fail instead"),
        },
    [KV_OPTION_NO_START] =
        {
            .id = KV_OPTION_NO_START,
            .name = "no-start",
            .description = N_("Fail if the daemon is not running, do not have it started"),
        },
    [KV_OPTION_HELP] =
        {
            .id = KV_OPTION_HELP,
            .name = "help",
            .alias = "h",
            .description = N_("Print this text"),
        },
};
G_STATIC_ASSERT(G_N_ELEMENTS(options) == KV_N_OPTIONS);
G_STATIC_ASSERT(KV_N_OPTIONS <= 64);

#define BIT(name) KV_OPTION_BIT(KV_OPTION_##name)
#define RUN       (BIT(CONFIG) | BIT(CHECK) | BIT(LOG_LEVEL) | BIT(LOG_JSON) | BIT(STATS_INTERVAL))
#define READ      (BIT(JSON) | BIT(NO_START) | BIT(HELP))
#define CHANGE    (READ | BIT(ASK) | BIT(NO_ASK))

static const KvVerb verbs[] = {
    [KV_VERB_SERVER] =
        {
            .id = KV_VERB_SERVER,
            .name = "server",
            .alias = "s",
            .options = RUN | BIT(HELP),
            .settings = KV_VERB_SETTINGS_SERVER,
            .summary = N_("Serve clients in the foreground"),
        },
    [KV_VERB_CLIENT] =
        {
            .id = KV_VERB_CLIENT,
            .name = "client",
            .alias = "c",
            .options = RUN | BIT(HELP),
            .settings = KV_VERB_SETTINGS_CLIENT,
            .summary = N_("Connect to a server in the foreground"),
        },
    [KV_VERB_PEER] =
        {
            .id = KV_VERB_PEER,
            .name = "peer",
            .alias = "p",
            .options = RUN | BIT(HELP),
            .settings = KV_VERB_SETTINGS_PEER,
            .summary = N_("Connect equals that know each other's keys, in the foreground"),
        },
    [KV_VERB_LIST] =
        {
            .id = KV_VERB_LIST,
            .name = "list",
            .options = BIT(NAMES) | READ,
            .summary = N_("List the tunnels"),
        },
    [KV_VERB_SHOW] =
        {
            .id = KV_VERB_SHOW,
            .name = "show",
            .operands = "TUNNEL",
            .first = KV_OPERAND_TUNNEL,
            .min_operands = 1,
            .max_operands = 1,
            .options = BIT(WATCH) | BIT(INTERVAL) | READ,
            .summary = N_("Show a tunnel's state, settings and statistics"),
        },
    [KV_VERB_STATUS] =
        {
            .id = KV_VERB_STATUS,
            .name = "status",
            .operands = "[TUNNEL]",
            .first = KV_OPERAND_TUNNEL,
            .max_operands = 1,
            .options = BIT(WATCH) | BIT(INTERVAL) | READ,
            .summary = N_("Show how the daemon or a tunnel is doing"),
        },
    [KV_VERB_ADD] =
        {
            .id = KV_VERB_ADD,
            .name = "add",
            .operands = "NAME",
            .first = KV_OPERAND_NEW_NAME,
            .min_operands = 1,
            .max_operands = 1,
            .options = BIT(ROLE) | CHANGE,
            .settings = KV_VERB_SETTINGS_ANY,
            .summary = N_("Add a tunnel"),
        },
    [KV_VERB_EDIT] =
        {
            .id = KV_VERB_EDIT,
            .name = "edit",
            .operands = "TUNNEL",
            .first = KV_OPERAND_TUNNEL,
            .min_operands = 1,
            .max_operands = 1,
            .options = BIT(UNSET) | CHANGE,
            .settings = KV_VERB_SETTINGS_ANY,
            .summary = N_("Change a tunnel's settings, in an editor if none is given"),
        },
    [KV_VERB_DELETE] =
        {
            .id = KV_VERB_DELETE,
            .name = "delete",
            .operands = "TUNNEL...",
            .first = KV_OPERAND_TUNNEL,
            .rest = KV_OPERAND_TUNNEL,
            .min_operands = 1,
            .max_operands = G_MAXUINT,
            .options = CHANGE,
            .summary = N_("Delete tunnels"),
        },
    [KV_VERB_UP] =
        {
            .id = KV_VERB_UP,
            .name = "up",
            .operands = "TUNNEL",
            .first = KV_OPERAND_TUNNEL,
            .min_operands = 1,
            .max_operands = 1,
            .options = BIT(SECRET_FILE) | BIT(NO_WAIT) | BIT(WAIT) | CHANGE,
            .summary = N_("Start a tunnel"),
        },
    [KV_VERB_DOWN] =
        {
            .id = KV_VERB_DOWN,
            .name = "down",
            .operands = "TUNNEL...",
            .first = KV_OPERAND_TUNNEL,
            .rest = KV_OPERAND_TUNNEL,
            .min_operands = 1,
            .max_operands = G_MAXUINT,
            .options = CHANGE,
            .summary = N_("Stop tunnels"),
        },
    [KV_VERB_CLIENTS] =
        {
            .id = KV_VERB_CLIENTS,
            .name = "clients",
            .operands = "[TUNNEL]",
            .first = KV_OPERAND_TUNNEL,
            .max_operands = 1,
            .options = BIT(IDS) | READ,
            .summary = N_("List the connected clients"),
        },
    [KV_VERB_KICK] =
        {
            .id = KV_VERB_KICK,
            .name = "kick",
            .operands = "TUNNEL CLIENT...",
            .first = KV_OPERAND_TUNNEL,
            .rest = KV_OPERAND_CLIENT,
            .min_operands = 2,
            .max_operands = G_MAXUINT,
            .options = CHANGE,
            .summary = N_("Disconnect clients"),
        },
    [KV_VERB_MONITOR] =
        {
            .id = KV_VERB_MONITOR,
            .name = "monitor",
            .operands = "[TUNNEL]",
            .first = KV_OPERAND_TUNNEL,
            .max_operands = 1,
            .options = READ,
            .summary = N_("Print what happens, until Ctrl-C"),
        },
    [KV_VERB_IMPORT] =
        {
            .id = KV_VERB_IMPORT,
            .name = "import",
            .operands = "FILE...",
            .first = KV_OPERAND_FILE,
            .rest = KV_OPERAND_FILE,
            .min_operands = 1,
            .max_operands = G_MAXUINT,
            .options = BIT(NAME) | CHANGE,
            .summary = N_("Add tunnels from key files"),
        },
    [KV_VERB_EXPORT] =
        {
            .id = KV_VERB_EXPORT,
            .name = "export",
            .operands = "TUNNEL [FILE]",
            .first = KV_OPERAND_TUNNEL,
            .rest = KV_OPERAND_FILE,
            .min_operands = 1,
            .max_operands = 2,
            .options = BIT(WITH_SECRETS) | BIT(FORCE) | CHANGE,
            .summary = N_("Write a tunnel's key file"),
        },
    [KV_VERB_RELOAD] =
        {
            .id = KV_VERB_RELOAD,
            .name = "reload",
            .options = CHANGE,
            .summary = N_("Have the daemon read its key files again"),
        },
    [KV_VERB_GENKEY] =
        {
            .id = KV_VERB_GENKEY,
            .name = "genkey",
            .options = BIT(HELP),
            .summary = N_("Make a private key"),
        },
    [KV_VERB_PUBKEY] =
        {
            .id = KV_VERB_PUBKEY,
            .name = "pubkey",
            .options = BIT(HELP),
            .summary = N_("Print the public key of the private key on standard input"),
        },
    [KV_VERB_GENPSK] =
        {
            .id = KV_VERB_GENPSK,
            .name = "genpsk",
            .options = BIT(HELP),
            .summary = N_("Make a preshared key"),
        },
    [KV_VERB_VERSION] =
        {
            .id = KV_VERB_VERSION,
            .name = "version",
            .options = BIT(HELP),
            .summary = N_("Print the version"),
        },
    [KV_VERB_HELP] =
        {
            .id = KV_VERB_HELP,
            .name = "help",
            .operands = "[COMMAND]",
            .first = KV_OPERAND_COMMAND,
            .max_operands = 1,
            .options = BIT(HELP),
            .summary = N_("Print this text, or the options of a command"),
        },
};
G_STATIC_ASSERT(G_N_ELEMENTS(verbs) == KV_N_VERBS);

const KvVerb *
kv_verb_get(KvVerbId id)
{
    g_return_val_if_fail(id < KV_N_VERBS, NULL);
    return &verbs[id];
}

const KvOption *
kv_option_get(KvOptionId id)
{
    g_return_val_if_fail(id < KV_N_OPTIONS, NULL);
    return &options[id];
}

const KvVerb *
kv_verb_find(const char *word)
{
    for (gsize i = 0; i < KV_N_VERBS; i++) {
        if (strcmp(verbs[i].name, word) == 0 || g_strcmp0(verbs[i].alias, word) == 0)
            return &verbs[i];
    }
    return NULL;
}

/* Optimal string alignment. */
guint
kv_verb_distance(const char *a, const char *b)
{
    gsize rows = strlen(a) + 1;
    gsize columns = strlen(b) + 1;
    g_autofree guint *cost = g_new0(guint, rows * columns);

    for (gsize i = 0; i < rows; i++)
        cost[i * columns] = (guint) i;
    for (gsize j = 0; j < columns; j++)
        cost[j] = (guint) j;
    for (gsize i = 1; i < rows; i++) {
        for (gsize j = 1; j < columns; j++) {
            guint *here = &cost[i * columns + j];

            *here = *(here - columns - 1) + (a[i - 1] != b[j - 1]);
            *here = MIN(*here, *(here - 1) + 1);
            *here = MIN(*here, *(here - columns) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                *here = MIN(*here, *(here - 2 * columns - 2) + 1);
        }
    }
    return cost[rows * columns - 1];
}

const KvVerb *
kv_verb_guess(const char *word)
{
    const KvVerb *best = NULL;
    guint best_distance = GUESS_MISTAKES_MAX + 1;

    for (gsize i = 0; i < KV_N_VERBS; i++) {
        gsize len = strlen(verbs[i].name);
        guint distance = kv_verb_distance(word, verbs[i].name);

        /* Of a word of two letters, two mistakes leave nothing. */
        if (distance < best_distance && distance < len) {
            best = &verbs[i];
            best_distance = distance;
        }
    }
    return best;
}

gboolean
kv_verb_has_option(const KvVerb *verb, KvOptionId id)
{
    return (verb->options & KV_OPTION_BIT(id)) != 0;
}

const KvOption *
kv_verb_find_option(const KvVerb *verb, const char *name)
{
    for (guint i = 0; i < KV_N_OPTIONS; i++) {
        if (kv_verb_has_option(verb, i) &&
            (strcmp(options[i].name, name) == 0 || g_strcmp0(options[i].alias, name) == 0))
            return &options[i];
    }
    return NULL;
}

char *
kv_verb_format_names(void)
{
    GString *out = g_string_new(NULL);

    for (gsize i = 0; i < KV_N_VERBS; i++)
        g_string_append_printf(out, "%s%s", i > 0 ? ", " : "", verbs[i].name);
    return g_string_free(out, FALSE);
}

static void
append_option(GString *out, const KvOption *option)
{
    g_autoptr(GString) left = g_string_new(NULL);
    guint columns;

    g_string_append_printf(left, "  --%s", option->name);
    if (option->alias != NULL)
        g_string_append_printf(left, ", -%s", option->alias);
    if (option->value_name != NULL)
        g_string_append_printf(left, " %s", option->value_name);
    columns = kv_text_columns(left->str, left->len);
    g_string_append_printf(out, "%s%*s%s\n", left->str,
                           (int) (HELP_TEXT_COLUMN - MIN(columns, HELP_TEXT_COLUMN - 2)), "",
                           _(option->description));
}

char *
kv_verb_format_options(const KvVerb *verb)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < KV_N_OPTIONS; i++) {
        if (kv_verb_has_option(verb, i))
            append_option(out, &options[i]);
    }
    return g_string_free(out, FALSE);
}
