/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn-engine"

#include "kv-tunnel-server-v1.h"

#include "kv-device.h"
#include "kv-ip4.h"
#include "kv-log.h"
#include "kv-rival.h"
#include "kv-tunnel-server-private.h"

/* A client wants what a session that may be dead still holds: the same client, back again. */
typedef struct {
    KvPeer *peer;
    KvRival rival;
} Claim;

static KvTunnelParams *
get_params(KvTunnelServer *self)
{
    return kv_tunnel_get_params((KvTunnel *) self);
}

void
kv_tunnel_server_v1_claim_free(gpointer data)
{
    Claim *claim = data;

    g_object_unref(claim->peer);
    kv_rival_clear(&claim->rival);
    g_free(claim);
}

/* --- answering a client --------------------------------------------------------------------- */

/* A newcomer is among the peers already. */
static gboolean
is_too_many(KvTunnelServer *self)
{
    return g_hash_table_size(self->peers) > get_params(self)->clients_max;
}

static KvAnswerType
lease_address(KvTunnelServer *self, KvPeer *peer)
{
    const KvClientInfo *client = kv_peer_get_client(peer);
    KvLeases *leases = kv_grants_get_leases(self->grants);
    KvIp4 ip = 0;

    if (is_too_many(self))
        return KV_ANSWER_EXHAUSTED;
    switch (client->address_mode) {
    case KV_ADDRESS_MODE_ASSIGNED:
        if (!kv_leases_take_ip4(leases, &ip))
            return KV_ANSWER_EXHAUSTED;
        break;
    case KV_ADDRESS_MODE_CLIENT_SET:
        if (!kv_leases_take_exact_ip4(leases, client->ip))
            return KV_ANSWER_REJECT;
        ip = client->ip;
        break;
    case KV_ADDRESS_MODE_OTHER:
        break;
    }
    kv_peer_set_ip(peer, ip);
    return KV_ANSWER_ACCEPT;
}

static void
log_refusal(KvTunnelServer *self, KvPeer *peer, KvAnswerType type)
{
    char ip[KV_IP4_TEXT_BYTES];

    if (is_too_many(self))
        kv_log_limited("client-refused", KV_LOG_WARNING, "client-refused",
                       kv_tunnel_server_get_log_name(self, NULL), kv_peer_get_label(peer),
                       "client %s at %s refused: there are %u already", kv_peer_get_label(peer),
                       kv_peer_get_remote(peer), get_params(self)->clients_max);
    else if (type == KV_ANSWER_EXHAUSTED)
        kv_log_limited("client-refused", KV_LOG_WARNING, "client-refused",
                       kv_tunnel_server_get_log_name(self, NULL), kv_peer_get_label(peer),
                       "client %s at %s refused: no assignable address is left",
                       kv_peer_get_label(peer), kv_peer_get_remote(peer));
    else
        kv_log_limited("client-refused", KV_LOG_WARNING, "client-refused",
                       kv_tunnel_server_get_log_name(self, NULL), kv_peer_get_label(peer),
                       "client %s at %s refused: address %s is taken or not assignable",
                       kv_peer_get_label(peer), kv_peer_get_remote(peer),
                       kv_ip4_to_string(kv_peer_get_client(peer)->ip, ip));
}

static void
answer_client(KvTunnelServer *self, KvPeer *peer)
{
    KvTunnelParams *params = get_params(self);
    KvAnswer answer = {
        .type = lease_address(self, peer),
        .ip = kv_peer_get_ip(peer),
        .config =
            {
                .vni_mode = params->vni_mode,
                .mtu = params->vni_mtu,
                .full_frame_mtu = params->full_frame_mtu,
                .server_ip = params->local_ip,
                .netmask = params->netmask,
            },
    };

    /* A point-to-point client without an address of its own has no use for ours: the Go client
     * fails on setting a peer address alone. */
    if (params->vni_mode == KV_VNI_MODE_TUN && answer.ip == 0)
        answer.config.server_ip = 0;
    if (answer.type != KV_ANSWER_ACCEPT)
        log_refusal(self, peer, answer.type);
    kv_pump_answer(kv_peer_get_pump(peer), kv_peer_get_link(peer), &answer);
}

/* --- a client that comes back while its earlier session still stands ------------------------ */

static KvPeer *
find_rival(KvTunnelServer *self, KvPeer *peer)
{
    const KvClientInfo *client = kv_peer_get_client(peer);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, self->peers);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        /* Nobody of v1 takes the place of who speaks native. */
        if (value == peer || kv_peer_is_native(value))
            continue;
        if (client->id[0] != '\0' && strcmp(client->id, kv_peer_get_client(value)->id) == 0)
            return value;
        if (client->address_mode == KV_ADDRESS_MODE_CLIENT_SET && client->ip != 0 &&
            client->ip == kv_peer_get_ip(value))
            return value;
    }
    return NULL;
}

static void
start_claim(KvTunnelServer *self, KvPeer *peer, KvPeer *rival)
{
    Claim *claim = g_new0(Claim, 1);

    claim->peer = g_object_ref(peer);
    g_ptr_array_add(self->claims, claim);
    kv_rival_start(&claim->rival, rival);
}

/* The rival lives: the newcomer gets what is left. The rival is dead: it goes first, and the
 * newcomer is answered when its interface is closed (kv_tunnel_server_v1_ended() below). */
void
kv_tunnel_server_v1_link_state(KvTunnelServer *self, const KvPeer *rival,
                               const KvLinkSnapshot *link)
{
    for (guint i = self->claims->len; i-- > 0;) {
        Claim *claim = g_ptr_array_index(self->claims, i);

        if (!claim->rival.asked || claim->rival.peer != rival)
            continue;
        claim->rival.asked = FALSE;
        if (link->last_received > claim->rival.since) {
            answer_client(self, claim->peer);
            g_ptr_array_remove_index(self->claims, i);
        } else {
            kv_pump_drop_link(kv_peer_get_pump(claim->rival.peer), link->id);
        }
    }
}

void
kv_tunnel_server_v1_ended(KvTunnelServer *self, KvPeer *ended)
{
    kv_leases_release_ip4(kv_grants_get_leases(self->grants), kv_peer_get_ip(ended));
    for (guint i = self->claims->len; i-- > 0;) {
        Claim *claim = g_ptr_array_index(self->claims, i);

        if (claim->rival.peer == ended && claim->peer != ended)
            answer_client(self, claim->peer);
        if (claim->rival.peer == ended || claim->peer == ended)
            g_ptr_array_remove_index(self->claims, i);
    }
}

void
kv_tunnel_server_v1_introduced(KvTunnelServer *self, KvPump *pump, KvLinkId link,
                               const KvSockaddr *remote, const KvClientInfo *client)
{
    KvPeer *peer = kv_peer_new(pump, link, remote, client, "v1",
                               kv_cipher_to_string(get_params(self)->cipher));
    KvPeer *rival;

    kv_tunnel_server_add_peer(self, peer);
    rival = find_rival(self, peer);
    if (rival != NULL)
        start_claim(self, peer, rival);
    else
        answer_client(self, peer);
}

/* --- a client's interface ------------------------------------------------------------------- */

static KvTun *
create_device(KvTunnelServer *self, KvPeer *peer, GError **error)
{
    KvTunnelParams *params = get_params(self);
    KvNetlink *netlink = kv_engine_get_netlink(kv_tunnel_get_engine((KvTunnel *) self));
    const KvClientInfo *client = kv_peer_get_client(peer);
    g_autofree char *name = kv_tunnel_server_take_name(self, error);
    gboolean is_tun = params->vni_mode == KV_VNI_MODE_TUN;
    KvDevicePlan plan = {
        .mode = params->vni_mode,
        .name = name,
        .mtu = client->mtu != 0 ? MIN(params->vni_mtu, client->mtu) : params->vni_mtu,
        .local = is_tun ? params->local_ip : 0,
        .peer = is_tun ? kv_peer_get_ip(peer) : 0,
        .bridge = params->bridge,
    };
    KvTun *tun;

    if (name == NULL)
        return NULL;
    tun = kv_device_create(netlink, &plan, error);
    if (tun != NULL)
        kv_peer_set_interface(peer, kv_tun_get_name(tun));
    return tun;
}

void
kv_tunnel_server_v1_ready(KvTunnelServer *self, KvPeer *peer)
{
    g_autoptr(GError) error = NULL;
    KvTun *tun = create_device(self, peer, &error);

    if (tun == NULL) {
        kv_log(KV_LOG_ERROR, "client-failed", kv_tunnel_server_get_log_name(self, NULL),
               kv_peer_get_label(peer), "client %s at %s: no interface for it: %s",
               kv_peer_get_label(peer), kv_peer_get_remote(peer), error->message);
        kv_pump_close_link(kv_peer_get_pump(peer), kv_peer_get_link(peer), KV_CLOSE_NONE);
        return;
    }
    kv_pump_attach(kv_peer_get_pump(peer), kv_peer_get_link(peer), tun);
    kv_tunnel_server_announce_peer(self, peer);
}
