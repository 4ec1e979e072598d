/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

#include <gio/gio.h>

/**
 * KvNmTunnel:
 *
 * A transient tunnel of org.kcpvpn, from its making to its end. It lasts: once it was connected,
 * the daemon connects it again by itself, and if the daemon goes, the tunnel is made anew, as soon
 * as the bus can start one. Main thread, all calls asynchronous but the last.
 */
typedef struct _KvNmTunnel KvNmTunnel;

typedef struct {
    /* It is connected, or was and something about it changed. @properties: a{sv} of Tunnel1. */
    void (*configured)(GVariant *properties, gpointer data);
    /* It is connected no more, and is about to connect again: the network below changed, or the
     * server cannot be reached. Called again after each try in vain. */
    void (*lost)(gpointer data);
    /* It is over, or could not be connected at the first try: close it, here or later. */
    void (*failed)(const GError *error, gpointer data);
} KvNmTunnelEvents;

/**
 * kv_nm_tunnel_new:
 * @settings: of a client, with name and secrets; copied. Without "vni-name" an interface name is
 *     taken that is free
 *
 * Begins to make and start it; NetworkManager, and not the daemon, is to configure the interface.
 * Returns: (transfer full): free with kv_nm_tunnel_close().
 */
KvNmTunnel *kv_nm_tunnel_new(GDBusConnection *bus, const KvSettings *settings,
                             const KvNmTunnelEvents *events, gpointer data) KV_MUST_USE;

/* Ends and frees it; no event comes any more. Waits, up to five seconds, until its interface is
 * gone, as who takes a VPN down expects it. */
void kv_nm_tunnel_close(KvNmTunnel *self);
