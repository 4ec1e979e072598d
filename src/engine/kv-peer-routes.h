/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-addressing.h"
#include "kv-peer-settings.h"
#include "kv-sockaddr.h"

/* Routes to what lies behind a peer. Any thread. */

/* (transfer full) (element-type KvNetwork): what is reached through @peer: its allowed-ips and its
 * routes. */
GArray *kv_peer_routes_list(const KvPeerSettings *peer) KV_MUST_USE;

/* Whether any of @networks (element-type KvNetwork) is a default route, or half of one. */
gboolean kv_peer_routes_have_default(const GArray *networks);

/**
 * kv_peer_routes_add:
 * @networks: (element-type KvNetwork): of a peer
 * @place: (nullable): where it is, or is called
 *
 * Adds them to @routes. A default route waits until @place is known, which becomes the endpoint
 * that @plan keeps out of the tunnel.
 */
void kv_peer_routes_add(const GArray *networks, const KvSockaddr *place, KvAddressingPlan *plan,
                        GArray *routes);
