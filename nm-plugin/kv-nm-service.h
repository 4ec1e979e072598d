/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <NetworkManager.h>

/**
 * KvNmService:
 *
 * What NetworkManager calls: NMVpnServicePlugin over one transient tunnel of org.kcpvpn at a time.
 * NetworkManager sees one lasting connection: reconnects happen in the daemon, and what the server
 * changes meanwhile is told again. Main thread.
 */
#define KV_TYPE_NM_SERVICE (kv_nm_service_get_type())
/* KV_NM_SERVICE is the bus name. */
G_DECLARE_FINAL_TYPE(KvNmService, kv_nm_service, KV, NM_SERVICE_PLUGIN, NMVpnServicePlugin)

/**
 * kv_nm_service_new:
 * @bus_name: to own on the system bus
 * @watch_peer: whether to disconnect when the caller, NetworkManager, leaves the bus
 *
 * Returns: (transfer full): a service that can be called. %NULL: no bus, or the name is refused.
 */
KvNmService *kv_nm_service_new(const char *bus_name, gboolean watch_peer,
                               GError **error) KV_MUST_USE;

/* Ends what runs, if anything does. */
void kv_nm_service_stop(KvNmService *self);
