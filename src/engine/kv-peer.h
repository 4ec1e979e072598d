/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-event.h"
#include "kv-pump.h"

#include <glib-object.h>

/**
 * KvPeer:
 *
 * One connected client of a server tunnel, as the outside sees it. Main thread.
 */
#define KV_TYPE_PEER (kv_peer_get_type())
G_DECLARE_FINAL_TYPE(KvPeer, kv_peer, KV, PEER, GObject)

KvPeer *kv_peer_new(KvPump *pump, KvLinkId link, const KvSockaddr *remote,
                    const KvClientInfo *client) KV_MUST_USE;

KvPump *kv_peer_get_pump(KvPeer *peer);
KvLinkId kv_peer_get_link(KvPeer *peer);
/* (transfer none): what the client said of itself. */
const KvClientInfo *kv_peer_get_client(KvPeer *peer);
/* (transfer none): "address:port". */
const char *kv_peer_get_remote(KvPeer *peer);
/* (transfer none): a name for logs: the client id, or else the address. */
const char *kv_peer_get_label(KvPeer *peer);

/* The address granted, 0 for none. */
KvIp4 kv_peer_get_ip(KvPeer *peer);
void kv_peer_set_ip(KvPeer *peer, KvIp4 ip);

/* (transfer none) (nullable): its interface on this side, once it has one. */
const char *kv_peer_get_interface(KvPeer *peer);
void kv_peer_set_interface(KvPeer *peer, const char *name);
