/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-client-object.h"

#include "kv-addresses-variant.h"
#include "kv-call.h"
#include "kv-error.h"
#include "kv-live-skeleton.h"
#include "kv-options.h"
#include "kv-stats-variant.h"

struct _KvClientObject {
    GObject parent_instance;
    const KvServices *services;
    KvTunnel *tunnel;
    KvPeer *peer;
    KvDbusClient1 *skeleton;
    char *path;
    char *tunnel_name;
    gboolean removed;
    GPtrArray *waiting; /* Disconnect() calls to answer when it is gone */
};

G_DEFINE_FINAL_TYPE(KvClientObject, kv_client_object, G_TYPE_OBJECT)

static void
kv_client_object_finalize(GObject *object)
{
    KvClientObject *self = KV_CLIENT_OBJECT(object);

    g_object_unref(self->tunnel);
    g_object_unref(self->peer);
    g_object_unref(self->skeleton);
    g_free(self->path);
    g_free(self->tunnel_name);
    g_ptr_array_unref(self->waiting);
    G_OBJECT_CLASS(kv_client_object_parent_class)->finalize(object);
}

static void
kv_client_object_class_init(KvClientObjectClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_client_object_finalize;
}

static void
kv_client_object_init(KvClientObject *self)
{
    self->skeleton = kv_live_client_new();
    self->waiting = g_ptr_array_new();
}

/* --- Disconnect ----------------------------------------------------------------------------- */

static void
disconnect_allowed(gpointer object, GDBusMethodInvocation *invocation, guint32 uid)
{
    KvClientObject *self = object;

    if (self->removed) {
        g_dbus_method_invocation_return_error(invocation, KV_ERROR, KV_ERROR_NOT_FOUND,
                                              "the client is gone already");
        return;
    }
    g_ptr_array_add(self->waiting, invocation);
    kv_tunnel_disconnect_peer(self->tunnel, self->peer);
}

static gboolean
handle_disconnect(KvDbusClient1 *skeleton, GDBusMethodInvocation *invocation, GVariant *options,
                  gpointer data)
{
    KvClientObject *self = data;
    KvAuthRequest request = {
        .invocation = invocation,
        .tunnel = self->tunnel_name,
        .client = kv_peer_get_id(self->peer),
    };
    GError *error = NULL;

    if (kv_options_check(options, NULL, 0, &error))
        kv_call_run(self->services, self, &request, NULL, disconnect_allowed);
    else
        g_dbus_method_invocation_take_error(invocation, error);
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* --- properties ----------------------------------------------------------------------------- */

void
kv_client_object_update_stats(KvClientObject *self)
{
    kv_dbus_client1_set_last_seen(self->skeleton, kv_peer_get_last_seen(self->peer));
    kv_dbus_client1_set_statistics(self->skeleton,
                                   kv_stats_to_variant(kv_peer_get_stats(self->peer)));
}

typedef struct {
    KvClientObject *client;
    void (*done)(gpointer data);
    gpointer data;
} Refresh;

static void
refreshed(GObject *tunnel, GAsyncResult *result, gpointer data)
{
    g_autofree Refresh *refresh = data;
    KvStats total;

    /* The counters of the clients are new now; those of the tunnel are not asked for here. */
    if (kv_tunnel_get_stats_finish(KV_TUNNEL(tunnel), result, &total, NULL))
        kv_client_object_update_stats(refresh->client);
    refresh->done(refresh->data);
    g_object_unref(refresh->client);
}

static void
refresh_stats(gpointer owner, void (*done)(gpointer data), gpointer data)
{
    KvClientObject *self = owner;
    Refresh *refresh = g_new0(Refresh, 1);

    refresh->client = g_object_ref(self);
    refresh->done = done;
    refresh->data = data;
    kv_tunnel_get_stats_async(self->tunnel, NULL, refreshed, refresh);
}

static void
peer_moved(KvPeer *peer, gpointer data)
{
    KvClientObject *self = data;
    const char *id = kv_peer_get_id(peer);

    kv_dbus_client1_set_id(self->skeleton, id != NULL ? id : "");
    kv_dbus_client1_set_remote_address(self->skeleton, kv_peer_get_remote(peer));
    kv_dbus_client1_set_addresses(self->skeleton,
                                  kv_addresses_to_variant(kv_peer_get_addresses(peer)));
}

static void
fill(KvClientObject *self, const char *tunnel_path)
{
    KvPeer *peer = self->peer;
    const char *id = kv_peer_get_id(peer);
    const char *interface = kv_peer_get_interface(peer);

    kv_dbus_client1_set_id(self->skeleton, id != NULL ? id : "");
    kv_dbus_client1_set_tunnel(self->skeleton, tunnel_path);
    kv_dbus_client1_set_remote_address(self->skeleton, kv_peer_get_remote(peer));
    kv_dbus_client1_set_addresses(self->skeleton,
                                  kv_addresses_to_variant(kv_peer_get_addresses(peer)));
    kv_dbus_client1_set_interface(self->skeleton, interface != NULL ? interface : "");
    kv_dbus_client1_set_protocol(self->skeleton, kv_peer_get_protocol(peer));
    kv_dbus_client1_set_cipher(self->skeleton, kv_peer_get_cipher(peer));
    kv_dbus_client1_set_connected_since(self->skeleton, kv_peer_get_connected_since(peer));
    kv_client_object_update_stats(self);
}

/* --- life ----------------------------------------------------------------------------------- */

KvClientObject *
kv_client_object_new(const KvServices *services, KvTunnel *tunnel, KvPeer *peer, const char *path,
                     const char *tunnel_path, const char *tunnel_name)
{
    static const char *const live[] = {"Statistics", "LastSeen", NULL};
    KvClientObject *self = g_object_new(KV_TYPE_CLIENT_OBJECT, NULL);
    g_autoptr(KvDbusObjectSkeleton) object = kv_dbus_object_skeleton_new(path);

    self->services = services;
    self->tunnel = g_object_ref(tunnel);
    self->peer = g_object_ref(peer);
    self->path = g_strdup(path);
    self->tunnel_name = g_strdup(tunnel_name);
    fill(self, tunnel_path);
    g_signal_connect_object(peer, "moved", G_CALLBACK(peer_moved), self, 0);
    kv_live_skeleton_set_refresh(self->skeleton, live, refresh_stats, self);
    g_signal_connect(self->skeleton, "handle-disconnect", G_CALLBACK(handle_disconnect), self);
    kv_dbus_object_skeleton_set_client1(object, self->skeleton);
    g_dbus_object_manager_server_export(services->objects, G_DBUS_OBJECT_SKELETON(object));
    return self;
}

void
kv_client_object_remove(KvClientObject *self)
{
    self->removed = TRUE;
    kv_live_skeleton_set_refresh(self->skeleton, NULL, NULL, NULL);
    g_signal_handlers_disconnect_by_data(self->skeleton, self);
    g_dbus_object_manager_server_unexport(self->services->objects, self->path);
    for (guint i = 0; i < self->waiting->len; i++)
        kv_dbus_client1_complete_disconnect(self->skeleton, self->waiting->pdata[i]);
    g_ptr_array_set_size(self->waiting, 0);
}

const char *
kv_client_object_get_path(KvClientObject *self)
{
    return self->path;
}

KvPeer *
kv_client_object_get_peer(KvClientObject *self)
{
    return self->peer;
}

GVariant *
kv_client_object_get_stats(KvClientObject *self)
{
    return kv_dbus_client1_get_statistics(self->skeleton);
}
