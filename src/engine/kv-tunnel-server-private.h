/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-grants.h"
#include "kv-hook.h"
#include "kv-peer-private.h"
#include "kv-tunnel-private.h"
#include "kv-tunnel-server-native.h"
#include "kv-vni-names.h"

/* What a server is for clients of either protocol, and what both halves of it share. */
struct _KvTunnelServer {
    KvTunnel parent_instance;
    KvGrants *grants;
    KvHooks *hooks;
    GPtrArray *pumps;             /* KvPump, until each said it is gone */
    GHashTable *peers;            /* by pump and link → KvPeer */
    GPtrArray *claims;            /* of v1 */
    KvTunnelServerNative *native; /* (nullable): the native protocol is not spoken */
    KvPeerList *known;            /* clients with keys */
    KvTunnelTerms *terms;         /* (nullable): those of now, in the place of the parameters' */
    KvVniNames vni_names;
    GCancellable *resolving; /* while the name service is asked */
    GError *failure;
};

typedef struct _KvTunnelServer KvTunnelServer;

/* (nullable). @peer: (nullable): whose interface tells servers without a name apart */
const char *kv_tunnel_server_get_log_name(KvTunnelServer *self, KvPeer *peer);

/* (transfer none) (nullable) */
KvPeer *kv_tunnel_server_find_peer(KvTunnelServer *self, KvPump *pump, KvLinkId link);

/* @peer: (transfer full): of whom nobody hears before kv_tunnel_server_announce_peer(). */
void kv_tunnel_server_add_peer(KvTunnelServer *self, KvPeer *peer);

/* (transfer none): those of now. */
const KvTunnelTerms *kv_tunnel_server_get_terms(KvTunnelServer *self);

/* Whether no further client has room. */
gboolean kv_tunnel_server_is_full(KvTunnelServer *self);

/* Everything of @peer is in place: log, hook, and whoever watches. */
void kv_tunnel_server_announce_peer(KvTunnelServer *self, KvPeer *peer);

/* Everything of @peer is in place for other addresses: it has these (array length=n) from now on.
 * If it was announced, hooks are told that it left with the former ones. */
void kv_tunnel_server_readdress_peer(KvTunnelServer *self, KvPeer *peer, const KvNetwork *addresses,
                                     guint n);

/* (transfer full) (nullable): a name for an interface that nobody has. */
char *kv_tunnel_server_take_name(KvTunnelServer *self, GError **error) KV_MUST_USE;
