/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-reloader.h"

#include "kv-log.h"

struct _KvReloader {
    GObject parent_instance;
    const KvServices *services;
    KvTunnelSet *set;
};

G_DEFINE_FINAL_TYPE(KvReloader, kv_reloader, G_TYPE_OBJECT)

static guint problems_signal;

static void
kv_reloader_finalize(GObject *object)
{
    g_object_unref(KV_RELOADER(object)->set);
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

static void
down_for_removal(gpointer data)
{
    g_autoptr(KvTunnelObject) tunnel = data;

    kv_tunnel_object_remove(tunnel);
}

/* Keeps @tunnel from being changed while it stops: what is saved then would be nobody's. Returns:
 * FALSE: a change is being saved, after which the tunnel has its file, or is gone anyway. */
static gboolean
begin_end(KvTunnelObject *tunnel, const char *why)
{
    const char *name = kv_tunnel_object_get_name(tunnel);

    if (!kv_tunnel_object_begin_change(tunnel, NULL))
        return FALSE;
    kv_log(KV_LOG_INFO, "delete", name, NULL, "ends: %s", why);
    return TRUE;
}

/* One that makes room for another of its name, which its file describes now. */
typedef struct {
    KvReloader *self;
    KvTunnelObject *tunnel;
} Replacement;

static void
read_again(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (!kv_reloader_run_finish(KV_RELOADER(source), result, &error))
        kv_log(KV_LOG_ERROR, "broken-store", NULL, NULL, "saved tunnels: %s", error->message);
}

static void
down_for_replacement(gpointer data)
{
    g_autofree Replacement *replacement = data;
    g_autoptr(KvReloader) self = replacement->self;
    g_autoptr(KvTunnelObject) tunnel = replacement->tunnel;

    kv_tunnel_object_remove(tunnel);
    kv_reloader_run_async(self, read_again, NULL);
}

static void
replace_tunnel(KvReloader *self, KvTunnelObject *tunnel)
{
    Replacement *replacement;

    if (!begin_end(tunnel, "its file is for the other side now"))
        return;
    replacement = g_new0(Replacement, 1);
    replacement->self = g_object_ref(self);
    replacement->tunnel = g_object_ref(tunnel);
    kv_tunnel_object_stop(tunnel, down_for_replacement, replacement);
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
        if (entry == NULL && !kv_store_contents_has_problem(contents, file)) {
            if (begin_end(tunnel, "its file is gone"))
                kv_tunnel_object_stop(tunnel, down_for_removal, g_object_ref(tunnel));
        } else if (entry != NULL && !has_role_of(entry, tunnel)) {
            replace_tunnel(self, tunnel);
        }
    }
}

/* --- reading -----------------------------------------------------------------------------------
 */

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
    if (tunnel == NULL)
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
    log_problems(contents);
    end_stale(self, contents);
    for (guint i = 0; i < contents->entries->len; i++)
        take_entry(self, contents->entries->pdata[i], refused);
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
