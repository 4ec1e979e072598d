/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

/* (transfer floating): the property "Addresses", aa{sv}, of one IPv4 address; empty if @ip is 0;
 * without "peer" if @peer is 0. Pure. */
GVariant *kv_addresses_to_variant(KvIp4 ip, guint prefix, KvIp4 peer);
