/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sockaddr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

socklen_t
kv_sockaddr_get_length(const KvSockaddr *address)
{
    return address->sa.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

gboolean
kv_sockaddr_is_wildcard(const KvSockaddr *address)
{
    if (address->sa.sa_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
    return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

gboolean
kv_sockaddr_equal(const KvSockaddr *a, const KvSockaddr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return FALSE;
    if (a->sa.sa_family == AF_INET6)
        return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
    return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

void
kv_sockaddr_to_endpoint(const KvSockaddr *address, KvEndpoint *endpoint)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    endpoint->port = ntohs(address->v4.sin_port);
    if (address->sa.sa_family == AF_INET6) {
        endpoint->scope = address->v6.sin6_scope_id;
        memcpy(endpoint->ip, &address->v6.sin6_addr, sizeof(endpoint->ip));
        return;
    }
    endpoint->scope = 0;
    memcpy(endpoint->ip, mapped, sizeof(mapped));
    memcpy(endpoint->ip + sizeof(mapped), &address->v4.sin_addr, 4);
}

void
kv_sockaddr_from_endpoint(KvSockaddr *address, const KvEndpoint *endpoint, sa_family_t family)
{
    memset(address, 0, sizeof(*address));
    address->sa.sa_family = family;
    address->v4.sin_port = htons(endpoint->port);
    if (family == AF_INET) {
        memcpy(&address->v4.sin_addr, endpoint->ip + 12, 4);
        return;
    }
    address->v6.sin6_scope_id = endpoint->scope;
    memcpy(&address->v6.sin6_addr, endpoint->ip, sizeof(endpoint->ip));
}

char *
kv_sockaddr_to_string(const KvSockaddr *address)
{
    const struct in6_addr *v6 = &address->v6.sin6_addr;
    char text[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE];
    guint port = ntohs(address->v4.sin_port);

    if (address->sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(v6)) {
        inet_ntop(AF_INET6, v6, text, sizeof(text));
        if (address->v6.sin6_scope_id == 0)
            return g_strdup_printf("[%s]:%u", text, port);
        if (if_indextoname(address->v6.sin6_scope_id, zone) == NULL)
            g_snprintf(zone, sizeof(zone), "%u", address->v6.sin6_scope_id);
        return g_strdup_printf("[%s%%%s]:%u", text, zone, port);
    }
    if (address->sa.sa_family == AF_INET6)
        inet_ntop(AF_INET, &v6->s6_addr[12], text, sizeof(text));
    else
        inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
    return g_strdup_printf("%s:%u", text, port);
}
