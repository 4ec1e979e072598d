/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-watchers.h"

#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-owner-watch.h"

struct _KvWatchers {
    const KvServices *services;
    GHashTable *by_name; /* unique name: Watcher */
    void (*due)(gpointer data, const char *name, gboolean clients);
    gpointer data;
};

typedef struct {
    KvWatchers *set;
    guint32 uid;
    guint timer;
    gint64 clients_us; /* when it was last told of clients, monotonic */
    KvOwnerWatch *owner;
} Watcher;

static void
watcher_free(gpointer data)
{
    Watcher *watcher = data;

    g_source_remove(watcher->timer);
    kv_owner_watch_free(watcher->owner);
    kv_quota_release(watcher->set->services->quota, watcher->uid, KV_QUOTA_WATCHES);
    g_free(watcher);
}

static void
owner_left(gpointer data)
{
    Watcher *watcher = data;

    g_hash_table_remove(watcher->set->by_name, kv_owner_watch_get_name(watcher->owner));
}

static gboolean
interval_over(gpointer data)
{
    Watcher *watcher = data;
    gint64 now = g_get_monotonic_time();
    gboolean clients = now - watcher->clients_us >= G_USEC_PER_SEC;

    if (clients)
        watcher->clients_us = now;
    watcher->set->due(watcher->set->data, kv_owner_watch_get_name(watcher->owner), clients);
    return G_SOURCE_CONTINUE;
}

static gboolean
check_interval(guint interval_ms, GError **error)
{
    if (interval_ms == 0 ||
        (interval_ms >= KV_DBUS_WATCH_MIN_MS && interval_ms <= KV_DBUS_WATCH_MAX_MS))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                "milliseconds: %u is not allowed; allowed: 0, or %d to %d", interval_ms,
                KV_DBUS_WATCH_MIN_MS, KV_DBUS_WATCH_MAX_MS);
    return FALSE;
}

gboolean
kv_watchers_set(KvWatchers *self, const char *name, guint32 uid, guint interval_ms, GError **error)
{
    Watcher *watcher = g_hash_table_lookup(self->by_name, name);

    if (!check_interval(interval_ms, error))
        return FALSE;
    if (interval_ms == 0) {
        g_hash_table_remove(self->by_name, name);
        return TRUE;
    }
    if (watcher == NULL) {
        if (!kv_quota_hold(self->services->quota, uid, KV_QUOTA_WATCHES, error))
            return FALSE;
        watcher = g_new0(Watcher, 1);
        watcher->set = self;
        watcher->uid = uid;
        watcher->owner = kv_owner_watch_new(self->services->bus, name, owner_left, watcher);
        g_hash_table_insert(self->by_name, g_strdup(name), watcher);
    } else {
        g_source_remove(watcher->timer);
    }
    watcher->timer = g_timeout_add(interval_ms, interval_over, watcher);
    return TRUE;
}

gboolean
kv_watchers_has(const KvWatchers *self, const char *name)
{
    return g_hash_table_contains(self->by_name, name);
}

KvWatchers *
kv_watchers_new(const KvServices *services,
                void (*due)(gpointer data, const char *name, gboolean clients), gpointer data)
{
    KvWatchers *self = g_new0(KvWatchers, 1);

    self->services = services;
    self->due = due;
    self->data = data;
    self->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, watcher_free);
    return self;
}

void
kv_watchers_free(KvWatchers *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref(self->by_name);
    g_free(self);
}
