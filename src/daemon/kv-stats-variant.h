/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel.h"

/* (transfer floating): a{sv} of all counters, by the keys that org.kcpvpn.Tunnel1.Statistics
 * documents; what cannot be known is left out. Pure. */
GVariant *kv_stats_to_variant(const KvStats *stats);

/* (transfer floating): the same with "clients", for a server. */
GVariant *kv_stats_to_server_variant(const KvStats *stats, guint clients);
