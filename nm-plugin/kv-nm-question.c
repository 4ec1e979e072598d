/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-question.h"

#include "kv-i18n.h"
#include "kv-nm-secret.h"
#include "kv-secret.h"

#include <NetworkManager.h>
#include <string.h>

/* Of the external UI mode; version 2 has ForceEcho, which a secret does without. */
#define UI_GROUP   "VPN Plugin UI"
#define UI_VERSION 2

#define MESSAGE_HINT "x-vpn-message:"

void
kv_nm_question_free(KvNmQuestion *question)
{
    if (question == NULL)
        return;
    kv_secret_wipe_string(question->value);
    g_free(question->value);
    g_free(question);
}

char *
kv_nm_question_check(const KvNmQuestion *question, const char *value)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autoptr(GError) error = NULL;

    if (kv_settings_set_text(settings, question->row->id, value, &error))
        return NULL;
    return g_strdup(error->message);
}

void
kv_nm_question_set_value(KvNmQuestion *question, const char *value)
{
    g_autofree char *complaint = value != NULL ? kv_nm_question_check(question, value) : NULL;

    kv_secret_wipe_string(question->value);
    g_free(question->value);
    question->value = complaint == NULL ? g_strdup(value) : NULL;
}

const char *
kv_nm_question_get_label(const KvNmQuestion *question)
{
    return question->row->id == KV_SETTING_SECRET ? _("_Secret") : _(question->row->form_label);
}

static gboolean
is_hinted(const char *const *hints, const char *key)
{
    return hints != NULL && g_strv_contains(hints, key);
}

/* A message alone names no secret. */
static gboolean
has_secret_hint(const char *const *hints)
{
    for (guint i = 0; hints != NULL && hints[i] != NULL; i++) {
        if (!g_str_has_prefix(hints[i], MESSAGE_HINT))
            return TRUE;
    }
    return FALSE;
}

static KvNmQuestion *
new_question(const KvSetting *row, GHashTable *data, GHashTable *secrets, const char *const *hints,
             gboolean retry)
{
    KvNmQuestion *question = g_new0(KvNmQuestion, 1);
    NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_NONE;

    nm_vpn_service_plugin_get_secret_flags(data, row->key, &flags);
    question->row = row;
    question->is_own = (flags & NM_SETTING_SECRET_FLAG_AGENT_OWNED) != 0;
    question->is_wanted = has_secret_hint(hints)
                              ? is_hinted(hints, row->key)
                              : (flags & NM_SETTING_SECRET_FLAG_NOT_REQUIRED) == 0;
    if (retry || (flags & NM_SETTING_SECRET_FLAG_NOT_SAVED) == 0)
        kv_nm_question_set_value(question, g_hash_table_lookup(secrets, row->key));
    return question;
}

GPtrArray *
kv_nm_question_list(GHashTable *data, GHashTable *secrets, const char *const *hints, gboolean retry)
{
    GPtrArray *questions = g_ptr_array_new_with_free_func((GDestroyNotify) kv_nm_question_free);

    for (guint id = 0; id < KV_N_SETTINGS; id++) {
        const KvSetting *row = kv_setting_get(id);

        if (kv_nm_secret_is_needed(row, data))
            g_ptr_array_add(questions, new_question(row, data, secrets, hints, retry));
    }
    return questions;
}

gboolean
kv_nm_question_is_open(const KvNmQuestion *question, gboolean retry)
{
    return question->is_wanted && (question->value == NULL || retry);
}

const KvNmQuestion *
kv_nm_question_find_first(const GPtrArray *questions, gboolean retry)
{
    for (guint i = 0; i < questions->len; i++) {
        const KvNmQuestion *question = g_ptr_array_index(questions, i);

        if (kv_nm_question_is_open(question, retry))
            return question;
    }
    return g_ptr_array_index(questions, 0);
}

static char *
format_reason(const KvNmQuestion *question, const char *name)
{
    switch (question->row->id) {
    case KV_SETTING_PRIVATE_KEY:
        return g_strdup_printf(_("The VPN connection “%s” needs the private key of this computer."),
                               name);
    case KV_SETTING_PRESHARED_KEY:
        return g_strdup_printf(_("The VPN connection “%s” needs the preshared key that its server "
                                 "has for this computer."),
                               name);
    default:
        return g_strdup_printf(_("The VPN connection “%s” needs the secret that its server has."),
                               name);
    }
}

char *
kv_nm_question_format_prompt(const KvNmQuestion *question, const char *name,
                             const char *const *hints)
{
    for (guint i = 0; hints != NULL && hints[i] != NULL; i++) {
        if (g_str_has_prefix(hints[i], MESSAGE_HINT))
            return g_strdup(hints[i] + strlen(MESSAGE_HINT));
    }
    return format_reason(question, name);
}

/* A label without its mnemonic, which some languages add as "(_X)", for readers that would show it.
 */
static char *
plain_label(const KvNmQuestion *question)
{
    g_autofree char *label = g_strdup(kv_nm_question_get_label(question));
    char *mnemonic = strchr(label, '_');

    if (mnemonic == NULL)
        return g_steal_pointer(&label);
    if (mnemonic > label && mnemonic[-1] == '(')
        return g_strndup(label, mnemonic - 1 - label);
    *mnemonic = '\0';
    return g_strconcat(label, mnemonic + 1, NULL);
}

char *
kv_nm_question_to_key_file(const GPtrArray *questions, const char *prompt, gboolean may_ask,
                           gboolean retry)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    g_key_file_set_integer(file, UI_GROUP, "Version", UI_VERSION);
    g_key_file_set_string(file, UI_GROUP, "Title", _("Authenticate VPN"));
    g_key_file_set_string(file, UI_GROUP, "Description", prompt);
    for (guint i = 0; i < questions->len; i++) {
        const KvNmQuestion *question = g_ptr_array_index(questions, i);
        const char *key = question->row->key;
        g_autofree char *label = plain_label(question);

        g_key_file_set_string(file, key, "Value", question->value != NULL ? question->value : "");
        g_key_file_set_string(file, key, "Label", label);
        g_key_file_set_boolean(file, key, "IsSecret", TRUE);
        g_key_file_set_boolean(file, key, "ShouldAsk",
                               may_ask && kv_nm_question_is_open(question, retry));
    }
    return g_key_file_to_data(file, NULL, NULL);
}

char *
kv_nm_question_to_lines(const GPtrArray *questions)
{
    GString *lines = g_string_new(NULL);

    for (guint i = 0; i < questions->len; i++) {
        const KvNmQuestion *question = g_ptr_array_index(questions, i);

        if (question->value != NULL)
            g_string_append_printf(lines, "%s\n%s\n", question->row->key, question->value);
    }
    g_string_append(lines, "\n\n");
    return g_string_free(lines, FALSE);
}
