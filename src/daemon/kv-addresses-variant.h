/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* What the bus tells of inner addresses. Pure; everything (transfer floating). */

/* The property "Addresses", aa{sv}. @addresses: (element-type KvTunnelNetwork) */
GVariant *kv_addresses_to_variant(const GArray *addresses);

/* The property "Routes", aa{sv}. @routes: (element-type KvTunnelNetwork) */
GVariant *kv_routes_to_variant(const GArray *routes);

/* The property "Dns", a{sv}. @servers: (element-type KvNetwork); @domains: of text */
GVariant *kv_dns_to_variant(const GArray *servers, const GPtrArray *domains);
