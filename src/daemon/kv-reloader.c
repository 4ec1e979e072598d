/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-reloader.h"

#include "kv-log.h"

struct _KvReloader {
    GObject parent_instance;
    const KvServices *services;
    KvTunnelSet *set;
    GHashTable *ending; /* names of tunnels that stop and go; value: read again afterwards */
};

G_DEFINE_FINAL_TYPE(KvReloader, kv_reloader, G_TYPE_OBJECT)

static guint problems_signal;

static void
kv_reloader_finalize(GObject *object)
{
    KvReloader *self = KV_RELOADER(object);

    g_object_unref(self->set);
    g_hash_table_unref(self->ending);
    G_OBJECT_CLASS(kv_reloader_parent_class)->finalize(object);
}

static void
kv_reloader_class_init(KvReloaderClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_reloader_finalize;
    problems_signal = g_signal_new("problems", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_VARIANT);
}

static void
kv_reloader_init(KvReloader *self)
{
    self->ending = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

KvReloader *
kv_reloader_new(const KvServices *services, KvTunnelSet *set)
{
    KvReloader *self = g_object_new(KV_TYPE_RELOADER, NULL);

    self->services = services;
    self->set = g_object_ref(set);
    return self;
}

/* --- problems -------------------------------------------------------------------------------- */

static GVariant *
make_problems(const KvStoreContents *contents, GPtrArray *refused)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sus)"));
    for (guint i = 0; i < contents->problems->len; i++) {
        const KvStoreProblem *problem = contents->problems->pdata[i];

        g_variant_builder_add(&builder, "(sus)", problem->path, problem->line, problem->message);
    }
    for (guint i = 0; i < refused->len; i++) {
        const KvStoreEntry *entry = refused->pdata[i];

        g_variant_builder_add(&builder, "(sus)", entry->path, 0,
                              "a transient tunnel has this name; it is read at the next Reload "
                              "after that has gone");
    }
    return g_variant_builder_end(&builder);
}

static void
log_problems(const KvStoreContents *contents)
{
    for (guint i = 0; i < contents->problems->len; i++) {
        const KvStoreProblem *problem = contents->problems->pdata[i];

        if (problem->line > 0)
            kv_log(KV_LOG_ERROR, "broken-file", NULL, NULL, "%s:%u: %s", problem->path,
                   problem->line, problem->message);
        else
            kv_log(KV_LOG_ERROR, "broken-file", NULL, NULL, "%s: %s", problem->path,
                   problem->message);
    }
}

/* --- tunnels that end ---------------------------------------------------------------------------
 */

/* A tunnel that stops, and goes when it is down. */
typedef struct {
    KvReloader *self;
    KvTunnelObject *tunnel;
} Ending;

static void
read_again(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (!kv_reloader_run_finish(KV_RELOADER(source), result, &error))
        kv_log(KV_LOG_ERROR, "broken-store", NULL, NULL, "saved tunnels: %s", error->message);
}

static void
down(gpointer data)
{
    g_autofree Ending *ending = data;
    g_autoptr(KvReloader) self = ending->self;
    g_autoptr(KvTunnelObject) tunnel = ending->tunnel;
    const char *name = kv_tunnel_object_get_name(tunnel);
    gboolean again = GPOINTER_TO_INT(g_hash_table_lookup(self->ending, name));

    g_hash_table_remove(self->ending, name);
    kv_tunnel_object_remove(tunnel);
    if (again)
        kv_reloader_run_async(self, read_again, NULL);
}

/* Nothing of @tunnel is saved while it stops, as it would be nobody's. A change that is being saved
 * comes before: after that the tunnel has its file, or is gone anyway. */
static void
end_tunnel(KvReloader *self, KvTunnelObject *tunnel, const char *why)
{
    const char *name = kv_tunnel_object_get_name(tunnel);
    Ending *ending;

    if (!kv_tunnel_object_begin_change(tunnel, NULL))
        return;
    kv_log(KV_LOG_INFO, "delete", name, NULL, "ends: %s", why);
    g_hash_table_insert(self->ending, g_strdup(name), GINT_TO_POINTER(FALSE));
    ending = g_new0(Ending, 1);
    ending->self = g_object_ref(self);
    ending->tunnel = g_object_ref(tunnel);
    kv_tunnel_object_stop(tunnel, down, ending);
}

static gboolean
has_role_of(const KvStoreEntry *entry, KvTunnelObject *tunnel)
{
    return kv_settings_get_role(entry->settings) ==
           kv_settings_get_role(kv_tunnel_object_get_settings(tunnel));
}

/* Saved tunnels whose file is gone, or is now for the other side. */
static void
end_stale(KvReloader *self, const KvStoreContents *contents)
{
    g_autoptr(GPtrArray) tunnels = kv_tunnel_set_copy(self->set);

    for (guint i = 0; i < tunnels->len; i++) {
        KvTunnelObject *tunnel = tunnels->pdata[i];
        const char *file = kv_tunnel_object_get_file(tunnel);
        const KvStoreEntry *entry =
            kv_store_contents_find(contents, kv_tunnel_object_get_name(tunnel));

        if (file == NULL)
            continue;
        if (entry == NULL && !kv_store_contents_has_problem(contents, file))
            end_tunnel(self, tunnel, "its file is gone");
        else if (entry != NULL && !has_role_of(entry, tunnel))
            end_tunnel(self, tunnel, "its file is for the other side now");
    }
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* What cannot be meant is a mistake in the file, which leaves its tunnel as it is: that may run,
 * and with clients. A new one is told when it is started. */
static void
find_mistakes(KvReloader *self, KvStoreContents *contents)
{
    for (guint i = 0; i < contents->entries->len; i++) {
        const KvStoreEntry *entry = contents->entries->pdata[i];
        const char *name = kv_settings_get_string(entry->settings, KV_SETTING_NAME);
        KvTunnelObject *tunnel = kv_tunnel_set_find(self->set, name);
        g_autoptr(GError) error = NULL;

        if (tunnel != NULL && kv_tunnel_object_get_file(tunnel) != NULL &&
            has_role_of(entry, tunnel) && !kv_settings_validate_saved(entry->settings, &error))
            kv_store_contents_add_problem(contents, entry->path, 0, g_strdup(error->message));
    }
}

/* @refused: gets what cannot be taken. */
static void
take_entry(KvReloader *self, const KvStoreEntry *entry, GPtrArray *refused)
{
    const char *name = kv_settings_get_string(entry->settings, KV_SETTING_NAME);
    KvTunnelObject *tunnel = kv_tunnel_set_find(self->set, name);
    KvTunnelOrigin origin = {
        .settings = entry->settings, .file = entry->path, .read_only = entry->read_only};

    if (kv_tunnel_set_is_reserved(self->set, name))
        return;
    /* The next tunnel of this name, which has to wait for the one that stops. */
    if (g_hash_table_contains(self->ending, name))
        g_hash_table_insert(self->ending, g_strdup(name), GINT_TO_POINTER(TRUE));
    else if (tunnel == NULL)
        kv_tunnel_set_add(self->set, &origin);
    else if (kv_tunnel_object_get_file(tunnel) == NULL)
        g_ptr_array_add(refused, (gpointer) entry);
    else if (has_role_of(entry, tunnel))
        kv_tunnel_object_set_settings(tunnel, entry->settings, entry->path, entry->read_only);
}

static void
loaded(GObject *store, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    KvReloader *self = g_task_get_source_object(task);
    GError *error = NULL;
    g_autoptr(KvStoreContents) contents = kv_store_load_finish(KV_STORE(store), result, &error);
    g_autoptr(GPtrArray) refused = g_ptr_array_new();
    g_autoptr(GVariant) problems = NULL;

    if (contents == NULL) {
        g_task_return_error(task, error);
        return;
    }
    find_mistakes(self, contents);
    log_problems(contents);
    end_stale(self, contents);
    for (guint i = 0; i < contents->entries->len; i++) {
        const KvStoreEntry *entry = contents->entries->pdata[i];

        if (!kv_store_contents_has_problem(contents, entry->path))
            take_entry(self, entry, refused);
    }
    kv_tunnel_set_tell(self->set);
    problems = g_variant_ref_sink(make_problems(contents, refused));
    g_signal_emit(self, problems_signal, 0, problems);
    g_task_return_boolean(task, TRUE);
}

void
kv_reloader_run_async(KvReloader *self, GAsyncReadyCallback callback, gpointer data)
{
    kv_store_load_async(self->services->store, NULL, loaded,
                        g_task_new(self, NULL, callback, data));
}

gboolean
kv_reloader_run_finish(KvReloader *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
