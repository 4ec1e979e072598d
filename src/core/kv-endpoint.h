/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

/* Where datagrams come from and go to: an IPv6 address, or an IPv4 one mapped into it. */
typedef struct {
    uint8_t ip[16];
    uint32_t scope; /* interface of a link-local address, else 0 */
    uint16_t port;  /* host byte order */
} KvEndpoint;

static inline gboolean
kv_endpoint_equal(const KvEndpoint *a, const KvEndpoint *b)
{
    return a->port == b->port && a->scope == b->scope && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}
