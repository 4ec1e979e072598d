/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook.h"

#include "kv-hook-dir.h"
#include "kv-hook-process.h"
#include "kv-ip4.h"
#include "kv-log.h"
#include "kv-settings.h"
#include "kv-text.h"

#include <string.h>

#define RUNNING_MAX 32
#define PENDING_MAX 1024

/*
 * Once nothing new comes there is one such time for what waits, one for what runs then, and one for
 * what is run last. A program of ours is killed by then anyway, but a helper may be stuck.
 */
#define DRAIN_STEP_MS KV_HOOK_TIME_LIMIT_MS
enum {
    DRAIN_PENDING,
    DRAIN_RUNNING,
    DRAIN_LAST,
};

/* A command line of the tunnel. */
typedef struct {
    char **words;  /* (nullable): there is none */
    char *program; /* as the runner found it */
} Command;

struct _KvHooks {
    KvHookRunner *runner;
    char *log_name; /* (nullable) */
    KvHookDir *dir;
    char *connected_program;
    Command up;
    Command down;
    gboolean is_up;
    KvHookCommand *when_down; /* (nullable): to be run when the tunnel, now up, goes down */
    GQueue pending;           /* of Job, oldest first */
    GHashTable *running;      /* key → Job, which owns the key */
    KvHooksDrained drained;   /* draining: whom to tell */
    gpointer drained_data;
    guint drain_source;
    guint drain_step;
};

typedef struct {
    KvHooks *hooks;
    char *key;
    KvHookCommand *command;
    KvHookRun *run;
} Job;

static void on_done(KvHookRun *run, const KvHookAnswer *answer, gpointer data);

static void
job_free(Job *job)
{
    kv_hook_run_free(job->run);
    kv_hook_command_free(job->command);
    g_free(job->key);
    g_free(job);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

static const char *
get_log_name(const KvHooks *self, const char *interface)
{
    return self->log_name != NULL ? self->log_name : interface;
}

static char **
build_client_variables(const KvHookInfo *info)
{
    GStrv variables = g_new0(char *, 7);
    char ip[KV_IP4_TEXT_BYTES];

    variables[0] = g_strconcat("KV_CLIENT_ID=", info->client_id, NULL);
    variables[1] = g_strconcat("KV_VNI_INTERFACE_NAME=", info->interface_name, NULL);
    variables[2] = g_strconcat("KV_CLIENT_IP=", kv_ip4_to_string(info->client_ip, ip), NULL);
    variables[3] = g_strdup_printf("KV_CLIENT_IP_MODE=%d", info->address_mode);
    variables[4] = g_strconcat("KV_REMOTE_ADDR=", info->remote_addr, NULL);
    if (info->client_ip6 != NULL)
        variables[5] = g_strconcat("KV_CLIENT_IP6=", info->client_ip6, NULL);
    return variables;
}

/* (transfer full) (nullable) */
static KvHookCommand *
build_command(const Command *line, const char *event, const char *log_name,
              const KvHookTunnelInfo *info)
{
    KvHookCommand *command;
    char ip[KV_IP4_TEXT_BYTES];

    if (line->words == NULL)
        return NULL;
    command = kv_hook_command_new(line->program, log_name, NULL);
    kv_hook_command_set_arguments(command, line->words + 1, info->interface_name);
    g_strfreev(command->variables);
    command->variables = g_new0(char *, 7);
    command->variables[0] = g_strconcat("KV_EVENT=", event, NULL);
    command->variables[1] = g_strconcat("KV_TUNNEL=", info->name, NULL);
    command->variables[2] = g_strconcat("KV_ROLE=", kv_role_to_string(info->role), NULL);
    command->variables[3] = g_strconcat("KV_VNI_INTERFACE_NAME=", info->interface_name, NULL);
    command->variables[4] = g_strconcat("KV_LOCAL_IP=", kv_ip4_to_string(info->local_ip, ip), NULL);
    if (info->local_ip6 != NULL)
        command->variables[5] = g_strconcat("KV_LOCAL_IP6=", info->local_ip6, NULL);
    return command;
}

/* (transfer full) (nullable) */
static char *
find_program(KvHooks *self, KvHookEvent event, const KvHookInfo *info)
{
    g_autoptr(GError) error = NULL;
    char *path = NULL;

    if (self->dir != NULL)
        path = kv_hook_dir_find(self->dir, event, info->client_id, &error);
    else if (event == KV_HOOK_CONNECTED)
        path = g_strdup(self->connected_program);
    if (error != NULL)
        kv_log_limited("hook-folder", KV_LOG_WARNING, "hook-failed",
                       get_log_name(self, info->interface_name), NULL, "%s", error->message);
    return path;
}

/* Runs what may run now. Of one key the oldest comes first, as the queue is in order and a key
 * that runs is passed over. */
static void
start_ready(KvHooks *self)
{
    GList *next;

    for (GList *l = self->pending.head; l != NULL; l = next) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Job) job = NULL;

        next = l->next;
        if (g_hash_table_size(self->running) >= RUNNING_MAX)
            return;
        if (g_hash_table_contains(self->running, ((Job *) l->data)->key))
            continue;
        job = l->data;
        g_queue_delete_link(&self->pending, l);
        job->run = kv_hook_runner_start(self->runner, job->command, on_done, job, &error);
        if (job->run == NULL) {
            kv_log(KV_LOG_WARNING, "hook-failed", job->command->tunnel, job->command->peer, "%s",
                   error->message);
            continue;
        }
        g_hash_table_insert(self->running, job->key, job);
        g_steal_pointer(&job);
    }
}

/* @command: (transfer full) */
static void
queue_command(KvHooks *self, const char *key, KvHookCommand *command)
{
    Job *job;

    if (self->pending.length >= PENDING_MAX) {
        kv_log_limited("hook-queue", KV_LOG_WARNING, "hook-failed", command->tunnel, NULL,
                       "Hook %s is not run: %d are waiting already", command->program, PENDING_MAX);
        kv_hook_command_free(command);
        return;
    }
    job = g_new0(Job, 1);
    job->hooks = self;
    job->key = g_strdup(key);
    job->command = command;
    g_queue_push_tail(&self->pending, job);
    start_ready(self);
}

/* What waits always waits for something that runs. */
static void
tell_if_drained(KvHooks *self)
{
    KvHooksDrained drained = self->drained;

    if (drained == NULL || g_hash_table_size(self->running) > 0)
        return;
    kv_hooks_set_down(self);
    if (g_hash_table_size(self->running) > 0)
        return;
    self->drained = NULL;
    g_clear_handle_id(&self->drain_source, g_source_remove);
    drained(self->drained_data);
}

static void
on_done(KvHookRun *run, const KvHookAnswer *answer, gpointer data)
{
    Job *job = data;
    KvHooks *self = job->hooks;

    g_hash_table_remove(self->running, job->key);
    start_ready(self);
    tell_if_drained(self);
}

static void
drop_pending(KvHooks *self)
{
    if (self->pending.length > 0)
        kv_log(KV_LOG_WARNING, "hook-failed", self->log_name, NULL,
               self->pending.length == 1 ? "%u hook was not run any more"
                                         : "%u hooks were not run any more",
               self->pending.length);
    g_queue_clear_full(&self->pending, (GDestroyNotify) job_free);
}

static void
call_off_running(KvHooks *self)
{
    GHashTableIter iter;
    Job *job;

    g_hash_table_iter_init(&iter, self->running);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &job))
        kv_log(KV_LOG_WARNING, "hook-failed", job->command->tunnel, job->command->peer,
               "Hook %s is called off: the tunnel has to end", job->command->program);
    g_hash_table_remove_all(self->running);
}

static gboolean
drain_step_over(gpointer data)
{
    KvHooks *self = data;

    switch (self->drain_step++) {
    case DRAIN_PENDING:
        drop_pending(self);
        return G_SOURCE_CONTINUE;
    case DRAIN_RUNNING:
        /* Unless it is the last that runs, which has its time until the next step. */
        if (self->is_up)
            call_off_running(self);
        break;
    case DRAIN_LAST:
    default:
        call_off_running(self);
        break;
    }
    tell_if_drained(self);
    return G_SOURCE_CONTINUE;
}

static gboolean
read_command(KvHooks *self, Command *command, const char *line, GError **error)
{
    if (line == NULL)
        return TRUE;
    command->words = kv_hook_command_split(line, error);
    if (command->words == NULL)
        return FALSE;
    command->program = kv_hook_runner_find_program(self->runner, command->words[0], error);
    return command->program != NULL;
}

KvHooks *
kv_hooks_new(KvHookRunner *runner, const KvHooksConfig *config, GError **error)
{
    g_autoptr(KvHooks) self = g_new0(KvHooks, 1);

    self->runner = runner;
    self->log_name = g_strdup(config->log_name);
    g_queue_init(&self->pending);
    self->running = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) job_free);
    if (config->dir != NULL) {
        self->dir = kv_hook_dir_new(config->dir, error);
        if (self->dir == NULL)
            return NULL;
        if (kv_hook_dir_is_missing(self->dir))
            kv_log(KV_LOG_WARNING, NULL, self->log_name, NULL,
                   "hook folder %s is missing: no hooks are run until it is there", config->dir);
    }
    if (config->connected_program != NULL) {
        self->connected_program =
            kv_hook_runner_find_program(runner, config->connected_program, error);
        if (self->connected_program == NULL)
            return NULL;
    }
    if (!read_command(self, &self->up, config->up, error) ||
        !read_command(self, &self->down, config->down, error))
        return NULL;
    return g_steal_pointer(&self);
}

static void
command_clear(Command *command)
{
    g_strfreev(command->words);
    g_free(command->program);
}

void
kv_hooks_free(KvHooks *hooks)
{
    if (hooks == NULL)
        return;
    g_clear_handle_id(&hooks->drain_source, g_source_remove);
    g_queue_clear_full(&hooks->pending, (GDestroyNotify) job_free);
    g_hash_table_unref(hooks->running);
    kv_hook_dir_free(hooks->dir);
    g_free(hooks->log_name);
    g_free(hooks->connected_program);
    command_clear(&hooks->up);
    command_clear(&hooks->down);
    kv_hook_command_free(hooks->when_down);
    g_free(hooks);
}

void
kv_hooks_run(KvHooks *hooks, KvHookEvent event, const char *key, const KvHookInfo *info)
{
    g_autofree char *path = find_program(hooks, event, info);
    g_autofree char *peer = NULL;
    KvHookCommand *command;

    if (path == NULL)
        return;
    peer = kv_text_escape(info->client_id, strlen(info->client_id));
    command = kv_hook_command_new(path, get_log_name(hooks, info->interface_name), peer);
    g_strfreev(command->variables);
    command->variables = build_client_variables(info);
    queue_command(hooks, key, command);
}

void
kv_hooks_set_up(KvHooks *hooks, const KvHookTunnelInfo *info)
{
    KvHookCommand *command;

    if (hooks->is_up)
        return;
    hooks->is_up = TRUE;
    hooks->when_down =
        build_command(&hooks->down, "down", get_log_name(hooks, info->interface_name), info);
    command = build_command(&hooks->up, "up", get_log_name(hooks, info->interface_name), info);
    if (command != NULL)
        queue_command(hooks, KV_HOOKS_KEY_TUNNEL, command);
}

void
kv_hooks_set_down(KvHooks *hooks)
{
    KvHookCommand *command = g_steal_pointer(&hooks->when_down);

    hooks->is_up = FALSE;
    if (command != NULL)
        queue_command(hooks, KV_HOOKS_KEY_TUNNEL, command);
}

void
kv_hooks_drain(KvHooks *hooks, KvHooksDrained done, gpointer data)
{
    g_return_if_fail(hooks->drained == NULL);

    hooks->drained = done;
    hooks->drained_data = data;
    hooks->drain_step = DRAIN_PENDING;
    hooks->drain_source = g_timeout_add(DRAIN_STEP_MS, drain_step_over, hooks);
    tell_if_drained(hooks);
}
