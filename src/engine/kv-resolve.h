/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-udp.h"

#include <gio/gio.h>

/* Three name servers that are silent take a resolver half of it, as most are set up. */
#define KV_RESOLVE_LIMIT_MS 60000

/* @address: NULL if @error is set. Main thread. */
typedef void (*KvResolveFunc)(const KvSockaddr *address, const GError *error, gpointer data);

/**
 * kv_resolve:
 * @host: an IPv4 or IPv6 address, with or without brackets, or a name
 * @turn: which one of a name's addresses to take, from 0; past the last begins anew
 * @limit_ms: how long a name service may take, as a rule %KV_RESOLVE_LIMIT_MS
 * @cancellable: ends the search at once, with an error, and is cancelled when the limit is over
 *
 * Finds the address of @host; literals need no name service. Of the addresses of a name the IPv4
 * ones count as first, since that is what the Go program takes. @func is called once, from
 * the main loop. Main thread.
 */
void kv_resolve(const char *host, uint16_t port, guint turn, guint limit_ms,
                GCancellable *cancellable, KvResolveFunc func, gpointer data);

/**
 * kv_route_source:
 * @source: (out): the local address packets to @remote leave from now, port 0
 *
 * Returns: %FALSE if there is no route. Any thread.
 */
gboolean kv_route_source(const KvSockaddr *remote, KvSockaddr *source);
