/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer.h"

#include "kv-clock.h"
#include "kv-peer-private.h"
#include "kv-tunnel-details.h"

struct _KvPeer {
    GObject parent_instance;
    KvPump *pump;
    KvLinkId link;
    KvClientInfo client;
    const char *protocol;
    const char *cipher;
    char *remote;
    GArray *addresses; /* of KvTunnelNetwork */
    char *interface;
    guint64 connected_since;
    guint64 last_seen;
    KvStats stats;
};

G_DEFINE_FINAL_TYPE(KvPeer, kv_peer, G_TYPE_OBJECT)

static void
kv_peer_finalize(GObject *object)
{
    KvPeer *self = KV_PEER(object);

    g_array_unref(self->addresses);
    g_free(self->remote);
    g_free(self->interface);
    G_OBJECT_CLASS(kv_peer_parent_class)->finalize(object);
}

static void
kv_peer_class_init(KvPeerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_peer_finalize;
}

static void
kv_peer_init(KvPeer *self)
{
    self->addresses = g_array_new(FALSE, FALSE, sizeof(KvTunnelNetwork));
}

KvPeer *
kv_peer_new(KvPump *pump, KvLinkId link, const KvSockaddr *remote, const KvClientInfo *client,
            const char *protocol, const char *cipher)
{
    KvPeer *self = g_object_new(KV_TYPE_PEER, NULL);

    self->pump = pump;
    self->link = link;
    self->remote = kv_sockaddr_to_string(remote);
    self->client = *client;
    self->protocol = protocol;
    self->cipher = cipher;
    return self;
}

KvPump *
kv_peer_get_pump(KvPeer *self)
{
    return self->pump;
}

KvLinkId
kv_peer_get_link(KvPeer *self)
{
    return self->link;
}

const KvClientInfo *
kv_peer_get_client(KvPeer *self)
{
    return &self->client;
}

const char *
kv_peer_get_id(KvPeer *self)
{
    return self->client.id[0] != '\0' ? self->client.id : NULL;
}

const char *
kv_peer_get_remote(KvPeer *self)
{
    return self->remote;
}

const char *
kv_peer_get_label(KvPeer *self)
{
    return self->client.id[0] != '\0' ? self->client.id : self->remote;
}

const GArray *
kv_peer_get_addresses(KvPeer *self)
{
    return self->addresses;
}

KvIp4
kv_peer_get_ip(KvPeer *self)
{
    return self->addresses->len > 0
               ? kv_network_get_ip4(&g_array_index(self->addresses, KvTunnelNetwork, 0).network)
               : 0;
}

void
kv_peer_set_ip(KvPeer *self, KvIp4 ip)
{
    KvTunnelNetwork address = {0};

    g_array_set_size(self->addresses, 0);
    if (ip == 0)
        return;
    kv_network_set_ip4(&address.network, ip, 32);
    g_array_append_val(self->addresses, address);
}

const char *
kv_peer_get_interface(KvPeer *self)
{
    return self->interface;
}

void
kv_peer_set_interface(KvPeer *self, const char *name)
{
    g_free(self->interface);
    self->interface = g_strdup(name);
}

const char *
kv_peer_get_protocol(KvPeer *self)
{
    return self->protocol;
}

const char *
kv_peer_get_cipher(KvPeer *self)
{
    return self->cipher;
}

guint64
kv_peer_get_connected_since(KvPeer *self)
{
    return self->connected_since;
}

void
kv_peer_set_connected(KvPeer *self)
{
    self->connected_since = kv_clock_to_realtime(kv_clock_now());
    self->last_seen = self->connected_since;
}

gboolean
kv_peer_is_connected(KvPeer *self)
{
    return self->connected_since != 0;
}

guint64
kv_peer_get_last_seen(KvPeer *self)
{
    return self->last_seen;
}

const KvStats *
kv_peer_get_stats(KvPeer *self)
{
    return &self->stats;
}

void
kv_peer_update(KvPeer *self, const KvLinkSnapshot *snapshot)
{
    self->stats = snapshot->stats;
    self->last_seen = kv_clock_to_realtime(snapshot->last_received);
}
