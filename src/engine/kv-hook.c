/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook.h"

#include "kv-error.h"
#include "kv-hook-dir.h"
#include "kv-hook-process.h"
#include "kv-ip4.h"
#include "kv-log.h"

#include <string.h>

#define RUNNING_MAX 32
#define PENDING_MAX 1024

/* Time for what still waits to be started, once nothing new comes. */
#define DRAIN_MS KV_HOOK_TIME_LIMIT_MS

struct _KvHooks {
    KvHookDir *dir;
    char *connected_program;
    GQueue pending;         /* of Job, oldest first */
    GHashTable *running;    /* key → Job, which owns the key */
    KvHooksDrained drained; /* draining: whom to tell */
    gpointer drained_data;
    guint drain_source;
};

typedef struct {
    KvHooks *hooks;
    char *key;
    char *path;
    char **envp;
    char *tunnel;
    char *peer;
    KvHookProcess *process;
} Job;

static void
job_free(Job *job)
{
    kv_hook_process_free(job->process);
    g_free(job->key);
    g_free(job->path);
    g_strfreev(job->envp);
    g_free(job->tunnel);
    g_free(job->peer);
    g_free(job);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

static char **
build_environment(const KvHookInfo *info)
{
    GStrv envp = g_new0(char *, 7);
    char ip[KV_IP4_TEXT_BYTES];

    envp[0] = g_strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    envp[1] = g_strconcat("KV_CLIENT_ID=", info->client_id, NULL);
    envp[2] = g_strconcat("KV_VNI_INTERFACE_NAME=", info->interface_name, NULL);
    envp[3] = g_strconcat("KV_CLIENT_IP=", kv_ip4_to_string(info->client_ip, ip), NULL);
    envp[4] = g_strdup_printf("KV_CLIENT_IP_MODE=%d", info->address_mode);
    envp[5] = g_strconcat("KV_REMOTE_ADDR=", info->remote_addr, NULL);
    return envp;
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
        kv_log_limited("hook-folder", KV_LOG_WARNING, "hook-failed", info->interface_name, NULL,
                       "%s", error->message);
    return path;
}

/* Runs what may run now. Of one key the oldest comes first, as the queue is in order and a key
 * that runs is passed over. */
static void
start_ready(KvHooks *self, KvHookProcessDone on_done)
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
        if (kv_hook_check_program(job->path, &error))
            job->process = kv_hook_process_start(job->path, job->envp, KV_HOOK_TIME_LIMIT_MS,
                                                 job->tunnel, job->peer, on_done, job, &error);
        if (job->process == NULL) {
            kv_log(KV_LOG_WARNING, "hook-failed", job->tunnel, job->peer, "%s", error->message);
            continue;
        }
        g_hash_table_insert(self->running, job->key, job);
        g_steal_pointer(&job);
    }
}

/* What waits always waits for something that runs. */
static void
tell_if_drained(KvHooks *self)
{
    KvHooksDrained drained = self->drained;

    if (drained == NULL || g_hash_table_size(self->running) > 0)
        return;
    self->drained = NULL;
    g_clear_handle_id(&self->drain_source, g_source_remove);
    drained(self->drained_data);
}

static void
on_done(KvHookProcess *process, gpointer data)
{
    Job *job = data;
    KvHooks *self = job->hooks;

    g_hash_table_remove(self->running, job->key);
    start_ready(self, on_done);
    tell_if_drained(self);
}

static gboolean
drop_pending(gpointer data)
{
    KvHooks *self = data;

    self->drain_source = 0;
    if (self->pending.length > 0)
        kv_log(KV_LOG_WARNING, "hook-failed", NULL, NULL, "%u hooks were not run any more",
               self->pending.length);
    g_queue_clear_full(&self->pending, (GDestroyNotify) job_free);
    return G_SOURCE_REMOVE;
}

KvHooks *
kv_hooks_new(const char *dir, const char *connected_program, GError **error)
{
    g_autoptr(KvHooks) self = g_new0(KvHooks, 1);

    g_queue_init(&self->pending);
    self->running = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) job_free);
    if (dir != NULL) {
        self->dir = kv_hook_dir_new(dir, error);
        if (self->dir == NULL)
            return NULL;
    }
    if (connected_program != NULL) {
        self->connected_program = strchr(connected_program, '/') != NULL
                                      ? g_canonicalize_filename(connected_program, NULL)
                                      : g_find_program_in_path(connected_program);
        if (self->connected_program == NULL) {
            g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND,
                        "Cannot use hook %s: there is no such program in PATH", connected_program);
            return NULL;
        }
        if (!kv_hook_check_program(self->connected_program, error))
            return NULL;
    }
    return g_steal_pointer(&self);
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
    g_free(hooks->connected_program);
    g_free(hooks);
}

void
kv_hooks_run(KvHooks *hooks, KvHookEvent event, const char *key, const KvHookInfo *info)
{
    g_autofree char *path = find_program(hooks, event, info);
    Job *job;

    if (path == NULL)
        return;
    if (hooks->pending.length >= PENDING_MAX) {
        kv_log_limited("hook-queue", KV_LOG_WARNING, "hook-failed", info->interface_name, NULL,
                       "Hook %s is not run: %d are waiting already", path, PENDING_MAX);
        return;
    }
    job = g_new0(Job, 1);
    job->hooks = hooks;
    job->key = g_strdup(key);
    job->path = g_steal_pointer(&path);
    job->envp = build_environment(info);
    job->tunnel = g_strdup(info->interface_name);
    job->peer = kv_log_escape(info->client_id, strlen(info->client_id));
    g_queue_push_tail(&hooks->pending, job);
    start_ready(hooks, on_done);
}

void
kv_hooks_drain(KvHooks *hooks, KvHooksDrained done, gpointer data)
{
    g_return_if_fail(hooks->drained == NULL);

    hooks->drained = done;
    hooks->drained_data = data;
    hooks->drain_source = g_timeout_add(DRAIN_MS, drop_pending, hooks);
    tell_if_drained(hooks);
}
