/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

/**
 * KvSettingValue: what a row of a table of settings has been given, or its default.
 *
 * Only for the files of this folder. One thread at a time.
 */
typedef struct {
    gboolean is_set;
    gboolean is_absent; /* given as none: over a file, its value does not count */
    char *given;        /* (nullable): what an older command line had, in place of which text is */
    char *text;         /* all but SECRET: in its one canonical spelling */
    guint64 number;     /* UINT; BOOLEAN: 0 or 1; CHOICE: index */
    KvSecret *secret;   /* SECRET */
    gboolean from_file; /* SECRET: it is what a file holds that is named by another setting */
} KvSettingValue;

/* Reads @text as @row allows it into @value, which must be empty and stays so on failure. */
gboolean kv_setting_value_parse(KvSettingValue *value, const KvSetting *row,
                                const char *text) KV_MUST_USE;

/* The same for a secret that need be no text: @row's length alone counts. */
gboolean kv_setting_value_take_bytes(KvSettingValue *value, const KvSetting *row,
                                     const char *bytes) KV_MUST_USE;

/* The error about a @text that @row does not allow; no secret is repeated. Returns: FALSE. */
gboolean kv_setting_value_fail(const KvSetting *row, const char *text, GError **error);

void kv_setting_value_clear(KvSettingValue *value);
void kv_setting_value_copy(KvSettingValue *to, const KvSettingValue *from);

/* Whether text or secret are the same, however they came. */
gboolean kv_setting_value_equal(const KvSettingValue *a, const KvSettingValue *b);

/* The bytes of a key, which the caller wipes; %FALSE and @key unchanged if it is unset. */
gboolean kv_setting_value_get_key(const KvSettingValue *value, uint8_t key[KV_KEY_BYTES]);

/* (transfer full) (element-type KvNetwork): those of a list, or of a single address. */
GArray *kv_setting_value_list_networks(const KvSettingValue *value);

/* The line of a key file, if it was given. */
void kv_setting_value_append_line(GString *out, const KvSetting *row, const KvSettingValue *value);
