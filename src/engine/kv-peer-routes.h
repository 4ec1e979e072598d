/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-peer-settings.h"
#include "kv-sockaddr.h"

/* Routes to what lies behind a peer. Any thread. */

/* (transfer full) (element-type KvNetwork): what is reached through @peer: its allowed-ips and its
 * routes. */
GArray *kv_peer_routes_list(const KvPeerSettings *peer) KV_MUST_USE;

/* Whether any of @networks (element-type KvNetwork), of a peer at @place, would swallow the tunnel:
 * @place is in it, or it is a default route, or half of one. */
gboolean kv_peer_routes_depend_on(const GArray *networks, const KvSockaddr *place);

/**
 * kv_peer_routes_add:
 * @networks: (element-type KvNetwork): of a peer
 * @place: (nullable): where it is, or is called
 *
 * Adds them to @routes. A default route waits until @place is known. Where they depend on it, that
 * is added to @endpoints, which are to be kept out of the tunnel.
 */
void kv_peer_routes_add(const GArray *networks, const KvSockaddr *place, GArray *routes,
                        GArray *endpoints);
