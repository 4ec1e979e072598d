/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel.h"

/**
 * KvTunnelServer:
 *
 * The server role of a tunnel: one pump on each worker, all on one port; addresses, interfaces
 * and hooks of the clients. Made by kv_tunnel_new(). Main thread.
 */
#define KV_TYPE_TUNNEL_SERVER (kv_tunnel_server_get_type())
GType kv_tunnel_server_get_type(void);
