/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-hook-message.h"
#include "kv-test.h"

#include <string.h>

#define HEAD "kcpvpn-hook=1\0program=/x\0"

static KvHookCommand *
parse(const char *bytes, gsize len, GError **error)
{
    /* Of exactly that size, so that a sanitizer sees a read past the end. */
    g_autofree uint8_t *copy = g_memdup2(bytes, len);

    return kv_hook_message_to_command(copy, len, error);
}

static KvHookCommand *
make_command(void)
{
    const char *arguments[] = {"", "add", "a = b", "\xe4\xb8\xad", NULL};
    const char *variables[] = {"KV_EVENT=up", "KV_TUNNEL=", "KV_CLIENT_ID=a=b", NULL};
    KvHookCommand *command = kv_hook_command_new("/etc/hooks/x y", "office", "\\xff");

    g_strfreev(command->arguments);
    g_strfreev(command->variables);
    command->arguments = g_strdupv((char **) arguments);
    command->variables = g_strdupv((char **) variables);
    return command;
}

static gboolean
has(char **list, const char *text)
{
    return g_strv_contains((const char *const *) list, text);
}

/* Proves: a command arrives as it was sent: order and empty values too. */
static void
test_round_trip(void)
{
    g_autoptr(KvHookCommand) command = make_command();
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) packet = kv_hook_message_from_command(command, &error);
    g_autoptr(KvHookCommand) back = NULL;

    g_assert_no_error(error);
    back = parse((const char *) packet->data, packet->len, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(back->program, ==, "/etc/hooks/x y");
    g_assert_cmpstr(back->tunnel, ==, "office");
    g_assert_cmpstr(back->peer, ==, "\\xff");
    g_assert_true(g_strv_equal((const char *const *) back->arguments,
                               (const char *const *) command->arguments));
    g_assert_cmpuint(g_strv_length(back->variables), ==, 3);
    g_assert_true(has(back->variables, "KV_EVENT=up"));
    g_assert_true(has(back->variables, "KV_TUNNEL="));
    g_assert_true(has(back->variables, "KV_CLIENT_ID=a=b"));
}

/* Proves: what is not written as documented is refused, and what was allocated for it is freed. */
static void
test_bad_commands(void)
{
#define CASE(text)                                                                                 \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }
    static const struct {
        const char *bytes;
        gsize len;
    } cases[] = {
        CASE(""),
        CASE("\0"),
        CASE("kcpvpn-hook=1\0"),
        CASE("program=/x\0kcpvpn-hook=1\0"),
        CASE("kcpvpn-hook=2\0program=/x\0"),
        CASE("kcpvpn-hook=\0program=/x\0"),
        CASE("kcpvpn-hook=11\0program=/x\0"),
        CASE("kcpvpn-hook=1\0program=\0"),
        CASE("kcpvpn-hook=1\0program=/x"),
        CASE(HEAD "program=/y\0"),
        CASE(HEAD "argument"),
        CASE(HEAD "argument=a"),
        CASE(HEAD "argument\0"),
        CASE(HEAD "\0"),
        CASE(HEAD "=\0"),
        CASE(HEAD "user=root\0"),
        CASE(HEAD "PATH=/tmp\0"),
        CASE(HEAD "LD_PRELOAD=/tmp/x\0"),
        CASE(HEAD "KV_OTHER=1\0"),
        CASE(HEAD "KV_ROLE2=1\0"),
        CASE(HEAD "KV_ROL=1\0"),
        CASE(HEAD "KV_ROLE=1\0KV_ROLE=1\0"),
        CASE(HEAD "KV_CLIENT_ID=a\nPATH=b\0"),
        CASE(HEAD "KV_CLIENT_ID=\x7f\0"),
        CASE(HEAD "KV_CLIENT_ID=\xff\0"),
        CASE(HEAD "KV_CLIENT_ID=\xc3\0"),
        CASE(HEAD "argument=a\x1b[m\0"),
        CASE(HEAD "tunnel=a\tb\0"),
        CASE(HEAD "peer=a\0peer=b\0"),
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        if (parse(cases[i].bytes, cases[i].len, &error) != NULL)
            g_error("case %u was taken", i);
        g_assert_error(error, KV_ERROR, KV_ERROR_PROTOCOL);
    }
}

/* Whether the sender and the receiver take a @key of @n bytes. */
static void
check_length(const char *key, gsize n, gboolean allowed)
{
    g_autoptr(KvHookCommand) command = kv_hook_command_new("/x", NULL, NULL);
    g_autofree char *value = g_strnfill(n, 'a');
    g_autofree char *variable = g_strconcat("KV_TUNNEL=", value, NULL);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    g_autoptr(GByteArray) sent = NULL;
    g_autoptr(KvHookCommand) taken = NULL;
    char **list = g_new0(char *, 2);

    list[0] = g_strdup(strcmp(key, "argument") == 0 ? value : variable);
    g_strfreev(strcmp(key, "argument") == 0 ? command->arguments : command->variables);
    *(strcmp(key, "argument") == 0 ? &command->arguments : &command->variables) = list;
    sent = kv_hook_message_from_command(command, NULL);
    g_assert_cmpint(sent != NULL, ==, allowed);

    g_byte_array_append(packet, (const guint8 *) HEAD, sizeof HEAD - 1);
    g_byte_array_append(packet, (const guint8 *) key, (guint) strlen(key));
    g_byte_array_append(packet, (const guint8 *) "=", 1);
    g_byte_array_append(packet, (const guint8 *) value, (guint) n + 1);
    taken = parse((const char *) packet->data, packet->len, NULL);
    g_assert_cmpint(taken != NULL, ==, allowed);
}

/* Proves: lengths and counts are bounded on both sides, and at the same place. */
static void
test_bounds(void)
{
    g_autoptr(KvHookCommand) command = kv_hook_command_new("/x", NULL, NULL);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_autoptr(GByteArray) packet = NULL;
    g_autoptr(KvHookCommand) taken = NULL;
    g_autoptr(GError) error = NULL;

    check_length("argument", KV_HOOK_ARGUMENT_MAX, TRUE);
    check_length("argument", KV_HOOK_ARGUMENT_MAX + 1, FALSE);
    check_length("KV_TUNNEL", KV_HOOK_VALUE_MAX, TRUE);
    check_length("KV_TUNNEL", KV_HOOK_VALUE_MAX + 1, FALSE);

    for (guint i = 0; i < KV_HOOK_ARGUMENTS_MAX; i++)
        g_strv_builder_add(builder, "a");
    g_strfreev(command->arguments);
    command->arguments = g_strv_builder_end(builder);
    packet = kv_hook_message_from_command(command, NULL);
    taken = parse((const char *) packet->data, packet->len, NULL);
    g_assert_nonnull(taken);
    g_byte_array_append(packet, (const guint8 *) "argument=a", sizeof "argument=a");
    g_assert_null(parse((const char *) packet->data, packet->len, NULL));

    /* Each argument is short enough, all together are not. */
    for (guint i = 0; i < KV_HOOK_ARGUMENTS_MAX; i++) {
        g_free(command->arguments[i]);
        command->arguments[i] = g_strnfill(2000, 'a');
    }
    g_assert_null(kv_hook_message_from_command(command, &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
}

/* Proves: what a peer could have put into a value does not get as far as the helper. */
static void
test_sender_checks(void)
{
    static const char *const bad[] = {"KV_CLIENT_ID=a\nb", "KV_CLIENT_ID=\xff",
                                      "KV_CLIENT_ID=\x7f"};

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(KvHookCommand) command = kv_hook_command_new("/x", NULL, NULL);
        g_autoptr(GError) error = NULL;

        g_strfreev(command->variables);
        command->variables = g_new0(char *, 2);
        command->variables[0] = g_strdup(bad[i]);
        g_assert_null(kv_hook_message_from_command(command, &error));
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_true(g_str_has_prefix(error->message, "KV_CLIENT_ID"));
    }
}

/* Proves: answers arrive as they were sent, reasons mended; what makes no sense is refused. */
static void
test_answers(void)
{
    static const struct {
        KvHookAnswer answer;
        const char *reason;
    } cases[] = {
        {{KV_HOOK_EXITED, 0, NULL}, NULL},
        {{KV_HOOK_EXITED, 255, NULL}, NULL},
        {{KV_HOOK_SIGNALLED, 9, NULL}, NULL},
        {{KV_HOOK_TIMED_OUT, 10000, NULL}, NULL},
        {{KV_HOOK_REFUSED, 0, (char *) "a\nb\xff"}, "a?b\xef\xbf\xbd"},
    };
    static const char *const bad[] = {"exited=-1", "exited=256", "exited=",       "exited=1x",
                                      "signal=0",  "signal=65",  "timeout=",      "exited",
                                      "other=1",   "=1",         "refused=a\x01b"};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) packet = kv_hook_message_from_answer(&cases[i].answer);
        g_auto(KvHookAnswer) back = {0};

        g_assert_true(kv_hook_message_to_answer(packet->data, packet->len, &back, NULL));
        g_assert_cmpint(back.end, ==, cases[i].answer.end);
        g_assert_cmpint(back.number, ==, cases[i].answer.number);
        g_assert_cmpstr(back.reason, ==, cases[i].reason);
        g_assert_false(
            kv_hook_message_to_answer(packet->data, packet->len - 1, &(KvHookAnswer){0}, NULL));
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_auto(KvHookAnswer) back = {0};
        g_autoptr(GError) error = NULL;

        if (kv_hook_message_to_answer((const uint8_t *) bad[i], strlen(bad[i]) + 1, &back, &error))
            g_error("%s was taken", bad[i]);
        g_assert_error(error, KV_ERROR, KV_ERROR_PROTOCOL);
    }
}

/* Proves: a reason of any length fits. */
static void
test_long_reason(void)
{
    g_autofree char *reason = g_strnfill(100000, '\xff');
    const KvHookAnswer answer = {.end = KV_HOOK_REFUSED, .reason = reason};
    g_autoptr(GByteArray) packet = kv_hook_message_from_answer(&answer);
    g_auto(KvHookAnswer) back = {0};

    g_assert_cmpuint(packet->len, <=, KV_HOOK_VALUE_MAX + 64);
    g_assert_true(kv_hook_message_to_answer(packet->data, packet->len, &back, NULL));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/hook-message/round-trip", test_round_trip);
    g_test_add_func("/hook-message/bad-commands", test_bad_commands);
    g_test_add_func("/hook-message/bounds", test_bounds);
    g_test_add_func("/hook-message/sender-checks", test_sender_checks);
    g_test_add_func("/hook-message/answers", test_answers);
    g_test_add_func("/hook-message/long-reason", test_long_reason);
    return kv_test_main(&argc, &argv);
}
