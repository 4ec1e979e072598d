/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

#include <stddef.h>

#define KV_MSS_LEAST 536 /* bytes that every TCP takes, RFC 9293; less is never asked for */

/**
 * kv_mss_clamp:
 * @packet: (array length=len): an inner packet, hostile, its checksum complete; changed in place
 * @packet_max: the length that its answers should not exceed, bytes of the inner packet, with the
 *   Ethernet header in TAP
 *
 * If it opens a TCP connection, and says that its sender takes longer segments than fit, says less
 * instead. Options that make no sense are left as they are, and so are fragments. Any thread.
 *
 * Returns: whether it was changed.
 */
gboolean kv_mss_clamp(KvVniMode mode, uint8_t *packet, size_t len, guint packet_max);
