/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-engine.h"

#include "kv-types.h"

struct _KvEngine {
    grefcount refs;
    KvWorker *workers[KV_WORKERS_MAX];
    KvNetlink *netlink;
    KvRouteWatch *route_watch;
    KvHookRunner *hook_runner;
    GHashTable *tunnels; /* a tunnel that runs → the function that stops it */
    gboolean is_shutting_down;
    void (*shutdown_done)(gpointer data);
    gpointer shutdown_data;
};

KvEngine *
kv_engine_new(GError **error)
{
    g_autoptr(KvNetlink) netlink = kv_netlink_new(error);
    g_autoptr(KvRouteWatch) route_watch = NULL;
    KvEngine *engine;

    if (netlink == NULL)
        return NULL;
    route_watch = kv_route_watch_new(error);
    if (route_watch == NULL)
        return NULL;
    engine = g_new0(KvEngine, 1);
    g_ref_count_init(&engine->refs);
    engine->netlink = g_steal_pointer(&netlink);
    engine->route_watch = g_steal_pointer(&route_watch);
    engine->hook_runner = kv_hook_runner_new(NULL);
    engine->tunnels = g_hash_table_new(NULL, NULL);
    return engine;
}

KvEngine *
kv_engine_ref(KvEngine *engine)
{
    g_ref_count_inc(&engine->refs);
    return engine;
}

void
kv_engine_unref(KvEngine *engine)
{
    if (engine == NULL || !g_ref_count_dec(&engine->refs))
        return;
    for (guint i = 0; i < KV_WORKERS_MAX; i++)
        g_clear_pointer(&engine->workers[i], kv_worker_free);
    g_hash_table_unref(engine->tunnels);
    kv_route_watch_free(engine->route_watch);
    kv_netlink_free(engine->netlink);
    kv_hook_runner_free(engine->hook_runner);
    g_free(engine);
}

KvWorker *
kv_engine_get_worker(KvEngine *engine, guint index, GError **error)
{
    g_autoptr(KvWorker) worker = NULL;

    g_return_val_if_fail(index < KV_WORKERS_MAX, NULL);
    if (engine->workers[index] != NULL)
        return engine->workers[index];
    worker = kv_worker_new(index, error);
    if (worker == NULL || !kv_worker_start(worker, error))
        return NULL;
    engine->workers[index] = g_steal_pointer(&worker);
    return engine->workers[index];
}

gboolean
kv_engine_add_tunnel(KvEngine *engine, gpointer tunnel, void (*stop)(gpointer tunnel))
{
    if (engine->is_shutting_down)
        return FALSE;
    g_hash_table_insert(engine->tunnels, tunnel, stop);
    return TRUE;
}

static gboolean
tell_shutdown_done(gpointer data)
{
    KvEngine *engine = data;

    engine->shutdown_done(engine->shutdown_data);
    kv_engine_unref(engine);
    return G_SOURCE_REMOVE;
}

/* From the main loop, so that the last tunnel can tell its state first. */
static void
end_shutdown_if_idle(KvEngine *engine)
{
    if (engine->is_shutting_down && g_hash_table_size(engine->tunnels) == 0)
        g_idle_add_full(G_PRIORITY_DEFAULT, tell_shutdown_done, kv_engine_ref(engine), NULL);
}

void
kv_engine_remove_tunnel(KvEngine *engine, gpointer tunnel)
{
    if (g_hash_table_remove(engine->tunnels, tunnel))
        end_shutdown_if_idle(engine);
}

void
kv_engine_shutdown(KvEngine *engine, void (*done)(gpointer data), gpointer data)
{
    g_autofree gpointer *tunnels = NULL;
    guint n;

    g_return_if_fail(!engine->is_shutting_down);
    engine->shutdown_done = done;
    engine->shutdown_data = data;
    tunnels = g_hash_table_get_keys_as_array(engine->tunnels, &n);
    engine->is_shutting_down = TRUE;
    if (n == 0)
        end_shutdown_if_idle(engine);
    for (guint i = 0; i < n; i++) {
        void (*stop)(gpointer tunnel) = g_hash_table_lookup(engine->tunnels, tunnels[i]);

        /* A handler of one may have stopped another, too. */
        if (stop != NULL)
            stop(tunnels[i]);
    }
}

gboolean
kv_engine_is_shutting_down(const KvEngine *engine)
{
    return engine->is_shutting_down;
}

KvRouteWatch *
kv_engine_get_route_watch(KvEngine *engine)
{
    return engine->route_watch;
}

KvNetlink *
kv_engine_get_netlink(KvEngine *engine)
{
    return engine->netlink;
}

KvHookRunner *
kv_engine_get_hook_runner(KvEngine *engine)
{
    return engine->hook_runner;
}

void
kv_engine_use_hook_helper(KvEngine *engine, const char *socket_path)
{
    kv_hook_runner_free(engine->hook_runner);
    engine->hook_runner = kv_hook_runner_new(socket_path);
}
