/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-network.h"
#include "kv-settings.h"

/**
 * KvTunnelTerms:
 *
 * On which terms a server has native clients: what it tells them of the network, and whether they
 * reach one another. They may change while it runs. Read by any thread.
 */
typedef struct {
    GArray *routes; /* of KvNetwork */
    GArray *dns;    /* of KvNetwork, whole addresses */
    char **domains; /* those for routing only begin with "~" */
    gboolean client_to_client;
} KvTunnelTerms;

/* (transfer full): of a server's settings; empty ones of others. */
KvTunnelTerms *kv_tunnel_terms_new(const KvSettings *settings) KV_MUST_USE;
KvTunnelTerms *kv_tunnel_terms_copy(const KvTunnelTerms *terms) KV_MUST_USE;
void kv_tunnel_terms_free(KvTunnelTerms *terms);

/* Whether all is the same, in the same order. */
gboolean kv_tunnel_terms_equal(const KvTunnelTerms *a, const KvTunnelTerms *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTunnelTerms, kv_tunnel_terms_free)
