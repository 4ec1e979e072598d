/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-command.h"

#include "kv-error.h"

#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

KvHookCommand *
kv_hook_command_new(const char *program, const char *tunnel, const char *peer)
{
    KvHookCommand *command = g_new0(KvHookCommand, 1);

    command->program = g_strdup(program);
    command->arguments = g_new0(char *, 1);
    command->variables = g_new0(char *, 1);
    command->tunnel = g_strdup(tunnel);
    command->peer = g_strdup(peer);
    return command;
}

void
kv_hook_command_free(KvHookCommand *command)
{
    if (command == NULL)
        return;
    g_free(command->program);
    g_strfreev(command->arguments);
    g_strfreev(command->variables);
    g_free(command->tunnel);
    g_free(command->peer);
    g_free(command);
}

char **
kv_hook_command_split(const char *line, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    char **words;

    if (g_shell_parse_argv(line, NULL, &words, &local_error))
        return words;
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, "Cannot run \"%s\": %s", line,
                local_error->message);
    return NULL;
}

/* (transfer full) */
static char *
expand(const char *word, const char *interface)
{
    GString *text = g_string_new(NULL);

    for (const char *p = word; *p != '\0'; p++) {
        if (p[0] != '%' || (p[1] != 'i' && p[1] != '%'))
            g_string_append_c(text, *p);
        else if (*++p == 'i')
            g_string_append(text, interface);
        else
            g_string_append_c(text, '%');
    }
    return g_string_free(text, FALSE);
}

void
kv_hook_command_set_arguments(KvHookCommand *command, char *const *words, const char *interface)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (; *words != NULL; words++) {
        g_autofree char *text = expand(*words, interface);

        g_strv_builder_add(builder, text);
    }
    g_strfreev(command->arguments);
    command->arguments = g_strv_builder_end(builder);
}

/* (transfer full): @first and then @rest. */
static char **
prepend(const char *first, char *const *rest)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    g_strv_builder_add(builder, first);
    g_strv_builder_addv(builder, (const char **) rest);
    return g_strv_builder_end(builder);
}

char **
kv_hook_command_get_argv(const KvHookCommand *command)
{
    return prepend(command->program, command->arguments);
}

char **
kv_hook_command_get_environment(const KvHookCommand *command)
{
    return prepend(PATH, command->variables);
}
