/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-file-limit.h"
#include "kv-hook-process.h"
#include "kv-hook.h"
#include "kv-test.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static GString *logged;      /* every message, a line each */
static KvHookRunner *runner; /* this process */

typedef struct {
    char *base;
    char *dir;    /* the hook folder */
    char *marker; /* a file that hooks write to */
} Fixture;

static GLogWriterOutput
capture(GLogLevelFlags flags, const GLogField *fields, gsize n_fields, gpointer data)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE"))
            g_string_append_printf(logged, "%s\n", (const char *) fields[i].value);
    }
    return G_LOG_WRITER_HANDLED;
}

static void
assert_logged(const char *text)
{
    if (strstr(logged->str, text) == NULL)
        g_error("not logged: %s\n%.2000s", text, logged->str);
}

static guint
count_logged(const char *text)
{
    guint n = 0;

    for (const char *p = logged->str; (p = strstr(p, text)) != NULL; p += strlen(text))
        n++;
    return n;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_string_truncate(logged, 0);
    fixture->base = g_dir_make_tmp("kv-hook-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->dir = g_build_filename(fixture->base, "hooks", NULL);
    fixture->marker = g_build_filename(fixture->base, "marker", NULL);
    g_assert_cmpint(g_mkdir(fixture->dir, 0755), ==, 0);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    kv_test_remove_tree(fixture->base);
    g_free(fixture->base);
    g_free(fixture->dir);
    g_free(fixture->marker);
}

/* Writes a script; "@M" in @body is the marker's path. Returns: (transfer full): its path. */
static char *
put_script(Fixture *fixture, const char *name, const char *body, int mode)
{
    g_autoptr(GError) error = NULL;
    char *path = g_build_filename(fixture->dir, name, NULL);
    g_autoptr(GString) text = g_string_new("#!/bin/sh\n");

    g_string_append(text, body);
    g_string_replace(text, "@M", fixture->marker, 0);
    g_file_set_contents(path, text->str, -1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
    return path;
}

static void
add_script(Fixture *fixture, const char *name, const char *body, int mode)
{
    g_free(put_script(fixture, name, body, mode));
}

static KvHooks *
open_hooks(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    KvHooks *hooks = kv_hooks_new(runner, &(KvHooksConfig){.dir = fixture->dir}, &error);

    g_assert_no_error(error);
    return hooks;
}

static void
run(KvHooks *hooks, KvHookEvent event, const char *key, const char *id)
{
    const KvHookInfo info = {.client_id = id,
                             .interface_name = "kvs7",
                             .client_ip = 0xc0a85802,
                             .address_mode = KV_ADDRESS_MODE_CLIENT_SET,
                             .remote_addr = "203.0.113.9:4000"};

    kv_hooks_run(hooks, event, key, &info);
}

static void
set_flag(gpointer data)
{
    *(gboolean *) data = TRUE;
}

static void
free_hooks(gpointer data)
{
    g_clear_pointer((KvHooks **) data, kv_hooks_free);
}

static void
drain(KvHooks *hooks)
{
    gboolean drained = FALSE;

    kv_hooks_drain(hooks, set_flag, &drained);
    while (!drained)
        g_main_context_iteration(NULL, TRUE);
}

static void
assert_marker(Fixture *fixture, const char *want)
{
    g_autofree char *text = NULL;

    g_file_get_contents(fixture->marker, &text, NULL, NULL);
    g_assert_cmpstr(text, ==, want);
}

/* Proves: the environment is the documented one and nothing else, also through a link. */
static void
test_environment(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->dir, "on_connected", NULL);
    g_autofree char *prefix = g_strdup_printf("Hook %s: ", path);
    g_autoptr(KvHooks) hooks = NULL;

    g_assert_cmpint(symlink("/usr/bin/env", path), ==, 0);
    g_setenv("KCPVPN_KEY", "secret", TRUE);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "a", "alice");
    drain(hooks);
    assert_logged(": PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
    assert_logged(": KV_CLIENT_ID=alice\n");
    assert_logged(": KV_VNI_INTERFACE_NAME=kvs7\n");
    assert_logged(": KV_CLIENT_IP=192.168.88.2\n");
    assert_logged(": KV_CLIENT_IP_MODE=1\n");
    assert_logged(": KV_REMOTE_ADDR=203.0.113.9:4000\n");
    g_assert_cmpuint(count_logged(prefix), ==, 6);
}

/* Proves: a hook has the limit of open files that we were started with, and we keep the raised one.
 */
static void
test_file_limit(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHooks) hooks = NULL;
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    limit.rlim_cur = 222;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    kv_file_limit_raise(0);
    add_script(fixture, "on_connected", "echo $(ulimit -Sn) >@M\n", 0755);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "a", "a");
    drain(hooks);
    assert_marker(fixture, "222\n");
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    g_assert_cmpuint(limit.rlim_cur, ==, limit.rlim_max);
}

/* Proves: a hook leads its own session, reads nothing, and has no descriptor of ours. */
static void
test_isolation(Fixture *fixture, gconstpointer data)
{
    int leak = fcntl(STDERR_FILENO, F_DUPFD, 57);
    g_autoptr(KvHooks) hooks = NULL;

    add_script(fixture, "on_connected",
               "echo stdin=$(readlink /proc/self/fd/0) fds=$(ls /proc/self/fd) >@M\n"
               "set -- $(cat /proc/$$/stat)\n"
               "[ $5 = $$ ] && [ $6 = $$ ] && echo leader >>@M\n",
               0755);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "a", "");
    drain(hooks);
    close(leak);
    assert_marker(fixture, "stdin=/dev/null fds=0 1 2 3\nleader\n");
}

/* As a service manager does for a user that is not root. */
static gboolean
lend_capability(void)
{
    capng_get_caps_process();
    return capng_update(CAPNG_ADD, CAPNG_INHERITABLE, CAP_NET_ADMIN) == 0 &&
           capng_apply(CAPNG_SELECT_CAPS) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0;
}

/* Proves: capabilities that were lent to us do not go on to hooks. */
static void
test_ambient_capabilities(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHooks) hooks = NULL;

    if (!lend_capability()) {
        g_test_skip("no capability to hand on");
        return;
    }
    add_script(fixture, "on_connected", "grep CapAmb /proc/self/status | tr -s '\\t0' ' ' >@M\n",
               0755);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "a", "a");
    drain(hooks);
    assert_marker(fixture, "CapAmb: \n");
}

/* Proves: the client's own hook comes before the common one, and a folder is not a hook. */
static void
test_choice(Fixture *fixture, gconstpointer data)
{
    g_autofree char *folder = g_build_filename(fixture->dir, "on_bob_connected", NULL);
    g_autoptr(KvHooks) hooks = NULL;

    add_script(fixture, "on_connected", "echo common $KV_CLIENT_ID >>@M\n", 0755);
    add_script(fixture, "on_alice_connected", "echo own >>@M\n", 0755);
    add_script(fixture, "on_alice_disconnected", "echo gone >>@M\n", 0755);
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "k", "alice");
    run(hooks, KV_HOOK_CONNECTED, "k", "bob");
    run(hooks, KV_HOOK_CONNECTED, "k", "");
    run(hooks, KV_HOOK_DISCONNECTED, "k", "bob");
    run(hooks, KV_HOOK_DISCONNECTED, "k", "alice");
    drain(hooks);
    assert_marker(fixture, "own\ncommon bob\ncommon\ngone\n");
}

/* Proves: an id that would be a path finds nothing but the common hook. */
static void
test_hostile_ids(Fixture *fixture, gconstpointer data)
{
    const char *ids[] = {"x/../../evil", "../evil", "x/y", ".", "\xff\n"};
    g_autofree char *folder = g_build_filename(fixture->dir, "on_x", NULL);
    g_autoptr(KvHooks) hooks = NULL;

    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    add_script(fixture, "../evil_connected", "echo evil >>@M\n", 0755);
    add_script(fixture, "on_x/y_connected", "echo evil >>@M\n", 0755);
    add_script(fixture, "on_connected", "echo common >>@M\n", 0755);
    hooks = open_hooks(fixture);
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++)
        run(hooks, KV_HOOK_CONNECTED, "k", ids[i]);
    drain(hooks);
    assert_marker(fixture, "common\ncommon\ncommon\ncommon\ncommon\n");
}

/* Proves: what is not safe or not possible to run is not run, nor anything instead; each says why.
 */
static void
test_refused(Fixture *fixture, gconstpointer data)
{
    g_autofree char *link = g_build_filename(fixture->dir, "on_link_connected", NULL);
    g_autoptr(KvHooks) hooks = NULL;

    add_script(fixture, "on_connected", "echo common >>@M\n", 0755);
    add_script(fixture, "on_world_connected", "echo run >>@M\n", 0757);
    add_script(fixture, "on_group_connected", "echo run >>@M\n", 0775);
    add_script(fixture, "on_plain_connected", "echo run >>@M\n", 0644);
    g_assert_cmpint(symlink("/nonexistent", link), ==, 0);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "k", "world");
    run(hooks, KV_HOOK_CONNECTED, "k", "group");
    run(hooks, KV_HOOK_CONNECTED, "k", "plain");
    run(hooks, KV_HOOK_CONNECTED, "k", "link");
    drain(hooks);
    assert_marker(fixture, NULL);
    assert_logged("on_world_connected must be writable by its owner alone");
    assert_logged("on_group_connected must be writable by its owner alone");
    assert_logged("on_plain_connected is not an executable file");
    assert_logged("on_link_connected: No such file");
    g_chmod(fixture->dir, 0777);
    run(hooks, KV_HOOK_CONNECTED, "k", "");
    drain(hooks);
    assert_marker(fixture, NULL);
    assert_logged("hooks must be writable by its owner alone");
}

/* Proves: a bad folder or program is an error at once. */
static void
test_open_errors(Fixture *fixture, gconstpointer data)
{
    g_autofree char *program = put_script(fixture, "program", "echo client >>@M\n", 0777);
    const struct {
        KvHooksConfig config;
        KvError code;
    } cases[] = {
        {{.dir = program}, KV_ERROR_NOT_FOUND},
        {{.connected_program = "/nonexistent/program"}, KV_ERROR_NOT_FOUND},
        {{.connected_program = "no-such-program-anywhere"}, KV_ERROR_NOT_FOUND},
        {{.connected_program = fixture->dir}, KV_ERROR_PERMISSION_DENIED},
        {{.connected_program = program}, KV_ERROR_PERMISSION_DENIED},
        {{.dir = fixture->dir}, KV_ERROR_PERMISSION_DENIED},
        {{.up = "/nonexistent/program x"}, KV_ERROR_NOT_FOUND},
        {{.up = program}, KV_ERROR_PERMISSION_DENIED},
        {{.down = "no-such-program-anywhere"}, KV_ERROR_NOT_FOUND},
        {{.down = "an 'open quote"}, KV_ERROR_INVALID_SETTING},
    };
    g_autoptr(KvHooks) hooks = NULL;
    g_autoptr(GError) last = NULL;

    g_chmod(fixture->dir, 0775);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(kv_hooks_new(runner, &cases[i].config, &error));
        g_assert_error(error, KV_ERROR, (int) cases[i].code);
    }
    g_chmod(program, 0755);
    hooks = kv_hooks_new(runner, &(KvHooksConfig){.connected_program = program}, &last);
    g_assert_no_error(last);
    run(hooks, KV_HOOK_DISCONNECTED, "k", "");
    run(hooks, KV_HOOK_CONNECTED, "k", "");
    drain(hooks);
    assert_marker(fixture, "client\n");
}

/* Proves: a folder that is not there yet is told of, and its hooks run once it is. */
static void
test_missing_folder(Fixture *fixture, gconstpointer data)
{
    g_autofree char *dir = g_build_filename(fixture->dir, "later", NULL);
    g_autofree char *path = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(KvHooks) hooks = kv_hooks_new(runner, &(KvHooksConfig){.dir = dir}, &error);

    g_assert_no_error(error);
    assert_logged("is missing: no hooks are run until it is there");
    run(hooks, KV_HOOK_CONNECTED, "k", "");
    g_assert_cmpint(g_mkdir(dir, 0755), ==, 0);
    path = put_script(fixture, "later/on_connected", "echo new >>@M\n", 0755);
    run(hooks, KV_HOOK_CONNECTED, "k", "");
    drain(hooks);
    assert_marker(fixture, "new\n");
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

/* Proves: a hook that was added to the folder later is found, and one that was removed is not. */
static void
test_changed_folder(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHooks) hooks = open_hooks(fixture);
    g_autofree char *path = NULL;

    run(hooks, KV_HOOK_CONNECTED, "k", "");
    path = put_script(fixture, "on_connected", "echo new >>@M\n", 0755);
    run(hooks, KV_HOOK_CONNECTED, "k", "");
    drain(hooks);
    assert_marker(fixture, "new\n");
    g_remove(path);
    run(hooks, KV_HOOK_CONNECTED, "k", "");
    drain(hooks);
    assert_marker(fixture, "new\n");
    g_assert_cmpuint(count_logged("Cannot"), ==, 0);
}

static const KvHookTunnelInfo tunnel_info = {
    .name = "my office",
    .role = KV_ROLE_SERVER,
    .interface_name = "kvs",
    .local_ip = 0xc0a85801,
};

/* Proves: what runs when the tunnel is up and down has its arguments without a shell's help, the
 * interface in place of %i, and the documented variables. */
static void
test_tunnel_commands(Fixture *fixture, gconstpointer data)
{
    g_autofree char *program = put_script(fixture, "p", "echo \"$#:$*\" >>@M\nenv\n", 0755);
    g_autofree char *up = g_strdup_printf("'%s' 'a  b' %%i* 100%%%% '' $HOME;x", program);
    g_autofree char *down = g_strdup_printf("%s gone", program);
    const KvHooksConfig config = {.up = up, .down = down};
    g_autoptr(GError) error = NULL;
    g_autoptr(KvHooks) hooks = kv_hooks_new(runner, &config, &error);

    g_assert_no_error(error);
    kv_hooks_set_up(hooks, &tunnel_info);
    kv_hooks_set_up(hooks, &tunnel_info);
    drain(hooks);
    assert_marker(fixture, "5:a  b kvs* 100%  $HOME;x\n1:gone\n");
    assert_logged(": KV_EVENT=up\n");
    assert_logged(": KV_EVENT=down\n");
    assert_logged(": KV_TUNNEL=my office\n");
    assert_logged(": KV_ROLE=server\n");
    assert_logged(": KV_VNI_INTERFACE_NAME=kvs\n");
    assert_logged(": KV_LOCAL_IP=192.168.88.1\n");
    g_assert_cmpuint(count_logged(": KV_"), ==, 10);
}

/* Proves: up and down come in pairs and in order, the last down after all other hooks. */
static void
test_tunnel_order(Fixture *fixture, gconstpointer data)
{
    g_autofree char *up = put_script(fixture, "up", "sleep 0.3; echo up >>@M\n", 0755);
    g_autofree char *down = put_script(fixture, "down", "echo down >>@M\n", 0755);
    const KvHooksConfig config = {.dir = fixture->dir, .up = up, .down = down};
    g_autoptr(GError) error = NULL;
    g_autoptr(KvHooks) hooks = kv_hooks_new(runner, &config, &error);

    g_assert_no_error(error);
    add_script(fixture, "on_disconnected", "sleep 1; echo client >>@M\n", 0755);
    kv_hooks_set_down(hooks);
    kv_hooks_set_up(hooks, &tunnel_info);
    kv_hooks_set_down(hooks);
    kv_hooks_set_down(hooks);
    kv_hooks_set_up(hooks, &tunnel_info);
    run(hooks, KV_HOOK_DISCONNECTED, "k", "");
    drain(hooks);
    assert_marker(fixture, "up\ndown\nup\nclient\ndown\n");
}

/* Proves: how a hook failed is in the log, and the next one runs all the same. */
static void
test_failures(Fixture *fixture, gconstpointer data)
{
    g_autofree char *bad = put_script(fixture, "on_c_connected", "", 0755);
    g_autoptr(KvHooks) hooks = NULL;

    add_script(fixture, "on_a_connected", "echo oops >&2; printf 'a\\033b'; exit 3\n", 0755);
    add_script(fixture, "on_b_connected", "kill -TERM $$\n", 0755);
    add_script(fixture, "on_d_connected", "echo last >>@M\n", 0755);
    g_assert_true(g_file_set_contents(bad, "no program", -1, NULL));
    g_chmod(bad, 0755);
    hooks = open_hooks(fixture);
    for (const char *id = "a\0b\0c\0d\0"; *id != '\0'; id += 2)
        run(hooks, KV_HOOK_CONNECTED, "k", id);
    drain(hooks);
    assert_logged("on_a_connected: oops\n");
    assert_logged("on_a_connected: a\\x1bb\n");
    assert_logged("on_a_connected failed with status 3\n");
    assert_logged("on_b_connected was ended by signal 15\n");
    assert_logged("on_c_connected: Exec format error\n");
    assert_marker(fixture, "last\n");
}

/* Proves: of one key hooks run one after another, of different keys side by side. */
static void
test_order(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHooks) hooks = NULL;
    gint64 start;

    add_script(fixture, "on_connected", "sleep 0.4; echo C >>@M\n", 0755);
    add_script(fixture, "on_disconnected", "echo D >>@M\n", 0755);
    add_script(fixture, "on_p_connected", "sleep 0.5\n", 0755);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "one", "");
    run(hooks, KV_HOOK_DISCONNECTED, "one", "");
    drain(hooks);
    assert_marker(fixture, "C\nD\n");
    start = g_get_monotonic_time();
    for (guint i = 0; i < 20; i++) {
        g_autofree char *key = g_strdup_printf("%u", i);

        run(hooks, KV_HOOK_CONNECTED, key, "p");
    }
    g_assert_cmpint(g_get_monotonic_time() - start, <, 2 * G_USEC_PER_SEC);
    drain(hooks);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 5 * G_USEC_PER_SEC);
}

/* Proves: draining waits for every hook, also for those in line, without running the main context
 * by itself; with nothing to wait for it is over at once; and freeing calls it off. */
static void
test_drain(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHooks) hooks = NULL;
    gboolean drained = FALSE;
    gboolean never = FALSE;

    add_script(fixture, "on_connected", "sleep 0.2; echo C >>@M\n", 0755);
    add_script(fixture, "on_disconnected", "echo D >>@M\n", 0755);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "one", "");
    run(hooks, KV_HOOK_DISCONNECTED, "one", "");
    kv_hooks_drain(hooks, set_flag, &drained);
    g_assert_false(drained);
    assert_marker(fixture, NULL);
    while (!drained)
        g_main_context_iteration(NULL, TRUE);
    assert_marker(fixture, "C\nD\n");
    drained = FALSE;
    kv_hooks_drain(hooks, set_flag, &drained);
    g_assert_true(drained);
    run(hooks, KV_HOOK_CONNECTED, "one", "");
    kv_hooks_drain(hooks, set_flag, &never);
    kv_hooks_free(g_steal_pointer(&hooks));
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_false(never);
}

/* Proves: the callback may free what was drained. */
static void
test_drain_frees(Fixture *fixture, gconstpointer data)
{
    KvHooks *hooks = NULL;

    add_script(fixture, "on_connected", "echo C >>@M\n", 0755);
    hooks = open_hooks(fixture);
    run(hooks, KV_HOOK_CONNECTED, "one", "");
    kv_hooks_drain(hooks, free_hooks, &hooks);
    while (hooks != NULL)
        g_main_context_iteration(NULL, TRUE);
    assert_marker(fixture, "C\n");
}

static guint
count_processes(const char *marker)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(marker, &text, NULL, NULL))
        return 0;
    lines = g_strsplit(text, "\n", -1);
    return g_strv_length(lines) - 1;
}

static gboolean
on_tick(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

/* Proves: 32 run at a time and 1024 wait; more are dropped with a warning; freeing kills. */
static void
test_bounds(Fixture *fixture, gconstpointer data)
{
    g_autoptr(KvHooks) hooks = NULL;
    g_autofree char *text = NULL;
    guint tick = g_timeout_add(50, on_tick, NULL);
    gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    add_script(fixture, "on_connected", "echo $$ >>@M; exec sleep 60\n", 0755);
    hooks = open_hooks(fixture);
    for (guint i = 0; i < 32 + 1024 + 3; i++) {
        g_autofree char *key = g_strdup_printf("%u", i);

        run(hooks, KV_HOOK_CONNECTED, key, "");
    }
    g_assert_cmpuint(count_logged("is not run"), ==, 3);
    while (count_processes(fixture->marker) < 32 && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(count_processes(fixture->marker), ==, 32);
    kv_hooks_free(g_steal_pointer(&hooks));
    g_assert_true(g_file_get_contents(fixture->marker, &text, NULL, NULL));
    for (char *p = text; *p != '\0'; p++) {
        g_assert_cmpint(kill((pid_t) strtol(p, &p, 10), 0), ==, -1);
        g_assert_cmpint(errno, ==, ESRCH);
    }
    g_source_remove(tick);
}

static void
on_done(KvHookProcess *process, gpointer data)
{
    KvHookProcess **slot = data;

    g_clear_pointer(slot, kv_hook_process_free);
}

/* Runs a script to its end. Returns: milliseconds it took. */
static gint64
run_process(const char *path, guint limit_ms)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvHookCommand) command = kv_hook_command_new(path, NULL, NULL);
    gint64 start = g_get_monotonic_time();
    KvHookProcess *process =
        kv_hook_process_start(command, NULL, limit_ms, on_done, &process, &error);

    g_assert_no_error(error);
    while (process != NULL)
        g_main_context_iteration(NULL, TRUE);
    return (g_get_monotonic_time() - start) / 1000;
}

/* Whether the process whose number is in the marker is gone, or dead and not yet reaped. */
static gboolean
is_dead(Fixture *fixture)
{
    g_autofree char *number = NULL;
    g_autofree char *path = NULL;
    g_autofree char *stat_text = NULL;

    g_assert_true(g_file_get_contents(fixture->marker, &number, NULL, NULL));
    path = g_strdup_printf("/proc/%s/stat", g_strstrip(number));
    for (guint i = 0; i < 100; i++) {
        g_clear_pointer(&stat_text, g_free);
        if (!g_file_get_contents(path, &stat_text, NULL, NULL) || strstr(stat_text, ") Z ") != NULL)
            return TRUE;
        g_usleep(10000);
    }
    return FALSE;
}

/* Proves: at the limit the whole group dies, whether its leader hangs or left a child behind. */
static void
test_time_limit(Fixture *fixture, gconstpointer data)
{
    const char *bodies[] = {
        "trap '' TERM HUP; sleep 1000 & echo $! >@M; wait\n",
        "sleep 1000 & echo $! >@M\n",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bodies); i++) {
        g_autofree char *path = put_script(fixture, "hang", bodies[i], 0755);

        g_string_truncate(logged, 0);
        g_assert_cmpint(run_process(path, 500), >=, 500);
        g_assert_true(is_dead(fixture));
        assert_logged("was killed after 500 ms");
    }
}

/* Proves: a child that let go of the output outlives its hook, which does not wait for it. */
static void
test_background_child(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path =
        put_script(fixture, "daemon", "sleep 1 >/dev/null 2>&1 & echo $! >@M\n", 0755);
    g_autofree char *number = NULL;

    g_assert_cmpint(run_process(path, 20000), <, 10000);
    g_assert_cmpuint(count_logged("killed"), ==, 0);
    g_assert_true(g_file_get_contents(fixture->marker, &number, NULL, NULL));
    g_assert_cmpint(g_ascii_strtoll(number, NULL, 10), >, 1);
}

/* Proves: of endless output 64 KiB are logged; the hook is neither blocked nor ended by it. */
static void
test_output_limit(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = put_script(
        fixture, "noisy", "head -c 3000000 /dev/zero | tr '\\0' x; echo $? >@M; exit 7\n", 0755);

    run_process(path, 20000);
    assert_marker(fixture, "0\n");
    assert_logged("wrote 65536 bytes or 1000 lines");
    assert_logged("failed with status 7");
    g_assert_cmpuint(count_logged("x"), <=, 65536);
    g_assert_cmpuint(count_logged("x"), >=, 65000);
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    int status;

    logged = g_string_new(NULL);
    runner = kv_hook_runner_new(NULL);
    g_log_set_writer_func(capture, NULL, NULL);
    ADD("/hook/environment", test_environment);
    ADD("/hook/isolation", test_isolation);
    ADD("/hook/ambient-capabilities", test_ambient_capabilities);
    ADD("/hook/file-limit", test_file_limit);
    ADD("/hook/choice", test_choice);
    ADD("/hook/hostile-ids", test_hostile_ids);
    ADD("/hook/refused", test_refused);
    ADD("/hook/open-errors", test_open_errors);
    ADD("/hook/missing-folder", test_missing_folder);
    ADD("/hook/changed-folder", test_changed_folder);
    ADD("/hook/tunnel-commands", test_tunnel_commands);
    ADD("/hook/tunnel-order", test_tunnel_order);
    ADD("/hook/failures", test_failures);
    ADD("/hook/order", test_order);
    ADD("/hook/drain", test_drain);
    ADD("/hook/drain-frees", test_drain_frees);
    ADD("/hook/bounds", test_bounds);
    ADD("/hook/time-limit", test_time_limit);
    ADD("/hook/background-child", test_background_child);
    ADD("/hook/output-limit", test_output_limit);
    status = kv_test_main(&argc, &argv);
    g_string_free(logged, TRUE);
    kv_hook_runner_free(runner);
    return status;
}
