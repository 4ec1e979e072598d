/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-settings.h"

#include <glib.h>

/*
 * What the authentication dialog has to find out, and how it tells. Pure; one thread.
 */

/**
 * KvNmQuestion: one secret of the profile.
 */
typedef struct {
    const KvSetting *row;
    char *value;        /* (nullable): what is known of it, or was typed; wiped when freed */
    gboolean is_own;    /* an agent of the user keeps it: there may be one in the keyring */
    gboolean is_wanted; /* the connection cannot do without it, or it was asked for by name */
} KvNmQuestion;

void kv_nm_question_free(KvNmQuestion *question);

/* Replaces the value. A value that the setting does not allow is none. */
void kv_nm_question_set_value(KvNmQuestion *question, const char *value);

/* (transfer full): what is wrong with @value, translated; NULL if nothing is. */
char *kv_nm_question_check(const KvNmQuestion *question, const char *value);

/* (transfer none): translated, with a mnemonic ("_"). */
const char *kv_nm_question_get_label(const KvNmQuestion *question);

/**
 * kv_nm_question_list:
 * @data: vpn.data
 * @secrets: what is known of vpn.secrets
 * @hints: (nullable): secrets that are asked for; all that are required, if no secret is named
 *
 * Returns: (transfer full): a question for each secret that a profile can have, in the table's
 * order. A secret that is not to be saved and was not just tried (@retry) has no value.
 */
GPtrArray *kv_nm_question_list(GHashTable *data, GHashTable *secrets, const char *const *hints,
                               gboolean retry) KV_MUST_USE;

/* Whether a person is to be asked: it is wanted, and not known, or was wrong (@retry). */
gboolean kv_nm_question_is_open(const KvNmQuestion *question, gboolean retry);

/* (transfer none): the first one that a person is to be asked, or else the first; there is always
 * one. */
const KvNmQuestion *kv_nm_question_find_first(const GPtrArray *questions, gboolean retry);

/* (transfer full): the sentence above the field of @question: the one among the hints, or else our
 * own. @name: of the connection */
char *kv_nm_question_format_prompt(const KvNmQuestion *question, const char *name,
                                   const char *const *hints);

/**
 * kv_nm_question_to_key_file:
 * @may_ask: whether there is a person who may be asked
 *
 * What a program that shows the fields itself reads (external UI mode).
 * Returns: (transfer full): holds secrets: wipe it.
 */
char *kv_nm_question_to_key_file(const GPtrArray *questions, const char *prompt, gboolean may_ask,
                                 gboolean retry);

/**
 * kv_nm_question_to_lines:
 *
 * What a program reads that leaves the asking to us: names and values, each on a line, and two
 * empty lines.
 * Returns: (transfer full): holds secrets: wipe it.
 */
char *kv_nm_question_to_lines(const GPtrArray *questions);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNmQuestion, kv_nm_question_free)
