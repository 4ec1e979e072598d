/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-peer.h"
#include "kv-pump.h"

/* What a server tunnel does for clients of v1, each of which has an interface of its own. Main
 * thread. */

typedef struct _KvTunnelServer KvTunnelServer;

/* An element of the server's claims. */
void kv_tunnel_server_v1_claim_free(gpointer claim);

/* KV_EVENT_CLIENT_INFO of a new session. */
void kv_tunnel_server_v1_introduced(KvTunnelServer *self, KvPump *pump, KvLinkId link,
                                    const KvSockaddr *remote, const KvClientInfo *client);

/* KV_EVENT_READY */
void kv_tunnel_server_v1_ready(KvTunnelServer *self, KvPeer *peer);

/* The answer to a question that only this half asks. */
void kv_tunnel_server_v1_link_state(KvTunnelServer *self, const KvPeer *rival,
                                    const KvLinkSnapshot *link);

/* The client's session is over: its address is free. */
void kv_tunnel_server_v1_ended(KvTunnelServer *self, KvPeer *ended);
