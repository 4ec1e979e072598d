/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-args.h"

#include "kv-error.h"
#include "kv-i18n.h"

#include <string.h>

struct _KvArgs {
    const KvVerb *verb;
    gboolean given[KV_N_OPTIONS];
    const char *values[KV_N_OPTIONS];
    guint numbers[KV_N_OPTIONS];
    GPtrArray *operands; /* of char *, main()'s */
    GPtrArray *settings; /* likewise: the settings' flags and their values */
};

/* An option as it stands on the command line. */
typedef struct {
    char *word;
    char *name;  /* (owned): without dashes */
    char *value; /* (nullable): behind "=" */
} Flag;

static void
flag_clear(Flag *flag)
{
    g_free(flag->name);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Flag, flag_clear)

static void
flag_init(Flag *flag, char *word)
{
    char *name = word + (word[1] == '-' ? 2 : 1);

    flag->word = word;
    flag->value = strchr(name, '=');
    flag->name =
        flag->value != NULL ? g_strndup(name, (gsize) (flag->value - name)) : g_strdup(name);
    if (flag->value != NULL)
        flag->value++;
}

static gboolean
fail(GError **error, const KvVerb *verb, const char *message)
{
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, "%s: %s", verb->name, message);
    return FALSE;
}

/* Rows that are no flags of @verb. */
static KvSettingFlags
get_exceptions(const KvVerb *verb)
{
    return verb->settings == KV_VERB_SETTINGS_ANY ? KV_SETTING_FLAG_NONE : KV_SETTING_FLAG_NO_ARGV;
}

static gboolean
is_setting_of(const KvVerb *verb, const KvSetting *row)
{
    if (row == NULL || verb->settings == KV_VERB_SETTINGS_NONE)
        return FALSE;
    /* A tunnel's name is an operand, its role an option of "add"; both are for life. */
    if (row->id == KV_SETTING_NAME || row->id == KV_SETTING_ROLE)
        return FALSE;
    return (row->flags & get_exceptions(verb)) == 0;
}

static void
guess_among(const char *name, const char *candidate, const char **best, guint *distance)
{
    guint d = kv_verb_distance(name, candidate);

    if (d < *distance && d < strlen(candidate)) {
        *best = candidate;
        *distance = d;
    }
}

/* (transfer none) (nullable): the option that somebody who typed @name may have meant. */
static const char *
guess_option(const KvVerb *verb, const char *name)
{
    const char *best = NULL;
    guint distance = 3;

    for (guint i = 0; i < KV_N_OPTIONS; i++) {
        if (kv_verb_has_option(verb, i))
            guess_among(name, kv_option_get(i)->name, &best, &distance);
    }
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (is_setting_of(verb, kv_setting_get(i)))
            guess_among(name, kv_setting_get(i)->key, &best, &distance);
    }
    return best;
}

static char *
format_allowed_options(const KvVerb *verb)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < KV_N_OPTIONS; i++) {
        if (kv_verb_has_option(verb, i))
            g_string_append_printf(out, "%s--%s", out->len > 0 ? ", " : "", kv_option_get(i)->name);
    }
    return g_string_free(out, FALSE);
}

static gboolean
fail_unknown(const KvVerb *verb, const Flag *flag, GError **error)
{
    const char *guess = guess_option(verb, flag->name);
    g_autofree char *allowed = format_allowed_options(verb);
    g_autofree char *message = NULL;

    if (guess != NULL)
        message = g_strdup_printf(_("unknown option \"%s\"; did you mean --%s? \"kcpvpn %s "
                                    "--help\" lists what is allowed"),
                                  flag->word, guess, verb->name);
    else if (verb->settings != KV_VERB_SETTINGS_NONE)
        message = g_strdup_printf(_("unknown option \"%s\"; \"kcpvpn %s --help\" lists what is "
                                    "allowed"),
                                  flag->word, verb->name);
    else
        message = g_strdup_printf(_("unknown option \"%s\"; allowed: %s"), flag->word, allowed);
    return fail(error, verb, message);
}

/* (transfer full): what @option takes, for a message. */
static char *
format_allowed_values(const KvOption *option)
{
    if (option->kind == KV_VALUE_NUMBER)
        return g_strdup_printf(_("a whole number from %u to %u"), option->min, option->max);
    if (option->kind == KV_VALUE_CHOICE) {
        g_autofree char *words = g_strjoinv(", ", (char **) option->choices);

        return g_strdup_printf(_("one of %s"), words);
    }
    return g_strdup(option->value_name);
}

static gboolean
check_value(const KvOption *option, const char *value, guint *number)
{
    guint64 parsed;

    switch (option->kind) {
    case KV_VALUE_NUMBER:
        if (!g_ascii_string_to_unsigned(value, 10, option->min, option->max, &parsed, NULL))
            return FALSE;
        *number = (guint) parsed;
        return TRUE;
    case KV_VALUE_CHOICE:
        return g_strv_contains(option->choices, value);
    default:
        return value[0] != '\0';
    }
}

/* @next: (nullable): the word behind the flag. @used_next: whether it was the flag's value. */
static gboolean
take_option(KvArgs *args, const KvOption *option, const Flag *flag, const char *next,
            gboolean *used_next, GError **error)
{
    const char *value = flag->value;
    g_autofree char *allowed = format_allowed_values(option);
    g_autofree char *message = NULL;

    args->given[option->id] = TRUE;
    if (option->kind == KV_VALUE_NONE) {
        if (value == NULL)
            return TRUE;
        message = g_strdup_printf(_("--%s takes no value"), option->name);
        return fail(error, args->verb, message);
    }
    *used_next = value == NULL;
    if (value == NULL)
        value = next;
    if (value == NULL) {
        message = g_strdup_printf(_("--%s: a value must follow: %s"), option->name, allowed);
        return fail(error, args->verb, message);
    }
    if (!check_value(option, value, &args->numbers[option->id])) {
        message = g_strdup_printf(_("--%s: \"%s\" is not allowed; allowed: %s"), option->name,
                                  value, allowed);
        return fail(error, args->verb, message);
    }
    args->values[option->id] = value;
    return TRUE;
}

/* Keeps a flag of the table of settings for kv_settings_parse_argv(), which checks it. */
static void
take_setting(KvArgs *args, const KvSetting *row, const Flag *flag, char *next, gboolean *used_next)
{
    g_ptr_array_add(args->settings, flag->word);
    if (row->type == KV_SETTING_TYPE_BOOLEAN || flag->value != NULL || next == NULL)
        return;
    g_ptr_array_add(args->settings, next);
    *used_next = TRUE;
}

static gboolean
take_flag(KvArgs *args, char *word, char *next, gboolean *used_next, GError **error)
{
    g_auto(Flag) flag = {0};
    const KvOption *option;
    const KvSetting *row;

    flag_init(&flag, word);
    option = kv_verb_find_option(args->verb, flag.name);
    if (option != NULL)
        return take_option(args, option, &flag, next, used_next, error);
    row = kv_setting_find(flag.name);
    if (!is_setting_of(args->verb, row))
        return fail_unknown(args->verb, &flag, error);
    take_setting(args, row, &flag, next, used_next);
    return TRUE;
}

static gboolean
check_operands(const KvArgs *args, GError **error)
{
    const KvVerb *verb = args->verb;
    const char *operands = verb->operands != NULL ? verb->operands : "";
    g_autofree char *usage = g_strdup_printf("kcpvpn %s %s%s[OPTIONS]", verb->name, operands,
                                             operands[0] != '\0' ? " " : "");
    g_autofree char *message = NULL;

    if (args->operands->len < verb->min_operands) {
        message = g_strdup_printf(_("not enough arguments; usage: %s"), usage);
        return fail(error, verb, message);
    }
    if (args->operands->len > verb->max_operands) {
        message = g_strdup_printf(_("\"%s\" is one argument too many; usage: %s"),
                                  kv_args_get_operand(args, verb->max_operands), usage);
        return fail(error, verb, message);
    }
    return TRUE;
}

static gboolean
take_words(KvArgs *args, int argc, char **argv, GError **error)
{
    gboolean only_operands = FALSE;

    for (int i = 0; i < argc; i++) {
        gboolean used_next = FALSE;

        if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
            g_ptr_array_add(args->operands, argv[i]);
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            only_operands = TRUE;
            continue;
        }
        if (!take_flag(args, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_next, error))
            return FALSE;
        if (args->given[KV_OPTION_HELP])
            return TRUE;
        i += used_next;
    }
    return check_operands(args, error);
}

KvArgs *
kv_args_parse(const KvVerb *verb, int argc, char **argv, GError **error)
{
    g_autoptr(KvArgs) args = g_new0(KvArgs, 1);

    args->verb = verb;
    args->operands = g_ptr_array_new();
    args->settings = g_ptr_array_new();
    if (!take_words(args, argc, argv, error))
        return NULL;
    return g_steal_pointer(&args);
}

void
kv_args_free(KvArgs *args)
{
    if (args == NULL)
        return;
    g_ptr_array_unref(args->operands);
    g_ptr_array_unref(args->settings);
    g_free(args);
}

const KvVerb *
kv_args_get_verb(const KvArgs *args)
{
    return args->verb;
}

gboolean
kv_args_has(const KvArgs *args, KvOptionId id)
{
    g_return_val_if_fail(id < KV_N_OPTIONS, FALSE);
    return args->given[id];
}

const char *
kv_args_get(const KvArgs *args, KvOptionId id)
{
    g_return_val_if_fail(id < KV_N_OPTIONS, NULL);
    return args->values[id];
}

guint
kv_args_get_uint(const KvArgs *args, KvOptionId id, guint fallback)
{
    return kv_args_has(args, id) ? args->numbers[id] : fallback;
}

guint
kv_args_get_n_operands(const KvArgs *args)
{
    return args->operands->len;
}

const char *
kv_args_get_operand(const KvArgs *args, guint i)
{
    return i < args->operands->len ? g_ptr_array_index(args->operands, i) : NULL;
}

gboolean
kv_args_has_settings(const KvArgs *args)
{
    return args->settings->len > 0;
}

gboolean
kv_args_apply_settings(KvArgs *args, KvSettings *settings, GError **error)
{
    int argc = (int) args->settings->len;

    /* kv_settings_parse_argv() wants main()'s form. */
    g_ptr_array_add(args->settings, NULL);
    if (!kv_settings_parse_argv(settings, get_exceptions(args->verb),
                                args->verb->settings != KV_VERB_SETTINGS_ANY, &argc,
                                (char **) args->settings->pdata, error))
        return FALSE;
    g_ptr_array_set_size(args->settings, 0);
    return TRUE;
}
