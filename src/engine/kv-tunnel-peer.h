/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel.h"

/**
 * KvTunnelPeer:
 *
 * The peer role of a tunnel: one interface, and behind it others that know each other's public
 * keys. A packet for one that is not there begins a handshake, if it is known where to. Made by
 * kv_tunnel_new(). Main thread.
 */
#define KV_TYPE_TUNNEL_PEER (kv_tunnel_peer_get_type())
GType kv_tunnel_peer_get_type(void);
