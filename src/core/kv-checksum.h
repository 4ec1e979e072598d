/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

/**
 * The Internet checksum (RFC 1071). A running sum adds 16-bit words in the machine's own byte
 * order, which the checksum allows as long as its result is also stored in that order. Pieces
 * must begin at even offsets of what they are parts of; only the last may have an odd length.
 * Pure; any thread.
 */

/* @sum plus the words of @data; up to 4 GiB may be added in all. */
uint64_t kv_checksum_add(uint64_t sum, const void *data, size_t len);

/* @sum plus one field given as a number. */
static inline uint64_t
kv_checksum_add_u16(uint64_t sum, uint16_t value)
{
    return sum + GUINT16_TO_BE(value);
}

static inline uint64_t
kv_checksum_add_u32(uint64_t sum, uint32_t value)
{
    return sum + GUINT32_TO_BE(value);
}

/* The sum in 16 bits, not inverted: what a partial checksum field holds; all ones over data
 * whose checksum is right. */
static inline uint16_t
kv_checksum_fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t) sum;
}

/* Stores what kv_checksum_fold() returned, or its inverse, in a packet. */
static inline void
kv_checksum_put(uint8_t *field, uint16_t value)
{
    memcpy(field, &value, sizeof value);
}
