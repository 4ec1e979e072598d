/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-stats.h"
#include "kv-types.h"

#include <glib-object.h>

/**
 * KvPeer:
 *
 * One connected client of a server tunnel, as the outside sees it, from "peer-added" to
 * "peer-removed". What it tells does not change in between, but for kv_peer_get_stats(),
 * kv_peer_get_last_seen(), and what "moved" () follows: kv_peer_get_remote(),
 * kv_peer_get_addresses() and kv_peer_get_id(); after that it tells what was last. Strings are
 * (transfer none) and live until then. Main thread.
 */
#define KV_TYPE_PEER (kv_peer_get_type())
G_DECLARE_FINAL_TYPE(KvPeer, kv_peer, KV, PEER, GObject)

/* (nullable): its client id; of a client with a key the name that the settings give it. */
const char *kv_peer_get_id(KvPeer *peer);

/* "address:port", IPv6 in brackets. */
const char *kv_peer_get_remote(KvPeer *peer);

/* (transfer none) (element-type KvTunnelNetwork): the addresses granted. */
const GArray *kv_peer_get_addresses(KvPeer *peer);

/* (nullable): its interface on this side; never NULL once it was announced. */
const char *kv_peer_get_interface(KvPeer *peer);

/* "v1" or "native" */
const char *kv_peer_get_protocol(KvPeer *peer);

/* As the setting crypt names it. */
const char *kv_peer_get_cipher(KvPeer *peer);

/* CLOCK_REALTIME in microseconds. */
guint64 kv_peer_get_connected_since(KvPeer *peer);

/* The same of the last datagram that made sense, as of the last statistics: see
 * kv_tunnel_get_stats_async(). */
guint64 kv_peer_get_last_seen(KvPeer *peer);

/* Its counters, as of the last statistics. */
const KvStats *kv_peer_get_stats(KvPeer *peer);
