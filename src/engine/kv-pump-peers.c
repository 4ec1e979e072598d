/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-dial.h"
#include "kv-pump-message.h"
#include "kv-pump-private.h"

#include <string.h>

/* --- on the worker: datagrams ----------------------------------------------------------------- */

KvLink *
kv_pump_peers_find(KvPump *pump, const KvUdpDatagram *datagram)
{
    KvNativeDoorEntry *entry;
    KvEndpoint from;

    kv_sockaddr_to_endpoint(&datagram->path->remote, &from);
    entry = kv_native_door_find_at(pump->door, &from);
    return entry != NULL ? kv_link_from_door_entry(entry) : NULL;
}

void
kv_pump_peers_answer(KvPump *pump, const KvNativeRequest *request, KvTime now)
{
    KvNativeDoorEntry *entry = kv_native_door_find_peer(pump->door, request->remote_public);
    g_auto(KvNativeConfig) grant = {0};
    uint8_t answer[KV_INITIATION_MAX];
    KvUdpPath path;
    size_t len;

    kv_native_config_init(&grant);
    if (entry != NULL)
        kv_native_answer(kv_link_get_native(kv_link_from_door_entry(entry)), request->config,
                         &grant);
    else
        grant.refusal = KV_REFUSED_NOW;
    len = kv_native_door_grant(pump->door, request->id, &grant, now, answer, &path);
    if (len > 0)
        kv_pump_send(pump, &path, answer, len);
}

void
kv_pump_peers_take_keys(KvPump *pump, KvNativeDoorNews *news, const KvUdpDatagram *datagram,
                        KvTime now)
{
    KvLink *link;

    /* It was forgotten after it was answered. */
    if (news->entry == NULL) {
        kv_native_keys_clear(&news->keys);
        return;
    }
    link = kv_link_from_door_entry(news->entry);
    kv_link_add_keys(link, &news->keys, datagram, now);
    kv_pump_native_note_sessions(pump, link);
}

void
kv_pump_peers_note_place(KvPump *pump, KvLink *link)
{
    const KvEndpoint *place = kv_native_get_remote(kv_link_get_native(link));

    if (place->port != 0)
        kv_native_door_place(pump->door, kv_link_get_door_entry(link), place);
}

/* --- on the worker: what the main thread asks for ------------------------------------------- */

static void
worker_add_peer(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvTime now = kv_worker_get_now(worker);
    KvUdpPath path = {0};
    KvNative *native;
    KvLink *link;

    if (pump->door == NULL)
        return;
    kv_pump_native_replace(pump, message->peer.public, now);
    message->peer.psk = message->psk;
    path.remote.sa.sa_family = kv_udp_get_local(pump->udp)->sa.sa_family;
    kv_native_door_admit(pump->door, message->peer.public, message->psk);
    native = kv_native_dial_peer(pump->params, &message->peer, pump->indexes,
                                 kv_worker_get_pool(worker), &pump->random, now);
    link = kv_pump_add_link(pump, message->link, kv_session_new_native(native), &path, now);
    kv_link_keep_secret(link, g_steal_pointer(&message->psk));
    kv_native_door_add_peer(pump->door, kv_link_get_door_entry(link), message->peer.public);
}

static void
worker_call(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvLink *link = kv_pump_find_link(pump, message->link);
    KvEndpoint place;

    if (link == NULL || kv_link_has_ended(link))
        return;
    kv_link_call(link, &message->remote, kv_worker_get_now(worker));
    if (pump->door == NULL)
        return;
    kv_sockaddr_to_endpoint(&message->remote, &place);
    kv_native_door_place(pump->door, kv_link_get_door_entry(link), &place);
}

/* --- public --------------------------------------------------------------------------------- */

KvLinkId
kv_pump_add_peer(KvPump *pump, const KvPumpPeer *peer)
{
    KvPumpMessage *message = kv_pump_message_new(pump, ++pump->next_id);
    KvLinkId id = message->link;

    message->peer = *peer;
    if (peer->psk != NULL)
        message->psk = kv_secret_copy(peer->psk);
    kv_worker_send(pump->worker, worker_add_peer, message);
    return id;
}

void
kv_pump_call(KvPump *pump, KvLinkId link, const KvSockaddr *remote)
{
    KvPumpMessage *message = kv_pump_message_new(pump, link);

    message->remote = *remote;
    kv_worker_send(pump->worker, worker_call, message);
}
