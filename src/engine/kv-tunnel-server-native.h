/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-peer-list.h"
#include "kv-peer.h"
#include "kv-pump.h"

/**
 * KvTunnelServerNative:
 *
 * What a server tunnel does for clients of the native protocol: answers them, gives them addresses,
 * and joins them to the one interface they share. It belongs to a KvTunnelServer, which knows all
 * clients of either protocol. Main thread.
 */
typedef struct _KvTunnelServerNative KvTunnelServerNative;

typedef struct _KvTunnelServer KvTunnelServer;

KvTunnelServerNative *kv_tunnel_server_native_new(KvTunnelServer *server) KV_MUST_USE;

/* The interface must have come back, or not have been made. */
void kv_tunnel_server_native_free(KvTunnelServerNative *self);

/**
 * kv_tunnel_server_native_start:
 * @pump: where the clients are; from here on they are let in
 * @needs_interface: %FALSE: it is made when the first client comes
 *
 * Errors: the interface cannot be made.
 */
gboolean kv_tunnel_server_native_start(KvTunnelServerNative *self, KvPump *pump,
                                       gboolean needs_interface, GError **error) KV_MUST_USE;

/* Takes away what it has set beside the interface; nobody is let in any more. */
void kv_tunnel_server_native_stop(KvTunnelServerNative *self);

/* (transfer none) (nullable): the interface that all share, when there is one. */
const char *kv_tunnel_server_native_get_interface(const KvTunnelServerNative *self);

/* Links, addresses or routes of this machine are other ones: what went with the interface that all
 * share, when that was set down, comes again. */
void kv_tunnel_server_native_note_network(KvTunnelServerNative *self);

/* Who may come from now on, with what is theirs: who may not any more is disconnected. */
void kv_tunnel_server_native_set_peers(KvTunnelServerNative *self, const KvPeerList *peers);

/* The server has other terms: clients that are there are told. */
void kv_tunnel_server_native_take_terms(KvTunnelServerNative *self);

/* The pump's callbacks of the same names hand over to these. */
void kv_tunnel_server_native_requested(KvTunnelServerNative *self, const KvPumpRequest *request);
void kv_tunnel_server_native_confirmed(KvTunnelServerNative *self, KvLinkId link, uint32_t id);
void kv_tunnel_server_native_ready(KvTunnelServerNative *self, KvPeer *peer);
void kv_tunnel_server_native_moved(KvTunnelServerNative *self, KvPeer *peer,
                                   const KvSockaddr *remote);
void kv_tunnel_server_native_link_state(KvTunnelServerNative *self, KvPeer *peer,
                                        const KvLinkSnapshot *snapshot);

/* The client's session is over: its addresses are free. */
void kv_tunnel_server_native_ended(KvTunnelServerNative *self, KvPeer *peer);
