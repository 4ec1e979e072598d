/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-event.h"
#include "kv-netlink.h"
#include "kv-sockaddr.h"
#include "native/kv-native-config.h"

/**
 * KvClientGrant:
 *
 * What a native server has granted to a client, and what of it stands on the client's interface.
 * Main thread.
 */
typedef struct _KvClientGrant KvClientGrant;

/* @netlink: outlives it */
KvClientGrant *kv_client_grant_new(KvNetlink *netlink, const char *interface) KV_MUST_USE;

/* Leaves the interface as it is. */
void kv_client_grant_free(KvClientGrant *grant);

/* The server said this: all that counts from now on. */
void kv_client_grant_take(KvClientGrant *grant, const KvNativeConfig *said);

/* Leaves IPv6 out, and logs that, on a machine where no interface has it, if there is IPv4 to go on
 * with. Where any has, traffic might leave beside the tunnel: there it stays an error. */
void kv_client_grant_fit_machine(KvClientGrant *grant);

/* (transfer none): the same; empty before. */
const KvNativeConfig *kv_client_grant_get(const KvClientGrant *grant);

/* The IPv4 part of it as v1 would tell it, %KV_EVENT_CONFIGURED. */
void kv_client_grant_fill_event(const KvClientGrant *grant, KvEvent *event);

/**
 * kv_client_grant_apply:
 * @remote: where the server is, which no route may lead into the tunnel
 * @with_routes: else addresses alone
 *
 * Sets addresses and routes on the interface, which is up, and takes away those it has set before.
 */
gboolean kv_client_grant_apply(KvClientGrant *grant, const KvSockaddr *remote, gboolean with_routes,
                               GError **error) KV_MUST_USE;

/* As kv_addressing_has_returned(). */
gboolean kv_client_grant_has_returned(KvClientGrant *grant, gboolean was_down) KV_MUST_USE;

/* Takes away all that it has set; what cannot be is logged. */
void kv_client_grant_clear(KvClientGrant *grant);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvClientGrant, kv_client_grant_free)
