/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-ecn.h"
#include "kv-types.h"

#include <stddef.h>

#define KV_FLOW_KEY_BYTES 16 /* of the hash */

/**
 * kv_flow_hash:
 * @packet: (array length=len): an inner packet, hostile
 * @key: (array fixed-size=16): random, so that nobody outside can aim at another's place
 *
 * Returns: the same number for all packets of a flow: addresses, protocol and, of TCP and UDP, the
 * ports. Fragments are told apart by their addresses alone, frames that hold no IP by their
 * Ethernet addresses. Any thread.
 */
uint64_t kv_flow_hash(KvVniMode mode, const uint8_t *packet, size_t len,
                      const uint8_t key[KV_FLOW_KEY_BYTES]);

/**
 * kv_flow_get_ecn:
 * @headers: (array length=len): the beginning of an inner packet
 *
 * Returns: its ECN field; %KV_ECN_NOT_ECT if that is no IP packet, or its header is not whole.
 */
KvEcn kv_flow_get_ecn(KvVniMode mode, const uint8_t *headers, size_t len);

/**
 * kv_flow_mark_ce:
 * @headers: (array length=len): the beginning of an inner packet, changed in place
 *
 * Marks the packet as having met congestion (RFC 3168) if its sender understands that.
 *
 * Returns: %FALSE if it does not: then only a drop tells it.
 */
gboolean kv_flow_mark_ce(KvVniMode mode, uint8_t *headers, size_t len);

/**
 * kv_flow_take_ecn:
 * @headers: (array length=len): the beginning of an inner packet, changed in place
 * @outer: with which its datagram came
 *
 * What the path said of the datagram goes on to the packet (RFC 6040, 4.2).
 *
 * Returns: %FALSE if only a drop tells it.
 */
gboolean kv_flow_take_ecn(KvVniMode mode, uint8_t *headers, size_t len, KvEcn outer);
