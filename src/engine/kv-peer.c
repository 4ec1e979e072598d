/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer.h"

#include "kv-clock.h"
#include "kv-peer-private.h"
#include "kv-tunnel-details.h"

#include <string.h>

struct _KvPeer {
    GObject parent_instance;
    KvPump *pump;
    KvLinkId link;
    KvClientInfo client;
    char *id; /* (nullable) */
    gboolean has_public_key;
    uint8_t public_key[KV_KEY_BYTES];
    KvLeaseId lease;
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

static guint moved_signal;

static void
kv_peer_finalize(GObject *object)
{
    KvPeer *self = KV_PEER(object);

    g_array_unref(self->addresses);
    g_free(self->id);
    g_free(self->remote);
    g_free(self->interface);
    G_OBJECT_CLASS(kv_peer_parent_class)->finalize(object);
}

static void
kv_peer_class_init(KvPeerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_peer_finalize;
    moved_signal = g_signal_new("moved", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 0);
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
    self->id = client->id[0] != '\0' ? g_strdup(client->id) : NULL;
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
    return self->id;
}

const char *
kv_peer_get_remote(KvPeer *self)
{
    return self->remote;
}

const char *
kv_peer_get_label(KvPeer *self)
{
    return self->id != NULL ? self->id : self->remote;
}

void
kv_peer_set_public_key(KvPeer *self, const uint8_t *public_key)
{
    self->has_public_key = public_key != NULL;
    if (public_key != NULL)
        memcpy(self->public_key, public_key, sizeof self->public_key);
}

const uint8_t *
kv_peer_get_public_key(KvPeer *self)
{
    return self->has_public_key ? self->public_key : NULL;
}

gboolean
kv_peer_is_native(KvPeer *self)
{
    return strcmp(self->protocol, "native") == 0;
}

void
kv_peer_set_lease(KvPeer *self, KvLeaseId lease)
{
    self->lease = lease;
}

KvLeaseId
kv_peer_get_lease(KvPeer *self)
{
    return self->lease;
}

static void
tell_move(KvPeer *self)
{
    if (kv_peer_is_connected(self))
        g_signal_emit(self, moved_signal, 0);
}

void
kv_peer_set_id(KvPeer *self, const char *id)
{
    g_free(self->id);
    self->id = g_strdup(id);
    tell_move(self);
}

void
kv_peer_set_remote(KvPeer *self, const KvSockaddr *remote)
{
    g_free(self->remote);
    self->remote = kv_sockaddr_to_string(remote);
    tell_move(self);
}

const GArray *
kv_peer_get_addresses(KvPeer *self)
{
    return self->addresses;
}

void
kv_peer_set_addresses(KvPeer *self, const KvNetwork *addresses, guint n)
{
    g_array_set_size(self->addresses, 0);
    for (guint i = 0; i < n; i++) {
        KvTunnelNetwork whole = {.network = addresses[i]};

        g_array_append_val(self->addresses, whole);
    }
    tell_move(self);
}

KvIp4
kv_peer_get_ip(KvPeer *self)
{
    for (guint i = 0; i < self->addresses->len; i++) {
        const KvNetwork *address = &g_array_index(self->addresses, KvTunnelNetwork, i).network;

        if (!address->is_ip6)
            return kv_network_get_ip4(address);
    }
    return 0;
}

void
kv_peer_set_ip(KvPeer *self, KvIp4 ip)
{
    KvNetwork address;

    kv_network_set_ip4(&address, ip, 32);
    kv_peer_set_addresses(self, &address, ip != 0 ? 1 : 0);
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
