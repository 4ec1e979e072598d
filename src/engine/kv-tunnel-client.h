/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel.h"

/**
 * KvTunnelClient:
 *
 * The client role of a tunnel: finds the server, connects, makes the interface, and connects
 * again with back-off after a loss while the interface stays. Made by kv_tunnel_new(). Main
 * thread.
 */
#define KV_TYPE_TUNNEL_CLIENT (kv_tunnel_client_get_type())
GType kv_tunnel_client_get_type(void);
