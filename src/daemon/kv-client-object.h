/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-services.h"
#include "kv-tunnel.h"

/**
 * KvClientObject:
 *
 * org.kcpvpn.Client1: a KvPeer on the bus. Main thread.
 */
#define KV_TYPE_CLIENT_OBJECT (kv_client_object_get_type())
G_DECLARE_FINAL_TYPE(KvClientObject, kv_client_object, KV, CLIENT_OBJECT, GObject)

/**
 * kv_client_object_new:
 * @path: its own, below @tunnel_path
 * @tunnel_name: what the gate is told
 *
 * Returns: (transfer full): it is on the bus already, with all its properties.
 */
KvClientObject *kv_client_object_new(const KvServices *services, KvTunnel *tunnel, KvPeer *peer,
                                     const char *path, const char *tunnel_path,
                                     const char *tunnel_name) KV_MUST_USE;

/* The client is gone: takes it off the bus, and answers who waited for that. */
void kv_client_object_remove(KvClientObject *client);

/* (transfer none) */
const char *kv_client_object_get_path(KvClientObject *client);
KvPeer *kv_client_object_get_peer(KvClientObject *client);

/* Takes over the peer's counters, as of the last statistics of its tunnel. */
void kv_client_object_update_stats(KvClientObject *client);

/* (transfer none): Client1.Statistics as last taken over. */
GVariant *kv_client_object_get_stats(KvClientObject *client);
