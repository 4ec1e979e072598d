/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-netlink.h"

/* Of routes into a tunnel: before those that desktops and DHCP make, behind those set by hand. */
#define KV_ADDRESSING_METRIC 50

/**
 * KvAddressing:
 *
 * Addresses and routes of both families that a tunnel has set on its interface: just those are
 * changed, and taken away again. Main thread.
 */
typedef struct _KvAddressing KvAddressing;

/* How it is to be. Lists (element-type KvNetwork) are the caller's. */
typedef struct {
    KvVniMode mode;
    const GArray *addresses; /* each with the prefix of its network */
    const GArray *gateways;  /* (nullable): whole addresses, one of a family at most */
    const GArray *routes;    /* networks to be reached through the interface */
    const GArray *endpoints; /* (nullable): whole: where the tunnel's own datagrams go, which no
                                route may lead into the tunnel */
} KvAddressingPlan;

/* @netlink: outlives it; @interface: which need not be there yet. */
KvAddressing *kv_addressing_new(KvNetlink *netlink, const char *interface) KV_MUST_USE;

/* Leaves everything as it is. */
void kv_addressing_free(KvAddressing *addressing);

/**
 * kv_addressing_apply:
 *
 * Changes what differs from what was set last. The interface must be up. A default route becomes
 * two halves, which win over any other one. After an error some of it stands;
 * kv_addressing_clear() takes that away.
 *
 * Errors name interface and value.
 */
gboolean kv_addressing_apply(KvAddressing *addressing, const KvAddressingPlan *plan,
                             GError **error) KV_MUST_USE;

/**
 * kv_addressing_has_returned:
 * @was_down: whether the interface was set down, be it up again by now
 *
 * Returns: %TRUE once, and logs it, when the interface is up after it was set down, which took
 * something of what was set: kv_addressing_apply() sets that again.
 */
gboolean kv_addressing_has_returned(KvAddressing *addressing, gboolean was_down) KV_MUST_USE;

/* Takes away all that was set; what is gone is fine, an interface included. An error is that of
 * the first thing that could not be taken away; all others are. */
gboolean kv_addressing_clear(KvAddressing *addressing, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvAddressing, kv_addressing_free)
