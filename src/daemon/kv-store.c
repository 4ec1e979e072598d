/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-store.h"

#include "kv-error.h"
#include "kv-secret.h"
#include "kv-store-folder.h"
#include "kv-thread.h"

#include <string.h>

#define ADMIN_VARIABLE "CONFIGURATION_DIRECTORY"
#define ADMIN_DEFAULT  "/etc/kcpvpn"
#define OWN_VARIABLE   "STATE_DIRECTORY"
#define OWN_DEFAULT    "/var/lib/kcpvpn"

/* A tunnel's file, as far as the store knows. */
typedef struct {
    char *path;
    gboolean read_only;
    gboolean broken; /* since it was read last */
} KnownFile;

struct _KvStore {
    GObject parent;
    char *admin_folder;
    char *own_folder;
    GHashTable *files; /* name -> KnownFile */
    GQueue jobs;       /* (element-type Job): waiting */
    gboolean busy;     /* with the one before them */
};

G_DEFINE_FINAL_TYPE(KvStore, kv_store, G_TYPE_OBJECT)

/* Something to do with the disk, owned by its task. What the thread uses is nobody else's then. */
typedef struct _Job {
    /* On the main thread, when its turn has come; FALSE ends it. */
    gboolean (*prepare)(KvStore *store, struct _Job *job, GError **error);
    /* In a thread; @store's folders alone do not change. */
    gboolean (*run)(KvStore *store, struct _Job *job, GError **error);
    /* On the main thread, if that went well. */
    void (*done)(KvStore *store, struct _Job *job, GTask *task);
    char *name;
    char *path;
    char *text; /* wiped */
    gboolean must_be_new;
    gboolean admin_read;
    gboolean own_read;
    KvStoreContents *contents;
    gboolean good; /* what run() returned */
    GError *error;
} Job;

static void
contents_destroy(gpointer contents)
{
    kv_store_contents_free(contents);
}

static void
known_free(gpointer data)
{
    KnownFile *file = data;

    g_free(file->path);
    g_free(file);
}

static void
know_file(GHashTable *files, const char *name, const char *path, gboolean read_only,
          gboolean broken)
{
    KnownFile *file = g_new0(KnownFile, 1);

    file->path = g_strdup(path);
    file->read_only = read_only;
    file->broken = broken;
    g_hash_table_replace(files, g_strdup(name), file);
}

/* --- one job after the other ------------------------------------------------------------------ */

static void start_next(KvStore *store);

static void
job_free(gpointer data)
{
    Job *job = data;

    kv_secret_wipe_string(job->text);
    g_free(job->text);
    g_free(job->name);
    g_free(job->path);
    kv_store_contents_free(job->contents);
    g_clear_error(&job->error);
    g_free(job);
}

static void
run_job(gpointer data)
{
    Job *job = g_task_get_task_data(data);

    job->good = job->run(g_task_get_source_object(data), job, &job->error);
}

static void
job_ended(gpointer data)
{
    g_autoptr(GTask) task = data;
    KvStore *store = g_task_get_source_object(task);
    Job *job = g_task_get_task_data(task);

    store->busy = FALSE;
    if (job->good)
        job->done(store, job, task);
    else
        g_task_return_error(task, g_steal_pointer(&job->error));
    start_next(store);
}

static void
start_next(KvStore *store)
{
    while (!store->busy && !g_queue_is_empty(&store->jobs)) {
        g_autoptr(GTask) task = g_queue_pop_head(&store->jobs);
        Job *job = g_task_get_task_data(task);
        GError *error = NULL;

        if (g_task_return_error_if_cancelled(task))
            continue;
        if (!job->prepare(store, job, &error) || !kv_thread_run(run_job, job_ended, task, &error)) {
            g_task_return_error(task, error);
            continue;
        }
        store->busy = TRUE;
        g_steal_pointer(&task);
    }
}

/* Takes @task and @job. */
static void
add_job(KvStore *store, GTask *task, Job *job)
{
    /* What was begun is finished: a half-known outcome would help nobody. */
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_task_data(task, job, job_free);
    g_queue_push_tail(&store->jobs, task);
    start_next(store);
}

/* --- load ------------------------------------------------------------------------------------- */

static gboolean
prepare_load(KvStore *store, Job *job, GError **error)
{
    job->contents = kv_store_contents_new();
    return TRUE;
}

static gboolean
run_load(KvStore *store, Job *job, GError **error)
{
    job->admin_read = kv_store_folder_read(store->admin_folder, TRUE, job->contents);
    job->own_read = kv_store_folder_read(store->own_folder, FALSE, job->contents);
    return TRUE;
}

/* Keeps in mind whose file a broken one was, and blames it if its whole folder was not read. */
static void
keep_broken(const Job *job, GHashTable *old, GHashTable *files)
{
    GHashTableIter iter;
    const char *name;
    const KnownFile *file;

    g_hash_table_iter_init(&iter, old);
    while (g_hash_table_iter_next(&iter, (gpointer *) &name, (gpointer *) &file)) {
        if (g_hash_table_contains(files, name))
            continue;
        if (!(file->read_only ? job->admin_read : job->own_read))
            kv_store_contents_add_problem(job->contents, file->path, 0,
                                          g_strdup("its folder could not be read"));
        if (kv_store_contents_has_problem(job->contents, file->path))
            know_file(files, name, file->path, file->read_only, TRUE);
    }
}

static GHashTable *
files_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
}

static void
done_load(KvStore *store, Job *job, GTask *task)
{
    g_autoptr(GHashTable) old = g_steal_pointer(&store->files);

    store->files = files_new();
    for (guint i = 0; i < job->contents->entries->len; i++) {
        const KvStoreEntry *entry = g_ptr_array_index(job->contents->entries, i);

        know_file(store->files, kv_settings_get_string(entry->settings, KV_SETTING_NAME),
                  entry->path, entry->read_only, FALSE);
    }
    keep_broken(job, old, store->files);
    g_task_return_pointer(task, g_steal_pointer(&job->contents), contents_destroy);
}

void
kv_store_load_async(KvStore *store, GCancellable *cancellable, GAsyncReadyCallback callback,
                    gpointer data)
{
    Job *job = g_new0(Job, 1);

    job->prepare = prepare_load;
    job->run = run_load;
    job->done = done_load;
    add_job(store, g_task_new(store, cancellable, callback, data), job);
}

KvStoreContents *
kv_store_load_finish(KvStore *store, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, store), NULL);
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* --- save ------------------------------------------------------------------------------------- */

static gboolean
check_not_read_only(const KnownFile *file, GError **error)
{
    if (file == NULL || !file->read_only)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_READ_ONLY,
                "%s is the administrator's: edit it there and reload", file->path);
    return FALSE;
}

static gboolean
prepare_save(KvStore *store, Job *job, GError **error)
{
    const KnownFile *file = g_hash_table_lookup(store->files, job->name);
    g_autofree char *base = g_strconcat(job->name, KV_STORE_SUFFIX, NULL);

    if (!check_not_read_only(file, error))
        return FALSE;
    if (file != NULL && file->broken) {
        g_set_error(error, KV_ERROR, KV_ERROR_WRONG_STATE,
                    "%s is broken: mend it and reload, or delete the tunnel", file->path);
        return FALSE;
    }
    job->must_be_new = file == NULL;
    job->path =
        file != NULL ? g_strdup(file->path) : g_build_filename(store->own_folder, base, NULL);
    return TRUE;
}

static gboolean
run_save(KvStore *store, Job *job, GError **error)
{
    return kv_store_folder_write(job->path, job->text, job->must_be_new, error);
}

static void
done_save(KvStore *store, Job *job, GTask *task)
{
    know_file(store->files, job->name, job->path, FALSE, FALSE);
    g_task_return_pointer(task, g_steal_pointer(&job->path), g_free);
}

void
kv_store_save_async(KvStore *store, const KvSettings *settings, GCancellable *cancellable,
                    GAsyncReadyCallback callback, gpointer data)
{
    const char *name = kv_settings_get_string(settings, KV_SETTING_NAME);
    Job *job;

    g_return_if_fail(name != NULL);
    job = g_new0(Job, 1);
    job->prepare = prepare_save;
    job->run = run_save;
    job->done = done_save;
    job->name = g_strdup(name);
    job->text = kv_settings_to_data(settings, TRUE);
    add_job(store, g_task_new(store, cancellable, callback, data), job);
}

char *
kv_store_save_finish(KvStore *store, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, store), NULL);
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* --- delete ----------------------------------------------------------------------------------- */

static gboolean
prepare_delete(KvStore *store, Job *job, GError **error)
{
    const KnownFile *file = g_hash_table_lookup(store->files, job->name);

    if (file == NULL) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, "\"%s\" is not a saved tunnel", job->name);
        return FALSE;
    }
    if (!check_not_read_only(file, error))
        return FALSE;
    job->path = g_strdup(file->path);
    return TRUE;
}

static gboolean
run_delete(KvStore *store, Job *job, GError **error)
{
    return kv_store_folder_delete(job->path, error);
}

static void
done_delete(KvStore *store, Job *job, GTask *task)
{
    g_hash_table_remove(store->files, job->name);
    g_task_return_boolean(task, TRUE);
}

void
kv_store_delete_async(KvStore *store, const char *name, GCancellable *cancellable,
                      GAsyncReadyCallback callback, gpointer data)
{
    Job *job = g_new0(Job, 1);

    job->prepare = prepare_delete;
    job->run = run_delete;
    job->done = done_delete;
    job->name = g_strdup(name);
    add_job(store, g_task_new(store, cancellable, callback, data), job);
}

gboolean
kv_store_delete_finish(KvStore *store, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, store), FALSE);
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* --- life ------------------------------------------------------------------------------------- */

KvStore *
kv_store_new(const char *admin_folder, const char *own_folder)
{
    KvStore *store = g_object_new(KV_TYPE_STORE, NULL);

    store->admin_folder = g_strdup(admin_folder);
    store->own_folder = g_strdup(own_folder);
    return store;
}

/* (transfer full): the first of the folders that systemd names, which has ":" between them. */
static char *
folder_from_environment(const char *variable, const char *fallback)
{
    const char *value = g_getenv(variable);

    if (value == NULL || value[0] != '/')
        return g_strdup(fallback);
    return g_strndup(value, strcspn(value, ":"));
}

char *
kv_store_get_own_folder(void)
{
    return folder_from_environment(OWN_VARIABLE, OWN_DEFAULT);
}

KvStore *
kv_store_new_from_environment(void)
{
    g_autofree char *admin = folder_from_environment(ADMIN_VARIABLE, ADMIN_DEFAULT);
    g_autofree char *own = kv_store_get_own_folder();

    return kv_store_new(admin, own);
}

static void
kv_store_finalize(GObject *object)
{
    KvStore *store = KV_STORE(object);

    /* A job holds a reference, so none is left. */
    g_hash_table_unref(store->files);
    g_free(store->admin_folder);
    g_free(store->own_folder);
    G_OBJECT_CLASS(kv_store_parent_class)->finalize(object);
}

static void
kv_store_class_init(KvStoreClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_store_finalize;
}

static void
kv_store_init(KvStore *store)
{
    store->files = files_new();
    g_queue_init(&store->jobs);
}
