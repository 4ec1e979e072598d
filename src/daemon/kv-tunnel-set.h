/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel-object.h"

/**
 * KvTunnelSet:
 *
 * All tunnels there are, by their names. "changed" () tells that there are others now. Main thread.
 */
#define KV_TYPE_TUNNEL_SET (kv_tunnel_set_get_type())
G_DECLARE_FINAL_TYPE(KvTunnelSet, kv_tunnel_set, KV, TUNNEL_SET, GObject)

/* @services: outlives it. */
KvTunnelSet *kv_tunnel_set_new(const KvServices *services) KV_MUST_USE;

/* (transfer none): a new tunnel. It goes from here when it is removed from the bus, which is told;
 * that it came is for the caller to tell, who may add more. */
KvTunnelObject *kv_tunnel_set_add(KvTunnelSet *set, const KvTunnelOrigin *origin);
void kv_tunnel_set_tell(KvTunnelSet *set);

/* (transfer none) (nullable) */
KvTunnelObject *kv_tunnel_set_find(KvTunnelSet *set, const char *name);

/* (transfer full) (element-type KvTunnelObject): all of them with references of their own, oldest
 * first: for loops in which tunnels may go. */
GPtrArray *kv_tunnel_set_copy(KvTunnelSet *set) KV_MUST_USE;

/* Names of tunnels that are still to come: whether @name is one or could become one. A tunnel of it
 * is %KV_ERROR_EXISTS. */
void kv_tunnel_set_reserve(KvTunnelSet *set, const char *name);
void kv_tunnel_set_release(KvTunnelSet *set, const char *name);
gboolean kv_tunnel_set_is_reserved(KvTunnelSet *set, const char *name);
gboolean kv_tunnel_set_check_free(KvTunnelSet *set, const char *name, GError **error) KV_MUST_USE;

/* Stops every tunnel; @done is called once they are down, maybe before this returns. */
void kv_tunnel_set_stop(KvTunnelSet *set, void (*done)(gpointer data), gpointer data);

/* Takes every tunnel from the bus. All must be down. */
void kv_tunnel_set_remove_all(KvTunnelSet *set);
