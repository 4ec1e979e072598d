/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-hook-message.h"
#include "kv-hook-runner.h"
#include "kv-test.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A helper of the test's own, which says what a case tells it to. */
typedef struct {
    char *dir;
    char *path;
    int listener;
    KvHookRunner *runner;
    KvHookCommand *command;
} Fixture;

static void
set_up(Fixture *fixture, gconstpointer data)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    fixture->dir = g_dir_make_tmp("kv-request-XXXXXX", NULL);
    g_assert_nonnull(fixture->dir);
    fixture->path = g_build_filename(fixture->dir, "hooks", NULL);
    g_strlcpy(address.sun_path, fixture->path, sizeof address.sun_path);
    fixture->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fixture->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fixture->listener, 8), ==, 0);
    fixture->runner = kv_hook_runner_new(fixture->path);
    fixture->command = kv_hook_command_new("route-add", "kvc0", NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kv_hook_command_free(fixture->command);
    kv_hook_runner_free(fixture->runner);
    close(fixture->listener);
    g_remove(fixture->path);
    g_rmdir(fixture->dir);
    g_free(fixture->path);
    g_free(fixture->dir);
}

static void
on_done(KvHookRun *run, const KvHookAnswer *answer, gpointer data)
{
    KvHookAnswer *copy = data;

    *copy = *answer;
    copy->reason = g_strdup(answer->reason != NULL ? answer->reason : "");
}

/* Asks, answers with @bytes (nullable: hangs up), and waits for what the asker makes of it. */
static void
ask(Fixture *fixture, const char *bytes, gsize len, KvHookAnswer *answer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvHookRun) run =
        kv_hook_runner_start(fixture->runner, fixture->command, on_done, answer, &error);
    uint8_t packet[KV_HOOK_MESSAGE_MAX];
    g_autoptr(KvHookCommand) command = NULL;
    ssize_t n;
    int fd;

    g_assert_no_error(error);
    fd = accept(fixture->listener, NULL, NULL);
    n = recv(fd, packet, sizeof packet, 0);
    g_assert_cmpint(n, >, 0);
    command = kv_hook_message_to_command(packet, (gsize) n, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(command->program, ==, "route-add");
    if (bytes != NULL)
        g_assert_cmpint(send(fd, bytes, len, 0), ==, (ssize_t) len);
    close(fd);
    while (answer->reason == NULL)
        g_main_context_iteration(NULL, TRUE);
}

/* Proves: whatever the helper says, or does not, becomes one answer. */
static void
test_answers(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *bytes;
        gsize len;
        KvHookEnd end;
        int number;
        const char *reason;
    } cases[] = {
        {"exited=3", 9, KV_HOOK_EXITED, 3, ""},
        {"signal=9", 9, KV_HOOK_SIGNALLED, 9, ""},
        {"timeout=10000", 14, KV_HOOK_TIMED_OUT, 10000, ""},
        {"refused=no", 11, KV_HOOK_REFUSED, 0, "no"},
        {"nonsense", 9, KV_HOOK_REFUSED, 0, "hook message: an answer that makes no sense"},
        {NULL, 0, KV_HOOK_REFUSED, 0, "kcpvpn-hooks ended without an answer"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(KvHookAnswer) answer = {0};

        ask(fixture, cases[i].bytes, cases[i].len, &answer);
        g_assert_cmpint(answer.end, ==, cases[i].end);
        g_assert_cmpint(answer.number, ==, cases[i].number);
        g_assert_cmpstr(answer.reason, ==, cases[i].reason);
    }
}

/* Proves: who lets go of a run hangs up, by which the helper knows. */
static void
test_hang_up(Fixture *fixture, gconstpointer data)
{
    g_auto(KvHookAnswer) answer = {0};
    g_autoptr(KvHookRun) run =
        kv_hook_runner_start(fixture->runner, fixture->command, on_done, &answer, NULL);
    char bytes[1024];
    int fd = accept(fixture->listener, NULL, NULL);

    g_assert_cmpint(recv(fd, bytes, sizeof bytes, 0), >, 0);
    g_clear_pointer(&run, kv_hook_run_free);
    g_assert_cmpint(recv(fd, bytes, sizeof bytes, 0), ==, 0);
    close(fd);
    g_assert_null(answer.reason);
}

/* Proves: no helper, no way to it and no way to say it are errors that name what is wrong. */
static void
test_unreachable(Fixture *fixture, gconstpointer data)
{
    g_autofree char *nowhere = g_build_filename(fixture->dir, "nowhere", NULL);
    g_autofree char *long_path = g_strnfill(200, 'x');
    g_autoptr(KvHookRunner) absent = kv_hook_runner_new(nowhere);
    g_autoptr(KvHookRunner) too_long = kv_hook_runner_new(long_path);
    g_autoptr(GError) error = NULL;

    g_assert_null(kv_hook_runner_start(absent, fixture->command, on_done, NULL, &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "kcpvpn-hooks.socket"));
    g_clear_error(&error);
    g_assert_null(kv_hook_runner_start(too_long, fixture->command, on_done, NULL, &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_IO);
    g_clear_error(&error);
    g_strfreev(fixture->command->variables);
    fixture->command->variables = g_strsplit("KV_CLIENT_ID=\n", "|", 0);
    g_assert_null(kv_hook_runner_start(fixture->runner, fixture->command, on_done, NULL, &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
}

/* Proves: with a helper a name is left to it, without one it is looked up and checked here. */
static void
test_find_program(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHookRunner) direct = kv_hook_runner_new(NULL);
    g_autofree char *left = kv_hook_runner_find_program(fixture->runner, "no-such-program", NULL);
    g_autofree char *found = kv_hook_runner_find_program(direct, "env", NULL);

    g_assert_cmpstr(left, ==, "no-such-program");
    g_assert_true(g_path_is_absolute(found));
    g_assert_null(kv_hook_runner_find_program(direct, "no-such-program", NULL));
    g_assert_null(kv_hook_runner_find_program(direct, fixture->dir, NULL));
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    ADD("/hook-request/answers", test_answers);
    ADD("/hook-request/hang-up", test_hang_up);
    ADD("/hook-request/unreachable", test_unreachable);
    ADD("/hook-request/find-program", test_find_program);
    return kv_test_main(&argc, &argv);
}
