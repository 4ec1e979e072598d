/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-hook-message.h"

#include <string.h>

static void
check_text(const char *text)
{
    g_assert(text == NULL || g_utf8_validate(text, -1, NULL));
    for (; text != NULL && *text != '\0'; text++)
        g_assert((guchar) *text >= 0x20 && *text != 0x7f);
}

/* What was taken is clean, and can be sent again with the same meaning. */
static void
check_command(const KvHookCommand *command)
{
    g_autoptr(GByteArray) packet = kv_hook_message_from_command(command, NULL);
    g_autoptr(KvHookCommand) again = NULL;

    g_assert(packet != NULL);
    again = kv_hook_message_to_command(packet->data, packet->len, NULL);
    g_assert(again != NULL && strcmp(again->program, command->program) == 0);
    g_assert(g_strv_equal((const char *const *) again->arguments,
                          (const char *const *) command->arguments));
    g_assert(g_strv_equal((const char *const *) again->variables,
                          (const char *const *) command->variables));
    check_text(command->program);
    check_text(command->tunnel);
    check_text(command->peer);
    for (char **p = command->arguments; *p != NULL; p++)
        check_text(*p);
    for (char **p = command->variables; *p != NULL; p++) {
        check_text(*p);
        g_assert(g_str_has_prefix(*p, "KV_"));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvHookCommand) command = kv_hook_message_to_command(data, size, &error);
    g_auto(KvHookAnswer) answer = {0};

    g_assert((command == NULL) == (error != NULL));
    if (command != NULL)
        check_command(command);
    if (kv_hook_message_to_answer(data, size, &answer, NULL))
        check_text(answer.reason);
    return 0;
}
