/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-event.h"
#include "kv-leases.h"
#include "kv-peer.h"
#include "kv-pump.h"

/* What the tunnel of a peer needs to know of it, and tells it. */

/* @protocol and @cipher are static. */
KvPeer *kv_peer_new(KvPump *pump, KvLinkId link, const KvSockaddr *remote,
                    const KvClientInfo *client, const char *protocol,
                    const char *cipher) KV_MUST_USE;

KvPump *kv_peer_get_pump(KvPeer *peer);
KvLinkId kv_peer_get_link(KvPeer *peer);
/* (transfer none): what the client said of itself. */
const KvClientInfo *kv_peer_get_client(KvPeer *peer);
/* (transfer none): a name for logs: the client id, or else the address. */
const char *kv_peer_get_label(KvPeer *peer);

/* (nullable): what it is known by, in the place of what it said: "moved" follows, if it was
 * announced. */
void kv_peer_set_id(KvPeer *peer, const char *id);

/* Native: (nullable) (array fixed-size=32): the key it has proved to have. */
void kv_peer_set_public_key(KvPeer *peer, const uint8_t *public_key);
const uint8_t *kv_peer_get_public_key(KvPeer *peer);

gboolean kv_peer_is_native(KvPeer *peer);

/* Native: 0: none. */
void kv_peer_set_lease(KvPeer *peer, KvLeaseId lease);
KvLeaseId kv_peer_get_lease(KvPeer *peer);

/* It is elsewhere: "moved" follows, if it was announced. */
void kv_peer_set_remote(KvPeer *peer, const KvSockaddr *remote);

/* @addresses: (array length=n): whole ones, in the place of those before: "moved" follows, if it
 * was announced. */
void kv_peer_set_addresses(KvPeer *peer, const KvNetwork *addresses, guint n);

/* The only address, of IPv4; 0: none. */
void kv_peer_set_ip(KvPeer *peer, KvIp4 ip);
/* Of IPv4; 0: none. */
KvIp4 kv_peer_get_ip(KvPeer *peer);
void kv_peer_set_interface(KvPeer *peer, const char *name);

/* It is to be announced: the time it is connected since. */
void kv_peer_set_connected(KvPeer *peer);
/* Whether the above was called. */
gboolean kv_peer_is_connected(KvPeer *peer);

void kv_peer_update(KvPeer *peer, const KvLinkSnapshot *snapshot);
