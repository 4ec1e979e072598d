/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-set.h"

#include "kv-error.h"

struct _KvTunnelSet {
    GObject parent_instance;
    const KvServices *services;
    GPtrArray *tunnels; /* KvTunnelObject, oldest first */
    GHashTable *by_name;
    GHashTable *reserved; /* names */
    guint64 last_number;
};

G_DEFINE_FINAL_TYPE(KvTunnelSet, kv_tunnel_set, G_TYPE_OBJECT)

static guint changed_signal;

static void
kv_tunnel_set_finalize(GObject *object)
{
    KvTunnelSet *self = KV_TUNNEL_SET(object);

    g_ptr_array_unref(self->tunnels);
    g_hash_table_unref(self->by_name);
    g_hash_table_unref(self->reserved);
    G_OBJECT_CLASS(kv_tunnel_set_parent_class)->finalize(object);
}

static void
kv_tunnel_set_class_init(KvTunnelSetClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_tunnel_set_finalize;
    changed_signal = g_signal_new("changed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
kv_tunnel_set_init(KvTunnelSet *self)
{
    self->tunnels = g_ptr_array_new_with_free_func(g_object_unref);
    self->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    self->reserved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

KvTunnelSet *
kv_tunnel_set_new(const KvServices *services)
{
    KvTunnelSet *self = g_object_new(KV_TYPE_TUNNEL_SET, NULL);

    self->services = services;
    return self;
}

void
kv_tunnel_set_tell(KvTunnelSet *self)
{
    g_signal_emit(self, changed_signal, 0);
}

static void
tunnel_removed(KvTunnelObject *tunnel, gpointer data)
{
    KvTunnelSet *self = data;

    g_hash_table_remove(self->by_name, kv_tunnel_object_get_name(tunnel));
    g_ptr_array_remove(self->tunnels, tunnel);
    kv_tunnel_set_tell(self);
}

KvTunnelObject *
kv_tunnel_set_add(KvTunnelSet *self, const KvTunnelOrigin *origin)
{
    KvTunnelObject *tunnel = kv_tunnel_object_new(self->services, origin, ++self->last_number);

    g_signal_connect_object(tunnel, "removed", G_CALLBACK(tunnel_removed), self, 0);
    g_ptr_array_add(self->tunnels, tunnel);
    g_hash_table_insert(self->by_name, (gpointer) kv_tunnel_object_get_name(tunnel), tunnel);
    return tunnel;
}

KvTunnelObject *
kv_tunnel_set_find(KvTunnelSet *self, const char *name)
{
    return g_hash_table_lookup(self->by_name, name);
}

GPtrArray *
kv_tunnel_set_copy(KvTunnelSet *self)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint i = 0; i < self->tunnels->len; i++)
        g_ptr_array_add(copy, g_object_ref(self->tunnels->pdata[i]));
    return copy;
}

void
kv_tunnel_set_reserve(KvTunnelSet *self, const char *name)
{
    g_hash_table_add(self->reserved, g_strdup(name));
}

void
kv_tunnel_set_release(KvTunnelSet *self, const char *name)
{
    g_hash_table_remove(self->reserved, name);
}

gboolean
kv_tunnel_set_is_reserved(KvTunnelSet *self, const char *name)
{
    return g_hash_table_contains(self->reserved, name);
}

gboolean
kv_tunnel_set_check_free(KvTunnelSet *self, const char *name, GError **error)
{
    if (kv_tunnel_set_find(self, name) == NULL && !kv_tunnel_set_is_reserved(self, name))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_EXISTS, "name: there is a tunnel %s already", name);
    return FALSE;
}

typedef struct {
    guint left;
    void (*done)(gpointer data);
    gpointer data;
} StopAll;

static void
one_stopped(gpointer data)
{
    StopAll *all = data;

    if (--all->left > 0)
        return;
    all->done(all->data);
    g_free(all);
}

void
kv_tunnel_set_stop(KvTunnelSet *self, void (*done)(gpointer data), gpointer data)
{
    g_autoptr(GPtrArray) tunnels = kv_tunnel_set_copy(self);
    StopAll *all = g_new0(StopAll, 1);

    all->left = tunnels->len + 1; /* one for this function, so that it is not done too early */
    all->done = done;
    all->data = data;
    for (guint i = 0; i < tunnels->len; i++)
        kv_tunnel_object_stop(tunnels->pdata[i], one_stopped, all);
    one_stopped(all);
}

void
kv_tunnel_set_remove_all(KvTunnelSet *self)
{
    while (self->tunnels->len > 0)
        kv_tunnel_object_remove(self->tunnels->pdata[self->tunnels->len - 1]);
}
