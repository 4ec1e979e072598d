/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-message.h"

#include "kv-error.h"

#include <string.h>

#define VERSION_KEY "kcpvpn-hook"
#define VERSION     "1"

#define EXIT_STATUS_MAX 255
#define SIGNAL_MAX      64
#define TIMEOUT_MS_MAX  600000

/* All that a hook may be told; nothing else gets into its environment. */
static const char *const variables[] = {
    "KV_CLIENT_ID",   "KV_VNI_INTERFACE_NAME",
    "KV_CLIENT_IP",   "KV_CLIENT_IP_MODE",
    "KV_REMOTE_ADDR", "KV_EVENT",
    "KV_TUNNEL",      "KV_ROLE",
    "KV_LOCAL_IP",    "KV_CLIENT_IP6",
    "KV_LOCAL_IP6",   NULL,
};

/* One field of a packet: a view, not terminated. */
typedef struct {
    const char *key;
    gsize key_len;
    const char *value;
    gsize value_len;
} Field;

static gboolean
is_text(const char *value, gsize len, gsize max)
{
    if (len > max || !g_utf8_validate_len(value, len, NULL))
        return FALSE;
    for (gsize i = 0; i < len; i++) {
        if ((guchar) value[i] < 0x20 || value[i] == 0x7f)
            return FALSE;
    }
    return TRUE;
}

static gboolean
key_is(const Field *field, const char *key)
{
    return strlen(key) == field->key_len && memcmp(field->key, key, field->key_len) == 0;
}

/* Takes the first field off @bytes. */
static gboolean
next_field(const char **bytes, gsize *len, Field *field)
{
    const char *end = *len > 0 ? memchr(*bytes, '\0', *len) : NULL;
    const char *equals = end != NULL ? memchr(*bytes, '=', (gsize) (end - *bytes)) : NULL;

    if (equals == NULL)
        return FALSE;
    *field = (Field){
        .key = *bytes,
        .key_len = (gsize) (equals - *bytes),
        .value = equals + 1,
        .value_len = (gsize) (end - equals - 1),
    };
    *len -= (gsize) (end + 1 - *bytes);
    *bytes = end + 1;
    return TRUE;
}

static void
append(GByteArray *packet, const char *key, const char *value)
{
    g_byte_array_append(packet, (const guint8 *) key, (guint) strlen(key));
    g_byte_array_append(packet, (const guint8 *) "=", 1);
    g_byte_array_append(packet, (const guint8 *) value, (guint) strlen(value) + 1);
}

static gboolean
append_checked(GByteArray *packet, const char *key, const char *value, gsize max, GError **error)
{
    if (!is_text(value, strlen(value), max)) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "%s of a hook: allowed: at most %u bytes of UTF-8 text without control "
                    "characters",
                    key, (guint) max);
        return FALSE;
    }
    append(packet, key, value);
    return TRUE;
}

static gboolean
append_variable(GByteArray *packet, const char *variable, GError **error)
{
    const char *equals = strchr(variable, '=');
    g_autofree char *name = NULL;

    g_return_val_if_fail(equals != NULL, FALSE);
    name = g_strndup(variable, (gsize) (equals - variable));
    g_return_val_if_fail(g_strv_contains(variables, name), FALSE);
    return append_checked(packet, name, equals + 1, KV_HOOK_VALUE_MAX, error);
}

GByteArray *
kv_hook_message_from_command(const KvHookCommand *command, GError **error)
{
    g_autoptr(GByteArray) packet = g_byte_array_new();

    append(packet, VERSION_KEY, VERSION);
    if (!append_checked(packet, "program", command->program, KV_HOOK_PROGRAM_MAX, error))
        return NULL;
    for (char **p = command->arguments; *p != NULL; p++) {
        if (!append_checked(packet, "argument", *p, KV_HOOK_ARGUMENT_MAX, error))
            return NULL;
    }
    for (char **p = command->variables; *p != NULL; p++) {
        if (!append_variable(packet, *p, error))
            return NULL;
    }
    if (command->tunnel != NULL &&
        !append_checked(packet, "tunnel", command->tunnel, KV_HOOK_VALUE_MAX, error))
        return NULL;
    if (command->peer != NULL &&
        !append_checked(packet, "peer", command->peer, KV_HOOK_VALUE_MAX, error))
        return NULL;
    if (packet->len > KV_HOOK_MESSAGE_MAX ||
        g_strv_length(command->arguments) > KV_HOOK_ARGUMENTS_MAX) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "hook %s: allowed: at most %d arguments and %d bytes together",
                    command->program, KV_HOOK_ARGUMENTS_MAX, KV_HOOK_MESSAGE_MAX);
        return NULL;
    }
    return g_steal_pointer(&packet);
}

static gboolean
fail(GError **error, const char *what)
{
    g_set_error(error, KV_ERROR, KV_ERROR_PROTOCOL, "hook message: %s", what);
    return FALSE;
}

/* A text that may stand there once. */
static gboolean
take_text(char **slot, const Field *field, gsize max)
{
    if (*slot != NULL || !is_text(field->value, field->value_len, max))
        return FALSE;
    *slot = g_strndup(field->value, field->value_len);
    return TRUE;
}

/* The names that @slots keep an allowed variable's value for, in their order. */
static gboolean
take_variable(char **slots, const Field *field)
{
    for (guint i = 0; variables[i] != NULL; i++) {
        if (!key_is(field, variables[i]))
            continue;
        if (slots[i] != NULL || !is_text(field->value, field->value_len, KV_HOOK_VALUE_MAX))
            return FALSE;
        slots[i] = g_strdup_printf("%s=%.*s", variables[i], (int) field->value_len, field->value);
        return TRUE;
    }
    return FALSE;
}

static gboolean
take_field(KvHookCommand *command, GPtrArray *arguments, char **slots, const Field *field,
           GError **error)
{
    if (key_is(field, "program")) {
        return (field->value_len > 0 && take_text(&command->program, field, KV_HOOK_PROGRAM_MAX)) ||
               fail(error, "one program, absolute or a bare name, is wanted");
    }
    if (key_is(field, "argument")) {
        if (arguments->len == KV_HOOK_ARGUMENTS_MAX ||
            !is_text(field->value, field->value_len, KV_HOOK_ARGUMENT_MAX))
            return fail(error, "too many arguments, or one that is too long or not text");
        g_ptr_array_add(arguments, g_strndup(field->value, field->value_len));
        return TRUE;
    }
    if (key_is(field, "tunnel"))
        return take_text(&command->tunnel, field, KV_HOOK_VALUE_MAX) || fail(error, "bad tunnel");
    if (key_is(field, "peer"))
        return take_text(&command->peer, field, KV_HOOK_VALUE_MAX) || fail(error, "bad peer");
    return take_variable(slots, field) ||
           fail(error, "a field that is unknown, stands there twice, is too long or not text");
}

static char **
join_slots(char **slots)
{
    GPtrArray *found = g_ptr_array_new();

    for (guint i = 0; variables[i] != NULL; i++) {
        if (slots[i] != NULL)
            g_ptr_array_add(found, g_steal_pointer(&slots[i]));
    }
    g_ptr_array_add(found, NULL);
    return (char **) g_ptr_array_free(found, FALSE);
}

static void
free_slots(char **slots)
{
    for (guint i = 0; variables[i] != NULL; i++)
        g_free(slots[i]);
}

KvHookCommand *
kv_hook_message_to_command(const uint8_t *bytes, gsize len, GError **error)
{
    g_autoptr(KvHookCommand) command = g_new0(KvHookCommand, 1);
    g_autoptr(GPtrArray) arguments = g_ptr_array_new_with_free_func(g_free);
    char *slots[G_N_ELEMENTS(variables)] = {NULL};
    const char *at = (const char *) bytes;
    gboolean ok;
    Field field;

    ok = len <= KV_HOOK_MESSAGE_MAX && next_field(&at, &len, &field) &&
         key_is(&field, VERSION_KEY) && field.value_len == strlen(VERSION) &&
         memcmp(field.value, VERSION, strlen(VERSION)) == 0;
    if (!ok)
        fail(error, "too long, or not of version " VERSION);
    while (ok && len > 0) {
        ok = next_field(&at, &len, &field) || fail(error, "a field is not key=value and a NUL");
        ok = ok && take_field(command, arguments, slots, &field, error);
    }
    if (ok && command->program == NULL)
        ok = fail(error, "no program");
    command->variables = join_slots(slots);
    free_slots(slots);
    g_ptr_array_add(arguments, NULL);
    command->arguments = g_strdupv((char **) arguments->pdata);
    return ok ? g_steal_pointer(&command) : NULL;
}

/* --- answers --------------------------------------------------------------------------------- */

/* (transfer full): text that is_text() takes. */
static char *
mend(const char *reason)
{
    g_autofree char *cut = g_strndup(reason, KV_HOOK_VALUE_MAX / 4);
    char *valid = g_utf8_make_valid(cut, -1);

    for (char *p = valid; *p != '\0'; p++) {
        if ((guchar) *p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    return valid;
}

GByteArray *
kv_hook_message_from_answer(const KvHookAnswer *answer)
{
    GByteArray *packet = g_byte_array_new();
    g_autofree char *number = g_strdup_printf("%d", answer->number);
    g_autofree char *reason = NULL;

    switch (answer->end) {
    case KV_HOOK_EXITED:
        append(packet, "exited", number);
        break;
    case KV_HOOK_SIGNALLED:
        append(packet, "signal", number);
        break;
    case KV_HOOK_TIMED_OUT:
        append(packet, "timeout", number);
        break;
    case KV_HOOK_REFUSED:
        reason = mend(answer->reason);
        append(packet, "refused", reason);
        break;
    }
    return packet;
}

static gboolean
take_number(KvHookAnswer *answer, KvHookEnd end, const Field *field, guint64 min, guint64 max)
{
    g_autofree char *text = g_strndup(field->value, field->value_len);
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, min, max, &number, NULL))
        return FALSE;
    *answer = (KvHookAnswer){.end = end, .number = (int) number};
    return TRUE;
}

static gboolean
take_answer(KvHookAnswer *answer, const Field *field)
{
    if (key_is(field, "exited"))
        return take_number(answer, KV_HOOK_EXITED, field, 0, EXIT_STATUS_MAX);
    if (key_is(field, "signal"))
        return take_number(answer, KV_HOOK_SIGNALLED, field, 1, SIGNAL_MAX);
    if (key_is(field, "timeout"))
        return take_number(answer, KV_HOOK_TIMED_OUT, field, 1, TIMEOUT_MS_MAX);
    if (key_is(field, "refused")) {
        answer->end = KV_HOOK_REFUSED;
        return take_text(&answer->reason, field, KV_HOOK_VALUE_MAX);
    }
    return FALSE;
}

gboolean
kv_hook_message_to_answer(const uint8_t *bytes, gsize len, KvHookAnswer *answer, GError **error)
{
    const char *at = (const char *) bytes;
    Field field;

    *answer = (KvHookAnswer){0};
    return (next_field(&at, &len, &field) && len == 0 && take_answer(answer, &field)) ||
           fail(error, "an answer that makes no sense");
}
