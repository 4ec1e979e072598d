/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-endpoint.h"

#include <glib.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/**
 * KvSockaddr:
 *
 * An IPv4 or IPv6 address with a port. An IPv4 peer of a socket bound to :: has a mapped IPv6
 * address and stays that way; only its text is that of IPv4.
 */
typedef union {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} KvSockaddr;

socklen_t kv_sockaddr_get_length(const KvSockaddr *address);

/* Whether it is 0.0.0.0 or ::. */
gboolean kv_sockaddr_is_wildcard(const KvSockaddr *address);

/* Family, address, port and, of IPv6, scope. */
gboolean kv_sockaddr_equal(const KvSockaddr *a, const KvSockaddr *b);

/* The same as core knows it, where IPv4 is always mapped. */
void kv_sockaddr_to_endpoint(const KvSockaddr *address, KvEndpoint *endpoint);

/* The way back. @family: of the socket that it is for; an AF_INET one knows mapped addresses only.
 */
void kv_sockaddr_from_endpoint(KvSockaddr *address, const KvEndpoint *endpoint, sa_family_t family);

/* (transfer full): "192.0.2.1:1235", "[2001:db8::1]:1235" or, of one link only,
 * "[fe80::1%eth0]:1235", the number of an interface that is gone standing for its name. */
char *kv_sockaddr_to_string(const KvSockaddr *address);
