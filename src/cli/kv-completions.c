/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"
#include "kv-verb.h"

#include <stdio.h>
#include <string.h>

/*
 * Build-time program: "kv-completions bash|zsh|fish < TEMPLATE" copies a shell's completion script
 * and puts what the tables of commands and settings know in the place of its lines "@NAME@".
 * Names of tunnels and clients are not known here: the script asks the bus for them.
 */

/* An option, or a setting that is one. */
typedef struct {
    const char *name;
    const char *alias; /* (nullable) */
    KvValueKind kind;
    const char *value_name;     /* (nullable) */
    const char *const *choices; /* (nullable) */
    const char *description;
} Flag;

typedef void (*FlagPrinter)(const KvVerb *verb, const Flag *flag);

static gboolean
is_one_of(const char *word, const char *const *words)
{
    return word != NULL && g_strv_contains(words, word);
}

static KvValueKind
get_setting_kind(const KvSetting *row)
{
    static const char *const files[] = {"FILE", "DIRECTORY", "PROGRAM", NULL};

    if (row->type == KV_SETTING_TYPE_BOOLEAN)
        return KV_VALUE_NONE;
    if (row->choices != NULL)
        return KV_VALUE_CHOICE;
    return is_one_of(row->value_name, files) ? KV_VALUE_FILE : KV_VALUE_TEXT;
}

static gboolean
has_setting(const KvVerb *verb, const KvSetting *row)
{
    if (row->id == KV_SETTING_NAME || row->id == KV_SETTING_ROLE)
        return FALSE;
    switch (verb->settings) {
    case KV_VERB_SETTINGS_NONE:
        return FALSE;
    case KV_VERB_SETTINGS_SERVER:
        return (row->side & KV_SIDE_SERVER) != 0 && (row->flags & KV_SETTING_FLAG_NO_ARGV) == 0;
    case KV_VERB_SETTINGS_CLIENT:
        return (row->side & KV_SIDE_CLIENT) != 0 && (row->flags & KV_SETTING_FLAG_NO_ARGV) == 0;
    case KV_VERB_SETTINGS_PEER:
        return (row->side & KV_SIDE_PEER) != 0 && (row->flags & KV_SETTING_FLAG_NO_ARGV) == 0;
    case KV_VERB_SETTINGS_ANY:
        break;
    }
    return TRUE;
}

static void
for_each_flag(const KvVerb *verb, FlagPrinter print)
{
    for (guint i = 0; i < KV_N_OPTIONS; i++) {
        const KvOption *option = kv_option_get(i);
        Flag flag = {option->name,       option->alias,   option->kind,
                     option->value_name, option->choices, option->description};

        if (kv_verb_has_option(verb, i))
            print(verb, &flag);
    }
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        Flag flag = {row->key,        row->alias,   get_setting_kind(row),
                     row->value_name, row->choices, row->description};

        if (has_setting(verb, row))
            print(verb, &flag);
    }
}

static const char *
get_operand_word(KvOperand operand)
{
    switch (operand) {
    case KV_OPERAND_TUNNEL:
        return "tunnel";
    case KV_OPERAND_CLIENT:
        return "client";
    case KV_OPERAND_FILE:
        return "file";
    case KV_OPERAND_COMMAND:
        return "command";
    case KV_OPERAND_NONE:
    case KV_OPERAND_NEW_NAME:
        break;
    }
    return "none";
}

/* Prints @text with a backslash before each of @special. */
static void
print_escaped(const char *text, const char *special)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(special, *c) != NULL)
            putchar('\\');
        putchar(*c);
    }
}

static void
print_words(const char *const *words)
{
    for (guint i = 0; words[i] != NULL; i++)
        printf("%s%s", i > 0 ? " " : "", words[i]);
}

/* Keys of settings that may be put back to their defaults. */
static void
print_keys(void)
{
    gboolean first = TRUE;

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (i == KV_SETTING_NAME || i == KV_SETTING_ROLE)
            continue;
        printf("%s%s", first ? "" : " ", kv_setting_get(i)->key);
        first = FALSE;
    }
}

/* --- bash ------------------------------------------------------------------------------------ */

static void
bash_flag(const KvVerb *verb, const Flag *flag)
{
    printf(" --%s", flag->name);
}

static void
bash_value(const KvVerb *verb, const Flag *flag)
{
    if (flag->kind == KV_VALUE_NONE)
        return;
    printf("    %s:--%s", verb->name, flag->name);
    if (flag->alias != NULL)
        printf("|%s:--%s", verb->name, flag->alias);
    switch (flag->kind) {
    case KV_VALUE_FILE:
        printf(") kind=file ;;\n");
        return;
    case KV_VALUE_CHOICE:
        printf(") kind=words words='");
        print_words(flag->choices);
        printf("' ;;\n");
        return;
    case KV_VALUE_KEYS:
        printf(") kind=keys words='");
        print_keys();
        printf("' ;;\n");
        return;
    default:
        printf(") ;;\n");
    }
}

static void
bash_flags(void)
{
    for (guint i = 0; i < KV_N_VERBS; i++) {
        const KvVerb *verb = kv_verb_get(i);

        printf("    %s) flags='", verb->name);
        for_each_flag(verb, bash_flag);
        printf("' first=%s rest=%s ;;\n", get_operand_word(verb->first),
               get_operand_word(verb->rest));
    }
}

static void
bash_values(void)
{
    for (guint i = 0; i < KV_N_VERBS; i++)
        for_each_flag(kv_verb_get(i), bash_value);
}

static void
print_verb_names(void)
{
    for (guint i = 0; i < KV_N_VERBS; i++)
        printf("%s%s", i > 0 ? " " : "", kv_verb_get(i)->name);
}

static void
bash_commands(void)
{
    printf("_kcpvpn_commands='");
    print_verb_names();
    printf("'\n");
}

static void
bash_aliases(void)
{
    for (guint i = 0; i < KV_N_VERBS; i++) {
        if (kv_verb_get(i)->alias != NULL)
            printf("    %s) verb=%s ;;\n", kv_verb_get(i)->alias, kv_verb_get(i)->name);
    }
}

/* --- zsh ------------------------------------------------------------------------------------- */

/* In single quotes, and for _arguments and _describe, which have colons and brackets of their own.
 */
static void
zsh_text(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'')
            fputs("'\\''", stdout);
        else if (strchr(":[]\\", *c) != NULL)
            printf("\\%c", *c);
        else
            putchar(*c);
    }
}

static void
zsh_flag(const KvVerb *verb, const Flag *flag)
{
    printf("        '--%s%s[", flag->name, flag->kind != KV_VALUE_NONE ? "=" : "");
    zsh_text(flag->description);
    printf("]");
    if (flag->kind != KV_VALUE_NONE)
        printf(":%s:", flag->value_name);
    if (flag->kind == KV_VALUE_FILE)
        printf("_files");
    if (flag->kind == KV_VALUE_CHOICE) {
        printf("(");
        print_words(flag->choices);
        printf(")");
    }
    if (flag->kind == KV_VALUE_KEYS) {
        printf("_values -s , key ");
        print_keys();
    }
    printf("'\n");
}

static void
zsh_operand(const char *position, KvOperand operand)
{
    const char *word = get_operand_word(operand);

    if (operand == KV_OPERAND_NONE)
        return;
    if (strcmp(word, "none") == 0)
        printf("        '%s:name: '\n", position);
    else if (strcmp(word, "file") == 0)
        printf("        '%s:file:_files'\n", position);
    else
        printf("        '%s:%s:_kcpvpn_%ss'\n", position, word, word);
}

static void
zsh_specs(void)
{
    for (guint i = 0; i < KV_N_VERBS; i++) {
        const KvVerb *verb = kv_verb_get(i);

        printf("    %s%s%s)\n        specs=(\n", verb->name, verb->alias != NULL ? "|" : "",
               verb->alias != NULL ? verb->alias : "");
        for_each_flag(verb, zsh_flag);
        zsh_operand("1", verb->first);
        zsh_operand("*", verb->rest);
        printf("        )\n        ;;\n");
    }
}

static void
zsh_commands(void)
{
    printf("_kcpvpn_command_list=(\n");
    for (guint i = 0; i < KV_N_VERBS; i++) {
        printf("    '%s:", kv_verb_get(i)->name);
        zsh_text(kv_verb_get(i)->summary);
        printf("'\n");
    }
    printf(")\n");
}

/* --- fish ------------------------------------------------------------------------------------ */

static void
fish_begin(const KvVerb *verb)
{
    printf("complete -c kcpvpn -n '__kcpvpn_is %s%s%s' ", verb->name,
           verb->alias != NULL ? " " : "", verb->alias != NULL ? verb->alias : "");
}

static void
fish_description(const char *text)
{
    printf(" -d '");
    print_escaped(text, "'\\");
    printf("'\n");
}

static void
fish_flag(const KvVerb *verb, const Flag *flag)
{
    fish_begin(verb);
    printf("-l %s", flag->name);
    if (flag->kind == KV_VALUE_FILE)
        printf(" -r -F");
    else if (flag->kind != KV_VALUE_NONE)
        printf(" -x");
    if (flag->kind == KV_VALUE_CHOICE) {
        printf(" -a '");
        print_words(flag->choices);
        printf("'");
    }
    if (flag->kind == KV_VALUE_KEYS) {
        printf(" -a '");
        print_keys();
        printf("'");
    }
    fish_description(flag->description);
}

static void
fish_operand(const KvVerb *verb, const char *position, KvOperand operand)
{
    const char *word = get_operand_word(operand);

    if (strcmp(word, "none") == 0)
        return;
    printf("complete -c kcpvpn -n '__kcpvpn_is %s; and __kcpvpn_at %s' ", verb->name, position);
    if (strcmp(word, "file") == 0)
        printf("-F\n");
    else
        printf("-a '(__kcpvpn_%ss)'\n", word);
}

static void
fish_specs(void)
{
    for (guint i = 0; i < KV_N_VERBS; i++) {
        const KvVerb *verb = kv_verb_get(i);

        printf("complete -c kcpvpn -n 'not __kcpvpn_verb' -a %s", verb->name);
        fish_description(verb->summary);
        for_each_flag(verb, fish_flag);
        fish_operand(verb, "first", verb->first);
        fish_operand(verb, "rest", verb->rest);
    }
}

static void
fish_commands(void)
{
    printf("set -g __kcpvpn_command_list ");
    print_verb_names();
    printf("\n");
}

/* Flags of any command that take the next word: that word is no operand. */
static void
print_valued_flag(const KvVerb *verb, const Flag *flag)
{
    if (flag->kind != KV_VALUE_NONE)
        printf(" --%s", flag->name);
}

static void
fish_valued(void)
{
    printf("set -g __kcpvpn_valued");
    for (guint i = 0; i < KV_N_VERBS; i++)
        for_each_flag(kv_verb_get(i), print_valued_flag);
    printf("\n");
}

/* --- templates ------------------------------------------------------------------------------- */

static const struct {
    const char *shell;
    const char *line;
    void (*print)(void);
} places[] = {
    {"bash", "@COMMANDS@\n", bash_commands}, {"bash", "@ALIASES@\n", bash_aliases},
    {"bash", "@FLAGS@\n", bash_flags},       {"bash", "@VALUES@\n", bash_values},
    {"zsh", "@COMMANDS@\n", zsh_commands},   {"zsh", "@SPECS@\n", zsh_specs},
    {"fish", "@COMMANDS@\n", fish_commands}, {"fish", "@VALUED@\n", fish_valued},
    {"fish", "@SPECS@\n", fish_specs},
};

static gboolean
fill_line(const char *shell, const char *line)
{
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        if (strcmp(places[i].shell, shell) != 0 || strcmp(places[i].line, line) != 0)
            continue;
        places[i].print();
        return TRUE;
    }
    fputs(line, stdout);
    return line[0] != '@';
}

int
main(int argc, char **argv)
{
    static const char *const shells[] = {"bash", "zsh", "fish", NULL};
    gboolean ok = TRUE;
    char line[1024];

    if (argc != 2 || !is_one_of(argv[1], shells)) {
        fputs("usage: kv-completions bash|zsh|fish < TEMPLATE > SCRIPT\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL)
        ok &= fill_line(argv[1], line);
    return ok && fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
