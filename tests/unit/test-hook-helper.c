/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-hook-message.h"
#include "kv-hook-process.h"
#include "kv-hook-server.h"
#include "kv-hook.h"
#include "kv-signals.h"
#include "kv-test.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define FIRST_PASSED_FD 3

/* The real kcpvpn-hooks, started with a socket as systemd would, and a folder for its hooks. It
 * runs them as another user, so all of this needs root. */
typedef struct {
    char *base;   /* configuration folder; others may read it */
    char *socket; /* in base */
    char *log;    /* its stderr */
    char *marker; /* a file that every user may write */
    int listener;
    pid_t pid;
    KvHookRunner *runner;
} Fixture;

static char *
at(Fixture *fixture, const char *name)
{
    return g_build_filename(fixture->base, name, NULL);
}

static void
put(Fixture *fixture, const char *name, const char *text, int mode)
{
    g_autofree char *path = at(fixture, name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

/* Writes a hook; "@M" in @body is the marker's path. */
static void
put_hook(Fixture *fixture, const char *name, const char *body)
{
    g_autofree char *file = g_build_filename("hooks.d", name, NULL);
    g_autoptr(GString) text = g_string_new("#!/bin/sh\n");

    g_string_append(text, body);
    g_string_replace(text, "@M", fixture->marker, 0);
    put(fixture, file, text->str, 0755);
}

static char *
read_text(const char *path)
{
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static int
listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    g_assert_cmpint(listen(fd, 128), ==, 0);
    return fd;
}

static int
connect_to(Fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, fixture->socket, sizeof address.sun_path);
    if (connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
        _exit(9);
    return fd;
}

/* Runs the helper with @listener, or with no socket. */
static pid_t
launch(Fixture *fixture, int listener)
{
    pid_t pid;

    /* A signal may come before the helper's first instruction, and is not to be lost. */
    kv_signals_hold();
    pid = fork();
    if (pid == 0) {
        int log = open(fixture->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        g_autofree char *own = g_strdup_printf("%d", (int) getpid());

        dup2(log, STDERR_FILENO);
        /* A group that no hook may inherit. */
        if (setgroups(1, &(gid_t){4}) < 0)
            _exit(126);
        if (listener >= 0 && dup2(listener, FIRST_PASSED_FD) == FIRST_PASSED_FD) {
            fcntl(FIRST_PASSED_FD, F_SETFD, 0);
            g_setenv("LISTEN_PID", own, TRUE);
            g_setenv("LISTEN_FDS", "1", TRUE);
        }
        g_setenv("CONFIGURATION_DIRECTORY", fixture->base, TRUE);
        g_setenv("SECRET_OF_THE_SERVICE", "hush", TRUE);
        execl(g_getenv("KCPVPN_HOOKS"), "kcpvpn-hooks", NULL);
        _exit(127);
    }
    kv_signals_release();
    return pid;
}

static int
wait_exit(pid_t pid)
{
    int status = 0;

    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autofree char *hooks = NULL;

    fixture->base = g_dir_make_tmp("kv-helper-XXXXXX", NULL);
    g_assert_nonnull(fixture->base);
    g_chmod(fixture->base, 0755);
    hooks = at(fixture, "hooks.d");
    g_assert_cmpint(g_mkdir(hooks, 0755), ==, 0);
    fixture->socket = at(fixture, "socket");
    fixture->log = at(fixture, "log");
    fixture->marker = at(fixture, "marker");
    put(fixture, "marker", "", 0666);
    fixture->listener = listen_at(fixture->socket);
    g_chmod(fixture->socket, 0666);
    fixture->pid = launch(fixture, fixture->listener);
    fixture->runner = kv_hook_runner_new(fixture->socket);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kv_hook_runner_free(fixture->runner);
    if (fixture->pid > 0) {
        kill(fixture->pid, SIGTERM);
        g_assert_cmpint(wait_exit(fixture->pid), ==, 0);
    }
    close(fixture->listener);
    kv_test_remove_tree(fixture->base);
    g_free(fixture->base);
    g_free(fixture->socket);
    g_free(fixture->log);
    g_free(fixture->marker);
}

static void
assert_in_log(Fixture *fixture, const char *want)
{
    g_autofree char *text = read_text(fixture->log);

    if (strstr(text, want) == NULL)
        g_error("not in the log: %s\n%s", want, text);
}

static void
assert_marker(Fixture *fixture, const char *want)
{
    g_autofree char *text = read_text(fixture->marker);

    g_assert_cmpstr(text, ==, want);
}

static void
on_done(KvHookRun *run, const KvHookAnswer *answer, gpointer data)
{
    KvHookAnswer *copy = data;

    *copy = *answer;
    copy->reason = g_strdup(answer->reason != NULL ? answer->reason : "");
}

/* Runs @program to its end. */
static KvHookAnswer
run(Fixture *fixture, const char *program)
{
    g_autoptr(KvHookCommand) command = kv_hook_command_new(program, "kvs0", "alice");
    KvHookAnswer answer = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(KvHookRun) hook = NULL;

    g_strfreev(command->arguments);
    command->arguments = g_strsplit("a b|$HOME|", "|", 0);
    g_strfreev(command->variables);
    command->variables = g_strsplit("KV_CLIENT_ID=alice|KV_CLIENT_IP=10.0.0.2", "|", 0);
    hook = kv_hook_runner_start(fixture->runner, command, on_done, &answer, &error);
    g_assert_no_error(error);
    while (answer.reason == NULL)
        g_main_context_iteration(NULL, TRUE);
    return answer;
}

static void
assert_status(Fixture *fixture, const char *program, int status)
{
    g_auto(KvHookAnswer) answer = run(fixture, program);

    g_assert_cmpstr(answer.reason, ==, "");
    g_assert_cmpint(answer.end, ==, KV_HOOK_EXITED);
    g_assert_cmpint(answer.number, ==, status);
}

static void
assert_refused(Fixture *fixture, const char *program, const char *reason)
{
    g_auto(KvHookAnswer) answer = run(fixture, program);

    g_assert_cmpint(answer.end, ==, KV_HOOK_REFUSED);
    if (strstr(answer.reason, reason) == NULL)
        g_error("%s: \"%s\", not \"%s\"", program, answer.reason, reason);
}

/* Proves: a hook is nobody, knows what it is told and nothing else, and its status comes back. */
static void
test_isolation(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = at(fixture, "hooks.d/show");

    put_hook(fixture, "show",
             "{ echo \"$#:$1:$2:$3\"; id -un; id -G; pwd; readlink /proc/self/fd/0\n"
             "echo $(ls /proc/self/fd); env | sort; set -- $(cat /proc/$$/stat)\n"
             "[ $5 = $$ ] && [ $6 = $$ ] && echo leader\n"
             "grep -E '^(CapEff|SigIgn|SigBlk):' /proc/$$/status | tr -d '\\t'; } >@M; exit 3\n");
    assert_status(fixture, path, 3);
    assert_marker(fixture,
                  "3:a b:$HOME:\nnobody\n65534\n/\n/dev/null\n0 1 2 3\n"
                  "KV_CLIENT_ID=alice\nKV_CLIENT_IP=10.0.0.2\n"
                  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\n"
                  "leader\nSigBlk:0000000000000000\nSigIgn:0000000000000000\n"
                  "CapEff:0000000000000000\n");
    assert_in_log(fixture, "hooks.d/show failed with status 3");
}

/* Proves: what it says is in the helper's log; a signal is told as one. */
static void
test_output(Fixture *fixture, gconstpointer data)
{
    g_auto(KvHookAnswer) answer = {0};

    put_hook(fixture, "talk", "echo one; printf 'a\\033b\\n' >&2; kill -TERM $$\n");
    answer = run(fixture, "talk");
    g_assert_cmpint(answer.end, ==, KV_HOOK_SIGNALLED);
    g_assert_cmpint(answer.number, ==, SIGTERM);
    assert_in_log(fixture, "hooks.d/talk: one\n");
    assert_in_log(fixture, "hooks.d/talk: a\\x1bb\n");
}

/* Proves: the administrator's file decides at once, and a bad one stops everything, saying so. */
static void
test_config(Fixture *fixture, gconstpointer data)
{
    put_hook(fixture, "who", "id -un >@M\n");
    assert_status(fixture, "who", 0);
    assert_marker(fixture, "nobody\n");
    put(fixture, "hooks.conf", "[hooks]\nuser=root\n", 0644);
    assert_status(fixture, "who", 0);
    assert_marker(fixture, "root\n");
    put(fixture, "hooks.conf", "[hooks]\nuser=root\n", 0666);
    assert_refused(fixture, "who", "hooks.conf must be writable by its owner alone");
    put(fixture, "hooks.conf", "[hooks]\nusr=root\n", 0644);
    assert_refused(fixture, "who", "unknown key usr");
    assert_in_log(fixture, "unknown key usr");
}

/* Proves: the folder above may be closed to listing, as /etc/kcpvpn is; closed altogether, the
 * refusal tells who did not get there. */
static void
test_reach(Fixture *fixture, gconstpointer data)
{
    put_hook(fixture, "good", "exit 4\n");
    g_chmod(fixture->base, 0751);
    assert_status(fixture, "good", 4);
    g_chmod(fixture->base, 0750);
    assert_refused(fixture, "good", "Cannot run hook as user nobody");
    assert_refused(fixture, "good", "Permission denied");
    g_chmod(fixture->base, 0755);
}

/* Proves: nothing but a safe program of a hook folder is run. */
static void
test_refusals(Fixture *fixture, gconstpointer data)
{
    g_autofree char *link = at(fixture, "hooks.d/link");
    g_autofree char *up = at(fixture, "hooks.d/../evil");
    g_autofree char *hooks = at(fixture, "hooks.d");

    put(fixture, "evil", "#!/bin/sh\n", 0755);
    put(fixture, "hooks.d/group", "#!/bin/sh\n", 0775);
    put_hook(fixture, "good", "echo run >>@M\n");
    g_assert_cmpint(symlink("good", link), ==, 0);
    assert_refused(fixture, "/bin/sh", "is in no hook folder");
    assert_refused(fixture, "sh", "is in no hook folder");
    assert_refused(fixture, up, "is in no hook folder");
    assert_refused(fixture, "..", "not an executable file");
    assert_refused(fixture, "link", "a symbolic link is not followed");
    assert_refused(fixture, "group", "must be writable by its owner alone");
    g_chmod(hooks, 0777);
    assert_refused(fixture, "good", "must be writable by its owner alone");
    g_chmod(hooks, 0755);
    assert_marker(fixture, "");
    assert_status(fixture, "good", 0);
    assert_marker(fixture, "run\n");
    put(fixture, "hooks.d/mute", "#!/no/such/interpreter\n", 0755);
    assert_refused(fixture, "mute", "Cannot run hook as user nobody");
}

static gboolean
is_dead(long pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%ld/stat", pid);
    g_autofree char *state = NULL;

    return !g_file_get_contents(path, &state, NULL, NULL) || strstr(state, ") Z ") != NULL;
}

/* Proves: after 10 s the whole group is killed, and the caller told. */
static void
test_time_limit(Fixture *fixture, gconstpointer data)
{
    gint64 start = g_get_monotonic_time();
    g_auto(KvHookAnswer) answer = {0};
    g_autofree char *text = NULL;

    put_hook(fixture, "hang", "trap '' TERM HUP; sleep 300 & echo $$ $! >@M; wait\n");
    answer = run(fixture, "hang");
    g_assert_cmpint(answer.end, ==, KV_HOOK_TIMED_OUT);
    g_assert_cmpint(answer.number, ==, KV_HOOK_TIME_LIMIT_MS);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 10 * G_USEC_PER_SEC);
    text = read_text(fixture->marker);
    for (char *p = text; *p != '\0' && *p != '\n';) {
        long pid = strtol(p, &p, 10);

        /* The caller is told when the leader is dead; the others die when it is their turn to run.
         */
        for (guint i = 0; i < 500 && !is_dead(pid); i++)
            g_usleep(10000);
        g_assert_true(is_dead(pid));
    }
}

static pid_t
wait_for_pid(const char *path)
{
    for (guint i = 0; i < 500; i++) {
        g_autofree char *text = read_text(path);

        if (strchr(text, '\n') != NULL)
            return (pid_t) strtol(text, NULL, 10);
        g_usleep(10000);
    }
    g_error("the hook did not start");
}

/* Proves: a hook whose caller lets go of it is killed. */
static void
test_hang_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHookCommand) command = kv_hook_command_new("hang", NULL, NULL);
    KvHookAnswer answer = {0};
    KvHookRun *hook;
    pid_t pid;

    put_hook(fixture, "hang", "echo $$ >@M; exec sleep 300\n");
    hook = kv_hook_runner_start(fixture->runner, command, on_done, &answer, NULL);
    pid = wait_for_pid(fixture->marker);
    g_assert_cmpint(kill(pid, 0), ==, 0);
    kv_hook_run_free(hook);
    for (guint i = 0; i < 500 && kill(pid, 0) == 0; i++)
        g_usleep(10000);
    g_assert_cmpint(kill(pid, 0), ==, -1);
    g_assert_null(answer.reason);
}

/* What comes back for @bytes; -1: the time is over. */
static ssize_t
send_raw(Fixture *fixture, const char *bytes, gsize len, char *reply, gsize size)
{
    int fd = connect_to(fixture);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t n = -1;

    if (len > 0)
        g_assert_cmpint(send(fd, bytes, len, MSG_NOSIGNAL), ==, (ssize_t) len);
    if (poll(&wait, 1, 5000) == 1)
        n = recv(fd, reply, size, 0);
    close(fd);
    return n;
}

/* Proves: nonsense, too much and nothing at all are refused, and the helper lives on. */
static void
test_hostile_caller(Fixture *fixture, gconstpointer data)
{
    static const char env[] = "kcpvpn-hook=1\0program=good\0LD_PRELOAD=/tmp/x\0";
    static const char line[] = "kcpvpn-hook=1\0program=good\0KV_CLIENT_ID=a\nb\0";
    g_autofree char *big = g_strnfill(KV_HOOK_MESSAGE_MAX + 1000, 'x');
    char reply[2048];

    put_hook(fixture, "good", "echo run >>@M\n");
    g_assert_cmpint(send_raw(fixture, "x", 1, reply, sizeof reply), >, 0);
    g_assert_true(g_str_has_prefix(reply, "refused="));
    g_assert_cmpint(send_raw(fixture, env, sizeof env - 1, reply, sizeof reply), >, 0);
    g_assert_true(g_str_has_prefix(reply, "refused="));
    g_assert_cmpint(send_raw(fixture, line, sizeof line - 1, reply, sizeof reply), >, 0);
    g_assert_true(g_str_has_prefix(reply, "refused="));
    g_assert_cmpint(send_raw(fixture, big, KV_HOOK_MESSAGE_MAX + 1000, reply, sizeof reply), >, 0);
    g_assert_true(g_str_has_prefix(reply, "refused="));
    g_assert_cmpint(send_raw(fixture, NULL, 0, reply, sizeof reply), >, 0);
    g_assert_cmpstr(reply, ==, "refused=no command came");
    close(connect_to(fixture));
    assert_marker(fixture, "");
    assert_status(fixture, "good", 0);
}

/* Proves: another user, who has got to the socket, is turned away without a word. */
static void
test_foreign_caller(Fixture *fixture, gconstpointer data)
{
    pid_t pid;

    put_hook(fixture, "good", "echo run >>@M\n");
    pid = fork();
    if (pid == 0) {
        static const char command[] = "kcpvpn-hook=1\0program=good\0";
        char reply[64];
        int fd;

        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
            _exit(8);
        fd = connect_to(fixture);
        /* It may have been closed by now, which is as good. */
        if (send(fd, command, sizeof command - 1, MSG_NOSIGNAL) < 0)
            _exit(errno == EPIPE ? 0 : 7);
        _exit(recv(fd, reply, sizeof reply, 0) <= 0 ? 0 : 1);
    }
    g_assert_cmpint(wait_exit(pid), ==, 0);
    assert_status(fixture, "good", 0);
    assert_marker(fixture, "run\n");
    assert_in_log(fixture, "only root and kcpvpn may ask for hooks");
}

static void
count_down(KvHookRun *hook, const KvHookAnswer *answer, gpointer data)
{
    guint *left = data;

    g_assert_cmpint(answer->end, ==, KV_HOOK_EXITED);
    --*left;
}

/* Proves: more than may run at a time are all run, but never more than that at once. */
static void
test_many(Fixture *fixture, gconstpointer data)
{
    enum { N = 80 };
    g_autoptr(KvHookCommand) command = kv_hook_command_new("wait", NULL, NULL);
    KvHookRun *runs[N];
    guint left = N;
    g_autofree char *text = NULL;
    int running = 0;
    int most = 0;

    put_hook(fixture, "wait", "echo + >>@M; sleep 2; echo - >>@M\n");
    for (guint i = 0; i < N; i++) {
        runs[i] = kv_hook_runner_start(fixture->runner, command, count_down, &left, NULL);
        g_assert_nonnull(runs[i]);
    }
    while (left > 0)
        g_main_context_iteration(NULL, TRUE);
    for (guint i = 0; i < N; i++)
        kv_hook_run_free(runs[i]);
    text = read_text(fixture->marker);
    for (const char *p = text; *p != '\0'; p++) {
        running += *p == '+' ? 1 : *p == '-' ? -1 : 0;
        most = MAX(most, running);
    }
    g_assert_cmpint(running, ==, 0);
    g_assert_cmpint(most, <=, KV_HOOK_SERVER_MAX);
    g_assert_cmpint(most, >, KV_HOOK_SERVER_MAX / 2);
}

static void
set_flag(gpointer data)
{
    *(gboolean *) data = TRUE;
}

/* Proves: a tunnel's hooks go through the helper from one end to the other. */
static void
test_tunnel(Fixture *fixture, gconstpointer data)
{
    g_autofree char *dir = at(fixture, "hooks.d");
    const KvHooksConfig config = {.dir = dir, .up = "note up %i", .down = "note down %i"};
    const KvHookTunnelInfo tunnel = {"office", KV_ROLE_SERVER, "kvs", 0xc0a85801};
    const KvHookInfo client = {"bob", "kvs0", 0xc0a85802, KV_ADDRESS_MODE_ASSIGNED, "192.0.2.1:4"};
    g_autoptr(KvHooks) hooks = NULL;
    g_autoptr(GError) error = NULL;
    gboolean drained = FALSE;

    put_hook(fixture, "note", "echo $* $KV_EVENT $KV_TUNNEL $KV_ROLE $KV_LOCAL_IP >>@M\n");
    put_hook(fixture, "on_bob_connected", "sleep 0.2; echo $KV_CLIENT_ID $KV_CLIENT_IP >>@M\n");
    hooks = kv_hooks_new(fixture->runner, &config, &error);
    g_assert_no_error(error);
    kv_hooks_set_up(hooks, &tunnel);
    kv_hooks_run(hooks, KV_HOOK_CONNECTED, KV_HOOKS_KEY_TUNNEL, &client);
    kv_hooks_drain(hooks, set_flag, &drained);
    while (!drained)
        g_main_context_iteration(NULL, TRUE);
    assert_marker(fixture, "up kvs up office server 192.168.88.1\n"
                           "bob 192.168.88.2\n"
                           "down kvs down office server 192.168.88.1\n");
}

/* Proves: it runs only with the socket it is made for. */
static void
test_no_socket(Fixture *fixture, gconstpointer data)
{
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(wait_exit(launch(fixture, -1)), ==, 1);
    g_assert_cmpint(wait_exit(launch(fixture, stream)), ==, 1);
    close(stream);
    assert_in_log(fixture, "no socket was passed");
}

/* Proves: without connections it says that it is idle, with one it does not. */
static void
test_idle(Fixture *fixture, gconstpointer data)
{
    gboolean idle = FALSE;
    g_autofree char *path = at(fixture, "own");
    int listener = listen_at(path);
    g_autoptr(KvHookServer) server =
        kv_hook_server_new(listener, fixture->base, "nobody", 300, set_flag, &idle);
    g_autoptr(KvHookRunner) runner = kv_hook_runner_new(path);
    g_autoptr(KvHookCommand) command = kv_hook_command_new("wait", NULL, NULL);
    KvHookAnswer answer = {0};
    g_autoptr(KvHookRun) hook = NULL;

    put_hook(fixture, "wait", "sleep 1\n");
    hook = kv_hook_runner_start(runner, command, on_done, &answer, NULL);
    while (answer.reason == NULL) {
        g_main_context_iteration(NULL, TRUE);
        g_assert_false(idle);
    }
    kv_hook_answer_clear(&answer);
    while (!idle)
        g_main_context_iteration(NULL, TRUE);
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    if (g_getenv("KCPVPN_HOOKS") == NULL || geteuid() != 0) {
        puts("1..0 # SKIP needs root, and KCPVPN_HOOKS to name the program");
        return 0;
    }
    ADD("/hook-helper/isolation", test_isolation);
    ADD("/hook-helper/output", test_output);
    ADD("/hook-helper/config", test_config);
    ADD("/hook-helper/refusals", test_refusals);
    ADD("/hook-helper/reach", test_reach);
    ADD("/hook-helper/time-limit", test_time_limit);
    ADD("/hook-helper/hang-up", test_hang_up);
    ADD("/hook-helper/hostile-caller", test_hostile_caller);
    ADD("/hook-helper/foreign-caller", test_foreign_caller);
    ADD("/hook-helper/many", test_many);
    ADD("/hook-helper/tunnel", test_tunnel);
    ADD("/hook-helper/no-socket", test_no_socket);
    ADD("/hook-helper/idle", test_idle);
    return kv_test_main(&argc, &argv);
}
