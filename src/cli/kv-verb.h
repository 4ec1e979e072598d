/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

#include <glib.h>

/*
 * One table of commands and one of their options. Parsing, help, man page check and shell
 * completions come from them. What a command does stands in kcpvpn.c. Static data; any thread.
 */

typedef enum {
    KV_VERB_SERVER,
    KV_VERB_CLIENT,
    KV_VERB_PEER,
    KV_VERB_LIST,
    KV_VERB_SHOW,
    KV_VERB_STATUS,
    KV_VERB_ADD,
    KV_VERB_EDIT,
    KV_VERB_DELETE,
    KV_VERB_UP,
    KV_VERB_DOWN,
    KV_VERB_CLIENTS,
    KV_VERB_KICK,
    KV_VERB_MONITOR,
    KV_VERB_IMPORT,
    KV_VERB_EXPORT,
    KV_VERB_RELOAD,
    KV_VERB_GENKEY,
    KV_VERB_PUBKEY,
    KV_VERB_GENPSK,
    KV_VERB_VERSION,
    KV_VERB_HELP,
    KV_N_VERBS,
} KvVerbId;

typedef enum {
    KV_OPTION_CONFIG,
    KV_OPTION_CHECK,
    KV_OPTION_LOG_LEVEL,
    KV_OPTION_LOG_JSON,
    KV_OPTION_STATS_INTERVAL,
    KV_OPTION_ROLE,
    KV_OPTION_UNSET,
    KV_OPTION_NAME,
    KV_OPTION_SECRET_FILE,
    KV_OPTION_NO_WAIT,
    KV_OPTION_WAIT,
    KV_OPTION_WATCH,
    KV_OPTION_INTERVAL,
    KV_OPTION_NAMES,
    KV_OPTION_IDS,
    KV_OPTION_WITH_SECRETS,
    KV_OPTION_FORCE,
    KV_OPTION_JSON,
    KV_OPTION_ASK,
    KV_OPTION_NO_ASK,
    KV_OPTION_NO_START,
    KV_OPTION_HELP,
    KV_N_OPTIONS,
} KvOptionId;

/* What the value of an option is. */
typedef enum {
    KV_VALUE_NONE, /* a switch */
    KV_VALUE_TEXT,
    KV_VALUE_NUMBER,
    KV_VALUE_CHOICE,
    KV_VALUE_FILE,
    KV_VALUE_KEYS, /* keys of settings, comma separated */
} KvValueKind;

typedef struct {
    KvOptionId id;
    const char *name;
    const char *alias; /* (nullable) */
    KvValueKind kind;
    const char *value_name;     /* NULL for a switch */
    guint min, max;             /* NUMBER */
    const char *const *choices; /* CHOICE: NULL-terminated */
    const char *description;    /* English, translatable */
} KvOption;

/* What a word that is no option stands for. */
typedef enum {
    KV_OPERAND_NONE,
    KV_OPERAND_NEW_NAME,
    KV_OPERAND_TUNNEL,
    KV_OPERAND_CLIENT, /* of the tunnel named before */
    KV_OPERAND_FILE,
    KV_OPERAND_COMMAND,
} KvOperand;

/* Whether the flags of the table of settings are options of the command, too. */
typedef enum {
    KV_VERB_SETTINGS_NONE,
    KV_VERB_SETTINGS_SERVER,
    KV_VERB_SETTINGS_CLIENT,
    KV_VERB_SETTINGS_PEER,
    KV_VERB_SETTINGS_ANY,
} KvVerbSettings;

#define KV_OPTION_BIT(id) (UINT64_C(1) << (id))

typedef struct {
    KvVerbId id;
    const char *name;
    const char *alias;    /* (nullable) */
    const char *operands; /* (nullable): as usage shows them */
    KvOperand first;      /* the first operand */
    KvOperand rest;       /* those behind it */
    guint min_operands, max_operands;
    guint64 options; /* of KV_OPTION_BIT() */
    KvVerbSettings settings;
    const char *summary; /* English, translatable */
} KvVerb;

/* (transfer none): the row; never NULL for a valid id. */
const KvVerb *kv_verb_get(KvVerbId id);
const KvOption *kv_option_get(KvOptionId id);

/* (transfer none) (nullable): the command whose name or alias is @word. */
const KvVerb *kv_verb_find(const char *word);

/* (transfer none) (nullable): the command that somebody who typed @word may have meant. */
const KvVerb *kv_verb_guess(const char *word);

gboolean kv_verb_has_option(const KvVerb *verb, KvOptionId id);

/* (transfer none) (nullable): the option of @verb of that name or alias, without dashes. */
const KvOption *kv_verb_find_option(const KvVerb *verb, const char *name);

/* (transfer full): all commands' names with commas between, for a message. */
char *kv_verb_format_names(void);

/* (transfer full): the options of @verb with their descriptions, a line each, translated. */
char *kv_verb_format_options(const KvVerb *verb);

/**
 * kv_verb_distance:
 *
 * Single letters to insert, remove, replace or swap with their neighbour until @a is @b.
 */
guint kv_verb_distance(const char *a, const char *b);
