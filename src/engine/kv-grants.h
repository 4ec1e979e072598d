/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-key.h"
#include "kv-leases.h"
#include "kv-tunnel-terms.h"
#include "native/kv-native-config.h"

/**
 * KvGrants:
 *
 * What a server gives to the clients of the native protocol: answers what they ask for with a grant
 * or a refusal, and knows whose packets are believed. Clients are known by their key, or else by
 * the id they claim. Main thread.
 */
typedef struct _KvGrants KvGrants;

/* A client that the server knows by its key. */
typedef struct {
    uint8_t public_key[KV_KEY_BYTES];
    const KvNetwork *addresses; /* (array length=n_addresses): whole ones that it has for good */
    guint n_addresses;
    const KvNetwork *allowed_ips; /* (array length=n_allowed_ips): what else lies behind it */
    guint n_allowed_ips;
} KvGrantsPeer;

/* Everything is copied. */
typedef struct {
    KvVniMode mode;
    uint16_t mtu;            /* bytes */
    const KvNetwork *locals; /* (array length=n_locals): the server's own addresses, each with */
    guint n_locals;          /* the prefix of its network */
    const char *pool4;       /* (nullable) */
    const char *pool6;       /* (nullable) */
    gboolean is_classful;    /* the ends of the server's IPv4 network are no addresses of clients */
    const KvTunnelTerms *terms;
} KvGrantsConfig;

/* Who asks. */
typedef struct {
    const uint8_t *public_key; /* (nullable): it has proved to have */
    const char *from;          /* "address:port" */
    gboolean is_apart;         /* another client lives that has this one's id: this one is nobody */
} KvGrantsClient;

KvGrants *kv_grants_new(const KvGrantsConfig *config, GError **error) KV_MUST_USE;
void kv_grants_free(KvGrants *grants);

/* (transfer none): who has which address. */
KvLeases *kv_grants_get_leases(KvGrants *grants);

/* What clients are told from now on; those that were told before learn of it by
 * kv_grants_tell(). */
void kv_grants_set_terms(KvGrants *grants, const KvTunnelTerms *terms);

/* Replaces the clients that are known by key. Who lives keeps its addresses until it goes. */
void kv_grants_set_peers(KvGrants *grants, const KvGrantsPeer *peers, guint n);

/* Whether the owner of @public_key is among them. */
gboolean kv_grants_has_peer(const KvGrants *grants, const uint8_t public_key[KV_KEY_BYTES]);

typedef enum {
    KV_GRANTS_SAME,  /* what the lease has */
    KV_GRANTS_MOVED, /* it has the fixed addresses from now on */
    KV_GRANTS_TAKEN, /* it cannot have them: somebody else lives with one */
} KvGrantsChange;

/* Brings that client's @lease up to the addresses that are fixed for it now. @mtu: bytes, that the
 * client wants; 0: it does not say */
KvGrantsChange kv_grants_refresh(KvGrants *grants, KvLeaseId lease,
                                 const uint8_t public_key[KV_KEY_BYTES], uint16_t mtu) KV_MUST_USE;

/**
 * kv_grants_find_holder:
 *
 * Returns: the lease of the association that @request's client has now, as it says; 0: none.
 */
KvLeaseId kv_grants_find_holder(const KvGrants *grants, const uint8_t *public_key,
                                const char *client_id);

/**
 * kv_grants_answer:
 * @request: what it said of itself
 * @grant: (out): initialised; what to answer, a refusal maybe
 *
 * Returns: the lease that was offered, to be confirmed; 0: refused.
 */
KvLeaseId kv_grants_answer(KvGrants *grants, const KvGrantsClient *client,
                           const KvNativeConfig *request, KvTime now,
                           KvNativeConfig *grant) KV_MUST_USE;

/**
 * kv_grants_repeat:
 *
 * The answer to a client that makes new keys for the association it has: what was granted stays.
 * Returns: %FALSE if there is no such lease.
 */
gboolean kv_grants_repeat(KvGrants *grants, KvLeaseId lease, const KvNativeConfig *request,
                          KvNativeConfig *grant) KV_MUST_USE;

/**
 * kv_grants_tell:
 * @news: initialised; all addresses, gateways, routes, name servers and domains that hold now
 *
 * For a client that was granted @lease before. Returns: %FALSE if there is no such lease.
 */
gboolean kv_grants_tell(const KvGrants *grants, KvLeaseId lease, KvNativeConfig *news) KV_MUST_USE;

/* Makes @grant a refusal. @text: why, a sentence in English. */
void kv_grants_refuse(KvNativeConfig *grant, KvRefusal refusal, const char *text);

/* (transfer full) (element-type KvNetwork): what packets of that client may come from, and which
 * are for it: its addresses, and what lies behind it. @public_key: (nullable) */
GArray *kv_grants_list_networks(const KvGrants *grants, KvLeaseId lease, const uint8_t *public_key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvGrants, kv_grants_free)
