/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel-params.h"
#include "kv-udp.h"

/* (transfer full): the socket of a tunnel of role peer: at the address and port of its settings, or
 * at all of both families. Errors name what is wrong. */
KvUdp *kv_peer_socket_open(const KvTunnelParams *params, GError **error) KV_MUST_USE;
