/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer.h"

struct _KvPeer {
    GObject parent_instance;
    KvPump *pump;
    KvLinkId link;
    KvClientInfo client;
    char *remote;
    KvIp4 ip;
    char *interface;
};

G_DEFINE_FINAL_TYPE(KvPeer, kv_peer, G_TYPE_OBJECT)

static void
kv_peer_finalize(GObject *object)
{
    KvPeer *self = KV_PEER(object);

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
}

KvPeer *
kv_peer_new(KvPump *pump, KvLinkId link, const KvSockaddr *remote, const KvClientInfo *client)
{
    KvPeer *self = g_object_new(KV_TYPE_PEER, NULL);

    self->pump = pump;
    self->link = link;
    self->remote = kv_sockaddr_to_string(remote);
    self->client = *client;
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
kv_peer_get_remote(KvPeer *self)
{
    return self->remote;
}

const char *
kv_peer_get_label(KvPeer *self)
{
    return self->client.id[0] != '\0' ? self->client.id : self->remote;
}

KvIp4
kv_peer_get_ip(KvPeer *self)
{
    return self->ip;
}

void
kv_peer_set_ip(KvPeer *self, KvIp4 ip)
{
    self->ip = ip;
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
