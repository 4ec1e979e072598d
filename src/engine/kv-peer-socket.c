/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer-socket.h"

#include "kv-error.h"

#include <gio/gio.h>

KvUdp *
kv_peer_socket_open(const KvTunnelParams *params, GError **error)
{
    KvUdpConfig config = {
        .no_fragments = TRUE,
        .tells_marks = TRUE,
        .dscp = params->dscp,
        .socket_buffer = params->socket_buffer,
    };
    KvUdp *udp;

    if (params->host != NULL) {
        g_autoptr(GSocketAddress) address =
            g_inet_socket_address_new_from_string(params->host, params->port);

        if (address == NULL ||
            !g_socket_address_to_native(address, &config.local, sizeof config.local, NULL)) {
            g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                        "ip: \"%s\" is not allowed for a peer; allowed: an IPv4 or IPv6 address",
                        params->host);
            return NULL;
        }
        return kv_udp_open(&config, error);
    }
    config.local.v6 =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = g_htons(params->port)};
    udp = kv_udp_open(&config, NULL);
    if (udp != NULL)
        return udp;
    /* A machine without IPv6. */
    config.local.v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = g_htons(params->port)};
    return kv_udp_open(&config, error);
}
