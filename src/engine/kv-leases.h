/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-network.h"
#include "kv-time.h"
#include "kv-types.h"

/* How long an offered address waits for its client: a little longer than a handshake that is half
 * open (docs/protocol.md, section 4), whose end is told by message. */
#define KV_LEASES_OFFER_TIME (20 * KV_TIME_S)

/* Offers at once, and addresses remembered for clients that are gone. */
#define KV_LEASES_OFFERS_MAX 512
#define KV_LEASES_KEPT_MAX   KV_CLIENTS_MAX

/**
 * KvLeases:
 *
 * Which client of a server has which addresses: one of each family at most. An address is *offered*
 * to whoever asks, *held* from when the client has proved itself until it goes, and then
 * *kept* for when it comes back, as long as nobody else needs it. What was only offered stands in
 * nobody's way for long: when all others are gone the same address is offered twice, and who
 * proves itself first has it. Main thread.
 */
typedef struct _KvLeases KvLeases;

/* A name that is never reused; 0: none. */
typedef uint64_t KvLeaseId;

/* Indexes of lists by family. */
enum {
    KV_FAMILY_IP4,
    KV_FAMILY_IP6,
    KV_N_FAMILIES,
};

/* Addresses by family; a prefix of 0 is none, else they are whole. */
typedef struct {
    KvNetwork ip[KV_N_FAMILIES];
} KvLeaseAddresses;

/* Whom a lease is for; the caller's. */
typedef struct {
    const char *name;   /* by which the client is known when it comes back; (nullable) */
    const char *from;   /* where it asks from, for those without a name */
    gboolean is_proved; /* nobody else can have that name */
    gboolean has_mtu6;  /* it takes packets as long as IPv6 wants them */
} KvLeaseClient;

typedef enum {
    KV_LEASES_OFFERED,
    KV_LEASES_NONE_LEFT,   /* of a family of which every client is to have one */
    KV_LEASES_NOT_ALLOWED, /* the address that was asked for is taken, or not of the pool */
} KvLeasesOffer;

typedef enum {
    KV_LEASES_HELD,     /* the client has its addresses now */
    KV_LEASES_REPLACES, /* so it has, and another association loses them */
    KV_LEASES_TAKEN,    /* somebody else was faster, or too much time has passed */
} KvLeasesOutcome;

/**
 * kv_leases_new:
 * @pool4: (nullable): as kv_addr_pool_new() takes it
 * @pool6: (nullable): as kv_addr_pool6_new() takes it
 *
 * Errors are those of the pools.
 */
KvLeases *kv_leases_new(const char *pool4, const char *pool6, GError **error) KV_MUST_USE;
void kv_leases_free(KvLeases *leases);

/* Nobody ever gets that address. */
void kv_leases_exclude(KvLeases *leases, const KvNetwork *address);

/**
 * kv_leases_set_fixed:
 * @addresses: (array length=n): whole addresses that only clients of their own get
 *
 * Replaces those set before. Who holds one keeps it until it goes.
 */
void kv_leases_set_fixed(KvLeases *leases, const KvNetwork *addresses, guint n);

/**
 * kv_leases_offer:
 * @fixed: what the client has for good, of each family
 * @wants: (array length=n_wants): whole addresses that it would like, of those without a fixed one
 * @lease: (out): 0 if nothing was offered
 * @addresses: (out): what was offered, if it was; or the one that was not allowed
 *
 * Offers addresses: those fixed, else one it asks for, else those it had, else the lowest free ones
 * of the pools. Without a pool it has none that it does not ask for. The same client that asks
 * again is offered the same.
 */
KvLeasesOffer kv_leases_offer(KvLeases *leases, const KvLeaseClient *client,
                              const KvLeaseAddresses *fixed, const KvNetwork *wants, guint n_wants,
                              KvTime now, KvLeaseId *lease,
                              KvLeaseAddresses *addresses) KV_MUST_USE;

/**
 * kv_leases_confirm:
 * @replaced: (out): whose association has to go, maybe of the same lease; else 0
 *
 * The client that was offered @lease has proved that it is there. What is replaced is not released
 * any more, unless it is the same lease.
 */
KvLeasesOutcome kv_leases_confirm(KvLeases *leases, KvLeaseId lease,
                                  KvLeaseId *replaced) KV_MUST_USE;

/**
 * kv_leases_move:
 * @fixed: what the client that holds @lease has for good; of families without one it keeps what it
 *     has
 *
 * Returns: %FALSE if somebody else has one of them, or nobody may: nothing is changed then.
 */
gboolean kv_leases_move(KvLeases *leases, KvLeaseId lease,
                        const KvLeaseAddresses *fixed) KV_MUST_USE;

/* The client is gone: its addresses are kept for it, if it has a name. Unknown ones are fine. */
void kv_leases_release(KvLeases *leases, KvLeaseId lease);

/* %FALSE if there is no such lease, or it has lost an address since. */
gboolean kv_leases_get(const KvLeases *leases, KvLeaseId lease, KvLeaseAddresses *addresses);

/* The lease that a client with that name holds now; 0: none. */
KvLeaseId kv_leases_find_holder(const KvLeases *leases, const char *name);

/* The same pool for clients of v1: what kv_addr_pool_lease(), _lease_exact() and _release() do, but
 * that addresses kept for others make room. */
gboolean kv_leases_take_ip4(KvLeases *leases, KvIp4 *ip);
gboolean kv_leases_take_exact_ip4(KvLeases *leases, KvIp4 ip);
void kv_leases_release_ip4(KvLeases *leases, KvIp4 ip);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvLeases, kv_leases_free)
