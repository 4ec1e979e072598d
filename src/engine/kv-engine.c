/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-engine.h"

#include "kv-types.h"

struct _KvEngine {
    grefcount refs;
    KvWorker *workers[KV_WORKERS_MAX];
    KvNetlink *netlink;
    KvHookRunner *hook_runner;
};

KvEngine *
kv_engine_new(GError **error)
{
    g_autoptr(KvNetlink) netlink = kv_netlink_new(error);
    KvEngine *engine;

    if (netlink == NULL)
        return NULL;
    engine = g_new0(KvEngine, 1);
    g_ref_count_init(&engine->refs);
    engine->netlink = g_steal_pointer(&netlink);
    engine->hook_runner = kv_hook_runner_new(NULL);
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
    kv_netlink_free(engine->netlink);
    kv_hook_runner_free(engine->hook_runner);
    g_free(engine);
}

KvWorker *
kv_engine_get_worker(KvEngine *engine, guint index, GError **error)
{
    g_return_val_if_fail(index < KV_WORKERS_MAX, NULL);

    if (engine->workers[index] == NULL) {
        engine->workers[index] = kv_worker_new(index, error);
        if (engine->workers[index] != NULL)
            kv_worker_start(engine->workers[index]);
    }
    return engine->workers[index];
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
