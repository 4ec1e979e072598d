/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-runner.h"

#include "kv-error.h"
#include "kv-hook-dir.h"
#include "kv-hook-process.h"
#include "kv-hook-request.h"

#include <string.h>

struct _KvHookRunner {
    char *helper_socket;
};

/* Has one of the two, by its runner. */
struct _KvHookRun {
    KvHookProcess *process;
    KvHookRequest *request;
    KvHookRunDone done;
    gpointer data;
};

KvHookRunner *
kv_hook_runner_new(const char *helper_socket)
{
    KvHookRunner *self = g_new0(KvHookRunner, 1);

    self->helper_socket = g_strdup(helper_socket);
    return self;
}

void
kv_hook_runner_free(KvHookRunner *runner)
{
    if (runner == NULL)
        return;
    g_free(runner->helper_socket);
    g_free(runner);
}

char *
kv_hook_runner_find_program(KvHookRunner *runner, const char *name, GError **error)
{
    g_autofree char *path = NULL;

    if (runner->helper_socket != NULL)
        return g_strdup(name);
    path = strchr(name, '/') != NULL ? g_canonicalize_filename(name, NULL)
                                     : g_find_program_in_path(name);
    if (path == NULL) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND,
                    "Cannot use hook %s: there is no such program in PATH", name);
        return NULL;
    }
    return kv_hook_check_program(path, error) ? g_steal_pointer(&path) : NULL;
}

static void
process_done(KvHookProcess *process, gpointer data)
{
    KvHookRun *run = data;

    run->done(run, kv_hook_process_get_answer(process), run->data);
}

static void
request_done(KvHookRequest *request, gpointer data)
{
    KvHookRun *run = data;

    run->done(run, kv_hook_request_get_answer(request), run->data);
}

KvHookRun *
kv_hook_runner_start(KvHookRunner *runner, const KvHookCommand *command, KvHookRunDone done,
                     gpointer data, GError **error)
{
    g_autoptr(KvHookRun) run = g_new0(KvHookRun, 1);

    run->done = done;
    run->data = data;
    if (runner->helper_socket != NULL)
        run->request =
            kv_hook_request_start(runner->helper_socket, command, request_done, run, error);
    else if (kv_hook_check_program(command->program, error))
        run->process =
            kv_hook_process_start(command, NULL, KV_HOOK_TIME_LIMIT_MS, process_done, run, error);
    return run->request != NULL || run->process != NULL ? g_steal_pointer(&run) : NULL;
}

void
kv_hook_run_free(KvHookRun *run)
{
    if (run == NULL)
        return;
    kv_hook_process_free(run->process);
    kv_hook_request_free(run->request);
    g_free(run);
}
